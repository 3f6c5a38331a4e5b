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
pub(crate) mod clock;
pub(crate) mod connection;
pub(crate) mod connections;
pub(crate) mod context;
mod event_loop;
mod eviction;
mod memory;
mod observer;
mod options;
mod repeated_poll;
mod request_log;
pub(crate) mod slab;
mod timer_wheel;
pub(crate) mod work;

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::SocketAddr;

use mio::Waker;
use mio::net::{TcpListener, TcpStream, UnixStream};

pub use application::{FollowError, Sent};
pub use observer::{Observer, Sender};
pub use options::{ObservationEndpoint, Options};
pub use request_log::{LoggedRequest, RequestLog};

use application::Application;
use clock::Clock;
use context::LoopContext;
use event_loop::EventLoop;

use crate::hub::Epoch;
use crate::transport::Service;
use crate::transport::routes::Routes;

/// A server that listens. [`Bound`](crate::app::Bound) is its public face.
pub(crate) struct Server {
    event_loop: EventLoop,
}

impl Server {
    /// Uses a socket that listens already. On Linux the connections inherit its options.
    pub fn new(listener: std::net::TcpListener, mut options: Options) -> io::Result<Server> {
        listener.set_nonblocking(true)?;
        options.policy.access.loopback_only = listener.local_addr()?.ip().to_canonical().is_loopback();
        // The standard library seeds its hashers from the system. An epoch must be unique, but it
        // is not secret.
        let random = RandomState::new();
        let epoch = Epoch::from_random(random.hash_one("epoch"));
        let service = Service::new(epoch, options.hub.clone(), options.policy.clone());
        let cx = LoopContext::new(service, options, Clock::start(), random.hash_one("jitter"));
        Ok(Server { event_loop: EventLoop::new(TcpListener::from_std(listener), cx)? })
    }

    pub fn run_application(&mut self, routes: Routes, application: Box<dyn Application<TcpStream>>) {
        self.event_loop.connections.run_application(routes, application);
    }

    pub fn stopped_by(&mut self, stream: std::os::unix::net::UnixStream) -> io::Result<()> {
        stream.set_nonblocking(true)?;
        self.event_loop.stopped_by(UnixStream::from_std(stream))
    }

    pub fn waker(&self) -> io::Result<Waker> {
        self.event_loop.waker()
    }

    pub fn log_to(&mut self, log: Box<dyn RequestLog>) {
        self.event_loop.connections.cx.log = Some(log);
    }

    pub fn observe_with(&mut self, observer: Box<dyn Observer>) {
        self.event_loop.connections.observe_with(observer);
    }

    pub fn local_addr(&self) -> SocketAddr {
        self.event_loop.local_addr()
    }

    pub fn run(self) -> io::Result<()> {
        self.event_loop.run()
    }
}
