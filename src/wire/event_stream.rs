//! Event streams, field by field (WHATWG HTML §9.2.5, §9.2.6).
//!
//! The client's decoder determines which events are dispatched: it reads every byte that is split.

use super::note::Note;
use super::span::{Kind, Span};
use super::splitter::{DATA_SPAN_BYTES, FieldSpec, Splitter};
use crate::protocol::rule::Section;
use crate::protocol::sse::{DecodeLimits, Decoder};

const GRAMMAR: Section = Section::html("9.2.5");
const MODEL: Section = Section::html("9.2.6");

/// The maximum length of a line, and of an event's data, for which the dispatched event is
/// reported, in bytes.
const LIMITS: DecodeLimits = DecodeLimits { line: 128 * 1024, data: 128 * 1024 };

const BYTE_ORDER_MARK: FieldSpec =
    FieldSpec::new("bom", Kind::Ignored, GRAMMAR, "A byte order mark at the start, which is ignored.");
const COLON: FieldSpec = FieldSpec::new("colon", Kind::Separator, GRAMMAR, "The colon ends the field name.");
const COMMENT_COLON: FieldSpec = FieldSpec::new(
    "comment",
    Kind::Ignored,
    GRAMMAR,
    "A line that begins with a colon is a comment; it only keeps the connection alive.",
);
const SPACE: FieldSpec =
    FieldSpec::new("space", Kind::Separator, GRAMMAR, "One space after the colon is not part of the value.");
const LINE_END: FieldSpec =
    FieldSpec::new("end-of-line", Kind::Separator, GRAMMAR, "The line ends with LF, CR or CRLF.");
const LF_AFTER_CR: FieldSpec = FieldSpec::new(
    "end-of-line",
    Kind::Separator,
    GRAMMAR,
    "This LF belongs to the line end that began with CR.",
);
const BLANK_LINE: FieldSpec = FieldSpec::new("end-of-line", Kind::Control, MODEL, "");

/// The fields of an event stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Data,
    Event,
    Id,
    Retry,
    Comment,
    Unknown,
}

impl Field {
    fn of(name: &[u8]) -> Self {
        match name {
            b"data" => Self::Data,
            b"event" => Self::Event,
            b"id" => Self::Id,
            b"retry" => Self::Retry,
            b"" => Self::Comment,
            _ => Self::Unknown,
        }
    }

    fn name_spec(self) -> FieldSpec {
        let (kind, meaning) = match self {
            Self::Data => (Kind::Name, "data: a line of the event's data follows."),
            Self::Event => (Kind::Name, "event: the event type follows; the default is message."),
            Self::Id => (Kind::Name, "id: the last event ID follows; a client sends it when it reconnects."),
            Self::Retry => (Kind::Name, "retry: the reconnection delay follows, in milliseconds."),
            Self::Comment | Self::Unknown => {
                (Kind::Ignored, "Not a field of an event stream: the line is ignored.")
            }
        };
        FieldSpec::new("field name", kind, MODEL, meaning)
    }

    fn value_spec(self) -> FieldSpec {
        let (kind, meaning) = match self {
            Self::Data => (Kind::Payload, "A line of the event's data; lines are joined with LF."),
            Self::Event => (Kind::Value, "The event type."),
            Self::Id => (Kind::Value, "The last event ID, from the next dispatch on."),
            Self::Retry => (Kind::Value, "The reconnection delay, in milliseconds."),
            Self::Comment => {
                return FieldSpec::new("comment", Kind::Ignored, GRAMMAR, "The text of the comment.");
            }
            Self::Unknown => (Kind::Ignored, "The value of an ignored field."),
        };
        FieldSpec::new("field value", kind, MODEL, meaning)
    }

    /// Returns why `byte` in the value makes a client ignore the field, if it does.
    fn ignored_because_of(self, byte: u8) -> Option<&'static str> {
        match self {
            Self::Id if byte == 0 => Some("An id that contains NUL is ignored."),
            Self::Retry if !byte.is_ascii_digit() => {
                Some("A retry that contains anything but digits is ignored.")
            }
            _ => None,
        }
    }
}

/// The position of the next byte.
#[derive(Clone, Copy, Debug)]
enum State {
    /// At the start of the stream.
    Start,
    /// At the start of a line, or in a field name.
    Name,
    /// After a colon.
    AfterColon(Field),
    /// In a value, of which this many bytes are split.
    Value(Field, usize),
}

/// An event stream whose end has not been reached.
#[derive(Debug)]
pub(super) struct EventStream {
    state: State,
    /// The start of the field name, long enough to tell it from other names.
    name: Vec<u8>,
    name_length: usize,
    /// True if the last byte was a CR: an LF that follows belongs to the same line end.
    after_cr: bool,
    /// `None` while the current event is longer than [`LIMITS`].
    decoder: Option<Decoder>,
    last_event_id: String,
}

impl Default for EventStream {
    fn default() -> Self {
        Self {
            state: State::Start,
            name: Vec::new(),
            name_length: 0,
            after_cr: false,
            decoder: Some(Decoder::new("", LIMITS)),
            last_event_id: String::new(),
        }
    }
}

impl EventStream {
    /// Returns the memory in bytes, on the heap as a whole.
    pub fn memory(&self) -> usize {
        let decoder = self.decoder.as_ref().map_or(0, Decoder::memory);
        size_of::<Self>() + self.name.capacity() + decoder + self.last_event_id.capacity()
    }

    /// Splits the next `available` bytes as far as their fields are complete. `is_last` means that
    /// the stream ends after them, or is interrupted by the framing of the body.
    pub fn advance(&mut self, splitter: &mut Splitter, available: usize, is_last: bool) {
        let end = splitter.offset() + available as u64;
        loop {
            let text = &splitter.rest()[..(end - splitter.offset()) as usize];
            if text.is_empty() {
                return;
            }
            if std::mem::take(&mut self.after_cr) && text[0] == b'\n' {
                self.emit(splitter, 1, LF_AFTER_CR);
                continue;
            }
            let has_advanced = match self.state {
                State::Start => self.start(splitter, text, is_last),
                State::Name => self.name(splitter, text, is_last),
                State::AfterColon(field) => {
                    if text[0] == b' ' {
                        let is_comment = field == Field::Comment;
                        self.emit(splitter, 1, if is_comment { field.value_spec() } else { SPACE });
                    }
                    self.state = State::Value(field, 0);
                    true
                }
                State::Value(field, done) => self.value(splitter, text, is_last, field, done),
            };
            if !has_advanced {
                return;
            }
        }
    }

    fn start(&mut self, splitter: &mut Splitter, text: &[u8], is_last: bool) -> bool {
        const BOM: &[u8] = b"\xef\xbb\xbf";
        if text.starts_with(BOM) {
            self.emit(splitter, BOM.len(), BYTE_ORDER_MARK);
        } else if BOM.starts_with(text) && !is_last {
            return false;
        }
        self.state = State::Name;
        true
    }

    fn name(&mut self, splitter: &mut Splitter, text: &[u8], is_last: bool) -> bool {
        const TOO_LONG: &[u8] = b"too long";
        let window = &text[..text.len().min(DATA_SPAN_BYTES)];
        let end = window.iter().position(|byte| matches!(byte, b':' | b'\r' | b'\n'));
        if end.is_none() && window.len() < DATA_SPAN_BYTES && !is_last {
            return false;
        }
        let part = &window[..end.unwrap_or(window.len())];
        self.name_length += part.len();
        self.name.extend_from_slice(&part[..part.len().min(TOO_LONG.len())]);
        if self.name_length > TOO_LONG.len() {
            self.name = TOO_LONG.to_vec();
        }
        let field = Field::of(&self.name);
        if !part.is_empty() {
            let span = self.emit(splitter, part.len(), field.name_spec());
            if end.is_none() {
                span.meaning = "A part of a field name.".into();
            }
        }
        let Some(end) = end else { return true };
        let is_blank = self.name_length == 0;
        if text[end] == b':' {
            self.emit(splitter, 1, if is_blank { COMMENT_COLON } else { COLON });
            self.begin(State::AfterColon(field));
            return true;
        }
        if is_blank {
            return self.line_end(splitter, &text[end..], is_last, BLANK_LINE);
        }
        self.begin(State::Value(field, 0));
        true
    }

    fn begin(&mut self, state: State) {
        self.name.clear();
        self.name_length = 0;
        self.state = state;
    }

    fn value(
        &mut self,
        splitter: &mut Splitter,
        text: &[u8],
        is_last: bool,
        field: Field,
        done: usize,
    ) -> bool {
        let full = DATA_SPAN_BYTES - done % DATA_SPAN_BYTES;
        let window = &text[..text.len().min(full)];
        let end = window.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
        if end.is_none() && window.len() < full && !is_last {
            return false;
        }
        let mut rest = &window[..end.unwrap_or(window.len())];
        if rest.is_empty() {
            return self.line_end(splitter, text, is_last, LINE_END);
        }
        self.state = State::Value(field, done + rest.len());
        while let Some(first) = rest.first() {
            let ignored = field.ignored_because_of(*first);
            let length =
                rest.iter().position(|byte| field.ignored_because_of(*byte) != ignored).unwrap_or(rest.len());
            let span = self.emit(splitter, length, field.value_spec());
            if let Some(meaning) = ignored {
                span.meaning = meaning.into();
                span.kind = Kind::Ignored;
            }
            rest = &rest[length..];
        }
        true
    }

    /// Splits a line end, if it is complete.
    fn line_end(&mut self, splitter: &mut Splitter, text: &[u8], is_last: bool, spec: FieldSpec) -> bool {
        let length = match text {
            [b'\r', b'\n', ..] => 2,
            [b'\r'] if !is_last => return false,
            [b'\r'] => {
                self.after_cr = true;
                1
            }
            _ => 1,
        };
        let is_blank = spec.kind == Kind::Control;
        let has_decoder = self.decoder.is_some();
        let span = self.emit(splitter, length, spec);
        if is_blank {
            span.meaning = match (has_decoder, span.notes.is_empty()) {
                (true, false) => "The blank line dispatches the event.",
                (true, true) => "A blank line without data before it dispatches no event.",
                (false, _) => {
                    "The blank line dispatches an event longer than the 128 KiB that the view keeps."
                }
            }
            .into();
            self.decoder.get_or_insert_with(|| Decoder::new(&self.last_event_id, LIMITS));
        }
        self.begin(State::Name);
        true
    }

    /// Emits the next `length` bytes and passes them to the decoder.
    fn emit<'s>(&mut self, splitter: &'s mut Splitter, length: usize, spec: FieldSpec) -> &'s mut Span {
        let mut bytes = &splitter.rest()[..length];
        let span = splitter.emit(length, spec);
        while let (Some(decoder), false) = (&mut self.decoder, bytes.is_empty()) {
            match decoder.read(bytes) {
                Ok((taken, event)) => {
                    bytes = &bytes[taken..];
                    span.notes.extend(event.map(|event| Note::Event {
                        id: event.id,
                        event: event.event,
                        data: event.data,
                    }));
                    if self.last_event_id != decoder.last_event_id() {
                        decoder.last_event_id().clone_into(&mut self.last_event_id);
                    }
                }
                Err(error) => {
                    self.decoder = None;
                    span.notes.push(Note::Remark(error.to_string().into()));
                }
            }
        }
        span
    }
}
