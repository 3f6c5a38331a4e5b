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

/// How the bytes of a request are sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SendMode {
    /// All at once.
    Whole,
    /// Byte by byte.
    ByteByByte,
    /// All at once, together with the next request (RFC 9112 §9.3.2).
    Pipelined,
}

/// A real server on its own port. Dropping it ends the server.
pub struct Server {
    running: Running,
    mode: SendMode,
}

/// Runs a test three times, each time against a new server and with another [`SendMode`].
pub fn in_every_mode(test: impl Fn(&Server)) {
    in_every_mode_with(|_| {}, test);
}

/// Runs a test like [`in_every_mode`], with other options than the defaults.
pub fn in_every_mode_with(set: impl Fn(&mut Options), test: impl Fn(&Server)) {
    for mode in [SendMode::Whole, SendMode::ByteByByte, SendMode::Pipelined] {
        // The test harness shows this only if the test fails.
        println!("requests are sent in this mode: {mode:?}");
        let mut server = Server::with(&set);
        server.mode = mode;
        test(&server);
    }
}

const HOUR: u32 = 3600;

/// The request sent after each request in [`SendMode::Pipelined`].
const NEXT: &[u8] = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";

impl Server {
    pub fn start() -> Server {
        Server::with(|_| {})
    }

    /// Starts a server with these options set; the others have their defaults, except for the
    /// times.
    pub fn with(set: impl FnOnce(&mut Options)) -> Server {
        let mut options = Options {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            // The times are so long that nothing times out unless a test sets a time, however slow
            // the machine is.
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
        Server { running: Running::start(|defaults| *defaults = options), mode: SendMode::Whole }
    }

    pub fn connect(&self) -> Connection {
        Connection::to(self.running.address)
    }

    /// Signals the server to stop.
    pub fn stop(&self) {
        self.running.signal_stop();
    }

    /// Sends a request on a new connection, in the server's mode.
    pub fn begin(&self, request: &Request) -> Connection {
        let mut connection = self.connect();
        self.send(&mut connection, &request.bytes());
        connection
    }

    fn send(&self, connection: &mut Connection, bytes: &[u8]) {
        match self.mode {
            SendMode::Whole => connection.send(bytes),
            SendMode::ByteByByte => connection.send_byte_by_byte(bytes),
            SendMode::Pipelined => connection.send([bytes, NEXT].concat()),
        }
    }

    /// Sends a request and reads its response. A pipelined request must get its response too,
    /// unless the first response says that the connection ends; then the connection must end.
    pub fn request(&self, request: &Request) -> Response {
        self.finish(self.begin(request), request.method)
    }

    /// Does the same with bytes that need not be a request.
    pub fn request_bytes(&self, bytes: impl AsRef<[u8]>) -> Response {
        let mut connection = self.connect();
        self.send(&mut connection, bytes.as_ref());
        self.finish(connection, "GET")
    }

    /// Reads the response to a request that was sent, and checks the data after it.
    pub fn finish(&self, mut connection: Connection, method: &str) -> Response {
        let response = connection.response_to(method);
        if response.ends() {
            assert!(connection.is_at_end(), "there is data after the last response");
        } else if self.mode == SendMode::Pipelined {
            let next = connection.response();
            assert_eq!((next.status, next.text()), (200, r#"{"status":"ok"}"#), "the next response");
        }
        response
    }

    /// Publishes an event and returns its id.
    pub fn publish(&self, target: &str, data: &str) -> String {
        self.request(&Request::post(target, data)).id()
    }

    /// Opens an event stream.
    pub fn event_stream(&self, request: &Request) -> EventStream {
        EventStream::open(self.begin(request), request.version == "HTTP/1.1")
    }

    /// Opens a WebSocket. In the pipelined mode a ping follows the handshake, and its pong must
    /// arrive.
    pub fn web_socket(&self, request: &Request) -> WebSocket {
        let mut connection = self.connect();
        match self.mode {
            SendMode::Whole => connection.send(request.bytes()),
            SendMode::ByteByByte => connection.send_byte_by_byte(request.bytes()),
            SendMode::Pipelined => connection.send([request.bytes(), WebSocket::greeting()].concat()),
        }
        WebSocket::open(connection, self.mode == SendMode::Pipelined)
    }
}

impl Server {
    /// Returns the value of a metric.
    pub fn metric(&self, name: &str) -> u64 {
        metric(&mut self.connect(), name)
    }

    /// Waits until a metric has at least this value, which shows what the server has done.
    pub fn await_metric(&self, name: &str, value: u64) {
        let mut connection = self.connect();
        eventually(|| metric(&mut connection, name) >= value);
    }
}

/// Waits until the condition holds, and fails if it does not within the deadline.
pub fn eventually(mut condition: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < DEADLINE, "the condition does not hold within the deadline");
        std::thread::yield_now();
    }
}

fn metric(connection: &mut Connection, name: &str) -> u64 {
    connection.send(Request::get("/metrics").bytes());
    let response = connection.response();
    let line = response.text().lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("the metric {name} is missing"))
}
