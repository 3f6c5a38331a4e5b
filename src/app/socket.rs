//! A kind of WebSocket: what happens when one opens, receives a message, and ends.

use std::collections::HashMap;

use super::{Context, Message, Request, Response, SocketId};

type OnOpen<S, D> = Box<dyn FnMut(&mut Context<'_, S>, SocketId, &Request<'_>) -> Result<D, Response>>;
type OnMessage<S, D> = Box<dyn FnMut(&mut Context<'_, S>, SocketId, &mut D, Message<'_>)>;
type OnClosed<S, D> = Box<dyn FnMut(&mut Context<'_, S>, SocketId, D)>;

/// The handlers of one kind of WebSocket. `D` is what the application keeps for each open one.
///
/// A handler that uses the application's state must name its type, as in
/// `Socket::<Rooms, _>::open(…)`.
pub struct Socket<S, D> {
    on_open: OnOpen<S, D>,
    on_message: Option<OnMessage<S, D>>,
    on_closed: Option<OnClosed<S, D>>,
}

impl<S, D> Socket<S, D> {
    /// Creates a kind of WebSocket. The handler is called for each handshake, and returns what the
    /// application keeps for the WebSocket, or the response that refuses it. The
    /// messages that the handler sends, and the topic that the WebSocket is to follow, come first.
    ///
    /// A handshake that breaks a rule of RFC 6455, or comes from a page of a foreign origin, is
    /// refused before. Of the subprotocols that a client offers, only `barewire.json` is accepted.
    pub fn open(
        handler: impl FnMut(&mut Context<'_, S>, SocketId, &Request<'_>) -> Result<D, Response> + 'static,
    ) -> Socket<S, D> {
        Socket { on_open: Box::new(handler), on_message: None, on_closed: None }
    }

    /// Sets the handler of each text or binary message, which is complete and within
    /// `policy.event_bytes`. Without one, messages are ignored. A message of nearly that size may
    /// be too long for an event once more is written around it.
    #[must_use]
    pub fn message(
        self,
        handler: impl FnMut(&mut Context<'_, S>, SocketId, &mut D, Message<'_>) + 'static,
    ) -> Socket<S, D> {
        Socket { on_message: Some(Box::new(handler)), ..self }
    }

    /// Sets the handler of the end, which is called once for each WebSocket that was opened: after
    /// its last message, whatever ends it, also at the shutdown. The WebSocket is gone already.
    #[must_use]
    pub fn closed(self, handler: impl FnMut(&mut Context<'_, S>, SocketId, D) + 'static) -> Socket<S, D> {
        Socket { on_closed: Some(Box::new(handler)), ..self }
    }
}

/// A kind of WebSocket with its open ones, whatever it keeps for each.
pub(super) trait AnySocket<S> {
    fn open(&mut self, cx: &mut Context<'_, S>, id: SocketId, request: &Request<'_>) -> Result<(), Response>;
    fn message(&mut self, cx: &mut Context<'_, S>, id: SocketId, message: Message<'_>);
    fn closed(&mut self, cx: &mut Context<'_, S>, id: SocketId);
}

pub(super) struct Sockets<S, D> {
    pub kind: Socket<S, D>,
    pub open: HashMap<SocketId, D>,
}

impl<S, D> AnySocket<S> for Sockets<S, D> {
    fn open(&mut self, cx: &mut Context<'_, S>, id: SocketId, request: &Request<'_>) -> Result<(), Response> {
        let data = (self.kind.on_open)(cx, id, request)?;
        self.open.insert(id, data);
        Ok(())
    }

    fn message(&mut self, cx: &mut Context<'_, S>, id: SocketId, message: Message<'_>) {
        if let (Some(handler), Some(data)) = (&mut self.kind.on_message, self.open.get_mut(&id)) {
            handler(cx, id, data, message);
        }
    }

    fn closed(&mut self, cx: &mut Context<'_, S>, id: SocketId) {
        let Some(data) = self.open.remove(&id) else { return };
        if let Some(handler) = &mut self.kind.on_closed {
            handler(cx, id, data);
        }
    }
}
