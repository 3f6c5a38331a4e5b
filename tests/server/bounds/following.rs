//! Times of those who follow, to the tenth of a second.

use barewire::server::{Options, Peer};

use super::stage::{Stage, split_head};
use crate::harness::{Frame, Opcode, Request};

/// The time that a test sets, in seconds, and as long in tenths.
const SECONDS: u32 = 7;
const TICKS: u32 = 10 * SECONDS;

#[test]
fn max_wait() {
    let mut stage = Stage::with(|options| options.policy.max_wait = SECONDS as u8);
    // What is asked for, and what is granted of it, in tenths of a second.
    for (asked, granted) in [(1, 10), (SECONDS, TICKS), (SECONDS + 1, TICKS), (u32::MAX, TICKS)] {
        for prefer in [false, true] {
            let request = match prefer {
                false => Request::get(format!("/topics/a?wait={asked}")),
                true => Request::get("/topics/a").field("Prefer", format!("wait={asked}")),
            };
            let visitor = stage.begin(&request);
            let mut answer = Vec::new();
            stage.assert_due(granted, |stage| {
                answer.extend(stage.server.take(visitor));
                !answer.is_empty()
            });
            let (head, body) = split_head(&answer);
            assert!(head.status == 200 && body.starts_with(b"{\"events\":[]"), "{head:?}");
            let applied = prefer.then(|| format!("wait={}", granted / 10));
            assert_eq!(head.get("Preference-Applied"), applied.as_deref());
            assert!(!stage.server.has_ended(visitor));
        }
    }
    assert_eq!((stage.metric("long_polls_held_total"), stage.metric("polls_empty_total")), (8, 8));
    let mut stage = Stage::with(|options| options.policy.max_wait = 0);
    let visitor = stage.begin(&Request::get("/topics/a?wait=5"));
    assert!(stage.response(visitor).data().is_empty(), "nobody is held");
}

#[test]
fn retry() {
    // The first block of a stream, `Retry-After`, and the last block of one that is drained: the time, and up to as much
    // again.
    for (retry, streams) in [(0, 10), (1, 100), (2000, 1000)] {
        let set = |options: &mut Options| {
            options.policy.retry = retry;
            options.hub.topics = 1;
        };
        let mut stage = Stage::with(set);
        let milliseconds = |block: &str| -> u32 {
            let line = block.lines().find_map(|line| line.strip_prefix("retry: "));
            line.expect("a retry").parse().expect("milliseconds")
        };
        let (mut told, mut visitors) = (Vec::new(), Vec::new());
        for _ in 0..streams {
            let (visitor, block) = stage.event_stream("/topics/a");
            told.push(milliseconds(&block));
            visitors.push(visitor);
        }
        for _ in 0..20 {
            let surplus = stage.ask(&Request::post("/topics/b", "x"));
            let seconds = surplus.get("Retry-After").expect("when to come again").parse::<u32>();
            let seconds = seconds.expect("whole seconds");
            assert!((retry.div_ceil(1000)..=(2 * retry).div_ceil(1000)).contains(&seconds), "{seconds}");
        }
        stage.server.stop();
        for visitor in visitors {
            let (block, ended) = stage.streamed(visitor);
            assert!(ended);
            told.push(milliseconds(&block));
        }
        assert!(told.iter().all(|told| (retry..=2 * retry).contains(told)), "{told:?}");
        let (least, most) = (told.iter().min(), told.iter().max());
        let spread = most.zip(least).map(|(most, least)| most - least);
        // Of two thousand in a range of two seconds, the same each time: this is the first seed's.
        assert!(spread.is_some_and(|spread| spread >= retry / 100 * 95), "{least:?} to {most:?}");
        assert!(retry == 0 || spread > Some(0));
    }
}

#[test]
fn heartbeat() {
    let mut stage = Stage::with(|options| options.heartbeat = SECONDS);
    let (stream, _) = stage.event_stream("/topics/a");
    let old = stage.begin(&Request::event_stream("/topics/a").http10());
    stage.server.take(old);
    // Each write begins it anew, whether it was a comment or an event.
    for _ in 0..2 {
        let mut got = (String::new(), Vec::new());
        stage.assert_due(TICKS, |stage| {
            got.0 += &stage.streamed(stream).0;
            got.1.extend(stage.server.take(old));
            !got.0.is_empty() && !got.1.is_empty()
        });
        assert!(got.0.starts_with(':') && got.0.as_bytes() == got.1, "{got:?}");
    }
    stage.pass(TICKS - 1);
    stage.publish("a", "x");
    assert!(stage.streamed(stream).0.ends_with("data: x\n\n"));
    stage.assert_due(TICKS, |stage| stage.streamed(stream).0.starts_with(':'));
    // One that takes nothing is not silent: no comments are put behind what it is owed.
    stage.server.set_room(stream, 0);
    stage.publish("a", "y");
    stage.pass(5 * TICKS);
    stage.server.set_room(stream, usize::MAX);
    let (text, ended) = stage.streamed(stream);
    assert!(text.ends_with("data: y\n\n") && !text.contains("\n:") && !ended, "{text:?}");
}

/// A WebSocket has been sent a ping, and nothing else; or nothing at all.
fn is_pinged(stage: &mut Stage, visitor: Peer) -> bool {
    let frames = stage.frames(visitor);
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
        let mut stage = Stage::with(|options| options.ping_interval = SECONDS);
        let visitor = stage.handshake(target);
        // Whatever it sends is a sign of life, also half a frame.
        let pong = crate::harness::masked_frame(true, Opcode::Pong, b"");
        for signs in [&[&pong[..]][..], &[&pong[..1], &pong[1..]]] {
            stage.assert_due(TICKS, |stage| is_pinged(stage, visitor));
            for sign in signs {
                stage.pass(TICKS - 1);
                stage.server.send(visitor, sign);
            }
        }
        stage.assert_due(TICKS, |stage| is_pinged(stage, visitor));
    }
    // What it is sent is none.
    let mut stage = Stage::with(|options| options.ping_interval = SECONDS);
    let visitor = stage.handshake("/topics/a");
    stage.pass(TICKS - 1);
    stage.publish("a", "x");
    assert_eq!(stage.frames(visitor).len(), 1);
    stage.assert_due(1, |stage| is_pinged(stage, visitor));
}

#[test]
fn pong_timeout() {
    for (target, transport) in TARGETS {
        let mut stage = Stage::with(|options| (options.ping_interval, options.pong_timeout) = (1, SECONDS));
        let visitor = stage.handshake(target);
        stage.assert_due(10, |stage| is_pinged(stage, visitor));
        // An answer within the time, the latest that there is.
        stage.pass(TICKS - 1);
        assert!(!stage.server.has_ended(visitor));
        stage.say(visitor, Opcode::Pong, "");
        stage.assert_due(10, |stage| is_pinged(stage, visitor));
        stage.assert_ends_in(TICKS, visitor);
        assert!(stage.frames(visitor).is_empty(), "nobody is there to be told");
        assert_eq!((stage.ended(transport, "pong-timeout"), stage.server.connections()), (1, 0));
    }
    // Who is served in the meantime and says nothing is gone all the same; and others are served on.
    let mut stage = Stage::with(|options| (options.ping_interval, options.pong_timeout) = (1, SECONDS));
    let visitor = stage.handshake("/topics/a");
    let (stream, _) = stage.event_stream("/topics/a");
    stage.assert_due(10, |stage| is_pinged(stage, visitor));
    stage.pass(TICKS - 1);
    stage.publish("a", "1");
    assert_eq!(stage.frames(visitor).len(), 1);
    stage.assert_ends_in(1, visitor);
    stage.publish("a", "2");
    assert_eq!(stage.streamed(stream).0.matches("data: ").count(), 2);
}
