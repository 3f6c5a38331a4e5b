//! Tests of permessage-deflate with the vectors of `tests/vectors/websocket-deflate.txt`,
//! properties, and two independent decompressors: zlib through `flate2`, and a plain version of
//! RFC 1951 (`plain_inflate.rs`).

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
use crate::websocket::{RSV1, frame_to, in_full, received, run, sent, split};

/// The end of a message that is not sent (RFC 7692 §7.2.1).
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

#[test]
fn receives_every_vector_however_it_is_split() {
    run(include_str!("../vectors/websocket-deflate.txt"), |vector, role, limits| {
        let response = vector.get("agreement").unwrap_or(b"permessage-deflate");
        let agreement = check_response(&Offer::default(), [response].into_iter());
        Receiver::with_deflate(role, limits, &agreement.expect("a valid response").expect("an agreement"))
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

fn without_context(window_bits: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    compress_without_context(window_bits, payload, &mut out);
    out
}

/// Inflates the payload of a compressed message with the plain version.
fn plain(window: &[u8], payload: &[u8]) -> Option<Inflated> {
    plain_inflate::inflate(window, &[payload, &TAIL].concat())
}

#[test]
fn writes_the_examples_of_the_rfc() {
    // RFC 7692 §7.2.3.1, §7.2.3.2 and §7.2.3.6.
    const HELLO: [u8; 7] = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    let mut with_takeover = Deflater::new(direction(true, 15), deflate::LEVEL);
    assert_eq!(compressed(&mut with_takeover, b"Hello"), HELLO);
    assert_eq!(compressed(&mut with_takeover, b""), [0x00]);
    assert_eq!(compressed(&mut with_takeover, b"Hello"), [0xf2, 0x00, 0x11, 0x00, 0x00]);
    let mut without_takeover = Deflater::new(direction(false, 15), deflate::LEVEL);
    for _ in 0..2 {
        assert_eq!(compressed(&mut without_takeover, b"Hello"), HELLO);
        assert_eq!(compressed(&mut without_takeover, b""), [0x00]);
        assert_eq!(without_context(9, b"Hello"), HELLO);
        assert_eq!(without_context(15, b""), [0x00]);
    }
    let mut frame = Vec::new();
    write_compressed_frame(Opcode::Text, &HELLO, &mut frame);
    assert_eq!(frame, [&[0xc1, 0x07][..], &HELLO].concat());
}

/// Returns text with many repetitions at short and long distances.
fn prose(length: usize) -> Vec<u8> {
    let mut number = 1_u32;
    let lines = std::iter::from_fn(|| {
        number = number.wrapping_mul(1_103_515_245).wrapping_add(12_345);
        Some(format!("{{\"id\":{},\"data\":\"tick {:x}\"}}\n", number >> 16, number >> 22))
    });
    lines.flat_map(String::into_bytes).take(length).collect()
}

/// zlib's window of 9 bits also satisfies an agreed window of 8 bits.
#[test]
fn references_stay_within_the_agreed_window() {
    let mut messages = vec![prose(40_000), vec![0; 70_000], prose(1), prose(40_000), prose(300)];
    messages.push((0..=255).cycle().take(1_000).collect());
    // Data that repeat at exactly one distance, for each distance around the smallest windows.
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
fn the_same_payload_always_gives_the_same_bytes() {
    let payloads: Vec<Vec<u8>> = (0..12).map(|power| prose(3 << power)).collect();
    for bits in [9, 15] {
        let first: Vec<Vec<u8>> = payloads.iter().map(|payload| without_context(bits, payload)).collect();
        for (payload, first) in payloads.iter().zip(&first).rev() {
            assert!(without_context(bits, payload) == *first);
            // The spare capacity of the output does not matter.
            for capacity in [0, 1, first.len(), first.len() + 4, first.len() + 5, 1 << 20] {
                let mut out = Vec::with_capacity(6 + capacity);
                out.extend_from_slice(b"before");
                compress_without_context(bits, payload, &mut out);
                assert!(out[6..] == *first, "{capacity}");
            }
            // Another thread has a new compressor.
            let on_thread = std::thread::scope(|scope| scope.spawn(|| without_context(bits, payload)).join());
            assert!(on_thread.expect("the thread returns") == *first);
        }
    }
}

/// Inflates a message whose payload arrives in parts.
fn inflated(inflater: &mut Inflater, payload: &[u8]) -> Result<Vec<u8>, ProtocolError> {
    let out = RefCell::new(Vec::new());
    let sink = |bytes: &[u8]| {
        out.borrow_mut().extend_from_slice(bytes);
        Ok(())
    };
    for part in payload.chunks(7) {
        inflater.inflate(part, sink)?;
    }
    inflater.finish(sink)?;
    Ok(out.into_inner())
}

/// Returns a block of the fixed code (RFC 1951 §3.2.6) with one reference of three bytes, 512 or
/// 513 bytes back.
fn three_from(distance: usize) -> Vec<u8> {
    // §3.2.5: codes 17 (385 to 512) and 18 (from 513), from the highest bit on, and their extra
    // bits.
    let (code, extra, extra_bits) = match distance {
        512 => (0b10001, 0b111_1111, 7),
        513 => (0b01001, 0, 8),
        other => panic!("{other}"),
    };
    let (header, length_3) = (0b010_u64, 0b100_0000);
    let bits = header | length_3 << 3 | code << 10 | extra << 15;
    // Seven zeros end the block, and three more are the header of the empty block.
    let count = 15 + extra_bits + 7 + 3_usize;
    bits.to_le_bytes()[..count.div_ceil(8)].to_vec()
}

#[test]
fn the_window_has_exactly_the_agreed_size() {
    let mut inflater = Inflater::new(direction(true, 9));
    let stored = [&[0x00, 0x01, 0x02, 0xfe, 0xfd, b'!'][..], &[b'a'; 509], b"bcd", &[0x00]].concat();
    assert_eq!(inflated(&mut inflater, &stored).map(|bytes| bytes.len()), Ok(513));
    // The window now contains 509 times "a", then "bcd".
    assert_eq!(inflated(&mut inflater, &three_from(512)), Ok(b"aaa".to_vec()));
    assert_eq!(inflated(&mut inflater, &three_from(513)), Err(ProtocolError::InvalidDeflate));
}

#[test]
fn messages_compressed_in_pieces_inflate_to_themselves() {
    for (takeover, length) in [(true, 1), (true, 300), (false, 1), (false, 300)] {
        let mut deflater = Deflater::new(direction(takeover, 15), deflate::LEVEL);
        let mut inflater = Inflater::new(direction(takeover, 15));
        // Two messages, and another compressor of the same thread between the pieces.
        for payload in [prose(2000), prose(900)] {
            let (mut message, pieces) = (Vec::new(), payload.chunks(length));
            let last = pieces.len() - 1;
            for (number, piece) in pieces.enumerate() {
                deflater.compress_piece(piece, number == last, &mut message);
                assert_eq!(plain(&[], &without_context(15, piece)).expect("valid DEFLATE").bytes, piece);
            }
            assert_eq!(
                inflated(&mut inflater, &message).expect("valid DEFLATE"),
                payload,
                "{takeover}, {length}"
            );
        }
    }
}

#[test]
fn a_context_is_kept_only_if_agreed() {
    for takeover in [false, true] {
        let mut inflater = Inflater::new(direction(takeover, 15));
        assert!(!inflater.has_context());
        let payload = without_context(15, b"Hello");
        inflater.inflate(&payload, |_| Ok(())).unwrap();
        assert!(inflater.has_context(), "inside a message");
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

/// The bomb inflates to 1 GiB of zeros, 1,024 for each byte of payload.
#[test]
fn inflating_a_bomb_stops_at_the_limit() {
    const MIB: usize = 1 << 20;
    let mut deflater = Deflater::new(direction(true, 15), 9);
    let first = compressed(&mut deflater, &vec![0; MIB]);
    let other = compressed(&mut deflater, &vec![0; MIB]);
    // Every part but the last needs the tail that the compressor omits.
    let mut bomb = first;
    for _ in 1..1024 {
        bomb.extend_from_slice(&TAIL);
        bomb.extend_from_slice(&other);
    }
    assert!(bomb.len() < 2 * MIB, "{}", bomb.len());

    let limit = 3 * MIB;
    let mut inflater = Inflater::new(direction(true, 15));
    let mut inflated = 0;
    let result = inflater.inflate(&bomb, |bytes| {
        inflated += bytes.len();
        if inflated > limit { Err(ProtocolError::MessageTooBig) } else { Ok(()) }
    });
    assert_eq!(result, Err(ProtocolError::MessageTooBig));
    assert!(inflated <= limit + 4096, "{inflated}");

    let limits = MessageLimits { message_bytes: limit, frames: 1 };
    let mut receiver = Receiver::with_deflate(Role::Client, limits, &Agreement::default());
    let mut frame = Vec::new();
    write_compressed_frame(Opcode::Text, &bomb, &mut frame);
    let parts = frame.chunks_mut(1000).position(|part| receiver.receive(part).is_err());
    assert!(parts.is_some_and(|parts| parts < 5), "{parts:?}: 4 KB inflate to more than 3 MiB");
}

#[test]
fn rejects_invalid_text_at_its_byte() {
    // The text is encoded as literals of the fixed code, which do not end at byte boundaries.
    let mut text = b"only text, until here: ".to_vec();
    text.extend_from_slice(b"\xf0\x80 and then some more");
    let payload = without_context(15, &text);
    let mut receiver = Receiver::with_deflate(
        Role::Client,
        MessageLimits { message_bytes: 100, frames: 1 },
        &Agreement::default(),
    );
    let mut frame = Vec::new();
    write_compressed_frame(Opcode::Text, &payload, &mut frame);
    let at = frame.iter_mut().position(|byte| receiver.receive(std::slice::from_mut(byte)).is_err());
    // The first byte of the payload after which zlib also returns the 25th byte of the text.
    let shown = (1..payload.len()).find(|end| {
        let mut out = [0; 100];
        let mut zlib = flate2::Decompress::new(false);
        zlib.decompress(&payload[..*end], &mut out, flate2::FlushDecompress::None).expect("DEFLATE");
        zlib.total_out() >= 25
    });
    assert_eq!(at, shown.map(|end| 2 + end - 1));
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

/// Blocks that end at a byte boundary. Two are marked as the last, and one has a reference.
const BLOCKS: &[&[u8]] = &[
    b"\x03\x00",
    b"\0\0\0\xff\xff",
    b"\x4a\x04\0\0\0\xff\xff",
    b"\xf2\0\x11\0\0\0\0\xff\xff",
    b"\xf3\x48\xcd\xc9\xc9\x07\0",
];

/// Returns frames that are mostly valid, with payloads that are mostly DEFLATE.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    let deflated = ("[a-d]{0,40}|\\PC{0,9}|(abc|Hello){0,200}", any::<[u8; 3]>(), any::<Index>(), 0..4_u8);
    let payload = prop_oneof![
        6 => deflated.prop_map(|(text, bytes, at, edit)| {
            let mut payload = without_context(15, text.as_bytes());
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
        // Many blocks, some of them marked as the last.
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
    /// A few messages repeat, so that a context is useful. All compressed messages come either from
    /// the deflater of the connection or from `compress_without_context`; others are not
    /// compressed.
    #[test]
    fn receives_every_sent_message(
        server: bool, key: [u8; 4], agreement in any_agreement(), level in 1..=9_u8, is_shared: bool,
        pool in prop::collection::vec(sent(), 1..4),
        order in prop::collection::vec((any::<Index>(), prop::bool::weighted(0.8)), 0..8),
        places in prop::collection::vec(any::<Index>(), 0..20),
    ) {
        let (role, direction) = if server {
            (Role::Server, agreement.client_to_server())
        } else {
            (Role::Client, agreement.server_to_client())
        };
        let mut deflater = Deflater::new(direction, level);
        let (mut wire, mut expected) = (Vec::new(), Vec::new());
        for (index, is_compressed) in order {
            let compress = |payload: &[u8]| match (is_compressed, is_shared) {
                (false, _) => None,
                (true, false) => Some(compressed(&mut deflater, payload)),
                (true, true) => Some(without_context(shared_window_bits(direction.max_window_bits), payload)),
            };
            index.get(&pool).write(role, key, compress, &mut wire, &mut expected);
        }
        let limits = MessageLimits { message_bytes: 65_540, frames: 5 };
        let new = || Receiver::with_deflate(role, limits, &agreement);
        let complete: &[&[u8]] = &[&wire];
        let small = wire.chunks(1 + wire.len() / 4096).collect::<Vec<_>>();
        for parts in [complete, &split(&wire, &places), &small] {
            prop_assert_eq!(&received(new, parts, in_full).0, &expected);
        }
    }

    #[test]
    fn any_bytes_have_the_same_result_however_they_are_split(
        frames in prop::collection::vec(noise(), 0..8), places in prop::collection::vec(any::<Index>(), 0..20),
        agreement in any_agreement(), message_bytes in 0..1200_usize, frame_limit in 1..6_usize,
    ) {
        let wire = frames.concat();
        let limits = MessageLimits { message_bytes, frames: frame_limit };
        let new = || Receiver::with_deflate(Role::Server, limits, &agreement);
        let complete = received(new, &[&wire], in_full);
        prop_assert_eq!(&complete, &received(new, &split(&wire, &places), in_full));
        prop_assert_eq!(&complete, &received(new, &wire.chunks(1).collect::<Vec<_>>(), in_full));
    }

    /// Both versions have the same result for every message of a sequence.
    #[test]
    fn inflates_as_the_plain_version_does(frames in prop::collection::vec(noise(), 1..6)) {
        let mut inflater = Inflater::new(direction(true, 15));
        let mut before = Vec::new();
        for frame in frames {
            let mut payload = frame[frame.len().min(6)..].to_vec();
            barewire::protocol::websocket::mask::apply_plain([frame[2], frame[3], frame[4], frame[5]], 0, &mut payload);
            let expected = plain(&before, &payload).map(|inflated| inflated.bytes).ok_or(ProtocolError::InvalidDeflate);
            let result = inflated(&mut inflater, &payload);
            prop_assert_eq!(&result, &expected, "{:x?}", payload);
            match result {
                Ok(bytes) => before.extend(bytes),
                Err(_) => break,
            }
        }
    }
}
