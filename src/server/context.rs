//! What all connections share: the service, the clock, the wheel, and lists of what the turn still owes.

use std::rc::Rc;

use super::access_log::{AccessLog, Line};
use super::clock::Clock;
use super::memory::{Memory, SharedBytes};
use super::options::Options;
use super::slab::Key;
use super::wheel::Wheel;
use crate::hub::{Sequence, Tick, TopicKey};
use crate::protocol::http::Status;
use crate::transport::Service;
use crate::transport::answer::{Moment, jittered};
use crate::transport::metrics::Gauges;
use crate::transport::poll::{Held, Poll};

/// Jitter: nothing secret, so a small generator will do (xorshift64*, Marsaglia 2003, Vigna 2016).
pub struct Jitter(u64);

impl Jitter {
    /// A generator from random bits.
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

/// An answer that many held polls share, and what it depends on.
struct SharedAnswer {
    topic: TopicKey,
    newest: Sequence,
    poll: Poll,
    status: Status,
    bytes: Rc<SharedBytes>,
}

/// What all connections share.
pub struct Context {
    /// The topics and their answers.
    pub service: Service,
    /// The options in force.
    pub options: Options,
    /// The time of this turn.
    pub clock: Clock,
    /// The deadlines.
    pub wheel: Wheel,
    /// The log of requests.
    pub log: AccessLog,
    /// Bytes for the connection that is being served, on their way to its socket.
    pub out: Vec<u8>,
    /// Connections that have ended and are to be freed at the turn's end.
    pub closed: Vec<u32>,
    /// Connections to be served again without an event: a budget has stopped them, and an edge-triggered poll will
    /// not tell of them again.
    pub ready: Vec<Key>,
    /// Connections to `/echo` that keep a window from one message to the next.
    pub echo_contexts: usize,
    /// What connections hold.
    pub memory: Memory,
    /// What is now, for answers.
    pub gauges: Gauges,
    jitter: Jitter,
    shared: Vec<SharedAnswer>,
}

/// How many answers are remembered in a turn, for held polls that differ in their terms.
const SHARED: usize = 16;

impl Context {
    /// A context at the start of the server.
    pub fn new(service: Service, options: Options, clock: Clock, log: AccessLog, seed: u64) -> Context {
        Context {
            wheel: Wheel::new(clock.tick()),
            service,
            options,
            clock,
            log,
            out: Vec::new(),
            closed: Vec::new(),
            ready: Vec::new(),
            echo_contexts: 0,
            memory: Memory::default(),
            gauges: Gauges::default(),
            jitter: Jitter::new(seed),
            shared: Vec::new(),
        }
    }

    /// The connection is served again next turn. One turn of its own asks for it once, however many budgets stop it.
    pub fn owe_turn(&mut self, key: Key) {
        if self.ready.last() != Some(&key) {
            self.ready.push(key);
        }
    }

    /// Now.
    pub fn now(&self) -> Tick {
        self.clock.tick()
    }

    /// A time to come back after, in milliseconds, spread at random.
    pub fn retry(&mut self) -> u32 {
        let random = self.jitter.next();
        jittered(self.service.policy.retry, random)
    }

    /// Splits off what the service needs for an answer.
    pub fn answering(&mut self) -> (&mut Service, Moment<'_>, &Gauges, &mut Vec<u8>) {
        let moment = Moment { tick: self.clock.tick(), date: self.clock.date(), random: self.jitter.next() };
        (&mut self.service, moment, &self.gauges, &mut self.out)
    }

    /// The answer to a held poll as things stand. Those that wait at the same cursor, on the same terms, share it.
    pub fn shared_answer(&mut self, held: &Held) -> (Status, Rc<SharedBytes>) {
        let newest = self.service.hub.topic(held.topic).log.newest();
        let same = |shared: &&SharedAnswer| {
            shared.topic == held.topic && shared.newest == newest && shared.poll == held.poll
        };
        if let Some(shared) = self.shared.iter().find(same) {
            self.service.count_poll(&held.poll, Some(held.topic));
            return (shared.status, Rc::clone(&shared.bytes));
        }
        let mut bytes = Vec::new();
        let (service, moment, _, _) = self.answering();
        let status = service.answer_poll(&held.poll, Some(held.topic), None, &moment, &mut bytes);
        let bytes = self.memory.shared(bytes);
        let poll = held.poll.clone();
        if self.shared.len() == SHARED {
            self.shared.remove(0);
        }
        self.shared.push(SharedAnswer { topic: held.topic, newest, poll, status, bytes: Rc::clone(&bytes) });
        (status, bytes)
    }

    /// The turn's end: what was shared in it is let go.
    pub fn forget_shared(&mut self) {
        self.shared.clear();
    }

    /// The path of a topic, for the log; empty where there is none.
    pub fn path_of(&self, topic: TopicKey) -> String {
        match self.log.is_on() {
            true => format!("/topics/{}", self.service.hub.topic(topic).name()),
            false => String::new(),
        }
    }

    /// Counts an answer and logs it. `peer` is asked only if it is wanted.
    pub fn record(&mut self, line: Line<'_>, peer: impl FnOnce() -> Option<std::net::SocketAddr>) {
        self.service.counters.requests += 1;
        if self.log.is_on() {
            self.log.add(&Line { peer: peer(), ..line });
        }
    }
}
