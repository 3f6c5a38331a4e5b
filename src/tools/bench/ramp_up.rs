//! Opening many connections, at a pace, before anything is measured.

use std::time::Instant;

use super::config::Plan;
use super::result::Failed;
use crate::tools::load::pool::{Crowd, Load, Why};

/// How many connections are under way at once: more would not fit a usual server's backlog, and the rest would come again a second later
/// (RFC 6298 §2.1).
const UNDER_WAY: usize = 256;

/// How far the opening is; a load counts here.
#[derive(Debug, Default)]
pub struct Gathering {
    /// Connections that are as they have to be.
    pub ready: usize,
    /// The first one that will not be.
    pub failed: Option<Why>,
}

/// A load whose connections are opened before its work begins.
pub trait Gathers: Load {
    /// Where it counts.
    fn gathering(&mut self) -> &mut Gathering;
}

/// Opens connections from number 0 on, and waits until all are ready.
///
/// # Errors
/// One is not, or none has become so for as long as the plan's patience is.
pub fn gather<L: Gathers>(
    crowd: &mut Crowd,
    load: &mut L,
    wanted: usize,
    plan: &Plan,
    mut open: impl FnMut(&mut Crowd, &mut L, usize) -> Result<(), Failed>,
) -> Result<(), Failed> {
    let (mut begun, mut ready) = (0, 0);
    let mut until = Instant::now() + plan.patience;
    while ready < wanted {
        while begun < wanted && begun - ready < UNDER_WAY {
            open(crowd, load, begun)?;
            begun += 1;
        }
        crowd.turn(until, load)?;
        let gathering = load.gathering();
        if let Some(why) = gathering.failed.take() {
            return Err(Failed::gathering(why, gathering.ready, wanted));
        }
        if gathering.ready > ready {
            ready = gathering.ready;
            until = Instant::now() + plan.patience;
        } else if Instant::now() >= until {
            let seconds = plan.patience.as_secs_f64();
            let what = format!("only {ready} of {wanted} connections: no answer for {seconds} s");
            return Err(if ready == 0 { Failed::Unreachable(what) } else { Failed::Refused(what) });
        }
    }
    Ok(())
}

/// Begins to connect; what shows at once is as what shows later.
pub fn opened(result: std::io::Result<()>, ready: usize, wanted: usize) -> Result<(), Failed> {
    result.map_err(|error| match error.kind() {
        std::io::ErrorKind::ConnectionRefused => Failed::gathering(Why::NoConnection(error), ready, wanted),
        _ => Failed::System(error),
    })
}
