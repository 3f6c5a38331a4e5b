//! WebSocket frames on a connection: messages, pings, and the closing handshake (RFC 6455 §5 to
//! §7).

use super::Connection;
use super::operation::LONG_ECHO;
use super::state::{Messages, Partial, PartialMessage, Socket, State};
use crate::hub::Tick;
use crate::protocol::websocket::close::{self, CloseCode};
use crate::protocol::websocket::frame::{self, Opcode};
use crate::protocol::websocket::message::{MessageEvent, MessageLimits, Receiver, Role};
use crate::server::byte_stream::ByteStream;
use crate::server::context::LoopContext;
use crate::server::work::cost;
use crate::transport::compression;
use crate::transport::metrics::EndReason;

/// How many bytes are inflated at once. They may become a thousand times as many.
const INFLATE_PIECE: usize = 2 * 1024;

impl<S: ByteStream> Connection<S> {
    /// Consumes frames, and returns how many bytes they have: all of `input`, unless the connection
    /// stops being a WebSocket or its output must be written first.
    pub(super) fn receive_frames(&mut self, input: &mut [u8], cx: &mut LoopContext) -> usize {
        self.note_sign_of_life(cx);
        let partial = self.busy.as_mut().and_then(|busy| busy.partial.take());
        let (mut boxed, mut fresh): (Option<Box<PartialMessage>>, Option<PartialMessage>) = (None, None);
        let now = cx.now();
        let PartialMessage { receiver, since } = match partial {
            Some(Partial::Message(message)) => &mut **boxed.insert(message),
            _ => fresh.insert(PartialMessage { receiver: self.receiver(cx), since: now }),
        };
        if !receiver.is_receiving() {
            *since = now;
        }
        let (mut consumed, mut long_echo) = (0, None);
        let piece = if self.inflates() { INFLATE_PIECE } else { usize::MAX };
        while consumed < input.len()
            && matches!(self.state, State::Socket(_))
            && cx.out.len() < cx.options.outbox_bytes
            && (consumed == 0 || !cx.is_turn_over())
        {
            if let State::Socket(Socket::Open { messages, compressed, .. }) = self.state
                && messages != Messages::Forbid
            {
                let bytes = (receiver.memory() + input.len() - consumed) as u64;
                if cx.must_wait_for_room(if compressed { u64::MAX } else { bytes }) {
                    self.park(cx);
                    break;
                }
            }
            let end = input.len().min(consumed.saturating_add(piece));
            let received = receiver.receive(&mut input[consumed..end]);
            let event = match received {
                Ok((length, event)) => {
                    consumed += length;
                    event
                }
                Err(error) => {
                    self.fail(error.close_code(), &error.close_reason(), EndReason::Violation, cx);
                    return input.len();
                }
            };
            let Some(event) = event else {
                cx.work.charge(receiver.take_work());
                continue;
            };
            if self.is_too_fast(cx) {
                let reason = "more messages per second than allowed";
                self.fail(CloseCode::POLICY_VIOLATION, reason, EndReason::Rate, cx);
                return input.len();
            }
            cx.work.charge(cost::MESSAGE);
            if let Some(opcode) = self.long_echo(event) {
                // It is longer than a piece of the input, so the receiver has it.
                long_echo = Some((opcode, receiver.take_message()));
            } else {
                self.handle_event(event, cx);
            }
            cx.work.charge(receiver.take_work());
            if !receiver.is_receiving() {
                *since = now;
            }
            if long_echo.is_some() {
                break;
            }
        }
        // A receiver that was made for this call moves to the heap only if it must be kept.
        let is_kept = !receiver.is_idle() && matches!(self.state, State::Socket(_));
        let message = if is_kept { boxed.or(fresh.map(Box::new)) } else { None };
        match (long_echo, message) {
            (Some((opcode, payload)), message) => self.begin_echo(opcode, payload, message, cx),
            (None, Some(message)) => self.busy().partial = Some(Partial::Message(message)),
            (None, None) => {}
        }
        consumed
    }

    /// Returns whether the client's messages may be compressed.
    pub(super) fn inflates(&self) -> bool {
        match self.state {
            State::Socket(Socket::Open { compressed, .. }) => compressed,
            _ => self.busy.as_ref().is_some_and(|busy| busy.compression.is_some()),
        }
    }

    /// Returns the kind of a message whose echo takes more than one step.
    fn long_echo(&self, event: MessageEvent<'_>) -> Option<Opcode> {
        let is_echo = matches!(self.state, State::Socket(Socket::Echo { .. }));
        match event {
            _ if !is_echo => None,
            MessageEvent::Text(text) if text.len() > LONG_ECHO => Some(Opcode::Text),
            MessageEvent::Binary(data) if data.len() > LONG_ECHO => Some(Opcode::Binary),
            _ => None,
        }
    }

    /// Returns a receiver that is between two messages.
    fn receiver(&self, cx: &LoopContext) -> Receiver {
        let frames = cx.options.message_frames;
        let limits = MessageLimits { message_bytes: cx.service.policy.event_bytes, frames };
        match self.state {
            State::Socket(Socket::Open { compressed: true, .. }) => {
                compression::receiver_without_context(limits)
            }
            State::Socket(Socket::Echo { .. }) => {
                let limits = MessageLimits { message_bytes: cx.options.echo_bytes, frames };
                let compression = self.busy.as_ref().and_then(|busy| busy.compression.as_ref());
                compression
                    .map_or(Receiver::new(Role::Server, limits), |compression| compression.receiver(limits))
            }
            _ => Receiver::new(Role::Server, limits),
        }
    }

    /// Returns whether more messages have arrived in this second than allowed.
    fn is_too_fast(&mut self, cx: &LoopContext) -> bool {
        let Some(most) = cx.options.messages_per_second else { return false };
        let second = (cx.now().0 / Tick::PER_SECOND) as u16;
        if self.second != second {
            (self.second, self.count) = (second, 0);
        }
        self.count = self.count.saturating_add(1);
        self.count > most
    }

    fn echo(&mut self, opcode: Opcode, payload: &[u8], cx: &mut LoopContext) {
        match self.busy.as_mut().and_then(|busy| busy.compression.as_mut()) {
            Some(compression) => {
                compression.write(opcode, payload, &mut cx.out);
                cx.work.charge(cost::deflated(payload.len()));
            }
            None => {
                frame::write_frame(opcode, payload, &mut cx.out);
                cx.work.charge(cost::bytes(payload.len()));
            }
        }
    }

    /// Notes a sign of life: bytes have arrived, or were accepted by the socket.
    pub(super) fn note_sign_of_life(&mut self, cx: &mut LoopContext) {
        if let Some(pinged) = self.state.pinged_mut() {
            *pinged = false;
            self.due_in(cx.options.ping_interval, cx);
        }
    }

    fn handle_event(&mut self, event: MessageEvent<'_>, cx: &mut LoopContext) {
        let State::Socket(socket) = self.state else { return };
        match (event, socket) {
            (MessageEvent::Close(close), Socket::Open { .. } | Socket::Echo { .. }) => {
                // RFC 6455 §5.5.1: the response has the same code. The server then ends the TCP
                // connection first (§7.1.1).
                self.count_end(EndReason::Client, cx);
                self.leave(None, State::Flushing, cx);
                self.drop_pong();
                match close {
                    Some((code, _)) => close::encode(code, "", &mut cx.out),
                    None => frame::write_frame(Opcode::Close, b"", &mut cx.out),
                }
                self.end(EndReason::Client, cx);
            }
            (MessageEvent::Close(_), Socket::Closing) => self.end(EndReason::Client, cx),
            // §5.5.1: after the server's close frame, only the client's close frame matters.
            (_, Socket::Closing) => {}
            (MessageEvent::Ping(payload), _) => self.pong(payload, cx),
            // A pong is a sign of life, solicited or not (§5.5.3); that is noted already.
            (MessageEvent::Pong(_), _) => {}
            (MessageEvent::Text(text), Socket::Echo { .. }) => self.echo(Opcode::Text, text.as_bytes(), cx),
            (MessageEvent::Binary(data), Socket::Echo { .. }) => self.echo(Opcode::Binary, data, cx),
            (MessageEvent::Text(text), Socket::Open { messages: Messages::Call { route, .. }, .. }) => {
                self.call_for_message(route, Opcode::Text, text.as_bytes(), cx);
            }
            (MessageEvent::Binary(data), Socket::Open { messages: Messages::Call { route, .. }, .. }) => {
                self.call_for_message(route, Opcode::Binary, data, cx);
            }
            (MessageEvent::Text(text), Socket::Open { following, messages: Messages::Publish, .. }) => {
                // At shutdown, no follower would receive the event.
                if let Some(following) = following.filter(|_| !cx.gauges.draining) {
                    cx.service.append(following.topic, "message", text, cx.clock.tick());
                    cx.charge_hub();
                }
            }
            (MessageEvent::Text(_), Socket::Open { .. }) => {
                let reason = "this WebSocket only follows; to publish, a request may need a token";
                self.start_close(CloseCode::POLICY_VIOLATION, reason, EndReason::Violation, cx);
            }
            (MessageEvent::Binary(_), Socket::Open { .. }) => {
                let reason = "an event's data is text";
                self.start_close(CloseCode::UNSUPPORTED_DATA, reason, EndReason::Violation, cx);
            }
        }
    }

    fn pong(&mut self, payload: &[u8], cx: &mut LoopContext) {
        match self.busy.as_mut().filter(|busy| !busy.outbox.is_empty()) {
            None => frame::write_frame(Opcode::Pong, payload, &mut cx.out),
            Some(busy) => {
                let mut pong = Vec::with_capacity(payload.len() + 2);
                frame::write_frame(Opcode::Pong, payload, &mut pong);
                busy.outbox.set_pong(pong);
            }
        }
    }

    fn drop_pong(&mut self) {
        if let Some(busy) = &mut self.busy {
            busy.outbox.drop_pong();
        }
    }

    /// Starts the closing handshake (RFC 6455 §7.1.2). The next flush writes the frame.
    pub(super) fn start_close(
        &mut self,
        code: CloseCode,
        reason: &str,
        ended: EndReason,
        cx: &mut LoopContext,
    ) {
        self.count_end(ended, cx);
        self.leave(None, State::Socket(Socket::Closing), cx);
        self.drop_pong();
        if self.has_operation() {
            // No message follows a close frame, so the echo that is being compressed is given up.
            self.busy().partial = None;
        }
        cx.compressing.take_if(|key| *key == self.key);
        close::encode(code, reason, &mut cx.out);
        self.due_in(cx.options.close_timeout, cx);
    }

    /// Fails the WebSocket connection (RFC 6455 §7.1.7): sends the reason, and ends without waiting
    /// for the client's close frame. It sends at most one close frame (§5.5.1).
    fn fail(&mut self, code: CloseCode, reason: &str, ended: EndReason, cx: &mut LoopContext) {
        if !matches!(self.state, State::Socket(Socket::Closing)) {
            self.start_close(code, reason, ended, cx);
        }
        self.end(ended, cx);
    }

    /// Returns the time of the first byte of an incomplete message. The closing handshake has a
    /// timeout of its own.
    pub(super) fn message_since(&self) -> Option<Tick> {
        match (&self.state, self.busy.as_ref()?.partial.as_ref()?) {
            (State::Socket(Socket::Open { .. } | Socket::Echo { .. }), Partial::Message(message)) => {
                message.receiver.is_receiving().then_some(message.since)
            }
            _ => None,
        }
    }

    /// Handles the timeout of an incomplete message.
    pub(super) fn expire_message(&mut self, cx: &mut LoopContext) {
        if let Some(busy) = &mut self.busy {
            // The message is not kept until the last output is written.
            busy.partial = None;
        }
        let reason = "the message did not arrive in time; send it faster";
        self.fail(CloseCode::POLICY_VIOLATION, reason, EndReason::RequestTimeout, cx);
    }

    /// Handles the silence of a WebSocket: pings the client, or closes the connection if a ping or
    /// a close frame is unanswered.
    pub(super) fn expire_socket(&mut self, socket: Socket, cx: &mut LoopContext) {
        match socket {
            Socket::Closing | Socket::Open { pinged: true, .. } | Socket::Echo { pinged: true } => {
                self.close(EndReason::PongTimeout, cx)
            }
            Socket::Open { .. } | Socket::Echo { .. } => {
                // While output is pending, the write timeout applies. A ping that is not written
                // starts no deadline. Before a long echo is complete, no pong is read.
                if self.outbox_len() > 0 || self.has_operation() {
                    return self.due_in(cx.options.ping_interval, cx);
                }
                frame::write_frame(Opcode::Ping, b"", &mut cx.out);
                self.flush(cx);
                if self.outbox_len() > 0 {
                    return self.due_in(cx.options.ping_interval, cx);
                }
                if let Some(pinged) = self.state.pinged_mut() {
                    *pinged = true;
                }
                self.due_in(cx.options.pong_timeout, cx);
            }
        }
    }
}
