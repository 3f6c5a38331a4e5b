//! The suite `sse` with clients: `barewire follow` passes, and a client that takes the format for
//! simpler than it is fails.

use super::command::{Played, played, run};

fn test(client: &str, options: &[&str]) -> Vec<Played> {
    let fixed = ["conform", "client", "--suite", "sse", "--format", "json", "--quiet", "-j", "16"];
    let client = ["--run", client];
    let arguments = [&fixed[..], &client, options].concat();
    played(&run(&arguments.into_iter().map(str::to_owned).collect::<Vec<_>>()))
}

#[test]
fn barewire_follow_passes() {
    let follow = format!("{} follow --via sse --json --quiet {{url}}", env!("CARGO_BIN_EXE_barewire"));
    let cases = test(&follow, &[]);
    assert!(cases.len() > 90, "{}", cases.len());
    for case in cases {
        assert!(!case.is_failure() && case.verdict != "not applicable", "{case:?}");
    }
}

#[test]
fn a_client_that_looks_for_lines_with_data_fails() {
    let client = r#"curl -sN {url} | sed -un -e 's/^data: \(.*\)/{"data":"\1"}/p' -e 's/^event: last/{"event":"last"}/p'"#;
    let numbers =
        ["12.2", "12.15", "13.1", "13.4", "13.21", "14.1", "14.11"].map(|number| format!("sse/{number}"));
    let options: Vec<&str> = numbers.iter().flat_map(|number| ["--only", number]).collect();
    let (failed, passed): (Vec<_>, Vec<_>) = test(client, &options).into_iter().partition(Played::is_failure);
    let numbers = |cases: &[Played]| cases.iter().map(|case| case.number.clone()).collect::<Vec<_>>();
    assert_eq!(numbers(&passed), ["sse/12.15", "sse/13.4"]);
    assert_eq!(numbers(&failed), ["sse/12.2", "sse/13.1", "sse/13.21", "sse/14.1", "sse/14.11"]);
}

#[test]
fn a_client_that_prints_no_json_fails() {
    let follow = format!("{} follow --via sse --quiet {{url}}", env!("CARGO_BIN_EXE_barewire"));
    let cases = test(&follow, &["--only", "sse/12.1"]);
    assert!(cases[0].is_failure() && cases[0].outcome.contains("a\": "), "{cases:?}");
}
