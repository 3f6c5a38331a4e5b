//! Hostile and borderline requests (`src/tools/conform/http/cases`): each has the outcome of its
//! `is` line, however the network splits it.

use crate::harness::Server;
use crate::harness::hostile::{Case, Rule, cases};

/// Prints the case. The test harness shows this only if the test fails.
fn print_case(case: &Case, parts: &[Vec<u8>]) {
    let lengths: Vec<usize> = parts.iter().map(Vec::len).collect();
    println!("{}, in parts of {lengths:?}", case.name);
}

#[test]
fn each_case_has_its_expected_outcome_however_it_is_split() {
    // The cases test how `Host` is read, not which hosts are served.
    let server = Server::with(|options| options.policy.access.allowed_hosts = vec!["*".into()]);
    let mut other = server.connect();
    let mut published = 0;
    for case in cases() {
        for parts in case.splits() {
            print_case(&case, &parts);
            case.play(&parts, &server, &mut other);
            published += case.statuses.iter().filter(|status| **status == 201).count() as u64;
        }
    }
    // Only requests with a response took effect, and no request hidden in another one.
    assert_eq!(server.metric("barewire_events_published_total"), published);
    assert!(server.request_bytes("GET /topics/smuggled HTTP/1.1\r\nHost: a\r\n\r\n").data().is_empty());
}

/// The cases in which barewire deviates from a SHOULD, each with a row in `docs/deviations.md`.
const DEVIATIONS: [&str; 7] = [
    "4.68", // empty members in `Transfer-Encoding`
    "4.90", "4.91", "1.58",  // HTTP/1.2
    "1.59",  // HTTP/1.9
    "2.21",  // characters that browsers leave unescaped in a query
    "2.100", // percent-encoding without digits
];

#[test]
fn the_expected_outcomes_obey_the_rfc() {
    let cases = cases();
    assert!(cases.len() >= 600, "only {} cases", cases.len());
    let mut deviations = Vec::new();
    for case in &cases {
        let refused = case.statuses.last().is_some_and(|status| *status >= 400);
        let obeys = match case.rule {
            Rule::Refuse => refused,
            Rule::Accept => case.statuses.iter().all(|status| *status < 400),
            Rule::Either => true,
        };
        match (obeys, case.is_advice) {
            (true, _) => {}
            (false, true) => deviations.push(format!("{}.{}", case.number.0, case.number.1)),
            (false, false) => panic!("{} does not obey its rule", case.name),
        }
        assert!(!case.forbidden.contains(&case.after), "{} must not leave the connection so", case.name);
        let accepted = case.statuses.iter().filter(|status| (200..400).contains(*status)).count();
        assert!(accepted <= case.most, "{} accepts a hidden request", case.name);
    }
    assert_eq!(deviations, DEVIATIONS);
}

#[test]
fn case_names_are_unique() {
    let mut names: Vec<String> = cases().into_iter().map(|case| case.name).collect();
    let all = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), all, "two cases have the same name");
}

#[test]
fn case_numbers_are_unique_and_leave_no_gap() {
    let mut numbers: Vec<(u32, u32)> = cases().into_iter().map(|case| case.number).collect();
    numbers.sort_unstable();
    let mut expected = (0, 0);
    for number in numbers {
        expected = if number.0 == expected.0 { (number.0, expected.1 + 1) } else { (expected.0 + 1, 1) };
        assert_eq!(number, expected, "a number is missing, or two cases have the same");
    }
}
