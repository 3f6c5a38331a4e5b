//! Plays the chosen cases, several at once.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use super::case::{Case, Verdict};
use super::client::{ClientSession, LOOPBACK};
use super::record::Record;
use super::target::{ClientTarget, Target};
use super::trial::{Finding, Trial};

/// How many times longer than others a long case may take.
const LONG: u32 = 12;

/// The result of one case.
#[derive(Clone, Debug)]
pub struct CaseResult {
    pub verdict: Verdict,
    /// The name of the outcome; for a failure, what was observed.
    pub outcome: String,
    /// The failure.
    pub finding: Option<Finding>,
    pub time: Duration,
    /// What was sent and received, if the case failed.
    pub record: Option<Record>,
}

impl CaseResult {
    /// Returns what a failed case expected, if the case says it, and what it observed. Both may
    /// contain text of the endpoint.
    pub fn expected_and_observed(&self) -> (Option<&str>, &str) {
        match &self.finding {
            Some(Finding::Failed { expected, observed, .. }) => (Some(expected), observed),
            _ => (None, &self.outcome),
        }
    }
}

/// How the cases are played.
pub struct Run<'r> {
    pub target: &'r Target,
    /// The number of cases at once.
    pub jobs: usize,
    /// The time limit of one case.
    pub limit: Duration,
    /// Set by a signal: no other case is started.
    pub is_stopped: &'r AtomicBool,
}

impl Run<'_> {
    /// Plays all cases, and reports each result with the index of its case.
    pub fn play(&self, cases: &[&Case], mut report: impl FnMut(usize, CaseResult)) {
        let next = AtomicUsize::new(0);
        let (sender, results) = mpsc::channel();
        thread::scope(|scope| {
            for _ in 0..self.jobs.clamp(1, cases.len().max(1)) {
                let (sender, next) = (sender.clone(), &next);
                scope.spawn(move || {
                    loop {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        let Some(case) = cases.get(index) else { return };
                        if self.is_stopped.load(Ordering::Relaxed) {
                            return;
                        }
                        // The receiver lives until all senders are gone.
                        let _ = sender.send((index, self.play_one(case)));
                    }
                });
            }
            drop(sender);
            results.iter().for_each(|(index, result)| report(index, result));
        });
    }

    fn play_one(&self, case: &Case) -> CaseResult {
        let session = match self.target {
            Target::Server(_) => None,
            Target::Client(ClientTarget { run: Some(command), .. }) => {
                match ClientSession::prepare(command, LOOPBACK) {
                    Ok(session) => Some(session),
                    Err(finding) => {
                        return judged(case, Err(finding), Duration::ZERO, Record::new());
                    }
                }
            }
            Target::Client(ClientTarget { run: None, .. }) => Some(ClientSession::Connected(None)),
        };
        self.play_with(case, session)
    }

    /// Plays one case with a client that is already connected, or against the server.
    pub fn play_with(&self, case: &Case, session: Option<ClientSession>) -> CaseResult {
        let limit = if case.is_long { self.limit * LONG } else { self.limit };
        let start = Instant::now();
        let mut trial = Trial::new(self.target, session, limit);
        let played = (case.play)(&mut trial);
        judged(case, played, start.elapsed(), trial.into_record())
    }
}

fn judged(case: &Case, played: Result<&'static str, Finding>, time: Duration, record: Record) -> CaseResult {
    match played {
        Ok(outcome) => {
            let verdict = case.verdict(outcome);
            let record = (verdict == Verdict::Fail).then_some(record);
            CaseResult { verdict, outcome: outcome.to_owned(), finding: None, time, record }
        }
        Err(Finding::NotApplicable(why)) => {
            CaseResult { verdict: Verdict::NotApplicable, outcome: why, finding: None, time, record: None }
        }
        Err(finding @ Finding::Failed { .. }) => {
            let outcome = match &finding {
                Finding::Failed { observed, .. } => observed.clone(),
                Finding::NotApplicable(_) => String::new(),
            };
            let finding = Some(finding);
            CaseResult { verdict: Verdict::Fail, outcome, finding, time, record: Some(record) }
        }
    }
}
