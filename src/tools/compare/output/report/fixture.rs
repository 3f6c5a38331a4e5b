//! A made-up comparison for tests.

use std::time::Duration;

use crate::client::follow::Transport;
use crate::tools::compare::config::CompareConfig;
use crate::tools::compare::results::{Bytes, Comparison, DelayFigures, Figures, ServerFigures, Trial};

/// Bytes of a request head, a response head, an empty list, and the JSON around an event's data.
const REQUEST: f64 = 122.0;
const RESPONSE: f64 = 181.0;
const EMPTY: f64 = 36.0;
const EVENT_OVERHEAD: f64 = 47.0;

/// Calculates figures that behave like those of the real formulas.
pub fn formula(config: &CompareConfig, via: Transport, interval: Option<Duration>) -> Figures {
    let clients = config.clients as f64;
    let minutes = config.duration.as_secs_f64() / 60.0;
    let events = config.events_per_minute;
    let (requests, delay) = match (via, interval) {
        (Transport::ShortPoll, Some(interval)) => {
            (60.0 / interval.as_secs_f64(), interval.as_secs_f64() * 1000.0)
        }
        (Transport::LongPoll, _) => (events, 0.0),
        _ => (0.0, 0.0),
    };
    let data = events * (config.size as f64 + EVENT_OVERHEAD);
    let payload = data + requests * EMPTY;
    let headers = if requests > 0.0 { requests * RESPONSE } else { events * 4.0 };
    let all = clients * minutes;
    Figures {
        requests_per_minute: clients * requests,
        empty_per_minute: clients * (requests - events).max(0.0),
        connections: clients,
        up: Bytes { headers: all * requests * REQUEST, payload: 0.0 },
        down: Bytes { headers: all * headers, payload: all * payload },
        delay: DelayFigures {
            mean: delay / 2.0,
            p50: delay / 2.0,
            p95: delay * 0.95,
            p99: delay * 0.99,
            max: delay,
        },
    }
}

/// Returns a trial whose measured figures differ a little from the calculated ones.
fn trial(config: &CompareConfig, index: usize, via: Transport, interval: Option<Duration>) -> Trial {
    let calculated = formula(config, via, interval);
    let factor = 1.0 + [0.002, -0.004, 0.006, 0.0, 0.001][index % 5];
    let latency = [0.41, 0.46, 0.44, 0.39, 0.52][index % 5];
    let delay = calculated.delay;
    let published = (config.events_per_minute * config.duration.as_secs_f64() / 60.0) as u64;
    let arrived = published * config.clients as u64;
    let work = calculated.requests_per_minute * config.duration.as_secs_f64() / 60.0 + arrived as f64;
    Trial {
        via,
        interval,
        measured_for: config.duration,
        published,
        arrived,
        lost: 0,
        duplicated: 0,
        reconnects: 0,
        measured: Figures {
            requests_per_minute: calculated.requests_per_minute * factor,
            empty_per_minute: calculated.empty_per_minute * factor,
            connections: calculated.connections,
            up: Bytes { headers: calculated.up.headers * factor, payload: calculated.up.payload },
            down: Bytes {
                headers: calculated.down.headers * factor,
                payload: calculated.down.payload * factor,
            },
            delay: DelayFigures {
                mean: delay.mean * factor + latency,
                p50: delay.p50 * factor + latency * 0.93,
                p95: delay.p95 * factor + latency * 1.9,
                p99: delay.p99 * factor + latency * 2.6,
                max: delay.max * factor + latency * 4.1,
            },
        },
        calculated,
        server: Some(ServerFigures {
            cpu: Duration::from_secs_f64(work * 16e-6),
            memory: 3_400_000 + config.clients as u64 * 310,
            memory_before: 3_400_000,
        }),
        client_cpu: Some(Duration::from_secs_f64(work * 31e-6)),
    }
}

/// Returns a comparison of the course's page with three intervals.
pub fn comparison() -> Comparison {
    let intervals = [1, 3, 6].map(Duration::from_secs).to_vec();
    comparison_of(CompareConfig { intervals, ..CompareConfig::default() })
}

/// Returns a comparison with this configuration.
pub fn comparison_of(config: CompareConfig) -> Comparison {
    let specs = config.trials().enumerate();
    let trials = specs.map(|(index, (via, interval))| trial(&config, index, via, interval)).collect();
    Comparison { config, trials, is_interrupted: false }
}
