//! Every bound and timeout of the server, with its default.

use std::net::{Ipv4Addr, SocketAddr};

use crate::hub;
use crate::protocol::http::HeadLimits;
use crate::transport::Policy;
use crate::transport::access::ObserverAccess;

/// The options of a server. Times are in seconds.
#[derive(Clone, Debug)]
pub struct Options {
    /// The address to listen on; port 0 means any free port.
    pub listen: SocketAddr,
    /// What clients may do. The server sets `access.loopback_only` from `listen`.
    pub policy: Policy,
    /// The bounds on what the hub keeps.
    pub hub: hub::HubLimits,
    /// The bounds on a request's head.
    pub head: HeadLimits,
    /// The most connections. A few more are accepted, to be refused with a reason.
    pub max_connections: usize,
    /// The most connections from one address, or from one IPv6 network of 64 bits.
    pub connections_per_address: Option<u32>,
    /// The most requests on one connection. The response to the last one says so.
    pub requests_per_connection: Option<u32>,
    /// The most messages and control frames per second on one WebSocket.
    pub messages_per_second: Option<u32>,
    /// The bytes of output that may wait on one connection before it is no longer read from. One
    /// response or echo, however long, may exceed it.
    pub outbox_bytes: usize,
    /// The bytes that all connections together may hold: incomplete input and unwritten output, and
    /// what an observer holds of them. When they exceed it, the connection is closed whose memory
    /// is the most by size times age.
    pub buffered_bytes: usize,
    /// The longest message that `/echo` accepts, in bytes.
    pub echo_bytes: usize,
    /// The most connections to `/echo` that keep a compression context. Messages on further ones
    /// are compressed without context.
    pub echo_contexts: usize,
    /// The most frames in one WebSocket message.
    pub message_frames: usize,
    /// For a request's head, from its first byte, or from the connection's start, to its last byte.
    pub head_timeout: u32,
    /// For a request's content, from the end of the head to the last byte; and for a WebSocket
    /// message, from its first byte to its last.
    pub body_timeout: u32,
    /// For the application's answer to a request that it has postponed; 30 by default.
    pub answer_timeout: u32,
    /// Between two requests.
    pub idle_timeout: u32,
    /// Between two comments on an event stream without events.
    pub heartbeat: u32,
    /// The silence of a WebSocket after which the server pings it. So a client that is gone without
    /// a word is noticed after this and `pong_timeout`, 20 seconds each by default.
    pub ping_interval: u32,
    /// The silence of a WebSocket after a ping after which the server closes it.
    pub pong_timeout: u32,
    /// For the client to read any byte of the pending output.
    pub write_timeout: u32,
    /// For the client's close frame after the server's.
    pub close_timeout: u32,
    /// For the client's end of the connection after the server's.
    pub linger: u32,
    /// For all connections to end after the shutdown begins.
    pub drain_timeout: u32,
    /// The calls from other threads that may wait for the event loop; 1,024 by default.
    pub waiting_calls: usize,
    /// In milliseconds, 50 by default: a handler of the application that takes longer is counted
    /// and logged.
    pub slow_handler: u32,
    /// Where clients can follow the observation, if the server has an observer.
    pub observation: ObservationEndpoint,
}

/// Where `/wire` exists, on a server that has an [`Observer`](super::Observer).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ObservationEndpoint {
    /// Nowhere.
    Nowhere,
    /// On a server that listens on loopback only.
    #[default]
    OnLoopback,
    /// On every server; beyond loopback, for clients with the follow token.
    Everywhere,
}

impl ObservationEndpoint {
    /// Returns whether `/wire` exists. `is_loopback` means that the server listens on loopback
    /// only.
    pub fn exists_on(self, is_loopback: bool) -> bool {
        self.access(is_loopback) != ObserverAccess::Nobody
    }

    /// Returns which clients may follow the observation.
    pub(super) fn access(self, is_loopback: bool) -> ObserverAccess {
        match (self, is_loopback) {
            (ObservationEndpoint::Nowhere, _) | (ObservationEndpoint::OnLoopback, false) => {
                ObserverAccess::Nobody
            }
            (_, true) => ObserverAccess::Loopback,
            (ObservationEndpoint::Everywhere, false) => ObserverAccess::Token,
        }
    }
}

impl Default for Options {
    fn default() -> Options {
        Options {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            policy: Policy::default(),
            hub: hub::HubLimits::default(),
            head: HeadLimits::default(),
            max_connections: 10_000,
            connections_per_address: None,
            requests_per_connection: None,
            messages_per_second: None,
            outbox_bytes: 256 << 10,
            buffered_bytes: 256 << 20,
            echo_bytes: (16 << 20) + 1,
            echo_contexts: 256,
            message_frames: 1 << 20,
            head_timeout: 10,
            body_timeout: 30,
            answer_timeout: 30,
            idle_timeout: 75,
            heartbeat: 15,
            ping_interval: 20,
            pong_timeout: 20,
            write_timeout: 30,
            close_timeout: 5,
            linger: 2,
            drain_timeout: 10,
            waiting_calls: 1024,
            slow_handler: 50,
            observation: ObservationEndpoint::default(),
        }
    }
}
