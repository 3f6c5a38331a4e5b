//! From a URI to an open connection: TCP, the request, the answer (RFC 6455 §4.1).

use std::io::{self, ErrorKind};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use super::error::ConnectError;
use super::random::Random;
use super::stream::{BufferedStream, Received};
use super::url::Url;
use super::websocket::WebSocket;
use crate::protocol::http::{self, HeadLimits, ResponseScan};
use crate::protocol::websocket::client_handshake::{ClientHandshake, Key};
use crate::protocol::websocket::extension::Offer;
use crate::protocol::websocket::message::MessageLimits;

/// Interim answers that are passed over. A server that sends more does something else than to answer.
const MAX_INTERIM: usize = 8;

/// What to ask for, and how long to wait for it.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// Subprotocols in the order of preference (RFC 6455 §1.9).
    pub subprotocols: &'a [&'a str],
    /// Other fields of the request, as `Authorization` or `Origin`: name and value.
    pub fields: &'a [(&'a str, &'a str)],
    /// What is offered for compression (RFC 7692 §7.1); `None` is nothing.
    #[cfg(feature = "deflate")]
    pub deflate: Option<Offer>,
    /// How large a message may be that is read.
    pub limits: MessageLimits,
    /// For TCP and the handshake together.
    pub connect_timeout: Duration,
    /// For a message to be whole, once it is waited for; `None` is for ever.
    pub read_timeout: Option<Duration>,
    /// For the server to take anything at all of what is written; `None` is for ever.
    pub write_timeout: Option<Duration>,
    /// For the server's close frame, and then for it to end TCP.
    pub close_timeout: Duration,
}

impl Default for Request<'_> {
    fn default() -> Self {
        Self {
            subprotocols: &[],
            fields: &[],
            #[cfg(feature = "deflate")]
            deflate: Some(super::compression::OFFER),
            limits: MessageLimits { message_bytes: (16 << 20) + 1, frames: 1 << 20 },
            connect_timeout: Duration::from_secs(10),
            read_timeout: None,
            write_timeout: Some(Duration::from_secs(30)),
            close_timeout: Duration::from_secs(5),
        }
    }
}

impl Request<'_> {
    fn offer(&self) -> Option<Offer> {
        #[cfg(feature = "deflate")]
        return self.deflate;
        #[cfg(not(feature = "deflate"))]
        None
    }
}

impl WebSocket {
    /// Connects to `ws://host:port/path?query`, trying each address that the host has.
    ///
    /// # Errors
    /// One [`ConnectError`] for what the caller, the system and the server can do wrong; each judgement of the answer has
    /// its section of RFC 6455 §4.1.
    pub fn connect(uri: &str, request: &Request<'_>) -> Result<Self, ConnectError> {
        let uri = Url::parse_websocket(uri)?;
        let until = Instant::now() + request.connect_timeout;
        let mut random = Random::new()?;
        let key = Key::new(random.draw()?);
        let opening = ClientHandshake {
            host: &uri.authority,
            target: &uri.target,
            subprotocols: request.subprotocols,
            fields: request.fields,
            offer: request.offer(),
        };
        let mut bytes = Vec::new();
        opening.write_request(&key, &mut bytes)?;

        let mut wire = BufferedStream::new(
            connect_tcp(&uri.host, uri.port, until).map_err(timed_out)?,
            request.write_timeout,
        )?;
        wire.write(&bytes).map_err(timed_out)?;
        let mut interim = 0;
        loop {
            let limits = HeadLimits::default();
            let end = read_head(&mut wire, &limits, until)?;
            let mut scratch = http::scratch();
            let answer = http::parse_response(&wire.unread()[..end], &mut scratch, &limits)?;
            if matches!(answer.status, 100..=199) && answer.status != 101 {
                interim += 1;
                if interim > MAX_INTERIM {
                    return Err(ConnectError::TooManyInterim);
                }
                wire.consume(end);
                continue;
            }
            let opened = opening.check_response(&key, &answer)?;
            wire.consume(end); // the first frames may be behind it
            return Ok(Self::new(wire, random, request, &opened));
        }
    }
}

/// Connects to the first of the host's addresses that answers.
pub(crate) fn connect_tcp(host: &str, port: u16, until: Instant) -> io::Result<TcpStream> {
    let mut refused = io::Error::from(ErrorKind::AddrNotAvailable);
    for address in (host, port).to_socket_addrs()? {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        match TcpStream::connect_timeout(&address, left) {
            Ok(stream) => return Ok(stream),
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

/// Waits for a whole head: how long it is.
fn read_head(wire: &mut BufferedStream, limits: &HeadLimits, until: Instant) -> Result<usize, ConnectError> {
    let mut scan = ResponseScan::default();
    loop {
        if let Some(end) = scan.scan(wire.unread(), limits)? {
            return Ok(end);
        }
        match wire.fill(Some(until))? {
            Received::More => {}
            Received::End => return Err(ConnectError::Ended),
            Received::TimedOut => return Err(ConnectError::TimedOut),
        }
    }
}

fn timed_out(error: io::Error) -> ConnectError {
    match error.kind() {
        ErrorKind::TimedOut | ErrorKind::WouldBlock => ConnectError::TimedOut,
        _ => ConnectError::Io(error),
    }
}
