//! A recording has every byte of both directions in the order in which it passed, however many pass
//! at once.

use std::fs;
use std::path::PathBuf;

use barewire::server::Options;
use barewire::simulation::{Peer, Simulation};
use barewire::tools::serve::{Filter, WireOptions, WireView};
use barewire::transport::Purpose;
use barewire::wire::Side;
use barewire::wire::record::Reader;

use crate::harness::{Opcode, eventually, masked_frame, run};

const HANDSHAKE: &str = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// A server that is recorded, and the bytes that passed between it and its clients.
struct Recorded {
    server: Simulation,
    file: PathBuf,
    clients: Vec<Client>,
}

/// A client: the bytes that it has sent and received.
struct Client {
    peer: Peer,
    sent: Vec<u8>,
    received: Vec<u8>,
}

impl Recorded {
    fn new(name: &str) -> Recorded {
        Recorded::with(name, Options::default(), Filter::default())
    }

    fn with(name: &str, options: Options, filter: Filter) -> Recorded {
        let file = std::env::temp_dir().join(format!("barewire-recordings-{name}-{}", std::process::id()));
        let wire = WireOptions { record: Some(file.clone()), filter, ..WireOptions::default() };
        let view = WireView::new(&wire).expect("a temporary file");
        let server = Simulation::new(options, 1).observed_by(Box::new(view));
        Recorded { server, file, clients: Vec::new() }
    }

    /// Connects a client, and returns its index.
    fn connect(&mut self) -> usize {
        let peer = self.server.connect();
        self.clients.push(Client { peer, sent: Vec::new(), received: Vec::new() });
        self.clients.len() - 1
    }

    /// Sends pieces, each after the server has done everything that follows from the one before.
    fn send<'a>(&mut self, client: usize, pieces: impl IntoIterator<Item = &'a [u8]>) -> &[u8] {
        let Client { peer, sent, received } = &mut self.clients[client];
        for piece in pieces {
            self.server.send(*peer, piece);
            sent.extend_from_slice(piece);
        }
        received.extend(self.server.take(*peer));
        received
    }

    /// Connects a client that sends a request and then nothing.
    fn request(&mut self, head: &str) -> &[u8] {
        let client = self.connect();
        self.send(client, [head.as_bytes()])
    }

    /// Ends the server. Returns the bytes of each connection in the recording.
    fn end(mut self) -> Vec<(Vec<u8>, Vec<u8>)> {
        for client in &mut self.clients {
            self.server.reset(client.peer);
            client.received.extend(self.server.take(client.peer));
        }
        drop(self.server);
        let ends = 2 * self.clients.len();
        let mut text = Vec::new();
        // A thread writes the file.
        eventually(|| {
            text = fs::read(&self.file).expect("the recording");
            text.windows(5).filter(|end| end == b" end\n").count() == ends
        });
        let mut passed = vec![(Vec::new(), Vec::new()); self.clients.len()];
        for block in Reader::new(&text) {
            let block = block.expect("a valid block");
            let (client, server) = &mut passed[block.connection as usize - 1];
            let side = if block.side == Side::Client { client } else { server };
            side.extend(block.bytes);
        }
        passed
    }

    /// Checks that the recording has exactly the bytes that the clients have sent and received, and
    /// returns what `explain` says about it.
    fn check(mut self) -> String {
        let file = self.file.clone();
        let expected: Vec<_> =
            self.clients.iter_mut().map(|client| std::mem::take(&mut client.sent)).collect();
        let mut received: Vec<_> =
            self.clients.iter_mut().map(|client| std::mem::take(&mut client.received)).collect();
        for (client, received) in self.clients.iter().zip(&mut received) {
            received.extend(self.server.take(client.peer));
        }
        for (number, (client, server)) in self.end().into_iter().enumerate() {
            assert_same(&client, &expected[number], &format!("connection {}, client", number + 1));
            assert_same(&server, &received[number], &format!("connection {}, server", number + 1));
        }
        let explained = run(&["explain", file.to_str().expect("UTF-8")]);
        fs::remove_file(file).expect("the recording");
        let shown = String::from_utf8(explained.stdout).expect("UTF-8");
        let wrong = shown.lines().find(|line| line.contains("WRONG")).unwrap_or_default();
        assert_eq!(explained.status.code(), Some(0), "{wrong}");
        shown
    }
}

fn assert_same(recorded: &[u8], passed: &[u8], whose: &str) {
    let differs = recorded.iter().zip(passed).position(|(one, other)| one != other);
    assert_eq!(differs, None, "{whose}: the bytes differ from this offset on");
    assert_eq!(recorded.len(), passed.len(), "{whose}: some bytes are missing");
}

/// Returns lines of 999 letters each. No two are equal.
fn lines(bytes: usize) -> String {
    (0..bytes / 1000).map(|number| format!("{number:->999}\n")).collect()
}

fn post(topic: &str, content: &str) -> String {
    format!(
        "POST /topics/{topic} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n\
         Content-Length: {}\r\n\r\n{content}",
        content.len()
    )
}

fn get(target: &str, fields: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n")
}

#[test]
fn a_batch_is_recorded_in_order_however_it_arrives() {
    let batch = lines(360_000);
    let (whole, head) = (post("a", &batch), get("/health", ""));
    let mut chunked = String::from(
        "POST /topics/a HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n\
         Transfer-Encoding: chunked\r\n\r\n",
    );
    for chunk in batch.as_bytes().chunks(100_000) {
        chunked += &format!("{:x}\r\n{}\r\n", chunk.len(), str::from_utf8(chunk).expect("ASCII"));
    }
    chunked += "0\r\n\r\n";
    for request in [whole, chunked] {
        let conversation = format!("{head}{request}{request}{head}");
        let mut recorded = Recorded::new("batch");
        for size in [conversation.len(), 100_000, 65_536, 1000, 7] {
            let client = recorded.connect();
            recorded.send(client, conversation.as_bytes().chunks(size));
        }
        let shown = recorded.check();
        assert_eq!(shown.matches("= request complete: POST /topics/a").count(), 10);
        assert_eq!(shown.matches("= request complete: GET /health").count(), 10);
    }
}

#[test]
fn a_large_web_socket_message_and_its_echo_are_recorded_in_order() {
    let text = lines(700_000);
    let frames = [
        masked_frame(true, Opcode::Text, text.as_bytes()),
        masked_frame(false, Opcode::Text, &text.as_bytes()[..300_000]),
        masked_frame(true, Opcode::Ping, b"between"),
        masked_frame(true, Opcode::Continuation, &text.as_bytes()[300_000..]),
    ]
    .concat();
    let mut recorded = Recorded::new("socket");
    for size in [frames.len(), 65_536, 1000] {
        let client = recorded.connect();
        let handshake = get("/echo", HANDSHAKE);
        // The first frames arrive together with the handshake.
        let conversation = [handshake.as_bytes(), &frames].concat();
        let received = recorded.send(client, conversation.chunks(size)).len();
        assert!(received > 2 * text.len(), "{received}");
    }
    recorded.check();
}

#[test]
fn large_responses_are_recorded_in_order_on_every_transport() {
    let mut recorded = Recorded::new("responses");
    for _ in 0..3 {
        recorded.request(&post("a", &lines(400_000)));
    }
    let stream = get("/topics/a?since=start", "Accept: text/event-stream\r\n");
    let socket = get("/topics/a?since=start", HANDSHAKE);
    assert!(recorded.request(&get("/topics/a?since=start", "")).len() > 200_000, "a poll");
    assert!(recorded.request(&stream).len() > 1_200_000, "an event stream");
    assert!(recorded.request(&socket).len() > 1_200_000, "a WebSocket");
    // Clients that read slowly, so that each write is a part.
    for request in [&stream, &socket] {
        let client = recorded.connect();
        let peer = recorded.clients[client].peer;
        recorded.server.set_room(peer, 10);
        recorded.send(client, [request.as_bytes()]);
        for _ in 0..200 {
            recorded.server.set_room(peer, 9973);
        }
        recorded.request(&post("a", &lines(100_000)));
        recorded.server.set_room(peer, usize::MAX);
    }
    // Held polls, with a request that arrives in the same read.
    let held = recorded.connect();
    let poll = get("/topics/b?wait=60", "");
    recorded.send(held, [format!("{poll}{poll}").as_bytes()]);
    recorded.request(&post("b", &lines(200_000)));
    recorded.request(&post("b", &lines(200_000)));
    recorded.check();
}

#[test]
fn bytes_after_the_last_response_are_recorded_in_order() {
    let mut recorded = Recorded::new("refused");
    let client = recorded.connect();
    let head = "POST /topics/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3000000\r\n\r\n";
    recorded.send(client, [head.as_bytes()]);
    let received = recorded.send(client, lines(2_900_000).as_bytes().chunks(10_000));
    assert!(received.starts_with(b"HTTP/1.1 413 "));
    recorded.check();
}

#[test]
fn a_head_of_any_length_is_recorded_with_its_purpose() {
    let mut options = Options::default();
    options.head.bytes = 1 << 20;
    let filter = Filter { purposes: vec![Purpose::Publish], ..Filter::default() };
    let mut recorded = Recorded::with("head", options, filter);
    let fields: String =
        (0..50).map(|number| format!("X-Field-{number}: {}\r\n", "x".repeat(15_000))).collect();
    let request =
        format!("POST /topics/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n{fields}\r\nhello");
    let client = recorded.connect();
    assert!(recorded.send(client, request.as_bytes().chunks(50_000)).starts_with(b"HTTP/1.1 201 "));
    recorded.check();
}
