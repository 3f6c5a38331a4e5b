//! What a request asks for, once it is known to be granted. [`route`](super::route) finds it.

use std::borrow::Cow;

use super::socket::Opening;
use super::wire_view;
use crate::hub::Since;
use crate::page;

/// What a request asks for.
#[derive(Debug)]
pub enum Plan<'a> {
    /// A file of the page.
    Page(&'static page::File),
    /// Whether the server is well.
    Health,
    /// The counters, for Prometheus.
    Metrics,
    /// What may be asked of the target (RFC 9110 §9.3.7), or before it by a browser (Fetch §3.3.2).
    Options {
        /// The methods that the target knows.
        allow: &'static str,
        /// It is a preflight of an origin that is let in.
        preflight: bool,
    },
    /// A short poll, or a long poll where there is a wait.
    Poll {
        /// The topic's name.
        topic: Cow<'a, str>,
        /// The cursor.
        since: Since,
        /// How long it may be held, in seconds.
        wait: Option<u8>,
        /// The wait came from `Prefer` (RFC 7240).
        preferred: bool,
        /// All `If-None-Match` lines as one list.
        if_none_match: Option<Box<[u8]>>,
    },
    /// An event stream.
    Stream {
        /// The topic's name.
        topic: Cow<'a, str>,
        /// The cursor.
        since: Since,
    },
    /// A WebSocket that follows a topic.
    Socket {
        /// The topic's name.
        topic: Cow<'a, str>,
        /// The cursor.
        since: Since,
        /// What the handshake has come to.
        opening: Opening,
        /// Its messages are published.
        may_publish: bool,
    },
    /// A WebSocket that echoes.
    Echo {
        /// What the handshake has come to.
        opening: Opening,
    },
    /// A publish, whose body is still to come.
    Publish(Publication),
}

/// What a publish says before its body comes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Publication {
    /// The topic's name.
    pub topic: Box<str>,
    /// The events' name.
    pub event: Box<str>,
    /// Each line of the body is an event (`application/x-ndjson`).
    pub lines: bool,
}

impl Plan<'_> {
    /// What the log calls it.
    pub fn transport(&self) -> &'static str {
        match self {
            Plan::Poll { wait: None, .. } => "short-poll",
            Plan::Poll { wait: Some(_), .. } => "long-poll",
            Plan::Stream { topic, .. } if topic == wire_view::TOPIC => wire_view::TRANSPORT,
            Plan::Stream { .. } => "sse",
            Plan::Socket { .. } | Plan::Echo { .. } => "websocket",
            Plan::Publish(_) => "publish",
            Plan::Page(_) | Plan::Health | Plan::Metrics | Plan::Options { .. } => "-",
        }
    }

    /// What it keeps of the request's head once it is owned, in bytes of memory.
    pub fn memory(&self) -> usize {
        match self {
            Plan::Page(_) | Plan::Health | Plan::Metrics | Plan::Options { .. } | Plan::Echo { .. } => 0,
            Plan::Poll { topic, since, if_none_match, .. } => {
                topic.len() + since.memory() + if_none_match.as_ref().map_or(0, |line| line.len())
            }
            Plan::Stream { topic, since } | Plan::Socket { topic, since, .. } => topic.len() + since.memory(),
            Plan::Publish(Publication { topic, event, .. }) => topic.len() + event.len(),
        }
    }

    /// The same plan, owning what it had borrowed from the request's head.
    pub fn into_owned(self) -> Plan<'static> {
        let owned = |topic: Cow<'_, str>| Cow::Owned(topic.into_owned());
        match self {
            Plan::Page(file) => Plan::Page(file),
            Plan::Health => Plan::Health,
            Plan::Metrics => Plan::Metrics,
            Plan::Options { allow, preflight } => Plan::Options { allow, preflight },
            Plan::Poll { topic, since, wait, preferred, if_none_match } => {
                Plan::Poll { topic: owned(topic), since, wait, preferred, if_none_match }
            }
            Plan::Stream { topic, since } => Plan::Stream { topic: owned(topic), since },
            Plan::Socket { topic, since, opening, may_publish } => {
                Plan::Socket { topic: owned(topic), since, opening, may_publish }
            }
            Plan::Echo { opening } => Plan::Echo { opening },
            Plan::Publish(publication) => Plan::Publish(publication),
        }
    }
}
