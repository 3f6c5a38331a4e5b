//! The client's opening handshake: every answer of `tests/vectors/websocket-opening.txt`, and the server's own judgement.

use barewire::protocol::http::{self, HeadLimits, HeadScan, ResponseScan};
use barewire::protocol::websocket::extension::{ClientWindow, Offer};
use barewire::protocol::websocket::handshake;
use barewire::protocol::websocket::opening::{Key, Opening};
use proptest::prelude::*;

use crate::vectors;

const OPENING: Opening<'_> =
    Opening { host: "a", target: "/", subprotocols: &["chat", "superchat"], fields: &[], offer: None };

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
        let opening = Opening { offer, ..OPENING };
        let given = match opening.check(&Key::new(*b"the sample nonce"), &answer) {
            Ok(opened) => {
                let agreement = opened.agreement.map(|agreement| {
                    let mut answer = Vec::new();
                    agreement.write_answer(&mut answer);
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

proptest! {
    #[test]
    fn the_servers_side_understands_every_request(nonce: [u8; 16], target in "/[!-\"$-~]{0,40}", value in "[ -~]{0,40}") {
        let limits = HeadLimits::default();
        let key = Key::new(nonce);
        let fields = [("X", &value[..])];
        let mut request = Vec::new();
        Opening { target: &target, fields: &fields, ..OPENING }.write_request(&key, &mut request).unwrap();
        prop_assert_eq!(HeadScan::default().scan(&request, &limits), Ok(Some(request.len())));
        let mut scratch = http::scratch();
        let head = http::parse(&request, &mut scratch, &limits).unwrap();
        prop_assert!(head.fields.has_token("Upgrade", "websocket") && head.fields.has_token("Connection", "upgrade"));
        prop_assert_eq!(head.fields.get("X"), Some(value.trim().as_bytes()));
        let all = |name| head.fields.get_all(name);
        let accept = handshake::check(all("Sec-WebSocket-Key"), all("Sec-WebSocket-Version")).unwrap();
        prop_assert_eq!(*accept.as_bytes(), handshake::accept_key(key.as_bytes()));
    }
}
