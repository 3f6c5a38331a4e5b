//! The results as text: each failure with its bytes, and a table.

use std::fmt::Write;

use crate::text::escaped;
use crate::tools::conform::case::{Case, Verdict};
use crate::tools::conform::explain;
use crate::tools::conform::results::Results;
use crate::tools::conform::runner::CaseResult;

/// The number of failures in a section that are explained with their bytes. The others often have
/// the same cause.
const EXPLAINED: usize = 3;

/// Returns the results as text.
pub fn text(results: &Results<'_>, color: bool) -> String {
    let mut out = String::new();
    let failed: Vec<(&Case, &CaseResult)> =
        results.played().filter(|(case, result)| results.is_unexpected_failure(case, result)).collect();
    let sections = failed.chunk_by(|(one, _), (next, _)| {
        (one.number.suite, one.number.section) == (next.number.suite, next.number.section)
    });
    let mut short = 0;
    for section in sections {
        let (explained, others) = section.split_at(section.len().min(EXPLAINED));
        explained.iter().for_each(|(case, result)| failure(results, case, result, color, &mut out));
        for (case, result) in others {
            let observed = escaped(result.expected_and_observed().1, &[]);
            // Writing to a String can't fail.
            let _ = writeln!(out, "FAIL {} {}\n  observed: {observed}\n", case.number, case.title);
        }
        short += others.len();
    }
    if short > 0 {
        let advice = "--only explains one of them, --report FILE all";
        let _ = writeln!(out, "{short} failures are not explained here: {advice}\n");
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
    let played: Vec<(&Case, &CaseResult)> = results.played().collect();
    let sections = played.chunk_by(|(one, _), (next, _)| {
        (one.number.suite, one.number.section) == (next.number.suite, next.number.section)
    });
    let rows: Vec<(String, [usize; 5])> = sections
        .map(|section| {
            let first = section[0].0.number;
            let name = format!("{} {}: {}", first.suite.name(), first.section, section[0].0.section);
            let count = |verdict| section.iter().filter(|(_, result)| result.verdict == verdict).count();
            (name, Verdict::ALL.map(count))
        })
        .collect();
    let width = rows.iter().map(|(name, _)| name.chars().count()).fold("section".len(), usize::max);
    let _ = writeln!(out, "{:<width$}   pass  allowed   info    n/a   fail", "section");
    let all = Verdict::ALL.map(|verdict| results.count(verdict));
    for (name, [pass, allowed, info, none, fail]) in rows.into_iter().chain([("all".to_owned(), all)]) {
        let _ = writeln!(out, "{name:<width$} {pass:>6} {allowed:>8} {info:>6} {none:>6} {fail:>6}");
    }
    let missing = results.cases.len() - played.len();
    if missing > 0 {
        let _ = writeln!(out, "stopped: {missing} cases were not played");
    }
}
