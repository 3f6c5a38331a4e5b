//! Connections that are held and carry nothing: what each costs in memory.

use std::mem;
use std::time::Instant;

use super::config::{Plan, Site};
use super::ramp_up::{Gathering, Gathers, gather, opened};
use super::result::{Failed, Held, Run, kind_of};
use super::run::{Progress, Stage};
use super::session::{Heard, Keys, Talk};
use crate::client::follow::Via;
use crate::protocol::websocket::frame::Opcode;
use crate::tools::load::meter::{Meter, kernel_memory, user_memory};
use crate::tools::load::pool::{Crowd, Line, Load, Why};

/// Memory before the first connection of all runs: what a server's allocator keeps of one run would else be left out of the next.
#[derive(Clone, Copy, Debug)]
pub struct Before {
    user: Option<u64>,
    kernel: Option<u64>,
}

impl Before {
    /// Now.
    pub fn now(site: &Site) -> Self {
        Self { user: user_memory(&site.processes), kernel: kernel_memory() }
    }
}

struct Idle<'t> {
    site: &'t Site,
    is_poll: bool,
    keys: Keys,
    gathering: Gathering,
    is_gathered: bool,
    cursors: Vec<String>,
    reopen: Vec<(usize, Vec<u8>)>,
    run: Run,
}

impl Load for Idle<'_> {
    fn connected(&mut self, _: usize, _: &mut Line) {
        // A poll is ready when it is asked: it is to be held.
        self.gathering.ready += usize::from(self.is_poll && !self.is_gathered);
    }

    fn heard(&mut self, who: usize, heard: Heard<'_>, line: &mut Line, _: Instant) {
        match heard {
            Heard::Opened => self.gathering.ready += 1,
            Heard::Answer(answer) => {
                self.run.wrong += u64::from(!matches!(answer.status, 200..=299 | 304));
                if let Some(cursor) = answer.cursor {
                    self.cursors[who] = cursor;
                }
                let mut request = Vec::new();
                self.site.asking.write_get(&self.cursors[who], who, None, &mut request);
                if answer.persists {
                    line.out().append(&mut request);
                } else {
                    line.close();
                    self.reopen.push((who, request));
                }
            }
            Heard::Ping(payload) => self.keys.write_frame(Opcode::Pong, payload, line.out()),
            Heard::Close(_) => {
                line.close();
                self.over(who, Why::Ended);
            }
            Heard::Message(_) | Heard::Bytes(_) | Heard::Marker(_) => {}
        }
    }

    fn over(&mut self, _: usize, why: Why) {
        if self.is_gathered {
            self.run.error(kind_of(&why));
        } else {
            self.gathering.failed.get_or_insert(why);
        }
    }
}

impl Gathers for Idle<'_> {
    fn gathering(&mut self) -> &mut Gathering {
        &mut self.gathering
    }
}

/// Runs [`Workload::Idle`](super::Workload::Idle).
///
/// # Errors
/// The connections can't be opened, or the system fails.
pub fn run(plan: &Plan, site: &Site, before: Before, progress: &mut Progress<'_>) -> Result<Run, Failed> {
    let mut crowd = Crowd::new(plan.sources)?;
    let mut load = Idle {
        site,
        is_poll: plan.via == Via::LongPoll,
        keys: Keys::default(),
        gathering: Gathering::default(),
        is_gathered: false,
        cursors: vec!["now".to_owned(); plan.connections],
        reopen: Vec::new(),
        run: Run::default(),
    };
    progress(Stage::Connecting);
    gather(&mut crowd, &mut load, plan.connections, plan, |crowd, load, who| {
        let talk = site.talk(plan.via, who, &mut load.keys)?;
        opened(crowd.open(who, site.asking.address, talk), load.gathering.ready, plan.connections)
    })?;
    load.is_gathered = true;
    progress(Stage::WarmingUp);
    hold(&mut crowd, &mut load, Instant::now() + plan.warm_up)?;
    progress(Stage::Measuring);
    let (traffic, meter) = (crowd.traffic, Meter::start(&site.processes));
    hold(&mut crowd, &mut load, Instant::now() + plan.duration)?;
    let mut run = load.run;
    run.cost = meter.stop(&site.processes);
    (run.bytes_up, run.bytes_down) = (crowd.traffic.0 - traffic.0, crowd.traffic.1 - traffic.1);
    let more = |now: Option<u64>, before: Option<u64>| Some(now? as i64 - before? as i64);
    run.held = Some(Held {
        connections: plan.connections,
        user: more(user_memory(&site.processes), before.user),
        kernel: more(kernel_memory(), before.kernel),
    });
    (run.sent, run.done) = (plan.connections as u64, plan.connections as u64);
    let is_there = |who: &usize| crowd.has(*who);
    run.answered = (0..plan.connections).filter(is_there).count() as u64;
    run.lost = run.sent - run.answered;
    Ok(run)
}

fn hold(crowd: &mut Crowd, load: &mut Idle<'_>, until: Instant) -> Result<(), Failed> {
    while Instant::now() < until {
        crowd.turn(until, load)?;
        for (who, request) in mem::take(&mut load.reopen) {
            load.run.reconnects += 1;
            let talk = Talk::answers(load.site.cursor.clone());
            crowd.open(who, load.site.asking.address, (talk, request))?;
        }
    }
    Ok(())
}
