//! The processes that a bench starts: a barewire, and the bare program.

use std::io::{self, BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::process::{self, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::low_level::pipe;

use crate::load::Process;
use crate::load::bench::{Failed, Kind};

/// All that run, so that a signal ends them too.
static CHILDREN: Mutex<Vec<process::Child>> = Mutex::new(Vec::new());

/// What a shell says of a program that SIGINT has ended.
const INTERRUPTED: i32 = 130;

/// One that listens.
pub struct Child {
    /// Where.
    pub address: SocketAddr,
    id: u32,
}

impl Child {
    /// A barewire with its defaults, without a log and without a view.
    pub fn server() -> Result<Self, Failed> {
        Self::start(&["serve", "--listen", "127.0.0.1:0", "--quiet", "--no-wire"], "listening on http://")
    }

    /// The bare program.
    pub fn ceiling(kind: Kind) -> Result<Self, Failed> {
        let kind = match kind {
            Kind::Echo => "echo",
            Kind::FanOut => "fan-out",
        };
        Self::start(&["bench", "ceiling-program", kind, "127.0.0.1:0"], "listening on ")
    }

    fn start(arguments: &[&str], before: &str) -> Result<Self, Failed> {
        let mut command = Command::new(std::env::current_exe()?);
        // Its standard input ends with this process.
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let id = child.id();
        let mut line = String::new();
        if let Some(out) = child.stdout.take() {
            BufReader::new(out).read_line(&mut line)?;
        }
        CHILDREN.lock().unwrap_or_else(PoisonError::into_inner).push(child);
        let address = line.trim_end().strip_prefix(before).and_then(|address| address.parse().ok());
        let address = address
            .ok_or_else(|| Failed::Unreachable(format!("the process that was started says {line:?}")))?;
        Ok(Self { address, id })
    }

    pub const fn process(&self) -> Process {
        Process::new(self.id)
    }
}

/// Ends all that were started.
pub fn end_all() {
    for mut child in CHILDREN.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
        // One that has ended already can't be ended again.
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// Has SIGINT and SIGTERM end this process and all that it has started.
pub fn end_with_signals() {
    let Ok((told, mut stop)) = UnixStream::pair() else { return };
    for signal in [SIGTERM, SIGINT] {
        // Where it can't be had, a signal ends this process alone.
        let _ = told.try_clone().and_then(|told| pipe::register(signal, told));
    }
    thread::spawn(move || {
        let _keep = told;
        if stop.read_exact(&mut [0]).is_ok() {
            end_all();
            process::exit(INTERRUPTED);
        }
    });
}

/// Ends this process when its standard input ends, as that of a child does with its parent. At a terminal or a file it is not looked at.
pub fn end_with_input() {
    use std::os::unix::fs::FileTypeExt;
    let is_pipe = std::fs::metadata("/dev/stdin").is_ok_and(|input| input.file_type().is_fifo());
    if is_pipe {
        thread::spawn(|| {
            let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
            process::exit(0);
        });
    }
}
