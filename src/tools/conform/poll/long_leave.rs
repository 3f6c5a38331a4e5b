//! Section 3 of `long-poll`: clients that leave, and requests behind a poll.

use super::poller::{HELD, Poll, Poller};
use crate::tools::conform::case::{Case, Cases, Requirement, Suite, allowed, pass};
use crate::tools::conform::exchange::ResponseReader;
use crate::tools::conform::topic::{ARRIVAL, Topic};
use crate::tools::conform::trial::{Finding, Trial};

const LEAVE: Requirement =
    Requirement::may(9112, "9.5", "Either side closes a connection at any time, also during a response.");
const KEPT: Requirement =
    Requirement::must(6202, "2.2", "An event that occurs between two polls waits for the next poll.");
const ORDER: Requirement =
    Requirement::must(9112, "9.3.2", "A server sends the responses to pipelined requests in their order.");

/// Polls that are held at once.
const MANY: usize = 50;

/// Returns the cases of the section.
pub fn cases() -> Vec<Case> {
    let mut cases = Cases::of(Suite::LongPoll, 3, "clients that leave, and requests behind a poll");
    let outcomes = [pass("answers the next poll")];
    cases.add(1, "fifty clients leave while their polls are held", LEAVE, &outcomes, many).server_only();
    let outcomes = [pass("delivers the event with the next poll")];
    cases.add(2, "a client leaves, and polls again after an event", KEPT, &outcomes, again).server_only();
    let outcomes =
        [pass("answers both, in order"), allowed("closes the connection after the first response")];
    cases.add(3, "a request behind a poll that is held", ORDER, &outcomes, behind).server_only();
    cases.add(4, "two polls behind each other", ORDER, &outcomes, two_polls).server_only();
    cases.into_vec()
}

fn many(trial: &mut Trial) -> Result<&'static str, Finding> {
    let mut topic = Topic::new(trial)?;
    let mut poller = Poller::started(trial, &mut topic, HELD)?;
    let mut others: Vec<_> = (0..MANY).map(|_| poller.twin()).collect();
    for other in &mut others {
        other.send(trial, Poll::held(HELD))?;
    }
    poller.send(trial, Poll::held(HELD))?;
    poller.wait_until_reached(trial)?;
    drop(others);
    let token = topic.publish_token(trial)?;
    let answer = poller.receive(trial, trial.after(ARRIVAL))?;
    match answer.has(&token) {
        true => Ok("answers the next poll"),
        false => Err(answer.failed("a response with the event", "a response without it")),
    }
}

fn again(trial: &mut Trial) -> Result<&'static str, Finding> {
    let mut topic = Topic::new(trial)?;
    let mut poller = Poller::started(trial, &mut topic, HELD)?;
    let mut other = poller.twin();
    other.send(trial, Poll::held(HELD))?;
    other.wait_until_reached(trial)?;
    drop(other);
    let tokens = [topic.publish_token(trial)?];
    let received = poller.collect(trial, &topic, HELD, &tokens[0])?;
    let failed = |observed| Finding::failed("the event of the client that left", observed);
    topic.compare(&tokens, &received).map_err(failed)?;
    Ok("delivers the event with the next poll")
}

/// Sends bytes behind a poll that is held, publishes an event, and reads both responses.
fn behind_a_poll(
    trial: &Trial,
    topic: &mut Topic<'_>,
    poller: &mut Poller<'_>,
    next: &[u8],
) -> Result<&'static str, Finding> {
    poller.send(trial, Poll::held(HELD))?;
    poller.open_connection()?.send(next)?;
    poller.wait_until_reached(trial)?;
    let token = topic.publish_token(trial)?;
    let until = trial.after(ARRIVAL);
    let connection = poller.open_connection()?;
    let mut first = ResponseReader::new("GET");
    let head = first.head(connection, until)?;
    first.all(connection, until)?;
    if !first.content.windows(token.len()).any(|part| part == token.as_bytes()) {
        let observed = format!("a response without it comes first, with status {}", head.status);
        return Err(Finding::failed("the response to the poll, with the event", observed)
            .at(connection.number(), connection.consumed().saturating_sub(1)));
    }
    // A connection that the server closes has no second response.
    if connection.input().is_empty() {
        connection.receive(until)?;
    }
    if connection.input().is_empty() && connection.ended().is_some() {
        return Ok("closes the connection after the first response");
    }
    let mut second = ResponseReader::new("GET");
    second.head(connection, until)?;
    second.all(connection, until)?;
    Ok("answers both, in order")
}

fn behind(trial: &mut Trial) -> Result<&'static str, Finding> {
    let mut topic = Topic::new(trial)?;
    let mut poller = Poller::started(trial, &mut topic, HELD)?;
    let next = poller.bytes(Poll::default());
    behind_a_poll(trial, &mut topic, &mut poller, &next)
}

fn two_polls(trial: &mut Trial) -> Result<&'static str, Finding> {
    let mut topic = Topic::new(trial)?;
    let mut poller = Poller::started(trial, &mut topic, HELD)?;
    // The event answers the second poll too, because its cursor is before the event.
    let next = poller.bytes(Poll::held(HELD));
    behind_a_poll(trial, &mut topic, &mut poller, &next)
}
