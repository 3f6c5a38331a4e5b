//! The workloads `echo` and `requests`: each message on a connection expects one response.
//!
//! The ceiling of both is the bare program's echo, which returns the bytes that it reads.

use std::mem;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::config::{BenchConfig, Target, Workload};
use super::keys::Keys;
use super::ramp_up::{RampUp, RampsUp, check_open, open_all};
use super::result::{BenchError, Run, describe};
use super::schedule::{Pipeline, Schedule};
use super::session::{Session, SessionEvent, SessionHandler};
use super::{Progress, Stage};
use crate::client::follow::Transport;
use crate::protocol::websocket::frame::Opcode;
use crate::tools::load::{ByteCounts, ClientPool, EndReason, Meter, Output};

/// If the next message is due within this time, the poll does not wait. A poll counts in
/// milliseconds (epoll_wait(2)) and would make each message late.
const SPIN: Duration = Duration::from_millis(2);

/// The message that the clients send again and again.
enum Message {
    /// The payload of a frame, which must return unchanged.
    Frame(Vec<u8>),
    /// Bytes. The same number of bytes must return.
    Bytes(Vec<u8>),
    /// A request per connection, which needs a response with status 2xx or 304.
    Requests(Vec<Rc<[u8]>>),
}

impl Message {
    fn new(config: &BenchConfig, target: &Target) -> Self {
        match target {
            Target::Ceiling(ceiling) => Self::Bytes(vec![b'.'; ceiling.size.max(1)]),
            Target::Server(server) if config.workload == Workload::Requests => {
                let request = |id| {
                    let mut out = Vec::new();
                    server.request.write_get("", id, None, &mut out);
                    Rc::from(out)
                };
                let first = request(0);
                let differs = server.request.has_numbers();
                let requests =
                    (0..config.connections).map(|id| if differs { request(id) } else { Rc::clone(&first) });
                Self::Requests(requests.collect())
            }
            Target::Server(_) => Self::Frame(vec![b'.'; config.size]),
        }
    }
}

/// The state of all connections.
struct Exchanges {
    message: Message,
    pipelines: Vec<Pipeline>,
    keys: Keys,
    /// The start of all durations: when the last connection became ready.
    epoch: Option<Instant>,
    /// Whether each response makes the next message due.
    is_closed_loop: bool,
    /// Whether no more messages become due.
    is_draining: bool,
    /// The measured time. A message counts by its due time, a response by its arrival.
    window: Option<(Duration, Duration)>,
    ramp_up: RampUp,
    /// Without a protocol: bytes of an incomplete response, per connection.
    partial: Vec<usize>,
    /// Connections to open again.
    reopen: Vec<usize>,
    /// Connections that are open or will be opened again.
    alive: usize,
    run: Run,
}

impl Exchanges {
    fn new(config: &BenchConfig, target: &Target) -> Self {
        Self {
            message: Message::new(config, target),
            pipelines: vec![Pipeline::new(config.in_flight); config.connections],
            keys: Keys::default(),
            epoch: None,
            is_closed_loop: config.rate.is_none(),
            is_draining: false,
            window: None,
            ramp_up: RampUp::default(),
            partial: vec![0; config.connections],
            reopen: Vec::new(),
            alive: config.connections,
            run: Run::default(),
        }
    }

    fn since_epoch(&self, now: Instant) -> Duration {
        self.epoch.map_or(Duration::ZERO, |epoch| now.saturating_duration_since(epoch))
    }

    /// Appends the messages that are queued on a connection, as far as its pipeline has room.
    fn write_queued(&mut self, id: usize, out: &mut Vec<u8>) {
        while self.pipelines[id].send() {
            self.run.sent += 1;
            match &self.message {
                Message::Frame(payload) => self.keys.write_frame(Opcode::Text, payload, out),
                Message::Bytes(bytes) => out.extend_from_slice(bytes),
                Message::Requests(requests) => out.extend_from_slice(&requests[id]),
            }
        }
    }

    /// Records the response to the oldest message in flight on a connection.
    fn complete(&mut self, id: usize, now: Instant) {
        let now = self.since_epoch(now);
        let Some(due) = self.pipelines[id].complete() else {
            return self.run.count_error("a response without a request".into());
        };
        self.run.answered += 1;
        if let Some((start, end)) = self.window {
            if (start..end).contains(&due) {
                self.run.delays.record(now.saturating_sub(due));
            }
            self.run.done += u64::from((start..end).contains(&now));
        }
        if self.is_closed_loop && !self.is_draining {
            self.pipelines[id].queue(now);
        }
    }

    const fn is_requests(&self) -> bool {
        matches!(self.message, Message::Requests(_))
    }

    fn is_idle(&self) -> bool {
        self.pipelines.iter().all(|pipeline| pipeline.in_flight() + pipeline.queued() == 0)
    }
}

impl SessionHandler for Exchanges {
    fn connected(&mut self, id: usize, output: &mut Output) {
        if self.epoch.is_none() {
            // A WebSocket becomes ready with its handshake.
            self.ramp_up.ready += usize::from(!matches!(self.message, Message::Frame(_)));
            return;
        }
        if self.is_closed_loop && !self.is_draining && self.pipelines[id].queued() == 0 {
            let now = self.since_epoch(Instant::now());
            self.pipelines[id].queue(now);
        }
        self.write_queued(id, output.buffer());
    }

    fn event(&mut self, id: usize, event: SessionEvent<'_>, output: &mut Output, now: Instant) {
        match event {
            SessionEvent::Opened => self.ramp_up.ready += 1,
            // Some servers send a greeting.
            SessionEvent::Message(_) if self.epoch.is_none() => {}
            SessionEvent::Message(data) => {
                if let Message::Frame(payload) = &self.message {
                    self.run.wrong += u64::from(payload != data);
                }
                self.complete(id, now);
                self.write_queued(id, output.buffer());
            }
            SessionEvent::Response(response) => {
                self.run.wrong += u64::from(!response.is_success());
                self.complete(id, now);
                if response.persists {
                    self.write_queued(id, output.buffer());
                } else {
                    // The next request is sent on the next connection.
                    output.close();
                    self.reopen.push(id);
                }
            }
            SessionEvent::Bytes(length) => {
                let Message::Bytes(bytes) = &self.message else { return };
                let size = bytes.len();
                self.partial[id] += length;
                while self.partial[id] >= size {
                    self.partial[id] -= size;
                    self.complete(id, now);
                }
                self.write_queued(id, output.buffer());
            }
            SessionEvent::Tag(_) => {}
            SessionEvent::Ping(payload) => self.keys.write_frame(Opcode::Pong, payload, output.buffer()),
            SessionEvent::Close(_) => {
                output.close();
                self.ended(id, EndReason::Closed);
            }
        }
    }

    fn ended(&mut self, id: usize, reason: EndReason) {
        if self.epoch.is_none() {
            self.ramp_up.failed.get_or_insert(reason);
            return;
        }
        let lost = self.pipelines[id].abandon();
        self.run.lost += lost as u64;
        // A server may close an idle connection at any time (RFC 9112 §9.5).
        let is_orderly =
            self.is_requests() && lost == 0 && matches!(reason, EndReason::Closed | EndReason::Broken(_));
        if !is_orderly {
            self.run.count_error(describe(&reason));
        }
        if self.is_requests() && !matches!(reason, EndReason::NotConnected(_)) {
            self.reopen.push(id);
        } else {
            self.alive -= 1;
        }
    }
}

impl RampsUp for Exchanges {
    fn ramp_up(&mut self) -> &mut RampUp {
        &mut self.ramp_up
    }
}

/// Runs [`Workload::Echo`] or [`Workload::Requests`] once.
///
/// # Errors
/// The connections cannot be opened, or the operating system failed.
pub fn run(config: &BenchConfig, target: &Target, progress: &mut Progress<'_>) -> Result<Run, BenchError> {
    let mut pool = ClientPool::new(config.sources)?;
    let mut exchanges = Exchanges::new(config, target);
    progress(Stage::Connecting);
    open_all(&mut pool, &mut exchanges, config.connections, config, |pool, exchanges, id| {
        let (session, first) = session(config, target, id, &mut exchanges.keys)?;
        let opened = pool.open(id, target.address(), session, first);
        check_open(opened, exchanges.ramp_up.ready, config.connections)
    })?;

    let epoch = Instant::now();
    exchanges.epoch = Some(epoch);
    let pace = config.rate.map(|rate| Pace { schedule: Schedule::new(rate), next: 0 });
    let mut measurement = Measurement { config, target, pool, exchanges, pace, epoch };
    measurement.run(progress)?;
    let mut run = measurement.exchanges.run;
    for mut pipeline in measurement.exchanges.pipelines {
        run.lost += pipeline.abandon() as u64;
        run.unsent += pipeline.queued() as u64;
    }
    Ok(run)
}

/// The phases of a run, with times counted from the epoch.
enum Phase {
    WarmUp,
    Measuring {
        meter: Meter,
        traffic: ByteCounts,
        until: Duration,
    },
    /// Awaits the responses in flight.
    Draining {
        until: Duration,
    },
}

/// A run whose connections are open.
struct Measurement<'a> {
    config: &'a BenchConfig,
    target: &'a Target,
    pool: ClientPool<Session>,
    exchanges: Exchanges,
    /// `None` in a closed loop.
    pace: Option<Pace>,
    epoch: Instant,
}

impl Measurement<'_> {
    /// Runs all phases. Ends early if no connection is left.
    fn run(&mut self, progress: &mut Progress<'_>) -> Result<(), BenchError> {
        if self.pace.is_none() {
            for id in 0..self.config.connections {
                let due = self.epoch.elapsed();
                (0..self.config.in_flight).for_each(|_| self.exchanges.pipelines[id].queue(due));
                send_queued(&mut self.pool, &mut self.exchanges, id);
            }
        }
        progress(Stage::WarmingUp);
        let mut phase = Phase::WarmUp;
        while let Some(current) = self.advance(phase, progress) {
            if self.exchanges.alive == 0 {
                if let Phase::Measuring { meter, .. } = &current {
                    self.exchanges.run.cost = meter.stop(self.target.processes());
                }
                break;
            }
            self.reopen()?;
            let phase_end = match &current {
                Phase::WarmUp => self.config.warm_up,
                Phase::Measuring { until, .. } | Phase::Draining { until } => *until,
            };
            let next_due = match &mut self.pace {
                Some(pace) if !self.exchanges.is_draining => {
                    pace.send_due(self.epoch.elapsed(), &mut self.pool, &mut self.exchanges)
                }
                _ => Duration::MAX,
            };
            self.pool.run_once(self.epoch + phase_end.min(next_due), &mut self.exchanges)?;
            phase = current;
        }
        Ok(())
    }

    /// Returns the phase that follows `phase` now, which may be the same; `None` after the last
    /// one.
    fn advance(&mut self, phase: Phase, progress: &mut Progress<'_>) -> Option<Phase> {
        let now = self.epoch.elapsed();
        match phase {
            Phase::WarmUp if now >= self.config.warm_up => {
                progress(Stage::Measuring);
                let meter = Meter::start(self.target.processes());
                let start = self.epoch.elapsed();
                self.exchanges.window = Some((start, Duration::MAX));
                let until = start + self.config.duration;
                Some(Phase::Measuring { meter, traffic: self.pool.traffic(), until })
            }
            Phase::Measuring { meter, traffic, until } if now >= until => {
                self.stop_measuring(&meter, traffic, now);
                // Checked at once: if nothing is in flight, no readiness event would end this
                // phase.
                self.advance(Phase::Draining { until: now + self.config.timeout }, progress)
            }
            Phase::Draining { until } if self.exchanges.is_idle() || now >= until => None,
            phase => Some(phase),
        }
    }

    fn stop_measuring(&mut self, meter: &Meter, traffic: ByteCounts, now: Duration) {
        // A message that this process sends late was due at its scheduled time all the same, so its
        // latency includes the delay.
        if let Some(pace) = &mut self.pace {
            pace.send_due(now, &mut self.pool, &mut self.exchanges);
        }
        let exchanges = &mut self.exchanges;
        exchanges.run.cost = meter.stop(self.target.processes());
        exchanges.window = exchanges.window.map(|(start, _)| (start, now));
        let traffic = self.pool.traffic() - traffic;
        (exchanges.run.bytes_up, exchanges.run.bytes_down) = (traffic.up, traffic.down);
        exchanges.is_draining = true;
    }

    /// Opens the connections again that were closed between two requests.
    fn reopen(&mut self) -> Result<(), BenchError> {
        for id in mem::take(&mut self.exchanges.reopen) {
            self.exchanges.run.reconnects += 1;
            let (session, first) = session(self.config, self.target, id, &mut self.exchanges.keys)?;
            self.pool.open(id, self.target.address(), session, first)?;
        }
        Ok(())
    }
}

/// A schedule of messages, distributed over all connections in rotation.
struct Pace {
    schedule: Schedule,
    /// The connection that gets the next message.
    next: usize,
}

impl Pace {
    /// Sends or queues every message that is due by `now`. Returns when to call this again.
    fn send_due(
        &mut self,
        now: Duration,
        pool: &mut ClientPool<Session>,
        exchanges: &mut Exchanges,
    ) -> Duration {
        while let Some(due) = self.schedule.take(now) {
            exchanges.pipelines[self.next].queue(due);
            send_queued(pool, exchanges, self.next);
            self.next = (self.next + 1) % exchanges.pipelines.len();
        }
        self.schedule.next().saturating_sub(SPIN)
    }
}

/// Sends the messages that are queued on a connection, if it is open.
fn send_queued(pool: &mut ClientPool<Session>, exchanges: &mut Exchanges, id: usize) {
    if !pool.is_open(id) {
        return;
    }
    let mut out = Vec::new();
    exchanges.write_queued(id, &mut out);
    pool.send(id, exchanges, |pending| pending.append(&mut out));
}

/// Returns a session for connection `id`, and the first bytes to send.
fn session(
    config: &BenchConfig,
    target: &Target,
    id: usize,
    keys: &mut Keys,
) -> Result<(Session, Vec<u8>), BenchError> {
    Ok(match target {
        Target::Ceiling(_) => (Session::bare(), Vec::new()),
        Target::Server(server) if config.workload == Workload::Requests => {
            (Session::responses(server.cursor.clone()), Vec::new())
        }
        Target::Server(server) => server.session(Transport::WebSocket, id, keys)?,
    })
}
