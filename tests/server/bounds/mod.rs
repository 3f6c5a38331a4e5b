//! Tests every limit and every time of the server at the allowed value and at one more. All of them
//! run in a simulation ([`barewire::simulation::Simulation`]), so nothing waits and each time is
//! exact.
//!
//! Each option of the command has a test with the option's name.

mod connections;
mod following;
mod interrupted;
mod iterations;
mod log;
mod memory;
mod messages;
mod requests;
#[cfg(feature = "deflate")]
mod sequences;
mod simulation;
mod times;

/// Options that set no limit.
#[cfg(feature = "cli")]
const NO_LIMITS: &[&str] = &[
    "listen",
    "publish-token",
    "follow-token",
    "allow-origin",
    "allow-host",
    "quiet",
    "log",
    "wire",
    "wire-only",
    "record",
    "hide",
    "no-wire",
    "no-compression",
    "help",
];

#[cfg(feature = "cli")]
#[test]
fn every_option_that_sets_a_limit_has_a_test_with_its_name() {
    let tests = [
        include_str!("connections.rs"),
        include_str!("following.rs"),
        include_str!("log.rs"),
        include_str!("memory.rs"),
        include_str!("messages.rs"),
        include_str!("requests.rs"),
        include_str!("times.rs"),
    ]
    .concat();
    let help = crate::harness::run(&["serve", "--help"]).stdout;
    let help = String::from_utf8(help).expect("UTF-8");
    let names = help.lines().filter_map(|line| line.trim_start().strip_prefix("--"));
    let names: Vec<&str> =
        names.map(|row| row.split_whitespace().next().expect("split returns at least one item")).collect();
    assert!(names.len() > 30 && NO_LIMITS.iter().all(|name| names.contains(name)), "{names:?}");
    for name in names {
        let test = format!("#[test]\nfn {}() {{", name.replace('-', "_"));
        assert_ne!(NO_LIMITS.contains(&name), tests.contains(&test), "--{name}");
    }
}
