//! The loop that relays bytes. It waits for sockets only.

use std::collections::HashMap;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::time::Duration;

use mio::net::{TcpListener, UnixStream};
use mio::{Events, Interest, Poll, Token};

use super::connection::{Connection, Status, owner};
use super::queue::{ConnectionEvent, QueueSender};
use crate::tools::standard_streams::report;

/// The byte on the stop stream that means that the view is written completely. Any other byte is a
/// signal.
pub const VIEW_WRITTEN: u8 = b'.';

// The tokens of connections start at 2, because the first connection has the number 1.
const LISTENER: Token = Token(0);
const STOP: Token = Token(1);

/// The size of the read buffer, in bytes.
const BUFFER_BYTES: usize = 64 * 1024;

/// The delay before another attempt to accept a connection.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// The interval at which a full queue is checked for space.
const SPACE_CHECK: Duration = Duration::from_millis(10);

/// All connections, and the event loop.
pub struct Relay {
    poll: Poll,
    listener: TcpListener,
    local: SocketAddr,
    stop: UnixStream,
    to: Vec<SocketAddr>,
    /// The queue to the view; `None` after the end of the loop.
    queue: Option<QueueSender>,
    connections: HashMap<u64, Connection>,
    accepted: u64,
    /// True if accepting failed, for example for lack of descriptors, and must be repeated.
    accept_failed: bool,
    buffer: Box<[u8]>,
}

/// The sources of the readiness events in one loop iteration, apart from connections.
#[derive(Default)]
struct Ready {
    listener: bool,
    stop: bool,
}

impl Relay {
    /// Listens, in order to relay each client to the first of the addresses that accepts a
    /// connection. The loop ends when a byte arrives on `stop`.
    ///
    /// # Errors
    /// Fails if the address is in use or not local, and if the relay would connect to itself.
    pub fn new(
        listen: SocketAddr,
        to: Vec<SocketAddr>,
        stop: std::os::unix::net::UnixStream,
        queue: QueueSender,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        let mut listener = TcpListener::bind(listen)?;
        let local = listener.local_addr()?;
        if to.contains(&local) {
            return Err(io::Error::other("the tap would relay to itself"));
        }
        stop.set_nonblocking(true)?;
        let mut stop = UnixStream::from_std(stop);
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        poll.registry().register(&mut stop, STOP, Interest::READABLE)?;
        Ok(Self {
            poll,
            listener,
            local,
            stop,
            to,
            queue: Some(queue),
            connections: HashMap::new(),
            accepted: 0,
            accept_failed: false,
            buffer: vec![0; BUFFER_BYTES].into(),
        })
    }

    /// Returns the listening address.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Relays until a signal arrives. Then closes all connections and the queue.
    ///
    /// # Errors
    /// Fails if the poll fails. Errors on a connection end that connection only.
    pub fn run(&mut self) -> io::Result<()> {
        let Some(mut queue) = self.queue.take() else { return Ok(()) };
        let mut events = Events::with_capacity(1024);
        let mut scheduled: Vec<u64> = Vec::new();
        let outcome = loop {
            match self.run_once(&mut events, &mut scheduled, &mut queue) {
                Ok(false) => {}
                Ok(true) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        for number in std::mem::take(&mut self.connections).into_keys() {
            queue.closed(number);
        }
        outcome
    }

    /// Runs one loop iteration. Returns true if a signal has arrived.
    fn run_once(
        &mut self,
        events: &mut Events,
        scheduled: &mut Vec<u64>,
        queue: &mut QueueSender,
    ) -> io::Result<bool> {
        let timeout = if scheduled.is_empty() {
            self.accept_failed.then_some(ACCEPT_RETRY)
        } else if queue.has_space() {
            Some(Duration::ZERO)
        } else {
            Some(SPACE_CHECK)
        };
        match self.poll.poll(events, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(false),
            outcome => outcome?,
        }
        let ready = self.schedule_ready(events, scheduled);
        if ready.stop && self.read_signal()?.is_some() {
            return Ok(true);
        }
        if ready.listener || self.accept_failed {
            self.accept(queue);
        }
        if queue.has_space() {
            scheduled.retain(|number| self.advance(*number, queue));
        }
        Ok(false)
    }

    /// Schedules the connections whose sockets are ready.
    fn schedule_ready(&mut self, events: &Events, scheduled: &mut Vec<u64>) -> Ready {
        let mut ready = Ready::default();
        for event in events {
            match event.token() {
                LISTENER => ready.listener = true,
                STOP => ready.stop = true,
                token => {
                    let (number, side) = owner(token);
                    let Some(connection) = self.connections.get_mut(&number) else { continue };
                    // An error is found by the next read or write.
                    let has_error = event.is_error();
                    let (readable, writable) = (event.is_readable(), event.is_writable());
                    connection.set_ready(side, readable || has_error, writable || has_error);
                    if !std::mem::replace(&mut connection.is_scheduled, true) {
                        scheduled.push(number);
                    }
                }
            }
        }
        ready
    }

    /// Waits until the view is written completely. Returns false if a signal arrives first.
    ///
    /// # Errors
    /// Fails if the poll fails.
    pub fn wait_for_view(&mut self) -> io::Result<bool> {
        let mut events = Events::with_capacity(16);
        loop {
            match self.read_signal()? {
                Some(VIEW_WRITTEN) => return Ok(true),
                Some(_) => return Ok(false),
                None => {}
            }
            match self.poll.poll(&mut events, None) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
        }
    }

    /// Reads one byte from the stop stream, so that a second signal is not read with the first.
    fn read_signal(&mut self) -> io::Result<Option<u8>> {
        let mut byte = [0];
        match self.stop.read(&mut byte) {
            Ok(length) => Ok((length > 0).then_some(byte[0])),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn accept(&mut self, queue: &QueueSender) {
        let failed_before = std::mem::take(&mut self.accept_failed);
        loop {
            match self.listener.accept() {
                Ok((client, peer)) => {
                    self.accepted += 1;
                    let number = self.accepted;
                    queue.send(number, ConnectionEvent::Opened(peer));
                    match Connection::open(number, client, self.to.clone(), self.poll.registry()) {
                        Ok(connection) => drop(self.connections.insert(number, connection)),
                        Err(error) => self.report_unreachable(number, &error, queue),
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // The client closed the connection before it was accepted.
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted
                    ) => {}
                Err(error) => {
                    if !failed_before {
                        report(format_args!("can't accept a connection: {error}; trying again"));
                    }
                    self.accept_failed = true;
                    return;
                }
            }
        }
    }

    fn report_unreachable(&self, number: u64, error: &io::Error, queue: &QueueSender) {
        let to: Vec<String> = self.to.iter().map(SocketAddr::to_string).collect();
        report(format_args!("connection {number}: {}: {error}", to.join(", ")));
        queue.send(number, ConnectionEvent::Closed([0; 2]));
    }

    /// Advances a connection. Returns true if it must be advanced again without waiting.
    fn advance(&mut self, number: u64, queue: &mut QueueSender) -> bool {
        let Some(connection) = self.connections.get_mut(&number) else { return false };
        match connection.advance(&mut self.buffer, queue, self.poll.registry()) {
            Ok(Status::Unfinished) => return true,
            Ok(Status::Waiting) => {
                connection.is_scheduled = false;
                return false;
            }
            Ok(Status::Closed) => queue.closed(number),
            Err(error) => self.report_unreachable(number, &error, queue),
        }
        self.connections.remove(&number);
        false
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::net::UnixStream;
    use std::thread;

    use super::super::queue::{WhenFull, queue};
    use super::Relay;

    #[test]
    fn tries_the_next_address_if_one_refuses() {
        let refusing =
            TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("a bound socket");
        let server = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let to = vec![refusing, server.local_addr().expect("a bound socket")];
        let (mut signal, stop) = UnixStream::pair().expect("a pair of sockets");
        let (sender, _receiver) = queue(WhenFull::DropConnection);
        let mut relay = Relay::new(([127, 0, 0, 1], 0).into(), to, stop, sender).expect("a free port");
        let address = relay.local_addr();
        let running = thread::spawn(move || relay.run());
        let mut client = TcpStream::connect(address).expect("the relay listens");
        client.write_all(b"found").expect("the relay reads");
        drop(client);
        let mut relayed = String::new();
        let (mut stream, _) = server.accept().expect("a connection");
        stream.read_to_string(&mut relayed).expect("an orderly end");
        assert_eq!(relayed, "found");
        signal.write_all(b"X").expect("the relay runs");
        running.join().expect("the loop does not panic").expect("the poll has no error");
    }
}
