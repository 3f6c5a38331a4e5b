//! Opens a WebSocket: TCP, the request and the response (RFC 6455 §4.1).

use std::io::{self, ErrorKind};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Instant;

use super::error::ConnectError;
use super::random::Random;
use super::request::Request;
use super::stream::{BufferedStream, Received};
use super::url::Url;
use super::websocket::WebSocket;
use crate::protocol::http::{self, HeadLimits, ResponseScan};
use crate::protocol::websocket::client_handshake::{ClientHandshake, Key};

/// Interim responses that are skipped before the client reports an error.
const MAX_INTERIM: usize = 8;

impl WebSocket {
    /// Connects to `ws://host:port/path?query`. Tries each address of the host in turn.
    ///
    /// # Errors
    /// [`ConnectError`]: an invalid URI or request, a system error, or a response that RFC 6455
    /// §4.1 rejects.
    pub fn connect(uri: &str, request: &Request<'_>) -> Result<Self, ConnectError> {
        let url = Url::parse_websocket(uri)?;
        let until = Instant::now() + request.connect_timeout;
        let mut random = Random::new()?;
        let key = Key::new(random.draw()?);
        let handshake = ClientHandshake {
            host: &url.authority,
            target: &url.target,
            subprotocols: request.subprotocols,
            fields: request.fields,
            offer: request.offer(),
        };
        let mut bytes = Vec::new();
        handshake.write_request(&key, &mut bytes)?;

        let tcp = connect_tcp(&url.host, url.port, until).map_err(timed_out)?;
        let mut stream = BufferedStream::new(tcp, request.write_timeout)?;
        stream.write(&bytes).map_err(timed_out)?;
        let mut interim = 0;
        loop {
            let limits = HeadLimits::default();
            let end = read_head(&mut stream, &limits, until)?;
            let mut scratch = http::scratch();
            let response = http::parse_response(&stream.unread()[..end], &mut scratch, &limits)?;
            if matches!(response.status, 100..=199) && response.status != 101 {
                interim += 1;
                if interim > MAX_INTERIM {
                    return Err(ConnectError::TooManyInterim);
                }
                stream.consume(end);
                continue;
            }
            let negotiated = handshake.check_response(&key, &response)?;
            stream.consume(end); // the first frames may follow the head in the buffer
            return Ok(Self::new(stream, random, request, &negotiated));
        }
    }
}

/// Connects to the first address of the host that accepts the connection. An error names the host
/// and the port.
pub(crate) fn connect_tcp(host: &str, port: u16, until: Instant) -> io::Result<TcpStream> {
    connect_to_any(host, port, until).map_err(|error| {
        // RFC 3986 §3.2.2: an IPv6 address is in brackets.
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        io::Error::new(error.kind(), format!("cannot connect to {host}:{port}: {error}"))
    })
}

fn connect_to_any(host: &str, port: u16, until: Instant) -> io::Result<TcpStream> {
    let mut last_error = io::Error::from(ErrorKind::AddrNotAvailable);
    for address in (host, port).to_socket_addrs()? {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        match TcpStream::connect_timeout(&address, left) {
            Ok(stream) => return Ok(stream),
            Err(error) => last_error = error,
        }
    }
    Err(last_error)
}

/// Waits for a complete response head and returns its length.
fn read_head(
    stream: &mut BufferedStream,
    limits: &HeadLimits,
    until: Instant,
) -> Result<usize, ConnectError> {
    let mut scan = ResponseScan::default();
    loop {
        if let Some(end) = scan.scan(stream.unread(), limits)? {
            return Ok(end);
        }
        match stream.fill(Some(until))? {
            Received::Data => {}
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
