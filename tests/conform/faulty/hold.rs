//! The ways to follow a topic: a response at once, a held response, and an event stream.

use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

use barewire::protocol::http::{LAST_CHUNK, Status, Version, chunk, fields};

use super::Fault;
use super::connection::Connection;
use super::http::{self, Next, Refusal, refuse};
use super::request::Request;
use super::respond;
use super::topics::{self, Event, Placement, Since};

/// The longest wait of a poll, in seconds.
const MAX_WAIT: u64 = 60;
/// How much longer a faulty poll waits.
const TOO_LONG: Duration = Duration::from_secs(4);
/// How long a thread waits before it checks whether the client is still there.
const CHECK: Duration = Duration::from_millis(50);
/// The time between two heartbeats of an idle stream.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// Answers a request that follows a topic.
pub fn follow(connection: &mut Connection, request: &Request, topic: &str) -> io::Result<Next> {
    let is_head = request.method == "HEAD";
    if (!is_head || connection.has(Fault::StreamsToHead)) && prefers_stream(connection, request) {
        return stream(connection, request, topic);
    }
    let parameter = request.parameter("wait");
    let is_number = |wait: &&str| !wait.is_empty() && wait.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = parameter.as_deref().filter(is_number).map(|wait| wait.parse().unwrap_or(MAX_WAIT));
    if parameter.is_some() && seconds.is_none() && !connection.has(Fault::AcceptsAnyWait) {
        let refusal = Refusal(Status::BAD_REQUEST, "The wait must be a whole number of seconds.", &[]);
        return refuse(connection, request, &refusal);
    }
    let preferred = fields::prefer_wait(request.all("prefer")).filter(|_| parameter.is_none());
    let wait = seconds.or(preferred).map(|wait| wait.min(MAX_WAIT)).filter(|_| !is_head);
    let applied = preferred.and(wait);

    let default = if wait.is_some() { Since::Now } else { Since::Start };
    let since = match cursor(request, default) {
        Since::After(_) if wait.is_some() && connection.has(Fault::LosesEventsBetweenPolls) => Since::Now,
        since => since,
    };
    let mut placement = place(connection, topic, since);
    if placement.gap.is_some() && connection.has(Fault::FailsAtUnreadableCursors) {
        let refusal = Refusal(Status::INTERNAL_SERVER_ERROR, "The cursor is unreadable.", &[]);
        return refuse(connection, request, &refusal);
    }
    if connection.has(Fault::RepeatsCursorEvent) {
        placement.after = placement.after.saturating_sub(1);
    }
    let events = match wait {
        Some(wait) if placement.gap.is_none() => hold(connection, topic, placement.after, wait)?,
        _ => connection.shared.topics.after(topic, placement.after),
    };
    respond::poll(connection, request, &placement, events, applied)
}

fn prefers_stream(connection: &Connection, request: &Request) -> bool {
    let accept = || request.all("accept");
    let json = fields::quality(accept(), "application", "json");
    let stream = fields::explicit_quality(accept(), "text", "event-stream");
    if connection.has(Fault::StreamsJson)
        && fields::explicit_quality(accept(), "application", "json").is_some()
    {
        return true;
    }
    stream.is_some_and(|stream| connection.has(Fault::IgnoresWeights) || (stream > 0 && stream >= json))
}

fn cursor(request: &Request, default: Since) -> Since {
    if let Some(id) = request.all("last-event-id").next().filter(|id| !id.is_empty()) {
        return Since::After(String::from_utf8_lossy(id).into_owned());
    }
    match request.parameter("since").as_deref() {
        None | Some("") => default,
        Some("start") => Since::Start,
        Some("now") => Since::Now,
        Some(id) => Since::After(id.to_owned()),
    }
}

fn place(connection: &Connection, topic: &str, since: Since) -> Placement {
    connection.shared.topics.place(topic, since)
}

/// Waits for events, for at most `seconds`.
fn hold(connection: &mut Connection, topic: &str, after: u64, seconds: u64) -> io::Result<Vec<Event>> {
    if connection.has(Fault::NeverHoldsPolls) {
        return Ok(connection.shared.topics.after(topic, after));
    }
    let is_too_long = connection.has(Fault::HoldsPollsTooLong);
    let extra = if is_too_long { TOO_LONG } else { Duration::ZERO };
    let deadline = Instant::now() + Duration::from_secs(seconds) + extra;
    if !connection.shared.topics.after(topic, after).is_empty() {
        return Ok(connection.shared.topics.after(topic, after));
    }
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let events = if connection.has(Fault::HoldsPollsDespiteEvents) {
            std::thread::sleep(left.min(CHECK));
            Vec::new()
        } else {
            connection.shared.topics.wait_after(topic, after, left.min(CHECK))
        };
        if !events.is_empty() || left.is_zero() {
            break;
        }
        check(connection)?;
    }
    if connection.has(Fault::LosesRequestBehindPoll) {
        // The bytes that have arrived meanwhile are read and dropped.
        let _ = connection.read_until(Instant::now());
        connection.received.clear();
    }
    Ok(connection.shared.topics.after(topic, after))
}

/// Fails if the client is gone or the server stops.
fn check(connection: &mut Connection) -> io::Result<()> {
    if connection.shared.is_stopped() || connection.is_closed() {
        return Err(ErrorKind::ConnectionAborted.into());
    }
    Ok(())
}

/// Sends events until the client is gone.
fn stream(connection: &mut Connection, request: &Request, topic: &str) -> io::Result<Next> {
    let since = cursor(request, Since::Now);
    let is_resume = matches!(since, Since::After(_));
    let placement = place(connection, topic, since);
    let is_chunked = request.version == Version::Http11;
    let kind = match connection.shared.fault {
        Some(Fault::WrongMediaType) => "text/plain",
        Some(Fault::WrongCharset) => "text/event-stream; charset=iso-8859-1",
        _ => "text/event-stream",
    };
    let mut out = Vec::new();
    let mut head = http::start(Some(request), &mut out, Status::OK).field("Content-Type", kind);
    head = head.field("Cache-Control", "no-store, no-transform").field("X-Accel-Buffering", "no");
    if is_chunked {
        head.field("Transfer-Encoding", "chunked").end()
    } else {
        head.end()
    }
    let mut after = placement.after;
    write_part(is_chunked, &first_block(connection, &placement), &mut out);
    connection.write(&out)?;

    if is_resume && connection.has(Fault::RepeatsEventAtResume) {
        after = after.saturating_sub(1);
    }
    if is_resume && connection.has(Fault::LosesEventAtResume) {
        after = connection.shared.topics.after(topic, after).first().map_or(after, |event| event.sequence);
    }
    let mut last_write = Instant::now();
    loop {
        let mut events = connection.shared.topics.wait_after(topic, after, CHECK);
        if connection.has(Fault::DelaysEvents) {
            events.pop();
            std::thread::sleep(CHECK);
        }
        let mut part = Vec::new();
        for event in &events {
            write_event(connection, event, &mut part);
            after = event.sequence;
        }
        if part.is_empty() && last_write.elapsed() >= HEARTBEAT {
            part.extend_from_slice(b":\n\n");
        }
        if !part.is_empty() {
            let mut out = Vec::new();
            write_part(is_chunked, &part, &mut out);
            connection.write(&out)?;
            last_write = Instant::now();
        }
        if connection.shared.is_stopped() && is_chunked {
            connection.write(LAST_CHUNK)?;
            return Ok(Next::Close);
        }
        check(connection)?;
    }
}

fn write_part(is_chunked: bool, part: &[u8], out: &mut Vec<u8>) {
    if is_chunked {
        chunk(out, |out| out.extend_from_slice(part));
    } else {
        out.extend_from_slice(part);
    }
}

/// Returns the block that tells the client when to return and where it starts.
fn first_block(connection: &Connection, placement: &Placement) -> Vec<u8> {
    let mut block = "retry: 100\n".to_owned();
    if !connection.has(Fault::SendsNoIds) {
        block += &format!("id: {}\n", topics::id(placement.after));
    }
    if let Some((since, oldest)) = &placement.gap {
        let mut json = Vec::new();
        barewire::protocol::json::write_string(since, &mut json);
        let since = String::from_utf8(json).expect("JSON is UTF-8");
        let oldest = oldest.map_or("null".into(), |oldest| format!("\"{}\"", topics::id(oldest)));
        block += &format!("event: gap\ndata: {{\"since\":{since},\"oldest\":{oldest}}}\n");
    }
    (block + "\n").into_bytes()
}

fn write_event(connection: &Connection, event: &Event, out: &mut Vec<u8>) {
    let mut block = String::new();
    if !connection.has(Fault::SendsNoIds) {
        block += &format!("id: {}\n", topics::id(event.sequence));
    }
    if event.name != "message" {
        block += &format!("event: {}\n", event.name);
    }
    let separator = if connection.has(Fault::SendsRawLines) { "\n" } else { "\ndata: " };
    block += &format!("data: {}\n\n", event.data.replace('\n', separator));
    out.extend_from_slice(block.as_bytes());
}
