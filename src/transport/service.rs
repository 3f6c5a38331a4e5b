//! The service: the response to every request, from its action and its content.

use std::borrow::Cow;

use super::access::Access;
use super::action::{Action, CallRequest, PollRequest, Publication};
use super::batch::Batch;
use super::following::{Encoding, Following, write_id};
use super::metrics::Counters;
use super::poll::{HeldPoll, Poll};
use super::response::{Now, Overload, Refusal, ResponseContext, jittered};
use super::routes::Routes;
use super::websocket::{self, ServerHandshake};
use super::{event_stream, observation};
use crate::hub::{Epoch, Gap, Hub, HubLimits, Id, Opener, Placement, Since, Tick, Topic, TopicKey};
use crate::protocol::http::Status;
use crate::protocol::websocket::extension::Agreement;

/// The rights and bounds of clients.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Access control.
    pub access: Access,
    /// The longest wait of a long poll, in seconds.
    pub max_wait: u8,
    /// The reconnection time in milliseconds, plus up to 100 % random jitter.
    pub retry: u32,
    /// The longest data of one event, in bytes.
    pub event_bytes: usize,
    /// The longest content with many events, in bytes.
    pub batch_bytes: usize,
    /// Messages are compressed for WebSockets that offer it.
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

/// The next step of a connection, once the bytes of the response are written.
#[derive(Debug)]
pub enum Next {
    /// The response is complete.
    Done,
    /// No byte is written: the response waits for an event.
    Hold(HeldPoll),
    /// The response is an event stream.
    Stream(Following),
    /// The connection is a WebSocket that follows a topic.
    Socket {
        /// The position in the topic.
        following: Following,
        /// The client's messages are published.
        may_publish: bool,
        /// The client's messages may be compressed, each without context.
        compressed: bool,
    },
    /// No byte is written: the rest of the batch must be published first.
    Batch(Batch),
    /// No byte is written: the application answers the request, in this context.
    Call(CallRequest<'static>, ResponseContext),
    /// The connection is a WebSocket that must be closed with [`websocket::CLOSE_GAP`].
    Gap,
    /// The connection is a WebSocket that echoes.
    Echo {
        /// The negotiated compression.
        agreement: Option<Agreement>,
    },
}

/// A response.
#[derive(Debug)]
pub struct Responded {
    /// The status. For a held poll, the status that an immediate response would have.
    pub status: Status,
    /// The next step of the connection.
    pub next: Next,
    /// The connection persists for another request.
    pub persists: bool,
}

/// All topics, and the policy for them.
pub struct Service {
    /// The topics.
    pub hub: Hub,
    /// The policy.
    pub policy: Policy,
    /// The resources.
    pub routes: Routes,
    /// The counters.
    pub counters: Counters,
    /// A client has followed the observation at some time.
    observed: bool,
    /// The text of the metrics, if it has been made in this loop iteration. It is made once for all
    /// requests of an iteration. A request after a response is in a later iteration.
    pub metrics: Option<String>,
}

impl Service {
    /// Creates a service without topics.
    pub fn new(epoch: Epoch, limits: HubLimits, policy: Policy) -> Service {
        let hub = Hub::new(epoch, limits, Encoding::encoders(policy.compress_from));
        Service {
            hub,
            policy,
            routes: Routes::default(),
            counters: Counters::default(),
            observed: false,
            metrics: None,
        }
    }

    /// Responds to a request: appends the response to `out`, unless it has to wait for an event.
    pub fn respond(
        &mut self,
        action: Result<Action<'_>, Refusal>,
        content: &[u8],
        mut context: ResponseContext,
        now: &Now<'_>,
        out: &mut Vec<u8>,
    ) -> Responded {
        let outcome = action.and_then(|action| match action {
            Action::Options { allow, preflight } => {
                Ok((write_options(&allow, preflight, &context, now, out), Next::Done))
            }
            Action::Publish(publication) => self.publish(&publication, content, &context, now, out),
            Action::Poll(request) => self.poll(request, &context, now, out),
            Action::Stream { topic, since } => self.stream(&topic, &since, &context, now, out),
            Action::Socket { topic, since, handshake, may_publish } => {
                self.socket(&topic, &since, &handshake, may_publish, &context, now, out)
            }
            Action::Echo { handshake } => {
                handshake.write_head(&context, now, out);
                Ok((Status::SWITCHING_PROTOCOLS, Next::Echo { agreement: handshake.agreement }))
            }
            Action::Call(request) => Ok((Status::OK, Next::Call(request.into_owned(), context.clone()))),
        });
        let (status, next) = outcome.unwrap_or_else(|refusal| {
            // No response follows a stream that ends at once, as with any other stream.
            context.persists &= !refusal.closes && !refusal.event_stream;
            let status = refusal.write(out, &context, self.policy.retry, now);
            self.counters.refuse(status, refusal.overload);
            (status, Next::Done)
        });
        Responded { status, next, persists: context.persists }
    }

    /// Publishes the events in a request's content, all or none, and responds with their ids.
    fn publish(
        &mut self,
        publication: &Publication,
        content: &[u8],
        context: &ResponseContext,
        now: &Now<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(Status, Next), Refusal> {
        let text = std::str::from_utf8(content).map_err(|_| {
            Refusal::bad_request("The data is not valid UTF-8; an event stream can carry nothing else.")
        })?;
        let no_room = |_| Refusal::overloaded(Overload::Topics, false);
        let Publication { topic, event, lines } = publication;
        if *lines {
            Batch::check(text, self.policy.event_bytes)?;
            let key = self.hub.open(topic, Opener::Publisher, now.tick).map_err(no_room)?;
            let mut batch = Batch::new(&mut self.hub, key, event, text, context.clone());
            if !self.continue_batch(&mut batch, now.tick) {
                return Ok((Status::CREATED, Next::Batch(batch)));
            }
            batch.respond(true, now, out);
        } else {
            let key = self.hub.open(topic, Opener::Publisher, now.tick).map_err(no_room)?;
            let mut json = b"{\"id\":\"".to_vec();
            write_id(self.append(key, event, text, now.tick), &mut json);
            json.extend_from_slice(b"\"}");
            context.complete(out, Status::CREATED, "application/json", &json, now);
        }
        Ok((Status::CREATED, Next::Done))
    }

    /// Publishes the next events of a batch. Returns whether it is complete.
    pub fn continue_batch(&mut self, batch: &mut Batch, now: Tick) -> bool {
        let is_complete = batch.publish_next(|topic, event, data| self.append(topic, event, data, now));
        if is_complete {
            self.hub.release(batch.topic);
        }
        is_complete
    }

    /// Appends one event to a topic and counts it.
    pub fn append(&mut self, key: TopicKey, event: &str, data: &str, now: Tick) -> Id {
        let data = with_line_feeds(data);
        self.counters.events += 1;
        self.counters.event_bytes += data.len() as u64;
        self.hub.publish(key, event, &data, now)
    }

    /// Opens a topic for a follower whose connection is held open, and places it.
    ///
    /// # Errors
    /// The refusal of a topic for which there is no room.
    pub fn place(
        &mut self,
        topic: &str,
        since: &Since,
        event_stream: bool,
        now: &Now<'_>,
    ) -> Result<(TopicKey, Placement), Refusal> {
        let opener = match topic {
            // The server itself publishes the observation, and it is one topic, however many
            // clients follow it.
            observation::TOPIC => Opener::Publisher,
            _ => Opener::Follower,
        };
        let opened = self.hub.open(topic, opener, now.tick);
        let key = opened.map_err(|_| Refusal::overloaded(Overload::Topics, event_stream))?;
        let placement = self.hub.place(Some(key), since);
        self.counters.gaps += u64::from(placement.gap.is_some());
        Ok((key, placement))
    }

    fn poll(
        &mut self,
        request: PollRequest<'_>,
        context: &ResponseContext,
        now: &Now<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(Status, Next), Refusal> {
        let PollRequest { topic, since, wait, preferred, if_none_match } = request;
        let (key, placement) = match wait {
            Some(_) => {
                let (key, placement) = self.place(&topic, &since, false, now)?;
                (Some(key), placement)
            }
            None => {
                let key = self.hub.touch(&topic, now.tick);
                (key, self.hub.place(key, &since))
            }
        };
        let applied = wait.filter(|_| preferred);
        let poll = Poll { after: placement.after, context: context.clone(), applied, if_none_match };
        if let (Some(topic), Some(wait), None) = (key, wait.filter(|wait| *wait > 0), &placement.gap)
            && self.hub.topic(topic).log.newest() <= placement.after
        {
            return Ok((Status::OK, Next::Hold(HeldPoll { topic, poll, wait })));
        }
        let status = self.respond_to_poll(&poll, key, placement.gap.as_ref(), now, out);
        Ok((status, Next::Done))
    }

    /// Writes the response to a poll for the present state of the log, and counts it.
    pub fn respond_to_poll(
        &mut self,
        poll: &Poll,
        key: Option<TopicKey>,
        gap: Option<&Gap>,
        now: &Now<'_>,
        out: &mut Vec<u8>,
    ) -> Status {
        self.count_poll(poll, key);
        poll.respond(&mut self.hub, key, gap, now, out)
    }

    /// Counts a poll that is answered now.
    pub fn count_poll(&mut self, poll: &Poll, key: Option<TopicKey>) {
        let empty = key.is_none_or(|key| self.hub.topic(key).log.newest() <= poll.after);
        self.counters.polls += 1;
        self.counters.empty_polls += u64::from(empty);
    }

    fn stream(
        &mut self,
        topic: &str,
        since: &Since,
        context: &ResponseContext,
        now: &Now<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(Status, Next), Refusal> {
        let (key, placement) = self.place(topic, since, true, now)?;
        self.observed |= topic == observation::TOPIC;
        let retry = jittered(self.policy.retry, now.random);
        let following = event_stream::open(&mut self.hub, key, &placement, context, retry, now, out);
        Ok((Status::OK, Next::Stream(following)))
    }

    #[expect(clippy::too_many_arguments, reason = "the action's members, and what every action needs")]
    fn socket(
        &mut self,
        topic: &str,
        since: &Since,
        handshake: &ServerHandshake,
        may_publish: bool,
        context: &ResponseContext,
        now: &Now<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(Status, Next), Refusal> {
        let (key, placement) = self.place(topic, since, false, now)?;
        handshake.write_head(context, now, out);
        let compressed = handshake.agreement.is_some();
        let encoding = handshake.encoding();
        let next = match websocket::open(&mut self.hub, key, &placement, encoding, now, out) {
            Some(following) => Next::Socket { following, may_publish, compressed },
            None => Next::Gap,
        };
        Ok((Status::SWITCHING_PROTOCOLS, next))
    }

    /// Returns the topic of the observation, once a client has followed it.
    pub fn observation(&self) -> Option<&Topic> {
        let key = self.hub.find(observation::TOPIC).filter(|_| self.observed)?;
        Some(self.hub.topic(key))
    }

    /// Appends an event to the observation. The metrics count only the events that clients publish.
    pub fn publish_observation(&mut self, json: &str, now: Tick) {
        if let Ok(key) = self.hub.open(observation::TOPIC, Opener::Publisher, now) {
            self.hub.limit_bytes(key, observation::WINDOW_BYTES);
            self.hub.publish(key, "passed", json, now);
        }
    }
}

/// Returns data as the log keeps it. An event stream cannot carry a carriage return inside data
/// (WHATWG HTML §9.2.6), so CRLF and CR become LF for all transports alike.
fn with_line_feeds(data: &str) -> Cow<'_, str> {
    if data.contains('\r') {
        Cow::Owned(data.replace("\r\n", "\n").replace('\r', "\n"))
    } else {
        Cow::Borrowed(data)
    }
}

fn write_options(
    allow: &str,
    preflight: Option<&'static str>,
    context: &ResponseContext,
    now: &Now<'_>,
    out: &mut Vec<u8>,
) -> Status {
    let mut head = context.head(out, Status::NO_CONTENT, now).field("Allow", allow);
    if let Some(fields) = preflight {
        head = head
            .field("Access-Control-Allow-Methods", allow.trim_end_matches(", OPTIONS"))
            .field("Access-Control-Allow-Headers", fields)
            .field("Access-Control-Max-Age", "600");
    }
    head.end();
    Status::NO_CONTENT
}

#[cfg(test)]
mod tests {
    use super::with_line_feeds;

    #[test]
    fn every_line_end_becomes_a_line_feed() {
        assert_eq!(with_line_feeds("a\r\nb\rc\n\r\n\rd"), "a\nb\nc\n\n\nd");
    }
}
