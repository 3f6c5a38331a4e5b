//! The suite `sse`: event streams (WHATWG HTML §9.2).
//!
//! 1. `stream` — an open stream of a server; `lines` — its bytes, without interpretation.
//! 2. `server_…` — the cases for servers, a section each.
//! 3. `reader` — a stream to a client under test, which prints the events.
//! 4. `client_…` — the cases for clients, a section each, from section 10 on.

mod client_fields;
mod client_lines;
mod client_reconnect;
mod client_request;
mod client_response;
mod lines;
mod reader;
mod server_accept;
mod server_data;
mod server_followers;
mod server_format;
mod server_lines;
mod server_response;
mod server_resume;
mod server_time;
mod stream;

use super::case::Case;

/// Returns the cases of the suite.
pub fn cases() -> Vec<Case> {
    let servers = [
        server_response::cases(),
        server_accept::cases(),
        server_format::cases(),
        server_lines::cases(),
        server_data::cases(),
        server_resume::cases(),
        server_followers::cases(),
        server_time::cases(),
    ];
    let clients = [
        client_request::cases(),
        client_response::cases(),
        client_lines::cases(),
        client_fields::cases(),
        client_reconnect::cases(),
    ];
    servers.into_iter().chain(clients).flatten().collect()
}
