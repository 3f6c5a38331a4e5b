//! The results as text: each failure with its bytes, and a table.

use std::fmt::Write;

use crate::text::escaped;
use crate::tools::conform::case::{Case, Verdict};
use crate::tools::conform::explain;
use crate::tools::conform::results::Results;
use crate::tools::conform::runner::CaseResult;

/// Returns the results as text.
pub fn text(results: &Results<'_>, color: bool) -> String {
    let mut out = String::new();
    let failed = results.played().filter(|(case, result)| results.is_unexpected_failure(case, result));
    for (case, result) in failed {
        failure(results, case, result, color, &mut out);
    }
    table(results, &mut out);
    out
}

/// Appends the explanation of a failure.
pub fn failure(results: &Results<'_>, case: &Case, result: &CaseResult, color: bool, out: &mut String) {
    let autobahn = case.autobahn.as_ref().map_or(String::new(), |number| format!(" (Autobahn {number})"));
    // Writing to a String can't fail.
    let _ = writeln!(out, "FAIL {} {}{autobahn}\n", case.number, case.title);
    if let Some(record) = &result.record {
        explain::conversation(record, result.finding.as_ref(), results.side(), color, out);
    }
    let requirement = case.requirement;
    let _ = writeln!(out, "\n  {}: {}", requirement.level.name(), requirement.rule);
    let (expected, observed) = result.expected_and_observed();
    if let Some(expected) = expected {
        let _ = writeln!(out, "  expected: {}", escaped(expected, &[]));
    }
    let _ = writeln!(out, "  observed: {}", escaped(observed, &[]));
    let _ = writeln!(out, "  again:    {}\n", results.repeat_command(case));
}

fn table(results: &Results<'_>, out: &mut String) {
    let _ = writeln!(
        out,
        "{:<50} {:>6} {:>8} {:>6} {:>6} {:>6}",
        "section", "pass", "allowed", "info", "n/a", "fail"
    );
    let played: Vec<(&Case, &CaseResult)> = results.played().collect();
    let sections = played.chunk_by(|(one, _), (next, _)| {
        (one.number.suite, one.number.section) == (next.number.suite, next.number.section)
    });
    for section in sections {
        let first = section[0].0.number;
        let name = format!("{} {}: {}", first.suite.name(), first.section, section[0].0.section);
        let count = |verdict| section.iter().filter(|(_, result)| result.verdict == verdict).count();
        row(&name, count, out);
    }
    row("all", |verdict| results.count(verdict), out);
    let missing = results.cases.len() - played.len();
    if missing > 0 {
        let _ = writeln!(out, "stopped: {missing} cases were not played");
    }
}

fn row(name: &str, count: impl Fn(Verdict) -> usize, out: &mut String) {
    let [pass, allowed, info, none, fail] = Verdict::ALL.map(count);
    let _ = writeln!(out, "{name:<50} {pass:>6} {allowed:>8} {info:>6} {none:>6} {fail:>6}");
}
