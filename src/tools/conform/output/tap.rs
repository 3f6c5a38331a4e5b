//! The results in version 14 of the Test Anything Protocol.

use std::fmt::Write;

use super::text::failure;
use crate::text::escaped;
use crate::tools::conform::case::{Case, Verdict};
use crate::tools::conform::results::Results;
use crate::tools::conform::runner::CaseResult;

/// Returns a line for each case, and a diagnostic of YAML for each that needs attention.
///
/// An expected failure is a TODO, which TAP does not count as a failure.
pub fn tap(results: &Results<'_>) -> String {
    let mut out = String::from("TAP version 14\n");
    // Writing to a String can't fail.
    let _ = writeln!(out, "1..{}", results.cases.len());
    for (index, (case, result)) in results.cases.iter().zip(&results.results).enumerate() {
        let description = format!("{} - {} {}", index + 1, case.number, hashes_escaped(&case.title));
        match result {
            Some(result) => point(results, case, result, &description, &mut out),
            None => {
                let _ = writeln!(out, "not ok {description}\n  ---\n  message: the run was stopped\n  ...");
            }
        }
    }
    for difference in results.differences.iter().flatten() {
        let _ = writeln!(out, "# {}", escaped(&difference.to_string(), &[]));
    }
    out
}

fn point(results: &Results<'_>, case: &Case, result: &CaseResult, description: &str, out: &mut String) {
    let outcome = hashes_escaped(&result.outcome);
    let difference = results.difference(case);
    let _ = match (result.verdict, difference) {
        (Verdict::Fail, None) if results.differences.is_some() => {
            writeln!(out, "not ok {description} # TODO an expected failure")
        }
        (Verdict::Fail, _) | (_, Some(_)) => writeln!(out, "not ok {description}"),
        (Verdict::NotApplicable, None) => writeln!(out, "ok {description} # SKIP {outcome}"),
        (_, None) => writeln!(out, "ok {description}"),
    };
    let mut text = difference.map_or(String::new(), |difference| format!("{difference}\n"));
    match result.verdict {
        Verdict::Fail => failure(results, case, result, false, &mut text),
        _ if difference.is_some() => {}
        _ => return,
    }
    let _ = writeln!(out, "  ---\n  severity: {}\n  message: |", result.verdict.name());
    for line in escaped(&text, &['\n']).lines() {
        let _ = writeln!(out, "{}", format!("    {line}").trim_end());
    }
    out.push_str("  ...\n");
}

/// Returns text without the characters that end a description.
fn hashes_escaped(text: &str) -> String {
    escaped(text, &[]).replace('\\', "\\\\").replace('#', "\\#")
}
