//! The state that all connections share during a loop iteration.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use super::application::Call;
use super::clock::Clock;
use super::memory::{Memory, SharedBytes};
use super::observer::{ObserverSlot, Sender};
use super::options::Options;
use super::repeated_poll::RepeatedPoll;
use super::request_log::{LoggedRequest, RequestLog};
use super::slab::Key;
use super::timer_wheel::TimerWheel;
use super::work::{WorkMeter, cost};
use crate::hub::{Sequence, Tick, TopicKey};
use crate::protocol::http::Status;
use crate::transport::metrics::Gauges;
use crate::transport::poll::{HeldPoll, Poll};
use crate::transport::response::{Now, jittered};
use crate::transport::{Purpose, Service};

/// A generator of jitter, which is not secret (xorshift64*, Marsaglia 2003, Vigna 2016).
pub struct Jitter(u64);

impl Jitter {
    pub fn new(seed: u64) -> Jitter {
        Jitter(seed | 1)
    }

    fn next(&mut self) -> u32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) as u32
    }
}

/// A response that several held polls share, and everything that it depends on.
struct SharedResponse {
    topic: TopicKey,
    newest: Sequence,
    poll: Poll,
    status: Status,
    bytes: Rc<SharedBytes>,
}

/// The bytes of an event that is published although the log is full.
pub const SMALL_EVENT: u64 = 4 * 1024;

/// The state that all connections share.
pub struct LoopContext {
    /// The topics and the responses.
    pub service: Service,
    /// The options in force.
    pub options: Options,
    /// The time of this loop iteration.
    pub clock: Clock,
    /// The deadlines.
    pub timer_wheel: TimerWheel,
    /// The log of requests, if there is one.
    pub log: Option<Box<dyn RequestLog>>,
    /// The output of the connection that is being served. It is empty between two connections.
    pub out: Vec<u8>,
    /// The slots of connections that have closed and will be freed at the end of the iteration.
    pub closed: Vec<u32>,
    /// The work of this iteration.
    pub work: WorkMeter,
    /// Connections that had more to do when their turn ended. An edge-triggered poll will not
    /// report them again.
    pub backlog: VecDeque<Key>,
    /// Connections that wait to publish until the log has room.
    pub parked: Vec<Key>,
    /// The most bytes for which the log has room, `u64::MAX` if it is not full, `None` if every
    /// publisher waits. It can hold more than its bound for a while, because of followers that are
    /// not served yet.
    pub log_room: Option<u64>,
    /// The calls of the application to be made after the turn of this connection.
    pub calls: VecDeque<Call>,
    /// The number of the last request for which the application was called.
    pub call_number: u32,
    /// The application wants to know which connections follow a topic.
    pub watches_followers: bool,
    /// WebSockets with new messages of the application, to be written when its handlers have run.
    pub unflushed: Vec<Key>,
    /// The connection whose long message is being compressed. One at a time, because the
    /// compressor takes 400 KiB.
    pub compressing: Option<Key>,
    /// Connections whose sockets were full for the first time. The poll must report when they have
    /// room again.
    pub full: Vec<Key>,
    /// How many bytes one read may take in this turn.
    pub read_bytes: usize,
    /// The number of connections to `/echo` that keep a compression context.
    pub echo_contexts: usize,
    /// The memory that connections hold.
    pub memory: Memory,
    /// The gauges of the metrics.
    pub gauges: Gauges,
    /// The observer of all bytes.
    pub observer: ObserverSlot,
    jitter: Jitter,
    shared: Vec<SharedResponse>,
    repeated_poll: Option<Rc<RepeatedPoll>>,
    /// Whether a poll may replace the repeated one: one per iteration, so that different heads that
    /// alternate cost little.
    may_replace_poll: bool,
}

/// How many bytes are read at once from all connections that wait for a turn, unless that is too
/// little for each of them. Bytes that are read and not interpreted within a turn have to be kept.
const READ_BYTES: usize = 256 * 1024;
/// How many bytes are read from each connection at least: less would be more calls than work. While
/// an observer names every byte, more would be too much work.
const MIN_READ_BYTES: usize = 4 * 1024;
/// How many responses are kept during an iteration, for held polls with different contexts.
const SHARED_RESPONSES: usize = 16;
/// How many messages of one connection are read before the application is called for them. The cost
/// of its handlers is known only afterwards.
const CALLS: usize = 16;

impl LoopContext {
    /// Creates the state of a server that starts now. `seed` must be random.
    pub fn new(service: Service, options: Options, clock: Clock, seed: u64) -> LoopContext {
        LoopContext {
            timer_wheel: TimerWheel::new(clock.tick()),
            service,
            options,
            clock,
            log: None,
            out: Vec::new(),
            closed: Vec::new(),
            work: WorkMeter::new(),
            backlog: VecDeque::new(),
            parked: Vec::new(),
            log_room: Some(u64::MAX),
            calls: VecDeque::new(),
            call_number: 0,
            watches_followers: false,
            unflushed: Vec::new(),
            compressing: None,
            full: Vec::new(),
            read_bytes: READ_BYTES,
            echo_contexts: 0,
            memory: Memory::default(),
            gauges: Gauges::default(),
            observer: ObserverSlot::default(),
            jitter: Jitter::new(seed),
            shared: Vec::new(),
            repeated_poll: None,
            may_replace_poll: false,
        }
    }

    /// Returns the last poll, if `input` begins with the same head.
    pub fn repeated_poll(&self, input: &[u8]) -> Option<(Rc<RepeatedPoll>, usize)> {
        let poll = self.repeated_poll.as_ref()?;
        poll.length_in(input).map(|length| (Rc::clone(poll), length))
    }

    /// Remembers a poll for clients that send the same head. If a token is set, every head is
    /// parsed: the time of a comparison would tell how much of a token was guessed.
    pub fn remember_poll(&mut self, poll: impl FnOnce() -> Option<RepeatedPoll>) {
        if self.may_replace_poll && !self.service.policy.access.has_tokens() {
            self.repeated_poll = poll().map(Rc::new);
            self.may_replace_poll = false;
        }
    }

    /// Returns whether events of this many bytes must wait for room in the log.
    pub fn must_wait_for_room(&self, bytes: u64) -> bool {
        self.log_room.is_none_or(|room| bytes > room)
    }

    /// Begins a loop iteration.
    pub fn begin_iteration(&mut self) {
        self.may_replace_poll = true;
        self.service.metrics = None;
    }

    /// Begins the turn of one of `waiting` connections.
    pub fn begin_turn(&mut self, waiting: usize) {
        // Work for another connection is not part of this turn.
        self.charge_hub();
        self.work.begin_turn(waiting);
        let share = if self.observer.active().is_some() { MIN_READ_BYTES } else { READ_BYTES };
        self.read_bytes = (share / waiting.max(1)).max(MIN_READ_BYTES);
    }

    /// Returns whether the connection that is being served must wait: its turn has used its share,
    /// or the application must be called first.
    pub fn is_turn_over(&self) -> bool {
        self.work.is_turn_over() || self.calls.len() >= CALLS
    }

    /// Charges the work that the hub has done.
    pub fn charge_hub(&mut self) {
        self.work.charge(self.service.hub.take_work());
    }

    /// Ends a loop iteration, which took this long.
    pub fn end_iteration(&mut self, took: Option<Duration>) {
        if let Some(took) = took {
            self.service.counters.iterations.record(took);
        }
        self.work.end_iteration(took);
    }

    /// Returns the time of this iteration.
    pub fn now(&self) -> Tick {
        self.clock.tick()
    }

    /// Returns a reconnection time with jitter, in milliseconds.
    pub fn retry(&mut self) -> u32 {
        let random = self.jitter.next();
        jittered(self.service.policy.retry, random)
    }

    /// Splits off what the service needs for a response.
    pub fn responding(&mut self) -> (&mut Service, Now<'_>, &Gauges, &mut Vec<u8>) {
        let now = Now { tick: self.clock.tick(), date: self.clock.date(), random: self.jitter.next() };
        (&mut self.service, now, &self.gauges, &mut self.out)
    }

    /// Returns the response to a held poll for the present state of the log. Polls that wait at the
    /// same cursor in the same context share it.
    pub fn shared_response(&mut self, held: &HeldPoll) -> (Status, Rc<SharedBytes>) {
        let newest = self.service.hub.topic(held.topic).log.newest();
        let same = |shared: &&SharedResponse| {
            shared.topic == held.topic && shared.newest == newest && shared.poll == held.poll
        };
        if let Some(shared) = self.shared.iter().find(same) {
            self.service.count_poll(&held.poll, Some(held.topic));
            return (shared.status, Rc::clone(&shared.bytes));
        }
        let mut bytes = Vec::new();
        let (service, now, _, _) = self.responding();
        let status = service.respond_to_poll(&held.poll, Some(held.topic), None, &now, &mut bytes);
        self.work.charge(cost::REQUEST + cost::bytes(bytes.len()));
        self.charge_hub();
        let bytes = self.memory.shared(bytes);
        let poll = held.poll.clone();
        if self.shared.len() == SHARED_RESPONSES {
            self.shared.remove(0);
        }
        self.shared.push(SharedResponse {
            topic: held.topic,
            newest,
            poll,
            status,
            bytes: Rc::clone(&bytes),
        });
        (status, bytes)
    }

    /// Drops the shared responses of this iteration.
    pub fn drop_shared_responses(&mut self) {
        self.shared.clear();
    }

    /// Returns the path of a topic for the log; empty without one.
    pub fn path_of(&self, topic: TopicKey) -> String {
        match self.log.is_some() {
            true => format!("/topics/{}", self.service.hub.topic(topic).name()),
            false => String::new(),
        }
    }

    /// Counts a response and logs it. `peer` is called only if there is a log.
    pub fn record(&mut self, request: LoggedRequest<'_>, peer: impl FnOnce() -> Option<SocketAddr>) {
        self.service.counters.requests += 1;
        if let Some(log) = &mut self.log {
            log.add(&LoggedRequest { peer: peer(), ..request });
        }
    }

    /// Returns the memory of all connections, with that of their observer.
    pub fn buffered_bytes(&self) -> usize {
        self.memory.bytes() + self.observer.0.as_ref().map_or(0, |observer| observer.memory())
    }

    /// Shows bytes that have passed to the observer.
    pub fn observe(&mut self, key: Key, sender: Sender, bytes: &mut dyn Iterator<Item = &[u8]>) {
        if let Some(observer) = self.observer.active() {
            observer.passed(key.slot, sender, bytes);
            self.work.charge_besides(observer.take_work());
        }
    }

    /// Tells the observer the purpose of a request.
    pub fn observe_purpose(&mut self, key: Key, purpose: Purpose) {
        if let Some(observer) = self.observer.get() {
            observer.has_purpose(key.slot, purpose);
            self.work.charge_besides(observer.take_work());
        }
    }
}
