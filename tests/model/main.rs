//! Tests the server against a model, over sockets. In any sequence of publishing, following, slow
//! reading, cuts and resumptions, every follower receives every event once, in order and unchanged,
//! or a report of a gap.
//!
//! `PROPTEST_CASES=5000 cargo test --release --test model` runs more scenarios.

mod edge_cases;
mod expected;
mod feed;
mod follower;
mod parse;
mod run;
#[path = "../running/mod.rs"]
mod running;
mod scenario;
mod wire;

use proptest::test_runner::{Config, TestError, TestRunner};

/// The number of scenarios to run by default.
const CASES: u32 = 24;

#[test]
fn every_follower_receives_every_event_once_or_a_gap() {
    let config = match std::env::var_os("PROPTEST_CASES") {
        Some(_) => Config::default(),
        None => Config::with_cases(CASES),
    };
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..config });
    let outcome = runner.run(&scenario::scenario(), |scenario| {
        run::run(&scenario);
        Ok(())
    });
    if let Err(TestError::Fail(reason, scenario)) = &outcome {
        // The compact form; an indented scenario would fill pages.
        panic!("{reason}\n{scenario:?}");
    }
    outcome.expect("the runner itself does not fail");
}
