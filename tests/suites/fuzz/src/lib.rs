//! Code that the fuzz targets share: splitting inputs, second implementations of grammars, and
//! measuring the heap.

pub mod follower;
pub mod grammar;
pub mod plain_frames;
pub mod responses;

use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Runs a function. Returns its result, and the maximum of bytes on the heap above those before the
/// call.
pub fn peak<T>(run: impl FnOnce() -> T) -> (T, usize) {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let returned = run();
    (returned, MEMORY.peak_usage().saturating_sub(before))
}

/// Splits `bytes` into parts of these `lengths`, repeated. Some parts may be empty; if all lengths
/// are zero, there is one part.
pub fn split<'a>(bytes: &'a [u8], lengths: &[u8]) -> Vec<&'a [u8]> {
    if lengths.iter().all(|length| *length == 0) {
        return vec![bytes];
    }
    let mut parts = Vec::new();
    let mut rest = bytes;
    for length in lengths.iter().cycle() {
        let (part, after) = rest.split_at(rest.len().min(usize::from(*length)));
        parts.push(part);
        if after.is_empty() {
            break;
        }
        rest = after;
    }
    parts
}

/// Returns the ways in which each input is split, besides the whole: into parts of `lengths`, and
/// byte by byte.
pub fn splits<'a>(bytes: &'a [u8], lengths: &[u8]) -> [Vec<&'a [u8]>; 2] {
    [split(bytes, lengths), bytes.chunks(1).collect()]
}
