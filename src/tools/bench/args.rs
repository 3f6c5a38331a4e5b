//! The arguments of `bench`.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::time::Duration;

use super::super::args::{header, process, text};
use super::ceiling::Kind;
use super::config::{Plan, Workload};
use super::event_tag::LENGTH as MARKER_LENGTH;
use super::template::CursorPlace;
use crate::client::Url;
use crate::client::follow::Via;
use crate::tools::load::Process;

/// What is to be done.
pub enum What {
    /// To measure.
    Bench(Box<Asked>),
    /// To be the bare program, there.
    CeilingProgram(Kind, SocketAddr),
    /// To be told how.
    Help,
}

/// What is to be measured.
#[derive(Debug)]
pub struct Asked {
    pub plan: Plan,
    /// The bare program alone.
    pub is_ceiling: bool,
    /// The bare program too.
    pub with_ceiling: bool,
    pub runs: usize,
    pub url: Option<String>,
    pub first_url: Option<String>,
    pub publish: Option<String>,
    pub fields: Vec<(String, String)>,
    pub publish_fields: Vec<(String, String)>,
    pub cursor: CursorPlace,
    pub processes: Vec<Process>,
    pub is_json: bool,
}

/// Which options go with some workloads only.
const ONLY: [(&str, &[Workload]); 9] = [
    ("via", &[Workload::FanOut, Workload::Idle, Workload::Connect]),
    ("in-flight", &[Workload::Echo, Workload::Connect]),
    ("size", &[Workload::Echo, Workload::FanOut]),
    ("burst", &[Workload::FanOut]),
    ("rate", &[Workload::Echo, Workload::Requests]),
    ("publish", &[Workload::FanOut]),
    ("publish-header", &[Workload::FanOut]),
    ("connections", &[Workload::Echo, Workload::FanOut, Workload::Idle, Workload::Requests]),
    ("ceiling", &[Workload::Echo, Workload::FanOut, Workload::Requests]),
];

/// What has no meaning without a server.
const OF_A_SERVER: [&str; 8] =
    ["url", "header", "first-url", "cursor", "publish", "publish-header", "server-pid", "ceiling"];

/// Most connections: what a token of the poll has room for is more than any machine holds.
const MANY: u64 = 10_000_000;

/// Reads the arguments. The error says what is wrong.
pub fn parse(arguments: impl Iterator<Item = OsString>) -> Result<What, String> {
    use lexopt::prelude::*;

    let mut parser = lexopt::Parser::from_args(arguments);
    let mut words = Vec::new();
    let mut given = Vec::new();
    let (mut connections, mut in_flight, mut size, mut burst, mut rate, mut via) =
        (None, None, None, 1, None, None);
    let (mut duration, mut warm_up, mut patience, mut runs, mut sources) = (5.0, 1.0, 10.0, 5, 1);
    let (mut url, mut first_url, mut publish) = (None, None, None);
    let (mut fields, mut publish_fields, mut processes) = (Vec::new(), Vec::new(), Vec::new());
    let mut cursor = CursorPlace::Json("next".into());
    let (mut is_json, mut with_ceiling) = (false, false);
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        let name = match argument {
            Short('h') | Long("help") => return Ok(What::Help),
            Long(name) => name.to_owned(),
            Value(word) if words.len() < 3 => {
                words.push(word.into_string().map_err(|_| "an argument is not UTF-8")?);
                continue;
            }
            argument => return Err(argument.unexpected().to_string()),
        };
        let option = &*format!("--{name}");
        let parser = &mut parser;
        match &*name {
            "json" => is_json = true,
            "ceiling" => with_ceiling = true,
            "url" => url = Some(checked_url(parser, option)?),
            "first-url" => first_url = Some(checked_url(parser, option)?),
            "publish" => publish = Some(checked_url(parser, option)?),
            "header" => fields.push(header(&text(parser, option)?)?),
            "publish-header" => publish_fields.push(header(&text(parser, option)?)?),
            "connections" => connections = Some(number(parser, option, MANY)?),
            "in-flight" => in_flight = Some(number(parser, option, MANY)?),
            "size" => size = Some(number(parser, option, 1 << 26)?),
            "burst" => burst = number(parser, option, MANY)?,
            "runs" => runs = number(parser, option, MANY)?,
            "sources" => sources = number(parser, option, 254)?,
            "rate" => rate = Some(real(parser, option, 0.001, 1e9)?),
            "duration" => duration = real(parser, option, 0.01, 86_400.0)?,
            "warm-up" => warm_up = real(parser, option, 0.0, 86_400.0)?,
            "timeout" => patience = real(parser, option, 0.01, 86_400.0)?,
            "via" => {
                let name = text(parser, option)?;
                let named = Via::named(&name);
                via = Some(named.ok_or_else(|| format!("--via: {name:?} is no transport"))?);
            }
            "cursor" => {
                let place = text(parser, option)?;
                let read = CursorPlace::parse(&place);
                cursor =
                    read.ok_or_else(|| format!("--cursor: {place:?} is neither header:NAME nor json:FIELD"))?;
            }
            "server-pid" => {
                let named = text(parser, option)?;
                processes.push(process(&named).map_err(|what| format!("{option}: {what}"))?);
            }
            _ => return Err(format!("there is no option {option}")),
        }
        given.push(name);
    }

    let words: Vec<&str> = words.iter().map(|word| &**word).collect();
    let (workload, is_ceiling) = match words[..] {
        ["ceiling-program", kind, ref address @ ..] => {
            let kind = Kind::named(kind).ok_or_else(|| format!("there is no bare {kind:?}"))?;
            let address = address.first().unwrap_or(&"127.0.0.1:0");
            let address = address.parse().map_err(|_| format!("{address:?} is no address with a port"))?;
            return Ok(What::CeilingProgram(kind, address));
        }
        ["echo"] => (Workload::Echo, false),
        ["fan-out"] => (Workload::FanOut, false),
        ["idle"] => (Workload::Idle, false),
        ["connect"] => (Workload::Connect, false),
        ["requests"] => (Workload::Requests, false),
        ["ceiling", "echo"] => (Workload::Echo, true),
        ["ceiling", "fan-out"] => (Workload::FanOut, true),
        ["ceiling", ..] => return Err("the ceiling is one of echo or of fan-out".into()),
        [] => return Err("what is to be measured?".into()),
        [word, ..] => return Err(format!("{word:?} is no workload, or too much is said of it")),
    };
    for option in &given {
        let only = ONLY.iter().find(|(name, _)| name == option);
        if only.is_some_and(|(_, workloads)| !workloads.contains(&workload)) {
            return Err(format!("--{option} means nothing to {}", workload.name()));
        }
        if is_ceiling && OF_A_SERVER.contains(&&**option) {
            return Err(format!("--{option} means nothing to the ceiling"));
        }
    }
    let via = match (workload, via) {
        (Workload::FanOut | Workload::Idle, Some(Via::ShortPoll)) => {
            return Err(format!(
                "--via: nobody is held in short polling, so it means nothing to {}",
                workload.name()
            ));
        }
        (Workload::Connect, Some(Via::LongPoll)) => {
            return Err("--via: a long poll is not answered at once, so it means nothing to connect".into());
        }
        (Workload::Requests, _) => Via::ShortPoll,
        (_, via) => via.unwrap_or(Via::WebSocket),
    };
    let many = matches!(workload, Workload::FanOut | Workload::Idle);
    let size = size.unwrap_or(if workload == Workload::FanOut { 120 } else { 64 });
    if workload == Workload::FanOut && size < MARKER_LENGTH {
        return Err(format!("--size: an event has a marker of {MARKER_LENGTH} bytes in it"));
    }
    if url.is_none()
        && let Some(alone) =
            given.iter().find(|name| matches!(&***name, "first-url" | "publish" | "server-pid" | "cursor"))
    {
        return Err(format!("--{alone} is for a server that --url names"));
    }
    let plan = Plan {
        workload,
        via,
        connections: connections.unwrap_or(if many { 1000 } else { 50 }),
        in_flight: in_flight.unwrap_or(if workload == Workload::Connect { 32 } else { 1 }),
        size,
        burst,
        rate,
        duration: Duration::from_secs_f64(duration),
        warm_up: Duration::from_secs_f64(warm_up),
        patience: Duration::from_secs_f64(patience),
        sources: sources as u8,
    };
    Ok(What::Bench(Box::new(Asked {
        plan,
        is_ceiling,
        with_ceiling,
        runs,
        url,
        first_url,
        publish,
        fields,
        publish_fields,
        cursor,
        processes,
        is_json,
    })))
}

fn checked_url(parser: &mut lexopt::Parser, option: &str) -> Result<String, String> {
    let url = text(parser, option)?;
    match Url::parse(&url) {
        Ok(_) => Ok(url),
        Err(error) => Err(format!("{option}: {error}")),
    }
}

fn number(parser: &mut lexopt::Parser, option: &str, most: u64) -> Result<usize, String> {
    let text = text(parser, option)?;
    let number = text.parse().ok().filter(|number| (1..=most).contains(number));
    let number = number.and_then(|number: u64| usize::try_from(number).ok());
    number.ok_or_else(|| format!("{option}: {text:?} is no whole number from 1 to {most}"))
}

fn real(parser: &mut lexopt::Parser, option: &str, least: f64, most: f64) -> Result<f64, String> {
    let text = text(parser, option)?;
    let number = text.parse().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| format!("{option}: {text:?} is no number from {least} to {most}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(arguments: &[&str]) -> Result<Asked, String> {
        match parse(arguments.iter().map(Into::into))? {
            What::Bench(asked) => Ok(*asked),
            What::CeilingProgram(..) | What::Help => Err("something else".into()),
        }
    }

    #[test]
    fn each_workload_has_its_defaults() {
        let plan = |workload| asked(&[workload]).expect("right").plan;
        let echo = plan("echo");
        assert_eq!((echo.connections, echo.in_flight, echo.size, echo.rate), (50, 1, 64, None));
        let fan_out = plan("fan-out");
        assert_eq!((fan_out.connections, fan_out.size, fan_out.burst), (1000, 120, 1));
        assert_eq!(fan_out.via, Via::WebSocket);
        assert_eq!(plan("idle").connections, 1000);
        assert_eq!((plan("connect").in_flight, plan("requests").connections), (32, 50));
        let seconds = Duration::from_secs;
        assert_eq!((echo.duration, echo.warm_up, echo.patience), (seconds(5), seconds(1), seconds(10)));
        assert!(asked(&["ceiling", "fan-out", "--connections", "7"]).expect("right").is_ceiling);
    }

    #[test]
    fn mistakes_say_what_is_wrong() {
        let url = "--url=http://127.0.0.1:1/";
        for (arguments, what) in [
            (&[][..], "what is to be measured"),
            (&["nonsense"], "\"nonsense\" is no workload"),
            (&["echo", "idle"], "too much"),
            (&["ceiling"], "one of echo or of fan-out"),
            (&["ceiling", "idle"], "one of echo or of fan-out"),
            (&["ceiling", "echo", url], "--url means nothing to the ceiling"),
            (&["idle", "--ceiling"], "--ceiling means nothing to idle"),
            (&["echo", "--burst", "2"], "--burst means nothing to echo"),
            (&["fan-out", "--rate", "5"], "--rate means nothing to fan-out"),
            (&["fan-out", "--via", "short-poll"], "nobody is held"),
            (&["connect", "--via", "long-poll"], "not answered at once"),
            (&["idle", "--via", "pigeon"], "--via: \"pigeon\""),
            (&["fan-out", "--size", "5"], "a marker of 15 bytes"),
            (&["echo", "--size", "0"], "--size: \"0\""),
            (&["echo", "--connections", "x"], "--connections: \"x\""),
            (&["echo", "--rate", "0"], "--rate: \"0\""),
            (&["echo", "--duration", "NaN"], "--duration: \"NaN\""),
            (&["echo", "--sources", "255"], "--sources: \"255\""),
            (&["echo", "--url", "https://a/"], "--url: https://"),
            (&["echo", "--server-pid", "x", url], "--server-pid: \"x\""),
            (&["echo", "--server-pid", "4294967295", url], "--server-pid: process 4294967295"),
            (&["fan-out", "--publish", "http://a/"], "--publish is for a server that --url names"),
            (&["fan-out", "--cursor", "next", url], "--cursor: \"next\""),
            (&["echo", "--header", "nonsense"], "--header: \"nonsense\""),
            (&["echo", "--nonsense"], "there is no option --nonsense"),
            (&["ceiling-program", "idle"], "no bare \"idle\""),
            (&["ceiling-program", "echo", "x"], "no address"),
        ] {
            let error = asked(arguments).expect_err("a mistake");
            assert!(error.contains(what), "{arguments:?}: {error}");
        }
    }
}
