//! The contents of a head on which the rest of the conversation depends.

use super::exchange::{HandshakeRequest, PendingRequest};
use crate::protocol::http::fields::members;
use crate::protocol::websocket::extension;

/// The maximum number of fields that are kept.
const MAX_FIELDS: usize = 256;

/// The fields that are kept.
const RELEVANT_FIELDS: [&str; 15] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "proxy-connection",
    "sec-websocket-accept",
    "sec-websocket-extensions",
    "sec-websocket-key",
    "sec-websocket-protocol",
    "sec-websocket-version",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// The start line of a request or a response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct StartLine {
    /// True for HTTP/1.0, which has neither chunks nor status 101.
    pub is_http10: bool,
    /// The method of a request.
    pub method: Vec<u8>,
    /// The target of a request, with its secrets.
    pub target: Vec<u8>,
    /// The status of a response; 0 if it can't be read.
    pub status: u16,
}

/// A start line and the relevant fields after it.
#[derive(Debug, Default)]
pub(super) struct HeadFields {
    pub start: StartLine,
    /// Names in lower case, and values.
    fields: Vec<(&'static str, Vec<u8>)>,
}

impl HeadFields {
    /// Keeps a field if it is relevant. Returns its name in lower case.
    pub fn push(&mut self, name: &[u8], value: &[u8]) -> Option<&'static str> {
        let name = RELEVANT_FIELDS.into_iter().find(|field| field.as_bytes().eq_ignore_ascii_case(name))?;
        if self.fields.len() == MAX_FIELDS {
            return None;
        }
        self.fields.push((name, value.to_vec()));
        Some(name)
    }

    /// Returns the heap memory in bytes.
    pub fn memory(&self) -> usize {
        let start = self.start.method.capacity() + self.start.target.capacity();
        let values: usize = self.fields.iter().map(|(_, value)| value.capacity()).sum();
        start + values + self.fields.capacity() * size_of::<(&str, Vec<u8>)>()
    }

    /// Returns the values of all fields with this name, in lower case, which must be a relevant
    /// one.
    pub fn get_all(&self, name: &str) -> impl Iterator<Item = &[u8]> + Clone {
        self.fields.iter().filter(move |(field, _)| *field == name).map(|(_, value)| &value[..])
    }

    /// Returns the value of the first field with this name.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.get_all(name).next()
    }

    /// Returns true if the list in all fields with this name contains `token`.
    pub fn has_token(&self, name: &str, token: &str) -> bool {
        self.get_all(name).flat_map(members).any(|member| member.eq_ignore_ascii_case(token.as_bytes()))
    }

    /// Returns true for a WebSocket handshake request (RFC 6455 §4.1).
    pub fn is_websocket_request(&self) -> bool {
        self.start.method == b"GET"
            && !self.start.is_http10
            && self.has_token("upgrade", "websocket")
            && self.has_token("connection", "upgrade")
    }

    /// Returns the facts about this request that its response depends on.
    pub fn pending_request(&self) -> PendingRequest {
        let method = &self.start.method[..];
        let is_connect = method == b"CONNECT";
        let is_upgrade = self.get("upgrade").is_some() && self.has_token("connection", "upgrade");
        PendingRequest {
            is_head: method == b"HEAD",
            is_connect,
            handshake: self.is_websocket_request().then(|| HandshakeRequest {
                key: self.get("sec-websocket-key").unwrap_or_default().to_vec(),
                protocols: self
                    .get_all("sec-websocket-protocol")
                    .flat_map(members)
                    .map(<[u8]>::to_vec)
                    .collect(),
                offers: extension::offers(self.get_all("sec-websocket-extensions")).unwrap_or_default(),
            }),
            awaits_switch: is_connect || (is_upgrade && !self.start.is_http10),
        }
    }
}
