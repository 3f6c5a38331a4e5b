//! `barewire compare`, as its users start it: against servers of its own, against another barewire, and against one that loses events.
//! What is asserted are counts; no test here asserts a time.
#![cfg(feature = "cli")]

mod documented;
mod ended;
mod faulty;
mod measured;
mod other;

use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// The command with these arguments.
fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_barewire"));
    command.arg("compare").args(arguments).stdin(Stdio::null());
    command
}

/// Runs it to its end.
fn run(arguments: &[&str]) -> Output {
    command(arguments).output().expect("it starts")
}

/// The same, and anew where the machine was so busy that an event's turn came behind the end: then it says so.
fn run_undisturbed(arguments: &[&str]) -> Output {
    for _ in 0..20 {
        let output = run(arguments);
        if !errors(&output).contains(" missing beside the ") {
            return output;
        }
        eprintln!("once more, for {}", errors(&output));
    }
    panic!("{arguments:?}: events are missing each time");
}

/// What it has written.
fn text(output: &Output) -> &str {
    str::from_utf8(&output.stdout).expect("UTF-8")
}

/// What went wrong, by its own words.
fn errors(output: &Output) -> &str {
    str::from_utf8(&output.stderr).expect("UTF-8")
}

/// Its JSON, after a run that went well.
fn json(arguments: &[&str]) -> Value {
    let output = run_undisturbed(&[arguments, &["--format", "json"]].concat());
    assert!(output.status.success(), "{arguments:?}: {}", errors(&output));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// A member that is a number.
fn number(value: &Value, path: &str) -> f64 {
    let found = path.split('.').fold(value, |value, name| &value[name]);
    found.as_f64().unwrap_or_else(|| panic!("{path}: {found}"))
}
