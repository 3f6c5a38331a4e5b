//! All cases, and the choice among them.

use super::case::{Case, Endpoint, Number, Suite};
use super::{http, poll, sse, websocket};

/// Returns the cases of all suites, in the order of their numbers.
pub fn all() -> Vec<Case> {
    let mut cases = http::cases();
    cases.extend(sse::cases());
    cases.extend(poll::cases());
    cases.extend(websocket::cases());
    #[cfg(feature = "deflate")]
    cases.extend(super::deflate::cases());
    cases.sort_by_key(|case| case.number);
    cases
}

/// A pattern for case numbers: `websocket/5.*`, where `*` stands for any characters, or the same
/// with a number of the Autobahn TestSuite: `autobahn/9.1.*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// Returns whether the case has a number of this pattern.
    pub fn matches(&self, case: &Case) -> bool {
        let autobahn = case.autobahn.as_ref().map(|number| format!("autobahn/{number}"));
        fits(&self.0, &case.number.to_string()) || autobahn.is_some_and(|number| fits(&self.0, &number))
    }
}

impl std::fmt::Display for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// The choice among the cases.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    pub suites: Vec<Suite>,
    /// Patterns of which a case has to match one; all cases if there are none.
    pub only: Vec<Pattern>,
    /// Patterns of which a case may match none.
    pub skip: Vec<Pattern>,
    /// Whether the long cases are included.
    pub is_full: bool,
}

impl Selection {
    /// Returns whether the case is chosen for this kind of endpoint. A long case is chosen without
    /// `--full` if a pattern names it exactly.
    pub fn includes(&self, case: &Case, endpoint: Endpoint) -> bool {
        let number = case.number.to_string();
        let is_named = self.only.iter().any(|pattern| pattern.0 == number);
        case.endpoints.include(endpoint)
            && self.suites.contains(&case.number.suite)
            && (self.is_full || !case.is_long || is_named)
            && (self.only.is_empty() || self.only.iter().any(|pattern| pattern.matches(case)))
            && !self.skip.iter().any(|pattern| pattern.matches(case))
    }

    /// Returns all patterns.
    pub fn patterns(&self) -> impl Iterator<Item = &Pattern> {
        self.only.iter().chain(&self.skip)
    }

    /// Returns whether a case of this number would be chosen if it existed.
    pub fn includes_unknown(&self, number: Number) -> bool {
        let text = number.to_string();
        let fits_one = |patterns: &[Pattern]| patterns.iter().any(|pattern| fits(&pattern.0, &text));
        self.suites.contains(&number.suite)
            && (self.only.is_empty() || fits_one(&self.only))
            && !fits_one(&self.skip)
    }
}

/// Returns whether `text` has the form of `pattern`.
fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => {
            let Some(left) = text.strip_prefix(start) else { return false };
            // Each way to end the asterisk; a number is short.
            (0..=left.len()).filter(|at| left.is_char_boundary(*at)).any(|at| fits(rest, &left[at..]))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_asterisk_stands_for_any_characters() {
        for (pattern, text) in [
            ("websocket/5.1", "websocket/5.1"),
            ("websocket/*", "websocket/5.1"),
            ("*/5.1", "websocket/5.1"),
            ("*", ""),
            ("w*t/*.1", "websocket/5.1"),
        ] {
            assert!(fits(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in
            [("websocket/5.1", "websocket/5.12"), ("websocket/5.*", "websocket/15.1"), ("", "a")]
        {
            assert!(!fits(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn numbers_are_unique_and_each_autobahn_number_has_one_case() {
        let cases = all();
        assert!(!cases.is_empty());
        for pair in cases.windows(2) {
            assert!(pair[0].number < pair[1].number, "{} appears twice", pair[1].number);
        }
        let mut autobahn: Vec<_> = cases.iter().filter_map(|case| case.autobahn.as_ref()).collect();
        autobahn.sort();
        assert!(autobahn.windows(2).all(|pair| pair[0] != pair[1]), "{autobahn:?}");
    }

    #[test]
    fn each_case_has_an_outcome_that_is_no_failure() {
        for case in all() {
            assert!(!case.outcomes.is_empty(), "{} has no outcome", case.number);
            let is_failure = |outcome: &crate::tools::conform::case::Outcome| {
                outcome.verdict == crate::tools::conform::case::Verdict::Fail
            };
            assert!(!case.outcomes.iter().any(is_failure), "{} lists a failure", case.number);
        }
    }
}
