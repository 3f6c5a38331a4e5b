//! Calls from other threads.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use mio::Waker;

use super::Context;

/// A closure that another thread wants to run on the loop.
pub(super) type Job<S> = Box<dyn FnOnce(&mut Context<'_, S>) + Send>;

/// A way into the event loop from any thread.
pub struct Handle<S>(Arc<Shared<S>>);

struct Shared<S> {
    jobs: Mutex<Jobs<S>>,
    /// The thread of the event loop, on which an application stays.
    thread: ThreadId,
    most: usize,
    /// A call was taken, or no further one is accepted.
    has_room: Condvar,
    wake: Wake,
}

/// How a call ends the wait of the event loop.
pub(crate) enum Wake {
    /// The poll reports an event.
    Poll(Waker),
    /// A simulation looks before each iteration.
    Flag(Arc<AtomicBool>),
}

struct Jobs<S> {
    waiting: VecDeque<Job<S>>,
    /// How often a stop was requested.
    stops: u32,
    has_ended: bool,
}

/// A call from another thread was not accepted: the server is shutting down.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stopped;

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the server is shutting down")
    }
}

impl std::error::Error for Stopped {}

impl<S> Clone for Handle<S> {
    fn clone(&self) -> Handle<S> {
        Handle(Arc::clone(&self.0))
    }
}

impl<S> Handle<S> {
    pub(crate) fn new(most: usize, wake: Wake) -> Handle<S> {
        let jobs = Jobs { waiting: VecDeque::new(), stops: 0, has_ended: false };
        Handle(Arc::new(Shared {
            jobs: Mutex::new(jobs),
            thread: thread::current().id(),
            most,
            has_room: Condvar::new(),
            wake,
        }))
    }

    /// Runs a closure on the event loop, soon, in the order of the calls. It must not block. While
    /// [`Options::waiting_calls`](crate::server::Options::waiting_calls) others wait for the loop,
    /// the calling thread waits too; but not a handler, for which the loop itself would wait. While
    /// the log is full, no call is made, so what a call publishes has room; except at the shutdown.
    ///
    /// # Errors
    /// The server is shutting down, or gone. A closure that was accepted runs, even if the shutdown
    /// begins first.
    pub fn call(&self, job: impl FnOnce(&mut Context<'_, S>) + Send + 'static) -> Result<(), Stopped> {
        let is_other_thread = thread::current().id() != self.0.thread;
        let is_full =
            |jobs: &mut Jobs<S>| is_other_thread && jobs.waiting.len() >= self.0.most && !jobs.has_ended;
        let waited = self.0.has_room.wait_while(self.jobs(), is_full);
        let mut jobs = waited.unwrap_or_else(PoisonError::into_inner);
        if jobs.has_ended {
            return Err(Stopped);
        }
        jobs.waiting.push_back(Box::new(job));
        drop(jobs);
        self.wake();
        Ok(())
    }

    /// Begins the shutdown: followers receive what they lack, every connection is closed properly,
    /// and [`Bound::run`](super::Bound::run) returns. A second call ends the shutdown at once.
    pub fn stop(&self) {
        self.jobs().stops += 1;
        self.wake();
    }

    fn wake(&self) {
        match &self.0.wake {
            // A waker fails only if its poll is gone, and with it the server.
            Wake::Poll(waker) => drop(waker.wake()),
            Wake::Flag(flag) => flag.store(true, Ordering::Release),
        }
    }

    fn jobs(&self) -> MutexGuard<'_, Jobs<S>> {
        // A panic cannot leave the queue in the middle of a change.
        self.0.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn next(&self) -> Option<Job<S>> {
        let job = self.jobs().waiting.pop_front();
        self.0.has_room.notify_one();
        job
    }

    pub(super) fn has_waiting(&self) -> bool {
        !self.jobs().waiting.is_empty()
    }

    /// Returns how often a stop was requested since the last call.
    pub(super) fn take_stops(&self) -> u32 {
        std::mem::take(&mut self.jobs().stops)
    }

    /// Accepts no further call.
    pub(super) fn end(&self) {
        self.jobs().has_ended = true;
        self.0.has_room.notify_all();
    }

    /// Ends a server that may not have run, or not to its end: no thread waits for it any longer.
    pub(super) fn abandon(&self) {
        self.end();
        // A job may hold a handle, which would keep the jobs forever. What a job owns is dropped
        // outside of the lock, since it may call.
        let waiting = std::mem::take(&mut self.jobs().waiting);
        drop(waiting);
    }
}
