//! The calls of the application: those that connections have queued, its timers, and those from
//! other threads.

use std::time::Duration;

use super::application::Application;
use super::byte_stream::ByteStream;
use super::connections::Connections;
use super::work::Phase;

impl<S: ByteStream> Connections<S> {
    /// Makes the calls that are queued, and those that follow from them.
    pub(super) fn make_calls(&mut self) {
        while !self.cx.calls.is_empty() {
            self.with_application(|application, connections| {
                while let Some(call) = connections.cx.calls.pop_front() {
                    application.call(call, connections);
                }
            });
        }
    }

    /// Runs the timers that are due, and the calls from other threads.
    pub(super) fn run_due(&mut self) {
        if !self.is_woken && self.until_due().is_none_or(|wait| !wait.is_zero()) {
            return;
        }
        let now = self.cx.clock.since_start();
        self.cx.work.begin_phase(Phase::Backlog);
        self.cx.begin_turn(1);
        self.is_woken = false;
        self.with_application(|application, connections| {
            connections.is_woken |= application.run_due(now, connections);
        });
        self.make_calls();
    }

    /// Returns how long it takes until a timer of the application is due.
    pub fn until_due(&self) -> Option<Duration> {
        let due = self.application.as_ref()?.next_due()?;
        Some(due.saturating_sub(self.cx.clock.since_start()))
    }

    /// Has the application take its last calls from other threads.
    pub(super) fn stop_application(&mut self) {
        self.with_application(|application, connections| application.stop(connections));
    }

    /// Runs handlers, then writes the messages that they have sent.
    fn with_application(&mut self, run: impl FnOnce(&mut dyn Application<Self>, &mut Self)) {
        let Some(mut application) = self.application.take() else { return };
        run(&mut *application, self);
        self.application = Some(application);
        self.write_messages();
        self.enforce_bounds();
        for _ in 0..std::mem::take(&mut self.stops) {
            Connections::stop(self);
        }
    }

    fn write_messages(&mut self) {
        for key in std::mem::take(&mut self.cx.unflushed) {
            self.evict_if_behind(key.slot);
            if let Some(connection) = self.slab.get(key) {
                connection.write_messages(&mut self.cx);
                connection.account_memory(&self.cx);
            }
        }
    }
}
