//! The options of `serve`: one table for parsing and for the help.

use std::ffi::OsString;
use std::fmt::Write;
use std::net::SocketAddr;

use crate::hub::Tick;
use crate::protocol::http::MAX_FIELD_LINES;
use crate::protocol::http::fields::bearer;
use crate::server::{LogForm, Options, WireEndpoint};
use crate::transport::access::is_origin;

/// What can be chosen of the wire view, as the log calls it; `-` is all else.
const TRANSPORTS: [&str; 6] = ["short-poll", "long-poll", "sse", "websocket", "publish", "-"];

/// What an option takes, and how it is set. An error says what is wrong with the value.
enum Take {
    /// It stands alone.
    Nothing(fn(&mut Options)),
    /// It takes a value: what the help calls it, how it is set, and its default as text.
    Value(&'static str, fn(&mut Options, &str) -> Result<(), String>, fn(&Options) -> String),
}

struct Row {
    name: &'static str,
    take: Take,
    help: &'static str,
}

/// A number from `low` to `high`.
fn number<T: TryFrom<u64>>(text: &str, low: u64, high: u64) -> Result<T, String> {
    let number = text.parse().ok().filter(|number| (low..=high).contains(number));
    number.and_then(|number| T::try_from(number).ok()).ok_or_else(|| match high {
        ANY => format!("{text:?} is no whole number of at least {low}"),
        _ => format!("{text:?} is no whole number from {low} to {high}"),
    })
}

fn token(text: &str) -> Result<Option<String>, String> {
    if bearer(format!("Bearer {text}").as_bytes()) == Some(text.as_bytes()) {
        return Ok(Some(text.to_owned()));
    }
    Err("a token is of A-Z a-z 0-9 - . _ ~ + / with = at its end (RFC 6750 §2.1)".into())
}

fn none(_: &Options) -> String {
    "none".into()
}

/// A row whose value is a number from one bound to another.
macro_rules! number {
    ($name:literal, $value:literal, $help:literal, $low:expr, $high:expr, $($field:ident).+) => {
        Row {
            name: $name,
            take: Take::Value(
                $value,
                |options, text| {
                    options.$($field).+ = number(text, $low, $high)?;
                    Ok(())
                },
                |options| options.$($field).+.to_string(),
            ),
            help: $help,
        }
    };
}

/// A row whose value is a number where there is a bound, and by default there is none.
macro_rules! optional {
    ($name:literal, $value:literal, $help:literal, $low:expr, $high:expr, $($field:ident).+) => {
        Row {
            name: $name,
            take: Take::Value(
                $value,
                |options, text| {
                    options.$($field).+ = Some(number(text, $low, $high)?);
                    Ok(())
                },
                |_| "any".into(),
            ),
            help: $help,
        }
    };
}

/// A day: longer than any time here has to be.
const DAY: u64 = 86_400;
const ANY: u64 = u64::MAX;

const ROWS: &[Row] = &[
    Row {
        name: "listen",
        take: Take::Value(
            "ADDR:PORT",
            |options, text| {
                let address = text.parse::<SocketAddr>();
                options.listen = address
                    .map_err(|_| format!("{text:?} is no address with a port, such as 127.0.0.1:8080"))?;
                Ok(())
            },
            |options| options.listen.to_string(),
        ),
        help: "where to listen; port 0 is any free one",
    },
    Row {
        name: "publish-token",
        take: Take::Value(
            "TOKEN",
            |options, text| {
                options.policy.access.publish_token = token(text)?;
                Ok(())
            },
            none,
        ),
        help: "whoever publishes has to bring this one; it allows following too",
    },
    Row {
        name: "follow-token",
        take: Take::Value(
            "TOKEN",
            |options, text| {
                options.policy.access.follow_token = token(text)?;
                Ok(())
            },
            none,
        ),
        help: "whoever follows has to bring this one",
    },
    Row {
        name: "allow-origin",
        take: Take::Value(
            "ORIGIN",
            |options, text| {
                if text != "*" && text != "null" && !is_origin(text) {
                    return Err(format!("{text:?} is no origin, such as https://example.org"));
                }
                options.policy.access.allowed_origins.push(text.to_owned());
                Ok(())
            },
            none,
        ),
        help: "a foreign origin whose pages may publish and follow; * is every one; may be given again",
    },
    Row {
        name: "quiet",
        take: Take::Nothing(|options| options.log = LogForm::Off),
        help: "no log of requests",
    },
    Row {
        name: "log",
        take: Take::Value(
            "FORM",
            |options, text| {
                options.log = match text {
                    "text" => LogForm::Text,
                    "json" => LogForm::Json,
                    _ => return Err(format!("{text:?} is neither text nor json")),
                };
                Ok(())
            },
            |_| "text".into(),
        ),
        help: "a line a request on standard error: text or json",
    },
    Row {
        name: "wire",
        take: Take::Nothing(|options| {
            options.wire.print = true;
            options.wire.endpoint = WireEndpoint::Everywhere;
        }),
        help: "each byte that passes is named on standard error; /wire is there elsewhere than on loopback, too",
    },
    Row {
        name: "wire-only",
        take: Take::Value(
            "WHAT",
            |options, text| {
                if let Ok(connection) = text.parse() {
                    options.wire.choice.connections.push(connection);
                    return Ok(());
                }
                if !TRANSPORTS.contains(&text) {
                    return Err(format!(
                        "{text:?} is no connection's number and none of {}",
                        TRANSPORTS.join(", ")
                    ));
                }
                options.wire.choice.transports.push(text.to_owned());
                Ok(())
            },
            |_| "any".into(),
        ),
        help: "a transport or a connection's number that is shown and recorded; may be given again",
    },
    Row {
        name: "record",
        take: Take::Value(
            "FILE",
            |options, text| {
                options.wire.record = Some(text.into());
                Ok(())
            },
            none,
        ),
        help: "all that passes is kept there, for barewire explain; secrets are hidden",
    },
    Row {
        name: "no-wire",
        take: Take::Nothing(|options| options.wire.endpoint = WireEndpoint::Nowhere),
        help: "no /wire on loopback either",
    },
    number!("max-connections", "N", "connections at once", 1, ANY, max_connections),
    optional!(
        "max-per-address",
        "N",
        "connections at once from one address, or one IPv6 /64",
        1,
        u32::MAX as u64,
        connections_per_address
    ),
    optional!("max-requests", "N", "requests on one connection", 1, u32::MAX as u64, requests),
    optional!(
        "max-message-rate",
        "N",
        "messages and control frames on one WebSocket in a second",
        1,
        u32::MAX as u64,
        messages_per_second
    ),
    number!(
        "max-outbox-bytes",
        "BYTES",
        "how much waits for one connection before it is not read from",
        1 << 10,
        1 << 30,
        outbox_bytes
    ),
    number!(
        "max-buffered-bytes",
        "BYTES",
        "what all connections hold together; beyond it the one that holds the most ends",
        1 << 20,
        ANY,
        buffered_bytes
    ),
    number!("max-topics", "N", "topics; the longest unused one without followers goes", 1, ANY, hub.topics),
    number!(
        "window-events",
        "N",
        "events that a topic keeps at least, while the bytes allow",
        1,
        ANY,
        hub.window_events
    ),
    number!("window-bytes", "BYTES", "events of all topics together at most", 1 << 10, ANY, hub.window_bytes),
    Row {
        name: "window-age",
        take: Take::Value(
            "SECONDS",
            |options, text| {
                let seconds: u32 = number(text, 1, 365 * DAY)?;
                options.hub.window_age = Some(seconds * Tick::PER_SECOND);
                Ok(())
            },
            |_| "any".into(),
        ),
        help: "the age from which on an event may go",
    },
    number!(
        "encoded-bytes",
        "BYTES",
        "encodings of events at most; they are made anew when needed",
        1 << 10,
        ANY,
        hub.encoded_bytes
    ),
    number!(
        "max-event-bytes",
        "BYTES",
        "the data of one event at most, and a WebSocket message on a topic",
        1,
        16 << 20,
        policy.event_bytes
    ),
    number!("max-batch-bytes", "BYTES", "a body of many events at most", 1, 1 << 30, policy.batch_bytes),
    number!("max-head-bytes", "BYTES", "a request's head at most", 256, 1 << 20, head.bytes),
    number!("max-request-line", "BYTES", "a request's first line at most", 64, 1 << 20, head.request_line),
    number!(
        "max-field-lines",
        "N",
        "a request's field lines at most",
        1,
        MAX_FIELD_LINES as u64,
        head.field_lines
    ),
    number!("max-echo-bytes", "BYTES", "a WebSocket message to /echo at most", 1, 1 << 30, echo_bytes),
    number!(
        "max-echo-contexts",
        "N",
        "connections to /echo that keep a window of compression, 400 KiB each",
        0,
        ANY,
        echo_contexts
    ),
    Row {
        name: "no-compression",
        take: Take::Nothing(|options| options.policy.compress = false),
        help: "no permessage-deflate on WebSockets",
    },
    number!(
        "compress-from",
        "BYTES",
        "the smallest message on a topic that is compressed, where that was agreed on",
        0,
        ANY,
        policy.compress_from
    ),
    number!(
        "max-message-frames",
        "N",
        "frames of one WebSocket message, empty ones too",
        1,
        ANY,
        message_frames
    ),
    number!(
        "max-wait",
        "SECONDS",
        "how long a long poll is held at most, up to 255",
        0,
        255,
        policy.max_wait
    ),
    number!(
        "retry",
        "MS",
        "how long followers wait before they come again; a random part of as much is added",
        0,
        3_600_000,
        policy.retry
    ),
    number!("heartbeat", "SECONDS", "between two comments of a silent event stream", 1, DAY, heartbeat),
    number!("ping-interval", "SECONDS", "a WebSocket's silence before it is pinged", 1, DAY, ping_interval),
    number!("pong-timeout", "SECONDS", "its silence after that before it is dropped", 1, DAY, pong_timeout),
    number!("head-timeout", "SECONDS", "for a request's head to come", 1, DAY, head_timeout),
    number!("body-timeout", "SECONDS", "for a request's body to come", 1, DAY, body_timeout),
    number!("idle-timeout", "SECONDS", "between two requests", 1, DAY, idle_timeout),
    number!(
        "write-timeout",
        "SECONDS",
        "for a client to take anything of what it is owed; for its machine to acknowledge it, twice that",
        1,
        DAY,
        write_timeout
    ),
    number!("close-timeout", "SECONDS", "for a WebSocket's close to be answered", 1, DAY, close_timeout),
    number!("linger", "SECONDS", "for a client to end its side, after the last answer", 1, DAY, linger),
    number!("drain-timeout", "SECONDS", "for all to end, after SIGTERM or SIGINT", 1, DAY, drain_timeout),
];

/// Descriptors that are no connection's: the standard three, the listener, the poll, the stop stream, those of
/// connections that are only told to come again, and some over.
const RESERVE: u64 = 100;

/// The defaults of the command: as many connections as there may be open files, less a reserve. The soft limit is
/// raised to the hard one; where that can't be done, it stays.
pub fn defaults() -> Options {
    let library = Options::default();
    let files = rlimit::increase_nofile_limit(u64::MAX).unwrap_or(library.max_connections as u64 + RESERVE);
    let connections = files.saturating_sub(RESERVE).max(1);
    Options { max_connections: usize::try_from(connections).unwrap_or(usize::MAX), ..library }
}

/// What the arguments ask for.
pub enum Args {
    /// To serve.
    Serve(Box<Options>),
    /// To be told how.
    Help,
}

/// Reads the arguments over the defaults. The error says what is wrong.
pub fn parse(arguments: impl Iterator<Item = OsString>, defaults: Options) -> Result<Args, String> {
    use lexopt::prelude::*;

    let mut options = Options { log: LogForm::Text, ..defaults };
    let mut quiet = false;
    let mut parser = lexopt::Parser::from_args(arguments);
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        let name = match argument {
            Short('h') | Long("help") => return Ok(Args::Help),
            Long(name) => name.to_owned(),
            argument => return Err(argument.unexpected().to_string()),
        };
        quiet |= name == "quiet";
        let row =
            ROWS.iter().find(|row| row.name == name).ok_or_else(|| format!("there is no option --{name}"))?;
        match row.take {
            Take::Nothing(set) => set(&mut options),
            Take::Value(_, set, _) => {
                let value = parser.value().map_err(|error| error.to_string())?;
                let value = value.to_str().ok_or_else(|| format!("--{name}: the value is not UTF-8"))?;
                set(&mut options, value).map_err(|what| format!("--{name}: {what}"))?;
            }
        }
    }
    if quiet {
        options.log = LogForm::Off;
    }
    Ok(Args::Serve(Box::new(options)))
}

/// The help: all options in one table, with their defaults.
pub fn help() -> String {
    let defaults = defaults();
    let mut out = String::from("Options of barewire serve:\n\n");
    let rows = ROWS.iter().map(|row| match row.take {
        Take::Nothing(_) => (format!("--{}", row.name), String::new(), row.help),
        Take::Value(value, _, show) => (format!("--{} {value}", row.name), show(&defaults), row.help),
    });
    for (option, default, help) in rows.chain([("--help".into(), String::new(), "this table")]) {
        // Writing to a String can't fail.
        let _ = match &*default {
            "" => writeln!(out, "  {option:<30}  {help}"),
            default => writeln!(out, "  {option:<30}  {help} [{default}]"),
        };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{Args, ROWS, Take, parse};
    use crate::server::Options;

    fn asked(arguments: &[&str]) -> Result<Options, String> {
        match parse(arguments.iter().map(Into::into), Options::default())? {
            Args::Serve(options) => Ok(*options),
            Args::Help => Err("help".into()),
        }
    }

    #[test]
    fn options_are_read_and_mistakes_say_what_is_wrong() {
        let options = asked(&["--listen", "[::1]:0", "--max-wait=7", "--allow-origin", "https://a.example"])
            .expect("right");
        assert_eq!(options.listen.to_string(), "[::1]:0");
        assert_eq!(options.policy.max_wait, 7);
        assert_eq!(options.policy.access.allowed_origins, ["https://a.example"]);
        for (arguments, what) in [
            (&["--listen", "nowhere"][..], "--listen: \"nowhere\" is no address"),
            (&["--max-wait", "256"], "--max-wait: \"256\" is no whole number from 0 to 255"),
            (&["--heartbeat", "0"], "--heartbeat: \"0\" is no whole number from 1"),
            (&["--allow-origin", "a.example"], "--allow-origin: \"a.example\" is no origin"),
            (&["--publish-token", ""], "--publish-token: a token is"),
            (&["--follow-token", "p@ss!"], "--follow-token: a token is"),
            (&["--log", "xml"], "--log: \"xml\" is neither"),
            (&["--nonsense"], "there is no option --nonsense"),
            (&["--listen"], "--listen"),
            (&["word"], "word"),
        ] {
            let error = asked(arguments).expect_err("a mistake");
            assert!(error.contains(what), "{arguments:?}: {error}");
        }
    }

    #[test]
    fn every_default_is_a_value_that_its_option_takes() {
        let defaults = Options::default();
        for row in ROWS {
            if let Take::Value(_, set, show) = &row.take {
                let default = show(&defaults);
                if default != "none" && default != "any" {
                    set(&mut Options::default(), &default)
                        .unwrap_or_else(|what| panic!("--{}: {what}", row.name));
                }
            }
        }
    }
}
