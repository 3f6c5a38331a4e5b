//! The protocol that a conversation carries, after each message.

use barewire::wire::{Conversation, Protocol, Side};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const STREAM: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
const HANDSHAKE: &str = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
const SWITCHED: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// Returns a short name.
fn name(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Undecided => "undecided",
        Protocol::Http => "http",
        Protocol::EventStream => "event stream",
        Protocol::WebSocket => "websocket",
        Protocol::Unknown { side: Side::Client, .. } => "unknown client",
        Protocol::Unknown { side: Side::Server, .. } => "unknown server",
    }
}

#[test]
fn the_response_determines_the_protocol() {
    use Side::{Client, Server};
    for messages in [
        &[
            (Client, "GET", "undecided"),
            (Client, &GET[3..], "undecided"),
            (Server, OK, "http"),
            // The next request may switch to another protocol.
            (Client, "G", "undecided"),
            (Client, &GET[1..], "undecided"),
            (Server, STREAM, "event stream"),
            (Server, "8\r\ndata: a\n\r\n0\r\n\r\n", "event stream"),
            (Client, HANDSHAKE, "undecided"),
            (Server, SWITCHED, "websocket"),
        ][..],
        // A complete event stream, in one piece with its head.
        &[
            (Client, GET, "undecided"),
            (Server, &format!("{STREAM}8\r\ndata: a\n\r\n0\r\n\r\n"), "event stream"),
        ],
        // A rejected handshake.
        &[
            (Client, HANDSHAKE, "undecided"),
            (Server, OK, "http"),
            (Client, GET, "undecided"),
            (Server, OK, "http"),
        ],
        // An interim response.
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
        assert_eq!(name(conversation.protocol()), "undecided");
        for (side, bytes, protocol) in messages {
            conversation.feed(*side, bytes.as_bytes(), &mut Vec::new());
            assert_eq!(name(conversation.protocol()), *protocol, "after {bytes:?}");
        }
    }
}
