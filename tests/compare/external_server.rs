//! A barewire server for `--url`.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// A running server. It is killed when this value is dropped.
pub struct ExternalServer {
    child: Child,
    pub url: String,
}

impl ExternalServer {
    /// Starts a server with these options.
    pub fn start(options: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_barewire"));
        command.args(["--listen", "127.0.0.1:0", "--quiet"]).args(options).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the server starts");
        let mut line = String::new();
        let output = child.stdout.take().expect("standard output is piped");
        BufReader::new(output).read_line(&mut line).expect("the server prints a line");
        let url = line.trim().strip_prefix("listening on ").expect("a URL").to_owned();
        Self { child, url }
    }

    /// Returns the process ID.
    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for ExternalServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Polls the server's metrics until they satisfy the condition.
pub fn wait_for_metrics(url: &str, condition: impl Fn(&str) -> bool) {
    for _ in 0..6000 {
        let response = ureq::get(format!("{url}/metrics")).call().expect("the metrics");
        let metrics = response.into_body().read_to_string().expect("UTF-8");
        if condition(&metrics) {
            return;
        }
        std::thread::yield_now();
    }
    panic!("the metrics never satisfy the condition");
}
