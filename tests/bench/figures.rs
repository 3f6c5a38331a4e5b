//! Each workload at a barewire server that the command starts.

use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::{SMALL, bench, command, number, right, signal};

/// Asserts that nothing was lost, and that figures which follow from others agree with them.
fn assert_consistent(report: &Value) {
    let run = &report["runs"][0];
    assert_eq!(run["sent"], run["answered"], "{run:#}");
    for count in ["lost", "unsent", "doubled", "wrong", "reconnects"] {
        assert_eq!(run[count], 0, "{count}: {run:#}");
    }
    assert_eq!(run["errors"], serde_json::json!({}));
    let (done, seconds) = (number(&run["done"]), number(&run["seconds"]));
    assert!(done > 0.0 && seconds >= 0.3, "{run:#}");
    assert!((number(&run["per_second"]) * seconds / done - 1.0).abs() < 0.001, "{run:#}");
    assert!(done <= number(&run["answered"]), "{run:#}");
    if cfg!(target_os = "linux") {
        let cpu = number(&run["server_cpu_seconds"]);
        assert!(number(&run["client_cpu_seconds"]) > 0.0);
        assert_eq!(report["server_pids"].as_array().map(Vec::len), Some(1));
        if cpu > 0.0 {
            assert!((number(&run["per_server_cpu_second"]) * cpu / done - 1.0).abs() < 0.01, "{run:#}");
            assert!((number(&run["server_cpu_percent"]) * seconds / cpu / 100.0 - 1.0).abs() < 0.01);
        }
    }
    // The median of one run is the run.
    let per_second = &report["summary"]["per_second"];
    for middle in ["median", "min", "max"] {
        assert_eq!(per_second[middle], run["per_second"]);
    }
    assert!(number(&run["bytes_up"]) + number(&run["bytes_down"]) > 0.0 || report["workload"] == "idle");
}

fn assert_latencies(run: &Value) {
    let latency = &run["latency_ms"];
    let quantiles = ["p50", "p90", "p99", "p99_9", "max"].map(|name| number(&latency[name]));
    assert!(quantiles.is_sorted() && quantiles[0] > 0.0, "{latency}");
    assert!(number(&latency["mean"]) <= quantiles[4]);
}

#[test]
fn echo() {
    for in_flight in ["1", "5"] {
        let report = right(&["echo", "--connections", "7", "--in-flight", in_flight, "--size", "200"]);
        assert_consistent(&report);
        assert_latencies(&report["runs"][0]);
        assert_eq!(
            (&report["loop"], &report["unit"], &report["via"]),
            (&"closed".into(), &"messages".into(), &Value::Null)
        );
        // A frame of 200 bytes has a header of 4 bytes, and from a client a masking key of 4 bytes.
        // Some messages are only partly within the measured time.
        let (run, edge) =
            (&report["runs"][0], 208.0 * 2.0 * 7.0 * in_flight.parse::<f64>().expect("a number"));
        let done = number(&run["done"]);
        assert!((number(&run["bytes_down"]) - 204.0 * done).abs() <= edge, "{run:#}");
        assert!((number(&run["bytes_up"]) - 208.0 * done).abs() <= edge, "{run:#}");
    }
}

#[test]
fn a_rate_makes_an_open_loop() {
    let begun = Instant::now();
    let report = right(&["echo", "--connections", "3", "--rate", "100"]);
    assert_consistent(&report);
    assert_latencies(&report["runs"][0]);
    assert_eq!((&report["loop"], &report["rate"]), (&"open".into(), &100.into()));
    // 0.4 s at 100 per second, and the first at once. A slow machine may send more.
    let (sent, most) = (number(&report["runs"][0]["sent"]), 1.0 + 100.0 * begun.elapsed().as_secs_f64());
    assert!((40.0..=most).contains(&sent), "{sent} messages were sent");
}

#[test]
fn messages_are_due_even_while_the_generator_is_stopped() {
    let longer = ["echo", "--connections", "3", "--rate", "100", "--duration", "2", "--json"];
    let mut command = command(&[&SMALL[..], &longer].concat());
    let bench = command.stdout(Stdio::piped()).spawn().expect("the command starts");
    // The process is stopped when its measurement should end. The assertions hold whenever the
    // pause begins.
    for (wait, name) in [(1.0, "STOP"), (2.5, "CONT")] {
        thread::sleep(Duration::from_secs_f64(wait));
        signal(&bench, name);
    }
    let output = bench.wait_with_output().expect("a child");
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let run = &report["runs"][0];
    assert!(number(&run["sent"]) >= 210.0, "{run:#}");
    assert_eq!((&run["sent"], &run["unsent"], &run["lost"]), (&run["answered"], &0.into(), &0.into()));
}

#[test]
fn requests() {
    let report = right(&["requests", "--connections", "5"]);
    assert_consistent(&report);
    assert_latencies(&report["runs"][0]);
    assert_eq!(report["unit"], "requests");
    assert_consistent(&right(&["requests", "--connections", "5", "--rate", "50"]));
}

#[test]
fn fan_out() {
    for via in ["websocket", "sse", "long-poll"] {
        for (burst, way) in [("1", "pipelined"), ("20", "pipelined"), ("20", "sequential"), ("20", "batch")] {
            let report = right(
                &[
                    &["fan-out", "--connections", "30", "--via", via, "--size", "40"][..],
                    &["--burst", burst, "--burst-as", way],
                ]
                .concat(),
            );
            assert_consistent(&report);
            let run = &report["runs"][0];
            assert_latencies(run);
            assert_eq!((&report["via"], &report["burst_as"]), (&via.into(), &way.into()));
            assert_eq!(number(&run["done"]), 30.0 * number(&run["events"]), "{via}, {burst} {way}: {run:#}");
            assert_eq!(number(&run["events"]) % burst.parse::<f64>().expect("a number"), 0.0);
            assert_eq!(run["sent"], run["answered"]);
            assert!(number(&run["bytes_down"]) >= 40.0 * number(&run["done"]), "{run:#}");
        }
    }
}

#[test]
fn idle() {
    for via in ["websocket", "sse", "long-poll"] {
        let report = right(&["idle", "--connections", "40", "--via", via]);
        assert_consistent(&report);
        let run = &report["runs"][0];
        assert_eq!(run["done"], 40);
        if cfg!(target_os = "linux") {
            // The figures of so few connections are too small to assert more.
            assert!(run["user_bytes_each"].is_number() && run["kernel_bytes_each"].is_number(), "{run:#}");
            assert!(report["summary"]["user_bytes_each"]["median"].is_number());
        }
    }
}

#[test]
fn connect() {
    for via in ["websocket", "sse", "short-poll"] {
        let report = right(&["connect", "--in-flight", "4", "--via", via]);
        assert_consistent(&report);
        assert_latencies(&report["runs"][0]);
    }
}

#[test]
fn the_ceiling_alone_and_with_a_server() {
    for workload in ["echo", "fan-out"] {
        let report = right(&["ceiling", workload, "--connections", "10"]);
        let run = &report["runs"][0];
        assert_eq!((&report["target"], run["sent"] == run["answered"]), (&"ceiling".into(), true), "{run:#}");
        assert!(number(&run["done"]) > 0.0);
        assert_latencies(run);
    }
    for arguments in [
        &["echo", "--connections", "10"][..],
        &["requests", "--connections", "10"],
        &["fan-out", "--connections", "10", "--burst", "3"],
        &["fan-out", "--connections", "10", "--burst", "3", "--burst-as", "sequential", "--via", "long-poll"],
        &["fan-out", "--connections", "10", "--burst", "3", "--burst-as", "batch", "--via", "sse"],
        &["fan-out", "--connections", "10", "--via", "long-poll"],
    ] {
        let report = right(&[arguments, &["--ceiling"]].concat());
        assert_consistent(&report);
        let (run, bare) = (&report["runs"][0], &report["ceiling"]["runs"][0]);
        assert_eq!(bare["sent"], bare["answered"], "{bare:#}");
        assert!(number(&report["ceiling"]["size"]) > 0.0);
        if cfg!(target_os = "linux") {
            let of = |run: &Value| run["per_server_cpu_second"].as_f64();
            let expected = of(run).zip(of(bare)).map(|(server, bare)| server / bare);
            match report["ratio"]["median"].as_f64().zip(expected) {
                Some((ratio, expected)) => {
                    assert!((ratio / expected - 1.0).abs() < 0.01, "{ratio}, {expected}")
                }
                None => assert!(report["ratio"].is_null() && expected.is_none(), "{report:#}"),
            }
        }
    }
    let size = |arguments: &[&str]| number(&right(arguments)["ceiling"]["size"]);
    // The size is that of the frame that a client sends.
    assert_eq!(size(&["echo", "--connections", "2", "--size", "64", "--ceiling"]), 70.0);
    assert_eq!(size(&["echo", "--connections", "2", "--size", "1000", "--ceiling"]), 1008.0);
}

#[test]
fn several_runs_have_a_median_and_a_spread() {
    let report = right(&["echo", "--connections", "2", "--runs", "3", "--duration", "0.1"]);
    let mut runs: Vec<f64> =
        report["runs"].as_array().expect("a list").iter().map(|run| number(&run["per_second"])).collect();
    runs.sort_by(f64::total_cmp);
    let spread = &report["summary"]["per_second"];
    assert_eq!(runs, ["min", "median", "max"].map(|name| number(&spread[name])));
}

#[test]
fn the_table_has_each_run_and_the_notes() {
    let output = bench(&[
        "echo",
        "--connections",
        "2",
        "--runs",
        "2",
        "--duration",
        "0.1",
        "--warm-up",
        "0",
        "--ceiling",
    ]);
    assert_eq!(output.status.code(), Some(0));
    let table = String::from_utf8(output.stdout).expect("UTF-8");
    for line in ["run 1", "run 2", "median", "min", "max", "ceiling run 2", "ceiling median", "a closed loop"]
    {
        assert!(table.lines().any(|row| row.starts_with(line)), "{line}: {table}");
    }
    assert!(table.starts_with("echo, http://127.0.0.1:"), "{table}");
    assert!(
        table.contains("2 connections, 1 in flight, 64 bytes; 2 runs of 0.1 s after 0 s of warm-up"),
        "{table}"
    );
    assert!(table.contains("relative to the ceiling"), "{table}");
    // The progress is shown only on a terminal.
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}
