//! `barewire conform client` without `--run`: clients choose the cases, as at the fuzzing server of
//! the Autobahn TestSuite.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use barewire::client::{Message, Request, WebSocket};
use serde_json::Value;

use super::command::{conform, played};

/// The command while it waits.
struct Waiting {
    child: Child,
    address: String,
    messages: BufReader<std::process::ChildStderr>,
}

fn wait_for_clients(only: &str) -> Waiting {
    let mut child = Command::new(env!("CARGO_BIN_EXE_barewire"))
        .args(["conform", "client", "--listen", "127.0.0.1:0", "--format", "json", "--only", only])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    let mut messages = BufReader::new(child.stderr.take().expect("a pipe"));
    let mut line = String::new();
    messages.read_line(&mut line).expect("a line");
    let address = line.strip_prefix("listening on ws://").expect("an address").trim().to_owned();
    Waiting { child, address, messages }
}

impl Waiting {
    fn connect(&self, target: &str) -> WebSocket {
        WebSocket::connect(&format!("ws://{}{target}", self.address), &Request::default())
            .expect("a WebSocket")
    }

    /// Returns the only message of a request.
    fn ask(&self, target: &str) -> String {
        let mut connection = self.connect(target);
        let Ok(Message::Text(text)) = connection.read() else { panic!("no message from {target}") };
        assert!(matches!(connection.read(), Ok(Message::Close(_))), "{target} closes");
        text.to_owned()
    }

    fn status(&self, case: usize) -> String {
        let status: Value = serde_json::from_str(&self.ask(&format!("/getCaseStatus?case={case}&agent=a")))
            .expect("an object");
        status["behavior"].as_str().expect("a behavior").to_owned()
    }

    fn end(mut self) -> (Output, String) {
        let mut messages = String::new();
        self.messages.read_to_string(&mut messages).expect("text");
        (self.child.wait_with_output().expect("an end"), messages)
    }
}

/// Echoes until the connection closes.
fn echo(mut connection: WebSocket) {
    loop {
        let sent = match connection.read() {
            Ok(Message::Text(text)) => connection.send_text(&text.to_owned()),
            Ok(Message::Binary(data)) => connection.send_binary(&data.to_vec()),
            Ok(Message::Pong(_)) => Ok(()),
            Ok(Message::Close(_)) | Err(_) => return,
        };
        if sent.is_err() {
            return;
        }
    }
}

#[test]
fn a_loop_for_the_autobahn_testsuite_plays_all_cases() {
    let waiting = wait_for_clients("websocket/3.*");
    let cases: usize = waiting.ask("/getCaseCount").parse().expect("a number");
    assert!(cases > 1);
    assert_eq!(waiting.status(1), "MISSING");
    let info: Value = serde_json::from_str(&waiting.ask("/getCaseInfo?case=1")).expect("an object");
    assert_eq!(info["id"], "websocket/3.1");
    for case in 1..=cases {
        echo(waiting.connect(&format!("/runCase?case={case}&agent=a%20client")));
        assert_eq!(waiting.status(case), "OK", "case {case}");
    }
    let _ = waiting.connect("/updateReports?agent=a").read();
    let (output, _) = waiting.end();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(played(&output).len(), cases);
}

#[test]
fn a_client_that_breaks_a_rule_fails() {
    let waiting = wait_for_clients("websocket/3.1");
    // This client says what nobody has asked for.
    let mut client = waiting.connect("/runCase?case=1");
    client.send_text("unasked").expect("a connection");
    echo(client);
    assert_eq!(waiting.status(1), "FAILED");
    let _ = waiting.connect("/updateReports?agent=a").read();
    let (output, _) = waiting.end();
    assert_eq!(output.status.code(), Some(1));
    let case = &played(&output)[0];
    assert!(case.is_failure() && case.number == "websocket/3.1", "{case:?}");
}

#[test]
fn other_requests_are_rejected_with_a_reason() {
    let waiting = wait_for_clients("websocket/3.1");
    for (target, reason) in [
        ("/", "the paths are"),
        ("/runCase", "no case=NUMBER"),
        ("/runCase?case=0", "the cases are 1 to 1"),
        ("/runCase?case=2", "the cases are 1 to 1"),
    ] {
        let mut stream = TcpStream::connect(&waiting.address).expect("a connection");
        write!(stream, "GET {target} HTTP/1.1\r\nHost: {}\r\n\r\n", waiting.address).expect("a request");
        let mut response = String::new();
        stream.read_to_string(&mut response).expect("a response");
        assert!(response.starts_with("HTTP/1.1 400 ") && response.contains(reason), "{target}: {response}");
    }
    // A request that never ends keeps nobody waiting.
    let _idle = TcpStream::connect(&waiting.address).expect("a connection");
    echo(waiting.connect("/runCase?case=1"));
    interrupt(&waiting.child);
    let (output, _) = waiting.end();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(played(&output).len(), 1);
}

#[test]
fn a_signal_before_the_first_case_is_no_success() {
    let waiting = wait_for_clients("websocket/3.1");
    interrupt(&waiting.child);
    let (output, messages) = waiting.end();
    assert_eq!(output.status.code(), Some(2));
    assert!(messages.contains("no case was played"), "{messages}");
}

#[test]
fn a_signal_ends_a_run_after_the_cases_that_are_being_played() {
    let server = TcpListener::bind("127.0.0.1:0").expect("a port");
    let options = ["--suite", "websocket", "--only", "websocket/3.*", "-j", "1", "--timeout", "2"];
    let child = Command::new(env!("CARGO_BIN_EXE_barewire"))
        .args(conform(server.local_addr().expect("an address"), &options))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the command starts");
    // The first connection is the command's look whether there is a server at all.
    let _connections = [server.accept().expect("a connection"), server.accept().expect("a connection")];
    interrupt(&child);
    let output = child.wait_with_output().expect("an end");
    assert_eq!(output.status.code(), Some(130), "128 and the number of SIGINT");
    let cases = played(&output);
    assert!(cases.len() == 1 && cases[0].time < Duration::from_secs(20), "{cases:?}");
}

fn interrupt(child: &Child) {
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(sent.expect("kill starts").success());
}
