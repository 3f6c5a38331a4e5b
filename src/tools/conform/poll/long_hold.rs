//! Section 1 of `long-poll`: how long a poll is held.

use std::time::Duration;

use super::poller::{HELD, Poll, Poller};
use crate::tools::conform::case::{Case, Cases, Requirement, Suite, allowed, informational, pass};
use crate::tools::conform::topic::{ARRIVAL, Topic};
use crate::tools::conform::trial::{Finding, Trial};

const HOLD: Requirement = Requirement::must(
    6202,
    "2.1",
    "A long poll is answered when an event is available, or when its time is over.",
);
const AT_ONCE: Requirement =
    Requirement::must(6202, "2.1", "A long poll is held only as long as no event is available.");
const LIMIT: Requirement =
    Requirement::may(6202, "5.5", "A server limits the time of a poll, so that no proxy ends it before.");

/// What a clock and a busy machine can add to a time, or take from it.
const EARLY: Duration = Duration::from_millis(200);

/// Returns the cases of the section.
pub fn cases() -> Vec<Case> {
    let mut cases = Cases::of(Suite::LongPoll, 1, "how long a poll is held");
    let outcomes = [pass("answers when the event is published")];
    cases.add(1, "until an event", HOLD, &outcomes, until_an_event).server_only();
    let outcomes = [
        pass("answers 200 without an event"),
        pass("answers 204"),
        pass("answers 304"),
        allowed("answers 408"),
        informational("answers another status"),
    ];
    cases.add(2, "until the time is over", HOLD, &outcomes, until_the_time_is_over).server_only();
    let outcomes = [pass("answers at once")];
    cases.add(3, "an event is available", AT_ONCE, &outcomes, available).server_only();
    let outcomes = [pass("answers at once"), informational("holds the poll")];
    cases.add(4, "a wait of 0", LIMIT, &outcomes, zero).server_only();
    let outcomes = [pass("refuses it"), allowed("answers it as a short poll"), allowed("holds the poll")];
    for (index, title, wait) in [
        (5, "a wait that is no number", "soon"),
        (6, "a negative wait", "-1"),
        (7, "an empty wait", ""),
        (8, "a wait with a fraction", "0.5"),
        (9, "a wait beyond 64 bits", "99999999999999999999999"),
    ] {
        cases.add(index, title, LIMIT, &outcomes, move |trial| other_wait(trial, wait)).server_only();
    }
    let outcomes = [pass("holds the poll, and answers with the event"), allowed("refuses it")];
    cases.add(10, "a wait of a day", LIMIT, &outcomes, a_day).server_only();
    cases.into_vec()
}

fn until_an_event(trial: &mut Trial) -> Result<&'static str, Finding> {
    let mut topic = Topic::new(trial)?;
    let mut poller = Poller::started(trial, &mut topic, HELD)?;
    poller.send(trial, Poll::held(HELD))?;
    poller.wait_until_reached(trial)?;
    if poller.is_answered() {
        let answer = poller.receive(trial, trial.after(ARRIVAL))?;
        let observed = format!("a response after {} ms", answer.time.as_millis());
        return Err(answer.failed("no response before an event", observed));
    }
    let token = topic.publish_token(trial)?;
    let answer = poller.receive(trial, trial.after(ARRIVAL))?;
    match answer.has(&token) {
        true => Ok("answers when the event is published"),
        false => Err(answer.failed("a response with the event", "a response without it")),
    }
}

fn until_the_time_is_over(trial: &mut Trial) -> Result<&'static str, Finding> {
    let mut topic = Topic::new(trial)?;
    let mut poller = Poller::started(trial, &mut topic, HELD)?;
    let answer = poller.poll(trial, Poll::held(Some("1")))?;
    if answer.time < Duration::from_secs(1) - EARLY {
        let observed = format!("a response after {} ms", answer.time.as_millis());
        return Err(answer.failed("a response after 1 second", observed));
    }
    if !topic.tokens_in(&answer.body).is_empty() {
        return Err(answer.failed("a response without an event", "an event that was already received"));
    }
    Ok(match answer.head.status {
        200 => "answers 200 without an event",
        204 => "answers 204",
        304 => "answers 304",
        408 => "answers 408",
        _ => "answers another status",
    })
}

fn available(trial: &mut Trial) -> Result<&'static str, Finding> {
    let mut topic = Topic::new(trial)?;
    let mut poller = Poller::started(trial, &mut topic, HELD)?;
    let token = topic.publish_token(trial)?;
    poller.send(trial, Poll::held(HELD))?;
    let answer = poller.receive(trial, trial.after(ARRIVAL))?;
    match answer.has(&token) {
        true => Ok("answers at once"),
        false => Err(answer.failed("a response with the event", "a response without it")),
    }
}

fn zero(trial: &mut Trial) -> Result<&'static str, Finding> {
    let mut topic = Topic::new(trial)?;
    let mut poller = Poller::started(trial, &mut topic, HELD)?;
    let answer = poller.poll(trial, Poll::held(Some("0")))?;
    Ok(if answer.time < EARLY { "answers at once" } else { "holds the poll" })
}

fn other_wait(trial: &mut Trial, wait: &str) -> Result<&'static str, Finding> {
    let mut topic = Topic::new(trial)?;
    let mut poller = Poller::started(trial, &mut topic, HELD)?;
    poller.send(trial, Poll::held(Some(wait)))?;
    poller.wait_until_reached(trial)?;
    let is_held = !poller.is_answered();
    topic.publish_token(trial)?;
    let answer = poller.receive(trial, trial.after(ARRIVAL))?;
    Ok(match answer.head.status {
        400..=499 => "refuses it",
        _ if is_held => "holds the poll",
        _ => "answers it as a short poll",
    })
}

fn a_day(trial: &mut Trial) -> Result<&'static str, Finding> {
    let mut topic = Topic::new(trial)?;
    let mut poller = Poller::started(trial, &mut topic, HELD)?;
    poller.send(trial, Poll::held(Some("86400")))?;
    poller.wait_until_reached(trial)?;
    let is_held = !poller.is_answered();
    let token = topic.publish_token(trial)?;
    let answer = poller.receive(trial, trial.after(ARRIVAL))?;
    match answer.head.status {
        400..=499 => Ok("refuses it"),
        _ if is_held && answer.has(&token) => Ok("holds the poll, and answers with the event"),
        status => {
            let when = if is_held { "after" } else { "before" };
            let observed = format!("status {status} {when} the event");
            Err(answer.failed("a poll that is held until the event, or refused", observed))
        }
    }
}
