//! The client's opening handshake: every answer of `tests/vectors/websocket-opening.txt`, and the server's own judgement.

use barewire::protocol::http::{self, HeadLimits, HeadScan, ResponseScan};
use barewire::protocol::websocket::client_handshake::{ClientHandshake, Key};
use barewire::protocol::websocket::extension::{ClientWindow, Offer};
use barewire::protocol::websocket::server_handshake;
use proptest::prelude::*;

use crate::vectors;

const OPENING: ClientHandshake<'_> = ClientHandshake {
    host: "a",
    target: "/",
    subprotocols: &["chat", "superchat"],
    fields: &[],
    offer: None,
};

#[test]
fn judges_every_answer() {
    let limits = HeadLimits::default();
    for vector in vectors::parse(include_str!("../vectors/websocket-opening.txt")) {
        let bytes = vector.get("in").expect("a head");
        let at = format!("line {}, {}", vector.line, vector.text("name"));
        assert_eq!(ResponseScan::default().scan(bytes, &limits), Ok(Some(bytes.len())), "{at}");
        let mut scratch = http::scratch();
        let answer = http::parse_response(bytes, &mut scratch, &limits).expect(&at);
        let offer = vector.get("offer").map(|bits| Offer {
            server_max_window_bits: Some(std::str::from_utf8(bits).expect("digits").parse().expect("bits")),
            client_max_window_bits: ClientWindow::Any,
            ..Offer::default()
        });
        let opening = ClientHandshake { offer, ..OPENING };
        let given = match opening.check_response(&Key::new(*b"the sample nonce"), &answer) {
            Ok(opened) => {
                let agreement = opened.agreement.map(|agreement| {
                    let mut answer = Vec::new();
                    agreement.write_response(&mut answer);
                    String::from_utf8(answer).expect("ASCII")
                });
                let parts = [Some("opened"), opened.subprotocol, agreement.as_deref()];
                parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
            }
            Err(error) => error.to_string(),
        };
        assert_eq!(given, vector.text("gives"), "{at}");
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
    /// Whatever the lines are, the answer is judged; and none passes that lacks what it must have.
    #[test]
    fn any_answer_is_judged(
        lines in prop::collection::vec(prop::sample::select(LINES), 0..8), noise in "[ -~]{0,20}", offers: bool,
    ) {
        let head = format!("HTTP/1.1 101 ok\r\n{}\r\nX: {noise}\r\n\r\n", [&["A: b"], &lines[..]].concat().join("\r\n"));
        let limits = HeadLimits::default();
        prop_assert_eq!(ResponseScan::default().scan(head.as_bytes(), &limits), Ok(Some(head.len())));
        let mut scratch = http::scratch();
        let answer = http::parse_response(head.as_bytes(), &mut scratch, &limits).unwrap();
        let offer = offers.then_some(Offer { client_max_window_bits: ClientWindow::Any, ..Offer::default() });
        let judged = ClientHandshake { offer, ..OPENING }.check_response(&Key::new(*b"the sample nonce"), &answer);
        let has = |at: usize| lines.contains(&LINES[at]);
        prop_assert_eq!(judged.is_ok() && !(has(0) && has(2) && has(3)), false);
        if let Ok(opened) = judged {
            prop_assert_eq!(opened.agreement.is_some(), has(5));
            prop_assert_eq!(opened.subprotocol.is_some(), has(7));
        }
    }

    #[test]
    fn the_servers_side_understands_every_request(nonce: [u8; 16], target in "/[!-\"$-~]{0,40}", value in "[ -~]{0,40}") {
        let limits = HeadLimits::default();
        let key = Key::new(nonce);
        let fields = [("X", &value[..])];
        let mut request = Vec::new();
        ClientHandshake { target: &target, fields: &fields, ..OPENING }.write_request(&key, &mut request).unwrap();
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
