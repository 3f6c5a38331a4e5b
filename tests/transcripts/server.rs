//! A server process (a built example, or `barewire` itself), and plain sockets to talk to it.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::built;

/// The longest time that any step may take. A passing test never needs this long.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The examples that also listen on a second port, as another origin with an attack page.
const WITH_ATTACK_PAGE: [&str; 2] = ["06_websocket_handshake", "07_websocket_frames"];

/// A running server. Dropping it kills the process.
pub struct Server {
    child: Child,
    /// The first lines that the server prints.
    pub greeting: String,
    pub port: u16,
    /// The port of the attack page, if the example has one.
    pub attack_port: Option<u16>,
}

impl Server {
    /// Starts an example on a free port.
    pub fn start(example: &str) -> Server {
        Server::start_with(example, &[])
    }

    /// Starts an example on a free port, with more arguments.
    pub fn start_with(example: &str, arguments: &[&str]) -> Server {
        let mut command = Command::new(built::example(example));
        command.arg("0").args(arguments);
        Server::spawn(command, if WITH_ATTACK_PAGE.contains(&example) { 2 } else { 1 })
    }

    /// Runs an example that is expected to exit. Returns its exit code and its messages.
    pub fn fail(example: &str, port: &str) -> (Option<i32>, String) {
        let mut command = Command::new(built::example(example));
        command.arg(port).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the example starts");
        let mut stderr = child.stderr.take().expect("stderr is piped");
        let mut messages = String::new();
        eventually("the example exits", || child.try_wait().expect("the child exists").is_some());
        stderr.read_to_string(&mut messages).expect("UTF-8");
        (child.wait().expect("it has exited").code(), messages)
    }

    /// Starts `barewire` as a reader of the README does, except for the port.
    pub fn start_barewire() -> Server {
        let mut command = Command::new(env!("CARGO_BIN_EXE_barewire"));
        command.args(["--listen", "127.0.0.1:0", "--quiet"]);
        Server::spawn(command, 1)
    }

    /// Starts an example that may have at most `descriptors` open files.
    pub fn start_limited(example: &str, descriptors: usize) -> Server {
        let mut command = Command::new("sh");
        let script = format!("ulimit -n {descriptors}; exec \"$0\" 0");
        command.args(["-c", &script]).arg(built::example(example));
        Server::spawn(command, 1)
    }

    /// Starts a server that prints `lines` lines when it listens.
    fn spawn(mut command: Command, lines: usize) -> Server {
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("the server starts");
        let mut greeting = String::new();
        let stdout = child.stdout.take().expect("stdout is piped");
        let mut stdout = BufReader::new(stdout);
        for _ in 0..lines {
            stdout.read_line(&mut greeting).expect("the server prints a line");
        }
        let port_in = |line: &str| line.rsplit(':').next()?.split('/').next()?.parse().ok();
        let mut ports = greeting.lines().map(port_in);
        let port = ports.next().flatten().expect("the first line ends with the port");
        Server { child, port, attack_port: ports.next().flatten(), greeting }
    }

    /// Replaces the ports of the documentation with those of this server.
    pub fn with_own_ports(&self, text: &str) -> String {
        // The marks keep a port of this server that contains "8080" from being replaced, too.
        let marked = text.replace("8080", "\u{1}").replace("8081", "\u{2}");
        let attack_port = self.attack_port.map_or_else(|| "8081".to_owned(), |port| port.to_string());
        marked.replace('\u{1}', &self.port.to_string()).replace('\u{2}', &attack_port)
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).expect("the server listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("the read timeout can be set");
        stream.set_write_timeout(Some(PATIENCE)).expect("the write timeout can be set");
        stream.set_nodelay(true).expect("TCP_NODELAY can be set");
        stream
    }

    /// Connects and sends `bytes`.
    pub fn send(&self, bytes: impl AsRef<[u8]>) -> TcpStream {
        let mut stream = self.connect();
        stream.write_all(bytes.as_ref()).expect("the server reads");
        stream
    }

    /// Sends `bytes` and a FIN. Returns everything that the server sends up to its own FIN.
    pub fn exchange(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut stream = self.send(bytes);
        stream.shutdown(Shutdown::Write).expect("the connection is open");
        let mut response = Vec::new();
        stream.read_to_end(&mut response).expect("a response and a FIN");
        String::from_utf8_lossy(&response).into_owned()
    }

    /// Sends a GET and returns the body of the response.
    pub fn get(&self, target: &str) -> String {
        body(&self.exchange(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n")))
    }

    /// Publishes to the topic `demo` and returns the body of the response.
    pub fn publish(&self, data: &str) -> String {
        let length = data.len();
        let head =
            format!("POST /topics/demo HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n");
        body(&self.exchange(head + data))
    }

    /// Returns once the server has processed everything that was sent before this call.
    ///
    /// The server has one thread and handles its sockets in the order in which they became ready,
    /// so a response to a later request proves it. The request is also valid input for the echo.
    pub fn wait_until_idle(&self) {
        for _ in 0..2 {
            assert!(!self.exchange("GET /idle HTTP/1.1\r\nHost: localhost\r\n\r\n").is_empty());
        }
    }

    /// Returns the resident memory of the process in bytes, or `None` if /proc does not report it.
    pub fn resident(&self) -> Option<usize> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.trim().strip_suffix(" kB")?.trim().parse::<usize>().ok().map(|kib| kib * 1024)
    }

    /// Counts the open descriptors below `limit`. Returns `None` if /proc does not list them.
    ///
    /// A descriptor that the process inherited may be above the limit, and does not count.
    pub fn descriptors_below(&self, limit: usize) -> Option<usize> {
        let entries = std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).ok()?;
        let numbers = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<usize>().ok());
        Some(numbers.filter(|&number| number < limit).count())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // These calls fail if the process has already exited. In that case the test has failed too.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns the body of an HTTP message.
pub fn body(message: &str) -> String {
    message.split_once("\r\n\r\n").expect("the head is complete").1.into()
}

/// Reads exactly as many bytes as `expected` has, in small chunks, and compares them.
pub fn expect(stream: &mut TcpStream, expected: impl AsRef<[u8]>) {
    let mut buffer = [0; 1000];
    for expected in expected.as_ref().chunks(buffer.len()) {
        let received = &mut buffer[..expected.len()];
        stream.read_exact(received).expect("more bytes arrive");
        assert_eq!(String::from_utf8_lossy(received), String::from_utf8_lossy(expected));
    }
}

/// Returns true if the socket is open and has no unread data.
pub fn is_silent(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).expect("the socket can be made non-blocking");
    let peeked = stream.peek(&mut [0]);
    stream.set_nonblocking(false).expect("the socket can be made blocking");
    matches!(peeked, Err(error) if error.kind() == ErrorKind::WouldBlock)
}

/// Repeats `condition` until it is true. Panics when [`PATIENCE`] is over.
pub fn eventually(description: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "timed out: {description}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
