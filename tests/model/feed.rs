//! The reading side of followers: polls, the start, reading and end of streams, and the end of a
//! scenario.

use std::time::Instant;

use crate::follower::{FollowRequest, Follower, Link};
use crate::parse::{Form, Parser, masked_frame};
use crate::run::{DEADLINE, Run};
use crate::wire::{Connection, get};

const HELD: &str = "barewire_long_polls_held_total ";

impl Run {
    /// Sends one poll whose response arrives at once.
    pub fn poll(&mut self, index: usize, request: &FollowRequest, header: bool, wait: Option<u8>) {
        let (mut target, mut fields) = self.start_at(index, request, header);
        if let Some(wait) = wait {
            target.push_str(&format!("&wait={wait}"));
        }
        let known = request.cursor.as_ref().filter(|_| !header);
        if let Some(cursor) = known {
            fields.push_str(&format!("If-None-Match: \"other\", W/\"{cursor}\"\r\n"));
        }
        self.requests.send(&get(&target, "1.1", &fields));
        let (head, body) = self.requests.response();
        if wait.is_some() && self.refused(head.status) {
            return;
        }
        let follower = &mut self.followers[index];
        if head.status == 304 {
            follower.last = request.sequence.expect("only a cursor can be known");
            assert!(known.is_some(), "304 without If-None-Match");
        }
        let has_events = follower.check_response(&self.expected, request, &head, &body);
        let is_known = follower.last == request.sequence.unwrap_or(u64::MAX);
        assert!(
            has_events || known.is_none() || head.status == 304 || !is_known,
            "a full response to a client that already knows the state"
        );
    }

    pub fn long_poll(&mut self, index: usize, request: &FollowRequest, header: bool) {
        let is_pending = match (request.now, &request.cursor) {
            (true, _) => false,
            (false, None) => request.kept.oldest.is_some(),
            (false, Some(_)) => {
                let through = request.sequence.unwrap_or(u64::MAX);
                let next = self.expected.next_after(self.followers[index].topic, through);
                next.is_some() || through > self.expected.newest || through < request.kept.lost_most
            }
        };
        // A poll that waits may be refused for lack of a topic, or start at another cursor. That is
        // unknown in advance.
        if is_pending || request.may_evict {
            let wait = if is_pending && !request.may_evict { 60 } else { 0 };
            return self.poll(index, request, header, Some(wait));
        }
        let (target, fields) = self.start_at(index, request, header);
        let held = self.metric(HELD);
        let mut connection = Connection::open(self.server.address);
        connection.send(&get(&target, "1.1", &format!("Prefer: wait=60\r\n{fields}")));
        // The poll must be held before anything else happens, and so before anything is published.
        let begun = Instant::now();
        while self.metric(HELD) == held {
            assert!(begun.elapsed() < DEADLINE, "the poll is not held");
        }
        let follower = &mut self.followers[index];
        follower.last = request.sequence.unwrap_or(self.expected.newest);
        follower.link = Link::Waiting(connection);
    }

    pub fn open(&mut self, index: usize, form: Form, request: &FollowRequest, header: bool) {
        let (target, mut fields) = self.start_at(index, request, header);
        let version = if form == Form::Plain { "1.0" } else { "1.1" };
        fields.push_str(match form {
            Form::Chunks | Form::Plain => "Accept: text/event-stream\r\n",
            Form::Json | Form::Text => {
                "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                 Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            }
        });
        if form == Form::Text {
            fields.push_str("Sec-WebSocket-Protocol: barewire.text\r\n");
        }
        let mut connection = Connection::open(self.server.address);
        let mut bytes = get(&target, version, &fields);
        if form == Form::Text {
            masked_frame(0x89, b"", &mut bytes);
        }
        connection.send(&bytes);
        let head = connection.head();
        if self.refused(head.status) {
            return;
        }
        let socket = matches!(form, Form::Json | Form::Text);
        assert_eq!(head.status, if socket { 101 } else { 200 });
        assert_eq!(head.get("transfer-encoding").is_some(), form == Form::Chunks);
        let follower = &mut self.followers[index];
        follower.link = Link::Stream(form, connection, Parser::new(form));
        follower.received = false;
        if form == Form::Text {
            follower.check_bare_start(&self.expected, request);
        } else {
            assert!(
                follower.check_start(&self.expected, request) || self.few_topics,
                "refused despite free topics"
            );
        }
    }

    /// Reads that many bytes as one follower, if that many are pending. A poll reads one response.
    pub fn read(&mut self, index: usize, bytes: usize) {
        let follower = &mut self.followers[index];
        let is_pending = self.expected.next_after(follower.topic, follower.last).is_some();
        match &mut follower.link {
            Link::None => {
                let (sequence, kept) = (follower.last, self.kept(self.followers[index].topic));
                let cursor = Some(self.expected.id(sequence));
                let request =
                    FollowRequest { cursor, sequence: Some(sequence), now: false, kept, may_evict: false };
                self.poll(index, &request, bytes.is_multiple_of(2), None);
            }
            Link::Waiting(..) if !is_pending => {}
            Link::Waiting(..) => {
                let Link::Waiting(mut connection) = std::mem::replace(&mut follower.link, Link::None) else {
                    return;
                };
                let (head, body) = connection.response();
                let before = follower.last;
                follower.check_held_response(&self.expected, &head, &body);
                assert!(follower.last > before, "a response without an event");
            }
            Link::Stream(..) => {
                let mut left = bytes;
                loop {
                    let follower = &mut self.followers[index];
                    if let Some(code) = follower.check_available(&self.expected) {
                        return self.ended(index, code);
                    }
                    let is_pending = self.expected.next_after(follower.topic, follower.last).is_some();
                    let Link::Stream(_, connection, _) = &mut follower.link else { return };
                    if left == 0 || !is_pending {
                        return;
                    }
                    left -= connection.receive(left).min(left);
                }
            }
        }
    }

    /// Checks the end of a stream that the server closed. It may do so only if the next events are
    /// not kept.
    fn ended(&mut self, index: usize, code: Option<u16>) {
        let follower = &mut self.followers[index];
        let Link::Stream(form, ..) = std::mem::replace(&mut follower.link, Link::None) else { return };
        let socket = matches!(form, Form::Json | Form::Text);
        assert_eq!(code, socket.then_some(1013), "the code with which the stream ends");
        let Follower { topic, last, received, .. } = *follower;
        let kept = self.kept(topic);
        let next = self.expected.next_after(topic, last).map(|event| event.sequence);
        let is_dropped = |sequence: u64| kept.oldest.is_none_or(|oldest| sequence < oldest);
        // The server completes the event that it is sending, so that event may be the only one that
        // is not kept.
        let lost = next.is_some_and(is_dropped) || received && is_dropped(last);
        assert!(lost, "closed as too slow, but {next:?} is kept: {kept:?}");
    }

    /// Ends a follower by WebSocket with a close frame, or with a message that makes the server
    /// close it.
    pub fn end(&mut self, index: usize, binary: bool) {
        let mut frame = Vec::new();
        let (first, payload, wanted) =
            if binary { (0x82, &b"\0"[..], 1003) } else { (0x88, &1000_u16.to_be_bytes()[..], 1000) };
        masked_frame(first, payload, &mut frame);
        let Link::Stream(_, connection, _) = &mut self.followers[index].link else { return };
        connection.send(&frame);
        let code = self.read_to_the_end(index);
        if code == Some(1013) {
            return self.ended(index, code);
        }
        assert_eq!(code, Some(wanted));
        self.followers[index].link = Link::None;
    }

    fn read_to_the_end(&mut self, index: usize) -> Option<u16> {
        let follower = &mut self.followers[index];
        loop {
            if let Some(code) = follower.check_available(&self.expected) {
                return code;
            }
            let Link::Stream(_, connection, _) = &mut follower.link else { return None };
            connection.receive(64 * 1024);
        }
    }

    /// Stops the server while followers are connected, and checks that no event is incomplete.
    pub fn drain(mut self) {
        self.server.signal_stop();
        for index in 0..self.followers.len() {
            match std::mem::replace(&mut self.followers[index].link, Link::None) {
                Link::None => {}
                Link::Waiting(mut connection) => {
                    let (head, body) = connection.response();
                    self.followers[index].check_held_response(&self.expected, &head, &body);
                }
                Link::Stream(form, connection, parser) => {
                    self.followers[index].link = Link::Stream(form, connection, parser);
                    let code = self.read_to_the_end(index);
                    let socket = matches!(form, Form::Json | Form::Text);
                    assert!(
                        if socket { matches!(code, Some(1001 | 1013)) } else { code.is_none() },
                        "{code:?}"
                    );
                    self.followers[index].link = Link::None;
                }
            }
        }
        let Run { mut server, requests, .. } = self;
        drop(requests);
        server.wait();
    }

    /// Lets every follower read everything: on its connection, and then by polls.
    pub fn catch_up(mut self) {
        for index in 0..self.followers.len() {
            if !matches!(self.followers[index].link, Link::None) {
                self.read(index, usize::MAX);
            }
            self.followers[index].link = Link::None;
        }
        for index in 0..self.followers.len() {
            let newest = self.expected.newest_of(self.followers[index].topic);
            while self.followers[index].last < newest {
                let before = self.followers[index].last;
                self.read(index, 0);
                assert!(self.followers[index].last > before, "event {newest} does not arrive after {before}");
            }
        }
    }
}
