//! Real-time from the bare socket up: one topic over short polling, long polling, Server-Sent
//! Events and WebSockets, on one thread and one event loop.
//!
//! # Write a chat server in 40 lines
//!
//! ```no_run
//! use barewire::app::{App, Message, Response, Since, Socket};
//! use barewire::server::Options;
//!
//! /// A WebSocket of one person in the room. It follows the room's topic, and publishes to it.
//! fn chat() -> Socket<(), String> {
//!     Socket::open(|cx, socket, request| {
//!         let name = request.query("name").filter(|name| !name.is_empty());
//!         let name = name.ok_or_else(|| Response::problem(400, "Say who you are: /chat?name=…"))?;
//!         // A client that returns sends its cursor, and receives what it has missed.
//!         cx.follow(socket, "room", request.since(Since::Start))?;
//!         Ok(name.into_owned())
//!     })
//!     .message(|cx, socket, name, message| {
//!         let Message::Text(text) = message else { return };
//!         if cx.publish("room", &format!("{name}: {text}")).is_err() {
//!             cx.send(socket, Message::Text("This message was not accepted."));
//!         }
//!     })
//!     .closed(|cx, _, name| {
//!         // Nobody is left to tell if this fails.
//!         let _ = cx.publish("room", &format!("{name} has left"));
//!     })
//! }
//!
//! fn main() -> std::io::Result<()> {
//!     App::new(())
//!         // One line, four transports: a page, curl or a feed reader may read along.
//!         .on("GET", "/chat/log", |_, _| Response::follow("room"))
//!         .socket("/chat", chat())
//!         .bind(Options::default())?
//!         .run()
//! }
//! ```
//!
//! `curl -N -H 'Accept: text/event-stream' 'http://127.0.0.1:8080/chat/log?since=start'` then shows
//! the whole conversation. [`app`] explains the rest, and the examples from `08_tasks_by_time` to
//! `17_fallback` are applications with their pages.
//!
//! # One message, from the publisher's bytes to the follower's
//!
//! `curl -d hello http://127.0.0.1:8080/topics/demo`, while a thousand others follow `demo`:
//!
//! 1. **The socket is readable.** `EventLoop::run_once` (`server/event_loop.rs`) learns that from
//!    the poll. `Connection::serve` (`server/connection/read.rs`) reads into the one buffer that
//!    all connections share.
//! 2. **Bytes become a request.** `Connection::receive_request` (`server/connection/http.rs`)
//!    passes them to [`protocol::http`]: `HeadScan` finds the blank line, and `parse` turns the
//!    bytes before it into a `RequestHead`.
//! 3. **The head becomes an action.** `Action::of` (`transport/route.rs`) reads the method, the
//!    target and the fields: the request publishes to `demo`, and it is allowed to. A refusal is
//!    decided here.
//! 4. **The content becomes an event.** `Service::publish` (`transport/service.rs`) checks that the
//!    five bytes are UTF-8. `Hub::publish` (`hub/topics.rs`) gives the event the next sequence
//!    number, and `Log::append` (`hub/log.rs`) puts it in the topic's open segment. The publisher
//!    receives `201` and `{"id":"…-1"}`.
//! 5. **A fan-out is queued.** The hub notes that the topic's followers lack an event. The
//!    iteration goes on with other sockets; events published meanwhile are delivered with the same
//!    writes.
//! 6. **The fan-out reaches each follower.** `Connections::fan_out` (`server/connections.rs`) takes
//!    one follower after the other from `Hub::next_delivery`.
//! 7. **The event becomes bytes, once per encoding.** `Following::prepare`
//!    (`transport/following.rs`) encodes it when the first follower needs it: as a chunk of an
//!    event stream, an item of a JSON list, or a WebSocket frame. All followers with that encoding
//!    share the segment's `EncodedBuffer`.
//! 8. **The cursor moves.** `Connection::write` (`server/connection/write.rs`) writes the bytes
//!    between the follower's cursor and the end of the log, in one write, and `Following::advance`
//!    moves the cursor. A long poll receives a response made of the same bytes
//!    (`transport/poll.rs`).
//! 9. **A full socket is not a queue.** A follower whose socket accepts only a part keeps a cursor
//!    in the middle of the encoded bytes, and counts as lagging until the poll reports room. No
//!    other follower waits for it.
//! 10. **Too slow is evicted.** When a segment leaves the window (`hub/window.rs`) while a lagging
//!     follower's cursor is in it, `Eviction::evict` (`server/eviction.rs`) ends that follower, and
//!     its reconnect reports the gap.
//!
//! A long poll takes another way: `Service::poll` decides that its response must wait, and the
//! connection stays in `State::Held` (`server/connection/state.rs`) until step 6 reaches it, or its
//! timeout does (`Connection::handle_deadline` in `server/connection/read.rs`).
//!
//! The one idea is in step 8: **the log is the queue**. The four transports differ only in who
//! holds the cursor and when it moves.
//!
//! # Layers
//!
//! Each layer knows only those below it, and `hub` and `protocol` do not know each other. A test
//! fails on a path that breaks this, and on a socket or a clock outside `server` and above.
//!
//! ```text
//! tools      the commands: arguments, load, reports
//! app        routes, WebSockets and timers of a program; `barewire serve` is one
//! server     sockets, deadlines, the event loop: the only I/O, the only clock
//! transport  requests and frames to moves of a cursor; encodings
//! hub        topics, logs, ids, followers         protocol   HTTP, event streams, WebSocket
//! ```
//!
//! Two more modules know only `protocol` and `text`: [`client`] is the other end of all four
//! transports, and [`wire`] names each byte of a conversation.
#![forbid(unsafe_code)]
#![warn(missing_docs)]
// Printing waits for its output and panics if that fails. `tools/standard_streams.rs` does neither.
#![deny(clippy::print_stdout, clippy::print_stderr)]

pub mod access_log;
pub mod app;
pub mod client;
pub mod hub;
pub mod page;
pub mod protocol;
pub mod server;
pub mod simulation;
pub mod text;
#[cfg(feature = "cli")]
pub mod tools;
pub mod transport;
pub mod wire;

pub use app::App;

/// The page about applications, whose code is compiled like that of the other documentation.
#[cfg(doctest)]
#[doc = include_str!("../docs/applications.md")]
pub struct ApplicationsPage;
