//! What may happen, and how likely it is.

use std::fmt;

use barewire::hub::HubLimits;
use proptest::prelude::*;
use proptest::sample::select;

use crate::parse::Form;

/// How many topics there are to choose from.
pub const TOPICS: usize = 4;

/// A way of following.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Transport {
    ShortPoll,
    LongPoll,
    Stream(Form),
}

/// From where.
#[derive(Clone, Debug)]
pub enum Since {
    Start,
    Now,
    /// After what some follower, perhaps of another topic, has got last.
    Follower(usize),
    /// After some event of the topic.
    Event(usize),
    /// After an id of another life of the server, or of none at all.
    Foreign(&'static str),
    /// After an event that has not been yet.
    Future,
}

/// Text that shrinks well: a piece, as often as it takes.
#[derive(Clone)]
pub struct Data {
    piece: String,
    bytes: usize,
}

impl Data {
    pub fn new(piece: &str, bytes: usize) -> Data {
        Data { piece: piece.to_owned(), bytes }
    }

    pub fn text(&self) -> String {
        let mut text = self.piece.clone();
        if !text.is_empty() && text.len() < self.bytes {
            text = text.repeat(self.bytes / text.len());
        }
        text
    }
}

impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} to {}", self.piece, self.bytes)
    }
}

/// One publish.
#[derive(Clone, Debug)]
pub struct Publication {
    pub topic: usize,
    pub name: &'static str,
    pub data: Data,
}

/// One thing that happens. `who` is a follower's number, modulo how many there are.
#[derive(Clone, Debug)]
pub enum Step {
    /// Requests that go out in one piece, one behind the other.
    Publish(Vec<Publication>),
    /// Many events in one request.
    Batch { topic: usize, lines: Vec<Data> },
    /// So much for a follower that only one who reads keeps up.
    Burst { who: usize, lines: usize },
    /// A follower by WebSocket publishes, some messages in one piece.
    Say { who: usize, texts: Vec<Data> },
    /// A new follower.
    Open { topic: usize, transport: Transport, since: Since, header: bool },
    /// A follower reads as many bytes, if it is owed as many; a poll has one answer.
    Read { who: usize, bytes: usize },
    /// A follower's connection goes, by a reset or not.
    Cut { who: usize, reset: bool },
    /// A follower goes on from its last id.
    Resume { who: usize, transport: Transport, header: bool },
    /// A follower ends its side, but still listens.
    HalfClose { who: usize },
    /// A follower by WebSocket sends what ends it: a close frame, or a binary message.
    End { who: usize, binary: bool },
    /// The server's clock goes on: what was encoded in the same tick is not dropped.
    Tick,
}

/// What is played, and in which narrow places.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub limits: HubLimits,
    pub steps: Vec<Step>,
    /// The server is told to stop at the end, while all are where they are.
    pub drain: bool,
}

fn transport() -> impl Strategy<Value = Transport> {
    use Transport::{LongPoll, ShortPoll, Stream};
    prop_oneof![
        1 => Just(ShortPoll),
        2 => Just(LongPoll),
        2 => Just(Stream(Form::Chunks)),
        1 => Just(Stream(Form::Plain)),
        3 => Just(Stream(Form::Json)),
        1 => Just(Stream(Form::Text)),
    ]
}

fn since() -> impl Strategy<Value = Since> {
    prop_oneof![
        3 => Just(Since::Start),
        2 => Just(Since::Now),
        2 => any::<usize>().prop_map(Since::Follower),
        3 => any::<usize>().prop_map(Since::Event),
        1 => select(&["AAAAAAAA-1", "0", "a-b-c", "~", "AAAAAAAA-18446744073709551616"][..]).prop_map(Since::Foreign),
        1 => Just(Since::Future),
    ]
}

fn data() -> impl Strategy<Value = Data> {
    let piece = prop_oneof![
        2 => any::<String>(),
        2 => "[a-z\r\n\"\\\\: é€😀]{0,12}",
        1 => Just("\r\n".to_owned()),
    ];
    let bytes = prop_oneof![6 => Just(0), 3 => 0..2048_usize, 3 => 2048..65_537_usize];
    (piece, bytes).prop_map(|(piece, bytes)| Data { piece, bytes })
}

fn publication() -> impl Strategy<Value = Publication> {
    let name = select(&["message", "price", "ünï: c"][..]);
    (0..TOPICS, name, data()).prop_map(|(topic, name, data)| Publication { topic, name, data })
}

fn step() -> impl Strategy<Value = Step> {
    let who = any::<usize>;
    let bytes = prop_oneof![3 => 1..200_usize, 2 => 200..20_000_usize, 2 => 20_000..400_000_usize];
    let resumes = (who(), transport(), any::<bool>());
    let opens = (0..TOPICS, transport(), since(), any::<bool>());
    prop_oneof![
        6 => prop::collection::vec(publication(), 1..5).prop_map(Step::Publish),
        3 => (0..TOPICS, prop::collection::vec(data(), 1..40)).prop_map(|(topic, lines)| Step::Batch { topic, lines }),
        4 => (who(), 4..16_usize).prop_map(|(who, lines)| Step::Burst { who, lines }),
        4 => (who(), prop::collection::vec(data(), 1..12)).prop_map(|(who, texts)| Step::Say { who, texts }),
        6 => opens.prop_map(|(topic, transport, since, header)| Step::Open { topic, transport, since, header }),
        8 => (who(), bytes).prop_map(|(who, bytes)| Step::Read { who, bytes }),
        2 => (who(), any::<bool>()).prop_map(|(who, reset)| Step::Cut { who, reset }),
        5 => resumes.prop_map(|(who, transport, header)| Step::Resume { who, transport, header }),
        1 => who().prop_map(|who| Step::HalfClose { who }),
        2 => (who(), any::<bool>()).prop_map(|(who, binary)| Step::End { who, binary }),
        1 => Just(Step::Tick),
    ]
}

/// Windows from the default to ones that hold hardly anything.
fn limits() -> impl Strategy<Value = HubLimits> {
    let default = HubLimits::default();
    let topics = prop_oneof![3 => Just(default.topics), 1 => 1..=TOPICS];
    let events = prop_oneof![2 => Just(default.window_events), 2 => Just(8), 1 => 1..64_usize];
    let bytes = prop_oneof![2 => Just(default.window_bytes), 1 => Just(64 << 10), 1 => Just(512 << 10)];
    let encoded = prop_oneof![1 => Just(default.encoded_bytes), 1 => Just(4 << 10), 1 => Just(256 << 10)];
    (topics, events, bytes, encoded).prop_map(move |(topics, window_events, window_bytes, encoded_bytes)| {
        HubLimits { topics, window_events, window_bytes, window_age: None, encoded_bytes }
    })
}

pub fn scenario() -> impl Strategy<Value = Scenario> {
    let steps = prop::collection::vec(step(), 1..60);
    (limits(), steps, any::<bool>()).prop_map(|(limits, steps, drain)| Scenario { limits, steps, drain })
}
