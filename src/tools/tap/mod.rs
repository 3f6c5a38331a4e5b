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
use std::fs::File;
use std::io::{self, Write};
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitCode;
use std::thread;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::low_level::pipe;

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
        Err(message) => {
            eprintln!("barewire: {message}");
            ExitCode::FAILURE
        }
    }
}

/// Relays and shows bytes until a signal arrives. The error is a message for the user.
fn tap(args: Args) -> Result<(), String> {
    let to: Vec<SocketAddr> =
        args.to.to_socket_addrs().map_err(|error| format!("{}: {error}", args.to))?.collect();
    let (signals, stop) = signals().map_err(|error| error.to_string())?;
    // A connection needs two descriptors. If the limit can't be raised, further connections wait to
    // be accepted.
    let _ = rlimit::increase_nofile_limit(u64::MAX);

    let print = Output::new("standard output", Box::new(io::stdout()));
    let record = args.record.as_deref().map(create).transpose()?;
    let when_full = if record.is_some() { WhenFull::Wait } else { WhenFull::DropConnection };
    let (sender, receiver) = queue(when_full);
    let listen_error = |error: io::Error| format!("{}: {error}", args.listen);
    let mut relay = Relay::new(args.listen, to, stop, sender).map_err(listen_error)?;
    eprintln!("listening on http://{}", relay.local_addr());

    let sink = Sink::new(args.format, super::has_colors(&io::stdout()), print, record);
    let secrets = (!args.shows_secrets).then(|| SecretNames::with(&args.hide));
    let view = View::new(args.filter, secrets, sink);
    let viewing = thread::spawn(move || {
        let outcome = view.run(&receiver);
        // The relay waits for this byte. If it has ended already, the byte is not needed.
        let _ = (&signals).write_all(&[relay::VIEW_WRITTEN]);
        outcome
    });
    let relayed = relay.run().map_err(|error| error.to_string());
    if !relay.wait_for_view().map_err(|error| error.to_string())? {
        return Err("a second signal ended the tap; not all relayed bytes were written".into());
    }
    match viewing.join() {
        Ok(outcome) => relayed.and(outcome),
        Err(_) => Err("the view ended unexpectedly".into()),
    }
}

/// Returns a socket that receives a byte for each SIGTERM or SIGINT, after the end to which the
/// bytes are written.
fn signals() -> io::Result<(UnixStream, UnixStream)> {
    let (signals, stop) = UnixStream::pair()?;
    for signal in [SIGTERM, SIGINT] {
        pipe::register(signal, signals.try_clone()?)?;
    }
    Ok((signals, stop))
}

/// Creates the file of a recording.
fn create(path: &Path) -> Result<Output, String> {
    let name = path.display().to_string();
    let file = File::create(path).map_err(|error| format!("{name}: {error}"))?;
    Ok(Output::new(&name, Box::new(file)))
}
