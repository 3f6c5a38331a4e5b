//! permessage-deflate, from the compressor to the receiver, and any bytes to the receiver; and what is agreed on before.
//!
//! The oracle:
//!
//! - Messages come out as they went in: compressed with or without takeover, each alone, or not at all, at any level and under any agreement;
//!   in any fragments, in any pieces.
//! - No reference in them goes back further than was agreed.
//! - Of any compressed bytes, the inflater makes the same as a plain version of RFC 1951 that the tests use, or both refuse them.
//! - However the bytes are cut, the receiver's events and its failure are the same. No message is longer than its limit, and neither is the heap
//!   by more than a few times that, the window and zlib's own state.
//! - An offer that is written is read as itself, and the answer to it is accepted by its client, and means the same to both.
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
use barewire_fuzz::{cuts, peak, pieces};
use libfuzzer_sys::fuzz_target;

/// What a compressed message is sent without (RFC 7692 §7.2.1).
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    doing: u8,
    lengths: [u8; 4],
    parameters: [u8; 4],
    bytes: &'a [u8],
}

fuzz_target!(|input: Input<'_>| {
    match input.doing % 4 {
        0 => payloads(&input),
        1 => wire(&input),
        2 => round_trip(&input),
        _ => drop(negotiation(&input)),
    }
});

/// 8 to 15, or none.
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

/// Any bytes as the payloads of messages, each with its length in front: the inflater against the plain one.
fn payloads(input: &Input<'_>) {
    let mut inflater = Inflater::new(Direction { context_takeover: true, max_window_bits: 15 });
    let mut before = Vec::new();
    let mut rest = input.bytes;
    while let [length, behind @ ..] = rest {
        let (payload, behind) = behind.split_at(behind.len().min(usize::from(*length)));
        rest = behind;
        let expected =
            plain_inflate::inflate(&before, &[payload, &TAIL].concat()).map(|inflated| inflated.bytes);
        let given = inflate(&mut inflater, &pieces(payload, &input.lengths));
        assert_eq!(given.as_ref().ok(), expected.as_ref());
        let Ok(bytes) = given else { break };
        before.extend(bytes);
        before.drain(..before.len().saturating_sub(1 << 15));
    }
}

fn inflate(inflater: &mut Inflater, pieces: &[&[u8]]) -> std::result::Result<Vec<u8>, ProtocolError> {
    let out = RefCell::new(Vec::new());
    let sink = |bytes: &[u8]| {
        out.borrow_mut().extend_from_slice(bytes);
        Ok(())
    };
    pieces.iter().try_for_each(|piece| inflater.inflate(piece, sink))?;
    inflater.finish(sink)?;
    Ok(out.into_inner())
}

/// Any bytes as the wire, to a client or to a server.
fn wire(input: &Input<'_>) {
    let agreement = agreement(input.parameters);
    let limits = MessageLimits { message_bytes: 8 * usize::from(input.parameters[3]), frames: 3 };
    let role = if input.doing & 4 == 0 { Role::Client } else { Role::Server };
    let new = || Receiver::with_deflate(role, limits, &agreement);
    let whole = receive(new, &[input.bytes]);
    for pieces in cuts(input.bytes, &input.lengths) {
        assert_eq!(receive(new, &pieces), whole);
    }
    for event in &whole.0 {
        let (Got::Text(bytes) | Got::Binary(bytes)) = event else { continue };
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
enum Got {
    Text(Vec<u8>),
    Binary(Vec<u8>),
    Control(String),
}

fn receive(new: impl Fn() -> Receiver, pieces: &[&[u8]]) -> (Vec<Got>, Option<ProtocolError>) {
    let mut receiver = new();
    let mut events = Vec::new();
    for piece in pieces {
        let mut piece = piece.to_vec();
        let mut rest = &mut piece[..];
        while !rest.is_empty() {
            if receiver.is_idle() {
                receiver = new();
            }
            match receiver.receive(rest) {
                Err(failure) => return (events, Some(failure)),
                Ok((consumed, event)) => {
                    events.extend(event.map(|event| match event {
                        MessageEvent::Text(text) => Got::Text(text.as_bytes().to_vec()),
                        MessageEvent::Binary(bytes) => Got::Binary(bytes.to_vec()),
                        other => Got::Control(format!("{other:?}")),
                    }));
                    rest = &mut rest[consumed..];
                }
            }
        }
    }
    (events, None)
}

/// Messages out of a few texts, which stand again and again, so that there is something to refer back to.
fn round_trip(input: &Input<'_>) {
    let agreement = agreement(input.parameters);
    let [flags, _, _, level] = input.parameters;
    let direction = agreement.server_to_client();
    let each_alone = flags & 4 != 0;
    let limits = MessageLimits { message_bytes: 1 << 16, frames: 9 };
    let mut deflater = Deflater::new(direction, 1 + level % 9);
    let (mut sent, mut expected) = (Vec::new(), Vec::new());
    let mut before: Vec<u8> = Vec::new();
    let mut rest = input.bytes;
    while let [kind, times, length, behind @ ..] = rest {
        let (text, behind) = behind.split_at(behind.len().min(usize::from(*length)));
        rest = behind;
        // Also something from the messages before, from anywhere.
        let far = before.len() * usize::from(*times) / 256;
        let again = &before[far..before.len().min(far + 8 * usize::from(*length))];
        let mut message = text.repeat(1 + usize::from(*times) * usize::from(kind >> 6));
        message.extend_from_slice(again);
        message.truncate(limits.message_bytes);

        let mut payload = Vec::new();
        let is_compressed = kind & 1 != 0;
        if !is_compressed {
            payload.clone_from(&message);
        } else if each_alone {
            compress_without_context(shared_window_bits(direction.max_window_bits), &message, &mut payload);
        } else {
            deflater.compress(&message, &mut payload);
        }
        if is_compressed {
            let window = if direction.context_takeover && !each_alone { &before[..] } else { &[] };
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
        expected.push(Got::Binary(message));
    }
    let new = || Receiver::with_deflate(Role::Client, limits, &agreement);
    let expected = (expected, None);
    assert!(receive(new, &[&sent]) == expected);
    assert!(receive(new, &pieces(&sent, &input.lengths)) == expected);
}

/// The two sides of a negotiation.
fn negotiation(input: &Input<'_>) -> Result<()> {
    let mut from = Unstructured::new(&input.parameters);
    let [a, b, c, d]: [u8; 4] = from.arbitrary()?;
    let wishes = ServerPreferences {
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
        extension::negotiate([&written[..]].into_iter(), &wishes).expect("a list").expect("an offer");
    hold(&offer, &wishes, agreed);

    // Any bytes: what is agreed on, if anything, keeps to the wishes; and what is accepted, to the offer.
    let lines = || input.bytes.split(|byte| *byte == b'\n');
    if let Ok(Some(agreed)) = extension::negotiate(lines(), &wishes) {
        assert!(agreed.server_to_client().max_window_bits <= wishes.server_max_window_bits);
        assert!(agreed.server_no_context_takeover >= wishes.server_no_context_takeover);
        assert!(agreed.client_no_context_takeover >= wishes.client_no_context_takeover);
        assert!(agreed.client_max_window_bits.is_none_or(|bits| bits <= wishes.client_max_window_bits));
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

/// The answer to an offer is accepted, and both sides mean the same.
fn hold(offer: &Offer, wishes: &ServerPreferences, agreed: Agreement) {
    let mut answer = Vec::new();
    agreed.write_response(&mut answer);
    let accepted = extension::check_response(offer, [&answer[..]].into_iter());
    assert_eq!(accepted, Ok(Some(agreed)), "{}", answer.escape_ascii());
    assert!(agreed.server_to_client().max_window_bits <= wishes.server_max_window_bits);
    assert!(
        agreed.server_no_context_takeover
            >= (offer.server_no_context_takeover | wishes.server_no_context_takeover)
    );
}
