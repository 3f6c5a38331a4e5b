//! `barewire serve`: runs the server until a signal ends it.

mod allowed;
pub mod args;
mod options;
mod passage;
mod recording;
mod wire;
mod wire_bounds;
mod wire_output;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::thread;

use self::args::Args;
pub use self::args::help;
use self::options::ServeOptions;
pub use self::wire::{Filter, WireOptions, WireView};
pub use self::wire_bounds::WireBounds;
use super::exit_status::FAILED;
use super::io_error::listen_error;
use super::listen::listen;
use super::open_files::grow_descriptor_table;
use super::signals::stop_signals;
use super::standard_streams::{self, errors_have_colors, fail, open_standard_error, report};
use crate::access_log::{AccessLog, LogForm};
use crate::app::App;

/// The bytes of the log that may wait for standard error.
const LOG_BYTES: usize = 1 << 20;

/// Serves until SIGTERM, SIGINT or SIGHUP.
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let options = match args::parse(arguments, args::defaults()) {
        Ok(Args::Serve(mut options)) => {
            options.wire.color = errors_have_colors();
            *options
        }
        Ok(Args::Help) => return super::print(&help()),
        Err(error) => return super::usage_error("barewire serve", &error),
    };
    grow_descriptor_table(options.server.max_connections);
    match stop_signals() {
        Ok((_, stop)) => until(options, stop),
        Err(error) => fail(FAILED, format_args!("cannot handle signals: {error}")),
    }
}

/// Serves until a byte or the end of the stream arrives on `stop`.
pub(super) fn until(options: ServeOptions, stop: UnixStream) -> ExitCode {
    match serve(options, stop) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(FAILED, error),
    }
}

/// The error is a message for the user.
fn serve(options: ServeOptions, stop: UnixStream) -> Result<(), String> {
    let ServeOptions { server: options, mut wire, log } = options;
    wire.bounds = WireBounds::of_share(options.buffered_bytes);
    let standard_error = open_standard_error(log, if wire.print { wire.bounds.text } else { LOG_BYTES });
    if let Some(notice) = args::notice_of_connections(&options, log) {
        report(notice);
    }
    let address = options.listen;
    let cannot_serve = |error| format!("cannot serve on {}", listen_error(address, &error));
    // The server's own write timeout must elapse first if the client's machine still acknowledges
    // data.
    let listener = listen(address, options.write_timeout.saturating_mul(2)).map_err(cannot_serve)?;
    let is_loopback = listener.local_addr().map_err(cannot_serve)?.ip().to_canonical().is_loopback();
    let is_observed = wire.print || wire.record.is_some() || options.observation.exists_on(is_loopback);
    let view = is_observed.then(|| WireView::new(&wire)).transpose().map_err(|error| error.to_string())?;
    let bound = App::standard().bind_to(listener, options);
    let mut server = bound.and_then(|bound| bound.stopped_by(stop)).map_err(cannot_serve)?;
    // Without lines of its own, the log still counts the lines of the wire view that are dropped.
    if log != LogForm::Off || wire.print {
        server = server.logging_to(Box::new(AccessLog::new(log, standard_error)));
    }
    if let Some(view) = view {
        server = server.observed_by(Box::new(view));
    }
    announce(server.local_addr());
    server.run().map_err(cannot_serve)
}

/// Writes the first line of standard output. If that is a pipe that nobody reads, only the thread
/// waits.
fn announce(address: SocketAddr) {
    let write = move || {
        if let Err(error) = standard_streams::write(format!("listening on http://{address}\n").as_bytes()) {
            report(format_args!("{error}; the server listens on http://{address}"));
        }
    };
    // Where the system permits no thread, the first line is still worth the risk of waiting.
    if thread::Builder::new().name("announcement".into()).spawn(write).is_err() {
        write();
    }
}
