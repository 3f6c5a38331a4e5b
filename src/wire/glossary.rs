//! What names and numbers of HTTP and WebSocket mean, each in a sentence, and where that is said.

use crate::protocol::rule::Section;

/// A sentence and its section.
pub(super) type Entry = (&'static str, Section);

const fn rfc(number: u16, paragraph: &'static str) -> Section {
    Section::rfc(number, paragraph)
}

/// What a method asks for.
pub(super) fn method(name: &[u8]) -> Entry {
    match name {
        b"GET" => ("Asks for what the target is at present.", rfc(9110, "9.3.1")),
        b"HEAD" => ("Asks for the head that a GET would get, without its body.", rfc(9110, "9.3.2")),
        b"POST" => ("Hands the body to the target, to do with it what the target does.", rfc(9110, "9.3.3")),
        b"PUT" => ("The body is to be what the target is from now on.", rfc(9110, "9.3.4")),
        b"DELETE" => ("Asks that the target be no more.", rfc(9110, "9.3.5")),
        b"CONNECT" => ("Asks for a tunnel to the target.", rfc(9110, "9.3.6")),
        b"OPTIONS" => ("Asks what the target can do.", rfc(9110, "9.3.7")),
        b"TRACE" => ("Asks for the request itself, as it arrives.", rfc(9110, "9.3.8")),
        b"PATCH" => ("The body says what to change in the target.", rfc(5789, "2")),
        _ => ("What to do with the target, in a word that the core of HTTP does not know.", rfc(9110, "9.1")),
    }
}

/// What a status code says.
pub(super) fn status(code: u16) -> Entry {
    match code {
        100 => ("Continue: send the body; the final answer comes behind it.", rfc(9110, "15.2.1")),
        101 => ("Switching Protocols: behind this head the other protocol begins.", rfc(9110, "15.2.2")),
        200 => ("OK: the request has succeeded.", rfc(9110, "15.3.1")),
        201 => ("Created: something new has come to be.", rfc(9110, "15.3.2")),
        202 => ("Accepted: it will be done, but is not yet.", rfc(9110, "15.3.3")),
        204 => ("No Content: it has succeeded, and there is no body.", rfc(9110, "15.3.5")),
        206 => ("Partial Content: a range of it, as asked.", rfc(9110, "15.3.7")),
        301 => ("Moved Permanently: ask at Location from now on.", rfc(9110, "15.4.2")),
        302 => ("Found: ask at Location this time.", rfc(9110, "15.4.3")),
        303 => ("See Other: the answer is to be had at Location, with a GET.", rfc(9110, "15.4.4")),
        304 => ("Not Modified: the client has it already; there is no body.", rfc(9110, "15.4.5")),
        307 => ("Temporary Redirect: send the same request to Location.", rfc(9110, "15.4.8")),
        308 => ("Permanent Redirect: send this and later requests to Location.", rfc(9110, "15.4.9")),
        400 => ("Bad Request: the server does not understand it.", rfc(9110, "15.5.1")),
        401 => ("Unauthorized: it needs credentials.", rfc(9110, "15.5.2")),
        403 => ("Forbidden: it is understood, and refused.", rfc(9110, "15.5.4")),
        404 => ("Not Found: there is no such target.", rfc(9110, "15.5.5")),
        405 => ("Method Not Allowed: the target does not do this.", rfc(9110, "15.5.6")),
        406 => ("Not Acceptable: not to be had in a form that the client takes.", rfc(9110, "15.5.7")),
        408 => ("Request Timeout: the request did not come in time.", rfc(9110, "15.5.9")),
        409 => ("Conflict: the target's state is against it.", rfc(9110, "15.5.10")),
        410 => ("Gone: there was such a target.", rfc(9110, "15.5.11")),
        411 => ("Length Required: the body has to come with its length.", rfc(9110, "15.5.12")),
        413 => ("Content Too Large: the body is larger than the server takes.", rfc(9110, "15.5.14")),
        414 => ("URI Too Long: the target is longer than the server reads.", rfc(9110, "15.5.15")),
        415 => {
            ("Unsupported Media Type: the body is of a kind that is not taken here.", rfc(9110, "15.5.16"))
        }
        417 => ("Expectation Failed: what Expect says can't be met.", rfc(9110, "15.5.18")),
        426 => ("Upgrade Required: the same in another protocol, as Upgrade says.", rfc(9110, "15.5.22")),
        429 => ("Too Many Requests: the client asks too often.", rfc(6585, "4")),
        431 => ("Request Header Fields Too Large.", rfc(6585, "5")),
        500 => {
            ("Internal Server Error: the server has failed in a way it did not expect.", rfc(9110, "15.6.1"))
        }
        501 => ("Not Implemented: the server can't do this at all.", rfc(9110, "15.6.2")),
        502 => ("Bad Gateway: what stands behind the server has answered badly.", rfc(9110, "15.6.3")),
        503 => ("Service Unavailable: not now; later perhaps.", rfc(9110, "15.6.4")),
        504 => ("Gateway Timeout: what stands behind the server has not answered.", rfc(9110, "15.6.5")),
        505 => ("HTTP Version Not Supported.", rfc(9110, "15.6.6")),
        _ => status_class(code),
    }
}

/// What a status code says by its first digit alone (RFC 9110 §15).
fn status_class(code: u16) -> Entry {
    match code {
        100..=199 => ("An interim answer; the final one comes behind it.", rfc(9110, "15.2")),
        200..=299 => ("The request has succeeded.", rfc(9110, "15.3")),
        300..=399 => ("The client has to do more to get what it asked for.", rfc(9110, "15.4")),
        400..=499 => ("The server finds a mistake in the request.", rfc(9110, "15.5")),
        500..=599 => ("The server has failed at a request that may be right.", rfc(9110, "15.6")),
        _ => ("No status code: they are 100 to 599.", rfc(9110, "15")),
    }
}

/// What a field is for; the name is compared in any case.
pub(super) fn field(name: &[u8]) -> Entry {
    const UNKNOWN: Entry = ("A field that this view has no sentence for.", rfc(9110, "5.1"));
    const FETCH: Section = Section { document: crate::protocol::rule::Document::Fetch, paragraph: "3.3" };
    let mut lower = [0; 32];
    let Some(lower) = lower.get_mut(..name.len()) else { return UNKNOWN };
    lower.copy_from_slice(name);
    lower.make_ascii_lowercase();
    match &*lower {
        b"accept" => ("Which kinds of content the client takes, and how gladly.", rfc(9110, "12.5.1")),
        b"accept-encoding" => ("Which codings of content the client can undo.", rfc(9110, "12.5.3")),
        b"accept-language" => ("Which languages the client's user reads.", rfc(9110, "12.5.4")),
        b"access-control-allow-origin" => ("Which pages' scripts may read the answer.", FETCH),
        b"access-control-expose-headers" => ("Which fields of the answer those scripts may read.", FETCH),
        b"access-control-allow-methods" => ("Which methods those scripts may use.", FETCH),
        b"access-control-allow-headers" => ("Which fields those scripts may send.", FETCH),
        b"access-control-max-age" => ("How long the browser may remember that, in seconds.", FETCH),
        b"access-control-request-method" => ("Which method a page's script wants to use.", FETCH),
        b"access-control-request-headers" => ("Which fields a page's script wants to send.", FETCH),
        b"age" => ("How old the answer is, in seconds, as a cache reckons.", rfc(9111, "5.1")),
        b"allow" => ("Which methods the target does.", rfc(9110, "10.2.1")),
        b"authorization" => ("The client's credentials.", rfc(9110, "11.6.2")),
        b"cache-control" => ("Who may keep the message, and how long.", rfc(9111, "5.2")),
        b"connection" => {
            ("What holds for this connection only, and is not to be passed on.", rfc(9110, "7.6.1"))
        }
        b"content-encoding" => ("How the content is coded, as gzip.", rfc(9110, "8.4")),
        b"content-length" => ("How many bytes the body has, in decimal digits.", rfc(9110, "8.6")),
        b"content-type" => ("What kind of content the body is.", rfc(9110, "8.3")),
        b"cookie" => ("What the server has had the client keep.", rfc(6265, "4.2")),
        b"date" => ("When the message was made.", rfc(9110, "6.6.1")),
        b"etag" => ("A name for this state of the target, to ask again with.", rfc(9110, "8.8.3")),
        b"expect" => ("What the server has to do before the body is sent.", rfc(9110, "10.1.1")),
        b"host" => ("Which host, and port, the client means.", rfc(9110, "7.2")),
        b"if-none-match" => ("Answer only if the target is in none of these states.", rfc(9110, "13.1.2")),
        b"keep-alive" => ("How long the connection is kept; no standard defines it.", rfc(9112, "9.3")),
        b"last-event-id" => {
            ("The last event that the client has seen: go on behind it.", Section::html("9.2.4"))
        }
        b"last-modified" => ("When the target was changed last.", rfc(9110, "8.8.2")),
        b"location" => ("Where to go.", rfc(9110, "10.2.2")),
        b"origin" => ("The page whose script asks.", rfc(6454, "7")),
        b"prefer" => ("What the client would like, as how long to wait for an answer.", rfc(7240, "2")),
        b"preference-applied" => ("Which of the client's wishes is met.", rfc(7240, "3")),
        b"proxy-authorization" => ("The client's credentials for a proxy.", rfc(9110, "11.7.2")),
        b"range" => ("Which part of the target is asked for.", rfc(9110, "14.2")),
        b"referer" => ("Where the client has found the target.", rfc(9110, "10.1.3")),
        b"retry-after" => ("When to come again.", rfc(9110, "10.2.3")),
        b"sec-websocket-accept" => {
            ("The server's proof that it speaks WebSocket: made from the client's key.", rfc(6455, "11.3.3"))
        }
        b"sec-websocket-extensions" => ("Which extensions are offered, or agreed on.", rfc(6455, "11.3.2")),
        b"sec-websocket-key" => {
            ("Sixteen random bytes in base64, which the server has to answer to.", rfc(6455, "11.3.1"))
        }
        b"sec-websocket-protocol" => {
            ("Which protocols inside WebSocket are offered, or the one that is chosen.", rfc(6455, "11.3.4"))
        }
        b"sec-websocket-version" => ("The version of WebSocket; it is 13.", rfc(6455, "11.3.5")),
        b"server" => ("What the server is.", rfc(9110, "10.2.4")),
        b"set-cookie" => ("What the client is to keep and send back.", rfc(6265, "4.1")),
        b"te" => ("Which transfer codings the client takes.", rfc(9110, "10.1.4")),
        b"trailer" => ("Which fields come behind the body.", rfc(9110, "6.6.2")),
        b"transfer-encoding" => {
            ("How the body is framed on this connection; chunked, nearly always.", rfc(9112, "6.1"))
        }
        b"upgrade" => ("Which other protocol this connection could go over to.", rfc(9110, "7.8")),
        b"user-agent" => ("What the client is.", rfc(9110, "10.1.5")),
        b"vary" => ("On which fields of the request the answer depends.", rfc(9110, "12.5.5")),
        b"via" => ("Through which proxies the message has come.", rfc(9110, "7.6.3")),
        b"www-authenticate" => ("Which credentials the server wants.", rfc(9110, "11.6.1")),
        b"x-accel-buffering" => (
            "Tells nginx, if it stands between, not to hold the answer back; no standard defines it.",
            rfc(9110, "5.1"),
        ),
        _ => UNKNOWN,
    }
}

/// What a close code says (RFC 6455 §7.4.1, and IANA's registry).
pub(super) fn close_code(code: u16) -> Entry {
    let section = if (1000..=2999).contains(&code) { "7.4.1" } else { "7.4.2" };
    let meaning = match code {
        1000 => "Normal closure: what the connection was for is done.",
        1001 => "Going away: the server goes down, or the browser leaves the page.",
        1002 => "Protocol error: the peer has broken the protocol.",
        1003 => "Unsupported data: a kind of message that is not taken here.",
        1004 => "Reserved.",
        1005 => "No code came: only for telling so on one's own side.",
        1006 => "No close frame came: only for telling so on one's own side.",
        1007 => "Invalid payload: the data are not what they are said to be, as text that is not UTF-8.",
        1008 => "Policy violation: the message is against a rule of this side.",
        1009 => "Message too big.",
        1010 => "An extension is missing that the client needs.",
        1011 => "Internal error: this side can't go on.",
        1012 => "Service restart: come again later.",
        1013 => "Try again later: the server is overloaded.",
        1014 => "Bad gateway: what stands behind the server has answered badly.",
        1015 => "TLS has failed: only for telling so on one's own side.",
        3000..=3999 => "A code that a library or framework has registered.",
        4000..=4999 => "A code of the application's own.",
        _ => "A code that is not defined.",
    };
    (meaning, rfc(6455, section))
}

/// What an opcode says of its frame (RFC 6455 §5.2).
pub(super) const fn opcode(opcode: u8) -> Entry {
    match opcode {
        0x0 => ("Continuation: more of the message that is under way.", rfc(6455, "5.4")),
        0x1 => ("Text: the payload is UTF-8.", rfc(6455, "5.6")),
        0x2 => ("Binary: the payload is any bytes.", rfc(6455, "5.6")),
        0x8 => ("Close: the sender's last frame.", rfc(6455, "5.5.1")),
        0x9 => ("Ping: asks whether the peer is there.", rfc(6455, "5.5.2")),
        0xA => ("Pong: the answer to a ping.", rfc(6455, "5.5.3")),
        _ => ("Reserved: no frame has this opcode.", rfc(6455, "5.2")),
    }
}
