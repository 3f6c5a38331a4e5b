//! Section 7: responses, and connections that persist (RFC 9110 §9.3.2, §10.1.1, RFC 9112 §9).
//!
//! The other sections ask which requests a server accepts. These cases ask how it responds.

use std::time::Duration;

use crate::tools::conform::case::{Case, Cases, Requirement, Suite, allowed, pass};
use crate::tools::conform::connection::{Connection, Received};
use crate::tools::conform::exchange::{Request, ResponseHead, ResponseReader};
use crate::tools::conform::target::{Template, Values};
use crate::tools::conform::trial::{Finding, Trial};

/// The time that a response may take.
const RESPONSE_TIME: Duration = Duration::from_secs(3);

const VALUES: Values<'static> = Values { topic: "conform-http", cursor: "", wait: None };

const HEAD_HAS_NO_CONTENT: Requirement = Requirement::must(
    9110,
    "9.3.2",
    "The response to HEAD is the head that GET would receive, without content.",
);
const PIPELINED: Requirement =
    Requirement::must(9112, "9.3.2", "A server responds to requests in the order in which they arrive.");
const PERSISTS: Requirement = Requirement::must(
    9112,
    "9.3",
    "A server that does not keep the connection sends Connection: close in its response.",
);
const CLOSES: Requirement = Requirement::must(
    9112,
    "9.6",
    "A server closes the connection after the response to a request with Connection: close.",
);
const CONTINUES: Requirement = Requirement::must(
    9110,
    "10.1.1",
    "A server responds to Expect: 100-continue with 100 or a final status before the content arrives.",
);

/// The start of the interim response that asks for the content.
const CONTINUE: &[u8] = b"HTTP/1.1 100 ";

const CLOSES_EARLY: &str = "announces the end of the connection in the first response";

/// Returns the cases of the section.
pub fn cases() -> Vec<Case> {
    let mut cases = Cases::of(Suite::Http, 7, "responses");
    cases
        .add(1, "HEAD, and GET in the same write", HEAD_HAS_NO_CONTENT, &[pass("sends no content")], head)
        .server_only();
    let outcomes = [pass("responds to all requests"), allowed(CLOSES_EARLY)];
    cases
        .add(2, "three requests in one write", PIPELINED, &outcomes, |trial| requests(trial, true))
        .server_only();
    cases
        .add(3, "three requests, one after the other", PERSISTS, &outcomes, |trial| requests(trial, false))
        .server_only();
    cases.add(4, "a request that asks to close", CLOSES, &[pass("closes")], closes).server_only();
    let outcomes = [pass("asks for the content"), allowed("responds without the content")];
    cases.add(5, "a client that waits for 100", CONTINUES, &outcomes, continues).server_only();
    cases.into_vec()
}

fn get<'t>(trial: &Trial<'t>) -> Result<&'t Template, Finding> {
    let get = trial.server()?.get.as_ref();
    get.ok_or_else(|| Finding::NotApplicable("no resource is known that answers GET".into()))
}

/// Reads a response, with its content.
fn read(connection: &mut Connection, method: &str, trial: &Trial<'_>) -> Result<ResponseHead, Finding> {
    let until = trial.after(RESPONSE_TIME);
    let mut reader = ResponseReader::new(method);
    let head = reader.head(connection, until)?;
    reader.all(connection, until)?;
    Ok(head)
}

/// Waits for the end of the connection, before which the server sends nothing more.
fn read_end(connection: &mut Connection, trial: &Trial<'_>) -> Result<(), Finding> {
    let expected = "the end of the connection after the response";
    let failed = |observed: &str, connection: &Connection| {
        Finding::failed(expected, observed).at(connection.number(), connection.consumed())
    };
    if !connection.input().is_empty() {
        return Err(failed("more bytes than the response has", connection));
    }
    match connection.receive(trial.after(RESPONSE_TIME))? {
        Received::Ended(_) => Ok(()),
        Received::Data => Err(failed("more bytes than the response has", connection)),
        Received::Quiet => Err(failed("the connection stays open", connection)),
    }
}

fn head(trial: &mut Trial<'_>) -> Result<&'static str, Finding> {
    let template = get(trial)?;
    let target = template.target(VALUES);
    let head = Request { method: "HEAD", ..Request::get(template, &target) };
    let last = Request::get(template, &target).field("Connection", "close");
    let mut connection = trial.connect(template.address)?;
    connection.send(&[head.to_bytes(), last.to_bytes()].concat())?;
    let of_head = read(&mut connection, "HEAD", trial)?;
    // Without content, the next byte is that of the next response.
    if of_head.has_token("Connection", "close") {
        read_end(&mut connection, trial)?;
        return Ok("sends no content");
    }
    read(&mut connection, "GET", trial)?;
    Ok("sends no content")
}

/// Sends three requests, `at_once` or each after the response to the one before.
fn requests(trial: &mut Trial<'_>, at_once: bool) -> Result<&'static str, Finding> {
    let template = get(trial)?;
    let target = template.target(VALUES);
    let request = Request::get(template, &target).to_bytes();
    let last = Request::get(template, &target).field("Connection", "close").to_bytes();
    let all = [&request, &request, &last];
    let mut connection = trial.connect(template.address)?;
    if at_once {
        connection.send(&all.map(|request| &request[..]).concat())?;
    }
    for (index, request) in all.into_iter().enumerate() {
        if !at_once {
            connection.send(request)?;
        }
        let head = read(&mut connection, "GET", trial)?;
        if head.has_token("Connection", "close") && index + 1 < all.len() {
            read_end(&mut connection, trial)?;
            return Ok(CLOSES_EARLY);
        }
    }
    read_end(&mut connection, trial)?;
    Ok("responds to all requests")
}

fn closes(trial: &mut Trial<'_>) -> Result<&'static str, Finding> {
    let template = get(trial)?;
    let target = template.target(VALUES);
    let mut connection = trial.connect(template.address)?;
    connection.send(&Request::get(template, &target).field("Connection", "close").to_bytes())?;
    read(&mut connection, "GET", trial)?;
    read_end(&mut connection, trial)?;
    Ok("closes")
}

fn continues(trial: &mut Trial<'_>) -> Result<&'static str, Finding> {
    let template = trial.server()?.post.as_ref();
    let template =
        template.ok_or_else(|| Finding::NotApplicable("no resource is known that answers POST".into()))?;
    let target = template.target(VALUES);
    let request = Request { method: "POST", content: Some(b"hello"), ..Request::get(template, &target) };
    let bytes = request.field("Connection", "close").field("Expect", "100-continue").to_bytes();
    let (head, content) = bytes.split_at(bytes.len() - b"hello".len());
    let mut connection = trial.connect(template.address)?;
    connection.send(head)?;
    let (expected, until) = ("a response before the content", trial.after(RESPONSE_TIME));
    while connection.input().len() < CONTINUE.len() {
        match connection.receive(until)? {
            Received::Data => {}
            Received::Ended(end) => return Err(Finding::failed(expected, end)),
            Received::Quiet => return Err(Finding::failed(expected, "no response in time")),
        }
    }
    if !connection.input().starts_with(CONTINUE) {
        read(&mut connection, "POST", trial)?;
        return Ok("responds without the content");
    }
    connection.send(content)?;
    read(&mut connection, "POST", trial)?;
    Ok("asks for the content")
}
