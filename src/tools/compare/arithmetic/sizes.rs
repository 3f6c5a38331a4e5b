//! The lengths of requests, responses and events, taken from the encoders that write them.

use crate::client::follow::{Follower, Resource, Shared, Since, Transport};
use crate::hub::{Epoch, Event, Hub, HubLimits, Id, Sequence, Tick};
use crate::protocol::http::{Version, write_date};
use crate::protocol::sse;
use crate::protocol::websocket::frame::{self, Opcode};
use crate::tools::compare::config::CompareConfig;
use crate::tools::compare::results::Bytes;
use crate::tools::compare::tracker;
use crate::transport::event_stream::write_heartbeat;
use crate::transport::following::Encoding;
use crate::transport::poll::Poll;
use crate::transport::response::{Now, ResponseContext};

/// Lengths in bytes for one transport.
pub struct Sizes {
    /// A client's request.
    pub request: f64,
    /// A poll's response without an event.
    pub empty_response: Bytes,
    /// An event in the transport's encoding and framing.
    pub event: Bytes,
}

impl Sizes {
    pub fn new(mut resource: Resource, config: &CompareConfig, via: Transport) -> Self {
        resource.wait = config.wait;
        // The number in an id grows by a digit now and then. The last event's id counts for all.
        let id = Id { epoch: Epoch::from_random(0), sequence: config.events().max(1) };
        let mut request = Vec::new();
        let mut shared = Shared::new(|| Ok([0; 16]));
        // A request that cannot be encoded cannot be sent either, and the trial reports that error.
        let _ =
            Follower::new(via, Since::Id(id.to_string())).write_request(&resource, &mut shared, &mut request);

        let event = event_bytes(id, config.size, via);
        let mut empty_response = empty_response(id.sequence);
        if via == Transport::LongPoll {
            // Most of its responses carry an event, so `Content-Length` has more digits.
            let digits = |length: f64| length.to_string().len() as f64;
            let empty = empty_response.payload;
            empty_response.headers += digits(empty + event.payload) - digits(empty);
        }
        Self { request: request.len() as f64, empty_response, event }
    }
}

/// Returns the length of an event with `size` bytes of data.
fn event_bytes(id: Id, size: usize, via: Transport) -> Bytes {
    let data = tracker::data(0, size);
    let event = Event { id, name: "message", data: &data };
    let length = |encoding: Encoding| {
        let mut out = Vec::new();
        encoding.write(&event, usize::MAX, &mut out);
        out.len()
    };
    // The encoder writes a comma after each item. A list with one item has none.
    let item = length(Encoding::JsonItems) - 1;
    let (payload, all) = match via {
        Transport::ShortPoll | Transport::LongPoll => (item, item),
        Transport::EventStream => (length(Encoding::EventStream), length(Encoding::EventStreamChunks)),
        Transport::WebSocket => (item, length(Encoding::JsonMessages)),
    };
    split(all, payload)
}

/// Returns the length of the response to a poll that has seen every event up to `sequence`.
fn empty_response(sequence: Sequence) -> Bytes {
    let mut date = Vec::new();
    write_date(0, &mut date);
    let now = Now { tick: Tick(0), date: &date, random: 0 };
    let context = ResponseContext {
        version: Version::Http11,
        persists: true,
        head_only: false,
        of_topic: true,
        cors: None,
    };
    let poll = Poll { after: sequence, context, applied: None, if_none_match: None };
    let mut hub = Hub::new(Epoch::from_random(0), HubLimits::default(), Encoding::encoders(usize::MAX));
    let mut out = Vec::new();
    poll.respond(&mut hub, None, None, &now, &mut out);
    let head = out.windows(4).position(|bytes| bytes == b"\r\n\r\n").map_or(out.len(), |end| end + 4);
    split(out.len(), out.len() - head)
}

/// Lengths of what keeps an idle connection open.
pub struct KeepAlive {
    /// A comment in an event stream.
    pub heartbeat: Bytes,
    /// The server's ping to a WebSocket.
    pub ping: Bytes,
    /// The client's pong, which is masked.
    pub pong: Bytes,
}

impl Default for KeepAlive {
    fn default() -> Self {
        let length = |write: &dyn Fn(&mut Vec<u8>)| {
            let mut out = Vec::new();
            write(&mut out);
            out.len()
        };
        let heartbeat = length(&|out| write_heartbeat(Encoding::EventStreamChunks, out));
        let ping = length(&|out| frame::write_frame(Opcode::Ping, b"", out));
        let pong = length(&|out| frame::write_masked_frame([0; 4], Opcode::Pong, b"", out));
        Self { heartbeat: split(heartbeat, sse::HEARTBEAT.len()), ping: split(ping, 0), pong: split(pong, 0) }
    }
}

fn split(all: usize, payload: usize) -> Bytes {
    Bytes { headers: (all - payload) as f64, payload: payload as f64 }
}
