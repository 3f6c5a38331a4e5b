//! The notes of a report: what a reader must know to interpret the figures.

use std::collections::BTreeMap;

use super::{CLIENT_CPU, Figure, PER_SECOND, Report, SERVER_CPU};
use crate::tools::bench::config::Workload;
use crate::tools::bench::result::{Run, Spread};

/// The percentage of a core above which a thread is busy all the time.
const FULL: f64 = 90.0;

impl Report {
    /// Returns the notes as sentences without a full stop. Failures begin with `WRONG`, a
    /// misleading measurement with `WARNING`.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        self.note_method(&mut notes);
        self.note_failures(&mut notes);
        notes
    }

    fn note_method(&self, notes: &mut Vec<String>) {
        if self.is_exchange() {
            notes.push(match self.config.rate {
                None => "a closed loop: each message waits for the previous response, so a slow server gets less load, and the latencies omit messages that would have waited; --rate sets a schedule".into(),
                Some(_) => "an open loop: latency counts from when a message was due; the client does not sleep between messages, so its CPU time has no meaning".into(),
            });
        }
        if self.target != "ceiling" && self.processes.is_empty() {
            notes.push(if self.is_local {
                "the server's CPU time and memory are unknown; name its processes with --server-pid".into()
            } else {
                "the server is on another machine, so its CPU time and memory are unknown".into()
            });
        }
        if self.is_client_the_bottleneck() {
            notes.push("WARNING: the client is the bottleneck, not the server; only the work per second of the server's CPU time describes the server".into());
        }
        if self.config.workload == Workload::Idle {
            notes.push("user bytes are the growth of the server's proportional set size since before the first connection of the first run; kernel bytes are of the whole machine, which holds the sockets of both ends".into());
        }
    }

    fn is_client_the_bottleneck(&self) -> bool {
        let median =
            |figure: &Figure| Spread::of(self.runs.iter().map(figure.of)).map(|spread| spread.median);
        let keeps_up =
            self.config.rate.is_some_and(|rate| median(&PER_SECOND).is_some_and(|done| done >= 0.99 * rate));
        median(&CLIENT_CPU).is_some_and(|cpu| cpu >= FULL)
            && median(&SERVER_CPU).is_none_or(|cpu| cpu < FULL)
            && !keeps_up
    }

    fn note_failures(&self, notes: &mut Vec<String>) {
        let sum = |of: fn(&Run) -> u64| self.all_runs().map(of).sum::<u64>();
        for (count, what) in [
            (sum(|run| run.lost), "lost"),
            (sum(|run| run.doubled), "doubled"),
            (
                sum(|run| run.wrong),
                "responses with a status other than 2xx and 304, or messages that returned changed",
            ),
        ] {
            if count > 0 {
                notes.push(format!("WRONG: {count} {what}"));
            }
        }
        let mut errors = BTreeMap::<_, u64>::new();
        for (reason, count) in self.all_runs().flat_map(|run| &run.errors) {
            *errors.entry(reason).or_default() += count;
        }
        for (reason, count) in errors {
            notes.push(format!("WRONG: {count} connections: {reason}"));
        }
        let (unsent, reconnects) = (sum(|run| run.unsent), sum(|run| run.reconnects));
        if unsent > 0 {
            notes.push(format!(
                "{unsent} messages were due and not sent in time: the server does not keep up with the rate"
            ));
        }
        if reconnects > 0 {
            notes.push(format!(
                "{reconnects} connections were closed by the server in an orderly way and opened again"
            ));
        }
    }
}
