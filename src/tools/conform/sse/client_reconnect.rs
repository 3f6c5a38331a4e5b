//! Section 14: the end of a stream, and the request of a client that resumes.

use std::time::{Duration, Instant};

use super::reader::{
    BACK_OFF, Expected, LAST, Received, compare, first, message, next, played, played_to_last, printed_so_far,
};
use crate::tools::conform::case::{Case, Cases, Outcome, Requirement, Suite, allowed, pass};
use crate::tools::conform::trial::{Finding, Trial};

const INCOMPLETE: Requirement =
    Requirement::html("9.2.6", "A block that the end of the stream cuts off is discarded.");
const RECONNECTS: Requirement =
    Requirement::html("9.2.3", "A client connects again when the stream has ended.");
const RESUMES: Requirement = Requirement::html(
    "9.2.3",
    "The request after the end of a stream has the last event ID in Last-Event-ID, in UTF-8.",
);
const DELAY: Requirement =
    Requirement::html("9.2.3", "A client waits for the reconnection time before it connects again.");
const RETRY: Requirement =
    Requirement::html("9.2.6", "The digits of a field retry are the reconnection time in milliseconds.");

const DISCARDS: &str = "discards the incomplete block";
const AGAIN: &str = "connects again";
const SENDS: &str = "sends the last event ID";
const SENDS_NONE: &str = "sends no ID";
const SENDS_EMPTY: &str = "sends an empty ID";
const WAITS: &str = "waits as long as the server asks";

/// Returns the cases of the section.
pub fn cases() -> Vec<Case> {
    let mut section = Cases::of(Suite::Sse, 14, "reconnecting and resuming");
    incomplete(&mut section);
    resume(&mut section);
    times(&mut section);
    section.into_vec()
}

fn incomplete(section: &mut Cases) {
    let mut add = |index, title, cut: &'static str, expected: Vec<Expected>| {
        section
            .add(index, title, INCOMPLETE, &[pass(DISCARDS)], move |trial| {
                first(trial)?.stream(&[b"retry: 10\ndata: whole\n\n", cut.as_bytes()])?;
                // The block is cut off for good when the client has reconnected or has ended.
                let events = match next(trial, BACK_OFF)? {
                    Some(request) => played(trial, request, &[])?,
                    None => printed_so_far(trial)?,
                };
                compare(&events, &expected)?;
                Ok(DISCARDS)
            })
            .client_only();
    };
    let whole = || vec![message("whole")];
    add(1, "the end in a line", "data: cut", whole());
    add(2, "the end after a line", "data: cut\n", whole());
    add(3, "the end after several lines", "event: x\ndata: cut\r\ndata: off\r\n", whole());
    add(4, "the end after a complete block", "data: b\n\n", vec![message("whole"), message("b")]);
    add(5, "the end after an empty line with CR", "data: b\r\r", vec![message("whole"), message("b")]);
}

fn resume(section: &mut Cases) {
    section
        .add(11, "the end of a stream", RECONNECTS, &[pass(AGAIN)], |trial| {
            first(trial)?.stream(&[b"retry: 10\ndata: first\n\n"])?;
            let Some(request) = next(trial, BACK_OFF)? else {
                return Err(Finding::failed("another request", "no request in time"));
            };
            compare(
                &played(trial, request, &[b"data: second\n\n"])?,
                &[message("first"), message("second")],
            )?;
            Ok(AGAIN)
        })
        .client_only();
    let mut add = |index, title, stream: &'static str, id: &'static str| {
        let outcomes: &[Outcome] =
            if id.is_empty() { &[pass(SENDS_NONE), allowed(SENDS_EMPTY)] } else { &[pass(SENDS)] };
        section
            .add(index, title, RESUMES, outcomes, move |trial| {
                let request = resumed(trial, stream)?;
                let sent = request.field("Last-Event-ID");
                match sent.as_deref() {
                    None if id.is_empty() => Ok(SENDS_NONE),
                    Some(b"") if id.is_empty() => Ok(SENDS_EMPTY),
                    Some(sent) if sent == id.as_bytes() => Ok(SENDS),
                    sent => {
                        let text = |id: &[u8]| format!("Last-Event-ID: {}", String::from_utf8_lossy(id));
                        let none = || "no Last-Event-ID".to_owned();
                        let expected = if id.is_empty() { none() } else { text(id.as_bytes()) };
                        Err(Finding::failed(expected, sent.map_or_else(none, text)).at(2, 0))
                    }
                }
            })
            .client_only();
    };
    add(12, "an ID", "id: 7\ndata: a\n\n", "7");
    add(13, "the ID of an earlier event", "id: 7\ndata: a\n\ndata: b\n\n", "7");
    add(14, "the last of several IDs", "id: 7\ndata: a\n\nid: 8\ndata: b\n\n", "8");
    add(15, "an ID in a block without data", "id: 7\ndata: a\n\nid: 8\n\n", "8");
    add(16, "an ID in a block that is cut off", "id: 7\ndata: a\n\nid: 8\ndata: b\n", "7");
    add(17, "an ID that is set to nothing", "id: 7\ndata: a\n\nid\ndata: b\n\n", "");
    add(18, "an ID with a NUL", "id: 7\ndata: a\n\nid: 8\u{0}\ndata: b\n\n", "7");
    add(19, "no ID", "data: a\n\n", "");
    add(20, "an ID with other scripts", "id: é€😀\ndata: a\n\n", "é€😀");
    add(21, "an ID with punctuation", "id: a:b, \"c\"; d=%20\ndata: a\n\n", "a:b, \"c\"; d=%20");
    section
        .add(22, "the ID stays in effect in the next stream", RESUMES, &[pass(SENDS)], |trial| {
            let request = resumed(trial, "id: 7\ndata: a\n\n")?;
            let events = played(trial, request, &[b"data: b\n\n"])?;
            compare(&events, &[message("a").id("7"), message("b").id("7")])?;
            Ok(SENDS)
        })
        .client_only();
}

fn times(section: &mut Cases) {
    section
        .add(31, "retry: 1000", DELAY, &[pass(WAITS)], |trial| {
            let elapsed = delay(trial, "retry: 1000\n")?;
            // The client's clock starts when it has seen the end, a little after the suite's.
            if elapsed < Duration::from_millis(950) {
                let observed = format!("{} ms after the end", elapsed.as_millis());
                return Err(
                    Finding::failed("the next request 1000 ms after the end, or later", observed).at(2, 0)
                );
            }
            Ok(WAITS)
        })
        .client_only();
    let ignored = &[pass(WAITS)];
    section
        .add(32, "retry that is no number after retry: 1000", RETRY, ignored, |trial| {
            let elapsed = delay(trial, "retry: 1000\nretry: 1e1\nretry: -5\nretry: 5ms\nretry: +5\n")?;
            if elapsed < Duration::from_millis(950) {
                let observed = format!("{} ms after the end", elapsed.as_millis());
                return Err(
                    Finding::failed("the next request 1000 ms after the end, or later", observed).at(2, 0)
                );
            }
            Ok(WAITS)
        })
        .client_only();
}

/// Sends a stream, and returns the request after its end.
fn resumed(trial: &mut Trial, stream: &str) -> Result<Received, Finding> {
    first(trial)?.stream(&[b"retry: 10\n", stream.as_bytes()])?;
    let why = "the client does not reconnect after the end of a stream";
    next(trial, BACK_OFF)?.ok_or_else(|| Finding::NotApplicable(why.into()))
}

/// Returns the time between the end of a stream and the next request.
fn delay(trial: &mut Trial, fields: &str) -> Result<Duration, Finding> {
    let mut request = first(trial)?;
    request.open()?;
    request.part(fields.as_bytes())?;
    request.part(LAST)?;
    // The client has read the fields before the stream ends.
    played_to_last(trial)?;
    let end = Instant::now();
    request.end()?;
    match next(trial, BACK_OFF)? {
        Some(_) => Ok(end.elapsed()),
        None => Err(Finding::NotApplicable("the client does not reconnect after the end of a stream".into())),
    }
}
