//! The wire view of a running server: a copy of all bytes that pass, told apart into spans for whoever looks.
//!
//! A watched connection's socket is a [`Watched`]: it hands on what it reads and writes, and to the [`Watch`] a copy. A server that
//! nobody may watch has plain sockets, and none of this.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::{self, IoSlice, Read, Write};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Instant;

use super::byte_stream::ByteStream;
use super::watch_output::{Outputs, Passage};
use crate::transport::wire_view::TRANSPORT as ITSELF;
use crate::wire::{Compression, Conversation, Side, Span, Start};

/// How many bytes of a connection wait until it is known what it carries, where only some are to be shown.
const MOST_HELD: usize = 64 * 1024;

/// Which conversations are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// Only of these transports, as the log calls them (`short-poll`, `long-poll`, `sse`, `websocket`, `publish`; `-` for all else);
    /// with none, all.
    pub transports: Vec<String>,
    /// Only these connections, by number; with none, all.
    pub connections: Vec<u64>,
}

/// A socket of which all bytes are shown, too.
pub struct Watched<S> {
    stream: S,
    number: u64,
    watch: Rc<RefCell<Watch>>,
}

impl<S> Watched<S> {
    /// A connection that has just been accepted, with the number that it is shown under.
    pub fn new(stream: S, watch: &Rc<RefCell<Watch>>) -> Watched<S> {
        let number = watch.borrow_mut().next_number();
        Watched { stream, number, watch: Rc::clone(watch) }
    }
}

impl<S: Read> Read for Watched<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.stream.read(buffer)?;
        let mut watch = self.watch.borrow_mut();
        if watch.looks {
            watch.saw(self.number, Side::Client, [&buffer[..length]]);
        }
        Ok(length)
    }
}

impl<S: Write> Write for Watched<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = self.stream.write(bytes)?;
        let mut watch = self.watch.borrow_mut();
        if watch.looks {
            watch.saw(self.number, Side::Server, [&bytes[..length]]);
        }
        Ok(length)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let length = self.stream.write_vectored(slices)?;
        let mut watch = self.watch.borrow_mut();
        if watch.looks {
            let mut left = length;
            let written = slices.iter().map(|slice| {
                let taken = left.min(slice.len());
                left -= taken;
                &slice[..taken]
            });
            watch.saw(self.number, Side::Server, written);
        }
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

impl<S: ByteStream> ByteStream for Watched<S> {
    fn end(&mut self) -> io::Result<()> {
        self.stream.end()
    }

    fn peer(&self) -> Option<SocketAddr> {
        self.stream.peer()
    }

    fn carries(&mut self, transport: &'static str) {
        self.watch.borrow_mut().carries(self.number, transport);
    }
}

impl<S> Drop for Watched<S> {
    fn drop(&mut self) {
        self.watch.borrow_mut().ended(self.number);
    }
}

impl Choice {
    fn takes(&self, number: u64, transport: &str) -> bool {
        (self.connections.is_empty() || self.connections.contains(&number))
            && (self.transports.is_empty() || self.transports.iter().any(|chosen| chosen == transport))
    }
}

/// What stands next on a connection that was there before anybody looked.
fn start_within(transport: &str) -> Start {
    match transport {
        "websocket" => Start::WebSocket(Compression::NotSeen),
        "sse" => Start::EventStreamChunks,
        _ => Start::Http,
    }
}

/// One connection, as far as it is watched.
#[derive(Default)]
struct Watching {
    /// What it carries, once a request has said so.
    transport: Option<&'static str>,
    /// There once somebody looks.
    conversation: Option<Box<Conversation>>,
    /// It was there before anybody looked.
    missed: bool,
    /// What the client has sent of a request, as long as it is not known whether it is to be shown.
    held: Vec<u8>,
}

/// All connections that are watched, and who looks.
pub struct Watch {
    /// Whether anybody looks.
    looks: bool,
    choice: Choice,
    outputs: Outputs,
    connections: HashMap<u64, Watching>,
    accepted: u64,
    begun: Instant,
    now_ms: u64,
    spans: Vec<Span>,
}

impl Watch {
    /// A watch that shows what it sees in `outputs`.
    pub fn new(choice: Choice, outputs: Outputs) -> Watch {
        Watch {
            looks: outputs.is_any(),
            choice,
            outputs,
            connections: HashMap::new(),
            accepted: 0,
            begun: Instant::now(),
            now_ms: 0,
            spans: Vec::new(),
        }
    }

    /// A turn of the loop begins: what is seen in it is of one time.
    pub fn turn(&mut self) {
        if self.looks {
            self.now_ms = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        }
    }

    /// Whether somebody follows the view over `/wire`.
    pub fn followed(&mut self, is_followed: bool) {
        if self.outputs.followed != is_followed {
            self.outputs.followed = is_followed;
            self.looks = self.outputs.is_any();
            for watching in self.connections.values_mut() {
                // What has passed unseen, or will, is missing in it.
                (watching.conversation, watching.missed) = (None, true);
            }
        }
    }

    /// The turn is over: what is for a terminal or a file is written there, and what is for followers of `/wire` handed out.
    pub fn hand_out(&mut self, publish: impl FnMut(&str)) {
        self.outputs.hand_out(publish);
    }

    fn next_number(&mut self) -> u64 {
        self.accepted += 1;
        self.connections.insert(self.accepted, Watching::default());
        self.accepted
    }

    fn carries(&mut self, number: u64, transport: &'static str) {
        let Some(watching) = self.connections.get_mut(&number) else { return };
        watching.transport = Some(transport);
        self.release(number);
    }

    /// What was held is shown, now that it is known whether it is to be.
    fn release(&mut self, number: u64) {
        let Some(watching) = self.connections.get_mut(&number) else { return };
        let held = std::mem::take(&mut watching.held);
        if !held.is_empty() {
            self.feed(number, Side::Client, [&held[..]]);
        }
    }

    fn saw<'b>(&mut self, number: u64, side: Side, pieces: impl IntoIterator<Item = &'b [u8]>) {
        let Some(watching) = self.connections.get_mut(&number) else { return };
        // A request says only when it is whole what it asks for: perhaps for the view itself.
        let is_open = matches!(watching.transport, Some("sse" | "websocket" | ITSELF));
        if side == Side::Client && !is_open && watching.held.len() < MOST_HELD {
            pieces.into_iter().for_each(|piece| watching.held.extend_from_slice(piece));
            return;
        }
        self.feed(number, side, pieces);
    }

    fn feed<'b>(&mut self, number: u64, side: Side, pieces: impl IntoIterator<Item = &'b [u8]>) {
        let Some(watching) = self.connections.get_mut(&number) else { return };
        let transport = watching.transport.unwrap_or("-");
        if transport == ITSELF || !self.choice.takes(number, transport) {
            return;
        }
        let start = if watching.missed { start_within(transport) } else { Start::Http };
        let conversation = watching
            .conversation
            .get_or_insert_with(|| Box::new(Conversation::starting(start).hiding_secrets()));
        for piece in pieces {
            conversation.feed(side, piece, &mut self.spans);
        }
        self.show(number, transport);
    }

    fn show(&mut self, number: u64, transport: &'static str) {
        let passage = Passage { connection: number, transport, time_ms: self.now_ms };
        self.outputs.show(passage, &self.spans);
        self.spans.clear();
    }

    fn ended(&mut self, number: u64) {
        self.release(number);
        let Some(watching) = self.connections.remove(&number) else { return };
        let transport = watching.transport.unwrap_or("-");
        let is_shown = watching.conversation.is_some();
        if let Some(mut conversation) = watching.conversation {
            for side in [Side::Client, Side::Server] {
                conversation.finish(side, &mut self.spans);
            }
            self.show(number, transport);
        }
        if is_shown {
            self.outputs.ended(Passage { connection: number, transport, time_ms: self.now_ms });
        }
    }
}
