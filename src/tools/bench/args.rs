//! The arguments of `barewire bench`.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::time::Duration;

use super::HELP;
use super::ceiling::CeilingKind;
use super::config::{BenchConfig, BurstAs, Workload, is_websocket};
use super::event_tag::TAG_LENGTH;
use crate::client::Url;
use crate::client::follow::Transport;
use crate::tools::args::{header, process, text};
use crate::tools::cursor_place::CursorPlace;
use crate::tools::load::Process;
use crate::tools::suggest::{unexpected, unknown};

/// The action that the arguments select.
pub enum Command {
    Bench(Box<Args>),
    /// Runs the bare program at this address.
    CeilingProgram(CeilingKind, SocketAddr),
    Help,
}

/// The arguments of a bench.
#[derive(Debug)]
pub struct Args {
    pub config: BenchConfig,
    /// Whether the bare program is the only target.
    pub is_ceiling: bool,
    /// Whether the bare program is measured in addition to the server.
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

/// Options that apply only to some workloads.
const WORKLOAD_OPTIONS: [(&str, &[Workload]); 10] = [
    ("via", &[Workload::FanOut, Workload::Idle, Workload::Connect]),
    ("in-flight", &[Workload::Echo, Workload::Connect]),
    ("size", &[Workload::Echo, Workload::FanOut]),
    ("burst", &[Workload::FanOut]),
    ("burst-as", &[Workload::FanOut]),
    ("rate", &[Workload::Echo, Workload::Requests]),
    ("publish", &[Workload::FanOut]),
    ("publish-header", &[Workload::FanOut]),
    ("connections", &[Workload::Echo, Workload::FanOut, Workload::Idle, Workload::Requests]),
    ("ceiling", &[Workload::Echo, Workload::FanOut, Workload::Requests]),
];

/// Options that do not apply if the bare program is the only target.
const SERVER_OPTIONS: [&str; 8] =
    ["url", "header", "first-url", "cursor", "publish", "publish-header", "server-pid", "ceiling"];

/// Options that require `--url`.
const URL_OPTIONS: [&str; 4] = ["first-url", "publish", "server-pid", "cursor"];

/// The most connections, and the largest value of other counts: more than any machine can hold, and
/// few enough for a poll token.
const MAX_COUNT: u64 = 10_000_000;

/// The largest message, in bytes.
const MAX_SIZE: u64 = 1 << 26;

const MAX_SECONDS: f64 = 86_400.0;

/// The options as given. `None` means that the default depends on the workload.
struct Options {
    /// The names of all options given.
    names: Vec<String>,
    connections: Option<usize>,
    in_flight: Option<usize>,
    size: Option<usize>,
    burst: usize,
    burst_as: BurstAs,
    rate: Option<f64>,
    via: Option<Transport>,
    duration: f64,
    warm_up: f64,
    timeout: f64,
    runs: usize,
    sources: usize,
    url: Option<String>,
    first_url: Option<String>,
    publish: Option<String>,
    fields: Vec<(String, String)>,
    publish_fields: Vec<(String, String)>,
    processes: Vec<Process>,
    cursor: CursorPlace,
    is_json: bool,
    with_ceiling: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            names: Vec::new(),
            connections: None,
            in_flight: None,
            size: None,
            burst: 1,
            burst_as: BurstAs::Pipelined,
            rate: None,
            via: None,
            duration: 5.0,
            warm_up: 1.0,
            timeout: 10.0,
            runs: 5,
            sources: 1,
            url: None,
            first_url: None,
            publish: None,
            fields: Vec::new(),
            publish_fields: Vec::new(),
            processes: Vec::new(),
            cursor: CursorPlace::Json("next".into()),
            is_json: false,
            with_ceiling: false,
        }
    }
}

/// Parses the arguments.
///
/// # Errors
/// A message that says what is wrong.
pub fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Command, String> {
    use lexopt::prelude::*;

    let mut parser = lexopt::Parser::from_args(arguments);
    let mut words = Vec::new();
    let mut options = Options::default();
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        match argument {
            Short('h') | Long("help") => return Ok(Command::Help),
            Long(name) => {
                let name = name.to_owned();
                options.set(&name, &mut parser)?;
                options.names.push(name);
            }
            Value(word) if words.len() < 3 => {
                words.push(word.into_string().map_err(|_| "an argument is not UTF-8")?);
            }
            argument => return Err(unexpected(&argument, HELP)),
        }
    }
    let words: Vec<&str> = words.iter().map(|word| &**word).collect();
    match words[..] {
        ["ceiling-program", kind, ref address @ ..] => {
            let kind = CeilingKind::from_name(kind)
                .ok_or_else(|| format!("ceiling-program: {kind:?} is not echo or fan-out"))?;
            let address = address.first().unwrap_or(&"127.0.0.1:0");
            let address = address
                .parse()
                .map_err(|_| format!("ceiling-program: {address:?} is not an address with a port"))?;
            Ok(Command::CeilingProgram(kind, address))
        }
        _ => {
            let (workload, is_ceiling) = workload(&words)?;
            Ok(Command::Bench(Box::new(options.into_args(workload, is_ceiling)?)))
        }
    }
}

/// Returns the workload, and whether the bare program is the only target.
fn workload(words: &[&str]) -> Result<(Workload, bool), String> {
    const WORKLOADS: [Workload; 5] =
        [Workload::Echo, Workload::FanOut, Workload::Idle, Workload::Connect, Workload::Requests];
    match *words {
        ["ceiling", "echo"] => Ok((Workload::Echo, true)),
        ["ceiling", "fan-out"] => Ok((Workload::FanOut, true)),
        ["ceiling", ..] => Err("ceiling: expected echo or fan-out".into()),
        [] => Err("no workload is given; expected echo, fan-out, idle, connect, requests or ceiling".into()),
        [name, ref rest @ ..] => {
            let workload = WORKLOADS.into_iter().find(|workload| workload.name() == name);
            let workload = workload.ok_or_else(|| unknown("workload", name, HELP))?;
            match rest.first() {
                Some(word) => Err(format!("unexpected argument {word:?} after the workload")),
                None => Ok((workload, false)),
            }
        }
    }
}

impl Options {
    /// Reads the value of one option.
    fn set(&mut self, name: &str, parser: &mut lexopt::Parser) -> Result<(), String> {
        let option = &*format!("--{name}");
        match name {
            "json" => self.is_json = true,
            "ceiling" => self.with_ceiling = true,
            "url" => self.url = Some(url(parser, option)?),
            "first-url" => self.first_url = Some(url(parser, option)?),
            "publish" => self.publish = Some(url(parser, option)?),
            "header" => self.fields.push(header(&text(parser, option)?)?),
            "publish-header" => self.publish_fields.push(header(&text(parser, option)?)?),
            "connections" => self.connections = Some(integer(parser, option, MAX_COUNT)?),
            "in-flight" => self.in_flight = Some(integer(parser, option, MAX_COUNT)?),
            "size" => self.size = Some(integer(parser, option, MAX_SIZE)?),
            "burst" => self.burst = integer(parser, option, MAX_COUNT)?,
            "burst-as" => {
                let name = text(parser, option)?;
                let way = BurstAs::from_name(&name);
                self.burst_as =
                    way.ok_or_else(|| format!("--burst-as: {name:?} is not pipelined, sequential or batch"))?;
            }
            "runs" => self.runs = integer(parser, option, MAX_COUNT)?,
            "sources" => self.sources = integer(parser, option, 254)?,
            "rate" => self.rate = Some(real(parser, option, 0.001, 1e9)?),
            "duration" => self.duration = real(parser, option, 0.01, MAX_SECONDS)?,
            "warm-up" => self.warm_up = real(parser, option, 0.0, MAX_SECONDS)?,
            "timeout" => self.timeout = real(parser, option, 0.01, MAX_SECONDS)?,
            "via" => {
                let name = text(parser, option)?;
                let via = Transport::named(&name);
                self.via = Some(via.ok_or_else(|| {
                    format!(
                        "--via: {name:?} is not a transport; expected websocket, sse, long-poll or short-poll"
                    )
                })?);
            }
            "cursor" => {
                let place = text(parser, option)?;
                self.cursor = CursorPlace::parse(&place)
                    .ok_or_else(|| format!("--cursor: {place:?} is neither header:NAME nor json:FIELD"))?;
            }
            "server-pid" => {
                let id = text(parser, option)?;
                self.processes.push(process(&id).map_err(|error| format!("{option}: {error}"))?);
            }
            _ => return Err(unknown("option", option, HELP)),
        }
        Ok(())
    }

    /// Checks the options against the workload, and fills in the defaults.
    fn into_args(self, workload: Workload, is_ceiling: bool) -> Result<Args, String> {
        self.check_names(workload, is_ceiling)?;
        let via = self.via(workload)?;
        let size = self.size.unwrap_or(if workload == Workload::FanOut { 120 } else { 64 });
        if workload == Workload::FanOut && size < TAG_LENGTH {
            return Err(format!("--size: an event needs at least {TAG_LENGTH} bytes for its tag"));
        }
        if self.burst_as != BurstAs::Pipelined && self.publish.as_deref().is_some_and(is_websocket) {
            return Err(format!(
                "--burst-as {}: requires POST, but --publish is a WebSocket",
                self.burst_as.name()
            ));
        }
        let holds_connections = matches!(workload, Workload::FanOut | Workload::Idle);
        let config = BenchConfig {
            workload,
            via,
            connections: self.connections.unwrap_or(if holds_connections { 1000 } else { 50 }),
            in_flight: self.in_flight.unwrap_or(if workload == Workload::Connect { 32 } else { 1 }),
            size,
            burst: self.burst,
            burst_as: self.burst_as,
            rate: self.rate,
            duration: Duration::from_secs_f64(self.duration),
            warm_up: Duration::from_secs_f64(self.warm_up),
            timeout: Duration::from_secs_f64(self.timeout),
            sources: self.sources as u8,
        };
        Ok(Args {
            config,
            is_ceiling,
            with_ceiling: self.with_ceiling,
            runs: self.runs,
            url: self.url,
            first_url: self.first_url,
            publish: self.publish,
            fields: self.fields,
            publish_fields: self.publish_fields,
            cursor: self.cursor,
            processes: self.processes,
            is_json: self.is_json,
        })
    }

    /// Refuses options that do not apply to the workload or the target.
    fn check_names(&self, workload: Workload, is_ceiling: bool) -> Result<(), String> {
        for name in &self.names {
            let only = WORKLOAD_OPTIONS.iter().find(|(option, _)| option == name);
            if only.is_some_and(|(_, workloads)| !workloads.contains(&workload)) {
                return Err(format!("--{name} does not apply to {}", workload.name()));
            }
            if is_ceiling && SERVER_OPTIONS.contains(&&**name) {
                return Err(format!("--{name} does not apply to the ceiling"));
            }
        }
        let needs_url = self.names.iter().find(|name| URL_OPTIONS.contains(&&***name));
        match needs_url {
            Some(name) if self.url.is_none() => Err(format!("--{name} requires --url")),
            _ => Ok(()),
        }
    }

    /// Returns the transport for a workload.
    fn via(&self, workload: Workload) -> Result<Transport, String> {
        match (workload, self.via) {
            (Workload::FanOut | Workload::Idle, Some(Transport::ShortPoll)) => Err(format!(
                "--via: short-poll does not apply to {}, because the server holds no request",
                workload.name()
            )),
            (Workload::Connect, Some(Transport::LongPoll)) => {
                Err("--via: long-poll does not apply to connect, because the response is delayed".into())
            }
            (Workload::Requests, _) => Ok(Transport::ShortPoll),
            (_, via) => Ok(via.unwrap_or(Transport::WebSocket)),
        }
    }
}

/// Reads a URL, and checks its syntax.
fn url(parser: &mut lexopt::Parser, option: &str) -> Result<String, String> {
    let url = text(parser, option)?;
    match Url::parse(&url) {
        Ok(_) => Ok(url),
        Err(error) => Err(format!("{option}: {error}")),
    }
}

/// Reads an integer from 1 to `max`.
fn integer(parser: &mut lexopt::Parser, option: &str, max: u64) -> Result<usize, String> {
    let text = text(parser, option)?;
    let number = text.parse().ok().filter(|number| (1..=max).contains(number));
    let number = number.and_then(|number: u64| usize::try_from(number).ok());
    number.ok_or_else(|| format!("{option}: {text:?} is not a whole number from 1 to {max}"))
}

/// Reads a number from `min` to `max`.
fn real(parser: &mut lexopt::Parser, option: &str, min: f64, max: f64) -> Result<f64, String> {
    let text = text(parser, option)?;
    let number = text.parse().ok().filter(|number| (min..=max).contains(number));
    number.ok_or_else(|| format!("{option}: {text:?} is not a number from {min} to {max}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(arguments: &[&str]) -> Result<Args, String> {
        match parse(arguments.iter().map(Into::into))? {
            Command::Bench(args) => Ok(*args),
            Command::CeilingProgram(..) | Command::Help => Err("another command".into()),
        }
    }

    #[test]
    fn each_workload_has_its_defaults() {
        let config = |workload| args(&[workload]).expect("valid arguments").config;
        let echo = config("echo");
        assert_eq!((echo.connections, echo.in_flight, echo.size, echo.rate), (50, 1, 64, None));
        let fan_out = config("fan-out");
        assert_eq!((fan_out.connections, fan_out.size, fan_out.burst), (1000, 120, 1));
        assert_eq!(fan_out.via, Transport::WebSocket);
        assert_eq!(config("idle").connections, 1000);
        assert_eq!((config("connect").in_flight, config("requests").connections), (32, 50));
        let seconds = Duration::from_secs;
        assert_eq!((echo.duration, echo.warm_up, echo.timeout), (seconds(5), seconds(1), seconds(10)));
        assert!(args(&["ceiling", "fan-out", "--connections", "7"]).expect("valid arguments").is_ceiling);
    }

    #[test]
    fn error_messages_name_the_mistake() {
        let url = "--url=http://127.0.0.1:1/";
        for (arguments, expected) in [
            (&[][..], "no workload is given"),
            (&["nonsense"], "unknown workload \"nonsense\""),
            (&["echo", "idle"], "unexpected argument \"idle\""),
            (&["ceiling"], "expected echo or fan-out"),
            (&["ceiling", "idle"], "expected echo or fan-out"),
            (&["ceiling", "echo", url], "--url does not apply to the ceiling"),
            (&["idle", "--ceiling"], "--ceiling does not apply to idle"),
            (&["echo", "--burst", "2"], "--burst does not apply to echo"),
            (&["echo", "--burst-as", "batch"], "--burst-as does not apply to echo"),
            (&["fan-out", "--burst-as", "x"], "--burst-as: \"x\" is not pipelined"),
            (&["fan-out", "--burst-as=batch", url, "--publish=ws://a/"], "--burst-as batch: requires POST"),
            (&["fan-out", "--rate", "5"], "--rate does not apply to fan-out"),
            (&["fan-out", "--via", "short-poll"], "the server holds no request"),
            (&["connect", "--via", "long-poll"], "the response is delayed"),
            (&["idle", "--via", "pigeon"], "--via: \"pigeon\""),
            (&["fan-out", "--size", "5"], "at least 15 bytes"),
            (&["echo", "--size", "0"], "--size: \"0\""),
            (&["echo", "--connections", "x"], "--connections: \"x\""),
            (&["echo", "--rate", "0"], "--rate: \"0\""),
            (&["echo", "--duration", "NaN"], "--duration: \"NaN\""),
            (&["echo", "--sources", "255"], "--sources: \"255\""),
            (&["echo", "--url", "https://a/"], "--url: https://"),
            (&["echo", "--server-pid", "x", url], "--server-pid: \"x\""),
            (&["echo", "--server-pid", "4294967295", url], "--server-pid: process 4294967295"),
            (&["fan-out", "--publish", "http://a/"], "--publish requires --url"),
            (&["fan-out", "--cursor", "next", url], "--cursor: \"next\""),
            (&["echo", "--header", "nonsense"], "--header: \"nonsense\""),
            (&["echo", "--nonsense"], "unknown option --nonsense"),
            (&["ceiling-program", "idle"], "\"idle\" is not echo or fan-out"),
            (&["ceiling-program", "echo", "x"], "not an address"),
        ] {
            let error = args(arguments).expect_err("a usage error");
            assert!(error.contains(expected), "{arguments:?}: {error}");
        }
    }
}
