//! A topic's URL and the requests for it. One value serves any number of followers and publishers.

use std::time::Duration;

use super::Since;
use super::error::Error;
use crate::client::backoff::Backoff;
use crate::client::url::Url;
use crate::protocol::MAX_EVENT_BYTES;
use crate::protocol::http::fields::is_control;
use crate::protocol::http::{BodyLimits, HeadLimits};
use crate::protocol::sse::DecodeLimits;
use crate::protocol::websocket::client_handshake::check_field;
use crate::protocol::websocket::message::MessageLimits;

/// Fields that callers may not add. The client writes most of them itself; the others would change
/// how a request's body is framed or sent.
const OWN_FIELDS: [&str; 11] = [
    "Host",
    "Accept",
    "Accept-Encoding",
    "Last-Event-ID",
    "Connection",
    "Upgrade",
    "Content-Length",
    "Content-Type",
    "Transfer-Encoding",
    "Expect",
    "Cache-Control",
];

/// The field of every request that asks for content without a coding (RFC 9110 §12.5.3), which is
/// the only content that the client can read.
pub(super) const ACCEPT_ENCODING: (&str, &str) = ("Accept-Encoding", "identity");

/// Bytes that ids, names and the JSON around them may need in a message, beside the data of the
/// event.
const OVERHEAD: usize = 16 * 1024;

/// The most bytes of a character in a JSON string: `\u0001` (RFC 8259 §7).
const MAX_JSON_ESCAPE: usize = 6;

/// The most bytes of events in the response to a poll that has more than one event.
const POLL_BYTES: usize = 256 * 1024;

/// The URL of a topic, and the header fields, times and limits of the requests for it.
#[derive(Clone, Debug)]
pub struct Resource {
    pub(super) url: Url,
    pub(super) fields: Vec<(String, String)>,
    /// How long a long poll asks the server to wait for an event, in seconds.
    pub wait: u16,
    /// The interval between short polls.
    pub interval: Duration,
    /// Delays after requests that make no progress.
    pub backoff: Backoff,
    /// Size limits for responses.
    pub limits: ResponseLimits,
}

/// Size limits for one response.
///
/// The limit of an event applies to its data, which is the same over every transport. The others
/// bound the memory for the encoded form, which can be several times as long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResponseLimits {
    /// The maximum size of the data of an event, in bytes.
    pub event: usize,
    /// Limits for the response head.
    pub head: HeadLimits,
    /// The maximum size of a response body that is not an event stream, in bytes.
    pub body: u64,
    /// Limits for each line and each event of an event stream.
    pub stream: DecodeLimits,
    /// Limits for a WebSocket message.
    pub message: MessageLimits,
}

impl ResponseLimits {
    /// Returns limits that allow events with up to `data` bytes of data over every transport, and
    /// no others, whatever the encoding adds.
    pub fn for_events(data: usize) -> Self {
        let text = data.saturating_add(OVERHEAD);
        let json = data.saturating_mul(MAX_JSON_ESCAPE).saturating_add(OVERHEAD);
        Self {
            event: data,
            head: HeadLimits::default(),
            body: json.saturating_add(POLL_BYTES) as u64,
            stream: DecodeLimits { line: text, data: text },
            message: MessageLimits { message_bytes: json, frames: 1 << 16 },
        }
    }
}

impl Default for ResponseLimits {
    /// Allows every event that any `barewire serve` can send. The memory grows only with bytes that
    /// have arrived.
    fn default() -> Self {
        Self::for_events(MAX_EVENT_BYTES)
    }
}

impl Resource {
    /// Creates a resource from a topic's URL, an optional bearer token (RFC 6750 §2.1) and
    /// additional header fields.
    ///
    /// # Errors
    /// [`Error::Url`] if the URL is invalid, [`Error::Request`] if a field is invalid or may not be
    /// added.
    pub fn new(url: &str, token: Option<&str>, fields: &[(&str, &str)]) -> Result<Self, Error> {
        let url = Url::parse(url)?;
        let bearer = token.map(|token| ("Authorization".to_owned(), format!("Bearer {token}")));
        let others = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let fields: Vec<_> = bearer.into_iter().chain(others).collect();
        for (name, value) in &fields {
            check_field(name, value, &OWN_FIELDS)?;
        }
        let (wait, interval) = (30, Duration::from_secs(3));
        let (backoff, limits) = (Backoff::default(), ResponseLimits::default());
        Ok(Self { url, fields, wait, interval, backoff, limits })
    }

    /// Returns the URL.
    pub fn url(&self) -> &Url {
        &self.url
    }

    pub(super) fn body_limits(&self) -> BodyLimits {
        BodyLimits { content: self.limits.body, ..BodyLimits::default() }
    }

    /// Appends an HTTP/1.1 GET request. Without a `Connection` field, the connection stays open
    /// after the response (RFC 9112 §9.3).
    pub(super) fn write_get(&self, accept: &str, since: &Since, wait: Option<u16>, out: &mut Vec<u8>) {
        out.extend_from_slice(b"GET ");
        self.write_target(since, wait, out);
        for part in [" HTTP/1.1\r\nHost: ", &self.url.authority, "\r\nAccept: ", accept, "\r\n"] {
            out.extend_from_slice(part.as_bytes());
        }
        let id = since.field().map(|id| ("Last-Event-ID", id));
        let fields = self.fields.iter().map(|(name, value)| (&**name, &**value));
        for (name, value) in [ACCEPT_ENCODING].into_iter().chain(id).chain(fields) {
            for part in [name, ": ", value, "\r\n"] {
                out.extend_from_slice(part.as_bytes());
            }
        }
        out.extend_from_slice(b"\r\n");
    }

    /// Appends an HTTP/1.1 POST request with its content.
    pub(super) fn write_post(&self, event: Option<&str>, media_type: &str, content: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(b"POST ");
        self.write_with(event.map(|event| ("event", event)).into_iter(), out);
        let length = content.len().to_string();
        let own = [
            ("Host", &*self.url.authority),
            ACCEPT_ENCODING,
            ("Content-Type", media_type),
            ("Content-Length", &length),
        ];
        let others = self.fields.iter().map(|(name, value)| (&**name, &**value));
        out.extend_from_slice(b" HTTP/1.1\r\n");
        for (name, value) in own.into_iter().chain(others) {
            for part in [name, ": ", value, "\r\n"] {
                out.extend_from_slice(part.as_bytes());
            }
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(content.as_bytes());
    }

    /// Appends the request target with the query parameters for `since` and `wait`.
    pub(super) fn write_target(&self, since: &Since, wait: Option<u16>, out: &mut Vec<u8>) {
        let wait = wait.map(|wait| wait.to_string());
        let since = match since {
            Since::Start => Some("start"),
            Since::Now => Some("now"),
            Since::Id(id) if since.field().is_none() && !id.is_empty() => Some(&**id),
            Since::Id(_) => None,
        };
        let parameters = [("since", since), ("wait", wait.as_deref())];
        self.write_with(parameters.into_iter().filter_map(|(name, value)| Some((name, value?))), out);
    }

    /// Appends the request target with additional query parameters. Percent-encodes their values
    /// (RFC 3986 §2.1).
    fn write_with<'a>(&self, parameters: impl Iterator<Item = (&'a str, &'a str)>, out: &mut Vec<u8>) {
        const HEX: &[u8; 16] = b"0123456789ABCDEF";
        out.extend_from_slice(self.url.target.as_bytes());
        let mut separator = if self.url.target.contains('?') { b'&' } else { b'?' };
        for (name, value) in parameters {
            out.push(separator);
            separator = b'&';
            out.extend_from_slice(name.as_bytes());
            out.push(b'=');
            for byte in value.bytes() {
                match byte {
                    b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(byte),
                    _ => out.extend([b'%', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]),
                }
            }
        }
    }
}

impl Since {
    /// Returns the id if it can be sent as a field value.
    ///
    /// A field value cannot contain control characters, and the recipient strips whitespace at both
    /// ends (RFC 9110 §5.5).
    pub(super) fn field(&self) -> Option<&str> {
        match self {
            Self::Id(id) if id.is_empty() || id.trim() != id || id.bytes().any(is_control) => None,
            Self::Id(id) => Some(id),
            Self::Start | Self::Now => None,
        }
    }
}
