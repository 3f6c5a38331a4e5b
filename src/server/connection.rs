//! One connection: what it is at the moment, and what it does when bytes or deadlines come.
//!
//! An idle one, of whatever transport, is this one entry of at most 128 bytes and owns no heap: whatever is
//! partial or waits to be written is in [`Busy`], which goes when it is idle again.

use mio::net::TcpStream;

use super::byte_stream::ByteStream;
use super::context::Context;
use super::memory::Part;
use super::outbox::Outbox;
use super::requests::PendingBody;
use super::slab::Key;
use super::watch::Watching;
use crate::hub::Tick;
use crate::protocol::http::HeadScan;
use crate::protocol::websocket::message::Receiver;
use crate::transport::Following;
use crate::transport::answer::Overload;
use crate::transport::compression::EchoCompression;
use crate::transport::metrics::Carried;
use crate::transport::poll::Held;

/// One connection.
pub struct Connection<S> {
    pub(super) stream: S,
    pub(super) state: State,
    pub(super) busy: Option<Box<Busy>>,
    pub(super) key: Key,
    /// When the state wants attention.
    pub(super) due: Tick,
    /// The earliest entry in the wheel.
    pub(super) scheduled: Tick,
    pub(super) input: Input,
    /// It is one too many of these, and is told to come again.
    pub(super) surplus: Option<Overload>,
    /// How many requests have been answered on it; on a WebSocket, which gets no more of these, how many messages have come in
    /// `second`.
    pub(super) count: u32,
    second: u32,
    /// There if somebody may look at what passes.
    pub(super) watching: Option<Box<Watching>>,
}

const _: () = assert!(
    // In a debug build mio checks itself, and its stream is longer than the descriptor.
    cfg!(debug_assertions) || size_of::<Connection<TcpStream>>() <= 120,
    "an idle connection is one slab entry of at most 128 bytes"
);

/// A held poll that keeps no more of its request than this, in bytes, is reckoned as a connection that is idle: an entity tag
/// and an origin as clients send them.
const SMALL_POLL: usize = 64;

/// What the connection is at the moment.
pub enum State {
    /// HTTP: it awaits a request, or the rest of one.
    Request,
    /// A long poll, whose answer waits for an event.
    Held {
        /// The poll.
        held: Held,
        /// Since when.
        since: Tick,
    },
    /// An event stream.
    Stream(Following),
    /// A WebSocket.
    Socket(Socket),
    /// What is in the outbox goes out yet; then the server's side ends.
    Ending,
    /// The server's side has ended; what the client still sends is read and dropped, since a connection that is closed
    /// over unread bytes is reset, and a reset can overtake the last answer (RFC 9112 §9.6).
    Lingering,
    /// It is over, and freed at the turn's end.
    Closed,
}

impl State {
    /// As what it is counted.
    pub(super) fn carried(&self) -> Option<Carried> {
        match self {
            State::Request => Some(Carried::Http),
            State::Held { .. } => Some(Carried::LongPoll),
            State::Stream(_) => Some(Carried::EventStream),
            State::Socket(Socket::Topic { .. }) => Some(Carried::WebSocket),
            State::Socket(Socket::Echo { .. }) => Some(Carried::Echo),
            State::Socket(Socket::Closing) | State::Ending | State::Lingering => Some(Carried::Ending),
            State::Closed => None,
        }
    }
}

/// What a WebSocket is for, and how far its end has come (RFC 6455 §7).
#[derive(Clone, Copy)]
pub enum Socket {
    /// It follows a topic; `may_publish`: its messages are published there.
    Topic {
        /// Its place.
        following: Following,
        /// Its messages are published.
        may_publish: bool,
        /// Messages may come compressed, each alone.
        compressed: bool,
        /// A ping is out, and nothing has come since.
        pinged: bool,
    },
    /// It gets back what it sends.
    Echo {
        /// A ping is out, and nothing has come since.
        pinged: bool,
    },
    /// The server's close frame is out, the client's is awaited.
    Closing,
}

/// What the poll has told of a connection.
#[derive(Clone, Copy, Default)]
pub struct Told {
    /// There is something to read.
    pub readable: bool,
    /// There is room to write.
    pub writable: bool,
    /// The client has ended its side.
    pub ended: bool,
}

/// Where reading stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// The socket has nothing more, and will tell.
    Drained,
    /// The socket has told that there is something.
    Ready,
    /// The socket has told that the client has ended its side, behind what is still to be read.
    Ending,
    /// The client has ended its side.
    Ended,
}

/// What a connection holds while it is not idle.
#[derive(Default)]
pub struct Busy {
    pub(super) outbox: Outbox,
    /// Since when the socket has taken nothing.
    pub(super) stalled: Option<Tick>,
    pub(super) partial: Partial,
    /// Bytes that came behind a held poll, or while too much was owed. They wait their turn.
    pub(super) waiting: Vec<u8>,
    /// What an echo that was agreed to be compressed needs from one message to the next. It is never idle.
    pub(super) compression: Option<Box<EchoCompression>>,
    /// What all this takes of the memory that connections may hold.
    part: Option<Part>,
}

impl Busy {
    /// Whether nothing of it is needed.
    pub(super) fn is_idle(&self) -> bool {
        let nothing = self.outbox.is_empty() && self.waiting.is_empty();
        nothing && self.compression.is_none() && matches!(self.partial, Partial::None)
    }

    fn memory(&self) -> usize {
        let partial = match &self.partial {
            Partial::None => 0,
            Partial::Head { buffer, .. } => buffer.capacity(),
            Partial::Body(body) => size_of::<PendingBody>() + body.memory(),
            Partial::Frames(receiver) => size_of::<Receiver>() + receiver.memory(),
        };
        size_of::<Busy>() + self.outbox.own_memory() + partial + self.waiting.capacity()
    }
}

/// What has come in part.
#[derive(Default)]
pub enum Partial {
    /// Nothing.
    #[default]
    None,
    /// A request's head.
    Head {
        /// As far as it has come.
        buffer: Vec<u8>,
        /// How far it has been looked at.
        scan: HeadScan,
    },
    /// A request's body.
    Body(Box<PendingBody>),
    /// A WebSocket frame or message.
    Frames(Box<Receiver>),
}

impl<S: ByteStream> Connection<S> {
    /// A connection that has just been accepted.
    pub fn new(
        stream: S,
        key: Key,
        surplus: Option<Overload>,
        watching: Option<Box<Watching>>,
        cx: &mut Context,
    ) -> Connection<S> {
        let due = cx.now().after(cx.options.head_timeout * Tick::PER_SECOND);
        let scheduled = Tick(u32::MAX);
        let input = Input::Drained;
        let mut connection = Connection {
            stream,
            state: State::Request,
            busy: None,
            key,
            due,
            scheduled,
            input,
            surplus,
            count: 0,
            second: 0,
            watching,
        };
        cx.gauges.connections[Carried::Http as usize] += 1;
        connection.arm(cx);
        connection
    }

    /// Its state becomes another, and is counted.
    pub(super) fn enter(&mut self, next: State, cx: &mut Context) -> State {
        let last = std::mem::replace(&mut self.state, next);
        for (carried, sign) in [(last.carried(), -1), (self.state.carried(), 1)] {
            if let Some(carried) = carried {
                let open = &mut cx.gauges.connections[carried as usize];
                *open = open.wrapping_add_signed(sign);
            }
        }
        last
    }

    /// Counts what it holds, when something was done with it.
    pub(super) fn settle(&mut self, cx: &Context) {
        let of_poll = match &self.state {
            State::Held { held, .. } => held.poll.memory(),
            _ => 0,
        };
        if of_poll > SMALL_POLL {
            self.busy();
        }
        let Some(busy) = &mut self.busy else { return };
        if of_poll <= SMALL_POLL && busy.is_idle() && busy.stalled.is_none() {
            self.busy = None;
            return;
        }
        let bytes = busy.memory() + of_poll;
        busy.part.get_or_insert_with(|| cx.memory.part()).set(bytes);
    }

    /// What it holds, as far as letting go of it would free memory, in bytes.
    pub(super) fn holds(&self) -> usize {
        self.busy
            .as_ref()
            .map_or(0, |busy| busy.part.as_ref().map_or(0, Part::bytes) + busy.outbox.shared_memory())
    }

    /// Whether it has had as many requests as it may have.
    pub(super) fn is_at_its_last(&self, cx: &Context) -> bool {
        cx.options.requests.is_some_and(|most| self.count >= most)
    }

    /// Whether more messages have come in this second than may.
    pub(super) fn is_too_fast(&mut self, cx: &Context) -> bool {
        let Some(most) = cx.options.messages_per_second else { return false };
        let second = cx.now().0 / Tick::PER_SECOND;
        if self.second != second {
            (self.second, self.count) = (second, 0);
        }
        self.count = self.count.saturating_add(1);
        self.count > most
    }

    pub(super) fn busy(&mut self) -> &mut Busy {
        self.busy.get_or_insert_default()
    }

    pub(super) fn outbox_len(&self) -> usize {
        self.busy.as_ref().map_or(0, |busy| busy.outbox.len())
    }

    /// The state is due this many seconds from now.
    pub(super) fn due_in(&mut self, seconds: u32, cx: &Context) {
        self.due = cx.now().after(seconds.saturating_mul(Tick::PER_SECOND));
    }

    /// Sees to it that the wheel has an entry for the next deadline.
    pub(super) fn arm(&mut self, cx: &mut Context) {
        let next = self.next_deadline(cx);
        if next < self.scheduled {
            self.scheduled = cx.wheel.insert(self.key, next);
        }
    }

    pub(super) fn next_deadline(&self, cx: &Context) -> Tick {
        let stalled = self.busy.as_ref().and_then(|busy| busy.stalled);
        let write = stalled.map(|since| since.after(cx.options.write_timeout * Tick::PER_SECOND));
        write.map_or(self.due, |write| write.min(self.due))
    }
}
