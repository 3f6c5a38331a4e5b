//! Endpoints that cannot be tested, or not any more: status 2, and the reason.

use std::net::TcpListener;
use std::path::Path;
use std::thread;
use std::time::Duration;

use super::command::{conform, run};

/// Tests a client of this command, and returns the exit status and the messages.
fn test_client(command: &str, options: &[&str]) -> (Option<i32>, String) {
    let arguments =
        ["conform", "client", "--quiet", "--run", command].into_iter().chain(options.iter().copied());
    let output = run(&arguments.map(str::to_owned).collect::<Vec<_>>());
    (output.status.code(), String::from_utf8(output.stderr).expect("UTF-8"))
}

#[test]
fn a_client_that_never_connects_cannot_be_tested() {
    for (command, reason) in [
        ("true {url}", "the client has ended: exit status: 0"),
        ("echo no such module >&2; exit 3; {url}", "exit status: 3: no such module"),
        ("no-such-command {url}", "no-such-command"),
    ] {
        let (status, messages) = test_client(command, &["--only", "websocket/3.*"]);
        assert_eq!(status, Some(2), "{command}: {messages}");
        assert!(messages.contains("does not connect") && messages.contains(reason), "{command}: {messages}");
    }
}

#[test]
fn the_processes_of_a_client_end_with_its_case() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("process-of-a-client");
    // The client is the child of a script, as with npx.
    let connect = format!("{} follow --via sse --quiet {{url}}", env!("CARGO_BIN_EXE_barewire"));
    let script = format!("{connect} & echo $! > {}; wait", file.display());
    test_client(&script, &["--suite", "sse", "--only", "sse/12.1"]);
    let process = std::fs::read_to_string(&file).expect("the client was started");
    let is_alive = || Path::new("/proc").join(process.trim()).join("exe").read_link().is_ok();
    for _ in 0..100 {
        if !is_alive() {
            return;
        }
        thread::sleep(Duration::from_millis(50));
    }
    panic!("process {process} is left");
}

#[test]
fn a_run_ends_when_the_server_has_ended() {
    let server = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = server.local_addr().expect("an address");
    // It ends after three connections, without an answer.
    thread::spawn(move || (0..3).for_each(|_| drop(server.accept())));
    let output = run(&conform(address, &["--suite", "websocket", "-j", "1"]));
    assert_eq!(output.status.code(), Some(2));
    let messages = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(messages.contains("accepts no more connections"), "{messages}");
}

#[test]
fn a_pattern_without_a_case_is_an_error() {
    let output = run(&conform("127.0.0.1:1".parse().expect("an address"), &["--skip", "webscket/*"]));
    assert_eq!(output.status.code(), Some(2));
    let messages = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(messages.contains("no case has the number \"webscket/*\""), "{messages}");
}
