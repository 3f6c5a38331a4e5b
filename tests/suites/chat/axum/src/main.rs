//! The chat of `examples/14_chat.rs` on axum. It is built like the example `chat` in axum's
//! repository: one broadcast channel of 100 messages, and two tasks for each WebSocket. Rooms and
//! names use the extractors `Path` and `Query`, and reading along is built like its example `sse`.
//!
//! Not here, because these examples do not show it: history, and pings to a silent client.

use std::collections::{BTreeSet, HashMap};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, Query, State};
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::routing::get;
use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::broadcast;
use tokio_stream::wrappers::BroadcastStream;

struct Room {
    /// The names that are taken.
    names: BTreeSet<String>,
    /// Sends a message to everyone in the room.
    tx: broadcast::Sender<String>,
}

type Rooms = Arc<Mutex<HashMap<String, Room>>>;

#[derive(Deserialize)]
struct Member {
    name: String,
}

#[tokio::main]
async fn main() {
    let port = std::env::args().nth(1).map_or(0, |port| port.parse().expect("a port number"));
    let app = Router::new()
        .route("/rooms/{room}", get(join))
        .route("/rooms/{room}/log", get(read_along))
        .with_state(Rooms::default());
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    println!("listening on http://{}", listener.local_addr().unwrap());
    axum::serve(listener, app).await.unwrap();
}

async fn join(
    ws: WebSocketUpgrade,
    Path(room): Path<String>,
    Query(Member { name }): Query<Member>,
    State(rooms): State<Rooms>,
) -> impl IntoResponse {
    ws.on_upgrade(|socket| chat(socket, room, name, rooms))
}

async fn read_along(Path(room): Path<String>, State(rooms): State<Rooms>) -> impl IntoResponse {
    let rx = with_room(&rooms, &room, |room| room.tx.subscribe());
    // A reader that lags is not told what it misses.
    let messages = BroadcastStream::new(rx).filter_map(async |message| message.ok());
    Sse::new(messages.map(|data| Ok::<_, Infallible>(Event::default().data(data))))
        .keep_alive(KeepAlive::default())
}

async fn chat(stream: WebSocket, room: String, name: String, rooms: Rooms) {
    let (mut sender, mut receiver) = stream.split();
    // The client subscribes before it is announced, so that it receives the list too.
    let subscribed = with_room(&rooms, &room, |room| {
        room.names.insert(name.clone()).then(|| (room.tx.clone(), room.tx.subscribe()))
    });
    let Some((tx, mut rx)) = subscribed else {
        let _ = sender.send(Message::text("Username already taken.")).await;
        return;
    };
    announce(&rooms, &room, "joined", &name);

    let mut send_task = tokio::spawn(async move {
        while let Ok(message) = rx.recv().await {
            if sender.send(Message::text(message)).await.is_err() {
                break;
            }
        }
    });
    let from = name.clone();
    let mut recv_task = tokio::spawn(async move {
        while let Some(Ok(Message::Text(text))) = receiver.next().await {
            let _ = tx.send(json!({"name": from, "text": text.as_str()}).to_string());
        }
    });
    // If one of the tasks ends, the other one is aborted.
    tokio::select! {
        _ = &mut send_task => recv_task.abort(),
        _ = &mut recv_task => send_task.abort(),
    };

    with_room(&rooms, &room, |room| room.names.remove(&name));
    announce(&rooms, &room, "left", &name);
    rooms.lock().unwrap().retain(|_, room| !room.names.is_empty() || room.tx.receiver_count() > 0);
}

fn with_room<R>(rooms: &Rooms, name: &str, change: impl FnOnce(&mut Room) -> R) -> R {
    let mut rooms = rooms.lock().unwrap();
    let new = || Room { names: BTreeSet::new(), tx: broadcast::channel(100).0 };
    change(rooms.entry(name.to_owned()).or_insert_with(new))
}

fn announce(rooms: &Rooms, room: &str, change: &str, name: &str) {
    with_room(rooms, room, |room| {
        // It fails if nobody is in the room.
        let _ = room.tx.send(json!({"here": room.names, change: name}).to_string());
    });
}
