//! Many client connections on one thread.
//!
//! [`ClientPool`] owns the sockets: it connects, waits for readiness, reads, writes and counts
//! bytes. It knows no protocol. The caller names each connection by a number, its *id*, and
//! implements [`Handler`]; the pool calls the handler with whatever the sockets report, and the
//! handler appends its output to an [`Output`].
//!
//! `barewire bench` keeps one protocol state machine per connection in the pool (the type parameter
//! `S`). `barewire compare` keeps its followers outside, because a follower outlives its
//! connections. Timers are outside the pool too: each caller passes the time of its next deadline
//! to [`ClientPool::run_once`].

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::mem;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::Sub;
use std::time::{Duration, Instant};

use mio::event::{Event, Source};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use crate::client::follow::Error;

/// The size of the read buffer, which all connections share. It exceeds what a burst delivers to
/// one connection, so that one read is enough.
const BUFFER: usize = 256 * 1024;

/// The maximum number of readiness events that one poll returns.
const EVENTS: usize = 4096;

/// `EINPROGRESS` (errno(3)).
const IN_PROGRESS: i32 = 115;

/// Handles the events of the connections of a [`ClientPool`].
pub trait Handler<S> {
    /// Called when the TCP connection is established. The pool sends the bytes passed to
    /// [`ClientPool::open`], and after them the bytes that this call appends to `output`.
    fn connected(&mut self, id: usize, output: &mut Output);

    /// Called when `input` has arrived, at `now`.
    ///
    /// # Errors
    /// Fails if the peer broke its protocol. The pool then drops the connection and calls
    /// [`ended`](Self::ended).
    fn received(
        &mut self,
        id: usize,
        session: &mut S,
        input: &mut [u8],
        output: &mut Output,
        now: Instant,
    ) -> Result<(), Error>;

    /// Called when the peer has closed its side, at `now`. A handler that expected this calls
    /// [`Output::close`]; otherwise the pool calls [`ended`](Self::ended) next.
    fn end_of_input(&mut self, _id: usize, _session: &mut S, _output: &mut Output, _now: Instant) {}

    /// Called when the socket has accepted `length` bytes.
    fn written(&mut self, _id: usize, _length: usize) {}

    /// Called when the connection has ended, unless the handler closed it. The pool has dropped the
    /// session.
    fn ended(&mut self, id: usize, reason: EndReason);
}

/// Why a connection ended.
#[derive(Debug)]
pub enum EndReason {
    /// The connection could not be established.
    NotConnected(io::Error),
    /// Reading or writing failed.
    Broken(io::Error),
    /// The peer closed the connection.
    Closed,
    /// The peer broke its protocol, or refused the request.
    Protocol(Error),
}

/// The bytes that one connection still has to send.
#[derive(Debug, Default)]
pub struct Output {
    pending: Vec<u8>,
    is_closing: bool,
}

impl Output {
    /// Returns the buffer to append to. Everything appended in one call of the handler is sent with
    /// one write.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.pending
    }

    /// Closes the connection after the current call of the handler, without sending what is
    /// pending.
    pub fn close(&mut self) {
        self.is_closing = true;
    }
}

/// Bytes that crossed the sockets of a pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ByteCounts {
    /// From the clients to the server.
    pub up: u64,
    /// From the server to the clients.
    pub down: u64,
}

impl Sub for ByteCounts {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self { up: self.up - earlier.up, down: self.down - earlier.down }
    }
}

#[derive(Debug)]
struct Connection<S> {
    stream: TcpStream,
    is_connected: bool,
    session: S,
    output: Output,
    /// The error of a failed write. It is reported once everything that the peer sent is read.
    write_error: Option<io::Error>,
}

#[derive(Debug)]
struct Slot<S> {
    connection: Option<Connection<S>>,
    /// Counts the connections that this slot has held, so that a late readiness event of an earlier
    /// one is recognized and ignored.
    generation: u32,
}

/// A slab of client connections and the poll that they are registered with.
#[derive(Debug)]
pub struct ClientPool<S> {
    poll: Poll,
    events: Events,
    slots: Vec<Slot<S>>,
    /// Connections to read at the next iteration without waiting for readiness: their last read
    /// filled the buffer, or a write outside an iteration failed.
    unread: VecDeque<usize>,
    buffer: Vec<u8>,
    /// The number of loopback addresses to connect from.
    sources: u8,
    /// Connection attempts so far; selects the next source address.
    attempts: u64,
    traffic: ByteCounts,
}

impl<S> ClientPool<S> {
    /// Returns an empty pool. Connections to an IPv4 loopback address use `sources` local addresses
    /// in rotation, 127.0.0.1 and the following ones, because each has only 28,000 ports.
    ///
    /// # Errors
    /// The operating system could not create the poll.
    pub fn new(sources: u8) -> io::Result<Self> {
        Ok(Self {
            poll: Poll::new()?,
            events: Events::with_capacity(EVENTS),
            slots: Vec::new(),
            unread: VecDeque::new(),
            buffer: vec![0; BUFFER],
            sources,
            attempts: 0,
            traffic: ByteCounts::default(),
        })
    }

    /// Returns the bytes written and read so far, over all connections.
    pub const fn traffic(&self) -> ByteCounts {
        self.traffic
    }

    /// Returns whether connection `id` exists, established or in progress.
    pub fn is_open(&self, id: usize) -> bool {
        self.slots.get(id).is_some_and(|slot| slot.connection.is_some())
    }

    /// Starts to connect to `address`, and sends `first` once the connection is established. A
    /// previous connection with the same id is dropped.
    ///
    /// # Errors
    /// Those that the operating system reports at once: no free port, no free descriptor.
    pub fn open(&mut self, id: usize, address: SocketAddr, session: S, first: Vec<u8>) -> io::Result<()> {
        if self.slots.len() <= id {
            self.slots.resize_with(id + 1, || Slot { connection: None, generation: 0 });
        }
        let mut stream = self.connect(address)?;
        let slot = &mut self.slots[id];
        slot.generation = slot.generation.wrapping_add(1);
        let token = Token(id | (slot.generation as usize) << 32);
        // One edge-triggered registration for both directions, for the connection's whole life.
        stream.register(self.poll.registry(), token, Interest::READABLE | Interest::WRITABLE)?;
        let output = Output { pending: first, is_closing: false };
        slot.connection =
            Some(Connection { stream, is_connected: false, session, output, write_error: None });
        Ok(())
    }

    /// Starts to connect from the next source address.
    fn connect(&mut self, address: SocketAddr) -> io::Result<TcpStream> {
        let source = self.attempts % u64::from(self.sources.max(1));
        self.attempts += 1;
        if self.sources <= 1 || !address.ip().is_loopback() || !address.is_ipv4() {
            return TcpStream::connect(address);
        }
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        let source = IpAddr::from(Ipv4Addr::new(127, 0, 0, source as u8 + 1));
        socket.bind(&SocketAddr::new(source, 0).into())?;
        match socket.connect(&address.into()) {
            // A non-blocking connect continues in the background (connect(2)).
            Err(error) if error.raw_os_error() == Some(IN_PROGRESS) => {}
            connected => connected?,
        }
        Ok(TcpStream::from_std(socket.into()))
    }

    /// Sends what `write` appends, outside a call of the handler. Does nothing if connection `id`
    /// is closed. If it is still connecting, the bytes follow those passed to [`open`](Self::open).
    pub fn send(&mut self, id: usize, handler: &mut impl Handler<S>, write: impl FnOnce(&mut Vec<u8>)) {
        let Some(connection) = self.slots.get_mut(id).and_then(|slot| slot.connection.as_mut()) else {
            return;
        };
        write(&mut connection.output.pending);
        self.flush(id, handler);
        if self.slots[id].connection.as_ref().is_some_and(|connection| connection.write_error.is_some()) {
            self.unread.push_back(id);
        }
    }

    /// Closes connection `id`, if it is open. The handler is not called.
    pub fn close(&mut self, id: usize) {
        if let Some(connection) = self.slots.get_mut(id).and_then(|slot| slot.connection.take()) {
            connection.reset();
        }
    }

    /// Runs one loop iteration: waits until a socket is ready, at most until `until`, and calls the
    /// handler for everything that happened.
    ///
    /// # Errors
    /// Those of the poll. Errors of one connection are reported to [`Handler::ended`].
    pub fn run_once(&mut self, until: Instant, handler: &mut impl Handler<S>) -> io::Result<()> {
        let wait = until.saturating_duration_since(Instant::now());
        let wait = if self.unread.is_empty() { wait } else { Duration::ZERO };
        match self.poll.poll(&mut self.events, Some(wait)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
            polled => polled?,
        }
        for id in mem::take(&mut self.unread) {
            self.read(id, false, handler);
        }
        let events = mem::replace(&mut self.events, Events::with_capacity(0));
        for event in &events {
            self.handle_readiness(event, handler);
        }
        self.events = events;
        Ok(())
    }

    fn handle_readiness(&mut self, event: &Event, handler: &mut impl Handler<S>) {
        let (id, generation) = (event.token().0 & 0xffff_ffff, (event.token().0 >> 32) as u32);
        let slot = &mut self.slots[id];
        let Some(connection) = slot.connection.as_mut().filter(|_| slot.generation == generation) else {
            return;
        };
        if !connection.is_connected {
            // SO_ERROR reports a failed attempt (connect(2)); a peer address proves success.
            if let Ok(Some(error)) | Err(error) = connection.stream.take_error() {
                return self.end(id, EndReason::NotConnected(error), handler);
            }
            if connection.stream.peer_addr().is_err() {
                return;
            }
            connection.is_connected = true;
            // Small messages must not wait for acknowledgements. If the option cannot be set, they
            // are only sent later.
            let _ = connection.stream.set_nodelay(true);
            handler.connected(id, &mut connection.output);
        }
        let has_failed = !self.flush(id, handler);
        let is_read_closed = event.is_read_closed() || event.is_error() || has_failed;
        if event.is_readable() || is_read_closed {
            self.read(id, is_read_closed, handler);
        }
    }

    /// Reads and handles what has arrived on one connection.
    ///
    /// A read that does not fill the buffer has emptied the socket (epoll(7)), so no second read is
    /// necessary to find that out. If the peer has closed its side, the second read reports that.
    fn read(&mut self, id: usize, is_read_closed: bool, handler: &mut impl Handler<S>) {
        let mut is_read_closed = is_read_closed;
        loop {
            let slot = &mut self.slots[id];
            // The id of an unread connection may since have been opened again.
            let Some(connection) = slot.connection.as_mut().filter(|one| one.is_connected) else { return };
            let Connection { stream, session, output, write_error, .. } = connection;
            let length = match stream.read(&mut self.buffer) {
                Ok(0) => {
                    handler.end_of_input(id, session, output, Instant::now());
                    if output.is_closing {
                        return self.close(id);
                    }
                    let reason = write_error.take().map_or(EndReason::Closed, EndReason::Broken);
                    return self.end(id, reason, handler);
                }
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if let Some(error) = write_error.take() {
                        self.end(id, EndReason::Broken(error), handler);
                    }
                    return;
                }
                Err(error) => {
                    let error = write_error.take().unwrap_or(error);
                    return self.end(id, EndReason::Broken(error), handler);
                }
            };
            self.traffic.down += length as u64;
            let received = handler.received(id, session, &mut self.buffer[..length], output, Instant::now());
            if output.is_closing {
                return self.close(id);
            }
            if let Err(error) = received {
                return self.end(id, EndReason::Protocol(error), handler);
            }
            is_read_closed |= !self.flush(id, handler);
            if !is_read_closed {
                if length == self.buffer.len() {
                    self.unread.push_back(id); // the other connections are read first
                }
                return;
            }
        }
    }

    /// Writes as much as the socket accepts. Returns false if writing has failed. The connection
    /// must then be read to its end, because the peer may have sent a reason before it closed.
    fn flush(&mut self, id: usize, handler: &mut impl Handler<S>) -> bool {
        let Some(connection) = &mut self.slots[id].connection else { return false };
        if !connection.is_connected {
            return true;
        }
        if connection.write_error.is_some() {
            return false;
        }
        let mut written = 0;
        while written < connection.output.pending.len() {
            match connection.stream.write(&connection.output.pending[written..]) {
                Ok(0) => {
                    connection.write_error = Some(ErrorKind::WriteZero.into());
                    break;
                }
                Ok(length) => written += length,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => {
                    connection.write_error = Some(error);
                    break;
                }
            }
        }
        let has_failed = connection.write_error.is_some();
        if written > 0 {
            connection.output.pending.drain(..written);
            self.traffic.up += written as u64;
            handler.written(id, written);
        }
        !has_failed
    }

    fn end(&mut self, id: usize, reason: EndReason, handler: &mut impl Handler<S>) {
        self.slots[id].connection = None;
        handler.ended(id, reason);
    }
}

impl<S> Connection<S> {
    /// Makes the close a reset. An orderly close would keep the port for a minute (RFC 9293 §3.6.1,
    /// TIME-WAIT), which allows only 28,000 connections per minute and makes the kernel spend most
    /// of its time looking for a free port.
    fn reset(&self) {
        // If the option cannot be set, the port is kept for that minute.
        let _ = SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
    }
}

impl<S> Drop for ClientPool<S> {
    fn drop(&mut self) {
        self.slots.iter().filter_map(|slot| slot.connection.as_ref()).for_each(Connection::reset);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::thread;

    /// A handler that keeps everything it receives, and closes a connection after `close_after`
    /// bytes.
    #[derive(Default)]
    struct Recorder {
        is_connected: bool,
        input: Vec<u8>,
        written: usize,
        close_after: Option<usize>,
        end: Option<EndReason>,
    }

    impl Handler<()> for Recorder {
        fn connected(&mut self, _: usize, output: &mut Output) {
            self.is_connected = true;
            output.buffer().extend_from_slice(b"lo");
        }

        fn received(
            &mut self,
            _: usize,
            _: &mut (),
            input: &mut [u8],
            output: &mut Output,
            _: Instant,
        ) -> Result<(), Error> {
            self.input.extend_from_slice(input);
            if self.close_after.is_some_and(|length| self.input.len() >= length) {
                output.close();
            }
            Ok(())
        }

        fn written(&mut self, _: usize, length: usize) {
            self.written += length;
        }

        fn ended(&mut self, _: usize, reason: EndReason) {
            self.end = Some(reason);
        }
    }

    /// Runs the pool until `is_done`, at most for a minute.
    fn run_until(
        pool: &mut ClientPool<()>,
        recorder: &mut Recorder,
        is_done: impl Fn(&ClientPool<()>, &Recorder) -> bool,
    ) {
        let until = Instant::now() + Duration::from_secs(60);
        while !is_done(pool, recorder) {
            assert!(Instant::now() < until, "nothing happens");
            pool.run_once(until, recorder).expect("the poll works");
        }
    }

    fn listen() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a bound listener");
        (listener, address)
    }

    #[test]
    fn exchanges_bytes_and_counts_them() {
        let (listener, address) = listen();
        let server = thread::spawn(move || {
            let mut stream = listener.accept().expect("a connection").0;
            let mut bytes = [0; 7];
            stream.read_exact(&mut bytes).expect("the client sends");
            stream.write_all(b"answer").expect("the client reads");
            bytes
        });
        let mut pool = ClientPool::new(1).expect("a poll");
        let mut recorder = Recorder::default();
        pool.open(3, address, (), b"hel".to_vec()).expect("a socket");
        pool.send(3, &mut recorder, |pending| pending.extend_from_slice(b"p "));
        run_until(&mut pool, &mut recorder, |_, recorder| recorder.end.is_some());
        assert_eq!(&server.join().expect("the server succeeds"), b"help lo");
        assert_eq!(recorder.input, b"answer");
        assert!(matches!(recorder.end, Some(EndReason::Closed)), "{:?}", recorder.end);
        assert_eq!((recorder.written, pool.traffic()), (7, ByteCounts { up: 7, down: 6 }));
        assert!(!pool.is_open(3) && !pool.is_open(0));
    }

    #[test]
    fn a_connection_that_the_handler_closes_is_not_reported() {
        let (listener, address) = listen();
        let server = thread::spawn(move || {
            let mut stream = listener.accept().expect("a connection").0;
            stream.write_all(b"answer").expect("the client reads");
            stream // open until the client has closed its side
        });
        let mut pool = ClientPool::new(1).expect("a poll");
        let mut recorder = Recorder { close_after: Some(6), ..Recorder::default() };
        pool.open(0, address, (), Vec::new()).expect("a socket");
        run_until(&mut pool, &mut recorder, |pool, _| !pool.is_open(0));
        assert!(recorder.is_connected && recorder.end.is_none(), "{:?}", recorder.end);
        server.join().expect("the server succeeds");
    }

    #[test]
    fn reads_what_the_peer_sent_although_a_write_fails() {
        let (listener, address) = listen();
        let server = thread::spawn(move || {
            let mut stream = listener.accept().expect("a connection").0;
            stream.read_exact(&mut [0]).expect("the client sends");
            stream.write_all(b"busy").expect("the client reads");
            // Closing a socket with unread input resets the connection.
        });
        let mut pool = ClientPool::new(1).expect("a poll");
        let mut recorder = Recorder::default();
        pool.open(0, address, (), b"hel".to_vec()).expect("a socket");
        run_until(&mut pool, &mut recorder, |_, recorder| recorder.written == 5);
        server.join().expect("the server succeeds");
        // This write fails, because the reset has arrived.
        pool.send(0, &mut recorder, |pending| pending.extend_from_slice(b"more"));
        run_until(&mut pool, &mut recorder, |_, recorder| recorder.end.is_some());
        assert_eq!(recorder.input, b"busy");
        assert!(matches!(recorder.end, Some(EndReason::Broken(_))), "{:?}", recorder.end);
    }
}
