//! The loop: the only place that does I/O.
//!
//! One thread, one `mio` poll, registered once per connection for READABLE and WRITABLE, edge-triggered. Read in this order:
//!
//! 1. `turn` — what a turn of the loop does, and in which order.
//! 2. `connections` — what is done with all of them: sweeps, deadlines, the drain. From here on nothing knows of sockets.
//! 3. `connection` — what one connection is at the moment; `serving` — what bytes and deadlines make of it.
//! 4. `requests` and `frames` — HTTP and WebSocket on a connection.
//! 5. `delivery` — from the outbox and the log to the socket; `ending` — how it ends.
//! 6. `outbox`, `wheel`, `slab`, `clock`, `memory`, `addresses`, `access_log` — what these stand on.
//! 7. `watch` and `watch_output` — the wire view: a copy of what passes, for whoever looks.
//! 8. `simulation` — the same without sockets and with a clock that is moved by hand, for tests.

mod access_log;
mod addresses;
mod byte_stream;
mod clock;
mod connection;
mod connections;
mod context;
mod delivery;
mod ending;
mod frames;
mod memory;
mod options;
mod outbox;
mod requests;
mod serving;
mod simulation;
mod slab;
mod turn;
mod watch;
mod watch_output;
mod wheel;

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::SocketAddr;

use mio::net::{TcpListener, TcpStream, UnixStream};
use mio::{Events, Interest, Poll, Token};

pub use access_log::LogForm;
pub use options::{Options, WireEndpoint, WireOptions};
pub use simulation::{Peer, Simulation};
pub use watch::Choice;

use access_log::AccessLog;
use clock::Clock;
use connections::Connections;
use context::Context;
use turn::Accepting;

use crate::hub::{Epoch, Hub, Tick};
use crate::transport::Service;

const LISTENER: Token = turn::special(0);
const STOP: Token = turn::special(1);

/// How many events one poll may tell of.
const EVENTS: usize = 1024;

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
///     client.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
///     let mut answer = String::new();
///     client.read_to_string(&mut answer).unwrap();
///     assert!(answer.ends_with("{\"status\":\"ok\"}"));
///     stop.write_all(b"!").unwrap();
/// });
/// server.run()?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Server {
    poll: Poll,
    events: Events,
    listener: Option<TcpListener>,
    address: SocketAddr,
    accepting: Accepting,
    accepted_at: Tick,
    stop: Option<UnixStream>,
    connections: Connections<TcpStream>,
}

impl Server {
    /// Listens. A byte written to the other end of `stop` makes [`Server::run`] drain the connections and return; a
    /// second one makes it return at once.
    ///
    /// # Errors
    /// Those of the operating system: the address is in use, or not this machine's, or out of descriptors; the file to record
    /// to can't be written.
    pub fn bind(options: Options, stop: Option<std::os::unix::net::UnixStream>) -> io::Result<Server> {
        let listener = TcpListener::bind(options.listen)?;
        Server::on(listener, options, stop)
    }

    /// The same with a socket that listens already; `options.listen` says nothing then. On Linux the connections inherit
    /// what is set on it.
    ///
    /// # Errors
    /// Those of the operating system: out of descriptors.
    pub fn with_listener(
        listener: std::net::TcpListener,
        options: Options,
        stop: Option<std::os::unix::net::UnixStream>,
    ) -> io::Result<Server> {
        listener.set_nonblocking(true)?;
        Server::on(TcpListener::from_std(listener), options, stop)
    }

    fn on(
        mut listener: TcpListener,
        mut options: Options,
        stop: Option<std::os::unix::net::UnixStream>,
    ) -> io::Result<Server> {
        let poll = Poll::new()?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        let stop = stop.map(|stop| -> io::Result<UnixStream> {
            stop.set_nonblocking(true)?;
            let mut stop = UnixStream::from_std(stop);
            poll.registry().register(&mut stop, STOP, Interest::READABLE)?;
            Ok(stop)
        });
        let stop = stop.transpose()?;
        let address = listener.local_addr()?;
        let is_loopback = address.ip().is_loopback();
        options.policy.access.loopback_only = is_loopback;
        options.policy.access.wire = options.wire.access(is_loopback);
        let watch = options.wire.watch(is_loopback)?;

        // The standard library seeds its hashers from the system; an epoch must differ from others, and is no secret.
        let random = RandomState::new();
        let hub = Hub::new(Epoch::from_random(random.hash_one("epoch")), options.hub.clone());
        let service = Service::new(hub, options.policy.clone());
        let log = AccessLog::new(options.log, Box::new(io::stderr()));
        let cx = Context::new(service, options, Clock::start(), log, random.hash_one("jitter"));
        Ok(Server {
            poll,
            events: Events::with_capacity(EVENTS),
            listener: Some(listener),
            address,
            accepting: Accepting::Done,
            accepted_at: Tick::default(),
            stop,
            connections: Connections::new(cx, watch),
        })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }
}
