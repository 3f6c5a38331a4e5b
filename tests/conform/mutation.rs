//! Mutation test of the suite: a correct server passes it.

use super::command::{alone, conform, played, run};
use super::faulty::Server;

#[test]
fn no_case_fails_at_a_correct_server() {
    let _alone = alone();
    let server = Server::start(None);
    let played = played(&run(&conform(server.address(), &[])));
    let failures: Vec<_> = played.iter().filter(|case| case.is_failure()).collect();
    assert!(!played.is_empty() && failures.is_empty(), "{failures:#?}");
}
