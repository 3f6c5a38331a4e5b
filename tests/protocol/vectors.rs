//! Vectors, and the ways to split their bytes.

#[path = "../vectors/mod.rs"]
mod file;

pub use file::{Vector, parse};

/// Returns the divisions in which a vector runs: complete, one byte at a time, and split in two at
/// every place.
pub fn cuts(bytes: &[u8]) -> impl Iterator<Item = Vec<&[u8]>> {
    let complete = std::iter::once(vec![bytes]);
    let single = std::iter::once(bytes.chunks(1).collect());
    let halves = (1..bytes.len()).map(|at| vec![&bytes[..at], &bytes[at..]]);
    complete.chain(single).chain(halves)
}

/// Splits `bytes` at each of `places`, which wrap around at the length.
pub fn cut_at<'a>(bytes: &'a [u8], places: &[usize]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = places.iter().map(|place| place % (bytes.len() + 1)).collect();
    places.sort_unstable();
    places.push(bytes.len());
    let mut start = 0;
    places.into_iter().map(|end| &bytes[std::mem::replace(&mut start, end)..end]).collect()
}
