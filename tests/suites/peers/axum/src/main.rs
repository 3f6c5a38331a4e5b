//! A server on axum, written like axum's examples: echo, and a topic to follow over WebSockets,
//! event streams, long polls and short polls.
//!
//! ```text
//! peer-axum PORT [--read-buffer BYTES] [--batch]
//! ```
//! `--read-buffer` sets the WebSocket's `read_buffer_size` (by default 128 KiB per connection).
//! With `--batch`, all messages that wait for a WebSocket are flushed once, instead of one by one.

use std::collections::VecDeque;
use std::env;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::sse::{Event as StreamEvent, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use axum::serve::ListenerExt;
use axum::{Json, Router, routing::get};
use futures_util::{SinkExt, StreamExt};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio_stream::wrappers::BroadcastStream;

/// The number of events by which a follower may lag, and that the log keeps for polls.
const KEPT: usize = 1024;

#[derive(Clone)]
struct Event {
    id: u64,
    data: Utf8Bytes,
}

struct Topic {
    /// The newest events, and the id of the latest one.
    log: Mutex<(VecDeque<Event>, u64)>,
    events: broadcast::Sender<Event>,
    read_buffer: usize,
    batch: bool,
}

impl Topic {
    fn publish(&self, data: Utf8Bytes) {
        let mut log = self.log.lock().expect("no thread panics while it holds the log");
        log.1 += 1;
        let event = Event { id: log.1, data };
        if log.0.len() == KEPT {
            log.0.pop_front();
        }
        log.0.push_back(event.clone());
        // An error means that no follower is connected.
        let _ = self.events.send(event);
    }

    /// Returns the events after `id`, and the latest id.
    fn after(&self, id: u64) -> (Vec<Event>, u64) {
        let log = self.log.lock().expect("no thread panics while it holds the log");
        let newer = log.0.iter().rev().take_while(|event| event.id > id).count();
        (log.0.range(log.0.len() - newer..).cloned().collect(), log.1)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let mut arguments = env::args().skip(1);
    let port = arguments.next().and_then(|port| port.parse::<u16>().ok()).expect("a port");
    let mut topic = Topic {
        log: Mutex::default(),
        events: broadcast::channel(KEPT).0,
        read_buffer: 128 << 10,
        batch: false,
    };
    while let Some(option) = arguments.next() {
        match option.as_str() {
            "--read-buffer" => {
                let size = arguments.next().and_then(|size| size.parse().ok());
                topic.read_buffer = size.expect("a number of bytes");
            }
            "--batch" => topic.batch = true,
            _ => panic!("{option}: unknown option"),
        }
    }
    let routes = Router::new()
        .route("/echo", any(echo))
        .route("/topics/bench", get(follow).post(publish))
        .with_state(Arc::new(topic));
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listening on http://{}", listener.local_addr()?);
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, routes).await
}

async fn publish(State(topic): State<Arc<Topic>>, headers: HeaderMap, data: String) -> StatusCode {
    if headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/x-ndjson") {
        data.lines().for_each(|line| topic.publish(line.into()));
    } else {
        topic.publish(data.into());
    }
    StatusCode::CREATED
}

async fn echo(State(topic): State<Arc<Topic>>, upgrade: WebSocketUpgrade) -> Response {
    upgrade.read_buffer_size(topic.read_buffer).on_upgrade(async move |mut socket: WebSocket| {
        if topic.batch {
            let (to, from) = socket.split();
            // `forward` flushes when no further message is available.
            let _ = from.forward(to).await;
            return;
        }
        while let Some(Ok(message)) = socket.recv().await {
            if matches!(message, Message::Text(_) | Message::Binary(_)) && socket.send(message).await.is_err()
            {
                return;
            }
        }
    })
}

#[derive(Deserialize)]
struct Parameters {
    /// An id, or `now`.
    since: Option<String>,
    /// In seconds.
    wait: Option<u64>,
}

/// Responds over the transport that the request asks for.
async fn follow(
    State(topic): State<Arc<Topic>>,
    Query(parameters): Query<Parameters>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    if let Ok(upgrade) = upgrade {
        let upgrade = upgrade.read_buffer_size(topic.read_buffer);
        return upgrade.on_upgrade(|socket| over_web_socket(topic, socket));
    }
    if headers.get(header::ACCEPT).is_some_and(|accept| accept == "text/event-stream") {
        return over_event_stream(&topic).into_response();
    }
    poll(&topic, &parameters).await.into_response()
}

/// Writes in a separate task, as axum's chat example does, so that an event does not interrupt a
/// read.
async fn over_web_socket(topic: Arc<Topic>, socket: WebSocket) {
    let mut events = topic.events.subscribe();
    let (mut to, mut from) = socket.split();
    let mut writes = tokio::spawn(async move {
        while let Ok(event) = events.recv().await {
            to.feed(Message::Text(event.data)).await?;
            while topic.batch
                && let Ok(event) = events.try_recv()
            {
                to.feed(Message::Text(event.data)).await?;
            }
            to.flush().await?;
        }
        Ok::<_, axum::Error>(())
    });
    let reads = async { while let Some(Ok(_)) = from.next().await {} };
    tokio::select! {
        _ = &mut writes => {}
        () = reads => writes.abort(),
    }
}

fn over_event_stream(topic: &Topic) -> impl IntoResponse + use<> {
    // A follower that lags too far gets an error, which ends the stream.
    let events = BroadcastStream::new(topic.events.subscribe()).map(|event| {
        event.map(|event| StreamEvent::default().id(event.id.to_string()).data(event.data.as_str()))
    });
    Sse::new(events).keep_alive(KeepAlive::default())
}

#[derive(Serialize)]
struct Page {
    events: Vec<String>,
    next: String,
}

async fn poll(topic: &Topic, parameters: &Parameters) -> impl IntoResponse + use<> {
    // Subscribes before it reads the log, so that no event is missed in between.
    let mut events = topic.events.subscribe();
    let since = match parameters.since.as_deref() {
        Some("now") => u64::MAX,
        Some(id) => id.parse().unwrap_or(0),
        None => 0,
    };
    let (mut found, mut next) = topic.after(since);
    if found.is_empty()
        && let Some(wait) = parameters.wait
        && let Ok(Ok(event)) = tokio::time::timeout(Duration::from_secs(wait), events.recv()).await
    {
        next = event.id;
        found.push(event);
    }
    let events = found.into_iter().map(|event| event.data.to_string()).collect();
    Json(Page { events, next: next.to_string() })
}
