//! The arguments of `barewire compare`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use super::config::CompareConfig;
use super::tracker::{MAX_EVENTS, MIN_SIZE};
use crate::client::follow::Transport;
use crate::tools::args::{bearer_token, file, header, integer, process, resource, text, utf8};
use crate::tools::load::Process;
use crate::tools::suggest::{unexpected, unknown};
use crate::transport::Policy;

pub const HELP: &str = "\
Usage: barewire compare [OPTION]...

Measures what each transport costs. Clients follow a topic over each transport in turn, on real
sockets, while the same events are published to the topic. The result shows requests, responses
without an event, bytes, the delay from publishing to arrival, and the server's CPU time and memory,
next to the figures calculated from the transports' formulas. Each transport gets its own server,
started for it, unless --url names one.

  --clients N            clients per transport [100]
  --interval TIME,…      time between two short polls: 3s, 500ms, 1m; with several times, short
                         polling is measured once for each [3s]
  --events-per-minute N  events published per minute, evenly spaced [6]
  --size BYTES           bytes of data in each event, from 8 to 65536 [200]
  --duration TIME        how long each transport is measured [60s]
  --transports NAME,…    short-poll, long-poll, sse, websocket [all]
  --wait SECONDS         how long a long poll asks the server to wait, from 1 to 60 [30]
  --url URL              the barewire server to measure, such as http://127.0.0.1:8080
  --server-pid PID       the process ID of that server, if it runs on this machine: its CPU time and
                         memory are measured
  --token TOKEN          the bearer token to send
  --header 'N: V'        another header field to send; may be repeated
  --format FORMAT        table, json or csv [table]
  --report FILE          also write the result to one HTML file, with plots
  --predict USERS        also calculate the cost for this many users from the measurement;
                         USERS@EVENTS sets the events per minute as well; may be repeated; shown in
                         the table, in JSON and in the report
  --quiet                no progress on standard error
  --help                 show this help

The result is written to standard output. Ctrl-C ends the measurement and writes the results so far;
a second Ctrl-C ends the command at once.

Exit status: 0 success; 1 the server refused or could not be reached, events were lost or duplicated,
or the result could not be written; 2 wrong arguments; 130 ended by Ctrl-C.
";

/// The format of the result on standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Table,
    Json,
    Csv,
}

/// The users for whom a prediction is made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Users {
    pub count: u64,
    /// Events per minute; those of the measurement if not given.
    pub events_per_minute: Option<f64>,
}

/// The parsed arguments.
#[derive(Debug)]
pub struct Args {
    pub config: CompareConfig,
    pub url: Option<String>,
    pub server: Option<Process>,
    pub token: Option<String>,
    pub fields: Vec<(String, String)>,
    pub format: Format,
    pub report: Option<PathBuf>,
    pub predict: Vec<Users>,
    pub is_quiet: bool,
}

/// Parses the arguments. Returns `None` for `--help`.
///
/// # Errors
/// A message that says what is wrong.
pub fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Option<Args>, String> {
    use lexopt::prelude::*;

    let mut args = Args {
        config: CompareConfig::default(),
        url: None,
        server: None,
        token: None,
        fields: Vec::new(),
        format: Format::Table,
        report: None,
        predict: Vec::new(),
        is_quiet: false,
    };
    let mut parser = lexopt::Parser::from_args(arguments);
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        let name = match argument {
            Short('h') | Long("help") => return Ok(None),
            Long("quiet") => {
                args.is_quiet = true;
                continue;
            }
            Long("report") => {
                let value = parser.value().map_err(|error| error.to_string())?;
                args.report = Some(file(&value).map_err(|message| format!("--report: {message}"))?);
                continue;
            }
            Long(name) => name.to_owned(),
            Value(value) => {
                return Err(format!("{:?}: use --url to name a server", utf8(value, "argument")?));
            }
            argument => return Err(unexpected(&argument, HELP)),
        };
        let option = format!("--{name}");
        if !WITH_VALUE.contains(&&*name) {
            return Err(unknown("option", &option, HELP));
        }
        let value = text(&mut parser, &option)?;
        set(&mut args, &name, &value).map_err(|error| format!("{option}: {error}"))?;
    }
    check(&args)?;
    Ok(Some(args))
}

/// Checks the combination of all arguments.
fn check(args: &Args) -> Result<(), String> {
    if args.server.is_some() && args.url.is_none() {
        return Err("--server-pid needs the --url of that server".into());
    }
    if !args.predict.is_empty() && args.format == Format::Csv && args.report.is_none() {
        return Err("--predict has no effect with --format csv: use another format or --report".into());
    }
    let events = args.config.events();
    if events > MAX_EVENTS {
        return Err(format!(
            "{events} events exceed the maximum of {MAX_EVENTS}: reduce --duration or --events-per-minute"
        ));
    }
    let origin = args.url.as_deref().unwrap_or("http://127.0.0.1");
    if origin.contains(['?', '#']) {
        return Err(format!(
            "--url: {origin:?} has a query or a fragment: use only an origin and a path, without a topic"
        ));
    }
    resource(origin, args.token.as_deref(), &args.fields)?;
    Ok(())
}

/// The options that take a value and are handled by [`set`].
const WITH_VALUE: [&str; 13] = [
    "clients",
    "interval",
    "events-per-minute",
    "size",
    "duration",
    "transports",
    "wait",
    "url",
    "server-pid",
    "token",
    "header",
    "format",
    "predict",
];

fn set(args: &mut Args, name: &str, value: &str) -> Result<(), String> {
    let config = &mut args.config;
    match name {
        "clients" => config.clients = integer(value, 1, 1_000_000)?,
        "interval" => config.intervals = list(value, |item| time(item, 0.01))?,
        "events-per-minute" => config.events_per_minute = rate(value)?,
        "size" => config.size = integer(value, MIN_SIZE, Policy::default().event_bytes)?,
        "duration" => config.duration = time(value, 0.1)?,
        "transports" => config.transports = list(value, transport)?,
        "wait" => config.wait = integer(value, 1, u16::from(Policy::default().max_wait))?,
        "url" => args.url = Some(value.to_owned()),
        "server-pid" => args.server = Some(process(value)?),
        "token" => args.token = Some(bearer_token(value)?),
        "predict" => {
            let (count, events) =
                value.split_once('@').map_or((value, None), |(count, events)| (count, Some(events)));
            let count = integer(count, 1, 1_000_000_000_000)?;
            args.predict.push(Users { count, events_per_minute: events.map(rate).transpose()? });
        }
        "header" => args.fields.push(header(value)?),
        _ => {
            args.format = match value {
                "table" => Format::Table,
                "json" => Format::Json,
                "csv" => Format::Csv,
                _ => return Err(format!("{value:?} is not a format: use table, json or csv")),
            };
        }
    }
    Ok(())
}

/// Parses a number of events per minute. A rate below one event per day cannot be measured.
fn rate(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number| *number == 0.0 || (0.001..=600_000.0).contains(number));
    number.map(f64::abs).ok_or_else(|| format!("{text:?} is not a number from 0.001 to 600000, or 0"))
}

fn list<T: PartialEq>(text: &str, item: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
    let items: Vec<T> = text.split(',').map(|part| item(part.trim())).collect::<Result<_, _>>()?;
    let has_duplicates = items.iter().enumerate().any(|(index, item)| items[..index].contains(item));
    if has_duplicates { Err(format!("{text:?} contains an item twice")) } else { Ok(items) }
}

fn transport(name: &str) -> Result<Transport, String> {
    Transport::named(name)
        .ok_or_else(|| format!("{name:?} is not a transport: use short-poll, long-poll, sse or websocket"))
}

/// Parses a time in ms, s or m, from `min` seconds to a day. A number without a unit is in seconds.
fn time(text: &str, min: f64) -> Result<Duration, String> {
    let unit = text.find(|character: char| character.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit);
    let factor = match unit {
        "ms" => Some(0.001),
        "s" | "" => Some(1.0),
        "m" => Some(60.0),
        _ => None,
    };
    let seconds = number.parse().ok().zip(factor).map(|(number, factor): (f64, f64)| number * factor);
    let seconds = seconds.filter(|seconds| (min..=86_400.0).contains(seconds));
    seconds
        .map(Duration::from_secs_f64)
        .ok_or_else(|| format!("{text:?} is not a time from {min} s to a day, such as 3s, 500ms or 1m"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(arguments: &[&str]) -> Result<Option<Args>, String> {
        parse(arguments.iter().map(Into::into))
    }

    fn config(arguments: &[&str]) -> CompareConfig {
        args(arguments).expect("valid arguments").expect("no --help").config
    }

    #[test]
    fn the_defaults_equal_the_documented_arguments() {
        assert_eq!(config(&[]), CompareConfig::default());
        let arguments = "--clients 100 --interval 3s --events-per-minute 6 --size 200 --duration 60s \
                         --transports short-poll,long-poll,sse,websocket --wait 30";
        let arguments: Vec<_> = arguments.split_whitespace().collect();
        assert_eq!(config(&arguments), CompareConfig::default());
        let Policy { event_bytes, max_wait, .. } = Policy::default();
        assert!(HELP.contains(&format!("from {MIN_SIZE} to {event_bytes} ")), "the limit of --size");
        assert!(HELP.contains(&format!("from 1 to {max_wait} ")), "the limit of --wait");
    }

    #[test]
    fn parses_times_with_units_and_lists_of_intervals() {
        let arguments = ["--interval", "500ms, 3,1.5s,2m", "--duration=1m", "--transports", "sse"];
        let config = config(&arguments);
        let milliseconds: Vec<_> = config.intervals.iter().map(Duration::as_millis).collect();
        assert_eq!(milliseconds, [500, 3000, 1500, 120_000]);
        assert_eq!((config.duration.as_secs(), config.transports), (60, vec![Transport::EventStream]));
    }

    #[test]
    fn errors_say_what_is_wrong() {
        for (arguments, message) in [
            (&["--clients", "0"][..], "--clients: \"0\" is not a whole number from 1"),
            (&["--interval", "3h"], "--interval: \"3h\" is not a time from 0.01 s to a day"),
            (&["--interval", "NaN"], "--interval: \"NaN\" is not a time"),
            (&["--interval", "3s,3s"], "contains an item twice"),
            (&["--interval", ""], "--interval: \"\" is not a time"),
            (&["--events-per-minute", "-1"], "--events-per-minute: \"-1\" is not a number"),
            (&["--events-per-minute", "1e-300"], "--events-per-minute: \"1e-300\" is not a number"),
            (
                &["--events-per-minute", "600000", "--duration", "1440m"],
                "864000000 events exceed the maximum",
            ),
            (&["--url", "ftp://127.0.0.1"], "the URL has no supported scheme"),
            (&["--url", "http://127.0.0.1?topic"], "has a query or a fragment"),
            (&["--header", "Host: a"], "The handshake sets this field itself"),
            (
                &["--url", "http://127.0.0.1", "--server-pid", "4294967295"],
                "--server-pid: process 4294967295: ",
            ),
            (&["--size", "7"], "--size: \"7\" is not a whole number from 8"),
            (&["--transports", "carrier-pigeon"], "\"carrier-pigeon\" is not a transport"),
            (&["--predict", "many"], "--predict: \"many\" is not a whole number"),
            (&["--predict", "10@often"], "--predict: \"often\" is not a number"),
            (&["--report", ""], "--report: the name of the file is empty"),
            (&["--predict", "10", "--format", "csv"], "--predict has no effect with --format csv"),
            (&["--wait", "61"], "--wait: \"61\" is not a whole number from 1 to 60"),
            (&["--format", "xml"], "--format: \"xml\" is not a format"),
            (&["--server-pid", "1"], "--server-pid needs the --url"),
            (&["--nonsense", "1"], "unknown option --nonsense"),
            (&["http://127.0.0.1"], "use --url to name a server"),
            (&["--clients"], "--clients"),
        ] {
            let error = args(arguments).expect_err("a mistake");
            assert!(error.contains(message), "{arguments:?}: {error}");
        }
    }
}
