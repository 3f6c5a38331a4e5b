//! Opening many connections at a limited pace, before anything is measured.

use std::io::{self, ErrorKind};
use std::time::Instant;

use super::config::BenchConfig;
use super::result::BenchError;
use super::session::{Session, SessionHandler};
use crate::tools::load::{ClientPool, EndReason};

/// The most connections in progress at once. More would overflow the backlog of a typical server,
/// and the dropped SYNs would be repeated a second later (RFC 6298 §2.1).
const IN_PROGRESS: usize = 256;

/// The progress of a ramp-up, kept by the workload.
#[derive(Debug, Default)]
pub struct RampUp {
    /// Connections that are ready for the workload.
    pub ready: usize,
    /// Why the first failed connection failed.
    pub failed: Option<EndReason>,
}

/// A workload whose connections are opened before its work begins.
pub trait RampsUp: SessionHandler {
    fn ramp_up(&mut self) -> &mut RampUp;
}

/// Opens connections 0 to `wanted` with `open`, and waits until all are ready.
///
/// # Errors
/// A connection failed, or no connection became ready within the timeout.
pub fn open_all<H: RampsUp>(
    pool: &mut ClientPool<Session>,
    handler: &mut H,
    wanted: usize,
    config: &BenchConfig,
    mut open: impl FnMut(&mut ClientPool<Session>, &mut H, usize) -> Result<(), BenchError>,
) -> Result<(), BenchError> {
    let (mut begun, mut ready) = (0, 0);
    let mut until = Instant::now() + config.timeout;
    while ready < wanted {
        while begun < wanted && begun - ready < IN_PROGRESS {
            open(pool, handler, begun)?;
            begun += 1;
        }
        pool.run_once(until, handler)?;
        let ramp_up = handler.ramp_up();
        if let Some(reason) = ramp_up.failed.take() {
            return Err(BenchError::while_connecting(reason, ramp_up.ready, wanted));
        }
        if ramp_up.ready > ready {
            ready = ramp_up.ready;
            until = Instant::now() + config.timeout;
        } else if Instant::now() >= until {
            let seconds = config.timeout.as_secs_f64();
            let message =
                format!("only {ready} of {wanted} connections became ready: no response within {seconds} s");
            return Err(if ready == 0 {
                BenchError::Unreachable(message)
            } else {
                BenchError::Refused(message)
            });
        }
    }
    Ok(())
}

/// Converts the result of [`ClientPool::open`]. A refusal that the system reports at once is the
/// same error as one that it reports later.
pub fn check_open(result: io::Result<()>, ready: usize, wanted: usize) -> Result<(), BenchError> {
    result.map_err(|error| match error.kind() {
        ErrorKind::ConnectionRefused => {
            BenchError::while_connecting(EndReason::NotConnected(error), ready, wanted)
        }
        _ => BenchError::System(error),
    })
}
