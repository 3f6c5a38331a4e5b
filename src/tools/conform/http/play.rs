//! How a request is sent to a server, and which of its responses the RFC allows.

use std::time::Duration;

use super::cases::{Afterwards, RequestCase, RequestRule};
use super::responses::{Received, Responses};
use crate::tools::conform::case::{Level, Outcome, allowed, pass};
use crate::tools::conform::connection::{self, Connection, End};
use crate::tools::conform::exchange::{Request, ResponseReader};
use crate::tools::conform::target::{Template, Values};
use crate::tools::conform::trial::{Finding, Trial};

const REFUSES: &str = "refuses";
const ACCEPTS: &str = "accepts";
const NOT_ADVISED: &str = "does not do what is recommended";
const SILENT: &str = "closes without a response";
const RESETS: &str = "resets the connection, which may have destroyed the response";
const WAITS: &str = "waits for more";
const HEADLESS: &str = "sends a response without a head";
const LENGTH_REQUIRED: &str = "requires a length (RFC 9112 §6.3)";
const MISDIRECTED: &str = "does not serve this host (RFC 9110 §7.4)";

/// The time after which a server that sends nothing, and keeps the connection open, waits for more.
const QUIET: Duration = Duration::from_secs(3);

/// The most bytes of all responses in a case.
const MAX_BYTES: usize = 8 << 20;

const VALUES: Values<'static> = Values { topic: "conform-http", cursor: "", wait: None };

/// Returns the outcomes of a case that are no failures.
pub fn outcomes(case: &RequestCase) -> Vec<Outcome> {
    match (case.rule, case.level) {
        // A reset may overtake the response on the way (RFC 9112 §9.6).
        (RequestRule::Refuse, Level::Must) if case.demands_response() => vec![pass(REFUSES), allowed(RESETS)],
        (RequestRule::Refuse, Level::Must) => vec![pass(REFUSES), allowed(SILENT), allowed(RESETS)],
        (RequestRule::Refuse, _) => {
            vec![pass(REFUSES), allowed(NOT_ADVISED), allowed(SILENT), allowed(RESETS), allowed(WAITS)]
        }
        (RequestRule::Accept, Level::Must) => {
            vec![pass(ACCEPTS), allowed(LENGTH_REQUIRED), allowed(MISDIRECTED)]
        }
        (RequestRule::Accept, _) => vec![pass(ACCEPTS), allowed(NOT_ADVISED)],
        // A server that refuses cannot be misread by another one.
        (RequestRule::Either, _) => {
            let others = [ACCEPTS, SILENT, RESETS, WAITS, HEADLESS].map(allowed);
            [pass(REFUSES)].into_iter().chain(others).collect()
        }
    }
}

/// Plays a case: sends the request and, in the same write, a last and correct one, which asks the
/// server to close. A response to the last request shows that the server has read the case to its
/// end, or as far as it believes that the case goes. No request may follow a correct one after
/// which the connection ends.
pub fn play(case: &RequestCase, trial: &mut Trial<'_>) -> Result<&'static str, Finding> {
    let server = trial.server()?;
    let missing = || Finding::NotApplicable("no resource is known that answers GET".into());
    let get = server.get.as_ref().ok_or_else(missing)?;
    let post = server.post.as_ref().unwrap_or(get);
    let is_post = case.bytes().starts_with(b"POST ");
    check_resource(trial, if is_post { post } else { get }, is_post)?;
    let (post_target, get_target) = (post.target(VALUES), get.target(VALUES));
    let mut bytes = case.bytes_for(&post_target, &get_target, &get.authority);
    let last = Request::get(get, &get_target).field("Connection", "close");
    if !ends_correctly(case) {
        bytes.extend_from_slice(&last.to_bytes());
    }
    let mut connection = trial.connect(if is_post { post } else { get }.address)?;
    connection.send(&bytes)?;
    let end = read(&mut connection, trial)?;
    let responses = Responses::parse(connection.input(), case.bytes().starts_with(b"HEAD "));
    check_interim(case, &responses, &connection)?;
    check_end(case, &responses, end, &connection)?;
    check_all_accepted(case, &responses, end)?;
    let outcome = outcome(case, &responses, end);
    match outcomes(case).iter().any(|known| known.name == outcome) {
        true => Ok(outcome),
        false => Err(unexpected(case, outcome, &responses, &connection)),
    }
}

/// Checks that the server accepts a plain request of this method, so that a refusal of the case
/// says something about the case.
fn check_resource(trial: &Trial<'_>, template: &Template, is_post: bool) -> Result<(), Finding> {
    let target = template.target(VALUES);
    let plain = Request::get(template, &target).field("Connection", "close");
    let request = match is_post {
        true => Request { method: "POST", content: Some(b"hello"), ..plain },
        false => plain,
    };
    let mut connection = trial.connect(template.address)?;
    connection.send(&request.to_bytes())?;
    let status = ResponseReader::new(request.method).head(&mut connection, trial.after(QUIET))?.status;
    if status < 400 {
        return Ok(());
    }
    let (method, option) = (request.method, if is_post { "--post" } else { "--get" });
    Err(Finding::NotApplicable(format!(
        "the server responds {status} to a plain {method}: name another resource with {option}"
    )))
}

/// Reads all that the server sends, and returns how it ended the connection, or `None` if it keeps
/// it open.
///
/// # Errors
/// A finding: the server sends more than a few responses need.
fn read(connection: &mut Connection, trial: &Trial<'_>) -> Result<Option<End>, Finding> {
    loop {
        if connection.input().len() > MAX_BYTES {
            let observed = format!("more than {MAX_BYTES} bytes");
            return Err(Finding::failed("the responses to a few requests", observed));
        }
        match connection.receive(trial.after(QUIET))? {
            connection::Received::Data => {}
            connection::Received::Ended(end) => return Ok(Some(end)),
            connection::Received::Quiet => return Ok(None),
        }
    }
}

fn check_interim(case: &RequestCase, responses: &Responses, connection: &Connection) -> Result<(), Finding> {
    let line_end = case.bytes().iter().position(|byte| *byte == b'\r').unwrap_or(0);
    match responses.interim {
        Some(interim) if case.bytes()[..line_end].ends_with(b" HTTP/1.0") => {
            let expected = "no interim response to a request in HTTP/1.0 (RFC 9110 §15.2)";
            Err(failed(expected, &interim, connection))
        }
        _ => Ok(()),
    }
}

/// Checks what the case says about the connection, and about hidden requests.
fn check_end(
    case: &RequestCase,
    responses: &Responses,
    end: Option<End>,
    connection: &Connection,
) -> Result<(), Finding> {
    let finals = &responses.finals;
    match (case.afterwards, finals.get(1), finals.last()) {
        (Afterwards::Ended, Some(second), _) => {
            return Err(failed("the end of the connection after the first response", second, connection));
        }
        (Afterwards::Ended, None, first) if end.is_none() => {
            let expected = "the end of the connection";
            let observed = match first {
                Some(first) => format!("{first}, and the connection stays open"),
                None => "no response, and the connection stays open".into(),
            };
            return Err(Finding::failed(expected, observed));
        }
        (Afterwards::NoFurtherRequest, Some(_), Some(last)) if last.status < 400 => {
            return Err(failed("no response to a further request", last, connection));
        }
        _ => {}
    }
    // The last request may have a response too.
    match case.most.and_then(|most| finals.get(most + 1)) {
        Some(response) => Err(failed("no response to a hidden request", response, connection)),
        None => Ok(()),
    }
}

/// Checks that a server that accepts a case reads it to its end and no further.
fn check_all_accepted(case: &RequestCase, responses: &Responses, end: Option<End>) -> Result<(), Finding> {
    let (count, expected) = (responses.finals.len(), case.requests + usize::from(!ends_correctly(case)));
    let is_accepted = responses.finals.iter().all(|response| response.status < 400);
    if case.rule != RequestRule::Accept || !is_accepted || count == 0 {
        return Ok(());
    }
    if responses.is_headless {
        let observed = "bytes after a response that are no other response";
        return Err(Finding::failed("responses that obey HTTP/1.1", observed));
    }
    // A server may close at any time (RFC 9112 §9.5).
    if count < expected && end.is_none() {
        let observed = format!("{count}, and the server waits for more");
        return Err(Finding::failed(format!("{expected} responses"), observed));
    }
    Ok(())
}

fn ends_correctly(case: &RequestCase) -> bool {
    case.rule == RequestRule::Accept && case.afterwards == Afterwards::Ended
}

fn outcome(case: &RequestCase, responses: &Responses, end: Option<End>) -> &'static str {
    // A server that accepts a malformed request may refuse what it takes for another one after it.
    let count = if case.rule == RequestRule::Accept { usize::MAX } else { case.requests.max(1) };
    let refusal = responses.finals.iter().take(count).find(|response| response.status >= 400);
    match (refusal, responses.finals.is_empty()) {
        (None, false) if case.rule == RequestRule::Refuse && case.level == Level::Should => NOT_ADVISED,
        (None, false) => ACCEPTS,
        (Some(refusal), _) if case.rule == RequestRule::Accept => match refusal.status {
            411 => LENGTH_REQUIRED,
            421 => MISDIRECTED,
            _ if case.level == Level::Should => NOT_ADVISED,
            _ => REFUSES,
        },
        (Some(_), _) => REFUSES,
        (None, true) if responses.is_headless => HEADLESS,
        (None, true) => match end {
            None => WAITS,
            Some(End::Closed) => SILENT,
            Some(End::Reset) => RESETS,
        },
    }
}

fn unexpected(case: &RequestCase, outcome: &str, responses: &Responses, connection: &Connection) -> Finding {
    let expected = match case.rule {
        RequestRule::Refuse => "a response with a status of 400 or more",
        _ => "a response with a status below 400",
    };
    let shown = match case.rule {
        RequestRule::Accept => responses.finals.iter().find(|response| response.status >= 400),
        _ => responses.finals.iter().take(case.requests.max(1)).next_back(),
    };
    match shown {
        Some(response) => failed(expected, response, connection),
        None => Finding::failed(expected, format!("the server {outcome}")),
    }
}

fn failed(expected: &str, observed: &Received, connection: &Connection) -> Finding {
    Finding::failed(expected, observed).at(connection.number(), observed.offset)
}
