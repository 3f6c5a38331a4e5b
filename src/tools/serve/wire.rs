//! The wire view of a running server: an observer that names every byte that passes.

use std::io;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Instant;

use super::passage::Passage;
use super::recording::Recording;
use super::wire_bounds::WireBounds;
use super::wire_output::Outputs;
use crate::server::{Observer, Sender};
use crate::tools::standard_streams::standard_error;
use crate::transport::{Purpose, Transport};
use crate::wire::{Compression, Conversation, PIECE_BYTES, SecretNames, Side, Span, Start};

/// How many bytes of a client wait until the purpose of their request is known: the longest head
/// that `--max-head-bytes` allows, and one read. More arrive only if the server does not interpret
/// them.
const MAX_WAITING: usize = (1 << 20) + (64 << 10);
/// How many spans of one read or write may wait before they are shown.
const SPANS_AT_ONCE: usize = 1024;

/// The options of the wire view. Secrets are hidden in all of its outputs.
#[derive(Clone, Debug, Default)]
pub struct WireOptions {
    /// Print to standard error.
    pub print: bool,
    /// Print in color.
    pub color: bool,
    /// Record to a file.
    pub record: Option<PathBuf>,
    /// Names of fields and query parameters that are secrets, in addition to the built-in ones.
    pub hide: Vec<String>,
    /// What is printed, recorded and sent to the clients that follow `/wire`.
    pub filter: Filter,
    /// The bounds on the memory of the view.
    pub bounds: WireBounds,
}

/// Which conversations are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// The purposes that are shown; all if there is none.
    pub purposes: Vec<Purpose>,
    /// The connections that are shown, by number; all if there is none.
    pub connections: Vec<u64>,
}

impl Filter {
    fn accepts(&self, number: u64, purpose: Purpose) -> bool {
        (self.connections.is_empty() || self.connections.contains(&number))
            && (self.purposes.is_empty() || self.purposes.contains(&purpose))
    }
}

/// A connection that is open. There is one for every connection even while nobody watches, so it is
/// small.
struct Observed {
    /// The number of the connection, counted from 1.
    number: NonZeroU32,
    /// The purpose when the view became active, if bytes had passed before. It determines how the
    /// next bytes are parsed.
    joined_at: Option<Purpose>,
    /// The purpose of the last request.
    purpose: Option<Purpose>,
    /// What has passed since the view became active.
    seen: Option<Box<Seen>>,
}

impl Observed {
    /// Returns a passage at this time, unless the filter excludes it. The view does not show its
    /// own stream: each event would cause the next.
    fn passage(&self, filter: &Filter, time_ms: u64) -> Option<Passage> {
        let passage = self.any_passage(time_ms);
        let Passage { connection, purpose, .. } = passage;
        (purpose != Purpose::Observe && filter.accepts(connection, purpose)).then_some(passage)
    }

    /// Returns a passage at this time, whatever the filter selects.
    fn any_passage(&self, time_ms: u64) -> Passage {
        let purpose = self.purpose.unwrap_or(Purpose::Other);
        Passage { connection: self.number.get().into(), purpose, time_ms }
    }
}

const _: () = assert!(size_of::<Option<Observed>>() <= 16, "an idle connection costs the view little");

/// What has passed on a connection while the view was active.
#[derive(Default)]
struct Seen {
    conversation: Option<Box<Conversation>>,
    /// The client's bytes that are not shown yet. Their request's purpose is not known.
    waiting: Vec<u8>,
    /// The memory that is counted for this connection, in bytes.
    counted: usize,
    /// The number of bytes that are not shown, once the connection is not watched any further.
    lost: Option<u64>,
}

impl Seen {
    fn memory(&self) -> usize {
        let conversation = self.conversation.as_ref().map_or(0, |conversation| conversation.memory());
        size_of::<Self>() + conversation + self.waiting.capacity()
    }
}

/// The wire view.
pub struct WireView {
    filter: Filter,
    secrets: SecretNames,
    outputs: Outputs,
    /// The connections, indexed by the server's number for them.
    connections: Vec<Option<Observed>>,
    /// The memory of what has passed on all connections, in bytes.
    held: usize,
    /// How many connections were accepted, modulo 2³².
    accepted: u32,
    is_active: bool,
    start: Instant,
    now_ms: u64,
}

impl WireView {
    /// Creates a view with the outputs that the options ask for.
    ///
    /// # Errors
    /// The file to record to cannot be created. The error names it.
    pub fn new(options: &WireOptions) -> io::Result<WireView> {
        let mut outputs = Outputs::within(options.bounds);
        if options.print {
            outputs = outputs.print_to(standard_error(), options.color);
        }
        if let Some(path) = &options.record {
            outputs = outputs.record_to(Recording::create(path, options.bounds.recording)?);
        }
        Ok(WireView {
            filter: options.filter.clone(),
            secrets: SecretNames::with(&options.hide),
            is_active: outputs.is_any(),
            outputs,
            connections: Vec::new(),
            held: 0,
            accepted: 0,
            start: Instant::now(),
            now_ms: 0,
        })
    }

    /// Parses bytes and shows them.
    fn show(&mut self, connection: u32, side: Side, bytes: &mut dyn Iterator<Item = &[u8]>) {
        let Some(observed) = self.connections.get_mut(connection as usize).and_then(Option::as_mut) else {
            return;
        };
        let Some(passage) = observed.passage(&self.filter, self.now_ms) else { return };
        let start = observed.joined_at.map_or(Start::Http, start_within);
        let seen = observed.seen.get_or_insert_default();
        let secrets = &self.secrets;
        let begin = || Box::new(Conversation::starting(start).hiding(secrets.clone()));
        let conversation = seen.conversation.get_or_insert_with(begin);
        let mut spans = Vec::new();
        for bytes in bytes {
            for piece in bytes.chunks(PIECE_BYTES) {
                conversation.feed(side, piece, &mut spans);
                if spans.len() > SPANS_AT_ONCE {
                    self.outputs.show(passage, &spans);
                    spans.clear();
                }
            }
        }
        self.outputs.work += conversation.take_work();
        self.outputs.show(passage, &spans);
    }

    /// Shows the bytes that have waited for their purpose.
    fn show_waiting(&mut self, connection: u32) {
        if let Some(seen) = self.observed(connection).and_then(|observed| observed.seen.as_mut())
            && !seen.waiting.is_empty()
        {
            let waiting = std::mem::take(&mut seen.waiting);
            self.show(connection, Side::Client, &mut std::iter::once(&waiting[..]));
        }
    }

    fn observed(&mut self, connection: u32) -> Option<&mut Observed> {
        self.connections.get_mut(connection as usize)?.as_mut()
    }

    /// Records whether a client follows `/wire`, which makes the view active.
    fn set_followed(&mut self, is_followed: bool) {
        if self.outputs.is_followed != is_followed {
            self.outputs.is_followed = is_followed;
            if self.outputs.is_any() != self.is_active {
                self.leave_conversations();
            }
            self.is_active = self.outputs.is_any();
        }
    }

    /// Forgets what has passed on the open connections. When the view is active again, it joins
    /// them, because more bytes have passed unseen.
    fn leave_conversations(&mut self) {
        for observed in self.connections.iter_mut().flatten() {
            observed.joined_at = Some(observed.purpose.unwrap_or(Purpose::Other));
            observed.seen = None;
        }
        self.held = 0;
    }

    /// Updates the memory of what has passed on a connection, and enforces the bound on all: the
    /// connection that holds the most is not watched any further.
    fn account_memory(&mut self, connection: u32) {
        let Some(seen) = self.connections.get_mut(connection as usize).and_then(seen_mut) else { return };
        let memory = seen.memory();
        self.held = self.held - seen.counted + memory;
        seen.counted = memory;
        while self.held > self.outputs.bound_of_conversations() && self.stop_largest() {}
    }

    /// Stops watching the connection that holds the most. Returns false if no connection is
    /// watched.
    fn stop_largest(&mut self) -> bool {
        let watched = self.connections.iter_mut().flatten();
        let held = |observed: &&mut Observed| {
            let seen = observed.seen.as_ref().filter(|seen| seen.lost.is_none());
            seen.map_or(0, |seen| seen.counted)
        };
        let Some(largest) = watched.max_by_key(held).filter(|largest| held(largest) > 0) else {
            return false;
        };
        let passage = largest.passage(&self.filter, self.now_ms);
        let Some(seen) = largest.seen.as_mut() else { return false };
        let Seen { conversation, waiting, counted, .. } = std::mem::take(&mut **seen);
        seen.lost = Some(waiting.len() as u64);
        seen.counted = seen.memory();
        self.held = self.held - counted + seen.counted;
        if let Some(passage) = passage {
            if let Some(mut conversation) = conversation {
                self.outputs.show(passage, &rest_of(&mut conversation));
            }
            self.outputs.stop(passage);
            self.outputs.lose(waiting.len());
        }
        true
    }
}

impl Observer for WireView {
    fn is_active(&self) -> bool {
        self.is_active
    }

    fn begin_iteration(&mut self) {
        if self.is_active {
            self.now_ms = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        }
    }

    fn opened(&mut self, connection: u32) {
        let number = NonZeroU32::MIN.saturating_add(self.accepted);
        self.accepted = self.accepted.wrapping_add(1);
        let observed = Observed { number, joined_at: None, purpose: None, seen: None };
        let at = connection as usize;
        if at >= self.connections.len() {
            self.connections.resize_with(at + 1, || None);
        }
        self.connections[at] = Some(observed);
    }

    fn has_purpose(&mut self, connection: u32, purpose: Purpose) {
        if let Some(observed) = self.observed(connection) {
            observed.purpose = Some(purpose);
            self.show_waiting(connection);
            self.account_memory(connection);
        }
    }

    fn passed(&mut self, connection: u32, sender: Sender, bytes: &mut dyn Iterator<Item = &[u8]>) {
        let Some(observed) = self.connections.get_mut(connection as usize).and_then(Option::as_mut) else {
            return;
        };
        // A request shows its purpose only when it is complete; it may ask for the view itself.
        let is_open = matches!(
            observed.purpose,
            Some(Purpose::Follow(Transport::EventStream | Transport::WebSocket) | Purpose::Observe)
        );
        let passage = observed.passage(&self.filter, self.now_ms);
        let seen = observed.seen.get_or_insert_default();
        if let Some(lost) = &mut seen.lost {
            let length = bytes.map(<[u8]>::len).sum();
            *lost += length as u64;
            self.outputs.lose(if passage.is_some() { length } else { 0 });
            return;
        }
        match sender {
            Sender::Server => self.show(connection, Side::Server, bytes),
            // All of the client's bytes wait, if only until the end of this call, so that none
            // overtakes an earlier one.
            Sender::Client => {
                bytes.for_each(|bytes| seen.waiting.extend_from_slice(bytes));
                if is_open || seen.waiting.len() > MAX_WAITING {
                    self.show_waiting(connection);
                }
            }
        }
        self.account_memory(connection);
    }

    fn take_work(&mut self) -> u64 {
        std::mem::take(&mut self.outputs.work)
    }

    fn memory(&self) -> usize {
        self.held + self.outputs.memory()
    }

    fn closed(&mut self, connection: u32) {
        if self.is_active {
            self.show_waiting(connection);
        }
        let Some(observed) = self.connections.get_mut(connection as usize).and_then(Option::take) else {
            return;
        };
        let selected = observed.passage(&self.filter, self.now_ms);
        let passage = observed.any_passage(self.now_ms);
        let Some(seen) = observed.seen else { return };
        self.held -= seen.counted;
        if !self.is_active {
            return;
        }
        if let Some(mut conversation) = seen.conversation {
            self.outputs.show(passage, &rest_of(&mut conversation));
            self.outputs.show_end(passage);
        } else if let (Some(passage), Some(lost)) = (selected, seen.lost) {
            self.outputs.show_lost(passage, lost);
            self.outputs.show_end(passage);
        }
    }

    fn end_iteration(&mut self, is_followed: bool, publish: &mut dyn FnMut(&str)) {
        self.set_followed(is_followed);
        if self.is_active {
            self.outputs.write_all(publish);
        }
    }
}

impl Drop for WireView {
    /// Shows the end of the connections that were open when the server ended.
    fn drop(&mut self) {
        for connection in 0..self.connections.len() {
            self.closed(connection as u32);
        }
        self.outputs.write_all(&mut |_| ());
        self.outputs.finish();
    }
}

fn seen_mut(observed: &mut Option<Observed>) -> Option<&mut Seen> {
    observed.as_mut()?.seen.as_deref_mut()
}

/// Returns the last spans of a conversation that ends.
fn rest_of(conversation: &mut Conversation) -> Vec<Span> {
    let mut spans = Vec::new();
    for side in [Side::Client, Side::Server] {
        conversation.finish(side, &mut spans);
    }
    spans
}

/// Returns how to parse the next bytes on a connection that was open before the view was active.
fn start_within(purpose: Purpose) -> Start {
    match purpose {
        Purpose::Follow(Transport::WebSocket) => Start::WebSocket(Compression::NotSeen),
        Purpose::Follow(Transport::EventStream) => Start::EventStreamChunks,
        _ => Start::Http,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::iter::once;

    use super::{Observer, Purpose, Sender, Transport, WireOptions, WireView};
    use crate::protocol::http::{BodyLimits, BodyReader, Framing};
    use crate::server::Options;
    use crate::simulation::Simulation;

    #[cfg(feature = "deflate")]
    #[test]
    fn the_work_follows_what_is_inflated_and_its_own_stream_is_none() {
        let mut view = WireView::new(&WireOptions::default()).expect("no file is written");
        for (connection, purpose) in [(0, Purpose::Follow(Transport::WebSocket)), (1, Purpose::Observe)] {
            view.opened(connection);
            view.has_purpose(connection, purpose);
        }
        view.end_iteration(true, &mut |_| ());
        assert_eq!(view.take_work(), 0, "nothing has passed");
        let mut deflate = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
        deflate.write_all(&[b'a'; 65_536]).expect("memory");
        let payload = deflate.finish().expect("memory");
        // A byte follows a last block (RFC 7692 §7.2.3.4).
        let frame = [&[0xc1, payload.len() as u8 + 1], &payload[..], &[0]].concat();
        view.passed(0, Sender::Server, &mut once(&frame[..]));
        let work = view.take_work();
        assert!((65_536..10 * 65_536).contains(&work), "{work}");
        view.passed(1, Sender::Server, &mut once(&[b'a'; 65_536][..]));
        assert_eq!(view.take_work(), 0, "the view does not show its own stream");
    }

    /// A client of the view has taken a part of an event when a flood pushes that event out of the
    /// window. The client receives the rest of the event and the end of the stream.
    #[test]
    fn a_slow_client_of_the_view_receives_the_rest_of_its_event_and_the_end() {
        for room in [1, 100, 300] {
            let mut options = Options::default();
            options.policy.access.loopback_only = true;
            let view = WireView::new(&WireOptions::default()).expect("no file is written");
            let mut server = Simulation::new(options, 1).observed_by(Box::new(view));
            let viewer = server.connect();
            server.send(viewer, b"GET /wire HTTP/1.1\r\nHost: localhost\r\n\r\n");
            let other = server.connect();
            server.send(
                other,
                b"GET /echo HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                  Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            );
            let mut received = server.take(viewer);
            server.set_room(viewer, room);
            // Empty pings: six bytes each, and a hundred times as many in the view, which keeps 4
            // MiB.
            let flood = b"\x89\x80\0\0\0\0".repeat(8000);
            server.send(other, &flood[..6]);
            server.send(other, &flood);
            server.set_room(viewer, usize::MAX);
            received.extend(server.take(viewer));
            let head = received.windows(4).position(|end| end == b"\r\n\r\n").expect("a head") + 4;
            let body = BodyReader::new(Framing::Chunked, BodyLimits::ENDLESS);
            let mut body = body.expect("chunks have no length");
            let read = body.read(&received[head..], &mut Vec::new());
            assert_eq!(read.ok(), Some((received.len() - head, true)), "with room for {room} bytes");
            assert!(server.has_ended(viewer));
        }
    }
}
