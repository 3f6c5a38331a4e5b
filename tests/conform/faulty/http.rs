//! The requests of a connection, one after the other.

use std::io;
use std::time::SystemTime;

use barewire::protocol::http::{PROBLEM_JSON, ResponseHead, Status, write_date, write_problem};

use super::connection::Connection;
use super::request::{self, Request, Unreadable};
use super::{Fault, handshake, hold, respond};

/// What happens to the connection after a response.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Next {
    Request,
    Close,
}

/// The content of a refusal, with the fields that belong to its status.
pub struct Refusal(pub Status, pub &'static str, pub &'static [(&'static str, &'static str)]);

const UPGRADE: &[(&str, &str)] =
    &[("Sec-WebSocket-Version", "13"), ("Upgrade", "websocket"), ("Connection", "Upgrade")];
const OF_TOPIC: &[(&str, &str)] = &[("Allow", "GET, HEAD, POST, OPTIONS")];
const OF_OTHERS: &[(&str, &str)] = &[("Allow", "GET, HEAD, OPTIONS")];

/// Returns the refusal of a handshake with another version, or of a request without a handshake.
pub fn upgrade_required() -> Refusal {
    Refusal(Status::UPGRADE_REQUIRED, "The target speaks only WebSocket, version 13.", UPGRADE)
}

/// Serves requests until the connection ends.
pub fn serve(mut connection: Connection) {
    loop {
        let request = match request::read(&mut connection) {
            Ok(request) => request,
            Err(Unreadable::Ended) => return,
            Err(Unreadable::Invalid(status, detail)) => {
                let content = problem(status, &detail);
                let is_hidden = connection.has(Fault::AnswersInvalidRequests);
                let status = if is_hidden { Status::OK } else { status };
                let response = response(None, status, &[("Content-Type", PROBLEM_JSON)], Some(&content));
                if connection.write(&response).is_ok() {
                    connection.close();
                }
                return;
            }
        };
        if connection.has(Fault::LosesPipelinedRequests) {
            connection.received.clear();
        }
        match answer(&mut connection, &request) {
            Ok(Next::Request) if !connection.has(Fault::ClosesWithoutNotice) => {}
            Ok(_) => return connection.close(),
            Err(_) => return,
        }
    }
}

/// Answers one request.
fn answer(connection: &mut Connection, request: &Request) -> io::Result<Next> {
    let methods = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT"];
    if !methods.contains(&&request.method[..]) {
        let refusal = Refusal(Status::NOT_IMPLEMENTED, "The method is not known.", &[]);
        return refuse(connection, request, &refusal);
    }
    let method = &request.method[..];
    let topic = request.path.strip_prefix("/topics/");
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"._~-".contains(&byte);
    match (topic, method) {
        (_, "OPTIONS") => {
            let allow = if topic.is_some() { OF_TOPIC } else { OF_OTHERS };
            finish(connection, request, Status::NO_CONTENT, allow, None)
        }
        (Some(topic), _) if topic.is_empty() || topic.len() > 64 || !topic.bytes().all(is_name) => {
            let detail = "The topic name must be 1 to 64 characters of A-Z a-z 0-9 . _ ~ -";
            refuse(connection, request, &Refusal(Status::BAD_REQUEST, detail, &[]))
        }
        (Some(topic), "POST") => respond::publish(connection, request, topic),
        (Some(topic), "GET" | "HEAD") => hold::follow(connection, request, topic),
        (Some(_), _) => {
            refuse(connection, request, &Refusal(Status::METHOD_NOT_ALLOWED, "Use GET or POST.", OF_TOPIC))
        }
        (None, "POST") if request.path == "/echo" && connection.has(Fault::AcceptsPostHandshake) => {
            handshake::open(connection, request)
        }
        (None, "GET" | "HEAD") => match &request.path[..] {
            "/echo" if method == "GET" => handshake::open(connection, request),
            "/echo" => refuse(connection, request, &upgrade_required()),
            "/" => {
                let fields = [("Content-Type", "text/html; charset=utf-8")];
                finish(
                    connection,
                    request,
                    Status::OK,
                    &fields,
                    Some(b"<!doctype html><title>Faulty</title>"),
                )
            }
            "/health" => {
                let fields = [("Content-Type", "application/json")];
                finish(connection, request, Status::OK, &fields, Some(b"{\"status\":\"ok\"}"))
            }
            _ => refuse(connection, request, &Refusal(Status::NOT_FOUND, "No resource has this path.", &[])),
        },
        (None, _) if matches!(&request.path[..], "/echo" | "/" | "/health" | "*") => {
            refuse(connection, request, &Refusal(Status::METHOD_NOT_ALLOWED, "Use GET.", OF_OTHERS))
        }
        (None, _) => {
            refuse(connection, request, &Refusal(Status::NOT_FOUND, "No resource has this path.", &[]))
        }
    }
}

/// Writes the response of a request that is not served.
pub fn refuse(connection: &mut Connection, request: &Request, refusal: &Refusal) -> io::Result<Next> {
    let Refusal(status, detail, fields) = refusal;
    let content = problem(*status, detail);
    let fields = [&[("Content-Type", PROBLEM_JSON)][..], fields].concat();
    finish(connection, request, *status, &fields, Some(&content))
}

/// Writes a complete response.
pub fn finish(
    connection: &mut Connection,
    request: &Request,
    status: Status,
    fields: &[(&str, &str)],
    content: Option<&[u8]>,
) -> io::Result<Next> {
    let mut out = response(Some(request), status, fields, content);
    if request.method == "HEAD" && !connection.has(Fault::SendsContentForHead) {
        out.truncate(out.len() - content.unwrap_or_default().len());
    }
    if connection.has(Fault::WrongContentLength) && request.method == "GET" {
        let length = content.unwrap_or_default().len();
        out =
            replaced(&out, &format!("Content-Length: {length}"), &format!("Content-Length: {}", length - 1));
    }
    connection.write(&out)?;
    let persists = request.persists || connection.has(Fault::IgnoresConnectionClose);
    Ok(if persists { Next::Request } else { Next::Close })
}

/// Returns `bytes` with `old` replaced by `new`, once.
pub fn replaced(bytes: &[u8], old: &str, new: &str) -> Vec<u8> {
    let at = bytes.windows(old.len()).position(|window| window == old.as_bytes());
    match at {
        Some(at) => [&bytes[..at], new.as_bytes(), &bytes[at + old.len()..]].concat(),
        None => bytes.to_owned(),
    }
}

/// Returns a response. Without a request, the connection ends.
pub fn response(
    request: Option<&Request>,
    status: Status,
    fields: &[(&str, &str)],
    content: Option<&[u8]>,
) -> Vec<u8> {
    let mut out = Vec::new();
    let mut head = start(request, &mut out, status);
    for (name, value) in fields {
        head = head.field(name, value);
    }
    match content {
        Some(content) => {
            head.length(content.len()).end();
            out.extend_from_slice(content);
        }
        None => head.end(),
    }
    out
}

/// Writes the status line and the fields of every response.
pub fn start<'o>(request: Option<&Request>, out: &'o mut Vec<u8>, status: Status) -> ResponseHead<'o> {
    let mut date = Vec::new();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    write_date(now.map_or(0, |now| now.as_secs()), &mut date);
    let is_topic = request.is_some_and(|request| request.path.starts_with("/topics/"));
    let vary = if is_topic { "Accept, Prefer, Last-Event-ID, Origin" } else { "Origin" };
    let head = ResponseHead::start(out, status).field("Date", date).field("Vary", vary);
    match request {
        Some(request) if request.persists => match request.version {
            barewire::protocol::http::Version::Http10 => head.field("Connection", "keep-alive"),
            barewire::protocol::http::Version::Http11 => head,
        },
        _ => head.field("Connection", "close"),
    }
}

fn problem(status: Status, detail: &str) -> Vec<u8> {
    let mut content = Vec::new();
    write_problem(status, detail, &mut content);
    content
}
