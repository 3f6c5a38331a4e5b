//! `barewire tap`: passes bytes on between any client and any server, untouched, and shows them.
//!
//! One thread passes the bytes on (`passing`), and never waits for the other, which names and writes them (`view`): between them is
//! a queue with a bound (`feed`).

mod choice;
mod connection;
mod feed;
mod output;
mod passing;
mod view;

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::low_level::pipe;

use choice::Choice;
use feed::{Behind, feed};
use output::Output;
use passing::Passing;
use view::{Form, View};

/// The help of the subcommand.
pub const HELP: &str = "\
Usage: barewire tap --to HOST:PORT [OPTION]...

Passes bytes on between any client and any server, untouched, and says of each byte what it is: HTTP/1.1, event streams,
WebSocket. Connect to the tap in place of the server. What is none of these passes too, and that is said once.

  --listen ADDR:PORT  where to listen; port 0 is any free one [127.0.0.1:8081]
  --to HOST:PORT      the server; http://HOST[:PORT] is the same, with port 80 if there is none
  --format FORM       text, or json (an object a line for each field) [text]
  --record FILE       all that passes is kept there, for barewire explain
  --wire-only WHAT    what is shown and recorded: http, sse, websocket, - (all else), or a connection's number; may be
                      given again [any]
  --show-secrets      credentials, cookies and tokens too, and in the recording what can't be read; left out, * stands for them
  --help              this

The view is written on standard output; where the tap listens, and what goes wrong, on standard error. The first line
there is listening on http://ADDR:PORT.

Nothing is changed on the way, so Host and Origin name what the client has connected to: the tap. A server that compares
them with its own name may mind. barewire compares the two with each other, and does not.

Traffic never waits for the view. If 64 MiB wait to be shown, the connection that brings more is no longer shown, and that is said.
With --record traffic waits then, for a recording is whole.

SIGINT or SIGTERM end all connections and then the tap; what waits is written before. The second one ends it at once. The exit
status is 0; 1 if it can't listen, can't find HOST, or can't write; 2 if the arguments are wrong.
";

/// What the arguments ask for.
struct Asked {
    listen: SocketAddr,
    /// A host and a port.
    to: String,
    form: Form,
    record: Option<PathBuf>,
    choice: Choice,
    shows_secrets: bool,
}

/// Passes on and shows until a signal ends it.
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let asked = match parse(arguments) {
        Ok(Some(asked)) => asked,
        Ok(None) => return super::print(HELP),
        Err(what) => return super::usage_error(&what),
    };
    match tap(asked) {
        Ok(()) => ExitCode::SUCCESS,
        Err(what) => {
            eprintln!("barewire: {what}");
            ExitCode::FAILURE
        }
    }
}

/// Reads the arguments; `None` if the help is asked for.
fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Option<Asked>, String> {
    use lexopt::prelude::*;

    let mut asked = Asked {
        listen: ([127, 0, 0, 1], 8081).into(),
        to: String::new(),
        form: Form::Text,
        record: None,
        choice: Choice::default(),
        shows_secrets: false,
    };
    let mut parser = lexopt::Parser::from_args(arguments);
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        let name = match argument {
            Short('h') | Long("help") => return Ok(None),
            Long("show-secrets") => {
                asked.shows_secrets = true;
                continue;
            }
            Long(name) => name.to_owned(),
            argument => return Err(argument.unexpected().to_string()),
        };
        if !["listen", "to", "format", "record", "wire-only"].contains(&&*name) {
            return Err(format!("there is no option --{name} of barewire tap"));
        }
        let value = parser.value().map_err(|error| error.to_string())?;
        if name == "record" {
            asked.record = Some(value.into());
            continue;
        }
        let value = value.to_str().ok_or_else(|| format!("--{name}: the value is not UTF-8"))?;
        set(&mut asked, &name, value).map_err(|what| format!("--{name}: {what}"))?;
    }
    if asked.to.is_empty() {
        return Err("--to HOST:PORT is missing: the server to pass on to".into());
    }
    Ok(Some(asked))
}

fn set(asked: &mut Asked, name: &str, value: &str) -> Result<(), String> {
    match (name, value) {
        ("listen", _) => {
            asked.listen = value
                .parse()
                .map_err(|_| format!("{value:?} is no address with a port, such as 127.0.0.1:8081"))?;
        }
        ("to", _) => asked.to = server(value)?,
        ("format", "text") => asked.form = Form::Text,
        ("format", "json") => asked.form = Form::Json,
        ("format", _) => return Err(format!("{value:?} is neither text nor json")),
        _ => asked.choice.add(value)?,
    }
    Ok(())
}

/// A host and a port, out of those or an `http` URL.
fn server(value: &str) -> Result<String, String> {
    let wrong = || format!("{value:?} is neither HOST:PORT nor http://HOST[:PORT]");
    let (authority, is_url) = match value.split_once("://") {
        Some(("http", rest)) => (rest.strip_suffix('/').unwrap_or(rest), true),
        Some(("https" | "wss", _)) => {
            return Err("inside TLS nothing can be read; tap before it is begun".into());
        }
        Some(_) => return Err(wrong()),
        None => (value, false),
    };
    let has_port = !authority.ends_with(']') && authority.contains(':');
    let authority = if is_url && !has_port { format!("{authority}:80") } else { authority.to_owned() };
    let (host, port) = authority.rsplit_once(':').ok_or_else(wrong)?;
    let is_host = !host.is_empty() && !host.contains(['/', '?', '#', '@']);
    let is_port = port.parse::<u16>().is_ok_and(|port| port != 0);
    if is_host && is_port { Ok(authority) } else { Err(wrong()) }
}

fn tap(asked: Asked) -> Result<(), String> {
    let to: Vec<SocketAddr> =
        asked.to.to_socket_addrs().map_err(|error| format!("{}: {error}", asked.to))?.collect();
    let (told, stop) = UnixStream::pair().map_err(|error| error.to_string())?;
    for signal in [SIGTERM, SIGINT] {
        let registered = told.try_clone().and_then(|told| pipe::register(signal, told));
        registered.map_err(|error| error.to_string())?;
    }
    // Two descriptors a connection; where the limit can't be raised it stays, and what is beyond it waits to be accepted.
    let _ = rlimit::increase_nofile_limit(u64::MAX);

    let print = Output::new("standard output", Box::new(io::stdout()));
    let record = match &asked.record {
        Some(path) => {
            let name = path.display().to_string();
            let file = File::create(path).map_err(|error| format!("{name}: {error}"))?;
            Some(Output::new(&name, Box::new(file)))
        }
        None => None,
    };
    let behind = if record.is_some() { Behind::Waits } else { Behind::LeavesOut };
    let (feed, seen) = feed(behind);
    let listening = |error: io::Error| format!("{}: {error}", asked.listen);
    let mut passing = Passing::new(asked.listen, to, stop, feed).map_err(listening)?;
    eprintln!("listening on http://{}", passing.local_addr());

    let has_colors = super::has_colors(&io::stdout());
    let view = View::new(asked.form, has_colors, print, record).of(asked.choice, asked.shows_secrets);
    let viewing = thread::spawn(move || {
        let outcome = view.run(&seen);
        // Whoever waits for it waits at this socket. If nobody does, it is all the same.
        let _ = (&told).write_all(&[passing::DONE]);
        outcome
    });
    let passed = passing.run().map_err(|error| error.to_string());
    if !passing.end().map_err(|error| error.to_string())? {
        return Err("ended at once: not all that passed is written".into());
    }
    match viewing.join() {
        Ok(outcome) => passed.and(outcome),
        Err(_) => Err("the view has ended before its time".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::{parse, server};

    #[test]
    fn a_server_is_a_host_with_a_port_or_a_url() {
        for (value, is) in [
            ("localhost:80", "localhost:80"),
            ("[::1]:8080", "[::1]:8080"),
            ("http://example.org", "example.org:80"),
            ("http://example.org:8080/", "example.org:8080"),
            ("http://[::1]", "[::1]:80"),
        ] {
            assert_eq!(server(value).as_deref(), Ok(is), "{value}");
        }
        for value in [
            "localhost",
            "localhost:0",
            ":80",
            "http://",
            "http://a/b",
            "ftp://a:1",
            "https://a",
            "a:b",
            "[::1]",
            "u@a:1",
        ] {
            assert!(server(value).is_err(), "{value}");
        }
    }

    #[test]
    fn mistakes_in_the_arguments_say_what_is_wrong() {
        for (arguments, what) in [
            (&[][..], "--to HOST:PORT is missing"),
            (&["--to", "a"], "--to: \"a\" is neither"),
            (&["--to", "a:1", "--listen", "a"], "--listen: \"a\" is no address"),
            (&["--to", "a:1", "--wire-only", "pigeon"], "--wire-only: \"pigeon\""),
            (&["--to", "a:1", "--format", "svg"], "--format: \"svg\" is neither"),
            (&["--to", "a:1", "--quiet"], "there is no option --quiet"),
            (&["--to", "a:1", "word"], "word"),
        ] {
            let error = parse(arguments.iter().map(Into::into)).err().expect("a mistake");
            assert!(error.contains(what), "{arguments:?}: {error}");
        }
        assert!(parse(["--help"].iter().map(Into::into)).is_ok_and(|asked| asked.is_none()));
    }
}
