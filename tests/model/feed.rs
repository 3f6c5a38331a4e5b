//! How followers are fed: polls, the opening, reading and ending of streams, and the end of a scenario.

use std::time::Instant;

use crate::follower::{Asked, Follower, Link};
use crate::parse::{Form, Parser, masked_frame};
use crate::play::{DEADLINE, Play};
use crate::wire::{Connection, get};

const HELD: &str = "barewire_long_polls_held_total ";

impl Play {
    /// One poll that is answered at once.
    pub fn poll(&mut self, who: usize, asked: &Asked, header: bool, wait: Option<u8>) {
        let (mut target, mut fields) = self.begins(who, asked, header);
        if let Some(wait) = wait {
            target.push_str(&format!("&wait={wait}"));
        }
        let known = asked.cursor.as_ref().filter(|_| !header);
        if let Some(cursor) = known {
            fields.push_str(&format!("If-None-Match: \"other\", W/\"{cursor}\"\r\n"));
        }
        self.requests.send(&get(&target, "1.1", &fields));
        let (head, body) = self.requests.answer();
        if wait.is_some() && self.refused(head.status) {
            return;
        }
        let follower = &mut self.followers[who];
        if head.status == 304 {
            follower.last = asked.sequence.expect("only a cursor can be known");
            assert!(known.is_some(), "304 to one who knows nothing");
        }
        let brought = follower.take_answer(&self.expected, asked, &head, &body);
        let told = follower.last == asked.sequence.unwrap_or(u64::MAX);
        assert!(brought || known.is_none() || head.status == 304 || !told, "known, and yet sent");
    }

    pub fn long_poll(&mut self, who: usize, asked: &Asked, header: bool) {
        let owed = match (asked.now, &asked.cursor) {
            (true, _) => false,
            (false, None) => asked.kept.oldest.is_some(),
            (false, Some(_)) => {
                let through = asked.sequence.unwrap_or(u64::MAX);
                let next = self.expected.next_after(self.followers[who].topic, through);
                next.is_some() || through > self.expected.newest || through < asked.kept.lost_most
            }
        };
        // Whether one waits that may find no room, or another beginning, is not known before.
        if owed || asked.may_evict {
            let wait = if owed && !asked.may_evict { 60 } else { 0 };
            return self.poll(who, asked, header, Some(wait));
        }
        let (target, fields) = self.begins(who, asked, header);
        let held = self.metric(HELD);
        let mut connection = Connection::open(self.server.address);
        connection.send(&get(&target, "1.1", &format!("Prefer: wait=60\r\n{fields}")));
        // It is held before anything else happens, and so before anything is published.
        let begun = Instant::now();
        while self.metric(HELD) == held {
            assert!(begun.elapsed() < DEADLINE, "a poll is not held");
        }
        let follower = &mut self.followers[who];
        follower.last = asked.sequence.unwrap_or(self.expected.newest);
        follower.link = Link::Waiting(connection);
    }

    pub fn open(&mut self, who: usize, form: Form, asked: &Asked, header: bool) {
        let (target, mut fields) = self.begins(who, asked, header);
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
        let follower = &mut self.followers[who];
        follower.link = Link::Stream(form, connection, Parser::new(form));
        follower.received = false;
        if form == Form::Text {
            follower.take_bare_start(&self.expected, asked);
        } else {
            assert!(follower.take_start(&self.expected, asked) || self.narrow, "there is room");
        }
    }

    /// A follower reads as many bytes, if it is owed as many. A poll has one answer.
    pub fn read(&mut self, who: usize, bytes: usize) {
        let follower = &mut self.followers[who];
        let owed = self.expected.next_after(follower.topic, follower.last).is_some();
        match &mut follower.link {
            Link::None => {
                let (sequence, kept) = (follower.last, self.kept(self.followers[who].topic));
                let cursor = Some(self.expected.id(sequence));
                let asked = Asked { cursor, sequence: Some(sequence), now: false, kept, may_evict: false };
                self.poll(who, &asked, bytes.is_multiple_of(2), None);
            }
            Link::Waiting(..) if !owed => {}
            Link::Waiting(..) => {
                let Link::Waiting(mut connection) = std::mem::replace(&mut follower.link, Link::None) else {
                    return;
                };
                let (head, body) = connection.answer();
                let before = follower.last;
                follower.take_held_answer(&self.expected, &head, &body);
                assert!(follower.last > before, "an answer without an event");
            }
            Link::Stream(..) => {
                let mut left = bytes;
                loop {
                    let follower = &mut self.followers[who];
                    if let Some(code) = follower.take_what_came(&self.expected) {
                        return self.ended(who, code);
                    }
                    let owed = self.expected.next_after(follower.topic, follower.last).is_some();
                    let Link::Stream(_, connection, _) = &mut follower.link else { return };
                    if left == 0 || !owed {
                        return;
                    }
                    left -= connection.receive(left).min(left);
                }
            }
        }
    }

    /// The server has ended a stream by itself. It may do so only when what was to be read is not kept.
    fn ended(&mut self, who: usize, code: Option<u16>) {
        let follower = &mut self.followers[who];
        let Link::Stream(form, ..) = std::mem::replace(&mut follower.link, Link::None) else { return };
        let socket = matches!(form, Form::Json | Form::Text);
        assert_eq!(code, socket.then_some(1013), "why the stream ends");
        let Follower { topic, last, received, .. } = *follower;
        let kept = self.kept(topic);
        let next = self.expected.next_after(topic, last).map(|event| event.sequence);
        let goes = |sequence: u64| kept.oldest.is_none_or(|oldest| sequence < oldest);
        // The event that it was in the middle of is finished, and so may be the only one that is not kept.
        let lost = next.is_some_and(goes) || received && goes(last);
        assert!(lost, "ended as too slow, but {next:?} is kept: {kept:?}");
    }

    /// A follower by WebSocket ends: by a close frame, or by what the server closes it for.
    pub fn end(&mut self, who: usize, binary: bool) {
        let mut frame = Vec::new();
        let (first, payload, wanted) =
            if binary { (0x82, &b"\0"[..], 1003) } else { (0x88, &1000_u16.to_be_bytes()[..], 1000) };
        masked_frame(first, payload, &mut frame);
        let Link::Stream(_, connection, _) = &mut self.followers[who].link else { return };
        connection.send(&frame);
        let code = self.read_to_the_end(who);
        if code == Some(1013) {
            return self.ended(who, code);
        }
        assert_eq!(code, Some(wanted));
        self.followers[who].link = Link::None;
    }

    fn read_to_the_end(&mut self, who: usize) -> Option<u16> {
        let follower = &mut self.followers[who];
        loop {
            if let Some(code) = follower.take_what_came(&self.expected) {
                return code;
            }
            let Link::Stream(_, connection, _) = &mut follower.link else { return None };
            connection.receive(64 * 1024);
        }
    }

    /// The server ends while all are where they are: nothing may be torn.
    pub fn drain(mut self) {
        self.server.signal_stop();
        for who in 0..self.followers.len() {
            match std::mem::replace(&mut self.followers[who].link, Link::None) {
                Link::None => {}
                Link::Waiting(mut connection) => {
                    let (head, body) = connection.answer();
                    self.followers[who].take_held_answer(&self.expected, &head, &body);
                }
                Link::Stream(form, connection, parser) => {
                    self.followers[who].link = Link::Stream(form, connection, parser);
                    let code = self.read_to_the_end(who);
                    let socket = matches!(form, Form::Json | Form::Text);
                    assert!(
                        if socket { matches!(code, Some(1001 | 1013)) } else { code.is_none() },
                        "{code:?}"
                    );
                    self.followers[who].link = Link::None;
                }
            }
        }
        let Play { mut server, requests, .. } = self;
        drop(requests);
        server.wait();
    }

    /// All read until they have everything: where they are, and then, whatever became of them, by polls.
    pub fn catch_up(mut self) {
        for who in 0..self.followers.len() {
            if !matches!(self.followers[who].link, Link::None) {
                self.read(who, usize::MAX);
            }
            self.followers[who].link = Link::None;
        }
        for who in 0..self.followers.len() {
            let newest = self.expected.newest_of(self.followers[who].topic);
            while self.followers[who].last < newest {
                let before = self.followers[who].last;
                self.read(who, 0);
                assert!(self.followers[who].last > before, "{newest} never comes after {before}");
            }
        }
    }
}
