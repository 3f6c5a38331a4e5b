//! The wire view: the names of the bytes, who may see them, and masked secrets.

use std::collections::HashMap;

use barewire::server::ObservationEndpoint;
use serde_json::Value;

use crate::harness::{EventStream, Opcode, Request, Server, masked_frame};
#[cfg(feature = "cli")]
use crate::harness::{Program, WebSocket, eventually, run};

/// A client that follows the wire view.
struct Viewer {
    stream: EventStream,
    spans: HashMap<u64, Vec<Value>>,
    ended: Vec<u64>,
}

impl Viewer {
    fn of(server: &Server) -> Viewer {
        Viewer::with(server, &Request::get("/wire").host("localhost"))
    }

    fn with(server: &Server, request: &Request) -> Viewer {
        let mut stream = server.event_stream(request);
        assert_eq!(stream.first_block().1, None);
        // A new request is handled in a later loop iteration than the one in which the view began.
        server.request(&Request::get("/health"));
        Viewer { stream, spans: HashMap::new(), ended: Vec::new() }
    }

    /// Reads until the spans of some connection satisfy `enough`, and returns that connection.
    fn until(&mut self, enough: impl Fn(&[Value]) -> bool) -> u64 {
        loop {
            if let Some((connection, _)) = self.spans.iter().find(|(_, spans)| enough(spans)) {
                return *connection;
            }
            self.next();
        }
    }

    fn next(&mut self) {
        let event = self.stream.event().expect("the view continues");
        assert_eq!(event.event, "passed");
        let passed: Value = serde_json::from_str(&event.data).expect("JSON");
        let connection = passed["connection"].as_u64().expect("a number");
        match passed["spans"].as_array() {
            Some(spans) => self.spans.entry(connection).or_default().extend(spans.clone()),
            None => self.ended.push(connection),
        }
    }

    /// Returns the bytes of one side, and checks that each is in exactly one span.
    fn bytes(&self, connection: u64, side: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        for span in self.spans[&connection].iter().filter(|span| span["side"] == side) {
            assert_eq!(span["offset"], bytes.len(), "{span}");
            let hex = span["bytes"].as_str().expect("hexadecimal digits");
            bytes.extend(
                (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex")),
            );
        }
        bytes
    }
}

fn named(spans: &[Value], field: &str, value: &str) -> bool {
    spans.iter().any(|span| span["field"] == field && span["value"] == value)
}

fn ends_with_health(spans: &[Value]) -> bool {
    named(spans, "request-target", "/topics/a") && spans.iter().any(|span| span["side"] == "server")
}

#[test]
fn can_be_followed_when_every_topic_has_events() {
    let server = Server::with(|options| options.hub.topics = 2);
    server.publish("/topics/a", "x");
    server.publish("/topics/b", "x");
    let mut viewer = Viewer::of(&server);
    server.publish("/topics/a", "y");
    viewer.until(ends_with_health);
    assert_eq!(server.metric("barewire_topics"), 2);
}

#[test]
fn shows_a_request_and_its_response_byte_by_byte_with_masked_secrets() {
    let server = Server::start();
    let mut viewer = Viewer::of(&server);
    let request =
        Request::post("/topics/a?access_token=hush", "hello").field("Authorization", "Bearer secret");
    let mut connection = server.begin(&request);
    let response = connection.response();
    assert_eq!(response.status, 201);
    let shown = viewer.until(|spans| {
        named(spans, "request-target", "/topics/a?access_token=****")
            && spans.iter().any(|span| span["side"] == "server")
    });
    let sent = String::from_utf8(request.bytes()).expect("text");
    let sent = sent.replace("hush", "****").replace("Bearer secret", "*************");
    assert_eq!(String::from_utf8(viewer.bytes(shown, "client")).expect("text"), sent);
    let received = String::from_utf8(viewer.bytes(shown, "server")).expect("text");
    assert!(
        received.starts_with("HTTP/1.1 201 Created\r\n") && received.ends_with(response.text()),
        "{received}"
    );
}

#[test]
fn names_the_bytes_of_an_event_on_every_transport() {
    let server = Server::start();
    let mut viewer = Viewer::of(&server);
    let mut stream = server.event_stream(&Request::event_stream("/topics/a"));
    let mut socket = server.web_socket(&Request::handshake("/topics/a"));
    socket.hello();
    let mut poll = server.begin(&Request::get("/topics/a?wait=20"));
    server.await_metric("barewire_long_polls_held_total", 1);
    server.publish("/topics/a", "hello");
    assert_eq!((stream.data(), poll.response().events()[0].data.clone()), ("hello".into(), "hello".into()));
    let json = socket.text();
    viewer.until(|spans| named(spans, "field value", "hello"));
    viewer.until(|spans| named(spans, "Payload Data", &json));
    viewer.until(|spans| {
        spans.iter().any(|span| {
            span["side"] == "server"
                && span["value"].as_str().is_some_and(|value| value.starts_with("{\"events\":[{"))
        })
    });
}

#[test]
fn names_an_existing_connection_from_its_next_event_on() {
    let server = Server::start();
    let mut stream = server.event_stream(&Request::event_stream("/topics/a"));
    stream.first_block();
    let mut socket = server.web_socket(&Request::handshake("/topics/a"));
    socket.hello();
    let mut viewer = Viewer::of(&server);
    server.publish("/topics/a", "late");
    stream.data();
    let json = socket.text();
    let streams = viewer.until(|spans| named(spans, "field value", "late"));
    assert!(named(&viewer.spans[&streams], "field name", "data"));
    let sockets = viewer.until(|spans| named(spans, "Payload Data", &json));
    assert!(named(&viewer.spans[&sockets], "FIN, RSV1-3, opcode", "FIN, text"));
    for connection in [streams, sockets] {
        assert!(viewer.spans[&connection].iter().all(|span| span.get("wrong").is_none()));
    }
}

#[test]
fn names_an_existing_connection_of_another_kind_from_its_next_request_on() {
    let server = Server::start();
    let mut connection = server.connect();
    connection.send(Request::get("/health").bytes());
    connection.response();
    let mut viewer = Viewer::of(&server);
    let request = Request::event_stream("/topics/a");
    connection.send(request.bytes());
    let mut stream = EventStream::open(connection, true);
    stream.first_block();
    server.publish("/topics/a", "hello");
    stream.data();
    let shown = viewer.until(|spans| named(spans, "field value", "hello"));
    assert_eq!(viewer.bytes(shown, "client"), request.bytes());
    assert!(viewer.spans[&shown].iter().all(|span| span.get("wrong").is_none()));
}

#[test]
fn the_view_does_not_show_itself() {
    let server = Server::start();
    let mut viewer = Viewer::of(&server);
    let second = Viewer::of(&server);
    server.publish("/topics/a", "x");
    viewer.until(ends_with_health);
    drop(second);
    server.publish("/topics/a", "y");
    viewer.until(|spans| named(spans, "request-target", "/topics/a") && !named(spans, "content", "x"));
    let all: Vec<&Value> = viewer.spans.values().flatten().collect();
    assert!(all.iter().all(|span| span["value"] != "/wire" && span["value"] != "passed"));
}

#[test]
fn shortens_a_long_payload_and_reports_its_length() {
    let server = Server::start();
    let mut viewer = Viewer::of(&server);
    let mut socket = server.web_socket(&Request::handshake("/echo"));
    socket.connection().send(masked_frame(true, Opcode::Binary, &vec![0; 1 << 20]));
    assert_eq!(socket.frame().expect("the echo").payload.len(), 1 << 20);
    socket.send(Opcode::Text, "end");
    socket.text();
    let shown = viewer.until(|spans| spans.iter().filter(|span| span["value"] == "end").count() >= 2);
    let spans = &viewer.spans[&shown];
    for side in ["client", "server"] {
        let of_side = spans.iter().filter(|span| span["side"] == side);
        let length: usize = of_side
            .clone()
            .filter(|span| span["field"] == "Payload Data" && span["value"] != "end")
            .map(|span| {
                span["more"]
                    .as_u64()
                    .map_or_else(|| span["bytes"].as_str().map_or(0, str::len) / 2, |more| more as usize)
            })
            .sum();
        assert_eq!(length, 1 << 20, "{side}");
        assert!(of_side.count() < 100);
    }
}

#[test]
fn on_loopback_only_its_own_names_may_view() {
    let server = Server::start();
    for host in ["evil.example", "evil.example:80", "localhost.evil.example"] {
        server.request(&Request::get("/wire").host(host)).assert_problem(421);
    }
    // An allowed host is that of a proxy, whose clients may be anywhere.
    let behind_a_proxy = Server::with(|options| {
        options.policy.access.allowed_hosts = vec!["a.example".into()];
        options.policy.access.allowed_origins = vec!["https://b.example".into()];
    });
    for host in ["a.example", "b.example"] {
        behind_a_proxy.request(&Request::get("/wire").host(host)).assert_problem(403);
    }
    server.request(&Request::get("/wire").field("Origin", "http://evil.example")).assert_problem(403);
    for host in ["localhost", "localhost:8080", "127.0.0.1", "[::1]:8080", "a.localhost"] {
        Viewer::with(&server, &Request::get("/wire").host(host));
    }
    let server = Server::with(|options| options.observation = ObservationEndpoint::Nowhere);
    server.request(&Request::get("/wire").host("localhost")).assert_problem(404);
    let server = Server::with(|options| options.policy.access.follow_token = Some("t".into()));
    server.request(&Request::get("/wire").host("localhost")).assert_problem(401);
    Viewer::with(&server, &Request::get("/wire?access_token=t").host("localhost"));
}

#[test]
fn on_a_public_address_it_must_be_enabled_and_needs_the_follow_token() {
    let anywhere = |endpoint, token: Option<&str>| {
        Server::with(|options| {
            options.listen = ([0, 0, 0, 0], 0).into();
            options.observation = endpoint;
            options.policy.access.follow_token = token.map(Into::into);
        })
    };
    let server = anywhere(ObservationEndpoint::OnLoopback, Some("t"));
    server.request(&Request::get("/wire?access_token=t")).assert_problem(404);
    let server = anywhere(ObservationEndpoint::Everywhere, None);
    server.request(&Request::get("/wire")).assert_problem(403);
    let server = anywhere(ObservationEndpoint::Everywhere, Some("t"));
    server.request(&Request::get("/wire")).assert_problem(401);
    server.request(&Request::get("/wire?access_token=no")).assert_problem(401);
    Viewer::with(&server, &Request::get("/wire?access_token=t").host("public.example"));
}

#[cfg(feature = "cli")]
#[test]
fn the_command_shows_it_on_standard_error_and_records_it_for_explain() {
    let file = std::env::temp_dir().join(format!("barewire-wire-{}.txt", std::process::id()));
    let path = file.to_str().expect("UTF-8");
    let program = Program::start(&["--quiet", "--wire", "--record", path, "--wire-only", "websocket"]);
    assert_eq!(program.request(&Request::post("/topics/a", "first")).status, 201);
    let mut socket = WebSocket::open(program.begin(&Request::handshake("/topics/a?since=start")), false);
    socket.hello();
    assert!(socket.text().contains("first"));
    drop(socket);
    eventually(|| std::fs::read_to_string(path).is_ok_and(|recorded| recorded.contains(" end\n")));
    let (status, _, shown) = program.end();
    assert!(status.success());
    for (field, value) in [("request-target", "/topics/a?since=start"), ("Payload Data", "{\"id\":\"")] {
        assert!(shown.lines().any(|line| line.contains(field) && line.contains(value)), "{field}: {shown}");
    }
    assert!(!shown.contains("POST"), "the publish was not selected: {shown}");
    let explained = run(&["explain", path]);
    std::fs::remove_file(path).expect("the file exists");
    let explained = String::from_utf8(explained.stdout).expect("UTF-8");
    assert!(
        explained.contains("Sec-WebSocket-Accept") && explained.contains("\"event\":\"message\""),
        "{explained}"
    );
    for arguments in [&["--wire-only", "carrier-pigeon"][..], &["--record", "/nowhere/at/all"]] {
        assert!(!run(arguments).status.success(), "{arguments:?}");
    }
}

/// Returns whether the bytes are complete chunks, up to the last one (RFC 9112 §7.1).
fn are_complete_chunks(mut rest: &[u8]) -> bool {
    loop {
        let Some(line) = rest.windows(2).position(|end| end == b"\r\n") else { return false };
        let size = str::from_utf8(&rest[..line]).ok().and_then(|size| usize::from_str_radix(size, 16).ok());
        let Some(size) = size.filter(|size| rest.len() >= line + size + 4) else { return false };
        if &rest[line + 2 + size..line + 4 + size] != b"\r\n" {
            return false;
        }
        rest = &rest[line + 4 + size..];
        if size == 0 {
            return rest.is_empty();
        }
    }
}

#[test]
fn closes_a_viewer_that_reads_too_slowly_between_two_events() {
    let server = Server::start();
    let mut viewer = server.begin(&Request::get("/wire").host("localhost"));
    let head =
        viewer.read_until(|unread| unread.windows(4).position(|end| end == b"\r\n\r\n").map(|at| at + 4));
    assert!(head.is_some_and(|head| head.starts_with(b"HTTP/1.1 200 OK\r\n")));
    let mut socket = server.web_socket(&Request::handshake("/echo"));
    let mut received = Vec::new();
    // The view produces tens of megabytes, of which the server buffers four and the kernel a few.
    // The viewer reads all the time, but too slowly.
    while server.metric("barewire_followers_too_slow_total") == 0 {
        for _ in 0..100 {
            socket.connection().send(masked_frame(true, Opcode::Text, b"x"));
        }
        for _ in 0..100 {
            assert_eq!(socket.text(), "x");
            received.extend(viewer.take(300).expect("the view continues"));
        }
    }
    received.extend(viewer.take_rest());
    assert!(are_complete_chunks(&received), "the stream ends within a chunk");
}
