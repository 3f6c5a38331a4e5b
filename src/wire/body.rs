//! Bodies: where they end, and what is in them (RFC 9112 §6).

use super::chunked::Chunked;
use super::event_stream::EventStream;
use super::head::Head;
use super::span::Kind;
use super::splitter::{FieldSpec, Progress, Splitter};
use crate::protocol::http::fields::trim;
use crate::protocol::rule::Section;

/// How many bytes of data a span has at most. Data are cut at multiples of it, counted from where they begin.
pub const DATA_SPAN_BYTES: usize = 4096;

/// How the end of a body is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    None,
    Length(u64),
    Chunked,
    UntilClose,
}

const BODY: FieldSpec =
    FieldSpec::new("message-body", Kind::Payload, Section::rfc(9112, "6"), "The content of the message.");

/// A body under way.
#[derive(Debug)]
pub(super) struct Body {
    end: BodyEnd,
    content: Content,
    /// Bytes of content so far.
    length: u64,
}

#[derive(Debug)]
enum BodyEnd {
    Length { left: u64 },
    Chunked(Chunked),
    Close,
}

impl Body {
    pub fn new(framing: Framing, content: Content) -> Self {
        let end = match framing {
            Framing::None => BodyEnd::Length { left: 0 },
            Framing::Length(left) => BodyEnd::Length { left },
            Framing::Chunked => BodyEnd::Chunked(Chunked::new()),
            Framing::UntilClose => BodyEnd::Close,
        };
        Self { end, content, length: 0 }
    }

    /// Bytes of content, without what frames it.
    pub fn length(&self) -> u64 {
        self.length
    }

    pub fn advance(&mut self, splitter: &mut Splitter) -> Progress {
        match &mut self.end {
            BodyEnd::Length { left } => {
                if *left > 0 {
                    let taken = self.content.advance(splitter, *left, BODY);
                    *left -= taken;
                    self.length += taken;
                }
                if *left == 0 { Progress::Done } else { Progress::NeedMore }
            }
            BodyEnd::Chunked(chunked) => chunked.advance(splitter, &mut self.content, &mut self.length),
            BodyEnd::Close => {
                self.length += self.content.advance(splitter, u64::MAX, BODY);
                Progress::NeedMore
            }
        }
    }
}

/// What is in a body.
#[derive(Debug)]
pub(super) enum Content {
    /// Data, cut in pieces; `done` of them are behind the last place where the count begins.
    Plain {
        done: u64,
    },
    EventStream(Box<EventStream>),
}

impl Content {
    /// What the fields of a head say that it is.
    pub fn of(head: &Head) -> Self {
        let kind = head.get("content-type").unwrap_or_default();
        let kind = trim(kind.split(|byte| *byte == b';').next().unwrap_or_default());
        let is_coded =
            head.get_all("content-encoding").any(|coding| !coding.eq_ignore_ascii_case(b"identity"));
        if kind.eq_ignore_ascii_case(b"text/event-stream") && !is_coded {
            Self::EventStream(Box::default())
        } else {
            Self::Plain { done: 0 }
        }
    }

    pub fn is_event_stream(&self) -> bool {
        matches!(self, Self::EventStream(_))
    }

    /// Cuts content of which `left` bytes come before something else, and says how many it took.
    pub fn advance(&mut self, splitter: &mut Splitter, left: u64, part: FieldSpec) -> u64 {
        let start = splitter.offset();
        let is_rest = left <= splitter.rest().len() as u64;
        // If it is not the rest of it, there are fewer bytes than `left`.
        let available = if is_rest { left as usize } else { splitter.rest().len() };
        match self {
            Self::EventStream(stream) => stream.advance(splitter, available, is_rest || splitter.ended()),
            Self::Plain { done } => {
                let is_last = is_rest || splitter.ended();
                let mut available = available;
                while available > 0 {
                    let whole = DATA_SPAN_BYTES - (*done % DATA_SPAN_BYTES as u64) as usize;
                    if available < whole && !is_last {
                        break;
                    }
                    let length = whole.min(available);
                    splitter.emit(length, part);
                    available -= length;
                    *done += length as u64;
                }
                if is_rest {
                    *done = 0;
                }
            }
        }
        let taken = splitter.offset() - start;
        if splitter.ended()
            && left > taken
            && left != u64::MAX
            && let Some(last) = splitter.last()
        {
            last.cut_off = true;
        }
        taken
    }
}
