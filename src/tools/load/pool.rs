//! Many connections from one thread: sockets and nothing else.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use mio::event::Source;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use crate::tools::bench::session::{Heard, Talk};

/// One buffer reads for all. It is larger than what a burst brings to one connection, so that one read takes it.
const BUFFER: usize = 256 * 1024;

/// What the loop tells its load, which answers into the line.
pub trait Load {
    /// TCP is there. What was to be said first goes out now, and with it what is said here.
    fn connected(&mut self, who: usize, line: &mut Line);
    /// Something has come.
    fn heard(&mut self, who: usize, heard: Heard<'_>, line: &mut Line, now: Instant);
    /// The connection is gone, and not because the load has closed it.
    fn over(&mut self, who: usize, why: Why);
}

/// Why a connection is gone.
#[derive(Debug)]
pub enum Why {
    /// It never was: the system says why.
    NoConnection(io::Error),
    /// The system says that it is broken.
    Broken(io::Error),
    /// The other side has ended it.
    Ended,
    /// The other side breaks a rule, or refuses.
    Wrong(crate::client::follow::Error),
}

/// The way out of one connection.
#[derive(Debug, Default)]
pub struct Line {
    out: Vec<u8>,
    is_closing: bool,
}

impl Line {
    /// What is appended here goes out at once, all of one turn in one write.
    pub fn out(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    /// The connection ends once the load has heard what has come.
    pub fn close(&mut self) {
        self.is_closing = true;
    }
}

#[derive(Debug)]
struct Member {
    stream: TcpStream,
    is_connected: bool,
    talk: Talk,
    line: Line,
}

#[derive(Debug, Default)]
struct Place {
    member: Option<Member>,
    /// Of all that stood here, which one this is: an event for an earlier one is nobody's.
    generation: u32,
}

/// The connections, each known by the number of its place.
#[derive(Debug)]
pub struct Crowd {
    poll: Poll,
    events: Events,
    places: Vec<Place>,
    /// Places whose socket may have more than the buffer could take.
    unread: VecDeque<usize>,
    buffer: Vec<u8>,
    /// How many loopback addresses to connect from.
    sources: u8,
    connects: u64,
    /// Bytes written, and bytes read.
    pub traffic: (u64, u64),
}

/// What a poll tells of one socket.
struct Ready {
    token: Token,
    is_readable: bool,
    is_read_closed: bool,
}

impl Crowd {
    /// Nobody yet.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn new(sources: u8) -> io::Result<Self> {
        Ok(Self {
            poll: Poll::new()?,
            events: Events::with_capacity(4096),
            places: Vec::new(),
            unread: VecDeque::new(),
            buffer: vec![0; BUFFER],
            sources,
            connects: 0,
            traffic: (0, 0),
        })
    }

    /// Begins to connect at this place, to say this `first`; a connection that stands there ends.
    ///
    /// # Errors
    /// Those of the operating system that show at once: out of ports, out of descriptors.
    pub fn open(
        &mut self,
        who: usize,
        address: SocketAddr,
        (talk, first): (Talk, Vec<u8>),
    ) -> io::Result<()> {
        if self.places.len() <= who {
            self.places.resize_with(who + 1, Place::default);
        }
        let mut stream = self.connect(address)?;
        let place = &mut self.places[who];
        place.generation = place.generation.wrapping_add(1);
        let token = Token(who | (place.generation as usize) << 32);
        // Registered once, for both, edge-triggered.
        stream.register(self.poll.registry(), token, Interest::READABLE | Interest::WRITABLE)?;
        let line = Line { out: first, is_closing: false };
        place.member = Some(Member { stream, is_connected: false, talk, line });
        Ok(())
    }

    /// Starts to connect, from the next of the source addresses.
    fn connect(&mut self, address: SocketAddr) -> io::Result<TcpStream> {
        let turn = self.connects % u64::from(self.sources.max(1));
        self.connects += 1;
        if self.sources <= 1 || !address.ip().is_loopback() || !address.is_ipv4() {
            return TcpStream::connect(address);
        }
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        let source = IpAddr::from(Ipv4Addr::new(127, 0, 0, turn as u8 + 1));
        socket.bind(&SocketAddr::new(source, 0).into())?;
        match socket.connect(&address.into()) {
            // EINPROGRESS: it goes on, as it should (connect(2)).
            Err(error) if error.raw_os_error() == Some(IN_PROGRESS) => {}
            connected => connected?,
        }
        Ok(TcpStream::from_std(socket.into()))
    }

    /// Whether there is a connection, or one under way, at this place.
    pub fn has(&self, who: usize) -> bool {
        self.places.get(who).is_some_and(|place| place.member.is_some())
    }

    /// Writes to one, outside of a turn. Nothing happens if it is gone.
    pub fn say(&mut self, who: usize, load: &mut impl Load, write: impl FnOnce(&mut Vec<u8>)) {
        let Some(member) = self.places.get_mut(who).and_then(|place| place.member.as_mut()) else { return };
        write(&mut member.line.out);
        self.flush(who, load);
    }

    /// Ends the connection at this place.
    fn close(&mut self, who: usize) {
        if let Some(member) = self.places[who].member.take() {
            member.reset();
        }
    }

    /// Waits at most until then for anything to happen, and has it handled.
    ///
    /// # Errors
    /// Those of the poll itself.
    pub fn turn(&mut self, until: Instant, load: &mut impl Load) -> io::Result<()> {
        let wait = until.saturating_duration_since(Instant::now());
        let wait = if self.unread.is_empty() { wait } else { Duration::ZERO };
        match self.poll.poll(&mut self.events, Some(wait)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
            polled => polled?,
        }
        for who in std::mem::take(&mut self.unread) {
            self.read(who, false, load);
        }
        let events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        for event in &events {
            let ready = Ready {
                token: event.token(),
                is_readable: event.is_readable() || event.is_error(),
                is_read_closed: event.is_read_closed() || event.is_error(),
            };
            self.handle(&ready, load);
        }
        self.events = events;
        Ok(())
    }

    fn handle(&mut self, ready: &Ready, load: &mut impl Load) {
        let (who, generation) = (ready.token.0 & 0xffff_ffff, (ready.token.0 >> 32) as u32);
        let place = &mut self.places[who];
        let Some(member) = place.member.as_mut().filter(|_| place.generation == generation) else { return };
        if !member.is_connected {
            // connect(2): SO_ERROR says whether it has come to anything; a peer's address, that it has.
            if let Ok(Some(error)) | Err(error) = member.stream.take_error() {
                return self.end(who, Why::NoConnection(error), load);
            }
            if member.stream.peer_addr().is_err() {
                return;
            }
            member.is_connected = true;
            // A message is to go when it is written. Where that can't be set, it goes all the same.
            let _ = member.stream.set_nodelay(true);
            load.connected(who, &mut member.line);
        }
        if !self.flush(who, load) {
            return;
        }
        if ready.is_readable || ready.is_read_closed {
            self.read(who, ready.is_read_closed, load);
        }
    }

    /// Reads what is there. A read that does not fill the buffer has emptied the socket (epoll(7)), so that no second one has to find that
    /// out; if the other side has ended, the second one is what says so.
    fn read(&mut self, who: usize, is_read_closed: bool, load: &mut impl Load) {
        loop {
            let Some(member) = &mut self.places[who].member else { return };
            let length = match member.stream.read(&mut self.buffer) {
                Ok(0) => {
                    let now = Instant::now();
                    let line = &mut member.line;
                    let is_whole = member.talk.end(&mut |heard| load.heard(who, heard, line, now));
                    if is_whole && line.is_closing {
                        return self.close(who);
                    }
                    return self.end(who, Why::Ended, load);
                }
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return self.end(who, Why::Broken(error), load),
            };
            self.traffic.1 += length as u64;
            let now = Instant::now();
            let line = &mut member.line;
            let input = &mut self.buffer[..length];
            let heard = member.talk.hear(input, &mut |heard| load.heard(who, heard, line, now));
            if line.is_closing {
                return self.close(who);
            }
            if let Err(error) = heard {
                return self.end(who, Why::Wrong(error), load);
            }
            if !self.flush(who, load) {
                return;
            }
            if length == self.buffer.len() && !is_read_closed {
                self.unread.push_back(who); // others first
                return;
            }
            if !is_read_closed {
                return;
            }
        }
    }

    /// Writes what the socket takes; whether the connection is still there.
    fn flush(&mut self, who: usize, load: &mut impl Load) -> bool {
        let Some(member) = &mut self.places[who].member else { return false };
        if !member.is_connected {
            return true;
        }
        let mut written = 0;
        let broken = loop {
            let rest = &member.line.out[written..];
            if rest.is_empty() {
                break None;
            }
            match member.stream.write(rest) {
                Ok(0) => break Some(ErrorKind::WriteZero.into()),
                Ok(length) => written += length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break None,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => break Some(error),
            }
        };
        member.line.out.drain(..written);
        self.traffic.0 += written as u64;
        match broken {
            Some(error) => {
                self.end(who, Why::Broken(error), load);
                false
            }
            None => true,
        }
    }

    fn end(&mut self, who: usize, why: Why, load: &mut impl Load) {
        self.places[who].member = None;
        load.over(who, why);
    }
}

/// Operation now in progress (errno(3)).
const IN_PROGRESS: i32 = 115;

impl Member {
    /// Ends it with a reset. An end in order would keep the port for a minute (RFC 9293 §3.6.1, TIME-WAIT): 28,000 connections would be all
    /// that there is in one, and looking for a free port the most of the work before that.
    fn reset(&self) {
        // Where it can't be set, the port is kept for that minute.
        let _ = SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.places.iter().filter_map(|place| place.member.as_ref()).for_each(Member::reset);
    }
}
