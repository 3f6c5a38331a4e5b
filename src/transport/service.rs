//! The service: every request's answer, from its plan and its body.

use std::collections::VecDeque;

use super::access::Access;
use super::answer::{Moment, Overload, Refusal, Terms};
use super::following::Following;
use super::metrics::{self, Counters, Gauges};
use super::plan::Plan;
use super::poll::{Held, Poll};
use super::publish::publish;
use super::{socket, stream, wire_view};
use crate::hub::{Dropped, Gap, Hub, Placement, Since, TopicKey};
use crate::protocol::http::Status;
use crate::protocol::websocket::extension::Agreement;

/// What the server grants.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Who may.
    pub access: Access,
    /// The longest wait of a long poll, in seconds.
    pub max_wait: u8,
    /// After how long a client that has lost its stream is to come again, in milliseconds; up to as much again is
    /// added at random, so that not all come at once.
    pub retry: u32,
    /// The longest data of one event, in bytes.
    pub event_bytes: usize,
    /// The longest body of many events, in bytes.
    pub batch_bytes: usize,
    /// Whether messages are compressed for WebSockets that offer it.
    pub compress: bool,
    /// Messages of fewer bytes are never compressed.
    pub compress_from: usize,
}

impl Default for Policy {
    fn default() -> Policy {
        Policy {
            access: Access::default(),
            max_wait: 60,
            retry: 2000,
            event_bytes: 64 << 10,
            batch_bytes: 1 << 20,
            compress: true,
            compress_from: 256,
        }
    }
}

/// What becomes of the connection, when the answer's bytes are written.
#[derive(Debug)]
pub enum Reply {
    /// The answer is whole.
    Done,
    /// Nothing is written yet: the answer waits for an event.
    Hold(Held),
    /// It is an event stream now.
    Stream(Following),
    /// It is a WebSocket now that follows a topic; `may_publish`: its messages are published.
    Socket {
        /// Its place in the topic.
        following: Following,
        /// Its messages are published.
        may_publish: bool,
        /// Messages may come compressed, each alone.
        compressed: bool,
    },
    /// It is a WebSocket now that can't be given what it asked for, and is to be closed with 4000 `gap`.
    Gap,
    /// It is a WebSocket now that echoes.
    Echo {
        /// What was agreed on about compression, if anything was.
        agreement: Option<Agreement>,
    },
}

/// An answer, and what becomes of the connection.
#[derive(Debug)]
pub struct Answered {
    /// Its status. For a held poll: as if it were answered now.
    pub status: Status,
    /// What becomes of the connection.
    pub reply: Reply,
    /// The connection goes on with the next request.
    pub persists: bool,
}

/// All topics, and what the server grants of them.
pub struct Service {
    /// The topics.
    pub hub: Hub,
    /// What is granted.
    pub policy: Policy,
    /// What has happened.
    pub counters: Counters,
    /// Topics whose sweep has begun and not ended.
    pub sweeps: VecDeque<TopicKey>,
    /// Segments that followers may stand in, and that are no longer kept.
    pub dropped: Vec<Dropped>,
    /// A topic that a WebSocket has published to, whose window is to be kept to when that connection's turn is over.
    pub trim_owed: Option<TopicKey>,
    /// Whether anybody has ever followed the wire view.
    pub wire_was_followed: bool,
}

impl Service {
    /// A service over a hub.
    pub fn new(hub: Hub, policy: Policy) -> Service {
        Service {
            hub,
            policy,
            counters: Counters::default(),
            sweeps: VecDeque::new(),
            dropped: Vec::new(),
            trim_owed: None,
            wire_was_followed: false,
        }
    }

    /// Answers a request: appends the answer's bytes to `out`, except for a poll that is to be held. `draining`: the
    /// server ends, so nobody is held.
    pub fn answer(
        &mut self,
        plan: Result<Plan<'_>, Refusal>,
        body: &[u8],
        mut terms: Terms,
        gauges: &Gauges,
        moment: &Moment<'_>,
        out: &mut Vec<u8>,
    ) -> Answered {
        let outcome = plan.and_then(|plan| self.carry_out(plan, body, &terms, gauges, moment, out));
        let (status, reply) = outcome.unwrap_or_else(|refusal| {
            // A stream that ends at once is followed by no further answer, as with any other stream.
            terms.persists &= !refusal.closes && !refusal.event_stream;
            let status = refusal.write(out, &terms, self.policy.retry, moment);
            self.counters.refuse(status, refusal.overload);
            (status, Reply::Done)
        });
        Answered { status, reply, persists: terms.persists }
    }

    fn carry_out(
        &mut self,
        plan: Plan<'_>,
        body: &[u8],
        terms: &Terms,
        gauges: &Gauges,
        moment: &Moment<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(Status, Reply), Refusal> {
        let status = match plan {
            Plan::Page(file) => {
                let head = terms.head(out, Status::OK, moment);
                let head = head.field("Content-Type", file.kind).field("Cache-Control", "no-cache");
                let head = head
                    .field("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'")
                    .field("X-Content-Type-Options", "nosniff")
                    .field("Referrer-Policy", "no-referrer");
                head.length(file.content.len()).end();
                if !terms.head_only {
                    out.extend_from_slice(file.content.as_bytes());
                }
                Status::OK
            }
            Plan::Health => {
                let (status, body) = match gauges.draining {
                    false => (Status::OK, &b"{\"status\":\"ok\"}"[..]),
                    true => (Status::SERVICE_UNAVAILABLE, &b"{\"status\":\"draining\"}"[..]),
                };
                terms.whole(out, status, "application/json", body, moment);
                status
            }
            Plan::Metrics => {
                let text = metrics::write(&self.counters, gauges, &self.hub);
                terms.whole(
                    out,
                    Status::OK,
                    "text/plain; version=0.0.4; charset=utf-8",
                    text.as_bytes(),
                    moment,
                );
                Status::OK
            }
            Plan::Options { allow, preflight } => {
                let mut head = terms.head(out, Status::NO_CONTENT, moment).field("Allow", allow);
                if preflight {
                    head = head
                        .field("Access-Control-Allow-Methods", "GET, HEAD, POST")
                        .field(
                            "Access-Control-Allow-Headers",
                            "Authorization, Content-Type, If-None-Match, Last-Event-ID, Prefer",
                        )
                        .field("Access-Control-Max-Age", "600");
                }
                head.end();
                Status::NO_CONTENT
            }
            Plan::Publish(publication) => {
                let json = publish(self, &publication, body, moment.tick)?;
                terms.whole(out, Status::CREATED, "application/json", &json, moment);
                Status::CREATED
            }
            Plan::Poll { topic, since, wait, preferred, if_none_match } => {
                let applied = wait.filter(|_| preferred);
                return self.poll(&topic, &since, wait, terms, applied, if_none_match, moment, out);
            }
            Plan::Stream { topic, since } => {
                let (key, placement) = self.place(&topic, &since, true, moment)?;
                self.wire_was_followed |= topic == wire_view::TOPIC;
                let following = stream::open(
                    &mut self.hub,
                    key,
                    &placement,
                    terms,
                    moment.jittered(self.policy.retry),
                    moment,
                    out,
                );
                return Ok((Status::OK, Reply::Stream(following)));
            }
            Plan::Socket { topic, since, opening, may_publish } => {
                let (key, placement) = self.place(&topic, &since, false, moment)?;
                opening.write_head(terms, moment, out);
                let from = self.policy.compress_from;
                let following = socket::open(&mut self.hub, key, &placement, &opening, from, moment, out);
                let compressed = opening.agreement.is_some();
                let reply = following.map_or(Reply::Gap, |following| Reply::Socket {
                    following,
                    may_publish,
                    compressed,
                });
                return Ok((Status::SWITCHING_PROTOCOLS, reply));
            }
            Plan::Echo { opening } => {
                opening.write_head(terms, moment, out);
                return Ok((Status::SWITCHING_PROTOCOLS, Reply::Echo { agreement: opening.agreement }));
            }
        };
        Ok((status, Reply::Done))
    }

    /// Opens a topic for a follower that will be held, and finds its place.
    fn place(
        &mut self,
        topic: &str,
        since: &Since,
        event_stream: bool,
        moment: &Moment<'_>,
    ) -> Result<(TopicKey, Placement), Refusal> {
        let opened = self.hub.open(topic, moment.tick);
        let key = opened.map_err(|_| Refusal::overloaded(Overload::Topics, event_stream))?;
        let placement = self.hub.place(Some(key), since);
        self.counters.gaps += u64::from(placement.gap.is_some());
        Ok((key, placement))
    }

    #[expect(clippy::too_many_arguments, reason = "all of them are parts of one request")]
    fn poll(
        &mut self,
        topic: &str,
        since: &Since,
        wait: Option<u8>,
        terms: &Terms,
        applied: Option<u8>,
        if_none_match: Option<Box<[u8]>>,
        moment: &Moment<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(Status, Reply), Refusal> {
        let (key, placement) = match wait {
            Some(_) => {
                self.place(topic, since, false, moment).map(|(key, placement)| (Some(key), placement))?
            }
            None => {
                let key = self.hub.find(topic);
                (key, self.hub.place(key, since))
            }
        };
        let poll = Poll { after: placement.after, terms: terms.clone(), applied, if_none_match };
        if let (Some(topic), Some(wait), None) = (key, wait.filter(|wait| *wait > 0), &placement.gap)
            && self.hub.topic(topic).log.newest() <= placement.after
        {
            return Ok((Status::OK, Reply::Hold(Held { topic, poll, wait })));
        }
        let status = self.answer_poll(&poll, key, placement.gap.as_ref(), moment, out);
        Ok((status, Reply::Done))
    }

    /// Answers a poll as things stand, and counts it.
    pub fn answer_poll(
        &mut self,
        poll: &Poll,
        key: Option<TopicKey>,
        gap: Option<&Gap>,
        moment: &Moment<'_>,
        out: &mut Vec<u8>,
    ) -> Status {
        self.count_poll(poll, key);
        poll.answer(&mut self.hub, key, gap, moment, out)
    }

    /// Counts a poll that is answered as things stand.
    pub fn count_poll(&mut self, poll: &Poll, key: Option<TopicKey>) {
        let empty = key.is_none_or(|key| self.hub.topic(key).log.newest() <= poll.after);
        self.counters.polls += 1;
        self.counters.empty_polls += u64::from(empty);
    }
}
