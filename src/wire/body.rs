//! Message bodies and their framing (RFC 9112 §6).

use super::chunked::Chunked;
use super::content::Content;
use super::span::Kind;
use super::splitter::{FieldSpec, Progress, Splitter};
use crate::protocol::rule::Section;

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

/// A body whose end has not been reached.
#[derive(Debug)]
pub(super) struct Body {
    end: BodyEnd,
    content: Content,
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

    /// Returns the length of the content so far in bytes, without its framing.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Returns the heap memory in bytes.
    pub fn memory(&self) -> usize {
        self.content.memory()
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
