//! The calculated cost of each transport.
//!
//! With `n` clients, `T` seconds between two short polls, `λ` events per minute, `P = 60 / λ`
//! seconds between two events, and `W` seconds for which a long poll waits:
//!
//! | | short poll | long poll | event stream, WebSocket |
//! | --- | --- | --- | --- |
//! | requests per minute | `n · 60 / T` | `n · λ · ⌈P / W⌉` | 0, once connected |
//! | empty responses per minute | `n · (60 / T − min(λ, 60 / T))` | `n · λ · (⌈P / W⌉ − 1)` | 0 |
//! | delay, mean | `T / 2` | 0 | 0 |
//! | delay, quantile `q` | `q · T` | 0 | 0 |
//!
//! These formulas describe a steady state ([`Arithmetic::steady_state`]). A trial is short: the
//! times before its first event and after its last one are shorter than `P`, and requests after its
//! end do not count. So [`Arithmetic::trial`] counts each event and each silence of a trial
//! separately ([`Timeline`]).
//!
//! An event is equally likely to be published at any moment of a poll interval, and waits for the
//! rest of that interval. The time that the network and the two programs need is not included. That
//! time is the difference between the measured and the calculated delay.
//!
//! The bytes are those of the requests that [`Follower`](crate::client::follow::Follower) writes
//! and of the responses that the server's encoders write ([`Sizes`]). The server's times are the
//! defaults of [`Options`].

mod sizes;
mod timeline;

use std::time::Duration;

use super::config::CompareConfig;
use super::results::{Bytes, DelayFigures, Figures};
use crate::client::follow::{Resource, Transport};
use crate::server::Options;
use sizes::{KeepAlive, Sizes};
use timeline::Timeline;

/// A way to calculate figures: for a configuration, a transport and, for short polling, an
/// interval.
pub type Formula<'a> = dyn Fn(&CompareConfig, Transport, Option<Duration>) -> Figures + 'a;

/// The formulas for the clients of one resource. The length of its name and of its header fields
/// determines the length of requests.
#[derive(Clone, Debug)]
pub struct Arithmetic {
    resource: Resource,
}

impl Arithmetic {
    pub fn new(resource: &Resource) -> Self {
        Self { resource: resource.clone() }
    }

    /// Returns the expected figures of one trial. The bytes are those of the whole
    /// [`CompareConfig::duration`].
    pub fn trial(&self, config: &CompareConfig, via: Transport, interval: Option<Duration>) -> Figures {
        self.figures(Timeline::trial(config), config, via, interval)
    }

    /// Returns the same figures for the steady state, which has no beginning and no end.
    pub fn steady_state(
        &self,
        config: &CompareConfig,
        via: Transport,
        interval: Option<Duration>,
    ) -> Figures {
        self.figures(Timeline::steady_state(config), config, via, interval)
    }

    fn figures(
        &self,
        timeline: Timeline,
        config: &CompareConfig,
        via: Transport,
        interval: Option<Duration>,
    ) -> Figures {
        let clients = config.clients as f64;
        let minutes = config.duration.as_secs_f64() / 60.0;
        let sizes = Sizes::new(self.resource.clone(), config, via);
        let client = match via {
            Transport::ShortPoll => {
                let interval = interval.unwrap_or(self.resource.interval);
                PerClient::short_poll(&timeline, minutes, interval, &sizes)
            }
            Transport::LongPoll => PerClient::long_poll(&timeline, minutes, config.wait, &sizes),
            Transport::EventStream => PerClient::event_stream(&timeline, minutes, &sizes),
            Transport::WebSocket => PerClient::websocket(&timeline, minutes, &sizes),
        };
        Figures {
            requests_per_minute: clients * client.requests,
            empty_per_minute: clients * client.empty,
            connections: clients * client.connections,
            up: client.up.times(clients * minutes),
            down: client.down.times(clients * minutes),
            delay: client.delay,
        }
    }
}

/// The figures of one client: its connections in total, everything else per minute.
#[derive(Clone, Copy, Debug)]
struct PerClient {
    requests: f64,
    empty: f64,
    connections: f64,
    up: Bytes,
    down: Bytes,
    delay: DelayFigures,
}

impl Default for PerClient {
    fn default() -> Self {
        let (up, down, delay) = Default::default();
        Self { requests: 0.0, empty: 0.0, connections: 1.0, up, down, delay }
    }
}

impl PerClient {
    fn short_poll(timeline: &Timeline, minutes: f64, interval: Duration, sizes: &Sizes) -> Self {
        // The command's clock cannot measure a shorter interval than 1 ms.
        let interval = interval.as_secs_f64().max(1e-3);
        let requests = 60.0 / interval;
        // A poll returns events if any were published since the previous poll. Each event is
        // returned by one poll, if the trial lasts long enough.
        let not_empty = timeline.first_polls(interval, timeline.period) / minutes;
        let events = timeline.first_polls(interval, f64::INFINITY) / minutes;
        // A server with default options closes the connection between two polls that are further
        // apart than its idle timeout. A total count only makes sense in a trial; the steady state
        // has the number of connections that are open at once.
        let is_closed_between = interval > f64::from(Options::default().idle_timeout);
        let connections =
            if is_closed_between && timeline.is_trial() { 1.0 + minutes * requests } else { 1.0 };
        Self { connections, delay: uniform(interval), ..Self::default() }.with_polls(
            requests,
            (requests - not_empty).max(0.0),
            events,
            sizes,
        )
    }

    fn long_poll(timeline: &Timeline, minutes: f64, wait: u16, sizes: &Sizes) -> Self {
        let events = timeline.events / minutes;
        let empty = timeline.expirations(f64::from(wait.max(1))) / minutes;
        Self::default().with_polls(events + empty, empty, events, sizes)
    }

    fn event_stream(timeline: &Timeline, minutes: f64, sizes: &Sizes) -> Self {
        let events = timeline.events / minutes;
        let heartbeat_interval = f64::from(Options::default().heartbeat);
        let heartbeats = timeline.expirations(heartbeat_interval) / minutes;
        let heartbeat = KeepAlive::default().heartbeat;
        Self { down: sum(sizes.event.times(events), heartbeat.times(heartbeats)), ..Self::default() }
    }

    fn websocket(timeline: &Timeline, minutes: f64, sizes: &Sizes) -> Self {
        let events = timeline.events / minutes;
        // The server pings a client that sends nothing. A client that only follows sends nothing
        // except pongs, so the events do not matter.
        let ping_interval = f64::from(Options::default().ping_interval);
        let pings = (timeline.duration / ping_interval).floor() / minutes;
        let KeepAlive { ping, pong, .. } = KeepAlive::default();
        Self {
            up: pong.times(pings),
            down: sum(sizes.event.times(events), ping.times(pings)),
            ..Self::default()
        }
    }

    /// Returns these figures with the requests and bytes of polls whose responses carry this many
    /// events.
    fn with_polls(self, requests: f64, empty: f64, events: f64, sizes: &Sizes) -> Self {
        Self {
            requests,
            empty,
            up: Bytes { headers: requests * sizes.request, payload: 0.0 },
            down: sum(sizes.empty_response.times(requests), sizes.event.times(events)),
            ..self
        }
    }
}

fn sum(one: Bytes, other: Bytes) -> Bytes {
    Bytes { headers: one.headers + other.headers, payload: one.payload + other.payload }
}

/// Returns the delay figures of a uniform distribution from 0 to `seconds`.
fn uniform(seconds: f64) -> DelayFigures {
    let max = seconds * 1000.0;
    DelayFigures { mean: max / 2.0, p50: max * 0.5, p95: max * 0.95, p99: max * 0.99, max }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arithmetic() -> Arithmetic {
        let resource = Resource::new("http://127.0.0.1:8080/topics/demo", None, &[]).expect("a valid URL");
        Arithmetic::new(&resource)
    }

    fn trial(config: &CompareConfig, via: Transport, interval_seconds: u64) -> Figures {
        arithmetic().trial(config, via, Some(Duration::from_secs(interval_seconds)))
    }

    #[test]
    fn matches_the_example_of_the_course() {
        let figures = trial(&CompareConfig::default(), Transport::ShortPoll, 3);
        assert_eq!(figures.requests_per_minute, 2000.0);
        assert_eq!(figures.empty_per_minute, 1400.0);
        assert_eq!(figures.empty_percent(), 70.0);
        assert_eq!((figures.delay.mean, figures.delay.p95, figures.delay.max), (1500.0, 2850.0, 3000.0));
    }

    #[test]
    fn polls_before_the_first_event_are_empty() {
        // 60 events per minute, the first after half a second: a sixth of an interval of 3 seconds.
        let config = CompareConfig {
            events_per_minute: 60.0,
            duration: Duration::from_secs(10),
            ..CompareConfig::default()
        };
        assert!((trial(&config, Transport::ShortPoll, 3).empty_per_minute - 100.0).abs() < 1e-9);
        // More events change nothing, because only the time of the first one matters.
        let timeline = Timeline::trial(&CompareConfig { events_per_minute: 240.0, ..config });
        let polls = timeline.first_polls(1.0, 0.25);
        assert!((polls - (10.0 - 0.125)).abs() < 1e-9, "{polls}");
    }

    #[test]
    fn the_steady_state_follows_the_formulas() {
        let steady_state = |events_per_minute, via, interval_seconds| {
            let config = CompareConfig { events_per_minute, ..CompareConfig::default() };
            let interval = Duration::from_secs(interval_seconds);
            let figures = arithmetic().steady_state(&config, via, Some(interval));
            (figures.requests_per_minute, figures.empty_per_minute)
        };
        for (events_per_minute, seconds, requests, empty) in [
            (6.0, 3, 2000.0, 1400.0),
            (0.5, 3, 2000.0, 1950.0),
            (60.0, 3, 2000.0, 0.0),
            (0.5, 120, 50.0, 0.0),
        ] {
            let found = steady_state(events_per_minute, Transport::ShortPoll, seconds);
            assert_eq!(found, (requests, empty), "{events_per_minute} per minute, every {seconds} s");
        }
        let slow = Some(Duration::from_secs(120));
        let slow = arithmetic().steady_state(&CompareConfig::default(), Transport::ShortPoll, slow);
        // Each poll needs a new connection, but no more than 100 are open at once.
        assert_eq!(slow.connections, 100.0);
        // One event every 120 s, each poll waits 30 s: three polls time out.
        assert_eq!(steady_state(0.5, Transport::LongPoll, 0), (200.0, 150.0));
        assert_eq!(steady_state(0.0, Transport::LongPoll, 0), (200.0, 200.0));
    }

    #[test]
    fn half_the_interval_means_twice_the_requests_and_half_the_delay() {
        let [short, long] =
            [2, 4].map(|seconds| trial(&CompareConfig::default(), Transport::ShortPoll, seconds));
        assert_eq!(short.requests_per_minute, 2.0 * long.requests_per_minute);
        assert_eq!(short.up.total(), 2.0 * long.up.total());
        assert_eq!(2.0 * short.delay.p50, long.delay.p50);
    }

    #[test]
    fn polls_slower_than_the_events_are_empty_only_before_the_first_event() {
        let config = CompareConfig { events_per_minute: 60.0, ..CompareConfig::default() };
        let figures = trial(&config, Transport::ShortPoll, 3);
        // Half a second before the first event, out of 3 between two polls: a sixth of the clients.
        assert_eq!(figures.requests_per_minute, 2000.0);
        assert!((figures.empty_per_minute - 100.0 / 6.0).abs() < 1e-9, "{figures:?}");
    }

    #[test]
    fn a_long_poll_is_repeated_after_each_event_and_each_timeout() {
        for (events_per_minute, wait, requests, empty) in
            [(6.0, 30, 600.0, 0.0), (1.0, 30, 200.0, 100.0), (1.0, 25, 300.0, 200.0), (0.0, 30, 200.0, 200.0)]
        {
            let config = CompareConfig { events_per_minute, wait, ..CompareConfig::default() };
            let figures = trial(&config, Transport::LongPoll, 0);
            let found = (figures.requests_per_minute, figures.empty_per_minute);
            assert_eq!(found, (requests, empty), "{events_per_minute} per minute, waits {wait} s");
            assert_eq!(figures.delay, DelayFigures::default());
        }
    }

    #[test]
    fn streams_cost_their_events_and_their_keep_alive() {
        let busy = CompareConfig { events_per_minute: 6.0, size: 200, ..CompareConfig::default() };
        let stream = trial(&busy, Transport::EventStream, 0);
        // 100 clients, 6 events: "id: 00000000-6\ndata: …\n\n" in a chunk "DE\r\n…\r\n".
        assert_eq!(stream.down, Bytes { headers: 600.0 * 6.0, payload: 600.0 * (15.0 + 207.0 + 1.0) });
        assert_eq!(stream.up, Bytes::default());
        let silent = CompareConfig { events_per_minute: 0.0, ..CompareConfig::default() };
        let heartbeats = trial(&silent, Transport::EventStream, 0);
        // One every 15 seconds.
        assert_eq!(heartbeats.down, Bytes { headers: 400.0 * 5.0, payload: 400.0 * 3.0 });
        for config in [&busy, &silent] {
            let socket = trial(config, Transport::WebSocket, 0);
            assert_eq!(socket.up.total(), 100.0 * 3.0 * 6.0); // one pong every 20 seconds
        }
        let socket = trial(&silent, Transport::WebSocket, 0);
        assert_eq!(socket.requests_per_minute, 0.0);
    }
}
