//! What the arguments of `barewire compare` ask for.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use crate::client::follow::Via;
use crate::tools::args::{bearer_token, header, process, resource, text, utf8};
use crate::tools::compare::{MIN_SIZE, MOST_EVENTS, Plan};
use crate::tools::load::Process;

/// The help of the subcommand.
pub const HELP: &str = "\
Usage: barewire compare [OPTION]...

Clients follow a topic over each transport in turn, with real sockets, while the same events are published to it. Says what
each has cost, beside what arithmetic says: requests, answers without an event, bytes, the delay from publishing to arrival,
CPU and memory of the server. Each transport meets a server of its own, started for it, unless --url names another.

  --clients N            clients of each transport [100]
  --interval TIME,…      from one short poll to the next: 3s, 500ms, 1m; for each of several short polling is measured [3s]
  --events-per-minute N  how many are published in a minute, evenly [6]
  --size BYTES           data in each event, from 8 to 65536 [200]
  --duration TIME        for which each is measured [60s]
  --transports NAME,…    short-poll, long-poll, sse, websocket [all]
  --wait SECONDS         for which a long poll asks to be held, from 1 to 60 [30]
  --url URL              another barewire, as http://127.0.0.1:8080, in place of one of its own
  --server-pid PID       the process of that, if it is on this machine: its CPU time and memory are measured
  --token TOKEN          the bearer token to send
  --header 'N: V'        another field to send; may be given again
  --format FORM          table, json or csv [table]
  --report FILE          the same with plots, in one HTML file
  --predict USERS        what so many users would cost, calculated from what is measured; USERS@EVENTS is at so many events a
                         minute; may be given again; told in the table, in JSON and in the report
  --quiet                no progress on standard error
  --help                 this

The result is written on standard output. Ctrl-C ends the measurement, and what was measured so far is written; a second one
ends at once.

Exit status: 0 all is measured; 1 the server refuses, or can't be reached, or events were lost or came twice, or the result
can't be written; 2 a mistake in the arguments; 130 a Ctrl-C has ended it.
";

/// How the result is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Table,
    Json,
    Csv,
}

/// For whom a prediction is made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Users {
    pub count: u64,
    /// As many as are measured with, if none are named.
    pub events_per_minute: Option<f64>,
}

/// What the arguments ask for.
#[derive(Debug)]
pub(super) struct Asked {
    pub plan: Plan,
    pub url: Option<String>,
    pub server: Option<Process>,
    pub token: Option<String>,
    pub fields: Vec<(String, String)>,
    pub form: Form,
    pub report: Option<PathBuf>,
    pub predict: Vec<Users>,
    pub is_quiet: bool,
}

/// Reads the arguments; `None` if the help is asked for.
pub(super) fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Option<Asked>, String> {
    use lexopt::prelude::*;

    let mut asked = Asked {
        plan: Plan::default(),
        url: None,
        server: None,
        token: None,
        fields: Vec::new(),
        form: Form::Table,
        report: None,
        predict: Vec::new(),
        is_quiet: false,
    };
    let mut parser = lexopt::Parser::from_args(arguments);
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        let name = match argument {
            Short('h') | Long("help") => return Ok(None),
            Long("quiet") => {
                asked.is_quiet = true;
                continue;
            }
            Long("report") => {
                asked.report = Some(parser.value().map_err(|error| error.to_string())?.into());
                continue;
            }
            Long(name) => name.to_owned(),
            Value(value) => {
                return Err(format!("{:?}: a server is named with --url", utf8(value, "argument")?));
            }
            argument => return Err(argument.unexpected().to_string()),
        };
        let option = format!("--{name}");
        if !TAKES_A_VALUE.contains(&&*name) {
            return Err(format!("there is no option {option} of barewire compare"));
        }
        let value = text(&mut parser, &option)?;
        set(&mut asked, &name, &value).map_err(|what| format!("{option}: {what}"))?;
    }
    if asked.server.is_some() && asked.url.is_none() {
        return Err("--server-pid is for the server that --url names".into());
    }
    if !asked.predict.is_empty() && asked.form == Form::Csv && asked.report.is_none() {
        return Err("--predict is not told in CSV: ask for a table, JSON or a report".into());
    }
    let plan = &asked.plan;
    if plan.events() > MOST_EVENTS {
        return Err(format!(
            "{} events are more than the {MOST_EVENTS} that can be told apart: less of --duration or --events-per-minute",
            plan.events()
        ));
    }
    let origin = asked.url.as_deref().unwrap_or("http://127.0.0.1");
    if origin.contains(['?', '#']) {
        return Err(format!(
            "--url: {origin:?} has more than an origin and a path: the topic comes behind it"
        ));
    }
    resource(origin, asked.token.as_deref(), &asked.fields)?;
    Ok(Some(asked))
}

const TAKES_A_VALUE: [&str; 13] = [
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

fn set(asked: &mut Asked, name: &str, value: &str) -> Result<(), String> {
    let plan = &mut asked.plan;
    match name {
        "clients" => plan.clients = whole(value, 1, 1_000_000)?,
        "interval" => plan.intervals = list(value, |one| time(one, 0.01))?,
        "events-per-minute" => plan.events_per_minute = rate(value)?,
        "size" => plan.size = whole(value, MIN_SIZE, 65_536)?,
        "duration" => plan.duration = time(value, 0.1)?,
        "transports" => plan.transports = list(value, transport)?,
        "wait" => plan.wait = whole(value, 1, 60)? as u16, // at most 60
        "url" => asked.url = Some(value.to_owned()),
        "server-pid" => asked.server = Some(process(value)?),
        "token" => asked.token = Some(bearer_token(value)?),
        "predict" => {
            let (count, events) =
                value.split_once('@').map_or((value, None), |(count, events)| (count, Some(events)));
            let count = whole(count, 1, 1_000_000_000_000)? as u64;
            asked.predict.push(Users { count, events_per_minute: events.map(rate).transpose()? });
        }
        "header" => asked.fields.push(header(value)?),
        _ => {
            asked.form = match value {
                "table" => Form::Table,
                "json" => Form::Json,
                "csv" => Form::Csv,
                _ => return Err(format!("{value:?} is none of table, json, csv")),
            };
        }
    }
    Ok(())
}

/// Fewer than one in a day are none that could be measured.
fn rate(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number| *number == 0.0 || (0.001..=600_000.0).contains(number));
    number.map(f64::abs).ok_or_else(|| format!("{text:?} is no number from 0.001 to 600000, nor 0"))
}

fn whole(text: &str, least: usize, most: usize) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| format!("{text:?} is no whole number from {least} to {most}"))
}

fn list<T: PartialEq>(text: &str, item: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
    let items: Vec<T> = text.split(',').map(|one| item(one.trim())).collect::<Result<_, _>>()?;
    let is_doubled = items.iter().enumerate().any(|(index, one)| items[..index].contains(one));
    if is_doubled { Err(format!("{text:?} names one twice")) } else { Ok(items) }
}

fn transport(name: &str) -> Result<Via, String> {
    Via::named(name).ok_or_else(|| format!("{name:?} is none of short-poll, long-poll, sse, websocket"))
}

/// A time with its unit, ms, s or m; without one it is in seconds. At most a day.
fn time(text: &str, least: f64) -> Result<Duration, String> {
    let unit = text.find(|character: char| character.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit);
    let factor = match unit {
        "ms" => Some(0.001),
        "s" | "" => Some(1.0),
        "m" => Some(60.0),
        _ => None,
    };
    let seconds = number.parse().ok().zip(factor).map(|(number, factor): (f64, f64)| number * factor);
    let seconds = seconds.filter(|seconds| (least..=86_400.0).contains(seconds));
    seconds
        .map(Duration::from_secs_f64)
        .ok_or_else(|| format!("{text:?} is no time from {least} s to a day, as 3s, 500ms or 1m"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(arguments: &[&str]) -> Result<Option<Asked>, String> {
        parse(arguments.iter().map(Into::into))
    }

    #[test]
    fn the_course_is_the_default_and_can_be_written_out() {
        let plan = asked(&[]).expect("right").expect("not the help").plan;
        assert_eq!(plan, Plan::default());
        let long = "--clients 100 --interval 3s --events-per-minute 6 --size 200 --duration 60s \
                    --transports short-poll,long-poll,sse,websocket --wait 30";
        let long: Vec<_> = long.split_whitespace().collect();
        assert_eq!(asked(&long).expect("right").expect("not the help").plan, plan);
    }

    #[test]
    fn times_have_units_and_intervals_are_a_list() {
        let arguments = ["--interval", "500ms, 3,1.5s,2m", "--duration=1m", "--transports", "sse"];
        let plan = asked(&arguments).expect("right").expect("not the help").plan;
        let milliseconds: Vec<_> = plan.intervals.iter().map(Duration::as_millis).collect();
        assert_eq!(milliseconds, [500, 3000, 1500, 120_000]);
        assert_eq!((plan.duration.as_secs(), plan.transports), (60, vec![Via::EventStream]));
    }

    #[test]
    fn mistakes_say_what_is_wrong() {
        for (arguments, what) in [
            (&["--clients", "0"][..], "--clients: \"0\" is no whole number from 1"),
            (&["--interval", "3h"], "--interval: \"3h\" is no time from 0.01 s to a day"),
            (&["--interval", "NaN"], "--interval: \"NaN\" is no time"),
            (&["--interval", "3s,3s"], "names one twice"),
            (&["--interval", ""], "--interval: \"\" is no time"),
            (&["--events-per-minute", "-1"], "--events-per-minute: \"-1\" is no number"),
            (&["--events-per-minute", "1e-300"], "--events-per-minute: \"1e-300\" is no number"),
            (&["--events-per-minute", "600000", "--duration", "1440m"], "864000000 events are more than"),
            (&["--url", "ftp://127.0.0.1"], "neither with http:// nor with ws://"),
            (&["--url", "http://127.0.0.1?topic"], "has more than an origin and a path"),
            (&["--header", "Host: a"], "one that the handshake itself writes"),
            (
                &["--url", "http://127.0.0.1", "--server-pid", "4294967295"],
                "--server-pid: process 4294967295: ",
            ),
            (&["--size", "7"], "--size: \"7\" is no whole number from 8"),
            (&["--transports", "carrier-pigeon"], "\"carrier-pigeon\" is none of"),
            (&["--predict", "many"], "--predict: \"many\" is no whole number"),
            (&["--predict", "10@often"], "--predict: \"often\" is no number"),
            (&["--predict", "10", "--format", "csv"], "--predict is not told in CSV"),
            (&["--wait", "61"], "--wait: \"61\" is no whole number from 1 to 60"),
            (&["--format", "xml"], "--format: \"xml\" is none of"),
            (&["--server-pid", "1"], "--server-pid is for the server that --url names"),
            (&["--nonsense", "1"], "there is no option --nonsense"),
            (&["http://127.0.0.1"], "a server is named with --url"),
            (&["--clients"], "--clients"),
        ] {
            let error = asked(arguments).expect_err("a mistake");
            assert!(error.contains(what), "{arguments:?}: {error}");
        }
    }
}
