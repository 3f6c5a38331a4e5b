//! Followers without sockets: what they tell does not depend on how the bytes were cut.

mod answers;
mod cuts;
mod rules;

use barewire::client::follow::{Error, Follower, Next, Notice, Resource, Shared, Since, Traffic, Via};

/// What a follower has told, in bytes of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    Event { id: String, event: String, data: String },
    Gap { since: String, oldest: Option<String> },
    Cursor(String),
}

impl Told {
    fn of(notice: Notice<'_>) -> Self {
        match notice {
            Notice::Event(event) => {
                Self::Event { id: event.id.into(), event: event.event.into(), data: event.data.into() }
            }
            Notice::Gap { since, oldest } => {
                Self::Gap { since: since.into(), oldest: oldest.map(Into::into) }
            }
            Notice::Cursor(id) => Self::Cursor(id.into()),
        }
    }
}

/// How an exchange has gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub told: Vec<Told>,
    pub next: Result<Next, Error>,
    pub cursor: Option<String>,
    pub traffic: Traffic,
    /// What was written behind the request.
    pub answered: Vec<u8>,
}

/// The bytes that every handshake here is made with: the nonce of RFC 6455 §1.3. The masking key is their beginning.
pub const NONCE: [u8; 16] = *b"the sample nonce";

pub fn resource() -> Resource {
    Resource::new("http://a.example/topics/t", None, &[]).expect("a URL")
}

/// Asks, and takes `bytes` in `pieces`, and the end of the connection if it comes to that.
pub fn play(via: Via, since: &Since, bytes: &[u8], cuts: &[usize]) -> Outcome {
    let resource = resource();
    let mut shared = Shared::new(|| Ok(NONCE));
    let mut follower = Follower::new(via, since.clone());
    follower.write_request(&resource, &mut shared, &mut Vec::new()).expect("nothing is wrong with it");
    let (mut told, mut answered) = (Vec::new(), Vec::new());
    let mut next = Ok(Next::Read);
    let mut start = 0;
    for end in cuts.iter().copied().chain([bytes.len()]) {
        let mut piece = bytes[start..end].to_vec();
        start = end;
        next = follower.receive(&mut piece, &resource, &mut shared, &mut answered, &mut |notice| {
            told.push(Told::of(notice));
        });
        if next != Ok(Next::Read) {
            break;
        }
    }
    if next == Ok(Next::Read) {
        next = follower.end(&resource, &mut shared, &mut |notice| told.push(Told::of(notice)));
        assert_ne!(next, Ok(Next::Read));
    }
    // What came behind the end is not read where it is cut off before.
    let traffic = Traffic { bytes_down: 0, bytes_up: 0, ..shared.traffic };
    Outcome { told, next, cursor: follower.cursor().map(Into::into), traffic, answered }
}
