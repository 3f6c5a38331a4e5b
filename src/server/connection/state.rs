//! The states of a connection, and what each of them may do.

use std::borrow::Cow;
use std::rc::Rc;

use super::outbox::Outbox;
use crate::hub::{Since, Tick, TopicKey};
use crate::protocol::http::{BodyReader, HeadScan};
use crate::protocol::websocket::frame::Opcode;
use crate::protocol::websocket::message::Receiver;
use crate::server::memory::Part;
use crate::transport::action::Action;
use crate::transport::batch::Batch;
use crate::transport::compression::EchoCompression;
use crate::transport::following::Encoding;
use crate::transport::metrics::ConnectionUse;
use crate::transport::poll::HeldPoll;
use crate::transport::response::{Refusal, ResponseContext};
use crate::transport::websocket::ServerHandshake;
use crate::transport::{Following, Purpose};

/// The state of a connection.
///
/// | state | input | next state |
/// | --- | --- | --- |
/// | `Http` | a request with an immediate response | `Http`, or `Flushing` if the connection does not persist |
/// | `Http` | a long poll without an event | `Held` |
/// | `Http` | a request for the application | `Called` |
/// | `Called` | a complete answer, its timeout, shutdown | `Http` or `Flushing` |
/// | `Called` | an answer that follows a topic | as for a request of that kind |
/// | `Called` | an accepted handshake | `Socket(Open)` |
/// | `Called` | bytes read together with the request | `Called`; the bytes are deferred |
/// | `Http` | a request for an event stream | `Stream` |
/// | `Http` | a WebSocket handshake | `Socket(Open)` or `Socket(Echo)` |
/// | `Http` | a handshake for bare text, with a gap | `Socket(Closing)` |
/// | `Http` | a malformed request, a timeout, the client's FIN, shutdown | `Flushing` |
/// | `Held` | an event, its timeout, shutdown | `Http` or `Flushing` |
/// | `Held` | bytes read together with the poll | `Held`; the bytes are deferred |
/// | `Stream` | eviction, shutdown | `Flushing` |
/// | `Stream` | the client's FIN | `Stream`; a comment shows whether the client is still there |
/// | `Socket(Open)` | eviction, a forbidden message | `Socket(Closing)` |
/// | `Socket(Open)`, `Socket(Echo)` | shutdown | `Socket(Closing)` |
/// | `Socket(Open)`, `Socket(Echo)` | the client's close frame, a message's timeout, too many messages per second | `Flushing` |
/// | `Socket(_)` | a protocol error | `Flushing` |
/// | `Socket(_)` | the client's FIN | `Closed` |
/// | `Socket(Closing)` | the client's close frame | `Flushing` |
/// | `Flushing` | the last byte is written | `Lingering`, or `Closed` after the client's FIN |
/// | `Lingering` | the client's FIN, its timeout | `Closed` |
/// | any | the memory limit | `Flushing`, or `Closed` if output is pending |
/// | any | a reset, a write timeout, a pong timeout, a close timeout | `Closed` |
pub enum State {
    /// The connection awaits a request, or the rest of one.
    Http,
    /// The connection holds a long poll, which waits for an event. `enter_next` in
    /// [`http`](super::http) enters this state. `respond_to_held` in [`write`](super::write) leaves
    /// it: `deliver` in the same file calls it for an event, `expire` in [`read`](super::read) at
    /// the timeout, `drain` in [`close`](super::close) at the shutdown. `refuse_held` leaves it at
    /// the memory limit, and `close` when the client is gone.
    Held(HeldPoll),
    /// The connection holds a request that the application answers, usually right after this turn.
    Called(Box<Called>),
    /// The connection is an event stream.
    Stream(Following),
    /// The connection is a WebSocket.
    Socket(Socket),
    /// The outbox is being written; then the server ends its side.
    Flushing,
    /// The server's side has ended. The client's bytes are read and dropped until its side ends
    /// too: closing a connection with unread bytes resets it, and the reset can overtake the last
    /// response (RFC 9112 §9.6).
    Lingering,
    /// The connection is closed, and is freed at the end of the loop iteration.
    Closed,
}

/// The purpose of a WebSocket, and the progress of its closing handshake (RFC 6455 §7).
#[derive(Clone, Copy)]
pub enum Socket {
    /// The WebSocket follows a topic, or is one of the application.
    Open {
        /// The position in the topic.
        following: Option<Following>,
        /// The use of the client's messages.
        messages: Messages,
        /// The client's messages may be compressed, each without context.
        compressed: bool,
        /// A ping was sent. Since then no byte has arrived, and no stalled output has moved.
        pinged: bool,
    },
    /// The WebSocket echoes the client's messages.
    Echo {
        /// A ping was sent. Since then no byte has arrived, and no stalled output has moved.
        pinged: bool,
    },
    /// The server's close frame is queued or sent; the client's close frame is awaited.
    Closing,
}

/// The use of the messages of a client.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Messages {
    /// They are published to the topic.
    Publish,
    /// They are not allowed.
    Forbid,
    /// The application is called.
    Call {
        /// The number of the kind of WebSocket.
        route: u16,
        /// The encoding of the events of a topic that the WebSocket is made to follow.
        encoding: Encoding,
    },
}

/// A request that the application answers.
pub struct Called {
    /// The number of the request.
    pub number: u32,
    /// The bytes of the head.
    pub head: Rc<[u8]>,
    /// The context of the response.
    pub context: ResponseContext,
    /// The request in the access log.
    pub label: Label<'static>,
    /// For a WebSocket: the server's side of the handshake, and the number of its kind.
    pub handshake: Option<(ServerHandshake, u16)>,
    /// The messages that the WebSocket receives first.
    pub frames: Vec<u8>,
    /// The topic that the WebSocket follows, the cursor, and how many bytes of `frames` come before
    /// its events.
    pub follow: Option<(Box<str>, Since, usize)>,
    /// The request has content.
    pub has_content: bool,
    /// An interim response has been sent, to which a client that is gone answers with a reset.
    pub is_probed: bool,
}

impl Called {
    /// Returns the memory in bytes.
    pub fn memory(&self) -> usize {
        let head = self.head.len() + self.label.path.len() + self.context.memory();
        size_of::<Called>() + head + self.frames.capacity()
    }
}

impl State {
    /// Returns the use under which the metrics count the connection.
    pub fn carried(&self) -> Option<ConnectionUse> {
        match self {
            State::Http | State::Called(_) => Some(ConnectionUse::Http),
            State::Held(_) => Some(ConnectionUse::LongPoll),
            State::Stream(_) => Some(ConnectionUse::EventStream),
            State::Socket(Socket::Open { .. }) => Some(ConnectionUse::WebSocket),
            State::Socket(Socket::Echo { .. }) => Some(ConnectionUse::Echo),
            State::Socket(Socket::Closing) | State::Flushing | State::Lingering => {
                Some(ConnectionUse::Ending)
            }
            State::Closed => None,
        }
    }

    /// Returns whether the connection reads from its socket in this state. While a poll is held,
    /// the client's bytes stay in the socket.
    pub fn may_read(&self) -> bool {
        !matches!(self, State::Held(_) | State::Called(_) | State::Closed)
    }

    pub fn is_closed(&self) -> bool {
        matches!(self, State::Closed)
    }

    /// Returns the cursor, if the connection holds it.
    pub fn following(&self) -> Option<Following> {
        match self {
            State::Stream(following) => Some(*following),
            State::Socket(Socket::Open { following, .. }) => *following,
            _ => None,
        }
    }

    pub fn following_mut(&mut self) -> Option<&mut Following> {
        match self {
            State::Stream(following) => Some(following),
            State::Socket(Socket::Open { following, .. }) => following.as_mut(),
            _ => None,
        }
    }

    /// Returns the topic that has the connection in its list of followers.
    pub fn topic(&self) -> Option<TopicKey> {
        match self {
            State::Held(held) => Some(held.topic),
            _ => self.following().map(|following| following.topic),
        }
    }

    /// Returns the number of the kind of WebSocket, if it is one of the application.
    pub fn application(&self) -> Option<u16> {
        match self {
            State::Socket(Socket::Open { messages: Messages::Call { route, .. }, .. }) => Some(*route),
            _ => None,
        }
    }

    /// Returns the `pinged` flag of an open WebSocket.
    pub fn pinged_mut(&mut self) -> Option<&mut bool> {
        match self {
            State::Socket(Socket::Open { pinged, .. } | Socket::Echo { pinged }) => Some(pinged),
            _ => None,
        }
    }
}

/// The readiness of a socket, as reported by the poll. That it has room is not noted: a connection
/// whose socket was full tries to write in each of its turns.
#[derive(Clone, Copy, Default)]
pub struct Readiness {
    /// Bytes can be read.
    pub readable: bool,
    /// The client has ended its side.
    pub ended: bool,
}

/// The input side of the socket. The poll is edge-triggered, so a report must be remembered.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// The socket is empty; the poll will report the next bytes.
    Empty,
    /// The poll has reported bytes.
    Ready,
    /// The poll has reported the client's FIN, after bytes that may still be unread.
    Ending,
    /// The client's FIN has been read.
    Ended,
}

/// Where a connection waits for its turn.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Queue {
    /// Among those that the poll has reported, and whose turns are light.
    Ready,
    /// Among those that are new.
    Fresh,
    /// Among those that have much to do.
    Backlog,
    /// Among those that wait to publish until the log has room.
    Parked,
}

/// Memory that a connection owns only while something is in progress.
#[derive(Default)]
pub struct Busy {
    /// The connection's unwritten output.
    pub outbox: Outbox,
    /// The time of the last write progress, while output is pending.
    pub stalled_since: Option<Tick>,
    /// The time since which the outbox has held bytes.
    pub outbox_since: Option<Tick>,
    /// The incomplete input.
    pub partial: Option<Partial>,
    /// The path of a held poll that is not the usual one of its topic, if there is a log.
    pub held_path: Option<Box<str>>,
    /// Bytes that arrived after a held poll, or while too much output was pending.
    pub deferred: Vec<u8>,
    /// The compression negotiated for `/echo`, which lasts as long as the connection.
    pub compression: Option<Box<EchoCompression>>,
    /// The connection's share of the memory budget.
    pub share: Option<Part>,
}

impl Busy {
    /// Returns whether nothing is in progress.
    pub fn is_idle(&self) -> bool {
        let nothing = self.outbox.is_empty() && self.deferred.is_empty();
        nothing && self.compression.is_none() && self.partial.is_none() && self.held_path.is_none()
    }

    /// Returns the memory in bytes, without buffers that are shared with other connections.
    pub fn memory(&self) -> usize {
        let partial = match &self.partial {
            None => 0,
            Some(Partial::Head { buffer, .. }) => buffer.capacity(),
            Some(Partial::Body(body)) => size_of::<PartialBody>() + body.memory(),
            Some(Partial::Message(message)) => size_of::<PartialMessage>() + message.receiver.memory(),
            Some(Partial::Echo(echo)) => {
                let receiver = echo.message.as_ref().map_or(0, |message| message.receiver.memory());
                receiver + echo.payload.capacity() + echo.compressed.capacity()
            }
            Some(Partial::Batch(partial)) => size_of::<PartialBatch>() + partial.batch.memory(),
        };
        size_of::<Busy>() + self.outbox.own_memory() + partial + self.deferred.capacity()
    }
}

/// Input that is incomplete.
pub enum Partial {
    /// A request's head.
    Head {
        /// The bytes so far.
        buffer: Vec<u8>,
        /// How far they have been scanned.
        scan: HeadScan,
    },
    /// A request whose content is incomplete.
    Body(Box<PartialBody>),
    /// A WebSocket frame or message, or the compression context between two messages.
    Message(Box<PartialMessage>),
    /// A message that is complete, and whose echo is being compressed.
    Echo(Box<PartialEcho>),
    /// A request that is complete, and whose events are being published.
    Batch(Box<PartialBatch>),
}

/// The receiver of a WebSocket, while it must be kept.
pub struct PartialMessage {
    /// The receiver.
    pub receiver: Receiver,
    /// The time of the first byte of the incomplete message, or of a control frame outside of a
    /// message. Neither further bytes nor control frames inside the message change it. Between two
    /// messages: the end of the last one.
    pub since: Tick,
}

/// A message whose echo is being compressed.
pub struct PartialEcho {
    /// The receiver, if the next message needs it.
    pub message: Option<Box<PartialMessage>>,
    /// The kind of message.
    pub opcode: Opcode,
    /// The message.
    pub payload: Vec<u8>,
    /// How much of the message is compressed.
    pub position: usize,
    /// What it is compressed to.
    pub compressed: Vec<u8>,
}

/// A request whose events are being published.
pub struct PartialBatch {
    /// The events.
    pub batch: Batch,
    /// The request in the access log.
    pub label: Label<'static>,
}

/// A request whose content is incomplete.
pub struct PartialBody {
    /// The reader of the content.
    pub reader: BodyReader,
    /// The content so far.
    pub content: Vec<u8>,
    /// The action that the request asks for, or the refusal to send after the content.
    pub action: Result<Action<'static>, Refusal>,
    /// The context of the response.
    pub context: ResponseContext,
    /// The request in the access log.
    pub label: Label<'static>,
}

impl PartialBody {
    /// Returns the heap memory of the content and of what is kept of the head, in bytes.
    fn memory(&self) -> usize {
        let action = self.action.as_ref().map_or(0, Action::memory);
        self.content.capacity() + action + self.context.memory() + self.label.path.len()
    }
}

/// A request in the access log.
#[derive(Clone)]
pub struct Label<'a> {
    /// The method.
    pub method: Cow<'a, str>,
    /// The target's path.
    pub path: Cow<'a, str>,
    /// The purpose of the request.
    pub purpose: Purpose,
}

impl Label<'_> {
    /// The label of a request that cannot be parsed.
    pub const UNKNOWN: Label<'static> =
        Label { method: Cow::Borrowed("-"), path: Cow::Borrowed("-"), purpose: Purpose::Other };

    /// Keeps what is needed of the label while the request waits.
    pub fn kept(self, is_logged: bool) -> Label<'static> {
        match is_logged {
            true => self.into_owned(),
            false => Label { purpose: self.purpose, ..Label::UNKNOWN },
        }
    }

    /// Copies what the label borrows from the request's head.
    pub fn into_owned(self) -> Label<'static> {
        Label {
            method: self.method.into_owned().into(),
            path: self.path.into_owned().into(),
            purpose: self.purpose,
        }
    }
}
