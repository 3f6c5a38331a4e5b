//! A built example, or the command itself, as a process, and plain sockets to talk to it.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long anything may take before a test gives up. Nothing is expected to need it.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub struct Server {
    child: Child,
    pub greeting: String,
    pub port: u16,
}

impl Server {
    pub fn start(name: &str) -> Server {
        let mut command = Command::new(path(name));
        command.arg("0");
        Server::run(command)
    }

    /// Starts the command, as a reader of the README does, but for the port.
    pub fn start_barewire() -> Server {
        let mut command = Command::new(env!("CARGO_BIN_EXE_barewire"));
        command.args(["--listen", "127.0.0.1:0", "--quiet"]);
        Server::run(command)
    }

    /// Starts it with room for `descriptors` open files.
    pub fn start_limited(name: &str, descriptors: usize) -> Server {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("ulimit -n {descriptors}; exec \"$0\" 0")]).arg(path(name));
        Server::run(command)
    }

    fn run(mut command: Command) -> Server {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("it starts");
        let mut greeting = String::new();
        let stdout = child.stdout.take().expect("stdout is piped");
        BufReader::new(stdout).read_line(&mut greeting).expect("its first line");
        let port = greeting.trim_end().rsplit(':').next().and_then(|port| port.parse().ok());
        Server { child, port: port.expect("the first line ends with the port"), greeting }
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket option");
        stream.set_write_timeout(Some(PATIENCE)).expect("a socket option");
        stream.set_nodelay(true).expect("a socket option");
        stream
    }

    pub fn send(&self, bytes: impl AsRef<[u8]>) -> TcpStream {
        let mut stream = self.connect();
        stream.write_all(bytes.as_ref()).expect("it reads");
        stream
    }

    /// Sends it all and FIN, and gives all that comes back, up to the server's FIN.
    pub fn exchange(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut stream = self.send(bytes);
        stream.shutdown(Shutdown::Write).expect("the connection stands");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("an answer and FIN");
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// The body of the answer to a GET.
    pub fn get(&self, target: &str) -> String {
        body(&self.exchange(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n")))
    }

    pub fn publish(&self, data: &str) -> String {
        let length = data.len();
        let head = format!("POST /topics/demo HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
        body(&self.exchange(head + data))
    }

    /// Returns when the server has dealt with everything that was sent before: it has one thread, and takes
    /// its sockets in the order in which they became ready. Any bytes will do as a question, even to the echo.
    pub fn settle(&self) {
        for _ in 0..2 {
            assert!(!self.exchange("GET /settle HTTP/1.1\r\nHost: a\r\n\r\n").is_empty());
        }
    }

    /// The memory that the process has in use, in bytes; `None` where /proc does not tell.
    pub fn resident(&self) -> Option<usize> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.trim().strip_suffix(" kB")?.trim().parse::<usize>().ok().map(|kib| kib * 1024)
    }

    /// How many of the descriptors below `limit` are in use; `None` where /proc does not tell. One that was
    /// inherited may lie above the limit, and then does not count towards it.
    pub fn descriptors_below(&self, limit: usize) -> Option<usize> {
        let entries = std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).ok()?;
        let numbers = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<usize>().ok());
        Some(numbers.filter(|&number| number < limit).count())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; the test has then failed already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `cargo test` builds the examples beside the tests, but tells nobody where: target/PROFILE/examples.
fn path(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("this test's own path");
    let profile = test.ancestors().nth(2).expect("a test lies in target/PROFILE/deps");
    let path = profile.join("examples").join(name).with_extension(std::env::consts::EXE_EXTENSION);
    let source = format!("{}/examples/{name}.rs", env!("CARGO_MANIFEST_DIR"));
    let modified = |path: &std::path::Path| path.metadata().and_then(|it| it.modified()).ok();
    assert!(
        modified(&path) >= modified(source.as_ref()),
        "{} is missing or older than its source: run `cargo build --examples` first",
        path.display()
    );
    path
}

/// What follows the head of a message.
pub fn body(message: &str) -> String {
    message.split_once("\r\n\r\n").expect("a whole head").1.into()
}

/// Reads exactly what is expected, in small pieces, and not a byte more.
pub fn expect(stream: &mut TcpStream, expected: impl AsRef<[u8]>) {
    let mut piece = [0; 1000];
    for expected in expected.as_ref().chunks(piece.len()) {
        let piece = &mut piece[..expected.len()];
        stream.read_exact(piece).expect("more is to come");
        assert_eq!(String::from_utf8_lossy(piece), String::from_utf8_lossy(expected));
    }
}

/// Whether nothing has come that is not read yet.
pub fn is_silent(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).expect("a socket option");
    let peeked = stream.peek(&mut [0]);
    stream.set_nonblocking(false).expect("a socket option");
    matches!(peeked, Err(error) if error.kind() == ErrorKind::WouldBlock)
}

/// Asks again and again until it is so.
pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
