//! A limit that is reached now and may not be in a while.

use barewire::server::Options;

use crate::harness::{Opcode, Request, Server, eventually, in_every_way_with};

/// A server with as many connections as there may be, and these.
fn full(options: &mut Options) {
    options.max_connections = 1;
    options.policy.retry = 1000;
}

#[test]
fn one_connection_too_many_gets_503_and_an_event_stream_200_with_a_retry_and_the_end() {
    in_every_way_with(full, |server| {
        let _held = server.event_stream(&Request::event_stream("/topics/a"));
        for request in [
            Request::get("/topics/a"),
            Request::get("/topics/a?wait=60"),
            Request::post("/topics/a", "x"),
            Request::handshake("/topics/a"),
            Request::handshake("/echo"),
        ] {
            let response = server.ask(&request);
            response.assert_problem(503);
            let seconds = response.get("Retry-After").expect("when to come again");
            assert!(seconds.parse::<u32>().is_ok(), "{seconds}");
        }
        for request in [Request::event_stream("/topics/a"), Request::event_stream("/topics/a").http10()] {
            let mut refused = server.event_stream(&request);
            let block = refused.block().expect("one block");
            assert_eq!((block.len(), block[0].0.as_str()), (1, "retry"), "{block:?}");
            let retry: u32 = block[0].1.parse().expect("milliseconds");
            assert!((1000..=2000).contains(&retry), "the retry and up to as much again: {retry}");
            assert_eq!(refused.block(), None);
            assert!(refused.is_whole && refused.is_at_end());
        }
    });
}

#[test]
fn a_retry_is_not_the_same_for_all() {
    let server = Server::with(full);
    let _held = server.event_stream(&Request::event_stream("/topics/a"));
    let retry =
        || server.event_stream(&Request::event_stream("/topics/a")).block().expect("one")[0].1.clone();
    let first = retry();
    // That twenty of a thousand values are all the same is a chance of 1 in 10^57.
    assert!((0..20).any(|_| retry() != first));
}

#[test]
fn those_that_are_there_are_served_on_and_when_one_goes_another_has_room() {
    let server = Server::with(full);
    let mut held = server.web_socket(&Request::handshake("/topics/a"));
    held.hello();
    server.ask(&Request::post("/topics/a", "refused")).assert_problem(503);
    held.send(Opcode::Text, "x");
    assert_eq!(held.event().data, "x");
    drop(held);
    // Its end is seen when it is; until then the answer is 503.
    eventually(|| server.ask(&Request::post("/topics/a", "y")).status == 201);
}
