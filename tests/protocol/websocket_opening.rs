//! Tests of the client's opening handshake with the responses of
//! `tests/vectors/websocket-opening.txt`, and with the server's side.

use barewire::protocol::http::{self, HeadLimits, HeadScan, ResponseScan};
use barewire::protocol::websocket::client_handshake::{ClientHandshake, Key};
use barewire::protocol::websocket::extension::{ClientWindow, Offer};
use barewire::protocol::websocket::server_handshake;
use proptest::prelude::*;

use crate::vectors;

const HANDSHAKE: ClientHandshake<'_> = ClientHandshake {
    host: "a",
    target: "/",
    subprotocols: &["chat", "superchat"],
    fields: &[],
    offer: None,
};

#[test]
fn checks_every_response_of_the_vectors() {
    let limits = HeadLimits::default();
    for vector in vectors::parse(include_str!("../vectors/websocket-opening.txt")) {
        let bytes = vector.get("in").expect("a head");
        let at = format!("line {}, {}", vector.line, vector.text("name"));
        assert_eq!(ResponseScan::default().scan(bytes, &limits), Ok(Some(bytes.len())), "{at}");
        let mut scratch = http::scratch();
        let response = http::parse_response(bytes, &mut scratch, &limits).expect(&at);
        let offer = vector.get("offer").map(|bits| Offer {
            server_max_window_bits: Some(std::str::from_utf8(bits).expect("digits").parse().expect("bits")),
            client_max_window_bits: ClientWindow::Any,
            ..Offer::default()
        });
        let handshake = ClientHandshake { offer, ..HANDSHAKE };
        let result = match handshake.check_response(&Key::new(*b"the sample nonce"), &response) {
            Ok(negotiated) => {
                let agreement = negotiated.agreement.map(|agreement| {
                    let mut response = Vec::new();
                    agreement.write_response(&mut response);
                    String::from_utf8(response).expect("ASCII")
                });
                let parts = [Some("opened"), negotiated.subprotocol, agreement.as_deref()];
                parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
            }
            Err(error) => error.to_string(),
        };
        assert_eq!(result, vector.text("expected"), "{at}");
    }
}

const LINES: &[&str] = &[
    "Upgrade: websocket",
    "Upgrade: , h2c",
    "Connection: close, Upgrade",
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
    "Sec-WebSocket-Accept: \u{e9}",
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=12",
    "Sec-WebSocket-Extensions: ,;=\"",
    "Sec-WebSocket-Protocol: chat",
    "Sec-WebSocket-Protocol:",
];

proptest! {
    /// Any lines have a result, and no response without the required fields is accepted.
    #[test]
    fn any_response_has_a_result(
        lines in prop::collection::vec(prop::sample::select(LINES), 0..8), noise in "[ -~]{0,20}", offers: bool,
    ) {
        let head = format!("HTTP/1.1 101 ok\r\n{}\r\nX: {noise}\r\n\r\n", [&["A: b"], &lines[..]].concat().join("\r\n"));
        let limits = HeadLimits::default();
        prop_assert_eq!(ResponseScan::default().scan(head.as_bytes(), &limits), Ok(Some(head.len())));
        let mut scratch = http::scratch();
        let response = http::parse_response(head.as_bytes(), &mut scratch, &limits).unwrap();
        let offer = offers.then_some(Offer { client_max_window_bits: ClientWindow::Any, ..Offer::default() });
        let result = ClientHandshake { offer, ..HANDSHAKE }.check_response(&Key::new(*b"the sample nonce"), &response);
        let has = |index: usize| lines.contains(&LINES[index]);
        prop_assert_eq!(result.is_ok() && !(has(0) && has(2) && has(3)), false);
        if let Ok(negotiated) = result {
            prop_assert_eq!(negotiated.agreement.is_some(), has(5));
            prop_assert_eq!(negotiated.subprotocol.is_some(), has(7));
        }
    }

    #[test]
    fn a_server_accepts_every_request(nonce: [u8; 16], target in "/[!-\"$-~]{0,40}", value in "[ -~]{0,40}") {
        let limits = HeadLimits::default();
        let key = Key::new(nonce);
        let fields = [("X", &value[..])];
        let mut request = Vec::new();
        ClientHandshake { target: &target, fields: &fields, ..HANDSHAKE }.write_request(&key, &mut request).unwrap();
        prop_assert_eq!(HeadScan::default().scan(&request, &limits), Ok(Some(request.len())));
        let mut scratch = http::scratch();
        let head = http::parse(&request, &mut scratch, &limits).unwrap();
        prop_assert!(head.fields.has_token("Upgrade", "websocket") && head.fields.has_token("Connection", "upgrade"));
        prop_assert_eq!(head.fields.get("X"), Some(value.trim().as_bytes()));
        let all = |name| head.fields.get_all(name);
        let accept = server_handshake::check(all("Sec-WebSocket-Key"), all("Sec-WebSocket-Version")).unwrap();
        prop_assert_eq!(*accept.as_bytes(), server_handshake::accept_key(key.as_bytes()));
    }
}
