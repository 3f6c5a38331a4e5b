//! The payloads of WebSocket frames, masked and unmasked (RFC 6455 §5.3, §5.5, §5.6).

use super::body::DATA_SPAN_BYTES;
use super::frame::Header;
use super::glossary;
use super::inflation::Inflation;
use super::message::{Fault, Message, push};
use super::span::{Kind, Span, Violation, printable};
use super::splitter::{FieldSpec, Splitter, violation};
use crate::protocol::rule::Section;
use crate::protocol::websocket::close::CloseCode;
use crate::protocol::websocket::mask;
use crate::protocol::websocket::utf8::Utf8;

const TEXT: Section = Section::rfc(6455, "8.1");
const CLOSE: Section = Section::rfc(6455, "5.5.1");

const STATUS_CODE: FieldSpec = FieldSpec::new("status code", Kind::Control, CLOSE, "Why the sender closes.");
const REASON: FieldSpec =
    FieldSpec::new("reason", Kind::Control, CLOSE, "The reason in words, for those who look for mistakes.");

/// A payload under way.
#[derive(Debug)]
pub(super) struct Payload {
    pub header: Header,
    done: u64,
    /// Of a close frame's reason.
    reason: Option<Utf8>,
}

impl Payload {
    pub fn new(header: Header) -> Self {
        Self { header, done: 0, reason: Some(Utf8::new()) }
    }

    /// Cuts pieces of it; true if it is done with the last.
    pub fn advance(
        &mut self,
        splitter: &mut Splitter,
        message: &mut Option<Message>,
        inflation: &mut Inflation,
    ) -> bool {
        let header = self.header;
        let is_data = !header.is_control() && header.opcode <= 0x2;
        if header.length == 0 && is_data && header.fin {
            // What ends the message is the header, whose last byte has just been cut.
            let fault = message.as_mut().and_then(|message| message.push(b"", true, inflation));
            // An unfinished character is marked at the byte that says so, the length.
            if let (Some(fault), Some(last)) =
                (fault.filter(|fault| *fault != Fault::Unfinished), splitter.last())
            {
                last.violation.get_or_insert_with(|| wrong(fault));
            }
            complete(splitter, message);
        }
        while self.done < header.length {
            let left = header.length - self.done;
            if header.opcode == 0x8 && self.done < 2 {
                if !self.code(splitter, left) {
                    return false;
                }
                continue;
            }
            let whole = (DATA_SPAN_BYTES as u64 - self.done % DATA_SPAN_BYTES as u64).min(left);
            let available = splitter.rest().len() as u64;
            if available < whole && !(splitter.ended() && available > 0) {
                return false;
            }
            // At most DATA_SPAN_BYTES.
            let length = whole.min(available) as usize;
            let is_end = length as u64 == left;
            match header.opcode {
                0x8 => self.reason(splitter, length, is_end),
                0x9 | 0xA => {
                    self.cut(splitter, length, "Payload Data", Kind::Control);
                }
                _ => self.data(splitter, length, is_end && header.fin, message, inflation),
            }
            if (length as u64) < whole
                && let Some(last) = splitter.last()
            {
                last.cut_off = true;
            }
        }
        true
    }

    /// Cuts the code that a close frame's payload begins with, if it is all there.
    fn code(&mut self, splitter: &mut Splitter, left: u64) -> bool {
        if left == 1 {
            if splitter.rest().is_empty() {
                return false;
            }
            let half = self.cut(splitter, 1, STATUS_CODE.field, Kind::Control);
            half.violation =
                Some(violation("A close frame's payload is empty or begins with a code of 2 bytes.", CLOSE));
            return true;
        }
        if splitter.rest().len() < 2 {
            if splitter.ended() && !splitter.rest().is_empty() {
                self.cut(splitter, 1, STATUS_CODE.field, Kind::Control).cut_off = true;
            }
            return false;
        }
        let span = self.cut(splitter, 2, STATUS_CODE.field, STATUS_CODE.kind);
        let code = span.content().iter().fold(0, |code, byte| code << 8 | u16::from(*byte));
        let (meaning, section) = glossary::close_code(code);
        span.value = format!("{code}").into();
        span.meaning = meaning.into();
        span.section = section;
        if !CloseCode(code).may_be_sent() {
            span.violation =
                Some(violation("A close frame can't hold this code.", Section::rfc(6455, "7.4")));
        }
        true
    }

    fn reason(&mut self, splitter: &mut Splitter, length: usize, is_end: bool) {
        let piece = self.unmasked(&splitter.rest()[..length]);
        let mut fault = self.reason.as_mut().and_then(|utf8| push(utf8, &piece)).map(Fault::Utf8At);
        if fault.is_none() && is_end && self.reason.is_some_and(|utf8| !utf8.is_complete()) {
            fault = Some(Fault::Unfinished);
        }
        if fault.is_some() {
            self.reason = None;
        }
        self.pieces(splitter, length, fault, REASON.field, Kind::Control);
    }

    fn data(
        &mut self,
        splitter: &mut Splitter,
        length: usize,
        is_end: bool,
        message: &mut Option<Message>,
        inflation: &mut Inflation,
    ) {
        let piece = self.unmasked(&splitter.rest()[..length]);
        let fault = match message {
            Some(message) if self.header.opcode <= 0x2 => message.push(&piece, is_end, inflation),
            _ => None,
        };
        self.pieces(splitter, length, fault, "Payload Data", Kind::Payload);
        if is_end && self.header.opcode <= 0x2 {
            complete(splitter, message);
        }
    }

    /// Cuts a piece, and the byte in it by itself at which the fault is.
    fn pieces(
        &mut self,
        splitter: &mut Splitter,
        length: usize,
        fault: Option<Fault>,
        field: &'static str,
        kind: Kind,
    ) {
        let at = match fault {
            Some(Fault::Utf8At(at)) => at,
            Some(Fault::Unfinished) => length - 1,
            _ => {
                self.cut(splitter, length, field, kind).violation = fault.map(wrong);
                return;
            }
        };
        if at > 0 {
            self.cut(splitter, at, field, kind);
        }
        self.cut(splitter, 1, field, kind).violation = fault.map(wrong);
        if at + 1 < length {
            self.cut(splitter, length - at - 1, field, kind);
        }
    }

    fn cut<'s>(
        &mut self,
        splitter: &'s mut Splitter,
        length: usize,
        field: &'static str,
        kind: Kind,
    ) -> &'s mut Span {
        let unmasked = self.header.key.map(|_| self.unmasked(&splitter.rest()[..length]));
        self.done += length as u64;
        let span = splitter.emit(length, self.part(field, kind));
        if let Some(unmasked) = unmasked {
            span.value = printable(&unmasked).into();
            span.unmasked = Some(unmasked);
        }
        span
    }

    fn part(&self, field: &'static str, kind: Kind) -> FieldSpec {
        let (section, meaning) = match (self.header.opcode, kind) {
            (0x8, _) if field == REASON.field => (REASON.section, REASON.meaning),
            (0x8, _) => (STATUS_CODE.section, STATUS_CODE.meaning),
            (0x9, _) => (Section::rfc(6455, "5.5.2"), "What the pong is to say again."),
            (0xA, _) => (Section::rfc(6455, "5.5.3"), "What the ping has said."),
            _ if self.header.rsv1 => (Section::rfc(7692, "7.2"), "Compressed data of the message."),
            (0x1, _) => (Section::rfc(6455, "5.6"), "The message, or its beginning: text in UTF-8."),
            (0x2, _) => (Section::rfc(6455, "5.6"), "The message, or its beginning: any bytes."),
            (0x0, _) => (Section::rfc(6455, "5.4"), "More of the message."),
            _ => (Section::rfc(6455, "5.2"), "The payload of a frame that nobody knows."),
        };
        FieldSpec::new(field, kind, section, meaning)
    }

    /// A piece of the payload that follows what is cut, without its mask.
    fn unmasked(&self, piece: &[u8]) -> Box<[u8]> {
        let mut bytes: Box<[u8]> = piece.into();
        if let Some(key) = self.header.key {
            // Only the offset modulo 4 counts.
            mask::apply(key, (self.done % 4) as usize, &mut bytes);
        }
        bytes
    }
}

/// The message ends with the span cut last.
fn complete(splitter: &mut Splitter, message: &mut Option<Message>) {
    if let (Some(message), Some(last)) = (message.take(), splitter.last()) {
        let note = message.note();
        last.notes.push(note);
    }
}

pub(super) fn wrong(fault: Fault) -> Violation {
    match fault {
        Fault::Utf8At(_) => violation("In UTF-8 this byte can't follow those before it.", TEXT),
        Fault::InflatedUtf8 => violation("What this inflates to is not UTF-8.", TEXT),
        Fault::Unfinished => violation("The text ends inside a character.", TEXT),
        Fault::Deflate => violation("The compressed data are not DEFLATE.", Section::rfc(7692, "7.2.2")),
    }
}
