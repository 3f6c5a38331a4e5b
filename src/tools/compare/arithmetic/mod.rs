//! What each transport has to cost, by arithmetic alone.
//!
//! With `n` clients, `T` seconds from one short poll to the next, `λ` events a minute, `P = 60 / λ` seconds from one event to the next, and
//! `W` seconds for which a long poll is held:
//!
//! | | short poll | long poll | event stream, WebSocket |
//! | --- | --- | --- | --- |
//! | requests a minute | `n · 60 / T` | `n · λ · ⌈P / W⌉` | 0, once they are connected |
//! | of these empty | `n · (60 / T − min(λ, 60 / T))` | `n · λ · (⌈P / W⌉ − 1)` | 0 |
//! | delay, on average | `T / 2` | 0 | 0 |
//! | delay, part `q` of them | `q · T` | 0 | 0 |
//!
//! These are for as long as one likes. A leg is short: the time before its first event and the time behind its last are less than `P`, and
//! what goes on beyond the end is not in its figures. So each event and each silence of a leg is counted by itself ([`Span`]); where the
//! question is what goes on for ever ([`Arithmetic::steadily`]), each has its full time.
//!
//! In a short poll's beat of `T` an event comes at any moment with the same chance, and waits for the rest of the beat. What the network and
//! the two programs take is not in it: that is the difference to what is measured.
//!
//! The bytes are those of the requests that [`Follower`] writes, and of the answers in `docs/interface.md`.

use std::time::Duration;

use super::tracker as seen;
use super::{Bytes, DelayFigures, Figures, Plan};
use crate::client::follow::{Follower, Resource, Shared, Since, Via};
use crate::protocol::json;

/// The head of a poll's answer with this cursor, and content of this length.
fn poll_head(id: &str, length: usize) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nDate: Tue, 24 Nov 2026 12:00:00 GMT\r\nVary: Accept, Prefer, Last-Event-ID, Origin\r\n\
         Cache-Control: private, no-cache\r\nETag: W/\"{id}\"\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n"
    )
}

/// The silence, in seconds, after which barewire sends a comment in an event stream, if it is not told otherwise.
const HEARTBEAT: f64 = 15.0;
/// That comment's content, and what a chunk is more than its content: its size, and two line ends.
const COMMENT: f64 = 3.0;
const CHUNK: f64 = 5.0;
/// The silence of a client, in seconds, after which barewire sends a ping to a WebSocket, if it is not told otherwise. Clients that only follow
/// are silent, but for their pongs.
const PING: f64 = 20.0;
/// A ping without payload, and the pong to it, which is masked (RFC 6455 §5.2).
const PING_BYTES: f64 = 2.0;
const PONG_BYTES: f64 = 6.0;
/// How long, in seconds, barewire keeps a connection without a request, if it is not told otherwise.
const IDLE: f64 = 75.0;

/// Arithmetic for the clients of one resource: how long its name is makes requests longer or shorter.
#[derive(Clone, Debug)]
pub struct Arithmetic {
    resource: Resource,
}

impl Arithmetic {
    /// For the clients of this.
    pub fn new(resource: &Resource) -> Self {
        Self { resource: resource.clone() }
    }

    /// What a leg has to come to. The bytes are those of [`Plan::duration`].
    pub fn predict(&self, plan: &Plan, via: Via, interval: Option<Duration>) -> Figures {
        self.over(Span::leg(plan), plan, via, interval)
    }

    /// The same of what has no beginning and no end.
    pub fn steadily(&self, plan: &Plan, via: Via, interval: Option<Duration>) -> Figures {
        self.over(Span::steady(plan), plan, via, interval)
    }

    fn over(&self, span: Span, plan: &Plan, via: Via, interval: Option<Duration>) -> Figures {
        let clients = plan.clients as f64;
        let minutes = plan.duration.as_secs_f64() / 60.0;
        let events = span.events / minutes;
        let sizes = Sizes::of(self.resource.clone(), plan, via);
        let one = match via {
            Via::ShortPoll => {
                // Nothing asks more often than this clock can tell.
                let beat = interval.unwrap_or(self.resource.interval).as_secs_f64().max(1e-3);
                let requests = 60.0 / beat;
                // A poll has something where an event came since the last one; each event is one poll's, if the leg lasts so long.
                let answered = span.polled(beat, span.period) / minutes;
                let events = span.polled(beat, f64::INFINITY) / minutes;
                let polls = One { requests, empty: (requests - answered).max(0.0), ..One::default() };
                // Of what goes on for ever no count is of use, but how many there are at once.
                let connections =
                    if beat > IDLE && span.ends.is_some() { 1.0 + minutes * requests } else { 1.0 };
                One { connections, delay: uniform(beat), ..sizes.polls(polls, events) }
            }
            Via::LongPoll => {
                let empty = span.silences(f64::from(plan.wait.max(1))) / minutes;
                sizes.polls(One { requests: events + empty, empty, ..One::default() }, events)
            }
            Via::EventStream => {
                let comments = span.silences(HEARTBEAT) / minutes;
                One {
                    down: Bytes {
                        headers: events * sizes.event_headers + comments * CHUNK,
                        payload: events * sizes.event + comments * COMMENT,
                    },
                    ..One::default()
                }
            }
            Via::WebSocket => {
                let pings = (span.duration / PING).floor() / minutes;
                One {
                    up: Bytes { headers: pings * PONG_BYTES, payload: 0.0 },
                    down: Bytes {
                        headers: events * sizes.event_headers + pings * PING_BYTES,
                        payload: events * sizes.event,
                    },
                    ..One::default()
                }
            }
        };
        Figures {
            requests_per_minute: clients * one.requests,
            empty_per_minute: clients * one.empty,
            connections: clients * one.connections,
            up: one.up.times(clients * minutes),
            down: one.down.times(clients * minutes),
            delay: one.delay,
        }
    }
}

/// The time that is calculated for, and its events; all in seconds.
#[derive(Clone, Copy, Debug)]
struct Span {
    duration: f64,
    events: f64,
    /// From one event to the next; endless if there are none.
    period: f64,
    /// What is before the first event, and what behind the last one; both `None` in what goes on for ever.
    ends: Option<(f64, f64)>,
}

impl Span {
    /// A leg. Its first event comes after half a period.
    fn leg(plan: &Plan) -> Self {
        let duration = plan.duration.as_secs_f64();
        let (events, period) = (plan.events() as f64, period(plan));
        let first = if events > 0.0 { period / 2.0 } else { duration };
        let last = if events > 0.0 { duration - period * (events - 0.5) } else { 0.0 };
        Self { duration, events, period, ends: Some((first, last)) }
    }

    /// As much of what goes on for ever.
    fn steady(plan: &Plan) -> Self {
        let duration = plan.duration.as_secs_f64();
        Self { duration, events: plan.events_per_minute * duration / 60.0, period: period(plan), ends: None }
    }

    /// How many times something passes `seconds` that begins anew with each event, and each time that they have passed. An event that comes
    /// at the same moment comes first; but what begins with the leg has begun a little before it.
    fn silences(&self, seconds: f64) -> f64 {
        let between = |period: f64| (period / seconds).ceil() - 1.0;
        match self.ends {
            Some((first, last)) if self.events > 0.0 => {
                (first / seconds).floor()
                    + (self.events - 1.0) * between(self.period)
                    + between(last).max(0.0)
            }
            Some((first, _)) => (first / seconds).floor(),
            None if self.events > 0.0 => self.events * between(self.period),
            None => self.duration / seconds,
        }
    }

    /// How many polls of a client that asks each `beat` are the first, for at most `most` seconds, behind some event: each event's share is
    /// the part of a beat that the leg still lasts behind it.
    fn polled(&self, beat: f64, most: f64) -> f64 {
        let most = most.min(beat);
        let Some((_, last)) = self.ends else { return self.events * most / beat };
        if self.events == 0.0 {
            return 0.0;
        }
        // Those behind which less is left than `most`: `last`, `last + period`, and so on.
        let late = ((most - last) / self.period).ceil().clamp(0.0, self.events);
        ((self.events - late) * most + late * last + self.period * late * (late - 1.0) / 2.0) / beat
    }
}

fn period(plan: &Plan) -> f64 {
    60.0 / plan.events_per_minute
}

/// The quantiles of what is anything from 0 to so many seconds with the same chance.
fn uniform(seconds: f64) -> DelayFigures {
    let most = seconds * 1000.0;
    DelayFigures { mean: most / 2.0, p50: most * 0.5, p95: most * 0.95, p99: most * 0.99, max: most }
}

/// One client: in a minute, but for its connections.
#[derive(Clone, Copy, Debug)]
struct One {
    requests: f64,
    empty: f64,
    connections: f64,
    up: Bytes,
    down: Bytes,
    delay: DelayFigures,
}

impl Default for One {
    fn default() -> Self {
        let (up, down, delay) = Default::default();
        Self { requests: 0.0, empty: 0.0, connections: 1.0, up, down, delay }
    }
}

/// How long requests, answers and events are, in bytes.
struct Sizes {
    request: f64,
    answer_head: f64,
    /// The content of a poll's answer without an event.
    empty: f64,
    /// An event in the transport's encoding, and what stands around it in the transport's framing.
    event: f64,
    event_headers: f64,
}

impl Sizes {
    fn of(mut resource: Resource, plan: &Plan, via: Via) -> Self {
        resource.wait = plan.wait;
        // Ids grow by a digit now and then: the last one counts for all.
        let count = plan.events().max(1);
        let id = format!("00000000-{count}");
        let mut request = Vec::new();
        let mut room = Shared::new(|| Ok([0; 16]));
        // What can't be written is never sent either, and the run says so.
        let _ = Follower::new(via, Since::Id(id.clone())).write_request(&resource, &mut room, &mut request);

        let data = seen::data(0, plan.size);
        let mut item = format!("{{\"id\":\"{id}\",\"event\":\"message\",\"data\":").into_bytes();
        json::write_string(&data, &mut item);
        item.push(b'}');
        let empty = format!("{{\"events\":[],\"next\":\"{id}\"}}").len();
        let block = format!("id: {id}\ndata: {data}\n\n").len();
        let (event, event_headers) = match via {
            Via::ShortPoll | Via::LongPoll => (item.len(), 0),
            // The size in hexadecimal digits, and two line ends (RFC 9112 §7.1).
            Via::EventStream => (block, format!("{block:x}").len() + 4),
            // RFC 6455 §5.2.
            Via::WebSocket => (
                item.len(),
                if item.len() < 126 {
                    2
                } else if item.len() < 65_536 {
                    4
                } else {
                    10
                },
            ),
        };
        let length = match via {
            Via::ShortPoll => empty,
            _ => empty + event,
        };
        let answer_head = poll_head(&id, length).len();
        let [request, answer_head, empty, event, event_headers] =
            [request.len(), answer_head, empty, event, event_headers].map(|length| length as f64);
        Self { request, answer_head, empty, event, event_headers }
    }

    /// The bytes of so many polls, with so many events among their answers.
    fn polls(&self, one: One, events: f64) -> One {
        let headers = one.requests * self.answer_head;
        One {
            up: Bytes { headers: one.requests * self.request, payload: 0.0 },
            down: Bytes { headers, payload: one.requests * self.empty + events * self.event },
            ..one
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn predict(plan: &Plan, via: Via, seconds: u64) -> Figures {
        let resource = Resource::new("http://127.0.0.1:8080/topics/demo", None, &[]).expect("a URL");
        Arithmetic::new(&resource).predict(plan, via, Some(Duration::from_secs(seconds)))
    }

    #[test]
    fn the_sentence_of_the_course() {
        let figures = predict(&Plan::default(), Via::ShortPoll, 3);
        assert_eq!(figures.requests_per_minute, 2000.0);
        assert_eq!(figures.empty_per_minute, 1400.0);
        assert_eq!(figures.empty_percent(), 70.0);
        assert_eq!((figures.delay.mean, figures.delay.p95, figures.delay.max), (1500.0, 2850.0, 3000.0));
    }

    fn leg(events_per_minute: f64, seconds: u64) -> Span {
        Span::leg(&Plan { events_per_minute, duration: Duration::from_secs(seconds), ..Plan::default() })
    }

    #[test]
    fn what_a_client_asks_for_only_after_the_end_is_not_counted() {
        // The last event has 5 seconds, the one before 15.
        for (beat, left) in [(3.0, 0.0), (5.0, 0.0), (6.0, 1.0 / 6.0), (10.0, 0.5), (20.0, 0.75 + 0.25)] {
            let polled = leg(6.0, 60).polled(beat, f64::INFINITY);
            assert!((6.0 - polled - left).abs() < 1e-9, "{beat}: {polled}");
        }
        // A sum over each of them.
        let left = (0..70).map(|number| 7.0 - (f64::from(number) + 0.5) * 0.1);
        let sum: f64 = left.map(|left| (left / 2.5).min(1.0)).sum();
        let polled = leg(600.0, 7).polled(2.5, f64::INFINITY);
        assert!((polled - sum).abs() < 1e-9, "{sum}: {polled}");
        assert_eq!(leg(0.0, 7).polled(3.0, f64::INFINITY), 0.0);
    }

    #[test]
    fn polls_before_the_first_event_are_empty() {
        // 60 events a minute, the first after half a second: a sixth of a beat of 3 seconds.
        let plan = Plan { events_per_minute: 60.0, duration: Duration::from_secs(10), ..Plan::default() };
        assert!((predict(&plan, Via::ShortPoll, 3).empty_per_minute - 100.0).abs() < 1e-9);
        // More events than that change nothing: what counts is when the first one came.
        let polled = leg(240.0, 10).polled(1.0, 0.25);
        assert!((polled - (10.0 - 0.125)).abs() < 1e-9, "{polled}");
    }

    #[test]
    fn each_silence_of_a_leg_counts_by_itself() {
        for (events_per_minute, duration, seconds, silences) in [
            (6.0, 60, 30.0, 0.0),  // 5, then five times 10, then 5
            (12.0, 20, 2.0, 8.0),  // 2.5: 1; three times 5: 2 each; 2.5: 1
            (2.0, 40, 15.0, 2.0),  // 15, begun before: 1; 25: 1
            (2.0, 20, 2.0, 9.0),   // 15: 7; 5: 2
            (1.0, 60, 30.0, 1.0),  // 30, begun before: 1; 30, begun a little after the event: beyond the end
            (0.0, 40, 15.0, 2.0),  // none
            (60.0, 10, 15.0, 0.0), // none is so long
        ] {
            let found = leg(events_per_minute, duration).silences(seconds);
            assert_eq!(found, silences, "{events_per_minute} a minute for {duration} s, each {seconds} s");
        }
    }

    #[test]
    fn what_goes_on_for_ever_is_what_the_formulas_say_whatever_a_leg_would_hold() {
        let resource = Resource::new("http://127.0.0.1:8080/topics/demo", None, &[]).expect("a URL");
        let steadily = |events_per_minute, via, seconds| {
            let plan = Plan { events_per_minute, ..Plan::default() };
            let figures = Arithmetic::new(&resource).steadily(&plan, via, Some(Duration::from_secs(seconds)));
            (figures.requests_per_minute, figures.empty_per_minute)
        };
        for (events_per_minute, seconds, requests, empty) in [
            (6.0, 3, 2000.0, 1400.0),
            (0.5, 3, 2000.0, 1950.0),
            (60.0, 3, 2000.0, 0.0),
            (0.5, 120, 50.0, 0.0),
        ] {
            let found = steadily(events_per_minute, Via::ShortPoll, seconds);
            assert_eq!(found, (requests, empty), "{events_per_minute} a minute, each {seconds} s");
        }
        let slow = Arithmetic::new(&resource).steadily(
            &Plan::default(),
            Via::ShortPoll,
            Some(Duration::from_secs(120)),
        );
        assert_eq!(slow.connections, 100.0); // at once, though each poll is on another one
        // An event each 120 s, each held 30 s: three in vain.
        assert_eq!(steadily(0.5, Via::LongPoll, 0), (200.0, 150.0));
        assert_eq!(steadily(0.0, Via::LongPoll, 0), (200.0, 200.0));
    }

    #[test]
    fn half_the_interval_is_twice_the_requests_and_half_the_delay() {
        let [short, long] = [2, 4].map(|seconds| predict(&Plan::default(), Via::ShortPoll, seconds));
        assert_eq!(short.requests_per_minute, 2.0 * long.requests_per_minute);
        assert_eq!(short.up.total(), 2.0 * long.up.total());
        assert_eq!(2.0 * short.delay.p50, long.delay.p50);
    }

    #[test]
    fn a_poll_that_is_slower_than_the_events_is_never_empty_once_they_have_begun() {
        let plan = Plan { events_per_minute: 60.0, ..Plan::default() };
        let figures = predict(&plan, Via::ShortPoll, 3);
        // Half a second before the first, of 3 from poll to poll: a sixth of the clients.
        assert_eq!(figures.requests_per_minute, 2000.0);
        assert!((figures.empty_per_minute - 100.0 / 6.0).abs() < 1e-9, "{figures:?}");
    }

    #[test]
    fn a_long_poll_is_asked_again_after_each_event_and_each_time_it_was_held_in_vain() {
        for (events_per_minute, wait, requests, empty) in
            [(6.0, 30, 600.0, 0.0), (1.0, 30, 200.0, 100.0), (1.0, 25, 300.0, 200.0), (0.0, 30, 200.0, 200.0)]
        {
            let plan = Plan { events_per_minute, wait, ..Plan::default() };
            let figures = predict(&plan, Via::LongPoll, 0);
            let found = (figures.requests_per_minute, figures.empty_per_minute);
            assert_eq!(found, (requests, empty), "{events_per_minute} events a minute, held for {wait} s");
            assert_eq!(figures.delay, DelayFigures::default());
        }
    }

    #[test]
    fn streams_cost_their_events_and_what_keeps_them_alive() {
        let busy = Plan { events_per_minute: 6.0, size: 200, ..Plan::default() };
        let stream = predict(&busy, Via::EventStream, 0);
        // 100 clients, 6 events: "id: 00000000-6\ndata: …\n\n" in a chunk "DE\r\n…\r\n".
        assert_eq!(stream.down, Bytes { headers: 600.0 * 6.0, payload: 600.0 * (15.0 + 207.0 + 1.0) });
        assert_eq!(stream.up, Bytes::default());
        let silent = Plan { events_per_minute: 0.0, ..Plan::default() };
        let comments = predict(&silent, Via::EventStream, 0);
        assert_eq!(comments.down, Bytes { headers: 400.0 * 5.0, payload: 400.0 * 3.0 }); // each 15 seconds
        for plan in [&busy, &silent] {
            let socket = predict(plan, Via::WebSocket, 0);
            assert_eq!(socket.up.total(), 100.0 * 3.0 * 6.0); // each 20 seconds
        }
        let socket = predict(&silent, Via::WebSocket, 0);
        assert_eq!(socket.requests_per_minute, 0.0);
    }
}
