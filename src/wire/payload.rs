//! The payloads of WebSocket frames, masked and unmasked (RFC 6455 §5.3, §5.5, §5.6).

use super::frame_header::FrameHeader;
use super::glossary;
use super::inflation::Inflation;
use super::message::{Fault, Message, push_utf8};
use super::span::{Kind, Span, printable};
use super::splitter::{DATA_SPAN_BYTES, FieldSpec, Splitter};
use crate::protocol::rule::{Rule, Section};
use crate::protocol::websocket::ProtocolError;
use crate::protocol::websocket::close::CloseCode;
use crate::protocol::websocket::mask;
use crate::protocol::websocket::utf8::Utf8;

const CLOSE: Section = Section::rfc(6455, "5.5.1");

const STATUS_CODE: FieldSpec =
    FieldSpec::new("status code", Kind::Control, CLOSE, "Why the sender closes the connection.");
const REASON: FieldSpec =
    FieldSpec::new("reason", Kind::Control, CLOSE, "The reason in words, for debugging.");

/// A payload whose last byte has not arrived.
#[derive(Debug)]
pub(super) struct Payload {
    header: FrameHeader,
    /// The number of bytes that are split already.
    done: u64,
    /// The validator of a close frame's reason; `None` after the first fault.
    reason: Option<Utf8>,
}

impl Payload {
    pub fn new(header: FrameHeader) -> Self {
        Self { header, done: 0, reason: Some(Utf8::new()) }
    }

    /// Returns true for the payload of a close frame.
    pub fn is_close(&self) -> bool {
        self.header.opcode == 0x8
    }

    /// Splits as much as has arrived. Returns true after the last byte.
    pub fn advance(
        &mut self,
        splitter: &mut Splitter,
        message: &mut Option<Message>,
        inflation: &mut Inflation,
    ) -> bool {
        let header = self.header;
        if header.length == 0 && header.opcode <= 0x2 && header.fin {
            end_with_empty_frame(splitter, message, inflation);
        }
        while self.done < header.length {
            let left = header.length - self.done;
            if self.is_close() && self.done < 2 {
                if !self.close_code(splitter, left) {
                    return false;
                }
                continue;
            }
            let full = (DATA_SPAN_BYTES as u64 - self.done % DATA_SPAN_BYTES as u64).min(left);
            let available = splitter.rest().len() as u64;
            if available < full && !(splitter.ended() && available > 0) {
                return false;
            }
            // At most DATA_SPAN_BYTES.
            let length = full.min(available) as usize;
            let is_end = length as u64 == left;
            match header.opcode {
                0x8 => self.close_reason(splitter, length, is_end),
                0x9 | 0xA => {
                    self.emit(splitter, length, "Payload Data", Kind::Control);
                }
                _ => self.data(splitter, length, is_end && header.fin, message, inflation),
            }
            if (length as u64) < full
                && let Some(last) = splitter.last()
            {
                last.cut_off = true;
            }
        }
        true
    }

    /// Splits the close code at the start of a close frame's payload. Returns false if it has not
    /// arrived completely.
    fn close_code(&mut self, splitter: &mut Splitter, left: u64) -> bool {
        if left == 1 {
            if splitter.rest().is_empty() {
                return false;
            }
            let half = self.emit(splitter, 1, STATUS_CODE.field, Kind::Control);
            half.violation = Some(ProtocolError::TruncatedCloseCode.rule());
            return true;
        }
        if splitter.rest().len() < 2 {
            if splitter.ended() && !splitter.rest().is_empty() {
                self.emit(splitter, 1, STATUS_CODE.field, Kind::Control).cut_off = true;
            }
            return false;
        }
        let span = self.emit(splitter, 2, STATUS_CODE.field, STATUS_CODE.kind);
        let code = span.content().iter().fold(0, |code, byte| code << 8 | u16::from(*byte));
        let (meaning, section) = glossary::close_code(code);
        span.value = format!("{code}").into();
        span.meaning = meaning.into();
        span.section = section;
        if !CloseCode(code).may_be_sent() {
            span.violation = Some(ProtocolError::ForbiddenCloseCode(CloseCode(code)).rule());
        }
        true
    }

    fn close_reason(&mut self, splitter: &mut Splitter, length: usize, is_end: bool) {
        let piece = self.unmasked(&splitter.rest()[..length]);
        let mut fault = self.reason.as_mut().and_then(|utf8| push_utf8(utf8, &piece)).map(Fault::Utf8At);
        if fault.is_none() && is_end && self.reason.is_some_and(|utf8| !utf8.is_complete()) {
            fault = Some(Fault::Unfinished);
        }
        if fault.is_some() {
            self.reason = None;
        }
        self.emit_with_fault(splitter, length, fault, REASON.field, Kind::Control);
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
        self.emit_with_fault(splitter, length, fault, "Payload Data", Kind::Payload);
        if is_end && self.header.opcode <= 0x2 {
            complete(splitter, message);
        }
    }

    /// Emits the next `length` bytes. If the fault is in one byte, that byte becomes its own span.
    fn emit_with_fault(
        &mut self,
        splitter: &mut Splitter,
        length: usize,
        fault: Option<Fault>,
        field: &'static str,
        kind: Kind,
    ) {
        let rule = fault.map(|fault| match self.is_close() {
            true => ProtocolError::CloseReasonNotUtf8.rule(),
            false => rule(fault),
        });
        let at = match fault {
            Some(Fault::Utf8At(at)) => at,
            Some(Fault::Unfinished) => length - 1,
            _ => {
                self.emit(splitter, length, field, kind).violation = rule;
                return;
            }
        };
        if at > 0 {
            self.emit(splitter, at, field, kind);
        }
        self.emit(splitter, 1, field, kind).violation = rule;
        if at + 1 < length {
            self.emit(splitter, length - at - 1, field, kind);
        }
    }

    fn emit<'s>(
        &mut self,
        splitter: &'s mut Splitter,
        length: usize,
        field: &'static str,
        kind: Kind,
    ) -> &'s mut Span {
        let unmasked = self.header.key.map(|_| self.unmasked(&splitter.rest()[..length]));
        self.done += length as u64;
        let span = splitter.emit(length, self.spec(field, kind));
        if let Some(unmasked) = unmasked {
            span.value = printable(&unmasked).into();
            span.unmasked = Some(unmasked);
        }
        span
    }

    fn spec(&self, field: &'static str, kind: Kind) -> FieldSpec {
        let (section, meaning) = match (self.header.opcode, kind) {
            (0x8, _) if field == REASON.field => (REASON.section, REASON.meaning),
            (0x8, _) => (STATUS_CODE.section, STATUS_CODE.meaning),
            (0x9, _) => (Section::rfc(6455, "5.5.2"), "The data that the pong must repeat."),
            (0xA, _) => (Section::rfc(6455, "5.5.3"), "The data of the ping."),
            _ if self.header.rsv1 => (Section::rfc(7692, "7.2"), "Compressed data of the message."),
            (0x1, _) => (Section::rfc(6455, "5.6"), "The message or the start of it: UTF-8 text."),
            (0x2, _) => (Section::rfc(6455, "5.6"), "The message or the start of it: arbitrary bytes."),
            (0x0, _) => (Section::rfc(6455, "5.4"), "More data of the message."),
            _ => (Section::rfc(6455, "5.2"), "The payload of a frame with a reserved opcode."),
        };
        FieldSpec::new(field, kind, section, meaning)
    }

    /// Returns the next bytes of the payload without their mask.
    fn unmasked(&self, piece: &[u8]) -> Box<[u8]> {
        let mut bytes: Box<[u8]> = piece.into();
        if let Some(key) = self.header.key {
            // The mask depends on the offset modulo 4.
            mask::apply(key, (self.done % 4) as usize, &mut bytes);
        }
        bytes
    }
}

/// Ends the message with a frame that has no payload. The last span is the end of its header.
fn end_with_empty_frame(splitter: &mut Splitter, message: &mut Option<Message>, inflation: &mut Inflation) {
    let fault = message.as_mut().and_then(|message| message.push(b"", true, inflation));
    // The span of the length is already marked if a character is unfinished.
    let fault = fault.filter(|fault| *fault != Fault::Unfinished);
    if let (Some(fault), Some(last)) = (fault, splitter.last()) {
        last.violation.get_or_insert_with(|| rule(fault));
    }
    complete(splitter, message);
}

/// Attaches the note about a complete message to the last span.
fn complete(splitter: &mut Splitter, message: &mut Option<Message>) {
    if let (Some(message), Some(last)) = (message.take(), splitter.last()) {
        last.notes.push(message.into_note());
    }
}

/// Returns the rule that the payload of a message breaks with this fault.
const fn rule(fault: Fault) -> Rule {
    match fault {
        Fault::Utf8At(_) | Fault::InflatedUtf8 | Fault::Unfinished => ProtocolError::InvalidUtf8.rule(),
        Fault::Deflate => ProtocolError::InvalidDeflate.rule(),
    }
}
