//! Long operations, and followers that wait to be evicted, when something else happens to them
//! between two loop iterations.

use barewire::simulation::Peer;

use super::simulation::SimulatedServer;
#[cfg(feature = "deflate")]
use crate::compression::compressed_frame;
use crate::harness::{Opcode, Request, masked_frame};

/// Begins a batch that takes several iterations, and returns its publisher.
fn begin_batch(server: &mut SimulatedServer) -> Peer {
    let peer = server.connect();
    let batch = Request::post_lines("/topics/lines", "a\n".repeat(200_000));
    server.simulation.queue(peer, &batch.bytes());
    for _ in 0..3 {
        assert!(server.simulation.step(), "the batch takes several iterations");
    }
    peer
}

/// Asserts that no batch holds the topic any more: it can be evicted.
fn assert_lines_evictable(server: &mut SimulatedServer) {
    for topic in ["one", "two"] {
        let response = server.request(&Request::post(format!("/topics/{topic}"), "x"));
        assert_eq!(response.status, 201, "{response:?}");
    }
}

#[test]
fn a_batch_whose_time_is_over_releases_its_topic() {
    let mut server = SimulatedServer::with(|options| {
        options.hub.topics = 2;
        options.body_timeout = 5;
    });
    let peer = begin_batch(&mut server);
    server.pass(55);
    assert!(server.simulation.has_ended(peer) && server.simulation.take(peer).is_empty());
    assert_eq!(server.ended("http", "request-timeout"), 1);
    assert_lines_evictable(&mut server);
}

#[test]
fn a_batch_that_holds_too_much_memory_releases_its_topic() {
    let mut server = SimulatedServer::with(|options| {
        options.hub.topics = 2;
        options.buffered_bytes = 4 << 20;
    });
    let peer = begin_batch(&mut server);
    while server.simulation.step() {}
    assert!(server.simulation.has_ended(peer) && server.simulation.take(peer).is_empty());
    assert_eq!(server.ended("http", "memory"), 1);
    assert_lines_evictable(&mut server);
}

#[test]
fn a_batch_at_the_shutdown_is_completed_and_ends_its_connection() {
    let mut server = SimulatedServer::with(|_| {});
    let peer = begin_batch(&mut server);
    server.simulation.stop();
    let response = server.response(peer);
    assert_eq!(response.status, 201);
    assert!(server.simulation.has_ended(peer), "{:?}", response.fields);
}

#[test]
fn a_batch_is_completed_before_its_followers_are_told_of_the_shutdown() {
    let mut server = SimulatedServer::with(|_| {});
    let (stream, _) = server.event_stream("/topics/lines");
    let peer = begin_batch(&mut server);
    server.simulation.stop();
    let ids: serde_json::Value = serde_json::from_slice(&server.response(peer).body).expect("ids");
    let ids = ids["ids"].as_array().expect("a list").len();
    let (text, ended) = server.streamed(stream);
    assert!(ended && ids > 1000);
    assert_eq!(text.matches("\ndata: ").count(), ids);
}

#[test]
fn a_follower_that_is_closed_for_memory_receives_no_byte_in_the_middle_of_an_event() {
    let mut server = SimulatedServer::with(|options| {
        options.hub.window_bytes = 100_000;
        options.buffered_bytes = 200_000;
    });
    let slow = server.handshake("/topics/full");
    let start = &masked_frame(false, Opcode::Text, &[b'a'; 50_000]);
    server.simulation.send(slow, start);
    server.simulation.set_room(slow, 1000);
    server.publish("full", "b".repeat(60_000));
    server.pass(100);
    // The first one pushes out the event that the follower is in; the second one needs its memory.
    let publishers = [server.connect(), server.connect()];
    let publish = Request::post("/topics/full", "c".repeat(60_000)).bytes();
    server.simulation.queue(publishers[0], &publish);
    let upload = Request::post_lines("/topics/full", "d".repeat(190_000)).bytes();
    server.simulation.queue(publishers[1], &upload[..180_000]);
    while server.simulation.step() {}
    server.simulation.set_room(slow, usize::MAX);
    assert_eq!(server.ended("websocket", "too-slow"), 1);
    assert!(server.simulation.has_ended(slow));
    let bytes = server.simulation.take(slow);
    assert!(bytes.len() == 1000 && bytes.ends_with(b"bbb"), "{} bytes", bytes.len());
}

#[cfg(feature = "deflate")]
mod compressed {
    use super::*;

    const OFFER: &str = "permessage-deflate; client_no_context_takeover; server_no_context_takeover";

    fn deflating(server: &mut SimulatedServer, target: &str) -> Peer {
        server.web_socket(&Request::handshake(target).field("Sec-WebSocket-Extensions", OFFER)).0
    }

    /// Begins an echo that takes several iterations, and returns its peer.
    fn begin_echo(server: &mut SimulatedServer) -> Peer {
        let peer = deflating(server, "/echo");
        server.simulation.queue(peer, &compressed_frame(&"abc ".repeat(400_000)));
        for _ in 0..10 {
            assert!(server.simulation.step(), "the echo takes several iterations");
        }
        peer
    }

    fn assert_echoes(server: &mut SimulatedServer) {
        let peer = deflating(server, "/echo");
        server.simulation.queue(peer, &compressed_frame(&"abc ".repeat(50_000)));
        (0..100).for_each(|_| _ = server.simulation.step());
        assert_eq!(server.compressed_frames(peer).len(), 1);
    }

    #[test]
    fn no_echo_follows_a_close_frame() {
        let mut server = SimulatedServer::with(|_| {});
        let peer = begin_echo(&mut server);
        server.simulation.stop();
        server.assert_close(peer, 1001);
        server.send_message(peer, Opcode::Close, 1001_u16.to_be_bytes());
        assert!(server.simulation.has_ended(peer) && server.simulation.take(peer).is_empty());
    }

    #[test]
    fn an_echo_that_is_given_up_makes_room_for_the_next() {
        let mut server = SimulatedServer::with(|options| options.buffered_bytes = 4 << 20);
        let peer = begin_echo(&mut server);
        server.simulation.set_room(peer, 0);
        let upload = Request::post_lines("/topics/full", "d".repeat(1_000_000)).bytes();
        let uploads: Vec<Peer> = (0..4).map(|_| server.connect()).collect();
        uploads.iter().for_each(|other| server.simulation.queue(*other, &upload[..990_000]));
        (0..20).for_each(|_| _ = server.simulation.step());
        uploads.iter().for_each(|other| server.simulation.reset(*other));
        assert_echoes(&mut server);
    }

    #[test]
    fn a_client_is_not_pinged_while_its_echo_is_compressed() {
        let mut server = SimulatedServer::with(|options| options.ping_interval = 5);
        let peer = begin_echo(&mut server);
        server.pass(60);
        let frames = server.compressed_frames(peer);
        let opcodes: Vec<Opcode> = frames.iter().map(|(_, frame)| frame.opcode).collect();
        assert_eq!(opcodes, [Opcode::Text], "its pong would not be read in time");
    }

    #[test]
    fn an_event_after_a_long_segment_that_must_be_compressed_again() {
        let mut server = SimulatedServer::with(|options| options.hub.encoded_bytes = 1);
        let socket = deflating(&mut server, "/topics/full");
        for _ in 0..3 {
            server.publish("full", "a".repeat(60_000));
            assert_eq!(server.compressed_frames(socket).len(), 1);
            // This drops the encoded event.
            let (stream, _) = server.event_stream("/topics/other");
            server.publish("other", "b");
            assert!(server.streamed(stream).0.contains("data: b"));
        }
    }
}
