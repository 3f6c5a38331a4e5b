//! The results in sentences.

use crate::client::follow::Transport;
use crate::tools::compare::config::CompareConfig;
use crate::tools::compare::output::numbers::{bytes, count, delay, duration, percent};
use crate::tools::compare::results::{Comparison, Trial, difference};

/// Returns the name of a transport for running text.
pub fn name(via: Transport) -> &'static str {
    match via {
        Transport::ShortPoll => "Short polling",
        Transport::LongPoll => "Long polling",
        Transport::EventStream => "Server-Sent Events",
        Transport::WebSocket => "WebSocket",
    }
}

/// Returns a short name of a transport, for a narrow plot.
pub fn short_name(via: Transport) -> &'static str {
    match via {
        Transport::ShortPoll => "short poll",
        Transport::LongPoll => "long poll",
        Transport::EventStream => "SSE",
        Transport::WebSocket => "WebSocket",
    }
}

/// Returns the name of a trial: its transport and its interval.
pub fn trial_name(trial: &Trial) -> String {
    match trial.interval {
        Some(interval) => format!("{} every {}", name(trial.via), duration(interval)),
        None => name(trial.via).to_owned(),
    }
}

/// Returns a number with its noun: `1 client`, `100 clients`.
pub fn quantity(number: f64, noun: &str) -> String {
    if number == 1.0 { format!("1 {noun}") } else { format!("{} {noun}s", count(number)) }
}

/// Returns the summary as paragraphs, the most important one first.
pub fn summary(comparison: &Comparison) -> Vec<String> {
    let clients = quantity(comparison.config.clients as f64, "client");
    let trial_of = |via: Transport| comparison.trials.iter().find(|trial| trial.via == via);
    let polls = trial_of(Transport::ShortPoll);
    let push =
        [Transport::EventStream, Transport::WebSocket, Transport::LongPoll].into_iter().find_map(trial_of);
    let mut paragraphs = Vec::new();
    match (polls, push) {
        (Some(polls), _) => {
            paragraphs.push(format!("{} {}", poll_sentence(&clients, polls), arrival_sentence(polls)));
        }
        (None, Some(push)) => {
            paragraphs.push(format!("{clients} over {}: {}.", name(push.via), push_phrase(push)));
        }
        (None, None) => paragraphs.push("Nothing was measured.".to_owned()),
    }
    if let (Some(polls), Some(push)) = (polls, push) {
        let instead = if polls.arrived > 0 && push.arrived > 0 {
            format!(" instead of {}", delay(polls.measured.delay.p50))
        } else {
            String::new()
        };
        let phrase = push_phrase(push);
        paragraphs.push(format!("The same events over {}: {phrase}{instead}.", name(push.via)));
    }
    paragraphs
}

fn poll_sentence(clients: &str, trial: &Trial) -> String {
    let measured = &trial.measured;
    let interval = trial.interval.map(|interval| format!(" that poll every {}", duration(interval)));
    format!(
        "{clients}{} sent {} per minute; {} of them, {}, received an empty response.",
        interval.unwrap_or_default(),
        quantity(measured.requests_per_minute, "request"),
        count(measured.empty_per_minute),
        percent(measured.empty_percent())
    )
}

fn arrival_sentence(trial: &Trial) -> String {
    if trial.arrived == 0 {
        return "No event arrived.".to_owned();
    }
    format!("Half of the events took longer than {} to arrive.", delay(trial.measured.delay.p50))
}

fn push_phrase(trial: &Trial) -> String {
    let once = if trial.via == Transport::LongPoll { "" } else { " once connected" };
    let requests = format!("{} per minute{once}", quantity(trial.measured.requests_per_minute, "request"));
    if trial.arrived == 0 {
        return format!("{requests}, and no event arrived");
    }
    format!("{requests}, and half of the events arrived within {}", delay(trial.measured.delay.p50))
}

/// A sentence that readers need in order to trust the figures.
pub struct Note {
    pub is_warning: bool,
    pub text: String,
}

/// Returns notes on interruption, on lost and duplicated events, and on busy clients.
pub fn notes(comparison: &Comparison) -> Vec<Note> {
    let mut notes = Vec::new();
    let mut note = |is_warning, text| notes.push(Note { is_warning, text });
    let planned = comparison.config.trials().count();
    if comparison.is_interrupted {
        let measured = count(comparison.trials.len() as f64);
        let planned = quantity(planned as f64, "trial");
        note(
            true,
            format!("The run was interrupted: these are the results so far, {measured} of {planned}."),
        );
    }
    let sum = |part: fn(&Trial) -> u64| comparison.trials.iter().map(part).sum::<u64>();
    let (lost, duplicated) = (sum(|trial| trial.lost), sum(|trial| trial.duplicated));
    if lost > 0 || duplicated > 0 {
        let (lost, duplicated) = (quantity(lost as f64, "event"), count(duplicated as f64));
        note(true, format!("{lost} did not arrive, and {duplicated} arrived twice. Both must be 0."));
    } else if !comparison.trials.is_empty() {
        note(false, "No event was lost, and none arrived twice.".to_owned());
    }
    for trial in &comparison.trials {
        let share = trial.client_cpu.map_or(0.0, |cpu| cpu_share(cpu.as_secs_f64(), trial));
        if share > 80.0 {
            let text = format!(
                "{}: the clients, which share one thread, were busy for {} of the time, so they and not the \
                 server caused the delay.",
                trial_name(trial),
                percent(share)
            );
            note(true, text);
        }
    }
    notes
}

/// Returns CPU time in percent of the trial's duration.
pub fn cpu_share(cpu_seconds: f64, trial: &Trial) -> f64 {
    let measured_for = trial.measured_for.as_secs_f64();
    if measured_for > 0.0 { 100.0 * cpu_seconds / measured_for } else { 0.0 }
}

/// Returns the configuration in a sentence.
pub fn configuration(comparison: &Comparison) -> String {
    let config = &comparison.config;
    format!(
        "{} on real sockets; {} per minute, each with {} of data; {} per transport; long polls wait up to {} s.",
        quantity(config.clients as f64, "client"),
        quantity(config.events_per_minute, "event"),
        bytes(config.size as f64),
        duration(config.duration),
        config.wait
    )
}

/// Paragraphs on how the figures were measured.
pub const METHOD: [&str; 2] = [
    "The transports were measured one after another. Each had the same number of clients, one socket for each \
     client, its own topic, and the same events at the same times after its start. Clients started spread \
     over time, so that short polls are not in step.",
    "A delay is the time from the publishing of an event to its arrival at a client. Bytes are counted at the \
     sockets, above TCP. The server’s memory is its proportional set size; its CPU time includes user and \
     system time.",
];

/// Returns the formulas in words, each with its heading.
pub fn formulas(config: &CompareConfig) -> [(&'static str, String); 4] {
    [
        (
            "Short polling",
            format!(
                "Requests per minute are clients × 60 s ÷ interval. With {} events per minute, that many \
                 responses per client carry an event, at most one per request; all others are empty. An event \
                 waits for each client’s next request: from 0 to the interval, on average half of it.",
                count(config.events_per_minute)
            ),
        ),
        (
            "Long polling",
            format!(
                "One request per event and client, and one more for each {} s without an event. The delay is \
                 the time that the network and the server need, which is calculated as 0.",
                config.wait
            ),
        ),
        (
            "Server-Sent Events, WebSocket",
            "No requests once connected. The bytes are the events, a few bytes of framing for each, and the \
             messages that keep the connection open. The delay is calculated as 0 as well."
                .to_owned(),
        ),
        (
            "Bytes of polls",
            "Requests × length of a request head, responses × length of a response head, the empty list in \
             each response, and each event once per client."
                .to_owned(),
        ),
    ]
}

/// Two intervals of short polling.
pub struct Pair<'a> {
    pub shorter: &'a Trial,
    pub longer: &'a Trial,
    pub requests: Ratio,
    /// The ratio of the median delays; `None` if no event arrived.
    pub delay: Option<Ratio>,
}

/// A figure of the longer interval divided by that of the shorter one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratio {
    pub measured: Option<f64>,
    pub calculated: Option<f64>,
}

impl Ratio {
    fn of([shorter, longer]: [&Trial; 2], figure: fn(&Trial) -> [f64; 2]) -> Self {
        let ([shorter_measured, shorter_calculated], [longer_measured, longer_calculated]) =
            (figure(shorter), figure(longer));
        let ratio = |longer: f64, shorter: f64| (shorter > 0.0).then(|| longer / shorter);
        Self {
            measured: ratio(longer_measured, shorter_measured),
            calculated: ratio(longer_calculated, shorter_calculated),
        }
    }

    /// Returns how far the measured ratio is from the calculated one, in percent of the latter.
    pub fn difference(self) -> Option<f64> {
        self.measured.zip(self.calculated).and_then(|(measured, calculated)| difference(measured, calculated))
    }
}

/// The percentage by which a measured ratio may differ from the calculated one.
pub const TOLERANCE: f64 = 5.0;

impl Pair<'_> {
    /// Returns true if both ratios are within [`TOLERANCE`]; `None` if one of them is unknown.
    pub fn is_within(&self) -> Option<bool> {
        let requests = self.requests.difference()?;
        let delay = self.delay?.difference()?;
        Some(requests.abs() <= TOLERANCE && delay.abs() <= TOLERANCE)
    }
}

/// Returns every pair of different intervals of short polling.
pub fn pairs(comparison: &Comparison) -> Vec<Pair<'_>> {
    let mut trials: Vec<_> = comparison.trials.iter().filter(|trial| trial.interval.is_some()).collect();
    trials.sort_by_key(|trial| trial.interval);
    let mut pairs = Vec::new();
    for (index, &shorter) in trials.iter().enumerate() {
        for &longer in trials[index + 1..].iter().filter(|other| other.interval != shorter.interval) {
            let both = [shorter, longer];
            let requests = Ratio::of(both, |trial| {
                [trial.measured.requests_per_minute, trial.calculated.requests_per_minute]
            });
            let delay = both
                .iter()
                .all(|trial| trial.arrived > 0)
                .then(|| Ratio::of(both, |trial| [trial.measured.delay.p50, trial.calculated.delay.p50]));
            pairs.push(Pair { shorter, longer, requests, delay });
        }
    }
    pairs
}
