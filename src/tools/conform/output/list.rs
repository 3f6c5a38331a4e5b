//! The list of the cases.

use std::fmt::Write;

use crate::tools::conform::case::Case;

/// Returns a line for each case: its number, level, section, title, and Autobahn's number.
pub fn list(cases: &[&Case]) -> String {
    let mut out = String::new();
    let sections = cases.chunk_by(|one, next| {
        (one.number.suite, one.number.section) == (next.number.suite, next.number.section)
    });
    for section in sections {
        let break_before = if out.is_empty() { "" } else { "\n" };
        let first = section[0];
        // Writing to a String can't fail.
        let _ = writeln!(
            out,
            "{break_before}{} {}: {}",
            first.number.suite.name(),
            first.number.section,
            first.section
        );
        for case in section {
            let autobahn =
                case.autobahn.as_ref().map_or(String::new(), |number| format!(" (Autobahn {number})"));
            let long = if case.is_long { " (long)" } else { "" };
            let _ = writeln!(
                out,
                "  {:<18} {:<7} {:<20} {}{autobahn}{long}",
                case.number,
                case.requirement.level.name(),
                case.requirement.rule.section.to_string(),
                case.title
            );
        }
    }
    out
}
