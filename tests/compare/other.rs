//! Another barewire, for `--url`.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// Another barewire. It is killed when this is dropped.
pub struct Other {
    child: Child,
    /// Where it is.
    pub url: String,
}

impl Other {
    /// With these options.
    pub fn start(options: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_barewire"));
        command.args(["--listen", "127.0.0.1:0", "--quiet"]).args(options).stdout(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let mut line = String::new();
        let output = child.stdout.take().expect("it is piped");
        BufReader::new(output).read_line(&mut line).expect("a first line");
        let url = line.trim().strip_prefix("listening on ").expect("a URL").to_owned();
        Self { child, url }
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Asks for the metrics until they are as they should be.
pub fn follow_the_metrics(url: &str, are_right: impl Fn(&str) -> bool) {
    for _ in 0..6000 {
        let answer = ureq::get(format!("{url}/metrics")).call().expect("metrics");
        let metrics = answer.into_body().read_to_string().expect("UTF-8");
        if are_right(&metrics) {
            return;
        }
        std::thread::yield_now();
    }
    panic!("the metrics are not as they should be");
}
