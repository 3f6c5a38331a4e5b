//! One connection.
//!
//! An idle connection, whatever it carries, is one slab entry of at most 128 bytes and owns no
//! heap. Incomplete input and unwritten output are in [`Busy`], which is dropped when the
//! connection is idle again.
//!
//! [`state`] has the states and their transitions. Each of the other files implements one part of
//! [`Connection`]: [`read`] takes bytes from the socket, [`http`] and [`websocket`] interpret them,
//! [`call`] waits for the application, [`operation`] does what is too long for one turn, [`write`]
//! delivers output and events, [`close`] ends the connection.

mod call;
mod close;
mod http;
mod operation;
mod outbox;
mod read;
mod state;
mod websocket;
mod write;

use std::rc::Rc;

use mio::net::TcpStream;

use state::{Busy, Input, Partial, State};
pub use state::{Queue, Readiness};

use super::byte_stream::ByteStream;
use super::context::LoopContext;
use super::memory::{Part, SharedBytes};
use super::slab::Key;
use crate::hub::Tick;
use crate::transport::Following;
use crate::transport::metrics::ConnectionUse;
use crate::transport::response::Overload;

/// One connection.
pub struct Connection<S> {
    stream: S,
    state: State,
    busy: Option<Box<Busy>>,
    key: Key,
    /// The deadline of the state.
    due: Tick,
    /// The earliest entry in the timer wheel.
    timer_entry: Tick,
    input: Input,
    /// Where the connection waits for its turn.
    queue: Option<Queue>,
    /// How many light turns the connection must take before it is served with those that ask for
    /// little.
    light_turns_due: u8,
    /// The limit that this connection exceeds. It is accepted only to be refused.
    surplus: Option<Overload>,
    /// The socket has been full, so the poll reports when it has room.
    was_full: bool,
    /// The number of requests so far. On a WebSocket, which receives no further request, the number
    /// of messages in `second`.
    count: u32,
    /// The low bits of the second.
    second: u16,
}

const _: () = assert!(
    // In a debug build mio checks its own use, and its stream is longer than a descriptor.
    cfg!(debug_assertions) || size_of::<Connection<TcpStream>>() <= 104,
    "an idle connection is one slab entry of at most 128 bytes"
);

/// The deadlines of a connection. If two are due at the same time, the first one here counts.
#[derive(Clone, Copy)]
enum Deadline {
    /// The socket must accept a byte of the pending output.
    Write,
    /// The rest of a WebSocket message must arrive.
    Message,
    /// The deadline of the state.
    State,
}

/// How many light turns make a new connection light. A handshake alone does not.
const FRESH: u8 = 2;
/// How many light turns make a connection light after a heavy one.
const HEAVY: u8 = 10;

/// A held poll that keeps at most this many bytes of its request counts as idle: an entity tag and
/// an origin as clients send them.
const SMALL_POLL: usize = 64;

/// The longest time that counts as the age of memory, in ticks: a few bytes that a client has not
/// read for an hour must not weigh as much as megabytes.
const MAX_AGE: u32 = 60 * Tick::PER_SECOND;

/// The rest of an event in a segment that is no longer kept, for all followers that are in the
/// middle of it.
pub struct RestOfEvent {
    /// The segment's encoded events.
    pub bytes: Rc<SharedBytes>,
    /// The offset of the first byte that is not written.
    pub start: usize,
    /// The offset at which the event ends.
    pub end: usize,
}

impl<S: ByteStream> Connection<S> {
    /// Creates the state of a newly accepted connection.
    pub fn new(stream: S, key: Key, surplus: Option<Overload>, cx: &mut LoopContext) -> Connection<S> {
        let mut connection = Connection {
            stream,
            state: State::Http,
            busy: None,
            key,
            due: cx.now().after(cx.options.head_timeout * Tick::PER_SECOND),
            timer_entry: Tick::NEVER,
            input: Input::Empty,
            queue: None,
            light_turns_due: FRESH,
            surplus,
            was_full: false,
            count: 0,
            second: 0,
        };
        cx.gauges.connections[ConnectionUse::Http as usize] += 1;
        connection.arm(cx);
        connection
    }

    /// Returns the slot by which the hub knows the connection as a follower.
    pub fn slot(&self) -> u32 {
        self.key.slot
    }

    /// Notes whether the turn that ends now was heavy.
    pub fn end_turn(&mut self, is_heavy: bool) {
        // A publisher that waits for room is as light as before: others have filled the log.
        let due = self.light_turns_due.saturating_sub(self.queue.is_none().into());
        // A few bytes may inflate to a thousand times as many, so nothing about the last turn tells
        // how light the next one will be.
        let is_heavy = is_heavy || self.queue == Some(Queue::Backlog) || self.inflates();
        self.light_turns_due = if is_heavy { HEAVY } else { due };
    }

    /// Has the connection served again without a report: it has more to do than its turn allows.
    pub fn schedule(&mut self, cx: &mut LoopContext) {
        if self.queue.is_none_or(|queue| queue == Queue::Parked) {
            self.queue = Some(Queue::Backlog);
            cx.backlog.push_back(self.key);
        }
    }

    /// Has the connection served again when the log has room.
    fn park(&mut self, cx: &mut LoopContext) {
        self.queue = Some(Queue::Parked);
        cx.parked.push(self.key);
    }

    /// Ends the wait for room in the log.
    pub fn unpark(&mut self) {
        self.queue.take_if(|queue| *queue == Queue::Parked);
    }

    pub fn stream(&mut self) -> &mut S {
        &mut self.stream
    }

    /// Returns the position in a topic, if the connection holds the cursor.
    pub fn following(&self) -> Option<Following> {
        self.state.following()
    }

    /// Changes the state, keeps the gauges right, and returns the previous state.
    fn enter(&mut self, next: State, cx: &mut LoopContext) -> State {
        let last = std::mem::replace(&mut self.state, next);
        for (carried, change) in [(last.carried(), -1), (self.state.carried(), 1)] {
            if let Some(carried) = carried {
                let open = &mut cx.gauges.connections[carried as usize];
                *open = open.wrapping_add_signed(change);
            }
        }
        self.call_for_change(&last, cx);
        last
    }

    /// Updates this connection's share of the memory budget.
    pub fn account_memory(&mut self, cx: &LoopContext) {
        if self.busy.is_none() && !matches!(self.state, State::Held(_) | State::Called(_)) {
            return;
        }
        let of_request = match &self.state {
            State::Held(held) => held.poll.memory(),
            State::Called(called) => called.memory(),
            _ => 0,
        };
        if of_request > SMALL_POLL {
            self.busy();
        }
        let Some(busy) = &mut self.busy else { return };
        if of_request <= SMALL_POLL && busy.is_idle() && busy.stalled_since.is_none() {
            self.busy = None;
            return;
        }
        let bytes = busy.memory() + of_request;
        busy.share.get_or_insert_with(|| cx.memory.part()).set(bytes);
        let began = busy.outbox_since.unwrap_or(cx.now());
        busy.outbox_since = (!busy.outbox.is_empty()).then_some(began);
    }

    /// Returns the weight by which connections are chosen to be closed when all together hold too
    /// much memory: the bytes that closing this one would free, times their age.
    ///
    /// By size alone, an upload that takes a second would be closed for many clients that each hold
    /// less, but hold it on purpose.
    pub fn shed_weight(&self, cx: &LoopContext) -> u64 {
        let Some(busy) = &self.busy else { return 0 };
        let bytes = busy.share.as_ref().map_or(0, Part::bytes) + busy.outbox.shared_memory();
        let age = cx.now().0.saturating_sub(self.memory_since(busy, cx).0).min(MAX_AGE);
        bytes as u64 * u64::from(age + 1)
    }

    /// Returns the time since which the connection has held the oldest part of its memory. A
    /// follower that only lags holds nothing but [`Busy`], which has no age.
    fn memory_since(&self, busy: &Busy, cx: &LoopContext) -> Tick {
        // The deadline of a request or of a wait does not move before its end.
        let began = |seconds: u32| self.due.before(seconds.saturating_mul(Tick::PER_SECOND));
        let input = match (&self.state, &busy.partial) {
            (State::Held(held), _) => began(u32::from(held.wait)),
            (State::Called(_), _) => began(cx.options.answer_timeout),
            (State::Http, Some(Partial::Head { .. })) => began(cx.options.head_timeout),
            (State::Http, Some(Partial::Body(_))) => began(cx.options.body_timeout),
            (_, Some(Partial::Message(message))) => message.since,
            _ => cx.now(),
        };
        busy.outbox_since.map_or(input, |since| since.min(input))
    }

    fn busy(&mut self) -> &mut Busy {
        self.busy.get_or_insert_default()
    }

    fn outbox_len(&self) -> usize {
        self.busy.as_ref().map_or(0, |busy| busy.outbox.len())
    }

    /// Sets the deadline of the state to this many seconds from now.
    fn due_in(&mut self, seconds: u32, cx: &LoopContext) {
        self.due = cx.now().after(seconds.saturating_mul(Tick::PER_SECOND));
    }

    /// Enters the next deadline in the timer wheel, unless an earlier entry is there already.
    fn arm(&mut self, cx: &mut LoopContext) {
        let (next, _) = self.next_deadline(cx);
        if next < self.timer_entry {
            self.timer_entry = cx.timer_wheel.insert(self.key.slot, next);
        }
    }

    fn next_deadline(&self, cx: &LoopContext) -> (Tick, Deadline) {
        let due = |since: Option<Tick>, seconds: u32| {
            since.map_or(Tick::NEVER, |since| since.after(seconds.saturating_mul(Tick::PER_SECOND)))
        };
        let stalled = self.busy.as_ref().and_then(|busy| busy.stalled_since);
        let deadlines = [
            (due(stalled, cx.options.write_timeout), Deadline::Write),
            (due(self.message_since(), cx.options.body_timeout), Deadline::Message),
            (self.due, Deadline::State),
        ];
        deadlines.into_iter().min_by_key(|(due, _)| *due).unwrap_or((self.due, Deadline::State))
    }
}
