//! The server under test, in this process, and the three ways in which a request is sent to it.

use std::net::Ipv4Addr;
use std::time::Instant;

use barewire::server::Options;

use super::connection::{Connection, DEADLINE};
use super::event_stream::EventStream;
use super::request::Request;
use super::response::Response;
use super::web_socket::WebSocket;
use crate::running::Running;

/// How the bytes of a request reach the server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// In one piece.
    Whole,
    /// A byte at a time.
    ByteByByte,
    /// In one piece with the next request behind it (RFC 9112 §9.3.2).
    Pipelined,
}

/// The real server, on a port of its own. It ends when this is dropped.
pub struct Server {
    running: Running,
    way: Way,
}

/// Runs a test three times, each against a server of its own, the requests sent in another way each time.
pub fn in_every_way(test: impl Fn(&Server)) {
    in_every_way_with(|_| {}, test);
}

/// The same with other options than the default ones.
pub fn in_every_way_with(set: impl Fn(&mut Options), test: impl Fn(&Server)) {
    for way in [Way::Whole, Way::ByteByByte, Way::Pipelined] {
        // Shown only if the test fails.
        println!("requests are sent in this way: {way:?}");
        let mut server = Server::with(&set);
        server.way = way;
        test(&server);
    }
}

const HOUR: u32 = 3600;

/// What stands behind a request in [`Way::Pipelined`].
const NEXT: &[u8] = b"GET /health HTTP/1.1\r\nHost: barewire.test\r\n\r\n";

impl Server {
    pub fn start() -> Server {
        Server::with(|_| {})
    }

    /// A server with these options set, and the other ones at their default but for the times.
    pub fn with(set: impl FnOnce(&mut Options)) -> Server {
        let mut options = Options {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            // What comes of itself after a time comes only where a test asks for it, however slow the machine.
            head_timeout: HOUR,
            body_timeout: HOUR,
            idle_timeout: HOUR,
            heartbeat: HOUR,
            ping_interval: HOUR,
            write_timeout: HOUR,
            close_timeout: HOUR,
            ..Options::default()
        };
        set(&mut options);
        Server { running: Running::start(|defaults| *defaults = options), way: Way::Whole }
    }

    pub fn connect(&self) -> Connection {
        Connection::to(self.running.address)
    }

    /// Tells the server to stop.
    pub fn stop(&self) {
        self.running.tell_to_stop();
    }

    /// Sends a request on a connection of its own, in the way of the run.
    pub fn begin(&self, request: &Request) -> Connection {
        let mut connection = self.connect();
        self.send(&mut connection, &request.bytes());
        connection
    }

    fn send(&self, connection: &mut Connection, bytes: &[u8]) {
        match self.way {
            Way::Whole => connection.send(bytes),
            Way::ByteByByte => connection.send_byte_by_byte(bytes),
            Way::Pipelined => connection.send([bytes, NEXT].concat()),
        }
    }

    /// Sends a request and reads its answer; what was pipelined behind it has to be answered after it, unless the
    /// answer says that the connection ends, and then it has to.
    pub fn ask(&self, request: &Request) -> Response {
        self.finish(self.begin(request), request.method)
    }

    /// The same for bytes that need not be a request.
    pub fn ask_bytes(&self, bytes: impl AsRef<[u8]>) -> Response {
        let mut connection = self.connect();
        self.send(&mut connection, bytes.as_ref());
        self.finish(connection, "GET")
    }

    /// Reads the answer to a request that was begun, and sees to what is behind it.
    pub fn finish(&self, mut connection: Connection, method: &str) -> Response {
        let response = connection.response_to(method);
        if response.ends() {
            assert!(connection.is_at_end(), "something stands behind the last answer");
        } else if self.way == Way::Pipelined {
            let next = connection.response();
            assert_eq!((next.status, next.text()), (200, r#"{"status":"ok"}"#), "the next request's answer");
        }
        response
    }

    /// Publishes, and returns the event's id.
    pub fn publish(&self, target: &str, data: &str) -> String {
        self.ask(&Request::post(target, data)).id()
    }

    /// Opens an event stream.
    pub fn event_stream(&self, request: &Request) -> EventStream {
        EventStream::open(self.begin(request), request.version == "HTTP/1.1")
    }

    /// Opens a WebSocket. What is pipelined behind a handshake are frames: here a ping, whose pong has to come.
    pub fn web_socket(&self, request: &Request) -> WebSocket {
        let mut connection = self.connect();
        match self.way {
            Way::Whole => connection.send(request.bytes()),
            Way::ByteByByte => connection.send_byte_by_byte(request.bytes()),
            Way::Pipelined => connection.send([request.bytes(), WebSocket::greeting()].concat()),
        }
        WebSocket::open(connection, self.way == Way::Pipelined)
    }
}

impl Server {
    /// A number among the metrics.
    pub fn metric(&self, name: &str) -> u64 {
        metric(&mut self.connect(), name)
    }

    /// Waits until a number among the metrics is at least this: so a test knows what the server has done by now.
    pub fn await_metric(&self, name: &str, value: u64) {
        let mut connection = self.connect();
        eventually(|| metric(&mut connection, name) >= value);
    }
}

/// Asks again and again until it is so, within the deadline of all that has to come.
pub fn eventually(mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < DEADLINE, "it does not come");
        std::thread::yield_now();
    }
}

fn metric(connection: &mut Connection, name: &str) -> u64 {
    connection.send(Request::get("/metrics").bytes());
    let response = connection.response();
    let line = response.text().lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no number {name}"))
}
