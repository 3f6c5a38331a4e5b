//! The configuration of a bench: the workload, its parameters, and the target.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use super::keys::{Keys, write_handshake};
use super::session::Session;
use super::template::RequestTemplate;
use crate::client::follow::Transport;
use crate::protocol::websocket::client_handshake::RequestError;
use crate::tools::cursor_place::CursorPlace;
use crate::tools::load::Process;

/// The kind of work that the clients do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// Send messages that the server sends back.
    Echo,
    /// Follow a topic to which events are published.
    FanOut,
    /// Hold connections and send nothing.
    Idle,
    /// Open connections, await one response each, and close them.
    Connect,
    /// Send requests over persistent connections.
    Requests,
}

impl Workload {
    /// Returns the name on the command line and in the JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::FanOut => "fan-out",
            Self::Idle => "idle",
            Self::Connect => "connect",
            Self::Requests => "requests",
        }
    }

    /// Returns the unit in which the work is counted.
    pub const fn unit(self) -> &'static str {
        match self {
            Self::Echo => "messages",
            Self::FanOut => "deliveries",
            Self::Idle | Self::Connect => "connections",
            Self::Requests => "requests",
        }
    }
}

/// How the events of a burst are published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BurstAs {
    /// A request or a message per event, all of them in one write.
    Pipelined,
    /// A request per event, each sent after the response to the previous one.
    Sequential,
    /// One request whose content has one event per line.
    Batch,
}

impl BurstAs {
    /// Returns the way that is called `name` on the command line.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Pipelined, Self::Sequential, Self::Batch].into_iter().find(|way| way.name() == name)
    }

    /// Returns the name on the command line and in the JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pipelined => "pipelined",
            Self::Sequential => "sequential",
            Self::Batch => "batch",
        }
    }
}

/// The parameters of a bench.
#[derive(Clone, Debug, PartialEq)]
pub struct BenchConfig {
    pub workload: Workload,
    pub via: Transport,
    /// Concurrent connections; for [`Workload::FanOut`], followers.
    pub connections: usize,
    /// Messages in flight per connection; for [`Workload::Connect`], connections in progress.
    pub in_flight: usize,
    /// Bytes of a message's payload, or of an event's data.
    pub size: usize,
    /// Events published together.
    pub burst: usize,
    pub burst_as: BurstAs,
    /// Messages or requests per second over all connections; `None` for a closed loop.
    pub rate: Option<f64>,
    /// The measured time of each run.
    pub duration: Duration,
    /// The time under load before the measurement.
    pub warm_up: Duration,
    /// The longest wait for any response.
    pub timeout: Duration,
    /// The number of loopback addresses to connect from.
    pub sources: u8,
}

/// What receives the load.
#[derive(Clone, Debug)]
pub enum Target {
    /// A server of one of the transports.
    Server(Box<ServerTarget>),
    /// The bare program, which has no protocol.
    Ceiling(CeilingTarget),
}

/// A server, and the requests to send to it.
#[derive(Clone, Debug)]
pub struct ServerTarget {
    /// The request of each client.
    pub request: RequestTemplate,
    /// The first request of each client, if it long polls.
    pub first_request: RequestTemplate,
    /// Where a response has the next cursor.
    pub cursor: Rc<CursorPlace>,
    /// How to publish events.
    pub publish: Option<PublishTarget>,
    /// The processes of the server; empty if they are unknown.
    pub processes: Vec<Process>,
}

/// How to publish events to a server.
#[derive(Clone, Debug)]
pub enum PublishTarget {
    /// Each event is the body of a POST.
    Post(RequestTemplate),
    /// Each event is a text message on a WebSocket.
    WebSocket(RequestTemplate),
}

/// Returns whether a URL's scheme is that of WebSockets.
pub fn is_websocket(url: &str) -> bool {
    url.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("ws://"))
}

/// The bare program, and the number of bytes to send to it.
#[derive(Clone, Debug)]
pub struct CeilingTarget {
    pub address: SocketAddr,
    pub processes: Vec<Process>,
    /// Bytes of a message or an event, including what a protocol would add.
    pub size: usize,
    /// Bytes that a follower sends after each event, as it would in long polling; otherwise 0.
    pub request_size: usize,
}

impl Target {
    /// Returns the address to connect to.
    pub const fn address(&self) -> SocketAddr {
        match self {
            Self::Server(server) => server.request.address,
            Self::Ceiling(ceiling) => ceiling.address,
        }
    }

    /// Returns the processes whose CPU time and memory count.
    pub fn processes(&self) -> &[Process] {
        match self {
            Self::Server(server) => &server.processes,
            Self::Ceiling(ceiling) => &ceiling.processes,
        }
    }
}

impl ServerTarget {
    /// Returns a session for connection `id`, and the first bytes to send.
    ///
    /// # Errors
    /// The request has a field that only the WebSocket handshake itself may write.
    pub fn session(
        &self,
        via: Transport,
        id: usize,
        keys: &mut Keys,
    ) -> Result<(Session, Vec<u8>), RequestError> {
        let mut first = Vec::new();
        let session = match via {
            Transport::WebSocket => websocket(&self.request, id, keys, &mut first)?,
            Transport::EventStream => {
                self.request.write_get("", id, Some("text/event-stream"), &mut first);
                Session::event_stream()
            }
            Transport::LongPoll => {
                self.first_request.write_get("now", id, None, &mut first);
                Session::responses(self.cursor.clone())
            }
            Transport::ShortPoll => {
                self.request.write_get("", id, None, &mut first);
                Session::responses(self.cursor.clone())
            }
        };
        Ok((session, first))
    }
}

impl PublishTarget {
    /// Returns a session for the publisher's connection, and the first bytes to send.
    ///
    /// # Errors
    /// The request has a field that only the WebSocket handshake itself may write.
    pub fn session(&self, keys: &mut Keys) -> Result<(Session, Vec<u8>), RequestError> {
        let mut first = Vec::new();
        let session = match self {
            // The response to a POST has no cursor, so the place is a field that no server sends.
            Self::Post(_) => Session::responses(Rc::new(CursorPlace::Header("-".into()))),
            Self::WebSocket(request) => websocket(request, 0, keys, &mut first)?,
        };
        Ok((session, first))
    }

    /// Returns the address to connect to.
    pub const fn address(&self) -> SocketAddr {
        match self {
            Self::Post(request) | Self::WebSocket(request) => request.address,
        }
    }
}

fn websocket(
    request: &RequestTemplate,
    id: usize,
    keys: &mut Keys,
    first: &mut Vec<u8>,
) -> Result<Session, RequestError> {
    let key = keys.handshake();
    write_handshake(request, &key, id, first)?;
    Ok(Session::websocket(key, request.subprotocols.clone()))
}
