//! HTTP on a connection: bytes to requests, one after the other, and their responses.

use std::fmt::Display;

use super::Connection;
use super::read::ParseOutcome;
use super::state::{Label, Messages, Partial, PartialBody, Socket, State};
use crate::hub::Tick;
use crate::protocol::Transport;
use crate::protocol::http::{
    self, BodyError, BodyLimits, BodyReader, Framing, HeadScan, Method, RequestHead, Status,
};
use crate::server::byte_stream::ByteStream;
use crate::server::context::LoopContext;
use crate::server::repeated_poll::RepeatedPoll;
use crate::server::request_log::LoggedRequest;
use crate::server::work::cost;
use crate::transport::action::Action;
use crate::transport::compression::{ContextTakeover, EchoCompression};
use crate::transport::metrics::EndReason;
use crate::transport::response::{Overload, Refusal, ResponseContext};
use crate::transport::route::Rules;
use crate::transport::{Next, Purpose, Responded, websocket};

/// A request as far as its head goes.
pub(super) struct RequestStart<'a> {
    pub action: Result<Action<'a>, Refusal>,
    pub context: ResponseContext,
    pub label: Label<'a>,
}

/// Returns a refusal for a rule of HTTP that the request breaks.
fn malformed(status: Status, error: impl Display) -> Refusal {
    Refusal::new(status, error.to_string())
}

impl<S: ByteStream> Connection<S> {
    /// Consumes a request, or a part of one. `scan`: how far the head at the start of `input` has
    /// been scanned before.
    pub(super) fn receive_request(
        &mut self,
        input: &[u8],
        scan: Option<HeadScan>,
        cx: &mut LoopContext,
    ) -> ParseOutcome {
        if let Some(body) = self.take_partial_body() {
            return self.receive_body(body, input, cx);
        }
        if scan.is_none() {
            if let Some(length) = self.receive_repeated_poll(input, cx) {
                return ParseOutcome::Consumed(length);
            }
            self.due_in(cx.options.head_timeout, cx);
        }
        let mut scan = scan.unwrap_or_default();
        let end = match scan.scan(input, &cx.options.head) {
            Ok(Some(end)) => end,
            Ok(None) => return ParseOutcome::IncompleteHead(scan),
            Err(error) => {
                self.refuse(malformed(error.status(), error), cx);
                return ParseOutcome::Consumed(input.len());
            }
        };
        let mut scratch = http::scratch();
        let of_body = match http::parse(&input[..end], &mut scratch, &cx.options.head) {
            Ok(head) => self.begin_request(&head, input.split_at(end), cx),
            Err(error) => {
                self.refuse(malformed(error.status(), error), cx);
                Some(0)
            }
        };
        of_body.map_or(ParseOutcome::Parked, |length| ParseOutcome::Consumed(end + length))
    }

    /// Responds to a poll with the same head as the last one. Returns the head's length.
    fn receive_repeated_poll(&mut self, input: &[u8], cx: &mut LoopContext) -> Option<usize> {
        if cx.gauges.draining || self.surplus.is_some() {
            // Routing refuses the request.
            return None;
        }
        let (poll, length) = cx.repeated_poll(input)?;
        let action = Action::Poll(poll.request());
        let context = poll.context.clone();
        let label = Label {
            method: if context.head_only { "HEAD" } else { "GET" }.into(),
            path: (&*poll.path).into(),
            purpose: action.purpose(),
        };
        self.respond(RequestStart { action: Ok(action), context, label }, &[], cx);
        Some(length)
    }

    /// Starts a request whose head is complete: responds, or waits for the content. `bytes` are
    /// those of the head and those after it. Returns how many of the latter are consumed; `None` if
    /// the request has to wait for room in the log.
    fn begin_request(
        &mut self,
        head: &RequestHead<'_, '_>,
        bytes: (&[u8], &[u8]),
        cx: &mut LoopContext,
    ) -> Option<usize> {
        let (head_bytes, rest) = bytes;
        let framing = Framing::of(head);
        let has_content = !matches!(framing, Ok(Framing::None | Framing::Length(0)));
        let (context, action) = Action::of(head, head_bytes, has_content, &self.rules(cx));
        let bytes = if let Ok(Framing::Length(length)) = framing { length } else { u64::MAX };
        let may_publish = match &action {
            Ok(Action::Publish(_)) => true,
            Ok(Action::Call(_)) => !matches!(head.method, Method::Get | Method::Head),
            _ => false,
        };
        if may_publish && cx.must_wait_for_room(bytes) {
            self.park(cx);
            return None;
        }
        let label = Label {
            method: head.method.as_str().into(),
            path: head.target.path().map_or("*", |(path, _)| path).into(),
            purpose: action.as_ref().map_or(Purpose::Other, Action::purpose),
        };
        cx.observe_purpose(self.key, label.purpose);
        let start = RequestStart { action, context, label };
        let framing = match framing {
            Ok(framing) => framing,
            Err(error) => {
                self.refuse_start(start, malformed(error.status(), error), cx);
                return Some(0);
            }
        };
        let closes = matches!(&start.action, Err(refusal) if refusal.closes);
        if !has_content || closes {
            if let (Ok(Action::Poll(request)), false) = (&start.action, has_content) {
                cx.remember_poll(|| {
                    RepeatedPoll::new(head_bytes, &start.label.path, request, &start.context)
                });
            }
            self.respond(start, &[], cx);
            return Some(0);
        }
        let expects_continue = match head.expects_continue() {
            Ok(expects) => expects,
            Err(error) => {
                self.refuse_start(start, malformed(error.status(), error), cx);
                return Some(0);
            }
        };
        let max = match &start.action {
            Ok(Action::Publish(publication)) if publication.lines => cx.service.policy.batch_bytes,
            Ok(Action::Call(_)) => cx.service.policy.batch_bytes,
            // One event's data, or content that is dropped before the response.
            _ => cx.service.policy.event_bytes,
        } as u64;
        match framing {
            // Content that has arrived with the head is used where it is; except at shutdown, when
            // `receive_body` refuses the request.
            Framing::Length(length)
                if !expects_continue
                    && !cx.gauges.draining
                    && length <= max
                    && length <= rest.len() as u64 =>
            {
                self.respond(start, &rest[..length as usize], cx);
                Some(length as usize)
            }
            _ => {
                self.begin_body(start, framing, max, expects_continue, cx);
                Some(0)
            }
        }
    }

    pub(super) fn rules<'c>(&self, cx: &'c LoopContext) -> Rules<'c> {
        let policy = &cx.service.policy;
        let has_room = cx.echo_contexts < cx.options.echo_contexts;
        Rules {
            routes: &cx.service.routes,
            access: &policy.access,
            max_wait: policy.max_wait,
            compress: policy.compress,
            echo_context: if has_room { ContextTakeover::Allowed } else { ContextTakeover::Refused },
            overload: if cx.gauges.draining { Some(Overload::Draining) } else { self.surplus },
        }
    }

    /// Keeps a request until its content has arrived, at most `max` bytes.
    fn begin_body(
        &mut self,
        start: RequestStart<'_>,
        framing: Framing,
        max: u64,
        expects_continue: bool,
        cx: &mut LoopContext,
    ) {
        let limits = BodyLimits { content: max, ..BodyLimits::default() };
        let reader = match BodyReader::new(framing, limits) {
            Ok(reader) => reader,
            Err(error) => return self.refuse_body(start, error, cx),
        };
        if expects_continue {
            if let Err(refusal) = start.action {
                // RFC 9110 §10.1.1: the final status at once. The client may send the content all
                // the same, so the next bytes cannot be trusted to be a request.
                let action = Err(refusal.closing());
                return self.respond(RequestStart { action, ..start }, &[], cx);
            }
            cx.out.extend_from_slice(http::CONTINUE);
        }
        self.due_in(cx.options.body_timeout, cx);
        let RequestStart { action, context, label } = start;
        let label = label.kept(cx.log.is_some());
        let action = action.map(Action::into_owned);
        let body = PartialBody { reader, content: Vec::new(), action, context, label };
        self.busy().partial = Some(Partial::Body(Box::new(body)));
    }

    fn take_partial_body(&mut self) -> Option<Box<PartialBody>> {
        match self.busy.as_mut()?.partial.take_if(|partial| matches!(partial, Partial::Body(_)))? {
            Partial::Body(body) => Some(body),
            _ => None,
        }
    }

    /// Consumes a part of a request's content, and responds when that is complete.
    fn receive_body(
        &mut self,
        mut body: Box<PartialBody>,
        input: &[u8],
        cx: &mut LoopContext,
    ) -> ParseOutcome {
        let bytes = (body.content.len() + input.len()) as u64;
        if matches!(body.action, Ok(Action::Publish(_) | Action::Call(_))) && cx.must_wait_for_room(bytes) {
            self.busy().partial = Some(Partial::Body(body));
            self.park(cx);
            return ParseOutcome::Parked;
        }
        cx.observe_purpose(self.key, body.label.purpose);
        let outcome = body.reader.read(input, &mut body.content);
        if let Ok((consumed, false)) = outcome {
            self.busy().partial = Some(Partial::Body(body));
            return ParseOutcome::Consumed(consumed);
        }
        let PartialBody { content, mut action, context, label, .. } = *body;
        if cx.gauges.draining && action.is_ok() && outcome.is_ok() {
            // The log ends with the server: no follower would receive an event accepted now.
            action = Err(Refusal::overloaded(Overload::Draining, false));
        }
        let start = RequestStart { action, context, label };
        ParseOutcome::Consumed(match outcome {
            Ok((consumed, _)) => {
                self.respond(start, &content, cx);
                consumed
            }
            Err(error) => {
                self.refuse_body(start, error, cx);
                input.len()
            }
        })
    }

    /// Refuses a request for its content. If the request was refused already, that is the response.
    /// The rest of the content is not read.
    fn refuse_body(&mut self, start: RequestStart<'_>, error: BodyError, cx: &mut LoopContext) {
        let refusal = match &start.action {
            Ok(_) => malformed(error.status(), error),
            Err(refusal) => refusal.clone(),
        };
        self.refuse_start(start, refusal, cx);
    }

    /// Refuses bytes that cannot be parsed as a request. The start of the next request is not
    /// known, so the connection ends.
    fn refuse(&mut self, refusal: Refusal, cx: &mut LoopContext) {
        let (context, label) = (ResponseContext::UNREADABLE, Label::UNKNOWN);
        self.respond(RequestStart { action: Err(refusal.closing()), context, label }, &[], cx);
    }

    /// Refuses a request whose head could be parsed, and ends the connection. The response depends
    /// on the request's context, so that a page of another origin can read it too.
    fn refuse_start(&mut self, start: RequestStart<'_>, refusal: Refusal, cx: &mut LoopContext) {
        self.respond(RequestStart { action: Err(refusal.closing()), ..start }, &[], cx);
    }

    /// Responds to a request, logs it, and enters the state that follows from it.
    fn respond(&mut self, start: RequestStart<'_>, content: &[u8], cx: &mut LoopContext) {
        self.count = self.count.saturating_add(1);
        self.respond_to_counted(start, content, cx);
    }

    /// The same for a request that is counted already.
    pub(super) fn respond_to_counted(
        &mut self,
        start: RequestStart<'_>,
        content: &[u8],
        cx: &mut LoopContext,
    ) {
        let RequestStart { action, mut context, label } = start;
        cx.observe_purpose(self.key, label.purpose);
        // A last response says so: at shutdown, on a surplus connection, at the limit of requests.
        context.persists &= !cx.gauges.draining && self.surplus.is_none() && !self.is_at_request_limit(cx);
        let overload = action.as_ref().err().and_then(|refusal| refusal.overload);
        let (service, now, _, out) = cx.responding();
        let before = out.len();
        let Responded { status, next, persists } = service.respond(action, content, context, &now, out);
        let moved = content.len() + out.len() - before;
        cx.work.charge(cost::REQUEST + cost::bytes(moved));
        cx.charge_hub();
        match next {
            Next::Done => {
                self.log_response(&label, status, 0, cx);
                self.finish_response(status, overload, persists, cx);
            }
            Next::Batch(batch) => self.begin_batch(batch, label, cx),
            Next::Hold(_) => self.enter_next(next, cx),
            Next::Call(request, context) => self.begin_call(request, context, content, label, cx),
            next => {
                self.log_response(&label, status, 0, cx);
                self.enter_next(next, cx);
            }
        }
    }

    /// Waits for the next request after a complete response, or ends the connection.
    pub(super) fn finish_response(
        &mut self,
        status: Status,
        overload: Option<Overload>,
        persists: bool,
        cx: &mut LoopContext,
    ) {
        if persists {
            self.due_in(cx.options.idle_timeout, cx);
        } else {
            self.end(self.reason_after(status, overload, cx), cx);
        }
    }

    /// Logs a response, for which the request has waited this many ticks.
    pub(super) fn log_response(&self, label: &Label<'_>, status: Status, ticks: u32, cx: &mut LoopContext) {
        let Label { method, path, purpose } = label;
        let request = LoggedRequest { peer: None, method, path, status, purpose: *purpose, ticks };
        cx.record(request, || self.stream.peer());
    }

    /// Returns how many ticks ago a wait of this many seconds began, whose deadline is that of the
    /// state.
    pub(super) fn waited(&self, seconds: u32, cx: &LoopContext) -> u32 {
        cx.now().0.saturating_sub(self.due.before(seconds.saturating_mul(Tick::PER_SECOND)).0)
    }

    /// Returns why the connection ends after its last response.
    fn reason_after(&self, status: Status, overload: Option<Overload>, cx: &LoopContext) -> EndReason {
        match status {
            _ if cx.gauges.draining => EndReason::Drain,
            _ if overload == Some(Overload::Memory) => EndReason::Memory,
            _ if self.surplus.is_some() => EndReason::Overload,
            Status::REQUEST_TIMEOUT => EndReason::RequestTimeout,
            _ if status.code() >= 400 => EndReason::Refused,
            _ if self.is_at_request_limit(cx) => EndReason::Requests,
            _ => EndReason::Answered,
        }
    }

    /// Enters the state of a response that is not complete at once.
    fn enter_next(&mut self, next: Next, cx: &mut LoopContext) {
        let (slot, now) = (self.key.slot, cx.now());
        match next {
            Next::Done | Next::Batch(_) | Next::Call(..) => {}
            Next::Hold(held) => {
                cx.service.counters.held += 1;
                cx.service.hub.join(held.topic, slot, now);
                self.due_in(u32::from(held.wait), cx);
                self.enter(State::Held(held), cx);
            }
            Next::Stream(following) => {
                cx.service.counters.streams += 1;
                self.enter(State::Stream(following), cx);
                self.due_in(cx.options.heartbeat, cx);
                cx.service.hub.join(following.topic, slot, now);
                // The hub takes a new follower for caught up; the flush corrects that.
                self.flush(cx);
            }
            Next::Socket { following, may_publish, compressed } => {
                cx.service.counters.sockets += 1;
                let messages = if may_publish { Messages::Publish } else { Messages::Forbid };
                let socket = Socket::Open { following: Some(following), messages, compressed, pinged: false };
                self.enter(State::Socket(socket), cx);
                self.due_in(cx.options.ping_interval, cx);
                cx.service.hub.join(following.topic, slot, now);
                self.flush(cx);
            }
            Next::Gap => self.start_close(websocket::CLOSE_GAP, "gap", EndReason::Gap, cx),
            Next::Echo { agreement } => {
                if let Some(compression) = agreement.map(EchoCompression::new) {
                    cx.echo_contexts += usize::from(compression.keeps_context());
                    self.busy().compression = Some(Box::new(compression));
                }
                cx.service.counters.sockets += 1;
                self.enter(State::Socket(Socket::Echo { pinged: false }), cx);
                self.due_in(cx.options.ping_interval, cx);
            }
        }
    }

    /// Returns whether the connection has reached its limit of requests.
    pub(super) fn is_at_request_limit(&self, cx: &LoopContext) -> bool {
        cx.options.requests_per_connection.is_some_and(|most| self.count >= most)
    }

    /// Handles the timeout of a request, or of the wait for one.
    pub(super) fn expire_request(&mut self, cx: &mut LoopContext) {
        match self.busy.as_mut().and_then(|busy| busy.partial.take()) {
            None => self.end(EndReason::Idle, cx),
            partial => {
                let detail = "The request did not arrive in time; send it faster (RFC 9110 §15.5.9).";
                self.refuse_partial(partial, Refusal::new(Status::REQUEST_TIMEOUT, detail), cx);
            }
        }
    }

    /// Refuses a held poll.
    pub(super) fn refuse_held(&mut self, refusal: Refusal, cx: &mut LoopContext) {
        if !matches!(self.state, State::Held(_)) {
            return;
        }
        self.count_end(EndReason::Memory, cx);
        let State::Held(held) = self.enter(State::Flushing, cx) else { return };
        cx.service.hub.leave(held.topic, self.key.slot, cx.now());
        let path = self.path_of_held(&held, cx);
        let purpose = Purpose::Follow(Transport::LongPoll);
        let label = Label { method: "GET".into(), path, purpose };
        let (context, action) = (held.poll.context, Err(refusal.closing()));
        self.respond(RequestStart { action, context, label }, &[], cx);
    }

    /// Refuses an incomplete request, in its own context if that is known.
    pub(super) fn refuse_partial(
        &mut self,
        partial: Option<Partial>,
        refusal: Refusal,
        cx: &mut LoopContext,
    ) {
        match partial {
            Some(Partial::Body(body)) => {
                let PartialBody { action, context, label, .. } = *body;
                self.refuse_start(RequestStart { action, context, label }, refusal, cx);
            }
            // Some of its events are published, so a refusal would not be true.
            batch @ Some(Partial::Batch(_)) => {
                // The end of the connection releases its topic.
                self.busy().partial = batch;
                let ended = refusal.overload.map_or(EndReason::RequestTimeout, |_| EndReason::Memory);
                self.close(ended, cx);
            }
            _ => self.refuse(refusal, cx),
        }
    }
}
