//! `barewire check`: the examples pass the stages that they show, and fail the next one.
#![cfg(feature = "cli")]

// Public, because these tests use only a part of both.
#[path = "../built/mod.rs"]
pub mod built;
mod page;
#[path = "../transcripts/server.rs"]
pub mod server;

use std::process::Command;

use server::Server;

/// Runs the command, and returns its exit status and its output.
fn check(arguments: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_barewire"))
        .arg("check")
        .args(arguments)
        .output()
        .expect("the command starts");
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().expect("no signal"), String::from_utf8(text).expect("UTF-8"))
}

fn url_of(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

fn url(server: &Server) -> String {
    url_of(server.port)
}

#[test]
fn each_example_passes_the_stages_that_it_shows() {
    for (example, stages) in [
        ("01_tcp_echo", &["echo"][..]),
        ("02_http", &["head", "pipelining"]),
        ("03_short_poll", &["cursor"]),
        ("04_long_poll", &["cursor", "hold"]),
        ("05_sse", &["cursor", "hold", "stream"]),
        ("06_websocket_handshake", &["cursor", "hold", "stream", "handshake"]),
        ("07_websocket_frames", &["cursor", "hold", "stream", "handshake", "frame"]),
    ] {
        let server = Server::start(example);
        for stage in stages {
            let (status, output) = check(&[stage, &url(&server)]);
            assert_eq!(status, 0, "{example}, {stage}:\n{output}");
            assert!(output.contains("is done. The next is"), "{output}");
        }
    }
}

#[test]
fn each_example_fails_at_the_step_that_the_next_one_adds() {
    for (example, stage, step) in [
        ("01_tcp_echo", "head", "answers a POST with its content"),
        ("02_http", "cursor", "answers a publish with 201 and an id"),
        ("03_short_poll", "hold", "holds the response until an event is published"),
        ("04_long_poll", "stream", "answers with the media type of event streams"),
        ("05_sse", "handshake", "proves that it has understood the handshake"),
        ("06_websocket_handshake", "frame", "reads the masked frame of RFC 6455 section 5.7"),
        ("07_websocket_frames", "fragments", "joins two frames to one message"),
        ("07_websocket_frames", "gap", "reports the gap to a poll, with everything that is kept"),
    ] {
        let server = Server::start(example);
        let (status, output) = check(&[stage, &url(&server)]);
        assert_eq!(status, 1, "{example}, {stage}:\n{output}");
        assert!(output.contains(&format!("  FAIL  {step}\n")), "{example}, {stage}:\n{output}");
        for part in ["expected: ", "observed: ", "  Read ", "Again: barewire check "] {
            assert!(output.contains(part), "{part} is missing:\n{output}");
        }
    }
}

#[test]
fn barewire_passes_all_stages_of_a_topic() {
    let server = Server::start_barewire();
    for stage in ["4", "5", "6", "7", "8", "9", "10"] {
        let (status, output) = check(&[stage, &url(&server)]);
        assert_eq!(status, 0, "{stage}:\n{output}");
    }
}

#[test]
fn a_stage_without_a_server_says_what_to_build() {
    let (status, list) = check(&[]);
    assert_eq!(status, 0);
    for number in 1..=10 {
        let (status, task) = check(&[&number.to_string()]);
        assert_eq!(status, 0);
        assert!(task.contains("Your server:"), "{task}");
        let name = task.lines().next().and_then(|line| line.split(": ").nth(1)).expect("a name");
        assert!(list.contains(&format!("{number:>4}  {name}\n")), "{list}");
    }
}

#[test]
fn a_server_that_does_not_run_is_status_2() {
    let (status, output) = check(&["echo", "http://127.0.0.1:1"]);
    assert_eq!(status, 2);
    assert!(output.contains("is your server running?"), "{output}");
    let (status, output) = check(&["websockets", "http://127.0.0.1:1"]);
    assert_eq!(status, 2);
    assert!(output.contains("is not a stage"), "{output}");
}
