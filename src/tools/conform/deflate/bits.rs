//! DEFLATE streams that no compressor writes (RFC 1951).

/// The number of extra bits and the first length of each length code, 257 to 285 (§3.2.5).
const LENGTHS: [(u8, u16); 29] = [
    (0, 3),
    (0, 4),
    (0, 5),
    (0, 6),
    (0, 7),
    (0, 8),
    (0, 9),
    (0, 10),
    (1, 11),
    (1, 13),
    (1, 15),
    (1, 17),
    (2, 19),
    (2, 23),
    (2, 27),
    (2, 31),
    (3, 35),
    (3, 43),
    (3, 51),
    (3, 59),
    (4, 67),
    (4, 83),
    (4, 99),
    (4, 115),
    (5, 131),
    (5, 163),
    (5, 195),
    (5, 227),
    (0, 258),
];

/// Returns the number of extra bits and the first distance of a distance code, 0 to 29 (§3.2.5).
pub fn distance_code(code: u16) -> (u8, u32) {
    match code {
        0..=3 => (0, u32::from(code) + 1),
        _ => {
            let extra = code / 2 - 1;
            (extra as u8, ((2 + u32::from(code % 2)) << extra) + 1)
        }
    }
}

/// Returns the number of extra bits and the first length of a length code, 257 to 285.
pub fn length_code(code: u16) -> Option<(u8, u16)> {
    LENGTHS.get(usize::from(code.checked_sub(257)?)).copied()
}

/// The type of a block (§3.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Stored = 0,
    Fixed = 1,
    Dynamic = 2,
    Reserved = 3,
}

/// A stream that is written bit by bit.
#[derive(Clone, Debug, Default)]
pub struct Bits {
    bytes: Vec<u8>,
    /// The number of bits in the last byte; 0 stands for 8.
    used: u8,
}

impl Bits {
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends the lowest `count` bits, the lowest one first.
    pub fn bits(mut self, value: u32, count: u8) -> Self {
        for at in 0..count {
            if self.used == 0 {
                self.bytes.push(0);
            }
            let bit = (value >> at & 1) as u8;
            *self.bytes.last_mut().expect("a byte was pushed") |= bit << self.used;
            self.used = (self.used + 1) % 8;
        }
        self
    }

    /// Appends a Huffman code, the highest bit first (§3.1.1).
    fn code(self, code: u32, length: u8) -> Self {
        (0..length).rev().fold(self, |bits, at| bits.bits(code >> at, 1))
    }

    /// Appends the header of a block. `is_last` is BFINAL.
    pub fn block(self, is_last: bool, kind: Kind) -> Self {
        self.bits(is_last.into(), 1).bits(kind as u32, 2)
    }

    /// Appends a symbol in the fixed code (§3.2.6).
    pub fn symbol(self, symbol: u16) -> Self {
        let symbol = u32::from(symbol);
        match symbol {
            0..=143 => self.code(0x30 + symbol, 8),
            144..=255 => self.code(0x190 + symbol - 144, 9),
            256..=279 => self.code(symbol - 256, 7),
            _ => self.code(0xc0 + symbol - 280, 8),
        }
    }

    /// Appends literal bytes to a block with the fixed code.
    pub fn literals(self, bytes: &[u8]) -> Self {
        bytes.iter().fold(self, |bits, byte| bits.symbol(u16::from(*byte)))
    }

    /// Appends a copy of `length` bytes from `distance` bytes back.
    pub fn copy(self, length: u16, distance: u32) -> Self {
        let at = LENGTHS.iter().rposition(|(_, first)| *first <= length).expect("a length from 3 on");
        let (extra, first) = LENGTHS[at];
        let with_length = self.symbol(257 + at as u16).bits(u32::from(length - first), extra);
        let code = (0..30).rev().find(|code| distance_code(*code).1 <= distance);
        let code = code.expect("a distance from 1 on");
        let (extra, first) = distance_code(code);
        with_length.code(code.into(), 5).bits(distance - first, extra)
    }

    /// Appends a code of a distance, without extra bits.
    pub fn raw_distance(self, code: u32) -> Self {
        self.code(code, 5)
    }

    /// Ends a block with the fixed code.
    pub fn end(self) -> Self {
        self.symbol(256)
    }

    /// Appends a block of bytes that are not compressed.
    pub fn stored(self, is_last: bool, bytes: &[u8]) -> Self {
        let mut stored = self.block(is_last, Kind::Stored);
        stored.used = 0;
        let length = bytes.len() as u16;
        stored.bytes.extend_from_slice(&length.to_le_bytes());
        stored.bytes.extend_from_slice(&(!length).to_le_bytes());
        stored.bytes.extend_from_slice(bytes);
        stored
    }

    /// Fills the last byte with zeros, as after a last block.
    pub fn align(mut self) -> Self {
        self.used = 0;
        self
    }

    /// Ends the message: the header of the empty block whose other bytes are not sent
    /// (RFC 7692 §7.2.1).
    pub fn message(self) -> Vec<u8> {
        self.block(false, Kind::Stored).bytes
    }

    /// Returns the bytes as they are.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::websocket::extension::Direction;
    use crate::protocol::websocket::inflate::Inflater;

    fn inflated(payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut inflater = Inflater::new(Direction { context_takeover: true, max_window_bits: 15 });
        let mut sink = |bytes: &[u8]| {
            out.extend_from_slice(bytes);
            Ok(())
        };
        inflater.inflate(payload, &mut sink).and_then(|()| inflater.finish(&mut sink)).unwrap();
        out
    }

    #[test]
    fn writes_the_examples_of_rfc_7692_section_7_2_3() {
        let hello = Bits::new().block(false, Kind::Fixed).literals(b"Hello").end();
        assert_eq!(hello.clone().message(), [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]);
        let stored = Bits::new().stored(false, b"Hello").message();
        assert_eq!(stored, [0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00]);
        let again = Bits::new().block(false, Kind::Fixed).literals(b"H").copy(4, 5).end().message();
        assert_eq!(again, [0xf2, 0x00, 0x11, 0x00, 0x00]);
    }

    #[test]
    fn all_lengths_and_distances_are_inflated() {
        let start: Vec<u8> = (0..32_768_u32).map(|at| ((at * at) >> 7) as u8).collect();
        for length in 3..=258_u16 {
            let distance = u32::from(length) * 127;
            let bits = Bits::new().stored(false, &start).block(false, Kind::Fixed);
            let message = bits.copy(length, distance).end().message();
            let from = start.len() - distance as usize;
            let copy: Vec<u8> =
                (0..usize::from(length)).map(|at| start[from + at % distance as usize]).collect();
            assert_eq!(inflated(&message), [&start[..], &copy].concat(), "{length} {distance}");
        }
    }
}
