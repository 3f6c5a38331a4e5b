//! Followers that are too slow for the log.

use barewire::server::Options;

use crate::harness::{Event, EventStream, Opcode, Request, Server, WebSocket, eventually};

/// The lines of a batch, and the bytes of a line.
const LINES: usize = 16;
const BYTES: usize = 60_000;

/// Sets a window of little more than one batch.
fn small_window(options: &mut Options) {
    options.hub.window_events = 2 * LINES;
}

/// A follower on one of the streaming transports.
enum Follower {
    Stream(EventStream),
    Socket(WebSocket),
}

impl Follower {
    fn stream(server: &Server) -> Follower {
        let mut stream = server.event_stream(&Request::event_stream("/topics/a"));
        stream.first_block();
        Follower::Stream(stream)
    }

    fn socket(server: &Server) -> Follower {
        let mut socket = server.web_socket(&Request::handshake("/topics/a"));
        socket.hello();
        Follower::Socket(socket)
    }

    fn event(&mut self) -> Event {
        match self {
            Follower::Stream(stream) => stream.event().expect("an event before the end"),
            Follower::Socket(socket) => socket.event(),
        }
    }
}

/// Publishes batch after batch, with followers that read along, until the follower that does not
/// read is too slow. Returns the ids.
fn publish_until_one_is_too_slow(server: &Server, others: &mut [Follower]) -> Vec<String> {
    let batch = vec!["x".repeat(BYTES); LINES].join("\n");
    let mut ids = Vec::new();
    while server.metric("barewire_followers_too_slow_total") == 0 {
        assert!(ids.len() < 3000, "no socket's buffers hold that much");
        let new = server.request(&Request::post_lines("/topics/a", &batch)).ids();
        for other in &mut *others {
            for id in &new {
                let event = other.event();
                assert_eq!((&event.id, event.data.len()), (id, BYTES), "another follower loses nothing");
            }
        }
        ids.extend(new);
    }
    ids
}

#[test]
fn an_event_stream_ends_and_the_reconnect_reports_the_gap() {
    let server = Server::with(small_window);
    let mut others = [Follower::stream(&server), Follower::socket(&server)];
    let mut slow = server.event_stream(&Request::event_stream("/topics/a"));
    slow.first_block();
    let ids = publish_until_one_is_too_slow(&server, &mut others);
    let mut received = Vec::new();
    while let Some(event) = slow.event() {
        assert_eq!(event.data.len(), BYTES, "an event is complete or missing");
        received.push(event.id);
    }
    assert!(received.len() < ids.len(), "the stream ends before the events do");
    assert_eq!(received, ids[..received.len()], "no event is missing before the end");
    let last = received.last().expect("the socket's buffers hold some events");
    let reconnect = Request::event_stream("/topics/a").field("Last-Event-ID", last);
    let (_, gap) = server.event_stream(&reconnect).first_block();
    assert_eq!(gap.and_then(|gap| gap.since).as_ref(), Some(last));
}

#[test]
fn an_event_stream_over_http_1_0_ends_with_a_complete_event() {
    let server = Server::with(small_window);
    let mut slow = server.event_stream(&Request::event_stream("/topics/a").http10());
    slow.first_block();
    let ids = publish_until_one_is_too_slow(&server, &mut []);
    let received: Vec<Event> = std::iter::from_fn(|| slow.event()).collect();
    assert!(received.iter().zip(&ids).all(|(event, id)| event.id == *id && event.data.len() == BYTES));
    assert!(received.len() < ids.len());
}

#[test]
fn a_web_sockets_event_is_completed_before_close_1013() {
    let server = Server::with(small_window);
    let mut others = [Follower::stream(&server), Follower::socket(&server)];
    let mut slow = server.web_socket(&Request::handshake("/topics/a"));
    let first = slow.hello();
    let ids = publish_until_one_is_too_slow(&server, &mut others);
    let received = read_to_close_1013(&mut slow);
    assert!(received.len() < ids.len());
    assert_eq!(received, ids[..received.len()], "no event is missing before the end");
    assert!(slow.is_at_end());
    let last = received.last().unwrap_or(&first);
    let (_, gap) = server.web_socket(&Request::handshake(format!("/topics/a?since={last}"))).first_message();
    assert_eq!(gap.and_then(|gap| gap.since).as_ref(), Some(last));
}

/// Reads complete events up to the close frame, answers it, and returns the events' ids.
fn read_to_close_1013(socket: &mut WebSocket) -> Vec<String> {
    let mut received = Vec::new();
    loop {
        let frame = socket.frame().expect("a close frame before the end");
        if frame.opcode == Opcode::Close {
            assert_eq!(frame.payload[..2], 1013_u16.to_be_bytes());
            socket.send(Opcode::Close, 1013_u16.to_be_bytes());
            return received;
        }
        let event: serde_json::Value = serde_json::from_slice(&frame.payload).expect("a complete message");
        received.push(Event::from_json(&event).id);
    }
}

#[test]
fn a_follower_that_publishes_and_never_reads_is_closed_too() {
    let server = Server::with(small_window);
    let mut socket = server.web_socket(&Request::handshake("/topics/a"));
    socket.hello();
    let (message, mut sent) = ("x".repeat(BYTES), 0_u64);
    let is_too_slow = || server.metric("barewire_followers_too_slow_total") > 0;
    while !is_too_slow() {
        assert!(sent < 3000, "the follower loses its own events and is not closed");
        for _ in 0..LINES {
            socket.send(Opcode::Text, &message);
        }
        sent += LINES as u64;
        // Messages after the server's close frame are not published.
        eventually(|| server.metric("barewire_events_published_total") == sent || is_too_slow());
    }
    let received = read_to_close_1013(&mut socket);
    let sequences: Vec<u64> = received.iter().filter_map(|id| id.split_once('-')?.1.parse().ok()).collect();
    assert!(sequences.iter().copied().eq(1..=received.len() as u64), "no event is missing: {sequences:?}");
}

#[test]
fn a_follower_that_does_not_read_its_close_frame_times_out() {
    let server = Server::with(|options| {
        small_window(options);
        options.write_timeout = 1;
    });
    let mut slow = server.web_socket(&Request::handshake("/topics/a"));
    slow.hello();
    publish_until_one_is_too_slow(&server, &mut []);
    // Only the connection that requests the metrics remains.
    eventually(|| server.metric("barewire_connections") == 1);
    slow.connection().drop_rest();
}
