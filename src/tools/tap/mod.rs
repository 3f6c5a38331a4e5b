//! `barewire tap`: relays bytes between any client and any server without changes, and shows them.
//!
//! One thread relays the bytes ([`relay`]). It never waits for the thread that names and writes
//! them ([`view`]); a bounded queue connects the two ([`queue`]).

mod args;
mod connection;
mod filter;
mod output;
mod queue;
mod relay;
mod sink;
mod tracker;
mod view;

use std::ffi::OsString;
use std::io::Write;
use std::net::{SocketAddr, ToSocketAddrs};
use std::process::ExitCode;
use std::thread;

use super::exit_status::FAILED;
use super::io_error::listen_error;
use super::recorded_file::RecordedFile;
use super::signals::stop_signals;
use super::standard_streams::{StandardOutput, fail, output_has_colors, report, standard_error};
use args::Args;
use output::Output;
use queue::{WhenFull, queue};
use relay::Relay;
use sink::Sink;
use view::View;

use crate::wire::SecretNames;

/// Runs the command.
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let args = match args::parse(arguments) {
        Ok(Some(args)) => args,
        Ok(None) => return super::print(args::HELP),
        Err(message) => return super::usage_error("barewire tap", &message),
    };
    match tap(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => fail(FAILED, message),
    }
}

/// Relays and shows bytes until a signal arrives. The error is a message for the user.
fn tap(args: Args) -> Result<(), String> {
    let unknown = |error| format!("{}: {error}: check the host after --to", args.to);
    let to: Vec<SocketAddr> = args.to.to_socket_addrs().map_err(unknown)?.collect();
    let record = args.record.as_deref().map(RecordedFile::create).transpose();
    let record = record.map_err(|error| error.to_string())?;
    let (signals, stop) = stop_signals().map_err(|error| format!("cannot handle signals: {error}"))?;
    // A connection needs two descriptors. If the limit can't be raised, further connections wait to
    // be accepted.
    let _ = rlimit::increase_nofile_limit(u64::MAX);

    let print = Output::new("standard output", Box::new(StandardOutput));
    let when_full = if record.is_some() { WhenFull::Wait } else { WhenFull::DropConnection };
    let (sender, receiver) = queue(when_full);
    let cannot_listen = |error| listen_error(args.listen, &error);
    let mut relay = Relay::new(args.listen, to, stop, sender).map_err(cannot_listen)?;
    standard_error().write(format!("listening on http://{}\n", relay.local_addr()).as_bytes());

    let name = args.record.unwrap_or_default().display().to_string();
    if record.as_ref().is_some_and(RecordedFile::is_unopened_pipe) {
        report(format_args!("{name}: this is a named pipe: the recording and the view wait for its reader"));
    }
    let record = record.map(|file| Output::new(&name, Box::new(file)));
    let sink = Sink::new(args.format, output_has_colors(), print, record);
    let secrets = (!args.shows_secrets).then(|| SecretNames::with(&args.hide));
    let view = View::new(args.filter, secrets, sink);
    let viewing = thread::Builder::new().name("view".into()).spawn(move || {
        let outcome = view.run(&receiver);
        // The relay waits for this byte. If it has ended already, the byte is not needed.
        let _ = (&signals).write_all(&[relay::VIEW_WRITTEN]);
        outcome
    });
    let viewing = viewing.map_err(|error| format!("cannot start a thread: {error}"))?;
    let relayed = relay.run().map_err(|error| error.to_string());
    if !relay.wait_for_view().map_err(|error| error.to_string())? {
        return Err("a second signal ended the tap; not all relayed bytes were written".into());
    }
    match viewing.join() {
        Ok(outcome) => relayed.and(outcome),
        Err(_) => Err("the view ended unexpectedly".into()),
    }
}
