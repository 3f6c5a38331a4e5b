//! A follower: where it stands, and how it is fed.

use serde_json::Value;

use crate::expected::{Expected, Kept};
use crate::parse::{Form, Parser, Said, event};
use crate::wire::{Connection, Head};

/// One follower.
pub struct Follower {
    pub topic: usize,
    /// It has everything through this, or was told that it has not.
    pub last: u64,
    /// Its stream has brought an event.
    pub received: bool,
    pub link: Link,
}

/// What joins it to the server.
pub enum Link {
    None,
    /// A poll that waits for its answer.
    Waiting(Connection),
    Stream(Form, Connection, Parser),
}

/// What a poll, or the beginning of a stream, was asked with, and what may come of it.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The cursor as it was sent, if it was one.
    pub cursor: Option<String>,
    /// The sequence in it, if it is an id of this life of the server.
    pub sequence: Option<u64>,
    /// It asked for what comes after now.
    pub now: bool,
    pub kept: Kept,
    /// The topic may be made anew by this, and lose more.
    pub may_evict: bool,
}

impl Asked {
    fn lost_most(&self, expected: &Expected) -> u64 {
        if self.may_evict { expected.newest } else { self.kept.lost_most }
    }

    /// A gap is told where there is one, and nowhere else.
    fn check_gap(&self, expected: &Expected, gap: bool) {
        if self.cursor.is_none() {
            return assert!(!gap, "a gap before the beginning: {self:?}");
        }
        let through = self.sequence.unwrap_or(u64::MAX);
        let lost = through < self.kept.lost_least || through > expected.newest;
        let whole = (self.lost_most(expected)..=expected.newest).contains(&through);
        assert!(gap || !lost, "a gap was not told: {self:?}");
        assert!(!gap || !whole, "a gap was told, and there is none: {self:?}");
    }

    /// The follower was answered with a cursor, and told of a gap or not. Returns from where it goes on.
    fn started(&self, expected: &Expected, topic: usize, next: &str, gap: bool) -> u64 {
        let next = expected.sequence(next);
        if self.now {
            assert!(!gap, "now is never a gap");
            assert!(
                expected.next_after(topic, next).is_none() && next <= expected.newest,
                "{next} is not now"
            );
            return next;
        }
        self.check_gap(expected, gap);
        if let (Some(sequence), false) = (self.sequence, gap) {
            assert_eq!(next, sequence, "it goes on from elsewhere");
            return next;
        }
        assert!(
            (self.kept.lost_least..=self.lost_most(expected)).contains(&next),
            "it goes on from {next}: {self:?}"
        );
        next
    }
}

impl Follower {
    /// Takes in a poll's answer, and returns whether it held anything.
    pub fn take_answer(&mut self, expected: &Expected, asked: &Asked, head: &Head, body: &[u8]) -> bool {
        if head.status == 304 {
            assert!(body.is_empty());
            assert_eq!(head.get("etag"), Some(&*format!("W/\"{}\"", expected.id(self.last))));
            assert!(expected.next_after(self.topic, self.last).is_none(), "304, and there is something");
            return false;
        }
        assert_eq!(head.status, 200);
        let body: Value = serde_json::from_slice(body).expect("an answer is JSON");
        let events = body["events"].as_array().expect("a list");
        let next = body["next"].as_str().expect("a cursor");
        let gap = body["gap"] == true;
        assert_eq!(head.get("etag").is_none(), gap, "an answer with a gap has no ETag, and only that");

        // Where it begins is not said: before its first event, or where it ends.
        let first = events.first().map(|first| expected.sequence(first["id"].as_str().expect("an id")));
        let begin = match (gap, asked.sequence, first, asked.kept.oldest) {
            (false, Some(sequence), ..) => expected.id(sequence),
            (_, _, Some(first), oldest) => {
                assert_eq!(Some(first), oldest, "it begins with the oldest event kept");
                expected.id(asked.kept.lost_most)
            }
            (.., None, _) => next.to_owned(),
        };
        self.last = asked.started(expected, self.topic, &begin, gap);
        self.take_events(expected, events, next);
        !events.is_empty()
    }

    /// Takes in the answer to a poll that was held, so that nothing was there when it was asked.
    pub fn take_held_answer(&mut self, expected: &Expected, head: &Head, body: &[u8]) {
        assert_eq!((head.status, head.get("preference-applied")), (200, Some("wait=60")));
        let body: Value = serde_json::from_slice(body).expect("an answer is JSON");
        assert!(body.get("gap").is_none() && head.get("etag").is_some());
        let events = body["events"].as_array().expect("a list");
        let next = body["next"].as_str().expect("a cursor");
        if events.is_empty() {
            // One that was asked from now on says only now where that was.
            let next = expected.sequence(next);
            assert!(next <= self.last && expected.next_after(self.topic, next).is_none());
            self.last = next;
        }
        self.take_events(expected, events, next);
    }

    fn take_events(&mut self, expected: &Expected, events: &[Value], next: &str) {
        for value in events {
            self.last = expected.check(self.topic, self.last, &event(value));
        }
        assert_eq!(next, expected.id(self.last), "the cursor is the last event's id");
    }

    /// Takes in what begins a stream. `false`: there is no room for it now.
    pub fn take_start(&mut self, expected: &Expected, asked: &Asked) -> bool {
        let Some(said) = self.wait() else { panic!("the connection ends before the stream begins") };
        match said {
            Said::Start { next, gap } => {
                self.last = asked.started(expected, self.topic, &next, gap.is_some());
                if let Some((since, oldest)) = gap {
                    assert_eq!(Some(since), asked.cursor);
                    if !asked.may_evict {
                        assert_eq!(oldest, asked.kept.oldest.map(|oldest| expected.id(oldest)));
                    }
                }
                true
            }
            Said::Retry => {
                assert!(matches!(self.wait(), Some(Said::End(None))), "no room, and no end");
                self.link = Link::None;
                false
            }
            said => panic!("a stream begins with {said:?}"),
        }
    }

    /// Bare data say nothing of where they begin, and a gap is a close; so a ping was sent behind the handshake, to see
    /// what is answered. `false`: there is a gap.
    pub fn take_bare_start(&mut self, expected: &Expected, asked: &Asked) -> bool {
        let said = self.wait().expect("the connection ends before the stream begins");
        let gap = matches!(said, Said::End(Some(4000)));
        asked.check_gap(expected, gap);
        self.last = match asked.sequence.filter(|_| !gap) {
            Some(sequence) => sequence,
            None if asked.now || asked.kept.oldest.is_none() => expected.newest,
            None => asked.kept.lost_most,
        };
        match said {
            Said::Event(got) => {
                self.last = expected.check(self.topic, self.last, &got);
                self.received = true;
            }
            Said::Pong => {}
            _ => assert!(gap, "bare data begin with {said:?}"),
        }
        if gap {
            self.link = Link::None;
        }
        !gap
    }

    /// Takes in what has come. Returns the code, or its absence, of the end, if that has come too.
    pub fn take_what_came(&mut self, expected: &Expected) -> Option<Option<u16>> {
        let Link::Stream(_, connection, parser) = &mut self.link else { return None };
        while let Some(said) = parser.next(connection) {
            match said {
                Said::Event(got) => {
                    self.last = expected.check(self.topic, self.last, &got);
                    self.received = true;
                }
                Said::Pong | Said::Retry => {}
                Said::End(code) => return Some(code),
                Said::Start { .. } => panic!("a stream begins but once"),
            }
        }
        assert!(!connection.ended, "the connection ends before the stream does");
        None
    }

    /// Waits for the next thing said.
    pub fn wait(&mut self) -> Option<Said> {
        let Link::Stream(_, connection, parser) = &mut self.link else { return None };
        loop {
            if let Some(said) = parser.next(connection) {
                return Some(said);
            }
            if connection.receive(4096) == 0 {
                return parser.next(connection);
            }
        }
    }
}
