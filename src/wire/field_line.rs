//! Field lines of heads and of trailer sections (RFC 9112 §5).

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
const COLON: FieldSpec = FieldSpec::new(
    ":",
    Kind::Separator,
    FIELD_LINE,
    "The colon ends the field name; whitespace before it is not allowed.",
);
const OWS: FieldSpec = FieldSpec::new(
    "OWS",
    Kind::Separator,
    Section::rfc(9110, "5.6.3"),
    "Optional whitespace, which is not part of the value.",
);
const VALUE: FieldSpec =
    FieldSpec::new("field-value", Kind::Value, Section::rfc(9110, "5.5"), "The value of the field.");
const FOLD: FieldSpec = FieldSpec::new(
    "obs-fold",
    Kind::Separator,
    Section::rfc(9112, "5.2"),
    "Obsolete line folding: leading whitespace continues the value of the previous line.",
);
const NO_FIELD: FieldSpec = FieldSpec::new(
    "field-line",
    Kind::Opaque,
    FIELD_LINE,
    "This line should be a name, a colon and a value.",
);

/// The name and the value of a well-formed field line.
pub(super) struct FieldLine<'a> {
    /// The name as it was sent.
    pub name: &'a [u8],
    /// The value without the whitespace around it.
    pub value: &'a [u8],
}

/// Splits a field line of `length` bytes, without its terminator.
///
/// `is_first` means that no field line precedes it. A line that is not `is_complete` may still
/// become valid.
pub(super) fn split<'c>(
    splitter: &mut Splitter<'c>,
    length: usize,
    is_first: bool,
    is_complete: bool,
) -> Option<FieldLine<'c>> {
    let line = &splitter.rest()[..length];
    if let [b' ' | b'\t', ..] = line {
        let blank = line.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        let error = if is_first { HeadError::SpaceBeforeFields } else { HeadError::ObsFold };
        splitter.emit(blank, FOLD).violation = Some(error.rule());
        split_value(splitter, &line[blank..], VALUE);
        return None;
    }
    let Some(colon) = line.iter().position(|byte| *byte == b':') else {
        if !is_complete && is_token(line) {
            splitter.emit(length, NAME);
        } else {
            splitter.emit(length, NO_FIELD).violation = Some(HeadError::FieldName.rule());
        }
        return None;
    };
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    let (meaning, section) = glossary::field(trim(name));
    split_name(splitter, name, FieldSpec { meaning, section, ..NAME });
    let colon = splitter.emit(1, COLON);
    if name.is_empty() {
        colon.violation = Some(HeadError::FieldName.rule());
    }
    let content = trim(value);
    let before = value.len() - value.iter().skip_while(|byte| matches!(byte, b' ' | b'\t')).count();
    splitter.emit_nonempty(before, OWS);
    split_value(splitter, content, FieldSpec { meaning, section, ..VALUE });
    splitter.emit_nonempty(value.len() - before - content.len(), OWS);
    is_token(name).then_some(FieldLine { name, value: content })
}

/// Splits everything before the colon: the name, and invalid whitespace after it.
fn split_name(splitter: &mut Splitter, name: &[u8], spec: FieldSpec) {
    let trimmed = trim(name);
    let spaces = name.len() - trimmed.len();
    if spaces > 0 && is_token(trimmed) && name.starts_with(trimmed) {
        splitter.emit(trimmed.len(), spec);
        splitter.emit(spaces, OWS).violation = Some(HeadError::SpaceBeforeColon.rule());
    } else {
        let error = |_| HeadError::FieldName.rule();
        splitter.emit_text(name.len(), spec, |byte| !is_tchar(byte), error);
    }
}

fn split_value(splitter: &mut Splitter, value: &[u8], spec: FieldSpec) {
    splitter.emit_text(value.len(), spec, is_control, line::control);
}
