//! `barewire serve`.

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::low_level::pipe;

use super::options::{self, Asked};
use crate::server::{Options, Server};

/// Descriptors that are no connection's: the standard three, the listener, the poll, the stop stream, those of
/// connections that are only told to come again, and some over.
const RESERVE: u64 = 100;

/// Serves until a signal ends it.
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let options = match options::parse(arguments, defaults()) {
        Ok(Asked::Serve(options)) => *options,
        Ok(Asked::Help) => {
            print!("{}", options::help());
            return ExitCode::SUCCESS;
        }
        Err(what) => return super::mistake(&what),
    };
    let listen = options.listen;
    match serve(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("barewire: {listen}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The defaults of the command: as many connections as there may be open files, less a reserve. The soft limit is
/// raised to the hard one; where that can't be done, it stays.
pub fn defaults() -> Options {
    let library = Options::default();
    let files = rlimit::increase_nofile_limit(u64::MAX).unwrap_or(library.max_connections as u64 + RESERVE);
    let connections = files.saturating_sub(RESERVE).max(1);
    Options { max_connections: usize::try_from(connections).unwrap_or(usize::MAX), ..library }
}

fn serve(options: Options) -> io::Result<()> {
    let (told, stop) = UnixStream::pair()?;
    for signal in [SIGTERM, SIGINT] {
        pipe::register(signal, told.try_clone()?)?;
    }
    let server = Server::bind(options, Some(stop))?;
    let mut out = io::stdout();
    writeln!(out, "listening on http://{}", server.local_addr())?;
    out.flush()?;
    server.run()
}
