//! `barewire bench` as a process: each workload at a real server with small numbers, and at servers
//! that misbehave.

mod documented;
mod figures;
mod peers;
mod wrong;

use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

/// Options for a short run. No test depends on the speed of anything.
pub const SMALL: [&str; 8] = ["--runs", "1", "--duration", "0.3", "--warm-up", "0.1", "--timeout", "30"];

/// Returns `barewire bench` with these arguments.
pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_barewire"));
    command.arg("bench").args(arguments).stdin(Stdio::null());
    command
}

/// Runs `barewire bench` to its end.
pub fn bench(arguments: &[&str]) -> Output {
    command(arguments).output().expect("the command starts")
}

/// Sends a signal to a process. `name` is the signal's name without SIG.
pub fn signal(child: &Child, name: &str) {
    let kill = format!("kill -s {name} {}", child.id());
    let status = Command::new("sh").args(["-c", &kill]).status().expect("a shell");
    assert!(status.success(), "{kill}");
}

/// Runs a short bench, and returns its exit status and its JSON.
pub fn measured(arguments: &[&str]) -> (i32, Value) {
    let output = bench(&[&SMALL, arguments, &["--json"]].concat());
    let errors = String::from_utf8_lossy(&output.stderr);
    let report = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{arguments:?}: {error}: {:?}: {errors}", output.stdout));
    (output.status.code().expect("no signal"), report)
}

/// Runs a short bench that must succeed, and returns its JSON.
pub fn right(arguments: &[&str]) -> Value {
    let (status, report) = measured(arguments);
    assert_eq!((status, &report["is_right"]), (0, &Value::Bool(true)), "{arguments:?}: {report:#}");
    report
}

/// Returns a number. Panics if the value is something else.
pub fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is not a number"))
}
