//! Clients for all four transports, built on the same protocol code as the server.
//!
//! [`Follow`] follows a topic, [`Publisher`] publishes, and [`WebSocket`] is a WebSocket to any
//! server. All three block. The module [`follow`] contains the state machines below the first two,
//! for callers with their own event loop.
//!
//! Read in this order:
//!
//! 1. `follow` — from requests to events, without sockets.
//! 2. `blocking` — opens connections and reconnects; `backoff` — the delays between attempts;
//!    `update` — what the blocking follower reports.
//! 3. `publish` — one POST for one event or for several.
//! 4. `connect` — opens a WebSocket: TCP, the request, the response.
//! 5. `websocket` — messages in both directions and the closing handshake (RFC 6455).
//! 6. `compression` — the negotiated compression of messages (RFC 7692).
//! 7. `json` — reading JSON; `url` — the URLs to connect to; `random` — nonces and masking keys.
//! 8. `stream` — the TCP connection and its read buffer.
//!
//! # Follow and publish
//!
//! ```
//! use barewire::app::App;
//! use barewire::client::follow::{Resource, Since, Transport};
//! use barewire::client::{Follow, Update, FollowOptions, Publisher};
//! use barewire::server::Options;
//!
//! let options = Options { listen: ([127, 0, 0, 1], 0).into(), ..Options::default() };
//! let server = App::standard().bind(options)?;
//! let url = format!("http://{}/topics/demo", server.local_addr());
//! let handle = server.handle();
//! let client = std::thread::spawn(move || {
//!     let resource = Resource::new(&url, None, &[]).unwrap();
//!     let mut publisher = Publisher::new(resource.clone());
//!     let id = publisher.publish("hello").unwrap();
//!
//!     let options = FollowOptions {
//!         transports: vec![Transport::LongPoll],
//!         since: Since::Start,
//!         ..FollowOptions::default()
//!     };
//!     let mut follow = Follow::new(resource, options).unwrap();
//!     assert_eq!(follow.next(), Some(Ok(Update::Opened(Transport::LongPoll))));
//!     let Some(Ok(Update::Event(event))) = follow.next() else { panic!("expected an event") };
//!     assert_eq!((event.id, event.data), (id, "hello".to_owned()));
//!     drop((follow, publisher));
//!     handle.stop();
//! });
//! server.run()?;
//! client.join().expect("the client thread succeeds");
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # A WebSocket
//!
//! ```
//! use barewire::app::App;
//! use barewire::client::{Message, Request, WebSocket};
//! use barewire::protocol::websocket::close::CloseCode;
//! use barewire::server::Options;
//!
//! let options = Options { listen: ([127, 0, 0, 1], 0).into(), ..Options::default() };
//! let server = App::standard().bind(options)?;
//! let uri = format!("ws://{}/topics/demo", server.local_addr());
//! let handle = server.handle();
//! let client = std::thread::spawn(move || {
//!     let request = Request { subprotocols: &["barewire.text"], ..Request::default() };
//!     let mut follower = WebSocket::connect(&uri, &request).unwrap();
//!     assert_eq!(follower.subprotocol(), Some("barewire.text"));
//!     follower.send_text("hello").unwrap(); // publishes, so the event comes back
//!     assert_eq!(follower.read().unwrap(), Message::Text("hello".to_owned()));
//!     let reply = follower.close(CloseCode::NORMAL, "enough").unwrap();
//!     assert_eq!(reply, Some((CloseCode::NORMAL, String::new())));
//!     handle.stop();
//! });
//! server.run()?;
//! client.join().expect("the client thread succeeds");
//! # Ok::<(), std::io::Error>(())
//! ```

mod backoff;
mod blocking;
mod compression;
pub(crate) mod connect;
mod error;
pub mod follow;
pub mod json;
mod publish;
mod random;
mod request;
mod stream;
mod update;
mod url;
mod websocket;

pub use backoff::Backoff;
pub use blocking::{Follow, FollowOptions};
pub use error::{ConnectError, Error, Misuse};
pub use publish::{PublishError, Publisher, publish};
pub use request::Request;
pub use update::{FollowError, Update};
pub use url::{Url, UrlError};
pub use websocket::{Message, WebSocket};
