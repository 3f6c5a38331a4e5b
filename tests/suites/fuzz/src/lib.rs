//! What the fuzz targets share: pieces, grammars read a second time, and the memory that a call has asked for.

pub mod answers;
pub mod grammar;
pub mod plain_frames;
pub mod witness;

use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// What `run` returns, and the most bytes that it had on the heap at once, beyond those that were there before.
pub fn peak<T>(run: impl FnOnce() -> T) -> (T, usize) {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let returned = run();
    (returned, MEMORY.peak_usage().saturating_sub(before))
}

/// `bytes` in pieces of these `lengths`, again and again. Some may be empty; if all are, it is one piece.
pub fn pieces<'a>(bytes: &'a [u8], lengths: &[u8]) -> Vec<&'a [u8]> {
    if lengths.iter().all(|length| *length == 0) {
        return vec![bytes];
    }
    let mut pieces = Vec::new();
    let mut rest = bytes;
    for length in lengths.iter().cycle() {
        let (piece, behind) = rest.split_at(rest.len().min(usize::from(*length)));
        pieces.push(piece);
        if behind.is_empty() {
            break;
        }
        rest = behind;
    }
    pieces
}

/// The ways in which each input is cut beside the whole: in pieces of `lengths`, and a byte at a time.
pub fn cuts<'a>(bytes: &'a [u8], lengths: &[u8]) -> [Vec<&'a [u8]>; 2] {
    [pieces(bytes, lengths), bytes.chunks(1).collect()]
}
