//! A conversation: both directions of a connection.

use super::direction::{Direction, Start, State};
use super::exchange::{Exchange, Protocol};
use super::secret_names::SecretNames;
use super::span::{Side, Span};

/// The number of bytes to feed at once, for a caller whose memory must not depend on the length of
/// its reads. The spans of small frames need hundreds of bytes for each byte of the input.
pub const PIECE_BYTES: usize = 4 * 1024;

/// Names every byte of a connection, in both directions.
///
/// The spans of a side are contiguous and contain all of its bytes. They do not depend on how the
/// bytes were divided among calls. A field becomes a span when its last byte arrives; data becomes
/// spans of at most [`DATA_SPAN_BYTES`](super::DATA_SPAN_BYTES) bytes. Each direction therefore
/// buffers at most a line of HTTP, 64 KiB, and a message of 128 KiB.
#[derive(Debug)]
pub struct Conversation {
    client: Direction,
    server: Direction,
    exchange: Exchange,
    /// The names of the secrets to hide; `None` shows all.
    secrets: Option<SecretNames>,
}

impl Default for Conversation {
    fn default() -> Self {
        Self::new()
    }
}

impl Conversation {
    /// Returns a connection at its first byte.
    pub fn new() -> Self {
        Self::starting(Start::Http)
    }

    /// Returns a connection in the given protocol state.
    pub fn starting(start: Start) -> Self {
        Self {
            client: Direction::new(Side::Client, start),
            server: Direction::new(Side::Server, start),
            exchange: Exchange::default(),
            secrets: None,
        }
    }

    /// Returns one direction of a connection, without the other.
    ///
    /// A response is then read as the response to a GET, and a WebSocket handshake is presumed to
    /// succeed.
    pub fn one_sided(start: Start) -> Self {
        let mut conversation = Self::starting(start);
        conversation.exchange.is_one_sided = true;
        conversation
    }

    /// Replaces each byte of a secret by `*`: the values of fields, query parameters and parameters
    /// of a form with the built-in names of [`SecretNames`], passwords in URIs, and subprotocols
    /// that are not well known. Bytes that the view can't read are replaced too, because they may
    /// contain secrets. Other content is shown.
    pub fn hiding_secrets(self) -> Self {
        self.hiding(SecretNames::default())
    }

    /// Replaces secrets as [`hiding_secrets`](Self::hiding_secrets) does, with these names.
    pub fn hiding(self, names: SecretNames) -> Self {
        Self { secrets: Some(names), ..self }
    }

    /// Consumes the next bytes from `side`, and appends the spans that they complete to `out`.
    ///
    /// A response can also complete spans of the client, if the client's bytes wait for it.
    pub fn feed(&mut self, side: Side, bytes: &[u8], out: &mut Vec<Span>) {
        let mut bytes = bytes;
        while self.advance(side, bytes, out) {
            self.advance(side.other(), &[], out);
            bytes = &[];
        }
    }

    /// Ends `side`: the bytes of an incomplete field become a span that is cut off.
    ///
    /// Bytes of a client that wait for a response remain until the response arrives or the server
    /// is finished too. Finish both sides to get all spans.
    pub fn finish(&mut self, side: Side, out: &mut Vec<Span>) {
        self.direction(side).end();
        self.feed(side, &[], out);
        if side == Side::Server {
            // No response will arrive.
            self.exchange.is_one_sided = true;
            self.advance(Side::Client, &[], out);
        }
    }

    /// Returns the protocol that the connection carries at present.
    pub fn protocol(&self) -> Protocol {
        // The server comes first, because its bytes determine the protocol.
        let directions = [&self.server, &self.client];
        for direction in directions {
            if let Some(why) = direction.unreadable() {
                return Protocol::Unknown { side: direction.side(), why };
            }
        }
        if directions.iter().any(|direction| matches!(direction.state(), State::Frames(_))) {
            return Protocol::WebSocket;
        }
        let response = self.exchange.last_response.unwrap_or(Protocol::Undecided);
        match self.server.state() {
            State::EventStream(_) => Protocol::EventStream,
            State::Body { .. } => response,
            _ if self.exchange.next_request().is_some() || self.client.is_in_head() => Protocol::Undecided,
            _ => response,
        }
    }

    /// Returns the memory of this conversation in bytes: its state, and the bytes that are not in a
    /// span yet.
    pub fn memory(&self) -> usize {
        size_of::<Self>() + self.client.memory() + self.server.memory() + self.exchange.memory()
    }

    /// Returns the work of decompression since the last call, in bytes: those inflated, and what
    /// takes as long.
    pub fn take_work(&mut self) -> u64 {
        self.client.take_work() + self.server.take_work()
    }

    fn direction(&mut self, side: Side) -> &mut Direction {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }

    /// Advances one direction with `bytes` after its buffered ones. Returns true if the other
    /// direction must advance first.
    fn advance(&mut self, side: Side, bytes: &[u8], out: &mut Vec<Span>) -> bool {
        let (direction, exchange) = match side {
            Side::Client => (&mut self.client, &mut self.exchange),
            Side::Server => (&mut self.server, &mut self.exchange),
        };
        direction.advance(bytes, exchange, self.secrets.as_ref(), out)
    }
}
