//! `barewire compare` as users start it: with its own servers, with another barewire, and with
//! servers that lose events. The tests assert counts, never times.
#![cfg(feature = "cli")]

mod documented;
mod external_server;
mod faulty_servers;
mod measured;
mod signals;

use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// Returns the command with these arguments.
fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_barewire"));
    command.arg("compare").args(arguments).stdin(Stdio::null());
    command
}

/// Runs the command to its end.
fn run(arguments: &[&str]) -> Output {
    command(arguments).output().expect("the command starts")
}

/// Runs the command, and repeats the run if the machine was too busy to publish all events in time,
/// which the command reports.
fn run_undisturbed(arguments: &[&str]) -> Output {
    for _ in 0..20 {
        let output = run(arguments);
        if !errors(&output).contains(" events were published, because ") {
            return output;
        }
        eprintln!("repeated, because: {}", errors(&output));
    }
    panic!("{arguments:?}: events are missing every time");
}

/// Returns the command's standard output.
fn text(output: &Output) -> &str {
    str::from_utf8(&output.stdout).expect("UTF-8")
}

/// Returns the command's standard error.
fn errors(output: &Output) -> &str {
    str::from_utf8(&output.stderr).expect("UTF-8")
}

/// Runs the command, which must succeed, and returns its JSON.
fn json(arguments: &[&str]) -> Value {
    let output = run_undisturbed(&[arguments, &["--format", "json"]].concat());
    assert!(output.status.success(), "{arguments:?}: {}", errors(&output));
    serde_json::from_slice(&output.stdout).expect("valid JSON")
}

/// Returns the number at a path of names.
fn number(value: &Value, path: &str) -> f64 {
    let found = path.split('.').fold(value, |value, name| &value[name]);
    found.as_f64().unwrap_or_else(|| panic!("{path}: {found}"))
}
