//! Section 12: the bytes of a stream, as a client reads them.

use std::thread;
use std::time::Duration;

use super::reader::{Expected, LAST, compare, first, message, played, played_to_last};
use crate::protocol::http::chunk;
use crate::tools::conform::case::{Case, Cases, Requirement, Suite, pass};

const ENDS: Requirement = Requirement::html("9.2.5", "A line ends with LF, with CR, or with CRLF.");
const SPLIT: Requirement =
    Requirement::html("9.2.6", "The events do not depend on how the bytes of the stream are split.");
const BOM: Requirement =
    Requirement::html("9.2.6", "One byte order mark at the start of a stream is dropped.");
const UTF8: Requirement =
    Requirement::html("9.2.6", "A stream is decoded as UTF-8; invalid bytes become U+FFFD.");
const LONG: Requirement = Requirement::html("9.2.5", "A line has any number of characters.");

/// The time between two parts of a stream that have to arrive one by one.
const BETWEEN: Duration = Duration::from_millis(2);

const DISPATCHES: &str = "dispatches the events";

/// Returns the cases of the section.
pub fn cases() -> Vec<Case> {
    let mut section = Cases::of(Suite::Sse, 12, "the lines of a stream");
    line_ends(&mut section);
    bytes(&mut section);
    splits(&mut section);
    section.into_vec()
}

impl Cases {
    /// Adds a case that sends a stream in one piece.
    pub(super) fn stream(
        &mut self,
        index: u16,
        title: &'static str,
        requirement: Requirement,
        stream: impl Into<Vec<u8>>,
        expected: impl Into<Vec<Expected>>,
    ) {
        let (stream, expected) = (stream.into(), expected.into());
        self.add(index, title, requirement, &[pass(DISPATCHES)], move |trial| {
            let request = first(trial)?;
            compare(&played(trial, request, &[&stream])?, &expected)?;
            Ok(DISPATCHES)
        })
        .client_only();
    }
}

fn line_ends(section: &mut Cases) {
    let two = || [message("a\nb"), message("c")];
    section.stream(1, "LF", ENDS, "data: a\ndata: b\n\ndata: c\n\n", two());
    section.stream(2, "CR", ENDS, "data: a\rdata: b\r\rdata: c\r\r", two());
    section.stream(3, "CRLF", ENDS, "data: a\r\ndata: b\r\n\r\ndata: c\r\n\r\n", two());
    section.stream(4, "CR, LF and CRLF mixed", ENDS, "data: a\rdata: b\n\r\ndata: c\r\n\r", two());
    section.stream(
        5,
        "LF and CR are two line ends",
        ENDS,
        "data: a\n\rdata: b\n\n",
        [message("a"), message("b")],
    );
    section.stream(
        6,
        "line separators of Unicode are no line ends",
        ENDS,
        "data: a\u{2028}b\u{2029}c\u{85}d\u{b}e\u{c}f\n\n",
        [message("a\u{2028}b\u{2029}c\u{85}d\u{b}e\u{c}f")],
    );
    section.stream(7, "empty lines alone dispatch nothing", ENDS, "\n\r\n\r\r\n\n", []);
}

fn bytes(section: &mut Cases) {
    section.stream(11, "a byte order mark at the start", BOM, "\u{feff}data: a\n\n", [message("a")]);
    section.stream(
        12,
        "a second byte order mark",
        BOM,
        "\u{feff}\u{feff}data: a\n\ndata: b\n\n",
        [message("b")],
    );
    section.stream(
        13,
        "a byte order mark in the stream",
        BOM,
        "data: a\n\n\u{feff}data: b\n\n",
        [message("a")],
    );
    section.stream(14, "a byte order mark in data", BOM, "data:\u{feff}a\n\n", [message("\u{feff}a")]);
    section.stream(15, "UTF-8 of every length", UTF8, "data: aé€😀\n\n", [message("aé€😀")]);
    section.stream(
        16,
        "bytes that are not UTF-8",
        UTF8,
        *b"data: a\xffb\n\ndata: c\n\n",
        [message("a\u{fffd}b"), message("c")],
    );
    section.stream(
        17,
        "an incomplete character before a line end",
        UTF8,
        *b"data: a\xe2\x82\n\n",
        [message("a\u{fffd}")],
    );
    section.stream(
        18,
        "a surrogate in UTF-8",
        UTF8,
        *b"data: \xed\xa0\x80\n\n",
        [message("\u{fffd}\u{fffd}\u{fffd}")],
    );
    section.stream(19, "NUL in data", UTF8, "data: a\0b\n\n", [message("a\0b")]);
    let long = "x".repeat(1 << 20);
    section.stream(21, "a line of data of 1 MiB", LONG, format!("data: {long}\n\n"), [message(long.clone())]);
    section.stream(22, "a comment of 1 MiB", LONG, format!(":{long}\ndata: a\n\n"), [message("a")]);
    section.stream(
        23,
        "10,000 lines of data",
        LONG,
        "data: x\n".repeat(10_000) + "\n",
        [message(vec!["x"; 10_000].join("\n"))],
    );
}

/// Sends the parts of an event stream in chunks with a pause after each part, so that it arrives
/// alone.
fn in_parts(
    section: &mut Cases,
    index: u16,
    title: &'static str,
    parts: Vec<Vec<u8>>,
    expected: Vec<Expected>,
) {
    section
        .add(index, title, SPLIT, &[pass(DISPATCHES)], move |trial| {
            let mut request = first(trial)?;
            request.open()?;
            for part in &parts {
                request.connection.send(part)?;
                thread::sleep(BETWEEN);
            }
            compare(&played_to_last(trial)?, &expected)?;
            Ok(DISPATCHES)
        })
        .client_only();
}

fn splits(section: &mut Cases) {
    let stream = "\u{feff}: c\r\nid: 1\r\nevent: é\r\ndata: a€\rdata:😀\r\n\r\ndata: b\n\n".as_bytes();
    let events = vec![message("a€\n😀").named("é").id("1"), message("b").id("1")];
    let stream = [stream, LAST].concat();
    let single = || stream.iter().map(|byte| vec![*byte]);
    let start = format!("{:x}\r\n", stream.len()).into_bytes();
    let one_chunk = [start].into_iter().chain(single()).chain([b"\r\n".to_vec()]).collect();
    in_parts(section, 31, "each byte in a segment of its own", one_chunk, events.clone());
    let chunked = |part: &[u8]| {
        let mut out = Vec::new();
        chunk(&mut out, |out| out.extend_from_slice(part));
        out
    };
    let crlf = [&b"data: a\r"[..], b"\n\r", b"\ndata: b\r\n\r", b"\n", LAST].map(chunked);
    in_parts(section, 32, "CRLF split between CR and LF", crlf.into(), vec![message("a"), message("b")]);
    let bytes = single().map(|byte| chunked(&byte)).collect();
    in_parts(section, 33, "each byte in a chunk of its own", bytes, events);
    let outcomes = &[pass(DISPATCHES)];
    section
        .add(34, "a stream that ends with the connection", SPLIT, outcomes, |trial| {
            let mut request = first(trial)?;
            let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
            request.connection.send(head.as_bytes())?;
            request.connection.send(b"data: a\n\n")?;
            request.connection.send(LAST)?;
            request.connection.finish_sending();
            compare(&played_to_last(trial)?, &[message("a")])?;
            Ok(DISPATCHES)
        })
        .client_only();
}
