use std::fmt::Write;

use proptest::prelude::*;

use super::{decode, is_evident};

/// The masked `Hello` of RFC 6455 §5.7.
const HELLO: [u8; 11] = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];

/// `HELLO` in the words of each program, and whether the form is evident without `--hex`.
const FORMS: &[(&str, &str, bool)] = &[
    ("digits", "818537fa213d7f9f4d5158", false),
    ("xxd -p", "818537fa213d7f9f4d5158\n", false),
    ("pairs", "81 85 37 fa\r\n21 3d 7f 9f 4d 51 58\r\n", true),
    ("groups", "8185 37FA 213d 7f9f 4d51 58", false),
    ("colons", "81:85:37:fa:21:3d:7f:9f:4d:51:58", false),
    ("groups with colons", "8185:37fa:213d:7f9f:4d51:58", false),
    ("hyphens", "81-85-37-FA-21-3D-7F-9F-4D-51-58", false),
    ("0x", "0x81, 0x85 0x37fa,0X21,0x3d,0x7f,0x9f,0x4d,0x51,0x58,", false),
    ("escapes", r"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", false),
    ("od -A n -t x1", " 81 85 37 fa 21 3d 7f 9f 4d 51 58\n", true),
    ("od -A x -t x1", "000000 81 85 37 fa 21 3d 7f 9f 4d 51 58\n00000b\n", true),
    ("od -t x1", "0000000 81 85 37 fa 21 3d 7f 9f 4d 51 58\n0000013\n", true),
    ("od -A d -t x1", "0000000 81 85 37 fa 21 3d 7f 9f 4d 51 58\n0000011\n", true),
    ("od -t x1 of BSD", "0000000    81  85  37  fa  21  3d  7f  9f  4d  51  58\n0000013\n", true),
    (
        "od -A x -t x1z",
        "000000 81 85 37 fa 21 3d 7f 9f 4d 51 58                 >..7.!=..MQX<\n00000b\n",
        true,
    ),
    ("od -A x -t x1 -j 16", "000010 81 85 37 fa 21 3d 7f 9f 4d 51 58\n00001b\n", true),
    ("xxd", "00000000: 8185 37fa 213d 7f9f 4d51 58              ..7.!=..MQX\n", true),
    ("xxd -g 1", "00000000: 81 85 37 fa 21 3d 7f 9f 4d 51 58                 ..7.!=..MQX\n", true),
    ("xxd -c 8", "00000000: 8185 37fa 213d 7f9f  ..7.!=..\n00000008: 4d51 58              MQX\n", true),
    ("xxd -u", "00000000: 8185 37FA 213D 7F9F 4D51 58              ..7.!=..MQX\n", true),
    ("xxd -g 0", "00000000: 818537fa213d7f9f4d5158            ..7.!=..MQX\n", true),
    ("xxd -g 4", "00000000: 818537fa 213d7f9f 4d5158             ..7.!=..MQX\n", true),
    ("xxd without its text", "00000000: 8185 37fa 213d 7f9f 4d51 58\n", true),
    (
        "xxd -i",
        "unsigned char hello_bin[] = {\n  0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58\n};\n\
         unsigned int hello_bin_len = 11;\n",
        false,
    ),
    (
        "hexdump -C",
        "00000000  81 85 37 fa 21 3d 7f 9f  4d 51 58                 |..7.!=..MQX|\n0000000b\n",
        true,
    ),
    (
        "tcpdump -x",
        "14:02:11.000001 IP 127.0.0.1.42758 > 127.0.0.1.8080: Flags [P.], seq 1:12, ack 1, length 11\n\
         \t0x0000:  8185 37fa 213d 7f9f 4d51 58\n",
        false,
    ),
    (
        "tcpdump -X",
        "IP 127.0.0.1.42758 > 127.0.0.1.8080: Flags [P.], length 11\n\
         \t0x0000:  8185 37fa 213d 7f9f 4d51 58             ..7.!=..MQX\n",
        false,
    ),
    (
        "tshark -x",
        "    1 0.000000000    127.0.0.1 \u{2192} 127.0.0.1    TCP 77 42758 \u{2192} 8080 [PSH, ACK] Len=11\n\nFrame (11 bytes):\n\
         0000  81 85 37 fa 21 3d 7f 9f 4d 51 58                  ..7.!=..MQX\n",
        false,
    ),
    ("Wireshark, hex dump", "0000   81 85 37 fa 21 3d 7f 9f 4d 51 58\n", true),
    (
        "Wireshark, hex and text",
        "0000   81 85 37 fa 21 3d 7f 9f 4d 51 58                  ..7.!=..MQX\n",
        true,
    ),
    ("Wireshark, follow", "00000000  81 85 37 fa 21 3d 7f 9f  4d 51 58                 ..7.!=.. MQX\n", true),
    (
        "Wireshark, escaped string",
        "\"\\x81\\x85\\x37\\xfa\\x21\\x3d\\x7f\\x9f\" \\\n\"\\x4d\\x51\\x58\"\n",
        false,
    ),
    (
        "Wireshark, C array",
        "/* Frame (11 bytes) */\nstatic const unsigned char pkt1[11] = {\n\
         0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, /* ..7.!=.. */\n0x4d, 0x51, 0x58 /* MQX */\n};\n",
        false,
    ),
    (
        "Wireshark, arrays of one peer",
        "char peer0_0[] = { /* Packet 4 */\n0x81, 0x85, 0x37, 0xfa };\nchar peer0_1[] = { // 5\n\
         0x21, 0x3d, 0x7f, 0x9f, \n0x4d, 0x51, 0x58 };\n",
        false,
    ),
];

#[test]
fn refuses_the_octal_words_that_od_writes_after_hexadecimal_offsets() {
    // printf 'GET / HTTP/1.1\r\nHost: a\r\n\r\n' | od -Ax
    let dump = "000000 042507 020124 020057 052110 050124 030457 030456 005015\n\
                000010 067510 072163 020072 006541 006412 000012\n00001b\n";
    let error = decode(dump.as_bytes()).expect_err("words");
    assert!(error.contains("the order of the bytes in its words"), "{error}");
    // Without the length at the end, these are groups of three bytes.
    assert_eq!(decode(b"000000 042507"), Ok(vec![0, 0, 0, 0x04, 0x25, 0x07]));
}

#[test]
fn decodes_the_forms_of_all_known_programs() {
    for (name, text, evident) in FORMS {
        assert_eq!(decode(text.as_bytes()).as_deref(), Ok(&HELLO[..]), "{name}");
        assert_eq!(is_evident(text.as_bytes(), true), *evident, "{name}");
        let with_mark = format!("\u{feff}{text}");
        assert_eq!(decode(with_mark.as_bytes()).as_deref(), Ok(&HELLO[..]), "{name} after a byte order mark");
        let with_carriage_returns = text.replace('\n', "\r\n");
        assert_eq!(decode(with_carriage_returns.as_bytes()).as_deref(), Ok(&HELLO[..]), "{name} with CRLF");
    }
}

#[test]
fn rejects_what_can_be_read_in_two_ways_or_in_none() {
    for (text, reason) in [
        // od -x, od, od -c, od -t x4, hexdump, hexdump -b: words of the machine, octal, characters.
        ("0000000 8581 fa37 3d21 9f7f 514d 0058\n0000013\n", "use od -t x1 or hexdump -C"),
        ("000000 8581 fa37 3d21\n000006\n", "use od -t x1 or hexdump -C"),
        ("0000000 102601 175067 036441\n0000006\n", "use od -t x1 or hexdump -C"),
        ("0000000 201 205   7 372   !   =\n0000006\n", "use od -t x1 or hexdump -C"),
        ("0000000 fa378581 9f7f3d21\n0000010\n", "use od -t x1 or hexdump -C"),
        ("0000000    8581    fa37    3d21\n0000006\n", "use od -t x1 or hexdump -C"),
        ("0000000 201 205 067 372 041 075\n0000006\n", "use od -t x1 or hexdump -C"),
        // xxd -e and xxd -b.
        ("00000000: fa378581 9f7f3d21   58514d           ..7.!=..MQX\n", "do not fit each other"),
        ("00000000: 00818283 84858687  ........\n", "use xxd -g 1"),
        ("00000000: 10000001 10000101 00110111  ..7\n", "do not fit each other"),
        ("00000000: 01100001 01100010 01100011  abc\n", "do not fit each other"),
        ("00000000: 01100001 01100010 01100011 01100100  abcd\n", "do not fit each other"),
        ("8185 37 fa 21 3d", "may be an offset or bytes"),
        ("8185: 37fa 213d", "may be an offset or bytes"),
        ("0000000 61\n*\n0000160 62\n0000161\n", "base of the offsets is not certain"),
        ("000000 81 85\n000003 37\n", "line 2: the offset does not follow"),
        ("000000 81 85\n000004\n", "line 2: the offset does not follow"),
        ("000000 81 85\n000001 37\n", "line 2: the offsets restart"),
        ("\t0x0000:  8185\n\t0x0000:  37fa\n", "the dump has several packets"),
        ("00000000  81  .\n    00000000  82  .\n", "line 2: the offsets restart"),
        ("00000000: 8185  ..\nand so on\n", "line 2 has no offset"),
        ("00000000: 8185  ab\n", "line 1: the digits and the text after them"),
        ("00000000  61\n*\n", "the number of repetitions is not known"),
        ("00000000  61\n*\nffffffffffffffff\n", "line 3: the offset does not follow"),
        (" 81 85\n*\n 37\n", "line 2: these are not hexadecimal digits"),
        ("char peer0_0[] = { 0x81 };\nchar peer1_0[] = { 0x82 };", "both directions"),
        ("int a[] = { 10, 20 };", "does not begin with 0x"),
        ("int a[] = { 0x81,", "an array has no end"),
        ("818", "line 1: these are not"),
        ("8 1", "line 1: these are not"),
        ("81\n85 3x", "line 2: these are not"),
    ] {
        let error = decode(text.as_bytes()).expect_err(text);
        assert!(error.contains(reason), "{text:?}: {error}");
        assert!(error.contains("known forms are") && error.contains("hexadecimal"), "{error}");
        // Without --hex too, words are refused and not taken for text.
        assert_eq!(is_evident(text.as_bytes(), true), reason.contains("od -t x1"), "{text:?}");
    }
    assert!(decode(b"\xff\xfe8\x001\0").is_err());
}

/// Returns a packet of TCP with a payload, from a port.
fn packet(is_ipv6: bool, port: u16, payload: &[u8]) -> Vec<u8> {
    let tcp = [
        &port.to_be_bytes()[..],
        &[0x1f, 0x90, 0, 0, 0, 1, 0, 0, 0, 2, 0x60, 0x18, 2, 0, 0, 0, 0, 0],
        &[1; 4],
    ];
    let segment = [&tcp.concat(), payload].concat();
    let length = segment.len() as u16;
    let header = match is_ipv6 {
        true => {
            [&[0x60, 0, 0, 0][..], &length.to_be_bytes(), &[6, 64], &[0; 15], &[1], &[0; 15], &[1]].concat()
        }
        false => {
            let length = (length + 20).to_be_bytes();
            [&[0x45, 0][..], &length, &[0, 1, 0x40, 0, 64, 6, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1]].concat()
        }
    };
    [header, segment].concat()
}

#[test]
fn packets_of_tcp_are_reduced_to_their_data() {
    let tcpdump = |packets: &[Vec<u8>]| -> String {
        let one = |bytes: &Vec<u8>| {
            let rows = dump(bytes, false, |at, row| {
                format!("\t0x{at:04x}:  {:39}  {}", groups(row, 2), column(row))
            });
            format!("12:00:00.000001 IP localhost.42758 > localhost.8080: Flags [P.]\n{rows}")
        };
        packets.iter().map(one).collect()
    };
    for is_ipv6 in [false, true] {
        let packets = [
            packet(is_ipv6, 5000, b""),
            packet(is_ipv6, 5000, &HELLO[..5]),
            packet(is_ipv6, 5000, &HELLO[5..]),
        ];
        assert_eq!(decode(tcpdump(&packets).as_bytes()).as_deref(), Ok(&HELLO[..]));
        let whole = packet(is_ipv6, 5000, &HELLO);
        let ethernet =
            [&[2; 12][..], if is_ipv6 { &[0x86, 0xdd] } else { &[8, 0] }, &whole, &[0; 3]].concat();
        for bytes in [&whole, &ethernet] {
            let wireshark = dump(bytes, false, |at, row| format!("{at:04x}   {}", groups(row, 1)));
            assert_eq!(decode(wireshark.as_bytes()).as_deref(), Ok(&HELLO[..]));
            assert_eq!(decode(tcpdump(std::slice::from_ref(bytes)).as_bytes()).as_deref(), Ok(&HELLO[..]));
        }
        let other = packet(is_ipv6, 5001, b"x");
        let error = decode(tcpdump(&[whole.clone(), other]).as_bytes()).expect_err("two senders");
        assert!(error.contains("several senders"), "{error}");
        // Incomplete packets are shown as they are.
        let cut = &whole[..whole.len() - 1];
        assert_eq!(decode(tcpdump(&[cut.to_vec()]).as_bytes()).as_deref(), Ok(cut));
        for length in 0..whole.len() {
            let _ = decode(tcpdump(&[whole[..length].to_vec()]).as_bytes());
        }
    }
}

#[test]
fn other_text_is_not_evidently_hexadecimal() {
    for text in [
        "",
        "data: a\n\n",
        "HTTP/1.1 200 OK\n\n0000  61\n",
        "81 85 37",
        "face b00c 1234 5678",
        "1c\r\nretry: 1\n",
        "GET / HTTP/1.1\r\n",
        "12: x",
    ] {
        assert!(!is_evident(text.as_bytes(), true), "{text:?}");
    }
    let start = "00000000  61 62                                             |ab|\n0000";
    assert!(is_evident(start.as_bytes(), false), "a line may be cut off");
}

#[test]
fn expands_repeated_lines() {
    let zeros = "00 ".repeat(16);
    for text in [
        format!(
            "00000000: {zeros}  ................\n*\n00000070: 61 {}62  a..............b\n",
            "00 ".repeat(14)
        ),
        format!("00000000  {zeros} |................|\n*\n00000070  61 {}62 \n00000080\n", "00 ".repeat(14)),
        format!("000000 {zeros}\n*\n000070 61 {}62\n000080\n", "00 ".repeat(14)),
        format!("0000000 {zeros}\n0000020 {zeros}\n*\n0000160 61 {}62\n0000200\n", "00 ".repeat(14)),
    ] {
        let mut expected = [0; 128];
        (expected[112], expected[127]) = (b'a', b'b');
        assert_eq!(decode(text.as_bytes()).as_deref(), Ok(&expected[..]), "{text}");
    }
    let end = format!("00000000  {zeros} |................|\n*\n00000100\n");
    assert_eq!(decode(end.as_bytes()), Ok(vec![0; 256]));
}

/// Returns the bytes as text, as a dump shows them.
fn column(row: &[u8]) -> String {
    row.iter().map(|byte| if matches!(byte, b' '..=b'~') { char::from(*byte) } else { '.' }).collect()
}

fn groups(row: &[u8], size: usize) -> String {
    let group = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    row.chunks(size).map(group).collect::<Vec<_>>().join(" ")
}

/// Writes a dump with a row for each 16 bytes. With `repeats`, a row that equals the one before it
/// and is not the last one is left out, with a line `*` for all of them.
fn dump(bytes: &[u8], repeats: bool, row: impl Fn(usize, &[u8]) -> String) -> String {
    let mut out = String::new();
    let rows: Vec<&[u8]> = bytes.chunks(16).collect();
    let mut is_starred = false;
    for (index, bytes) in rows.iter().enumerate() {
        if repeats && index > 0 && index + 1 < rows.len() && rows[index - 1] == *bytes {
            out.push_str(if is_starred { "" } else { "*\n" });
            is_starred = true;
        } else {
            // Writing to a String can't fail.
            let _ = writeln!(out, "{}", row(16 * index, bytes));
            is_starred = false;
        }
    }
    out
}

/// Returns bytes in every form.
fn in_all_forms(bytes: &[u8]) -> Vec<(&'static str, String)> {
    let length = bytes.len();
    let halves = |row: &[u8]| {
        let (first, second) = row.split_at(row.len().min(8));
        format!("{}  {}", groups(first, 1), groups(second, 1))
    };
    vec![
        ("digits", groups(bytes, length.max(1))),
        ("pairs", groups(bytes, 1)),
        ("colons", groups(bytes, 1).replace(' ', ":")),
        ("escapes", format!("\\x{}", groups(bytes, 1).replace(' ', "\\x"))),
        ("xxd -p", bytes.chunks(30).map(|row| groups(row, 30) + "\n").collect()),
        ("xxd", dump(bytes, false, |at, row| format!("{at:08x}: {:39}  {}", groups(row, 2), column(row)))),
        (
            "xxd -g 1",
            dump(bytes, false, |at, row| format!("{at:08x}: {:47}  {}", groups(row, 1), column(row))),
        ),
        ("xxd -d", dump(bytes, false, |at, row| format!("{at:08}: {:39}  {}", groups(row, 2), column(row)))),
        (
            "xxd, trimmed",
            dump(bytes, false, |at, row| {
                format!("{at:08x}: {:39}  {}", groups(row, 2), column(row)).trim_end().to_owned()
            }),
        ),
        (
            "od -A x",
            dump(bytes, true, |at, row| format!("{at:06x} {}", groups(row, 1))) + &format!("{length:06x}\n"),
        ),
        (
            "od",
            dump(bytes, false, |at, row| format!("{at:07o} {}", groups(row, 1))) + &format!("{length:07o}\n"),
        ),
        (
            "od -t x1z",
            dump(bytes, true, |at, row| format!("{at:06x} {:47}  >{}<", groups(row, 1), column(row)))
                + &format!("{length:06x}\n"),
        ),
        (
            "hexdump -C",
            dump(bytes, true, |at, row| format!("{at:08x}  {:48}  |{}|", halves(row), column(row)))
                + &format!("{length:08x}\n"),
        ),
        ("tcpdump -x", dump(bytes, false, |at, row| format!("\t0x{at:04x}:  {}", groups(row, 2)))),
        (
            "tcpdump -X",
            dump(bytes, false, |at, row| {
                format!("\t0x{at:04x}:  {:39}  {}", groups(row, 2), column(row).replace(' ', "."))
            }),
        ),
        ("Wireshark", dump(bytes, false, |at, row| format!("{at:04x}   {}", groups(row, 1)))),
        (
            "Wireshark, text",
            dump(bytes, false, |at, row| format!("{at:04x}   {:47}   {}", groups(row, 1), column(row))),
        ),
        (
            "Wireshark, follow",
            dump(bytes, false, |at, row| {
                let (first, second) = row.split_at(row.len().min(8));
                format!("{at:08x}  {:48}   {} {}", halves(row), column(first), column(second))
            }),
        ),
        (
            "C array",
            format!(
                "static const unsigned char pkt1[{length}] = {{\n{}}};\n",
                bytes
                    .chunks(8)
                    .map(|row| format!("0x{}, /* {} */\n", groups(row, 1).replace(' ', ", 0x"), column(row)))
                    .collect::<String>()
            ),
        ),
    ]
}

proptest! {
    #[test]
    fn any_bytes_are_decoded_from_every_form(
        bytes in prop_oneof![
            prop::collection::vec(any::<u8>(), 1..70),
            prop::collection::vec(prop::sample::select(&b"\0 .|>ab09*/"[..]), 1..70),
            (any::<u8>(), 1..300usize).prop_map(|(byte, length)| vec![byte; length]),
        ],
    ) {
        for (name, text) in in_all_forms(&bytes) {
            let decoded = decode(text.as_bytes());
            prop_assert_eq!(decoded.as_ref(), Ok(&bytes), "{}:\n{}", name, text);
        }
    }

    /// Any text is decoded or rejected without a panic, in proportion to its length.
    #[test]
    fn any_text_is_decoded_or_rejected(text in "(0?x?[0-9a-f]{1,8}[: \\t]{1,3}|\\*\n|\n|[ -~]|\u{e9}|[{}\\\\x\"]){0,40}") {
        let _ = decode(text.as_bytes());
        let _ = is_evident(text.as_bytes(), false);
    }
}
