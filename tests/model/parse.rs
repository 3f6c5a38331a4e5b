//! Parses the data of an open stream, strictly: event streams and WebSocket frames.

use serde_json::Value;

use crate::wire::{Connection, find};

/// An event as a follower received it. Bare data has neither an id nor a name.
#[derive(Debug)]
pub struct ReceivedEvent {
    pub id: Option<String>,
    pub event: Option<String>,
    pub data: String,
}

/// An item of a stream.
#[derive(Debug)]
pub enum Item {
    /// The cursor at which the stream starts, and the gap before it.
    Start {
        next: String,
        gap: Option<(String, Option<String>)>,
    },
    Event(ReceivedEvent),
    /// A reconnect delay, from a server that stops or is overloaded.
    Retry,
    Pong,
    /// The stream's orderly end: the last chunk, or a close frame with its code.
    End(Option<u16>),
}

/// The encoding of a stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// An event stream in chunks.
    Chunks,
    /// An event stream that ends with the connection.
    Plain,
    /// WebSocket messages of JSON.
    Json,
    /// WebSocket messages of bare data.
    Text,
}

/// The parser of one stream.
pub struct Parser {
    form: Form,
    /// The content of the chunks.
    text: Vec<u8>,
    ended: bool,
}

impl Parser {
    pub fn new(form: Form) -> Parser {
        Parser { form, text: Vec::new(), ended: false }
    }

    /// Returns the next item, if all of it has arrived.
    pub fn next(&mut self, connection: &mut Connection) -> Option<Item> {
        if self.ended {
            assert!(connection.buffer.is_empty(), "data after the end");
            return None;
        }
        let item = match self.form {
            Form::Chunks => self.chunks(connection),
            Form::Plain => {
                self.text.append(&mut connection.buffer);
                let item = self.block();
                item.or(connection.ended.then_some(Item::End(None)))
            }
            Form::Json | Form::Text => self.frame(&mut connection.buffer),
        };
        self.ended |= matches!(item, Some(Item::End(_)));
        item
    }

    fn chunks(&mut self, connection: &mut Connection) -> Option<Item> {
        loop {
            if let Some(item) = self.block() {
                return Some(item);
            }
            let buffer = &mut connection.buffer;
            let line = find(&buffer[..buffer.len().min(32)], b"\r\n")?;
            let digits = str::from_utf8(&buffer[..line]).expect("a chunk's length is ASCII");
            let length = usize::from_str_radix(digits, 16).expect("a chunk's length is hexadecimal");
            let end = line + 2 + length;
            let chunk_end = buffer.get(end..end + 2)?;
            assert_eq!(chunk_end, b"\r\n", "a chunk ends with CRLF");
            self.text.extend_from_slice(&buffer[line + 2..end]);
            buffer.drain(..end + 2);
            if length == 0 {
                assert!(self.text.is_empty(), "the stream ends within an event");
                return Some(Item::End(None));
            }
        }
    }

    /// Returns a block of fields up to its blank line. Skips blocks of only comments.
    fn block(&mut self) -> Option<Item> {
        loop {
            let end = find(&self.text, b"\n\n")?;
            let block: Vec<u8> = self.text.drain(..end + 2).collect();
            let block = String::from_utf8(block).expect("an event stream is UTF-8");
            let (mut id, mut event, mut retry) = (None, None, false);
            let mut data: Vec<&str> = Vec::new();
            for line in block.lines() {
                match line.split_once(": ") {
                    Some(("id", value)) => id = Some(value.to_owned()),
                    Some(("event", value)) => event = Some(value.to_owned()),
                    Some(("data", value)) => data.push(value),
                    Some(("retry", value)) => retry = value.parse::<u32>().is_ok(),
                    _ => assert!(line.is_empty() || line == ":", "unexpected line {line:?}"),
                }
            }
            match (retry, id) {
                (true, None) => return Some(Item::Retry),
                (true, Some(next)) => {
                    let gap = data.first().map(|data| {
                        assert_eq!(event.as_deref(), Some("gap"));
                        gap(&serde_json::from_str(data).expect("a gap is JSON"))
                    });
                    return Some(Item::Start { next, gap });
                }
                (false, Some(id)) => {
                    let event = Some(event.unwrap_or_else(|| "message".to_owned()));
                    return Some(Item::Event(ReceivedEvent { id: Some(id), event, data: data.join("\n") }));
                }
                (false, None) => assert_eq!(block.trim_end(), ":", "a block without an id has only comments"),
            }
        }
    }

    fn frame(&mut self, buffer: &mut Vec<u8>) -> Option<Item> {
        let [first, second, ..] = buffer[..] else { return None };
        let (header, length) = match second {
            0..=125 => (2, usize::from(second)),
            126 => (4, usize::from(u16::from_be_bytes(buffer.get(2..4)?.try_into().ok()?))),
            127 => (10, u64::from_be_bytes(buffer.get(2..10)?.try_into().ok()?) as usize),
            _ => panic!("a server's frame is not masked (RFC 6455 §5.1)"),
        };
        assert!(length < 1 << 20, "a frame of {length} bytes: the parser is out of step");
        let payload = buffer.get(header..header + length)?.to_vec();
        buffer.drain(..header + length);
        let text = || String::from_utf8(payload.clone()).expect("a text message is UTF-8");
        Some(match (first, self.form) {
            (0x81, Form::Text) => Item::Event(ReceivedEvent { id: None, event: None, data: text() }),
            (0x81, _) => {
                let value: Value = serde_json::from_slice(&payload).expect("a message is JSON");
                match value.get("next") {
                    Some(next) => Item::Start { next: string(next), gap: value.get("gap").map(gap) },
                    None => Item::Event(event(&value)),
                }
            }
            (0x8a, _) => Item::Pong,
            (0x88, _) => Item::End(payload.first_chunk().map(|code| u16::from_be_bytes(*code))),
            _ => panic!("a frame that begins with {first:#04x}"),
        })
    }
}

fn string(value: &Value) -> String {
    value.as_str().expect("a string").to_owned()
}

/// Parses an event from its JSON, which has exactly three members.
pub fn event(value: &Value) -> ReceivedEvent {
    assert_eq!(value.as_object().map(|members| members.len()), Some(3), "{value}");
    ReceivedEvent {
        id: Some(string(&value["id"])),
        event: Some(string(&value["event"])),
        data: string(&value["data"]),
    }
}

fn gap(value: &Value) -> (String, Option<String>) {
    (string(&value["since"]), value["oldest"].as_str().map(str::to_owned))
}

/// Encodes a client's masked frame (RFC 6455 §5.3).
pub fn masked_frame(first: u8, payload: &[u8], out: &mut Vec<u8>) {
    const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
    out.push(first);
    match payload.len() {
        length @ 0..=125 => out.push(0x80 | length as u8),
        length @ 126..=0xffff => {
            out.push(0x80 | 126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&KEY);
    out.extend(payload.iter().zip(KEY.iter().cycle()).map(|(byte, key)| byte ^ key));
}
