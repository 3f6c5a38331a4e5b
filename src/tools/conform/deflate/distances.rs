//! The distances in a DEFLATE stream (RFC 1951), read without inflating it.

use super::bits::{distance_code, length_code};
use crate::protocol::websocket::frame::FrameHeader;
use crate::protocol::websocket::mask;

/// The order of the code lengths in the header of a block (§3.2.7).
const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// The end of each message, which is not sent (RFC 7692 §7.2.1).
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// Returns the greatest distance in the compressed messages among these frames; `None` if no
/// message is compressed, or if a stream is not valid.
pub fn greatest_distance(frames: &[u8]) -> Option<u32> {
    let mut greatest = None;
    for mut message in compressed_messages(frames) {
        message.extend_from_slice(&TAIL);
        greatest = greatest.max(Some(Stream { bytes: &message, at: 0 }.greatest_distance()?));
    }
    greatest
}

/// Returns the payloads of the compressed messages.
fn compressed_messages(mut frames: &[u8]) -> Vec<Vec<u8>> {
    let (mut messages, mut is_compressed) = (Vec::<Vec<u8>>::new(), false);
    while let Ok(Some((header, length))) = FrameHeader::decode(frames) {
        let end = (length + header.payload_length as usize).min(frames.len());
        let mut payload = frames[length..end].to_vec();
        frames = &frames[end..];
        if header.opcode.is_control() {
            continue;
        }
        mask::apply(header.masking_key.unwrap_or_default(), 0, &mut payload);
        if header.opcode != crate::protocol::websocket::frame::Opcode::Continuation {
            is_compressed = header.rsv1;
            if is_compressed {
                messages.push(Vec::new());
            }
        }
        if let (true, Some(message)) = (is_compressed, messages.last_mut()) {
            message.extend_from_slice(&payload);
        }
    }
    messages
}

struct Stream<'b> {
    bytes: &'b [u8],
    /// The position in bits.
    at: usize,
}

impl Stream<'_> {
    fn greatest_distance(mut self) -> Option<u32> {
        let mut greatest = 0;
        while self.at + 7 < self.bytes.len() * 8 {
            let is_last = self.bits(1)?;
            match self.bits(2)? {
                0 => self.skip_stored()?,
                1 => {
                    let lengths: Vec<u8> = (0..288).map(fixed_length).collect();
                    greatest = greatest.max(self.block(&Code::new(&lengths), &Code::new(&[5; 30]))?);
                }
                2 => {
                    let (symbols, distances) = self.codes()?;
                    greatest = greatest.max(self.block(&symbols, &distances)?);
                }
                _ => return None,
            }
            if is_last == 1 {
                self.at = self.at.next_multiple_of(8);
            }
        }
        Some(greatest)
    }

    fn bits(&mut self, count: u8) -> Option<u32> {
        let mut value = 0;
        for bit in 0..count {
            let byte = self.bytes.get(self.at / 8)?;
            value |= u32::from(byte >> (self.at % 8) & 1) << bit;
            self.at += 1;
        }
        Some(value)
    }

    fn skip_stored(&mut self) -> Option<()> {
        self.at = self.at.next_multiple_of(8);
        let length = self.bits(16)?;
        let complement = self.bits(16)?;
        self.at += length as usize * 8;
        (length ^ complement == 0xffff && self.at <= self.bytes.len() * 8).then_some(())
    }

    fn symbol(&mut self, code: &Code) -> Option<u16> {
        let (mut value, mut first, mut index) = (0_usize, 0_usize, 0_usize);
        for count in &code.counts[1..] {
            value |= self.bits(1)? as usize;
            let count = usize::from(*count);
            if value < first + count {
                return code.symbols.get(index + value - first).copied();
            }
            index += count;
            first = (first + count) << 1;
            value <<= 1;
        }
        None
    }

    fn block(&mut self, symbols: &Code, distances: &Code) -> Option<u32> {
        let mut greatest = 0;
        loop {
            match self.symbol(symbols)? {
                0..=255 => {}
                256 => return Some(greatest),
                symbol => {
                    self.bits(length_code(symbol)?.0)?;
                    let (extra, first) = distance_code(self.symbol(distances)?);
                    greatest = greatest.max(first + self.bits(extra)?);
                }
            }
        }
    }

    /// Reads the codes of a block with dynamic codes.
    fn codes(&mut self) -> Option<(Code, Code)> {
        let symbols = self.bits(5)? as usize + 257;
        let distances = self.bits(5)? as usize + 1;
        let count = self.bits(4)? as usize + 4;
        let mut lengths = [0; 19];
        for at in &ORDER[..count] {
            lengths[*at] = self.bits(3)? as u8;
        }
        let code = Code::new(&lengths);
        let mut lengths = Vec::new();
        while lengths.len() < symbols + distances {
            let (length, times) = match self.symbol(&code)? {
                16 => (*lengths.last()?, 3 + self.bits(2)?),
                17 => (0, 3 + self.bits(3)?),
                18 => (0, 11 + self.bits(7)?),
                length => (length as u8, 1),
            };
            lengths.extend((0..times).map(|_| length));
        }
        Some((Code::new(&lengths[..symbols]), Code::new(lengths.get(symbols..symbols + distances)?)))
    }
}

/// Returns the length of a symbol in the fixed code (§3.2.6).
fn fixed_length(symbol: u16) -> u8 {
    match symbol {
        0..=143 | 280.. => 8,
        144..=255 => 9,
        256..=279 => 7,
    }
}

/// A Huffman code: the number of codes of each length, and the symbols in the order of their codes
/// (§3.2.2).
struct Code {
    counts: [u16; 16],
    symbols: Vec<u16>,
}

impl Code {
    fn new(lengths: &[u8]) -> Self {
        let mut counts = [0; 16];
        lengths.iter().filter(|length| **length > 0).for_each(|length| counts[usize::from(*length)] += 1);
        let mut symbols: Vec<u16> = (0..lengths.len() as u16).collect();
        symbols.retain(|symbol| lengths[usize::from(*symbol)] > 0);
        symbols.sort_by_key(|symbol| (lengths[usize::from(*symbol)], *symbol));
        Self { counts, symbols }
    }
}

#[cfg(test)]
mod tests {
    use super::super::bits::{Bits, Kind};
    use super::super::data;
    use super::*;
    use crate::protocol::websocket::deflate::compress_without_context;
    use crate::protocol::websocket::frame::{Opcode, write_compressed_frame, write_frame};

    fn framed(payload: &[u8]) -> Vec<u8> {
        let mut frames = Vec::new();
        write_frame(Opcode::Ping, b"p", &mut frames);
        write_compressed_frame(Opcode::Binary, payload, &mut frames);
        frames
    }

    #[test]
    fn finds_the_distance_that_was_written() {
        for distance in [1, 4, 5, 250, 256, 257, 4096, 32_768] {
            let bits = Bits::new().stored(false, &[0; 40_000]).block(true, Kind::Fixed);
            let message = bits.copy(258, distance).copy(3, 1).end().align().message();
            assert_eq!(greatest_distance(&framed(&message)), Some(distance));
        }
    }

    #[test]
    fn a_compressor_stays_within_its_window() {
        for bits in [9, 10, 12, 15] {
            let mut message = Vec::new();
            compress_without_context(bits, &data::html()[..100_000], &mut message);
            let distance = greatest_distance(&framed(&message)).expect("a valid stream");
            assert!((1 << (bits - 2)..=1 << bits).contains(&distance), "{bits} {distance}");
        }
    }

    #[test]
    fn an_uncompressed_message_has_no_distance() {
        let mut frames = Vec::new();
        write_frame(Opcode::Binary, b"message", &mut frames);
        assert_eq!(greatest_distance(&frames), None);
    }
}
