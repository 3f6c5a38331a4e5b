//! A plain inflater that follows RFC 1951 bit by bit. It is slow and obviously correct; tests
//! compare the inflater of the library with it. It also reports how far back the data refer.

/// The result of inflating.
pub struct Inflated {
    pub bytes: Vec<u8>,
    /// The greatest distance of a reference in the data.
    pub farthest: usize,
}

/// Inflates `data`, a sequence of complete blocks, after the bytes in `window`. Returns `None` if
/// `data` is invalid.
///
/// Another block may follow a last block (BFINAL) at the next byte (RFC 7692 §7.2.1).
pub fn inflate(window: &[u8], data: &[u8]) -> Option<Inflated> {
    let mut bits = Bits { data, at: 0 };
    let mut out = Out { bytes: window.to_vec(), farthest: 0 };
    while bits.at < data.len() * 8 {
        let last = bits.take(1)? == 1;
        match bits.take(2)? {
            0 => stored(&mut bits, &mut out)?,
            1 => compressed(&mut bits, &mut out, &Code::fixed_lengths(), &Code::fixed_distances())?,
            2 => {
                let (lengths, distances) = dynamic(&mut bits)?;
                compressed(&mut bits, &mut out, &lengths, &distances)?;
            }
            _ => return None, // §3.2.3: reserved
        }
        if last {
            bits.align();
        }
    }
    let bytes = out.bytes.split_off(window.len());
    Some(Inflated { bytes, farthest: out.farthest })
}

/// A bit reader that starts at the least significant bit of each byte (§3.1.1).
struct Bits<'a> {
    data: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, count: u8) -> Option<usize> {
        let mut number = 0;
        for place in 0..count {
            let byte = self.data.get(self.at / 8)?;
            number |= usize::from(byte >> (self.at % 8) & 1) << place;
            self.at += 1;
        }
        Some(number)
    }

    fn align(&mut self) {
        self.at = self.at.next_multiple_of(8);
    }
}

struct Out {
    bytes: Vec<u8>,
    farthest: usize,
}

/// Inflates an uncompressed block (§3.2.4).
fn stored(bits: &mut Bits, out: &mut Out) -> Option<()> {
    bits.align();
    let (length, complement) = (bits.take(16)?, bits.take(16)?);
    if length != !complement & 0xFFFF {
        return None;
    }
    for _ in 0..length {
        out.bytes.push(bits.take(8)? as u8);
    }
    Some(())
}

/// The number of extra bits of each length and distance code (§3.2.5). The smallest value of a code
/// follows from the codes before it.
const LENGTH_BITS: [u8; 29] =
    [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
const DISTANCE_BITS: [u8; 30] =
    [0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13];

fn value_with_extra_bits(bits: &mut Bits, extra: &[u8], first: usize, symbol: usize) -> Option<usize> {
    let count = *extra.get(symbol)?;
    let least = first + extra[..symbol].iter().map(|extra| 1 << extra).sum::<usize>();
    Some(least + bits.take(count)?)
}

fn compressed(bits: &mut Bits, out: &mut Out, lengths: &Code, distances: &Code) -> Option<()> {
    loop {
        let symbol = lengths.decode(bits)?;
        if symbol < 256 {
            out.bytes.push(symbol as u8);
            continue;
        }
        if symbol == 256 {
            return Some(());
        }
        let length = match symbol {
            285 => 258, // the exception in the table
            _ => value_with_extra_bits(bits, &LENGTH_BITS, 3, symbol - 257)?,
        };
        let symbol = distances.decode(bits)?;
        let distance = value_with_extra_bits(bits, &DISTANCE_BITS, 1, symbol)?;
        out.farthest = out.farthest.max(distance);
        for _ in 0..length {
            let from = out.bytes.len().checked_sub(distance)?;
            out.bytes.push(out.bytes[from]);
        }
    }
}

/// Reads the codes of a block with dynamic Huffman codes (§3.2.7).
fn dynamic(bits: &mut Bits) -> Option<(Code, Code)> {
    const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
    let (lengths, distances, codes) = (bits.take(5)? + 257, bits.take(5)? + 1, bits.take(4)? + 4);
    if lengths > 286 || distances > 30 {
        return None;
    }
    let mut code = [0; 19];
    for place in &ORDER[..codes] {
        code[*place] = bits.take(3)? as u8;
    }
    let code = Code::new(&code).filter(|code| code.unused == 0)?;
    let mut all = Vec::new();
    while all.len() < lengths + distances {
        let (length, times) = match code.decode(bits)? {
            16 => (*all.last()?, 3 + bits.take(2)?),
            17 => (0, 3 + bits.take(3)?),
            18 => (0, 11 + bits.take(7)?),
            length => (length as u8, 1),
        };
        all.extend(std::iter::repeat_n(length, times));
    }
    if all.len() > lengths + distances || all[256] == 0 {
        return None;
    }
    let (lengths, distances) = all.split_at(lengths);
    // zlib accepts an incomplete code only if it has one symbol, of one bit, or none.
    let usable = |code: &Code| code.unused == 0 || code.symbols.len() == code.counts[1];
    Some((Code::new(lengths).filter(usable)?, Code::new(distances).filter(usable)?))
}

/// A Huffman code (§3.2.2): the number of symbols of each length, and the symbols in the order of
/// their codes.
struct Code {
    counts: [usize; 16],
    symbols: Vec<usize>,
    /// The number of 15-bit codes without a symbol.
    unused: usize,
}

impl Code {
    fn new(lengths: &[u8]) -> Option<Self> {
        let mut counts = [0; 16];
        let mut symbols = Vec::new();
        let mut unused: usize = 1 << 15;
        for (length, count) in counts.iter_mut().enumerate().skip(1) {
            let before = symbols.len();
            symbols.extend((0..lengths.len()).filter(|symbol| usize::from(lengths[*symbol]) == length));
            *count = symbols.len() - before;
            unused = unused.checked_sub(*count << (15 - length))?;
        }
        Some(Self { counts, symbols, unused })
    }

    /// Returns the fixed code of literals and lengths (§3.2.6).
    fn fixed_lengths() -> Self {
        let lengths = [vec![8; 144], vec![9; 112], vec![7; 24], vec![8; 8]].concat();
        Self::new(&lengths).expect("a code")
    }

    fn fixed_distances() -> Self {
        Self::new(&[5; 32]).expect("a code")
    }

    fn decode(&self, bits: &mut Bits) -> Option<usize> {
        let (mut code, mut first, mut index) = (0, 0, 0);
        for count in &self.counts[1..] {
            code |= bits.take(1)?;
            if code < first + count {
                return Some(self.symbols[index + code - first]);
            }
            index += count;
            first = (first + count) << 1;
            code <<= 1;
        }
        None
    }
}
