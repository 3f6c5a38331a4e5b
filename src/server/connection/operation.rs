//! Operations that are too long for one turn: publishing a batch, and compressing a long echo. They
//! are done in pieces. The connection's next input waits until its operation is complete.

use super::Connection;
use super::state::{Busy, Label, Partial, PartialBatch, PartialEcho, PartialMessage};
use crate::protocol::http::Status;
use crate::protocol::websocket::frame::{FrameHeader, Opcode};
use crate::server::byte_stream::ByteStream;
use crate::server::context::LoopContext;
use crate::server::work::cost;
use crate::transport::batch::Batch;

/// How many bytes of an echo are compressed at once.
const ECHO_PIECE: usize = 16 * 1024;
/// The longest message whose echo is one step, in bytes.
pub(super) const LONG_ECHO: usize = 64 * 1024;

impl<S: ByteStream> Connection<S> {
    /// Returns whether an operation must be completed before the next input.
    pub(super) fn has_operation(&self) -> bool {
        let partial = self.busy.as_ref().and_then(|busy| busy.partial.as_ref());
        matches!(partial, Some(Partial::Echo(_) | Partial::Batch(_)))
    }

    /// Returns whether events of the connection are being published.
    pub fn has_batch(&self) -> bool {
        matches!(self.busy.as_deref(), Some(Busy { partial: Some(Partial::Batch(_)), .. }))
    }

    /// Continues the operation, if there is one, until it is complete or the turn is over.
    pub(super) fn continue_operation(&mut self, cx: &mut LoopContext) {
        if !self.has_operation() {
            return;
        }
        match self.busy.as_mut().and_then(|busy| busy.partial.take()) {
            Some(Partial::Batch(partial)) => self.continue_batch(partial, cx),
            Some(Partial::Echo(echo)) => self.continue_echo(echo, cx),
            _ => {}
        }
        self.flush(cx);
    }

    /// Starts to publish the rest of a batch.
    pub(super) fn begin_batch(&mut self, batch: Batch, label: Label<'_>, cx: &mut LoopContext) {
        self.due_in(cx.options.body_timeout, cx);
        let partial = PartialBatch { batch, label: label.into_owned() };
        self.busy().partial = Some(Partial::Batch(Box::new(partial)));
        self.schedule(cx);
    }

    fn continue_batch(&mut self, mut partial: Box<PartialBatch>, cx: &mut LoopContext) {
        loop {
            let must_wait = cx.must_wait_for_room(u64::MAX);
            if must_wait || cx.work.is_turn_over() {
                self.busy().partial = Some(Partial::Batch(partial));
                return if must_wait { self.park(cx) } else { self.schedule(cx) };
            }
            let is_complete = cx.service.continue_batch(&mut partial.batch, cx.clock.tick());
            cx.charge_hub();
            if is_complete {
                break;
            }
        }
        let PartialBatch { batch, label } = *partial;
        let (_, now, gauges, out) = cx.responding();
        let before = out.len();
        let persists = batch.respond(!gauges.draining, &now, out);
        let written = out.len() - before;
        cx.work.charge(cost::bytes(written));
        self.log_response(&label, Status::CREATED, 0, cx);
        self.finish_response(Status::CREATED, None, persists, cx);
    }

    /// Starts the echo of a long message. `message` is the receiver, if the next message needs it.
    pub(super) fn begin_echo(
        &mut self,
        opcode: Opcode,
        payload: Vec<u8>,
        message: Option<Box<PartialMessage>>,
        cx: &mut LoopContext,
    ) {
        if !self.inflates() {
            self.busy().partial = message.map(Partial::Message);
            return self.write_long(false, opcode, payload, cx);
        }
        let echo = PartialEcho { message, opcode, payload, position: 0, compressed: Vec::new() };
        self.busy().partial = Some(Partial::Echo(Box::new(echo)));
        self.schedule(cx);
    }

    fn continue_echo(&mut self, mut echo: Box<PartialEcho>, cx: &mut LoopContext) {
        let is_free = cx.compressing.is_none_or(|key| key == self.key);
        let busy = self.busy.get_or_insert_default();
        let Some(compression) = busy.compression.as_mut() else { return };
        while is_free && !cx.work.is_turn_over() && echo.position < echo.payload.len() {
            cx.compressing = Some(self.key);
            let rest = &echo.payload[echo.position..];
            let piece = &rest[..rest.len().min(ECHO_PIECE)];
            compression.compress(piece, piece.len() == rest.len(), &mut echo.compressed);
            cx.work.charge(cost::deflated(piece.len()));
            echo.position += piece.len();
        }
        if echo.position < echo.payload.len() {
            busy.partial = Some(Partial::Echo(echo));
            return self.schedule(cx);
        }
        cx.compressing = None;
        busy.partial = echo.message.map(Partial::Message);
        self.write_long(true, echo.opcode, echo.compressed, cx);
    }

    /// Writes a long message after all other output, without copying it.
    fn write_long(&mut self, rsv1: bool, opcode: Opcode, mut payload: Vec<u8>, cx: &mut LoopContext) {
        let payload_length = payload.len() as u64;
        FrameHeader { fin: true, rsv1, opcode, masking_key: None, payload_length }.encode(&mut cx.out);
        let outbox = &mut self.busy().outbox;
        outbox.push_rest(&mut cx.out, 0);
        outbox.push_rest(&mut payload, 0);
        cx.out.clear();
    }
}
