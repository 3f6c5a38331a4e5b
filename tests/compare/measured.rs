//! The measured figures, and the forms in which they are written.

use serde_json::Value;

use super::external_server::ExternalServer;
use super::{errors, json, number, run, run_undisturbed, text};

/// One second per trial: 4 events to 10 clients.
const SHORT: [&str; 8] =
    ["--clients", "10", "--duration", "1s", "--events-per-minute", "240", "--interval", "100ms,200ms"];

const TRIALS: [(&str, Option<f64>); 5] = [
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
    let trials = comparison["legs"].as_array().expect("a list");
    let names: Vec<_> = trials
        .iter()
        .map(|trial| (trial["transport"].as_str().expect("a name"), trial["interval_seconds"].as_f64()))
        .collect();
    assert_eq!(names, TRIALS);
    for trial in trials {
        assert_eq!(number(trial, "events_published"), 4.0, "{trial}");
        assert_eq!(number(trial, "events_arrived"), 40.0, "{trial}");
        assert_eq!((number(trial, "lost"), number(trial, "doubled")), (0.0, 0.0), "{trial}");
        assert_eq!((number(trial, "connections"), number(trial, "reconnects")), (10.0, 0.0), "{trial}");
        let delays = ["p50", "p95", "p99", "max"].map(|name| number(trial, &format!("delay_ms.{name}")));
        assert!(delays[0] > 0.0 && delays.is_sorted(), "{trial}");
        for part in ["bytes_up", "bytes_down"] {
            let parts = ["headers", "payload"].map(|kind| number(trial, &format!("{part}_{kind}")));
            assert_eq!(number(trial, part), parts[0] + parts[1], "{trial}");
        }
        if cfg!(target_os = "linux") {
            assert!(
                number(trial, "server_cpu_seconds") > 0.0 && number(trial, "server_memory_bytes") > 0.0,
                "{trial}"
            );
        }
    }
}

#[test]
fn measured_bytes_equal_calculated_bytes() {
    let arguments =
        ["--clients", "3", "--duration", "2s", "--events-per-minute", "120", "--interval", "50ms"];
    let comparison = json(&arguments);
    for trial in comparison["legs"].as_array().expect("a list") {
        let both = |name: &str| (number(trial, name), number(trial, &format!("predicted.{name}")));
        // A busy machine measures a little longer than the 2 seconds of the calculation.
        let (minutes, planned) = (number(trial, "seconds") / 60.0, 2.0 / 60.0);
        match trial["transport"].as_str().expect("a name") {
            "short-poll" | "long-poll" => {
                // A slow machine may make fewer requests, but each has the calculated length.
                let (requests, expected) = both("requests_per_minute");
                let (up, expected_up) = both("bytes_up_headers");
                assert_ratio(up / (requests * minutes), expected_up / (expected * planned), trial);
                // Each client may have one response in flight at both ends of the measurement.
                let (down, expected_down) = both("bytes_down_headers");
                let responses = down / (expected_down / (expected * planned));
                assert!((responses - requests * minutes).abs() <= 3.5, "{responses} responses: {trial}");
            }
            _ => {
                for name in ["bytes_up", "bytes_down_headers", "bytes_down_payload"] {
                    let (measured, expected) = both(name);
                    assert!((measured - expected).abs() < 0.5, "{name}: {trial}");
                }
            }
        }
    }
}

/// Asserts equality within 0.2 %, because the duration in JSON is rounded.
fn assert_ratio(measured: f64, expected: f64, trial: &Value) {
    assert!((measured / expected - 1.0).abs() < 0.002, "{measured} instead of {expected}: {trial}");
}

#[test]
fn csv_has_one_line_per_trial_and_the_names_of_the_json() {
    let output =
        run_undisturbed(&[&SHORT[..], &["--format", "csv", "--transports", "sse,websocket"]].concat());
    assert!(output.status.success(), "{}", errors(&output));
    let lines: Vec<Vec<&str>> =
        text(&output).split_terminator("\r\n").map(|line| line.split(',').collect()).collect();
    let [names, stream, socket] = &lines[..] else { panic!("{lines:?}") };
    assert!(names.len() == stream.len() && names.len() == socket.len(), "{lines:?}");
    let value = |line: &[&str], name: &str| {
        let column =
            names.iter().position(|other| *other == name).unwrap_or_else(|| panic!("no column {name}"));
        line[column].to_owned()
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
fn the_table_has_each_transport_and_each_figure() {
    let output = run_undisturbed(&SHORT);
    let table = text(&output);
    assert!(output.status.success(), "{}", errors(&output));
    assert!(
        table.starts_with("10 clients, 240 events per minute of 200 bytes, 1 s per transport\n"),
        "{table}"
    );
    let has_row =
        |cells: &[&str]| table.lines().any(|line| line.split_whitespace().collect::<Vec<_>>() == cells);
    assert!(has_row(&["short-poll", "short-poll", "long-poll", "sse", "websocket"]), "{table}");
    assert!(has_row(&["every", "0.1", "s", "every", "0.2", "s"]), "{table}");
    assert!(has_row(&["events", "received", "40", "40", "40", "40", "40"]), "{table}");
    assert!(has_row(&["connections", "opened", "10", "10", "10", "10", "10"]), "{table}");
    assert!(table.contains("\nempty polls per minute ") && table.contains("\ndelay, p99 (ms) "), "{table}");
}

#[test]
fn measures_another_barewire_and_its_process() {
    let server = ExternalServer::start(&[]);
    let id = server.id().to_string();
    let target = ["--url", &server.url, "--transports", "sse"];
    let unknown = json(&[&SHORT[..], &target].concat());
    assert_eq!(unknown["legs"][0]["server_cpu_seconds"], Value::Null);
    assert_eq!(number(&unknown["legs"][0], "events_arrived"), 40.0);
    let known = json(&[&SHORT[..], &target, &["--server-pid", &id]].concat());
    if cfg!(target_os = "linux") {
        assert!(number(&known["legs"][0], "server_cpu_seconds") > 0.0);
    }
}

#[test]
fn the_table_names_a_single_client_in_the_singular() {
    let output = run(&["--clients", "1", "--duration", "100ms", "--transports", "websocket"]);
    assert!(
        text(&output).starts_with("1 client, 6 events per minute of 200 bytes, 0.1 s "),
        "{}",
        text(&output)
    );
}

#[test]
fn a_prediction_describes_the_steady_state() {
    // No trial of a fifth of a second contains an event if one is published every two minutes.
    let comparison = json(&[&SHORT[..], &["--duration", "200ms", "--predict", "1000@0.5"]].concat());
    let transports = comparison["predictions"][0]["transports"].as_array().expect("a list");
    // A long poll waits 30 s and an event is published every 120 s: four requests per event.
    assert_eq!(number(&transports[2], "requests_per_minute"), 2000.0);
    assert_eq!(number(&transports[2], "empty_per_minute"), 1500.0);
    for transport in transports {
        // 500 events of more than 200 bytes are delivered.
        assert!(number(transport, "bytes_down_per_minute") > 100_000.0, "{transport}");
    }
}
