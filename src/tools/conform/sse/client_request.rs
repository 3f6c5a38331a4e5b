//! Section 10: the request of a client.

use super::reader::{first, played};
use crate::tools::conform::case::{Case, Cases, Requirement, Suite, allowed, pass};
use crate::tools::conform::trial::Finding;

const GET: Requirement = Requirement::html("9.2.2", "A client requests an event stream with GET.");
const ACCEPT: Requirement =
    Requirement::html("9.2.2", "The request has the field Accept with the value text/event-stream.");
const NO_STORE: Requirement =
    Requirement::html("9.2.2", "A client does not let a cache respond: its cache mode is no-store.");
const NO_ID: Requirement = Requirement::html(
    "9.2.3",
    "The request has the field Last-Event-ID only if the last event ID is not empty.",
);

/// Returns the cases of the section.
pub fn cases() -> Vec<Case> {
    let mut cases = Cases::of(Suite::Sse, 10, "the request of a client");
    cases
        .add(1, "method and path", GET, &[pass("sends GET to the path of the URL")], |trial| {
            let request = first(trial)?;
            let (method, path) = request.method_and_path();
            let is_path = path == "/events" || path.starts_with("/events?");
            played(trial, request, &[])?;
            match method == "GET" && is_path {
                true => Ok("sends GET to the path of the URL"),
                false => Err(Finding::failed("GET /events", format!("{method} {path}")).at(1, 0)),
            }
        })
        .client_only();
    let outcomes = &[pass("accepts event streams"), allowed("accepts anything")];
    cases
        .add(2, "Accept", ACCEPT, outcomes, |trial| {
            let request = first(trial)?;
            let accept = request.field("Accept");
            played(trial, request, &[])?;
            let accept = accept.map(|accept| String::from_utf8_lossy(&accept).to_ascii_lowercase());
            match accept.as_deref() {
                Some(accept) if accept.contains("text/event-stream") => Ok("accepts event streams"),
                None => Ok("accepts anything"),
                Some(accept) if accept.contains("*/*") || accept.contains("text/*") => Ok("accepts anything"),
                Some(accept) => Err(Finding::failed("text/event-stream in Accept", accept).at(1, 0)),
            }
        })
        .client_only();
    let outcomes = &[pass("tells caches not to respond"), allowed("tells caches nothing")];
    cases
        .add(3, "Cache-Control", NO_STORE, outcomes, |trial| {
            let request = first(trial)?;
            let control = request.field("Cache-Control").unwrap_or_default();
            played(trial, request, &[])?;
            let control = String::from_utf8_lossy(&control).to_ascii_lowercase();
            // Fetch sends no-cache for the cache mode no-store.
            Ok(match control.contains("no-store") || control.contains("no-cache") {
                true => "tells caches not to respond",
                false => "tells caches nothing",
            })
        })
        .client_only();
    cases
        .add(4, "Last-Event-ID before the first event", NO_ID, &[pass("sends no ID")], |trial| {
            let request = first(trial)?;
            let id = request.field("Last-Event-ID");
            played(trial, request, &[])?;
            match id {
                None => Ok("sends no ID"),
                Some(id) => Err(Finding::failed("no Last-Event-ID", String::from_utf8_lossy(&id)).at(1, 0)),
            }
        })
        .client_only();
    cases.into_vec()
}
