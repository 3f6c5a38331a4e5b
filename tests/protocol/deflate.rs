//! permessage-deflate: the vectors of `tests/vectors/websocket-deflate.txt`, properties, and a second opinion of two
//! kinds: zlib as `flate2` gives it, and RFC 1951 written out (`plain_inflate.rs`).

use std::cell::RefCell;

use barewire::protocol::websocket::ProtocolError;
use barewire::protocol::websocket::deflate::{self, Deflater, compress_without_context, shared_window_bits};
use barewire::protocol::websocket::extension::{Agreement, Direction, Offer, check_response};
use barewire::protocol::websocket::frame::{Opcode, write_compressed_frame};
use barewire::protocol::websocket::inflate::Inflater;
use barewire::protocol::websocket::message::{MessageEvent, MessageLimits, Receiver, Role};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::plain_inflate::{self, Inflated};
use crate::websocket::{RSV1, cut, frame_to, in_full, received, run, sent};

/// What is not sent of a message (RFC 7692 §7.2.1).
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

#[test]
fn receives_every_vector_however_it_is_cut() {
    run(include_str!("../vectors/websocket-deflate.txt"), |vector, role, limits| {
        let answer = vector.get("agreement").unwrap_or(b"permessage-deflate");
        let agreement = check_response(&Offer::default(), [answer].into_iter());
        Receiver::with_deflate(role, limits, &agreement.expect("a right answer").expect("an answer"))
    });
}

fn direction(context_takeover: bool, max_window_bits: u8) -> Direction {
    Direction { context_takeover, max_window_bits }
}

fn compressed(deflater: &mut Deflater, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    deflater.compress(payload, &mut out);
    out
}

fn alone(window_bits: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    compress_without_context(window_bits, payload, &mut out);
    out
}

/// What the payload of a compressed message inflates to, by the plain version.
fn plain(window: &[u8], payload: &[u8]) -> Option<Inflated> {
    plain_inflate::inflate(window, &[payload, &TAIL].concat())
}

#[test]
fn writes_the_rfcs_examples() {
    // RFC 7692 §7.2.3.1, §7.2.3.2 and §7.2.3.6.
    const HELLO: [u8; 7] = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    let mut takes_over = Deflater::new(direction(true, 15), deflate::LEVEL);
    assert_eq!(compressed(&mut takes_over, b"Hello"), HELLO);
    assert_eq!(compressed(&mut takes_over, b""), [0x00]);
    assert_eq!(compressed(&mut takes_over, b"Hello"), [0xf2, 0x00, 0x11, 0x00, 0x00]);
    let mut does_not = Deflater::new(direction(false, 15), deflate::LEVEL);
    for _ in 0..2 {
        assert_eq!(compressed(&mut does_not, b"Hello"), HELLO);
        assert_eq!(compressed(&mut does_not, b""), [0x00]);
        assert_eq!(alone(9, b"Hello"), HELLO);
        assert_eq!(alone(15, b""), [0x00]);
    }
    let mut frame = Vec::new();
    write_compressed_frame(Opcode::Text, &HELLO, &mut frame);
    assert_eq!(frame, [&[0xc1, 0x07][..], &HELLO].concat());
}

/// Text with much that stands again, near and far.
fn prose(length: usize) -> Vec<u8> {
    let mut number = 1_u32;
    let lines = std::iter::from_fn(|| {
        number = number.wrapping_mul(1_103_515_245).wrapping_add(12_345);
        Some(format!("{{\"id\":{},\"data\":\"tick {:x}\"}}\n", number >> 16, number >> 22))
    });
    lines.flat_map(String::into_bytes).take(length).collect()
}

/// A window of 8 bits is kept to as well, by zlib's of 9: that is what the server's answer promises.
#[test]
fn refers_back_no_further_than_was_agreed() {
    let mut messages = vec![prose(40_000), vec![0; 70_000], prose(1), prose(40_000), prose(300)];
    messages.push((0..=255).cycle().take(1_000).collect());
    // What stands again at each distance around the smallest window, and nowhere nearer.
    for distance in (240..270).chain(500..520) {
        let once: Vec<u8> = (0..distance).map(|at| (at * at / 7 + at * 31) as u8).collect();
        messages.push([&once[..], &once].concat());
    }
    for bits in 8..=15 {
        for level in if bits < 10 { 1..=9 } else { 6..=6 } {
            for takeover in [false, true] {
                let mut deflater = Deflater::new(direction(takeover, bits), level);
                let mut before = Vec::new();
                for message in &messages {
                    let payload = compressed(&mut deflater, message);
                    let window = if takeover { &before[..] } else { &[] };
                    let inflated = plain(window, &payload).expect("DEFLATE");
                    assert!(inflated.bytes == *message, "{bits} bits, level {level}");
                    assert!(inflated.farthest <= 1 << bits, "{bits} bits reach {}", inflated.farthest);
                    before.extend_from_slice(message);
                }
            }
        }
    }
    assert_eq!([8, 9, 14, 15].map(shared_window_bits), [9, 9, 9, 15]);
}

#[test]
fn the_same_payload_gives_the_same_bytes() {
    let payloads: Vec<Vec<u8>> = (0..12).map(|power| prose(3 << power)).collect();
    for bits in [9, 15] {
        let first: Vec<Vec<u8>> = payloads.iter().map(|payload| alone(bits, payload)).collect();
        for (payload, first) in payloads.iter().zip(&first).rev() {
            assert!(alone(bits, payload) == *first);
            // Whatever the room behind what is there already.
            for room in [0, 1, first.len(), first.len() + 4, first.len() + 5, 1 << 20] {
                let mut out = Vec::with_capacity(6 + room);
                out.extend_from_slice(b"before");
                compress_without_context(bits, payload, &mut out);
                assert!(out[6..] == *first, "{room}");
            }
            // On a thread whose compressor is new.
            let anew = std::thread::scope(|scope| scope.spawn(|| alone(bits, payload)).join());
            assert!(anew.expect("it returns") == *first);
        }
    }
}

/// All that an inflater gives for messages in pieces, and whether it holds a context then.
fn inflated(inflater: &mut Inflater, payload: &[u8]) -> Result<Vec<u8>, ProtocolError> {
    let out = RefCell::new(Vec::new());
    let sink = |bytes: &[u8]| {
        out.borrow_mut().extend_from_slice(bytes);
        Ok(())
    };
    for piece in payload.chunks(7) {
        inflater.inflate(piece, sink)?;
    }
    inflater.finish(sink)?;
    Ok(out.into_inner())
}

/// A block of the fixed code (RFC 1951 §3.2.6) with one reference, three bytes long, to the bytes 512 or 513 back.
fn three_from(distance: usize) -> Vec<u8> {
    // §3.2.5: codes 17 (385 to 512) and 18 (from 513 on), written from their highest bit on, and the extra bits of each.
    let (code, extra, extra_bits) = match distance {
        512 => (0b10001, 0b111_1111, 7),
        513 => (0b01001, 0, 8),
        other => panic!("{other}"),
    };
    let (header, length_3) = (0b010_u64, 0b100_0000);
    let bits = header | length_3 << 3 | code << 10 | extra << 15;
    // Seven zeros end the block, and three are the header of the empty one.
    let count = 15 + extra_bits + 7 + 3_usize;
    bits.to_le_bytes()[..count.div_ceil(8)].to_vec()
}

#[test]
fn the_window_reaches_as_far_as_was_agreed_and_no_further() {
    let mut inflater = Inflater::new(direction(true, 9));
    let stored = [&[0x00, 0x01, 0x02, 0xfe, 0xfd, b'!'][..], &[b'a'; 509], b"bcd", &[0x00]].concat();
    assert_eq!(inflated(&mut inflater, &stored).map(|bytes| bytes.len()), Ok(513));
    // The window is 509 times a, then bcd.
    assert_eq!(inflated(&mut inflater, &three_from(512)), Ok(b"aaa".to_vec()));
    assert_eq!(inflated(&mut inflater, &three_from(513)), Err(ProtocolError::InvalidDeflate));
}

#[test]
fn a_context_is_held_only_where_it_was_agreed() {
    for takeover in [false, true] {
        let mut inflater = Inflater::new(direction(takeover, 15));
        assert!(!inflater.has_context());
        let payload = alone(15, b"Hello");
        inflater.inflate(&payload, |_| Ok(())).unwrap();
        assert!(inflater.has_context(), "within a message");
        inflater.finish(|_| Ok(())).unwrap();
        assert_eq!(inflater.has_context(), takeover);
        let agreement = Agreement { client_no_context_takeover: !takeover, ..Agreement::default() };
        let limits = MessageLimits { message_bytes: 5, frames: 1 };
        let mut receiver = Receiver::with_deflate(Role::Server, limits, &agreement);
        let mut frame = frame_to(Role::Server, Opcode::Text, true, [1, 2, 3, 4], &payload);
        frame[0] |= RSV1;
        assert!(receiver.is_idle());
        assert_eq!(receiver.receive(&mut frame), Ok((13, Some(MessageEvent::Text("Hello")))));
        assert_eq!(receiver.is_idle(), !takeover);
    }
}

/// A GiB of zeros, 1,024 to each byte of payload: it is given up as soon as it is too big.
#[test]
fn a_bomb_ends_when_the_limit_is_reached() {
    const MIB: usize = 1 << 20;
    let mut deflater = Deflater::new(direction(true, 15), 9);
    let first = compressed(&mut deflater, &vec![0; MIB]);
    let other = compressed(&mut deflater, &vec![0; MIB]);
    // Each block but the last with the tail that a message's end would have taken from it.
    let mut bomb = first;
    for _ in 1..1024 {
        bomb.extend_from_slice(&TAIL);
        bomb.extend_from_slice(&other);
    }
    assert!(bomb.len() < 2 * MIB, "{}", bomb.len());

    let limit = 3 * MIB;
    let mut inflater = Inflater::new(direction(true, 15));
    let mut given = 0;
    let result = inflater.inflate(&bomb, |bytes| {
        given += bytes.len();
        if given > limit { Err(ProtocolError::MessageTooBig) } else { Ok(()) }
    });
    assert_eq!(result, Err(ProtocolError::MessageTooBig));
    assert!(given <= limit + 4096, "{given}");

    let limits = MessageLimits { message_bytes: limit, frames: 1 };
    let mut receiver = Receiver::with_deflate(Role::Client, limits, &Agreement::default());
    let mut frame = Vec::new();
    write_compressed_frame(Opcode::Text, &bomb, &mut frame);
    let pieces = frame.chunks_mut(1000).position(|piece| receiver.receive(piece).is_err());
    assert!(pieces.is_some_and(|pieces| pieces < 5), "{pieces:?}: 4 KB are more than 3 MiB");
}

#[test]
fn invalid_text_is_found_at_its_byte() {
    // As literals of the fixed code, so that bytes are cut between bits.
    let mut text = b"only text, until here: ".to_vec();
    text.extend_from_slice(b"\xf0\x80 and then some more");
    let payload = alone(15, &text);
    let mut receiver = Receiver::with_deflate(
        Role::Client,
        MessageLimits { message_bytes: 100, frames: 1 },
        &Agreement::default(),
    );
    let mut frame = Vec::new();
    write_compressed_frame(Opcode::Text, &payload, &mut frame);
    let at = frame.iter_mut().position(|byte| receiver.receive(std::slice::from_mut(byte)).is_err());
    // The first byte of payload after which zlib, too, knows of the 25th byte of text.
    let knows = (1..payload.len()).find(|end| {
        let mut out = [0; 100];
        let mut zlib = flate2::Decompress::new(false);
        zlib.decompress(&payload[..*end], &mut out, flate2::FlushDecompress::None).expect("DEFLATE");
        zlib.total_out() >= 25
    });
    assert_eq!(at, knows.map(|end| 2 + end - 1));
}

fn any_agreement() -> impl Strategy<Value = Agreement> {
    let bits = || prop::option::of(8..=15_u8);
    (any::<bool>(), any::<bool>(), bits(), bits()).prop_map(|(server, client, down, up)| Agreement {
        server_no_context_takeover: server,
        client_no_context_takeover: client,
        server_max_window_bits: down,
        client_max_window_bits: up,
    })
}

/// Blocks that end with a byte: two that are the last, and one with a reference.
const BLOCKS: &[&[u8]] = &[
    b"\x03\x00",
    b"\0\0\0\xff\xff",
    b"\x4a\x04\0\0\0\xff\xff",
    b"\xf2\0\x11\0\0\0\0\xff\xff",
    b"\xf3\x48\xcd\xc9\xc9\x07\0",
];

/// Frames that are mostly right, whose payload is mostly DEFLATE.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    let deflated = ("[a-d]{0,40}|\\PC{0,9}|(abc|Hello){0,200}", any::<[u8; 3]>(), any::<Index>(), 0..4_u8);
    let payload = prop_oneof![
        6 => deflated.prop_map(|(text, bytes, at, edit)| {
            let mut payload = alone(15, text.as_bytes());
            let at = at.index(payload.len());
            match edit {
                0 => payload[at] ^= bytes[0],
                1 => payload.truncate(at),
                2 => payload.extend_from_slice(&[&TAIL[..], &bytes].concat()),
                _ => {}
            }
            payload
        }),
        1 => prop::collection::vec(any::<u8>(), 0..30),
        // Many blocks, some the last.
        2 => prop::collection::vec(
            prop::sample::select(BLOCKS),
            0..12,
        ).prop_map(|blocks| [&blocks.concat()[..], b"\0"].concat()),
    ];
    let first = prop_oneof![
        8 => prop::sample::select(&[0xC1, 0xC2, 0xC1, 0xC2, 0x41, 0x42, 0x00, 0x80, 0x80, 0x81, 0x89][..]),
        1 => any::<u8>(),
    ];
    (first, any::<[u8; 4]>(), payload).prop_map(|(first, key, payload)| {
        let mut frame = frame_to(Role::Server, Opcode::Text, true, key, &payload);
        frame[0] = first;
        frame
    })
}

proptest! {
    /// The same few messages again and again, so that a context is of use: by the connection's deflater or each alone, but
    /// never both, and some as they are.
    #[test]
    fn messages_come_out_as_they_went_in(
        server: bool, key: [u8; 4], agreement in any_agreement(), level in 1..=9_u8, each_alone: bool,
        pool in prop::collection::vec(sent(), 1..4),
        order in prop::collection::vec((any::<Index>(), prop::bool::weighted(0.8)), 0..8),
        cuts in prop::collection::vec(any::<Index>(), 0..20),
    ) {
        let (role, direction) = if server {
            (Role::Server, agreement.client_to_server())
        } else {
            (Role::Client, agreement.server_to_client())
        };
        let mut deflater = Deflater::new(direction, level);
        let (mut wire, mut expected) = (Vec::new(), Vec::new());
        for (index, is_compressed) in order {
            let compress = |payload: &[u8]| match (is_compressed, each_alone) {
                (false, _) => None,
                (true, false) => Some(compressed(&mut deflater, payload)),
                (true, true) => Some(alone(shared_window_bits(direction.max_window_bits), payload)),
            };
            index.get(&pool).write(role, key, compress, &mut wire, &mut expected);
        }
        let limits = MessageLimits { message_bytes: 65_540, frames: 5 };
        let new = || Receiver::with_deflate(role, limits, &agreement);
        let whole: &[&[u8]] = &[&wire];
        let small = wire.chunks(1 + wire.len() / 4096).collect::<Vec<_>>();
        for pieces in [whole, &cut(&wire, &cuts), &small] {
            prop_assert_eq!(&received(new, pieces, in_full).0, &expected);
        }
    }

    #[test]
    fn any_bytes_give_the_same_however_they_are_cut(
        frames in prop::collection::vec(noise(), 0..8), cuts in prop::collection::vec(any::<Index>(), 0..20),
        agreement in any_agreement(), message_bytes in 0..1200_usize, frame_limit in 1..6_usize,
    ) {
        let wire = frames.concat();
        let limits = MessageLimits { message_bytes, frames: frame_limit };
        let new = || Receiver::with_deflate(Role::Server, limits, &agreement);
        let whole = received(new, &[&wire], in_full);
        prop_assert_eq!(&whole, &received(new, &cut(&wire, &cuts), in_full));
        prop_assert_eq!(&whole, &received(new, &wire.chunks(1).collect::<Vec<_>>(), in_full));
    }

    /// The plain version judges the same payloads the same, one message after the other.
    #[test]
    fn inflates_what_the_plain_version_does(frames in prop::collection::vec(noise(), 1..6)) {
        let mut inflater = Inflater::new(direction(true, 15));
        let mut before = Vec::new();
        for frame in frames {
            let mut payload = frame[frame.len().min(6)..].to_vec();
            barewire::protocol::websocket::mask::apply_plain([frame[2], frame[3], frame[4], frame[5]], 0, &mut payload);
            let expected = plain(&before, &payload).map(|inflated| inflated.bytes).ok_or(ProtocolError::InvalidDeflate);
            let given = inflated(&mut inflater, &payload);
            prop_assert_eq!(&given, &expected, "{:x?}", payload);
            match given {
                Ok(bytes) => before.extend(bytes),
                Err(_) => break,
            }
        }
    }
}
