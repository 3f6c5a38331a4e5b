//! The suite `sse`: event streams (WHATWG HTML §9.2).
//!
//! 1. `stream` — an open stream of a server; `lines` — its bytes, without interpretation.
//! 2. `server_…` — the cases for servers, a section each.

mod lines;
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
    servers.into_iter().flatten().collect()
}
