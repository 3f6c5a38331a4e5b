//! Tests of the negotiation of permessage-deflate with the vectors of
//! `tests/vectors/websocket-extension-*.txt` and properties.

use barewire::protocol::websocket::extension::{
    self, Agreement, ClientWindow, Offer, ServerPreferences, check_response, negotiate,
};
use proptest::prelude::*;

use crate::vectors::{self, Vector};

/// Returns the lines of a field, each of which ends in `\n`.
fn lines<'a>(vector: &'a Vector, key: &str) -> impl Iterator<Item = &'a [u8]> {
    let value = vector.get(key).unwrap_or_default();
    value.split_inclusive(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\n").unwrap_or(line))
}

fn written(agreement: Option<Agreement>) -> String {
    let mut out = Vec::new();
    agreement.inspect(|agreement| agreement.write_response(&mut out));
    String::from_utf8(out).expect("ASCII")
}

/// Returns the parameters in `text`, which has the form of a response, each with its value.
fn parameters(text: &str) -> impl Iterator<Item = (&str, Option<u8>)> {
    text.split("; ").filter(|parameter| !parameter.is_empty()).map(|parameter| {
        parameter
            .split_once('=')
            .map_or((parameter, None), |(name, bits)| (name, Some(bits.parse().expect("a number"))))
    })
}

fn preferences(text: &str) -> ServerPreferences {
    let mut preferences = ServerPreferences::default();
    for parameter in parameters(text) {
        match parameter {
            ("server_no_context_takeover", None) => preferences.server_no_context_takeover = true,
            ("client_no_context_takeover", None) => preferences.client_no_context_takeover = true,
            ("server_max_window_bits", Some(bits)) => preferences.server_max_window_bits = bits,
            ("client_max_window_bits", Some(bits)) => preferences.client_max_window_bits = bits,
            other => panic!("{other:?} is not a preference"),
        }
    }
    preferences
}

fn offer(text: &str) -> Offer {
    let mut offer = Offer::default();
    for parameter in parameters(text) {
        match parameter {
            ("permessage-deflate", None) => {}
            ("server_no_context_takeover", None) => offer.server_no_context_takeover = true,
            ("client_no_context_takeover", None) => offer.client_no_context_takeover = true,
            ("server_max_window_bits", bits) => offer.server_max_window_bits = bits,
            ("client_max_window_bits", None) => offer.client_max_window_bits = ClientWindow::Any,
            ("client_max_window_bits", Some(bits)) => {
                offer.client_max_window_bits = ClientWindow::AtMost(bits);
            }
            other => panic!("{other:?} is not part of an offer"),
        }
    }
    offer
}

#[test]
fn a_server_responds_to_every_offer_of_the_vectors() {
    for vector in vectors::parse(include_str!("../vectors/websocket-extension-offers.txt")) {
        let preferences = preferences(vector.get("preferences").map_or("", |_| vector.text("preferences")));
        let result = match negotiate(lines(&vector, "offer"), &preferences) {
            Ok(agreement) => written(agreement),
            Err(error) => format!("{} {error}", error.status().code()),
        };
        assert_eq!(result, vector.text("expected"), "line {}, {}", vector.line, vector.text("name"));
    }
}

#[test]
fn a_client_checks_every_response_of_the_vectors() {
    for vector in vectors::parse(include_str!("../vectors/websocket-extension-responses.txt")) {
        let at = format!("line {}, {}", vector.line, vector.text("name"));
        let offer = offer(vector.text("offer"));
        let mut out = Vec::new();
        offer.write_offer(&mut out);
        assert_eq!(out, vector.text("offer").as_bytes(), "{at}: the written offer");
        let result = match check_response(&offer, lines(&vector, "response")) {
            Ok(agreement) => written(agreement),
            Err(error) => error.to_string(),
        };
        assert_eq!(result, vector.text("expected"), "{at}");
    }
}

fn any_offer() -> impl Strategy<Value = Offer> {
    let client = prop_oneof![
        Just(ClientWindow::Unnamed),
        Just(ClientWindow::Any),
        (8..=15_u8).prop_map(ClientWindow::AtMost)
    ];
    let parts = (any::<bool>(), any::<bool>(), prop::option::of(8..=15_u8), client);
    parts.prop_map(|(server, client, server_max_window_bits, client_max_window_bits)| Offer {
        server_no_context_takeover: server,
        client_no_context_takeover: client,
        server_max_window_bits,
        client_max_window_bits,
    })
}

fn any_preferences() -> impl Strategy<Value = ServerPreferences> {
    (any::<bool>(), any::<bool>(), 8..=15_u8, 8..=15_u8).prop_map(|(server, client, own, theirs)| {
        ServerPreferences {
            server_no_context_takeover: server,
            client_no_context_takeover: client,
            server_max_window_bits: own,
            client_max_window_bits: theirs,
        }
    })
}

proptest! {
    /// The server accepts every offer, the client accepts every response, both agree on the
    /// parameters, and no side gets more than it allows.
    #[test]
    fn both_sides_agree(offer in any_offer(), preferences in any_preferences()) {
        let (mut line, mut response) = (Vec::new(), Vec::new());
        offer.write_offer(&mut line);
        let at_server = negotiate([&line[..]].into_iter(), &preferences).unwrap().expect("a valid offer");
        at_server.write_response(&mut response);
        let at_client = check_response(&offer, [&response[..]].into_iter()).unwrap().expect("a valid response");
        prop_assert_eq!(at_client, at_server);

        let (down, up) = (at_server.server_to_client(), at_server.client_to_server());
        let limit = offer.server_max_window_bits.unwrap_or(extension::MAX_WINDOW_BITS);
        prop_assert_eq!(down.max_window_bits, limit.min(preferences.server_max_window_bits));
        prop_assert_eq!(
            down.context_takeover,
            !(offer.server_no_context_takeover || preferences.server_no_context_takeover)
        );
        prop_assert_eq!(
            up.context_takeover,
            !(offer.client_no_context_takeover || preferences.client_no_context_takeover)
        );
        match offer.client_max_window_bits {
            ClientWindow::Unnamed => prop_assert_eq!(up.max_window_bits, extension::MAX_WINDOW_BITS),
            ClientWindow::Any => prop_assert_eq!(up.max_window_bits, preferences.client_max_window_bits),
            ClientWindow::AtMost(limit) => {
                prop_assert_eq!(up.max_window_bits, limit.min(preferences.client_max_window_bits));
            }
        }
    }

    /// Any bytes have a result, and a list in two lines has the same result as in one.
    #[test]
    fn any_bytes_have_a_result(
        one in "(permessage-deflate|server_max_window_bits|foo|[;,=\"\\\\ 159\t]|\\PC){0,12}",
        two in "(permessage-deflate|client_max_window_bits|bar|[;,=\"\\\\ 08\t]|\\PC){0,12}",
    ) {
        let negotiate = |lines: &[&str]| extension::negotiate(lines.iter().map(|line| line.as_bytes()), &ServerPreferences::default());
        if let (Ok(first), Ok(second)) = (negotiate(&[&one]), negotiate(&[&two])) {
            prop_assert_eq!(negotiate(&[&one, &two]), Ok(first.or(second)));
            prop_assert_eq!(negotiate(&[&format!("{one},{two}")]), Ok(first.or(second)));
        } else {
            prop_assert!(negotiate(&[&one, &two]).is_err());
        }
        let _ = check_response(&Offer::default(), [one.as_bytes(), two.as_bytes()].into_iter());
    }
}
