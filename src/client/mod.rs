//! The other end: clients of all four transports, on the protocol code that the server uses too.
//!
//! [`Follow`] follows a topic and waits for what comes, [`Publisher`] publishes, [`WebSocket`] is a WebSocket to anything. They block.
//! [`follow`] has what lies under the first two: state machines for a loop of one's own.
//!
//! Read in this order:
//!
//! 1. `follow` — from requests to events, without sockets.
//! 2. `blocking` — connections, and coming back to a server that was away; `backoff` — after which wait; `news` — what is told.
//! 3. `publish` — one POST for an event, or for many.
//! 4. `connect` — a WebSocket: from a URI to an open connection: TCP, the request, the answer.
//! 5. `websocket` — messages in both directions, and the closing handshake (RFC 6455).
//! 6. `compression` — what the two sides may have agreed on for their messages (RFC 7692).
//! 7. `random` — where nonces and masking keys come from; `url`.
//! 8. `wire` — the socket, with the bytes that have come and are not yet understood.
//!
//! # Follow and publish
//!
//! ```
//! use std::io::Write;
//! use std::os::unix::net::UnixStream;
//! use barewire::client::follow::{Resource, Since, Via};
//! use barewire::client::{Follow, Update, FollowOptions, Publisher};
//! use barewire::server::{Options, Server};
//!
//! let (mut stop, stopped) = UnixStream::pair()?;
//! let options = Options { listen: ([127, 0, 0, 1], 0).into(), ..Options::default() };
//! let server = Server::bind(options, Some(stopped))?;
//! let url = format!("http://{}/topics/demo", server.local_addr());
//! let client = std::thread::spawn(move || {
//!     let resource = Resource::new(&url, None, &[]).unwrap();
//!     let mut publisher = Publisher::new(resource.clone());
//!     let id = publisher.publish("hello").unwrap();
//!
//!     let plan = FollowOptions { via: vec![Via::LongPoll], since: Since::Start, ..FollowOptions::default() };
//!     let mut follow = Follow::new(resource, plan).unwrap();
//!     assert_eq!(follow.next(), Some(Ok(Update::Opened(Via::LongPoll))));
//!     let Some(Ok(Update::Event(event))) = follow.next() else { panic!("an event was to come") };
//!     assert_eq!((event.id, event.data), (id, "hello".to_owned()));
//!     drop((follow, publisher));
//!     stop.write_all(b"!").unwrap();
//! });
//! server.run()?;
//! client.join().expect("all is as it should be");
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # A WebSocket
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

mod backoff;
mod blocking;
mod compression;
pub(crate) mod connect;
mod error;
pub mod follow;
mod publish;
mod random;
mod stream;
mod update;
mod url;
mod websocket;

pub use backoff::Backoff;
pub use blocking::{Follow, FollowOptions};
pub use connect::Request;
pub use error::{ConnectError, Error, Misuse};
pub use publish::{PublishError, Publisher, publish};
pub use update::{FollowError, Update};
pub use url::{Url, UrlError};
pub use websocket::{Message, WebSocket};
