//! The outbox: what belongs to one connection alone, as far as the socket has not taken it yet.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::rc::Rc;

use super::memory::SharedBytes;

/// Bytes that wait, owned or shared with other connections.
enum Piece {
    Own(Vec<u8>),
    Shared(Rc<SharedBytes>),
}

impl Piece {
    fn bytes(&self) -> &[u8] {
        match self {
            Piece::Own(bytes) => bytes,
            Piece::Shared(bytes) => bytes,
        }
    }
}

/// Bytes in the order in which they go out.
#[derive(Default)]
pub struct Outbox {
    pieces: VecDeque<(Piece, usize, usize)>,
    /// A pong that waits. There is at most one: a newer ping replaces it (RFC 6455 §5.5.3).
    pong: Option<Vec<u8>>,
}

impl Outbox {
    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty() && self.pong.is_none()
    }

    /// How many bytes wait.
    pub fn len(&self) -> usize {
        let pieces: usize = self.pieces.iter().map(|(_, start, end)| end - start).sum();
        pieces + self.pong.as_ref().map_or(0, Vec::len)
    }

    /// How much memory it takes of this connection's own, in bytes.
    pub fn own_memory(&self) -> usize {
        let pieces = self.pieces.iter().map(|(piece, ..)| match piece {
            Piece::Own(bytes) => bytes.capacity(),
            Piece::Shared(_) => 0,
        });
        pieces.sum::<usize>() + self.pong.as_ref().map_or(0, Vec::capacity)
    }

    /// Its part of what it shares with others, in bytes.
    pub fn shared_memory(&self) -> usize {
        let pieces = self.pieces.iter().map(|(piece, ..)| match piece {
            Piece::Own(_) => 0,
            Piece::Shared(bytes) => bytes.len() / Rc::strong_count(bytes),
        });
        pieces.sum()
    }

    /// Adds bytes of this connection's own.
    pub fn push(&mut self, bytes: &[u8]) {
        self.settle_pong();
        if let Some((Piece::Own(last), start, end)) = self.pieces.back_mut() {
            // What is written is let go of when it is half of the piece: one that is always added to before it is empty
            // would grow for ever.
            if *start > last.len() / 2 {
                last.drain(..*start);
                *start = 0;
            }
            last.extend_from_slice(bytes);
            *end = last.len();
        } else if !bytes.is_empty() {
            self.pieces.push_back((Piece::Own(bytes.to_vec()), 0, bytes.len()));
        }
    }

    /// Adds a part of bytes that others have to write too.
    pub fn push_shared(&mut self, bytes: Rc<SharedBytes>, start: usize, end: usize) {
        self.settle_pong();
        if start < end {
            self.pieces.push_back((Piece::Shared(bytes), start, end));
        }
    }

    /// Puts bytes of this connection's own before all else. Nothing of what waits may have gone out in part.
    pub fn push_front(&mut self, bytes: &[u8]) {
        self.pieces.push_front((Piece::Own(bytes.to_vec()), 0, bytes.len()));
    }

    /// Puts a part of bytes that others have to write too before all else, likewise.
    pub fn push_front_shared(&mut self, bytes: Rc<SharedBytes>, start: usize, end: usize) {
        self.pieces.push_front((Piece::Shared(bytes), start, end));
    }

    /// Puts a pong's frame behind all else, in the place of one that waits.
    pub fn set_pong(&mut self, frame: Vec<u8>) {
        self.pong = Some(frame);
    }

    /// Nobody waits for a pong any more.
    pub fn forget_pong(&mut self) {
        self.pong = None;
    }

    fn settle_pong(&mut self) {
        if let Some(pong) = self.pong.take() {
            let length = pong.len();
            self.pieces.push_back((Piece::Own(pong), 0, length));
        }
    }

    /// Fills `slices` with what waits, as far as there is room, and returns how many were filled. `more`: new bytes go out
    /// behind it, and perhaps only a part of them; so a pong that waits goes before those.
    pub fn fill<'a>(&'a mut self, slices: &mut [IoSlice<'a>], more: bool) -> usize {
        if self.pieces.is_empty() || more {
            self.settle_pong();
        }
        let pieces = self.pieces.iter().map(|(piece, start, end)| &piece.bytes()[*start..*end]);
        slices.iter_mut().zip(pieces).map(|(slice, piece)| *slice = IoSlice::new(piece)).count()
    }

    /// Takes off up to `written` bytes from the front, and returns how many of them were its own.
    pub fn consume(&mut self, written: usize) -> usize {
        let mut left = written;
        while left > 0
            && let Some((_, start, end)) = self.pieces.front_mut()
        {
            let taken = left.min(*end - *start);
            *start += taken;
            left -= taken;
            if start == end {
                self.pieces.pop_front();
            }
        }
        written - left
    }
}

#[cfg(test)]
mod tests {
    use std::io::IoSlice;

    use super::Outbox;
    use crate::server::memory::Memory;

    fn written(outbox: &mut Outbox, mut step: impl FnMut() -> usize) -> Vec<u8> {
        let mut out = Vec::new();
        while !outbox.is_empty() {
            let mut slices = [IoSlice::new(&[]); 4];
            let filled = outbox.fill(&mut slices, false);
            let whole: Vec<u8> = slices[..filled].iter().flat_map(|slice| slice.to_vec()).collect();
            let taken = step().min(whole.len());
            out.extend_from_slice(&whole[..taken]);
            assert_eq!(outbox.consume(taken), taken);
        }
        out
    }

    #[test]
    fn what_goes_in_comes_out_in_order_in_any_pieces() {
        for step in 1..12 {
            let mut outbox = Outbox::default();
            outbox.push(b"own ");
            outbox.push_shared(Memory::default().shared(b"not shared not".to_vec()), 4, 11);
            outbox.push(b"and ");
            outbox.push(b"own");
            assert_eq!(outbox.len(), 18);
            assert_eq!(written(&mut outbox, || step), b"own shared and own");
            assert_eq!((outbox.len(), outbox.consume(5)), (0, 0));
        }
    }

    #[test]
    fn what_is_written_is_not_kept_while_more_comes() {
        let mut outbox = Outbox::default();
        outbox.push(&[0; 1000]);
        for _ in 0..1000 {
            outbox.push(&[0; 1000]);
            assert_eq!(outbox.consume(1000), 1000);
        }
        assert_eq!(outbox.len(), 1000);
        let kept: usize = outbox.pieces.iter().map(|(piece, _, _)| piece.bytes().len()).sum();
        assert!(kept <= 4000, "{kept} bytes");
    }

    #[test]
    fn a_pong_that_waits_goes_before_new_bytes_of_which_a_part_goes_out() {
        let mut outbox = Outbox::default();
        outbox.push(b"old");
        outbox.set_pong(b"<pong>".to_vec());
        let mut slices = [IoSlice::new(&[]); 4];
        assert_eq!(outbox.fill(&mut slices, true), 2);
        // The socket takes all of these, and the first of the new bytes behind them.
        outbox.consume(9);
        outbox.push(b"ew");
        assert_eq!(written(&mut outbox, || 100), b"ew");
    }

    #[test]
    fn a_newer_pong_replaces_one_that_waits_and_not_one_under_way() {
        let mut outbox = Outbox::default();
        outbox.push(b"data");
        outbox.set_pong(b"<1>".to_vec());
        outbox.set_pong(b"<2>".to_vec());
        outbox.push(b"more");
        outbox.set_pong(b"<3>".to_vec());
        outbox.set_pong(b"<4>".to_vec());
        assert_eq!(outbox.consume(11), 11);
        let mut slices = [IoSlice::new(&[]); 4];
        assert_eq!(outbox.fill(&mut slices, false), 1);
        outbox.consume(1);
        outbox.set_pong(b"<5>".to_vec());
        assert_eq!(written(&mut outbox, || 100), b"4><5>");
    }
}
