//! The results in the XML of JUnit, as Jenkins and GitLab read it.

use std::fmt::Write;

use super::text::failure;
use crate::tools::conform::case::{Case, Verdict};
use crate::tools::conform::results::Results;
use crate::tools::conform::runner::CaseResult;

/// A case with its result.
type Played<'p> = (&'p Case, &'p CaseResult);

/// Returns a test suite for each section. An expected failure counts as skipped.
pub fn junit(results: &Results<'_>) -> String {
    let played: Vec<Played> = results.played().collect();
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    // Writing to a String can't fail.
    let _ = writeln!(out, "<testsuites name=\"barewire conform\"{}>", counts(results, &played));
    let sections = played.chunk_by(|(one, _), (next, _)| {
        (one.number.suite, one.number.section) == (next.number.suite, next.number.section)
    });
    for section in sections {
        let first = section[0].0;
        let name = format!("{} {}: {}", first.number.suite.name(), first.number.section, first.section);
        let _ = writeln!(out, "<testsuite name=\"{}\"{}>", xml(&name), counts(results, section));
        for (case, result) in section {
            test_case(results, case, result, &mut out);
        }
        out.push_str("</testsuite>\n");
    }
    let missing = results.cases.len() - played.len();
    if missing > 0 {
        let why = format!("the run was stopped: {missing} cases were not played");
        let _ = writeln!(
            out,
            "<testsuite name=\"not played\" tests=\"1\" failures=\"0\" errors=\"1\">\n\
             <testcase classname=\"barewire.conform\" name=\"{why}\"><error message=\"{why}\"/></testcase>\n\
             </testsuite>"
        );
    }
    out.push_str("</testsuites>\n");
    out
}

fn counts(results: &Results<'_>, played: &[Played]) -> String {
    let failures = played.iter().filter(|(case, result)| is_failure(results, case, result)).count();
    let skipped = played.iter().filter(|(case, result)| skipped(results, case, result).is_some()).count();
    let seconds: f64 = played.iter().map(|(_, result)| result.time.as_secs_f64()).sum();
    format!(
        " tests=\"{}\" failures=\"{failures}\" errors=\"0\" skipped=\"{skipped}\" time=\"{seconds:.3}\"",
        played.len()
    )
}

/// Returns whether the outcome needs attention.
fn is_failure(results: &Results<'_>, case: &Case, result: &CaseResult) -> bool {
    results.is_unexpected_failure(case, result) || results.difference(case).is_some()
}

/// Returns why the case counts as skipped; `None` if it does not.
fn skipped<'r>(results: &Results<'_>, case: &Case, result: &'r CaseResult) -> Option<&'r str> {
    match result.verdict {
        _ if is_failure(results, case, result) => None,
        Verdict::NotApplicable => Some(&result.outcome),
        Verdict::Fail => Some("an expected failure"),
        _ => None,
    }
}

fn test_case(results: &Results<'_>, case: &Case, result: &CaseResult, out: &mut String) {
    let name = format!("{} {}", case.number, case.title);
    let class = format!("{}.{}", case.number.suite.name(), case.number.section);
    let time = result.time.as_secs_f64();
    let start = format!("<testcase classname=\"{class}\" name=\"{}\" time=\"{time:.3}\"", xml(&name));
    if is_failure(results, case, result) {
        let mut text = String::new();
        let mut message = result.expected_and_observed().1.to_owned();
        if let Some(difference) = results.difference(case) {
            message = difference.to_string();
        }
        match result.verdict {
            Verdict::Fail => failure(results, case, result, false, &mut text),
            _ => text.push_str(&message),
        }
        let kind = result.verdict.name();
        let (message, text) = (xml(&message), xml(&text));
        let _ = writeln!(
            out,
            "{start}>\n<failure type=\"{kind}\" message=\"{message}\">{text}</failure>\n</testcase>"
        );
    } else if let Some(why) = skipped(results, case, result) {
        let _ = writeln!(out, "{start}>\n<skipped message=\"{}\"/>\n</testcase>", xml(why));
    } else {
        let _ = writeln!(out, "{start}/>");
    }
}

/// Escapes text for an attribute or an element. Characters that XML 1.0 §2.2 does not allow become
/// U+FFFD; line ends are kept.
fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push('\n'),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            _ if character.is_control() => out.push('\u{fffd}'),
            _ => out.push(character),
        }
    }
    out
}
