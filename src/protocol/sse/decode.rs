//! Decoding an event stream as a browser does (WHATWG HTML §9.2.6), from bytes split anywhere.

use std::fmt;
use std::mem;

/// The limits for a stream. A browser has none, but a client of unknown servers needs them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeLimits {
    /// The maximum length of a line in bytes, without its line end.
    pub line: usize,
    /// The maximum length of the data of an event in bytes, with a line feed after each line.
    pub data: usize,
}

impl Default for DecodeLimits {
    fn default() -> Self {
        Self { line: 1024 * 1024, data: 1024 * 1024 }
    }
}

/// A dispatched event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The last event ID at the dispatch; empty if the stream has not set one.
    pub id: String,
    /// The event type; `message` by default.
    pub event: String,
    /// The data, with lines joined by line feeds.
    pub data: String,
}

/// A limit that a stream exceeds. Every other stream is valid: unknown fields, unusual values and
/// invalid UTF-8 all have a defined meaning (§9.2.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// A line is longer than [`DecodeLimits::line`].
    LineTooLong,
    /// An event has more data than [`DecodeLimits::data`].
    DataTooLarge,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LineTooLong => {
                "A line of the event stream exceeds the limit of this client (WHATWG HTML §9.2.5)."
            }
            Self::DataTooLarge => {
                "The data of an event exceeds the limit of this client (WHATWG HTML §9.2.6)."
            }
        })
    }
}

impl std::error::Error for DecodeError {}

/// A decoder for the events of one stream. After a reconnect, the caller creates a new decoder with
/// the [`last_event_id`](Self::last_event_id) of the old one.
///
/// At the end of the stream the caller drops the decoder: an incomplete block is discarded
/// (§9.2.6).
#[derive(Debug)]
pub struct Decoder {
    limits: DecodeLimits,
    /// The received part of the current line.
    line: Vec<u8>,
    line_end: LineEnd,
    /// The data buffer, the event type buffer and the last event ID buffer of §9.2.6.
    data: String,
    event_type: String,
    id: String,
    /// The last event ID string of the event source, which a dispatch sets to `id`.
    last_event_id: String,
    retry: Option<u64>,
    /// Whether the data and the event type belong to the last returned event and must be cleared.
    is_dispatched: bool,
}

/// The result of a block, borrowed until the next call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block<'a> {
    /// A dispatched event, with the fields of [`Event`].
    Event {
        /// The last event ID at the dispatch; empty if the stream has not set one.
        id: &'a str,
        /// The event type; `message` by default.
        event: &'a str,
        /// The data, with lines joined by line feeds.
        data: &'a str,
    },
    /// A new last event ID. The block has no data, so no event is dispatched.
    Id(&'a str),
}

/// The end of a block that has a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BlockEnd {
    Event,
    Id,
}

/// The event type of an event without one (§9.2.6).
const MESSAGE: &str = "message";

/// The meaning of the previous byte for the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LineEnd {
    /// No byte has arrived: the first line may start with a byte order mark.
    Start,
    /// The previous byte is a CR and ended its line: an LF now belongs to the same line end.
    Cr,
    /// The previous byte is any other.
    Other,
}

impl Decoder {
    /// Returns a decoder for a stream that was requested with `last_event_id`, which may be empty.
    pub fn new(last_event_id: &str, limits: DecodeLimits) -> Self {
        Self {
            limits,
            line: Vec::new(),
            line_end: LineEnd::Start,
            data: String::new(),
            event_type: String::new(),
            id: last_event_id.to_owned(),
            last_event_id: last_event_id.to_owned(),
            retry: None,
            is_dispatched: false,
        }
    }

    /// Returns the heap memory in bytes.
    pub fn memory(&self) -> usize {
        let ids = self.id.capacity() + self.last_event_id.capacity();
        self.line.capacity() + self.data.capacity() + self.event_type.capacity() + ids
    }

    /// Returns the value of `Last-Event-ID` for a reconnect; empty for none. A block without data
    /// can set it too.
    pub fn last_event_id(&self) -> &str {
        &self.last_event_id
    }

    /// Returns the reconnection time in milliseconds, if the stream has set one.
    pub fn retry(&self) -> Option<u64> {
        self.retry
    }

    /// Decodes `input` up to the end of the next event.
    ///
    /// Returns the number of bytes consumed and the event. Without an event, all of `input` is
    /// consumed and more bytes are needed.
    ///
    /// # Errors
    /// [`DecodeError`] if the stream exceeds a limit. The decoder must not be used after an error.
    pub fn read(&mut self, input: &[u8]) -> Result<(usize, Option<Event>), DecodeError> {
        let mut consumed = 0;
        loop {
            let (length, block) = self.read_block(&input[consumed..])?;
            consumed += length;
            match block {
                Some(Block::Event { id, event, data }) => {
                    let event = Event { id: id.to_owned(), event: event.to_owned(), data: data.to_owned() };
                    return Ok((consumed, Some(event)));
                }
                Some(Block::Id(_)) => {}
                None => return Ok((consumed, None)),
            }
        }
    }

    /// Decodes `input` as [`read`](Self::read) does, but copies nothing, and also returns the
    /// blocks that only set the last event ID.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_block(&mut self, input: &[u8]) -> Result<(usize, Option<Block<'_>>), DecodeError> {
        let (consumed, end) = self.advance(input)?;
        let id = &*self.last_event_id;
        let block = match end {
            None => return Ok((consumed, None)),
            Some(BlockEnd::Id) => Block::Id(id),
            Some(BlockEnd::Event) if self.event_type.is_empty() => {
                Block::Event { id, event: MESSAGE, data: &self.data }
            }
            Some(BlockEnd::Event) => Block::Event { id, event: &self.event_type, data: &self.data },
        };
        Ok((consumed, Some(block)))
    }

    fn advance(&mut self, input: &[u8]) -> Result<(usize, Option<BlockEnd>), DecodeError> {
        if mem::take(&mut self.is_dispatched) {
            self.data.clear();
            self.event_type.clear();
        }
        let mut rest = input;
        while let [first, tail @ ..] = rest {
            if *first == b'\n' && self.line_end == LineEnd::Cr {
                self.line_end = LineEnd::Other;
                rest = tail;
                continue;
            }
            let end = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
            let text = &rest[..end.unwrap_or(rest.len())];
            if text.len() > self.limits.line - self.line.len() {
                return Err(DecodeError::LineTooLong);
            }
            self.line.extend_from_slice(text);
            let Some(end) = end else {
                if self.line_end == LineEnd::Cr {
                    self.line_end = LineEnd::Other;
                }
                return Ok((input.len(), None));
            };
            let block = self.process_line()?;
            self.line_end = if rest[end] == b'\r' { LineEnd::Cr } else { LineEnd::Other };
            rest = &rest[end + 1..];
            if block.is_some() {
                return Ok((input.len() - rest.len(), block));
            }
        }
        Ok((input.len(), None))
    }

    /// Processes the complete line and clears it.
    fn process_line(&mut self) -> Result<Option<BlockEnd>, DecodeError> {
        let mut buffer = mem::take(&mut self.line);
        let mut line = &buffer[..];
        if self.line_end == LineEnd::Start {
            line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        }
        let block = if line.is_empty() {
            self.dispatch()
        } else {
            self.process_field(line)?;
            None
        };
        // The next line reuses the allocation.
        buffer.clear();
        self.line = buffer;
        Ok(block)
    }

    /// Processes a field. A comment is a field with an empty name.
    ///
    /// The standard decodes the whole stream as UTF-8. Decoding each value separately is
    /// equivalent: the bytes between values are ASCII and also end an invalid sequence.
    fn process_field(&mut self, line: &[u8]) -> Result<(), DecodeError> {
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let (name, value) = line.split_at(colon);
        let value = value.strip_prefix(b":").unwrap_or(value);
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match name {
            b"data" => {
                let value = String::from_utf8_lossy(value);
                if value.len() + 1 > self.limits.data - self.data.len() {
                    return Err(DecodeError::DataTooLarge);
                }
                self.data.push_str(&value);
                self.data.push('\n');
            }
            b"event" => self.event_type = String::from_utf8_lossy(value).into_owned(),
            b"id" if !value.contains(&0) => self.id = String::from_utf8_lossy(value).into_owned(),
            b"retry" if value.iter().all(u8::is_ascii_digit) => {
                // An empty value and one beyond 64 bits do not parse and leave the time unchanged.
                let digits = str::from_utf8(value).unwrap_or_default();
                self.retry = digits.parse().ok().or(self.retry);
            }
            // Other names are ignored, including the empty name of a comment.
            _ => {}
        }
        Ok(())
    }

    /// Dispatches the block that a blank line ends.
    fn dispatch(&mut self) -> Option<BlockEnd> {
        let is_new_id = self.last_event_id != self.id;
        if is_new_id {
            self.last_event_id.clone_from(&self.id);
        }
        // The line feed after the last line is not data. Without it, the block has no data field.
        if self.data.pop().is_none() {
            self.event_type.clear();
            return is_new_id.then_some(BlockEnd::Id);
        }
        self.is_dispatched = true;
        Some(BlockEnd::Event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(stream: &[u8], decoder: &mut Decoder) -> Result<Vec<Event>, DecodeError> {
        let mut events = Vec::new();
        let mut rest = stream;
        while !rest.is_empty() {
            let (consumed, event) = decoder.read(rest)?;
            rest = &rest[consumed..];
            events.extend(event);
        }
        Ok(events)
    }

    #[test]
    fn a_block_without_data_sets_the_id_and_dispatches_nothing() {
        let mut decoder = Decoder::new("", DecodeLimits::default());
        assert_eq!(events(b"retry: 2000\nid: x-1\n", &mut decoder), Ok(vec![]));
        assert_eq!((decoder.last_event_id(), decoder.retry()), ("", Some(2000)));
        assert_eq!(events(b"\n", &mut decoder), Ok(vec![]));
        assert_eq!(decoder.last_event_id(), "x-1");
    }

    #[test]
    fn read_block_returns_events_and_ids() {
        let mut decoder = Decoder::new("", DecodeLimits::default());
        let mut rest = &b"id: 1\n\ndata: a\n\nevent: b\ndata\nid: 2\n\nevent: c\nid: 2\n\ndata: d\n\n"[..];
        let mut blocks = Vec::new();
        while let (consumed, Some(block)) = decoder.read_block(rest).unwrap() {
            blocks.push(match block {
                Block::Event { id, event, data } => format!("{id} {event} {data}"),
                Block::Id(id) => id.to_owned(),
            });
            rest = &rest[consumed..];
        }
        assert_eq!(blocks, ["1", "1 message a", "2 b ", "2 message d"]);
    }

    #[test]
    fn an_id_applies_until_the_next_one() {
        let mut decoder = Decoder::new("x-0", DecodeLimits::default());
        let ids = |events: Vec<Event>| events.into_iter().map(|event| event.id).collect::<Vec<_>>();
        let dispatched =
            events(b"data\n\nid: x-1\ndata\n\ndata\n\nid: a\0b\ndata\n\nid\ndata\n\n", &mut decoder);
        assert_eq!(dispatched.map(ids), Ok(["x-0", "x-1", "x-1", "x-1", ""].map(str::to_owned).to_vec()));
    }

    #[test]
    fn a_reconnection_time_consists_of_digits() {
        for (value, retry) in
            [("1", 1), ("", 7), ("-1", 7), ("1.5", 7), ("99999999999999999999", 7), (" 2", 7)]
        {
            let mut decoder = Decoder::new("", DecodeLimits::default());
            let stream = format!("retry:7\nretry: {value}\n");
            assert_eq!(events(stream.as_bytes(), &mut decoder), Ok(vec![]));
            assert_eq!(decoder.retry(), Some(retry), "{value:?}");
        }
    }

    #[test]
    fn accepts_a_length_at_each_limit_and_rejects_the_next() {
        let stream = b"data:abc\ndata:d\n\n";
        let exact = DecodeLimits { line: 8, data: 6 };
        let decode = |limits| events(stream, &mut Decoder::new("", limits)).map(|events| events.len());
        assert_eq!(decode(exact), Ok(1));
        assert_eq!(decode(DecodeLimits { line: 7, ..exact }), Err(DecodeError::LineTooLong));
        assert_eq!(decode(DecodeLimits { data: 5, ..exact }), Err(DecodeError::DataTooLarge));
    }
}
