//! The limit on the memory that all connections use together.

use std::cell::Cell;
use std::rc::Rc;

use barewire::server::{Observer, Options, Sender};
use barewire::simulation::{Peer, Simulation};
use barewire::transport::Purpose;

use super::simulation::SimulatedServer;
use crate::harness::{Frame, Opcode, Request, masked_frame};

/// Returns the head of a publish that declares a body of that many bytes.
fn declares(length: usize) -> Vec<u8> {
    Request::new("POST", "/topics/a").field("Content-Length", length.to_string()).bytes()
}

/// Returns the first `length` bytes of a single-frame message that is longer.
fn partial_message(opcode: Opcode, length: usize) -> Vec<u8> {
    let mut frame = masked_frame(true, opcode, &vec![b'x'; length + 1000]);
    frame.truncate(length);
    frame
}

#[cfg(feature = "deflate")]
fn deflating(target: &str) -> Request {
    Request::handshake(target).field("Sec-WebSocket-Extensions", "permessage-deflate")
}

/// The expected end of the peer that uses the most memory.
#[derive(Clone, Copy)]
enum End {
    /// It receives a 503 and its connection ends.
    Response,
    /// Its WebSocket is closed with 1013.
    Close,
    /// It reads nothing, so its connection is closed without a message.
    Drop,
}

/// A way to use much memory, the expected end, and the transport in the metrics.
struct Holder {
    holds: fn(&mut SimulatedServer) -> Peer,
    end: End,
    transport: &'static str,
}

/// More than any other peer uses, and few enough calls to send.
const MUCH: usize = 50_000;

const HOLDERS: &[Holder] = &[
    Holder {
        // A head.
        holds: |server| {
            let peer = server.connect();
            let request = Request::get("/health").field("A", "a".repeat(2 * MUCH)).bytes();
            server.simulation.send(peer, &request[..MUCH]);
            peer
        },
        end: End::Response,
        transport: "http",
    },
    Holder {
        // A body.
        holds: |server| {
            let peer = server.connect();
            server.simulation.send(peer, &declares(2 * MUCH));
            server.simulation.send(peer, &[b'x'; MUCH]);
            peer
        },
        end: End::Response,
        transport: "http",
    },
    Holder {
        // A message on a topic.
        holds: |server| {
            let peer = server.handshake("/topics/a");
            server.simulation.send(peer, &partial_message(Opcode::Text, MUCH));
            peer
        },
        end: End::Close,
        transport: "websocket",
    },
    Holder {
        // An echo.
        holds: |server| {
            let peer = server.handshake("/echo");
            server.simulation.send(peer, &partial_message(Opcode::Binary, MUCH));
            peer
        },
        end: End::Close,
        transport: "echo",
    },
    #[cfg(feature = "deflate")]
    Holder {
        // A compressed message.
        holds: |server| {
            let (peer, _) = server.web_socket(&deflating("/topics/a"));
            let frame = crate::compression::compressed_frame(&"x".repeat(MUCH));
            server.simulation.send(peer, &frame[..frame.len() - 1]);
            peer
        },
        end: End::Close,
        transport: "websocket",
    },
    Holder {
        // Requests pipelined after a held poll.
        holds: |server| {
            let peer = server.connect();
            let pipelined = Request::get("/health").bytes().repeat(MUCH / 20);
            let poll = Request::get("/topics/b?wait=60").bytes();
            server.simulation.send(peer, &[&poll, &pipelined[..MUCH]].concat());
            peer
        },
        end: End::Response,
        transport: "long-poll",
    },
    Holder {
        // The part of a poll's request that is kept until its response.
        holds: |server| {
            let known = format!("\"{}\"", "a".repeat(MUCH));
            server.begin(&Request::get("/topics/b?wait=60").field("If-None-Match", known))
        },
        end: End::Response,
        transport: "long-poll",
    },
    Holder {
        // The same for a publish.
        holds: |server| {
            let origin = format!("http://{}.example", "a".repeat(MUCH));
            let request = Request::new("POST", "/topics/a").field("Content-Length", "1");
            server.begin(&request.field("Origin", origin))
        },
        end: End::Response,
        transport: "http",
    },
    Holder {
        // A response.
        holds: |server| {
            server.publish("c", "x".repeat(MUCH));
            let peer = server.connect();
            server.simulation.set_room(peer, 0);
            server.simulation.send(peer, &Request::get("/topics/c").bytes());
            peer
        },
        end: End::Drop,
        transport: "http",
    },
    Holder {
        // An echo that is being sent.
        holds: |server| {
            let peer = server.handshake("/echo");
            server.simulation.set_room(peer, 0);
            server.send_message(peer, Opcode::Text, "x".repeat(MUCH));
            peer
        },
        end: End::Drop,
        transport: "echo",
    },
];

/// Starts a server with control followers, a peer that uses little memory, and one that uses much.
fn scene(
    bound: usize,
    holder: &Holder,
) -> (SimulatedServer, super::simulation::ControlFollowers, Peer, Peer) {
    let mut server = SimulatedServer::with(|options| {
        options.buffered_bytes = bound;
        options.head.bytes = 4 * MUCH;
        options.policy.access.allowed_origins = vec!["*".into()];
        options.policy.event_bytes = 4 * MUCH;
    });
    let control = server.control_followers();
    let small = server.connect();
    server.simulation.send(small, &declares(100));
    server.simulation.send(small, &[b's'; 99]);
    let big = (holder.holds)(&mut server);
    (server, control, small, big)
}

#[test]
fn max_buffered_bytes() {
    for holder in HOLDERS {
        let (mut server, ..) = scene(usize::MAX, holder);
        let all = server.buffered() as usize;
        assert!((MUCH..4 * MUCH).contains(&all), "{all} of {}", holder.transport);

        let (mut server, mut control, small, big) = scene(all, holder);
        assert_eq!((server.buffered() as usize, server.overloads("memory")), (all, 0));
        assert!(!server.simulation.has_ended(big));
        server.assert_undisturbed(&mut control);
        server.simulation.send(small, b"s");
        server.response(small).id();

        let (mut server, mut control, small, big) = scene(all - 1, holder);
        assert!(server.simulation.has_ended(big));
        match holder.end {
            End::Response => {
                let response = server.response(big);
                response.assert_problem(503);
                assert!(response.ends() && response.get("Retry-After").is_some());
            }
            End::Close => server.assert_closed(big, 1013),
            End::Drop => assert!(server.simulation.take(big).is_empty()),
        }
        assert_eq!((server.overloads("memory"), server.ended(holder.transport, "memory")), (1, 1));
        assert!(server.buffered() < 2000, "its memory is released: {}", server.buffered());
        server.assert_undisturbed(&mut control);
        server.simulation.send(small, b"s");
        server.response(small).id();
        assert_eq!(server.buffered(), 0);
    }
}

/// Publishes that many events in one request, whose body is incomplete until its last part.
fn upload(server: &mut SimulatedServer, lines: usize) -> Peer {
    let line = [vec![b'x'; 999], b"\n".to_vec()].concat();
    let request = Request::new("POST", "/topics/upload").field("Content-Type", "application/x-ndjson");
    let peer = server.begin(&request.field("Content-Length", (lines * line.len()).to_string()));
    for part in line.repeat(lines).chunks(50_000) {
        if server.simulation.has_ended(peer) {
            break;
        }
        server.simulation.send(peer, part);
    }
    peer
}

#[test]
fn memory_that_is_held_for_long_is_freed_before_a_larger_upload() {
    for holder in HOLDERS {
        // The upload alone is within the bound: the capacity of its buffer is 800,000 bytes.
        let (mut server, mut control, small, old) = scene(830_000, holder);
        server.pass(100);
        assert_eq!(server.overloads("memory"), 0);
        let young = upload(&mut server, 500);
        let response = server.response(young);
        assert_eq!(response.json()["ids"].as_array().map(Vec::len), Some(500), "{}", holder.transport);
        assert!(server.simulation.has_ended(old), "{}", holder.transport);
        assert_eq!((server.overloads("memory"), server.ended(holder.transport, "memory")), (1, 1));
        server.assert_undisturbed(&mut control);
        server.simulation.send(small, b"s");
        server.response(small).id();
    }
}

#[test]
fn the_weight_is_the_size_times_the_age() {
    for (ticks, old_ends) in [(2, false), (3, true)] {
        let mut server = SimulatedServer::with(|options| {
            (options.buffered_bytes, options.policy.event_bytes) = (85_000, 100_000);
        });
        let old = server.connect();
        server.simulation.send(old, &declares(100_000));
        server.simulation.send(old, &[b'x'; 20_000]);
        server.pass(ticks);
        let young = server.connect();
        server.simulation.send(young, &declares(100_000));
        server.send_by(young, &[b'x'; 70_000], 35_000);
        assert_eq!(
            (server.simulation.has_ended(old), server.simulation.has_ended(young)),
            (old_ends, !old_ends),
            "after {ticks} ticks"
        );
    }
}

#[test]
fn output_has_the_age_of_its_oldest_byte_even_if_the_client_reads_slowly() {
    let mut server = SimulatedServer::with(|options| {
        (options.buffered_bytes, options.write_timeout) = (830_000, 2);
    });
    let slow = server.handshake("/echo");
    server.simulation.set_room(slow, 0);
    server.send_message(slow, Opcode::Text, "x".repeat(MUCH));
    for _ in 0..100 {
        server.pass(19);
        server.simulation.set_room(slow, 1);
    }
    assert!(!server.simulation.has_ended(slow));
    let young = upload(&mut server, 500);
    assert_eq!(server.response(young).status, 201);
    assert!(server.simulation.has_ended(slow));
    assert_eq!(server.ended("echo", "memory"), 1);
}

/// An hour, in ticks of 100 ms.
const HOUR: u32 = 36_000;

#[test]
fn a_follower_that_lags_is_not_closed_for_memory_that_others_hold() {
    let mut server = SimulatedServer::with(|options| {
        (options.buffered_bytes, options.policy.event_bytes) = (60_000, 100_000);
    });
    let lagging: Vec<Peer> = (0..20).map(|_| server.event_stream("/topics/a").0).collect();
    lagging.iter().for_each(|peer| server.simulation.set_room(*peer, 0));
    server.publish("a", "x");
    server.pass(HOUR);
    let young = server.connect();
    server.simulation.send(young, &declares(100_000));
    server.send_by(young, &[b'x'; 70_000], 35_000);
    server.assert_refused(young, 503);
    assert!(lagging.iter().all(|peer| !server.simulation.has_ended(*peer)));
}

#[test]
fn a_few_old_bytes_do_not_outweigh_much_memory() {
    let mut server = SimulatedServer::with(|options| options.buffered_bytes = 830_000);
    let echo = server.handshake("/echo");
    server.simulation.set_room(echo, 0);
    server.send_message(echo, Opcode::Text, "x".repeat(1000));
    server.pass(HOUR);
    let big = server.handshake("/topics/a");
    server.simulation.send(big, &partial_message(Opcode::Text, MUCH));
    server.pass(50);
    let young = upload(&mut server, 500);
    assert_eq!(server.response(young).status, 201);
    assert_eq!([big, echo].map(|peer| server.simulation.has_ended(peer)), [true, false]);
}

#[test]
fn clients_that_trickle_messages_do_not_keep_out_an_upload_and_end_in_time() {
    const TRICKLERS: usize = 330;
    let mut server = SimulatedServer::with(|options| {
        (options.buffered_bytes, options.body_timeout) = (16 << 20, 30);
    });
    let mut control = server.control_followers();
    let tricklers: Vec<Peer> = (0..TRICKLERS)
        .map(|_| {
            let peer = server.handshake("/topics/a");
            server.simulation.send(peer, &partial_message(Opcode::Binary, 50 << 10));
            peer
        })
        .collect();
    for _ in 0..5 {
        server.pass(50);
        tricklers.iter().for_each(|peer| server.simulation.send(*peer, b"x"));
        let upload = upload(&mut server, 1000);
        assert_eq!(server.response(upload).status, 201);
        server.assert_undisturbed(&mut control);
    }
    assert_eq!(server.ended("http", "memory"), 0);
    server.pass(51);
    let (memory, time) = (server.ended("websocket", "memory"), server.ended("websocket", "request-timeout"));
    assert!(memory > 0 && memory + time == TRICKLERS as u64, "{memory} and {time}");
    assert_eq!(server.buffered(), 0);
}

/// Holds that many polls of one topic and completes them all at once, while no peer reads.
fn shared_response(polls: usize, bound: usize) -> (SimulatedServer, Vec<Peer>) {
    let mut server = SimulatedServer::with(|options| options.buffered_bytes = bound);
    let polls = (0..polls).map(|_| server.begin(&Request::get("/topics/a?wait=60"))).collect::<Vec<_>>();
    polls.iter().for_each(|poll| server.simulation.set_room(*poll, 0));
    server.publish("a", "x".repeat(MUCH));
    (server, polls)
}

#[test]
fn counts_a_response_shared_by_many_polls_once() {
    let (mut server, _) = shared_response(1, usize::MAX);
    let one = server.buffered() as usize;
    let (mut server, _) = shared_response(100, usize::MAX);
    let hundred = server.buffered() as usize;
    assert!(one > MUCH && hundred < 2 * MUCH, "{one} and {hundred}");
    // Each poll's individual part has the same size.
    assert_eq!((hundred - one) % 99, 0);

    let (mut server, _) = shared_response(100, hundred);
    assert_eq!(server.overloads("memory"), 0);
    let (mut server, polls) = shared_response(100, hundred - 1);
    assert_eq!((server.overloads("memory"), server.ended("http", "memory")), (1, 1));
    let open = polls.into_iter().filter(|poll| !server.simulation.has_ended(*poll)).collect::<Vec<_>>();
    assert_eq!(open.len(), 99, "closing one of them is enough");
    for poll in open {
        server.simulation.set_room(poll, usize::MAX);
        assert_eq!(server.response(poll).data(), ["x".repeat(MUCH)]);
    }
    assert_eq!(server.buffered(), 0);
}

#[test]
fn reserves_no_memory_for_a_declared_length() {
    let mut server = SimulatedServer::with(|options| options.policy.event_bytes = 16 << 20);
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
        let before = server.buffered();
        let peer = server.connect();
        request.iter().for_each(|bytes| server.simulation.send(peer, bytes));
        assert!(!server.simulation.has_ended(peer), "the rest may still arrive");
        let held = server.buffered() - before;
        assert!((1..1500).contains(&held), "{held} bytes");
    }
    #[cfg(feature = "deflate")]
    {
        let before = server.buffered();
        let (peer, _) = server.web_socket(&deflating("/topics/a"));
        let mut frame = declared(Opcode::Text, 16 << 20);
        frame[0] |= 0x40;
        server.simulation.send(peer, &frame[..14]);
        // The window is not allocated before it is needed.
        let held = server.buffered() - before;
        assert!((1..1500).contains(&held), "{held} bytes");
    }
}

/// Uses memory in one of nine ways, by number.
fn hold_something(server: &mut SimulatedServer, number: usize) {
    const EACH: usize = 30_000;
    let peer = match number % 9 {
        0 | 5 => server.connect(),
        1 => server.begin(&Request::new("POST", "/topics/a").field("Content-Length", "60000")),
        2 => server.handshake("/topics/a"),
        3 | 4 => server.handshake("/echo"),
        6 => {
            let peer = server.connect();
            server.simulation.set_room(peer, 0);
            peer
        }
        8 => {
            let known = format!("\"{}\"", "a".repeat(EACH));
            server.begin(&Request::get("/topics/quiet?wait=60").field("If-None-Match", known));
            return assert_within(server);
        }
        #[cfg(feature = "deflate")]
        _ => server.web_socket(&deflating("/topics/a")).0,
        #[cfg(not(feature = "deflate"))]
        _ => server.handshake("/topics/a"),
    };
    let bytes = match number % 9 {
        0 => Request::get("/health").field("A", "a".repeat(EACH)).bytes(),
        1 => vec![b'x'; EACH],
        2 => partial_message(Opcode::Text, EACH),
        3 => partial_message(Opcode::Binary, EACH),
        4 => {
            server.simulation.set_room(peer, 0);
            masked_frame(true, Opcode::Binary, &[b'x'; EACH])
        }
        // Requests pipelined after a poll wait for its response.
        5 => {
            let pipelined = Request::get("/health").bytes().repeat(EACH / 20);
            server
                .simulation
                .send(peer, &[Request::get("/topics/quiet?wait=60").bytes(), pipelined].concat());
            return assert_within(server);
        }
        6 => Request::get("/topics/full?since=start").bytes().repeat(3),
        #[cfg(feature = "deflate")]
        _ => crate::compression::compressed_frame(&"x".repeat(EACH)),
        #[cfg(not(feature = "deflate"))]
        _ => partial_message(Opcode::Text, EACH),
    };
    // Everything except the last byte, so that the request or message stays incomplete.
    let bytes = &bytes[..bytes.len() - 1];
    for part in bytes.chunks(bytes.len() / 2 + 1) {
        server.simulation.send(peer, part);
        assert_within(server);
    }
}

const CEILING: u64 = 4 << 20;

fn assert_within(server: &mut SimulatedServer) {
    let held = server.buffered();
    assert!(held <= CEILING, "{held} bytes");
}

#[test]
fn two_thousand_peers_stay_within_the_memory_limit_and_others_lose_nothing() {
    let mut server = SimulatedServer::with(|options: &mut Options| {
        options.buffered_bytes = CEILING as usize;
        options.head.bytes = 64 << 10;
        options.policy.event_bytes = 64 << 10;
    });
    let mut control = server.control_followers();
    let publisher = server.connect();
    let follower = server.handshake("/topics/lively");
    server.publish("full", "f".repeat(60_000));
    let mut most = 0;
    for number in 0..2000 {
        hold_something(&mut server, number);
        most = most.max(server.buffered());
        if number % 10 == 0 {
            let data = format!("event {number}");
            server.simulation.send(publisher, &Request::post("/topics/lively", &data).bytes());
            server.response(publisher).id();
            let frames: Vec<Frame> = server.frames(follower);
            let texts: Vec<_> = frames.iter().map(|frame| String::from_utf8_lossy(&frame.payload)).collect();
            assert!(texts.len() == 1 && texts[0].contains(&data), "{texts:?}");
            server.assert_undisturbed(&mut control);
            assert_within(&mut server);
        }
    }
    assert!(most > CEILING / 10 * 9, "the peers reach the limit: {most}");
    let refused = server.overloads("memory");
    assert!(refused > 1000, "{refused}");
}

/// An observer that holds memory.
struct Holding(Rc<Cell<usize>>);

impl Observer for Holding {
    fn is_active(&self) -> bool {
        false
    }

    fn begin_iteration(&mut self) {}

    fn opened(&mut self, _: u32) {}

    fn has_purpose(&mut self, _: u32, _: Purpose) {}

    fn passed(&mut self, _: u32, _: Sender, _: &mut dyn Iterator<Item = &[u8]>) {}

    fn closed(&mut self, _: u32) {}

    fn memory(&self) -> usize {
        self.0.get()
    }

    fn end_iteration(&mut self, _: bool, _: &mut dyn FnMut(&str)) {}
}

#[test]
fn the_memory_of_an_observer_counts_towards_the_limit() {
    let held = Rc::new(Cell::new(0));
    let options = Options { buffered_bytes: 1 << 20, ..Options::default() };
    let mut server = Simulation::new(options, 1).observed_by(Box::new(Holding(Rc::clone(&held))));
    let peer = server.connect();
    server.send(peer, &declares(MUCH + 1));
    server.send(peer, &[b'x'; MUCH]);
    let metrics = server.connect();
    let mut buffered = || {
        server.send(metrics, &Request::get("/metrics").bytes());
        let text = String::from_utf8(server.take(metrics)).expect("UTF-8");
        let line = text.lines().find_map(|line| line.strip_prefix("barewire_buffered_bytes "));
        line.expect("the metric").parse::<usize>().expect("a number")
    };
    let alone = buffered();
    assert!(alone > MUCH, "{alone}");
    held.set(100_000);
    assert_eq!(buffered(), alone + 100_000);
    held.set((1 << 20) - alone);
    server.send(metrics, &Request::get("/health").bytes());
    assert!(server.take(peer).is_empty(), "the limit is not exceeded");
    held.set((1 << 20) - alone + 1);
    server.send(metrics, &Request::get("/health").bytes());
    assert!(server.take(peer).starts_with(b"HTTP/1.1 503 "));
}
