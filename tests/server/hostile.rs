//! Hostile and borderline requests (`tests/suites/hostile`): each is answered as its line says, however the network cuts it.

use crate::harness::Server;
use crate::harness::hostile::{After, Case, Rule, cases};

/// Shown only if the test fails.
fn name_it(case: &Case, pieces: &[Vec<u8>]) {
    let lengths: Vec<usize> = pieces.iter().map(Vec::len).collect();
    println!("{}, in pieces of {lengths:?}", case.name);
}

#[test]
fn each_case_is_answered_as_it_says_however_it_is_cut() {
    let server = Server::start();
    let mut beside = server.connect();
    let mut published = 0;
    for case in cases() {
        for pieces in case.cuts() {
            name_it(&case, &pieces);
            case.play(&pieces, &server, &mut beside);
            published += case.statuses.iter().filter(|status| **status == 201).count() as u64;
        }
    }
    // What was answered was done, and nothing else: no request that was hidden in another one.
    assert_eq!(server.metric("barewire_events_published_total"), published);
    assert!(server.ask_bytes("GET /topics/smuggled HTTP/1.1\r\nHost: a\r\n\r\n").data().is_empty());
}

#[test]
fn what_must_be_refused_is_refused_and_what_must_be_accepted_is_accepted() {
    let cases = cases();
    assert!(cases.len() >= 150, "only {} cases", cases.len());
    for case in &cases {
        let refused = case.statuses.last().is_some_and(|status| *status >= 400);
        match case.rule {
            Rule::MustRefuse => {
                assert!(refused && case.after == After::End, "{} must be refused", case.name);
            }
            Rule::MustAccept => {
                assert!(case.statuses.iter().all(|status| *status < 400), "{} must be accepted", case.name);
            }
            Rule::MayRefuse => {}
        }
        assert!(!case.must_end || case.after == After::End, "{} must end the connection", case.name);
    }
}

#[test]
fn a_name_stands_for_one_case() {
    let mut names: Vec<String> = cases().into_iter().map(|case| case.name).collect();
    let all = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), all, "two cases have one name");
}
