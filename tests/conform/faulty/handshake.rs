//! The opening handshake of `/echo` (RFC 6455 §4.2).

use std::io;

use barewire::protocol::http::{Status, Version};
use barewire::protocol::websocket::server_handshake::{HandshakeError, accept_key, check};

use super::Fault;
use super::compression::Compression;
use super::connection::Connection;
use super::echo;
use super::http::{Next, Refusal, refuse, response, upgrade_required};
use super::request::Request;

/// Answers a request for `/echo`, and serves the WebSocket.
pub fn open(connection: &mut Connection, request: &Request) -> io::Result<Next> {
    let bad_request = |detail| Refusal(Status::BAD_REQUEST, detail, &[]);
    if request.version != Version::Http11 || !request.has_token("upgrade", "websocket") {
        return refuse(connection, request, &upgrade_required());
    }
    let is_upgrade = request.has_token("connection", "upgrade");
    if !is_upgrade && !connection.has(Fault::AcceptsMissingConnection) {
        return refuse(connection, request, &bad_request("Connection: upgrade is missing."));
    }
    if request.has_content {
        refuse(connection, request, &bad_request("A handshake has no content."))?;
        return Ok(Next::Close);
    }
    let accept = match accept(connection, request) {
        Ok(accept) => accept,
        Err(error) if error.status() == Status::UPGRADE_REQUIRED => {
            return refuse(connection, request, &upgrade_required());
        }
        Err(_) => return refuse(connection, request, &bad_request("The key is missing or wrong.")),
    };
    let Ok(compression) = Compression::negotiate(connection, request) else {
        return refuse(connection, request, &bad_request("The extensions are not a list."));
    };
    let accept = String::from_utf8_lossy(&accept).into_owned();
    let mut fields = vec![("Upgrade", "websocket"), ("Connection", "Upgrade")];
    fields.push(("Sec-WebSocket-Accept", &accept));
    if let Some(compression) = &compression {
        fields.push(("Sec-WebSocket-Extensions", &compression.field));
    }
    if connection.has(Fault::SelectsUnofferedSubprotocol) {
        fields.push(("Sec-WebSocket-Protocol", "unoffered"));
    }
    let without_close = Request { persists: true, ..request.without_content() };
    connection.write(&response(Some(&without_close), Status::SWITCHING_PROTOCOLS, &fields, None))?;
    if connection.has(Fault::LosesBytesAfterHandshake) {
        connection.received.clear();
    }
    echo::serve(connection, compression)?;
    Ok(Next::Close)
}

/// Checks the key and the version. Returns the value of `Sec-WebSocket-Accept`.
fn accept(connection: &Connection, request: &Request) -> Result<[u8; 28], HandshakeError> {
    let versions = request.all("sec-websocket-version").map(|version| match version {
        b"8" if connection.has(Fault::AcceptsVersion8) => b"13",
        version => version,
    });
    let key = request.all("sec-websocket-key").next().unwrap_or_default();
    match check(request.all("sec-websocket-key"), versions) {
        Ok(_) if connection.has(Fault::WrongAcceptKey) => Ok(accept_key(b"AAAAAAAAAAAAAAAAAAAAAA==")),
        Err(HandshakeError::KeyMissing) if connection.has(Fault::AcceptsMissingKey) => Ok(accept_key(b"")),
        Err(HandshakeError::KeyInvalid) if connection.has(Fault::AcceptsInvalidKey) => Ok(accept_key(key)),
        checked => checked.map(|accept| *accept.as_bytes()),
    }
}
