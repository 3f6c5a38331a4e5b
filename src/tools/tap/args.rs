//! The arguments of `tap`.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use super::filter::Filter;
use super::sink::Format;
use crate::tools::args::{file, secret_name};
use crate::tools::suggest::{unexpected, unknown};

pub const HELP: &str = "\
Usage: barewire tap --to HOST:PORT [OPTION]...

Relays bytes between any client and any server without changes, and names every byte of HTTP/1.1,
event streams and WebSocket. Connect the client to the tap instead of the server. The tap relays
other protocols too, but reports only once that it can't read them.

  --listen ADDR:PORT  the address to listen on; port 0 is any free port [127.0.0.1:8081]
  --to HOST:PORT      the server; http://HOST[:PORT] is also accepted, with 80 as the default port
  --format FORMAT     text, or json (one object for each field, on one line) [text]
  --record FILE       records the connections, for barewire explain
  --wire-only WHAT    shows and records only http, sse, websocket, - (anything else), or a
                      connection by its number; may be repeated [everything]
  --show-secrets      shows and records credentials, cookies, tokens and unreadable bytes [replaced
                      by *]
  --hide NAME         also hides the values of fields and query parameters with this name; may be
                      repeated
  --help              shows this help

The view is written to standard output; the listening address and errors to standard error. The
first line on standard error is: listening on http://ADDR:PORT.

Nothing is changed, so Host and Origin name the address that the client has connected to, which is
the tap. A server that compares them with its own name may reject the request. barewire compares
them with each other and accepts it.

Traffic does not wait for the view. If 64 MiB wait to be shown, the tap stops showing the connection
that adds more, and reports it. With --record, traffic waits instead, because a recording must be
complete.

SIGINT, SIGTERM or SIGHUP closes all connections, writes the remaining view and ends the tap. A
second signal ends it at once. The exit status is 0; 1 if the tap can't listen, can't resolve HOST or can't write;
2 if the arguments are wrong.
";

/// The parsed arguments.
pub struct Args {
    pub listen: SocketAddr,
    /// The host and port of the server.
    pub to: String,
    pub format: Format,
    pub record: Option<PathBuf>,
    pub filter: Filter,
    pub shows_secrets: bool,
    /// Names of secrets, in addition to the built-in ones.
    pub hide: Vec<String>,
}

/// Parses the arguments; `None` means that help is requested. The error is a message for the user.
pub fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Option<Args>, String> {
    use lexopt::prelude::*;

    let mut args = Args {
        listen: ([127, 0, 0, 1], 8081).into(),
        to: String::new(),
        format: Format::Text,
        record: None,
        filter: Filter::default(),
        shows_secrets: false,
        hide: Vec::new(),
    };
    let mut parser = lexopt::Parser::from_args(arguments);
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        let name = match argument {
            Short('h') | Long("help") => return Ok(None),
            Long("show-secrets") => {
                args.shows_secrets = true;
                continue;
            }
            Long(name) => name.to_owned(),
            argument => return Err(unexpected(&argument, HELP)),
        };
        if !["listen", "to", "format", "record", "wire-only", "hide"].contains(&&*name) {
            return Err(unknown("option", &format!("--{name}"), HELP));
        }
        let value = parser.value().map_err(|error| error.to_string())?;
        if name == "record" {
            args.record = Some(file(&value).map_err(|message| format!("--record: {message}"))?);
            continue;
        }
        let value = value.to_str().ok_or_else(|| format!("--{name}: the value is not UTF-8"))?;
        set(&mut args, &name, value).map_err(|message| format!("--{name}: {message}"))?;
    }
    if args.to.is_empty() {
        return Err("--to HOST:PORT is missing: name the server to relay to".into());
    }
    if args.shows_secrets && !args.hide.is_empty() {
        return Err("--hide has no effect with --show-secrets: leave out one of the two".into());
    }
    Ok(Some(args))
}

fn set(args: &mut Args, name: &str, value: &str) -> Result<(), String> {
    match (name, value) {
        ("listen", _) => {
            args.listen = value
                .parse()
                .map_err(|_| format!("{value:?} is not an address with a port, such as 127.0.0.1:8081"))?;
        }
        ("to", _) => args.to = server(value)?,
        ("format", "text") => args.format = Format::Text,
        ("format", "json") => args.format = Format::Json,
        ("hide", _) => args.hide.push(secret_name(value)?),
        ("format", _) => return Err(format!("{value:?} is neither text nor json")),
        _ => args.filter.add(value)?,
    }
    Ok(())
}

/// Returns the host and port in `HOST:PORT` or in an `http` URL.
fn server(value: &str) -> Result<String, String> {
    let error = || format!("{value:?} is neither HOST:PORT nor http://HOST[:PORT]");
    let (authority, is_url) = match value.split_once("://") {
        Some(("http", rest)) => (rest.strip_suffix('/').unwrap_or(rest), true),
        Some(("https" | "wss", _)) => {
            return Err("a tap can't read TLS; put it where the traffic is not encrypted".into());
        }
        Some(_) => return Err(error()),
        None => (value, false),
    };
    let has_port = !authority.ends_with(']') && authority.contains(':');
    let authority = if is_url && !has_port { format!("{authority}:80") } else { authority.to_owned() };
    let (host, port) = authority.rsplit_once(':').ok_or_else(error)?;
    let is_host = !host.is_empty() && !host.contains(['/', '?', '#', '@']);
    let is_port = port.parse::<u16>().is_ok_and(|port| port != 0);
    if is_host && is_port { Ok(authority) } else { Err(error()) }
}

#[cfg(test)]
mod tests {
    use super::{parse, server};

    #[test]
    fn a_server_is_a_host_with_a_port_or_a_url() {
        for (value, expected) in [
            ("localhost:80", "localhost:80"),
            ("[::1]:8080", "[::1]:8080"),
            ("http://example.org", "example.org:80"),
            ("http://example.org:8080/", "example.org:8080"),
            ("http://[::1]", "[::1]:80"),
        ] {
            assert_eq!(server(value).as_deref(), Ok(expected), "{value}");
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
    fn an_error_in_the_arguments_names_the_option_and_the_value() {
        for (arguments, message) in [
            (&[][..], "--to HOST:PORT is missing"),
            (&["--to", "a"], "--to: \"a\" is neither"),
            (&["--to", "a:1", "--listen", "a"], "--listen: \"a\" is not an address"),
            (&["--to", "a:1", "--wire-only", "pigeon"], "--wire-only: \"pigeon\""),
            (&["--to", "a:1", "--record", ""], "--record: the name of the file is empty"),
            (&["--to", "a:1", "--hide", "a b"], "--hide: \"a b\" is not a name"),
            (&["--to", "a:1", "--hide", "a", "--show-secrets"], "--hide has no effect"),
            (&["--to", "a:1", "--format", "svg"], "--format: \"svg\" is neither"),
            (&["--to", "a:1", "--quiet"], "unknown option --quiet"),
            (&["--to", "a:1", "word"], "word"),
        ] {
            let error = parse(arguments.iter().map(Into::into)).err().expect("an error");
            assert!(error.contains(message), "{arguments:?}: {error}");
        }
        assert!(parse(["--help"].iter().map(Into::into)).is_ok_and(|args| args.is_none()));
    }
}
