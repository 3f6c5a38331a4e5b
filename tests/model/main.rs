//! The server against a model, over sockets: whatever is published, followed, left unread, cut and resumed, every
//! follower gets every event once, in order, as it was published, or is told of a gap.
//!
//! `PROPTEST_CASES=5000 cargo test --release --test model` plays more of it.

mod expected;
mod feed;
mod follower;
mod narrow;
mod parse;
mod play;
#[path = "../running/mod.rs"]
mod running;
mod scenario;
mod wire;

use proptest::test_runner::{Config, TestError, TestRunner};

/// How many scenarios are played where nobody asks for another number.
const CASES: u32 = 24;

#[test]
fn every_follower_gets_every_event_once_or_is_told_of_a_gap() {
    let config = match std::env::var_os("PROPTEST_CASES") {
        Some(_) => Config::default(),
        None => Config::with_cases(CASES),
    };
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..config });
    let outcome = runner.run(&scenario::scenario(), |scenario| {
        play::play(&scenario);
        Ok(())
    });
    if let Err(TestError::Fail(reason, scenario)) = &outcome {
        // Compact: an indented one fills pages.
        panic!("{reason}\n{scenario:?}");
    }
    outcome.expect("nothing else goes wrong");
}
