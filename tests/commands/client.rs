//! `barewire follow` and `barewire publish`: hostile servers, large events, and the URL.

use std::io::Write;
use std::net::TcpStream;
use std::process::{Command, Stdio};

use barewire::protocol::websocket::frame::{Opcode, write_frame};
use barewire::protocol::websocket::server_handshake::accept_key;

use crate::harness::{Program, run};
use crate::servers::{head, request, scripted};

/// Characters on which a terminal acts: an escape sequence, a C1 control, a bidirectional control.
const HOSTILE: &str = "\x1b]0;pwned\x07\u{9b}2J\u{202e}\u{2028}\x7f";

fn acts_on_terminal(character: char) -> bool {
    character.is_control() && !matches!(character, '\n' | '\t') || "\u{202e}\u{2028}".contains(character)
}

/// Asserts that a terminal acts on nothing in `bytes`, and returns their text.
fn assert_safe(bytes: &[u8]) -> String {
    let text = String::from_utf8(bytes.to_vec()).expect("UTF-8");
    assert!(!text.contains(acts_on_terminal), "{text:?}");
    text
}

/// Returns a response with this body.
fn response(status: &str, fields: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{fields}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// Runs a command against a server that sends `response` to every request.
fn run_against(arguments: &[&str], response: String) -> std::process::Output {
    let (url, server) = scripted(move |_, stream| {
        if request(stream).0.is_empty() {
            return false;
        }
        stream.write_all(response.as_bytes()).is_ok()
    });
    let address = url["http://".len()..].split('/').next().expect("an address").to_owned();
    let arguments: Vec<_> = arguments.iter().map(|argument| argument.replace("URL", &url)).collect();
    let output = run(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    // A connection without a request ends the script.
    drop(TcpStream::connect(address));
    server.join().expect("the script succeeds");
    output
}

fn json(text: &str) -> String {
    serde_json::to_string(text).expect("JSON")
}

#[test]
fn nothing_that_a_server_sends_acts_on_the_terminal() {
    let json_type = "Content-Type: application/json";
    let gap = format!("{{\"since\":{0},\"oldest\":{0}}}", json(HOSTILE));
    let stream = format!("id: a-1\nevent: gap\ndata: {gap}\n\n");
    let event = format!("{{\"id\":{0},\"event\":{0},\"data\":{0}}}", json(HOSTILE));
    let body = format!("{{\"events\":[{event}],\"next\":\"a-1\",\"gap\":true}}");
    let problem = format!("{{\"detail\":{}}}", json(HOSTILE));
    // A head may contain every character of these except for the controls of ASCII.
    let in_head: String = HOSTILE.chars().filter(|character| !character.is_ascii_control()).collect();
    let follow = ["follow", "--count", "1", "--timeout", "1", "URL"];
    let poll = ["follow", "--count", "1", "--via", "short-poll", "--since", "start", "URL"];
    let json_poll = [&poll[..], &["--json"]].concat();
    for (arguments, response, named) in [
        (
            &["follow", "--fail-on-gap", "URL"][..],
            response("200 OK", "Content-Type: text/event-stream", &stream),
            "after \\x1b]0;pwned\\x07\\xc2\\x9b2J\\xe2\\x80\\xae\\xe2\\x80\\xa8\\x7f are",
        ),
        (
            &["follow", "--fail-on-gap", "--via", "short-poll", "URL"],
            response("200 OK", json_type, &body),
            "gap",
        ),
        (&json_poll, response("200 OK", json_type, &body), "following"),
        (&follow, response("403 No", "Content-Type: application/problem+json", &problem), "\\x1b]0;pwned"),
        (
            &follow,
            response("200 OK", &format!("Content-Type: text/html{in_head}"), ""),
            "text/html]0;pwned\\xc2\\x9b2J",
        ),
        (
            &follow,
            response("200 OK", &format!("{STREAM}\r\nContent-Encoding: {in_head}"), ""),
            "\\xc2\\x9b2J",
        ),
        (&follow, response("302 Found", &format!("Location: {in_head}"), ""), "\\xc2\\x9b2J"),
        (&follow, response(&format!("403 {in_head}"), json_type, ""), "403"),
        (
            &["publish", "URL", "x"],
            response("403 No", "Content-Type: application/problem+json", &problem),
            "\\x1b]0;pwned",
        ),
        (
            &["publish", "URL", "x"],
            response("302 Found", &format!("Location: {in_head}"), ""),
            "\\xc2\\x9b2J",
        ),
    ] {
        let output = run_against(arguments, response);
        assert_safe(&output.stdout);
        let errors = assert_safe(&output.stderr);
        assert!(errors.contains(named), "{arguments:?}: {errors}");
    }
    let id = format!("{{\"id\":{}}}", json(HOSTILE));
    let output = run_against(&["publish", "URL", "x"], response("201 Created", json_type, &id));
    let ids = assert_safe(&output.stdout);
    assert_eq!(ids, "\\x1b]0;pwned\\x07\\xc2\\x9b2J\\xe2\\x80\\xae\\xe2\\x80\\xa8\\x7f\n");
}

const STREAM: &str = "Content-Type: text/event-stream";

#[test]
fn the_reason_of_a_close_does_not_act_on_the_terminal() {
    let (url, server) = scripted(|_, stream| {
        let head = head(stream);
        let key = head.split("Sec-WebSocket-Key: ").nth(1).expect("a key")[..24].to_owned();
        let accept = accept_key(key.as_bytes());
        let mut bytes = format!(
            "HTTP/1.1 101 \r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {}\r\n\r\n",
            accept.escape_ascii()
        )
        .into_bytes();
        write_frame(Opcode::Close, &[&4000_u16.to_be_bytes()[..], HOSTILE.as_bytes()].concat(), &mut bytes);
        stream.write_all(&bytes).expect("the client reads");
        false
    });
    let output = run(&["follow", "--via", "websocket", &url]);
    server.join().expect("the script succeeds");
    assert!(assert_safe(&output.stderr).contains("4000: \\x1b]0;pwned"), "{output:?}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn data_is_exact_in_a_pipe_and_filtered_on_a_terminal() {
    let program = Program::start(&["--quiet"]);
    let url = format!("http://{}/topics/t", program.address);
    let text = format!("a\tb\n{HOSTILE}é");
    assert!(run(&["publish", &url, &text]).status.success());
    let arguments = ["follow", "--quiet", "--since", "start", "--count", "1", &*url];
    let output = run(&arguments);
    assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{text}\n"));

    // script(1) of util-linux gives the command a terminal as its standard output.
    let command = format!("{} {}", env!("CARGO_BIN_EXE_barewire"), arguments.join(" "));
    let mut script = Command::new("script");
    script.args(["-qec", &command, "/dev/null"]).stdin(Stdio::null());
    match script.output() {
        Err(error) => eprintln!("script is not installed, so there is no terminal: {error}"),
        Ok(output) => {
            let text = String::from_utf8(output.stdout).expect("UTF-8").replace("\r\n", "\n");
            assert!(!text.contains(acts_on_terminal), "{text:?}");
            assert!(text.contains("a\tb\n\\x1b]0;pwned\\x07"), "{text:?}");
        }
    }
}

#[test]
fn the_access_log_contains_no_control_characters() {
    for form in ["text", "json"] {
        let program = Program::start(&["--log", form]);
        for target in ["/topics/\x1b[2J", "/topics/\u{9b}", "/topics/\u{202e}", "http://\u{9b}/topics/t"] {
            for line in [format!("GET {target} HTTP/1.1"), format!("{target} / HTTP/1.1")] {
                let mut connection = program.connect();
                connection.send(format!("{line}\r\nHost: x\r\n\r\n"));
                assert!(connection.response().status >= 400);
            }
        }
        let (_, _, errors) = program.end();
        assert!(errors.lines().count() >= 8, "{errors}");
        assert_safe(errors.as_bytes());
    }
}

/// Runs `barewire explain` with this input.
fn explain(form: &str, input: &[u8]) -> std::process::Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_barewire"))
        .args(["explain", "--format", form])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    child.stdin.take().expect("it is piped").write_all(input).expect("it reads");
    child.wait_with_output().expect("it ends")
}

#[test]
fn the_views_of_a_conversation_contain_no_control_characters() {
    let in_head: String = HOSTILE.chars().filter(|character| !character.is_ascii_control()).collect();
    let mut message = Vec::new();
    write_frame(Opcode::Text, HOSTILE.as_bytes(), &mut message);
    write_frame(Opcode::Close, &[&1000_u16.to_be_bytes()[..], HOSTILE.as_bytes()].concat(), &mut message);
    let response = format!(
        "HTTP/1.1 200 {in_head}\r\nServer: {in_head}\r\nContent-Type: text/event-stream\r\n\r\n\
         id: {in_head}\nevent: {in_head}\ndata: {HOSTILE}\n\n"
    );
    let recording = format!(
        "barewire conversation 1\n\n1 server 0 ms\n  text HTTP/1.1 200 {in_head}\\r\\n\n  {in_head}\n"
    );
    for form in ["text", "json", "svg"] {
        for input in [response.as_bytes(), &message, HOSTILE.as_bytes(), recording.as_bytes()] {
            let output = explain(form, input);
            assert_safe(&output.stdout);
            assert_safe(&output.stderr);
        }
    }
    let program = Program::start(&["--wire"]);
    let mut connection = program.connect();
    connection
        .send(format!("POST /topics/t HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Y: {in_head}\r\nContent-Length: "));
    connection.send(format!("{}\r\n\r\n{HOSTILE}", HOSTILE.len()));
    assert_eq!(connection.response().status, 201);
    let (_, _, errors) = program.end();
    assert!(assert_safe(errors.as_bytes()).contains("X-Y"), "{errors}");
}

#[test]
fn follow_reads_what_serve_is_told_to_accept() {
    let program = Program::start(&["--quiet", "--max-event-bytes", "3000000"]);
    let url = format!("http://{}/topics/t", program.address);
    // Among short lines, a long one still is a request of its own.
    let long = "\"".repeat(2_999_999);
    let input = format!("before\n{long}\nafter\n");
    let mut publish = Command::new(env!("CARGO_BIN_EXE_barewire"))
        .args(["publish", "--lines", &url])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the command starts");
    publish.stdin.take().expect("it is piped").write_all(input.as_bytes()).expect("it reads");
    let published = publish.wait_with_output().expect("it ends");
    assert!(published.status.success(), "{published:?}");
    for via in ["short-poll", "long-poll", "sse", "websocket"] {
        let arguments = ["follow", "--quiet", "--via", via, "--since", "start", "--count", "3", &url];
        let output = run(&arguments);
        assert!(output.status.success(), "{via}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(output.stdout == input.as_bytes(), "{via}: {} bytes", output.stdout.len());
        let output = run(&[&arguments[..], &["--max-event-bytes", "1000"]].concat());
        assert_eq!(output.status.code(), Some(1), "{via}");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(errors.contains("--max-event-bytes"), "{via}: {errors}");
    }
}

#[test]
fn a_response_that_cannot_be_read_ends_follow_and_publish() {
    for (fields, named) in [
        ("Content-Type: text/event-stream\r\nContent-Encoding: gzip", "the content coding gzip"),
        ("Content-Type: text/html", "the media type text/html"),
    ] {
        let output = run_against(&["follow", "URL"], response("200 OK", fields, "\x1f"));
        assert_eq!(output.status.code(), Some(1));
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(errors.contains(named), "{errors}");
    }
    let fields = "Content-Type: application/json\r\nContent-Encoding: br";
    let output = run_against(&["publish", "URL", "x"], response("201 Created", fields, "?"));
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        errors.contains("the content coding br") && errors.contains("may have been published"),
        "{errors}"
    );
    let output = run_against(&["publish", "URL", "x"], response("403 No", fields, "?"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("403") && !errors.contains("published"), "{errors}");
}

#[test]
fn an_error_about_the_url_says_what_to_write() {
    for command in ["follow", "publish"] {
        for (arguments, named) in [
            (
                &[][..],
                "the URL of a topic is missing: add one, for example http://127.0.0.1:8080/topics/news",
            ),
            (&["news"], "\"news\" is not the URL of a topic: write it with http://"),
            (&["127.0.0.1:8080/topics/news"], "is not the URL of a topic: write it with http://"),
            (&["http://127.0.0.1:8080"], "has no topic: add the path of a topic"),
            (&["http://127.0.0.1:8080/topics/"], "has no topic: add the path of a topic"),
            (
                &["https://127.0.0.1/topics/t"],
                "need TLS, which this client does not support yet: run a local tunnel",
            ),
            (
                &["wss://127.0.0.1/topics/t"],
                "need TLS, which this client does not support yet: run a local tunnel",
            ),
        ] {
            let output = run(&[&[command], arguments].concat());
            assert_eq!(output.status.code(), Some(2), "{command} {arguments:?}");
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(errors.contains(named), "{command} {arguments:?}: {errors}");
        }
    }
}
