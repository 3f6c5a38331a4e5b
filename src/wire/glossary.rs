//! The meanings of HTTP and WebSocket names and numbers: a sentence and a section for each.

use crate::protocol::rule::{Document, Section};

/// A sentence and its section.
pub(super) type Entry = (&'static str, Section);

const fn rfc(number: u16, paragraph: &'static str) -> Section {
    Section::rfc(number, paragraph)
}

/// Returns what a method requests.
pub(super) fn method(name: &[u8]) -> Entry {
    match name {
        b"GET" => ("Requests the current representation of the target.", rfc(9110, "9.3.1")),
        b"HEAD" => ("Requests the head of the response to a GET, without the body.", rfc(9110, "9.3.2")),
        b"POST" => ("Sends the body to the target for processing.", rfc(9110, "9.3.3")),
        b"PUT" => ("Replaces the target with the body.", rfc(9110, "9.3.4")),
        b"DELETE" => ("Deletes the target.", rfc(9110, "9.3.5")),
        b"CONNECT" => ("Requests a tunnel to the target.", rfc(9110, "9.3.6")),
        b"OPTIONS" => ("Requests the communication options of the target.", rfc(9110, "9.3.7")),
        b"TRACE" => ("Requests an echo of the request as the server received it.", rfc(9110, "9.3.8")),
        b"PATCH" => ("Changes the target as the body describes.", rfc(5789, "2")),
        _ => ("A method that the HTTP specification does not define.", rfc(9110, "9.1")),
    }
}

/// Returns the meaning of a status code.
pub(super) fn status(code: u16) -> Entry {
    match code {
        100 => ("Continue: send the body; the final response follows.", rfc(9110, "15.2.1")),
        101 => ("Switching Protocols: the new protocol begins after this head.", rfc(9110, "15.2.2")),
        200 => ("OK: the request succeeded.", rfc(9110, "15.3.1")),
        201 => ("Created: the request created a resource.", rfc(9110, "15.3.2")),
        202 => ("Accepted: the request will be processed later.", rfc(9110, "15.3.3")),
        204 => ("No Content: the request succeeded, and there is no body.", rfc(9110, "15.3.5")),
        206 => ("Partial Content: the body is the requested range.", rfc(9110, "15.3.7")),
        301 => ("Moved Permanently: use the URI in Location from now on.", rfc(9110, "15.4.2")),
        302 => ("Found: use the URI in Location this time.", rfc(9110, "15.4.3")),
        303 => ("See Other: get the result from the URI in Location.", rfc(9110, "15.4.4")),
        304 => ("Not Modified: the client's copy is current; there is no body.", rfc(9110, "15.4.5")),
        307 => ("Temporary Redirect: repeat the request at the URI in Location.", rfc(9110, "15.4.8")),
        308 => (
            "Permanent Redirect: repeat this and later requests at the URI in Location.",
            rfc(9110, "15.4.9"),
        ),
        400 => ("Bad Request: the server can't process the request.", rfc(9110, "15.5.1")),
        401 => ("Unauthorized: the request needs valid credentials.", rfc(9110, "15.5.2")),
        403 => ("Forbidden: the server understands the request and refuses it.", rfc(9110, "15.5.4")),
        404 => ("Not Found: there is no such target.", rfc(9110, "15.5.5")),
        405 => ("Method Not Allowed: the target does not support the method.", rfc(9110, "15.5.6")),
        406 => {
            ("Not Acceptable: no form of the target matches what the client accepts.", rfc(9110, "15.5.7"))
        }
        408 => ("Request Timeout: the request did not arrive in time.", rfc(9110, "15.5.9")),
        409 => ("Conflict: the state of the target prevents the request.", rfc(9110, "15.5.10")),
        410 => ("Gone: the target no longer exists.", rfc(9110, "15.5.11")),
        411 => ("Length Required: the body needs a Content-Length.", rfc(9110, "15.5.12")),
        413 => ("Content Too Large: the body is larger than the server accepts.", rfc(9110, "15.5.14")),
        414 => ("URI Too Long: the target is longer than the server accepts.", rfc(9110, "15.5.15")),
        415 => {
            ("Unsupported Media Type: the server does not accept this type of body.", rfc(9110, "15.5.16"))
        }
        417 => ("Expectation Failed: the server can't meet the Expect field.", rfc(9110, "15.5.18")),
        421 => ("Misdirected Request: the server does not answer for this host.", rfc(9110, "15.5.20")),
        426 => ("Upgrade Required: use the protocol in Upgrade.", rfc(9110, "15.5.22")),
        429 => ("Too Many Requests: the client sends requests too fast.", rfc(6585, "4")),
        431 => ("Request Header Fields Too Large.", rfc(6585, "5")),
        500 => ("Internal Server Error: an unexpected error occurred in the server.", rfc(9110, "15.6.1")),
        501 => ("Not Implemented: the server does not support the request.", rfc(9110, "15.6.2")),
        502 => {
            ("Bad Gateway: the server received an invalid response from its upstream.", rfc(9110, "15.6.3"))
        }
        503 => ("Service Unavailable: the server can't handle the request now.", rfc(9110, "15.6.4")),
        504 => ("Gateway Timeout: the server received no response from its upstream.", rfc(9110, "15.6.5")),
        505 => ("HTTP Version Not Supported.", rfc(9110, "15.6.6")),
        _ => status_class(code),
    }
}

/// Returns the meaning of the first digit of a status code (RFC 9110 §15).
fn status_class(code: u16) -> Entry {
    match code {
        100..=199 => ("An interim response; the final one follows.", rfc(9110, "15.2")),
        200..=299 => ("The request succeeded.", rfc(9110, "15.3")),
        300..=399 => ("The client must take another step to complete the request.", rfc(9110, "15.4")),
        400..=499 => ("The request is at fault.", rfc(9110, "15.5")),
        500..=599 => ("The server failed to fulfill a request that may be valid.", rfc(9110, "15.6")),
        _ => ("Not a status code: they are 100 to 599.", rfc(9110, "15")),
    }
}

/// Returns the purpose of a field. The name is not case-sensitive.
pub(super) fn field(name: &[u8]) -> Entry {
    const UNKNOWN: Entry = ("A field that this view does not know.", rfc(9110, "5.1"));
    let mut lower = [0; 32];
    let Some(lower) = lower.get_mut(..name.len()) else { return UNKNOWN };
    lower.copy_from_slice(name);
    lower.make_ascii_lowercase();
    standard_field(lower).or_else(|| web_socket_field(lower)).or_else(|| cors_field(lower)).unwrap_or(UNKNOWN)
}

/// Returns the purpose of a field of HTTP, of its extensions, or of an event stream.
fn standard_field(name: &[u8]) -> Option<Entry> {
    Some(match name {
        b"accept" => ("The media types that the client accepts, with preferences.", rfc(9110, "12.5.1")),
        b"accept-encoding" => ("The content codings that the client can decode.", rfc(9110, "12.5.3")),
        b"accept-language" => ("The languages that the user prefers.", rfc(9110, "12.5.4")),
        b"age" => ("The age of the response in seconds, as a cache estimates it.", rfc(9111, "5.1")),
        b"allow" => ("The methods that the target supports.", rfc(9110, "10.2.1")),
        b"authorization" => ("The client's credentials.", rfc(9110, "11.6.2")),
        b"cache-control" => ("Which caches may store the message, and how long.", rfc(9111, "5.2")),
        b"connection" => {
            ("Options for this connection only, which proxies do not forward.", rfc(9110, "7.6.1"))
        }
        b"content-encoding" => ("The coding of the content, such as gzip.", rfc(9110, "8.4")),
        b"content-length" => ("The length of the body, in bytes.", rfc(9110, "8.6")),
        b"content-type" => ("The media type of the body.", rfc(9110, "8.3")),
        b"cookie" => ("The data that the server stored in the client.", rfc(6265, "4.2")),
        b"date" => ("The time at which the message was created.", rfc(9110, "6.6.1")),
        b"etag" => {
            ("A tag for the current state of the target, for conditional requests.", rfc(9110, "8.8.3"))
        }
        b"expect" => ("The behavior that the client expects before it sends the body.", rfc(9110, "10.1.1")),
        b"host" => ("The host and port that the client requests.", rfc(9110, "7.2")),
        b"if-none-match" => ("Process the request only if no tag in the list matches.", rfc(9110, "13.1.2")),
        b"keep-alive" => ("How long the connection stays open; not a standard field.", rfc(9112, "9.3")),
        b"last-event-id" => {
            ("The last event that the client received: the stream resumes after it.", Section::html("9.2.4"))
        }
        b"last-modified" => ("The time of the last change to the target.", rfc(9110, "8.8.2")),
        b"location" => {
            ("The URI of the target of a redirect, or of a created resource.", rfc(9110, "10.2.2"))
        }
        b"origin" => ("The origin of the page whose script sends the request.", rfc(6454, "7")),
        b"prefer" => ("Preferences, such as how long the server may wait to respond.", rfc(7240, "2")),
        b"preference-applied" => ("The preferences that the server applied.", rfc(7240, "3")),
        b"proxy-authorization" => ("The client's credentials for a proxy.", rfc(9110, "11.7.2")),
        b"range" => ("The requested part of the target.", rfc(9110, "14.2")),
        b"referer" => ("The page that refers to the target.", rfc(9110, "10.1.3")),
        b"retry-after" => ("The time to wait before another request.", rfc(9110, "10.2.3")),
        b"server" => ("The software of the server.", rfc(9110, "10.2.4")),
        b"set-cookie" => ("Data for the client to store and to send back.", rfc(6265, "4.1")),
        b"te" => ("The transfer codings that the client accepts.", rfc(9110, "10.1.4")),
        b"trailer" => ("The fields in the trailer section after the body.", rfc(9110, "6.6.2")),
        b"transfer-encoding" => {
            ("The framing of the body on this connection, in most cases chunked.", rfc(9112, "6.1"))
        }
        b"upgrade" => ("The protocol that the connection can switch to.", rfc(9110, "7.8")),
        b"user-agent" => ("The software of the client.", rfc(9110, "10.1.5")),
        b"vary" => ("The request fields on which the response depends.", rfc(9110, "12.5.5")),
        b"via" => ("The proxies that forwarded the message.", rfc(9110, "7.6.3")),
        b"www-authenticate" => ("The credentials that the server accepts.", rfc(9110, "11.6.1")),
        b"x-accel-buffering" => {
            ("Tells an nginx proxy not to buffer the response; not a standard field.", rfc(9110, "5.1"))
        }
        _ => return None,
    })
}

fn web_socket_field(name: &[u8]) -> Option<Entry> {
    Some(match name {
        b"sec-websocket-accept" => (
            "The server's proof that it speaks WebSocket, derived from the client's key.",
            rfc(6455, "11.3.3"),
        ),
        b"sec-websocket-extensions" => ("The extensions that are offered or accepted.", rfc(6455, "11.3.2")),
        b"sec-websocket-key" => (
            "Sixteen random bytes in base64, from which the server derives Sec-WebSocket-Accept.",
            rfc(6455, "11.3.1"),
        ),
        b"sec-websocket-protocol" => (
            "The subprotocols that the client offers, or the one that the server selects.",
            rfc(6455, "11.3.4"),
        ),
        b"sec-websocket-version" => ("The version of WebSocket, which is 13.", rfc(6455, "11.3.5")),
        _ => return None,
    })
}

fn cors_field(name: &[u8]) -> Option<Entry> {
    const FETCH: Section = Section { document: Document::Fetch, paragraph: "3.3" };
    Some(match name {
        b"access-control-allow-origin" => ("The origin whose scripts may read the response.", FETCH),
        b"access-control-expose-headers" => ("The response fields that those scripts may read.", FETCH),
        b"access-control-allow-methods" => ("The methods that those scripts may use.", FETCH),
        b"access-control-allow-headers" => ("The fields that those scripts may send.", FETCH),
        b"access-control-max-age" => ("How long the browser may cache the permissions, in seconds.", FETCH),
        b"access-control-request-method" => ("The method that a script will use.", FETCH),
        b"access-control-request-headers" => ("The fields that a script will send.", FETCH),
        _ => return None,
    })
}

/// Returns the meaning of a close code (RFC 6455 §7.4.1, and the IANA registry).
pub(super) fn close_code(code: u16) -> Entry {
    let section = if (1000..=2999).contains(&code) { "7.4.1" } else { "7.4.2" };
    let meaning = match code {
        1000 => "Normal closure: the purpose of the connection is fulfilled.",
        1001 => "Going away: the server shuts down, or the browser leaves the page.",
        1002 => "Protocol error: the peer violated the protocol.",
        1003 => "Unsupported data: the endpoint does not accept this type of message.",
        1004 => "Reserved.",
        1005 => "No code was received: for local reports only.",
        1006 => "No close frame was received: for local reports only.",
        1007 => "Invalid payload: the data does not match its type, such as text that is not UTF-8.",
        1008 => "Policy violation: the message violates a policy of the endpoint.",
        1009 => "Message too big.",
        1010 => "A mandatory extension is missing in the server's handshake.",
        1011 => "Internal error: an unexpected error occurred in the endpoint.",
        1012 => "Service restart: reconnect later.",
        1013 => "Try again later: the server is overloaded.",
        1014 => "Bad gateway: the server received an invalid response from its upstream.",
        1015 => "The TLS handshake failed: for local reports only.",
        3000..=3999 => "A code that a library or framework has registered.",
        4000..=4999 => "A private code of the application.",
        _ => "An undefined code.",
    };
    (meaning, rfc(6455, section))
}

/// Returns the meaning of an opcode (RFC 6455 §5.2).
pub(super) const fn opcode(opcode: u8) -> Entry {
    match opcode {
        0x0 => ("Continuation: more of the current message.", rfc(6455, "5.4")),
        0x1 => ("Text: the message is UTF-8.", rfc(6455, "5.6")),
        0x2 => ("Binary: the message is arbitrary bytes.", rfc(6455, "5.6")),
        0x8 => ("Close: the last frame that the sender sends.", rfc(6455, "5.5.1")),
        0x9 => ("Ping: asks the peer for a pong.", rfc(6455, "5.5.2")),
        0xA => ("Pong: the reply to a ping.", rfc(6455, "5.5.3")),
        _ => ("Reserved: no frame has this opcode yet.", rfc(6455, "5.2")),
    }
}
