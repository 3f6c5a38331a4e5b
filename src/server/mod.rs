//! The server: the event loop and the connections. This is the only code that does I/O.
//!
//! One thread, one `mio` poll. Each connection is registered for READABLE, edge-triggered, and for
//! WRITABLE too once its socket has been full. Read in this order:
//!
//! 1. `event_loop`: the order of a loop iteration, and everything that knows the poll.
//! 2. `connections`: what an iteration does with all connections: turns, fan-out, deadlines;
//!    `work`: how much of it; `eviction`: followers that are too slow.
//! 3. `connection/`: one connection. `state` has its states and transitions; `read`, `http`,
//!    `websocket`, `write` and `close` follow the bytes.
//! 4. `context`, `timer_wheel`, `slab`, `clock`, `memory`, `addresses`, `repeated_poll`: the parts
//!    that all connections share.
//! 5. `application`: the boundary to the program's own routes and sockets.
//! 6. `observer` and `request_log`: every byte, and every answered request, for a program that
//!    wants to see them.
//!
//! [`simulation`](crate::simulation) is the same server without sockets, for tests.

mod addresses;
pub(crate) mod application;
pub(crate) mod byte_stream;
mod calls;
pub(crate) mod clock;
pub(crate) mod connection;
pub(crate) mod connections;
pub(crate) mod context;
pub(crate) mod event_loop;
mod eviction;
mod memory;
mod observer;
mod options;
mod repeated_poll;
mod request_log;
pub(crate) mod slab;
mod timer_wheel;
pub(crate) mod work;

pub use application::{FollowError, Sent};
pub use observer::{Observer, Sender};
pub use options::{ObservationEndpoint, Options};
pub use request_log::{LoggedRequest, RequestLog};
