//! The HTTP of a response with an event: section 4 of `long-poll` and section 2 of `short-poll`.

use super::poller::{Answer, HELD, Poll, Poller};
use crate::tools::conform::case::{Case, Cases, Requirement, Suite, allowed, informational, pass};
use crate::tools::conform::topic::{ARRIVAL, Topic};
use crate::tools::conform::trial::{Finding, Trial};

const FRESH: Requirement = Requirement::must(
    9111,
    "4.2",
    "A cache answers with a fresh response without asking the server, so a poll must not be fresh.",
);
const MEDIA_TYPE: Requirement =
    Requirement::should(9110, "8.3", "A response with content has a Content-Type.");
const LIKE_GET: Requirement =
    Requirement::must(9110, "9.3.2", "HEAD is answered as GET is, but without content.");
const NO_CODING: Requirement =
    Requirement::must(9112, "6.1", "A server sends no Transfer-Encoding to a client of HTTP/1.0.");
const VARY: Requirement = Requirement::should(
    9110,
    "12.5.5",
    "A response that was selected by a field of the request names that field in Vary.",
);
const CLOSE: Requirement =
    Requirement::must(9112, "9.6", "A server closes the connection after the response to close.");

/// Returns the cases of the section.
pub fn cases(suite: Suite, section: u16) -> Vec<Case> {
    let mut cases = Cases::of(suite, section, "HTTP");
    let wait = if suite == Suite::LongPoll { HELD } else { None };
    let outcomes = [pass("forbids caches to reuse it"), allowed("lets caches estimate how long it is fresh")];
    cases.add(1, "Cache-Control", FRESH, &outcomes, move |trial| caching(trial, wait)).server_only();
    let outcomes = [pass("has a media type"), allowed("has no media type")];
    cases.add(2, "Content-Type", MEDIA_TYPE, &outcomes, move |trial| media_type(trial, wait)).server_only();
    let outcomes =
        [pass("answers without content"), allowed("refuses HEAD"), allowed("holds HEAD until another event")];
    cases.add(3, "HEAD", LIKE_GET, &outcomes, move |trial| head(trial, wait)).server_only();
    let outcomes = [pass("answers without a transfer coding"), allowed("refuses HTTP/1.0")];
    cases.add(4, "HTTP/1.0", NO_CODING, &outcomes, move |trial| http_1_0(trial, wait)).server_only();
    let outcomes =
        [pass("names Accept"), allowed("does not name Accept"), informational("has one representation")];
    cases.add(5, "Vary", VARY, &outcomes, move |trial| vary(trial, wait)).server_only();
    let outcomes = [pass("closes the connection")];
    cases.add(6, "Connection: close", CLOSE, &outcomes, move |trial| close(trial, wait)).server_only();
    cases.into_vec()
}

/// Returns the response to a poll for which an event is available.
fn answer(trial: &Trial, poll: Poll<'_>) -> Result<(Answer, String), Finding> {
    let mut topic = Topic::new(trial)?;
    let mut poller = Poller::started(trial, &mut topic, poll.wait)?.twin();
    let token = topic.publish_token(trial)?;
    Ok((poller.poll(trial, poll)?, token))
}

fn caching(trial: &Trial, wait: Option<&str>) -> Result<&'static str, Finding> {
    let (answer, _) = answer(trial, Poll::held(wait))?;
    let head = &answer.head;
    let has = |directive: &str| head.has_token("Cache-Control", directive);
    if has("no-store") || has("no-cache") {
        return Ok("forbids caches to reuse it");
    }
    let all: Vec<String> = head.all("Cache-Control").map(str::to_ascii_lowercase).collect();
    let seconds = all.iter().flat_map(|value| value.split(',')).filter_map(|directive| {
        let (name, seconds) = directive.trim().split_once('=')?;
        matches!(name, "max-age" | "s-maxage").then(|| seconds.parse::<u64>().ok())?
    });
    match seconds.max() {
        Some(0) => Ok("forbids caches to reuse it"),
        Some(seconds) => {
            let observed = format!("a response that is fresh for {seconds} s");
            Err(answer.failed("a response that no cache reuses for the next poll", observed))
        }
        None => Ok("lets caches estimate how long it is fresh"),
    }
}

fn media_type(trial: &Trial, wait: Option<&str>) -> Result<&'static str, Finding> {
    let (answer, token) = answer(trial, Poll::held(wait))?;
    if !answer.has(&token) {
        return Err(answer.failed("a response with the event", "a response without it"));
    }
    match answer.head.field("Content-Type") {
        Some(_) => Ok("has a media type"),
        None => Ok("has no media type"),
    }
}

fn head(trial: &Trial, wait: Option<&str>) -> Result<&'static str, Finding> {
    let mut topic = Topic::new(trial)?;
    let mut poller = Poller::started(trial, &mut topic, wait)?.twin();
    let token = topic.publish_token(trial)?;
    let cursor = poller.cursor.clone();
    poller.send(trial, Poll { method: "HEAD", ..Poll::held(wait) })?;
    poller.wait_until_reached(trial)?;
    let is_held = !poller.is_answered();
    if is_held {
        topic.publish_token(trial)?;
    }
    let answer = poller.receive(trial, trial.after(ARRIVAL))?;
    if answer.head.status >= 400 {
        return Ok("refuses HEAD");
    }
    // The next bytes must be the response to another request.
    poller.cursor = cursor;
    let next = poller.poll(trial, Poll::held(wait))?;
    if !next.has(&token) {
        return Err(next.failed("the events that HEAD has left", "a response without them"));
    }
    Ok(if is_held { "holds HEAD until another event" } else { "answers without content" })
}

fn http_1_0(trial: &Trial, wait: Option<&str>) -> Result<&'static str, Finding> {
    let (answer, token) = answer(trial, Poll { version: "HTTP/1.0", ..Poll::held(wait) })?;
    if answer.head.status >= 400 {
        return Ok("refuses HTTP/1.0");
    }
    if let Some(coding) = answer.head.field("Transfer-Encoding") {
        let observed = format!("Transfer-Encoding: {coding}");
        return Err(answer.failed("a response without Transfer-Encoding", observed));
    }
    match answer.has(&token) {
        true => Ok("answers without a transfer coding"),
        false => Err(answer.failed("a response with the event", "a response without it")),
    }
}

fn vary(trial: &Trial, wait: Option<&str>) -> Result<&'static str, Finding> {
    let server = trial.server()?;
    // The same URL has an event stream, without the parameters of a poll.
    let path = |target: String| target.split('?').next().map(str::to_owned);
    let stream =
        server.stream.as_ref().map(|stream| (stream.address, path(stream.target(Default::default()))));
    let poll = server.poll.as_ref().map(|poll| (poll.address, path(poll.target(Default::default()))));
    if stream.is_none() || stream != poll {
        return Ok("has one representation");
    }
    let (answer, _) = answer(trial, Poll::held(wait))?;
    let names = answer.head.has_token("Vary", "Accept") || answer.head.has_token("Vary", "*");
    Ok(if names { "names Accept" } else { "does not name Accept" })
}

fn close(trial: &Trial, wait: Option<&str>) -> Result<&'static str, Finding> {
    let mut topic = Topic::new(trial)?;
    let mut poller = Poller::started(trial, &mut topic, wait)?.twin();
    topic.publish_token(trial)?;
    let fields = [("Connection", "close")];
    poller.send(trial, Poll { fields: &fields, ..Poll::held(wait) })?;
    poller.expect_close(trial)
}
