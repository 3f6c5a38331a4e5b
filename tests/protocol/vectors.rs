//! How the readers of the protocol are held to their vectors: in every cut.

#[path = "../vectors/mod.rs"]
mod file;

pub use file::{Vector, parse};

/// Every way to cut `bytes` that a vector is run in: whole, a byte at a time, and in two at every place.
pub fn cuts(bytes: &[u8]) -> impl Iterator<Item = Vec<&[u8]>> {
    let whole = std::iter::once(vec![bytes]);
    let single = std::iter::once(bytes.chunks(1).collect());
    let halves = (1..bytes.len()).map(|at| vec![&bytes[..at], &bytes[at..]]);
    whole.chain(single).chain(halves)
}

/// `bytes` cut after each of `places`, which wrap around its length.
pub fn cut_at<'a>(bytes: &'a [u8], places: &[usize]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = places.iter().map(|place| place % (bytes.len() + 1)).collect();
    places.sort_unstable();
    places.push(bytes.len());
    let mut start = 0;
    places.into_iter().map(|end| &bytes[std::mem::replace(&mut start, end)..end]).collect()
}
