//! Times that apply to followers, exact to a tick of 100 ms.

use barewire::server::Options;
use barewire::simulation::Peer;

use super::simulation::{SimulatedServer, split_head};
use crate::harness::{Frame, Opcode, Request};

/// The time that each test sets, in seconds and in ticks of 100 ms.
const SECONDS: u32 = 7;
const TICKS: u32 = 10 * SECONDS;

#[test]
fn max_wait() {
    let mut server = SimulatedServer::with(|options| options.policy.max_wait = SECONDS as u8);
    // The requested wait in seconds, and the granted one in ticks.
    for (requested, granted) in [(1, 10), (SECONDS, TICKS), (SECONDS + 1, TICKS), (u32::MAX, TICKS)] {
        for prefer in [false, true] {
            let request = match prefer {
                false => Request::get(format!("/topics/a?wait={requested}")),
                true => Request::get("/topics/a").field("Prefer", format!("wait={requested}")),
            };
            let peer = server.begin(&request);
            let mut response = Vec::new();
            server.assert_due(granted, |server| {
                response.extend(server.simulation.take(peer));
                !response.is_empty()
            });
            let (head, body) = split_head(&response);
            assert!(head.status == 200 && body.starts_with(b"{\"events\":[]"), "{head:?}");
            let applied = prefer.then(|| format!("wait={}", granted / 10));
            assert_eq!(head.get("Preference-Applied"), applied.as_deref());
            assert!(!server.simulation.has_ended(peer));
        }
    }
    assert_eq!((server.metric("long_polls_held_total"), server.metric("polls_empty_total")), (8, 8));
    let mut server = SimulatedServer::with(|options| options.policy.max_wait = 0);
    let peer = server.begin(&Request::get("/topics/a?wait=5"));
    assert!(server.response(peer).data().is_empty(), "no poll is held");
}

#[test]
fn retry() {
    // The delay in the first block of a stream, in `Retry-After`, and in the last block of a
    // drained stream: the configured time plus up to 100 % jitter.
    for (retry, streams) in [(0, 10), (1, 100), (2000, 1000)] {
        let set = |options: &mut Options| {
            options.policy.retry = retry;
            options.hub.topics = 1;
        };
        let mut server = SimulatedServer::with(set);
        let milliseconds = |block: &str| -> u32 {
            let line = block.lines().find_map(|line| line.strip_prefix("retry: "));
            line.expect("a retry").parse().expect("milliseconds")
        };
        let (mut delays, mut peers) = (Vec::new(), Vec::new());
        for _ in 0..streams {
            let (peer, block) = server.event_stream("/topics/a");
            delays.push(milliseconds(&block));
            peers.push(peer);
        }
        for _ in 0..20 {
            let surplus = server.request(&Request::post("/topics/b", "x"));
            let seconds = surplus.get("Retry-After").expect("a Retry-After").parse::<u32>();
            let seconds = seconds.expect("whole seconds");
            assert!((retry.div_ceil(1000)..=(2 * retry).div_ceil(1000)).contains(&seconds), "{seconds}");
        }
        server.simulation.stop();
        for peer in peers {
            let (block, ended) = server.streamed(peer);
            assert!(ended);
            delays.push(milliseconds(&block));
        }
        assert!(delays.iter().all(|delay| (retry..=2 * retry).contains(delay)), "{delays:?}");
        let (least, most) = (delays.iter().min(), delays.iter().max());
        let spread = most.zip(least).map(|(most, least)| most - least);
        // Two thousand values in a range of two seconds. The fixed seed makes them the same in
        // every run.
        assert!(spread.is_some_and(|spread| spread >= retry / 100 * 95), "{least:?} to {most:?}");
        assert!(retry == 0 || spread > Some(0));
    }
}

#[test]
fn heartbeat() {
    let mut server = SimulatedServer::with(|options| options.heartbeat = SECONDS);
    let (stream, _) = server.event_stream("/topics/a");
    let old = server.begin(&Request::event_stream("/topics/a").http10());
    server.simulation.take(old);
    // Each write, a comment or an event, restarts the interval.
    for _ in 0..2 {
        let mut got = (String::new(), Vec::new());
        server.assert_due(TICKS, |server| {
            got.0 += &server.streamed(stream).0;
            got.1.extend(server.simulation.take(old));
            !got.0.is_empty() && !got.1.is_empty()
        });
        assert!(got.0.starts_with(':') && got.0.as_bytes() == got.1, "{got:?}");
    }
    server.pass(TICKS - 1);
    server.publish("a", "x");
    assert!(server.streamed(stream).0.ends_with("data: x\n\n"));
    server.assert_due(TICKS, |server| server.streamed(stream).0.starts_with(':'));
    // A peer that does not read is not silent: no comments are queued after its pending bytes.
    server.simulation.set_room(stream, 0);
    server.publish("a", "y");
    server.pass(5 * TICKS);
    server.simulation.set_room(stream, usize::MAX);
    let (text, ended) = server.streamed(stream);
    assert!(text.ends_with("data: y\n\n") && !text.contains("\n:") && !ended, "{text:?}");
}

/// Returns whether a WebSocket has received a ping. Fails if it has received anything else.
fn is_pinged(server: &mut SimulatedServer, peer: Peer) -> bool {
    let frames = server.frames(peer);
    assert!(
        frames.is_empty() || frames == [Frame { opcode: Opcode::Ping, payload: Vec::new() }],
        "{frames:?}"
    );
    !frames.is_empty()
}

const TARGETS: [(&str, &str); 2] = [("/topics/a", "websocket"), ("/echo", "echo")];

#[test]
fn ping_interval() {
    for (target, _) in TARGETS {
        let mut server = SimulatedServer::with(|options| options.ping_interval = SECONDS);
        let peer = server.handshake(target);
        // Anything that the peer sends is a sign of life, including half a frame.
        let pong = crate::harness::masked_frame(true, Opcode::Pong, b"");
        for signs in [&[&pong[..]][..], &[&pong[..1], &pong[1..]]] {
            server.assert_due(TICKS, |server| is_pinged(server, peer));
            for sign in signs {
                server.pass(TICKS - 1);
                server.simulation.send(peer, sign);
            }
        }
        server.assert_due(TICKS, |server| is_pinged(server, peer));
    }
    // Data that the server sends is not a sign of life.
    let mut server = SimulatedServer::with(|options| options.ping_interval = SECONDS);
    let peer = server.handshake("/topics/a");
    server.pass(TICKS - 1);
    server.publish("a", "x");
    assert_eq!(server.frames(peer).len(), 1);
    server.assert_due(1, |server| is_pinged(server, peer));
}

#[test]
fn pong_timeout() {
    for (target, transport) in TARGETS {
        let mut server =
            SimulatedServer::with(|options| (options.ping_interval, options.pong_timeout) = (1, SECONDS));
        let peer = server.handshake(target);
        server.assert_due(10, |server| is_pinged(server, peer));
        // The latest pong that is still in time.
        server.pass(TICKS - 1);
        assert!(!server.simulation.has_ended(peer));
        server.send_message(peer, Opcode::Pong, "");
        server.assert_due(10, |server| is_pinged(server, peer));
        server.assert_ends_in(TICKS, peer);
        assert!(server.frames(peer).is_empty(), "no close frame is sent to a dead peer");
        assert_eq!((server.ended(transport, "pong-timeout"), server.simulation.connections()), (1, 0));
    }
    // A peer that receives events but sends nothing is dropped as well, and others are still
    // served.
    let mut server =
        SimulatedServer::with(|options| (options.ping_interval, options.pong_timeout) = (1, SECONDS));
    let peer = server.handshake("/topics/a");
    let (stream, _) = server.event_stream("/topics/a");
    server.assert_due(10, |server| is_pinged(server, peer));
    server.pass(TICKS - 1);
    server.publish("a", "1");
    assert_eq!(server.frames(peer).len(), 1);
    server.assert_ends_in(1, peer);
    server.publish("a", "2");
    assert_eq!(server.streamed(stream).0.matches("data: ").count(), 2);
}

#[test]
fn while_output_waits_only_the_newest_ping_is_answered() {
    let mut server = SimulatedServer::with(|_| ());
    let peer = server.handshake("/echo");
    server.simulation.set_room(peer, 1);
    server.send_message(peer, Opcode::Text, "echo");
    for ping in ["first", "second", "third"] {
        server.send_message(peer, Opcode::Ping, ping);
    }
    server.simulation.set_room(peer, usize::MAX);
    let payloads: Vec<Vec<u8>> = server.frames(peer).into_iter().map(|frame| frame.payload).collect();
    assert_eq!(payloads, [&b"echo"[..], b"third"]);
}
