//! Chunk extensions (RFC 9112 §7.1.1).

use super::span::Kind;
use super::splitter::{FieldSpec, Splitter};
use crate::protocol::http::BodyError;
use crate::protocol::http::fields::{is_control, is_tchar};
use crate::protocol::rule::Section;

const EXTENSION: Section = Section::rfc(9112, "7.1.1");

const BWS: FieldSpec = FieldSpec::new(
    "BWS",
    Kind::Separator,
    Section::rfc(9110, "5.6.3"),
    "Bad whitespace: allowed only because old senders send it.",
);
const SEMICOLON: FieldSpec = FieldSpec::new(";", Kind::Separator, EXTENSION, "A chunk extension follows.");
const NAME: FieldSpec = FieldSpec::new("chunk-ext-name", Kind::Name, EXTENSION, "The name of the extension.");
const EQUALS: FieldSpec =
    FieldSpec::new("=", Kind::Separator, EXTENSION, "The value of the extension follows.");
const VALUE: FieldSpec =
    FieldSpec::new("chunk-ext-val", Kind::Value, EXTENSION, "The value of the extension.");
const NO_EXTENSION: FieldSpec =
    FieldSpec::new("chunk-ext", Kind::Opaque, EXTENSION, "This should be a chunk extension.");

/// The position of a byte in the grammar. The states are those of the protocol code's body reader.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Only a semicolon may follow.
    BeforeSemicolon,
    Semicolon,
    BeforeName,
    Name,
    BeforeEquals,
    Equals,
    BeforeValue,
    Token,
    Quoted,
    QuotedPair,
    QuotedEnd,
}

impl State {
    /// Returns the state of `byte` after this state, or `None` if the grammar does not allow it.
    fn then(self, byte: u8) -> Option<Self> {
        use State::*;
        let is_blank = matches!(byte, b' ' | b'\t');
        Some(match self {
            BeforeSemicolon | Name | BeforeEquals | Token | QuotedEnd if byte == b';' => Semicolon,
            BeforeSemicolon | Token | QuotedEnd if is_blank => BeforeSemicolon,
            Semicolon | BeforeName if is_blank => BeforeName,
            Name | BeforeEquals if is_blank => BeforeEquals,
            Name | BeforeEquals if byte == b'=' => Equals,
            Semicolon | BeforeName | Name if is_tchar(byte) => Name,
            Equals | BeforeValue if is_blank => BeforeValue,
            Equals | BeforeValue if byte == b'"' => Quoted,
            Equals | BeforeValue | Token if is_tchar(byte) => Token,
            Quoted if byte == b'"' => QuotedEnd,
            Quoted if byte == b'\\' => QuotedPair,
            Quoted | QuotedPair if !is_control(byte) => Quoted,
            _ => return None,
        })
    }

    fn spec(self) -> FieldSpec {
        use State::*;
        match self {
            BeforeSemicolon | BeforeName | BeforeEquals | BeforeValue => BWS,
            Semicolon => SEMICOLON,
            Name => NAME,
            Equals => EQUALS,
            Token | Quoted | QuotedPair | QuotedEnd => VALUE,
        }
    }
}

/// Splits the text between a chunk size and the end of its line. `is_complete` means that no more
/// text follows.
pub(super) fn split(splitter: &mut Splitter, text: &[u8], is_complete: bool) {
    let malformed = || BodyError::ChunkExtension.rule();
    if text.is_empty() {
        return;
    }
    let mut state = State::BeforeSemicolon;
    let mut start = 0;
    let mut spec: Option<FieldSpec> = None;
    for (at, byte) in text.iter().enumerate() {
        let Some(next) = state.then(*byte) else {
            if let Some(spec) = spec {
                splitter.emit(at - start, spec);
            }
            splitter.emit(text.len() - at, NO_EXTENSION).violation = Some(malformed());
            return;
        };
        let next_spec = next.spec();
        match spec {
            // Semicolons and equals signs are spans of one byte.
            Some(spec)
                if spec.field != next_spec.field || spec.kind == Kind::Separator && spec.field != "BWS" =>
            {
                splitter.emit(at - start, spec);
                start = at;
            }
            _ => {}
        }
        spec = Some(next_spec);
        state = next;
    }
    if let Some(spec) = spec {
        splitter.emit(text.len() - start, spec);
    }
    if is_complete
        && !matches!(state, State::Name | State::Token | State::QuotedEnd)
        && let Some(last) = splitter.last()
    {
        last.violation = Some(malformed());
    }
}
