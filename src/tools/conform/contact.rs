//! Whether the endpoint can be tested at all: a server that accepts connections, a client that
//! connects. A run without one ends early, because its failures would say nothing.

use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::case::Case;
use super::client::CONNECTS;
use super::connection::ACCEPTS;
use super::finding::Finding;
use super::runner::CaseResult;
use super::target::Target;

/// The number of cases without a connection after which a client counts as one that never connects.
const PATIENCE: usize = 4;

/// The number of attempts to reach a server that has refused a connection, and the time between.
const ATTEMPTS: usize = 3;
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(300);

/// Follows the results of a run, and stops it when the endpoint is gone.
pub struct Contact<'c> {
    target: &'c Target,
    is_stopped: &'c AtomicBool,
    /// Whether a case had a connection.
    has_been: bool,
    /// The number of cases without one.
    without: usize,
    /// What the last of them observed.
    observed: String,
    lost: Option<String>,
}

impl<'c> Contact<'c> {
    pub fn new(target: &'c Target, is_stopped: &'c AtomicBool) -> Self {
        Self { target, is_stopped, has_been: false, without: 0, observed: String::new(), lost: None }
    }

    /// Takes the result of a case.
    pub fn note(&mut self, case: &Case, result: &CaseResult) {
        let Some(Finding::Failed { expected, observed, .. }) = &result.finding else {
            self.has_been = true;
            return;
        };
        match &**expected {
            ACCEPTS => self.without_server(case),
            CONNECTS => self.without_client(observed),
            _ => self.has_been = true,
        }
    }

    /// Returns why the endpoint cannot be tested, or not any more.
    pub fn lost(&self) -> Option<&str> {
        self.lost.as_deref()
    }

    fn without_server(&mut self, case: &Case) {
        let Target::Server(server) = self.target else { return };
        let Some(address) = server.any_address() else { return };
        if self.lost.is_some() {
            return;
        }
        let is_reached = (0..ATTEMPTS).any(|attempt| {
            thread::sleep(BETWEEN_ATTEMPTS * u32::from(attempt > 0));
            TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok()
        });
        if !is_reached {
            let number = case.number;
            self.lose(format!(
                "{address} accepts no more connections, since {number} or a case shortly before it: did the \
                 server end? Its output says why; -j 1 finds the case"
            ));
        }
    }

    fn without_client(&mut self, observed: &str) {
        self.without += 1;
        observed.clone_into(&mut self.observed);
        if self.without >= PATIENCE {
            self.end();
        }
    }

    /// Takes the end of the run, which may have had fewer cases than the patience.
    pub fn end(&mut self) {
        if !self.has_been && self.without > 0 && self.lost.is_none() {
            self.lose(format!("the client of --run does not connect: {}", self.observed));
        }
    }

    fn lose(&mut self, why: String) {
        self.lost = Some(why);
        self.is_stopped.store(true, Ordering::Relaxed);
    }
}
