//! Metrics in Prometheus' text format, version 0.0.4.

use std::fmt::Write;
use std::time::Duration;

/// Families of metrics, each with its help and its type. Writing to a `String` cannot fail.
pub struct Families {
    prefix: &'static str,
    text: String,
}

impl Families {
    /// Returns a text without families, the names of which will begin with `prefix`.
    pub fn new(prefix: &'static str) -> Families {
        Families { prefix, text: String::with_capacity(16 << 10) }
    }

    /// Begins a family. Its samples follow.
    pub fn begin(&mut self, name: &str, kind: &str, help: &str) {
        let prefix = self.prefix;
        let _ = writeln!(self.text, "# HELP {prefix}{name} {help}\n# TYPE {prefix}{name} {kind}");
    }

    /// Writes one value of a family.
    pub fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl ToString) {
        let _ = write!(self.text, "{}{name}", self.prefix);
        for (at, (label, text)) in labels.iter().enumerate() {
            let _ = write!(self.text, "{}{label}=\"{text}\"", if at == 0 { '{' } else { ',' });
        }
        let end = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.text, "{end} {}", value.to_string());
    }

    /// Writes a counter without labels.
    pub fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.begin(name, "counter", help);
        self.sample(name, &[], value);
    }

    /// Writes a gauge without labels.
    pub fn gauge(&mut self, name: &str, help: &str, value: u64) {
        self.begin(name, "gauge", help);
        self.sample(name, &[], value);
    }

    /// Writes a histogram of durations in seconds.
    pub fn histogram(&mut self, name: &str, help: &str, durations: &Durations) {
        self.begin(name, "histogram", help);
        let bucket = format!("{name}_bucket");
        let mut below = 0;
        let bounds = Durations::BOUNDS.iter().map(f64::to_string).chain(["+Inf".to_owned()]);
        for (bound, count) in bounds.zip(durations.counts) {
            below += count;
            self.sample(&bucket, &[("le", &bound)], below);
        }
        self.sample(&format!("{name}_sum"), &[], durations.sum.as_secs_f64());
        self.sample(&format!("{name}_count"), &[], below);
    }

    /// Returns the text, with the memory of the process if the system reports it, under the name
    /// that Prometheus defines for every program.
    pub fn finish(mut self, resident_bytes: Option<u64>) -> String {
        if let Some(resident) = resident_bytes {
            self.prefix = "";
            self.gauge("process_resident_memory_bytes", "Resident memory size in bytes.", resident);
        }
        self.text
    }
}

/// How many durations fell below each of some bounds.
#[derive(Clone, Debug, Default)]
pub struct Durations {
    /// The number of durations between one bound and the next; the last is beyond all bounds.
    counts: [u64; Durations::BOUNDS.len() + 1],
    sum: Duration,
}

impl Durations {
    /// The bounds in seconds.
    const BOUNDS: [f64; 9] = [0.000_1, 0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1];

    /// Adds a duration.
    pub fn record(&mut self, duration: Duration) {
        let seconds = duration.as_secs_f64();
        let bound = Durations::BOUNDS.iter().position(|bound| seconds <= *bound);
        self.counts[bound.unwrap_or(Durations::BOUNDS.len())] += 1;
        self.sum += duration;
    }
}

#[cfg(test)]
mod tests {
    use super::{Durations, Families};
    use std::time::Duration;

    #[test]
    fn a_histogram_counts_what_is_below_each_bound() {
        let mut durations = Durations::default();
        for milliseconds in [1, 3, 3000] {
            durations.record(Duration::from_millis(milliseconds));
        }
        let mut families = Families::new("a_");
        families.histogram("b_seconds", "Help.", &durations);
        let text = families.finish(Some(7));
        for line in [
            "# TYPE a_b_seconds histogram",
            "a_b_seconds_bucket{le=\"0.0005\"} 0",
            "a_b_seconds_bucket{le=\"0.001\"} 1",
            "a_b_seconds_bucket{le=\"0.005\"} 2",
            "a_b_seconds_bucket{le=\"+Inf\"} 3",
            "a_b_seconds_sum 3.004",
            "a_b_seconds_count 3",
            "process_resident_memory_bytes 7",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }
}
