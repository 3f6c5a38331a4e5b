//! Every byte is in exactly one span, and the spans do not depend on how the input is divided.

use barewire::wire::{Compression, Side, Span, Start};
use proptest::prelude::*;

use crate::vectors::{self, Vector, cut_at, cuts};
use crate::{assert_contiguous, both_sides, of, one_side};

const STARTS: [Start; 4] = [
    Start::Http,
    Start::EventStream,
    Start::WebSocket(Compression::NotSeen),
    Start::WebSocket(Compression::None),
];

/// Returns the bytes of a vector of any file.
fn input(vector: &Vector) -> Vec<u8> {
    let named = ["in", "input", "client", "server"].iter().find_map(|key| vector.get(key));
    let mut input = named.unwrap_or_default().to_vec();
    let counting = vector.get("counting").map_or("0", |number| std::str::from_utf8(number).expect("digits"));
    input.extend((0..=0xFF).cycle().take(counting.parse().expect("a number")));
    input
}

/// Asserts that two lists of spans are equal, and reports the first difference only.
fn assert_same(one: &[Span], other: &[Span], what: &str) {
    for (one, other) in one.iter().zip(other) {
        assert_eq!(one, other, "{what}");
    }
    assert_eq!(one.len(), other.len(), "{what}");
}

#[test]
fn any_division_of_a_vector_gives_the_same_contiguous_spans() {
    for file in [
        include_str!("../vectors/event_stream.txt"),
        include_str!("../vectors/http_chunked.txt"),
        include_str!("../vectors/http_requests.txt"),
        include_str!("../vectors/http_responses.txt"),
        include_str!("../vectors/websocket.txt"),
        include_str!("../vectors/websocket-deflate.txt"),
        include_str!("../vectors/websocket-opening.txt"),
        include_str!("../vectors/wire.txt"),
    ] {
        for vector in vectors::parse(file) {
            let bytes = input(&vector);
            for (start, side) in
                STARTS.into_iter().flat_map(|start| [(start, Side::Client), (start, Side::Server)])
            {
                let what = format!("{} as {start:?} of the {}", vector.text("name"), side.name());
                let undivided = one_side(start, side, [&bytes[..]]);
                assert_contiguous(&undivided, &bytes, &what);
                if bytes.len() > 600 {
                    assert_same(&one_side(start, side, bytes.chunks(997)), &undivided, &what);
                    continue;
                }
                for pieces in cuts(&bytes) {
                    assert_same(&one_side(start, side, pieces), &undivided, &what);
                }
            }
        }
    }
}

/// Valid and invalid fragments, to be concatenated.
const FRAGMENTS: &[&[u8]] = &[
    b"GET /a?access_token=b HTTP/1.1\r\n",
    b"POST /topics/a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"HEAD / HTTP/1.0\r\n\r\n",
    b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
    b"HTTP/1.1 101 ok\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Authorization: Bearer x\r\n",
    b" folded\r\n",
    b"\r\n",
    b"\n",
    b"\r",
    b"5\r\nhello\r\n",
    b"8;a=\"b\"\r\ndata: a\n\r\n",
    b"1\r\n\n\r\n",
    b"0\r\n\r\n",
    b"0\r\nA: b\r\n\r\n",
    b"data: a\ndata: b\n\n",
    b"id: 1\0\r\rretry: 1x\r\n:c\n",
    b"\xef\xbb\xbf",
    b"\x81\x05Hello",
    b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58",
    b"\x01\x03Hel",
    b"\x80\x02lo",
    b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00",
    b"\x89\x00",
    b"\x88\x02\x03\xe8",
    b"\x82\x7e\x00\x80",
    b"\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00",
    b"\xff\xff",
];

fn traffic() -> impl Strategy<Value = Vec<u8>> {
    let fragment = prop::sample::select(FRAGMENTS).prop_map(<[u8]>::to_vec);
    let noise = prop::collection::vec(any::<u8>(), 0..40);
    let long = (any::<u8>(), 1..10_000usize).prop_map(|(byte, length)| vec![byte; length]);
    prop::collection::vec(prop_oneof![12 => fragment, 2 => noise, 1 => long], 0..12)
        .prop_map(|parts| parts.concat())
}

fn places() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(any::<usize>(), 0..8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn any_division_of_one_side_gives_the_same_contiguous_spans(
        bytes in traffic(), start in prop::sample::select(&STARTS[..]), is_client: bool, places in places(),
    ) {
        let side = if is_client { Side::Client } else { Side::Server };
        let undivided = one_side(start, side, [&bytes[..]]);
        assert_contiguous(&undivided, &bytes, "undivided");
        assert_same(&one_side(start, side, cut_at(&bytes, &places)), &undivided, "divided");
        if bytes.len() < 2000 {
            assert_same(&one_side(start, side, bytes.chunks(1)), &undivided, "byte by byte");
        }
    }

    /// The spans of a side do not depend on how the sides are interleaved, as long as few bytes
    /// wait.
    #[test]
    fn any_division_of_both_sides_gives_the_same_contiguous_spans(
        client in traffic(), server in traffic(), of_client in places(), of_server in places(),
    ) {
        let undivided = both_sides([(Side::Client, &client[..]), (Side::Server, &server)]);
        assert_contiguous(&of(Side::Client, &undivided), &client, "client");
        assert_contiguous(&of(Side::Server, &undivided), &server, "server");
        // The client comes first: a response before its request would be read differently.
        let cut = both_sides(
            cut_at(&client, &of_client).into_iter().map(|piece| (Side::Client, piece))
                .chain(cut_at(&server, &of_server).into_iter().map(|piece| (Side::Server, piece))),
        );
        for side in [Side::Client, Side::Server] {
            assert_same(&of(side, &cut), &of(side, &undivided), side.name());
        }
    }
}
