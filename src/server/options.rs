//! Every bound and every time of the server, with its default.

use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::rc::Rc;

use super::access_log::LogForm;
use super::watch::{Choice, Watch};
use super::watch_output::Outputs;
use crate::hub;
use crate::protocol::http::HeadLimits;
use crate::transport::Policy;
use crate::transport::wire_view::WireAccess;

/// What a server is started with. Times are in seconds.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to listen; port 0 is any free one.
    pub listen: SocketAddr,
    /// What is granted, and to whom. `access.loopback_only` is set by the server from `listen`.
    pub policy: Policy,
    /// What the hub keeps.
    pub hub: hub::HubLimits,
    /// How large a request head may be.
    pub head: HeadLimits,
    /// Connections at once. Beyond it some more are accepted, to be told to come again.
    pub max_connections: usize,
    /// Connections at once from one address, if there is a bound; of IPv6, from one network of 64 bits.
    pub connections_per_address: Option<u32>,
    /// Requests on one connection, if there is a bound: the answer to the last says that it is.
    pub requests: Option<u32>,
    /// Messages and control frames on one WebSocket in each second, if there is a bound.
    pub messages_per_second: Option<u32>,
    /// How much may wait to be written to one connection before it is not read from any more, in bytes. One answer or echo,
    /// however long, may stand on top of it.
    pub outbox_bytes: usize,
    /// How much all connections together may hold, in bytes: what has come in part, and what is not yet written. Beyond
    /// it, the one that holds the most is ended.
    pub buffered_bytes: usize,
    /// The longest message that `/echo` takes, in bytes.
    pub echo_bytes: usize,
    /// Connections to `/echo` that keep a window of compression; further ones have each message compressed alone.
    pub echo_contexts: usize,
    /// The most frames in one WebSocket message.
    pub message_frames: usize,
    /// For a request head, from its first byte, or from the connection's start, to its last.
    pub head_timeout: u32,
    /// For a body, from the head's end to its last byte.
    pub body_timeout: u32,
    /// Between two requests.
    pub idle_timeout: u32,
    /// Between two comments of an event stream without events.
    pub heartbeat: u32,
    /// A WebSocket's silence, after which it is pinged.
    pub ping_interval: u32,
    /// A WebSocket's silence after a ping, after which it is dropped.
    pub pong_timeout: u32,
    /// For the client to take anything at all of what it is owed.
    pub write_timeout: u32,
    /// For the client's close frame, once the server's is sent.
    pub close_timeout: u32,
    /// For the client to end the connection, once the server has ended its side.
    pub linger: u32,
    /// For all connections to end, once the server is told to.
    pub drain_timeout: u32,
    /// How requests are logged on standard error.
    pub log: LogForm,
    /// Who sees the bytes that pass, and how.
    pub wire: WireOptions,
}

/// Where the wire view can be followed as an event stream, at `/wire`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum WireEndpoint {
    /// Nowhere.
    Nowhere,
    /// On a server that listens on loopback only.
    #[default]
    OnLoopback,
    /// Elsewhere too, by those who bring the follow token.
    Everywhere,
}

/// Who sees the bytes that pass, and how. Secrets are hidden in all of it.
#[derive(Clone, Debug, Default)]
pub struct WireOptions {
    /// Where the page, and whoever asks for `/wire`, sees them.
    pub endpoint: WireEndpoint,
    /// They are shown on standard error.
    pub print: bool,
    /// In colours.
    pub color: bool,
    /// Which of them are shown, and recorded.
    pub choice: Choice,
    /// The file that they are recorded in.
    pub record: Option<PathBuf>,
}

impl WireOptions {
    /// Who may follow `/wire` on a server that listens on loopback only, or not.
    pub(super) fn access(&self, is_loopback: bool) -> WireAccess {
        match (self.endpoint, is_loopback) {
            (WireEndpoint::Nowhere, _) | (WireEndpoint::OnLoopback, false) => WireAccess::Nobody,
            (_, true) => WireAccess::Loopback,
            (WireEndpoint::Everywhere, false) => WireAccess::Token,
        }
    }

    /// The watch, if anybody may ever look.
    pub(super) fn watch(&self, is_loopback: bool) -> io::Result<Option<Rc<Watch>>> {
        let mut outputs = Outputs::default();
        if self.print {
            outputs = outputs.print_to(Box::new(io::stderr()), self.color);
        }
        if let Some(path) = &self.record {
            outputs = outputs.record_to(Box::new(File::create(path)?));
        }
        let may_look = outputs.is_any() || self.access(is_loopback) != WireAccess::Nobody;
        Ok(may_look.then(|| Rc::new(Watch::new(self.choice.clone(), outputs))))
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
            requests: None,
            messages_per_second: None,
            outbox_bytes: 256 << 10,
            buffered_bytes: 256 << 20,
            echo_bytes: (16 << 20) + 1,
            echo_contexts: 256,
            message_frames: 1 << 20,
            head_timeout: 10,
            body_timeout: 30,
            idle_timeout: 75,
            heartbeat: 15,
            ping_interval: 20,
            pong_timeout: 20,
            write_timeout: 30,
            close_timeout: 5,
            linger: 2,
            drain_timeout: 10,
            log: LogForm::Off,
            wire: WireOptions::default(),
        }
    }
}
