//! One direction of a connection, as a state machine: heads, bodies, frames, an event stream.

use super::body::{Body, Framing};
use super::content::Content;
use super::event_stream::EventStream;
use super::exchange::{Compression, Exchange, PendingRequest, Protocol, Switch};
use super::frame::Frames;
use super::head::{Head, NOT_HTTP};
use super::head_fields::HeadFields;
use super::note::Note;
use super::response;
use super::secret_names::SecretNames;
use super::secrets;
use super::span::{Kind, Side, Span, printable};
use super::splitter::{DATA_SPAN_BYTES, FieldSpec, Progress, Splitter};
use crate::protocol::http::fields::is_token;
use crate::protocol::rule::Section;

/// The maximum number of client bytes to hold back until a response determines their protocol.
/// With more, the view guesses the protocol.
const MAX_WAITING_BYTES: usize = 64 * 1024;

const OPAQUE: FieldSpec = FieldSpec::new("octets", Kind::Opaque, Section::rfc(9293, "2.2"), "");

/// The protocol state at which a conversation starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// HTTP/1.1, and any protocol that the connection switches to.
    #[default]
    Http,
    /// WebSocket frames: the handshake is complete, or was not seen.
    WebSocket(Compression),
    /// From the server, an event stream without a head or a transfer coding; from the client, HTTP.
    EventStream,
    /// From the server, the rest of an event stream at the start of a chunk; from the client, HTTP.
    EventStreamChunks,
}

/// One direction of a connection: its protocol state and the bytes not yet split into spans.
#[derive(Debug)]
pub(super) struct Direction {
    side: Side,
    /// The number of bytes already split into spans.
    offset: u64,
    /// The bytes after those, which have arrived but are not in a span yet.
    pending: Vec<u8>,
    state: State,
    ended: bool,
}

/// The protocol state of a direction.
#[derive(Debug)]
pub(super) enum State {
    Head(Head),
    Body {
        body: Body,
        note: Note,
        /// The protocol that the client requested instead of HTTP.
        target: Option<SwitchTarget>,
    },
    /// The client requested another protocol. Until the server responds, the client's next bytes
    /// may belong to that protocol or to HTTP.
    AwaitingSwitch(SwitchTarget),
    Frames(Box<Frames>),
    EventStream(Box<EventStream>),
    Opaque {
        why: &'static str,
        done: u64,
    },
}

/// The protocol that a client requested.
#[derive(Clone, Copy, Debug)]
pub(super) enum SwitchTarget {
    WebSocket,
    Tunnel,
    Other,
}

impl Direction {
    pub fn new(side: Side, start: Start) -> Self {
        let state = match (start, side) {
            (Start::WebSocket(compression), _) => State::Frames(Box::new(Frames::new(side, compression))),
            (Start::EventStream, Side::Server) => State::EventStream(Box::default()),
            (Start::EventStreamChunks, Side::Server) => State::Body {
                body: Body::new(Framing::Chunked, Content::EventStream(Box::default())),
                note: Note::Remark("The response ends. Its start was not seen.".into()),
                target: None,
            },
            (Start::Http | Start::EventStream | Start::EventStreamChunks, _) => State::Head(Head::new(side)),
        };
        Self { side, offset: 0, pending: Vec::new(), state, ended: false }
    }

    pub fn side(&self) -> Side {
        self.side
    }

    pub fn state(&self) -> &State {
        &self.state
    }

    /// Returns the heap memory in bytes.
    pub fn memory(&self) -> usize {
        let state = match &self.state {
            State::Head(head) => head.memory(),
            State::Body { body, .. } => body.memory(),
            State::Frames(frames) => frames.memory(),
            State::EventStream(stream) => stream.memory(),
            State::AwaitingSwitch(_) | State::Opaque { .. } => 0,
        };
        self.pending.capacity() + state
    }

    /// Returns the work of decompression since the last call, in bytes.
    pub fn take_work(&mut self) -> u64 {
        match &mut self.state {
            State::Frames(frames) => frames.take_work(),
            _ => 0,
        }
    }

    /// Records that no more bytes will arrive.
    pub fn end(&mut self) {
        self.ended = true;
    }

    /// Returns the reason if this direction can't be read. Checks the first bytes instead of
    /// waiting for a complete line, because another protocol might never send a line end.
    pub fn unreadable(&self) -> Option<&'static str> {
        match &self.state {
            State::Opaque { why, .. } => Some(why),
            State::Head(head) if !head.has_start_line() && !may_begin_head(self.side, &self.pending) => {
                Some(NOT_HTTP)
            }
            _ => None,
        }
    }

    /// Returns true if a head has begun but is incomplete.
    pub fn is_in_head(&self) -> bool {
        matches!(&self.state, State::Head(head) if head.has_start_line() || !self.pending.is_empty())
    }

    /// Splits the pending bytes and then `bytes`. Returns true if the other direction must advance
    /// before this one continues.
    pub fn advance(
        &mut self,
        bytes: &[u8],
        exchange: &mut Exchange,
        secrets: Option<&SecretNames>,
        out: &mut Vec<Span>,
    ) -> bool {
        let mut pending = std::mem::take(&mut self.pending);
        let has_pending = !pending.is_empty();
        if has_pending {
            pending.extend_from_slice(bytes);
        }
        let input = if has_pending { &pending } else { bytes };
        let mut splitter = Splitter::new(self.side, self.offset, input, self.ended, out).hiding(secrets);
        while self.step(&mut splitter, exchange) && !exchange.client_runs_next {}
        let yields = std::mem::take(&mut exchange.client_runs_next);
        let left = splitter.rest().len();
        if self.ended && !yields && !matches!(self.state, State::AwaitingSwitch(_)) && left > 0 {
            // Each state splits its incomplete fields; these bytes belong to none of them.
            splitter.emit(left, OPAQUE).cut_off = true;
        }
        let left = splitter.rest().len();
        self.offset = splitter.offset();
        if has_pending {
            pending.drain(..pending.len() - left);
        } else {
            pending.extend_from_slice(&bytes[bytes.len() - left..]);
        }
        self.pending = pending;
        yields
    }

    /// Advances to the end of the current state. Returns false if more bytes are needed.
    fn step(&mut self, splitter: &mut Splitter, exchange: &mut Exchange) -> bool {
        let progress = match &mut self.state {
            State::Head(head) => head.advance(splitter, exchange),
            State::Body { body, .. } => body.advance(splitter),
            State::Frames(frames) => frames.advance(splitter),
            State::AwaitingSwitch(target) => {
                let Some(switch) = switch_for(*target, splitter, exchange) else { return false };
                self.state = self.after_switch(switch);
                return true;
            }
            State::EventStream(stream) => {
                stream.advance(splitter, splitter.rest().len(), splitter.ended());
                return false;
            }
            State::Opaque { why, done } => {
                split_opaque(splitter, why, done);
                return false;
            }
        };
        match progress {
            Progress::NeedMore => false,
            Progress::Done => {
                self.next(splitter, exchange);
                true
            }
            Progress::Unreadable(why) => {
                self.state = State::Opaque { why, done: 0 };
                true
            }
        }
    }

    /// Replaces the state that has ended with the next one.
    fn next(&mut self, splitter: &mut Splitter, exchange: &mut Exchange) {
        let head = State::Head(Head::new(self.side));
        self.state = match (std::mem::replace(&mut self.state, head), self.side) {
            (State::Head(head), Side::Client) => after_request_head(&head.fields, splitter, exchange),
            (State::Head(head), Side::Server) => self.after_response_head(&head.fields, splitter, exchange),
            (State::Body { body, mut note, target }, side) => {
                if let Note::Request { content, .. } | Note::Response { content, .. } = &mut note {
                    *content = body.length();
                }
                if let Some(last) = splitter.last() {
                    last.notes.push(note);
                }
                match target {
                    Some(target) => State::AwaitingSwitch(target),
                    None => State::Head(Head::new(side)),
                }
            }
            (state, _) => state,
        };
    }

    fn after_response_head(
        &self,
        head: &HeadFields,
        splitter: &mut Splitter,
        exchange: &mut Exchange,
    ) -> State {
        let status = head.start.status;
        if matches!(status, 100 | 102..=199) {
            return State::Head(Head::new(self.side)); // RFC 9110 §15.2: the final response follows.
        }
        let note = Note::Response { status, content: 0 };
        let switch = response::switch(head, exchange);
        let derivation = response::accept_derivation(head, exchange).filter(|_| status == 101);
        if let Some(last) = splitter.last() {
            last.notes.extend(derivation);
            if !matches!(switch, Switch::Http) {
                last.notes.push(note.clone());
            }
        }
        let framing = response::framing(head, exchange);
        if exchange.next_request().is_some_and(|request| request.awaits_switch) {
            exchange.switch = Some(switch);
            exchange.client_runs_next = true;
        }
        exchange.pop_request();
        let content = Content::of(head);
        exchange.last_response =
            Some(if content.is_event_stream() { Protocol::EventStream } else { Protocol::Http });
        match switch {
            Switch::Http => State::Body { body: Body::new(framing, content), note, target: None },
            other => self.after_switch(other),
        }
    }

    fn after_switch(&self, switch: Switch) -> State {
        match switch {
            Switch::Http => State::Head(Head::new(self.side)),
            Switch::WebSocket(compression) => State::Frames(Box::new(Frames::new(self.side, compression))),
            Switch::Opaque(why) => State::Opaque { why, done: 0 },
        }
    }
}

/// Returns true if a head can begin with these bytes. A request begins with a method or an empty
/// line (RFC 9112 §2.2), and a response with a version.
fn may_begin_head(side: Side, bytes: &[u8]) -> bool {
    const VERSION: &[u8] = b"HTTP/";
    match (side, bytes) {
        (_, []) => true,
        (Side::Client, [first, ..]) => matches!(first, b'\r' | b'\n') || is_token(&[*first]),
        (Side::Server, _) => {
            let length = bytes.len().min(VERSION.len());
            bytes[..length] == VERSION[..length]
        }
    }
}

fn after_request_head(head: &HeadFields, splitter: &Splitter, exchange: &mut Exchange) -> State {
    let request = head.pending_request();
    let PendingRequest { is_connect, awaits_switch, .. } = request;
    let target = awaits_switch.then_some(match request.handshake {
        Some(_) => SwitchTarget::WebSocket,
        None if is_connect => SwitchTarget::Tunnel,
        None => SwitchTarget::Other,
    });
    exchange.push_request(request);
    let framing = match response::sent_framing(head) {
        _ if is_connect => Framing::None,
        None => Framing::None, // RFC 9112 §6.3, rule 7
        Some(Framing::UntilClose) => {
            return State::Opaque { why: "The end of the request's body is not known.", done: 0 };
        }
        Some(framing) => framing,
    };
    let mut path = head.start.target.clone();
    if let Some(names) = splitter.secrets() {
        let found = secrets::in_target(&head.start.target, names);
        found.into_iter().for_each(|range| path[range].fill(b'*'));
    }
    let note = Note::Request { method: printable(&head.start.method), target: printable(&path), content: 0 };
    State::Body { body: Body::new(framing, Content::of(head)), note, target }
}

/// Returns the protocol that the client speaks after its request for another protocol, or `None`
/// while the view can't tell.
fn switch_for(target: SwitchTarget, splitter: &Splitter, exchange: &mut Exchange) -> Option<Switch> {
    if let Some(switch) = exchange.switch.take() {
        return Some(switch);
    }
    let [first, ..] = splitter.rest() else { return None };
    let guesses = exchange.is_one_sided || splitter.rest().len() > MAX_WAITING_BYTES;
    guesses.then(|| match target {
        // One byte must be enough. The standard methods begin with these letters. A valid frame
        // never does: RSV3 would be set, its opcode would be reserved, or it would be a fragmented
        // control frame.
        SwitchTarget::WebSocket if !(b'C'..=b'Z').contains(first) => Switch::WebSocket(Compression::NotSeen),
        SwitchTarget::Tunnel => Switch::Opaque("The bytes belong to a tunnel, if the server accepts it."),
        SwitchTarget::WebSocket | SwitchTarget::Other => Switch::Http,
    })
}

fn split_opaque(splitter: &mut Splitter, why: &'static str, done: &mut u64) {
    loop {
        let full = DATA_SPAN_BYTES - (*done % DATA_SPAN_BYTES as u64) as usize;
        let length = full.min(splitter.rest().len());
        if length == 0 || (length < full && !splitter.ended()) {
            return;
        }
        splitter.hide(std::iter::once(0..length));
        splitter.emit(length, FieldSpec { meaning: why, ..OPAQUE });
        *done += length as u64;
    }
}
