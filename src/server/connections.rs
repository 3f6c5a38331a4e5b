//! All connections, and what is done with them in a turn: the whole server, but for its sockets and its clock.

use std::collections::HashMap;
use std::rc::Rc;

use super::addresses::{Addresses, Place};
use super::byte_stream::ByteStream;
use super::connection::{Connection, Told};
use super::context::Context;
use super::delivery::SharedRest;
use super::memory::SharedBytes;
use super::slab::{Key, Slab};
use super::watch::{Watch, Watching};
use crate::hub::Tick;
use crate::transport::answer::Overload;
use crate::transport::metrics::Ended;

/// How many followers are served before other work has its turn.
const SLICE: usize = 1024;
/// The one buffer that all connections are read into, in bytes.
const BUFFER: usize = 64 * 1024;
/// What the shared buffer of a turn may keep from one to the next, in bytes.
const OUT_KEPT: usize = 1 << 20;

/// All connections, and what they share.
pub struct Connections<S> {
    slab: Slab<Connection<S>>,
    /// There if anybody may ever look at what passes.
    watch: Option<Rc<Watch>>,
    addresses: Addresses,
    pub(super) cx: Context,
    buffer: Box<[u8]>,
    aged_at: Tick,
    drain_until: Option<Tick>,
}

impl<S: ByteStream> Connections<S> {
    /// None yet.
    pub fn new(cx: Context, watch: Option<Rc<Watch>>) -> Connections<S> {
        let buffer = vec![0; BUFFER].into_boxed_slice();
        let addresses = Addresses::new(cx.options.connections_per_address);
        Connections {
            slab: Slab::new(),
            watch,
            addresses,
            cx,
            buffer,
            aged_at: Tick::default(),
            drain_until: None,
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.slab.len()
    }

    /// The key that the next one will get.
    pub fn next_key(&self) -> Key {
        self.slab.next_key()
    }

    /// One more, which has just been accepted.
    pub fn add(&mut self, stream: S) {
        let key = self.slab.next_key();
        let of_address = self.addresses.join(key.slot, || stream.peer());
        let surplus = match of_address {
            Place::None => return self.cx.service.counters.overloaded(Overload::Address),
            Place::Surplus => Some(Overload::Address),
            Place::Within => {
                (self.slab.len() >= self.cx.options.max_connections).then_some(Overload::Connections)
            }
        };
        self.cx.service.counters.accepted += 1;
        let watching = self.watch.as_ref().map(|watch| Box::new(Watching::new(watch)));
        let connection = Connection::new(stream, key, surplus, watching, &mut self.cx);
        self.slab.insert(connection);
    }

    /// A turn begins.
    pub fn begin_turn(&self) {
        if let Some(watch) = &self.watch {
            watch.begin_turn();
        }
    }

    /// What the turn has shown goes to those who look.
    pub fn hand_out_wire(&mut self) {
        if let Some(watch) = &self.watch {
            let cx = &mut self.cx;
            watch.followed(cx.service.wire_is_followed());
            if watch.looks() {
                let now = cx.clock.tick();
                watch.hand_out(|json| cx.service.show_wire(json, now));
            }
        }
        // What is shown pushes out what was, and whoever stands in that is told before anything else is written to it.
        self.end_too_slow();
    }

    /// The poll has told of one.
    pub fn serve(&mut self, key: Key, told: Told) {
        self.with(key, |connection, buffer, cx| connection.serve(told, buffer, cx));
    }

    /// The poll has told that one is broken.
    pub fn broken(&mut self, key: Key) {
        self.with(key, |connection, _, cx| connection.close(Ended::Broken, cx));
    }

    /// What a turn does beside what the poll has told: goes on with those that a budget has stopped in the last one
    /// (`ready`), hands out what is new, and looks at deadlines.
    pub fn turn(&mut self, ready: Vec<Key>) {
        for key in ready {
            self.serve(key, Told { writable: true, ..Told::default() });
        }
        self.sweep();
        self.deadlines();
    }

    /// Whether the next turn has work to do, whatever the poll tells.
    pub fn has_work(&self) -> bool {
        !self.cx.ready.is_empty() || !self.cx.service.sweeps.is_empty()
    }

    /// The next tick at which something is due.
    pub fn next_deadline(&mut self) -> Option<Tick> {
        self.cx.wheel.next().into_iter().chain(self.drain_until).min()
    }

    /// Does something with a connection, if it is still there, and then what has to follow at once.
    fn with(&mut self, key: Key, act: impl FnOnce(&mut Connection<S>, &mut [u8], &mut Context)) {
        if self.slab.holds(key)
            && let Some(connection) = self.slab.get_mut(key.slot)
        {
            act(connection, &mut self.buffer, &mut self.cx);
            connection.settle(&self.cx);
            if let Some(topic) = self.cx.service.trim_owed.take() {
                self.cx.service.trim(topic);
            }
            self.end_too_slow();
            self.keep_to_memory();
        }
    }

    /// Ends those that hold the most, until all together hold no more than they may: not those that ask for a little
    /// while others hold a lot.
    fn keep_to_memory(&mut self) {
        while self.cx.memory.bytes() > self.cx.options.buffered_bytes {
            let holders = self.slab.iter_mut().map(|connection| (connection.holds(), connection));
            let Some((1.., holder)) = holders.max_by_key(|(bytes, _)| *bytes) else { return };
            holder.give_up(&mut self.cx);
            holder.settle(&self.cx);
        }
    }

    /// Hands new events to the followers of each topic that has some, a slice of them a turn.
    fn sweep(&mut self) {
        let mut left = SLICE;
        while let Some(topic) = self.cx.service.sweeps.pop_front() {
            while left > 0
                && let Some(follower) = self.cx.service.hub.sweep_next(topic)
            {
                left -= 1;
                if let Some(connection) = self.slab.get_mut(follower) {
                    connection.deliver(&mut self.cx);
                    connection.settle(&self.cx);
                }
                self.cx.service.hub.served(topic, follower);
            }
            if left == 0 {
                // Unfinished, as far as is known: it goes on next turn, behind the others.
                self.cx.service.sweeps.push_back(topic);
                break;
            }
        }
        self.cx.forget_shared();
        self.keep_to_memory();
    }

    fn deadlines(&mut self) {
        let now = self.cx.now();
        while let Some((entry, keys)) = self.cx.wheel.take_due(now) {
            for key in keys {
                self.with(key, |connection, buffer, cx| connection.deadline(entry, buffer, cx));
            }
        }
        if now >= self.aged_at.after(Tick::PER_SECOND) {
            self.aged_at = now;
            let service = &mut self.cx.service;
            service.hub.age(now, |dropped| service.dropped.push(dropped));
            self.end_too_slow();
        }
    }

    /// Ends the followers that stand in segments which are no longer kept. Each segment's run is shared by those in the
    /// middle of an event in it.
    fn end_too_slow(&mut self) {
        if self.cx.service.dropped.is_empty() {
            return;
        }
        let from = self.cx.service.policy.compress_from;
        for mut dropped in std::mem::take(&mut self.cx.service.dropped) {
            let behind = self.cx.service.hub.topic(dropped.topic).followers.behind().to_vec();
            let mut fallen = Vec::new();
            for follower in behind {
                let following = self.slab.get_mut(follower).and_then(|connection| connection.following());
                let Some(following) =
                    following.filter(|following| following.cursor.segment <= dropped.number)
                else {
                    continue;
                };
                let start = following.cursor.offset as usize;
                let mut end = start;
                if following.cursor.segment == dropped.number {
                    let run = dropped.run(following.encoding.encoder(from));
                    if start == run.bytes().len() {
                        // It has been given all of it: it is behind only with what is its own, and loses nothing.
                        continue;
                    }
                    end = run.event_end(start);
                }
                fallen.push((follower, following.encoding.slot(), start, end));
            }
            let mut runs: HashMap<usize, Rc<SharedBytes>> = HashMap::new();
            for (follower, slot, start, end) in fallen {
                let shared = (start < end).then(|| {
                    let bytes =
                        runs.entry(slot).or_insert_with(|| self.cx.memory.shared(dropped.take_bytes(slot)));
                    SharedRest { bytes: Rc::clone(bytes), start, end }
                });
                if let Some(connection) = self.slab.get_mut(follower) {
                    connection.too_slow(shared, &mut self.cx);
                    connection.settle(&self.cx);
                }
            }
        }
    }

    /// The turn's end: frees those that have ended, and says whether there were any. Nothing is freed before, so a sweep
    /// can walk over connections that close under it.
    pub fn free(&mut self) -> bool {
        let closed = std::mem::take(&mut self.cx.closed);
        for slot in &closed {
            // Closing the descriptor takes it out of the poll as well.
            self.slab.remove(*slot);
            self.addresses.leave(*slot);
        }
        if self.cx.out.capacity() > OUT_KEPT {
            self.cx.out = Vec::new();
        }
        !closed.is_empty()
    }

    /// The server is to end: the first call drains the connections, a further one ends it at once.
    pub fn stop(&mut self) {
        if self.drain_until.is_some() {
            self.drain_until = Some(Tick(0));
            return;
        }
        self.cx.gauges.draining = true;
        self.drain_until = Some(self.cx.now().after(self.cx.options.drain_timeout * Tick::PER_SECOND));
        let occupied: Vec<u32> = self.slab.occupied().collect();
        for slot in occupied {
            if let Some(connection) = self.slab.get_mut(slot) {
                connection.drain(&mut self.cx);
                connection.settle(&self.cx);
            }
        }
    }

    /// Whether the server has been told to end and has done so, or its time to do so is over.
    pub fn is_over(&self) -> bool {
        self.drain_until.is_some_and(|deadline| self.slab.len() == 0 || self.cx.now() >= deadline)
    }
}
