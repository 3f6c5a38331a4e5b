//! A follower whose connection holds the cursor: an event stream or a WebSocket.
//!
//! A [`Following`] is a cursor: a position in a topic's log, and the encoding in which the follower
//! receives the events. It has no queue. Delivery is four operations:
//! [`Following::prepare`], [`Following::pending`], [`Following::advance`] and
//! [`Following::is_caught_up`].

use super::compression;
use crate::hub::{ENCODINGS, Encode, Encoders, Event, Gap, Hub, Id, Sequence, Tick, TopicKey};
use crate::protocol::http::{self, fields};
use crate::protocol::websocket::frame::{self, Opcode};
use crate::protocol::{json, sse};

/// The encoding in which a follower receives its events. Each event is encoded once per encoding,
/// for all followers that use it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Encoding {
    /// Items of a JSON array, each with a comma after it: a slice without its last byte is a list.
    JsonItems,
    /// The event stream, each event one chunk (HTTP/1.1).
    EventStreamChunks,
    /// The event stream without chunks, delimited by the connection's end (HTTP/1.0).
    EventStream,
    /// A WebSocket text message per event, with the same JSON as in the polls.
    JsonMessages,
    /// A WebSocket text message per event, with the data only.
    TextMessages,
    /// [`Encoding::JsonMessages`], compressed in a window of 15 bits where that is shorter.
    JsonMessagesIn15Bits,
    /// [`Encoding::JsonMessages`], compressed in a window of 9 bits where that is shorter.
    JsonMessagesIn9Bits,
    /// [`Encoding::TextMessages`], compressed in a window of 15 bits where that is shorter.
    TextMessagesIn15Bits,
    /// [`Encoding::TextMessages`], compressed in a window of 9 bits where that is shorter.
    TextMessagesIn9Bits,
}

/// The functions of all encodings, in the order of [`Encoding`].
const FUNCTIONS: [Encode; ENCODINGS] = [
    json_item,
    event_stream_chunk,
    event_stream,
    json_message,
    text_message,
    json_message_in::<15>,
    json_message_in::<9>,
    text_message_in::<15>,
    text_message_in::<9>,
];

/// The work per byte of data of all encodings, in the same order: compressing takes about 40
/// nanoseconds, everything else less than one.
const WORK: [u32; ENCODINGS] = [1, 1, 1, 1, 1, 40, 40, 40, 40];

impl Encoding {
    /// Returns all encodings for the hub. Messages of fewer than `compress_from` bytes are never
    /// compressed.
    pub fn encoders(compress_from: usize) -> Encoders {
        Encoders { functions: FUNCTIONS, parameter: compress_from, work: WORK }
    }

    /// Appends one event in this encoding. A message of fewer than `compress_from` bytes is not
    /// compressed.
    pub fn write(self, event: &Event<'_>, compress_from: usize, out: &mut Vec<u8>) {
        FUNCTIONS[self.slot()](event, compress_from, out);
    }

    /// Returns whether the messages are the bare data of events.
    pub fn is_bare_text(self) -> bool {
        use Encoding::{TextMessages, TextMessagesIn9Bits, TextMessagesIn15Bits};
        matches!(self, TextMessages | TextMessagesIn9Bits | TextMessagesIn15Bits)
    }

    /// Returns the encoding's index in a segment.
    pub fn slot(self) -> usize {
        self as usize
    }
}

/// A follower's position in a topic's log: the follower has been sent everything before it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Following {
    /// The topic.
    pub topic: TopicKey,
    /// The encoding of the events.
    pub encoding: Encoding,
    /// The number of a segment of the log.
    segment: u32,
    /// The offset in that segment's encoded buffer, in bytes.
    offset: u32,
}

impl Following {
    /// Returns the position right after the event `after`. This encodes the segment around it:
    /// a position in an encoding is known only once the encoding is made.
    pub fn after(hub: &mut Hub, topic: TopicKey, after: Sequence, encoding: Encoding, now: Tick) -> Self {
        let (segment, event) = hub.topic(topic).log.first_after(after);
        hub.encode(topic, segment, encoding.slot(), 0, now);
        let segment_after = hub.topic(topic).log.segment(segment);
        let buffer = segment_after.and_then(|segment| segment.encoded(encoding.slot()));
        let offset = buffer.map_or(0, |buffer| buffer.end_of(event)) as u32;
        Following { topic, encoding, segment, offset }
    }

    /// Returns the number of the segment in which the position is.
    pub fn segment(&self) -> u32 {
        self.segment
    }

    /// Returns the offset in the segment's encoded buffer, in bytes.
    pub fn offset(&self) -> usize {
        self.offset as usize
    }

    /// Encodes the events after the position, until at least `budget` bytes are pending or no event
    /// is left.
    pub fn prepare(&mut self, hub: &mut Hub, budget: usize, now: Tick) {
        self.clamp_to_window(hub);
        hub.encode(self.topic, self.segment, self.encoding.slot(), self.offset() + budget, now);
    }

    /// Moves to the start of the window if the position's segment is no longer kept. Such a
    /// position was at the segment's end: a follower that lags is evicted when its segment is
    /// dropped.
    fn clamp_to_window(&mut self, hub: &Hub) {
        let first = hub.topic(self.topic).log.first_segment();
        if self.segment < first {
            (self.segment, self.offset) = (first, 0);
        }
    }

    /// Returns the pending bytes as far as they are encoded: a slice per segment, oldest first.
    pub fn pending<'h>(&self, hub: &'h Hub) -> impl Iterator<Item = &'h [u8]> {
        let Following { topic, encoding, segment: first, offset } = *self;
        let mut ends_here = false;
        hub.topic(topic).log.segments_from(first).map_while(move |(number, segment)| {
            // The slices must end with an incomplete buffer: a later segment would skip events.
            let buffer = segment.encoded(encoding.slot()).filter(|_| !ends_here)?;
            ends_here = !segment.is_encoded(encoding.slot());
            let from = if number == first { offset as usize } else { 0 };
            buffer.bytes().get(from..)
        })
    }

    /// Returns how many pending bytes complete an event that has been sent in part; 0 if the
    /// position is between two events.
    pub fn rest_of_event(&self, hub: &Hub) -> usize {
        let segment = hub.topic(self.topic).log.segment(self.segment);
        let buffer = segment.and_then(|segment| segment.encoded(self.encoding.slot()));
        buffer.map_or(0, |buffer| buffer.event_end(self.offset()) - self.offset())
    }

    /// Moves the position over `written` pending bytes.
    ///
    /// At the end of a closed segment, the position moves to the start of the next one, even if
    /// that one is not encoded yet. So when a segment is dropped, no follower that has been sent
    /// all of it is still in it.
    pub fn advance(&mut self, hub: &Hub, mut written: usize) {
        let log = &hub.topic(self.topic).log;
        for (number, segment) in log.segments_from(self.segment) {
            let Some(buffer) = segment.encoded(self.encoding.slot()) else { break };
            let left = buffer.bytes().len() - self.offset();
            self.offset += written.min(left) as u32;
            if written < left || !segment.is_encoded(self.encoding.slot()) || number == log.open_segment() {
                break;
            }
            (self.segment, self.offset) = (number + 1, 0);
            written -= left;
        }
    }

    /// Returns whether the follower has been sent every event.
    pub fn is_caught_up(&self, hub: &Hub) -> bool {
        let log = &hub.topic(self.topic).log;
        let Some(open) = log.segment(log.open_segment()) else { return true };
        let encoded = open.encoded(self.encoding.slot()).map(|buffer| buffer.bytes().len());
        self.segment == log.open_segment()
            && open.is_encoded(self.encoding.slot())
            && encoded == Some(self.offset())
    }
}

/// Returns a gap as the JSON object that event streams and WebSockets send.
pub fn gap_json(gap: &Gap) -> String {
    let mut out = b"{\"since\":".to_vec();
    json::write_string(&gap.since, &mut out);
    out.extend_from_slice(b",\"oldest\":");
    match gap.oldest {
        Some(oldest) => json::write_string(&oldest.to_string(), &mut out),
        None => out.extend_from_slice(b"null"),
    }
    out.push(b'}');
    String::from_utf8_lossy(&out).into_owned()
}

/// Appends an id: ASCII that needs no escaping in a URL, an entity tag, JSON or an event stream.
pub fn write_id(id: Id, out: &mut Vec<u8>) {
    out.extend_from_slice(id.epoch.as_bytes());
    out.push(b'-');
    fields::write_decimal(id.sequence, out);
}

fn write_json(event: &Event<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"id\":\"");
    write_id(event.id, out);
    out.extend_from_slice(b"\",\"event\":");
    json::write_string(event.name, out);
    out.extend_from_slice(b",\"data\":");
    json::write_string(event.data, out);
    out.push(b'}');
}

fn json_item(event: &Event<'_>, _: usize, out: &mut Vec<u8>) {
    write_json(event, out);
    out.push(b',');
}

fn event_stream(event: &Event<'_>, _: usize, out: &mut Vec<u8>) {
    sse::write_event(&event.id.to_string(), event.name, event.data, out);
}

fn event_stream_chunk(event: &Event<'_>, _: usize, out: &mut Vec<u8>) {
    http::chunk(out, |out| sse::write_event(&event.id.to_string(), event.name, event.data, out));
}

fn json_message(event: &Event<'_>, _: usize, out: &mut Vec<u8>) {
    frame::write_frame(Opcode::Text, &json_of(event), out);
}

fn json_message_in<const WINDOW_BITS: u8>(event: &Event<'_>, from: usize, out: &mut Vec<u8>) {
    compression::write_shared(WINDOW_BITS, from, &json_of(event), out);
}

/// Returns the JSON as a buffer: a frame's header depends on the length of its payload.
fn json_of(event: &Event<'_>) -> Vec<u8> {
    let mut payload = Vec::with_capacity(event.data.len() + 64);
    write_json(event, &mut payload);
    payload
}

fn text_message(event: &Event<'_>, _: usize, out: &mut Vec<u8>) {
    frame::write_frame(Opcode::Text, event.data.as_bytes(), out);
}

fn text_message_in<const WINDOW_BITS: u8>(event: &Event<'_>, from: usize, out: &mut Vec<u8>) {
    compression::write_shared(WINDOW_BITS, from, event.data.as_bytes(), out);
}

#[cfg(test)]
mod tests;
