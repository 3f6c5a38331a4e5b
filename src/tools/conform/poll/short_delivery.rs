//! Section 1 of `short-poll`: what a poll returns.

use std::time::Duration;

use super::poller::{Poll, Poller};
use crate::tools::conform::case::{Case, Cases, Outcome, Requirement, Suite, allowed, informational, pass};
use crate::tools::conform::topic::Topic;
use crate::tools::conform::trial::{Finding, Trial};

const AT_ONCE: Requirement =
    Requirement::may(6202, "2.1", "A short poll is answered at once, also when there is no event.");
const ONCE: Requirement =
    Requirement::must(6202, "2.1", "A poll returns the events since the one before, so each arrives once.");
const ANY_CURSOR: Requirement =
    Requirement::must(9110, "15.6", "A status of 500 and above means that the server has failed.");

/// Events that are more than a server may want to send at once, and the bytes of each.
const MANY: usize = 60;
const BYTES: usize = 5000;

const OPENS: &[Outcome] = &[
    pass("answers with the events that are kept"),
    pass("refuses the cursor"),
    allowed("answers without the events before"),
];

/// Returns the cases of the section.
pub fn cases() -> Vec<Case> {
    let mut cases = Cases::of(Suite::ShortPoll, 1, "what a poll returns");
    let outcomes = [
        pass("answers 200 without an event"),
        pass("answers 204"),
        pass("answers 304"),
        informational("answers another status"),
    ];
    cases.add(1, "nothing new", AT_ONCE, &outcomes, nothing_new).server_only();
    let outcomes = [pass("delivers each event once")];
    cases.add(2, "one event for each poll", ONCE, &outcomes, one_each).server_only();
    cases.add(3, "several events between two polls", ONCE, &outcomes, several).server_only();
    cases.add(4, "60 events of 5,000 bytes", ONCE, &outcomes, many).server_only();
    let outcomes = [pass("delivers the same events")];
    cases.add(5, "two clients with the same cursor", ONCE, &outcomes, two_clients).server_only();
    let outcomes = [pass("keeps it"), allowed("changes it")];
    cases.add(6, "the cursor when nothing is new", ONCE, &outcomes, same_cursor).server_only();
    let mut add = |index, title: &'static str, cursor: String| {
        cases.add(index, title, ANY_CURSOR, OPENS, move |trial| unknown(trial, &cursor)).server_only();
    };
    add(7, "an unknown cursor", "unknown-7".into());
    add(8, "a number beyond 64 bits as the cursor", "99999999999999999999999".into());
    add(9, "a negative number as the cursor", "-1".into());
    add(10, "a cursor with reserved and encoded characters", "a b&c=d%\u{e9}\u{1f600}\"\\".into());
    add(11, "a cursor of 4,000 bytes", "x".repeat(4000));
    cases.into_vec()
}

fn compare(topic: &Topic<'_>, tokens: &[String], received: &[String]) -> Result<&'static str, Finding> {
    match topic.compare(tokens, received) {
        Ok(()) => Ok("delivers each event once"),
        Err(observed) => {
            Err(Finding::failed(format!("{} events, each of them once, in order", tokens.len()), observed))
        }
    }
}

fn nothing_new(trial: &mut Trial) -> Result<&'static str, Finding> {
    let mut topic = Topic::new(trial)?;
    let mut poller = Poller::started(trial, &mut topic, None)?;
    let answer = poller.poll(trial, Poll::default())?;
    if !topic.tokens_in(&answer.body).is_empty() {
        return Err(answer.failed("a response without an event", "an event that was already received"));
    }
    // A busy machine needs time too, but a server that holds polls holds them for longer.
    if answer.time > Duration::from_secs(2) {
        let observed = format!("a response after {} ms", answer.time.as_millis());
        return Err(answer.failed("a response at once", observed));
    }
    Ok(match answer.head.status {
        200 => "answers 200 without an event",
        204 => "answers 204",
        304 => "answers 304",
        _ => "answers another status",
    })
}

fn one_each(trial: &mut Trial) -> Result<&'static str, Finding> {
    let mut topic = Topic::new(trial)?;
    let mut poller = Poller::started(trial, &mut topic, None)?;
    let (mut tokens, mut received) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        let token = topic.publish_token(trial)?;
        received.extend(poller.collect(trial, &topic, None, &token)?);
        tokens.push(token);
    }
    compare(&topic, &tokens, &received)
}

fn several(trial: &mut Trial) -> Result<&'static str, Finding> {
    let mut topic = Topic::new(trial)?;
    let mut poller = Poller::started(trial, &mut topic, None)?;
    let tokens = topic.tokens(5);
    for token in &tokens {
        topic.publish(trial, token.as_bytes())?;
    }
    let received = poller.collect(trial, &topic, None, &tokens[4])?;
    compare(&topic, &tokens, &received)
}

fn many(trial: &mut Trial) -> Result<&'static str, Finding> {
    let mut topic = Topic::new(trial)?;
    let mut poller = Poller::started(trial, &mut topic, None)?;
    let tokens = topic.tokens(MANY);
    for token in &tokens {
        topic.publish(trial, format!("{token}{}", "x".repeat(BYTES - token.len())).as_bytes())?;
    }
    let received = poller.collect(trial, &topic, None, &tokens[MANY - 1])?;
    compare(&topic, &tokens, &received)
}

fn two_clients(trial: &mut Trial) -> Result<&'static str, Finding> {
    let mut topic = Topic::new(trial)?;
    let mut first = Poller::started(trial, &mut topic, None)?;
    let mut second = first.twin();
    let tokens = topic.tokens(3);
    for token in &tokens {
        topic.publish(trial, token.as_bytes())?;
    }
    for poller in [&mut first, &mut second] {
        let received = poller.collect(trial, &topic, None, &tokens[2])?;
        compare(&topic, &tokens, &received)?;
    }
    Ok("delivers the same events")
}

fn same_cursor(trial: &mut Trial) -> Result<&'static str, Finding> {
    let mut topic = Topic::new(trial)?;
    let mut poller = Poller::started(trial, &mut topic, None)?;
    let before = poller.cursor.clone();
    poller.poll(trial, Poll::default())?;
    let is_same = poller.cursor == before;
    let token = topic.publish_token(trial)?;
    let received = poller.collect(trial, &topic, None, &token)?;
    compare(&topic, &[token], &received)?;
    Ok(if is_same { "keeps it" } else { "changes it" })
}

fn unknown(trial: &mut Trial, cursor: &str) -> Result<&'static str, Finding> {
    let mut topic = Topic::new(trial)?;
    let mut poller = Poller::started(trial, &mut topic, None)?;
    let token = topic.publish_token(trial)?;
    let mut other = poller.twin();
    cursor.clone_into(&mut other.cursor);
    let answer = other.poll(trial, Poll::default())?;
    // The server still answers the others.
    poller.collect(trial, &topic, None, &token)?;
    Ok(match answer.head.status {
        400..=499 => "refuses the cursor",
        _ if answer.has(&token) => "answers with the events that are kept",
        _ => "answers without the events before",
    })
}
