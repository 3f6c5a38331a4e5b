//! Section 1: the response that starts an event stream.

use super::stream::{ACCEPT, EventStream, Opening, request};
use crate::tools::conform::case::{Case, Cases, Requirement, Suite, allowed, pass};
use crate::tools::conform::connection::Received;
use crate::tools::conform::exchange::Request;
use crate::tools::conform::target::Values;
use crate::tools::conform::topic::{ARRIVAL, Topic};
use crate::tools::conform::trial::{Finding, Trial};

const MEDIA_TYPE: Requirement =
    Requirement::html("9.2.2", "A client fails if the media type is not text/event-stream.");
const CHARSET: Requirement = Requirement::html("9.2.5", "An event stream is always encoded as UTF-8.");
const OPEN: Requirement = Requirement::html_may(
    "9.2.2",
    "A client announces the connection when the head of the response arrives.",
);
const STORED: Requirement =
    Requirement::may(9111, "3", "A cache may store a response that has no field that forbids this.");
const FRAMING: Requirement =
    Requirement::must(9112, "6.3", "A response ends with its last chunk, its length, or the connection.");
const NO_CODING: Requirement =
    Requirement::must(9112, "6.1", "A server sends no Transfer-Encoding to a client of HTTP/1.0.");
const LIKE_GET: Requirement =
    Requirement::must(9110, "9.3.2", "HEAD is answered as GET is, but without content.");

/// Returns the cases of the section.
pub fn cases() -> Vec<Case> {
    let mut cases = Cases::of(Suite::Sse, 1, "the response");
    let outcomes = [pass("has the media type text/event-stream")];
    cases.add(1, "the media type", MEDIA_TYPE, &outcomes, media_type).server_only();
    let outcomes = [pass("has no charset, or UTF-8")];
    cases.add(2, "the charset", CHARSET, &outcomes, charset).server_only();
    let outcomes = [pass("sends the head at once"), allowed("sends the head with the first event")];
    cases.add(3, "the head arrives before the first event", OPEN, &outcomes, head_first).server_only();
    let outcomes = [
        pass("forbids caches to reuse it"),
        allowed("leaves it to caches to store it"),
        allowed("lets caches reuse it"),
    ];
    cases.add(4, "Cache-Control", STORED, &outcomes, caching).server_only();
    let outcomes = [pass("sends chunks"), pass("ends with the connection"), allowed("ends at a length")];
    cases.add(5, "the framing in HTTP/1.1", FRAMING, &outcomes, framing).server_only();
    let outcomes = [pass("ends with the connection"), allowed("refuses HTTP/1.0")];
    cases.add(6, "the framing in HTTP/1.0", NO_CODING, &outcomes, http_1_0).server_only();
    let outcomes = [
        pass("answers without content"),
        allowed("refuses HEAD"),
        allowed("sends no content, and answers no further request"),
    ];
    cases.add(7, "HEAD", LIKE_GET, &outcomes, head_request).server_only();
    cases.into_vec()
}

fn media_type(trial: &mut Trial) -> Result<&'static str, Finding> {
    let mut topic = Topic::new(trial)?;
    let stream = EventStream::open(trial, &mut topic, Opening::default())?;
    let value = stream.head.field("Content-Type").unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default().trim();
    match essence.eq_ignore_ascii_case("text/event-stream") {
        true => Ok("has the media type text/event-stream"),
        false => Err(stream.failed("Content-Type: text/event-stream", format!("Content-Type: {value}"))),
    }
}

fn charset(trial: &mut Trial) -> Result<&'static str, Finding> {
    let mut topic = Topic::new(trial)?;
    let stream = EventStream::open(trial, &mut topic, Opening::default())?;
    let value = stream.head.field("Content-Type").unwrap_or_default().to_ascii_lowercase();
    let parameters = value.split(';').skip(1).map(str::trim);
    let charset = parameters.filter_map(|parameter| parameter.strip_prefix("charset=")).next();
    match charset.map(|charset| charset.trim_matches('"')) {
        None | Some("utf-8") => Ok("has no charset, or UTF-8"),
        Some(charset) => Err(stream.failed("no charset, or UTF-8", charset)),
    }
}

fn head_first(trial: &mut Trial) -> Result<&'static str, Finding> {
    let mut topic = Topic::new(trial)?;
    let stream = EventStream::open(trial, &mut topic, Opening::default())?;
    Ok(if stream.is_late { "sends the head with the first event" } else { "sends the head at once" })
}

fn caching(trial: &mut Trial) -> Result<&'static str, Finding> {
    let mut topic = Topic::new(trial)?;
    let head = EventStream::open(trial, &mut topic, Opening::default())?.head;
    let has = |directive: &str| head.has_token("Cache-Control", directive);
    Ok(match () {
        () if has("no-store") || has("no-cache") || has("max-age=0") => "forbids caches to reuse it",
        () if head.field("Cache-Control").is_some_and(|value| value.contains("max-age=")) => {
            "lets caches reuse it"
        }
        () => "leaves it to caches to store it",
    })
}

fn framing(trial: &mut Trial) -> Result<&'static str, Finding> {
    let mut topic = Topic::new(trial)?;
    let mut stream = EventStream::open(trial, &mut topic, Opening::default())?;
    let token = topic.publish_token(trial)?;
    stream.await_token(trial, &token)?;
    Ok(match () {
        () if stream.head.has_token("Transfer-Encoding", "chunked") => "sends chunks",
        () if stream.head.field("Content-Length").is_some() => "ends at a length",
        () => "ends with the connection",
    })
}

fn http_1_0(trial: &mut Trial) -> Result<&'static str, Finding> {
    let mut topic = Topic::new(trial)?;
    let opening = Opening { version: "HTTP/1.0", ..Opening::default() };
    let refused = request(trial, &topic, opening)?.head.is_some_and(|head| head.status >= 400);
    if refused {
        return Ok("refuses HTTP/1.0");
    }
    let mut stream = EventStream::open(trial, &mut topic, opening)?;
    if let Some(coding) = stream.head.field("Transfer-Encoding") {
        let observed = format!("Transfer-Encoding: {coding}");
        return Err(stream.failed("a stream that ends with the connection", observed));
    }
    let token = topic.publish_token(trial)?;
    stream.await_token(trial, &token)?;
    Ok("ends with the connection")
}

fn head_request(trial: &mut Trial) -> Result<&'static str, Finding> {
    let mut topic = Topic::new(trial)?;
    let response = request(trial, &topic, Opening { method: "HEAD", ..Opening::default() })?;
    let mut connection = response.connection;
    let head = response.head.ok_or_else(|| {
        Finding::failed("a response to HEAD", "no response in time").at(connection.number(), 0)
    })?;
    let template = topic.server().stream.as_ref();
    let template = template.ok_or_else(|| Finding::NotApplicable("the server has no event stream".into()))?;
    // The next bytes must be the response to another request.
    let target = template.target(Values { topic: topic.name(), ..Values::default() });
    connection.send(&Request::get(template, &target).field(ACCEPT.0, ACCEPT.1).to_bytes())?;
    let token = topic.token();
    topic.offer(trial, token.as_bytes())?;
    let received = connection.receive(trial.after(ARRIVAL / 4))?;
    if received == Received::Data {
        let start = connection.input();
        if !start.starts_with(&b"HTTP/1."[..start.len().min(7)]) {
            let observed = format!("content: {:?}", String::from_utf8_lossy(&start[..start.len().min(100)]));
            let (number, offset) = (connection.number(), connection.consumed());
            return Err(Finding::failed("no content behind the head", observed).at(number, offset));
        }
    }
    Ok(match received {
        _ if head.status >= 400 => "refuses HEAD",
        Received::Quiet => "sends no content, and answers no further request",
        Received::Data | Received::Ended(_) => "answers without content",
    })
}
