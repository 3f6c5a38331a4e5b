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
//! 5. `observer` and `request_log`: every byte, and every answered request, for a program that
//!    wants to see them.
//!
//! [`simulation`](crate::simulation) is the same server without sockets, for tests.

mod addresses;
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
mod work;

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::SocketAddr;

use mio::net::{TcpListener, UnixStream};

pub use observer::{Observer, Sender};
pub use options::{ObservationEndpoint, Options};
pub use request_log::{LoggedRequest, RequestLog};

use clock::Clock;
use context::LoopContext;
use event_loop::EventLoop;

use crate::hub::Epoch;
use crate::transport::Service;

/// A server that listens, and runs with [`Server::run`].
///
/// ```
/// use std::io::{Read, Write};
/// use std::net::TcpStream;
/// use std::os::unix::net::UnixStream;
/// use barewire::server::{Options, Server};
///
/// let (mut stop, stopped) = UnixStream::pair()?;
/// let options = Options { listen: ([127, 0, 0, 1], 0).into(), ..Options::default() };
/// let server = Server::bind(options, Some(stopped))?;
/// let address = server.local_addr();
/// std::thread::spawn(move || {
///     let mut client = TcpStream::connect(address).unwrap();
///     client.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
///     let mut response = String::new();
///     client.read_to_string(&mut response).unwrap();
///     assert!(response.ends_with("{\"status\":\"ok\"}"));
///     stop.write_all(b"!").unwrap();
/// });
/// server.run()?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Server {
    event_loop: EventLoop,
}

impl Server {
    /// Binds and listens to `options.listen`. A byte written to the other end of `stop` makes
    /// [`Server::run`] drain the connections and return; a second byte makes it return at once.
    ///
    /// # Errors
    /// Those of the operating system: the address is in use or not local, or no descriptor is free.
    pub fn bind(options: Options, stop: Option<std::os::unix::net::UnixStream>) -> io::Result<Server> {
        let listener = TcpListener::bind(options.listen)?;
        Server::on(listener, options, stop)
    }

    /// Uses a socket that listens already, instead of `options.listen`. On Linux the connections
    /// inherit its options.
    ///
    /// # Errors
    /// Those of the operating system: no descriptor is free.
    pub fn with_listener(
        listener: std::net::TcpListener,
        options: Options,
        stop: Option<std::os::unix::net::UnixStream>,
    ) -> io::Result<Server> {
        listener.set_nonblocking(true)?;
        Server::on(TcpListener::from_std(listener), options, stop)
    }

    fn on(
        listener: TcpListener,
        mut options: Options,
        stop: Option<std::os::unix::net::UnixStream>,
    ) -> io::Result<Server> {
        options.policy.access.loopback_only = listener.local_addr()?.ip().to_canonical().is_loopback();
        let stop = stop.map(|stop| {
            stop.set_nonblocking(true)?;
            Ok::<_, io::Error>(UnixStream::from_std(stop))
        });
        // The standard library seeds its hashers from the system. An epoch must be unique, but it
        // is not secret.
        let random = RandomState::new();
        let epoch = Epoch::from_random(random.hash_one("epoch"));
        let service = Service::new(epoch, options.hub.clone(), options.policy.clone());
        let cx = LoopContext::new(service, options, Clock::start(), random.hash_one("jitter"));
        Ok(Server { event_loop: EventLoop::new(listener, cx, stop.transpose()?)? })
    }

    /// Logs every answered request. Without this, the server logs nothing.
    #[must_use]
    pub fn logging_to(mut self, log: Box<dyn RequestLog>) -> Server {
        self.event_loop.connections.cx.log = Some(log);
        self
    }

    /// Shows every byte that passes to an observer. Clients can then follow the observation at
    /// `/wire`, as far as [`Options::observation`] allows.
    #[must_use]
    pub fn observed_by(mut self, observer: Box<dyn Observer>) -> Server {
        self.event_loop.connections.observe_with(observer);
        self
    }

    /// Returns the address on which the server listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.event_loop.local_addr()
    }

    /// Runs until the shutdown is complete or its time is over.
    ///
    /// # Errors
    /// Those of the poll. An error on one connection ends only that connection.
    pub fn run(self) -> io::Result<()> {
        self.event_loop.run()
    }
}
