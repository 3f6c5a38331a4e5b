//! Every bound and every time of the server, at what it grants and at one more than that. All of it is played
//! ([`barewire::server::Simulation`]), so that nothing waits and each is exact.
//!
//! There is a test for each option of the command, called like it.

mod connections;
mod following;
mod log;
mod memory;
mod messages;
mod requests;
mod stage;
mod times;

/// Options that bound nothing.
#[cfg(feature = "cli")]
const NO_BOUNDS: [&str; 12] = [
    "listen",
    "publish-token",
    "follow-token",
    "allow-origin",
    "quiet",
    "log",
    "wire",
    "wire-only",
    "record",
    "no-wire",
    "no-compression",
    "help",
];

#[cfg(feature = "cli")]
#[test]
fn each_option_that_bounds_something_has_a_test_called_like_it() {
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
        names.map(|row| row.split_whitespace().next().expect("split gives one at least")).collect();
    assert!(names.len() > 30 && NO_BOUNDS.iter().all(|name| names.contains(name)), "{names:?}");
    for name in names {
        let test = format!("#[test]\nfn {}() {{", name.replace('-', "_"));
        assert_ne!(NO_BOUNDS.contains(&name), tests.contains(&test), "--{name}");
    }
}
