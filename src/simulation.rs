//! The whole server without sockets, with a clock that the caller moves: for tests and fuzzers,
//! which send any bytes at any time and need the same outcome each time.

use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::app::{App, Handle, Wake};
use crate::hub::{Epoch, Tick};
use crate::server::byte_stream::ByteStream;
use crate::server::clock::Clock;
use crate::server::connection::Readiness;
use crate::server::connections::Connections;
use crate::server::context::LoopContext;
use crate::server::slab::Key;
use crate::server::{Observer, Options, RequestLog};
use crate::transport::Service;

/// The bytes between a peer and the server.
#[derive(Default)]
struct Pipe {
    to_server: Vec<u8>,
    /// The peer has ended its side.
    ended: bool,
    /// The peer has reset the connection.
    reset: bool,
    to_peer: Vec<u8>,
    /// How many more bytes the peer accepts.
    room: usize,
    /// The server has ended its side.
    server_ended: bool,
    /// The server has closed the connection.
    closed: bool,
    address: Option<SocketAddr>,
}

/// The server's end of a pipe.
struct PipeEnd(Rc<RefCell<Pipe>>);

impl Read for PipeEnd {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut pipe = self.0.borrow_mut();
        if pipe.reset {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        let length = pipe.to_server.len().min(buffer.len());
        if length == 0 && !pipe.ended {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        buffer[..length].copy_from_slice(&pipe.to_server[..length]);
        pipe.to_server.drain(..length);
        Ok(length)
    }
}

impl Write for PipeEnd {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut pipe = self.0.borrow_mut();
        if pipe.reset || pipe.server_ended {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let length = pipe.room.min(bytes.len());
        if length == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        pipe.room -= length;
        pipe.to_peer.extend_from_slice(&bytes[..length]);
        Ok(length)
    }

    fn write_vectored(&mut self, slices: &[io::IoSlice<'_>]) -> io::Result<usize> {
        let mut written = 0;
        for slice in slices.iter().filter(|slice| !slice.is_empty()) {
            match self.write(slice) {
                Ok(length) => written += length,
                Err(error) if written == 0 => return Err(error),
                Err(_) => break,
            }
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl ByteStream for PipeEnd {
    fn end(&mut self) -> io::Result<()> {
        self.0.borrow_mut().server_ended = true;
        Ok(())
    }

    fn peer(&self) -> Option<SocketAddr> {
        self.0.borrow().address
    }
}

impl Drop for PipeEnd {
    fn drop(&mut self) {
        self.0.borrow_mut().closed = true;
    }
}

/// A client of a [`Simulation`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Peer(usize);

/// A simulated server: the caller plays all its clients and moves its clock.
///
/// ```
/// use barewire::server::Options;
/// use barewire::simulation::Simulation;
///
/// let mut server = Simulation::new(Options::default(), 1);
/// let peer = server.connect();
/// server.send(peer, b"GET /topics/news?wait=5 HTTP/1.1\r\nHost: x\r\n\r\n");
/// assert!(server.take(peer).is_empty(), "the poll is held");
/// server.advance(50);
/// assert!(server.take(peer).starts_with(b"HTTP/1.1 200 OK\r\n"), "its five seconds are over");
/// ```
pub struct Simulation {
    connections: Connections<PipeEnd>,
    peers: Vec<(Key, Rc<RefCell<Pipe>>)>,
    /// Another thread has called.
    is_woken: Arc<AtomicBool>,
    is_paused: bool,
}

impl Simulation {
    /// Creates a server. The same `seed` and the same calls have the same outcome, except for the
    /// memory of the process in the metrics.
    pub fn new(options: Options, seed: u64) -> Simulation {
        Simulation::of(App::standard(), options, seed).0
    }

    /// Creates a server that runs an application, and a handle to it. Timers run when the clock is
    /// moved, at whole tenths of a second.
    pub fn of<A: 'static>(app: App<A>, options: Options, seed: u64) -> (Simulation, Handle<A>) {
        let service = Service::new(Epoch::from_random(seed), options.hub.clone(), options.policy.clone());
        let is_woken = Arc::default();
        let handle = Handle::new(options.waiting_calls, Wake::Flag(Arc::clone(&is_woken)));
        let (routes, running) = app.start(handle.clone(), options.head);
        let mut connections = Connections::new(LoopContext::new(service, options, Clock::still(), seed));
        connections.run_application(routes, Box::new(running));
        (Simulation { connections, peers: Vec::new(), is_woken, is_paused: false }, handle)
    }

    /// Sets an observer, as [`Bound::observed_by`](crate::app::Bound::observed_by) does.
    #[must_use]
    pub fn observed_by(mut self, observer: Box<dyn Observer>) -> Simulation {
        self.connections.observe_with(observer);
        self
    }

    /// Sets a log, as [`Bound::logging_to`](crate::app::Bound::logging_to) does.
    #[must_use]
    pub fn logging_to(mut self, log: Box<dyn RequestLog>) -> Simulation {
        self.connections.cx.log = Some(log);
        self
    }

    /// Connects a peer that accepts any number of bytes.
    pub fn connect(&mut self) -> Peer {
        self.connect_from(None)
    }

    /// Connects a peer from an address.
    pub fn connect_from(&mut self, address: Option<SocketAddr>) -> Peer {
        let pipe = Rc::new(RefCell::new(Pipe { room: usize::MAX, address, ..Pipe::default() }));
        let key = self.connections.next_key();
        self.connections.add(PipeEnd(Rc::clone(&pipe)));
        self.peers.push((key, pipe));
        Peer(self.peers.len() - 1)
    }

    /// Sends bytes to the server, which does everything that follows from them.
    pub fn send(&mut self, peer: Peer, bytes: &[u8]) {
        self.peers[peer.0].1.borrow_mut().to_server.extend_from_slice(bytes);
        self.report(peer, Readiness { readable: true, ..Readiness::default() });
    }

    /// Sends bytes that the server finds in its next iteration, together with those of other peers.
    pub fn queue(&mut self, peer: Peer, bytes: &[u8]) {
        let (key, pipe) = &self.peers[peer.0];
        pipe.borrow_mut().to_server.extend_from_slice(bytes);
        if !pipe.borrow().closed {
            self.connections.report(*key, Readiness { readable: true, ..Readiness::default() });
        }
    }

    /// Pauses the server: from now on, it only does something in [`Simulation::step`].
    pub fn pause(&mut self) {
        self.is_paused = true;
    }

    /// Runs one loop iteration. Returns whether the next one has work too.
    pub fn step(&mut self) -> bool {
        self.connections.is_woken |= self.is_woken.swap(false, Ordering::Acquire);
        self.connections.run_without_reports();
        // A peer that makes room reports it itself.
        self.connections.cx.full.clear();
        self.connections.has_work()
    }

    /// Ends the peer's side (FIN). The peer still receives.
    pub fn half_close(&mut self, peer: Peer) {
        self.peers[peer.0].1.borrow_mut().ended = true;
        self.report(peer, Readiness { readable: true, ended: true });
    }

    /// Resets the peer's connection (RST).
    pub fn reset(&mut self, peer: Peer) {
        let (key, pipe) = &self.peers[peer.0];
        pipe.borrow_mut().reset = true;
        if !pipe.borrow().closed {
            self.connections.handle_broken(*key);
            self.run_until_idle();
        }
    }

    /// Makes the peer accept this many more bytes, and then none.
    pub fn set_room(&mut self, peer: Peer, bytes: usize) {
        self.peers[peer.0].1.borrow_mut().room = bytes;
        if bytes > 0 {
            self.report(peer, Readiness::default());
        }
    }

    /// Returns the bytes that the peer has received since the last call.
    pub fn take(&mut self, peer: Peer) -> Vec<u8> {
        std::mem::take(&mut self.peers[peer.0].1.borrow_mut().to_peer)
    }

    /// Returns whether the server has ended its side of the peer's connection, or closed it.
    pub fn has_ended(&self, peer: Peer) -> bool {
        let pipe = self.peers[peer.0].1.borrow();
        pipe.server_ended || pipe.closed
    }

    /// Moves the clock by tenths of a second, and does everything that becomes due.
    pub fn advance(&mut self, ticks: u32) {
        let until = self.connections.cx.now().after(ticks);
        while let Some(due) = self.next_due().filter(|due| *due <= until) {
            let due = due.max(self.connections.cx.now().after(1)).min(until);
            self.connections.cx.clock.set(due);
            self.run_until_idle();
            if due == until {
                break;
            }
        }
        self.connections.cx.clock.set(until);
        self.run_until_idle();
    }

    /// Returns the next tick at which a deadline or a timer of the application is due.
    fn next_due(&mut self) -> Option<Tick> {
        let timer = self.connections.until_due().map(|wait| {
            let ticks = wait.as_millis().div_ceil(100);
            self.connections.cx.now().after(u32::try_from(ticks).unwrap_or(u32::MAX))
        });
        self.connections.next_deadline().into_iter().chain(timer).min()
    }

    /// Begins the shutdown; the second call ends it at once.
    pub fn stop(&mut self) {
        self.connections.stop();
        self.run_until_idle();
    }

    /// Returns whether the shutdown is complete.
    pub fn is_over(&self) -> bool {
        self.connections.is_over()
    }

    /// Returns the number of connections.
    pub fn connections(&self) -> usize {
        self.connections.len()
    }

    /// Returns the bytes of events and of encoded events.
    pub fn log_memory(&self) -> (usize, usize) {
        let hub = &self.connections.cx.service.hub;
        (hub.event_bytes(), hub.encoded_bytes())
    }

    /// Returns the most work of one loop iteration so far, in units of about a nanosecond. An
    /// iteration should do no more than 5,000,000, and each of its five phases one step beyond its
    /// share of that.
    pub fn iteration_work_max(&self) -> u64 {
        self.connections.cx.work.max
    }

    fn report(&mut self, peer: Peer, readiness: Readiness) {
        let (key, pipe) = &self.peers[peer.0];
        // The key of a connection that was dropped when it arrived belongs to the next one.
        if !pipe.borrow().closed {
            self.connections.report(*key, readiness);
            self.run_until_idle();
        }
    }

    /// Runs loop iterations until there is nothing left to do now.
    fn run_until_idle(&mut self) {
        while !self.is_paused && self.step() {}
    }
}
