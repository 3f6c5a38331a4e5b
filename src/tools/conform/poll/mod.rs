//! The suites `long-poll` and `short-poll`.
//!
//! `poller` is a client that polls; the other files have the cases, a section each. Short polls and
//! long polls are requests of the same resource; a long poll has the parameter with `{wait}`.

mod http;
mod long_delivery;
mod long_hold;
mod long_leave;
mod poller;
mod short_delivery;
mod validation;

use super::case::{Case, Suite};

/// Returns the cases of both suites.
pub fn cases() -> Vec<Case> {
    let cases = [
        long_hold::cases(),
        long_delivery::cases(),
        long_leave::cases(),
        http::cases(Suite::LongPoll, 4),
        validation::cases(Suite::LongPoll, 5),
        short_delivery::cases(),
        http::cases(Suite::ShortPoll, 2),
        validation::cases(Suite::ShortPoll, 3),
    ];
    cases.into_iter().flatten().collect()
}
