//! Mutation test of the suite: a correct server passes it, and a server with a fault fails a case
//! about that fault, and no other.

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;

use super::command::{Played, alone, at_once, conform, played, run};
use super::faulty::{Fault, Server};

/// Cases that take long, and test nothing that others do not: a thousand messages each.
const SKIPPED: [&str; 4] = ["--skip", "deflate/12.*", "--skip", "deflate/13.*"];

/// The verdicts of the cases by their number.
type Verdicts = HashMap<String, String>;

/// Plays the cases that the options choose.
fn play(address: SocketAddr, options: &[&str]) -> Vec<Played> {
    played(&run(&conform(address, options)))
}

fn verdicts_on_a_correct_server() -> Verdicts {
    let server = Server::start(None);
    let played = play(server.address(), &[]);
    let failures: Vec<_> = played.iter().filter(|case| case.is_failure()).collect();
    assert!(!played.is_empty() && failures.is_empty(), "{failures:#?}");
    played.into_iter().map(|case| (case.number, case.verdict)).collect()
}

/// Returns the suites of the cases that may catch a fault.
fn suites(fault: Fault) -> String {
    let suite = |pattern: &&'static str| pattern.split('/').next().expect("a part");
    let suites: BTreeSet<&str> = fault.caught_by().iter().map(suite).collect();
    suites.into_iter().collect::<Vec<_>>().join(",")
}

/// Returns whether a pattern, in which `*` stands for any characters, has the form of a number.
fn fits(pattern: &str, number: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == number,
        Some((start, rest)) => {
            let Some(left) = number.strip_prefix(start) else { return false };
            (0..=left.len()).any(|at| fits(rest, &left[at..]))
        }
    }
}

fn is_related(fault: Fault, number: &str) -> bool {
    fault.caught_by().iter().any(|pattern| fits(pattern, number))
}

/// Returns the failures among these that remain if the case is played alone: on a busy machine, a
/// server may be late although its fault has nothing to do with the case.
fn remaining(address: SocketAddr, failures: Vec<&Played>) -> Vec<Played> {
    let replay = |case: &Played| play(address, &["--only", &case.number, "--timeout", "60"]);
    failures.into_iter().flat_map(replay).filter(Played::is_failure).collect()
}

/// Returns what is wrong with the verdicts on a server with this fault.
fn wrong(fault: Fault, correct: &Verdicts) -> Option<String> {
    let server = Server::start(Some(fault));
    // Many cases wait at the same time for what a faulty server does not do.
    let suites = suites(fault);
    let mut options = [&SKIPPED[..], &["--suite", &suites, "-j", "64"]].concat();
    if fault.caught_by().contains(&"websocket/*") {
        // Any case fails, and the many cases about text would all wait for the same.
        options.extend(["--skip", "websocket/6.*"]);
    }
    let played = play(server.address(), &options);
    let may_fail = |case: &Played| !fault.is_allowed() && is_related(fault, &case.number);
    let others = played.iter().filter(|case| case.is_failure() && !may_fail(case)).collect();
    let others = remaining(server.address(), others);
    if !others.is_empty() {
        return Some(format!("{fault:?}: cases fail that should not: {others:#?}"));
    }
    let is_noticed = |case: &&Played| match fault.is_allowed() {
        true => correct.get(&case.number).is_some_and(|verdict| *verdict != case.verdict),
        false => case.is_failure(),
    };
    let noticed = played.iter().filter(is_noticed).any(|case| is_related(fault, &case.number));
    (!noticed).then(|| format!("{fault:?}: no case of {:?} notices the fault", fault.caught_by()))
}

#[test]
fn each_fault_is_caught_and_only_by_related_cases() {
    let _alone = alone();
    let correct = verdicts_on_a_correct_server();
    let wrong = at_once(Fault::ALL, |fault| wrong(*fault, &correct));
    let wrong: Vec<String> = wrong.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
