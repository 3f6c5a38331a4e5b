//! permessage-deflate: compressed messages and arbitrary bytes, read by the receiver; and the
//! negotiation before them.
//!
//! The properties:
//!
//! - Messages decode to themselves: compressed with or without takeover, independently, or not at
//!   all, at any level and under any agreement; in any fragments, however they are split.
//! - No reference in them goes back further than agreed.
//! - For any compressed bytes, the inflater and the tests' plain implementation of RFC 1951 produce
//!   the same output, or both refuse them.
//! - However the bytes are split, the receiver's events and its failure are the same. No message
//!   exceeds its limit, and the heap exceeds it only by a small multiple of that, the window and
//!   zlib's own state.
//! - An encoded offer parses to itself; the client accepts the response to it, and both sides agree
//!   on its meaning.
#![no_main]

#[path = "../../../protocol/plain_inflate.rs"]
mod plain_inflate;

use std::cell::RefCell;

use arbitrary::{Arbitrary, Result, Unstructured};
use barewire::protocol::websocket::ProtocolError;
use barewire::protocol::websocket::deflate::{Deflater, compress_without_context, shared_window_bits};
use barewire::protocol::websocket::extension::{
    self, Agreement, ClientWindow, Direction, Offer, ServerPreferences,
};
use barewire::protocol::websocket::frame::{FrameHeader, Opcode};
use barewire::protocol::websocket::inflate::Inflater;
use barewire::protocol::websocket::message::{MessageEvent, MessageLimits, Receiver, Role};
use barewire_fuzz::{peak, split, splits};
use libfuzzer_sys::fuzz_target;

/// The bytes that a compressed message is sent without (RFC 7692 §7.2.1).
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    mode: u8,
    lengths: [u8; 4],
    parameters: [u8; 4],
    bytes: &'a [u8],
}

fuzz_target!(|input: Input<'_>| {
    match input.mode % 4 {
        0 => payloads(&input),
        1 => wire(&input),
        2 => round_trip(&input),
        _ => drop(negotiation(&input)),
    }
});

/// Returns 8 to 15, or none.
fn window_bits(byte: u8) -> Option<u8> {
    (byte & 8 != 0).then_some(8 + byte % 8)
}

fn agreement([a, b, c, _]: [u8; 4]) -> Agreement {
    Agreement {
        server_no_context_takeover: a & 1 != 0,
        client_no_context_takeover: a & 2 != 0,
        server_max_window_bits: window_bits(b),
        client_max_window_bits: window_bits(c),
    }
}

/// Uses arbitrary bytes as the payloads of messages, each after its length, and compares the
/// inflater with the plain implementation.
fn payloads(input: &Input<'_>) {
    let mut inflater = Inflater::new(Direction { context_takeover: true, max_window_bits: 15 });
    let mut before = Vec::new();
    let mut rest = input.bytes;
    while let [length, after @ ..] = rest {
        let (payload, after) = after.split_at(after.len().min(usize::from(*length)));
        rest = after;
        let expected =
            plain_inflate::inflate(&before, &[payload, &TAIL].concat()).map(|inflated| inflated.bytes);
        let actual = inflate(&mut inflater, &split(payload, &input.lengths));
        assert_eq!(actual.as_ref().ok(), expected.as_ref());
        let Ok(bytes) = actual else { break };
        before.extend(bytes);
        before.drain(..before.len().saturating_sub(1 << 15));
    }
}

fn inflate(inflater: &mut Inflater, parts: &[&[u8]]) -> std::result::Result<Vec<u8>, ProtocolError> {
    let out = RefCell::new(Vec::new());
    let sink = |bytes: &[u8]| {
        out.borrow_mut().extend_from_slice(bytes);
        Ok(())
    };
    parts.iter().try_for_each(|part| inflater.inflate(part, sink))?;
    inflater.finish(sink)?;
    Ok(out.into_inner())
}

/// Uses arbitrary bytes as the wire, to a client or to a server.
fn wire(input: &Input<'_>) {
    let agreement = agreement(input.parameters);
    let limits = MessageLimits { message_bytes: 8 * usize::from(input.parameters[3]), frames: 3 };
    let role = if input.mode & 4 == 0 { Role::Client } else { Role::Server };
    let new = || Receiver::with_deflate(role, limits, &agreement);
    let whole = receive(new, &[input.bytes]);
    for parts in splits(input.bytes, &input.lengths) {
        assert_eq!(receive(new, &parts), whole);
    }
    for event in &whole.0 {
        let (Received::Text(bytes) | Received::Binary(bytes)) = event else { continue };
        assert!(bytes.len() <= limits.message_bytes);
    }
    let mut bytes = input.bytes.to_vec();
    let (mut receiver, mut rest) = (new(), &mut bytes[..]);
    let ((), peak) = peak(|| {
        while !rest.is_empty() {
            let Ok((consumed, _)) = receiver.receive(rest) else { return };
            rest = &mut std::mem::take(&mut rest)[consumed..];
        }
    });
    let most = 3 * (limits.message_bytes + input.bytes.len()) + 3 * (1 << 15) + 64 * 1024;
    assert!(peak <= most, "{peak} bytes of heap for {limits:?}");
}

#[derive(Debug, PartialEq)]
enum Received {
    Text(Vec<u8>),
    Binary(Vec<u8>),
    Control(String),
}

fn receive(new: impl Fn() -> Receiver, parts: &[&[u8]]) -> (Vec<Received>, Option<ProtocolError>) {
    let mut receiver = new();
    let mut events = Vec::new();
    for part in parts {
        let mut part = part.to_vec();
        let mut rest = &mut part[..];
        while !rest.is_empty() {
            if receiver.is_idle() {
                receiver = new();
            }
            match receiver.receive(rest) {
                Err(failure) => return (events, Some(failure)),
                Ok((consumed, event)) => {
                    events.extend(event.map(|event| match event {
                        MessageEvent::Text(text) => Received::Text(text.as_bytes().to_vec()),
                        MessageEvent::Binary(bytes) => Received::Binary(bytes.to_vec()),
                        other => Received::Control(format!("{other:?}")),
                    }));
                    rest = &mut rest[consumed..];
                }
            }
        }
    }
    (events, None)
}

/// Sends messages made of a few repeated texts, so that there are earlier bytes to refer to.
fn round_trip(input: &Input<'_>) {
    let agreement = agreement(input.parameters);
    let [flags, _, _, level] = input.parameters;
    let direction = agreement.server_to_client();
    let is_independent = flags & 4 != 0;
    let limits = MessageLimits { message_bytes: 1 << 16, frames: 9 };
    let mut deflater = Deflater::new(direction, 1 + level % 9);
    let (mut sent, mut expected) = (Vec::new(), Vec::new());
    let mut before: Vec<u8> = Vec::new();
    let mut rest = input.bytes;
    while let [kind, times, length, after @ ..] = rest {
        let (text, after) = after.split_at(after.len().min(usize::from(*length)));
        rest = after;
        // Each message also repeats a part of the previous messages, from any distance.
        let far = before.len() * usize::from(*times) / 256;
        let repeated = &before[far..before.len().min(far + 8 * usize::from(*length))];
        let mut message = text.repeat(1 + usize::from(*times) * usize::from(kind >> 6));
        message.extend_from_slice(repeated);
        message.truncate(limits.message_bytes);

        let mut payload = Vec::new();
        let is_compressed = kind & 1 != 0;
        if !is_compressed {
            payload.clone_from(&message);
        } else if is_independent {
            compress_without_context(shared_window_bits(direction.max_window_bits), &message, &mut payload);
        } else {
            deflater.compress(&message, &mut payload);
        }
        if is_compressed {
            let window = if direction.context_takeover && !is_independent { &before[..] } else { &[] };
            let whole = [&payload[..], &TAIL].concat();
            let inflated = plain_inflate::inflate(window, &whole).expect("DEFLATE");
            assert!(inflated.bytes == message);
            assert!(inflated.farthest <= 1 << direction.max_window_bits, "{} back", inflated.farthest);
            before.extend_from_slice(&message);
            before.drain(..before.len().saturating_sub(1 << 15));
        }

        let fragments = 1 + usize::from(kind >> 1 & 7);
        let size = payload.len().div_ceil(fragments).max(1);
        let mut parts: Vec<&[u8]> = payload.chunks(size).collect();
        parts.resize(fragments, &[]);
        for (number, part) in parts.iter().enumerate() {
            let opcode = if number == 0 { Opcode::Binary } else { Opcode::Continuation };
            let rsv1 = number == 0 && is_compressed;
            let fin = number + 1 == fragments;
            let payload_length = part.len() as u64;
            FrameHeader { fin, rsv1, opcode, masking_key: None, payload_length }.encode(&mut sent);
            sent.extend_from_slice(part);
        }
        expected.push(Received::Binary(message));
    }
    let new = || Receiver::with_deflate(Role::Client, limits, &agreement);
    let expected = (expected, None);
    assert!(receive(new, &[&sent]) == expected);
    assert!(receive(new, &split(&sent, &input.lengths)) == expected);
}

/// Runs both sides of a negotiation.
fn negotiation(input: &Input<'_>) -> Result<()> {
    let mut from = Unstructured::new(&input.parameters);
    let [a, b, c, d]: [u8; 4] = from.arbitrary()?;
    let preferences = ServerPreferences {
        server_no_context_takeover: a & 1 != 0,
        client_no_context_takeover: a & 2 != 0,
        server_max_window_bits: 8 + b % 8,
        client_max_window_bits: 8 + b / 8 % 8,
    };
    let offer = Offer {
        server_no_context_takeover: a & 4 != 0,
        client_no_context_takeover: a & 8 != 0,
        server_max_window_bits: window_bits(c),
        client_max_window_bits: match d % 10 {
            0 => ClientWindow::Unnamed,
            1 => ClientWindow::Any,
            bits => ClientWindow::AtMost(6 + bits),
        },
    };
    let mut written = Vec::new();
    offer.write_offer(&mut written);
    let agreed =
        extension::negotiate([&written[..]].into_iter(), &preferences).expect("a list").expect("an offer");
    check_agreement(&offer, &preferences, agreed);

    // Arbitrary bytes: an agreement respects the server's preferences, and an accepted response the
    // client's offer.
    let lines = || input.bytes.split(|byte| *byte == b'\n');
    if let Ok(Some(agreed)) = extension::negotiate(lines(), &preferences) {
        assert!(agreed.server_to_client().max_window_bits <= preferences.server_max_window_bits);
        assert!(agreed.server_no_context_takeover >= preferences.server_no_context_takeover);
        assert!(agreed.client_no_context_takeover >= preferences.client_no_context_takeover);
        assert!(agreed.client_max_window_bits.is_none_or(|bits| bits <= preferences.client_max_window_bits));
    }
    if let Ok(Some(agreed)) = extension::check_response(&offer, lines()) {
        assert!(agreed.server_no_context_takeover >= offer.server_no_context_takeover);
        assert!(
            offer
                .server_max_window_bits
                .is_none_or(|most| agreed.server_max_window_bits.is_some_and(|bits| bits <= most))
        );
        let client = agreed.client_to_server().max_window_bits;
        match offer.client_max_window_bits {
            ClientWindow::Unnamed => assert_eq!(client, extension::MAX_WINDOW_BITS),
            ClientWindow::Any => {}
            ClientWindow::AtMost(most) => assert!(client <= most),
        }
    }
    Ok(())
}

/// Checks that the client accepts the response to its offer, and that both sides agree on its
/// meaning.
fn check_agreement(offer: &Offer, preferences: &ServerPreferences, agreed: Agreement) {
    let mut response = Vec::new();
    agreed.write_response(&mut response);
    let accepted = extension::check_response(offer, [&response[..]].into_iter());
    assert_eq!(accepted, Ok(Some(agreed)), "{}", response.escape_ascii());
    assert!(agreed.server_to_client().max_window_bits <= preferences.server_max_window_bits);
    assert!(
        agreed.server_no_context_takeover
            >= (offer.server_no_context_takeover | preferences.server_no_context_takeover)
    );
}
