//! Section 6: resuming with `Last-Event-ID`.

use super::stream::{ACCEPT, EventStream, Opening, request};
use crate::protocol::sse::{DecodeLimits, Decoder};
use crate::tools::conform::case::{Case, Cases, Outcome, Requirement, Suite, allowed, informational, pass};
use crate::tools::conform::topic::Topic;
use crate::tools::conform::trial::{Finding, Trial};

const RESUME: Requirement = Requirement::html(
    "9.2.4",
    "A stream that is resumed continues after the event of Last-Event-ID: none is lost or repeated.",
);
const UNIQUE: Requirement =
    Requirement::html("9.2.6", "The id of an event tells the server where a client continues.");
const SAME: Requirement =
    Requirement::html_may("9.2.6", "The last event ID belongs to the stream, not to the connection.");
const UNKNOWN: Requirement =
    Requirement::html("9.2.4", "The value of Last-Event-ID is any text without U+0000, CR and LF.");

/// A server that opens the stream with any id.
const OPENS: &[Outcome] = &[
    pass("opens the stream"),
    allowed("refuses the id"),
    allowed("ends the reconnects of the client with 204"),
];

/// Returns the cases of the section.
pub fn cases() -> Vec<Case> {
    let mut cases = Cases::of(Suite::Sse, 6, "resuming");
    let outcomes = [pass("has another id for each event")];
    cases.add(1, "ids differ", UNIQUE, &outcomes, unique).server_only();
    let outcomes = [pass("has the same ids for both followers"), informational("has other ids")];
    cases.add(2, "ids are those of another follower", SAME, &outcomes, same).server_only();
    let outcomes = [pass("continues after the id")];
    let mut add = |index, title: &'static str, play: fn(&mut Trial) -> Result<&'static str, Finding>| {
        cases.add(index, title, RESUME, &outcomes, play).server_only();
    };
    add(3, "events before and after the end of the connection", |trial| resume(trial, 5, 2));
    add(4, "the newest event was received", |trial| resume(trial, 3, 3));
    add(5, "the connection ends within an event", within);
    add(6, "each of ten connections ends after one event", again);
    add(7, "twice from the same id", twice);
    let mut add = |index, title: &'static str, id: String| {
        cases.add(index, title, UNKNOWN, OPENS, move |trial| unknown(trial, &id)).server_only();
    };
    add(8, "an unknown id", "unknown-7".into());
    add(9, "an empty id", String::new());
    add(10, "an id with characters beyond ASCII", "\u{e9}\u{1f600}".into());
    add(11, "a number beyond 64 bits", "99999999999999999999999".into());
    add(12, "a negative number", "-1".into());
    add(13, "an id of 4,000 bytes", "x".repeat(4000));
    cases.into_vec()
}

/// Publishes events and reads all of them. Returns the tokens.
fn publish(
    trial: &Trial,
    topic: &mut Topic<'_>,
    stream: &mut EventStream,
    count: usize,
) -> Result<Vec<String>, Finding> {
    let tokens = topic.tokens(count);
    for token in &tokens {
        topic.publish(trial, token.as_bytes())?;
    }
    for token in &tokens {
        stream.await_token(trial, token)?;
    }
    Ok(tokens)
}

/// Returns the id of an event.
fn id_of(stream: &EventStream, token: &str) -> Result<String, Finding> {
    let id = stream.find(token).map(|at| stream.events[at].id.clone()).unwrap_or_default();
    if id.is_empty() { Err(Finding::NotApplicable("the events have no ids".into())) } else { Ok(id) }
}

/// Resumes, and reads up to an event that is published meanwhile. The tokens must be those in
/// `missed` and that of the new event.
fn check(trial: &Trial, topic: &mut Topic<'_>, id: &str, missed: &[String]) -> Result<EventStream, Finding> {
    let mut stream = EventStream::resume(trial, topic, id)?;
    let last = topic.publish_token(trial)?;
    stream.await_token(trial, &last)?;
    let has_any = missed.iter().any(|token| stream.find(token).is_some());
    if !missed.is_empty() && !has_any {
        return Err(Finding::NotApplicable("the server keeps no events for Last-Event-ID".into()));
    }
    stream.expect_tokens(topic, &[missed, &[last]].concat())?;
    Ok(stream)
}

fn unique(trial: &mut Trial) -> Result<&'static str, Finding> {
    let mut topic = Topic::new(trial)?;
    let mut stream = EventStream::open(trial, &mut topic, Opening::default())?;
    let tokens = publish(trial, &mut topic, &mut stream, 5)?;
    let ids = tokens.iter().map(|token| id_of(&stream, token)).collect::<Result<Vec<_>, _>>()?;
    for (at, id) in ids.iter().enumerate() {
        if ids[..at].contains(id) {
            return Err(stream.failed("an id of its own for each event", format!("{id:?} again")));
        }
    }
    Ok("has another id for each event")
}

fn same(trial: &mut Trial) -> Result<&'static str, Finding> {
    let mut topic = Topic::new(trial)?;
    let mut first = EventStream::open(trial, &mut topic, Opening::default())?;
    let mut second = EventStream::open(trial, &mut topic, Opening::default())?;
    let tokens = publish(trial, &mut topic, &mut first, 2)?;
    second.await_token(trial, &tokens[1])?;
    let is_same = id_of(&first, &tokens[1])? == id_of(&second, &tokens[1])?;
    Ok(if is_same { "has the same ids for both followers" } else { "has other ids" })
}

/// Ends the connection when `read` of `count` events count as received.
fn resume(trial: &mut Trial, count: usize, read: usize) -> Result<&'static str, Finding> {
    let mut topic = Topic::new(trial)?;
    let mut stream = EventStream::open(trial, &mut topic, Opening::default())?;
    let mut tokens = publish(trial, &mut topic, &mut stream, count)?;
    let id = id_of(&stream, &tokens[read - 1])?;
    drop(stream);
    for _ in 0..3 {
        tokens.push(topic.publish_token(trial)?);
    }
    check(trial, &mut topic, &id, &tokens[read..])?;
    Ok("continues after the id")
}

fn within(trial: &mut Trial) -> Result<&'static str, Finding> {
    let mut topic = Topic::new(trial)?;
    let mut stream = EventStream::open(trial, &mut topic, Opening::default())?;
    let mut tokens = publish(trial, &mut topic, &mut stream, 2)?;
    let big = topic.token();
    let filler = "x".repeat(30_000);
    topic.publish(trial, format!("{filler}{big}{filler}").as_bytes())?;
    stream.await_token(trial, &big)?;
    tokens.push(big.clone());
    id_of(&stream, &big)?;
    // The client has the bytes up to the middle of the event when the connection ends.
    let content = stream.content();
    let end = content.windows(big.len()).position(|part| part == big.as_bytes()).unwrap_or(content.len());
    let (mut decoder, mut rest) = (Decoder::new("", DecodeLimits::default()), &content[..end]);
    while !rest.is_empty() {
        let read = decoder.read(rest).map_err(|error| stream.failed("an event stream", error))?;
        rest = &rest[read.0..];
    }
    let id = decoder.last_event_id().to_owned();
    if id != id_of(&stream, &tokens[1])? {
        return Err(stream.failed("the id of the event before", format!("the id {id:?}")));
    }
    drop(stream);
    check(trial, &mut topic, &id, &tokens[2..])?;
    Ok("continues after the id")
}

fn again(trial: &mut Trial) -> Result<&'static str, Finding> {
    let mut topic = Topic::new(trial)?;
    let mut stream = EventStream::open(trial, &mut topic, Opening::default())?;
    let mut tokens = publish(trial, &mut topic, &mut stream, 1)?;
    for _ in 0..10 {
        let newest = tokens.last().cloned().unwrap_or_default();
        let id = id_of(&stream, &newest)?;
        let missed = [topic.publish_token(trial)?];
        stream = check(trial, &mut topic, &id, &missed)?;
        tokens.extend(stream.events.last().map(|event| event.data.clone()));
    }
    Ok("continues after the id")
}

fn twice(trial: &mut Trial) -> Result<&'static str, Finding> {
    let mut topic = Topic::new(trial)?;
    let mut stream = EventStream::open(trial, &mut topic, Opening::default())?;
    let tokens = publish(trial, &mut topic, &mut stream, 4)?;
    let id = id_of(&stream, &tokens[0])?;
    let first = check(trial, &mut topic, &id, &tokens[1..])?;
    let last = first.events.last().map(|event| event.data.clone());
    let missed: Vec<String> = tokens[1..].iter().cloned().chain(last).collect();
    check(trial, &mut topic, &id, &missed)?;
    Ok("continues after the id")
}

fn unknown(trial: &mut Trial, id: &str) -> Result<&'static str, Finding> {
    let mut topic = Topic::new(trial)?;
    topic.publish_token(trial)?;
    let fields = [ACCEPT, ("Last-Event-ID", id)];
    let opening = Opening { fields: &fields, ..Opening::default() };
    match request(trial, &topic, opening)?.head.map(|head| head.status) {
        Some(204) => return Ok("ends the reconnects of the client with 204"),
        Some(400..=499) => return Ok("refuses the id"),
        Some(200) | None => {}
        Some(status) => {
            let expected = "an event stream, or a response that refuses the id";
            return Err(Finding::failed(expected, format!("status {status}")));
        }
    }
    let mut stream = EventStream::open(trial, &mut topic, opening)?;
    let token = topic.publish_token(trial)?;
    stream.await_token(trial, &token)?;
    Ok("opens the stream")
}
