//! HTTP on a connection: from its bytes to requests, one after the other, and their answers.

use std::borrow::Cow;

use super::access_log::Line;
use super::byte_stream::ByteStream;
use super::connection::{Connection, Partial, Socket, State};
use super::context::Context;
use crate::protocol::http::{
    self, BodyError, BodyLimits, BodyReader, Framing, HeadScan, RequestHead, Status, Version,
};
use crate::transport::answer::{Overload, Refusal, Terms};
use crate::transport::compression::{self, EchoCompression};
use crate::transport::metrics::Ended;
use crate::transport::plan::Plan;
use crate::transport::route::Rules;
use crate::transport::{Answered, Reply, socket};

/// A request whose body is still coming.
pub struct PendingBody {
    reader: BodyReader,
    content: Vec<u8>,
    plan: Result<Plan<'static>, Refusal>,
    terms: Terms,
    label: Label<'static>,
}

/// What the log calls a request.
#[derive(Clone)]
struct Label<'a> {
    method: Cow<'a, str>,
    path: Cow<'a, str>,
    transport: &'static str,
}

impl<S: ByteStream> Connection<S> {
    /// Takes a request's head, a part of it, or a part of its body, and returns how many bytes that were. `scan`
    /// is there if the head began in earlier bytes, and knows how much of these was looked at.
    pub(super) fn receive_request(
        &mut self,
        input: &[u8],
        scan: Option<HeadScan>,
        cx: &mut Context,
    ) -> usize {
        if let Some(busy) = self.busy.as_mut()
            && matches!(busy.partial, Partial::Body(_))
            && let Partial::Body(body) = std::mem::take(&mut busy.partial)
        {
            return self.receive_body(body, input, cx);
        }
        let first = scan.is_none();
        let mut scan = scan.unwrap_or_default();
        let end = match scan.scan(input, &cx.options.head) {
            Ok(Some(end)) => end,
            Ok(None) => {
                if first {
                    self.due_in(cx.options.head_timeout, cx);
                }
                // The caller, whose bytes these are, puts them in.
                self.busy().partial = Partial::Head { buffer: Vec::new(), scan };
                return input.len();
            }
            Err(error) => {
                self.refuse(Refusal::new(error.status(), error.to_string()), cx);
                return input.len();
            }
        };
        let mut scratch = http::scratch();
        match http::parse(&input[..end], &mut scratch, &cx.options.head) {
            Ok(head) => self.begin(&head, cx),
            Err(error) => self.refuse(Refusal::new(error.status(), error.to_string()), cx),
        }
        end
    }

    /// A head is whole: it is answered, or its body awaited.
    fn begin(&mut self, head: &RequestHead<'_, '_>, cx: &mut Context) {
        let framing = Framing::of(head);
        let has_content = !matches!(framing, Ok(Framing::None | Framing::Length(0)));
        let policy = &cx.service.policy;
        let overload = if cx.gauges.draining { Some(Overload::Draining) } else { self.surplus };
        let room = cx.echo_contexts < cx.options.echo_contexts;
        let rules = Rules {
            access: &policy.access,
            max_wait: policy.max_wait,
            compress: policy.compress,
            echo_context: if room { compression::Context::Kept } else { compression::Context::None },
            overload,
        };
        let (terms, plan) = Plan::of(head, has_content, &rules);
        let label = Label {
            method: head.method.as_str().into(),
            path: head.target.path().map_or("*", |(path, _)| path).into(),
            transport: plan.as_ref().map_or("-", Plan::transport),
        };
        if let Some(watching) = &mut self.watching {
            watching.carries(label.transport);
        }
        let framing = match framing {
            Ok(framing) => framing,
            Err(error) => {
                let refusal = Refusal::new(error.status(), error.to_string());
                return self.refuse_as(refusal, terms, &label, cx);
            }
        };
        let closes = matches!(&plan, Err(refusal) if refusal.closes);
        if !has_content || closes {
            return self.answer(plan, &[], terms, &label, cx);
        }
        let content = match &plan {
            Ok(Plan::Publish(publication)) if publication.lines => policy.batch_bytes,
            // One event's data, or what is only dropped before the answer.
            _ => policy.event_bytes,
        } as u64;
        let expects = match head.expects_continue() {
            Ok(expects) => expects,
            Err(error) => {
                let refusal = Refusal::new(error.status(), error.to_string());
                return self.refuse_as(refusal, terms, &label, cx);
            }
        };
        let reader = match BodyReader::new(framing, BodyLimits { content, ..BodyLimits::default() }) {
            Ok(reader) => reader,
            Err(error) => return self.refuse_body(plan, error, terms, &label, cx),
        };
        if expects {
            if plan.is_err() {
                // RFC 9110 §10.1.1: the final status at once. Whether the client sends the body all the same is
                // not known, so no request can be told from it.
                return self.answer(plan.map_err(Refusal::closing), &[], terms, &label, cx);
            }
            cx.out.extend_from_slice(http::CONTINUE);
        }
        self.due_in(cx.options.body_timeout, cx);
        let label = if cx.log.is_on() {
            label.into_owned()
        } else {
            Label { transport: label.transport, ..Label::unknown() }
        };
        let plan = plan.map(Plan::into_owned);
        let body = PendingBody { reader, content: Vec::new(), plan, terms, label };
        self.busy().partial = Partial::Body(Box::new(body));
    }

    fn receive_body(&mut self, mut body: Box<PendingBody>, input: &[u8], cx: &mut Context) -> usize {
        match body.reader.read(input, &mut body.content) {
            Ok((consumed, true)) => {
                let PendingBody { content, mut plan, terms, label, .. } = *body;
                if cx.gauges.draining && plan.is_ok() {
                    // The log ends with the server: nobody would get what was accepted now.
                    plan = Err(Refusal::overloaded(Overload::Draining, false));
                }
                self.answer(plan, &content, terms, &label, cx);
                consumed
            }
            Ok((consumed, false)) => {
                self.busy().partial = Partial::Body(body);
                consumed
            }
            Err(error) => {
                let PendingBody { plan, terms, label, .. } = *body;
                self.refuse_body(plan, error, terms, &label, cx);
                input.len()
            }
        }
    }

    /// Refuses a body, unless the request was refused before it came: then that is the answer. What is left of the body
    /// is not read.
    fn refuse_body(
        &mut self,
        plan: Result<Plan<'_>, Refusal>,
        error: BodyError,
        terms: Terms,
        label: &Label<'_>,
        cx: &mut Context,
    ) {
        let refusal = plan.err().unwrap_or_else(|| Refusal::new(error.status(), error.to_string()));
        self.answer(Err(refusal.closing()), &[], terms, label, cx);
    }

    /// Refuses what can't be read as a request. Where the next one begins is not known, so the connection ends.
    fn refuse(&mut self, refusal: Refusal, cx: &mut Context) {
        let terms = Terms {
            version: Version::Http11,
            persists: false,
            head_only: false,
            of_topic: false,
            cors: None,
        };
        self.refuse_as(refusal, terms, &Label::unknown(), cx);
    }

    /// The same for a request whose head could be read: the answer is on its terms, so that a page of another origin
    /// can read it too.
    fn refuse_as(&mut self, refusal: Refusal, terms: Terms, label: &Label<'_>, cx: &mut Context) {
        self.answer(Err(refusal.closing()), &[], terms, label, cx);
    }

    fn answer(
        &mut self,
        plan: Result<Plan<'_>, Refusal>,
        body: &[u8],
        mut terms: Terms,
        label: &Label<'_>,
        cx: &mut Context,
    ) {
        // An answer that ends the server's life, or a connection too many, says that it is the last.
        if let Some(watching) = &mut self.watching {
            watching.carries(label.transport);
        }
        self.count = self.count.saturating_add(1);
        let is_last = self.is_at_its_last(cx);
        terms.persists &= !cx.gauges.draining && self.surplus.is_none() && !is_last;
        if let Ok(Plan::Metrics) = plan {
            cx.gauges.buffered = cx.memory.bytes();
            cx.gauges.resident = resident_memory();
        }
        let overload = plan.as_ref().err().and_then(|refusal| refusal.overload);
        let (service, moment, gauges, out) = cx.answering();
        let Answered { status, reply, persists } = service.answer(plan, body, terms, gauges, &moment, out);
        if !matches!(reply, Reply::Hold(_)) {
            let Label { method, path, transport } = label;
            cx.record(Line { peer: None, method, path, status, transport, ticks: 0 }, || self.stream.peer());
        }
        let (slot, now) = (self.key.slot, cx.now());
        match reply {
            Reply::Done if persists => self.due_in(cx.options.idle_timeout, cx),
            Reply::Done => {
                let ended = match status {
                    _ if cx.gauges.draining => Ended::Drain,
                    _ if overload == Some(Overload::Memory) => Ended::Memory,
                    _ if self.surplus.is_some() => Ended::Overload,
                    Status::REQUEST_TIMEOUT => Ended::RequestTimeout,
                    _ if status.code() >= 400 => Ended::Refused,
                    _ if is_last => Ended::Requests,
                    _ => Ended::Answered,
                };
                self.end(ended, cx);
            }
            Reply::Hold(held) => {
                cx.service.counters.held += 1;
                cx.service.hub.join(held.topic, slot, now);
                self.due_in(u32::from(held.wait), cx);
                self.enter(State::Held { held, since: now }, cx);
            }
            Reply::Stream(following) => {
                cx.service.counters.streams += 1;
                self.enter(State::Stream(following), cx);
                self.due_in(cx.options.heartbeat, cx);
                cx.service.hub.join(following.topic, slot, now);
                // At once: until then it stands with those at the head, where it may not belong.
                self.flush(cx);
            }
            Reply::Socket { following, may_publish, compressed } => {
                cx.service.counters.sockets += 1;
                let socket = Socket::Topic { following, may_publish, compressed, pinged: false };
                self.enter(State::Socket(socket), cx);
                self.due_in(cx.options.ping_interval, cx);
                cx.service.hub.join(following.topic, slot, now);
                self.flush(cx);
            }
            Reply::Gap => {
                self.start_close(socket::CLOSE_GAP, "gap", Ended::Gap, cx);
            }
            Reply::Echo { agreement } => {
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

    /// No request has come in time, or not all of it.
    pub(super) fn expire_request(&mut self, cx: &mut Context) {
        match self.busy.as_mut().map(|busy| std::mem::take(&mut busy.partial)) {
            None | Some(Partial::None) => self.end(Ended::Idle, cx),
            Some(partial) => {
                let detail = "The request did not come in time (RFC 9110 §15.5.9).";
                self.refuse_partial(partial, Refusal::new(Status::REQUEST_TIMEOUT, detail), cx);
            }
        }
    }

    /// Refuses a poll that is held, for what the connection holds beside it.
    pub(super) fn refuse_held(&mut self, refusal: Refusal, cx: &mut Context) {
        if !matches!(self.state, State::Held { .. }) {
            return;
        }
        self.count_end(Ended::Memory, cx);
        let State::Held { held, .. } = self.enter(State::Ending, cx) else { return };
        cx.service.hub.leave(held.topic, self.key.slot, cx.now());
        let path = cx.path_of(held.topic).into();
        let label = Label { method: "GET".into(), path, transport: "long-poll" };
        self.refuse_as(refusal, held.poll.terms, &label, cx);
    }

    /// Refuses what has come in part: on its terms, as far as these are known.
    pub(super) fn refuse_partial(&mut self, partial: Partial, refusal: Refusal, cx: &mut Context) {
        match partial {
            Partial::Body(body) => {
                let PendingBody { terms, label, .. } = *body;
                self.refuse_as(refusal, terms, &label, cx);
            }
            Partial::None | Partial::Head { .. } | Partial::Frames(_) => self.refuse(refusal, cx),
        }
    }
}

impl PendingBody {
    /// What has come of it, and what is kept of its head, in bytes of memory.
    pub fn memory(&self) -> usize {
        let plan = self.plan.as_ref().map_or(0, Plan::memory);
        self.content.capacity() + plan + self.terms.memory() + self.label.path.len()
    }
}

/// The memory of the whole process, in bytes, as Linux tells it (proc(5)); it tells in KiB.
fn resident_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

impl Label<'_> {
    fn unknown() -> Label<'static> {
        Label { method: "-".into(), path: "-".into(), transport: "-" }
    }

    fn into_owned(self) -> Label<'static> {
        Label {
            method: self.method.into_owned().into(),
            path: self.path.into_owned().into(),
            transport: self.transport,
        }
    }
}
