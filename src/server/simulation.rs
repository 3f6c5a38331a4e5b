//! The whole server without sockets, and with a clock that is moved by hand: for tests and fuzzers, which want any
//! bytes at any time, and the same outcome each time.

use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::rc::Rc;

use super::access_log::AccessLog;
use super::byte_stream::ByteStream;
use super::clock::Clock;
use super::connection::Told;
use super::connections::Connections;
use super::context::Context;
use super::options::Options;
use super::slab::Key;
use super::watch::Watch;
use crate::hub::{Epoch, Hub};
use crate::transport::Service;

/// What passes between a visitor and the server.
#[derive(Default)]
struct Pipe {
    to_server: Vec<u8>,
    /// The visitor has ended its side.
    ended: bool,
    /// The visitor is gone.
    reset: bool,
    to_visitor: Vec<u8>,
    /// How many bytes the visitor's side has yet room for.
    room: usize,
    /// The server has ended its side.
    server_ended: bool,
    /// The server has let go of the connection.
    closed: bool,
    address: Option<SocketAddr>,
}

/// The server's end of it.
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
        pipe.to_visitor.extend_from_slice(&bytes[..length]);
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

/// Who has connected to a [`Simulation`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Peer(usize);

/// A server that is played: whoever calls is all its visitors and its clock.
///
/// ```
/// use barewire::server::{Options, Simulation};
///
/// let mut server = Simulation::new(Options::default(), 1);
/// let visitor = server.connect();
/// server.send(visitor, b"GET /topics/news?wait=5 HTTP/1.1\r\nHost: x\r\n\r\n");
/// assert!(server.take(visitor).is_empty(), "the poll is held");
/// server.advance(50);
/// assert!(server.take(visitor).starts_with(b"HTTP/1.1 200 OK\r\n"), "its five seconds are over");
/// ```
pub struct Simulation {
    connections: Connections<PipeEnd>,
    visitors: Vec<(Key, Rc<RefCell<Pipe>>)>,
}

impl Simulation {
    /// A server at its start. With the same `seed` and the same calls all is the same, but for the memory
    /// of the process in the metrics.
    pub fn new(options: Options, seed: u64) -> Simulation {
        Simulation::with_watch(options, seed, None)
    }

    /// The same with the wire view, as on a server that listens on loopback. The times in the view are real ones.
    #[cfg(test)]
    fn watched(mut options: Options, seed: u64) -> Simulation {
        options.policy.access.wire = options.wire.access(true);
        let watch = options.wire.watch(true).expect("it writes to no file");
        Simulation::with_watch(options, seed, watch)
    }

    fn with_watch(options: Options, seed: u64, watch: Option<Rc<Watch>>) -> Simulation {
        let hub = Hub::new(Epoch::from_random(seed), options.hub.clone());
        let service = Service::new(hub, options.policy.clone());
        let log = AccessLog::new(options.log, Box::new(io::sink()));
        let cx = Context::new(service, options, Clock::still(), log, seed);
        Simulation { connections: Connections::new(cx, watch), visitors: Vec::new() }
    }

    /// Somebody connects, and takes whatever is sent.
    pub fn connect(&mut self) -> Peer {
        self.connect_from(None)
    }

    /// Somebody connects from an address.
    pub fn connect_from(&mut self, address: Option<SocketAddr>) -> Peer {
        let pipe = Rc::new(RefCell::new(Pipe { room: usize::MAX, address, ..Pipe::default() }));
        let key = self.connections.next_key();
        self.connections.add(PipeEnd(Rc::clone(&pipe)));
        self.visitors.push((key, pipe));
        Peer(self.visitors.len() - 1)
    }

    /// Bytes of a visitor come to the server, which does all that follows from them.
    pub fn send(&mut self, visitor: Peer, bytes: &[u8]) {
        self.visitors[visitor.0].1.borrow_mut().to_server.extend_from_slice(bytes);
        self.tell(visitor, Told { readable: true, ..Told::default() });
    }

    /// A visitor ends its side (FIN), and listens on.
    pub fn half_close(&mut self, visitor: Peer) {
        self.visitors[visitor.0].1.borrow_mut().ended = true;
        self.tell(visitor, Told { readable: true, ended: true, ..Told::default() });
    }

    /// A visitor is gone (RST).
    pub fn reset(&mut self, visitor: Peer) {
        let (key, pipe) = &self.visitors[visitor.0];
        pipe.borrow_mut().reset = true;
        if !pipe.borrow().closed {
            self.connections.broken(*key);
            self.settle();
        }
    }

    /// From now on a visitor takes this many bytes, and then no more until it is told anew.
    pub fn set_room(&mut self, visitor: Peer, bytes: usize) {
        self.visitors[visitor.0].1.borrow_mut().room = bytes;
        if bytes > 0 {
            self.tell(visitor, Told { writable: true, ..Told::default() });
        }
    }

    /// What a visitor has been sent since it was last asked.
    pub fn take(&mut self, visitor: Peer) -> Vec<u8> {
        std::mem::take(&mut self.visitors[visitor.0].1.borrow_mut().to_visitor)
    }

    /// Whether the server has ended its side of a visitor's connection, or all of it.
    pub fn has_ended(&self, visitor: Peer) -> bool {
        let pipe = self.visitors[visitor.0].1.borrow();
        pipe.server_ended || pipe.closed
    }

    /// Time passes: as many tenths of a second, with all that comes due in them.
    pub fn advance(&mut self, ticks: u32) {
        let until = self.connections.cx.now().after(ticks);
        while let Some(due) = self.connections.next_deadline().filter(|due| *due <= until) {
            let due = due.max(self.connections.cx.now().after(1)).min(until);
            self.connections.cx.clock.put(due);
            self.settle();
            if due == until {
                break;
            }
        }
        self.connections.cx.clock.put(until);
        self.settle();
    }

    /// The server is told to end; a second time, at once.
    pub fn stop(&mut self) {
        self.connections.stop();
        self.settle();
    }

    /// Whether it was told to end, and has ended.
    pub fn is_over(&self) -> bool {
        self.connections.is_over()
    }

    /// How many connections the server has.
    pub fn connections(&self) -> usize {
        self.connections.len()
    }

    fn tell(&mut self, visitor: Peer, told: Told) {
        let (key, pipe) = &self.visitors[visitor.0];
        // One that was let go of as it came has left its key to the next.
        if !pipe.borrow().closed {
            self.connections.serve(*key, told);
            self.settle();
        }
    }

    /// Turns, until there is nothing more to do now.
    fn settle(&mut self) {
        loop {
            let ready = std::mem::take(&mut self.connections.cx.ready);
            self.connections.turn(ready);
            self.connections.free();
            self.connections.hand_out_wire();
            if !self.connections.has_work() {
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Simulation, Told};
    use crate::protocol::http::{BodyLimits, BodyReader, Framing};
    use crate::server::Options;

    /// A viewer of the wire that has taken a part of an event, when a flood pushes that event out of what is kept: it gets the event's
    /// rest, and the stream's end.
    #[test]
    fn a_viewer_that_stands_in_an_event_which_is_pushed_out_gets_its_rest_and_the_end() {
        for room in [1, 100, 300] {
            let mut server = Simulation::watched(Options::default(), 1);
            let viewer = server.connect();
            server.send(viewer, b"GET /wire HTTP/1.1\r\nHost: localhost\r\n\r\n");
            let other = server.connect();
            server.send(
                other,
                b"GET /echo HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                  Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            );
            let mut seen = server.take(viewer);
            server.set_room(viewer, room);
            // Pings without payload: six bytes, and a hundred times as many in the view, of which 4 MiB are kept.
            let flood = b"\x89\x80\0\0\0\0".repeat(8000);
            server.send(other, &flood[..6]);
            server.send(other, &flood);
            server.set_room(viewer, usize::MAX);
            seen.extend(server.take(viewer));
            let head = seen.windows(4).position(|end| end == b"\r\n\r\n").expect("a head") + 4;
            let mut body =
                BodyReader::new(Framing::Chunked, BodyLimits { content: u64::MAX, ..BodyLimits::default() })
                    .expect("no length that is too long");
            let read = body.read(&seen[head..], &mut Vec::new());
            assert_eq!(read.ok(), Some((seen.len() - head, true)), "with room for {room} bytes");
            assert!(server.has_ended(viewer));
        }
    }

    #[test]
    fn one_of_many_that_have_something_to_read_is_read_from_as_far_as_its_share() {
        let mut server = Simulation::new(Options::default(), 1);
        let visitor = server.connect();
        let (key, pipe) = &server.visitors[visitor.0];
        let sent = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n".repeat(2000);
        for (connections, read) in [(64, 4096), (4, 65_536), (1_000_000, 4096)] {
            pipe.borrow_mut().to_server.clone_from(&sent);
            server.connections.cx.share_turn(connections);
            server.connections.serve(*key, Told { readable: true, ..Told::default() });
            assert_eq!(sent.len() - pipe.borrow().to_server.len(), read);
            assert_eq!(
                std::mem::take(&mut server.connections.cx.ready),
                [*key],
                "the rest is for the next turn"
            );
            // What it has read of a request that goes on is whole again.
            let rest = std::mem::take(&mut pipe.borrow_mut().to_server);
            pipe.borrow_mut().to_server = rest[..rest.len() % (sent.len() / 2000)].to_vec();
            server.connections.serve(*key, Told { readable: true, ..Told::default() });
            server.connections.cx.ready.clear();
        }
    }
}
