//! The other end: a WebSocket client that blocks, on the protocol code that the server uses too (RFC 6455).
//!
//! Read in this order:
//!
//! 1. `connect` — from a URI to an open connection: TCP, the request, the answer.
//! 2. `websocket` — messages in both directions, and the closing handshake.
//! 3. `compression` — what the two sides may have agreed on for their messages (RFC 7692).
//! 4. `random` — where nonces and masking keys come from.
//! 5. `wire` — the socket, with the bytes that have come and are not yet understood.
//!
//! ```
//! use std::io::Write;
//! use std::os::unix::net::UnixStream;
//! use barewire::client::{Message, Request, WebSocket};
//! use barewire::protocol::websocket::close::CloseCode;
//! use barewire::server::{Options, Server};
//!
//! let (mut stop, stopped) = UnixStream::pair()?;
//! let options = Options { listen: ([127, 0, 0, 1], 0).into(), ..Options::default() };
//! let server = Server::bind(options, Some(stopped))?;
//! let uri = format!("ws://{}/topics/demo", server.local_addr());
//! let client = std::thread::spawn(move || {
//!     let request = Request { subprotocols: &["barewire.text"], ..Request::default() };
//!     let mut follower = WebSocket::connect(&uri, &request).unwrap();
//!     assert_eq!(follower.subprotocol(), Some("barewire.text"));
//!     follower.send_text("hello").unwrap(); // which publishes it, and so comes back
//!     assert_eq!(follower.read().unwrap(), Message::Text("hello".to_owned()));
//!     let answer = follower.close(CloseCode::NORMAL, "enough").unwrap();
//!     assert_eq!(answer, Some((CloseCode::NORMAL, String::new())));
//!     stop.write_all(b"!").unwrap();
//! });
//! server.run()?;
//! client.join().expect("all is as it should be");
//! # Ok::<(), std::io::Error>(())
//! ```

mod back_off;
mod blocking;
mod compression;
mod connect;
mod error;
pub mod follow;
mod publish;
mod random;
mod url;
mod websocket;
mod wire;

pub use back_off::BackOff;
pub use blocking::{Follow, FollowError, News, Plan};
pub use connect::Request;
pub use error::{ConnectError, Error, Misuse};
pub use publish::{PublishError, Publisher, publish};
pub use url::{Url, UrlError};
pub use websocket::{Message, WebSocket};
