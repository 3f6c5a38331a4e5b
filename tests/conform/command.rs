//! `barewire conform` as a process.

use std::net::SocketAddr;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::Value;

/// The verdict on one case.
#[derive(Clone, Debug)]
pub struct Played {
    pub number: String,
    pub verdict: String,
    /// What was observed, or the name of the outcome.
    pub outcome: String,
    pub time: Duration,
}

impl Played {
    pub fn is_failure(&self) -> bool {
        self.verdict == "fail"
    }
}

/// Returns `barewire conform server` for a server with the resources of barewire, at this address.
pub fn conform(address: SocketAddr, options: &[&str]) -> Vec<String> {
    let url = format!("http://{address}");
    let fixed = ["conform", "server", &url, "--adapter", "barewire", "--format", "json", "--quiet"];
    fixed.iter().chain(options).map(|option| (*option).to_owned()).collect()
}

/// Runs the command to its end.
pub fn run(arguments: &[String]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_barewire"));
    command.args(arguments).stdin(Stdio::null()).output().expect("the command starts")
}

/// Returns the cases in the output of the command.
pub fn played(output: &Output) -> Vec<Played> {
    let errors = String::from_utf8_lossy(&output.stderr);
    let results: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {} {errors}", String::from_utf8_lossy(&output.stdout)));
    let text = |case: &Value, name: &str| case[name].as_str().unwrap_or_default().to_owned();
    let cases = results["cases"].as_array().expect("a list of cases").iter();
    let played = cases.map(|case| Played {
        number: text(case, "number"),
        verdict: text(case, "verdict"),
        outcome: text(case, "outcome"),
        time: Duration::from_secs_f64(case["milliseconds"].as_f64().expect("a time") / 1000.0),
    });
    played.collect()
}

/// The runs of the command at once. Most of them wait, and some keep a processor busy.
const RUNS: usize = 5;

/// Waits until no other test of this program runs the command many times.
pub fn alone() -> MutexGuard<'static, ()> {
    static BUSY: Mutex<()> = Mutex::new(());
    BUSY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Calls `run` for each item, several at once, and returns the results in the order of the items.
pub fn at_once<I: Sync, T: Send>(items: &[I], run: impl Fn(&I) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let mut results: Vec<(usize, T)> = thread::scope(|scope| {
        let work = || {
            let mut results = Vec::new();
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(item) = items.get(index) else { return results };
                results.push((index, run(item)));
            }
        };
        let threads: Vec<_> = (0..RUNS).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no run panics")).collect()
    });
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}
