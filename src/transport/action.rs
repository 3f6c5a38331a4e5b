//! The action that a request asks for, once it is known to be allowed. [`route`](super::route)
//! finds it.

use std::borrow::Cow;

use super::observation;
use super::purpose::Purpose;
use super::websocket::ServerHandshake;
use crate::hub::Since;
use crate::protocol::Transport;

/// The action that a request asks for.
#[derive(Debug)]
pub enum Action<'a> {
    /// Answer `OPTIONS` (RFC 9110 §9.3.7), perhaps a CORS preflight (Fetch §3.3.2).
    Options {
        /// The methods that the target allows.
        allow: Box<str>,
        /// For a preflight from an allowed origin: the fields that its pages may send.
        preflight: Option<&'static str>,
    },
    /// Answer a short poll, or a long poll if there is a wait.
    Poll(PollRequest<'a>),
    /// Start an event stream.
    Stream {
        /// The topic's name.
        topic: Cow<'a, str>,
        /// The cursor.
        since: Since,
    },
    /// Switch to a WebSocket that follows a topic.
    Socket {
        /// The topic's name.
        topic: Cow<'a, str>,
        /// The cursor.
        since: Since,
        /// The server's side of the handshake.
        handshake: ServerHandshake,
        /// The client's messages are published.
        may_publish: bool,
    },
    /// Switch to a WebSocket that echoes.
    Echo {
        /// The server's side of the handshake.
        handshake: ServerHandshake,
    },
    /// Publish the request's content.
    Publish(Publication),
    /// Call the application.
    Call(CallRequest<'a>),
}

/// A request for a route of the application.
#[derive(Debug)]
pub struct CallRequest<'a> {
    /// The number of the handler, or of the kind of WebSocket.
    pub route: u16,
    /// The bytes of the head, which the application reads.
    pub head: Cow<'a, [u8]>,
    /// For a WebSocket, the server's side of the handshake.
    pub handshake: Option<ServerHandshake>,
}

/// A request for a poll.
#[derive(Clone, Debug)]
pub struct PollRequest<'a> {
    /// The topic's name.
    pub topic: Cow<'a, str>,
    /// The cursor.
    pub since: Since,
    /// How long the response may wait, in seconds.
    pub wait: Option<u8>,
    /// The wait was requested by `Prefer` (RFC 7240).
    pub preferred: bool,
    /// The `If-None-Match` lines, joined to one list.
    pub if_none_match: Option<Box<[u8]>>,
}

/// The head of a publish request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Publication {
    /// The topic's name.
    pub topic: Box<str>,
    /// The events' name.
    pub event: Box<str>,
    /// Each line of the content is one event (`application/x-ndjson`).
    pub lines: bool,
}

impl PollRequest<'_> {
    /// Returns the same request, which borrows the topic's name.
    pub fn as_borrowed(&self) -> PollRequest<'_> {
        let PollRequest { topic, since, wait, preferred, if_none_match } = self;
        let (wait, preferred) = (*wait, *preferred);
        let topic = Cow::Borrowed(&**topic);
        PollRequest { topic, since: since.clone(), wait, preferred, if_none_match: if_none_match.clone() }
    }

    /// Copies what the request borrows from its head.
    pub fn into_owned(self) -> PollRequest<'static> {
        PollRequest { topic: Cow::Owned(self.topic.into_owned()), ..self }
    }
}

impl CallRequest<'_> {
    /// Copies what the request borrows from its head.
    pub fn into_owned(self) -> CallRequest<'static> {
        CallRequest { head: Cow::Owned(self.head.into_owned()), ..self }
    }
}

impl Action<'_> {
    /// Returns what the request is for.
    pub fn purpose(&self) -> Purpose {
        match self {
            Action::Poll(PollRequest { wait: None, .. }) => Purpose::Follow(Transport::ShortPoll),
            Action::Poll(PollRequest { wait: Some(_), .. }) => Purpose::Follow(Transport::LongPoll),
            Action::Stream { topic, .. } if topic == observation::TOPIC => Purpose::Observe,
            Action::Stream { .. } => Purpose::Follow(Transport::EventStream),
            Action::Socket { .. } | Action::Echo { .. } => Purpose::Follow(Transport::WebSocket),
            Action::Publish(_) => Purpose::Publish,
            Action::Call(CallRequest { handshake: Some(_), .. }) => Purpose::Follow(Transport::WebSocket),
            Action::Call(_) | Action::Options { .. } => Purpose::Other,
        }
    }

    /// Returns the heap memory kept of the request's head once the action is owned, in bytes.
    pub fn memory(&self) -> usize {
        match self {
            Action::Options { .. } | Action::Echo { .. } => 0,
            Action::Call(CallRequest { head, .. }) => head.len(),
            Action::Poll(PollRequest { topic, since, if_none_match, .. }) => {
                topic.len() + since.memory() + if_none_match.as_ref().map_or(0, |line| line.len())
            }
            Action::Stream { topic, since } | Action::Socket { topic, since, .. } => {
                topic.len() + since.memory()
            }
            Action::Publish(Publication { topic, event, .. }) => topic.len() + event.len(),
        }
    }

    /// Copies what the action borrows from the request's head.
    pub fn into_owned(self) -> Action<'static> {
        let owned = |topic: Cow<'_, str>| Cow::Owned(topic.into_owned());
        match self {
            Action::Call(request) => Action::Call(request.into_owned()),
            Action::Options { allow, preflight } => Action::Options { allow, preflight },
            Action::Poll(request) => Action::Poll(request.into_owned()),
            Action::Stream { topic, since } => Action::Stream { topic: owned(topic), since },
            Action::Socket { topic, since, handshake, may_publish } => {
                Action::Socket { topic: owned(topic), since, handshake, may_publish }
            }
            Action::Echo { handshake } => Action::Echo { handshake },
            Action::Publish(publication) => Action::Publish(publication),
        }
    }
}
