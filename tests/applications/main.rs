//! Tests of the applications among the examples, each with its own process on a free port. What
//! needs a browser is in tests/suites/applications/.

#[path = "../built/mod.rs"]
mod built;
mod chat;
mod dashboard;
mod deployments;
mod editor;
mod fallback;
mod game;
mod http;
mod live_log;
mod notifications;
mod program;
mod tasks;
