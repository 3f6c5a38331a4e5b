//! What all connections hold together.

use barewire::server::{Options, Peer};

use super::stage::Stage;
use crate::harness::{Frame, Opcode, Request, masked_frame};

/// A publish's head that declares a body of so many bytes.
fn declares(length: usize) -> Vec<u8> {
    Request::new("POST", "/topics/a").field("Content-Length", length.to_string()).bytes()
}

/// The first `length` bytes of a message of one frame that has more.
fn partial_message(opcode: Opcode, length: usize) -> Vec<u8> {
    let mut frame = masked_frame(true, opcode, &vec![b'x'; length + 1000]);
    frame.truncate(length);
    frame
}

#[cfg(feature = "deflate")]
fn deflating(target: &str) -> Request {
    Request::handshake(target).field("Sec-WebSocket-Extensions", "permessage-deflate")
}

/// How a visitor that held the most is to end.
#[derive(Clone, Copy)]
enum End {
    /// It is answered 503, and its connection ends.
    Answer,
    /// Its WebSocket is closed with 1013.
    Close,
    /// It takes nothing, so nothing can be said to it.
    Drop,
}

/// A way to hold much: how it begins, how it goes on, how it ends, and as what it is counted.
struct Holder {
    holds: fn(&mut Stage) -> Peer,
    end: End,
    transport: &'static str,
}

/// More than anybody else holds, and so that a step of it is one call.
const MUCH: usize = 50_000;

const HOLDERS: &[Holder] = &[
    Holder {
        // A head.
        holds: |stage| {
            let visitor = stage.connect();
            let request = Request::get("/health").field("A", "a".repeat(2 * MUCH)).bytes();
            stage.server.send(visitor, &request[..MUCH]);
            visitor
        },
        end: End::Answer,
        transport: "http",
    },
    Holder {
        // A body.
        holds: |stage| {
            let visitor = stage.connect();
            stage.server.send(visitor, &declares(2 * MUCH));
            stage.server.send(visitor, &[b'x'; MUCH]);
            visitor
        },
        end: End::Answer,
        transport: "http",
    },
    Holder {
        // A message on a topic.
        holds: |stage| {
            let visitor = stage.handshake("/topics/a");
            stage.server.send(visitor, &partial_message(Opcode::Text, MUCH));
            visitor
        },
        end: End::Close,
        transport: "websocket",
    },
    Holder {
        // An echo.
        holds: |stage| {
            let visitor = stage.handshake("/echo");
            stage.server.send(visitor, &partial_message(Opcode::Binary, MUCH));
            visitor
        },
        end: End::Close,
        transport: "echo",
    },
    #[cfg(feature = "deflate")]
    Holder {
        // A compressed message.
        holds: |stage| {
            let (visitor, _) = stage.web_socket(&deflating("/topics/a"));
            let frame = crate::compression::compressed_frame(&"x".repeat(MUCH));
            stage.server.send(visitor, &frame[..frame.len() - 1]);
            visitor
        },
        end: End::Close,
        transport: "websocket",
    },
    Holder {
        // What stands behind a poll.
        holds: |stage| {
            let visitor = stage.connect();
            let behind = Request::get("/health").bytes().repeat(MUCH / 20);
            let poll = Request::get("/topics/b?wait=60").bytes();
            stage.server.send(visitor, &[&poll, &behind[..MUCH]].concat());
            visitor
        },
        end: End::Answer,
        transport: "long-poll",
    },
    Holder {
        // What a poll has to know of its request, until it is answered.
        holds: |stage| {
            let known = format!("\"{}\"", "a".repeat(MUCH));
            stage.begin(&Request::get("/topics/b?wait=60").field("If-None-Match", known))
        },
        end: End::Answer,
        transport: "long-poll",
    },
    Holder {
        // The same of a body.
        holds: |stage| {
            let origin = format!("http://{}.example", "a".repeat(MUCH));
            let request = Request::new("POST", "/topics/a").field("Content-Length", "1");
            stage.begin(&request.field("Origin", origin))
        },
        end: End::Answer,
        transport: "http",
    },
    Holder {
        // An answer.
        holds: |stage| {
            stage.publish("c", "x".repeat(MUCH));
            let visitor = stage.connect();
            stage.server.set_room(visitor, 0);
            stage.server.send(visitor, &Request::get("/topics/c").bytes());
            visitor
        },
        end: End::Drop,
        transport: "http",
    },
    Holder {
        // An echo that comes back.
        holds: |stage| {
            let visitor = stage.handshake("/echo");
            stage.server.set_room(visitor, 0);
            stage.say(visitor, Opcode::Text, "x".repeat(MUCH));
            visitor
        },
        end: End::Drop,
        transport: "echo",
    },
];

/// A server with a witness, one who holds a little, and one who holds much.
fn scene(bound: usize, holder: &Holder) -> (Stage, super::stage::Witness, Peer, Peer) {
    let mut stage = Stage::with(|options| {
        options.buffered_bytes = bound;
        options.head.bytes = 4 * MUCH;
        options.policy.access.allowed_origins = vec!["*".into()];
        options.policy.event_bytes = 4 * MUCH;
    });
    let witness = stage.witness();
    let small = stage.connect();
    stage.server.send(small, &declares(100));
    stage.server.send(small, &[b's'; 99]);
    let big = (holder.holds)(&mut stage);
    (stage, witness, small, big)
}

#[test]
fn max_buffered_bytes() {
    for holder in HOLDERS {
        let (mut stage, ..) = scene(usize::MAX, holder);
        let all = stage.buffered() as usize;
        assert!((MUCH..4 * MUCH).contains(&all), "{all} of {}", holder.transport);

        let (mut stage, mut witness, small, big) = scene(all, holder);
        assert_eq!((stage.buffered() as usize, stage.overloads("memory")), (all, 0));
        assert!(!stage.server.has_ended(big));
        stage.assert_unharmed(&mut witness);
        stage.server.send(small, b"s");
        stage.response(small).id();

        let (mut stage, mut witness, small, big) = scene(all - 1, holder);
        assert!(stage.server.has_ended(big));
        match holder.end {
            End::Answer => {
                let response = stage.response(big);
                response.assert_problem(503);
                assert!(response.ends() && response.get("Retry-After").is_some());
            }
            End::Close => stage.assert_closed(big, 1013),
            End::Drop => assert!(stage.server.take(big).is_empty()),
        }
        assert_eq!((stage.overloads("memory"), stage.ended(holder.transport, "memory")), (1, 1));
        assert!(stage.buffered() < 2000, "what it held is let go: {}", stage.buffered());
        stage.assert_unharmed(&mut witness);
        stage.server.send(small, b"s");
        stage.response(small).id();
        assert_eq!(stage.buffered(), 0);
    }
}

/// So many polls of one topic are held, and then answered at once, while nobody takes anything.
fn shared_answer(polls: usize, bound: usize) -> (Stage, Vec<Peer>) {
    let mut stage = Stage::with(|options| options.buffered_bytes = bound);
    let polls = (0..polls).map(|_| stage.begin(&Request::get("/topics/a?wait=60"))).collect::<Vec<_>>();
    polls.iter().for_each(|poll| stage.server.set_room(*poll, 0));
    stage.publish("a", "x".repeat(MUCH));
    (stage, polls)
}

#[test]
fn an_answer_that_many_share_is_counted_once() {
    let (mut stage, _) = shared_answer(1, usize::MAX);
    let one = stage.buffered() as usize;
    let (mut stage, _) = shared_answer(100, usize::MAX);
    let hundred = stage.buffered() as usize;
    assert!(one > MUCH && hundred < 2 * MUCH, "{one} and {hundred}");
    // What each has of its own is the same.
    assert_eq!((hundred - one) % 99, 0);

    let (mut stage, _) = shared_answer(100, hundred);
    assert_eq!(stage.overloads("memory"), 0);
    let (mut stage, polls) = shared_answer(100, hundred - 1);
    assert_eq!((stage.overloads("memory"), stage.ended("http", "memory")), (1, 1));
    let there = polls.into_iter().filter(|poll| !stage.server.has_ended(*poll)).collect::<Vec<_>>();
    assert_eq!(there.len(), 99, "one of them is enough");
    for poll in there {
        stage.server.set_room(poll, usize::MAX);
        assert_eq!(stage.response(poll).data(), ["x".repeat(MUCH)]);
    }
    assert_eq!(stage.buffered(), 0);
}

#[test]
fn nothing_is_set_aside_for_a_length_that_was_only_declared() {
    let mut stage = Stage::with(|options| options.policy.event_bytes = 16 << 20);
    let declared = |opcode: Opcode, length: u64| {
        let mut frame = masked_frame(true, opcode, &[b'x'; 70_000])[..20].to_vec();
        frame[2..10].copy_from_slice(&length.to_be_bytes());
        frame
    };
    let chunked = Request::new("POST", "/topics/a").field("Transfer-Encoding", "chunked");
    let lines = Request::new("POST", "/topics/a").field("Content-Type", "application/x-ndjson");
    let requests: [Vec<Vec<u8>>; 5] = [
        vec![declares(1 << 20), b"0123456789".to_vec()],
        vec![chunked.bytes(), b"100000\r\n0123456789".to_vec()],
        vec![lines.field("Content-Length", (1 << 20).to_string()).bytes(), b"0123456789".to_vec()],
        vec![Request::handshake("/echo").bytes(), declared(Opcode::Binary, 16 << 20)],
        vec![Request::handshake("/topics/a").bytes(), declared(Opcode::Text, 16 << 20)],
    ];
    for request in requests {
        let before = stage.buffered();
        let visitor = stage.connect();
        request.iter().for_each(|bytes| stage.server.send(visitor, bytes));
        assert!(!stage.server.has_ended(visitor), "it may yet come");
        let held = stage.buffered() - before;
        assert!((1..1500).contains(&held), "{held} bytes");
    }
    #[cfg(feature = "deflate")]
    {
        let before = stage.buffered();
        let (visitor, _) = stage.web_socket(&deflating("/topics/a"));
        let mut frame = declared(Opcode::Text, 16 << 20);
        frame[0] |= 0x40;
        stage.server.send(visitor, &frame[..14]);
        // Of its window there is nothing, before it is needed.
        let held = stage.buffered() - before;
        assert!((1..1500).contains(&held), "{held} bytes");
    }
}

/// All that a visitor can hold, in turn.
fn hold_something(stage: &mut Stage, number: usize) {
    const EACH: usize = 30_000;
    let visitor = match number % 9 {
        0 | 5 => stage.connect(),
        1 => stage.begin(&Request::new("POST", "/topics/a").field("Content-Length", "60000")),
        2 => stage.handshake("/topics/a"),
        3 | 4 => stage.handshake("/echo"),
        6 => {
            let visitor = stage.connect();
            stage.server.set_room(visitor, 0);
            visitor
        }
        8 => {
            let known = format!("\"{}\"", "a".repeat(EACH));
            stage.begin(&Request::get("/topics/quiet?wait=60").field("If-None-Match", known));
            return assert_within(stage);
        }
        #[cfg(feature = "deflate")]
        _ => stage.web_socket(&deflating("/topics/a")).0,
        #[cfg(not(feature = "deflate"))]
        _ => stage.handshake("/topics/a"),
    };
    let bytes = match number % 9 {
        0 => Request::get("/health").field("A", "a".repeat(EACH)).bytes(),
        1 => vec![b'x'; EACH],
        2 => partial_message(Opcode::Text, EACH),
        3 => partial_message(Opcode::Binary, EACH),
        4 => {
            stage.server.set_room(visitor, 0);
            masked_frame(true, Opcode::Binary, &[b'x'; EACH])
        }
        // What comes with a poll waits behind it.
        5 => {
            let behind = Request::get("/health").bytes().repeat(EACH / 20);
            stage.server.send(visitor, &[Request::get("/topics/quiet?wait=60").bytes(), behind].concat());
            return assert_within(stage);
        }
        6 => Request::get("/topics/full?since=start").bytes().repeat(3),
        #[cfg(feature = "deflate")]
        _ => crate::compression::compressed_frame(&"x".repeat(EACH)),
        #[cfg(not(feature = "deflate"))]
        _ => partial_message(Opcode::Text, EACH),
    };
    // All but the last byte: what would be whole is not.
    let bytes = &bytes[..bytes.len() - 1];
    for piece in bytes.chunks(bytes.len() / 2 + 1) {
        stage.server.send(visitor, piece);
        assert_within(stage);
    }
}

const CEILING: u64 = 4 << 20;

fn assert_within(stage: &mut Stage) {
    let held = stage.buffered();
    assert!(held <= CEILING, "{held} bytes");
}

#[test]
fn whatever_two_thousand_visitors_hold_stays_within_the_bound_and_others_lose_nothing() {
    let mut stage = Stage::with(|options: &mut Options| {
        options.buffered_bytes = CEILING as usize;
        options.head.bytes = 64 << 10;
        options.policy.event_bytes = 64 << 10;
    });
    let mut witness = stage.witness();
    let publisher = stage.connect();
    let follower = stage.handshake("/topics/lively");
    stage.publish("full", "f".repeat(60_000));
    let mut most = 0;
    for number in 0..2000 {
        hold_something(&mut stage, number);
        most = most.max(stage.buffered());
        if number % 10 == 0 {
            let data = format!("event {number}");
            stage.server.send(publisher, &Request::post("/topics/lively", &data).bytes());
            stage.response(publisher).id();
            let frames: Vec<Frame> = stage.frames(follower);
            let texts: Vec<_> = frames.iter().map(|frame| String::from_utf8_lossy(&frame.payload)).collect();
            assert!(texts.len() == 1 && texts[0].contains(&data), "{texts:?}");
            stage.assert_unharmed(&mut witness);
            assert_within(&mut stage);
        }
    }
    assert!(most > CEILING / 10 * 9, "they have tried to hold more: {most}");
    let refused = stage.overloads("memory");
    assert!(refused > 1000, "{refused}");
}
