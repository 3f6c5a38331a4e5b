//! 14. Chat: rooms, who is here, and nothing lost on return.
//!
//! A room is a topic. A WebSocket follows its room from the client's last event on, so a client
//! that returns receives first what it has missed. The same path without an upgrade is read-only:
//! `curl`, an `EventSource` and a poll read along, but are not listed in the room.
//!
//! ```console
//! $ cargo run --example 14_chat
//! listening on http://127.0.0.1:8014
//! ```
//!
//! Open http://127.0.0.1:8014 in two windows. Or read along with one `curl`, while another one
//! joins as Ann, and sends a text frame and a close frame, whose masks are 0:
//!
//! ```console first
//! $ curl -sN -H 'Accept: text/event-stream' 'http://127.0.0.1:8014/rooms/tea?since=start'
//! retry: 3252
//! id: HpfL5TaZ-0
//!
//! id: HpfL5TaZ-1
//! event: here
//! data: {"here":["Ann"],"joined":"Ann"}
//!
//! id: HpfL5TaZ-2
//! event: said
//! data: {"name":"Ann","text":"hello"}
//!
//! id: HpfL5TaZ-3
//! event: here
//! data: {"here":[],"left":"Ann"}
//!
//! ```
//!
//! ```console second
//! $ printf 'GET /rooms/tea?name=Ann HTTP/1.1\r\nHost: 127.0.0.1:8014\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n\201\205\000\000\000\000hello\210\200\000\000\000\000' | curl -s -m 5 telnet://127.0.0.1:8014 | head -n 1
//! HTTP/1.1 101 Switching Protocols
//! $ curl http://127.0.0.1:8014/rooms/tea/here
//! {"here":[],"next":"HpfL5TaZ-3"}
//! ```
//!
//! **Break it:** join from a browser, and stop the whole browser with `kill -STOP`. The others see
//! "has left" after 10 seconds. With a `pong_timeout` of 3600, the list is wrong for an hour.
//!
//! If port 8014 is taken, the program prints `cannot listen` and exits with status 1. Choose
//! another one: `cargo run --example 14_chat -- 8090`.

use std::collections::{BTreeMap, HashMap};

use barewire::app::{App, Context, Event, Message, Request, Response, Since, Socket, SocketId};
use barewire::server::Options;
use serde_json::{Value, json};

/// The names in each room that is not empty, each with its number of WebSockets. A name may be here
/// twice: a client can return before the server has noticed that its old connection is gone.
type Rooms = HashMap<String, BTreeMap<String, usize>>;

/// The member behind a WebSocket.
struct Member {
    room: String,
    name: String,
}

fn main() -> std::io::Result<()> {
    let port = std::env::args().nth(1).map_or(8014, |port| port.parse().expect("a port number"));
    let listen = ([127, 0, 0, 1], port).into();
    // A silent client is pinged after 5 seconds, and has 5 more to answer.
    let options = Options { listen, ping_interval: 5, pong_timeout: 5, ..Options::default() };
    let bound = App::new(Rooms::new())
        .file("/", "text/html; charset=utf-8", include_str!("pages/14.html"))
        .on("GET", "/rooms/{room}", |_, request| Response::follow(request.param("room")))
        .on("GET", "/rooms/{room}/here", |cx, request| {
            let room = request.param("room");
            let snapshot = json!({"here": here(cx.state, room), "next": cx.newest(room).to_string()});
            Response::json(format!("{snapshot}\n"))
        })
        .socket("/rooms/{room}", Socket::open(join).message(say).closed(leave))
        .bind(options)?;
    println!("listening on http://{}", bound.local_addr());
    bound.run()
}

fn join(cx: &mut Context<'_, Rooms>, socket: SocketId, request: &Request<'_>) -> Result<Member, Response> {
    let (room, name) = (request.param("room"), request.query("name").unwrap_or_default());
    let name = name.trim();
    if !(1..=40).contains(&name.chars().count()) || name.chars().any(char::is_control) {
        return Err(Response::problem(400, "Say who you are: ?name=, with 1 to 40 characters."));
    }
    // First what the client has missed, or everything that is kept, then every new event.
    cx.follow(socket, room, request.since(Since::Start))?;
    let count = cx.state.entry(room.into()).or_default().entry(name.into()).or_default();
    *count += 1;
    if *count == 1 {
        announce(cx, room, "joined", name);
    }
    cx.send(socket, Message::Text(&json!({"here": here(cx.state, room)}).to_string()));
    Ok(Member { room: room.into(), name: name.into() })
}

fn say(cx: &mut Context<'_, Rooms>, socket: SocketId, member: &mut Member, message: Message<'_>) {
    let Message::Text(text) = message else { return };
    let data = json!({"name": member.name, "text": text}).to_string();
    if let Err(error) = cx.publish(&member.room, Event { name: "said", data: &data }) {
        cx.send(socket, Message::Text(&json!({"refused": error.to_string()}).to_string()));
    }
}

fn leave(cx: &mut Context<'_, Rooms>, _: SocketId, Member { room, name }: Member) {
    let Some(names) = cx.state.get_mut(&room) else { return };
    let Some(count) = names.get_mut(&name) else { return };
    *count -= 1;
    if *count > 0 {
        return;
    }
    names.remove(&name);
    if names.is_empty() {
        cx.state.remove(&room);
    }
    announce(cx, &room, "left", &name);
}

/// Publishes who is here now, and who has just joined or left. The event holds the whole list, so a
/// client needs only the latest one, whatever it has missed.
fn announce(cx: &mut Context<'_, Rooms>, room: &str, change: &str, name: &str) {
    let data = json!({"here": here(cx.state, room), change: name}).to_string();
    // During the shutdown nothing is published; after it, the list begins empty.
    let _ = cx.publish(room, Event { name: "here", data: &data });
}

fn here(rooms: &Rooms, room: &str) -> Value {
    rooms.get(room).into_iter().flat_map(BTreeMap::keys).map(String::as_str).collect()
}
