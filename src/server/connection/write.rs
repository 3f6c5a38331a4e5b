//! Writing: pending output and events, from the outbox and the log to the socket.

use std::borrow::Cow;
use std::io::{self, IoSlice, Write};
use std::iter::once;
use std::rc::Rc;

use super::Connection;
use super::state::{Label, Socket, State};
use crate::protocol::Transport;
use crate::protocol::http::Status;
use crate::server::byte_stream::ByteStream;
use crate::server::context::LoopContext;
use crate::server::memory::SharedBytes;
use crate::server::observer::Sender;
use crate::server::work::{MAX_WRITE_BYTES, cost};
use crate::transport::Purpose;
use crate::transport::metrics::EndReason;
use crate::transport::poll::HeldPoll;

/// The most slices in one write.
const SLICES: usize = 16;

/// The outcome of a write.
enum WriteOutcome {
    /// The socket accepted everything that was ready. More may have to be encoded.
    All,
    /// The socket accepted a part or nothing; the poll will report when it has room again.
    Part,
    /// The connection is broken.
    Broken,
}

/// The slices of one write.
struct Batch<'a> {
    slices: [IoSlice<'a>; SLICES],
    len: usize,
    /// How many bytes may be added.
    room: usize,
}

impl<'a> Batch<'a> {
    fn new(room: usize) -> Batch<'a> {
        Batch { slices: [IoSlice::new(&[]); SLICES], len: 0, room }
    }

    /// Adds bytes at the end, as many as the batch has room for.
    fn push(&mut self, bytes: &'a [u8]) {
        let bytes = &bytes[..bytes.len().min(self.room)];
        self.room -= bytes.len();
        if self.len < SLICES && !bytes.is_empty() {
            self.slices[self.len] = IoSlice::new(bytes);
            self.len += 1;
        }
    }

    /// Adds slices at the end until the batch is full.
    fn extend(&mut self, mut slices: impl Iterator<Item = &'a [u8]>) {
        while self.len < SLICES
            && let Some(bytes) = slices.next()
        {
            self.push(bytes);
        }
    }

    fn slices(&self) -> &[IoSlice<'a>] {
        &self.slices[..self.len]
    }

    fn bytes(&self) -> usize {
        self.slices().iter().map(|slice| slice.len()).sum()
    }

    /// Returns the first `length` bytes.
    fn prefix(&self, length: usize) -> impl Iterator<Item = &[u8]> {
        let mut left = length;
        self.slices().iter().map(move |slice| {
            let taken = left.min(slice.len());
            left -= taken;
            &slice[..taken]
        })
    }
}

impl<S: ByteStream> Connection<S> {
    /// Writes until nothing is pending or the socket is full: first the connection's own output,
    /// then the log from the cursor on. Afterwards `cx.out` is empty.
    pub(super) fn flush(&mut self, cx: &mut LoopContext) {
        while !self.state.is_closed() {
            let was_stalled = self.is_stalled();
            let written = self.write(cx);
            if was_stalled && !self.is_stalled() {
                // Write progress proves that the peer is alive; its pong is queued after this data.
                self.note_sign_of_life(cx);
            }
            match written {
                WriteOutcome::Broken => return self.close(EndReason::Broken, cx),
                WriteOutcome::Part => return self.handle_blocked(cx),
                WriteOutcome::All if self.is_all_written(cx) => return self.handle_all_written(cx),
                WriteOutcome::All if cx.work.is_turn_over() => {
                    self.schedule(cx);
                    return self.handle_blocked(cx);
                }
                WriteOutcome::All => {}
            }
        }
    }

    /// Makes one write of as much pending output as one write takes. The connection's own output
    /// goes out between two events: after the rest of an event that is partly written, before the
    /// next.
    fn write(&mut self, cx: &mut LoopContext) -> WriteOutcome {
        if let Some(following) = self.state.following_mut() {
            following.prepare(&mut cx.service.hub, cx.work.write_bytes(), cx.clock.tick());
            cx.charge_hub();
        }
        let (following, hub) = (self.state.following(), &cx.service.hub);
        let has_new = !cx.out.is_empty();
        let has_own = has_new || self.outbox_len() > 0;
        let rest = following.filter(|_| has_own).map_or(0, |following| following.rest_of_event(hub));
        let mut events = following.as_ref().map(|following| following.pending(hub));
        let first = events.as_mut().and_then(Iterator::next).unwrap_or_default();
        let (event, next) = first.split_at(rest);

        let mut batch = Batch::new(2 * MAX_WRITE_BYTES);
        batch.push(event);
        if let Some(busy) = &mut self.busy {
            batch.extend(busy.outbox.pending(has_new));
        }
        batch.push(&cx.out);
        batch.room = batch.room.min(cx.work.write_bytes());
        batch.push(next);
        batch.extend(events.into_iter().flatten());
        let total = batch.bytes();
        if total == 0 {
            return WriteOutcome::All;
        }
        let Some(written) = write_batch(&mut self.stream, batch.slices()) else {
            return WriteOutcome::Broken;
        };
        if let Some(observer) = cx.observer.active() {
            observer.passed(self.key.slot, Sender::Server, &mut batch.prefix(written));
            cx.work.charge_besides(observer.take_work());
        }
        cx.service.counters.bytes_written += written as u64;
        cx.work.charge(cost::WRITE + cost::bytes(written));

        let of_event = written.min(rest);
        let of_own = self.consume_output(written - of_event, &mut cx.out);
        if let Some(following) = self.state.following_mut() {
            following.advance(&cx.service.hub, written - of_own);
        }
        if written > 0
            && let Some(busy) = self.busy.as_mut()
        {
            busy.stalled_since = None;
        }
        if written < total { WriteOutcome::Part } else { WriteOutcome::All }
    }

    /// Removes up to `written` bytes of the connection's own output, and returns how many. New
    /// output that is not written goes to the outbox.
    fn consume_output(&mut self, written: usize, out: &mut Vec<u8>) -> usize {
        let of_outbox = self.busy.as_mut().map_or(0, |busy| busy.outbox.consume(written));
        let of_out = out.len().min(written - of_outbox);
        if of_out < out.len() {
            self.busy().outbox.push_rest(out, of_out);
        }
        out.clear();
        of_outbox + of_out
    }

    pub(super) fn is_stalled(&self) -> bool {
        self.busy.as_ref().is_some_and(|busy| busy.stalled_since.is_some())
    }

    /// Returns whether neither own output nor an event is pending.
    fn is_all_written(&self, cx: &LoopContext) -> bool {
        self.busy.as_ref().is_none_or(|busy| busy.outbox.is_empty())
            && self.following().is_none_or(|following| following.is_caught_up(&cx.service.hub))
    }

    /// Handles the case that nothing is pending any more.
    fn handle_all_written(&mut self, cx: &mut LoopContext) {
        if let Some(busy) = &mut self.busy {
            busy.stalled_since = None;
            if busy.is_idle() {
                self.busy = None;
            }
        }
        match self.state {
            State::Stream(following) => {
                cx.service.hub.set_lagging(following.topic, self.key.slot, false);
                // An event serves as a heartbeat too.
                self.due_in(cx.options.heartbeat, cx);
            }
            State::Socket(Socket::Open { following: Some(following), .. }) => {
                cx.service.hub.set_lagging(following.topic, self.key.slot, false);
            }
            State::Flushing => return self.linger(cx),
            _ => return,
        }
        if cx.gauges.draining {
            self.send_going_away(cx);
        }
    }

    /// Handles output that stays pending: the socket is full, or other connections are served
    /// first.
    fn handle_blocked(&mut self, cx: &mut LoopContext) {
        self.await_room(cx);
        if let Some(following) = self.following() {
            cx.service.hub.set_lagging(following.topic, self.key.slot, true);
        }
        self.arm(cx);
    }

    /// Starts the write timeout of pending output, and has the poll report when the socket has
    /// room.
    fn await_room(&mut self, cx: &mut LoopContext) {
        let now = cx.now();
        self.busy().stalled_since.get_or_insert(now);
        if !std::mem::replace(&mut self.was_full, true) {
            cx.full.push(self.key);
        }
    }

    /// Delivers new events: the fan-out has reached this follower.
    pub fn deliver(&mut self, cx: &mut LoopContext) {
        let State::Held(held) = &self.state else { return self.flush(cx) };
        // A poll that joined during this fan-out has nothing new yet.
        if cx.service.hub.topic(held.topic).log.newest() > held.poll.after {
            self.respond_to_held(cx);
        }
    }

    /// Sends the response to the held poll. Requests that have arrived meanwhile are served in the
    /// next loop iteration.
    pub(super) fn respond_to_held(&mut self, cx: &mut LoopContext) {
        if !matches!(self.state, State::Held(_)) {
            return;
        }
        let State::Held(mut held) = self.enter(State::Http, cx) else { return };
        cx.service.hub.leave(held.topic, self.key.slot, cx.clock.tick());
        if cx.gauges.draining {
            held.poll.context.persists = false;
        }
        let (status, bytes) = cx.shared_response(&held);
        self.log_held(&held, status, cx);
        self.due_in(cx.options.idle_timeout, cx);
        self.send_shared(bytes, cx);
        if self.state.is_closed() {
            return;
        }
        if !held.poll.context.persists {
            let ended = match cx.gauges.draining {
                true => EndReason::Drain,
                false if self.is_at_request_limit(cx) => EndReason::Requests,
                false => EndReason::Answered,
            };
            self.end(ended, cx);
        } else if self.has_input() {
            self.schedule(cx);
        }
        self.arm(cx);
    }

    fn log_held(&mut self, held: &HeldPoll, status: Status, cx: &mut LoopContext) {
        let path = self.path_of_held(held, cx);
        let label = Label { method: "GET".into(), path, purpose: Purpose::Follow(Transport::LongPoll) };
        self.log_response(&label, status, self.waited(u32::from(held.wait), cx), cx);
    }

    /// Returns the path of a held poll for the log.
    pub(super) fn path_of_held(&mut self, held: &HeldPoll, cx: &LoopContext) -> Cow<'static, str> {
        let path = self.busy.as_mut().and_then(|busy| busy.held_path.take());
        path.map_or_else(|| cx.path_of(held.topic), String::from).into()
    }

    /// Writes a shared response, and queues the part that the socket does not accept.
    fn send_shared(&mut self, bytes: Rc<SharedBytes>, cx: &mut LoopContext) {
        let mut written = 0;
        if self.busy.as_ref().is_none_or(|busy| busy.outbox.is_empty()) {
            match write_batch(&mut self.stream, &[IoSlice::new(&bytes)]) {
                Some(length) => written = length,
                None => return self.close(EndReason::Broken, cx),
            }
            cx.observe(self.key, Sender::Server, &mut once(&bytes[..written]));
            cx.service.counters.bytes_written += written as u64;
            cx.work.charge(cost::WRITE + cost::bytes(written));
        }
        if written < bytes.len() {
            let end = bytes.len();
            self.busy().outbox.push_shared(bytes, written, end);
            self.await_room(cx);
            self.arm(cx);
        }
    }
}

/// Writes once, and returns how many bytes the socket accepted; `None` if the connection is broken.
#[inline]
fn write_batch(stream: &mut impl Write, slices: &[IoSlice<'_>]) -> Option<usize> {
    loop {
        // One slice is the usual case, and `write` costs the kernel less than `write_vectored`.
        let outcome = match slices {
            [slice] => stream.write(slice),
            _ => stream.write_vectored(slices),
        };
        match outcome {
            Ok(0) => return None,
            Ok(written) => return Some(written),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Some(0),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
}
