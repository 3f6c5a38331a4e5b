//! The workload `fan-out`: events are published in bursts, each after all followers have received
//! the previous one.

mod followers;
mod publisher;

use std::mem;
use std::time::{Duration, Instant};

use super::config::{BenchConfig, BurstAs, Target};
use super::ramp_up::{check_open, open_all};
use super::result::{BenchError, Run};
use super::session::Session;
use super::{Progress, Stage};
use crate::tools::load::{ByteCounts, ClientPool, Meter};
use followers::{FanOut, Publisher};

/// How long the first event may take before another is published, for followers that joined too
/// late for it. The time doubles with each attempt.
const FIRST_WAIT: Duration = Duration::from_millis(250);

/// Runs [`Workload::FanOut`](super::Workload::FanOut) once. Events are numbered from `first_event`;
/// two runs at the same server must not share numbers.
///
/// # Errors
/// The connections cannot be opened, publishing fails, some followers receive nothing, or the
/// operating system failed.
pub fn run(
    config: &BenchConfig,
    target: &Target,
    first_event: u64,
    progress: &mut Progress<'_>,
) -> Result<Run, BenchError> {
    let mut pool = ClientPool::new(config.sources)?;
    let mut fan_out = FanOut::new(config, target, first_event);
    progress(Stage::Connecting);
    let wanted = config.connections + 1;
    open_all(&mut pool, &mut fan_out, wanted, config, |pool, fan_out, id| {
        let ready = fan_out.ramp_up.ready;
        if id == config.connections {
            return open_publisher(pool, fan_out, ready, wanted);
        }
        let (session, first) = match target {
            Target::Ceiling(_) => (Session::bare(), b"F".to_vec()),
            Target::Server(server) => server.session(config.via, id, &mut fan_out.keys)?,
        };
        check_open(pool.open(id, target.address(), session, first), ready, wanted)
    })?;
    fan_out.is_ramped_up = true;
    progress(Stage::WarmingUp);
    await_join(&mut pool, &mut fan_out, config)?;
    fan_out.is_counting = true;

    let mut until = Instant::now() + config.warm_up;
    let mut measurement: Option<Measurement> = None;
    loop {
        if Instant::now() >= until {
            if let Some(measurement) = &measurement {
                measurement.stop(&pool, &mut fan_out);
                break;
            }
            progress(Stage::Measuring);
            measurement = Some(Measurement::start(&pool, &fan_out));
            fan_out.is_measuring = true;
            until = Instant::now() + config.duration;
        }
        fan_out.run.sent += (config.burst * fan_out.followers.len()) as u64;
        publish(&mut pool, &mut fan_out, config, config.burst)?;
        let is_complete = await_delivery(&mut pool, &mut fan_out, Instant::now() + config.timeout)?;
        if !is_complete || fan_out.connected_followers() < fan_out.followers.len() {
            // Events that have not arrived by now are lost, and the measurement ends.
            measurement.unwrap_or_else(|| Measurement::start(&pool, &fan_out)).stop(&pool, &mut fan_out);
            fan_out.count_missing();
            break;
        }
    }
    Ok(fan_out.run)
}

/// The counters at the start of the measured time.
struct Measurement {
    meter: Meter,
    traffic: ByteCounts,
    next_event: u64,
}

impl Measurement {
    fn start(pool: &ClientPool<Session>, fan_out: &FanOut<'_>) -> Self {
        let meter = Meter::start(fan_out.target.processes());
        Self { meter, traffic: pool.traffic(), next_event: fan_out.next_event }
    }

    fn stop(&self, pool: &ClientPool<Session>, fan_out: &mut FanOut<'_>) {
        fan_out.run.cost = self.meter.stop(fan_out.target.processes());
        let traffic = pool.traffic() - self.traffic;
        (fan_out.run.bytes_up, fan_out.run.bytes_down) = (traffic.up, traffic.down);
        fan_out.run.events = Some(fan_out.next_event - self.next_event);
        fan_out.run.done = fan_out.run.delays.count();
    }
}

/// Publishes single events until one has reached all followers.
///
/// Only the server knows when it holds a poll, or when it adds a WebSocket to its topic after the
/// handshake. Therefore each follower counts from the first event that it receives.
fn await_join(
    pool: &mut ClientPool<Session>,
    fan_out: &mut FanOut<'_>,
    config: &BenchConfig,
) -> Result<(), BenchError> {
    let until = Instant::now() + config.timeout;
    let mut wait = FIRST_WAIT;
    loop {
        publish(pool, fan_out, config, 1)?;
        let next_attempt = Instant::now() + wait;
        if await_delivery(pool, fan_out, next_attempt.min(until))? {
            break;
        }
        wait *= 2;
        if Instant::now() >= until {
            let next_event = fan_out.next_event;
            let late = fan_out.followers.iter().filter(|one| one.next_event != Some(next_event)).count();
            return Err(BenchError::Refused(format!(
                "{late} of {} followers received no event within {} s",
                fan_out.followers.len(),
                config.timeout.as_secs_f64()
            )));
        }
    }
    match fan_out.run.errors.first_key_value() {
        Some((reason, _)) => Err(BenchError::Refused(reason.clone())),
        None => Ok(()),
    }
}

/// Publishes `count` events, or the first of them if the others await responses.
fn publish(
    pool: &mut ClientPool<Session>,
    fan_out: &mut FanOut<'_>,
    config: &BenchConfig,
    count: usize,
) -> Result<(), BenchError> {
    let id = fan_out.publisher_id();
    if fan_out.publisher == Publisher::Disconnected {
        fan_out.run.reconnects += 1;
        open_publisher(pool, fan_out, id, id + 1)?;
        let until = Instant::now() + config.timeout;
        while fan_out.publisher == Publisher::Disconnected && Instant::now() < until {
            pool.run_once(until, fan_out)?;
        }
    }
    let mut out = Vec::new();
    fan_out.start_burst(count as u64, &mut out);
    pool.send(id, fan_out, |pending| pending.append(&mut out));
    Ok(())
}

/// Waits until every follower has received every event and every POST is answered. Returns false if
/// that does not happen before `until`.
fn await_delivery(
    pool: &mut ClientPool<Session>,
    fan_out: &mut FanOut<'_>,
    until: Instant,
) -> Result<bool, BenchError> {
    while !fan_out.is_delivered() {
        pool.run_once(until, fan_out)?;
        if let Publisher::Failed(message) = &fan_out.publisher {
            return Err(BenchError::Refused(message.clone()));
        }
        if let Target::Server(server) = fan_out.target {
            for (id, request) in mem::take(&mut fan_out.reopen) {
                fan_out.run.reconnects += 1;
                let session = Session::responses(server.cursor.clone());
                pool.open(id, server.request.address, session, request)?;
            }
        }
        // The clock is read only if something is late.
        if !fan_out.is_delivered() && Instant::now() >= until {
            return Ok(false);
        }
    }
    Ok(true)
}

fn open_publisher(
    pool: &mut ClientPool<Session>,
    fan_out: &mut FanOut<'_>,
    ready: usize,
    wanted: usize,
) -> Result<(), BenchError> {
    let (address, (session, first)) = match fan_out.target {
        Target::Ceiling(ceiling) => {
            let role = if fan_out.burst_as == BurstAs::Sequential { b"A" } else { b"P" };
            (ceiling.address, (Session::bare(), role.to_vec()))
        }
        Target::Server(server) => {
            let publish = server.publish.as_ref();
            let publish = publish.ok_or_else(|| BenchError::Refused("no URL to publish to".into()))?;
            (publish.address(), publish.session(&mut fan_out.keys)?)
        }
    };
    check_open(pool.open(fan_out.publisher_id(), address, session, first), ready, wanted)
}
