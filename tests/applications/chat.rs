//! Tests of 14_chat: rooms, who is here, and what a client receives that returns.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use barewire::client::{ConnectError, Message, Request, WebSocket};
use barewire::protocol::websocket::close::CloseCode;
use serde_json::{Value, json};

use crate::program::{PATIENCE, Program};

/// The time after which the server has noticed that a client is silent, by its options.
const PING_AND_PONG: Duration = Duration::from_secs(5 + 5);

fn start() -> Program {
    Program::start("14_chat")
}

/// Opens the WebSocket of a member; `query` follows the room's path.
fn open(program: &Program, room_and_query: &str) -> Result<WebSocket, ConnectError> {
    let url = format!("ws://127.0.0.1:{}/rooms/{room_and_query}", program.port);
    let request = Request { read_timeout: Some(PATIENCE), ..Request::default() };
    WebSocket::connect(&url, &request)
}

fn join(program: &Program, room_and_query: &str) -> WebSocket {
    open(program, room_and_query).expect("the chat accepts the client")
}

/// Returns the next message of the server.
fn next(client: &mut WebSocket) -> Value {
    match client.read() {
        Ok(Message::Text(text)) => serde_json::from_str(&text).expect("the message is JSON"),
        other => panic!("expected a text message: {other:?}"),
    }
}

/// Returns the data and the id of the next event.
fn next_event(client: &mut WebSocket) -> (Value, String) {
    loop {
        let message = next(client);
        if let Some(id) = message["id"].as_str() {
            let data = message["data"].as_str().expect("data is text");
            return (serde_json::from_str(data).expect("the data is JSON"), id.to_owned());
        }
    }
}

fn next_data(client: &mut WebSocket) -> Value {
    next_event(client).0
}

fn say(client: &mut WebSocket, text: &str) {
    client.send_text(text).expect("the chat reads");
}

/// Returns the JSON that a GET is answered with.
fn get(program: &Program, target: &str) -> Value {
    let mut response = ureq::get(program.url(target)).call().expect("the chat answers");
    let text = response.body_mut().read_to_string().expect("the content is UTF-8");
    serde_json::from_str(&text).expect("the content is JSON")
}

fn said(name: &str, text: &str) -> Value {
    json!({"name": name, "text": text})
}

#[test]
fn everyone_in_a_room_receives_each_message_and_nobody_else() {
    let program = start();
    let mut ann = join(&program, "tea?name=Ann");
    let mut eve = join(&program, "coffee?name=Eve");
    let mut bob = join(&program, "tea?name=Bob");
    say(&mut ann, "hello");
    say(&mut bob, "hi\nAnn");
    for client in [&mut ann, &mut bob] {
        assert_eq!(next_data(client), json!({"here": ["Ann"], "joined": "Ann"}));
        assert_eq!(next_data(client), json!({"here": ["Ann", "Bob"], "joined": "Bob"}));
        let mut both = [next_data(client), next_data(client)];
        both.sort_by_key(|message| message["name"].to_string());
        assert_eq!(both, [said("Ann", "hello"), said("Bob", "hi\nAnn")]);
    }
    say(&mut eve, "nobody else?");
    assert_eq!(next_data(&mut eve), json!({"here": ["Eve"], "joined": "Eve"}));
    assert_eq!(next_data(&mut eve), said("Eve", "nobody else?"));
}

#[test]
fn a_client_that_returns_receives_what_it_has_missed() {
    let program = start();
    let mut ann = join(&program, "tea?name=Ann");
    let mut bob = join(&program, "tea?name=Bob");
    say(&mut ann, "one");
    let cursor = loop {
        let (data, id) = next_event(&mut bob);
        if data == said("Ann", "one") {
            break id;
        }
    };
    bob.close(CloseCode::NORMAL, "").expect("the chat closes too");
    while next_data(&mut ann) != json!({"here": ["Ann"], "left": "Bob"}) {}
    say(&mut ann, "two");
    assert_eq!(next_data(&mut ann), said("Ann", "two"));

    let mut bob = join(&program, &format!("tea?name=Bob&since={cursor}"));
    assert_eq!(next(&mut bob), json!({"next": cursor}));
    assert_eq!(next(&mut bob), json!({"here": ["Ann", "Bob"]}));
    assert_eq!(next_data(&mut bob), json!({"here": ["Ann"], "left": "Bob"}));
    assert_eq!(next_data(&mut bob), said("Ann", "two"));
    assert_eq!(next_data(&mut bob), json!({"here": ["Ann", "Bob"], "joined": "Bob"}));
}

#[test]
fn a_client_that_returns_after_a_restart_receives_a_gap() {
    let program = start();
    let mut ann = join(&program, "tea?name=Ann");
    let (_, cursor) = next_event(&mut ann);
    let program = program.restart();
    let mut ann = join(&program, &format!("tea?name=Ann&since={cursor}"));
    assert_eq!(next(&mut ann)["gap"]["since"], json!(cursor));
    assert_eq!(next(&mut ann), json!({"here": ["Ann"]}));
    assert_eq!(next_data(&mut ann), json!({"here": ["Ann"], "joined": "Ann"}));
}

#[test]
fn a_name_is_listed_once_and_until_its_last_connection_ends() {
    let program = start();
    let mut ann = join(&program, "tea?name=Ann");
    let mut first = join(&program, "tea?name=Bob");
    let second = join(&program, "tea?name=Bob");
    second.close(CloseCode::NORMAL, "").expect("the chat closes too");
    say(&mut first, "still here");
    assert_eq!(next_data(&mut ann)["joined"], "Ann");
    assert_eq!(next_data(&mut ann)["joined"], "Bob");
    assert_eq!(next_data(&mut ann), said("Bob", "still here"));
    drop(first);
    assert_eq!(next_data(&mut ann), json!({"here": ["Ann"], "left": "Bob"}));
}

#[test]
fn a_silent_client_is_gone_after_ping_and_pong() {
    let program = start();
    let mut ann = join(&program, "tea?name=Ann");
    // It never reads, so it does not answer a ping; its connection stays open.
    let bob = join(&program, "tea?name=Bob");
    let joined = Instant::now();
    assert_eq!(next_data(&mut ann)["joined"], "Ann");
    assert_eq!(next_data(&mut ann)["joined"], "Bob");
    assert_eq!(next_data(&mut ann), json!({"here": ["Ann"], "left": "Bob"}));
    // A slow machine may take longer, but the default options would take 40 seconds.
    assert!(joined.elapsed() < 2 * PING_AND_PONG, "it took {:?}", joined.elapsed());
    drop(bob);
}

#[test]
fn a_room_can_be_read_without_joining_it() {
    let program = start();
    let mut stream = TcpStream::connect(("127.0.0.1", program.port)).expect("the chat listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("the timeout can be set");
    let request =
        "GET /rooms/tea?since=start HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n";
    stream.write_all(request.as_bytes()).expect("the chat reads");
    let mut ann = join(&program, "tea?name=Ann");
    say(&mut ann, "hello");
    let lines = BufReader::new(stream).lines().map(|line| line.expect("more lines"));
    let lines = lines.filter(|line| line.starts_with("event: ") || line.starts_with("data: "));
    let expected = [
        "event: here".to_owned(),
        format!("data: {}", json!({"here": ["Ann"], "joined": "Ann"})),
        "event: said".to_owned(),
        format!("data: {}", said("Ann", "hello")),
    ];
    assert_eq!(lines.take(4).collect::<Vec<_>>(), expected);

    let snapshot = get(&program, "/rooms/tea/here");
    assert_eq!(snapshot["here"], json!(["Ann"]));
    let poll = get(&program, "/rooms/tea");
    assert_eq!(poll["next"], snapshot["next"]);
    assert_eq!(poll["events"].as_array().map(Vec::len), Some(2));
    let refusal = ureq::post(program.url("/rooms/tea")).send("hello").map(drop);
    assert!(matches!(refusal, Err(ureq::Error::StatusCode(405))), "{refusal:?}");
}

#[test]
fn a_client_without_a_name_is_refused() {
    let program = start();
    for query in ["", "?name=", "?name=%20", "?name=a%0Ab", &format!("?name={}", "x".repeat(41))] {
        let refusal = open(&program, &format!("tea{query}")).map(drop).expect_err("no name").to_string();
        assert!(refusal.contains("400"), "{query}: {refusal}");
    }
    assert_eq!(get(&program, "/rooms/tea/here")["here"], json!([]));
}

#[test]
fn the_sender_of_a_message_that_cannot_be_published_is_told() {
    let program = start();
    let mut ann = join(&program, "tea?name=Ann");
    assert_eq!(next_data(&mut ann)["joined"], "Ann");
    // Each character is two in JSON, so the message is within the bound, and the event is not.
    say(&mut ann, &"\"".repeat(40_000));
    assert!(next(&mut ann)["refused"].is_string());
    say(&mut ann, "hello");
    assert_eq!(next_data(&mut ann), said("Ann", "hello"));
}

#[test]
fn says_that_its_port_is_taken() {
    let (code, messages) = Program::start_on_taken_port("14_chat");
    assert_eq!(code, Some(1));
    assert!(messages.contains("cannot listen"), "{messages}");
}
