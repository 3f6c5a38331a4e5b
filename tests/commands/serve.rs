//! `barewire serve`: options, output and signals.

use crate::harness::{EventStream, Opcode, Program, Request, WebSocket, eventually, run};

#[test]
fn the_first_line_names_the_address_with_and_without_the_subcommand() {
    for arguments in [&["--quiet"][..], &[]] {
        let program = Program::start(arguments);
        assert_eq!(program.request(&Request::get("/health")).status, 200);
        let (status, output, _) = program.end();
        assert!(status.success());
        assert_eq!(output, "", "only the first line");
    }
    let program = Program::start_as(&["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(program.request(&Request::get("/health")).status, 200);
    let program = Program::start_as(&["--listen=[::1]:0"]);
    assert_eq!(program.request(&Request::get("/health")).status, 200);
}

#[test]
fn help_names_every_option_of_the_interface() {
    for arguments in [&["--help"][..], &["-h"], &["serve", "--help"], &["serve", "--quiet", "-h"]] {
        let output = run(arguments);
        assert!(output.status.success() && output.stderr.is_empty(), "{arguments:?}");
        let help = String::from_utf8(output.stdout).expect("UTF-8");
        for option in [
            "--listen",
            "--publish-token",
            "--follow-token",
            "--allow-origin",
            "--allow-host",
            "--quiet",
            "--help",
        ] {
            assert!(help.contains(option), "{arguments:?}: {option}");
        }
        assert!(help.contains("127.0.0.1:8080"), "the default of --listen");
    }
}

#[test]
fn an_invalid_option_is_named_in_the_error_and_the_status_is_2() {
    for (arguments, named) in [
        (&["--nonsense"][..], "--nonsense"),
        (&["nonsense"], "nonsense"),
        (&["serve", "nonsense"], "nonsense"),
        (&["--listen"], "--listen"),
        (&["--listen", "nowhere"], "nowhere"),
        (&["--listen", "127.0.0.1"], "127.0.0.1"),
        (&["--listen", "127.0.0.1:99999"], "99999"),
        (&["--publish-token", ""], "--publish-token"),
        (&["--publish-token=two words"], "--publish-token"),
        (&["--follow-token", ""], "--follow-token"),
        (&["--allow-origin", "example.org"], "example.org"),
        (&["--allow-origin", "https://*.example.com"], "https://*.example.com"),
        (&["--allow-origin", "https://example.org/"], "https://example.org/"),
        (&["--allow-origin", "wss://example.org"], "wss://example.org"),
        (&["--allow-host", ""], "--allow-host"),
        (&["--allow-host", "http://example.org"], "http://example.org"),
        (&["--allow-host", "*.example.org"], "*.example.org"),
        (&["--allow-host", "::1"], "::1"),
        (&["--log", "xml"], "xml"),
        (&["--max-wait", "-1"], "-1"),
        (&["--quiet=yes"], "quiet"),
    ] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert_eq!(output.stdout, b"", "{arguments:?}");
        let errors = String::from_utf8(output.stderr).expect("UTF-8");
        assert!(errors.contains(named), "{arguments:?}: {errors}");
    }
}

#[test]
fn a_port_in_use_is_an_error_that_names_the_address() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    let output = run(&["--listen", &address]);
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains(&address));
}

/// Sends requests on each transport and one invalid request, with tokens in all possible places.
fn send_requests_with_tokens(program: &Program) {
    let bearer = |request: Request| request.field("Authorization", "Bearer publish-secret");
    program.request(&bearer(Request::post("/topics/a", "x"))).id();
    program.request(&Request::post("/topics/a?access_token=publish-secret", "x")).id();
    for target in ["/topics/a?access_token=follow-secret", "/topics/a?wait=1&access_token=follow-secret"] {
        assert_eq!(program.request(&Request::get(target)).status, 200);
    }
    program.request(&Request::get("/topics/a?access_token=wrong-secret")).assert_problem(401);
    program.request(&Request::get("http://localhost/nowhere?access_token=follow-secret")).assert_problem(404);
    let stream = Request::event_stream("/topics/a?access_token=follow-secret");
    EventStream::open(program.begin(&stream), true).first_block();
    let socket = Request::handshake("/topics/a?access_token=publish-secret");
    WebSocket::open(program.begin(&socket), false).hello();
    program.request(&Request::get("/http://me:secret@host/")).assert_problem(404);
    for (request, status) in [
        ("GET /topics/a?access_token=follow-secret HTTP/9.9\r\n\r\n", 505),
        ("GET http://me:secret@localhost/ HTTP/1.1\r\nHost: me:secret@localhost\r\n\r\n", 400),
        ("CONNECT me:secret@localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    ] {
        let mut connection = program.connect();
        connection.send(request);
        assert_eq!(connection.response().status, status);
    }
}

const TOKENS: [&str; 4] = ["--publish-token", "publish-secret", "--follow-token", "follow-secret"];

#[test]
fn no_log_contains_a_token() {
    for form in ["text", "json"] {
        let program = Program::start(&[&TOKENS[..], &["--log", form]].concat());
        send_requests_with_tokens(&program);
        let (_, output, errors) = program.end();
        assert!(errors.lines().count() >= 8, "a line per request: {errors}");
        assert!(errors.contains("/topics/a") && errors.contains("/http://*********@host/"));
        for text in [output, errors] {
            assert!(!text.contains("secret"), "{text}");
        }
    }
}

#[test]
fn neither_the_wire_view_nor_a_recording_contains_a_token() {
    let file = std::env::temp_dir().join(format!("barewire-serve-wire-{}.txt", std::process::id()));
    let path = file.to_str().expect("UTF-8");
    let options = ["--quiet", "--wire", "--record", path, "--hide", "X-Device"];
    let program = Program::start(&[&TOKENS[..], &options].concat());
    let request = Request::post("/topics/a?x_device=secret&api_key=secret", "x")
        .field("Authorization", "Bearer publish-secret")
        .field("X-Device", "secret")
        .field("X-Api-Key", "secret")
        .field("Sec-WebSocket-Protocol", "bearer, secret");
    program.request(&request).id();
    send_requests_with_tokens(&program);
    let (_, _, errors) = program.end();
    let recording = std::fs::read_to_string(&file).expect("a recording");
    std::fs::remove_file(&file).expect("the recording exists");
    for text in [&errors, &recording] {
        assert!(text.contains("/topics/a?x_device=******&api_key=******"), "{text}");
        assert!(!text.contains("secret"), "{text}");
    }
}

#[test]
fn quiet_suppresses_the_log() {
    let program = Program::start(&[&TOKENS[..], &["--quiet"]].concat());
    send_requests_with_tokens(&program);
    let (_, output, errors) = program.end();
    assert_eq!((output.as_str(), errors.as_str()), ("", ""));
}

#[test]
fn the_json_log_has_an_object_per_line() {
    let program = Program::start(&[&TOKENS[..], &["--log", "json"]].concat());
    send_requests_with_tokens(&program);
    program.request(&Request::get("/%22quoted%22/\"\\"));
    let (_, _, errors) = program.end();
    for (number, line) in errors.lines().enumerate() {
        let object: serde_json::Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        if number == 0 {
            let message = object["message"].as_str().expect("a message");
            assert!(message.contains("the limit of open files is "), "{message}");
            continue;
        }
        for (member, is_valid) in [
            ("time", object["time"].is_string()),
            (
                "peer",
                object["peer"].as_str().is_some_and(|peer| peer.parse::<std::net::SocketAddr>().is_ok()),
            ),
            ("method", object["method"].is_string()),
            ("path", object["path"].is_string()),
            ("status", object["status"].is_u64()),
            ("transport", object["transport"].is_string()),
            ("milliseconds", object["milliseconds"].is_u64()),
        ] {
            assert!(is_valid, "{member} in {line}");
        }
    }
}

#[test]
fn sigterm_and_sigint_end_every_transport_in_order() {
    for signal in ["TERM", "INT"] {
        let program = Program::start(&["--quiet"]);
        let mut idle = program.begin(&Request::get("/health"));
        assert_eq!(idle.response().status, 200);
        let stream = |request: Request, chunked| {
            let mut stream = EventStream::open(program.begin(&request), chunked);
            stream.first_block();
            stream
        };
        let streams = [
            stream(Request::event_stream("/topics/a"), true),
            stream(Request::event_stream("/topics/a").http10(), false),
        ];
        let mut follower = WebSocket::open(program.begin(&Request::handshake("/topics/a")), false);
        let start = follower.hello();
        let echo = WebSocket::open(program.begin(&Request::handshake("/echo")), false);
        let mut poll = program.begin(&Request::get("/topics/a?wait=60"));
        let is_held = || {
            program.request(&Request::get("/metrics")).text().contains("\nbarewire_long_polls_held_total 1\n")
        };
        eventually(is_held);

        program.signal(signal);
        let response = poll.response();
        assert_eq!((response.data(), response.next(), response.ends()), (Vec::new(), start, true));
        assert!(poll.is_at_end() && idle.is_at_end());
        drop((poll, idle));
        for mut stream in streams {
            let last = stream.block().expect("a retry field");
            assert_eq!((last.len(), last[0].0.as_str()), (1, "retry"), "{last:?}");
            assert_eq!(stream.block(), None);
            assert!(stream.is_complete && stream.is_at_end());
        }
        for mut socket in [follower, echo] {
            assert_eq!(socket.close().0, 1001);
            socket.send(Opcode::Close, 1001_u16.to_be_bytes());
            assert!(socket.is_at_end());
        }
        let (status, _, errors) = program.wait();
        assert_eq!((status.code(), errors.as_str()), (Some(0), ""));
    }
}

#[test]
fn a_second_signal_ends_the_server_at_once() {
    // Without the second signal the server would wait an hour for the close frame of this client.
    let program = Program::start(&["--quiet", "--close-timeout", "3600", "--drain-timeout", "3600"]);
    let mut socket = WebSocket::open(program.begin(&Request::handshake("/echo")), false);
    program.signal("TERM");
    assert_eq!(socket.close().0, 1001);
    program.signal("TERM");
    let (status, _, _) = program.wait();
    assert_eq!(status.code(), Some(0));
    socket.connection().drop_rest();
}

#[test]
fn the_command_answers_for_the_hosts_that_it_is_given() {
    let allowed = [
        "--quiet",
        "--allow-host",
        "a.example",
        "--allow-host=b.example:443",
        "--allow-origin",
        "https://c.example",
    ];
    let program = Program::start(&allowed);
    let status = |host: &str| program.request(&Request::get("/topics/a").host(host)).status;
    assert_eq!(["localhost", "a.example", "b.example", "c.example"].map(status), [200; 4]);
    assert_eq!(["d.example", "c.example.d.example", "www.a.example"].map(status), [421; 3]);
    let program = Program::start(&["--quiet", "--allow-host", "*"]);
    assert_eq!(program.request(&Request::get("/topics/a").host("d.example")).status, 200);
}
