//! The workload `connect`: connections that are opened, answered once, and closed.

use std::mem;
use std::time::{Duration, Instant};

use super::config::{BenchConfig, ServerTarget};
use super::keys::Keys;
use super::result::{BenchError, Run, describe};
use super::session::{Session, SessionEvent, SessionHandler};
use super::{Progress, Stage};
use crate::tools::load::{ByteCounts, ClientPool, EndReason, Meter, Output};

/// The time to wait for a free port when none was left. A port becomes free without a readiness
/// event.
const PORT_WAIT: Duration = Duration::from_millis(1);

/// The state of all connections. Durations count from `epoch`.
struct Connects {
    epoch: Instant,
    /// When each connection was started; `None` if it is not in progress.
    started: Vec<Option<Duration>>,
    /// Connections that can be started.
    free: Vec<usize>,
    /// The measured time.
    window: Option<(Duration, Duration)>,
    /// Why the first connection failed, as long as none has been answered.
    failed: Option<EndReason>,
    run: Run,
}

impl Connects {
    fn new(config: &BenchConfig) -> Self {
        Self {
            epoch: Instant::now(),
            started: vec![None; config.in_flight],
            free: (0..config.in_flight).collect(),
            window: None,
            failed: None,
            run: Run::default(),
        }
    }

    fn answered(&mut self, id: usize, output: &mut Output, now: Instant) {
        output.close();
        let Some(started) = self.started[id].take() else { return };
        self.free.push(id);
        self.run.answered += 1;
        let now = now.saturating_duration_since(self.epoch);
        if let Some((start, end)) = self.window
            && (start..end).contains(&now)
        {
            self.run.done += 1;
            self.run.delays.record(now.saturating_sub(started));
        }
    }
}

impl SessionHandler for Connects {
    fn event(&mut self, id: usize, event: SessionEvent<'_>, output: &mut Output, now: Instant) {
        match event {
            SessionEvent::Opened => self.answered(id, output, now),
            SessionEvent::Response(response) => {
                self.run.wrong += u64::from(!response.is_success());
                self.answered(id, output, now);
            }
            // Data after the response is ignored.
            _ => {}
        }
    }

    fn ended(&mut self, id: usize, reason: EndReason) {
        if self.started[id].take().is_none() {
            return;
        }
        self.free.push(id);
        self.run.lost += 1;
        self.run.count_error(describe(&reason));
        if self.run.answered == 0 {
            self.failed.get_or_insert(reason);
        }
    }
}

/// The phases of a run.
enum Phase {
    WarmUp,
    Measuring { meter: Meter, traffic: ByteCounts },
    Draining,
}

/// Runs [`Workload::Connect`](super::Workload::Connect) once.
///
/// # Errors
/// The first connection cannot be opened, or the operating system failed.
pub fn run(
    config: &BenchConfig,
    server: &ServerTarget,
    progress: &mut Progress<'_>,
) -> Result<Run, BenchError> {
    let mut pool = ClientPool::new(config.sources)?;
    let mut keys = Keys::default();
    let mut connects = Connects::new(config);
    let epoch = connects.epoch;
    progress(Stage::WarmingUp);
    let mut phase = Phase::WarmUp;
    let mut phase_end = config.warm_up;
    loop {
        let now = epoch.elapsed();
        match &phase {
            Phase::WarmUp if now >= phase_end => {
                progress(Stage::Measuring);
                phase = Phase::Measuring { meter: Meter::start(&server.processes), traffic: pool.traffic() };
                let start = epoch.elapsed();
                connects.window = Some((start, Duration::MAX));
                phase_end = start + config.duration;
            }
            Phase::Measuring { meter, traffic } if now >= phase_end => {
                connects.run.cost = meter.stop(&server.processes);
                connects.window = None;
                let traffic = pool.traffic() - *traffic;
                (connects.run.bytes_up, connects.run.bytes_down) = (traffic.up, traffic.down);
                phase = Phase::Draining;
                phase_end += config.timeout;
            }
            _ => {}
        }
        if let Some(reason) = connects.failed.take() {
            return Err(BenchError::while_connecting(reason, 0, 1));
        }
        let is_draining = matches!(phase, Phase::Draining);
        if is_draining && (connects.free.len() == config.in_flight || now >= phase_end) {
            break;
        }
        if !is_draining {
            start_connections(config, server, &mut pool, &mut connects, &mut keys)?;
        }
        let lacks_ports = !is_draining && !connects.free.is_empty();
        let wake = if lacks_ports { phase_end.min(epoch.elapsed() + PORT_WAIT) } else { phase_end };
        pool.run_once(epoch + wake, &mut connects)?;
    }
    connects.run.lost += connects.started.iter().flatten().count() as u64;
    Ok(connects.run)
}

/// Starts a connection for each that is free.
fn start_connections(
    config: &BenchConfig,
    server: &ServerTarget,
    pool: &mut ClientPool<Session>,
    connects: &mut Connects,
    keys: &mut Keys,
) -> Result<(), BenchError> {
    for id in mem::take(&mut connects.free) {
        connects.run.sent += 1;
        connects.started[id] = Some(connects.epoch.elapsed());
        let (session, first) = server.session(config.via, id, keys)?;
        if let Err(error) = pool.open(id, server.request.address, session, first) {
            connects.ended(id, EndReason::NotConnected(error));
        }
    }
    Ok(())
}
