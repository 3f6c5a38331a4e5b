//! Calls from other threads.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use mio::Waker;

use super::Context;

/// A closure that another thread wants to run on the loop.
pub(super) type Job<S> = Box<dyn FnOnce(&mut Context<'_, S>) + Send>;

/// A way into the event loop from any thread.
pub struct Handle<S>(Arc<Shared<S>>);

struct Shared<S> {
    jobs: Mutex<Jobs<S>>,
    most: usize,
    /// `None` in a simulation, which looks by itself.
    waker: Option<Waker>,
}

struct Jobs<S> {
    waiting: VecDeque<Job<S>>,
    /// How often a stop was requested.
    stops: u32,
    has_ended: bool,
}

/// Why a call from another thread was not accepted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CallError {
    /// Too many calls wait for the loop:
    /// [`Options::waiting_calls`](crate::server::Options::waiting_calls). The caller should try
    /// again later.
    Busy,
    /// The server is shutting down.
    Stopped,
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CallError::Busy => "too many calls wait for the event loop; try again later",
            CallError::Stopped => "the server is shutting down",
        })
    }
}

impl std::error::Error for CallError {}

impl<S> Clone for Handle<S> {
    fn clone(&self) -> Handle<S> {
        Handle(Arc::clone(&self.0))
    }
}

impl<S> Handle<S> {
    pub(crate) fn new(most: usize, waker: Option<Waker>) -> Handle<S> {
        let jobs = Jobs { waiting: VecDeque::new(), stops: 0, has_ended: false };
        Handle(Arc::new(Shared { jobs: Mutex::new(jobs), most, waker }))
    }

    /// Runs a closure on the event loop, soon, in the order of the calls. It must not block.
    ///
    /// # Errors
    /// Too many calls wait, or the server is shutting down. A closure that was accepted runs, even
    /// if the shutdown begins first.
    pub fn call(&self, job: impl FnOnce(&mut Context<'_, S>) + Send + 'static) -> Result<(), CallError> {
        let mut jobs = self.jobs();
        if jobs.has_ended {
            return Err(CallError::Stopped);
        }
        if jobs.waiting.len() >= self.0.most {
            return Err(CallError::Busy);
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
        if let Some(waker) = &self.0.waker {
            // A waker fails only if its poll is gone, and with it the server.
            let _ = waker.wake();
        }
    }

    fn jobs(&self) -> std::sync::MutexGuard<'_, Jobs<S>> {
        // A panic cannot leave the queue in the middle of a change.
        self.0.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn next(&self) -> Option<Job<S>> {
        self.jobs().waiting.pop_front()
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
    }
}
