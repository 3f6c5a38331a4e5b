//! Section 2: `Accept`, for servers that have several representations at one URL.

use super::stream::{Opening, request};
use crate::tools::conform::case::{Case, Cases, Outcome, Requirement, Suite, allowed, informational, pass};
use crate::tools::conform::topic::Topic;
use crate::tools::conform::trial::{Finding, Trial};

const NOT_ACCEPTABLE: Requirement = Requirement::may(
    9110,
    "12.5.1",
    "A server honors Accept, or disregards it where it has no acceptable representation.",
);
const NO_FIELD: Requirement =
    Requirement::may(9110, "12.5.1", "A request without Accept accepts any media type.");
const CASE: Requirement = Requirement::must(9110, "8.3.1", "The case of a media type does not matter.");
const LIST: Requirement =
    Requirement::must(9110, "5.3", "Field lines of the same name are one list in the order of the lines.");

const STREAM: &str = "sends an event stream";
const OTHER: &str = "sends another media type";
const NONE: &str = "refuses the request";
const WAITS: &str = "sends nothing before an event";

/// The stream is wanted, although the server may choose another representation.
const WANTED: &[Outcome] = &[pass(STREAM), allowed(OTHER), allowed(NONE), allowed(WAITS)];
/// Another representation is wanted, or none.
const UNWANTED: &[Outcome] = &[pass(OTHER), pass(NONE), allowed(STREAM), allowed(WAITS)];
/// Every representation is as good.
const ANY: &[Outcome] =
    &[informational(STREAM), informational(OTHER), informational(NONE), informational(WAITS)];

/// Returns the cases of the section.
pub fn cases() -> Vec<Case> {
    let mut cases = Cases::of(Suite::Sse, 2, "Accept");
    let mut add = |index, title: &'static str, requirement, outcomes, values: &'static [&'static str]| {
        cases.add(index, title, requirement, outcomes, move |trial| play(trial, values)).server_only();
    };
    add(1, "no Accept", NO_FIELD, ANY, &[]);
    add(2, "any media type", NOT_ACCEPTABLE, ANY, &["*/*"]);
    add(3, "another media type", NOT_ACCEPTABLE, UNWANTED, &["application/json"]);
    add(4, "a weight of zero", NOT_ACCEPTABLE, UNWANTED, &["text/event-stream;q=0, */*;q=0.1"]);
    let title = "a weight below that of another media type";
    add(5, title, NOT_ACCEPTABLE, UNWANTED, &["text/event-stream;q=0.1, application/json"]);
    add(6, "a list with weights", NOT_ACCEPTABLE, WANTED, &["text/html;q=0.2, text/event-stream;q=0.9"]);
    add(7, "upper case", CASE, WANTED, &["TEXT/Event-Stream"]);
    add(8, "two field lines", LIST, WANTED, &["text/html;q=0.2", "text/event-stream"]);
    cases.into_vec()
}

fn play(trial: &Trial, values: &[&str]) -> Result<&'static str, Finding> {
    let topic = Topic::new(trial)?;
    let fields: Vec<_> = values.iter().map(|value| ("Accept", *value)).collect();
    let response = request(trial, &topic, Opening { fields: &fields, ..Opening::default() })?;
    let Some(head) = response.head else { return Ok(WAITS) };
    let media_type = head.field("Content-Type").unwrap_or_default().to_ascii_lowercase();
    match head.status {
        500.. => Err(Finding::failed("a response without a server error", format!("status {}", head.status))),
        400.. => Ok(NONE),
        _ if media_type.starts_with("text/event-stream") => Ok(STREAM),
        _ => Ok(OTHER),
    }
}
