//! A comparison as it might have been, for tests.

use std::time::Duration;

use crate::client::follow::Via;
use crate::tools::compare::{Bytes, Comparison, DelayFigures, Figures, Leg, Plan, ServerFigures};

/// Bytes of a request's head, of an answer's head, of an empty list, and around an event in a list.
const REQUEST: f64 = 122.0;
const ANSWER: f64 = 181.0;
const EMPTY: f64 = 36.0;
const AROUND: f64 = 47.0;

/// A stand-in for the arithmetic, of the same form.
pub fn curve(plan: &Plan, via: Via, interval: Option<Duration>) -> Figures {
    let clients = plan.clients as f64;
    let minutes = plan.duration.as_secs_f64() / 60.0;
    let events = plan.events_per_minute;
    let (requests, delay) = match (via, interval) {
        (Via::ShortPoll, Some(interval)) => (60.0 / interval.as_secs_f64(), interval.as_secs_f64() * 1000.0),
        (Via::LongPoll, _) => (events, 0.0),
        _ => (0.0, 0.0),
    };
    let data = events * (plan.size as f64 + AROUND);
    let payload = data + requests * EMPTY;
    let headers = if requests > 0.0 { requests * ANSWER } else { events * 4.0 };
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

/// A leg that was measured a little beside what the stand-in says.
fn leg(plan: &Plan, at: usize, via: Via, interval: Option<Duration>) -> Leg {
    let predicted = curve(plan, via, interval);
    let away = 1.0 + [0.002, -0.004, 0.006, 0.0, 0.001][at % 5];
    let wire = [0.41, 0.46, 0.44, 0.39, 0.52][at % 5];
    let late = predicted.delay;
    let published = (plan.events_per_minute * plan.duration.as_secs_f64() / 60.0) as u64;
    let arrived = published * plan.clients as u64;
    let work = predicted.requests_per_minute * plan.duration.as_secs_f64() / 60.0 + arrived as f64;
    Leg {
        via,
        interval,
        measured_for: plan.duration,
        published,
        arrived,
        lost: 0,
        doubled: 0,
        returns: 0,
        measured: Figures {
            requests_per_minute: predicted.requests_per_minute * away,
            empty_per_minute: predicted.empty_per_minute * away,
            connections: predicted.connections,
            up: Bytes { headers: predicted.up.headers * away, payload: predicted.up.payload },
            down: Bytes { headers: predicted.down.headers * away, payload: predicted.down.payload * away },
            delay: DelayFigures {
                mean: late.mean * away + wire,
                p50: late.p50 * away + wire * 0.93,
                p95: late.p95 * away + wire * 1.9,
                p99: late.p99 * away + wire * 2.6,
                max: late.max * away + wire * 4.1,
            },
        },
        predicted,
        server: Some(ServerFigures {
            cpu: Duration::from_secs_f64(work * 16e-6),
            memory: 3_400_000 + plan.clients as u64 * 310,
            memory_before: 3_400_000,
        }),
        client_cpu: Some(Duration::from_secs_f64(work * 31e-6)),
    }
}

/// The course's page, with three intervals.
pub fn comparison() -> Comparison {
    of(Plan { intervals: [1, 3, 6].map(Duration::from_secs).to_vec(), ..Plan::default() })
}

/// What the plan came to.
pub fn of(plan: Plan) -> Comparison {
    let legs = plan.legs().enumerate().map(|(at, (via, interval))| leg(&plan, at, via, interval)).collect();
    Comparison { plan, legs, is_interrupted: false }
}
