//! Followers without sockets: their notices do not depend on how the bytes are split.

mod cuts;
mod endless;
mod pace;
mod responses;
mod rules;

use std::time::Duration;

use barewire::client::Backoff;
use barewire::client::follow::{Error, Follower, Next, Notice, Resource, Shared, Since, Traffic, Transport};

/// An owned notice of a follower.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    Event { id: String, event: String, data: String },
    Gap { since: String, oldest: Option<String> },
    Cursor(String),
}

impl Received {
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

/// The result of an exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub received: Vec<Received>,
    pub next: Result<Next, Error>,
    pub cursor: Option<String>,
    pub traffic: Traffic,
    /// The bytes written after the request: pongs and close frames.
    pub replies: Vec<u8>,
}

/// The random bytes of every exchange: the nonce of RFC 6455 §1.3. The masking key is its first
/// four bytes.
pub const NONCE: [u8; 16] = *b"the sample nonce";

/// Returns a resource without backoff, so that every delay is the one that the server requests.
pub fn resource() -> Resource {
    let mut resource = Resource::new("http://a.example/topics/t", None, &[]).expect("a URL");
    resource.backoff = Backoff { initial: Duration::ZERO, max: Duration::ZERO };
    resource
}

/// Sends a request, receives `bytes` split at `cuts`, and then ends the connection if the follower
/// still reads.
pub fn exchange(via: Transport, since: &Since, bytes: &[u8], cuts: &[usize]) -> Outcome {
    exchange_with(&resource(), via, since, bytes, cuts)
}

/// Does the same as [`exchange`] with a request for `resource`.
pub fn exchange_with(
    resource: &Resource,
    via: Transport,
    since: &Since,
    bytes: &[u8],
    cuts: &[usize],
) -> Outcome {
    let mut shared = Shared::new(|| Ok(NONCE));
    let mut follower = Follower::new(via, since.clone());
    follower.write_request(resource, &mut shared, &mut Vec::new()).expect("a valid request");
    let (mut received, mut replies) = (Vec::new(), Vec::new());
    let mut next = Ok(Next::Read);
    let mut start = 0;
    for end in cuts.iter().copied().chain([bytes.len()]) {
        let mut part = bytes[start..end].to_vec();
        start = end;
        let elapsed = Duration::ZERO;
        next = follower.receive(&mut part, elapsed, resource, &mut shared, &mut replies, &mut |notice| {
            received.push(Received::of(notice));
        });
        if next != Ok(Next::Read) {
            break;
        }
    }
    if next == Ok(Next::Read) {
        next = follower.end(Duration::ZERO, resource, &mut shared, &mut |notice| {
            received.push(Received::of(notice));
        });
        assert_ne!(next, Ok(Next::Read));
    }
    // Whether bytes after the end are read depends on how they are split.
    let traffic = Traffic { bytes_down: 0, bytes_up: 0, ..shared.traffic };
    Outcome { received, next, cursor: follower.cursor().map(Into::into), traffic, replies }
}
