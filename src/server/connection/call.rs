//! Calls of the application: a request that waits for its answer, and the application's WebSockets.

use super::Connection;
use super::http::RequestStart;
use super::state::{Called, Label, Messages, Socket, State};
use crate::hub::{Opener, Since};
use crate::protocol::http::{self, Status, Version};
use crate::protocol::websocket::close::CloseCode;
use crate::protocol::websocket::frame::{self, Opcode};
use crate::server::application::{Answer, Call, CallId, FollowError, Sent};
use crate::server::byte_stream::ByteStream;
use crate::server::context::LoopContext;
use crate::server::work::cost;
use crate::transport::action::{Action, CallRequest};
use crate::transport::metrics::EndReason;
use crate::transport::response::{Overload, Refusal, ResponseContext};
use crate::transport::websocket;

impl<S: ByteStream> Connection<S> {
    /// Has the application called for a request.
    pub(super) fn begin_call(
        &mut self,
        request: CallRequest<'_>,
        context: ResponseContext,
        content: &[u8],
        label: Label<'_>,
        cx: &mut LoopContext,
    ) {
        let CallRequest { route, head, handshake } = request;
        cx.call_number = cx.call_number.wrapping_add(1);
        let called = Called {
            number: cx.call_number,
            head: head.into(),
            context,
            label: label.kept(cx.log.is_some()),
            handshake: handshake.map(|handshake| (handshake, route)),
            frames: Vec::new(),
            follow: None,
            has_content: !content.is_empty(),
            is_probed: false,
        };
        cx.calls.push_back(Call::Request {
            id: CallId { key: self.key, number: called.number },
            route,
            is_handshake: called.handshake.is_some(),
            head: called.head.clone(),
            content: content.to_vec(),
        });
        self.enter(State::Called(Box::new(called)), cx);
        self.due_in(cx.options.answer_timeout, cx);
    }

    pub(super) fn call_for_message(&self, route: u16, opcode: Opcode, payload: &[u8], cx: &mut LoopContext) {
        cx.work.charge(cost::bytes(payload.len()));
        cx.calls.push_back(Call::Message { socket: self.key, route, opcode, payload: payload.to_vec() });
    }

    /// Has the application called for a change of the state: its WebSocket has ended, or the
    /// connection has begun or ceased to follow a topic.
    pub(super) fn call_for_change(&self, last: &State, cx: &mut LoopContext) {
        if let Some(route) = last.application().filter(|_| self.state.application().is_none()) {
            cx.calls.push_back(Call::Closed { socket: self.key, route });
        }
        if !cx.watches_followers {
            return;
        }
        let topic = |state: &State| state.following().map(|following| following.topic);
        let (before, after) = (topic(last), topic(&self.state));
        for (key, has_joined) in [(before, false), (after, true)] {
            if let Some(key) = key.filter(|_| before != after) {
                let topic = cx.service.hub.topic(key).name().into();
                cx.calls.push_back(Call::Follower { topic, has_joined });
            }
        }
    }

    /// Sends the application's answer to a request. Returns `false` if the request no longer waits.
    pub fn answer(&mut self, number: u32, answer: Answer<'_>, cx: &mut LoopContext) -> bool {
        match &mut self.state {
            State::Called(called) if called.number == number => {}
            _ => return false,
        }
        if let Answer::Later = answer {
            self.probe_called(cx);
            return !self.state.is_closed();
        }
        let waited = self.waited(cx.options.answer_timeout, cx);
        let State::Called(called) = self.enter(State::Http, cx) else { return false };
        match answer {
            Answer::Follow(topic) => self.answer_with_topic(*called, topic, cx),
            Answer::Open => self.open_socket(*called, cx),
            answer => self.answer_completely(*called, &answer, waited, cx),
        }
        self.resume(cx);
        !self.state.is_closed()
    }

    /// Writes what an answer has left, and has the connection served if more requests have arrived.
    fn resume(&mut self, cx: &mut LoopContext) {
        self.flush(cx);
        if self.state.may_read() && self.has_input() {
            self.schedule(cx);
        }
        self.arm_unless_closed(cx);
    }

    fn answer_completely(&mut self, called: Called, answer: &Answer<'_>, waited: u32, cx: &mut LoopContext) {
        let Answer::Complete { status, kind, fields, content } = *answer else { return };
        let Called { mut context, label, .. } = called;
        context.persists &= !cx.gauges.draining;
        let (service, now, _, out) = cx.responding();
        context.write(out, status, kind, fields, content, &now);
        service.counters.refuse(status, None);
        cx.work.charge(cost::REQUEST + cost::bytes(content.len()));
        self.log_response(&label, status, waited, cx);
        self.finish_response(status, None, context.persists, cx);
    }

    fn answer_with_topic(&mut self, called: Called, topic: &str, cx: &mut LoopContext) {
        let Called { head, mut context, mut label, has_content, .. } = called;
        let mut scratch = http::scratch();
        context.of_topic = true;
        let action = match http::parse(&head, &mut scratch, &cx.options.head) {
            Ok(head) => Action::follow(&head, topic, has_content, &self.rules(cx)),
            Err(error) => Err(Refusal::new(error.status(), error.to_string())),
        };
        label.purpose = action.as_ref().map_or(label.purpose, Action::purpose);
        let path = label.path.clone();
        self.respond_to_counted(RequestStart { action, context, label }, &[], cx);
        if cx.log.is_some() && matches!(self.state, State::Held(_)) {
            self.busy().held_path = Some(path.into());
        }
    }

    /// Completes the handshake of one of the application's WebSockets.
    fn open_socket(&mut self, called: Called, cx: &mut LoopContext) {
        let Called { context, label, frames, follow, handshake: Some((handshake, route)), .. } = called
        else {
            return;
        };
        let (_, now, _, out) = cx.responding();
        handshake.write_head(&context, &now, out);
        let (first, rest) = frames.split_at(follow.as_ref().map_or(0, |(.., before)| *before));
        cx.out.extend_from_slice(first);
        self.log_response(&label, Status::SWITCHING_PROTOCOLS, 0, cx);
        cx.service.counters.sockets += 1;
        let messages = Messages::Call { route, encoding: handshake.encoding() };
        let compressed = handshake.agreement.is_some();
        let socket = Socket::Open { following: None, messages, compressed, pinged: false };
        self.enter(State::Socket(socket), cx);
        self.due_in(cx.options.ping_interval, cx);
        if let Some((topic, since, _)) = follow {
            self.queue_output(cx);
            if self.follow(&topic, since, cx) == Err(FollowError::Topics) {
                let reason = Overload::Topics.detail();
                return self.start_close(CloseCode::TRY_AGAIN_LATER, reason, EndReason::Overload, cx);
            }
        }
        cx.out.extend_from_slice(rest);
        self.queue_output(cx);
    }

    /// Has one of the application's WebSockets follow a topic.
    pub fn follow(&mut self, topic: &str, since: Since, cx: &mut LoopContext) -> Result<(), FollowError> {
        if let State::Called(called) = &mut self.state
            && called.handshake.is_some()
        {
            // The handshake is completed in this turn. If the handler evicts the topic before that,
            // by publishing to others, the WebSocket is closed.
            let opened = cx.service.hub.open(topic, Opener::Follower, cx.clock.tick());
            opened.map_err(|_| FollowError::Topics)?;
            called.follow = Some((topic.into(), since, called.frames.len()));
            return Ok(());
        }
        let State::Socket(Socket::Open { messages, compressed, pinged, .. }) = self.state else {
            return Err(FollowError::Gone);
        };
        let Messages::Call { encoding, .. } = messages else { return Err(FollowError::Gone) };
        let of_nothing = Socket::Open { following: None, messages, compressed, pinged };
        self.leave(None, State::Socket(of_nothing), cx);
        let (service, now, _, out) = cx.responding();
        let placed = service.place(topic, &since, false, &now);
        let (key, placement) = placed.map_err(|_| FollowError::Topics)?;
        let following = websocket::open(&mut service.hub, key, &placement, encoding, &now, out);
        let Some(following) = following else { return Err(FollowError::Gone) };
        self.queue_output(cx);
        let socket = Socket::Open { following: Some(following), messages, compressed, pinged };
        cx.service.hub.join(key, self.key.slot, cx.clock.tick());
        self.enter(State::Socket(socket), cx);
        Ok(())
    }

    /// Sends a message to one of the application's WebSockets, once its handlers have run.
    pub fn send(&mut self, opcode: Opcode, payload: &[u8], cx: &mut LoopContext) -> Sent {
        let waiting = self.outbox_len();
        match &mut self.state {
            State::Called(called) if called.handshake.is_some() => {
                frame::write_frame(opcode, payload, &mut called.frames);
                return Sent::Now;
            }
            State::Socket(Socket::Open { messages: Messages::Call { .. }, .. }) => {}
            _ => return Sent::Gone,
        }
        let most = cx.options.outbox_bytes.saturating_sub(payload.len());
        if waiting > most {
            self.flush(cx);
        }
        if self.outbox_len() > most {
            let reason = "too slow: too many messages are unread";
            self.start_close(CloseCode::TRY_AGAIN_LATER, reason, EndReason::TooSlow, cx);
            self.flush(cx);
            return Sent::Gone;
        }
        frame::write_frame(opcode, payload, &mut cx.out);
        cx.work.charge(cost::MESSAGE + cost::bytes(payload.len()));
        self.queue_output(cx);
        if self.is_stalled() { Sent::Queued(self.outbox_len()) } else { Sent::Now }
    }

    /// Moves new output to the outbox, to be written when the handlers have run.
    fn queue_output(&mut self, cx: &mut LoopContext) {
        if self.outbox_len() == 0 {
            cx.unflushed.push(self.key);
        }
        self.busy().outbox.push_rest(&mut cx.out, 0);
        cx.out.clear();
    }

    /// Writes the messages that the handlers have sent.
    pub fn write_messages(&mut self, cx: &mut LoopContext) {
        self.flush(cx);
        self.arm_unless_closed(cx);
    }

    /// Returns how many bytes of earlier turns wait for the client.
    pub fn queued(&self) -> usize {
        if self.is_stalled() && self.state.application().is_some() { self.outbox_len() } else { 0 }
    }

    /// Starts the closing handshake of one of the application's WebSockets.
    pub fn close_socket(&mut self, code: u16, reason: &str, cx: &mut LoopContext) {
        if self.state.application().is_some() {
            let code = if CloseCode(code).may_be_sent() { CloseCode(code) } else { CloseCode::NORMAL };
            self.start_close(code, reason, EndReason::Application, cx);
            self.flush(cx);
        }
    }

    /// Refuses a request that waits for the application.
    pub(super) fn refuse_called(&mut self, refusal: Refusal, cx: &mut LoopContext) {
        let State::Called(called) = self.enter(State::Http, cx) else { return };
        let Called { context, label, .. } = *called;
        self.respond_to_counted(RequestStart { action: Err(refusal), context, label }, &[], cx);
        self.resume(cx);
    }

    /// Finds out whether the client of a request that waits is still there after its FIN: it may
    /// have ended only its side, as netcat does. A client that is gone answers the interim response
    /// (RFC 9110 §15.2) with a reset. HTTP/1.0 has none.
    pub(super) fn probe_called(&mut self, cx: &mut LoopContext) {
        let has_ended = self.has_ended();
        if let State::Called(called) = &mut self.state
            && has_ended
            && called.context.version == Version::Http11
            && !std::mem::replace(&mut called.is_probed, true)
        {
            cx.out.extend_from_slice(http::CONTINUE);
            self.flush(cx);
        }
    }
}
