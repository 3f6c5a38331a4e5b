//! The scenarios: the possible steps and their probabilities.

use std::fmt;

use barewire::hub::HubLimits;
use proptest::prelude::*;
use proptest::sample::select;

use crate::parse::Form;

/// The number of topics.
pub const TOPICS: usize = 4;

/// A way to follow a topic.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Transport {
    ShortPoll,
    LongPoll,
    Stream(Form),
}

/// The start of a follower.
#[derive(Clone, Debug)]
pub enum Since {
    Start,
    Now,
    /// After the last event that some follower, perhaps of another topic, has received.
    Follower(usize),
    /// After some event of the topic.
    Event(usize),
    /// After an id with another epoch, or an invalid id.
    Foreign(&'static str),
    /// After an event that does not exist yet.
    Future,
}

/// Text that shrinks well: a short text, repeated up to a length.
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

/// One step of a scenario. `index` selects a follower by number, modulo the number of followers.
#[derive(Clone, Debug)]
pub enum Step {
    /// Pipelined publish requests, sent in one write.
    Publish(Vec<Publication>),
    /// One request that publishes many events.
    Batch { topic: usize, lines: Vec<Data> },
    /// Publishes so much on a follower's topic that only a follower that reads keeps up.
    Burst { index: usize, lines: usize },
    /// A follower by WebSocket publishes several messages in one write.
    Send { index: usize, texts: Vec<Data> },
    /// A new follower.
    Open { topic: usize, transport: Transport, since: Since, header: bool },
    /// A follower reads that many bytes, if that many are pending. A poll reads one response.
    Read { index: usize, bytes: usize },
    /// A follower's connection ends, with or without a reset.
    Cut { index: usize, reset: bool },
    /// A follower resumes after its last id.
    Resume { index: usize, transport: Transport, header: bool },
    /// A follower closes its side, but still reads.
    HalfClose { index: usize },
    /// A follower by WebSocket sends a frame that ends it: a close frame, or a binary message.
    End { index: usize, binary: bool },
    /// The server's clock advances. Encodings made within the same tick are not dropped.
    Tick,
}

/// A scenario, with the limits of its server.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub limits: HubLimits,
    pub steps: Vec<Step>,
    /// Whether the server is stopped at the end, while followers are connected.
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
    let index = any::<usize>;
    let bytes = prop_oneof![3 => 1..200_usize, 2 => 200..20_000_usize, 2 => 20_000..400_000_usize];
    let resumes = (index(), transport(), any::<bool>());
    let opens = (0..TOPICS, transport(), since(), any::<bool>());
    prop_oneof![
        6 => prop::collection::vec(publication(), 1..5).prop_map(Step::Publish),
        3 => (0..TOPICS, prop::collection::vec(data(), 1..40)).prop_map(|(topic, lines)| Step::Batch { topic, lines }),
        4 => (index(), 4..16_usize).prop_map(|(index, lines)| Step::Burst { index, lines }),
        4 => (index(), prop::collection::vec(data(), 1..12)).prop_map(|(index, texts)| Step::Send { index, texts }),
        6 => opens.prop_map(|(topic, transport, since, header)| Step::Open { topic, transport, since, header }),
        8 => (index(), bytes).prop_map(|(index, bytes)| Step::Read { index, bytes }),
        2 => (index(), any::<bool>()).prop_map(|(index, reset)| Step::Cut { index, reset }),
        5 => resumes.prop_map(|(index, transport, header)| Step::Resume { index, transport, header }),
        1 => index().prop_map(|index| Step::HalfClose { index }),
        2 => (index(), any::<bool>()).prop_map(|(index, binary)| Step::End { index, binary }),
        1 => Just(Step::Tick),
    ]
}

/// Limits from the defaults down to windows that hold hardly anything.
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
