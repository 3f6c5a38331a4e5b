//! The outbox: a connection's own output that the socket has not accepted yet.

use std::collections::VecDeque;
use std::rc::Rc;

use crate::server::memory::SharedBytes;

/// A buffer that waits, owned or shared with other connections.
enum Buffer {
    Own(Vec<u8>),
    Shared(Rc<SharedBytes>),
}

impl Buffer {
    fn bytes(&self) -> &[u8] {
        match self {
            Buffer::Own(bytes) => bytes,
            Buffer::Shared(bytes) => bytes,
        }
    }
}

/// Copying this many bytes takes longer than allocating a new output buffer.
const LONG: usize = 1 << 20;

/// Output in the order in which it is written.
#[derive(Default)]
pub struct Outbox {
    /// The buffers, each with the range that is not written yet.
    buffers: VecDeque<(Buffer, usize, usize)>,
    /// A pong that waits. There is at most one: the response to a newer ping replaces it
    /// (RFC 6455 §5.5.3).
    pong: Option<Vec<u8>>,
}

impl Outbox {
    pub fn is_empty(&self) -> bool {
        self.buffers.is_empty() && self.pong.is_none()
    }

    /// Returns the number of pending bytes.
    pub fn len(&self) -> usize {
        let buffers: usize = self.buffers.iter().map(|(_, start, end)| end - start).sum();
        buffers + self.pong.as_ref().map_or(0, Vec::len)
    }

    /// Returns the memory of the connection's own buffers, in bytes.
    pub fn own_memory(&self) -> usize {
        let buffers = self.buffers.iter().map(|(buffer, ..)| match buffer {
            Buffer::Own(bytes) => bytes.capacity(),
            Buffer::Shared(_) => 0,
        });
        buffers.sum::<usize>() + self.pong.as_ref().map_or(0, Vec::capacity)
    }

    /// Returns the connection's share of the shared buffers, in bytes.
    pub fn shared_memory(&self) -> usize {
        let buffers = self.buffers.iter().map(|(buffer, ..)| match buffer {
            Buffer::Own(_) => 0,
            Buffer::Shared(bytes) => bytes.len() / Rc::strong_count(bytes),
        });
        buffers.sum()
    }

    /// Adds the connection's own bytes at the end.
    pub fn push(&mut self, bytes: &[u8]) {
        self.queue_pong();
        if let Some((Buffer::Own(last), start, end)) = self.buffers.back_mut()
            && last.len() < LONG
        {
            // Written bytes are removed once they are half of the buffer. Otherwise an outbox that
            // is never empty would grow forever.
            if *start > last.len() / 2 {
                last.drain(..*start);
                *start = 0;
            }
            last.extend_from_slice(bytes);
            *end = last.len();
        } else if !bytes.is_empty() {
            self.buffers.push_back((Buffer::Own(bytes.to_vec()), 0, bytes.len()));
        }
    }

    /// Adds the bytes from `start` on at the end. If they are many, the buffer is taken, not
    /// copied.
    pub fn push_rest(&mut self, bytes: &mut Vec<u8>, start: usize) {
        if bytes.len() - start < LONG {
            return self.push(&bytes[start..]);
        }
        self.queue_pong();
        let end = bytes.len();
        self.buffers.push_back((Buffer::Own(std::mem::take(bytes)), start, end));
    }

    /// Adds a range of shared bytes at the end.
    pub fn push_shared(&mut self, bytes: Rc<SharedBytes>, start: usize, end: usize) {
        self.queue_pong();
        if start < end {
            self.buffers.push_back((Buffer::Shared(bytes), start, end));
        }
    }

    /// Adds the connection's own bytes before all others, of which none may be partly written.
    pub fn push_front(&mut self, bytes: &[u8]) {
        self.buffers.push_front((Buffer::Own(bytes.to_vec()), 0, bytes.len()));
    }

    /// Adds a range of shared bytes before all others, of which none may be partly written.
    pub fn push_front_shared(&mut self, bytes: Rc<SharedBytes>, start: usize, end: usize) {
        self.buffers.push_front((Buffer::Shared(bytes), start, end));
    }

    /// Sets the pong frame to write after everything else, in place of one that waits.
    pub fn set_pong(&mut self, frame: Vec<u8>) {
        self.pong = Some(frame);
    }

    /// Drops the pong that waits.
    pub fn drop_pong(&mut self) {
        self.pong = None;
    }

    fn queue_pong(&mut self) {
        if let Some(pong) = self.pong.take() {
            let length = pong.len();
            self.buffers.push_back((Buffer::Own(pong), 0, length));
        }
    }

    /// Returns the waiting buffers in order. A pong joins them only when nothing else waits, or
    /// when new output follows (`has_new`): until then a newer pong may replace it.
    pub fn pending(&mut self, has_new: bool) -> impl Iterator<Item = &[u8]> {
        if self.buffers.is_empty() || has_new {
            self.queue_pong();
        }
        self.buffers.iter().map(|(buffer, start, end)| &buffer.bytes()[*start..*end])
    }

    /// Removes up to `written` bytes from the front, and returns how many.
    pub fn consume(&mut self, written: usize) -> usize {
        let mut left = written;
        while left > 0
            && let Some((_, start, end)) = self.buffers.front_mut()
        {
            let taken = left.min(*end - *start);
            *start += taken;
            left -= taken;
            if start == end {
                self.buffers.pop_front();
            }
        }
        written - left
    }
}

#[cfg(test)]
mod tests {
    use super::{LONG, Outbox};
    use crate::server::memory::Memory;

    fn written(outbox: &mut Outbox, mut step: impl FnMut() -> usize) -> Vec<u8> {
        let mut out = Vec::new();
        while !outbox.is_empty() {
            let pending: Vec<u8> = outbox.pending(false).flatten().copied().collect();
            let taken = step().min(pending.len());
            out.extend(&pending[..taken]);
            assert_eq!(outbox.consume(taken), taken);
        }
        out
    }

    #[test]
    fn bytes_leave_in_order_however_the_writes_split_them() {
        for step in 1..12 {
            let mut outbox = Outbox::default();
            outbox.push(b"own ");
            outbox.push_shared(Memory::default().shared(b"not shared not".to_vec()), 4, 11);
            outbox.push(b"and ");
            let (mut short, mut long) = (b"not own".to_vec(), vec![b'.'; LONG + 3]);
            outbox.push_rest(&mut short, 4);
            outbox.push_rest(&mut long, LONG);
            assert!(long.len() == LONG + 3, "three bytes are copied");
            assert_eq!(outbox.len(), 21);
            assert_eq!(written(&mut outbox, || step), b"own shared and own...");
            assert_eq!((outbox.len(), outbox.consume(5)), (0, 0));
        }
    }

    #[test]
    fn many_bytes_are_taken_instead_of_copied() {
        let (mut outbox, mut bytes) = (Outbox::default(), vec![b'.'; LONG]);
        bytes.extend_from_slice(b"rest");
        outbox.push(b"first ");
        outbox.push_rest(&mut bytes, 2);
        outbox.push(b" last");
        assert!(bytes.is_empty());
        let written = written(&mut outbox, || 1 << 16);
        assert!(written.starts_with(b"first ....") && written.ends_with(b"..rest last"));
        assert_eq!(written.len(), 6 + LONG + 4 - 2 + 5);
    }

    #[test]
    fn written_bytes_are_released_while_more_are_added() {
        let mut outbox = Outbox::default();
        outbox.push(&[0; 1000]);
        for _ in 0..1000 {
            outbox.push(&[0; 1000]);
            assert_eq!(outbox.consume(1000), 1000);
        }
        assert_eq!(outbox.len(), 1000);
        let kept: usize = outbox.buffers.iter().map(|(buffer, _, _)| buffer.bytes().len()).sum();
        assert!(kept <= 4000, "{kept} bytes");
    }

    #[test]
    fn a_waiting_pong_goes_before_new_output() {
        let mut outbox = Outbox::default();
        outbox.push(b"old");
        outbox.set_pong(b"<pong>".to_vec());
        assert_eq!(outbox.pending(false).collect::<Vec<_>>(), [b"old"]);
        assert_eq!(outbox.pending(true).collect::<Vec<_>>(), [&b"old"[..], b"<pong>"]);
        // The socket accepts all of these, and the first byte of the new output after them.
        outbox.consume(9);
        outbox.push(b"ew");
        assert_eq!(written(&mut outbox, || 100), b"ew");
    }

    #[test]
    fn a_newer_pong_replaces_a_waiting_one_but_not_one_that_is_queued() {
        let mut outbox = Outbox::default();
        outbox.push(b"data");
        outbox.set_pong(b"<1>".to_vec());
        outbox.set_pong(b"<2>".to_vec());
        outbox.push(b"more");
        outbox.set_pong(b"<3>".to_vec());
        outbox.set_pong(b"<4>".to_vec());
        assert_eq!(outbox.consume(11), 11);
        assert_eq!(outbox.pending(false).count(), 1);
        outbox.consume(1);
        outbox.set_pong(b"<5>".to_vec());
        assert_eq!(written(&mut outbox, || 100), b"4><5>");
    }
}
