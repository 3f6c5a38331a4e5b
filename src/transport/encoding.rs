//! The encodings of an event: what each kind of follower is sent, made once per event for all of them.

use super::compression;
use crate::hub::{Encoder, Event};
use crate::protocol::http;
use crate::protocol::websocket::frame::{self, Opcode};
use crate::protocol::{json, sse};

/// In which bytes a follower gets its events.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Encoding {
    /// Items of a JSON list, each with a comma behind it: a slice of them less its last byte is a list.
    JsonItems,
    /// The event stream, each event one chunk (HTTP/1.1).
    EventStreamChunks,
    /// The event stream as it is, delimited by the connection's end (HTTP/1.0).
    EventStream,
    /// A WebSocket text message for each event, of the same JSON as in the polls.
    JsonMessages,
    /// A WebSocket text message for each event, of its data and nothing else.
    TextMessages,
    /// The messages of [`Encoding::JsonMessages`], compressed in a window of 15 bits where that gains.
    JsonMessagesIn15Bits,
    /// The same in a window of 9 bits.
    JsonMessagesIn9Bits,
    /// The messages of [`Encoding::TextMessages`], compressed in a window of 15 bits where that gains.
    TextMessagesIn15Bits,
    /// The same in a window of 9 bits.
    TextMessagesIn9Bits,
}

impl Encoding {
    /// The encoding as the hub's logs use it. Messages of fewer than `compress_from` bytes are never compressed.
    pub fn encoder(self, compress_from: usize) -> Encoder {
        let encode = match self {
            Encoding::JsonItems => json_item,
            Encoding::EventStreamChunks => event_stream_chunk,
            Encoding::EventStream => event_stream,
            Encoding::JsonMessages => json_message,
            Encoding::TextMessages => text_message,
            Encoding::JsonMessagesIn15Bits => json_message_in::<15>,
            Encoding::JsonMessagesIn9Bits => json_message_in::<9>,
            Encoding::TextMessagesIn15Bits => text_message_in::<15>,
            Encoding::TextMessagesIn9Bits => text_message_in::<9>,
        };
        Encoder { slot: self.slot(), parameter: compress_from, encode }
    }

    /// Its run's place in a segment.
    pub fn slot(self) -> usize {
        self as usize
    }
}

fn write_json(event: &Event<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"id\":\"");
    event.id.write(out);
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
    http::chunk(out, |out| event_stream(event, 0, out));
}

fn json_message(event: &Event<'_>, _: usize, out: &mut Vec<u8>) {
    frame::write_frame(Opcode::Text, &json_of(event), out);
}

fn json_message_in<const WINDOW_BITS: u8>(event: &Event<'_>, from: usize, out: &mut Vec<u8>) {
    compression::write_shared(WINDOW_BITS, from, &json_of(event), out);
}

/// A frame's header depends on the payload's length, so the payload is written first; once per event, for all.
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
mod tests {
    use super::Encoding;
    use crate::hub::{Epoch, Event, Id};

    fn encoded(encoding: Encoding) -> Vec<u8> {
        let id = Id { epoch: Epoch::from_random(0), sequence: 12 };
        let mut out = Vec::new();
        let encoder = encoding.encoder(0);
        let event = Event { id, name: "greeting", data: "a \"b\"\nc" };
        (encoder.encode)(&event, encoder.parameter, &mut out);
        out
    }

    #[test]
    fn one_event_in_the_encodings_that_compress_nothing() {
        let json = br#"{"id":"00000000-12","event":"greeting","data":"a \"b\"\nc"}"#;
        assert_eq!(encoded(Encoding::JsonItems), [json, &b","[..]].concat());
        assert_eq!(encoded(Encoding::JsonMessages), [&[0x81, json.len() as u8], &json[..]].concat());
        assert_eq!(encoded(Encoding::TextMessages), b"\x81\x07a \"b\"\nc");
        let stream = b"id: 00000000-12\nevent: greeting\ndata: a \"b\"\ndata: c\n\n";
        assert_eq!(encoded(Encoding::EventStream), stream);
        assert_eq!(encoded(Encoding::EventStreamChunks), [b"35\r\n", &stream[..], b"\r\n"].concat());
        assert_eq!(stream.len(), 0x35);
    }
}
