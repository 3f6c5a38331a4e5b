//! All connections, and the parts of a loop iteration that concern them. This module and those
//! below it know neither the poll nor the real clock.

use std::collections::{BinaryHeap, VecDeque};

use super::addresses::{Addresses, Admission};
use super::application::Application;
use super::byte_stream::ByteStream;
use super::connection::{Connection, Queue, Readiness};
use super::context::{LoopContext, SMALL_EVENT};
use super::eviction::Eviction;
use super::observer::Observer;
use super::slab::{Key, Slab};
use super::work::{Phase, cost};
use crate::hub::{Tick, Topic};
use crate::transport::metrics::EndReason;
use crate::transport::response::Overload;
use crate::transport::routes::Routes;

/// The most iterations between the signal to stop and the start of the shutdown.
const STOP_ITERATIONS: u32 = 200;
/// The size of the buffer into which every connection is read, in bytes.
const BUFFER_BYTES: usize = 64 * 1024;
/// How much memory the shared output buffer keeps from one iteration to the next, in bytes.
const OUT_BYTES_KEPT: usize = 1 << 20;

/// All connections, and the state that they share.
pub struct Connections<S> {
    pub(crate) slab: Slab<Connection<S>>,
    addresses: Addresses,
    pub cx: LoopContext,
    buffer: Box<[u8]>,
    /// Connections whose readiness was reported and whose turns are light, in that order.
    ready: VecDeque<Key>,
    /// The same of connections that are new.
    fresh: VecDeque<Key>,
    /// Entries of the timer wheel that are due, and were not handled yet.
    due: VecDeque<(Tick, u32)>,
    /// Segments that are no longer kept, and the followers in them.
    evictions: VecDeque<Eviction>,
    aged_at: Tick,
    drain_until: Option<Tick>,
    /// The program's routes and sockets; `None` while it is called.
    pub(super) application: Option<Box<dyn Application<Connections<S>>>>,
    /// The application may have something to run now: another thread has woken the loop, or it
    /// had more to run than an iteration allows.
    pub is_woken: bool,
    /// How often the application has asked for the shutdown.
    pub(crate) stops: u32,
}

impl<S: ByteStream> Connections<S> {
    pub fn new(cx: LoopContext) -> Connections<S> {
        Connections {
            slab: Slab::new(),
            addresses: Addresses::new(cx.options.connections_per_address),
            cx,
            buffer: vec![0; BUFFER_BYTES].into_boxed_slice(),
            ready: VecDeque::new(),
            fresh: VecDeque::new(),
            due: VecDeque::new(),
            evictions: VecDeque::new(),
            aged_at: Tick::default(),
            drain_until: None,
            application: None,
            is_woken: false,
            stops: 0,
        }
    }

    /// Sets the routes, and the application that answers requests for them.
    pub fn run_application(&mut self, routes: Routes, application: Box<dyn Application<Connections<S>>>) {
        self.cx.service.routes = routes;
        self.cx.watches_followers = application.watches_followers();
        self.application = Some(application);
    }

    /// Sets the observer, and opens the observation to the clients that the options allow.
    pub fn observe_with(&mut self, observer: Box<dyn Observer>) {
        let LoopContext { service, options, .. } = &mut self.cx;
        let access = &mut service.policy.access;
        access.observers = options.observation.access(access.loopback_only);
        self.cx.observer.0 = Some(observer);
    }

    pub fn len(&self) -> usize {
        self.slab.len()
    }

    /// Returns the key of the next connection to be added.
    pub fn next_key(&self) -> Key {
        self.slab.next_key()
    }

    /// Adds a connection that was accepted just now.
    pub fn add(&mut self, stream: S) {
        let key = self.slab.next_key();
        let surplus = match self.addresses.join(key.slot, || stream.peer()) {
            Admission::Dropped => return self.cx.service.counters.overloaded(Overload::Address),
            Admission::Surplus => Some(Overload::Address),
            Admission::Within => {
                (self.slab.len() >= self.cx.options.max_connections).then_some(Overload::Connections)
            }
        };
        self.cx.service.counters.accepted += 1;
        if let Some(observer) = self.cx.observer.get() {
            observer.opened(key.slot);
        }
        let connection = Connection::new(stream, key, surplus, &mut self.cx);
        self.slab.insert(connection);
    }

    /// Begins a loop iteration.
    pub fn begin_iteration(&mut self) {
        self.cx.begin_iteration();
        if let Some(observer) = self.cx.observer.get() {
            observer.begin_iteration();
        }
    }

    /// Notes the readiness that the poll has reported. The connection is served in its turn.
    pub fn report(&mut self, key: Key, readiness: Readiness) {
        match self.slab.get(key).and_then(|connection| connection.note(readiness)) {
            Some(Queue::Ready) => self.ready.push_back(key),
            Some(Queue::Fresh) => self.fresh.push_back(key),
            Some(Queue::Backlog) => self.cx.backlog.push_back(key),
            Some(Queue::Parked) | None => {}
        }
    }

    /// Returns the socket of a connection, for the poll.
    pub fn stream(&mut self, key: Key) -> Option<&mut S> {
        self.slab.get(key).map(Connection::stream)
    }

    /// Closes a connection that the poll has reported as broken.
    pub fn handle_broken(&mut self, key: Key) {
        if let Some(connection) = self.slab.get(key) {
            connection.close(EndReason::Broken, &mut self.cx);
            connection.account_memory(&self.cx);
            self.enforce_bounds();
        }
    }

    /// Does the work of an iteration, as far as its limit allows: serves the connections that are
    /// ready and light, then those that may have more to do, delivers new events, and handles
    /// deadlines.
    pub fn run_iteration(&mut self) {
        self.resume_publishers();
        self.cx.work.begin_phase(Phase::Ready);
        while !self.cx.work.is_phase_over()
            && let Some(key) = self.ready.pop_front()
        {
            self.take_turn(key, self.ready.len() + 1);
        }
        self.run_due();
        self.cx.work.begin_phase(Phase::Backlog);
        let mut waiting = self.fresh.len() + self.cx.backlog.len();
        while !self.cx.work.is_phase_over() && waiting > 0 {
            // Alternately, so that a new client does not wait for all that have much to do.
            let next = [self.fresh.pop_front(), self.cx.backlog.pop_front()];
            next.into_iter().flatten().for_each(|key| self.take_turn(key, waiting));
            waiting = self.fresh.len() + self.cx.backlog.len();
        }
        self.fan_out();
        self.handle_deadlines();
    }

    /// Serves a connection, one of `waiting` that share the phase.
    fn take_turn(&mut self, key: Key, waiting: usize) {
        self.cx.begin_turn(waiting);
        self.evict_if_behind(key.slot);
        while let Some(connection) = self.slab.get(key) {
            connection.serve(&mut self.buffer, &mut self.cx);
            let has_calls = !self.cx.calls.is_empty();
            if has_calls {
                self.make_calls();
                // After an answer of the application, the next request of the same turn follows.
                if self.cx.backlog.back() == Some(&key) && !self.cx.work.is_turn_over() {
                    self.cx.backlog.pop_back();
                    continue;
                }
            }
            if let Some(connection) = self.slab.get(key) {
                connection.end_turn(self.cx.work.is_turn_heavy());
                connection.account_memory(&self.cx);
            }
            return self.enforce_bounds();
        }
    }

    /// Enforces the bounds after a connection was served.
    pub(super) fn enforce_bounds(&mut self) {
        debug_assert!(self.cx.out.is_empty(), "a connection leaves no output in the shared buffer");
        self.trim();
        self.shed_until_within_memory();
    }

    /// Enforces the bound of the log. While it cannot be enforced, publishers wait.
    pub(crate) fn trim(&mut self) {
        let hub = &mut self.cx.service.hub;
        hub.trim();
        while let Some(dropped) = hub.next_dropped() {
            self.evictions.push_back(Eviction::new(dropped, hub));
        }
        let waiting: usize = self.evictions.iter().map(Eviction::memory).sum();
        let (kept, bound) = (hub.event_bytes() + waiting, self.cx.options.hub.window_bytes);
        self.cx.log_room = match kept {
            _ if kept > bound + bound / 4 => None,
            _ if kept > bound && (hub.is_full() || waiting > bound / 8) => Some(SMALL_EVENT),
            _ => Some(u64::MAX),
        };
    }

    /// Serves the publishers that had to wait for room in the log.
    fn resume_publishers(&mut self) {
        // Room comes from the fan-out and from evictions, so without either none would come.
        if !self.cx.must_wait_for_room(u64::MAX) || !self.is_making_room() {
            for key in std::mem::take(&mut self.cx.parked) {
                if let Some(connection) = self.slab.get(key) {
                    connection.unpark();
                }
                self.report(key, Readiness::default());
            }
        }
    }

    pub(crate) fn is_making_room(&self) -> bool {
        !self.evictions.is_empty() || self.cx.service.hub.has_deliveries()
    }

    /// Returns whether the next iteration has work, whatever the poll reports.
    pub fn has_work(&self) -> bool {
        let queues = [&self.ready, &self.fresh, &self.cx.backlog];
        let is_waiting = queues.iter().any(|queue| !queue.is_empty()) || !self.due.is_empty();
        is_waiting || self.is_woken || !self.cx.parked.is_empty() || self.is_making_room()
    }

    /// Returns the next tick at which a deadline may be due.
    pub fn next_deadline(&mut self) -> Option<Tick> {
        self.cx.timer_wheel.next().into_iter().chain(self.drain_until).min()
    }

    /// Delivers new events to their followers, as many as one iteration may.
    ///
    /// Connections that close here are not freed before the end of the iteration, so the slots that
    /// the hub names stay valid.
    fn fan_out(&mut self) {
        self.cx.work.begin_phase(Phase::FanOut);
        while let Some((topic, follower)) = self.cx.service.hub.next_delivery() {
            if self.cx.work.is_phase_over() {
                self.cx.service.hub.rotate_fan_outs();
                break;
            }
            self.cx.begin_turn(1);
            if let Some(connection) = self.slab.get_slot(follower) {
                connection.deliver(&mut self.cx);
                debug_assert!(self.cx.out.is_empty(), "a connection leaves no output in the shared buffer");
                connection.account_memory(&self.cx);
            }
            self.cx.service.hub.delivered((topic, follower));
            self.shed_until_within_memory();
        }
        self.cx.drop_shared_responses();
        self.make_calls();
        // The fan-out may have held segments that can be dropped now.
        self.trim();
    }

    fn handle_deadlines(&mut self) {
        self.cx.work.begin_phase(Phase::Deadlines);
        self.evict_slow_followers();
        let now = self.cx.now();
        while let Some((entry, slots)) = self.cx.timer_wheel.take_due(now) {
            self.due.extend(slots.into_iter().map(|slot| (entry, slot)));
        }
        while !self.cx.work.is_phase_over()
            && let Some((entry, slot)) = self.due.pop_front()
        {
            self.cx.begin_turn(1);
            self.evict_if_behind(slot);
            if let Some(connection) = self.slab.get_slot(slot) {
                connection.handle_deadline(entry, &mut self.buffer, &mut self.cx);
                connection.account_memory(&self.cx);
                self.enforce_bounds();
                self.make_calls();
            }
        }
        if now >= self.aged_at.after(Tick::PER_SECOND) {
            self.aged_at = now;
            self.cx.service.hub.age(now);
            self.trim();
        }
    }

    /// Evicts the followers whose cursors are in segments that are no longer kept, as many as the
    /// phase allows.
    fn evict_slow_followers(&mut self) {
        while let Some(eviction) = self.evictions.front_mut() {
            let Some(follower) = eviction.lagging.pop() else {
                self.cx.service.hub.release(eviction.dropped.topic);
                self.evictions.pop_front();
                continue;
            };
            if let Some(connection) = self.slab.get_slot(follower) {
                eviction.evict(connection, &mut self.cx);
            }
            if self.cx.work.is_phase_over() {
                return;
            }
        }
    }

    /// Evicts a follower whose cursor is in a segment that is no longer kept, before anything else
    /// is written to it.
    pub(crate) fn evict_if_behind(&mut self, slot: u32) {
        for eviction in &mut self.evictions {
            let Some(connection) = self.slab.get_slot(slot) else { return };
            eviction.evict(connection, &mut self.cx);
        }
    }

    /// Closes the connections with the greatest weight, until all together hold no more memory than
    /// allowed. So a connection that holds little, or has just begun, is not closed for one that
    /// holds a lot for long.
    fn shed_until_within_memory(&mut self) {
        if self.cx.buffered_bytes() <= self.cx.options.buffered_bytes {
            return;
        }
        self.cx.work.charge(cost::LOOK * self.slab.len() as u64);
        let cx = &self.cx;
        let holders = self.slab.iter_mut().map(|holder| (holder.shed_weight(cx), holder.slot()));
        let mut holders: BinaryHeap<(u64, u32)> = holders.collect();
        while self.cx.buffered_bytes() > self.cx.options.buffered_bytes
            && let Some((1.., heaviest)) = holders.pop()
        {
            self.evict_if_behind(heaviest);
            let Some(heaviest) = self.slab.get_slot(heaviest) else { continue };
            heaviest.shed(&mut self.cx);
            heaviest.account_memory(&self.cx);
        }
    }

    /// Ends a loop iteration: frees the closed connections, then publishes the observation. Returns
    /// whether a connection was freed.
    pub fn end_iteration(&mut self) -> bool {
        self.make_calls();
        let closed = std::mem::take(&mut self.cx.closed);
        for slot in &closed {
            if let Some(observer) = self.cx.observer.get() {
                observer.closed(*slot);
            }
            // Closing the descriptor removes it from the poll as well.
            self.slab.remove(*slot);
            self.addresses.leave(*slot);
        }
        if self.cx.out.capacity() > OUT_BYTES_KEPT {
            self.cx.out = Vec::new();
        }
        self.publish_observation();
        !closed.is_empty()
    }

    fn publish_observation(&mut self) {
        let LoopContext { service, observer, clock, work, .. } = &mut self.cx;
        // The log must not fill with events that the fan-out cannot deliver in time: publishers to
        // all topics would wait. So the observer keeps later events, or drops them.
        let topic = service.observation();
        if let Some(observer) = observer.get()
            && !topic.is_some_and(Topic::has_deliveries)
        {
            let is_followed = topic.is_some_and(Topic::has_followers);
            let now = clock.tick();
            observer.end_iteration(is_followed, &mut |json| service.publish_observation(json, now));
            work.charge(observer.take_work());
            // The new events may have pushed out a segment. The followers in it must be evicted
            // before they are written to.
            self.trim();
        }
    }

    /// Runs an iteration that serves only the connections that wait for a turn.
    pub fn run_without_reports(&mut self) {
        self.begin_iteration();
        self.run_iteration();
        self.end_iteration();
        self.cx.end_iteration(None);
    }

    /// Begins the shutdown: the first call drains the connections, the second ends the shutdown at
    /// once.
    pub fn stop(&mut self) {
        if self.drain_until.is_some() {
            self.drain_until = Some(Tick(0));
            return;
        }
        // The log ends with the server, so a batch that has begun is completed before.
        let mut left = STOP_ITERATIONS;
        while left > 0 && self.slab.iter_mut().any(|connection| connection.has_batch()) {
            left -= 1;
            self.run_without_reports();
        }
        self.stop_application();
        self.cx.gauges.draining = true;
        self.drain_until = Some(self.cx.now().after(self.cx.options.drain_timeout * Tick::PER_SECOND));
        let occupied: Vec<u32> = self.slab.occupied().collect();
        for slot in occupied {
            self.evict_if_behind(slot);
            if let Some(connection) = self.slab.get_slot(slot) {
                connection.drain(&mut self.cx);
                connection.account_memory(&self.cx);
            }
        }
        self.make_calls();
    }

    /// Closes the connections that are still open after the shutdown.
    pub fn finish(&mut self) {
        self.slab.iter_mut().for_each(|connection| connection.close(EndReason::Drain, &mut self.cx));
        self.make_calls();
    }

    /// Returns whether the shutdown has begun.
    pub fn is_stopping(&self) -> bool {
        self.drain_until.is_some()
    }

    /// Returns whether the shutdown is complete, or its time is over.
    pub fn is_over(&self) -> bool {
        self.drain_until.is_some_and(|deadline| self.slab.len() == 0 || self.cx.now() >= deadline)
    }
}
