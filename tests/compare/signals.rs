//! Signals: the output afterwards, and the end of the child processes.

use std::fs;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

use super::external_server::{ExternalServer, wait_for_metrics};
use super::{command, number};

/// Sends a signal, given by its name without SIG.
fn send_signal(child: &Child, name: &str) {
    let kill = format!("kill -s {name} {}", child.id());
    let status = Command::new("sh").args(["-c", &kill]).status().expect("a shell");
    assert!(status.success(), "{kill}");
}

/// Starts the command, sends SIGINT when the server's metrics satisfy the condition, and returns
/// the output. The exit status must be 130.
fn interrupt_when(server: &ExternalServer, arguments: &[&str], condition: impl Fn(&str) -> bool) -> Output {
    let mut command = command(&[arguments, &["--url", &server.url]].concat());
    let child = command.stdout(Stdio::piped()).spawn().expect("the command starts");
    wait_for_metrics(&server.url, condition);
    send_signal(&child, "INT");
    let output = child.wait_with_output().expect("the command ends");
    assert_eq!(output.status.code(), Some(130));
    output
}

/// Returns true if the server has published an event.
fn has_events(metrics: &str) -> bool {
    let published = metrics.lines().find_map(|line| line.strip_prefix("barewire_events_published_total "));
    published.is_some_and(|count| count.parse::<f64>().expect("a number") > 0.0)
}

#[test]
fn ctrl_c_ends_the_measurement_and_writes_the_results_so_far() {
    let server = ExternalServer::start(&[]);
    let timing = ["--duration", "1000s", "--interval", "100ms", "--events-per-minute", "60"];
    // The command measures once it has published an event.
    let output = interrupt_when(&server, &[&timing[..], &["--format", "json"]].concat(), has_events);
    let comparison: Value = serde_json::from_slice(&output.stdout).expect("valid JSON");
    assert_eq!(comparison["interrupted"], true);
    let trials = comparison["legs"].as_array().expect("a list");
    assert_eq!(trials.len(), 1);
    assert!(number(&trials[0], "seconds") < 1000.0 && number(&trials[0], "requests_per_minute") > 0.0);
    assert_eq!((number(&trials[0], "lost"), number(&trials[0], "doubled")), (0.0, 0.0));
}

#[test]
fn ctrl_c_does_not_wait_for_polls_that_are_an_hour_away() {
    let server = ExternalServer::start(&[]);
    // The only client starts at once and follows. Its next poll, which would return the event, is
    // due in an hour.
    let clients = ["--transports", "short-poll", "--clients", "1", "--interval", "60m"];
    let events = ["--duration", "1000s", "--events-per-minute", "60", "--format", "json"];
    let output = interrupt_when(&server, &[clients, events].concat(), has_events);
    let comparison: Value = serde_json::from_slice(&output.stdout).expect("valid JSON");
    let trial = &comparison["legs"][0];
    assert!(number(trial, "events_published") > 0.0, "{trial}");
    // The event is not lost, because the command did not wait for it.
    assert_eq!((number(trial, "events_arrived"), number(trial, "lost")), (0.0, 0.0), "{trial}");
}

#[test]
fn ctrl_c_before_the_measurement_starts_says_that_nothing_was_measured() {
    let server = ExternalServer::start(&[]);
    // The second client starts half an hour after the first.
    let arguments = ["--transports", "short-poll", "--clients", "2", "--interval", "60m"];
    let has_polled = |metrics: &str| metrics.contains("\nbarewire_polls_total 1\n");
    let output = interrupt_when(&server, &arguments, has_polled);
    assert_eq!(&*output.stdout, &b"Nothing was measured.\n"[..]);
}

/// Returns the IDs of a process' children, as Linux lists them.
fn children(id: u32) -> Vec<u32> {
    let text = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
    text.split_whitespace().map(|child| child.parse().expect("a process ID")).collect()
}

/// Returns true if the process runs. A zombie process has an empty command line.
fn is_running(id: u32) -> bool {
    fs::read(format!("/proc/{id}/cmdline")).is_ok_and(|line| !line.is_empty())
}

fn wait_until(condition: &str, is_met: impl Fn() -> bool) {
    for _ in 0..1_000_000 {
        if is_met() {
            return;
        }
        std::thread::yield_now();
    }
    panic!("never true: {condition}");
}

#[test]
fn the_server_ends_with_the_command_after_any_signal() {
    if !cfg!(target_os = "linux") {
        eprintln!("skipped: only Linux lists the children of a process");
        return;
    }
    for signals in [&["INT", "INT"][..], &["TERM"], &["HUP"], &["KILL"]] {
        let mut compare = command(&["--duration", "1000s", "--transports", "sse"]);
        let compare = compare.stdout(Stdio::null()).stderr(Stdio::null());
        let mut compare = compare.spawn().expect("the command starts");
        wait_until("the command has a child", || !children(compare.id()).is_empty());
        let server = children(compare.id())[0];
        for name in signals {
            send_signal(&compare, name);
        }
        compare.wait().expect("the command ends");
        wait_until("the server has ended", || !is_running(server));
    }
}
