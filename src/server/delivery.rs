//! Delivery: what a connection is owed, from its outbox and from the log, handed to its socket.

use std::io::{self, IoSlice};
use std::rc::Rc;

use super::access_log::Line;
use super::byte_stream::ByteStream;
use super::connection::{Connection, Socket, State};
use super::context::Context;
use super::memory::SharedBytes;
use crate::hub::TopicKey;
use crate::protocol::http::Status;
use crate::protocol::websocket::close::CloseCode;
use crate::transport::metrics::Ended;
use crate::transport::poll::Held;
use crate::transport::{Following, stream};
use crate::wire::Side;

/// How much of the log is prepared and handed over in one write.
const WRITE_BYTES: usize = 256 * 1024;
/// How many slices one write has at most.
const SLICES: usize = 16;
/// How many whole writes a connection gets before it is another's turn.
const WRITES_A_TURN: usize = 4;

/// The rest of an event in a segment that is no longer kept, for all who stand in the middle of it.
pub struct SharedRest {
    /// The segment's run.
    pub bytes: Rc<SharedBytes>,
    /// How far it is written.
    pub start: usize,
    /// Where the event ends.
    pub end: usize,
}

/// What became of a write.
enum Written {
    /// There was nothing to write.
    Nothing,
    /// The socket took all.
    All,
    /// The socket took a part, or nothing: it is full, and will tell when it is not.
    Part,
    /// The connection is broken.
    Broken,
}

impl<S: ByteStream> Connection<S> {
    /// Where it stands in a topic's log, if the connection holds the cursor.
    pub(super) fn following(&self) -> Option<Following> {
        match &self.state {
            State::Stream(following) | State::Socket(Socket::Topic { following, .. }) => Some(*following),
            _ => None,
        }
    }

    fn following_mut(&mut self) -> Option<&mut Following> {
        match &mut self.state {
            State::Stream(following) | State::Socket(Socket::Topic { following, .. }) => Some(following),
            _ => None,
        }
    }

    /// The topic in whose list of followers it stands.
    pub(super) fn topic(&self) -> Option<TopicKey> {
        match &self.state {
            State::Held { held, .. } => Some(held.topic),
            _ => self.following().map(|following| following.topic),
        }
    }

    /// Writes what is owed until the socket takes no more: what is in the outbox and in `cx.out`, then the log from
    /// the cursor on. What is left of `cx.out` goes to the outbox.
    pub(super) fn flush(&mut self, cx: &mut Context) {
        let mut writes = 0;
        loop {
            if matches!(self.state, State::Closed) {
                return;
            }
            let was_stalled = self.is_stalled();
            let written = self.write(cx);
            if was_stalled && !self.is_stalled() {
                // Somebody takes what is written, so somebody is there, whose answer to a ping stands behind all that.
                self.is_alive(cx);
            }
            match written {
                Written::Broken => return self.close(Ended::Broken, cx),
                Written::Nothing => return self.drained(cx),
                Written::Part => return self.blocked(cx),
                Written::All if self.owes_nothing(cx) => return self.drained(cx),
                Written::All if writes == WRITES_A_TURN => {
                    cx.owe_turn(self.key);
                    return self.blocked(cx);
                }
                Written::All => writes += 1,
            }
        }
    }

    fn write(&mut self, cx: &mut Context) -> Written {
        let now = cx.clock.tick();
        if let Some(following) = self.following_mut() {
            // One at the head had been given all of a segment that is gone. One behind that stood in it was ended.
            following.cursor = cx.service.hub.topic(following.topic).log.settle(following.cursor);
        }
        let following = self.following();
        if let Some(Following { topic, cursor, encoding }) = following {
            let encoder = encoding.encoder(cx.service.policy.compress_from);
            cx.service.hub.prepare(topic, cursor, encoder, WRITE_BYTES, now);
        }
        let Context { service, out, .. } = cx;
        let mut slices = [IoSlice::new(&[]); SLICES];
        let mut filled = 0;

        // What is the connection's own enters only between two events.
        let log = following.map(|following| (&service.hub.topic(following.topic).log, following));
        let waiting = self.busy.as_ref().is_some_and(|busy| !busy.outbox.is_empty()) || !out.is_empty();
        let event_left = match log {
            Some((log, Following { cursor, encoding, .. })) if waiting => {
                log.left_of_event(cursor, encoding.slot())
            }
            _ => 0,
        };
        let mut owed = log
            .into_iter()
            .flat_map(|(log, following)| log.owed(following.cursor, following.encoding.slot()));
        let mut first = &[][..];
        if event_left > 0 {
            // The event stands whole in its segment's run.
            let (event, rest) = owed.next().unwrap_or_default().split_at(event_left);
            slices[filled] = IoSlice::new(event);
            (filled, first) = (filled + 1, rest);
        }
        if let Some(busy) = self.busy.as_mut() {
            filled += busy.outbox.fill(&mut slices[filled..SLICES - 2], !out.is_empty());
        }
        // Only behind the whole outbox come new bytes and events: what has no room now has it in the next write.
        if filled < SLICES - 2 {
            if !out.is_empty() {
                slices[filled] = IoSlice::new(out);
                filled += 1;
            }
            for bytes in std::iter::once(first).chain(owed).filter(|bytes| !bytes.is_empty()) {
                if filled == SLICES {
                    break;
                }
                slices[filled] = IoSlice::new(bytes);
                filled += 1;
            }
        }
        let slices = &slices[..filled];
        let total: usize = slices.iter().map(|slice| slice.len()).sum();
        if total == 0 {
            return Written::Nothing;
        }
        let written = loop {
            let outcome = match slices {
                [slice] => self.stream.write(slice),
                _ => self.stream.write_vectored(slices),
            };
            match outcome {
                Ok(0) => return Written::Broken,
                Ok(written) => break written,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break 0,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Written::Broken,
            }
        };
        if let Some(watching) = &mut self.watching {
            let mut left = written;
            let taken = slices.iter().map(|slice| {
                let taken = left.min(slice.len());
                left -= taken;
                &slice[..taken]
            });
            watching.saw(Side::Server, taken);
        }
        service.counters.bytes_written += written as u64;

        let of_event = written.min(event_left);
        let mut left = written - of_event;
        if let Some(busy) = self.busy.as_mut() {
            left -= busy.outbox.consume(left);
        }
        let of_out = left.min(out.len());
        if of_out < out.len() {
            self.busy().outbox.push(&out[of_out..]);
        }
        out.clear();
        let of_log = of_event + left - of_out;
        if let Some(following) = self.following_mut().filter(|_| of_log > 0) {
            let log = &service.hub.topic(following.topic).log;
            following.cursor = log.advance(following.cursor, following.encoding.slot(), of_log);
        }
        if written > 0
            && let Some(busy) = self.busy.as_mut()
        {
            busy.stalled = None;
        }
        if written < total { Written::Part } else { Written::All }
    }

    fn is_stalled(&self) -> bool {
        self.busy.as_ref().is_some_and(|busy| busy.stalled.is_some())
    }

    fn owes_nothing(&self, cx: &Context) -> bool {
        let at_head = |Following { topic, cursor, encoding }: Following| {
            cx.service.hub.topic(topic).log.is_at_head(cursor, encoding.slot())
        };
        self.busy.as_ref().is_none_or(|busy| busy.outbox.is_empty()) && self.following().is_none_or(at_head)
    }

    /// Everything owed is written.
    fn drained(&mut self, cx: &mut Context) {
        if let Some(following) = self.following() {
            cx.service.hub.set_behind(following.topic, self.key.slot, false);
        }
        if let Some(busy) = &mut self.busy {
            busy.stalled = None;
            if busy.is_idle() {
                self.busy = None;
            }
        }
        if let State::Stream(_) = self.state {
            // What was written is as good as a heartbeat.
            self.due_in(cx.options.heartbeat, cx);
        }
        if let State::Ending = self.state {
            self.linger(cx);
        }
    }

    /// The socket is full, or it is another's turn.
    fn blocked(&mut self, cx: &mut Context) {
        let now = cx.now();
        self.busy().stalled.get_or_insert(now);
        if let Some(following) = self.following() {
            cx.service.hub.set_behind(following.topic, self.key.slot, true);
        }
        self.arm(cx);
    }

    /// The sweep has come to it.
    pub fn deliver(&mut self, cx: &mut Context) {
        match self.state {
            // It has come while the sweep was under way, and there is nothing for it yet.
            State::Held { ref held, .. }
                if cx.service.hub.topic(held.topic).log.newest() <= held.poll.after => {}
            State::Held { .. } => self.release(cx),
            _ => self.flush(cx),
        }
    }

    /// Answers the held poll as things stand. The requests that wait behind it have their turn with the next call of
    /// [`Connection::resume`], which is asked for.
    pub(super) fn release(&mut self, cx: &mut Context) {
        if !matches!(self.state, State::Held { .. }) {
            return;
        }
        let State::Held { mut held, since } = self.enter(State::Request, cx) else { return };
        cx.service.hub.leave(held.topic, self.key.slot, cx.clock.tick());
        if cx.gauges.draining {
            held.poll.terms.persists = false;
        }
        let (status, bytes) = cx.shared_answer(&held);
        self.log_held(&held, status, cx.now().0 - since.0, cx);
        self.due_in(cx.options.idle_timeout, cx);
        self.send_shared(bytes, cx);
        if matches!(self.state, State::Closed) {
            return;
        }
        if !held.poll.terms.persists {
            let ended = match cx.gauges.draining {
                true => Ended::Drain,
                false if self.is_at_its_last(cx) => Ended::Requests,
                false => Ended::Answered,
            };
            self.end(ended, cx);
        } else if self.has_input() {
            // It was not listened to while it was held.
            cx.owe_turn(self.key);
        }
        self.arm(cx);
    }

    fn log_held(&self, held: &Held, status: Status, ticks: u32, cx: &mut Context) {
        let path = cx.path_of(held.topic);
        let line = Line { peer: None, method: "GET", path: &path, status, transport: "long-poll", ticks };
        cx.record(line, || self.stream.peer());
    }

    /// Leaves its topic for another state. The event in the middle of which it stands is finished yet: `shared` are the
    /// bytes that end it, if its segment is no longer kept.
    pub(super) fn leave(&mut self, shared: Option<SharedRest>, next: State, cx: &mut Context) {
        if let Some(Following { topic, cursor, encoding }) = self.following() {
            if let Some(SharedRest { bytes, start, end }) = shared {
                self.busy().outbox.push_front_shared(bytes, start, end);
            } else {
                let now = cx.now();
                let kept = cursor.segment >= cx.service.hub.topic(topic).log.first_segment();
                if kept && cx.service.hub.is_behind(topic, self.key.slot) {
                    // The run that it stands in may have been dropped to make room, and is made anew, byte for byte.
                    let encoder = encoding.encoder(cx.service.policy.compress_from);
                    cx.service.hub.prepare(topic, cursor, encoder, 1, now);
                }
                let log = &cx.service.hub.topic(topic).log;
                let left = log.left_of_event(cursor, encoding.slot());
                if left > 0 {
                    let owed = log.owed(cursor, encoding.slot()).next().unwrap_or_default();
                    self.busy().outbox.push_front(&owed[..left]);
                }
            }
            cx.service.hub.leave(topic, self.key.slot, cx.clock.tick());
        }
        self.enter(next, cx);
    }

    /// Ends a follower whose place in the log is no longer kept, so that its reconnect reports the gap.
    pub fn too_slow(&mut self, shared: Option<SharedRest>, cx: &mut Context) {
        match self.state {
            State::Stream(following) => {
                self.count_end(Ended::TooSlow, cx);
                self.leave(shared, State::Ending, cx);
                stream::write_end(following.encoding, None, &mut cx.out);
                self.end(Ended::TooSlow, cx);
            }
            State::Socket(Socket::Topic { .. }) => {
                self.count_end(Ended::TooSlow, cx);
                self.leave(shared, State::Socket(Socket::Closing), cx);
                let reason = "too slow: events are lost that were not read";
                self.start_close(CloseCode::TRY_AGAIN_LATER, reason, Ended::TooSlow, cx);
                // Whoever is so slow gets as long for the close frame as for any other byte.
                self.due_in(cx.options.write_timeout, cx);
                self.flush(cx);
            }
            // Only those who hold a cursor can be behind with it.
            _ => return,
        }
        cx.service.counters.too_slow += 1;
        self.arm(cx);
    }

    /// Writes bytes that others write too.
    pub(super) fn send_shared(&mut self, bytes: Rc<SharedBytes>, cx: &mut Context) {
        let mut written = 0;
        if self.busy.as_ref().is_none_or(|busy| busy.outbox.is_empty()) {
            match self.stream.write(&bytes) {
                Ok(length) => written = length,
                Err(error)
                    if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                Err(_) => return self.close(Ended::Broken, cx),
            }
            if let Some(watching) = &mut self.watching {
                watching.saw(Side::Server, [&bytes[..written]]);
            }
            cx.service.counters.bytes_written += written as u64;
        }
        if written < bytes.len() {
            let (now, end) = (cx.now(), bytes.len());
            let busy = self.busy();
            busy.outbox.push_shared(bytes, written, end);
            busy.stalled = Some(now);
            self.arm(cx);
        }
    }
}
