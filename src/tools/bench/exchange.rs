//! Questions and answers over kept connections: a WebSocket's echo, requests, and bytes that come back from the bare program.

use std::mem;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::config::{Plan, Target, Workload};
use super::ramp_up::{Gathering, Gathers, gather, opened};
use super::result::{Failed, Run, kind_of};
use super::run::{Progress, Stage};
use super::schedule::{Lane, Schedule};
use super::session::{Heard, Keys, Talk};
use crate::client::follow::Via;
use crate::protocol::websocket::frame::Opcode;
use crate::tools::load::meter::Meter;
use crate::tools::load::pool::{Crowd, Line, Load, Why};

/// While the next message is due within this time, the poll is asked without waiting: it counts in milliseconds (epoll_wait(2)), and
/// would make each message late.
const SPIN: Duration = Duration::from_millis(2);

/// What is asked, each time.
enum Question {
    /// This payload in a frame; it has to come back.
    Frame(Vec<u8>),
    /// These bytes; as many have to come back.
    Bytes(Vec<u8>),
    /// This request, for each connection; a status that is 2xx or 304 has to come.
    Requests(Vec<Rc<[u8]>>),
}

struct Exchanges {
    question: Question,
    lanes: Vec<Lane>,
    keys: Keys,
    /// Times are counted from here, once all connections are there.
    epoch: Option<Instant>,
    /// Each answer brings the next question.
    is_closed_loop: bool,
    /// Nothing is asked any more.
    is_draining: bool,
    /// What is due, and what is answered, from then to then counts.
    window: Option<(Duration, Duration)>,
    gathering: Gathering,
    /// Without a protocol: bytes of an answer that have come.
    partial: Vec<usize>,
    /// Connections to be opened anew.
    reopen: Vec<usize>,
    /// Connections that are there, or will be again.
    there: usize,
    run: Run,
}

impl Exchanges {
    fn now(&self, now: Instant) -> Duration {
        self.epoch.map_or(Duration::ZERO, |epoch| now.saturating_duration_since(epoch))
    }

    /// Sends what waits at a connection, as far as there is room for it.
    fn ask(&mut self, who: usize, out: &mut Vec<u8>) {
        while self.lanes[who].send() {
            self.run.sent += 1;
            match &self.question {
                Question::Frame(payload) => self.keys.write_frame(Opcode::Text, payload, out),
                Question::Bytes(bytes) => out.extend_from_slice(bytes),
                Question::Requests(requests) => out.extend_from_slice(&requests[who]),
            }
        }
    }

    /// The oldest question of a connection is answered.
    fn answered(&mut self, who: usize, now: Instant) {
        let now = self.now(now);
        let Some(due) = self.lanes[who].answered() else {
            return self.run.error("an answer to no question".into());
        };
        self.run.answered += 1;
        if let Some((start, end)) = self.window {
            if (start..end).contains(&due) {
                self.run.delays.record(now.saturating_sub(due));
            }
            self.run.done += u64::from((start..end).contains(&now));
        }
        if self.is_closed_loop && !self.is_draining {
            self.lanes[who].due(now);
        }
    }

    const fn is_requests(&self) -> bool {
        matches!(self.question, Question::Requests(_))
    }
}

impl Load for Exchanges {
    fn connected(&mut self, who: usize, line: &mut Line) {
        if self.epoch.is_none() {
            // A WebSocket is ready when its handshake is done.
            self.gathering.ready += usize::from(!matches!(self.question, Question::Frame(_)));
            return;
        }
        if self.is_closed_loop && !self.is_draining && self.lanes[who].waiting() == 0 {
            let now = self.now(Instant::now());
            self.lanes[who].due(now);
        }
        self.ask(who, line.out());
    }

    fn heard(&mut self, who: usize, heard: Heard<'_>, line: &mut Line, now: Instant) {
        match heard {
            Heard::Opened => self.gathering.ready += 1,
            // Some servers greet.
            Heard::Message(_) if self.epoch.is_none() => {}
            Heard::Message(data) => {
                if let Question::Frame(payload) = &self.question {
                    self.run.wrong += u64::from(payload != data);
                }
                self.answered(who, now);
                self.ask(who, line.out());
            }
            Heard::Answer(answer) => {
                self.run.wrong += u64::from(!matches!(answer.status, 200..=299 | 304));
                self.answered(who, now);
                if answer.persists {
                    self.ask(who, line.out());
                } else {
                    // What is asked next goes out on the next connection.
                    line.close();
                    self.reopen.push(who);
                }
            }
            Heard::Bytes(length) => {
                let Question::Bytes(bytes) = &self.question else { return };
                let each = bytes.len();
                self.partial[who] += length;
                while self.partial[who] >= each {
                    self.partial[who] -= each;
                    self.answered(who, now);
                }
                self.ask(who, line.out());
            }
            Heard::Marker(_) => {}
            Heard::Ping(payload) => self.keys.write_frame(Opcode::Pong, payload, line.out()),
            Heard::Close(_) => {
                line.close();
                self.over(who, Why::Ended);
            }
        }
    }

    fn over(&mut self, who: usize, why: Why) {
        if self.epoch.is_none() {
            self.gathering.failed.get_or_insert(why);
            return;
        }
        let lost = self.lanes[who].give_up();
        self.run.lost += lost as u64;
        // Between two requests a server may end a connection as it likes (RFC 9112 §9.5).
        let is_in_order = self.is_requests() && lost == 0 && matches!(why, Why::Ended | Why::Broken(_));
        if !is_in_order {
            self.run.error(kind_of(&why));
        }
        if self.is_requests() && !matches!(why, Why::NoConnection(_)) {
            self.reopen.push(who);
        } else {
            self.there -= 1;
        }
    }
}

impl Gathers for Exchanges {
    fn gathering(&mut self) -> &mut Gathering {
        &mut self.gathering
    }
}

/// Runs [`Workload::Echo`] or [`Workload::Requests`].
///
/// # Errors
/// The connections can't be opened, or the system fails.
pub fn run(plan: &Plan, target: &Target, progress: &mut Progress<'_>) -> Result<Run, Failed> {
    let mut crowd = Crowd::new(plan.sources)?;
    let mut load = Exchanges {
        question: question(plan, target),
        lanes: vec![Lane::new(plan.in_flight); plan.connections],
        keys: Keys::default(),
        epoch: None,
        is_closed_loop: plan.rate.is_none(),
        is_draining: false,
        window: None,
        gathering: Gathering::default(),
        partial: vec![0; plan.connections],
        reopen: Vec::new(),
        there: plan.connections,
        run: Run::default(),
    };
    progress(Stage::Connecting);
    gather(&mut crowd, &mut load, plan.connections, plan, |crowd, load, who| {
        let talk = talk(plan, target, who, &mut load.keys)?;
        opened(crowd.open(who, target.address(), talk), load.gathering.ready, plan.connections)
    })?;

    let epoch = Instant::now();
    load.epoch = Some(epoch);
    let mut pace = plan.rate.map(|rate| Pace { schedule: Schedule::new(rate), next: 0 });
    if pace.is_none() {
        for who in 0..plan.connections {
            (0..plan.in_flight).for_each(|_| load.lanes[who].due(epoch.elapsed()));
            ask(&mut crowd, &mut load, who);
        }
    }
    progress(Stage::WarmingUp);
    let mut phase = Phase::WarmUp;
    loop {
        let now = epoch.elapsed();
        match &phase {
            Phase::WarmUp if now >= plan.warm_up => {
                progress(Stage::Measuring);
                let meter = Meter::start(target.processes());
                let start = epoch.elapsed();
                load.window = Some((start, Duration::MAX));
                phase = Phase::Measuring { meter, traffic: crowd.traffic, until: start + plan.duration };
            }
            Phase::Measuring { meter, traffic, until } if now >= *until => {
                // What this program has overslept was due all the same, and its latency is what it has come to.
                if let Some(pace) = &mut pace {
                    pace.send_due(now, &mut crowd, &mut load);
                }
                load.run.cost = meter.stop(target.processes());
                load.window = load.window.map(|(start, _)| (start, now));
                load.run.bytes_up = crowd.traffic.0 - traffic.0;
                load.run.bytes_down = crowd.traffic.1 - traffic.1;
                load.is_draining = true;
                phase = Phase::Draining { until: now + plan.patience };
                continue; // if nothing is under way, nothing will wake it
            }
            Phase::Draining { until } => {
                let is_idle = load.lanes.iter().all(|lane| lane.under_way() + lane.waiting() == 0);
                if is_idle || now >= *until {
                    break;
                }
            }
            Phase::WarmUp | Phase::Measuring { .. } => {}
        }
        if load.there == 0 {
            if let Phase::Measuring { meter, .. } = &phase {
                load.run.cost = meter.stop(target.processes());
            }
            break;
        }
        for who in mem::take(&mut load.reopen) {
            load.run.reconnects += 1;
            let talk = talk(plan, target, who, &mut load.keys)?;
            crowd.open(who, target.address(), talk)?;
        }
        let wake = match &phase {
            Phase::WarmUp => plan.warm_up,
            Phase::Measuring { until, .. } | Phase::Draining { until } => *until,
        };
        let next_due = match &mut pace {
            Some(pace) if !load.is_draining => pace.send_due(epoch.elapsed(), &mut crowd, &mut load),
            _ => Duration::MAX,
        };
        crowd.turn(epoch + wake.min(next_due), &mut load)?;
    }
    for lane in &mut load.lanes {
        load.run.lost += lane.give_up() as u64;
        load.run.unsent += lane.waiting() as u64;
    }
    Ok(load.run)
}

enum Phase {
    WarmUp,
    /// Up to this time after the epoch.
    Measuring {
        meter: Meter,
        traffic: (u64, u64),
        until: Duration,
    },
    /// What is under way is still to be answered.
    Draining {
        until: Duration,
    },
}

/// A schedule, over all connections in turn.
struct Pace {
    schedule: Schedule,
    /// Whose turn it is.
    next: usize,
}

impl Pace {
    /// Has all that is due by now sent, or wait at its connection; when to come again.
    fn send_due(&mut self, now: Duration, crowd: &mut Crowd, load: &mut Exchanges) -> Duration {
        while let Some(due) = self.schedule.take(now) {
            load.lanes[self.next].due(due);
            ask(crowd, load, self.next);
            self.next = (self.next + 1) % load.lanes.len();
        }
        self.schedule.next().saturating_sub(SPIN)
    }
}

/// Has a connection send what waits there, if it is open.
fn ask(crowd: &mut Crowd, load: &mut Exchanges, who: usize) {
    if !crowd.has(who) {
        return;
    }
    let mut out = Vec::new();
    load.ask(who, &mut out);
    crowd.say(who, load, |line| line.append(&mut out));
}

fn talk(plan: &Plan, target: &Target, who: usize, keys: &mut Keys) -> Result<(Talk, Vec<u8>), Failed> {
    Ok(match target {
        Target::Ceiling(_) => (Talk::bare(), Vec::new()),
        Target::Server(site) if plan.workload == Workload::Requests => {
            (Talk::answers(site.cursor.clone()), Vec::new())
        }
        Target::Server(site) => site.talk(Via::WebSocket, who, keys)?,
    })
}

fn question(plan: &Plan, target: &Target) -> Question {
    match target {
        Target::Ceiling(bare) => Question::Bytes(vec![b'.'; bare.size.max(1)]),
        Target::Server(site) if plan.workload == Workload::Requests => {
            let request = |who| {
                let mut out = Vec::new();
                site.asking.write_get("", who, None, &mut out);
                Rc::from(out)
            };
            let first = request(0);
            let differs = site.asking.has_numbers();
            let requests =
                (0..plan.connections).map(|who| if differs { request(who) } else { Rc::clone(&first) });
            Question::Requests(requests.collect())
        }
        Target::Server(_) => Question::Frame(vec![b'.'; plan.size]),
    }
}
