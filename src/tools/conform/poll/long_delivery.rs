//! Section 2 of `long-poll`: each event arrives once.

use super::poller::{HELD, Poll, Poller};
use crate::tools::conform::case::{Case, Cases, Requirement, Suite, allowed, pass};
use crate::tools::conform::topic::{ARRIVAL, Topic};
use crate::tools::conform::trial::{Finding, Trial};

const BETWEEN: Requirement =
    Requirement::must(6202, "2.2", "An event that occurs between two polls waits for the next poll.");
const ONCE: Requirement = Requirement::must(
    6202,
    "2.1",
    "A poll that follows a response continues after the events of the response.",
);
const ALL: Requirement =
    Requirement::must(6202, "2.1", "A poll that is held is answered when an event is available.");

/// Events that are published in a row.
const MANY: usize = 50;

/// Returns the cases of the section.
pub fn cases() -> Vec<Case> {
    let mut cases = Cases::of(Suite::LongPoll, 2, "each event arrives once");
    let outcomes = [pass("delivers each event once")];
    cases.add(1, "events between two polls", BETWEEN, &outcomes, between).server_only();
    cases.add(2, "an event after a poll whose time is over", BETWEEN, &outcomes, after_timeout).server_only();
    cases.add(3, "the events of a response are not repeated", ONCE, &outcomes, not_repeated).server_only();
    cases.add(4, "fifty events while the client polls", ONCE, &outcomes, while_polling).server_only();
    let outcomes = [pass("answers both polls with the event")];
    cases.add(5, "two polls at once", ALL, &outcomes, two_at_once).server_only();
    let outcomes = [pass("delivers the event"), allowed("closes the connection after each response")];
    cases.add(6, "ten polls on one connection", ONCE, &outcomes, one_connection).server_only();
    cases.into_vec()
}

/// Polls up to the last token, and compares all tokens with these.
fn expect(
    trial: &Trial,
    topic: &Topic<'_>,
    poller: &mut Poller<'_>,
    tokens: &[String],
) -> Result<&'static str, Finding> {
    let received = poller.collect(trial, topic, HELD, tokens.last().map_or("", String::as_str))?;
    compare(topic, tokens, &received)
}

fn compare(topic: &Topic<'_>, tokens: &[String], received: &[String]) -> Result<&'static str, Finding> {
    match topic.compare(tokens, received) {
        Ok(()) => Ok("delivers each event once"),
        Err(observed) => {
            Err(Finding::failed(format!("{} events, each of them once, in order", tokens.len()), observed))
        }
    }
}

fn between(trial: &mut Trial) -> Result<&'static str, Finding> {
    let mut topic = Topic::new(trial)?;
    let mut poller = Poller::started(trial, &mut topic, HELD)?;
    let tokens = topic.tokens(4);
    topic.publish(trial, tokens[0].as_bytes())?;
    let mut received = poller.collect(trial, &topic, HELD, &tokens[0])?;
    for token in &tokens[1..] {
        topic.publish(trial, token.as_bytes())?;
    }
    received.extend(poller.collect(trial, &topic, HELD, &tokens[3])?);
    compare(&topic, &tokens, &received)
}

fn after_timeout(trial: &mut Trial) -> Result<&'static str, Finding> {
    let mut topic = Topic::new(trial)?;
    let mut poller = Poller::started(trial, &mut topic, HELD)?;
    poller.poll(trial, Poll::held(Some("1")))?;
    let tokens = [topic.publish_token(trial)?];
    expect(trial, &topic, &mut poller, &tokens)
}

fn not_repeated(trial: &mut Trial) -> Result<&'static str, Finding> {
    let mut topic = Topic::new(trial)?;
    let mut poller = Poller::started(trial, &mut topic, HELD)?;
    // The next response has nothing but the newest event.
    for _ in 0..3 {
        let tokens = [topic.publish_token(trial)?];
        expect(trial, &topic, &mut poller, &tokens)?;
    }
    Ok("delivers each event once")
}

fn while_polling(trial: &mut Trial) -> Result<&'static str, Finding> {
    let mut topic = Topic::new(trial)?;
    let mut poller = Poller::started(trial, &mut topic, HELD)?;
    let tokens = topic.tokens(MANY);
    let mut received = Vec::new();
    // Two of three events are published while no poll is held.
    for three in tokens.chunks(3) {
        poller.send(trial, Poll::held(HELD))?;
        for token in three {
            topic.publish(trial, token.as_bytes())?;
        }
        let answer = poller.receive(trial, trial.after(ARRIVAL))?;
        received.extend(topic.tokens_in(&answer.body));
    }
    if !received.contains(&tokens[MANY - 1]) {
        received.extend(poller.collect(trial, &topic, HELD, &tokens[MANY - 1])?);
    }
    compare(&topic, &tokens, &received)
}

fn two_at_once(trial: &mut Trial) -> Result<&'static str, Finding> {
    let mut topic = Topic::new(trial)?;
    let mut first = Poller::started(trial, &mut topic, HELD)?;
    let mut second = first.twin();
    for poller in [&mut first, &mut second] {
        poller.send(trial, Poll::held(HELD))?;
        poller.wait_until_reached(trial)?;
    }
    let token = topic.publish_token(trial)?;
    for poller in [&mut first, &mut second] {
        let answer = poller.receive(trial, trial.after(ARRIVAL))?;
        if !answer.has(&token) {
            return Err(answer.failed("a response with the event", "a response without it"));
        }
    }
    Ok("answers both polls with the event")
}

fn one_connection(trial: &mut Trial) -> Result<&'static str, Finding> {
    let mut topic = Topic::new(trial)?;
    let mut poller = Poller::started(trial, &mut topic, HELD)?;
    let mut is_kept = true;
    for _ in 0..10 {
        let token = topic.publish_token(trial)?;
        poller.collect(trial, &topic, HELD, &token)?;
        is_kept &= poller.open_connection().is_ok();
    }
    Ok(if is_kept { "delivers the event" } else { "closes the connection after each response" })
}
