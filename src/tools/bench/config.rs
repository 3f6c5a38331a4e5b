//! What is to be measured, and at whom.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use super::session::{Keys, Talk, write_handshake};
use super::template::{Asking, CursorPlace};
use crate::client::follow::Via;
use crate::protocol::websocket::client_handshake::RequestError;
use crate::tools::load::Process;

/// What the clients do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// Messages that come back.
    Echo,
    /// Events that go to many.
    FanOut,
    /// Nothing: connections are held.
    Idle,
    /// Connections that are opened, answered and closed.
    Connect,
    /// Requests over kept connections.
    Requests,
}

impl Workload {
    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::FanOut => "fan-out",
            Self::Idle => "idle",
            Self::Connect => "connect",
            Self::Requests => "requests",
        }
    }

    /// What its work is counted in.
    pub const fn unit(self) -> &'static str {
        match self {
            Self::Echo => "messages",
            Self::FanOut => "deliveries",
            Self::Idle | Self::Connect => "connections",
            Self::Requests => "requests",
        }
    }
}

/// What is to be measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// What the clients do.
    pub workload: Workload,
    /// Over which transport.
    pub via: Via,
    /// Connections at once; of a fan-out, followers.
    pub connections: usize,
    /// Messages under way on each connection; of [`Workload::Connect`], connections under way.
    pub in_flight: usize,
    /// Bytes of a message's payload, or of an event's data.
    pub size: usize,
    /// Events that are published at once.
    pub burst: usize,
    /// Messages or requests in a second, over all connections; `None` is as fast as they are answered.
    pub rate: Option<f64>,
    /// How long is measured.
    pub duration: Duration,
    /// How long the same is done before that.
    pub warm_up: Duration,
    /// How long anything may take that has to come.
    pub patience: Duration,
    /// Loopback addresses to connect from.
    pub sources: u8,
}

/// Whom it is measured at.
#[derive(Clone, Debug)]
pub enum Target {
    /// A server of one of the transports.
    Server(Box<Site>),
    /// The bare program, which has no protocol.
    Ceiling(Bare),
}

/// A server.
#[derive(Clone, Debug)]
pub struct Site {
    /// What the clients ask for.
    pub asking: Asking,
    /// What the very first request asks for, of a long poll.
    pub first: Asking,
    /// Where an answer has the next cursor.
    pub cursor: Rc<CursorPlace>,
    /// How events get there.
    pub publish: Option<Publish>,
    /// The processes of the server, if they are known.
    pub processes: Vec<Process>,
}

/// How events get to a server.
#[derive(Clone, Debug)]
pub enum Publish {
    /// Each is the body of a POST.
    Post(Asking),
    /// Each is a text message on a WebSocket.
    WebSocket(Asking),
}

/// The bare program, and how much is sent to it.
#[derive(Clone, Debug)]
pub struct Bare {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its process.
    pub processes: Vec<Process>,
    /// Bytes of a message or of an event, with all that a protocol would put around it.
    pub size: usize,
    /// Bytes that a follower sends after each event, as it does in long polling; else 0.
    pub asks: usize,
}

impl Target {
    /// Where to connect.
    pub const fn address(&self) -> SocketAddr {
        match self {
            Self::Server(site) => site.asking.address,
            Self::Ceiling(bare) => bare.address,
        }
    }

    /// The processes whose CPU time and memory count.
    pub fn processes(&self) -> &[Process] {
        match self {
            Self::Server(site) => &site.processes,
            Self::Ceiling(bare) => &bare.processes,
        }
    }
}

impl Site {
    /// What a connection speaks, and what it says first.
    ///
    /// # Errors
    /// A field that a WebSocket's handshake writes itself.
    pub fn talk(&self, via: Via, who: usize, keys: &mut Keys) -> Result<(Talk, Vec<u8>), RequestError> {
        let mut out = Vec::new();
        let talk = match via {
            Via::WebSocket => websocket(&self.asking, who, keys, &mut out)?,
            Via::EventStream => {
                self.asking.write_get("", who, Some("text/event-stream"), &mut out);
                Talk::event_stream()
            }
            Via::LongPoll => {
                self.first.write_get("now", who, None, &mut out);
                Talk::answers(self.cursor.clone())
            }
            Via::ShortPoll => {
                self.asking.write_get("", who, None, &mut out);
                Talk::answers(self.cursor.clone())
            }
        };
        Ok((talk, out))
    }
}

impl Publish {
    /// What the publisher's connection speaks, and what it says first.
    ///
    /// # Errors
    /// A field that a WebSocket's handshake writes itself.
    pub fn talk(&self, keys: &mut Keys) -> Result<(Talk, Vec<u8>), RequestError> {
        let mut out = Vec::new();
        let talk = match self {
            // No cursor is looked for in what a POST is answered with.
            Self::Post(_) => Talk::answers(Rc::new(CursorPlace::Header("-".into()))),
            Self::WebSocket(asking) => websocket(asking, 0, keys, &mut out)?,
        };
        Ok((talk, out))
    }

    /// Where to connect.
    pub const fn address(&self) -> SocketAddr {
        match self {
            Self::Post(asking) | Self::WebSocket(asking) => asking.address,
        }
    }
}

fn websocket(asking: &Asking, who: usize, keys: &mut Keys, out: &mut Vec<u8>) -> Result<Talk, RequestError> {
    let key = keys.handshake();
    write_handshake(asking, &key, who, out)?;
    Ok(Talk::websocket(key, asking.subprotocols.clone()))
}
