//! The server and the state, as a handler reaches them.

use super::host::Host;
use super::{Handle, PublishError, Response, SocketId, Ticket};
use crate::hub::{Id, Since};
use crate::protocol::websocket::frame::Opcode;
use crate::server::application::CallId;
use crate::server::{FollowError, Sent};

/// An event to publish: a name and data.
///
/// A browser's `EventSource` dispatches an event under its name, and one without a name as
/// `message`.
///
/// ```
/// use barewire::app::Event;
///
/// let event: Event<'_> = "hello".into();
/// assert_eq!(event, Event { name: "message", data: "hello" });
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Event<'a> {
    /// The name, from 1 to 128 bytes.
    pub name: &'a str,
    /// The data. Every line end becomes a line feed.
    pub data: &'a str,
}

impl<'a> From<&'a str> for Event<'a> {
    fn from(data: &'a str) -> Event<'a> {
        Event { name: "message", data }
    }
}

impl<'a> From<&'a String> for Event<'a> {
    fn from(data: &'a String) -> Event<'a> {
        Event::from(data.as_str())
    }
}

/// A message on a WebSocket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Message<'a> {
    /// Text.
    Text(&'a str),
    /// Any bytes.
    Binary(&'a [u8]),
}

/// The server and the application's state, during one call of a handler.
pub struct Context<'a, S> {
    /// The state.
    pub state: &'a mut S,
    pub(super) host: &'a mut dyn Host,
    pub(super) handle: &'a Handle<S>,
    /// The request that is being answered.
    pub(super) request: Option<CallId>,
}

impl<S> Context<'_, S> {
    /// Appends an event to a topic and returns its id. The topic's followers receive it in this
    /// loop iteration, together with other events that are published in it.
    ///
    /// # Errors
    /// The event is not valid, or the server has no room for it.
    pub fn publish<'e>(&mut self, topic: &str, event: impl Into<Event<'e>>) -> Result<Id, PublishError> {
        let Event { name, data } = event.into();
        self.host.publish(topic, name, data)
    }

    /// Returns the cursor that belongs to a snapshot which is made now: a client that follows the
    /// topic since this id receives every later event and no earlier one.
    pub fn newest(&self, topic: &str) -> Id {
        self.host.newest(topic)
    }

    /// Has a WebSocket follow a topic, in place of the one that it follows now. It receives the
    /// same messages as a client of `barewire serve`: first `{"next": …}`, with `"gap"` if events
    /// are lost, then one message per event. Messages that are sent before come first; those sent
    /// later come between events.
    ///
    /// # Errors
    /// The WebSocket has ended, or the limit of topics is reached. It then follows no topic.
    pub fn follow(&mut self, socket: SocketId, topic: &str, since: Since) -> Result<(), FollowError> {
        self.host.follow(socket.0, topic, since)
    }

    /// Sends a message to one WebSocket. It is written between two events, never inside one.
    ///
    /// If the client does not read, messages wait, at most
    /// [`Options::outbox_bytes`](crate::server::Options::outbox_bytes). Beyond that the WebSocket is
    /// closed with 1013.
    pub fn send(&mut self, socket: SocketId, message: Message<'_>) -> Sent {
        match message {
            Message::Text(text) => self.host.send(socket.0, Opcode::Text, text.as_bytes()),
            Message::Binary(data) => self.host.send(socket.0, Opcode::Binary, data),
        }
    }

    /// Returns how many bytes of earlier messages wait for the client of a WebSocket to read: above
    /// 0, the client does not keep up, and a message that will soon be out of date can be left out.
    ///
    /// Nothing waits here as long as the system's own send buffer has room, which may be megabytes.
    /// A smaller one, set on a listener for [`App::bind_to`](super::App::bind_to), tells earlier.
    pub fn queued(&mut self, socket: SocketId) -> usize {
        self.host.queued(socket.0)
    }

    /// Starts the closing handshake of a WebSocket (RFC 6455 §7.1.2). A `code` that an endpoint
    /// must not send (§7.4) becomes 1000, and a reason longer than 123 bytes is cut. A WebSocket
    /// whose `open` still runs is not closed by this: `open` returns a response to refuse it.
    pub fn close(&mut self, socket: SocketId, code: u16, reason: &str) {
        self.host.close(socket.0, code, reason);
    }

    /// Returns a ticket, and the response with which the handler postpones its answer until
    /// [`Context::finish`].
    ///
    /// Meanwhile the connection waits, as with a long poll, at most
    /// [`Options::answer_timeout`](crate::server::Options::answer_timeout) seconds.
    ///
    /// # Panics
    /// The handler is not that of a request.
    pub fn later(&mut self) -> (Ticket, Response) {
        let ticket = Ticket(self.request.expect("only a request has an answer"));
        let response = Response::later(&ticket);
        (ticket, response)
    }

    /// Answers the request of a ticket. Returns `false` if no client waits for it: the client has
    /// left, or the time was over.
    pub fn finish(&mut self, ticket: Ticket, response: Response) -> bool {
        super::running::answer(self.host, ticket.0, &response)
    }

    /// Returns a handle, with which another thread can call back.
    pub fn handle(&self) -> Handle<S> {
        self.handle.clone()
    }
}
