//! The end of a connection: after its last output, at shutdown, by eviction, or at once.

use super::state::{Busy, Input, Partial, Socket, State};
use super::{Connection, RestOfEvent};
use crate::hub::Tick;
use crate::protocol::websocket::close::CloseCode;
use crate::server::byte_stream::ByteStream;
use crate::server::context::LoopContext;
use crate::server::work::cost;
use crate::transport::event_stream;
use crate::transport::metrics::{ConnectionUse, EndReason};
use crate::transport::response::{Overload, Refusal};

impl<S: ByteStream> Connection<S> {
    /// Counts the end of the connection, once, when it is decided.
    pub(super) fn count_end(&self, ended: EndReason, cx: &mut LoopContext) {
        if let Some(carried) = self.state.carried().filter(|carried| *carried != ConnectionUse::Ending) {
            cx.service.counters.end(carried, ended);
        }
    }

    /// Ends the connection once everything is written.
    pub(super) fn end(&mut self, ended: EndReason, cx: &mut LoopContext) {
        self.count_end(ended, cx);
        self.enter(State::Flushing, cx);
        // As long as the client reads something within each write timeout, it receives everything.
        self.due = Tick::NEVER;
        self.flush(cx);
    }

    /// Ends the server's side after the last byte is written, and waits for the client's end.
    pub(super) fn linger(&mut self, cx: &mut LoopContext) {
        if self.input == Input::Ended {
            return self.close(EndReason::Client, cx);
        }
        self.drop_busy(cx);
        self.enter(State::Lingering, cx);
        self.due_in(cx.options.linger, cx);
        if self.stream.end().is_err() {
            self.close(EndReason::Broken, cx);
        }
    }

    /// Drops the memory of the connection, and makes room for another compression context.
    fn drop_busy(&mut self, cx: &mut LoopContext) {
        cx.compressing.take_if(|key| *key == self.key);
        let Some(busy) = self.busy.take() else { return };
        let Busy { partial, compression, .. } = *busy;
        if let Some(Partial::Batch(partial)) = partial {
            cx.service.hub.release(partial.batch.topic);
        }
        cx.echo_contexts -= usize::from(compression.is_some_and(|compression| compression.keeps_context()));
    }

    /// Closes the connection at once.
    pub fn close(&mut self, ended: EndReason, cx: &mut LoopContext) {
        if self.state.is_closed() {
            return;
        }
        self.count_end(ended, cx);
        if let Some(topic) = self.state.topic() {
            cx.service.hub.leave(topic, self.key.slot, cx.clock.tick());
        }
        self.enter(State::Closed, cx);
        self.drop_busy(cx);
        cx.out.clear();
        cx.work.charge(cost::CLOSE);
        cx.closed.push(self.key.slot);
    }

    /// Leaves the topic for another state, after completing the event that is partly written.
    /// `rest`: the rest of that event, if its segment is no longer kept.
    pub(super) fn leave(&mut self, rest: Option<RestOfEvent>, next: State, cx: &mut LoopContext) {
        if let Some(mut following) = self.state.following() {
            let hub = &mut cx.service.hub;
            if let Some(RestOfEvent { bytes, start, end }) = rest {
                self.busy().outbox.push_front_shared(bytes, start, end);
            } else {
                let is_kept = following.segment() >= hub.topic(following.topic).log.first_segment();
                if is_kept && hub.is_lagging(following.topic, self.key.slot) {
                    // The encoded buffer may have been dropped; it is made again, byte for byte.
                    following.prepare(hub, 1, cx.clock.tick());
                }
                let rest = following.rest_of_event(hub);
                if rest > 0 {
                    let pending = following.pending(hub).next().unwrap_or_default();
                    self.busy().outbox.push_front(&pending[..rest]);
                }
            }
            cx.service.hub.leave(following.topic, self.key.slot, cx.clock.tick());
        }
        self.enter(next, cx);
    }

    /// Evicts a follower whose position in the log is no longer kept. Its reconnect reports the
    /// gap.
    pub fn evict(&mut self, rest: Option<RestOfEvent>, cx: &mut LoopContext) {
        match self.state {
            State::Stream(following) => {
                self.count_end(EndReason::TooSlow, cx);
                self.leave(rest, State::Flushing, cx);
                event_stream::write_end(following.encoding, None, &mut cx.out);
                self.end(EndReason::TooSlow, cx);
            }
            State::Socket(Socket::Open { .. }) => {
                self.count_end(EndReason::TooSlow, cx);
                self.leave(rest, State::Socket(Socket::Closing), cx);
                let reason = "too slow: unread events are no longer kept";
                self.start_close(CloseCode::TRY_AGAIN_LATER, reason, EndReason::TooSlow, cx);
                // So slow a client has as long for the close frame as for any other byte.
                self.due_in(cx.options.write_timeout, cx);
                self.flush(cx);
            }
            // Only a connection that holds a cursor can lag.
            _ => return,
        }
        cx.service.counters.evicted += 1;
        self.arm(cx);
    }

    /// Ends the connection to free its memory. A client that only sends is told why; one that does
    /// not read its pending output cannot be.
    pub fn shed(&mut self, cx: &mut LoopContext) {
        if self.outbox_len() > 0 {
            cx.service.counters.overloaded(Overload::Memory);
            return self.close(EndReason::Memory, cx);
        }
        let partial = self.busy.as_mut().and_then(|busy| {
            busy.deferred = Vec::new();
            busy.partial.take()
        });
        match self.state {
            State::Http => {
                let refusal = Refusal::overloaded(Overload::Memory, false);
                self.refuse_partial(partial, refusal, cx);
            }
            State::Socket(Socket::Open { .. } | Socket::Echo { .. }) => {
                cx.service.counters.overloaded(Overload::Memory);
                self.start_close(
                    CloseCode::TRY_AGAIN_LATER,
                    Overload::Memory.detail(),
                    EndReason::Memory,
                    cx,
                );
                self.end(EndReason::Memory, cx);
            }
            State::Held(_) => self.refuse_held(Refusal::overloaded(Overload::Memory, false), cx),
            State::Called(_) => self.refuse_called(Refusal::overloaded(Overload::Memory, false), cx),
            _ => self.close(EndReason::Memory, cx),
        }
        self.arm_unless_closed(cx);
    }

    /// Starts the end of the connection at shutdown.
    pub fn drain(&mut self, cx: &mut LoopContext) {
        match self.state {
            State::Http => {
                let is_idle = |busy: &Busy| busy.deferred.is_empty() && busy.partial.is_none();
                if self.busy.as_deref().is_none_or(is_idle) {
                    self.end(EndReason::Drain, cx);
                }
            }
            State::Held(_) => self.respond_to_held(cx),
            State::Called(_) => self.refuse_called(Refusal::overloaded(Overload::Draining, false), cx),
            State::Socket(Socket::Echo { .. } | Socket::Open { following: None, .. }) => {
                self.send_going_away(cx);
            }
            // The log ends with the server, so a follower first receives the events that it lacks.
            State::Stream(_) | State::Socket(Socket::Open { .. }) => self.flush(cx),
            State::Socket(Socket::Closing) | State::Flushing | State::Lingering | State::Closed => {}
        }
        self.arm_unless_closed(cx);
    }

    /// Tells a follower that has received everything that the server is shutting down.
    pub(super) fn send_going_away(&mut self, cx: &mut LoopContext) {
        match self.state {
            State::Stream(following) => {
                self.count_end(EndReason::Drain, cx);
                self.leave(None, State::Flushing, cx);
                let retry = cx.retry();
                event_stream::write_end(following.encoding, Some(retry), &mut cx.out);
                self.end(EndReason::Drain, cx);
            }
            State::Socket(Socket::Open { .. } | Socket::Echo { .. }) => {
                self.start_close(CloseCode::GOING_AWAY, "the server is shutting down", EndReason::Drain, cx);
                self.flush(cx);
            }
            _ => {}
        }
    }

    /// Enters the next deadline in the timer wheel, unless the connection is closed.
    pub(super) fn arm_unless_closed(&mut self, cx: &mut LoopContext) {
        if !self.state.is_closed() {
            self.arm(cx);
        }
    }
}
