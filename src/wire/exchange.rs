//! State that both directions of a connection share: pending requests, and protocol switches.

use std::collections::VecDeque;

use super::span::Side;
use crate::protocol::websocket::extension::{Agreement, Offer};

/// The maximum number of pending requests. Beyond it, responses are read without their requests.
const MAX_PENDING_REQUESTS: usize = 1024;

/// The compression of a WebSocket connection (RFC 7692).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// The handshake was not seen. A frame with RSV1 is presumed to be compressed.
    #[default]
    NotSeen,
    /// No compression was negotiated.
    None,
    /// These parameters were negotiated.
    Agreed(Agreement),
}

/// A request that has no response yet.
#[derive(Debug, Default)]
pub(super) struct PendingRequest {
    pub is_head: bool,
    pub is_connect: bool,
    pub handshake: Option<HandshakeRequest>,
    /// True if the client requested another protocol, so that the response determines how the
    /// bytes after the request are read.
    pub awaits_switch: bool,
}

/// The relevant fields of a WebSocket handshake request (RFC 6455 §4.1).
#[derive(Debug, Default)]
pub(super) struct HandshakeRequest {
    pub key: Vec<u8>,
    pub protocols: Vec<Vec<u8>>,
    pub offers: Vec<Offer>,
}

impl HandshakeRequest {
    fn memory(&self) -> usize {
        let protocols: usize = self.protocols.iter().map(Vec::capacity).sum();
        self.key.capacity()
            + protocols
            + self.protocols.capacity() * size_of::<Vec<u8>>()
            + self.offers.capacity() * size_of::<Offer>()
    }
}

/// The protocol of a direction after a response.
#[derive(Clone, Copy, Debug)]
pub(super) enum Switch {
    Http,
    WebSocket(Compression),
    /// A protocol that the view can't read, for this reason.
    Opaque(&'static str),
}

/// The protocol that a connection carries at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Not known: no bytes have arrived, or no response to a request.
    Undecided,
    /// HTTP, with an ordinary response.
    Http,
    /// HTTP, with an event stream as the response.
    EventStream,
    /// WebSocket frames.
    WebSocket,
    /// Bytes that the view can't read.
    Unknown {
        /// The side that sent the bytes. If only the client's can't be read, the server's response
        /// to them may still be readable.
        side: Side,
        /// The reason, in a sentence.
        why: &'static str,
    },
}

/// The shared state.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    requests: VecDeque<PendingRequest>,
    /// The protocol of the latest response.
    pub last_response: Option<Protocol>,
    /// True if only one direction is seen.
    pub is_one_sided: bool,
    /// The switch that the client's direction waits for.
    pub switch: Option<Switch>,
    /// True if the switch has just been determined: the client's direction must advance before the
    /// server's, because it may contain the next request.
    pub client_runs_next: bool,
}

impl Exchange {
    pub fn push_request(&mut self, request: PendingRequest) {
        if self.requests.len() == MAX_PENDING_REQUESTS {
            self.requests.clear();
        }
        if !self.is_one_sided {
            self.requests.push_back(request);
        }
    }

    /// Returns the heap memory in bytes.
    pub fn memory(&self) -> usize {
        let handshakes = self.requests.iter().filter_map(|request| request.handshake.as_ref());
        self.requests.capacity() * size_of::<PendingRequest>()
            + handshakes.map(HandshakeRequest::memory).sum::<usize>()
    }

    /// Returns the request that the next response belongs to.
    pub fn next_request(&self) -> Option<&PendingRequest> {
        self.requests.front()
    }

    /// Removes the request whose final response has arrived.
    pub fn pop_request(&mut self) {
        self.requests.pop_front();
    }
}
