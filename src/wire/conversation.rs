//! Both directions of a connection, each a state machine, and what one tells the other.

use super::body::{Body, Content, DATA_SPAN_BYTES, Framing};
use super::event_stream::EventStream;
use super::exchange::{Compression, Exchange, PendingRequest, Protocol, Switch};
use super::frame::Frames;
use super::head::Head;
use super::note::Note;
use super::response;
use super::secrets;
use super::span::{Kind, Side, Span, printable};
use super::splitter::{FieldSpec, Progress, Splitter};
use crate::protocol::http::fields::is_token;
use crate::protocol::rule::Section;

/// How many bytes of a client wait for the answer that says what they are. If there are more, the view guesses.
const MOST_HELD: usize = 64 * 1024;

/// Why a side is not read that does not begin with a start line.
pub(super) const NO_HTTP: &str = "What does not begin with a start line is not HTTP.";

const OPAQUE: FieldSpec = FieldSpec::new("octets", Kind::Opaque, Section::rfc(9293, "2.2"), "");

/// What a conversation begins with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// HTTP/1.1, and whatever it goes over to.
    #[default]
    Http,
    /// Frames: the handshake is over, or was not seen.
    WebSocket(Compression),
    /// From the server the bare body of an event stream; from the client HTTP.
    EventStream,
    /// The same, with the next chunk of the chunked transfer coding.
    EventStreamChunks,
}

/// Follows a connection in both directions, and says what each byte is.
///
/// Spans of one side follow each other without a gap, and hold all of its bytes. They do not depend on how the bytes
/// were cut into calls. A field is one span when its last byte has come; data come in pieces of [`DATA_SPAN_BYTES`] bytes. So what
/// waits in here is less than a line of HTTP, 64 KiB, and a message of 128 KiB, for each direction.
#[derive(Debug)]
pub struct Conversation {
    client: Direction,
    server: Direction,
    exchange: Exchange,
    hides_secrets: bool,
}

#[derive(Debug)]
struct Direction {
    side: Side,
    /// How many bytes are in spans.
    offset: u64,
    /// Bytes that are in no span yet.
    pending: Vec<u8>,
    state: State,
    ended: bool,
}

#[derive(Debug)]
enum State {
    Head(Head),
    Body {
        body: Body,
        note: Note,
        /// Whether the client waits for the answer behind it, and for what.
        awaits: Option<SwitchTarget>,
    },
    /// The client has asked for another protocol. What it sends meanwhile is in that, or in HTTP.
    AwaitingSwitch(SwitchTarget),
    Frames(Box<Frames>),
    EventStream(Box<EventStream>),
    Opaque {
        why: &'static str,
        done: u64,
    },
}

/// What a client that waits has asked for.
#[derive(Clone, Copy, Debug)]
enum SwitchTarget {
    WebSocket,
    Tunnel,
    Other,
}

impl Default for Conversation {
    fn default() -> Self {
        Self::new()
    }
}

impl Conversation {
    /// A connection from its first byte on.
    pub fn new() -> Self {
        Self::starting(Start::Http)
    }

    /// A connection that is at this point.
    pub fn starting(start: Start) -> Self {
        Self {
            client: Direction::new(Side::Client, start),
            server: Direction::new(Side::Server, start),
            exchange: Exchange::default(),
            hides_secrets: false,
        }
    }

    /// One direction of a connection, of which the other will not be seen.
    ///
    /// Then an answer is read as one to a GET, and a client that asks for a WebSocket is taken to get it.
    pub fn one_sided(start: Start) -> Self {
        let mut conversation = Self::starting(start);
        conversation.exchange.is_one_sided = true;
        conversation
    }

    /// The same, but the spans don't show credentials, cookies, and tokens in queries: their bytes are `*`, as many as
    /// there were. Nor do they show what the view can't read, for it might be anything.
    pub fn hiding_secrets(self) -> Self {
        Self { hides_secrets: true, ..self }
    }

    /// Takes the next bytes that `side` has sent, and appends the spans that they complete to `out`.
    ///
    /// An answer can complete spans of the client too, which has waited for it.
    pub fn feed(&mut self, side: Side, bytes: &[u8], out: &mut Vec<Span>) {
        let mut bytes = bytes;
        while self.run(side, bytes, out) {
            self.run(side.other(), &[], out);
            bytes = &[];
        }
    }

    /// `side` has sent its last byte: what is left becomes spans that are cut off.
    ///
    /// A client that waits for an answer is not done before it has come, or the server is done too. To get all spans, finish both.
    pub fn finish(&mut self, side: Side, out: &mut Vec<Span>) {
        self.direction(side).ended = true;
        self.feed(side, &[], out);
        if side == Side::Server {
            // No answer will come.
            self.exchange.is_one_sided = true;
            self.run(Side::Client, &[], out);
        }
    }

    /// What it carries at the moment.
    pub fn protocol(&self) -> Protocol {
        // The server's first: it is what says which protocol this is.
        let directions = [&self.server, &self.client];
        for direction in directions {
            if let Some(why) = direction.unreadable() {
                return Protocol::Unknown { side: direction.side, why };
            }
        }
        if directions.iter().any(|direction| matches!(direction.state, State::Frames(_))) {
            return Protocol::WebSocket;
        }
        let answer = self.exchange.last_response.unwrap_or(Protocol::Undecided);
        match &self.server.state {
            State::EventStream(_) => Protocol::EventStream,
            State::Body { .. } => answer,
            _ if self.exchange.next_request().is_some() || self.client.is_in_a_head() => Protocol::Undecided,
            _ => answer,
        }
    }

    fn direction(&mut self, side: Side) -> &mut Direction {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }

    /// Lets one direction go on with these bytes behind those that wait; true if it is the other's turn before there is more.
    fn run(&mut self, side: Side, bytes: &[u8], out: &mut Vec<Span>) -> bool {
        let hides = self.hides_secrets;
        let (direction, exchange) = match side {
            Side::Client => (&mut self.client, &mut self.exchange),
            Side::Server => (&mut self.server, &mut self.exchange),
        };
        let mut pending = std::mem::take(&mut direction.pending);
        let waits = !pending.is_empty();
        if waits {
            pending.extend_from_slice(bytes);
        }
        let input = if waits { &pending } else { bytes };
        let mut splitter = Splitter::new(side, direction.offset, input, direction.ended, out).hiding(hides);
        while direction.step(&mut splitter, exchange) && !exchange.client_runs_next {}
        let yields = std::mem::take(&mut exchange.client_runs_next);
        if direction.ended
            && !yields
            && !matches!(direction.state, State::AwaitingSwitch(_))
            && !splitter.rest().is_empty()
        {
            // Every state cuts what is left of its fields; this is only for what none of them knows.
            let left = splitter.rest().len();
            splitter.emit(left, OPAQUE).cut_off = true;
        }
        let left = splitter.rest().len();
        direction.offset = splitter.offset();
        if waits {
            pending.drain(..pending.len() - left);
        } else {
            pending.extend_from_slice(&bytes[bytes.len() - left..]);
        }
        direction.pending = pending;
        yields
    }
}

impl Direction {
    fn new(side: Side, start: Start) -> Self {
        let state = match (start, side) {
            (Start::WebSocket(compression), _) => State::Frames(Box::new(Frames::new(side, compression))),
            (Start::EventStream, Side::Server) => State::EventStream(Box::default()),
            (Start::EventStreamChunks, Side::Server) => State::Body {
                body: Body::new(Framing::Chunked, Content::EventStream(Box::default())),
                note: Note::Remark("The end of the answer, whose beginning was not seen.".into()),
                awaits: None,
            },
            (Start::Http | Start::EventStream | Start::EventStreamChunks, _) => State::Head(Head::new(side)),
        };
        Self { side, offset: 0, pending: Vec::new(), state, ended: false }
    }

    /// Why it can't be read; `None` as long as it can. No line has to be whole for that, which in another protocol may never be.
    fn unreadable(&self) -> Option<&'static str> {
        match &self.state {
            State::Opaque { why, .. } => Some(why),
            State::Head(head) if head.start.is_none() && !may_begin_a_head(self.side, &self.pending) => {
                Some(NO_HTTP)
            }
            _ => None,
        }
    }

    fn is_in_a_head(&self) -> bool {
        matches!(&self.state, State::Head(head) if head.start.is_some() || !self.pending.is_empty())
    }

    /// Goes on in the state in which it is, up to the next; false if it needs more bytes for that.
    fn step(&mut self, splitter: &mut Splitter, exchange: &mut Exchange) -> bool {
        let progress = match &mut self.state {
            State::Head(head) => head.advance(splitter, exchange),
            State::Body { body, .. } => body.advance(splitter),
            State::Frames(frames) => frames.advance(splitter),
            State::AwaitingSwitch(awaits) => {
                let Some(switch) = switched(*awaits, splitter, exchange) else { return false };
                self.state = self.switch(switch);
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

    /// Goes over to the state behind the one that is done.
    fn next(&mut self, splitter: &mut Splitter, exchange: &mut Exchange) {
        let again = State::Head(Head::new(self.side));
        self.state = match (std::mem::replace(&mut self.state, again), self.side) {
            (State::Head(head), Side::Client) => after_request(&head, splitter, exchange),
            (State::Head(head), Side::Server) => self.after_response(&head, splitter, exchange),
            (State::Body { body, mut note, awaits }, side) => {
                if let Note::Request { content, .. } | Note::Response { content, .. } = &mut note {
                    *content = body.length();
                }
                if let Some(last) = splitter.last() {
                    last.notes.push(note);
                }
                match awaits {
                    Some(awaits) => State::AwaitingSwitch(awaits),
                    None => State::Head(Head::new(side)),
                }
            }
            (state, _) => state,
        };
    }

    fn after_response(&self, head: &Head, splitter: &mut Splitter, exchange: &mut Exchange) -> State {
        let status = head.start().status;
        if matches!(status, 100 | 102..=199) {
            return State::Head(Head::new(self.side)); // RFC 9110 §15.2: the final answer is still to come
        }
        let note = Note::Response { status, content: 0 };
        let switch = response::switch(head, exchange);
        let derivation = response::derivation(head, exchange).filter(|_| status == 101);
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
            Switch::Http => State::Body { body: Body::new(framing, content), note, awaits: None },
            other => self.switch(other),
        }
    }

    fn switch(&self, switch: Switch) -> State {
        match switch {
            Switch::Http => State::Head(Head::new(self.side)),
            Switch::WebSocket(compression) => State::Frames(Box::new(Frames::new(self.side, compression))),
            Switch::Opaque(why) => State::Opaque { why, done: 0 },
        }
    }
}

/// Whether a head can begin with these bytes: a method's first letter or an empty line (RFC 9112 §2.2), or a version.
fn may_begin_a_head(side: Side, bytes: &[u8]) -> bool {
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

fn after_request(head: &Head, splitter: &Splitter, exchange: &mut Exchange) -> State {
    let request = head.request();
    let PendingRequest { is_connect, awaits_switch, .. } = request;
    let awaits = awaits_switch.then_some(match request.handshake {
        Some(_) => SwitchTarget::WebSocket,
        None if is_connect => SwitchTarget::Tunnel,
        None => SwitchTarget::Other,
    });
    exchange.push_request(request);
    let framing = match response::sent_framing(head) {
        _ if is_connect => Framing::None,
        None => Framing::None, // RFC 9112 §6.3, rule 7
        Some(Framing::UntilClose) => {
            return State::Opaque { why: "Nobody knows where the body of this request ends.", done: 0 };
        }
        Some(framing) => framing,
    };
    let mut target = head.start().target.clone();
    if splitter.hides() {
        secrets::in_line(&head.start().target, false).into_iter().for_each(|range| target[range].fill(b'*'));
    }
    let note =
        Note::Request { method: printable(&head.start().method), target: printable(&target), content: 0 };
    State::Body { body: Body::new(framing, Content::of(head)), note, awaits }
}

/// What a client that waits for an answer is to go on with; `None` while nobody knows.
fn switched(awaits: SwitchTarget, splitter: &Splitter, exchange: &mut Exchange) -> Option<Switch> {
    if let Some(switch) = exchange.switch.take() {
        return Some(switch);
    }
    let [first, ..] = splitter.rest() else { return None };
    let guesses = exchange.is_one_sided || splitter.rest().len() > MOST_HELD;
    guesses.then(|| match awaits {
        // One byte has to be enough. No frame begins with these: reserved bits or opcodes would be set. Methods do.
        SwitchTarget::WebSocket if !(b'C'..=b'Z').contains(first) => Switch::WebSocket(Compression::NotSeen),
        SwitchTarget::Tunnel => Switch::Opaque("A tunnel, if the server allows it."),
        SwitchTarget::WebSocket | SwitchTarget::Other => Switch::Http,
    })
}

fn split_opaque(splitter: &mut Splitter, why: &'static str, done: &mut u64) {
    loop {
        let length = (DATA_SPAN_BYTES - (*done % DATA_SPAN_BYTES as u64) as usize).min(splitter.rest().len());
        let is_whole = (*done + length as u64).is_multiple_of(DATA_SPAN_BYTES as u64) || splitter.ended();
        if length == 0 || !is_whole {
            return;
        }
        splitter.hide(std::iter::once(0..length));
        splitter.emit(length, FieldSpec { meaning: why, ..OPAQUE });
        *done += length as u64;
    }
}
