//! Expected outcomes: the file that `--save` writes and `--expect` compares with a run.
//!
//! ```text
//! # Outcomes of barewire conform; --expect compares them with another run.
//! websocket/1.1      pass           the message comes back
//! websocket/1.2      fail
//! ```
//!
//! A line is the number of a case, the verdict, and the name of the outcome. A failure has no name,
//! because the text of what was observed may contain ports, ids and times. Lines that start with
//! `#` are comments, for example about the reason of an expected failure.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use super::case::{Case, Endpoint, Number, Verdict};
use super::catalogue::Selection;
use super::runner::CaseResult;
use crate::text::{escaped, printable};
use crate::tools::io_error::file_error;

/// The first line of a saved file, which is a comment.
const FIRST_LINE: &str = "# Outcomes of barewire conform; --expect compares them with another run.\n";

/// The outcome of a case, as far as it is the same in each run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    pub verdict: Verdict,
    /// The name of the outcome; empty if the verdict has none.
    pub outcome: String,
}

impl Recorded {
    /// Returns what a file keeps of a result.
    pub fn of(result: &CaseResult) -> Self {
        let outcome = match result.verdict {
            Verdict::Pass | Verdict::Allowed | Verdict::Informational => {
                escaped(&result.outcome, &[]).into_owned()
            }
            Verdict::NotApplicable | Verdict::Fail => String::new(),
        };
        Self { verdict: result.verdict, outcome }
    }
}

impl fmt::Display for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.verdict.name())?;
        if self.outcome.is_empty() { Ok(()) } else { write!(f, " ({})", self.outcome) }
    }
}

/// Returns the content of a file for `--expect`, sorted by number.
pub fn saved<'r>(played: impl Iterator<Item = (&'r Case, &'r CaseResult)>) -> String {
    let recorded: BTreeMap<Number, Recorded> =
        played.map(|(case, result)| (case.number, Recorded::of(result))).collect();
    let mut out = FIRST_LINE.to_owned();
    for (number, recorded) in recorded {
        let line = format!("{number:<18} {:<14} {}", word(recorded.verdict), recorded.outcome);
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// The outcomes of a saved file.
#[derive(Clone, Debug)]
pub struct Expectation {
    /// The file, for messages.
    pub path: PathBuf,
    outcomes: BTreeMap<Number, Recorded>,
}

impl Expectation {
    /// Reads a saved file.
    ///
    /// # Errors
    /// A message for the user: the file cannot be read, or a line of it is invalid.
    pub fn read(path: &Path) -> Result<Self, String> {
        let text = fs::read_to_string(path).map_err(|error| file_error(path, &error))?;
        let outcomes = parse(&text).map_err(|error| format!("{}, {error}", path.display()))?;
        Ok(Self { path: path.to_owned(), outcomes })
    }

    /// Compares the results of the chosen cases with the file. Outcomes of cases that are not
    /// chosen are ignored.
    pub fn differences<'r>(
        &self,
        results: impl Iterator<Item = (&'r Case, Option<&'r CaseResult>)>,
        selection: &Selection,
        endpoint: Endpoint,
        catalogue: &[Case],
    ) -> Vec<Difference> {
        let mut left = self.outcomes.clone();
        // A known case that is not chosen is no subject of this run. An unknown one was deleted.
        left.retain(|number, _| match catalogue.iter().find(|case| case.number == *number) {
            Some(case) => selection.includes(case, endpoint),
            None => selection.includes_unknown(*number),
        });
        let mut differences = Vec::new();
        for (case, result) in results {
            let (expected, observed) = (left.remove(&case.number), result.map(Recorded::of));
            if expected != observed {
                differences.push(Difference { number: case.number, expected, observed });
            }
        }
        let missing = left.into_iter();
        differences.extend(missing.map(|(number, expected)| Difference {
            number,
            expected: Some(expected),
            observed: None,
        }));
        differences.sort_by_key(|difference| difference.number);
        differences
    }
}

/// A case with another outcome than the expected one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub number: Number,
    /// The outcome in the file; `None` if the file has no line for the case.
    pub expected: Option<Recorded>,
    /// The outcome of this run; `None` if the case was not played.
    pub observed: Option<Recorded>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, expected, observed } = self;
        match expected {
            Some(expected) => write!(f, "{number}: expected {expected}, ")?,
            None => write!(f, "{number}: not among the expected outcomes, ")?,
        }
        match observed {
            Some(observed) => write!(f, "observed {observed}"),
            None => f.write_str("not played"),
        }
    }
}

/// Returns the verdict as one word of a file.
fn word(verdict: Verdict) -> String {
    verdict.name().replace(' ', "-")
}

/// Parses the lines of a file. The error names the line.
fn parse(text: &str) -> Result<BTreeMap<Number, Recorded>, String> {
    let mut outcomes = BTreeMap::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let error = |message: &str| format!("line {}: {message}", index + 1);
        let (number, recorded) = parse_line(line).map_err(|message| error(&message))?;
        if outcomes.insert(number, recorded).is_some() {
            return Err(error(&format!("{number} has a line above: leave one out")));
        }
    }
    Ok(outcomes)
}

fn parse_line(line: &str) -> Result<(Number, Recorded), String> {
    let shown = |text: &str| printable(text.as_bytes());
    let (number, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let number = Number::parse(number).ok_or_else(|| {
        format!("\"{}\" is not the number of a case: use a file that --save has written", shown(number))
    })?;
    let (verdict, outcome) = rest.trim_start().split_once(char::is_whitespace).unwrap_or((rest.trim(), ""));
    let verdict = Verdict::ALL.into_iter().find(|known| word(*known) == verdict).ok_or_else(|| {
        let words = Verdict::ALL.map(word).join(", ");
        format!("\"{}\" is not a verdict: use {words}", shown(verdict))
    })?;
    Ok((number, Recorded { verdict, outcome: outcome.trim().to_owned() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::conform::case::Suite;

    fn number(index: u16) -> Number {
        Number { suite: Suite::WebSocket, section: 1, index }
    }

    #[test]
    fn a_line_is_a_number_a_verdict_and_an_outcome() {
        let text = "# a comment\n\nwebsocket/1.2  pass  echoes  it \r\n websocket/1.1 fail\n\
                    websocket/1.3\tnot-applicable\n";
        let recorded = |verdict, outcome: &str| Recorded { verdict, outcome: outcome.into() };
        let expected = [
            (number(1), recorded(Verdict::Fail, "")),
            (number(2), recorded(Verdict::Pass, "echoes  it")),
            (number(3), recorded(Verdict::NotApplicable, "")),
        ];
        assert_eq!(parse(text), Ok(BTreeMap::from(expected)));
    }

    #[test]
    fn an_invalid_line_is_an_error_that_names_it() {
        for (text, message) in [
            ("nonsense", "line 1: \"nonsense\" is not the number of a case"),
            ("# c\n<html>\u{1b}[2J pass", "line 2: \"<html>\\x1b[2J\" is not the number of a case"),
            ("websocket/1.1", "line 1: \"\" is not a verdict: use pass, allowed, informational,"),
            ("websocket/1.1 passed", "\"passed\" is not a verdict"),
            ("websocket/1.1 pass\nwebsocket/1.1 fail", "line 2: websocket/1.1 has a line above"),
            ("websocket/1.70000 pass", "is not the number"),
            ("websocket/01.1 pass", "is not the number"),
        ] {
            let error = parse(text).expect_err("an invalid line");
            assert!(error.contains(message), "{error}");
        }
    }

    #[test]
    fn a_difference_says_what_was_expected_and_what_was_observed() {
        let pass = Recorded { verdict: Verdict::Pass, outcome: "echoes it".into() };
        let fail = Recorded { verdict: Verdict::Fail, outcome: String::new() };
        for (expected, observed, text) in [
            (Some(&pass), Some(&fail), "websocket/1.1: expected pass (echoes it), observed fail"),
            (Some(&fail), None, "websocket/1.1: expected fail, not played"),
            (None, Some(&fail), "websocket/1.1: not among the expected outcomes, observed fail"),
        ] {
            let difference =
                Difference { number: number(1), expected: expected.cloned(), observed: observed.cloned() };
            assert_eq!(difference.to_string(), text);
        }
    }
}
