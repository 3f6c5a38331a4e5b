//! Reads an event stream as a browser does (WHATWG HTML §9.2.6), in any pieces.

use std::fmt;
use std::mem;

/// What a stream may cost. A browser has no such limits; what reads from strangers has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeLimits {
    /// Bytes of a line, without its end.
    pub line: usize,
    /// Bytes of an event's data, with a line feed behind each line.
    pub data: usize,
}

impl Default for DecodeLimits {
    fn default() -> Self {
        Self { line: 1024 * 1024, data: 1024 * 1024 }
    }
}

/// An event that was dispatched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The last event ID at its dispatch; empty if there was none yet.
    pub id: String,
    /// Its type; `message` if it had none.
    pub event: String,
    /// Its data, lines joined with line feeds.
    pub data: String,
}

/// A stream beyond its limits: the one thing that can be wrong with one. Unknown fields, odd values and bad
/// UTF-8 are all read as something (§9.2.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// A line is longer than its limit.
    LineTooLong,
    /// An event has more data than its limit.
    DataTooLarge,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LineTooLong => {
                "A line of the event stream is longer than what is read here (WHATWG HTML §9.2.5)."
            }
            Self::DataTooLarge => "An event has more data than what is read here (WHATWG HTML §9.2.6).",
        })
    }
}

impl std::error::Error for DecodeError {}

/// Turns the bytes of one stream into its events. Make a new one for each connection, and carry
/// [`last_event_id`](Self::last_event_id) over to it.
///
/// At the end of the stream just drop it: a block without its blank line is discarded (§9.2.6).
#[derive(Debug)]
pub struct Decoder {
    limits: DecodeLimits,
    /// The line so far.
    line: Vec<u8>,
    line_end: LineEnd,
    /// The three buffers of §9.2.6.
    data: String,
    event_type: String,
    id: String,
    /// The last event ID string of the event source; the buffer above becomes it at a dispatch.
    last_event_id: String,
    retry: Option<u64>,
    /// The data and the type are those of the last call's event, and no longer needed.
    is_dispatched: bool,
}

/// What the end of a block brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BlockEnd {
    Event,
    Id,
}

/// What a block brings, borrowed until the next call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block<'a> {
    /// An event, as [`Event`] has it.
    Event {
        /// The last event ID at its dispatch; empty if there was none yet.
        id: &'a str,
        /// Its type; `message` if it had none.
        event: &'a str,
        /// Its data, lines joined with line feeds.
        data: &'a str,
    },
    /// No event, for it had no data; yet from here on this is the last event ID.
    Id(&'a str),
}

/// The type of an event that has none (§9.2.6).
const MESSAGE: &str = "message";

/// What the byte before this one means for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LineEnd {
    /// No byte yet: the first line may begin with a byte order mark.
    Start,
    /// It was a CR, which has ended its line: an LF now belongs to it.
    Cr,
    /// Any other.
    Other,
}

impl Decoder {
    /// A decoder for a stream that was asked for with `last_event_id`, which may be empty.
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

    /// What a reconnect says in `Last-Event-ID`; empty for none. Also a block without data sets it.
    pub fn last_event_id(&self) -> &str {
        &self.last_event_id
    }

    /// The reconnection time in milliseconds, once the stream has said one.
    pub fn retry(&self) -> Option<u64> {
        self.retry
    }

    /// Reads from `input` up to the end of the next event.
    ///
    /// Returns how many bytes it took and the event; without an event it took all, and needs more.
    ///
    /// # Errors
    /// [`DecodeError`], final, if the stream is beyond its limits.
    pub fn read(&mut self, input: &[u8]) -> Result<(usize, Option<Event>), DecodeError> {
        let mut taken = 0;
        loop {
            let (length, end) = self.advance(&input[taken..])?;
            taken += length;
            match end {
                Some(BlockEnd::Event) => break,
                Some(BlockEnd::Id) => {}
                None => return Ok((taken, None)),
            }
        }
        let event = mem::take(&mut self.event_type);
        let event = if event.is_empty() { MESSAGE.to_owned() } else { event };
        let data = mem::take(&mut self.data);
        Ok((taken, Some(Event { id: self.last_event_id.clone(), event, data })))
    }

    /// The same without a copy, and with the blocks that only set the last event ID.
    ///
    /// # Errors
    /// As those of [`read`](Self::read).
    pub fn read_block(&mut self, input: &[u8]) -> Result<(usize, Option<Block<'_>>), DecodeError> {
        let (taken, end) = self.advance(input)?;
        let id = &*self.last_event_id;
        let block = match end {
            None => return Ok((taken, None)),
            Some(BlockEnd::Id) => Block::Id(id),
            Some(BlockEnd::Event) if self.event_type.is_empty() => {
                Block::Event { id, event: MESSAGE, data: &self.data }
            }
            Some(BlockEnd::Event) => Block::Event { id, event: &self.event_type, data: &self.data },
        };
        Ok((taken, Some(block)))
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
            let block = self.line()?;
            self.line_end = if rest[end] == b'\r' { LineEnd::Cr } else { LineEnd::Other };
            rest = &rest[end + 1..];
            if block.is_some() {
                return Ok((input.len() - rest.len(), block));
            }
        }
        Ok((input.len(), None))
    }

    /// Processes the line that is complete, and leaves it empty.
    fn line(&mut self) -> Result<Option<BlockEnd>, DecodeError> {
        let mut buffer = mem::take(&mut self.line);
        let mut line = &buffer[..];
        if self.line_end == LineEnd::Start {
            line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        }
        let block = if line.is_empty() {
            self.dispatch()
        } else {
            self.field(line)?;
            None
        };
        // Its room serves the next line.
        buffer.clear();
        self.line = buffer;
        Ok(block)
    }

    /// Processes a field; a comment is one without a name.
    ///
    /// The stream is to be decoded as UTF-8 as a whole. That is the same as value by value: the bytes
    /// that part them are ASCII, and end a bad sequence too.
    fn field(&mut self, line: &[u8]) -> Result<(), DecodeError> {
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
                // Digits are ASCII. None at all, or more than 64 bits, is no time: it is left as it was.
                let digits = str::from_utf8(value).unwrap_or_default();
                self.retry = digits.parse().ok().or(self.retry);
            }
            // Other names are ignored, as the empty one of a comment.
            _ => {}
        }
        Ok(())
    }

    /// Dispatches the block that a blank line ends.
    fn dispatch(&mut self) -> Option<BlockEnd> {
        let is_other = self.last_event_id != self.id;
        if is_other {
            self.last_event_id.clone_from(&self.id);
        }
        // The line feed behind the last line is no part of the data. Without one there was no data field.
        if self.data.pop().is_none() {
            self.event_type.clear();
            return is_other.then_some(BlockEnd::Id);
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
            let (taken, event) = decoder.read(rest)?;
            rest = &rest[taken..];
            events.extend(event);
        }
        Ok(events)
    }

    #[test]
    fn a_block_without_data_is_remembered_and_dispatches_nothing() {
        let mut decoder = Decoder::new("", DecodeLimits::default());
        assert_eq!(events(b"retry: 2000\nid: x-1\n", &mut decoder), Ok(vec![]));
        assert_eq!((decoder.last_event_id(), decoder.retry()), ("", Some(2000)));
        assert_eq!(events(b"\n", &mut decoder), Ok(vec![]));
        assert_eq!(decoder.last_event_id(), "x-1");
    }

    #[test]
    fn blocks_are_borrowed_events_and_ids() {
        let mut decoder = Decoder::new("", DecodeLimits::default());
        let mut rest = &b"id: 1\n\ndata: a\n\nevent: b\ndata\nid: 2\n\nevent: c\nid: 2\n\ndata: d\n\n"[..];
        let mut told = Vec::new();
        while let (taken, Some(block)) = decoder.read_block(rest).unwrap() {
            told.push(match block {
                Block::Event { id, event, data } => format!("{id} {event} {data}"),
                Block::Id(id) => id.to_owned(),
            });
            rest = &rest[taken..];
        }
        assert_eq!(told, ["1", "1 message a", "2 b ", "2 message d"]);
    }

    #[test]
    fn an_id_lasts_until_the_next_one() {
        let mut decoder = Decoder::new("x-0", DecodeLimits::default());
        let ids = |events: Vec<Event>| events.into_iter().map(|event| event.id).collect::<Vec<_>>();
        let dispatched =
            events(b"data\n\nid: x-1\ndata\n\ndata\n\nid: a\0b\ndata\n\nid\ndata\n\n", &mut decoder);
        assert_eq!(dispatched.map(ids), Ok(["x-0", "x-1", "x-1", "x-1", ""].map(str::to_owned).to_vec()));
    }

    #[test]
    fn only_digits_are_a_reconnection_time() {
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
    fn each_limit_is_the_last_length_that_passes() {
        let stream = b"data:abc\ndata:d\n\n";
        let exact = DecodeLimits { line: 8, data: 6 };
        let run = |limits| events(stream, &mut Decoder::new("", limits)).map(|events| events.len());
        assert_eq!(run(exact), Ok(1));
        assert_eq!(run(DecodeLimits { line: 7, ..exact }), Err(DecodeError::LineTooLong));
        assert_eq!(run(DecodeLimits { data: 5, ..exact }), Err(DecodeError::DataTooLarge));
    }
}
