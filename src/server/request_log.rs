//! The log of requests, as the server sees it: a program decides what a line looks like and where
//! it goes. The access log is one.

use std::net::SocketAddr;
use std::time::Duration;

use crate::protocol::http::Status;
use crate::transport::Purpose;

/// A request that was answered. It has no query, so it cannot contain a token.
pub struct LoggedRequest<'a> {
    /// The client's address, as long as it is known.
    pub peer: Option<SocketAddr>,
    /// The method; `-` for a request that cannot be parsed.
    pub method: &'a str,
    /// The target's path; `-` for a request that cannot be parsed.
    pub path: &'a str,
    /// The status.
    pub status: Status,
    /// The purpose of the request.
    pub purpose: Purpose,
    /// How long the request waited for its response, in tenths of a second.
    pub ticks: u32,
}

/// Receives every answered request. All calls happen inside the loop iteration, so a log must not
/// wait for anything.
pub trait RequestLog {
    /// Adds a request to this iteration.
    fn add(&mut self, request: &LoggedRequest<'_>);

    /// Adds a handler of the application that took longer than allowed. `route` is its method and
    /// path, as the application names them.
    fn add_slow_handler(&mut self, route: &str, took: Duration) {
        let _ = (route, took);
    }

    /// Called when a loop iteration ends, to write its requests together.
    fn flush(&mut self);

    /// Returns how many lines were dropped since the start.
    fn dropped(&self) -> u64;

    /// Called when the server has ended. The log may wait here for its last lines.
    fn finish(&mut self);
}
