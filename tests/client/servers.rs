//! Servers for followers and publishers: barewire in a thread of this process, and scripted
//! servers.

use std::io::Read;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use barewire::client::follow::{Resource, Since, Transport};
use barewire::client::{Backoff, Follow, FollowError, FollowOptions, Update};
use barewire::server::Options;

use crate::running::Running;

/// How long a test waits before it fails.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// barewire on a free port. It drains when it is dropped.
pub struct Barewire {
    pub address: SocketAddr,
    running: Running,
}

impl Barewire {
    pub fn start() -> Self {
        Self::with(|_| {})
    }

    pub fn with(set: impl FnOnce(&mut Options)) -> Self {
        let running = Running::start(set);
        Self { address: running.address, running }
    }

    pub fn url(&self, topic: &str) -> String {
        format!("http://{}/topics/{topic}", self.address)
    }
}

impl Drop for Barewire {
    fn drop(&mut self) {
        self.running.signal_stop();
        self.running.wait();
    }
}

/// Starts a server that runs `script` on each connection until the script returns false.
///
/// The script receives the number of earlier connections.
pub fn scripted(
    mut script: impl FnMut(usize, &mut TcpStream) -> bool + Send + 'static,
) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}/topics/t", listener.local_addr().expect("a listening socket"));
    let thread = thread::spawn(move || {
        for before in 0.. {
            let (mut stream, _) = listener.accept().expect("a client");
            stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
            if !script(before, &mut stream) {
                break;
            }
        }
    });
    (url, thread)
}

/// Reads a request head. It is empty if the client has closed the connection.
pub fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
        head.push(byte[0]);
    }
    String::from_utf8(head).expect("ASCII")
}

/// Reads a request head and its content.
pub fn request(stream: &mut TcpStream) -> (String, String) {
    let head = head(stream);
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
    let mut content = vec![0; length.map_or(0, |length| length.parse().expect("a length"))];
    stream.read_exact(&mut content).expect("the content");
    (head, String::from_utf8(content).expect("UTF-8"))
}

/// Follows with short delays.
pub fn follow(
    url: &str,
    via: &[Transport],
    since: Since,
    set: impl FnOnce(&mut Resource, &mut FollowOptions),
) -> Follow {
    let mut resource = Resource::new(url, None, &[]).expect("a URL");
    resource.interval = Duration::from_millis(50);
    resource.backoff = Backoff { initial: Duration::from_millis(20), max: Duration::from_millis(100) };
    let mut options = FollowOptions { transports: via.to_vec(), since, ..FollowOptions::default() };
    set(&mut resource, &mut options);
    Follow::new(resource, options).expect("random bytes")
}

/// Waits for the next update.
pub fn next(follow: &mut Follow) -> Result<Update, FollowError> {
    let until = Instant::now() + PATIENCE;
    follow.next_until(Some(until)).map(|update| update.expect("an update in time"))
}

/// Waits for the next event and returns its data. Skips other updates.
pub fn data(follow: &mut Follow) -> String {
    loop {
        if let Update::Event(event) = next(follow).expect("an event") {
            return event.data;
        }
    }
}
