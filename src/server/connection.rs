//! One connection: what it is at the moment, and what it does when bytes or deadlines come.
//!
//! An idle one, of whatever transport, is this one entry of at most 128 bytes and owns no heap: whatever is
//! partial or waits to be written is in [`Busy`], which goes when it is idle again.

use std::io;
use std::rc::Rc;

use mio::net::TcpStream;

use super::byte_stream::ByteStream;
use super::context::Context;
use super::outbox::Outbox;
use super::requests::PendingBody;
use super::slab::Key;
use crate::hub::Tick;
use crate::protocol::http::HeadScan;
use crate::protocol::websocket::message::Receiver;
use crate::transport::compression::EchoCompression;
use crate::transport::poll::Held;
use crate::transport::{Following, stream};

/// A connection that is owed more than this is not read from: whoever asks has to take the answers.
pub const OUTBOX_HIGH: usize = 256 * 1024;
/// How often one connection is read from in a turn, each time into the whole buffer.
const READS_A_TURN: usize = 4;

/// One connection.
pub struct Connection<S> {
    pub(super) stream: S,
    pub(super) state: State,
    pub(super) busy: Option<Box<Busy>>,
    pub(super) key: Key,
    /// When the state wants attention.
    pub(super) due: Tick,
    /// The earliest entry in the wheel.
    scheduled: Tick,
    input: Input,
    /// It is one too many, and is told to come again.
    pub(super) surplus: bool,
}

const _: () = assert!(
    size_of::<Connection<TcpStream>>() <= 120,
    "an idle connection is one slab entry of at most 128 bytes"
);

/// What the connection is at the moment.
pub enum State {
    /// HTTP: it awaits a request, or the rest of one.
    Request,
    /// A long poll, whose answer waits for an event.
    Held {
        /// The poll.
        held: Held,
        /// Since when.
        since: Tick,
    },
    /// An event stream.
    Stream(Following),
    /// A WebSocket.
    Socket(Socket),
    /// What is in the outbox goes out yet; then the server's side ends.
    Ending,
    /// The server's side has ended; what the client still sends is read and dropped, since a connection that is closed
    /// over unread bytes is reset, and a reset can overtake the last answer (RFC 9112 §9.6).
    Lingering,
    /// It is over, and freed at the turn's end.
    Closed,
}

/// What a WebSocket is for, and how far its end has come (RFC 6455 §7).
#[derive(Clone, Copy)]
pub enum Socket {
    /// It follows a topic; `may_publish`: its messages are published there.
    Topic {
        /// Its place.
        following: Following,
        /// Its messages are published.
        may_publish: bool,
        /// Messages may come compressed, each alone.
        compressed: bool,
        /// A ping is out, and nothing has come since.
        pinged: bool,
    },
    /// It gets back what it sends.
    Echo {
        /// A ping is out, and nothing has come since.
        pinged: bool,
    },
    /// The server's close frame is out, the client's is awaited.
    Closing,
}

/// What the poll has told of a connection.
#[derive(Clone, Copy, Default)]
pub struct Told {
    /// There is something to read.
    pub readable: bool,
    /// There is room to write.
    pub writable: bool,
    /// The client has ended its side.
    pub ended: bool,
}

/// Where reading stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Input {
    /// The socket has nothing more, and will tell.
    Drained,
    /// The socket has told that there is something.
    Ready,
    /// The socket has told that the client has ended its side, behind what is still to be read.
    Ending,
    /// The client has ended its side.
    Ended,
}

/// What a connection holds while it is not idle.
#[derive(Default)]
pub struct Busy {
    pub(super) outbox: Outbox,
    /// Since when the socket has taken nothing.
    pub(super) stalled: Option<Tick>,
    pub(super) partial: Partial,
    /// Bytes that came behind a held poll, or while too much was owed. They wait their turn.
    pub(super) waiting: Vec<u8>,
    /// What an echo that was agreed to be compressed needs from one message to the next. It is never idle.
    pub(super) compression: Option<Box<EchoCompression>>,
}

impl Busy {
    /// Whether nothing of it is needed.
    pub(super) fn is_idle(&self) -> bool {
        let nothing = self.outbox.is_empty() && self.waiting.is_empty();
        nothing && self.compression.is_none() && matches!(self.partial, Partial::None)
    }
}

/// What has come in part.
#[derive(Default)]
pub enum Partial {
    /// Nothing.
    #[default]
    None,
    /// A request's head.
    Head {
        /// As far as it has come.
        buffer: Vec<u8>,
        /// How far it has been looked at.
        scan: HeadScan,
    },
    /// A request's body.
    Body(Box<PendingBody>),
    /// A WebSocket frame or message.
    Frames(Box<Receiver>),
}

impl<S: ByteStream> Connection<S> {
    /// A connection that has just been accepted.
    pub fn new(stream: S, key: Key, surplus: bool, cx: &mut Context) -> Connection<S> {
        let due = cx.now().after(cx.options.head_timeout * Tick::PER_SECOND);
        let scheduled = Tick(u32::MAX);
        let input = Input::Drained;
        let mut connection =
            Connection { stream, state: State::Request, busy: None, key, due, scheduled, input, surplus };
        connection.arm(cx);
        connection
    }

    pub(super) fn busy(&mut self) -> &mut Busy {
        self.busy.get_or_insert_default()
    }

    pub(super) fn outbox_len(&self) -> usize {
        self.busy.as_ref().map_or(0, |busy| busy.outbox.len())
    }

    /// The state is due this many seconds from now.
    pub(super) fn due_in(&mut self, seconds: u32, cx: &Context) {
        self.due = cx.now().after(seconds.saturating_mul(Tick::PER_SECOND));
    }

    /// Sees to it that the wheel has an entry for the next deadline.
    pub(super) fn arm(&mut self, cx: &mut Context) {
        let next = self.next_deadline(cx);
        if next < self.scheduled {
            self.scheduled = cx.wheel.insert(self.key, next);
        }
    }

    fn next_deadline(&self, cx: &Context) -> Tick {
        let stalled = self.busy.as_ref().and_then(|busy| busy.stalled);
        let write = stalled.map(|since| since.after(cx.options.write_timeout * Tick::PER_SECOND));
        write.map_or(self.due, |write| write.min(self.due))
    }

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
        while self.may_read() {
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
        if self.input == Input::Ended && self.may_read() && matches!(self.state, State::Request) {
            // A half-close: all that came before it has been answered (RFC 9112 §9.6).
            self.end(cx);
        }
        self.arm(cx);
    }

    /// Whether something has come that it has not dealt with yet.
    pub(super) fn has_input(&self) -> bool {
        self.input != Input::Drained || self.busy.as_ref().is_some_and(|busy| !busy.waiting.is_empty())
    }

    fn may_read(&self) -> bool {
        !matches!(self.state, State::Held { .. } | State::Closed) && self.outbox_len() < OUTBOX_HIGH
    }

    fn read(&mut self, buffer: &mut [u8], cx: &mut Context) {
        match self.stream.read(buffer) {
            Ok(0) => {
                self.input = Input::Ended;
                self.ended(cx);
            }
            Ok(length) => {
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
            Err(_) => self.close(cx),
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
            State::Socket(_) | State::Lingering => self.close(cx),
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
            if self.outbox_len() + cx.out.len() >= OUTBOX_HIGH {
                self.flush(cx);
                if self.outbox_len() >= OUTBOX_HIGH {
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
                self.close(cx);
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
            State::Ending | State::Lingering | State::Closed => self.close(cx),
        }
    }

    /// Ends the connection once everything is written.
    pub(super) fn end(&mut self, cx: &mut Context) {
        self.state = State::Ending;
        // As long as the client takes something within each write deadline, it gets everything.
        self.due = Tick(u32::MAX);
        self.flush(cx);
    }

    /// The last byte is written: the server's side ends, and the client's is waited for.
    pub(super) fn linger(&mut self, cx: &mut Context) {
        if self.input == Input::Ended {
            return self.close(cx);
        }
        self.drop_busy(cx);
        self.state = State::Lingering;
        self.due_in(cx.options.linger, cx);
        if self.stream.end().is_err() {
            self.close(cx);
        }
    }

    /// Nothing that it holds is needed any more; a window of compression is another's to have.
    fn drop_busy(&mut self, cx: &mut Context) {
        let compression = self.busy.take().and_then(|busy| busy.compression);
        cx.echo_contexts -= usize::from(compression.is_some_and(|compression| compression.keeps_context()));
    }

    /// It is over.
    pub(super) fn close(&mut self, cx: &mut Context) {
        if matches!(self.state, State::Closed) {
            return;
        }
        if let Some(topic) = self.topic() {
            cx.service.hub.leave(topic, self.key.slot, cx.clock.tick());
        }
        self.state = State::Closed;
        self.drop_busy(cx);
        cx.out.clear();
        cx.closed.push(self.key.slot);
    }

    /// Writes bytes that others write too.
    pub(super) fn send_shared(&mut self, bytes: Rc<Vec<u8>>, cx: &mut Context) {
        let mut written = 0;
        if self.busy.as_ref().is_none_or(|busy| busy.outbox.is_empty()) {
            match self.stream.write(&bytes) {
                Ok(length) => written = length,
                Err(error)
                    if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                Err(_) => return self.close(cx),
            }
            cx.service.counters.bytes_written += written as u64;
        }
        if written < bytes.len() {
            let (now, end) = (cx.now(), bytes.len());
            let busy = self.busy();
            busy.outbox.push_shared(bytes, written, end);
            busy.stalled = Some(now);
            self.arm(cx);
        }
    }
}
