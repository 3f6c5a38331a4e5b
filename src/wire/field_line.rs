//! Field lines of heads and of trailers (RFC 9112 §5).

use super::glossary;
use super::line;
use super::span::Kind;
use super::splitter::{FieldSpec, Splitter};
use crate::protocol::http::HeadError;
use crate::protocol::http::fields::{is_control, is_tchar, is_token, trim};
use crate::protocol::rule::Section;

const FIELD_LINE: Section = Section::rfc(9112, "5");

const NAME: FieldSpec =
    FieldSpec::new("field-name", Kind::Name, Section::rfc(9110, "5.1"), "The name of a field.");
const COLON: FieldSpec =
    FieldSpec::new(":", Kind::Separator, FIELD_LINE, "The colon ends the name; nothing may stand before it.");
const OWS: FieldSpec = FieldSpec::new(
    "OWS",
    Kind::Separator,
    Section::rfc(9110, "5.6.3"),
    "Optional white space, which is no part of the value.",
);
const VALUE: FieldSpec =
    FieldSpec::new("field-value", Kind::Value, Section::rfc(9110, "5.5"), "The value of the field.");
const FOLD: FieldSpec = FieldSpec::new(
    "obs-fold",
    Kind::Separator,
    Section::rfc(9112, "5.2"),
    "White space at a line's start continued the value of the line before; no sender may do this any more.",
);
const NO_FIELD: FieldSpec =
    FieldSpec::new("field-line", Kind::Opaque, FIELD_LINE, "This should be a name, a colon and a value.");

/// What a field line says, if it could be read.
pub(super) struct FieldLine<'a> {
    /// As it was sent.
    pub name: &'a [u8],
    /// Without the white space around it.
    pub value: &'a [u8],
}

/// Cuts a field line of `length` bytes, without its end. `is_first` if no field line stands before it; one that is not
/// `is_whole` may yet become right.
pub(super) fn split<'c>(
    splitter: &mut Splitter<'c>,
    length: usize,
    is_first: bool,
    is_whole: bool,
) -> Option<FieldLine<'c>> {
    let line = &splitter.rest()[..length];
    if let [b' ' | b'\t', ..] = line {
        let blank = line.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        let error = if is_first { HeadError::SpaceBeforeFields } else { HeadError::ObsFold };
        splitter.emit(blank, FOLD).violation = Some(error.rule().into());
        split_value(splitter, &line[blank..], VALUE);
        return None;
    }
    let Some(colon) = line.iter().position(|byte| *byte == b':') else {
        if !is_whole && is_token(line) {
            splitter.emit(length, NAME);
        } else {
            splitter.emit(length, NO_FIELD).violation = Some(HeadError::FieldName.rule().into());
        }
        return None;
    };
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    let (meaning, section) = glossary::field(trim(name));
    let part = FieldSpec { meaning, section, ..NAME };
    let spaces = name.len() - trim(name).len();
    let is_spaced = spaces > 0 && is_token(trim(name)) && name.starts_with(trim(name));
    if is_spaced {
        splitter.emit(name.len() - spaces, part);
        splitter.emit(spaces, OWS).violation = Some(HeadError::SpaceBeforeColon.rule().into());
    } else {
        splitter.emit_text(name.len(), part, |byte| !is_tchar(byte), |_| HeadError::FieldName.rule().into());
    }
    let colon = splitter.emit(1, COLON);
    if name.is_empty() {
        colon.violation = Some(HeadError::FieldName.rule().into());
    }
    let content = trim(value);
    let before = value.len() - value.iter().skip_while(|byte| matches!(byte, b' ' | b'\t')).count();
    splitter.emit_nonempty(before, OWS);
    let value_part = FieldSpec { meaning, section, ..VALUE };
    split_value(splitter, content, value_part);
    splitter.emit_nonempty(value.len() - before - content.len(), OWS);
    is_token(name).then_some(FieldLine { name, value: content })
}

fn split_value(splitter: &mut Splitter, value: &[u8], part: FieldSpec) {
    splitter.emit_text(value.len(), part, is_control, line::control);
}
