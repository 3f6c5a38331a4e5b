//! The report: the results as one HTML page without external resources.
//!
//! Everything is in the page itself. A script of a few lines filters the cases; without it, all
//! cases are shown.

mod bytes;

use std::fmt::Write;

use crate::text;
use crate::tools::conform::case::{Case, Endpoint, Suite, Verdict};
use crate::tools::conform::results::Results;
use crate::tools::conform::runner::CaseResult;
use crate::tools::html_report::markup::{Table, element, escaped};
use crate::tools::html_report::page;

const STYLE: &str = include_str!("report.css");
const SCRIPT: &str = include_str!("filter.js");

/// A case with its result.
type Played<'p> = (&'p Case, &'p CaseResult);

/// Returns the report as an HTML document.
pub fn report(results: &Results<'_>) -> String {
    let mut main = header(results);
    let (failed, others): (Vec<Played>, Vec<Played>) =
        results.played().partition(|(case, result)| needs_attention(results, case, result));
    main.push_str(&section("By section", "", &table(results)));
    main.push_str(&filter());
    let names = match results.differences {
        Some(_) => ["Unexpected outcomes", "Expected outcomes"],
        None => ["Failures", "Other cases"],
    };
    for (name, cases) in names.into_iter().zip([failed, others]) {
        if !cases.is_empty() {
            let list: String = cases.iter().map(|(case, result)| details(results, case, result)).collect();
            main.push_str(&section(name, "cases", &list));
        }
    }
    let script = format!("<script>\n{SCRIPT}</script>\n");
    page(&format!("barewire conform: {}", counts(results)), STYLE, &main, &script)
}

fn needs_attention(results: &Results<'_>, case: &Case, result: &CaseResult) -> bool {
    results.is_unexpected_failure(case, result) || results.difference(case).is_some()
}

/// Returns untrusted text as markup.
fn safe(text: &str) -> String {
    escaped(&text::escaped(text, &[]))
}

fn counts(results: &Results<'_>) -> String {
    let fail = results.count(Verdict::Fail);
    let played = results.played().count();
    let endpoint = match results.endpoint {
        Endpoint::Server => "server",
        Endpoint::Client => "client",
    };
    match fail {
        0 => format!("the {endpoint} passes {played} cases"),
        1 => format!("the {endpoint} fails 1 of {played} cases"),
        _ => format!("the {endpoint} fails {fail} of {played} cases"),
    }
}

fn header(results: &Results<'_>) -> String {
    let mut header = "<header>\n<h1>barewire conform</h1>\n".to_owned();
    let summary = counts(results);
    // Writing to a String can't fail.
    let _ = writeln!(header, "<p class=\"summary\">{}{}.</p>", summary[..1].to_uppercase(), &summary[1..]);
    let missing = results.cases.len() - results.played().count();
    if missing > 0 {
        let _ = writeln!(
            header,
            "<p class=\"warning\">The run was stopped: {missing} cases were not played.</p>"
        );
    }
    for difference in results.differences.iter().flatten() {
        let _ = writeln!(header, "<p class=\"warning\">{}</p>", safe(&difference.to_string()));
    }
    let _ = writeln!(header, "<p class=\"note\"><code>{}</code></p>\n</header>", safe(results.repeat));
    header
}

fn section(heading: &str, class: &str, content: &str) -> String {
    format!("<section class=\"{class}\">\n{}{content}</section>\n", element("h2", heading))
}

fn table(results: &Results<'_>) -> String {
    let columns = ["section", "pass", "allowed", "info", "n/a", "fail"];
    let mut table = Table::new("Cases by verdict", columns.map(escaped));
    let played: Vec<Played> = results.played().collect();
    for suite in played.chunk_by(|(one, _), (next, _)| one.number.suite == next.number.suite) {
        table.group();
        for section in suite.chunk_by(|(one, _), (next, _)| one.number.section == next.number.section) {
            let first = section[0].0;
            let name = format!("{} {}: {}", first.number.suite.name(), first.number.section, first.section);
            let count = |verdict| section.iter().filter(|(_, result)| result.verdict == verdict).count();
            table.row(&escaped(&name), Verdict::ALL.map(count).map(cell));
        }
    }
    table.group();
    table.row("<b>all</b>", Verdict::ALL.map(|verdict| results.count(verdict)).map(cell));
    table.end()
}

fn cell(count: usize) -> String {
    if count == 0 { "<span class=\"zero\">0</span>".to_owned() } else { count.to_string() }
}

/// Returns the controls of the filter, which the script shows.
fn filter() -> String {
    let option = |name: &str| format!("<option>{name}</option>");
    let suites: String = Suite::ALL.map(Suite::name).map(option).concat();
    let verdicts: String = Verdict::ALL.map(Verdict::name).map(option).concat();
    format!(
        "<form id=\"filter\" hidden>\n\
         <label>suite <select name=\"suite\"><option value=\"\">all</option>{suites}</select></label>\n\
         <label>verdict <select name=\"verdict\"><option value=\"\">all</option>{verdicts}</select></label>\n\
         <label>text <input name=\"text\" type=\"search\" placeholder=\"number, title, outcome\"></label>\n\
         <output></output>\n</form>\n"
    )
}

/// Returns a case that opens.
fn details(results: &Results<'_>, case: &Case, result: &CaseResult) -> String {
    let (verdict, suite) = (result.verdict.name(), case.number.suite.name());
    let mut out = format!(
        "<details data-suite=\"{suite}\" data-verdict=\"{verdict}\">\n\
         <summary><span class=\"verdict {}\">{verdict}</span> <code>{}</code> {}</summary>\n",
        verdict.replace(' ', "-"),
        case.number,
        safe(&case.title)
    );
    if let Some(record) = &result.record {
        out.push_str(&bytes::markup(record, result.finding.as_ref(), results.side()));
    }
    let rule = case.requirement.rule;
    let mut facts = vec![(case.requirement.level.name(), escaped(&rule.to_string()))];
    match result.verdict {
        Verdict::Fail => {
            let (expected, observed) = result.expected_and_observed();
            facts.extend(expected.map(|expected| ("expected", safe(expected))));
            facts.push(("observed", safe(observed)));
        }
        _ => facts.push(("observed", safe(&result.outcome))),
    }
    facts.extend(case.autobahn.as_ref().map(|number| ("Autobahn", safe(number))));
    facts.push(("again", format!("<code>{}</code>", escaped(&results.repeat_command(case)))));
    out.push_str("<dl>\n");
    for (term, text) in facts {
        // Writing to a String can't fail.
        let _ = writeln!(out, "<dt>{term}</dt><dd>{text}</dd>");
    }
    out + "</dl>\n</details>\n"
}
