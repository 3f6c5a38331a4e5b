//! `barewire bench` as a process: each workload at a real server with small numbers, and at servers that do what they should not.

mod documented;
mod figures;
mod peers;
mod wrong;

use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

/// Small numbers, so that a run is over soon. No test looks at how fast anything is.
pub const SMALL: [&str; 8] = ["--runs", "1", "--duration", "0.3", "--warm-up", "0.1", "--timeout", "30"];

/// `barewire bench` with these arguments.
pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_barewire"));
    command.arg("bench").args(arguments).stdin(Stdio::null());
    command
}

/// Runs it to its end.
pub fn bench(arguments: &[&str]) -> Output {
    command(arguments).output().expect("the command starts")
}

/// Sends it a signal, by its name without SIG.
pub fn signal(child: &Child, name: &str) {
    let kill = format!("kill -s {name} {}", child.id());
    let status = Command::new("sh").args(["-c", &kill]).status().expect("there is a shell");
    assert!(status.success(), "{kill}");
}

/// The exit status, and the JSON.
pub fn measured(arguments: &[&str]) -> (i32, Value) {
    let output = bench(&[&SMALL, arguments, &["--json"]].concat());
    let errors = String::from_utf8_lossy(&output.stderr);
    let found = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{arguments:?}: {error}: {:?}: {errors}", output.stdout));
    (output.status.code().expect("no signal"), found)
}

/// The JSON of a bench in which all is as it should be.
pub fn right(arguments: &[&str]) -> Value {
    let (status, found) = measured(arguments);
    assert_eq!((status, &found["is_right"]), (0, &Value::Bool(true)), "{arguments:?}: {found:#}");
    found
}

/// A number that has to be there.
pub fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}
