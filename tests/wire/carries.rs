//! What a conversation says that it carries, message after message.

use barewire::wire::{Conversation, Protocol, Side};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const STREAM: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
const HANDSHAKE: &str = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
const SWITCHED: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// One word for it.
fn word(carries: Protocol) -> &'static str {
    match carries {
        Protocol::Undecided => "undecided",
        Protocol::Http => "http",
        Protocol::EventStream => "event stream",
        Protocol::WebSocket => "websocket",
        Protocol::Unknown { side: Side::Client, .. } => "unknown client",
        Protocol::Unknown { side: Side::Server, .. } => "unknown server",
    }
}

#[test]
fn what_is_carried_is_known_when_the_answer_comes() {
    use Side::{Client, Server};
    for talk in [
        &[
            (Client, "GET", "undecided"),
            (Client, &GET[3..], "undecided"),
            (Server, OK, "http"),
            // The next request may lead to something else.
            (Client, "G", "undecided"),
            (Client, &GET[1..], "undecided"),
            (Server, STREAM, "event stream"),
            (Server, "8\r\ndata: a\n\r\n0\r\n\r\n", "event stream"),
            (Client, HANDSHAKE, "undecided"),
            (Server, SWITCHED, "websocket"),
        ][..],
        // An event stream that comes with its head, and is over.
        &[
            (Client, GET, "undecided"),
            (Server, &format!("{STREAM}8\r\ndata: a\n\r\n0\r\n\r\n"), "event stream"),
        ],
        // A handshake that is refused is HTTP.
        &[
            (Client, HANDSHAKE, "undecided"),
            (Server, OK, "http"),
            (Client, GET, "undecided"),
            (Server, OK, "http"),
        ],
        // An answer that is not the last one.
        &[
            (Client, GET, "undecided"),
            (Server, "HTTP/1.1 100 Continue\r\n\r\n", "undecided"),
            (Server, OK, "http"),
        ],
        &[(Server, "H", "undecided"), (Server, "TTP", "undecided"), (Server, "S", "unknown server")],
        &[(Client, "\u{16}", "unknown client"), (Server, "SSH", "unknown server")],
        &[(Client, "nonsense\r\n", "unknown client"), (Server, OK, "unknown client")],
        &[
            (Client, GET, "undecided"),
            (Server, STREAM, "event stream"),
            (Server, "no size\r\n", "unknown server"),
        ],
    ] {
        let mut conversation = Conversation::new();
        assert_eq!(word(conversation.protocol()), "undecided");
        for (side, bytes, carries) in talk {
            conversation.feed(*side, bytes.as_bytes(), &mut Vec::new());
            assert_eq!(word(conversation.protocol()), *carries, "behind {bytes:?}");
        }
    }
}
