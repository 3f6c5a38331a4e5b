//! WebSocket frames on a connection: messages, pings, and the closing handshake (RFC 6455 §5 to §7).

use super::byte_stream::ByteStream;
use super::connection::{Connection, Partial, Socket, State};
use super::context::Context;
use crate::protocol::websocket::close::{self, CloseCode};
use crate::protocol::websocket::frame::{self, Opcode};
use crate::protocol::websocket::message::{MessageEvent, MessageLimits, Receiver, Role};
use crate::transport::compression;
use crate::transport::metrics::Ended;

impl<S: ByteStream> Connection<S> {
    /// Takes frames, and returns how many bytes it has taken: all of them, unless the connection is no WebSocket any
    /// more, or its answers have to be written first.
    pub(super) fn receive_frames(&mut self, input: &mut [u8], cx: &mut Context) -> usize {
        self.is_alive(cx);
        let kept = self.busy.as_mut().map(|busy| std::mem::take(&mut busy.partial));
        let (mut boxed, mut fresh): (Option<Box<Receiver>>, Option<Receiver>) = (None, None);
        let receiver: &mut Receiver = match kept {
            Some(Partial::Frames(receiver)) => boxed.insert(receiver),
            _ => fresh.insert(self.receiver(cx)),
        };
        let mut consumed = 0;
        while consumed < input.len()
            && matches!(self.state, State::Socket(_))
            && cx.out.len() < cx.options.outbox_bytes
        {
            match receiver.receive(&mut input[consumed..]) {
                Ok((length, event)) => {
                    consumed += length;
                    if let Some(event) = event {
                        if self.is_too_fast(cx) {
                            let reason = "more messages came in a second than may";
                            self.start_close(CloseCode::POLICY_VIOLATION, reason, Ended::Rate, cx);
                            self.end(Ended::Rate, cx);
                            return input.len();
                        }
                        self.take_event(event, cx);
                    }
                }
                Err(failure) => {
                    // RFC 6455 §7.1.7: the reason, and then the end, without waiting for the client's close. Behind
                    // a close frame there is no second one (§5.5.1).
                    if !matches!(self.state, State::Socket(Socket::Closing)) {
                        self.start_close(failure.close_code(), &failure.close_reason(), Ended::Violation, cx);
                    }
                    self.end(Ended::Violation, cx);
                    return input.len();
                }
            }
        }
        if !receiver.is_idle() && matches!(self.state, State::Socket(_)) {
            // One that was made for this call moves to the heap only if it has to be kept.
            if let Some(receiver) = boxed.or(fresh.map(Box::new)) {
                self.busy().partial = Partial::Frames(receiver);
            }
        }
        consumed
    }

    /// A receiver between two messages.
    fn receiver(&self, cx: &Context) -> Receiver {
        let frames = cx.options.message_frames;
        let limits = MessageLimits { message_bytes: cx.service.policy.event_bytes, frames };
        match self.state {
            State::Socket(Socket::Topic { compressed: true, .. }) => compression::receiver_alone(limits),
            State::Socket(Socket::Echo { .. }) => {
                let limits = MessageLimits { message_bytes: cx.options.echo_bytes, frames };
                let compression = self.busy.as_ref().and_then(|busy| busy.compression.as_ref());
                compression
                    .map_or(Receiver::new(Role::Server, limits), |compression| compression.receiver(limits))
            }
            _ => Receiver::new(Role::Server, limits),
        }
    }

    fn echo(&mut self, opcode: Opcode, payload: &[u8], cx: &mut Context) {
        match self.busy.as_mut().and_then(|busy| busy.compression.as_mut()) {
            Some(compression) => compression.write(opcode, payload, &mut cx.out),
            None => frame::write_frame(opcode, payload, &mut cx.out),
        }
    }

    /// Bytes have come, whatever they are, or were taken: somebody is there.
    pub(super) fn is_alive(&mut self, cx: &mut Context) {
        if let State::Socket(Socket::Topic { pinged, .. } | Socket::Echo { pinged }) = &mut self.state {
            *pinged = false;
            self.due_in(cx.options.ping_interval, cx);
        }
    }

    fn take_event(&mut self, event: MessageEvent<'_>, cx: &mut Context) {
        let State::Socket(socket) = self.state else { return };
        match (event, socket) {
            (MessageEvent::Close(close), Socket::Topic { .. } | Socket::Echo { .. }) => {
                // RFC 6455 §5.5.1: the same code comes back, and the server ends the connection first (§7.1.1).
                self.count_end(Ended::Client, cx);
                self.leave(None, State::Ending, cx);
                self.forget_pong();
                match close {
                    Some((code, _)) => close::encode(code, "", &mut cx.out),
                    None => frame::write_frame(Opcode::Close, b"", &mut cx.out),
                }
                self.end(Ended::Client, cx);
            }
            (MessageEvent::Close(_), Socket::Closing) => self.end(Ended::Client, cx),
            // §5.5.1: between the server's close frame and the client's, the client's other frames are of no use.
            (_, Socket::Closing) => {}
            (MessageEvent::Ping(payload), _) => self.pong(payload, cx),
            // Whether it answers a ping or not, it has shown life (§5.5.3).
            (MessageEvent::Pong(_), _) => {}
            (MessageEvent::Text(text), Socket::Echo { .. }) => self.echo(Opcode::Text, text.as_bytes(), cx),
            (MessageEvent::Binary(data), Socket::Echo { .. }) => self.echo(Opcode::Binary, data, cx),
            (MessageEvent::Text(text), Socket::Topic { following, may_publish: true, .. }) => {
                let now = cx.now();
                cx.service.append(following.topic, "message", text, now);
                // Its own place may be among what is dropped, so that waits until its turn is over.
                cx.service.trim_owed = Some(following.topic);
            }
            (MessageEvent::Text(_), Socket::Topic { may_publish: false, .. }) => {
                let reason = "a token is needed to publish";
                self.start_close(CloseCode::POLICY_VIOLATION, reason, Ended::Violation, cx);
            }
            (MessageEvent::Binary(_), Socket::Topic { .. }) => {
                let reason = "an event's data is text";
                self.start_close(CloseCode::UNSUPPORTED_DATA, reason, Ended::Violation, cx);
            }
        }
    }

    fn pong(&mut self, payload: &[u8], cx: &mut Context) {
        match self.busy.as_mut().filter(|busy| !busy.outbox.is_empty()) {
            None => frame::write_frame(Opcode::Pong, payload, &mut cx.out),
            Some(busy) => {
                let mut pong = Vec::with_capacity(payload.len() + 2);
                frame::write_frame(Opcode::Pong, payload, &mut pong);
                busy.outbox.set_pong(pong);
            }
        }
    }

    fn forget_pong(&mut self) {
        if let Some(busy) = &mut self.busy {
            busy.outbox.forget_pong();
        }
    }

    /// Starts the closing handshake (RFC 6455 §7.1.2). The frame goes out with the next flush.
    pub(super) fn start_close(&mut self, code: CloseCode, reason: &str, ended: Ended, cx: &mut Context) {
        self.count_end(ended, cx);
        self.leave(None, State::Socket(Socket::Closing), cx);
        self.forget_pong();
        close::encode(code, reason, &mut cx.out);
        self.due_in(cx.options.close_timeout, cx);
    }

    /// It has been silent for too long.
    pub(super) fn expire_socket(&mut self, socket: Socket, cx: &mut Context) {
        match socket {
            Socket::Closing | Socket::Topic { pinged: true, .. } | Socket::Echo { pinged: true } => {
                self.close(Ended::PongTimeout, cx)
            }
            Socket::Topic { .. } | Socket::Echo { .. } => {
                // A ping that could not be written would start no deadline, so none is: the write deadline is on.
                if self.outbox_len() > 0 {
                    return self.due_in(cx.options.ping_interval, cx);
                }
                frame::write_frame(Opcode::Ping, b"", &mut cx.out);
                self.flush(cx);
                if self.outbox_len() > 0 {
                    return self.due_in(cx.options.ping_interval, cx);
                }
                if let State::Socket(Socket::Topic { pinged, .. } | Socket::Echo { pinged }) = &mut self.state
                {
                    *pinged = true;
                }
                self.due_in(cx.options.pong_timeout, cx);
            }
        }
    }
}
