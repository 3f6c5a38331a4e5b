//! Applications: routes, WebSockets and timers of a program, on the event loop of the server.
//!
//! The [crate's page](crate) begins with a chat server.
//!
//! # How it fits together
//!
//! - [`App`] has the routes. A handler is a closure: it receives a [`Context`] and a [`Request`],
//!   and returns a [`Response`].
//! - [`Response::follow`] is the one line that no other library has: it answers the request as
//!   `/topics/` of `barewire serve` does, over the transport that the client asks for, with the
//!   client's cursor, and with every gap reported. The handler decides *who* may follow *what*.
//! - [`Context::publish`] appends an event to a topic. All followers receive it.
//! - [`Socket`] is a kind of WebSocket, for clients that also write.
//! - [`Context::later`] answers when the work is done, and [`Handle`] brings the result of a
//!   thread back to the loop.
//!
//! # Rules
//!
//! There is one thread. A handler runs inside a loop iteration, and while it runs, nothing else
//! does: it must not block. What takes long belongs on a thread. A handler that takes longer than
//! [`Options::slow_handler`](crate::server::Options::slow_handler) is counted in the metrics, and
//! logged with its route. No handler runs inside another.
//!
//! A panic in a handler is answered with 500, or closes the WebSocket with 1011, if the program
//! unwinds. Where the profile says `panic = "abort"`, as barewire's release profile does, it ends
//! the process.
//!
//! For every route, the server itself answers `HEAD` as `GET` without content, `OPTIONS`, a method
//! without a handler (405 with `Allow`) and content beyond `policy.batch_bytes` (413). It refuses a
//! request from a page of a foreign origin (403) unless it is a `GET` or a `HEAD`, to which a
//! foreign page has no access either: the response lacks the field that would allow it.

mod context;
mod endpoints;
mod handle;
mod host;
mod metrics;
mod request;
mod response;
mod routing;
mod running;
mod socket;

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::time::Duration;

pub use context::{Context, Event, Message};
pub use endpoints::Endpoint;
pub(crate) use handle::Wake;
pub use handle::{Handle, Stopped};
pub use host::PublishError;
pub use request::Request;
pub use response::Response;
pub use socket::Socket;

pub use crate::hub::Since;
pub use crate::server::{FollowError, Sent};

use crate::protocol::http::HeadLimits;
use crate::protocol::http::fields::is_token;
use crate::server::application::CallId;
use crate::server::event_loop::EventLoop;
use crate::server::slab::Key;
use crate::server::{Observer, Options, RequestLog};
use crate::transport::routes::{self, Resource, Routes};
use running::{Every, Running};
use socket::{AnySocket, Sockets};

/// An open WebSocket of the application. It is never used for another one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SocketId(Key);

/// A request whose answer comes later; for [`Context::finish`]. If it is dropped, the request
/// gets 503 after [`Options::answer_timeout`].
#[derive(Debug)]
pub struct Ticket(CallId);

/// A client that follows a topic over an event stream or a WebSocket. A poll does not count: its
/// client holds the cursor, and may be gone between two of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Follower<'a> {
    /// The topic.
    pub topic: &'a str,
    /// The client has joined, or else it has left.
    pub has_joined: bool,
    /// How many follow the topic now.
    pub count: usize,
}

type Handler<S> = Box<dyn FnMut(&mut Context<'_, S>, &Request<'_>) -> Response>;
type FollowerHandler<S> = Box<dyn FnMut(&mut Context<'_, S>, Follower<'_>)>;

/// An application: its state, and what it does for which request.
pub struct App<S> {
    state: S,
    routes: Routes,
    /// The handlers with their methods and paths, in the order of their numbers.
    handlers: Vec<(String, &'static str, Handler<S>)>,
    sockets: Vec<(&'static str, Box<dyn AnySocket<S>>)>,
    timers: Vec<Every<S>>,
    followers: Option<FollowerHandler<S>>,
}

impl<S: 'static> App<S> {
    /// Creates an application without routes.
    pub fn new(state: S) -> App<S> {
        let (handlers, sockets, timers) = (Vec::new(), Vec::new(), Vec::new());
        App { state, routes: Routes::default(), handlers, sockets, timers, followers: None }
    }

    /// Adds a handler. `{name}` in the path stands for any one segment that is not empty. If
    /// several paths match a request, one without parameters counts, or else the one added first.
    ///
    /// The closure is written in place, or is a `fn`: the compiler does not accept one that was
    /// stored in a variable before. It returns a [`Response`], or a `Result<Response, Response>` if
    /// it refuses requests with `?`:
    ///
    /// ```
    /// use barewire::app::{App, Context, Request, Response};
    ///
    /// fn rename(cx: &mut Context<'_, String>, request: &Request<'_>) -> Result<Response, Response> {
    ///     let name = request.text()?;
    ///     cx.publish("names", name)?;
    ///     *cx.state = name.to_owned();
    ///     Ok(Response::status(204))
    /// }
    ///
    /// let app = App::new(String::new()).on("POST", "/name", rename);
    /// ```
    ///
    /// # Panics
    /// The method is not one of `GET`, `POST`, `PUT`, `PATCH` and `DELETE`, the path does not begin
    /// with `/` or has a parameter that is only a part of a segment, or it has a handler for the
    /// method already.
    #[must_use]
    pub fn on<R: Into<Response>>(
        self,
        method: &'static str,
        path: &'static str,
        mut handler: impl FnMut(&mut Context<'_, S>, &Request<'_>) -> R + 'static,
    ) -> App<S> {
        self.handle(method, path, false, move |cx, request| handler(cx, request).into())
    }

    /// Adds a handler that may be called although a limit is reached.
    fn handle(
        mut self,
        method: &'static str,
        path: &'static str,
        is_always_called: bool,
        handler: impl FnMut(&mut Context<'_, S>, &Request<'_>) -> Response + 'static,
    ) -> App<S> {
        let number = self.handlers.len() as u16;
        self.routes.add_handler(path, routes::Handler { method, number, is_always_called });
        self.handlers.push((format!("{method} {path}"), path, Box::new(handler)));
        self
    }

    /// Adds a file, such as a page that is embedded with `include_str!`.
    ///
    /// # Panics
    /// As [`App::on`].
    #[must_use]
    pub fn file(self, path: &'static str, content_type: &'static str, content: &'static str) -> App<S> {
        self.serve(path, move || {
            Response::content(content_type, content.as_bytes())
                .field("Cache-Control", "no-cache")
                .field("X-Content-Type-Options", "nosniff")
        })
    }

    /// Offers every topic at a prefix, as `barewire serve` does at `/topics/`: to follow, and to
    /// publish with `POST`, within the rights that `policy.access` gives. This includes the topics
    /// that handlers publish to, if their names have the form that a path can have.
    ///
    /// # Panics
    /// The prefix does not begin and end with `/`.
    #[must_use]
    pub fn topics(mut self, prefix: &'static str) -> App<S> {
        self.routes.add(prefix, Resource::Topics);
        self
    }

    /// Adds a kind of WebSocket. A path can have handlers too: an upgrade request opens the
    /// WebSocket, and the handler of `GET` answers every other one.
    ///
    /// # Panics
    /// The path does not begin with `/`, or has a WebSocket already.
    #[must_use]
    pub fn socket<D: 'static>(mut self, path: &'static str, socket: Socket<S, D>) -> App<S> {
        self.routes.add_socket(path, self.sockets.len() as u16);
        self.sockets.push((path, Box::new(Sockets { kind: socket, open: HashMap::new() })));
        self
    }

    /// Calls a handler again and again, `interval` apart on average. Times that pass while the loop
    /// is busy are left out.
    ///
    /// # Panics
    /// The interval is zero.
    #[must_use]
    pub fn every(mut self, interval: Duration, handler: impl FnMut(&mut Context<'_, S>) + 'static) -> App<S> {
        assert!(!interval.is_zero(), "an interval is longer than zero");
        self.timers.push(Every { interval, due: interval, handler: Box::new(handler) });
        self
    }

    /// Sets the handler that is called when a client joins or leaves the followers of a topic.
    #[must_use]
    pub fn followers(self, handler: impl FnMut(&mut Context<'_, S>, Follower<'_>) + 'static) -> App<S> {
        App { followers: Some(Box::new(handler)), ..self }
    }

    /// Binds and listens to `options.listen`.
    ///
    /// # Errors
    /// Those of the operating system: the address is in use or not local, or no descriptor is free.
    pub fn bind(self, options: Options) -> io::Result<Bound<S>> {
        let listener = std::net::TcpListener::bind(options.listen).map_err(|error| {
            let address = options.listen;
            io::Error::new(error.kind(), format!("cannot listen on {address}: {error}; choose another port"))
        })?;
        self.bind_to(listener, options)
    }

    /// Uses a socket that listens already, instead of `options.listen`. On Linux the connections
    /// inherit its options.
    ///
    /// # Errors
    /// Those of the operating system: no descriptor is free.
    pub fn bind_to(self, listener: std::net::TcpListener, options: Options) -> io::Result<Bound<S>> {
        let (waiting_calls, head_limits) = (options.waiting_calls, options.head);
        let mut event_loop = EventLoop::new(listener, options)?;
        let handle = Handle::new(waiting_calls, Wake::Poll(event_loop.waker()?));
        let (routes, running) = self.start(handle.clone(), head_limits);
        event_loop.connections.run_application(routes, Box::new(running));
        Ok(Bound { event_loop, handle })
    }

    pub(crate) fn start(self, handle: Handle<S>, head_limits: HeadLimits) -> (Routes, Running<S>) {
        let App { state, routes, handlers, sockets, timers, followers } = self;
        let counts = HashMap::new();
        (routes, Running { state, handlers, sockets, timers, followers, counts, handle, head_limits })
    }
}

/// An application that listens, and runs with [`Bound::run`].
///
/// ```
/// use std::io::{Read, Write};
/// use std::net::TcpStream;
/// use barewire::app::{App, Response};
/// use barewire::server::Options;
///
/// let app = App::new(0).on("GET", "/count", |cx, _| {
///     *cx.state += 1;
///     Response::text(cx.state.to_string())
/// });
/// let bound = app.bind(Options { listen: ([127, 0, 0, 1], 0).into(), ..Options::default() })?;
/// let (address, handle) = (bound.local_addr(), bound.handle());
/// std::thread::spawn(move || {
///     let mut client = TcpStream::connect(address).unwrap();
///     client.write_all(b"GET /count HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
///     let mut response = String::new();
///     client.read_to_string(&mut response).unwrap();
///     assert!(response.ends_with("\r\n\r\n1"));
///     handle.stop();
/// });
/// bound.run()?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Bound<S> {
    event_loop: EventLoop,
    handle: Handle<S>,
}

impl<S: 'static> Bound<S> {
    /// Returns the address on which the server listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.event_loop.local_addr()
    }

    /// Returns a handle, with which another thread can call back or stop the server.
    pub fn handle(&self) -> Handle<S> {
        self.handle.clone()
    }

    /// Lets a stream stop the server, such as one to which a signal handler writes: a byte, or the
    /// stream's end, begins the shutdown, and a second byte ends it at once.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn stopped_by(mut self, stream: UnixStream) -> io::Result<Bound<S>> {
        self.event_loop.stopped_by(stream)?;
        Ok(self)
    }

    /// Logs every answered request, for example with
    /// [`AccessLog::to_standard_error`](crate::access_log::AccessLog::to_standard_error). Without
    /// this, the server logs nothing.
    #[must_use]
    pub fn logging_to(mut self, log: Box<dyn RequestLog>) -> Bound<S> {
        self.event_loop.connections.cx.log = Some(log);
        self
    }

    /// Shows every byte that passes to an observer.
    #[must_use]
    pub fn observed_by(mut self, observer: Box<dyn Observer>) -> Bound<S> {
        self.event_loop.connections.observe_with(observer);
        self
    }

    /// Runs until the shutdown is complete or its time is over.
    ///
    /// # Errors
    /// Those of the poll. An error on one connection ends only that connection.
    pub fn run(self) -> io::Result<()> {
        self.event_loop.run()
    }
}

/// The fields that the server writes itself.
const OWN_FIELDS: [&str; 5] = ["Date", "Connection", "Content-Length", "Content-Type", "Transfer-Encoding"];

fn assert_field_name(name: &str) {
    assert!(is_token(name.as_bytes()), "{name:?} is not the name of a field");
    let is_own = OWN_FIELDS.iter().any(|own| name.eq_ignore_ascii_case(own));
    assert!(!is_own, "the server itself writes the field {name}");
}
