//! Event streams, field by field (WHATWG HTML §9.2.5, §9.2.6).
//!
//! Which events come out of them says the decoder, the same that everything else here reads streams with: it is given each
//! byte that is cut.

use super::body::DATA_SPAN_BYTES;
use super::note::Note;
use super::span::{Kind, Span};
use super::splitter::{FieldSpec, Splitter};
use crate::protocol::rule::Section;
use crate::protocol::sse::{DecodeLimits, Decoder};

const GRAMMAR: Section = Section::html("9.2.5");
const MODEL: Section = Section::html("9.2.6");

/// How long a line, and the data of an event, may be for the view to tell what is dispatched.
const LIMITS: DecodeLimits = DecodeLimits { line: 128 * 1024, data: 128 * 1024 };

const MARK: FieldSpec =
    FieldSpec::new("bom", Kind::Ignored, GRAMMAR, "A byte order mark at the very start is passed over.");
const COLON: FieldSpec =
    FieldSpec::new("colon", Kind::Separator, GRAMMAR, "The colon ends the field's name.");
const COMMENT_COLON: FieldSpec = FieldSpec::new(
    "comment",
    Kind::Ignored,
    GRAMMAR,
    "A line that begins with a colon is a comment: it keeps the connection warm, and no more.",
);
const SPACE: FieldSpec =
    FieldSpec::new("space", Kind::Separator, GRAMMAR, "One space behind the colon is no part of the value.");
const LINE_END: FieldSpec =
    FieldSpec::new("end-of-line", Kind::Separator, GRAMMAR, "The line ends: LF, CR or both.");
const REST_OF_END: FieldSpec =
    FieldSpec::new("end-of-line", Kind::Separator, GRAMMAR, "This LF belongs to the CR before it.");
const BLANK_LINE: FieldSpec = FieldSpec::new("end-of-line", Kind::Control, MODEL, "");

/// What a field's name makes of its line.
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

    fn name_part(self) -> FieldSpec {
        let (kind, meaning) = match self {
            Self::Data => (Kind::Name, "data: a line of the event's data follows."),
            Self::Event => (Kind::Name, "event: the event's type follows; without it, it is message."),
            Self::Id => (Kind::Name, "id: what a reconnect will say in Last-Event-ID."),
            Self::Retry => (Kind::Name, "retry: how long to wait before a reconnect, in milliseconds."),
            Self::Comment | Self::Unknown => {
                (Kind::Ignored, "No field of an event stream: the line is ignored.")
            }
        };
        FieldSpec::new("field name", kind, MODEL, meaning)
    }

    fn value_part(self) -> FieldSpec {
        let (kind, meaning) = match self {
            Self::Data => (Kind::Payload, "A line of the event's data; several are joined with line feeds."),
            Self::Event => (Kind::Value, "The event's type."),
            Self::Id => (Kind::Value, "The last event ID, from the next dispatch on."),
            Self::Retry => (Kind::Value, "The reconnection time, in milliseconds."),
            Self::Comment => {
                return FieldSpec::new("comment", Kind::Ignored, GRAMMAR, "The text of the comment.");
            }
            Self::Unknown => (Kind::Ignored, "The value of a field that is ignored."),
        };
        FieldSpec::new("field value", kind, MODEL, meaning)
    }

    /// What a byte does that makes the field be ignored.
    fn spoils(self, byte: u8) -> Option<&'static str> {
        match self {
            Self::Id if byte == 0 => Some("An id with a NUL in it is ignored."),
            Self::Retry if !byte.is_ascii_digit() => {
                Some("A retry with anything but digits in it is ignored.")
            }
            _ => None,
        }
    }
}

/// Where in the stream the next byte stands.
#[derive(Clone, Copy, Debug)]
enum Place {
    Start,
    /// In a line's name, or at a line's start.
    Name,
    /// Behind a colon.
    Space(Field),
    /// In a value, of which so many bytes are cut.
    Value(Field, usize),
}

/// An event stream under way.
#[derive(Debug)]
pub(super) struct EventStream {
    place: Place,
    /// The name so far, as much as tells it from others.
    name: Vec<u8>,
    name_length: usize,
    /// The last byte was a CR, so an LF now belongs to it.
    after_cr: bool,
    /// There unless the event under way is longer than what the view tells.
    decoder: Option<Decoder>,
    last_event_id: String,
}

impl Default for EventStream {
    fn default() -> Self {
        Self {
            place: Place::Start,
            name: Vec::new(),
            name_length: 0,
            after_cr: false,
            decoder: Some(Decoder::new("", LIMITS)),
            last_event_id: String::new(),
        }
    }
}

impl EventStream {
    /// Cuts what it can of the next `available` bytes: all of them if they are the last before something else stands
    /// between, or comes no more.
    pub fn advance(&mut self, splitter: &mut Splitter, available: usize, is_last: bool) {
        let end = splitter.offset() + available as u64;
        loop {
            let text = &splitter.rest()[..(end - splitter.offset()) as usize];
            if text.is_empty() {
                return;
            }
            if std::mem::take(&mut self.after_cr) && text[0] == b'\n' {
                self.take(splitter, 1, REST_OF_END);
                continue;
            }
            let went_on = match self.place {
                Place::Start => self.start(splitter, text, is_last),
                Place::Name => self.name(splitter, text, is_last),
                Place::Space(field) => {
                    if text[0] == b' ' {
                        let is_comment = field == Field::Comment;
                        self.take(splitter, 1, if is_comment { field.value_part() } else { SPACE });
                    }
                    self.place = Place::Value(field, 0);
                    true
                }
                Place::Value(field, done) => self.value(splitter, text, is_last, field, done),
            };
            if !went_on {
                return;
            }
        }
    }

    fn start(&mut self, splitter: &mut Splitter, text: &[u8], is_last: bool) -> bool {
        const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
        if text.starts_with(BYTE_ORDER_MARK) {
            self.take(splitter, BYTE_ORDER_MARK.len(), MARK);
        } else if BYTE_ORDER_MARK.starts_with(text) && !is_last {
            return false;
        }
        self.place = Place::Name;
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
            let span = self.take(splitter, part.len(), field.name_part());
            if end.is_none() {
                span.meaning = "A part of a field's name.".into();
            }
        }
        let Some(end) = end else { return true };
        let is_blank = self.name_length == 0;
        if text[end] == b':' {
            self.take(splitter, 1, if is_blank { COMMENT_COLON } else { COLON });
            self.begin(Place::Space(field));
            return true;
        }
        if is_blank {
            return self.line_end(splitter, &text[end..], is_last, BLANK_LINE);
        }
        self.begin(Place::Value(field, 0));
        true
    }

    fn begin(&mut self, place: Place) {
        self.name.clear();
        self.name_length = 0;
        self.place = place;
    }

    fn value(
        &mut self,
        splitter: &mut Splitter,
        text: &[u8],
        is_last: bool,
        field: Field,
        done: usize,
    ) -> bool {
        let whole = DATA_SPAN_BYTES - done % DATA_SPAN_BYTES;
        let window = &text[..text.len().min(whole)];
        let end = window.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
        if end.is_none() && window.len() < whole && !is_last {
            return false;
        }
        let mut rest = &window[..end.unwrap_or(window.len())];
        if rest.is_empty() {
            return self.line_end(splitter, text, is_last, LINE_END);
        }
        self.place = Place::Value(field, done + rest.len());
        while let Some(first) = rest.first() {
            let spoils = field.spoils(*first);
            let length = rest.iter().position(|byte| field.spoils(*byte) != spoils).unwrap_or(rest.len());
            let span = self.take(splitter, length, field.value_part());
            if let Some(meaning) = spoils {
                span.meaning = meaning.into();
                span.kind = Kind::Ignored;
            }
            rest = &rest[length..];
        }
        true
    }

    /// Cuts the end of a line, if it is all there.
    fn line_end(&mut self, splitter: &mut Splitter, text: &[u8], is_last: bool, part: FieldSpec) -> bool {
        let length = match text {
            [b'\r', b'\n', ..] => 2,
            [b'\r'] if !is_last => return false,
            [b'\r'] => {
                self.after_cr = true;
                1
            }
            _ => 1,
        };
        let is_blank = part.kind == Kind::Control;
        let knows = self.decoder.is_some();
        let span = self.take(splitter, length, part);
        if is_blank {
            span.meaning = match (knows, span.notes.is_empty()) {
                (true, false) => "The blank line dispatches the event.",
                (true, true) => "A blank line without data before it: nothing is dispatched.",
                (false, _) => "The blank line dispatches an event longer than what the view keeps.",
            }
            .into();
            self.decoder.get_or_insert_with(|| Decoder::new(&self.last_event_id, LIMITS));
        }
        self.begin(Place::Name);
        true
    }

    /// Cuts `length` bytes, and hands them to the decoder.
    fn take<'s>(&mut self, splitter: &'s mut Splitter, length: usize, part: FieldSpec) -> &'s mut Span {
        let mut bytes = &splitter.rest()[..length];
        let span = splitter.emit(length, part);
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
