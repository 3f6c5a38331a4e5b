//! What a connection does when the poll has told of it, or a deadline has come: reads, and hands the bytes on to what it is.

use std::io;

use super::byte_stream::ByteStream;
use super::connection::{Connection, Input, Partial, State, Told};
use super::context::Context;
use crate::hub::Tick;
use crate::transport::metrics::Ended;
use crate::transport::stream;
use crate::wire::Side;

/// How often one connection is read from in a turn, each time into the whole buffer.
const READS_A_TURN: usize = 4;

impl<S: ByteStream> Connection<S> {
    /// The poll has told of it.
    pub fn serve(&mut self, told: Told, buffer: &mut [u8], cx: &mut Context) {
        if told.ended && self.input != Input::Ended {
            self.input = Input::Ending;
        } else if told.readable && self.input == Input::Drained {
            self.input = Input::Ready;
        }
        if told.writable && self.busy.is_some() {
            self.flush(cx);
        }
        self.resume(buffer, cx);
    }

    /// Goes on where it may: with what waits, then with what the socket has.
    pub fn resume(&mut self, buffer: &mut [u8], cx: &mut Context) {
        let mut reads = 0;
        while self.may_read(cx) {
            if let Some(busy) = self.busy.as_mut().filter(|busy| !busy.waiting.is_empty()) {
                let mut waiting = std::mem::take(&mut busy.waiting);
                self.receive(&mut waiting, cx);
                self.flush(cx);
                continue;
            }
            if !matches!(self.input, Input::Ready | Input::Ending) {
                break;
            }
            if reads == READS_A_TURN {
                cx.owe_turn(self.key);
                break;
            }
            reads += 1;
            self.read(buffer, cx);
        }
        if self.input == Input::Ended && self.may_read(cx) && matches!(self.state, State::Request) {
            // A half-close: all that came before it has been answered (RFC 9112 §9.6).
            self.end(Ended::Client, cx);
        }
        self.arm(cx);
    }

    /// Whether something has come that it has not dealt with yet.
    pub(super) fn has_input(&self) -> bool {
        self.input != Input::Drained || self.busy.as_ref().is_some_and(|busy| !busy.waiting.is_empty())
    }

    fn may_read(&self, cx: &Context) -> bool {
        !matches!(self.state, State::Held { .. } | State::Closed)
            && self.outbox_len() < cx.options.outbox_bytes
    }

    fn read(&mut self, buffer: &mut [u8], cx: &mut Context) {
        match self.stream.read(buffer) {
            Ok(0) => {
                self.input = Input::Ended;
                self.ended(cx);
            }
            Ok(length) => {
                if let Some(watching) = &mut self.watching {
                    watching.saw(Side::Client, [&buffer[..length]]);
                }
                cx.service.counters.bytes_read += length as u64;
                if length < buffer.len() && self.input == Input::Ready {
                    // A short read has emptied the socket, and the next bytes will be told of (epoll(7), question 9); but
                    // of an end that has been told of, nothing more will.
                    self.input = Input::Drained;
                }
                self.receive(&mut buffer[..length], cx);
                self.flush(cx);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.input = Input::Drained,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => self.close(Ended::Broken, cx),
        }
    }

    /// The client has ended its side.
    fn ended(&mut self, cx: &mut Context) {
        match self.state {
            // Netcat does this, and still wants the answers. Whether anybody is there shows at a write.
            State::Stream(following) => {
                stream::write_heartbeat(following.encoding, &mut cx.out);
                self.flush(cx);
            }
            // Half of a TCP connection is no WebSocket (RFC 6455 §7.1.1), and what lingers has come to its end.
            State::Socket(_) | State::Lingering => self.close(Ended::Client, cx),
            State::Request | State::Held { .. } | State::Ending | State::Closed => {}
        }
    }

    /// Hands bytes to whatever the connection is, which may change with each of them.
    pub(super) fn receive(&mut self, input: &mut [u8], cx: &mut Context) {
        let (mut joined, mut scan) = (None, None);
        if let Some(busy) = self.busy.as_mut()
            && let Partial::Head { buffer, scan: looked } = &mut busy.partial
        {
            buffer.extend_from_slice(input);
            (joined, scan) = (Some(std::mem::take(buffer)), Some(std::mem::take(looked)));
            busy.partial = Partial::None;
        }
        let mut rest = joined.as_deref_mut().unwrap_or(&mut *input);
        let mut unfinished = 0;
        while !rest.is_empty() {
            if self.outbox_len() + cx.out.len() >= cx.options.outbox_bytes {
                self.flush(cx);
                if self.outbox_len() >= cx.options.outbox_bytes {
                    self.wait(rest);
                    break;
                }
            }
            let consumed = match &self.state {
                State::Request => self.receive_request(rest, scan.take(), cx),
                State::Socket(_) => self.receive_frames(rest, cx),
                State::Held { .. } => {
                    self.wait(rest);
                    rest.len()
                }
                // Nothing is asked for over these.
                State::Stream(_) | State::Ending | State::Lingering | State::Closed => rest.len(),
            };
            if let Some(Partial::Head { .. }) = self.busy.as_ref().map(|busy| &busy.partial) {
                unfinished = rest.len();
            }
            rest = &mut rest[consumed..];
        }
        if unfinished > 0
            && let Some(Partial::Head { buffer, .. }) = self.busy.as_mut().map(|busy| &mut busy.partial)
        {
            // What was joined to earlier bytes is kept as it is, and not copied with each piece.
            *buffer = match joined {
                Some(mut joined) => {
                    joined.drain(..joined.len() - unfinished);
                    joined
                }
                None => input[input.len() - unfinished..].to_vec(),
            };
        }
    }

    fn wait(&mut self, bytes: &[u8]) {
        // Nothing is read while something waits, so these are at most one buffer's bytes and one head's.
        self.busy().waiting.extend_from_slice(bytes);
    }

    /// An entry of the wheel has come. Perhaps an earlier one has taken its place, and then it is of no use any more;
    /// perhaps the deadline has been put off since.
    pub fn deadline(&mut self, entry: Tick, buffer: &mut [u8], cx: &mut Context) {
        if entry != self.scheduled {
            return;
        }
        self.scheduled = Tick(u32::MAX);
        let now = cx.now();
        if self.next_deadline(cx) <= now {
            if now < self.due {
                // The socket has taken nothing for too long.
                self.close(Ended::WriteTimeout, cx);
            } else {
                self.expire(cx);
                self.resume(buffer, cx);
            }
        }
        if !matches!(self.state, State::Closed) {
            self.arm(cx);
        }
    }

    fn expire(&mut self, cx: &mut Context) {
        match self.state {
            State::Request => self.expire_request(cx),
            State::Held { .. } => self.release(cx),
            State::Stream(following) => {
                // Whoever is behind is not silent: the write deadline is for those.
                if self.busy.is_none() {
                    stream::write_heartbeat(following.encoding, &mut cx.out);
                    self.flush(cx);
                }
                self.due_in(cx.options.heartbeat, cx);
            }
            State::Socket(socket) => self.expire_socket(socket, cx),
            // Its end was counted when it was decided.
            State::Ending | State::Lingering | State::Closed => self.close(Ended::WriteTimeout, cx),
        }
    }
}
