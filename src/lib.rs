//! Real-time from the bare socket up: one topic over short polling, long polling, Server-Sent Events and WebSockets, on
//! one thread and one event loop.
//!
//! # One message, from its first byte to the last
//!
//! `curl -d hello http://127.0.0.1:8080/topics/demo`, while a thousand others follow `demo`:
//!
//! 1. **The socket has bytes.** [`server`]'s `turn` is told so by the poll, and has the connection read
//!    (`server/connection.rs`, `read`) into the one buffer that all connections share.
//! 2. **Bytes become a request.** `server/requests.rs` hands them to [`protocol::http`]: `HeadScan` finds the blank line,
//!    `parse` makes a `RequestHead` of what stands before it, `Framing::of` says how long the body is.
//! 3. **The head becomes a plan.** [`transport::route`] reads the method, the target and the fields: this is a publish to
//!    `demo`, and it may. A refusal would be decided here.
//! 4. **The body becomes an event.** `BodyReader` takes the five bytes; `transport/publish.rs` checks that they are UTF-8, and
//!    appends them to the topic's log (`hub/log.rs`, `append`), where they get the next sequence number. The id goes back
//!    to the publisher: `201`, `{"id":"…-1"}`.
//! 5. **A sweep begins.** The topic's followers (`hub/followers.rs`) have something owed to them now. The sweep is noted, and
//!    the turn goes on with what other sockets have sent: whatever else is published meanwhile goes out with the same writes.
//! 6. **The event becomes bytes, once for each encoding** (`transport/encoding.rs`): a chunk of an event stream, an item of a JSON
//!    list, a WebSocket frame. They are appended to the segment's *runs* (`hub/segment.rs`), when the first follower needs them.
//! 7. **The sweep hands it out.** `turn`'s `sweep` goes from follower to follower; `server/delivery.rs` writes what stands in the run between
//!    the follower's cursor and the end, in one write, and moves the cursor. A long poll is answered with a body cut from the
//!    same run (`transport/poll.rs`), shared by all who waited at the same place.
//! 8. **A full socket is no queue.** Whoever takes only a part keeps a cursor in the middle of the run, and stands in the list of those
//!    *behind* until WRITABLE says that there is room. It costs no memory, and nobody waits for it.
//!
//! The idea of the whole is in that seventh step: **the log is the queue**. Short poll, long poll, SSE and WebSocket differ only in who holds
//! the cursor, and when it moves.
//!
//! # Layers
//!
//! Each knows only those below it, and a test fails on a `use` that breaks this.
//!
//! ```text
//! tools      one folder per command
//! server     sockets, deadlines, the turn of the loop: the only I/O, the only clock
//! transport  requests and frames to moves of a cursor; encodings
//! hub        topics, logs, ids, cursors           protocol   HTTP, event stream, WebSocket
//! ```
//!
//! Beside them stand [`client`], the other end of all four transports, and [`wire`], the view that names each byte of a conversation: on
//! `protocol`, and nothing else.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod client;
pub mod hub;
pub mod page;
pub mod protocol;
pub mod server;
#[cfg(feature = "cli")]
pub mod tools;
pub mod transport;
pub mod wire;
