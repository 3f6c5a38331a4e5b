//! Section 7: several followers, and followers that leave.

use super::stream::{EventStream, Opening};
use crate::tools::conform::case::{Case, Cases, Requirement, Suite, allowed, informational, pass};
use crate::tools::conform::exchange::Progress;
use crate::tools::conform::topic::{ARRIVAL, Topic};
use crate::tools::conform::trial::{Finding, Trial};

const ORDER: Requirement =
    Requirement::html("9.2.6", "Events are dispatched in the order of the stream, each of them once.");
const LEAVE: Requirement =
    Requirement::html_may("9.2.2", "A client closes its connection at any time, without a message.");
const HALF: Requirement =
    Requirement::may(9112, "9.5", "A client may close its side of a connection at any time.");
const BEHIND: Requirement =
    Requirement::may(9112, "9.3.2", "A client may send a request behind one that is not answered yet.");

/// Returns the cases of the section.
pub fn cases() -> Vec<Case> {
    let mut cases = Cases::of(Suite::Sse, 7, "followers");
    let outcomes = [pass("delivers the same events in the same order")];
    cases.add(1, "two followers", ORDER, &outcomes, two).server_only();
    let outcomes = [pass("delivers to the others")];
    cases.add(2, "a follower leaves", LEAVE, &outcomes, leaves).server_only();
    cases.add(3, "a follower leaves without reading", LEAVE, &outcomes, leaves_unread).server_only();
    cases.add(4, "fifty followers open and leave", LEAVE, &outcomes, many_leave).server_only();
    let outcomes = [informational("goes on with the stream"), informational("ends the stream")];
    cases.add(5, "a follower closes its side", HALF, &outcomes, half_close).server_only();
    let outcomes = [pass("goes on with the stream"), allowed("ends the stream")];
    cases.add(6, "a follower sends another request", BEHIND, &outcomes, request_behind).server_only();
    cases.into_vec()
}

fn two(trial: &mut Trial) -> Result<&'static str, Finding> {
    let mut topic = Topic::new(trial)?;
    let mut streams = Vec::new();
    for _ in 0..2 {
        streams.push(EventStream::open(trial, &mut topic, Opening::default())?);
    }
    let tokens = topic.tokens(20);
    for token in &tokens {
        topic.publish(trial, token.as_bytes())?;
    }
    for stream in &mut streams {
        stream.await_token(trial, &tokens[19])?;
        stream.expect_tokens(&topic, &tokens)?;
    }
    Ok("delivers the same events in the same order")
}

/// Opens a stream that stays, ends the others, and checks that events still arrive.
fn stays(trial: &Trial, topic: &mut Topic<'_>, others: Vec<EventStream>) -> Result<&'static str, Finding> {
    let mut stream = EventStream::open(trial, topic, Opening::default())?;
    drop(others);
    let mut tokens = Vec::new();
    for _ in 0..3 {
        tokens.push(topic.publish_token(trial)?);
        stream.await_token(trial, &tokens[tokens.len() - 1])?;
    }
    stream.expect_tokens(topic, &tokens)?;
    Ok("delivers to the others")
}

fn leaves(trial: &mut Trial) -> Result<&'static str, Finding> {
    let mut topic = Topic::new(trial)?;
    let other = EventStream::open(trial, &mut topic, Opening::default())?;
    stays(trial, &mut topic, vec![other])
}

fn leaves_unread(trial: &mut Trial) -> Result<&'static str, Finding> {
    let mut topic = Topic::new(trial)?;
    let other = EventStream::open(trial, &mut topic, Opening::default())?;
    for _ in 0..20 {
        topic.publish(trial, "x".repeat(30_000).as_bytes())?;
    }
    // A socket with unread bytes ends with a reset.
    stays(trial, &mut topic, vec![other])
}

fn many_leave(trial: &mut Trial) -> Result<&'static str, Finding> {
    let mut topic = Topic::new(trial)?;
    let others = (0..50).map(|_| EventStream::open(trial, &mut topic, Opening::default()));
    let others = others.collect::<Result<Vec<_>, _>>()?;
    stays(trial, &mut topic, others)
}

/// Returns whether an event still arrives.
fn goes_on(trial: &Trial, topic: &mut Topic<'_>, stream: &mut EventStream) -> Result<&'static str, Finding> {
    let token = topic.publish_token(trial)?;
    let until = trial.after(ARRIVAL);
    while stream.find(&token).is_none() {
        match stream.more(until)? {
            Progress::More => {}
            Progress::Quiet => {
                return Err(stream.failed("the event, or the end of the stream", "neither of them"));
            }
            Progress::Complete | Progress::Ended => return Ok("ends the stream"),
        }
    }
    Ok("goes on with the stream")
}

fn half_close(trial: &mut Trial) -> Result<&'static str, Finding> {
    let mut topic = Topic::new(trial)?;
    let mut stream = EventStream::open(trial, &mut topic, Opening::default())?;
    stream.connection.finish_sending();
    goes_on(trial, &mut topic, &mut stream)
}

fn request_behind(trial: &mut Trial) -> Result<&'static str, Finding> {
    let mut topic = Topic::new(trial)?;
    let mut stream = EventStream::open(trial, &mut topic, Opening::default())?;
    stream.connection.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    goes_on(trial, &mut topic, &mut stream)
}
