//! One connection as the view sees it.

use std::fmt::Write as _;

use super::filter::Filter;
use super::sink::Sink;
use crate::wire::{Conversation, Kind, PIECE_BYTES, Protocol, Side, Span};

/// The maximum number of bytes of a connection that wait until its protocol is known.
const MAX_HELD_BYTES: usize = 64 * 1024;

/// The state of a connection.
pub struct Tracker {
    number: u64,
    conversation: Conversation,
    /// The address of the client.
    peer: String,
    opened_ms: u64,
    /// Spans, with their times, that wait until the filter can be applied.
    held: Vec<(u64, Span)>,
    held_bytes: usize,
    /// True once the filter has selected the connection and its start was reported.
    is_shown: bool,
    /// The side whose bytes the view can't read, once that was reported. They are not shown.
    unreadable: Option<Side>,
    /// The number of bytes that each side has sent.
    sent: [u64; 2],
    /// Which sides have ended.
    ended: [bool; 2],
}

impl Tracker {
    /// Returns the tracker of a connection that was opened at `opened_ms` from `peer`.
    pub fn new(number: u64, conversation: Conversation, peer: String, opened_ms: u64) -> Self {
        Self {
            number,
            conversation,
            peer,
            opened_ms,
            held: Vec::new(),
            held_bytes: 0,
            is_shown: false,
            unreadable: None,
            sent: [0; 2],
            ended: [false; 2],
        }
    }

    /// Shows bytes that a side has sent.
    pub fn relayed(&mut self, side: Side, bytes: &[u8], time_ms: u64, filter: &Filter, sink: &mut Sink) {
        self.sent[side as usize] += bytes.len() as u64;
        for piece in bytes.chunks(PIECE_BYTES) {
            let mut spans = Vec::new();
            self.conversation.feed(side, piece, &mut spans);
            self.show_spans(time_ms, spans, false, filter, sink);
            if sink.is_full() {
                sink.write();
            }
        }
    }

    /// Shows the end of a side.
    pub fn ended(&mut self, side: Side, time_ms: u64, filter: &Filter, sink: &mut Sink) {
        let mut spans = Vec::new();
        self.conversation.finish(side, &mut spans);
        self.show_spans(time_ms, spans, false, filter, sink);
        if self.is_shown {
            let members = format!("\"event\":\"ended\",\"side\":\"{}\"", side.name());
            let remark = format!("the {} has ended its side", side.name());
            sink.remark(self.number, time_ms, &remark, &members);
            self.record_end(side, time_ms, sink);
        }
    }

    /// Shows that a side has reset the connection.
    pub fn reset(&mut self, side: Side, time_ms: u64, sink: &mut Sink) {
        if self.is_shown {
            let members = format!("\"event\":\"reset\",\"side\":\"{}\"", side.name());
            let remark = format!("the {} has reset the connection", side.name());
            sink.remark(self.number, time_ms, &remark, &members);
            self.record_end(side, time_ms, sink);
        }
    }

    /// Shows that the rest of the connection was dropped from the view.
    pub fn dropped(&mut self, time_ms: u64, sink: &mut Sink) {
        if self.is_shown {
            let remark = "too many bytes wait to be shown; later bytes are relayed but not shown";
            sink.remark(self.number, time_ms, remark, "\"event\":\"left out\"");
        }
    }

    /// Shows the end of the connection. `dropped` is the number of bytes of each side that are not
    /// shown.
    pub fn closed(&mut self, dropped: [u64; 2], time_ms: u64, filter: &Filter, sink: &mut Sink) {
        let mut spans = Vec::new();
        for side in [Side::Client, Side::Server] {
            self.conversation.finish(side, &mut spans);
        }
        self.show_spans(time_ms, spans, true, filter, sink);
        if !self.is_shown {
            return;
        }
        sink.print_omissions(self.number, time_ms);
        for side in [Side::Client, Side::Server] {
            self.record_end(side, time_ms, sink);
        }
        let [client, server] = [self.sent[0] + dropped[0], self.sent[1] + dropped[1]];
        let mut remark = format!("closed; {client} bytes from the client, {server} from the server");
        let mut members = format!("\"event\":\"over\",\"client\":{client},\"server\":{server}");
        let dropped: u64 = dropped.iter().sum();
        if dropped > 0 {
            // Writing to a String can't fail.
            let _ = write!(remark, "; {dropped} of them not shown");
            let _ = write!(members, ",\"left_out\":{dropped}");
        }
        sink.remark(self.number, time_ms, &remark, &members);
    }

    /// Reports the start of the connection, before anything else of it is shown.
    pub fn show(&mut self, sink: &mut Sink) {
        if !std::mem::replace(&mut self.is_shown, true) {
            let members = format!("\"event\":\"opened\",\"from\":\"{}\"", self.peer);
            sink.remark(self.number, self.opened_ms, &format!("opened from {}", self.peer), &members);
        }
    }

    fn record_end(&mut self, side: Side, time_ms: u64, sink: &mut Sink) {
        if !std::mem::replace(&mut self.ended[side as usize], true) {
            sink.record_end(self.number, side, time_ms);
        }
    }

    /// Shows spans as soon as the filter can be applied. Before that, holds them.
    fn show_spans(
        &mut self,
        time_ms: u64,
        spans: Vec<Span>,
        is_closed: bool,
        filter: &Filter,
        sink: &mut Sink,
    ) {
        let protocol = self.conversation.protocol();
        let unknown = match protocol {
            Protocol::Unknown { side, why } if self.unreadable.is_none() => Some((side, why)),
            _ => None,
        };
        if spans.is_empty() && unknown.is_none() && !is_closed {
            return;
        }
        self.held_bytes += spans.iter().map(|span| span.bytes.len()).sum::<usize>();
        self.held.extend(spans.into_iter().map(|span| (time_ms, span)));
        let is_selected = match filter.selects(self.number, protocol) {
            None if !is_closed && self.held_bytes < MAX_HELD_BYTES => return,
            // Without a response, the protocol is HTTP.
            None => filter.selects(self.number, Protocol::Http) == Some(true),
            Some(is_selected) => is_selected,
        };
        self.held_bytes = 0;
        let held = std::mem::take(&mut self.held);
        if !is_selected || (held.is_empty() && unknown.is_none()) {
            return;
        }
        self.show(sink);
        if let Some((side, _)) = unknown
            && let Some((_, first)) = held.iter().find(|(_, span)| span.side == side)
            && (first.offset, first.kind) == (0, Kind::Opaque)
        {
            // The side does not break a rule of HTTP; it uses another protocol from its first byte
            // on.
            self.unreadable = Some(side);
        }
        self.print_and_record(held, unknown.is_some(), sink);
        if let Some((side, why)) = unknown {
            self.show_unreadable(side, why, time_ms, sink);
        }
    }

    /// Prints and records spans in groups of the same time. Unreadable spans are only recorded.
    fn print_and_record(&self, held: Vec<(u64, Span)>, becomes_unreadable: bool, sink: &mut Sink) {
        let mut rest = held.into_iter().peekable();
        while let Some((time_ms, first)) = rest.next() {
            let mut spans = vec![first];
            while let Some((_, span)) = rest.next_if(|(time, _)| *time == time_ms) {
                spans.push(span);
            }
            sink.record(self.number, time_ms, &spans);
            spans.retain(|span| match self.unreadable {
                None if !becomes_unreadable => true,
                // An unknown protocol of the server is also the client's. If only the client's
                // bytes are unreadable, the server's response to them is shown.
                Some(unreadable) if unreadable == Side::Server || unreadable == span.side => false,
                _ => span.kind != Kind::Opaque || span.violation.is_some(),
            });
            sink.print(self.number, time_ms, &spans);
        }
    }

    fn show_unreadable(&mut self, side: Side, why: &str, time_ms: u64, sink: &mut Sink) {
        self.unreadable = Some(side);
        sink.print_omissions(self.number, time_ms);
        let name = side.name();
        let remark = format!("the view can't read the {name}; later bytes are relayed but not shown. {why}");
        // The reasons are constants of this program and need no escapes.
        let members = format!("\"event\":\"unknown\",\"side\":\"{name}\",\"why\":\"{why}\"");
        sink.remark(self.number, time_ms, &remark, &members);
    }
}
