//! Sequences of bytes that UTF-8 decoders get wrong, in the classes of Markus Kuhn's stress test.

/// Sequences of one kind, a case for each.
pub struct Group {
    /// The index of the first case.
    pub first: u16,
    /// The first two parts of the numbers in the Autobahn TestSuite.
    pub autobahn: &'static str,
    pub title: &'static str,
    pub sequences: &'static [&'static [u8]],
}

/// The groups. Those that follow a pattern are generated instead.
pub const GROUPS: &[Group] = &[
    Group {
        first: 14,
        autobahn: "6.5",
        title: "valid text",
        sequences: &[
            b"hello$world",
            b"hello\xc2\xa2world",
            b"hello\xe2\x82\xacworld",
            b"hello\xf0\xa4\xad\xa2world",
            b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5",
        ],
    },
    Group {
        first: 30,
        autobahn: "6.7",
        title: "the first code point of a length",
        sequences: &[
            b"\x00",
            b"\xc2\x80",
            b"\xe0\xa0\x80",
            b"\xf0\x90\x80\x80",
        ],
    },
    Group {
        first: 34,
        autobahn: "6.8",
        title: "the first sequence of five or six bytes",
        sequences: &[
            b"\xf8\x88\x80\x80\x80",
            b"\xfc\x84\x80\x80\x80\x80",
        ],
    },
    Group {
        first: 36,
        autobahn: "6.9",
        title: "the last code point of a length",
        sequences: &[
            b"\x7f",
            b"\xdf\xbf",
            b"\xef\xbf\xbf",
            b"\xf4\x8f\xbf\xbf",
        ],
    },
    Group {
        first: 40,
        autobahn: "6.10",
        title: "the last sequence of four to six bytes",
        sequences: &[
            b"\xf7\xbf\xbf\xbf",
            b"\xfb\xbf\xbf\xbf\xbf",
            b"\xfd\xbf\xbf\xbf\xbf\xbf",
        ],
    },
    Group {
        first: 43,
        autobahn: "6.11",
        title: "at a boundary",
        sequences: &[
            b"\xed\x9f\xbf",
            b"\xee\x80\x80",
            b"\xef\xbf\xbd",
            b"\xf4\x8f\xbf\xbf",
            b"\xf4\x90\x80\x80",
        ],
    },
    Group {
        first: 48,
        autobahn: "6.12",
        title: "continuation bytes without a start",
        sequences: &[
            b"\x80",
            b"\xbf",
            b"\x80\xbf",
            b"\x80\xbf\x80",
            b"\x80\xbf\x80\xbf",
            b"\x80\xbf\x80\xbf\x80",
            b"\x80\xbf\x80\xbf\x80\xbf",
        ],
    },
    Group {
        first: 61,
        autobahn: "6.14",
        title: "a sequence without its last byte",
        sequences: &[
            b"\xc0",
            b"\xe0\x80",
            b"\xf0\x80\x80",
            b"\xf8\x80\x80\x80",
            b"\xfc\x80\x80\x80\x80",
            b"\xdf",
            b"\xef\xbf",
            b"\xf7\xbf\xbf",
            b"\xfb\xbf\xbf\xbf",
            b"\xfd\xbf\xbf\xbf\xbf",
        ],
    },
    Group {
        first: 71,
        autobahn: "6.15",
        title: "incomplete sequences one after the other",
        sequences: &[
            b"\xc0\xe0\x80\xf0\x80\x80\xf8\x80\x80\x80\xfc\x80\x80\x80\x80\xdf\xef\xbf\xf7\xbf\xbf\xfb\xbf\xbf\xbf\xfd\xbf\xbf\xbf\xbf",
        ],
    },
    Group {
        first: 72,
        autobahn: "6.16",
        title: "bytes that never occur",
        sequences: &[
            b"\xfe",
            b"\xff",
            b"\xfe\xfe\xff\xff",
        ],
    },
    Group {
        first: 75,
        autobahn: "6.17",
        title: "an overlong slash",
        sequences: &[
            b"\xc0\xaf",
            b"\xe0\x80\xaf",
            b"\xf0\x80\x80\xaf",
            b"\xf8\x80\x80\x80\xaf",
            b"\xfc\x80\x80\x80\x80\xaf",
        ],
    },
    Group {
        first: 80,
        autobahn: "6.18",
        title: "the last overlong sequence of a length",
        sequences: &[
            b"\xc1\xbf",
            b"\xe0\x9f\xbf",
            b"\xf0\x8f\xbf\xbf",
            b"\xf8\x87\xbf\xbf\xbf",
            b"\xfc\x83\xbf\xbf\xbf\xbf",
        ],
    },
    Group {
        first: 85,
        autobahn: "6.19",
        title: "an overlong NUL",
        sequences: &[
            b"\xc0\x80",
            b"\xe0\x80\x80",
            b"\xf0\x80\x80\x80",
            b"\xf8\x80\x80\x80\x80",
            b"\xfc\x80\x80\x80\x80\x80",
        ],
    },
    Group {
        first: 90,
        autobahn: "6.20",
        title: "a surrogate",
        sequences: &[
            b"\xed\xa0\x80",
            b"\xed\xad\xbf",
            b"\xed\xae\x80",
            b"\xed\xaf\xbf",
            b"\xed\xb0\x80",
            b"\xed\xbe\x80",
            b"\xed\xbf\xbf",
        ],
    },
    Group {
        first: 97,
        autobahn: "6.21",
        title: "a pair of surrogates",
        sequences: &[
            b"\xed\xa0\x80\xed\xb0\x80",
            b"\xed\xa0\x80\xed\xbf\xbf",
            b"\xed\xad\xbf\xed\xb0\x80",
            b"\xed\xad\xbf\xed\xbf\xbf",
            b"\xed\xae\x80\xed\xb0\x80",
            b"\xed\xae\x80\xed\xbf\xbf",
            b"\xed\xaf\xbf\xed\xb0\x80",
            b"\xed\xaf\xbf\xed\xbf\xbf",
        ],
    },
    Group {
        first: 105,
        autobahn: "6.22",
        title: "a noncharacter",
        sequences: &[
            b"\xef\xbf\xbe",
            b"\xef\xbf\xbf",
            b"\xf0\x9f\xbf\xbe",
            b"\xf0\x9f\xbf\xbf",
            b"\xf0\xaf\xbf\xbe",
            b"\xf0\xaf\xbf\xbf",
            b"\xf0\xbf\xbf\xbe",
            b"\xf0\xbf\xbf\xbf",
            b"\xf1\x8f\xbf\xbe",
            b"\xf1\x8f\xbf\xbf",
            b"\xf1\x9f\xbf\xbe",
            b"\xf1\x9f\xbf\xbf",
            b"\xf1\xaf\xbf\xbe",
            b"\xf1\xaf\xbf\xbf",
            b"\xf1\xbf\xbf\xbe",
            b"\xf1\xbf\xbf\xbf",
            b"\xf2\x8f\xbf\xbe",
            b"\xf2\x8f\xbf\xbf",
            b"\xf2\x9f\xbf\xbe",
            b"\xf2\x9f\xbf\xbf",
            b"\xf2\xaf\xbf\xbe",
            b"\xf2\xaf\xbf\xbf",
            b"\xf2\xbf\xbf\xbe",
            b"\xf2\xbf\xbf\xbf",
            b"\xf3\x8f\xbf\xbe",
            b"\xf3\x8f\xbf\xbf",
            b"\xf3\x9f\xbf\xbe",
            b"\xf3\x9f\xbf\xbf",
            b"\xf3\xaf\xbf\xbe",
            b"\xf3\xaf\xbf\xbf",
            b"\xf3\xbf\xbf\xbe",
            b"\xf3\xbf\xbf\xbf",
            b"\xf4\x8f\xbf\xbe",
            b"\xf4\x8f\xbf\xbf",
        ],
    },
    Group {
        first: 139,
        autobahn: "6.23",
        title: "a special character",
        sequences: &[
            b"\xef\xbf\xb9",
            b"\xef\xbf\xba",
            b"\xef\xbf\xbb",
            b"\xef\xbf\xbc",
            b"\xef\xbf\xbd",
            b"\xef\xbf\xbe",
            b"\xef\xbf\xbf",
        ],
    },
];

/// Returns all continuation bytes but the last.
pub fn lone_continuations() -> Vec<u8> {
    (0x80..0xbf).collect()
}

/// Returns the start bytes of a range, with a space after each.
pub fn starts(lowest: u8, highest: u8) -> Vec<u8> {
    (lowest..=highest).flat_map(|start| [start, b' ']).collect()
}

/// Returns texts in two frames: the index of the case, both payloads and a title.
pub fn in_frames() -> [(u16, &'static [u8], &'static [u8], &'static str); 14] {
    [
        (200, b"a\xf0", b"\x9f\xa6\x80b", "a character of four bytes, cut after the first"),
        (201, b"a\xf0\x9f", b"\xa6\x80b", "a character of four bytes, cut after the second"),
        (202, b"a\xf0\x9f\xa6", b"\x80b", "a character of four bytes, cut after the third"),
        (203, b"a\xc0", b"\xaf", "an overlong slash of two bytes"),
        (204, b"a\xe0", b"\x80\xaf", "an overlong slash of three bytes"),
        (205, b"a\xf0", b"\x80\x80\xaf", "an overlong slash of four bytes"),
        (206, b"a\xed", b"\xa0\x80", "a surrogate"),
        (207, b"a\xf4", b"\x90\x80\x80", "a code point above U+10FFFF"),
        (208, b"a\xf8", b"\x88\x80\x80\x80", "a sequence of five bytes"),
        (209, b"a\xe2", b"\x82a", "a character whose last byte is missing"),
        (210, b"a\xe2\x82", b"", "a character that is incomplete at the end"),
        (211, b"a\xe2\x82", b"a", "a letter within a character"),
        (212, b"a\xff", b"b", "an invalid byte in the first frame"),
        (213, b"a", b"\x80b", "a continuation byte at the start of the second frame"),
    ]
}
