//! Tests of `17_fallback`: one route over four transports, which share one cursor.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use barewire::client::follow::{Resource, Since, Transport};
use barewire::client::{Follow, FollowOptions, Message, Request, Update, WebSocket};
use barewire::protocol::sse::Event;
use serde_json::Value;

use crate::http;
use crate::program::{PATIENCE, Program};

const NAME: &str = "17_fallback";

/// Follows the clock over one transport, without a fallback.
fn follow(program: &Program, via: Transport, since: Since) -> Follow {
    let mut resource = Resource::new(&program.url("/ticks"), None, &[]).expect("a URL");
    resource.interval = Duration::from_millis(50);
    let options = FollowOptions { transports: vec![via], since, ..FollowOptions::default() };
    Follow::new(resource, options).expect("random bytes")
}

/// Returns the next update after the connection is open.
fn next(follow: &mut Follow) -> Update {
    let update = follow.find(|update| !matches!(update, Ok(Update::Opened(_))));
    update.expect("an update").expect("the transport works")
}

fn next_tick(follow: &mut Follow) -> Event {
    match next(follow) {
        Update::Event(event) => event,
        other => panic!("{other:?} over {}", follow.via()),
    }
}

/// Returns the number of the last tick, and the cursor after it.
fn last(program: &Program) -> (u64, String) {
    let last = http::get(&program.url("/ticks/last"), &[]).json();
    (last["number"].as_u64().expect("a number"), last["next"].as_str().expect("an id").to_owned())
}

#[test]
fn every_transport_continues_after_the_event_that_another_one_delivered() {
    use Transport::{EventStream, LongPoll, ShortPoll, WebSocket};
    let program = Program::start(NAME);
    let mut since = Since::Start;
    // Each transport is followed by each other one.
    let order = [WebSocket, EventStream, LongPoll, ShortPoll, WebSocket, LongPoll, EventStream];
    let order = order.into_iter().chain([ShortPoll, LongPoll, WebSocket, ShortPoll, EventStream, WebSocket]);
    for (number, via) in (1..).zip(order) {
        let event = next_tick(&mut follow(&program, via, since));
        assert_eq!((event.event.as_str(), event.data), ("message", number.to_string()), "{via}");
        since = Since::Id(event.id);
    }
}

#[test]
fn a_snapshot_has_the_cursor_after_its_number() {
    let program = Program::start(NAME);
    for via in [Transport::WebSocket, Transport::EventStream, Transport::LongPoll] {
        let (number, id) = last(&program);
        let event = next_tick(&mut follow(&program, via, Since::Id(id)));
        assert_eq!(event.data, (number + 1).to_string(), "{via}");
    }
}

#[test]
fn a_stream_and_a_websocket_begin_with_the_cursor_before_any_event() {
    let program = Program::start(NAME);
    let (_, id) = last(&program);

    let mut stream = TcpStream::connect(("127.0.0.1", program.port)).expect("the example listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let request = format!("GET /ticks?since={id} HTTP/1.0\r\nAccept: text/event-stream\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("the example reads");
    let mut received = Vec::new();
    while !received.ends_with(b"\n\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("the first block");
        received.push(byte[0]);
    }
    let text = String::from_utf8(received).expect("UTF-8");
    let (head, block) = text.split_once("\r\n\r\n").expect("a head");
    assert!(head.contains("\r\nX-Accel-Buffering: no"), "{head}");
    let (retry, rest) = block.split_once('\n').expect("lines");
    assert!(retry.starts_with("retry: "), "{block}");
    assert_eq!(rest, format!("id: {id}\n\n"));

    let url = format!("ws://127.0.0.1:{}/ticks?since={id}", program.port);
    let mut socket = WebSocket::connect(&url, &Request::default()).expect("101");
    let Ok(Message::Text(first)) = socket.read() else { panic!("no first message") };
    let first: Value = serde_json::from_str(&first).expect("JSON");
    assert_eq!(first, serde_json::json!({"next": id}));
}

#[test]
fn every_transport_tells_that_a_restart_has_lost_the_events() {
    let program = Program::start(NAME);
    let mut first = follow(&program, Transport::EventStream, Since::Start);
    let Event { id, .. } = next_tick(&mut first);
    drop(first);
    let program = program.restart();
    for via in [Transport::WebSocket, Transport::EventStream, Transport::LongPoll] {
        let update = next(&mut follow(&program, via, Since::Id(id.clone())));
        assert!(matches!(&update, Update::Gap { since, .. } if *since == id), "{via}: {update:?}");
    }
}

#[test]
fn a_taken_port_is_an_error_that_names_it() {
    let (code, message) = Program::start_on_taken_port(NAME);
    assert_eq!(code, Some(1));
    assert!(message.contains("cannot listen on 127.0.0.1:"), "{message}");
}
