//! Signals: what is told then, and that no server is left behind.

use std::fs;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::other::{Other, follow_the_metrics};
use super::{command, number};

/// Sends it a signal, by its name without SIG.
fn signal(child: &Child, name: &str) {
    let kill = format!("kill -s {name} {}", child.id());
    let status = Command::new("sh").args(["-c", &kill]).status().expect("there is a shell");
    assert!(status.success(), "{kill}");
}

/// Whether an event was published.
fn has_events(metrics: &str) -> bool {
    let published = metrics.lines().find_map(|line| line.strip_prefix("barewire_events_published_total "));
    published.is_some_and(|count| count.parse::<f64>().expect("a number") > 0.0)
}

#[test]
fn a_signal_ends_it_and_what_was_measured_is_told() {
    let other = Other::start(&[]);
    let arguments = [
        "--url",
        &other.url,
        "--duration",
        "1000s",
        "--interval",
        "100ms",
        "--format",
        "json",
        "--events-per-minute",
        "60",
    ];
    let child = command(&arguments).stdout(Stdio::piped()).spawn().expect("it starts");
    // It is measuring once an event has been published.
    follow_the_metrics(&other.url, has_events);
    signal(&child, "INT");
    let output = child.wait_with_output().expect("it is a child");
    assert_eq!(output.status.code(), Some(130));
    let comparison: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(comparison["interrupted"], true);
    let legs = comparison["legs"].as_array().expect("a list");
    assert_eq!(legs.len(), 1);
    assert!(number(&legs[0], "seconds") < 1000.0 && number(&legs[0], "requests_per_minute") > 0.0);
    assert_eq!((number(&legs[0], "lost"), number(&legs[0], "doubled")), (0.0, 0.0));
}

#[test]
fn polls_that_are_hours_away_are_not_waited_for_after_a_signal() {
    let other = Other::start(&[]);
    // One client comes at once, and follows; its next poll, which would bring the event, is an hour away.
    let hour = ["--transports", "short-poll", "--clients", "1", "--interval", "60m", "--duration", "1000s"];
    let more = ["--events-per-minute", "60", "--format", "json", "--url", &other.url];
    let child = command(&[&hour[..], &more].concat()).stdout(Stdio::piped()).spawn().expect("it starts");
    follow_the_metrics(&other.url, has_events);
    signal(&child, "INT");
    let output = child.wait_with_output().expect("it is a child");
    assert_eq!(output.status.code(), Some(130));
    let comparison: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let leg = &comparison["legs"][0];
    assert!(number(leg, "events_published") > 0.0, "{leg}");
    // They are not lost: nobody has waited for them.
    assert_eq!((number(leg, "events_arrived"), number(leg, "lost")), (0.0, 0.0), "{leg}");
}

#[test]
fn what_has_not_begun_is_told_as_nothing() {
    let other = Other::start(&[]);
    // The second client comes half an hour after the first.
    let arguments =
        ["--transports", "short-poll", "--clients", "2", "--interval", "60m", "--url", &other.url];
    let child = command(&arguments).stdout(Stdio::piped()).spawn().expect("it starts");
    follow_the_metrics(&other.url, |metrics| metrics.contains("\nbarewire_polls_total 1\n"));
    signal(&child, "INT");
    let output = child.wait_with_output().expect("it is a child");
    assert_eq!((output.status.code(), &*output.stdout), (Some(130), &b"Nothing was measured.\n"[..]));
}

/// The children of a process, as Linux knows them.
fn children(id: u32) -> Vec<u32> {
    let text = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
    text.split_whitespace().map(|child| child.parse().expect("a number")).collect()
}

/// Whether a process is there. One that has ended and that nobody has waited for has no command line.
fn is_there(id: u32) -> bool {
    fs::read(format!("/proc/{id}/cmdline")).is_ok_and(|line| !line.is_empty())
}

fn until(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..1_000_000 {
        if is_so() {
            return;
        }
        std::thread::yield_now();
    }
    panic!("{what}: not so");
}

#[test]
fn its_server_ends_with_it_however_it_ends() {
    if !cfg!(target_os = "linux") {
        eprintln!("skipped: which processes are a process' children is only known on Linux");
        return;
    }
    for signals in [&["INT", "INT"][..], &["TERM"], &["HUP"], &["KILL"]] {
        let mut compare = command(&["--duration", "1000s", "--transports", "sse"]);
        let mut compare = compare.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
        until("it has a child", || !children(compare.id()).is_empty());
        let server = children(compare.id())[0];
        for name in signals {
            signal(&compare, name);
        }
        compare.wait().expect("it is a child");
        until("its server has ended", || !is_there(server));
    }
}
