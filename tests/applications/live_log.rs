//! The live log: standard input to every reader, and readers that do not keep up.

use std::io::Write;

use barewire::client::follow::{Resource, Since, Transport};
use barewire::client::{Follow, FollowOptions, Update};
use serde_json::{Value, json};

use crate::http::get;
use crate::program::Program;

const EXAMPLE: &str = "12_live_log";
/// The bytes that the log keeps, and a quarter more while events are being delivered.
const LOG_BYTES: u64 = (1 << 20) * 5 / 4;

/// Follows the log, from its oldest event.
fn follow(program: &Program, transport: Transport) -> Follow {
    let resource = Resource::new(&program.url("/log"), None, &[]).expect("the URL is valid");
    let options =
        FollowOptions { transports: vec![transport], since: Since::Start, ..FollowOptions::default() };
    Follow::new(resource, options).expect("the options are valid")
}

/// What a reader has received.
#[derive(Debug, PartialEq)]
enum Received {
    Line(String),
    Status(Value),
    Gap,
}

/// Returns the next event or gap. A lost connection is not one: the client reconnects.
fn next(reader: &mut Follow) -> Received {
    loop {
        match reader.next().expect("the follower goes on").expect("the example answers") {
            Update::Event(event) if event.event == "status" => {
                return Received::Status(serde_json::from_str(&event.data).expect("a status is JSON"));
            }
            Update::Event(event) => return Received::Line(event.data),
            Update::Gap { .. } => return Received::Gap,
            _ => {}
        }
    }
}

/// Returns the lines up to `last`.
fn lines_through(reader: &mut Follow, last: &str) -> Vec<String> {
    let mut lines = Vec::new();
    while lines.last().is_none_or(|line| line != last) {
        match next(reader) {
            Received::Line(line) => lines.push(line),
            Received::Status(_) => {}
            Received::Gap => panic!("a gap after {} lines", lines.len()),
        }
    }
    lines
}

fn metric(program: &Program, name: &str) -> u64 {
    let text = get(&program.url("/metrics"), &[]).text;
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok());
    value.unwrap_or_else(|| panic!("no metric {name}"))
}

#[test]
fn every_reader_receives_each_line_in_order() {
    let (program, mut input) = Program::start_with_input(EXAMPLE);
    let transports = [Transport::EventStream, Transport::WebSocket, Transport::LongPoll];
    let mut early = transports.map(|transport| follow(&program, transport));
    let expected: Vec<String> = (0..3000).map(|number| format!("line {number}")).collect();
    input.write_all((expected.join("\n") + "\n").as_bytes()).expect("the example reads");
    for reader in early.iter_mut().chain(&mut transports.map(|transport| follow(&program, transport))) {
        assert_eq!(lines_through(reader, "line 2999"), expected);
    }
}

#[test]
fn a_line_is_text_whatever_the_input_is() {
    let (program, mut input) = Program::start_with_input(EXAMPLE);
    let mut reader = follow(&program, Transport::EventStream);
    let long = "x".repeat(40_000);
    let bytes = [b"\n\r\ncaf\xe9 \xc3\xa9\r\n", long.as_bytes(), b"\nwithout a line end"].concat();
    input.write_all(&bytes).expect("the example reads");
    drop(input);
    let (first, rest) = (long[..16 << 10].to_owned(), long[32 << 10..].to_owned());
    let expected = ["", "", "caf\u{fffd} é", &first, &first, &rest, "without a line end"];
    assert_eq!(lines_through(&mut reader, "without a line end"), expected);
}

#[test]
fn the_end_of_the_input_is_shown_to_present_and_later_readers() {
    let (program, input) = Program::start_with_input(EXAMPLE);
    let mut first = follow(&program, Transport::EventStream);
    assert_eq!(next(&mut first), Received::Status(json!({ "readers": 1, "is_open": true })));
    let mut second = follow(&program, Transport::WebSocket);
    while next(&mut second) != Received::Status(json!({ "readers": 2, "is_open": true })) {}
    drop(second);
    while next(&mut first) != Received::Status(json!({ "readers": 1, "is_open": true })) {}
    drop(input);
    while next(&mut first) != Received::Status(json!({ "readers": 1, "is_open": false })) {}
    let mut later = follow(&program, Transport::EventStream);
    while next(&mut later) != Received::Status(json!({ "readers": 2, "is_open": false })) {}
}

#[test]
fn no_line_of_a_fast_producer_is_left_out() {
    const LINES: u64 = 8_000;
    const READERS: u64 = 50;
    let (program, mut input) = Program::start_with_input(EXAMPLE);
    let readers = (0..READERS).map(|_| {
        let mut reader = follow(&program, Transport::EventStream);
        std::thread::spawn(move || {
            while next(&mut reader) != Received::Line("the last line".into()) {}
            reader
        })
    });
    let readers: Vec<_> = readers.collect();
    let line = "y".repeat(999) + "\n";
    for _ in 0..LINES - 1 {
        input.write_all(line.as_bytes()).expect("the example reads");
    }
    input.write_all(b"the last line\n").expect("the example reads");
    let readers: Vec<Follow> =
        readers.into_iter().map(|reader| reader.join().expect("the reader goes on")).collect();
    let events = metric(&program, "barewire_events_published_total");
    let evicted = metric(&program, "barewire_followers_too_slow_total");
    drop(readers);
    // A status for each reader that has joined, left, and joined again.
    println!("{events} events, {evicted} evictions");
    assert_eq!(events, LINES + READERS + 2 * evicted);
}

#[test]
fn a_reader_that_stops_costs_no_memory_and_is_told_of_its_gap() {
    let (program, mut input) = Program::start_with_input(EXAMPLE);
    let mut reader = follow(&program, Transport::EventStream);
    assert_eq!(next(&mut reader), Received::Status(json!({ "readers": 1, "is_open": true })));
    // The kernel accepts about 4 MB for a reader that does not read. From then on it lags.
    let pad = "z".repeat(4000);
    let mut write = |numbers: std::ops::Range<usize>| {
        numbers.for_each(|number| writeln!(input, "{number} {pad}").expect("the example reads"));
    };
    write(0..2000);
    let before = metric(&program, "process_resident_memory_bytes");
    write(2000..10_000);
    let after = metric(&program, "process_resident_memory_bytes");
    let [log, buffered] =
        ["barewire_log_bytes", "barewire_buffered_bytes"].map(|name| metric(&program, name));
    println!("resident: {before}, {after}; log: {log}; buffered: {buffered}");
    assert!(log <= LOG_BYTES, "the log keeps {log} bytes");
    assert!(buffered < 1 << 20, "the connections hold {buffered} bytes");
    // 32 MB were written meanwhile.
    assert!(after < before + (4 << 20), "the process grew from {before} to {after} bytes");
    assert_eq!(metric(&program, "barewire_followers_too_slow_total"), 1);

    let (mut expected, mut gaps) = (0, Vec::new());
    while expected < 10_000 {
        match next(&mut reader) {
            Received::Line(line) => {
                let number: usize =
                    line.split(' ').next().and_then(|word| word.parse().ok()).expect("a number");
                if gaps.last().is_some_and(|(_, to)| *to == usize::MAX) {
                    gaps.last_mut().expect("a gap").1 = number;
                    expected = number;
                }
                assert_eq!(number, expected, "lines are missing, and no gap was told");
                expected += 1;
            }
            Received::Gap => gaps.push((expected, usize::MAX)),
            Received::Status(_) => {}
        }
    }
    println!("missing lines: {gaps:?}");
    assert!(matches!(gaps[..], [(from, to)] if from > 0 && to > from), "one gap, not {gaps:?}");
}

#[test]
fn a_taken_port_is_reported() {
    let (code, report) = Program::start_on_taken_port(EXAMPLE);
    assert_eq!(code, Some(1));
    assert!(report.contains("cannot listen"), "{report}");
}
