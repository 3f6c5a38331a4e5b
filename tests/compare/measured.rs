//! What is measured, and how it is told.

use serde_json::Value;

use super::other::Other;
use super::{errors, json, number, run, run_undisturbed, text};

/// A second for each leg: 4 events to 10 clients.
const SHORT: [&str; 8] =
    ["--clients", "10", "--duration", "1s", "--events-per-minute", "240", "--interval", "100ms,200ms"];

const LEGS: [(&str, Option<f64>); 5] = [
    ("short-poll", Some(0.1)),
    ("short-poll", Some(0.2)),
    ("long-poll", None),
    ("sse", None),
    ("websocket", None),
];

#[test]
fn every_event_reaches_every_client_once_over_each_transport() {
    let comparison = json(&SHORT);
    assert_eq!(comparison["interrupted"], false);
    let legs = comparison["legs"].as_array().expect("a list");
    let named: Vec<_> = legs
        .iter()
        .map(|leg| (leg["transport"].as_str().expect("a name"), leg["interval_seconds"].as_f64()))
        .collect();
    assert_eq!(named, LEGS);
    for leg in legs {
        assert_eq!(number(leg, "events_published"), 4.0, "{leg}");
        assert_eq!(number(leg, "events_arrived"), 40.0, "{leg}");
        assert_eq!((number(leg, "lost"), number(leg, "doubled")), (0.0, 0.0), "{leg}");
        assert_eq!((number(leg, "connections"), number(leg, "reconnects")), (10.0, 0.0), "{leg}");
        let delays = ["p50", "p95", "p99", "max"].map(|name| number(leg, &format!("delay_ms.{name}")));
        assert!(delays[0] > 0.0 && delays.is_sorted(), "{leg}");
        for part in ["bytes_up", "bytes_down"] {
            let parts = ["headers", "payload"].map(|kind| number(leg, &format!("{part}_{kind}")));
            assert_eq!(number(leg, part), parts[0] + parts[1], "{leg}");
        }
        if cfg!(target_os = "linux") {
            assert!(
                number(leg, "server_cpu_seconds") > 0.0 && number(leg, "server_memory_bytes") > 0.0,
                "{leg}"
            );
        }
    }
}

#[test]
fn bytes_are_those_of_the_arithmetic() {
    let arguments =
        ["--clients", "3", "--duration", "2s", "--events-per-minute", "120", "--interval", "50ms"];
    let comparison = json(&arguments);
    for leg in comparison["legs"].as_array().expect("a list") {
        let both = |name: &str| (number(leg, name), number(leg, &format!("predicted.{name}")));
        // A machine with much to do measures a little longer; the arithmetic is that of the 2 seconds.
        let (minutes, planned) = (number(leg, "seconds") / 60.0, 2.0 / 60.0);
        match leg["transport"].as_str().expect("a name") {
            "short-poll" | "long-poll" => {
                // As many as there are requests, which may be fewer on a slow machine; and each as long as it should be.
                let (requests, expected) = both("requests_per_minute");
                let (up, expected_up) = both("bytes_up_headers");
                assert_ratio(up / (requests * minutes), expected_up / (expected * planned), leg);
                // At both ends of the measurement an answer may be under way for each client.
                let (down, expected_down) = both("bytes_down_headers");
                let answers = down / (expected_down / (expected * planned));
                assert!((answers - requests * minutes).abs() <= 3.5, "{answers} answers: {leg}");
            }
            _ => {
                for name in ["bytes_up", "bytes_down_headers", "bytes_down_payload"] {
                    let (measured, expected) = both(name);
                    assert!((measured - expected).abs() < 0.5, "{name}: {leg}");
                }
            }
        }
    }
}

/// Within 0.2 %: the arithmetic knows the time to no more places than it is told in.
fn assert_ratio(measured: f64, expected: f64, leg: &Value) {
    assert!((measured / expected - 1.0).abs() < 0.002, "{measured} in place of {expected}: {leg}");
}

#[test]
fn csv_has_a_line_for_each_leg_and_the_names_of_json() {
    let output =
        run_undisturbed(&[&SHORT[..], &["--format", "csv", "--transports", "sse,websocket"]].concat());
    assert!(output.status.success(), "{}", errors(&output));
    let lines: Vec<Vec<&str>> =
        text(&output).split_terminator("\r\n").map(|line| line.split(',').collect()).collect();
    let [names, stream, socket] = &lines[..] else { panic!("{lines:?}") };
    assert!(names.len() == stream.len() && names.len() == socket.len(), "{lines:?}");
    let value = |line: &[&str], name: &str| {
        let at = names.iter().position(|other| *other == name).unwrap_or_else(|| panic!("no column {name}"));
        line[at].to_owned()
    };
    assert_eq!((value(stream, "transport"), value(socket, "transport")), ("sse".into(), "websocket".into()));
    for (name, expected) in [
        ("interval_seconds", ""),
        ("events_arrived", "40"),
        ("lost", "0"),
        ("doubled", "0"),
        ("requests_per_minute", "0"),
        ("bytes_up_predicted", "0"),
        ("bytes_up_difference_percent", ""),
        ("delay_ms_p50_predicted", "0"),
    ] {
        assert_eq!(value(stream, name), expected, "{name}");
    }
}

#[test]
fn the_table_names_each_transport_and_each_figure() {
    let output = run_undisturbed(&SHORT);
    let table = text(&output);
    assert!(output.status.success(), "{}", errors(&output));
    assert!(
        table.starts_with("10 clients, 240 events a minute of 200 bytes, 1 s for each transport\n"),
        "{table}"
    );
    let has_row =
        |cells: &[&str]| table.lines().any(|line| line.split_whitespace().collect::<Vec<_>>() == cells);
    assert!(has_row(&["short-poll", "short-poll", "long-poll", "sse", "websocket"]), "{table}");
    assert!(has_row(&["each", "0.1", "s", "each", "0.2", "s"]), "{table}");
    assert!(has_row(&["events", "arrived", "40", "40", "40", "40", "40"]), "{table}");
    assert!(has_row(&["connections", "opened", "10", "10", "10", "10", "10"]), "{table}");
    assert!(table.contains("\nempty answers a minute ") && table.contains("\ndelay in ms, p99 "), "{table}");
}

#[test]
fn another_barewire_can_be_named_and_its_process_measured() {
    let other = Other::start(&[]);
    let id = other.id().to_string();
    let target = ["--url", &other.url, "--transports", "sse"];
    let unknown = json(&[&SHORT[..], &target].concat());
    assert_eq!(unknown["legs"][0]["server_cpu_seconds"], Value::Null);
    assert_eq!(number(&unknown["legs"][0], "events_arrived"), 40.0);
    let known = json(&[&SHORT[..], &target, &["--server-pid", &id]].concat());
    if cfg!(target_os = "linux") {
        assert!(number(&known["legs"][0], "server_cpu_seconds") > 0.0);
    }
}

#[test]
fn one_client_is_one_client() {
    let output = run(&["--clients", "1", "--duration", "100ms", "--transports", "websocket"]);
    assert!(
        text(&output).starts_with("1 client, 6 events a minute of 200 bytes, 0.1 s "),
        "{}",
        text(&output)
    );
}

#[test]
fn a_prediction_is_of_what_goes_on_not_of_a_leg() {
    // No leg of a fifth of a second holds an event each two minutes.
    let comparison = json(&[&SHORT[..], &["--duration", "200ms", "--predict", "1000@0.5"]].concat());
    let transports = comparison["predictions"][0]["transports"].as_array().expect("a list");
    // Held 30 s, an event each 120: four requests for each event.
    assert_eq!(number(&transports[2], "requests_per_minute"), 2000.0);
    assert_eq!(number(&transports[2], "empty_per_minute"), 1500.0);
    for leg in transports {
        // 500 events are delivered, each of more than 200 bytes.
        assert!(number(leg, "bytes_down_per_minute") > 100_000.0, "{leg}");
    }
}
