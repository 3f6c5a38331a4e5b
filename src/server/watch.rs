//! The wire view of a running server: a copy of all bytes that pass, told apart into spans for whoever looks.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Instant;

use super::watch_output::{Outputs, Passage};
use crate::transport::wire_view::TRANSPORT as ITSELF;
use crate::wire::{Compression, Conversation, Side, Start};

/// How many bytes of a request wait until it is known what it asks for.
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

impl Choice {
    fn takes(&self, number: u64, transport: &str) -> bool {
        (self.connections.is_empty() || self.connections.contains(&number))
            && (self.transports.is_empty() || self.transports.iter().any(|chosen| chosen == transport))
    }
}

/// Who looks, and at what.
pub struct Watch {
    looks: Cell<bool>,
    /// How often somebody has begun to look.
    begun: Cell<u32>,
    choice: Choice,
    outputs: RefCell<Outputs>,
    accepted: Cell<u64>,
    start: Instant,
    now_ms: Cell<u64>,
}

impl Watch {
    /// A watch that shows what it sees in `outputs`.
    pub fn new(choice: Choice, outputs: Outputs) -> Watch {
        Watch {
            looks: Cell::new(outputs.is_any()),
            begun: Cell::new(0),
            choice,
            outputs: RefCell::new(outputs),
            accepted: Cell::new(0),
            start: Instant::now(),
            now_ms: Cell::new(0),
        }
    }

    /// Whether anybody looks.
    pub fn looks(&self) -> bool {
        self.looks.get()
    }

    /// A turn of the loop begins: what is seen in it is of one time.
    pub fn begin_turn(&self) {
        if self.looks() {
            self.now_ms.set(u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX));
        }
    }

    /// Whether somebody follows the view over `/wire` now.
    pub fn followed(&self, is_followed: bool) {
        if self.outputs.borrow().followed != is_followed {
            let mut outputs = self.outputs.borrow_mut();
            outputs.followed = is_followed;
            if outputs.is_any() && !self.looks() {
                self.begun.set(self.begun.get().wrapping_add(1));
            }
            self.looks.set(outputs.is_any());
        }
    }

    /// The turn is over: what is for a terminal or a file is written there, and what is for followers of `/wire` handed out.
    pub fn hand_out(&self, publish: impl FnMut(&str)) {
        self.outputs.borrow_mut().hand_out(publish);
    }
}

/// One connection, as far as it is watched.
pub struct Watching {
    watch: Rc<Watch>,
    number: u64,
    /// Since which beginning its bytes have been seen.
    begun: u32,
    /// What it carried when that began, if some had passed before: that, and nothing that it was asked for later, says what stands next.
    missed: Option<&'static str>,
    /// What it carries, once a request has said so.
    transport: Option<&'static str>,
    conversation: Option<Box<Conversation>>,
    /// What the client has sent of a request, as long as it is not known whether it is to be shown.
    held: Vec<u8>,
}

impl Watching {
    /// A connection that has just been accepted.
    pub fn new(watch: &Rc<Watch>) -> Watching {
        let number = watch.accepted.get() + 1;
        watch.accepted.set(number);
        Watching {
            watch: Rc::clone(watch),
            number,
            begun: watch.begun.get(),
            missed: None,
            transport: None,
            conversation: None,
            held: Vec::new(),
        }
    }

    /// It is known what the request asks for that the bytes read last belong to; `transport` is what the log calls it.
    pub fn carries(&mut self, transport: &'static str) {
        self.transport = Some(transport);
        self.release();
    }

    /// Bytes have passed.
    pub fn saw<'b>(&mut self, side: Side, pieces: impl IntoIterator<Item = &'b [u8]>) {
        if !self.watch.looks() {
            return;
        }
        if self.begun != self.watch.begun.get() {
            (self.begun, self.missed) = (self.watch.begun.get(), Some(self.transport.unwrap_or("-")));
            (self.conversation, self.held) = (None, Vec::new());
        }
        // A request says only when it is whole what it asks for: perhaps for the view itself.
        let is_open = matches!(self.transport, Some("sse" | "websocket" | ITSELF));
        if side == Side::Client && !is_open && self.held.len() < MOST_HELD {
            pieces.into_iter().for_each(|piece| self.held.extend_from_slice(piece));
            return;
        }
        self.feed(side, pieces);
    }

    /// What was held is shown, now that it is known whether it is to be.
    fn release(&mut self) {
        if !self.held.is_empty() {
            let held = std::mem::take(&mut self.held);
            self.feed(Side::Client, [&held[..]]);
        }
    }

    fn feed<'b>(&mut self, side: Side, pieces: impl IntoIterator<Item = &'b [u8]>) {
        let transport = self.transport.unwrap_or("-");
        if transport == ITSELF || !self.watch.choice.takes(self.number, transport) {
            return;
        }
        let start = self.missed.map_or(Start::Http, start_within);
        let conversation =
            self.conversation.get_or_insert_with(|| Box::new(Conversation::starting(start).hiding_secrets()));
        let mut spans = Vec::new();
        for piece in pieces {
            conversation.feed(side, piece, &mut spans);
        }
        self.watch.outputs.borrow_mut().show(self.passage(), &spans);
    }

    fn passage(&self) -> Passage {
        let transport = self.transport.unwrap_or("-");
        Passage { connection: self.number, transport, time_ms: self.watch.now_ms.get() }
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        if !self.watch.looks() {
            return;
        }
        self.release();
        if let Some(mut conversation) = self.conversation.take() {
            let mut spans = Vec::new();
            for side in [Side::Client, Side::Server] {
                conversation.finish(side, &mut spans);
            }
            let mut outputs = self.watch.outputs.borrow_mut();
            outputs.show(self.passage(), &spans);
            outputs.ended(self.passage());
        }
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
