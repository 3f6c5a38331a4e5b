//! The workload `idle`: connections that are held and carry no data. Measures the memory of each.

use std::mem;
use std::time::Instant;

use super::config::{BenchConfig, ServerTarget};
use super::keys::Keys;
use super::ramp_up::{RampUp, RampsUp, check_open, open_all};
use super::result::{BenchError, IdleMemory, Run, describe};
use super::session::{Session, SessionEvent, SessionHandler};
use super::{Progress, Stage};
use crate::client::follow::Transport;
use crate::protocol::websocket::frame::Opcode;
use crate::tools::load::{ClientPool, EndReason, Meter, Output, kernel_memory, user_memory};

/// The memory before the first connection of the first run. Every run is compared with it: memory
/// that the server's allocator keeps after one run would otherwise be missing from the next.
#[derive(Clone, Copy, Debug)]
pub struct MemoryBaseline {
    user: Option<u64>,
    kernel: Option<u64>,
}

impl MemoryBaseline {
    /// Reads the current memory.
    pub fn now(server: &ServerTarget) -> Self {
        Self { user: user_memory(&server.processes), kernel: kernel_memory() }
    }

    /// Returns the growth since the baseline.
    fn growth(&self, server: &ServerTarget, connections: usize) -> IdleMemory {
        let now = Self::now(server);
        let growth = |now: Option<u64>, before: Option<u64>| Some(now? as i64 - before? as i64);
        IdleMemory { connections, user: growth(now.user, self.user), kernel: growth(now.kernel, self.kernel) }
    }
}

/// The state of all connections.
struct IdleConnections<'t> {
    server: &'t ServerTarget,
    is_long_poll: bool,
    keys: Keys,
    ramp_up: RampUp,
    is_ramped_up: bool,
    /// The cursor of each connection's last response, if it long polls.
    cursors: Vec<String>,
    /// Connections to open again, each with its request.
    reopen: Vec<(usize, Vec<u8>)>,
    run: Run,
}

impl SessionHandler for IdleConnections<'_> {
    fn connected(&mut self, _: usize, _: &mut Output) {
        // The server holds a long poll, so a connection is ready as soon as its request is sent.
        self.ramp_up.ready += usize::from(self.is_long_poll && !self.is_ramped_up);
    }

    fn event(&mut self, id: usize, event: SessionEvent<'_>, output: &mut Output, _: Instant) {
        match event {
            SessionEvent::Opened => self.ramp_up.ready += 1,
            SessionEvent::Response(response) => {
                self.run.wrong += u64::from(!response.is_success());
                if let Some(cursor) = response.cursor {
                    self.cursors[id] = cursor;
                }
                let mut request = Vec::new();
                self.server.request.write_get(&self.cursors[id], id, None, &mut request);
                if response.persists {
                    output.buffer().append(&mut request);
                } else {
                    output.close();
                    self.reopen.push((id, request));
                }
            }
            SessionEvent::Ping(payload) => self.keys.write_frame(Opcode::Pong, payload, output.buffer()),
            SessionEvent::Close(_) => {
                output.close();
                self.ended(id, EndReason::Closed);
            }
            SessionEvent::Message(_) | SessionEvent::Bytes(_) | SessionEvent::Tag(_) => {}
        }
    }

    fn ended(&mut self, _: usize, reason: EndReason) {
        if self.is_ramped_up {
            self.run.count_error(describe(&reason));
        } else {
            self.ramp_up.failed.get_or_insert(reason);
        }
    }
}

impl RampsUp for IdleConnections<'_> {
    fn ramp_up(&mut self) -> &mut RampUp {
        &mut self.ramp_up
    }
}

/// Runs [`Workload::Idle`](super::Workload::Idle) once.
///
/// # Errors
/// The connections cannot be opened, or the operating system failed.
pub fn run(
    config: &BenchConfig,
    server: &ServerTarget,
    baseline: MemoryBaseline,
    progress: &mut Progress<'_>,
) -> Result<Run, BenchError> {
    let mut pool = ClientPool::new(config.sources)?;
    let mut idle = IdleConnections {
        server,
        is_long_poll: config.via == Transport::LongPoll,
        keys: Keys::default(),
        ramp_up: RampUp::default(),
        is_ramped_up: false,
        cursors: vec!["now".to_owned(); config.connections],
        reopen: Vec::new(),
        run: Run::default(),
    };
    progress(Stage::Connecting);
    open_all(&mut pool, &mut idle, config.connections, config, |pool, idle, id| {
        let (session, first) = server.session(config.via, id, &mut idle.keys)?;
        let opened = pool.open(id, server.request.address, session, first);
        check_open(opened, idle.ramp_up.ready, config.connections)
    })?;
    idle.is_ramped_up = true;
    progress(Stage::WarmingUp);
    hold(&mut pool, &mut idle, Instant::now() + config.warm_up)?;
    progress(Stage::Measuring);
    let (traffic, meter) = (pool.traffic(), Meter::start(&server.processes));
    hold(&mut pool, &mut idle, Instant::now() + config.duration)?;
    let mut run = idle.run;
    run.cost = meter.stop(&server.processes);
    let traffic = pool.traffic() - traffic;
    (run.bytes_up, run.bytes_down) = (traffic.up, traffic.down);
    run.idle_memory = Some(baseline.growth(server, config.connections));
    (run.sent, run.done) = (config.connections as u64, config.connections as u64);
    run.answered = (0..config.connections).filter(|id| pool.is_open(*id)).count() as u64;
    run.lost = run.sent - run.answered;
    Ok(run)
}

/// Holds the connections until `until`. A long poll that is answered sends its next request.
fn hold(
    pool: &mut ClientPool<Session>,
    idle: &mut IdleConnections<'_>,
    until: Instant,
) -> Result<(), BenchError> {
    while Instant::now() < until {
        pool.run_once(until, idle)?;
        for (id, request) in mem::take(&mut idle.reopen) {
            idle.run.reconnects += 1;
            let session = Session::responses(idle.server.cursor.clone());
            pool.open(id, idle.server.request.address, session, request)?;
        }
    }
    Ok(())
}
