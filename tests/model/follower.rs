//! A follower: its position, and the checks of everything that it receives.

use serde_json::Value;

use crate::expected::{Expected, Kept};
use crate::parse::{Form, Item, Parser, event};
use crate::wire::{Connection, Head};

/// One follower.
pub struct Follower {
    pub topic: usize,
    /// The follower has everything through this sequence, or a report of a gap.
    pub last: u64,
    /// Whether the current stream has delivered an event.
    pub received: bool,
    pub link: Link,
}

/// A follower's connection to the server.
pub enum Link {
    None,
    /// A held poll.
    Waiting(Connection),
    Stream(Form, Connection, Parser),
}

/// The request that starts a poll or a stream, and the possible results.
#[derive(Clone, Debug)]
pub struct FollowRequest {
    /// The cursor as it was sent, if any.
    pub cursor: Option<String>,
    /// The cursor's sequence, if it is an id with the server's epoch.
    pub sequence: Option<u64>,
    /// Whether the request asks only for future events.
    pub now: bool,
    pub kept: Kept,
    /// Whether the request may create the topic again, after which more is lost.
    pub may_evict: bool,
}

impl FollowRequest {
    fn lost_most(&self, expected: &Expected) -> u64 {
        if self.may_evict { expected.newest } else { self.kept.lost_most }
    }

    /// Checks that a gap is reported if and only if there is one.
    fn check_gap(&self, expected: &Expected, gap: bool) {
        if self.cursor.is_none() {
            return assert!(!gap, "a gap without a cursor: {self:?}");
        }
        let through = self.sequence.unwrap_or(u64::MAX);
        let lost = through < self.kept.lost_least || through > expected.newest;
        let is_complete = (self.lost_most(expected)..=expected.newest).contains(&through);
        assert!(gap || !lost, "a gap was not reported: {self:?}");
        assert!(!gap || !is_complete, "a gap was reported although nothing is missing: {self:?}");
    }

    /// Checks the starting cursor and the report of a gap. Returns the sequence after which the
    /// follower continues.
    fn check_cursor(&self, expected: &Expected, topic: usize, next: &str, gap: bool) -> u64 {
        let next = expected.sequence(next);
        if self.now {
            assert!(!gap, "`now` never has a gap");
            assert!(
                expected.next_after(topic, next).is_none() && next <= expected.newest,
                "{next} is not now"
            );
            return next;
        }
        self.check_gap(expected, gap);
        if let (Some(sequence), false) = (self.sequence, gap) {
            assert_eq!(next, sequence, "the follower continues at another position");
            return next;
        }
        assert!(
            (self.kept.lost_least..=self.lost_most(expected)).contains(&next),
            "the follower continues after {next}: {self:?}"
        );
        next
    }
}

impl Follower {
    /// Checks a poll's response. Returns whether it contains events.
    pub fn check_response(
        &mut self,
        expected: &Expected,
        request: &FollowRequest,
        head: &Head,
        body: &[u8],
    ) -> bool {
        if head.status == 304 {
            assert!(body.is_empty());
            assert_eq!(head.get("etag"), Some(&*format!("W/\"{}\"", expected.id(self.last))));
            assert!(
                expected.next_after(self.topic, self.last).is_none(),
                "304 although there is a new event"
            );
            return false;
        }
        assert_eq!(head.status, 200);
        let body: Value = serde_json::from_slice(body).expect("a response is JSON");
        let events = body["events"].as_array().expect("a list");
        let next = body["next"].as_str().expect("a cursor");
        let gap = body["gap"] == true;
        assert_eq!(head.get("etag").is_none(), gap, "only a response with a gap has no ETag");

        // The response does not contain its start. It is before the first event, or at the end.
        let first = events.first().map(|first| expected.sequence(first["id"].as_str().expect("an id")));
        let begin = match (gap, request.sequence, first, request.kept.oldest) {
            (false, Some(sequence), ..) => expected.id(sequence),
            (_, _, Some(first), oldest) => {
                assert_eq!(Some(first), oldest, "the response begins with the oldest event kept");
                expected.id(request.kept.lost_most)
            }
            (.., None, _) => next.to_owned(),
        };
        self.last = request.check_cursor(expected, self.topic, &begin, gap);
        self.check_events(expected, events, next);
        !events.is_empty()
    }

    /// Checks the response to a held poll, for which no event existed at its request.
    pub fn check_held_response(&mut self, expected: &Expected, head: &Head, body: &[u8]) {
        assert_eq!((head.status, head.get("preference-applied")), (200, Some("wait=60")));
        let body: Value = serde_json::from_slice(body).expect("a response is JSON");
        assert!(body.get("gap").is_none() && head.get("etag").is_some());
        let events = body["events"].as_array().expect("a list");
        let next = body["next"].as_str().expect("a cursor");
        if events.is_empty() {
            // A poll from `now` learns only from its response where that was.
            let next = expected.sequence(next);
            assert!(next <= self.last && expected.next_after(self.topic, next).is_none());
            self.last = next;
        }
        self.check_events(expected, events, next);
    }

    fn check_events(&mut self, expected: &Expected, events: &[Value], next: &str) {
        for value in events {
            self.last = expected.check(self.topic, self.last, &event(value));
        }
        assert_eq!(next, expected.id(self.last), "the cursor is the last event's id");
    }

    /// Checks the start of a stream. Returns false if the server has no room for it.
    pub fn check_start(&mut self, expected: &Expected, request: &FollowRequest) -> bool {
        let Some(item) = self.next_item() else { panic!("the connection ends before the stream begins") };
        match item {
            Item::Start { next, gap } => {
                self.last = request.check_cursor(expected, self.topic, &next, gap.is_some());
                if let Some((since, oldest)) = gap {
                    assert_eq!(Some(since), request.cursor);
                    if !request.may_evict {
                        assert_eq!(oldest, request.kept.oldest.map(|oldest| expected.id(oldest)));
                    }
                }
                true
            }
            Item::Retry => {
                assert!(matches!(self.next_item(), Some(Item::End(None))), "a refusal without an end");
                self.link = Link::None;
                false
            }
            item => panic!("a stream begins with {item:?}"),
        }
    }

    /// Checks the start of a stream of bare data. Bare data contains no starting cursor, and a gap
    /// is a close code. So the client sends a ping after the handshake and checks the first reply.
    /// Returns false if there is a gap.
    pub fn check_bare_start(&mut self, expected: &Expected, request: &FollowRequest) -> bool {
        let item = self.next_item().expect("the connection ends before the stream begins");
        let gap = matches!(item, Item::End(Some(4000)));
        request.check_gap(expected, gap);
        self.last = match request.sequence.filter(|_| !gap) {
            Some(sequence) => sequence,
            None if request.now || request.kept.oldest.is_none() => expected.newest,
            None => request.kept.lost_most,
        };
        match item {
            Item::Event(received) => {
                self.last = expected.check(self.topic, self.last, &received);
                self.received = true;
            }
            Item::Pong => {}
            _ => assert!(gap, "bare data begins with {item:?}"),
        }
        if gap {
            self.link = Link::None;
        }
        !gap
    }

    /// Checks everything that has arrived. Returns the close code, or its absence, if the stream
    /// has ended.
    pub fn check_available(&mut self, expected: &Expected) -> Option<Option<u16>> {
        let Link::Stream(_, connection, parser) = &mut self.link else { return None };
        while let Some(item) = parser.next(connection) {
            match item {
                Item::Event(received) => {
                    self.last = expected.check(self.topic, self.last, &received);
                    self.received = true;
                }
                Item::Pong | Item::Retry => {}
                Item::End(code) => return Some(code),
                Item::Start { .. } => panic!("a stream begins twice"),
            }
        }
        assert!(!connection.ended, "the connection ends before the stream does");
        None
    }

    /// Waits for the next item.
    pub fn next_item(&mut self) -> Option<Item> {
        let Link::Stream(_, connection, parser) = &mut self.link else { return None };
        loop {
            if let Some(item) = parser.next(connection) {
                return Some(item);
            }
            if connection.receive(4096) == 0 {
                return parser.next(connection);
            }
        }
    }
}
