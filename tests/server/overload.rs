//! Temporary limits: excess connections receive the time at which to reconnect.

use barewire::server::Options;

use crate::harness::{Opcode, Request, Server, eventually, in_every_mode_with};

/// Limits the server to one connection.
fn full(options: &mut Options) {
    options.max_connections = 1;
    options.policy.retry = 1000;
}

#[test]
fn an_excess_connection_gets_503_and_an_event_stream_200_with_a_retry_and_the_end() {
    in_every_mode_with(full, |server| {
        let _held = server.event_stream(&Request::event_stream("/topics/a"));
        for request in [
            Request::get("/topics/a"),
            Request::get("/topics/a?wait=60"),
            Request::post("/topics/a", "x"),
            Request::handshake("/topics/a"),
            Request::handshake("/echo"),
        ] {
            let response = server.request(&request);
            response.assert_problem(503);
            let seconds = response.get("Retry-After").expect("a Retry-After");
            assert!(seconds.parse::<u32>().is_ok(), "{seconds}");
        }
        for request in [Request::event_stream("/topics/a"), Request::event_stream("/topics/a").http10()] {
            let mut refused = server.event_stream(&request);
            let block = refused.block().expect("one block");
            assert_eq!((block.len(), block[0].0.as_str()), (1, "retry"), "{block:?}");
            let retry: u32 = block[0].1.parse().expect("milliseconds");
            assert!((1000..=2000).contains(&retry), "the configured delay plus up to 100 % jitter: {retry}");
            assert_eq!(refused.block(), None);
            assert!(refused.is_complete && refused.is_at_end());
        }
    });
}

#[test]
fn reconnect_delays_are_random() {
    let server = Server::with(full);
    let _held = server.event_stream(&Request::event_stream("/topics/a"));
    let retry =
        || server.event_stream(&Request::event_stream("/topics/a")).block().expect("one")[0].1.clone();
    let first = retry();
    // The probability that twenty of a thousand values are equal is 1 in 10^57.
    assert!((0..20).any(|_| retry() != first));
}

#[test]
fn existing_connections_are_served_and_a_freed_one_makes_room() {
    let server = Server::with(full);
    let mut held = server.web_socket(&Request::handshake("/topics/a"));
    held.hello();
    server.request(&Request::post("/topics/a", "refused")).assert_problem(503);
    held.send(Opcode::Text, "x");
    assert_eq!(held.event().data, "x");
    drop(held);
    // Until the server notices the end of the connection, the response is 503.
    eventually(|| server.request(&Request::post("/topics/a", "y")).status == 201);
}
