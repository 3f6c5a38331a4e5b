//! `barewire serve`: runs the server until a signal ends it.

pub mod args;
mod options;
mod wire;
mod wire_output;

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::low_level::pipe;

use self::args::Args;
pub use self::args::help;
use self::options::ServeOptions;
pub use self::wire::{Filter, WireOptions, WireView};
use super::listen::listen;
use crate::server::Server;

/// Serves until SIGTERM or SIGINT.
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let options = match args::parse(arguments, args::defaults()) {
        Ok(Args::Serve(mut options)) => {
            options.wire.color = super::has_colors(&io::stderr());
            *options
        }
        Ok(Args::Help) => return super::print(&help()),
        Err(error) => return super::usage_error("barewire serve", &error),
    };
    match stop_signals() {
        Ok(stop) => until(options, stop),
        Err(error) => {
            eprintln!("barewire: cannot handle signals: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Returns a stream that receives a byte for each SIGTERM and SIGINT.
fn stop_signals() -> io::Result<UnixStream> {
    let (sender, stop) = UnixStream::pair()?;
    for signal in [SIGTERM, SIGINT] {
        pipe::register(signal, sender.try_clone()?)?;
    }
    Ok(stop)
}

/// Serves until a byte or the end of the stream arrives on `stop`.
pub(super) fn until(options: ServeOptions, stop: UnixStream) -> ExitCode {
    let listen = options.server.listen;
    match serve(options, stop) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("barewire: cannot serve on {listen}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(options: ServeOptions, stop: UnixStream) -> io::Result<()> {
    let ServeOptions { server: options, wire } = options;
    // The server's own write timeout must elapse first if the client's machine still acknowledges
    // data.
    let listener = listen(options.listen, options.write_timeout.saturating_mul(2))?;
    let is_loopback = listener.local_addr()?.ip().is_loopback();
    let is_observed = wire.print || wire.record.is_some() || options.observation.exists_on(is_loopback);
    let mut server = Server::with_listener(listener, options, Some(stop))?;
    if is_observed {
        server = server.observed_by(Box::new(WireView::new(&wire)?));
    }
    let mut out = io::stdout();
    writeln!(out, "listening on http://{}", server.local_addr())?;
    out.flush()?;
    server.run()
}
