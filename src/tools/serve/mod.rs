//! `barewire serve`.

pub mod args;

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::low_level::pipe;

use self::args::Args;
pub use self::args::help;
use super::listen::listen;
use crate::server::{Options, Server};

/// Serves until a signal ends it.
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let options = match args::parse(arguments, args::defaults()) {
        Ok(Args::Serve(mut options)) => {
            options.wire.color = super::has_colors(&io::stderr());
            *options
        }
        Ok(Args::Help) => return super::print(&help()),
        Err(what) => return super::usage_error(&what),
    };
    match signals() {
        Ok(stop) => until(options, stop),
        Err(error) => {
            eprintln!("barewire: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Where a byte comes for each signal that asks to end.
fn signals() -> io::Result<UnixStream> {
    let (told, stop) = UnixStream::pair()?;
    for signal in [SIGTERM, SIGINT] {
        pipe::register(signal, told.try_clone()?)?;
    }
    Ok(stop)
}

/// Serves until `stop` tells, with a byte or its end.
pub(super) fn until(options: Options, stop: UnixStream) -> ExitCode {
    let listen = options.listen;
    match serve(options, stop) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("barewire: {listen}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(options: Options, stop: UnixStream) -> io::Result<()> {
    // The write timeout goes first wherever the client's machine answers at all.
    let listener = listen(options.listen, options.write_timeout.saturating_mul(2))?;
    let server = Server::with_listener(listener, options, Some(stop))?;
    let mut out = io::stdout();
    writeln!(out, "listening on http://{}", server.local_addr())?;
    out.flush()?;
    server.run()
}
