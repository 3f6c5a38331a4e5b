//! Connections that are opened, answered once, and closed.

use std::mem;
use std::time::{Duration, Instant};

use super::config::{Plan, Site};
use super::result::{Failed, Run, kind_of};
use super::run::{Progress, Stage};
use super::session::{Heard, Keys};
use crate::tools::load::meter::Meter;
use crate::tools::load::pool::{Crowd, Line, Load, Why};

struct Connects {
    epoch: Instant,
    /// When each began to connect; `None` where nothing is under way.
    begun: Vec<Option<Duration>>,
    /// Places that are free for the next.
    free: Vec<usize>,
    window: Option<(Duration, Duration)>,
    /// The first that could not be opened, while none has been answered.
    failed: Option<Why>,
    run: Run,
}

impl Connects {
    fn answered(&mut self, who: usize, line: &mut Line, now: Instant) {
        line.close();
        let Some(begun) = self.begun[who].take() else { return };
        self.free.push(who);
        self.run.answered += 1;
        let now = now.saturating_duration_since(self.epoch);
        if let Some((start, end)) = self.window
            && (start..end).contains(&now)
        {
            self.run.done += 1;
            self.run.delays.record(now.saturating_sub(begun));
        }
    }
}

impl Load for Connects {
    fn connected(&mut self, _: usize, _: &mut Line) {}

    fn heard(&mut self, who: usize, heard: Heard<'_>, line: &mut Line, now: Instant) {
        match heard {
            Heard::Opened => self.answered(who, line, now),
            Heard::Answer(answer) => {
                self.run.wrong += u64::from(!matches!(answer.status, 200..=299 | 304));
                self.answered(who, line, now);
            }
            // What comes behind the answer is not waited for.
            _ => {}
        }
    }

    fn over(&mut self, who: usize, why: Why) {
        if self.begun[who].take().is_none() {
            return;
        }
        self.free.push(who);
        self.run.lost += 1;
        self.run.error(kind_of(&why));
        if self.run.answered == 0 {
            self.failed.get_or_insert(why);
        }
    }
}

/// Runs [`Workload::Connect`](super::Workload::Connect).
///
/// # Errors
/// The first connection can't be opened, or the system fails.
pub fn run(plan: &Plan, site: &Site, progress: &mut Progress<'_>) -> Result<Run, Failed> {
    let mut crowd = Crowd::new(plan.sources)?;
    let mut keys = Keys::default();
    let epoch = Instant::now();
    let mut load = Connects {
        epoch,
        begun: vec![None; plan.in_flight],
        free: (0..plan.in_flight).collect(),
        window: None,
        failed: None,
        run: Run::default(),
    };
    progress(Stage::WarmingUp);
    let mut end = plan.warm_up + plan.duration;
    let mut metering: Option<(Meter, (u64, u64))> = None;
    let mut is_over = false;
    loop {
        let now = epoch.elapsed();
        if metering.is_none() && now >= plan.warm_up {
            progress(Stage::Measuring);
            metering = Some((Meter::start(&site.processes), crowd.traffic));
            let start = epoch.elapsed();
            (load.window, end) = (Some((start, Duration::MAX)), start + plan.duration);
        }
        if let Some((meter, traffic)) = metering.as_ref().filter(|_| !is_over && now >= end) {
            load.run.cost = meter.stop(&site.processes);
            load.window = None;
            load.run.bytes_up = crowd.traffic.0 - traffic.0;
            load.run.bytes_down = crowd.traffic.1 - traffic.1;
            is_over = true;
        }
        if let Some(why) = load.failed.take() {
            return Err(Failed::gathering(why, 0, 1));
        }
        let is_idle = load.free.len() == plan.in_flight;
        if is_over && (is_idle || now >= end + plan.patience) {
            break;
        }
        if !is_over {
            for who in mem::take(&mut load.free) {
                load.run.sent += 1;
                load.begun[who] = Some(epoch.elapsed());
                let talk = site.talk(plan.via, who, &mut keys)?;
                if let Err(error) = crowd.open(who, site.asking.address, talk) {
                    load.over(who, Why::NoConnection(error));
                }
            }
        }
        let wake = match (&metering, is_over) {
            (None, _) => plan.warm_up,
            (Some(_), false) => end,
            (Some(_), true) => end + plan.patience,
        };
        // Ports may be what is missing: they come back with time, and nothing tells of it.
        let is_stuck = !is_over && !load.free.is_empty();
        let wake = if is_stuck { wake.min(epoch.elapsed() + Duration::from_millis(1)) } else { wake };
        crowd.turn(epoch + wake, &mut load)?;
    }
    let left = load.begun.iter().flatten().count() as u64;
    load.run.lost += left;
    Ok(load.run)
}
