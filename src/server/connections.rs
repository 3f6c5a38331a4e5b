//! All connections, and the parts of a loop iteration that concern them. This module and those
//! below it know neither the poll nor the real clock.

use std::collections::HashMap;
use std::rc::Rc;

use super::addresses::{Addresses, Admission};
use super::byte_stream::ByteStream;
use super::connection::{Connection, Readiness, RestOfEvent};
use super::context::LoopContext;
use super::memory::SharedBytes;
use super::observer::Observer;
use super::slab::{Key, Slab};
use crate::hub::{DroppedSegment, Tick};
use crate::transport::metrics::EndReason;
use crate::transport::response::Overload;

/// How many followers the fan-out serves before other work.
const DELIVERIES: usize = 1024;
/// The size of the buffer into which every connection is read, in bytes.
const BUFFER_BYTES: usize = 64 * 1024;
/// How much memory the shared output buffer keeps from one iteration to the next, in bytes.
const OUT_BYTES_KEPT: usize = 1 << 20;

/// All connections, and the state that they share.
pub struct Connections<S> {
    slab: Slab<Connection<S>>,
    addresses: Addresses,
    pub cx: LoopContext,
    buffer: Box<[u8]>,
    aged_at: Tick,
    drain_until: Option<Tick>,
}

impl<S: ByteStream> Connections<S> {
    pub fn new(cx: LoopContext) -> Connections<S> {
        Connections {
            slab: Slab::new(),
            addresses: Addresses::new(cx.options.connections_per_address),
            cx,
            buffer: vec![0; BUFFER_BYTES].into_boxed_slice(),
            aged_at: Tick::default(),
            drain_until: None,
        }
    }

    /// Sets the observer, and opens the observation to the clients that the options allow.
    pub fn observe_with(&mut self, observer: Box<dyn Observer>) {
        let LoopContext { service, options, .. } = &mut self.cx;
        let access = &mut service.policy.access;
        access.observers = options.observation.access(access.loopback_only);
        self.cx.observer.set(observer);
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

    /// Begins a loop iteration with this number of readiness reports.
    pub fn begin_iteration(&mut self, ready: usize) {
        let scheduled = self.cx.scheduled.len();
        self.cx.begin_iteration(ready + scheduled);
        if let Some(observer) = self.cx.observer.get() {
            observer.begin_iteration();
        }
    }

    /// Serves a connection whose readiness the poll has reported.
    pub fn serve(&mut self, key: Key, readiness: Readiness) {
        if let Some(connection) = self.slab.get(key) {
            connection.serve(readiness, &mut self.buffer, &mut self.cx);
            connection.account_memory(&self.cx);
            self.enforce_bounds();
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

    /// Enforces the bounds after a connection was served.
    fn enforce_bounds(&mut self) {
        debug_assert!(self.cx.out.is_empty(), "a connection leaves no output in the shared buffer");
        self.evict_slow_followers();
        self.shed_until_within_memory();
    }

    /// Serves the connections that a budget has stopped in the last iteration, then delivers new
    /// events, then handles deadlines.
    pub fn continue_iteration(&mut self, scheduled: Vec<Key>) {
        for key in scheduled {
            self.serve(key, Readiness { writable: true, ..Readiness::default() });
        }
        self.fan_out();
        self.handle_deadlines();
    }

    /// Returns whether the next iteration has work, whatever the poll reports.
    pub fn has_work(&self) -> bool {
        !self.cx.scheduled.is_empty() || self.cx.service.hub.has_deliveries()
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
        let mut left = DELIVERIES;
        while left > 0
            && let Some((topic, follower)) = self.cx.service.hub.next_delivery()
        {
            left -= 1;
            if let Some(connection) = self.slab.get_slot(follower) {
                connection.deliver(&mut self.cx);
                debug_assert!(self.cx.out.is_empty(), "a connection leaves no output in the shared buffer");
                connection.account_memory(&self.cx);
            }
            self.cx.service.hub.delivered((topic, follower));
        }
        if left == 0 {
            self.cx.service.hub.rotate_fan_outs();
        }
        self.cx.drop_shared_responses();
        self.shed_until_within_memory();
    }

    fn handle_deadlines(&mut self) {
        let now = self.cx.now();
        while let Some((entry, slots)) = self.cx.timer_wheel.take_due(now) {
            for slot in slots {
                if let Some(connection) = self.slab.get_slot(slot) {
                    connection.handle_deadline(entry, &mut self.buffer, &mut self.cx);
                    connection.account_memory(&self.cx);
                    self.enforce_bounds();
                }
            }
        }
        if now >= self.aged_at.after(Tick::PER_SECOND) {
            self.aged_at = now;
            self.cx.service.hub.age(now);
            self.evict_slow_followers();
        }
    }

    /// Evicts the followers whose cursors are in segments that are no longer kept.
    fn evict_slow_followers(&mut self) {
        while let Some(dropped) = self.cx.service.hub.next_dropped() {
            self.evict_from(dropped);
        }
    }

    /// Evicts the followers whose cursors are in a dropped segment, or before it. Those in the
    /// middle of an event share the segment's encoded bytes until that event is written. What each
    /// of them is sent last is in `Connection::evict` (`connection/close.rs`).
    fn evict_from(&mut self, mut dropped: DroppedSegment) {
        // A copy, because each eviction changes the list.
        let lagging = self.cx.service.hub.topic(dropped.topic).lagging().to_vec();
        let mut shared: HashMap<usize, Rc<SharedBytes>> = HashMap::new();
        for follower in lagging {
            let Some(connection) = self.slab.get_slot(follower) else { continue };
            let Some(following) = connection.following().filter(|cursor| cursor.segment() <= dropped.number)
            else {
                continue;
            };
            let mut rest = None;
            if following.segment() == dropped.number {
                let slot = following.encoding.slot();
                let encoded = dropped.encoded(&self.cx.service.hub, slot);
                let (start, end) = (following.offset(), encoded.event_end(following.offset()));
                if start == encoded.bytes().len() {
                    // The follower has been sent the whole segment; only its own output is pending.
                    continue;
                }
                if start < end {
                    let bytes =
                        shared.entry(slot).or_insert_with(|| self.cx.memory.shared(encoded.bytes().to_vec()));
                    rest = Some(RestOfEvent { bytes: Rc::clone(bytes), start, end });
                }
            }
            connection.evict(rest, &mut self.cx);
            connection.account_memory(&self.cx);
        }
    }

    /// Closes the connections with the greatest weight, until all together hold no more memory than
    /// allowed. So a connection that holds little, or has just begun, is not closed for one that
    /// holds a lot for long.
    fn shed_until_within_memory(&mut self) {
        while self.cx.buffered_bytes() > self.cx.options.buffered_bytes {
            let cx = &self.cx;
            let holders = self.slab.iter_mut().map(|connection| (connection.shed_weight(cx), connection));
            let Some((1.., heaviest)) = holders.max_by_key(|(weight, _)| *weight) else { return };
            heaviest.shed(&mut self.cx);
            heaviest.account_memory(&self.cx);
        }
    }

    /// Ends a loop iteration: frees the closed connections, then publishes the observation. Returns
    /// whether a connection was freed.
    pub fn end_iteration(&mut self) -> bool {
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
        let LoopContext { service, observer, clock, .. } = &mut self.cx;
        if let Some(observer) = observer.get() {
            let is_followed = service.is_observed();
            let now = clock.tick();
            observer.end_iteration(is_followed, &mut |json| service.publish_observation(json, now));
            // The new events may have pushed out a segment. The followers in it must be evicted
            // before they are written to.
            self.evict_slow_followers();
        }
    }

    /// Begins the shutdown: the first call drains the connections, the second ends the shutdown at
    /// once.
    pub fn stop(&mut self) {
        if self.drain_until.is_some() {
            self.drain_until = Some(Tick(0));
            return;
        }
        self.cx.gauges.draining = true;
        self.drain_until = Some(self.cx.now().after(self.cx.options.drain_timeout * Tick::PER_SECOND));
        let occupied: Vec<u32> = self.slab.occupied().collect();
        for slot in occupied {
            if let Some(connection) = self.slab.get_slot(slot) {
                connection.drain(&mut self.cx);
                connection.account_memory(&self.cx);
            }
        }
    }

    /// Returns whether the shutdown is complete, or its time is over.
    pub fn is_over(&self) -> bool {
        self.drain_until.is_some_and(|deadline| self.slab.len() == 0 || self.cx.now() >= deadline)
    }
}
