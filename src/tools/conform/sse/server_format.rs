//! Section 3: the bytes of the stream.

use super::lines::{Field, fields, first_invalid};
use super::stream::{EventStream, Opening};
use crate::tools::conform::case::{Case, Cases, Requirement, Suite, allowed, informational, pass};
use crate::tools::conform::topic::Topic;
use crate::tools::conform::trial::{Finding, Trial};

const UTF8: Requirement = Requirement::html("9.2.5", "An event stream is always encoded as UTF-8.");
const MARK: Requirement = Requirement::html("9.2.5", "A byte order mark is only at the start of the stream.");
const DISPATCH: Requirement =
    Requirement::html("9.2.6", "A blank line dispatches the event, so it is sent with the event.");
const RETRY: Requirement =
    Requirement::html("9.2.6", "A reconnection time consists of digits, or clients ignore it.");
const ID: Requirement = Requirement::html("9.2.6", "An id without U+0000 is the last event ID.");
const NAMES: Requirement =
    Requirement::html_may("9.2.6", "Clients ignore fields other than data, event, id and retry.");
const TYPE: Requirement = Requirement::html_may("9.2.6", "An event without a type is dispatched as message.");

/// Returns the cases of the section.
pub fn cases() -> Vec<Case> {
    let mut cases = Cases::of(Suite::Sse, 3, "the format");
    let outcomes = [pass("is UTF-8")];
    cases.add(1, "the encoding", UTF8, &outcomes, encoding).server_only();
    let outcomes = [pass("has no byte order mark"), allowed("has a byte order mark at the start")];
    cases.add(2, "a byte order mark", MARK, &outcomes, byte_order_mark).server_only();
    let outcomes = [pass("sends each event with its blank line")];
    cases
        .add(3, "an event arrives at its publish, not with the next", DISPATCH, &outcomes, in_time)
        .server_only();
    let outcomes = [
        pass("sends digits"),
        informational("sends no reconnection time"),
        allowed("sends a reconnection time that clients ignore"),
    ];
    cases.add(4, "retry", RETRY, &outcomes, retry).server_only();
    let outcomes =
        [pass("sends ids"), informational("sends no ids"), allowed("sends an id that clients ignore")];
    cases.add(5, "id", ID, &outcomes, id).server_only();
    let outcomes = [pass("sends fields that have a meaning"), informational("sends other fields too")];
    cases.add(6, "names of fields", NAMES, &outcomes, names).server_only();
    let outcomes =
        [informational("sends events of the type message"), informational("sends events of a type")];
    cases.add(7, "the type of an event", TYPE, &outcomes, event_type).server_only();
    cases.into_vec()
}

/// Opens a stream, publishes events and reads them.
fn sample<'t>(trial: &mut Trial<'t>) -> Result<(Topic<'t>, EventStream), Finding> {
    let mut topic = Topic::new(trial)?;
    let mut stream = EventStream::open(trial, &mut topic, Opening::default())?;
    let token = topic.token();
    topic.publish(trial, format!("\u{e9} \u{20ac} \u{1f600}\n{token}").as_bytes())?;
    let last = topic.publish_token(trial)?;
    stream.await_token(trial, &last)?;
    Ok((topic, stream))
}

fn values<'s>(stream: &'s EventStream, name: &str) -> Vec<&'s [u8]> {
    let fields = fields(stream.content()).filter(|field| field.name == name.as_bytes());
    fields.map(|field| field.value).collect()
}

fn encoding(trial: &mut Trial) -> Result<&'static str, Finding> {
    let (_, stream) = sample(trial)?;
    match first_invalid(stream.content()) {
        None => Ok("is UTF-8"),
        Some(at) => Err(stream.failed("UTF-8", format!("byte {at} of the content is not UTF-8"))),
    }
}

fn byte_order_mark(trial: &mut Trial) -> Result<&'static str, Finding> {
    const MARK: &[u8] = b"\xef\xbb\xbf";
    let (_, stream) = sample(trial)?;
    let has_mark = stream.content().starts_with(MARK);
    let rest = stream.content().strip_prefix(MARK).unwrap_or(stream.content());
    // None of the events contains one.
    match rest.windows(MARK.len()).position(|part| part == MARK) {
        Some(at) => Err(stream.failed("no byte order mark within the stream", format!("one at byte {at}"))),
        None if has_mark => Ok("has a byte order mark at the start"),
        None => Ok("has no byte order mark"),
    }
}

fn in_time(trial: &mut Trial) -> Result<&'static str, Finding> {
    let mut topic = Topic::new(trial)?;
    let mut stream = EventStream::open(trial, &mut topic, Opening::default())?;
    for _ in 0..3 {
        let token = topic.publish_token(trial)?;
        stream.await_token(trial, &token)?;
    }
    Ok("sends each event with its blank line")
}

fn retry(trial: &mut Trial) -> Result<&'static str, Finding> {
    let (_, stream) = sample(trial)?;
    let times = values(&stream, "retry");
    let is_valid = |time: &&[u8]| !time.is_empty() && time.iter().all(u8::is_ascii_digit);
    Ok(match times.iter().all(is_valid) {
        _ if times.is_empty() => "sends no reconnection time",
        true => "sends digits",
        false => "sends a reconnection time that clients ignore",
    })
}

fn id(trial: &mut Trial) -> Result<&'static str, Finding> {
    let (_, stream) = sample(trial)?;
    let ids = values(&stream, "id");
    Ok(match ids.iter().any(|id| id.contains(&0)) {
        _ if ids.is_empty() => "sends no ids",
        true => "sends an id that clients ignore",
        false => "sends ids",
    })
}

fn names(trial: &mut Trial) -> Result<&'static str, Finding> {
    let (_, stream) = sample(trial)?;
    let is_known = |field: Field<'_>| matches!(field.name, b"" | b"data" | b"event" | b"id" | b"retry");
    Ok(match fields(stream.content()).all(is_known) {
        true => "sends fields that have a meaning",
        false => "sends other fields too",
    })
}

fn event_type(trial: &mut Trial) -> Result<&'static str, Finding> {
    let (topic, stream) = sample(trial)?;
    let mut events = stream.events.iter().filter(|event| event.data.contains(topic.name()));
    Ok(match events.all(|event| event.event == "message") {
        true => "sends events of the type message",
        false => "sends events of a type",
    })
}
