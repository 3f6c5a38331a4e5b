//! The work of one loop iteration: no client makes it long, whatever it sends. The work is counted
//! in units, so these tests depend on no clock.

use barewire::simulation::Peer;

use super::simulation::SimulatedServer;
#[cfg(feature = "deflate")]
use crate::compression::compressed_frame;
use crate::harness::{Opcode, Request, masked_frame};

/// The units of one iteration, and as many again: each phase may exceed its share by one step.
const MOST: u64 = 2 * 5_000_000;

fn assert_short(server: &SimulatedServer, attack: &str) {
    let most = server.simulation.iteration_work_max();
    assert!(most > 0 && most <= MOST, "{attack}: {most} units");
}

fn repeated(request: &Request, bytes: usize) -> Vec<u8> {
    let request = request.bytes();
    request.repeat(bytes.div_ceil(request.len()))
}

/// Fills the log with events of 60,000 bytes, each of which JSON escapes.
fn fill(server: &mut SimulatedServer, events: usize) {
    let data = "\u{1}".repeat(60_000);
    for _ in 0..events {
        server.publish("full", &data);
    }
}

/// Delivers these bytes to all peers before the server looks at any of them.
fn send_to_all(server: &mut SimulatedServer, peers: &[Peer], bytes: &[u8]) {
    for (peer, last) in peers.iter().zip(1..) {
        if last < peers.len() {
            server.simulation.queue(*peer, bytes);
        } else {
            server.simulation.send(*peer, bytes);
        }
    }
}

#[test]
fn pipelined_requests() {
    for (attack, request) in [
        ("metrics", Request::new("HEAD", "/metrics")),
        ("poll", Request::get("/topics/full?since=start")),
        ("head of a poll", Request::new("HEAD", "/topics/full?since=start")),
        ("publish", Request::post("/topics/other", "x")),
        ("not found", Request::get("/nothing")),
    ] {
        let mut server = SimulatedServer::with(|_| {});
        fill(&mut server, 3);
        let peers: Vec<Peer> = (0..200).map(|_| server.connect()).collect();
        send_to_all(&mut server, &peers, &repeated(&request, 4096));
        assert_short(&server, attack);
        let responses = server.simulation.take(peers[0]);
        assert!(responses.starts_with(b"HTTP/1.1 "), "{attack}");
    }
}

#[test]
fn the_echo_of_a_very_long_message() {
    let mut server = SimulatedServer::with(|_| {});
    let sockets: Vec<Peer> = (0..2).map(|_| server.handshake("/echo")).collect();
    let message = masked_frame(true, Opcode::Binary, &[b'x'; 16 << 20]);
    send_to_all(&mut server, &sockets, &[&message[..], &masked_frame(true, Opcode::Text, b"y")].concat());
    assert_short(&server, "an echo");
    for socket in sockets {
        let lengths: Vec<usize> = server.frames(socket).iter().map(|frame| frame.payload.len()).collect();
        assert_eq!(lengths, [16 << 20, 1]);
    }
}

#[test]
fn the_longest_batch() {
    let mut server = SimulatedServer::with(|_| {});
    let batch = Request::post_lines("/topics/lines", "a\n".repeat(1 << 19));
    assert_eq!(server.request(&batch).status, 201);
    assert_short(&server, "a batch");
}

#[test]
fn a_batch_of_many_lines() {
    let mut server = SimulatedServer::with(|_| {});
    let (stream, _) = server.event_stream("/topics/lines");
    let batch = Request::post("/topics/lines", "a\n".repeat(100_000));
    let response = server.request(&batch.field("Content-Type", "application/x-ndjson"));
    assert_eq!(response.status, 201);
    let ids: serde_json::Value = serde_json::from_slice(&response.body).expect("ids");
    assert_eq!(ids["ids"].as_array().map(Vec::len), Some(100_000));
    let (text, _) = server.streamed(stream);
    assert_eq!(text.matches("data: a\n\n").count(), 100_000);
    assert_short(&server, "a batch");
}

#[test]
fn event_streams_that_start_at_the_beginning_of_a_long_log() {
    let mut server = SimulatedServer::with(|_| {});
    fill(&mut server, 100);
    let peers: Vec<Peer> = (0..20).map(|_| server.connect()).collect();
    send_to_all(&mut server, &peers, &Request::event_stream("/topics/full?since=start").bytes());
    assert_short(&server, "event streams");
    for peer in peers {
        let bytes = server.simulation.take(peer);
        assert_eq!(String::from_utf8_lossy(&bytes).matches("\ndata: ").count(), 100);
    }
}

#[test]
fn held_polls_that_each_have_a_response_of_their_own() {
    let mut server = SimulatedServer::with(|_| {});
    let polls =
        |number: usize| Request::get("/topics/full?wait=60").field("If-None-Match", format!("\"{number}\""));
    let peers: Vec<Peer> = (0..500).map(|number| server.begin(&polls(number))).collect();
    fill(&mut server, 1);
    for peer in peers {
        assert_eq!(server.response(peer).status, 200);
    }
    assert_short(&server, "held polls");
}

#[test]
fn deadlines_that_are_due_together() {
    let mut server = SimulatedServer::with(|options| options.heartbeat = 5);
    let streams: Vec<_> = (0..3000).map(|_| server.event_stream("/topics/quiet").0).collect();
    server.pass(55);
    assert_short(&server, "heartbeats");
    for stream in streams {
        assert!(!server.streamed(stream).0.is_empty(), "each stream has its heartbeat");
    }
}

#[test]
fn slow_followers_that_are_evicted_together() {
    let mut server = SimulatedServer::with(|options| options.hub.window_bytes = 200_000);
    let streams: Vec<_> = (0..3000).map(|_| server.event_stream("/topics/full").0).collect();
    for stream in &streams {
        server.simulation.set_room(*stream, 100);
    }
    fill(&mut server, 5);
    assert_short(&server, "evictions");
    assert_eq!(server.metric("followers_too_slow_total"), 3000);
}

/// A client publishes while a fan-out has filled the log, and others have much to do. Waiting for
/// room costs the client no more: once there is room, it is served before them.
#[test]
fn a_publisher_that_has_waited_for_room_is_served_first() {
    const WINDOW: usize = 100_000;
    let mut server = SimulatedServer::with(|options| options.hub.window_bytes = WINDOW);
    let calm = server.connect();
    for _ in 0..10 {
        server.simulation.send(calm, &Request::get("/topics/calm").bytes());
    }
    server.simulation.take(calm);
    let streams: Vec<_> = (0..1000).map(|_| server.event_stream("/topics/full").0).collect();
    let busy: Vec<Peer> = (0..300).map(|_| server.handshake("/echo")).collect();
    let publishers = [server.connect(), server.connect()];
    server.simulation.pause();
    for peer in &busy {
        server.simulation.queue(*peer, &masked_frame(true, Opcode::Ping, b"").repeat(10_000));
    }
    let event = Request::post("/topics/full", "x".repeat(65_000)).bytes();
    for peer in publishers {
        server.simulation.queue(peer, &event);
    }
    let (mut waited, mut after) = (0, 0);
    while server.simulation.take(calm).is_empty() {
        assert!(server.simulation.step(), "the publisher has no response");
        let is_full = server.simulation.log_memory().0 > WINDOW;
        if is_full && waited == 0 {
            server.simulation.queue(calm, &Request::post("/topics/calm", "x").bytes());
        }
        waited += u32::from(is_full);
        after += u32::from(waited > 0 && !is_full);
    }
    assert!(waited > 5 && after <= 2, "{after} iterations after {waited} in which the log was full");
    assert!(server.simulation.step(), "the others still have much to do");
    assert!(streams.iter().all(|stream| !server.simulation.has_ended(*stream)));
}

#[test]
fn a_flood_of_small_messages() {
    let mut server = SimulatedServer::with(|_| {});
    let sockets: Vec<Peer> = (0..100).map(|_| server.handshake("/echo")).collect();
    for opcode in [Opcode::Ping, Opcode::Text] {
        send_to_all(&mut server, &sockets, &masked_frame(true, opcode, b"x").repeat(3000));
    }
    assert_short(&server, "messages");
    let frames = server.frames(sockets[0]);
    assert_eq!(frames.iter().filter(|frame| frame.opcode == Opcode::Text).count(), 3000);
}

#[cfg(feature = "deflate")]
mod compressed {
    use super::*;

    fn deflating(server: &mut SimulatedServer, target: &str) -> Peer {
        let offer = "permessage-deflate; client_no_context_takeover; server_no_context_takeover";
        server.web_socket(&Request::handshake(target).field("Sec-WebSocket-Extensions", offer)).0
    }

    #[test]
    fn small_frames_that_inflate_to_long_events() {
        let mut server = SimulatedServer::with(|options| options.hub.window_bytes = 4 << 20);
        let streams: Vec<_> = (0..50).map(|_| server.event_stream("/topics/zip").0).collect();
        for stream in &streams {
            server.simulation.set_room(*stream, 0);
        }
        let socket = deflating(&mut server, "/topics/zip");
        server.simulation.send(socket, &compressed_frame(&"a".repeat(65_536)).repeat(300));
        assert_short(&server, "small frames");
        assert_eq!(server.metric("events_published_total"), 300);
        let log = server.metric("log_bytes");
        assert!(log <= 4 << 20, "{log} bytes are kept");
    }

    #[test]
    fn the_echo_of_a_long_message() {
        let mut server = SimulatedServer::with(|_| {});
        let sockets: Vec<Peer> = (0..3).map(|_| deflating(&mut server, "/echo")).collect();
        let mut random = 1_u32;
        let letters = (0..1 << 20).map(|_| {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            char::from(b'a' + (random >> 28) as u8)
        });
        let text: String = letters.collect();
        send_to_all(&mut server, &sockets, &compressed_frame(&text));
        assert_short(&server, "an echo");
        for socket in sockets {
            // The socket still works after it.
            server.simulation.send(socket, &masked_frame(true, Opcode::Ping, b"after"));
            let frames = server.compressed_frames(socket);
            assert_eq!(frames.len(), 2);
            assert!(frames[0].0 && frames[0].1.payload.len() > 400_000);
            assert_eq!(frames[1].1.payload, b"after");
        }
    }

    #[test]
    fn a_message_of_many_last_blocks() {
        let mut server = SimulatedServer::with(|_| {});
        let socket = deflating(&mut server, "/echo");
        // An empty fixed block with the bit for the last one (RFC 1951 §3.2.3), many times.
        let mut payload = [3, 0].repeat(60_000);
        payload.push(0);
        let mut frame = masked_frame(true, Opcode::Text, &payload);
        frame[0] |= 0x40;
        server.simulation.send(socket, &frame);
        assert_short(&server, "last blocks");
        assert_eq!(server.compressed_frames(socket).len(), 1);
    }
}
