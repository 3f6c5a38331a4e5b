//! What one direction has to know of the other: which requests are to be answered, and what becomes of the connection.

use std::collections::VecDeque;

use super::span::Side;
use crate::protocol::websocket::extension::{Agreement, Offer};

/// How many requests may wait for their answers. Beyond it, answers are read as if no request had been seen.
const MOST_REQUESTS: usize = 1024;

/// What is known of the compression of a WebSocket (RFC 7692).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// The handshake was not seen. A frame with RSV1 is taken for a compressed one.
    #[default]
    NotSeen,
    /// None was agreed on.
    None,
    /// This was agreed on.
    Agreed(Agreement),
}

/// A request that is still to be answered.
#[derive(Debug, Default)]
pub(super) struct PendingRequest {
    pub is_head: bool,
    pub is_connect: bool,
    /// A WebSocket's opening handshake.
    pub handshake: Option<HandshakeRequest>,
    /// The client goes on only when it has the answer: it has asked for another protocol.
    pub awaits_switch: bool,
}

/// What a client asks for in an opening handshake (RFC 6455 §4.1).
#[derive(Debug, Default)]
pub(super) struct HandshakeRequest {
    pub key: Vec<u8>,
    pub protocols: Vec<Vec<u8>>,
    pub offers: Vec<Offer>,
}

/// What the client's direction is from the answer on.
#[derive(Clone, Copy, Debug)]
pub(super) enum Switch {
    Http,
    WebSocket(Compression),
    Opaque(&'static str),
}

/// What a connection carries at the moment, as far as its bytes tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Nobody knows yet: nothing has come, or a request whose answer has not.
    Undecided,
    /// HTTP, of which no answer goes over to something else.
    Http,
    /// An answer that is an event stream.
    EventStream,
    /// Frames.
    WebSocket,
    /// Bytes that the view can't read.
    Unknown {
        /// Whose they are. If they are the client's only, an answer to them may be readable: that it can't be read.
        side: Side,
        /// Why not, in a sentence.
        why: &'static str,
    },
}

/// What both directions share.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    requests: VecDeque<PendingRequest>,
    /// What the last answer was, or is.
    pub last_response: Option<Protocol>,
    /// Only one direction is seen.
    pub is_one_sided: bool,
    /// The answer that the client's direction waits for.
    pub switch: Option<Switch>,
    /// It has just come: before the server's direction goes on, the client's has to say what it asks next.
    pub client_runs_next: bool,
}

impl Exchange {
    pub fn push_request(&mut self, request: PendingRequest) {
        if self.requests.len() == MOST_REQUESTS {
            self.requests.clear();
        }
        if !self.is_one_sided {
            self.requests.push_back(request);
        }
    }

    /// The request that the next answer is for.
    pub fn next_request(&self) -> Option<&PendingRequest> {
        self.requests.front()
    }

    /// It is answered.
    pub fn pop_request(&mut self) {
        self.requests.pop_front();
    }
}
