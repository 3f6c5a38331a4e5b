//! Events that go to many followers: published one burst after another, each when all have the last.

use std::mem;
use std::time::{Duration, Instant};

use super::config::{Plan, Publish, Target};
use super::event_tag as marker;
use super::ramp_up::{Gathering, Gathers, gather, opened};
use super::result::{Failed, Run, kind_of};
use super::run::{Progress, Stage};
use super::session::{Heard, Keys, Talk};
use crate::client::follow::Via;
use crate::protocol::websocket::frame::Opcode;
use crate::tools::load::meter::Meter;
use crate::tools::load::pool::{Crowd, Line, Load, Why};

/// How long the first event is waited for before another is published: who joined too late for it gets that one. Doubled each time.
const FIRST_WAIT: Duration = Duration::from_millis(250);

/// Followers `0..followers`, and behind them the publisher.
struct FanOut<'t> {
    target: &'t Target,
    via: Via,
    keys: Keys,
    gathering: Gathering,
    is_gathered: bool,
    followers: Vec<Follower>,
    /// The number of the first event of this run.
    first: u64,
    /// The number of the next event.
    next: u64,
    /// The first one of this burst, and when it was published.
    burst: (u64, Instant),
    /// Followers that have not yet everything.
    pending: usize,
    /// Answers that the publisher has still to get.
    owed: usize,
    publisher: Publisher,
    /// Each follower is known to be there, so whatever it does not get from here on is lost.
    is_counting: bool,
    is_measuring: bool,
    /// Connections to be opened anew, with what they ask for.
    reopen: Vec<(usize, Vec<u8>)>,
    run: Run,
}

#[derive(Clone, Debug)]
struct Follower {
    /// The event that is to come next; `None` before the first.
    next: Option<u64>,
    /// The cursor of its last answer, if it polls.
    cursor: String,
    is_there: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Publisher {
    There,
    Away,
    Failed(String),
}

impl FanOut<'_> {
    /// Event `number` has reached follower `who`.
    fn arrived(&mut self, who: usize, number: u64, now: Instant) {
        let Some(follower) = self.followers.get_mut(who) else { return };
        if !(self.first..self.next).contains(&number) {
            return; // it is of another run
        }
        let expected = follower.next.unwrap_or(number);
        if number < expected {
            self.run.doubled += u64::from(self.is_counting);
            return;
        }
        follower.next = Some(number + 1);
        if self.is_counting {
            self.run.lost += number - expected;
            self.run.answered += 1;
        }
        if self.is_measuring && number >= self.burst.0 {
            self.run.delays.record(now.saturating_duration_since(self.burst.1));
        }
        if number + 1 == self.next {
            self.pending = self.pending.saturating_sub(1);
        }
    }

    fn poll_answered(
        &mut self,
        who: usize,
        answer: super::session::Answer<'_>,
        line: &mut Line,
        now: Instant,
    ) {
        if !matches!(answer.status, 200..=299 | 304) {
            self.run.wrong += 1;
            line.close();
            return self.gone(who, format!("refused with {}", answer.status));
        }
        marker::scan(answer.content, &mut |number| self.arrived(who, number, now));
        let Target::Server(site) = self.target else { return };
        let cursor = &mut self.followers[who].cursor;
        if let Some(next) = answer.cursor {
            *cursor = next;
        }
        if answer.persists {
            site.asking.write_get(cursor, who, None, line.out());
        } else {
            let mut request = Vec::new();
            site.asking.write_get(cursor, who, None, &mut request);
            line.close();
            self.reopen.push((who, request));
        }
    }

    fn published(&mut self, status: u16, persists: bool, line: &mut Line) {
        self.owed = self.owed.saturating_sub(1);
        if !(200..=299).contains(&status) {
            self.publisher = Publisher::Failed(format!("publishing is answered with {status}"));
        } else if !persists {
            line.close();
            self.publisher = match self.owed {
                0 => Publisher::Away,
                owed => {
                    Publisher::Failed(format!("the server ended a connection with {owed} events to publish"))
                }
            };
        }
    }

    /// A follower is gone for good.
    fn gone(&mut self, who: usize, why: String) {
        self.run.error(why);
        let follower = &mut self.followers[who];
        if mem::replace(&mut follower.is_there, false) && follower.next != Some(self.next) {
            self.pending = self.pending.saturating_sub(1);
        }
    }

    fn there(&self) -> usize {
        self.followers.iter().filter(|follower| follower.is_there).count()
    }
}

impl Load for FanOut<'_> {
    fn connected(&mut self, who: usize, _: &mut Line) {
        // A poll is ready when it is asked, for it may be held; so is a connection that has no protocol, and one to publish on.
        let is_publisher = who == self.followers.len();
        let is_ready = match self.target {
            Target::Ceiling(_) => true,
            Target::Server(site) if is_publisher => matches!(site.publish, Some(Publish::Post(_))),
            Target::Server(_) => self.via == Via::LongPoll,
        };
        if is_publisher {
            self.publisher = Publisher::There;
        }
        self.gathering.ready += usize::from(is_ready && !self.is_gathered);
    }

    fn heard(&mut self, who: usize, heard: Heard<'_>, line: &mut Line, now: Instant) {
        let is_publisher = who == self.followers.len();
        match heard {
            Heard::Opened => self.gathering.ready += 1,
            Heard::Message(data) => {
                marker::scan(data, &mut |number| self.arrived(who, number, now));
            }
            Heard::Marker(number) => {
                self.arrived(who, number, now);
                if let Target::Ceiling(bare) = self.target
                    && bare.asks > 0
                    && number + 1 == self.next
                {
                    let length = line.out().len() + bare.asks;
                    line.out().resize(length, b'.');
                }
            }
            Heard::Bytes(_) => {}
            Heard::Answer(answer) if is_publisher => self.published(answer.status, answer.persists, line),
            Heard::Answer(answer) => self.poll_answered(who, answer, line, now),
            Heard::Ping(payload) => self.keys.write_frame(Opcode::Pong, payload, line.out()),
            Heard::Close(_) => {
                line.close();
                self.over(who, Why::Ended);
            }
        }
    }

    fn over(&mut self, who: usize, why: Why) {
        if !self.is_gathered {
            self.gathering.failed.get_or_insert(why);
        } else if who < self.followers.len() {
            self.gone(who, kind_of(&why));
        } else {
            // Between two bursts a server may end it as it likes (RFC 9112 §9.5).
            self.publisher = match (self.owed, &why) {
                (0, Why::Ended) => Publisher::Away,
                _ => Publisher::Failed(format!("publishing: {}", kind_of(&why))),
            };
        }
    }
}

impl Gathers for FanOut<'_> {
    fn gathering(&mut self) -> &mut Gathering {
        &mut self.gathering
    }
}

/// Runs [`Workload::FanOut`](super::Workload::FanOut). Events are numbered from `first` on; no two runs at the same server may share numbers.
///
/// # Errors
/// The connections can't be opened, nothing can be published, some followers get nothing, or the system fails.
pub fn run(plan: &Plan, target: &Target, first: u64, progress: &mut Progress<'_>) -> Result<Run, Failed> {
    let mut crowd = Crowd::new(plan.sources)?;
    let follower = Follower { next: None, cursor: "now".into(), is_there: true };
    let mut load = FanOut {
        target,
        via: plan.via,
        keys: Keys::default(),
        gathering: Gathering::default(),
        is_gathered: false,
        followers: vec![follower; plan.connections],
        first,
        next: first,
        burst: (first, Instant::now()),
        pending: 0,
        owed: 0,
        publisher: Publisher::Away,
        is_counting: false,
        is_measuring: false,
        reopen: Vec::new(),
        run: Run::default(),
    };
    progress(Stage::Connecting);
    let wanted = plan.connections + 1;
    gather(&mut crowd, &mut load, wanted, plan, |crowd, load, who| {
        let ready = load.gathering.ready;
        if who == plan.connections {
            return open_publisher(crowd, load, ready, wanted);
        }
        let talk = match target {
            Target::Ceiling(_) => (Talk::bare(), b"F".to_vec()),
            Target::Server(site) => site.talk(plan.via, who, &mut load.keys)?,
        };
        opened(crowd.open(who, target.address(), talk), ready, wanted)
    })?;
    load.is_gathered = true;
    progress(Stage::WarmingUp);
    join(&mut crowd, &mut load, plan)?;
    load.is_counting = true;

    let mut until = Instant::now() + plan.warm_up;
    let mut measured: Option<Measured> = None;
    loop {
        if Instant::now() >= until {
            if let Some(measured) = &measured {
                measured.stop(&crowd, &mut load);
                break;
            }
            progress(Stage::Measuring);
            measured = Some(Measured::start(&crowd, &load));
            load.is_measuring = true;
            until = Instant::now() + plan.duration;
        }
        load.run.sent += (plan.burst * load.followers.len()) as u64;
        publish(&mut crowd, &mut load, plan, plan.burst)?;
        let is_done = wait(&mut crowd, &mut load, Instant::now() + plan.patience)?;
        if !is_done || load.there() < load.followers.len() {
            // What is not there by now is lost, and with it the measuring.
            measured.unwrap_or_else(|| Measured::start(&crowd, &load)).stop(&crowd, &mut load);
            let next = load.next;
            load.run.lost += load.followers.iter().map(|one| next - one.next.unwrap_or(next)).sum::<u64>();
            break;
        }
    }
    Ok(load.run)
}

/// Where the counts stood when the measuring began.
struct Measured {
    meter: Meter,
    traffic: (u64, u64),
    next: u64,
}

impl Measured {
    fn start(crowd: &Crowd, load: &FanOut<'_>) -> Self {
        Self { meter: Meter::start(load.target.processes()), traffic: crowd.traffic, next: load.next }
    }

    fn stop(&self, crowd: &Crowd, load: &mut FanOut<'_>) {
        load.run.cost = self.meter.stop(load.target.processes());
        load.run.bytes_up = crowd.traffic.0 - self.traffic.0;
        load.run.bytes_down = crowd.traffic.1 - self.traffic.1;
        load.run.events = Some(load.next - self.next);
        load.run.done = load.run.delays.count();
    }
}

/// Publishes single events until one has reached all. Nobody but the server knows when a poll is held, or when a WebSocket is joined to
/// its topic behind the handshake: so each follower counts from the first event that it gets.
fn join(crowd: &mut Crowd, load: &mut FanOut<'_>, plan: &Plan) -> Result<(), Failed> {
    let until = Instant::now() + plan.patience;
    let mut patience = FIRST_WAIT;
    loop {
        publish(crowd, load, plan, 1)?;
        let soon = Instant::now() + patience;
        if wait(crowd, load, soon.min(until))? {
            break;
        }
        patience *= 2;
        if Instant::now() >= until {
            let late = load.followers.iter().filter(|one| one.next != Some(load.next)).count();
            let seconds = plan.patience.as_secs_f64();
            return Err(Failed::Refused(format!(
                "{late} of {} followers get nothing within {seconds} s",
                load.followers.len()
            )));
        }
    }
    match load.run.errors.first_key_value() {
        Some((kind, _)) => Err(Failed::Refused(kind.clone())),
        None => Ok(()),
    }
}

/// Publishes so many events at once, in one write.
fn publish(crowd: &mut Crowd, load: &mut FanOut<'_>, plan: &Plan, count: usize) -> Result<(), Failed> {
    let who = load.followers.len();
    if load.publisher == Publisher::Away {
        load.run.reconnects += 1;
        open_publisher(crowd, load, who, who + 1)?;
        let until = Instant::now() + plan.patience;
        while load.publisher == Publisher::Away && Instant::now() < until {
            crowd.turn(until, load)?;
        }
    }
    let (mut out, mut data) = (Vec::new(), Vec::new());
    for number in load.next..load.next + count as u64 {
        data.clear();
        match load.target {
            Target::Ceiling(bare) => marker::write(number, bare.size, &mut out),
            Target::Server(site) => {
                marker::write(number, plan.size, &mut data);
                match &site.publish {
                    Some(Publish::Post(asking)) => {
                        asking.write_post(&data, &mut out);
                        load.owed += 1;
                    }
                    Some(Publish::WebSocket(_)) => load.keys.write_frame(Opcode::Text, &data, &mut out),
                    None => return Err(nowhere()),
                }
            }
        }
    }
    load.pending = load.there();
    load.burst = (load.next, Instant::now());
    load.next += count as u64;
    crowd.say(who, load, |line| line.append(&mut out));
    Ok(())
}

/// Waits until all have everything, and the publisher its answers; whether that is so before `until`.
fn wait(crowd: &mut Crowd, load: &mut FanOut<'_>, until: Instant) -> Result<bool, Failed> {
    while load.pending > 0 || load.owed > 0 {
        crowd.turn(until, load)?;
        if let Publisher::Failed(what) = &load.publisher {
            return Err(Failed::Refused(what.clone()));
        }
        if let Target::Server(site) = load.target {
            for (who, request) in mem::take(&mut load.reopen) {
                load.run.reconnects += 1;
                crowd.open(who, site.asking.address, (Talk::answers(site.cursor.clone()), request))?;
            }
        }
        // The clock is only looked at where something is late.
        if (load.pending > 0 || load.owed > 0) && Instant::now() >= until {
            return Ok(false);
        }
    }
    Ok(true)
}

fn open_publisher(
    crowd: &mut Crowd,
    load: &mut FanOut<'_>,
    ready: usize,
    wanted: usize,
) -> Result<(), Failed> {
    let who = load.followers.len();
    let (address, talk) = match load.target {
        Target::Ceiling(bare) => (bare.address, (Talk::bare(), b"P".to_vec())),
        Target::Server(site) => {
            let publish = site.publish.as_ref().ok_or_else(nowhere)?;
            (publish.address(), publish.talk(&mut load.keys)?)
        }
    };
    opened(crowd.open(who, address, talk), ready, wanted)
}

fn nowhere() -> Failed {
    Failed::Refused("there is nowhere to publish".into())
}
