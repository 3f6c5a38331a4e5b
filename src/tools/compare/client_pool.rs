//! Many followers in one thread: their sockets, and when each asks.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{self, ErrorKind, Read, Write};
use std::mem;
use std::net::SocketAddr;
use std::ops::Sub;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use super::CompareError;
use super::tracker::{self as seen, Seen};
use crate::client::follow::{Follower, Next, Notice, Resource, Shared, Since, Via};
use crate::tools::load::DelayHistogram;

/// The first wait before a connection that broke is opened anew. It doubles with each attempt in vain.
const FIRST_RETURN: Duration = Duration::from_millis(100);
/// The longest.
const LAST_RETURN: Duration = Duration::from_secs(5);
/// Bytes read at once.
const BUFFER: usize = 64 << 10;

/// A crowd of followers of one topic, over one transport.
pub(super) struct Crowd {
    address: SocketAddr,
    via: Via,
    resource: Resource,
    room: Shared,
    members: Vec<Member>,
    /// When which of them is to ask, the soonest first.
    asking: BinaryHeap<Reverse<(Instant, usize)>>,
    /// How many of them follow already: what is published now reaches them.
    following: usize,
    /// Requests of which a byte was written: not those for which there was no connection.
    requests: u64,
    bytes: (u64, u64),
    connections: u64,
    returns: u64,
    /// Why the last connection broke, or was refused.
    trouble: Option<String>,
    delays: DelayHistogram,
    buffer: Box<[u8]>,
}

#[derive(Debug)]
struct Member {
    follower: Follower,
    stream: Option<TcpStream>,
    /// What of its request is not written yet.
    unsent: Vec<u8>,
    /// Whether nothing of its request is written yet.
    is_unsent: bool,
    /// Whether nothing was written on its connection yet.
    is_new: bool,
    /// Whether its connection has brought an answer before: its end is no news then, for the server may have ended it before this request.
    is_proven: bool,
    /// When it was to ask the last time. Counted from here, and not from when it could, its polls keep their beat, as `setInterval` does.
    asked: Instant,
    /// Whether an answer is owed, or a stream is open.
    is_waiting: bool,
    /// Connections in vain since the last answer.
    vain: u32,
    is_following: bool,
    seen: Seen,
}

/// What has been counted up to a moment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub requests: u64,
    pub empty: u64,
    pub bytes_up: u64,
    pub bytes_down: u64,
    pub payload_up: u64,
    pub payload_down: u64,
    /// Connections opened so far. They count from the first client on, so of two counts this is the later's.
    pub connections: u64,
    /// Connections that broke, or were refused, so far.
    pub returns: u64,
}

impl Sub for Counts {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            requests: self.requests - earlier.requests,
            empty: self.empty - earlier.empty,
            bytes_up: self.bytes_up - earlier.bytes_up,
            bytes_down: self.bytes_down - earlier.bytes_down,
            payload_up: self.payload_up - earlier.payload_up,
            payload_down: self.payload_down - earlier.payload_down,
            connections: self.connections,
            returns: self.returns,
        }
    }
}

impl Crowd {
    /// A crowd that comes from `start` on, evenly over `spread`: so polls that are asked in a beat are spread over it as those of
    /// visitors who came by chance.
    pub fn new(
        address: SocketAddr,
        via: Via,
        resource: Resource,
        clients: usize,
        start: Instant,
        spread: Duration,
    ) -> io::Result<Self> {
        let member = |_| Member {
            follower: Follower::new(via, Since::Now),
            stream: None,
            unsent: Vec::new(),
            is_unsent: false,
            is_new: false,
            is_proven: false,
            asked: start,
            is_waiting: false,
            vain: 0,
            is_following: false,
            seen: Seen::default(),
        };
        let comes = |member| start + spread.mul_f64(member as f64 / clients as f64);
        Ok(Self {
            address,
            via,
            resource,
            room: Shared::with_system_random()?,
            members: (0..clients).map(member).collect(),
            asking: (0..clients).map(|member| Reverse((comes(member), member))).collect(),
            following: 0,
            requests: 0,
            bytes: (0, 0),
            connections: 0,
            returns: 0,
            trouble: None,
            delays: DelayHistogram::default(),
            buffer: vec![0; BUFFER].into(),
        })
    }

    /// When the next of them asks.
    pub fn due(&self) -> Option<Instant> {
        self.asking.peek().map(|Reverse((due, _))| *due)
    }

    /// How many of them follow: what is published now reaches them.
    pub fn following(&self) -> usize {
        self.following
    }

    pub fn counts(&self) -> Counts {
        let traffic = self.room.traffic;
        Counts {
            requests: self.requests,
            empty: traffic.empty_responses,
            bytes_up: self.bytes.0,
            bytes_down: self.bytes.1,
            payload_up: traffic.payload_up,
            payload_down: traffic.payload_down,
            connections: self.connections,
            returns: self.returns,
        }
    }

    /// Why the last connection broke, or was refused; `None` if none did.
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// From an event's publishing to its arrival, of all that have arrived.
    pub fn delays(&self) -> &DelayHistogram {
        &self.delays
    }

    /// Whether each has had all of so many events.
    pub fn is_through(&self, published: u64) -> bool {
        self.members.iter().all(|member| member.seen.is_through(published))
    }

    /// Lost and doubled events, each client counted, of so many that were published and will not come any more.
    pub fn end(&mut self, published: u64) -> (u64, u64) {
        self.members.iter_mut().fold((0, 0), |(lost, doubled), member| {
            member.seen.end(published);
            (lost + member.seen.lost, doubled + member.seen.doubled)
        })
    }

    /// Those who are to ask now ask.
    pub fn turn(&mut self, now: Instant, registry: &Registry) -> Result<(), CompareError> {
        while let Some(&Reverse((due, member))) = self.asking.peek()
            && due <= now
        {
            self.asking.pop();
            // Who is late by more than a beat has lost that beat.
            let is_late = now.saturating_duration_since(due) > self.resource.interval;
            self.members[member].asked = if is_late { now } else { due };
            self.ask(member, registry)?;
        }
        Ok(())
    }

    fn ask(&mut self, index: usize, registry: &Registry) -> Result<(), CompareError> {
        let member = &mut self.members[index];
        // A long poll's first request only asks where the topic stands; it follows once it asks with an id.
        if self.via == Via::LongPoll && member.follower.cursor().is_some() {
            follows(member, &mut self.following);
        }
        member.follower.write_request(&self.resource, &mut self.room, &mut member.unsent)?;
        (member.is_waiting, member.is_unsent) = (true, true);
        if member.stream.is_none() {
            let mut stream = TcpStream::connect(self.address)?;
            registry.register(&mut stream, Token(index), Interest::READABLE | Interest::WRITABLE)?;
            member.stream = Some(stream);
            (member.is_new, member.is_proven) = (true, false);
            return Ok(()); // it is written when the poll says that it is connected
        }
        self.write(index);
        Ok(())
    }

    /// Writes as much as the socket takes. The error is what has broken it; reading then tells its end.
    fn write(&mut self, index: usize) -> Option<io::Error> {
        let member = &mut self.members[index];
        let stream = member.stream.as_mut()?;
        let (mut written, mut broken) = (0, None);
        while written < member.unsent.len() {
            match stream.write(&member.unsent[written..]) {
                Ok(length) => written += length,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    let is_early = matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected);
                    broken = Some(error).filter(|_| !is_early);
                    break;
                }
            }
        }
        if written > 0 {
            self.requests += u64::from(mem::take(&mut member.is_unsent));
            self.connections += u64::from(mem::take(&mut member.is_new));
        }
        self.bytes.0 += written as u64;
        member.unsent.drain(..written);
        broken
    }

    /// The poll has told of this member's connection. `published_at` is when the event with a number was published.
    pub fn ready(
        &mut self,
        index: usize,
        registry: &Registry,
        published_at: &dyn Fn(u64) -> Option<Instant>,
    ) -> Result<(), CompareError> {
        let mut broken = self.write(index);
        loop {
            let member = &mut self.members[index];
            let Some(stream) = &mut member.stream else { return Ok(()) };
            let Self { resource, room, delays, .. } = self;
            let read = stream.read(&mut self.buffer);
            let now = Instant::now();
            let seen = &mut member.seen;
            let mut tell = |notice: Notice<'_>| {
                if let Notice::Event(event) = notice
                    && let Some(number) = seen::number(event.data)
                    && let Some(published_at) = published_at(number)
                    && seen.see(number)
                {
                    delays.record(now.saturating_duration_since(published_at));
                }
            };
            let next = match read {
                Ok(length @ 1..) => {
                    self.bytes.1 += length as u64;
                    let input = &mut self.buffer[..length];
                    member.follower.receive(input, resource, room, &mut member.unsent, &mut tell)?
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => {
                    return Ok(());
                }
                // Between two polls the server may end the connection: no news, and the next is asked on another.
                Ok(_) | Err(_) if !member.is_waiting => {
                    member.stream = None;
                    return Ok(());
                }
                // It has crossed the request on its way: that is asked again at once, on another (RFC 9112 §9.5).
                Ok(_) | Err(_) if member.is_proven && member.follower.is_awaiting_response() => {
                    member.stream = None;
                    member.unsent.clear();
                    return self.ask(index, registry);
                }
                ended => {
                    broken = broken.or(ended.err());
                    member.follower.end(resource, room, &mut tell)?
                }
            };
            let is_over = match next {
                Next::Read => {
                    if member.follower.is_streaming() {
                        follows(member, &mut self.following);
                    }
                    false
                }
                Next::Request { after, reuse } => {
                    (member.vain, member.is_waiting, member.is_proven) = (0, false, true);
                    if self.via == Via::ShortPoll {
                        follows(member, &mut self.following);
                    }
                    let due = member.asked + after;
                    if !reuse {
                        member.stream = None;
                    }
                    if due <= now {
                        member.asked = now;
                        self.ask(index, registry)?;
                    } else {
                        self.asking.push(Reverse((due, index)));
                    }
                    !reuse
                }
                // A farewell between two polls is none either: the next one is already due.
                Next::Reconnect { .. } if !member.is_waiting => {
                    member.stream = None;
                    true
                }
                Next::Reconnect { at_least, reason } => {
                    (member.stream, member.is_unsent) = (None, false);
                    member.unsent.clear();
                    self.returns += 1;
                    self.trouble = Some(broken.take().map_or(reason.to_string(), |error| error.to_string()));
                    let wait = FIRST_RETURN.saturating_mul(1 << member.vain.min(16)).min(LAST_RETURN);
                    member.vain += 1;
                    self.asking.push(Reverse((now + at_least.max(wait), index)));
                    true
                }
            };
            self.write(index); // a pong, or a close frame
            if is_over {
                return Ok(());
            }
        }
    }
}

/// This member follows from now on, if it did not already.
fn follows(member: &mut Member, following: &mut usize) {
    *following += usize::from(!member.is_following);
    member.is_following = true;
}
