//! Section 11: which responses a client reads, follows, or ends with.
//!
//! Each case first sends a stream that asks for a reconnect after 10 ms, and then the response that
//! it is about. So a client that is not to try again has shown that it can.

use super::reader::{
    BACK_OFF, LAST, NO_RECONNECT, Received, compare, first, message, next, played, printed, printed_so_far,
};
use crate::tools::conform::case::{Case, Cases, Outcome, Requirement, Suite, allowed, informational, pass};
use crate::tools::conform::trial::{Finding, Trial};

const MEDIA_TYPE: Requirement =
    Requirement::html("9.2.3", "A client ignores the parameters of the media type text/event-stream.");
const CHARSET: Requirement =
    Requirement::html("9.2.6", "A stream is UTF-8, whatever the media type says about it.");
const FATAL: Requirement = Requirement::html(
    "9.2.3",
    "A response with another status than 200 or another media type ends the client for good.",
);
const REQUEST_LATER: Requirement =
    Requirement::may(9110, "15.6.4", "A client repeats a request that the server cannot serve temporarily.");
const TEMPORARY: Requirement =
    Requirement::may(9110, "15.5.9", "A client repeats a request whose failure may be temporary.");
const REDIRECT: Requirement =
    Requirement::may(9110, "15.4", "A client follows a redirection to the URL in Location.");

const READS: &str = "reads the stream";
const REFUSES: &str = "refuses the charset";
const STOPS: &str = "does not try again";
const RETRIES: &str = "tries again";
const FOLLOWS: &str = "follows the redirection";

/// A stream that asks for a reconnect after 10 ms. The event makes it a useful stream, so that the
/// client has no reason to wait longer.
pub(super) const RECONNECT: &[u8] = b"retry: 10\ndata: first\n\n";

/// Returns the cases of the section.
pub fn cases() -> Vec<Case> {
    let mut section = Cases::of(Suite::Sse, 11, "the responses that a client reads");
    media_types(&mut section);
    statuses(&mut section);
    redirections(&mut section);
    section.into_vec()
}

fn media_types(section: &mut Cases) {
    for (index, title, media_type) in [
        (1, "charset=utf-8", "text/event-stream; charset=utf-8"),
        (2, "a charset in quotation marks", "text/event-stream;charset=\"UTF-8\""),
        (3, "another parameter", "text/event-stream; version=1"),
        (4, "a media type in capital letters", "Text/Event-Stream"),
    ] {
        section
            .add(index, title, MEDIA_TYPE, &[pass(READS)], move |trial| read(trial, media_type, &[], READS))
            .client_only();
    }
    // A client that refuses this charset misreads nothing; a browser cannot tell it either.
    section
        .add(5, "a charset other than UTF-8", CHARSET, &[pass(READS), allowed(REFUSES)], |trial| {
            read(trial, "text/event-stream; charset=iso-8859-1", &[REFUSES], READS)
        })
        .client_only();
    for (index, title, fields) in [
        (6, "text/plain", "Content-Type: text/plain\r\n"),
        (7, "a response without a media type", ""),
        (8, "application/json", "Content-Type: application/json\r\n"),
        (9, "a longer name", "Content-Type: text/event-streams\r\n"),
    ] {
        section
            .add(index, title, FATAL, &[pass(STOPS)], move |trial| {
                let mut request = second(trial)?;
                let head = format!("HTTP/1.1 200 OK\r\n{fields}Connection: close\r\n\r\ndata: wrong\n\n");
                request.connection.send(head.as_bytes())?;
                request.connection.finish_sending();
                stops(trial)
            })
            .client_only();
    }
}

fn statuses(section: &mut Cases) {
    let only: &[Outcome] = &[pass(STOPS)];
    let later: &[Outcome] = &[pass(STOPS), allowed(RETRIES)];
    // The standard ends the client. But a program may then start another, which looks the same.
    let unclear: &[Outcome] = &[informational(STOPS), informational(RETRIES)];
    for (index, status, requirement, outcomes) in [
        (21, "204 No Content", FATAL, only),
        (22, "400 Bad Request", FATAL, only),
        (23, "401 Unauthorized", FATAL, only),
        (24, "403 Forbidden", FATAL, only),
        (25, "404 Not Found", FATAL, only),
        (26, "410 Gone", FATAL, only),
        (27, "408 Request Timeout", TEMPORARY, later),
        (28, "503 Service Unavailable", REQUEST_LATER, later),
        (29, "500 Internal Server Error", FATAL, unclear),
        (30, "502 Bad Gateway", FATAL, unclear),
        (31, "206 Partial Content", FATAL, only),
    ] {
        section
            .add(index, format!("status {status}"), requirement, outcomes, move |trial| {
                let request = second(trial)?;
                request.respond(&format!("{status}\r\nContent-Type: text/event-stream"))?;
                match next(trial, NO_RECONNECT)? {
                    None => Ok(STOPS),
                    Some(_) => Ok(RETRIES),
                }
            })
            .client_only();
    }
}

fn redirections(section: &mut Cases) {
    for (index, status) in [
        (41, "301 Moved Permanently"),
        (42, "302 Found"),
        (43, "303 See Other"),
        (44, "307 Temporary Redirect"),
        (45, "308 Permanent Redirect"),
    ] {
        let outcomes = &[pass(FOLLOWS), allowed(STOPS)];
        section
            .add(index, format!("status {status}"), REDIRECT, outcomes, move |trial| {
                first(trial)?.respond(&format!("{status}\r\nLocation: /moved"))?;
                let Some(request) = next(trial, NO_RECONNECT)? else { return Ok(STOPS) };
                let (method, path) = request.method_and_path();
                if (&*method, &*path) != ("GET", "/moved") {
                    let observed = format!("{method} {path}");
                    return Err(Finding::failed("GET /moved, or no other request", observed).at(2, 0));
                }
                compare(&played(trial, request, &[b"data: moved\n\n"])?, &[message("moved")])?;
                Ok(FOLLOWS)
            })
            .client_only();
    }
}

/// Sends a stream that asks for a reconnect, and returns the client's second request.
///
/// # Errors
/// The case is not applicable: the client does not reconnect.
pub(super) fn second(trial: &mut Trial) -> Result<Received, Finding> {
    first(trial)?.stream(&[RECONNECT])?;
    let why = "the client does not reconnect after the end of a stream";
    next(trial, BACK_OFF)?.ok_or_else(|| Finding::NotApplicable(why.into()))
}

/// Sends a stream with this media type.
fn read(
    trial: &mut Trial,
    media_type: &str,
    refusals: &[&'static str],
    reads: &'static str,
) -> Result<&'static str, Finding> {
    let mut request = first(trial)?;
    request.open_as(media_type)?;
    request.part("data: é€\n\n".as_bytes())?;
    request.part(LAST)?;
    let (events, is_complete) = printed(trial, BACK_OFF)?;
    match refusals.first() {
        Some(refusal) if events.is_empty() && !is_complete => return Ok(refusal),
        _ => compare(&events, &[message("é€")])?,
    }
    Ok(reads)
}

/// Returns that the client does not try again, and has printed nothing of the response.
fn stops(trial: &mut Trial) -> Result<&'static str, Finding> {
    if next(trial, NO_RECONNECT)?.is_some() {
        return Err(Finding::failed("no other request", "the client tries again"));
    }
    compare(&printed_so_far(trial)?, &[message("first")])?;
    Ok(STOPS)
}
