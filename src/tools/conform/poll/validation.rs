//! Entity tags and `If-None-Match`: section 5 of `long-poll` and section 3 of `short-poll`.

use super::poller::{Answer, HELD, Poll, Poller};
use crate::tools::conform::case::{Case, Cases, Requirement, Suite, informational, pass};
use crate::tools::conform::topic::Topic;
use crate::tools::conform::trial::{Finding, Trial};

const MATCHES: Requirement = Requirement::must(
    9110,
    "13.1.2",
    "A GET whose If-None-Match has the tag of the representation is answered with 304.",
);
const WEAK: Requirement =
    Requirement::must(9110, "13.1.2", "If-None-Match compares tags by the weak comparison.");
const DIFFERS: Requirement = Requirement::must(
    9110,
    "13.1.2",
    "A GET whose If-None-Match has no tag of the representation is answered.",
);
const NO_CONTENT: Requirement = Requirement::must(9110, "15.4.5", "A 304 has no content.");
const FIELDS: Requirement = Requirement::must(
    9110,
    "15.4.5",
    "A 304 has the Cache-Control, Content-Location, ETag, Expires and Vary of the 200.",
);
const TAG: Requirement =
    Requirement::must(9110, "8.8.3", "An entity tag is a quoted string, with W/ if it is weak.");

const NOT_MODIFIED: &str = "answers 304";
const OTHER_TAG: &str = "has another tag each time";

/// Returns the cases of the section.
pub fn cases(suite: Suite, section: u16) -> Vec<Case> {
    let mut cases = Cases::of(suite, section, "entity tags");
    let wait = if suite == Suite::LongPoll { HELD } else { None };
    let outcomes = [pass("has a valid tag")];
    cases.add(1, "ETag", TAG, &outcomes, move |trial| tag(trial, wait)).server_only();
    let outcomes = [pass(NOT_MODIFIED), informational(OTHER_TAG)];
    let mut add = |index, title: &'static str, requirement, field: fn(&str) -> String| {
        cases
            .add(index, title, requirement, &outcomes, move |trial| matching(trial, wait, field))
            .server_only();
    };
    add(2, "the same tag", MATCHES, |tag| tag.to_owned());
    add(3, "a list that contains the tag", MATCHES, |tag| format!("\"other\", {tag}, W/\"x,y\""));
    add(4, "the other strength", WEAK, |tag| match tag.strip_prefix("W/") {
        Some(opaque) => opaque.to_owned(),
        None => format!("W/{tag}"),
    });
    add(5, "an asterisk", MATCHES, |_| "*".to_owned());
    let outcomes = [pass("answers with the events")];
    cases.add(6, "another tag", DIFFERS, &outcomes, move |trial| other_tag(trial, wait)).server_only();
    cases
        .add(7, "the tag before a new event", DIFFERS, &outcomes, move |trial| new_event(trial, wait))
        .server_only();
    let outcomes = [pass("has no content"), informational(OTHER_TAG)];
    cases
        .add(8, "a 304 has no content", NO_CONTENT, &outcomes, move |trial| no_content(trial, wait))
        .server_only();
    let outcomes = [pass("has the fields of the 200"), informational(OTHER_TAG)];
    cases.add(9, "the fields of a 304", FIELDS, &outcomes, move |trial| fields(trial, wait)).server_only();
    cases.into_vec()
}

/// A poll that was answered with an event, and can be sent again.
struct Repeated<'t> {
    topic: Topic<'t>,
    poller: Poller<'t>,
    cursor: String,
    answer: Answer,
    tag: String,
    token: String,
}

impl<'t> Repeated<'t> {
    /// Sends the first poll.
    ///
    /// # Errors
    /// The case is not applicable: the response has no tag, or an invalid one, which has a case of
    /// its own.
    fn new(trial: &Trial<'t>, wait: Option<&str>) -> Result<Self, Finding> {
        let repeated = Self::unchecked(trial, wait)?;
        match is_valid(&repeated.tag) {
            true => Ok(repeated),
            false => Err(Finding::NotApplicable("the tag is invalid".into())),
        }
    }

    fn unchecked(trial: &Trial<'t>, wait: Option<&str>) -> Result<Self, Finding> {
        let mut topic = Topic::new(trial)?;
        let mut poller = Poller::started(trial, &mut topic, wait)?;
        let cursor = poller.cursor.clone();
        let token = topic.publish_token(trial)?;
        let answer = poller.poll(trial, Poll::held(wait))?;
        let tag = answer.head.field("ETag").map(|tag| tag.trim().to_owned());
        let tag = tag.ok_or_else(|| Finding::NotApplicable("the responses have no ETag".into()))?;
        if !answer.has(&token) {
            return Err(answer.failed("a response with the event", "a response without it"));
        }
        Ok(Self { topic, poller, cursor, answer, tag, token })
    }

    /// Sends the same poll again, with `If-None-Match`.
    fn again(&mut self, trial: &Trial, wait: Option<&str>, tags: &str) -> Result<Answer, Finding> {
        self.poller.cursor.clone_from(&self.cursor);
        let fields = [("If-None-Match", tags)];
        self.poller.poll(trial, Poll { fields: &fields, ..Poll::held(wait) })
    }
}

/// Returns whether this is an entity tag (RFC 9110 §8.8.3).
fn is_valid(tag: &str) -> bool {
    let opaque = tag.strip_prefix("W/").unwrap_or(tag);
    let inner = opaque.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inner.is_some_and(|inner| !inner.contains(['"', ' ', '\t']))
}

fn tag(trial: &Trial, wait: Option<&str>) -> Result<&'static str, Finding> {
    let repeated = Repeated::unchecked(trial, wait)?;
    match is_valid(&repeated.tag) {
        true => Ok("has a valid tag"),
        false => Err(repeated.answer.failed("a quoted tag", format!("ETag: {}", repeated.tag))),
    }
}

fn matching(trial: &Trial, wait: Option<&str>, field: fn(&str) -> String) -> Result<&'static str, Finding> {
    let mut repeated = Repeated::new(trial, wait)?;
    let tags = field(&repeated.tag);
    let answer = repeated.again(trial, wait, &tags)?;
    match answer.head.status {
        304 => Ok(NOT_MODIFIED),
        // The representation has changed, so the tag does not match any more.
        200 if tags != "*" && answer.head.field("ETag") != Some(&repeated.tag) => Ok(OTHER_TAG),
        status => {
            let observed = format!("status {status} to If-None-Match: {tags}");
            Err(answer.failed("304", observed))
        }
    }
}

fn other_tag(trial: &Trial, wait: Option<&str>) -> Result<&'static str, Finding> {
    let mut repeated = Repeated::new(trial, wait)?;
    let answer = repeated.again(trial, wait, "\"another\"")?;
    expect_events(&answer, &repeated.token)
}

fn new_event(trial: &Trial, wait: Option<&str>) -> Result<&'static str, Finding> {
    let mut repeated = Repeated::new(trial, wait)?;
    let token = repeated.topic.publish_token(trial)?;
    // The client continues, as a cache does that has the response before.
    let tags = repeated.tag.clone();
    repeated.cursor.clone_from(&repeated.poller.cursor);
    let answer = repeated.again(trial, wait, &tags)?;
    expect_events(&answer, &token)
}

fn expect_events(answer: &Answer, token: &str) -> Result<&'static str, Finding> {
    match answer.has(token) {
        true => Ok("answers with the events"),
        false => {
            let observed = format!("status {} without it", answer.head.status);
            Err(answer.failed("a response with the event", observed))
        }
    }
}

fn no_content(trial: &Trial, wait: Option<&str>) -> Result<&'static str, Finding> {
    let mut repeated = Repeated::new(trial, wait)?;
    let tags = repeated.tag.clone();
    if repeated.again(trial, wait, &tags)?.head.status != 304 {
        return Ok(OTHER_TAG);
    }
    // The next bytes must be the response to another request.
    let answer = repeated.again(trial, wait, "\"another\"")?;
    expect_events(&answer, &repeated.token)?;
    Ok("has no content")
}

fn fields(trial: &Trial, wait: Option<&str>) -> Result<&'static str, Finding> {
    let mut repeated = Repeated::new(trial, wait)?;
    let tags = repeated.tag.clone();
    let answer = repeated.again(trial, wait, &tags)?;
    if answer.head.status != 304 {
        return Ok(OTHER_TAG);
    }
    for name in ["Cache-Control", "Content-Location", "ETag", "Expires", "Vary"] {
        if repeated.answer.head.field(name).is_some() && answer.head.field(name).is_none() {
            return Err(answer.failed(format!("a 304 with {name}"), "a 304 without it"));
        }
    }
    Ok("has the fields of the 200")
}
