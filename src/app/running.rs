//! An application while it runs: the server's calls, distributed to the handlers.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use super::host::Host;
use super::response::Body;
use super::socket::AnySocket;
use super::{Context, Follower, FollowerHandler, Handle, Handler, Message, Request, Response, SocketId};
use crate::protocol::http::{self, HeadLimits};
use crate::protocol::websocket::close::CloseCode;
use crate::protocol::websocket::frame::Opcode;
use crate::server::application::{Answer, Application, Call, CallId};
use crate::server::byte_stream::ByteStream;
use crate::server::connections::Connections;

type TimerHandler<S> = Box<dyn FnMut(&mut Context<'_, S>)>;

/// A handler that is called again and again.
pub(super) struct Every<S> {
    pub interval: Duration,
    /// The time since the server's start at which it is due.
    pub due: Duration,
    pub handler: TimerHandler<S>,
}

/// An application while it runs.
pub(crate) struct Running<S> {
    pub(super) state: S,
    pub(super) handlers: Vec<(String, &'static str, Handler<S>)>,
    pub(super) sockets: Vec<(&'static str, Box<dyn AnySocket<S>>)>,
    pub(super) timers: Vec<Every<S>>,
    pub(super) followers: Option<FollowerHandler<S>>,
    /// How many follow each topic.
    pub(super) counts: HashMap<Box<str>, usize>,
    pub(super) handle: Handle<S>,
    /// The bounds within which the server has read each head.
    pub(super) head_limits: HeadLimits,
}

impl<S> Drop for Running<S> {
    fn drop(&mut self) {
        self.handle.abandon();
    }
}

/// Answers a request with a handler's response.
pub(super) fn answer(host: &mut dyn Host, id: CallId, response: &Response) -> bool {
    let fields: Vec<(&str, &str)> = response.fields.iter().map(|(name, value)| (&**name, &**value)).collect();
    host.answer(
        id,
        match &response.body {
            Body::Later => Answer::Later,
            Body::Follow(topic) => Answer::Follow(topic),
            Body::Content(content) => Answer::Complete {
                status: response.status,
                kind: response.kind.as_deref(),
                fields: &fields,
                content,
            },
        },
    )
}

/// Runs a handler, and accounts for it. Returns `None` if it panicked.
fn run<S, R>(
    cx: &mut Context<'_, S>,
    route: &str,
    handler: impl FnOnce(&mut Context<'_, S>) -> R,
) -> Option<R> {
    let began = Instant::now();
    // The state may be in the middle of a change, as after any error in a handler; it is the
    // application's own, and the server's is not touched by a panic.
    let outcome = catch_unwind(AssertUnwindSafe(|| handler(cx))).ok();
    cx.host.handled(route, began.elapsed());
    outcome
}

impl<S> Running<S> {
    fn answer_request(&mut self, id: CallId, route: u16, head: &[u8], content: &[u8], host: &mut dyn Host) {
        let Some((name, pattern, handler)) = self.handlers.get_mut(usize::from(route)) else { return };
        let mut cx = Context { state: &mut self.state, host, handle: &self.handle, request: Some(id) };
        let response = with_request(head, content, pattern, &self.head_limits, |request| {
            run(&mut cx, name, |cx| handler(cx, request)).unwrap_or_else(panicked)
        });
        answer(cx.host, id, &response.unwrap_or_else(|refusal| refusal));
    }

    fn open(&mut self, id: CallId, route: u16, head: &[u8], host: &mut dyn Host) {
        let Some((pattern, socket)) = self.sockets.get_mut(usize::from(route)) else { return };
        let mut cx = Context { state: &mut self.state, host, handle: &self.handle, request: None };
        let opened = with_request(head, &[], pattern, &self.head_limits, |request| {
            let opened = run(&mut cx, pattern, |cx| socket.open(cx, SocketId(id.key), request));
            opened.unwrap_or_else(|| Err(panicked()))
        });
        match opened.and_then(|opened| opened) {
            Err(refusal) => {
                answer(cx.host, id, &refusal);
            }
            Ok(()) if cx.host.answer(id, Answer::Open) => {}
            Ok(()) => {
                run(&mut cx, pattern, |cx| socket.closed(cx, SocketId(id.key)));
            }
        }
    }

    fn message(&mut self, id: SocketId, route: u16, opcode: Opcode, payload: &[u8], host: &mut dyn Host) {
        let Some((pattern, socket)) = self.sockets.get_mut(usize::from(route)) else { return };
        let mut cx = Context { state: &mut self.state, host, handle: &self.handle, request: None };
        let message = match std::str::from_utf8(payload) {
            Ok(text) if opcode == Opcode::Text => Message::Text(text),
            _ => Message::Binary(payload),
        };
        if run(&mut cx, pattern, |cx| socket.message(cx, id, message)).is_none() {
            cx.host.close(id.0, CloseCode::INTERNAL_ERROR.0, "the server has failed");
        }
    }

    fn closed(&mut self, id: SocketId, route: u16, host: &mut dyn Host) {
        let Some((pattern, socket)) = self.sockets.get_mut(usize::from(route)) else { return };
        let mut cx = Context { state: &mut self.state, host, handle: &self.handle, request: None };
        run(&mut cx, pattern, |cx| socket.closed(cx, id));
    }

    fn count_follower(&mut self, topic: Box<str>, has_joined: bool, host: &mut dyn Host) {
        let count = self.counts.entry(topic.clone()).or_default();
        *count = if has_joined { *count + 1 } else { count.saturating_sub(1) };
        let count = *count;
        if count == 0 {
            self.counts.remove(&topic);
        }
        if let Some(handler) = &mut self.followers {
            let mut cx = Context { state: &mut self.state, host, handle: &self.handle, request: None };
            let follower = Follower { topic: &topic, has_joined, count };
            run(&mut cx, "followers", |cx| handler(cx, follower));
        }
    }

    fn run_timers(&mut self, now: Duration, host: &mut dyn Host) {
        for timer in self.timers.iter_mut().filter(|timer| timer.due <= now) {
            timer.due += timer.interval;
            if timer.due <= now {
                // The loop was busy for more than an interval: the times in between are left out.
                let missed = (now - timer.due).as_nanos() / timer.interval.as_nanos() + 1;
                timer.due += timer.interval * u32::try_from(missed).unwrap_or(u32::MAX);
            }
            let mut cx =
                Context { state: &mut self.state, host: &mut *host, handle: &self.handle, request: None };
            run(&mut cx, "every", |cx| (timer.handler)(cx));
        }
    }
}

/// The response to a request whose handler has panicked.
fn panicked() -> Response {
    Response::problem(500, "The handler of this request has failed.")
}

/// Reads a request again from its bytes.
fn with_request<R>(
    head: &[u8],
    content: &[u8],
    pattern: &str,
    limits: &HeadLimits,
    handle: impl FnOnce(&Request<'_>) -> R,
) -> Result<R, Response> {
    let mut scratch = http::scratch();
    let head = http::parse(head, &mut scratch, limits);
    let head = head.map_err(|error| Response::problem(error.status().code(), &error.to_string()))?;
    let request = Request::new(&head, content, pattern);
    request.map(|request| handle(&request)).map_err(|error| Response::problem(400, &error.to_string()))
}

impl<A, S: ByteStream> Application<Connections<S>> for Running<A> {
    fn call(&mut self, call: Call, host: &mut Connections<S>) {
        match call {
            Call::Request { id, route, is_handshake: false, head, content } => {
                self.answer_request(id, route, &head, &content, host);
            }
            Call::Request { id, route, is_handshake: true, head, .. } => self.open(id, route, &head, host),
            Call::Message { socket, route, opcode, payload } => {
                self.message(SocketId(socket), route, opcode, &payload, host);
            }
            Call::Closed { socket, route } => self.closed(SocketId(socket), route, host),
            Call::Follower { topic, has_joined } => self.count_follower(topic, has_joined, host),
        }
    }

    fn run_due(&mut self, now: Duration, host: &mut Connections<S>) -> bool {
        self.run_timers(now, host);
        host.stops += self.handle.take_stops();
        while !host.must_pause()
            && let Some(job) = self.handle.next()
        {
            let mut cx = Context { state: &mut self.state, host, handle: &self.handle, request: None };
            run(&mut cx, "call", job);
        }
        self.handle.has_waiting()
    }

    fn next_due(&self) -> Option<Duration> {
        self.timers.iter().map(|timer| timer.due).min()
    }

    fn watches_followers(&self) -> bool {
        self.followers.is_some()
    }

    fn stop(&mut self, host: &mut Connections<S>) {
        self.handle.end();
        while let Some(job) = self.handle.next() {
            let mut cx = Context { state: &mut self.state, host, handle: &self.handle, request: None };
            run(&mut cx, "call", job);
        }
    }
}
