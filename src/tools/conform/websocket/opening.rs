//! The opening handshake of the cases that do not test it.

use std::time::{Duration, Instant};

use super::frame::Frame;
use super::peer::{Peer, encode};
use crate::protocol::http::{self, HeadLimits, HeadScan};
use crate::protocol::websocket::client_handshake::{ClientHandshake, Key};
use crate::protocol::websocket::extension::{self, Agreement, Offer, ServerPreferences};
use crate::protocol::websocket::server_handshake;
use crate::tools::conform::case::Endpoint;
use crate::tools::conform::connection::{Connection, Received};
use crate::tools::conform::target::Values;
use crate::tools::conform::trial::{Finding, Trial};

/// The time that an endpoint has for its part of the handshake.
const HANDSHAKE_TIME: Duration = Duration::from_secs(5);

/// The nonce of RFC 6455 §1.3. The suite gains nothing from an unpredictable one.
const NONCE: [u8; 16] = *b"the sample nonce";

/// Which compression the suite wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// None: a client's offer is declined.
    #[default]
    None,
    /// As a client, this offer; as a server, an agreement with these restrictions.
    Deflate { offer: Offer, preferences: ServerPreferences },
}

/// Opens a WebSocket to the endpoint under test.
///
/// # Errors
/// A finding: the handshake fails, or the endpoint does not agree to the compression.
pub fn open(trial: &mut Trial, compression: Compression) -> Result<Peer, Finding> {
    open_with(trial, compression, &[])
}

/// Opens a WebSocket, and sends frames in one write with the suite's part of the handshake.
///
/// # Errors
/// As [`open`].
pub fn open_with(trial: &mut Trial, compression: Compression, frames: &[Frame]) -> Result<Peer, Finding> {
    let until = trial.after(HANDSHAKE_TIME);
    let (connection, agreement) = match trial.endpoint() {
        Endpoint::Server => connect(trial, compression, &encode(frames, true), until)?,
        Endpoint::Client => {
            trial.client()?.start("ws", "/")?;
            accept(trial, compression, &encode(frames, false), until)?
        }
    };
    if compression != Compression::None && agreement.is_none() {
        return Err(Finding::NotApplicable("the endpoint does not agree to this compression".into()));
    }
    Ok(Peer::new(connection, trial.endpoint(), agreement))
}

fn connect(
    trial: &Trial,
    compression: Compression,
    first: &[u8],
    until: Instant,
) -> Result<(Connection, Option<Agreement>), Finding> {
    let template = trial.server()?.websocket.as_ref();
    let template = template.ok_or_else(|| Finding::NotApplicable("the server has no WebSocket".into()))?;
    let mut connection = trial.connect(template.address)?;
    let offer = match compression {
        Compression::None => None,
        Compression::Deflate { offer, .. } => Some(offer),
    };
    let target = template.target(Values::default());
    let handshake =
        ClientHandshake { host: &template.authority, target: &target, subprotocols: &[], fields: &[], offer };
    let (key, mut request) = (Key::new(NONCE), Vec::new());
    let invalid = |error: &dyn std::fmt::Display| Finding::failed("a valid handshake", error);
    handshake.write_request(&key, &mut request).map_err(|error| invalid(&error))?;
    request.extend_from_slice(first);
    connection.send(&request)?;
    let head = read_head(&mut connection, until)?;
    let mut scratch = http::scratch();
    let response = http::parse_response(&head, &mut scratch, &HeadLimits::default());
    let response = response.map_err(|error| invalid(&error))?;
    let negotiated = handshake.check_response(&key, &response).map_err(|error| invalid(&error))?;
    Ok((connection, negotiated.agreement))
}

fn accept(
    trial: &mut Trial,
    compression: Compression,
    first: &[u8],
    until: Instant,
) -> Result<(Connection, Option<Agreement>), Finding> {
    let mut connection = trial.accept(until)?;
    let until = trial.after(HANDSHAKE_TIME);
    let head = read_head(&mut connection, until)?;
    let invalid = |error: &dyn std::fmt::Display| Finding::failed("a valid handshake", error);
    let mut scratch = http::scratch();
    let request = http::parse(&head, &mut scratch, &HeadLimits::default());
    let request = request.map_err(|error| invalid(&error))?;
    let all = |name: &'static str| request.fields.get_all(name);
    let accept = server_handshake::check(all("Sec-WebSocket-Key"), all("Sec-WebSocket-Version"));
    let accept = accept.map_err(|error| invalid(&error))?;
    let agreement = match compression {
        Compression::None => None,
        Compression::Deflate { preferences, .. } => {
            let agreed = extension::negotiate(all("Sec-WebSocket-Extensions"), &preferences);
            agreed.map_err(|error| invalid(&error))?
        }
    };
    let mut response = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                         Sec-WebSocket-Accept: "
        .to_vec();
    response.extend_from_slice(accept.as_bytes());
    if let Some(agreement) = &agreement {
        response.extend_from_slice(b"\r\nSec-WebSocket-Extensions: ");
        agreement.write_response(&mut response);
    }
    response.extend_from_slice(b"\r\n\r\n");
    response.extend_from_slice(first);
    connection.send(&response)?;
    Ok((connection, agreement))
}

/// Reads a head of either side, up to its blank line, and returns its bytes.
///
/// # Errors
/// A finding: no head arrives before `until`, or it has bytes that no head has.
pub fn read_head(connection: &mut Connection, until: Instant) -> Result<Vec<u8>, Finding> {
    let mut scan = HeadScan::default();
    loop {
        let scanned = scan.scan(connection.input(), &HeadLimits::default());
        let broken = |error| {
            Finding::failed("a head that obeys HTTP/1.1", error)
                .at(connection.number(), connection.consumed())
        };
        if let Some(length) = scanned.map_err(broken)? {
            let head = connection.input()[..length].to_vec();
            connection.consume(length);
            return Ok(head);
        }
        let observed = match connection.receive(until)? {
            Received::Data => continue,
            Received::Quiet => "no complete head in time".to_owned(),
            Received::Ended(end) => format!("{end} before the blank line of the head"),
        };
        return Err(Finding::failed("the endpoint's part of the handshake", observed));
    }
}
