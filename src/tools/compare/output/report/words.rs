//! What was found, in sentences.

use super::super::numbers::{bytes, count, delay, duration, percent};
use crate::client::follow::Via;
use crate::tools::compare::{Comparison, Leg, difference};

/// A transport's name in a text.
pub(super) fn name(via: Via) -> &'static str {
    match via {
        Via::ShortPoll => "Short polling",
        Via::LongPoll => "Long polling",
        Via::EventStream => "Server-Sent Events",
        Via::WebSocket => "WebSocket",
    }
}

/// The same where there is little room.
pub(super) fn brief(via: Via) -> &'static str {
    match via {
        Via::ShortPoll => "short poll",
        Via::LongPoll => "long poll",
        Via::EventStream => "SSE",
        Via::WebSocket => "WebSocket",
    }
}

/// A leg's name, with its interval.
pub(super) fn leg_name(leg: &Leg) -> String {
    match leg.interval {
        Some(interval) => format!("{} every {}", name(leg.via), duration(interval)),
        None => name(leg.via).to_owned(),
    }
}

/// `1 client`, `100 clients`.
pub(super) fn some(number: f64, one: &str) -> String {
    if number == 1.0 { format!("1 {one}") } else { format!("{} {one}s", count(number)) }
}

/// What was found, as paragraphs: the first says the most.
pub(super) fn found(comparison: &Comparison) -> Vec<String> {
    let plan = &comparison.plan;
    let clients = some(plan.clients as f64, "client");
    let polls = comparison.legs.iter().find(|leg| leg.via == Via::ShortPoll);
    let pushed = [Via::EventStream, Via::WebSocket, Via::LongPoll]
        .into_iter()
        .find_map(|via| comparison.legs.iter().find(|leg| leg.via == via));
    let mut paragraphs = Vec::new();
    match (polls, pushed) {
        (Some(polls), _) => paragraphs.push(format!("{}{}", polling(&clients, polls), arrived(polls))),
        (None, Some(pushed)) => {
            paragraphs.push(format!("{clients} over {}: {}.", name(pushed.via), pushing(pushed)));
        }
        (None, None) => paragraphs.push("Nothing was measured.".to_owned()),
    }
    if let (Some(polls), Some(pushed)) = (polls, pushed) {
        let instead = if polls.arrived > 0 && pushed.arrived > 0 {
            format!(" instead of {}", delay(polls.measured.delay.p50))
        } else {
            String::new()
        };
        paragraphs.push(format!("The same events over {}: {}{instead}.", name(pushed.via), pushing(pushed)));
    }
    paragraphs
}

/// What the polls of one leg came to.
fn polling(clients: &str, leg: &Leg) -> String {
    let measured = &leg.measured;
    let interval = leg.interval.map(|interval| format!(" that ask every {}", duration(interval)));
    format!(
        "{clients}{} sent {} a minute; {} of them, {}, were answered with nothing.",
        interval.unwrap_or_default(),
        some(measured.requests_per_minute, "request"),
        count(measured.empty_per_minute),
        percent(measured.empty_percent())
    )
}

fn arrived(leg: &Leg) -> String {
    if leg.arrived == 0 {
        return " No event arrived.".to_owned();
    }
    format!(" Half of the events took longer than {} to arrive.", delay(leg.measured.delay.p50))
}

/// What another transport needed.
fn pushing(leg: &Leg) -> String {
    let once = if leg.via == Via::LongPoll { "" } else { " once connected" };
    let requests = format!("{} a minute{once}", some(leg.measured.requests_per_minute, "request"));
    if leg.arrived == 0 {
        return format!("{requests}, and no event arrived");
    }
    format!("{requests}, and half of the events arrived within {}", delay(leg.measured.delay.p50))
}

/// Whether all that was published has arrived once, and what else is to be known before the figures are believed.
/// Each with whether it is a warning.
pub(super) fn cautions(comparison: &Comparison) -> Vec<(bool, String)> {
    let mut cautions = Vec::new();
    let asked = comparison.plan.legs().count();
    if comparison.is_interrupted {
        cautions.push((
            true,
            format!(
                "It was interrupted: this is what was measured until then, {} of {}.",
                count(comparison.legs.len() as f64),
                some(asked as f64, "leg")
            ),
        ));
    }
    let sum = |part: fn(&Leg) -> u64| comparison.legs.iter().map(part).sum::<u64>();
    let (lost, doubled) = (sum(|leg| leg.lost), sum(|leg| leg.doubled));
    if lost > 0 || doubled > 0 {
        cautions.push((
            true,
            format!(
                "{} did not arrive, and {} came twice: neither may be.",
                some(lost as f64, "event"),
                count(doubled as f64)
            ),
        ));
    } else if !comparison.legs.is_empty() {
        cautions.push((false, "No event was lost, and none came twice.".to_owned()));
    }
    for leg in &comparison.legs {
        let share = leg.client_cpu.map_or(0.0, |cpu| share(cpu.as_secs_f64(), leg));
        if share > 80.0 {
            cautions.push((
                true,
                format!(
                    "{}: the clients, all in one thread, were busy for {} of the time, so they and not the server made the delay.",
                    leg_name(leg),
                    percent(share)
                ),
            ));
        }
    }
    cautions
}

/// Seconds of CPU time in percent of the time of the leg.
pub(super) fn share(seconds: f64, leg: &Leg) -> f64 {
    let measured_for = leg.measured_for.as_secs_f64();
    if measured_for > 0.0 { 100.0 * seconds / measured_for } else { 0.0 }
}

/// The plan in a sentence.
pub(super) fn plan(comparison: &Comparison) -> String {
    let plan = &comparison.plan;
    format!(
        "{} on real sockets; {} a minute, each of {} of data; {} for each transport; a long poll asks to be held for {} s.",
        some(plan.clients as f64, "client"),
        some(plan.events_per_minute, "event"),
        bytes(plan.size as f64),
        duration(plan.duration),
        plan.wait
    )
}

/// How the figures of two intervals of short polling stand to each other.
pub(super) struct Pair<'a> {
    pub(super) one: &'a Leg,
    pub(super) other: &'a Leg,
    pub(super) requests: Ratio,
    /// Of the delays' median; none where no event arrived.
    pub(super) delay: Option<Ratio>,
}

/// Of a figure of the longer interval to that of the shorter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Ratio {
    pub(super) measured: Option<f64>,
    pub(super) formula: Option<f64>,
}

impl Ratio {
    fn of(measured: [f64; 2], predicted: [f64; 2]) -> Self {
        let ratio = |[one, other]: [f64; 2]| (one > 0.0).then(|| other / one);
        Self { measured: ratio(measured), formula: ratio(predicted) }
    }

    /// How far the measured one is from the formula's, in percent of that.
    pub(super) fn difference(self) -> Option<f64> {
        self.measured.zip(self.formula).and_then(|(measured, formula)| difference(measured, formula))
    }
}

/// Percent that a ratio may be away from the formula's.
pub(super) const TOLERANCE: f64 = 5.0;

impl Pair<'_> {
    /// Whether both ratios are the formula's; none where one of them is not known.
    pub(super) fn is_within(&self) -> Option<bool> {
        let requests = self.requests.difference()?;
        let delay = self.delay?.difference()?;
        Some(requests.abs() <= TOLERANCE && delay.abs() <= TOLERANCE)
    }
}

/// Each two intervals of short polling, the shorter first.
pub(super) fn pairs(comparison: &Comparison) -> Vec<Pair<'_>> {
    let mut legs: Vec<_> = comparison.legs.iter().filter(|leg| leg.interval.is_some()).collect();
    legs.sort_by_key(|leg| leg.interval);
    let mut pairs = Vec::new();
    for (at, &one) in legs.iter().enumerate() {
        for &other in legs[at + 1..].iter().filter(|other| other.interval != one.interval) {
            let both = |part: fn(&Leg) -> f64| [part(one), part(other)];
            pairs.push(Pair {
                one,
                other,
                requests: Ratio::of(
                    both(|leg| leg.measured.requests_per_minute),
                    both(|leg| leg.predicted.requests_per_minute),
                ),
                delay: (one.arrived > 0 && other.arrived > 0).then(|| {
                    Ratio::of(both(|leg| leg.measured.delay.p50), both(|leg| leg.predicted.delay.p50))
                }),
            });
        }
    }
    pairs
}
