//! The arguments of `conform`.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::adapter;
use super::case::Suite;
use super::catalogue::{Pattern, Selection};
use super::expectation::Expectation;
use super::help::HELP;
use super::target::{ClientTarget, Publish, ServerTarget, Target, Template};
use crate::tools::args::{file, integer};
use crate::tools::cursor_place::CursorPlace;
use crate::tools::suggest::{unexpected, unknown};

/// The format of the result on standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Text,
    Json,
    Junit,
    Tap,
}

/// The parsed arguments.
pub struct Args {
    /// The endpoint; `None` with `--list`.
    pub target: Option<Target>,
    pub selection: Selection,
    pub is_list: bool,
    pub jobs: usize,
    pub limit: Duration,
    pub format: Format,
    pub report: Option<PathBuf>,
    pub save: Option<PathBuf>,
    pub expect: Option<Expectation>,
    pub is_quiet: bool,
    /// The arguments that name the endpoint, to repeat one case.
    pub repeat: String,
}

/// The arguments as given.
#[derive(Default)]
struct Given {
    mode: Option<String>,
    url: Option<String>,
    /// Options that describe the server, in the order given: an adapter's first.
    server: Vec<(String, String)>,
    suites: Option<Vec<Suite>>,
    selection: Selection,
    listen: Option<SocketAddr>,
    run: Option<String>,
    is_list: bool,
    jobs: Option<usize>,
    seconds: Option<u64>,
    format: Option<Format>,
    report: Option<PathBuf>,
    save: Option<PathBuf>,
    expect: Option<Expectation>,
    is_quiet: bool,
}

/// The other options with a value.
const VALUE_OPTIONS: [&str; 11] =
    ["suite", "only", "skip", "adapter", "listen", "run", "timeout", "format", "report", "save", "expect"];

/// Parses the arguments; `None` means that help is requested. The error is a message for the user.
pub fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Option<Args>, String> {
    use lexopt::prelude::*;

    let mut given = Given::default();
    let arguments: Vec<OsString> = arguments.collect();
    let repeat = repeated(&arguments);
    let mut parser = lexopt::Parser::from_args(arguments);
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        let name = match argument {
            Short('h') | Long("help") => return Ok(None),
            Short('j') | Long("jobs") => {
                let value = parser.value().map_err(|error| error.to_string())?;
                given.jobs =
                    Some(integer(&value.to_string_lossy(), 1, 256).map_err(|error| format!("-j: {error}"))?);
                continue;
            }
            Long("full") => {
                given.selection.is_full = true;
                continue;
            }
            Long("list") => {
                given.is_list = true;
                continue;
            }
            Long("quiet") => {
                given.is_quiet = true;
                continue;
            }
            Value(value) if given.mode.is_none() => {
                given.mode = Some(mode(&value)?);
                continue;
            }
            Value(value) if given.url.is_none() => {
                given.url = Some(crate::tools::args::utf8(value, "URL")?);
                continue;
            }
            Long(name) => name.to_owned(),
            argument => return Err(unexpected(&argument, HELP)),
        };
        if !adapter::SERVER_OPTIONS.contains(&&*name) && !VALUE_OPTIONS.contains(&&*name) {
            return Err(unknown("option", &format!("--{name}"), HELP));
        }
        let value = parser.value().map_err(|error| error.to_string())?;
        let value = value.to_str().ok_or_else(|| format!("--{name}: the value is not UTF-8"))?;
        set(&mut given, &name, value).map_err(|message| format!("--{name}: {message}"))?;
    }
    finish(given, repeat).map(Some)
}

fn mode(value: &OsString) -> Result<String, String> {
    match value.to_str() {
        Some(mode @ ("server" | "client")) => Ok(mode.to_owned()),
        _ => Err(format!("{value:?} is neither server nor client: say first which of them is tested")),
    }
}

fn set(given: &mut Given, name: &str, value: &str) -> Result<(), String> {
    match name {
        "suite" => {
            let suite = |name: &str| {
                Suite::named(name.trim()).ok_or_else(|| {
                    let names = Suite::ALL.map(Suite::name).join(", ");
                    format!("{name:?} is not a suite: use {names}")
                })
            };
            given.suites = Some(value.split(',').map(suite).collect::<Result<_, _>>()?);
        }
        "only" => given.selection.only.push(Pattern::new(value)),
        "skip" => given.selection.skip.push(Pattern::new(value)),
        // The options of an adapter give way to those of the command line.
        "adapter" => drop(given.server.splice(0..0, adapter::options(value)?)),
        "listen" => {
            let error = || format!("{value:?} is not an address with a port, such as 127.0.0.1:9001");
            given.listen = Some(value.parse().map_err(|_| error())?);
        }
        "run" => match value.contains("{url}") {
            true => given.run = Some(value.to_owned()),
            false => {
                return Err(format!("{value:?} has no {{url}}: write it where the client takes the URL"));
            }
        },
        "timeout" => given.seconds = Some(integer(value, 1, 3600)?),
        "format" => {
            given.format = Some(match value {
                "text" => Format::Text,
                "json" => Format::Json,
                "junit" => Format::Junit,
                "tap" => Format::Tap,
                _ => return Err(format!("{value:?} is not a format: use text, json, junit or tap")),
            });
        }
        "report" => given.report = Some(file(value.as_ref())?),
        "save" => given.save = Some(file(value.as_ref())?),
        "expect" => given.expect = Some(Expectation::read(&file(value.as_ref())?)?),
        _ => given.server.push((name.to_owned(), value.to_owned())),
    }
    Ok(())
}

fn finish(given: Given, repeat: String) -> Result<Args, String> {
    let target = match given.mode.as_deref() {
        _ if given.is_list && given.url.is_none() => match given.mode.as_deref() {
            Some("client") => {
                Some(Target::Client(ClientTarget { listen: ([127, 0, 0, 1], 0).into(), run: None }))
            }
            _ => None,
        },
        Some("server") => Some(Target::Server(Box::new(server(&given)?))),
        Some(_) => Some(Target::Client(client(&given)?)),
        None => return Err("say whether a server or a client is tested: barewire conform server URL".into()),
    };
    let mut selection = given.selection;
    selection.suites = match given.suites {
        Some(suites) => {
            if let Some(Target::Server(server)) = &target
                && let Some(suite) = suites.iter().find(|suite| !server.supports(**suite))
            {
                return Err(format!("the suite {} needs {}", suite.name(), adapter::needs(*suite)));
            }
            let is_waiting = matches!(&target, Some(Target::Client(ClientTarget { run: None, .. })));
            if is_waiting && !given.is_list && suites.contains(&Suite::Sse) {
                return Err("the suite sse reads what the client prints: start the client with --run".into());
            }
            suites
        }
        None => match &target {
            Some(Target::Server(server)) => {
                Suite::ALL.into_iter().filter(|suite| server.supports(*suite)).collect()
            }
            Some(Target::Client(_)) if given.is_list => Suite::ALL.to_vec(),
            Some(Target::Client(_)) => vec![Suite::WebSocket, Suite::Deflate],
            None => Suite::ALL.to_vec(),
        },
    };
    Ok(Args {
        target,
        selection,
        is_list: given.is_list,
        jobs: given.jobs.unwrap_or(8),
        limit: Duration::from_secs(given.seconds.unwrap_or(10)),
        format: given.format.unwrap_or(Format::Text),
        report: given.report,
        save: given.save,
        expect: given.expect,
        is_quiet: given.is_quiet,
        repeat,
    })
}

fn client(given: &Given) -> Result<ClientTarget, String> {
    if let Some((name, _)) = given.server.first() {
        return Err(format!("--{name} describes a server, but a client is tested: leave it out"));
    }
    if given.url.is_some() {
        return Err("a client has no URL: use --listen ADDR:PORT for the address that it connects to".into());
    }
    let listen = match (given.listen, &given.run) {
        (Some(listen), _) => listen,
        (None, Some(_)) => ([127, 0, 0, 1], 0).into(),
        (None, None) => return Err(
            "--run or --listen ADDR:PORT is missing: say how the client is started, or where it connects to"
                .into(),
        ),
    };
    Ok(ClientTarget { listen, run: given.run.clone() })
}

fn server(given: &Given) -> Result<ServerTarget, String> {
    if given.listen.is_some() || given.run.is_some() {
        return Err("--listen and --run are for clients, but a server is tested: leave them out".into());
    }
    let url =
        given.url.as_deref().ok_or("the URL of the server is missing, such as ws://127.0.0.1:8080/echo")?;
    let mut server = ServerTarget::default();
    match url.split_once("://") {
        Some((scheme, _)) if scheme.eq_ignore_ascii_case("ws") => {
            server.websocket = Some(Template::parse(url)?)
        }
        _ => {
            let template = Template::parse(url)?;
            (server.get, server.post) = (Some(template.clone()), Some(template));
        }
    }
    for (name, value) in &given.server {
        let value = value.replace("{base}", url.trim_end_matches('/'));
        describe(&mut server, name, &value).map_err(|message| format!("--{name}: {message}"))?;
    }
    Ok(server)
}

fn describe(server: &mut ServerTarget, name: &str, value: &str) -> Result<(), String> {
    match name {
        "get" => server.get = Some(Template::parse(value)?),
        "post" => server.post = Some(Template::parse(value)?),
        "websocket" => server.websocket = Some(Template::parse(value)?),
        "stream" => server.stream = Some(Template::parse(value)?),
        "poll" => server.poll = Some(Template::parse(value)?),
        "publish" => {
            let (method, url) = value
                .split_once(' ')
                .ok_or_else(|| format!("{value:?} has no method: write it as 'POST http://HOST/PATH'"))?;
            server.publish = Some(Publish { method: method.to_owned(), to: Template::parse(url)? });
        }
        _ => {
            let error = || format!("{value:?} is not a place of a cursor: use header:NAME or json:NAME");
            server.cursor = Some(CursorPlace::parse(value).ok_or_else(error)?);
        }
    }
    Ok(())
}

/// Returns the arguments that name the endpoint, without those that select cases or outputs.
fn repeated(arguments: &[OsString]) -> String {
    let dropped = ["--only", "--skip", "--suite", "--format", "--report", "--save", "--expect", "-j"];
    let mut kept = Vec::new();
    let mut arguments = arguments.iter().map(|argument| argument.to_string_lossy());
    while let Some(argument) = arguments.next() {
        if dropped.contains(&&*argument) {
            arguments.next();
        } else if argument != "--full"
            && argument != "--quiet"
            && !dropped.iter().any(|name| argument.starts_with(&format!("{name}=")))
        {
            let is_plain =
                argument.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-./:_".contains(&byte));
            kept.push(if is_plain { argument.into_owned() } else { format!("'{argument}'") });
        }
    }
    format!("barewire conform {}", kept.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(arguments: &[&str]) -> Result<Option<Args>, String> {
        parse(arguments.iter().map(Into::into))
    }

    #[test]
    fn the_url_and_the_adapter_select_the_suites() {
        let suites = |arguments: &[&str]| args(arguments).unwrap().unwrap().selection.suites;
        assert_eq!(suites(&["server", "ws://127.0.0.1:1/echo"]), [Suite::WebSocket, Suite::Deflate]);
        assert_eq!(suites(&["server", "http://127.0.0.1:1"]), [Suite::Http]);
        assert_eq!(suites(&["server", "http://127.0.0.1:1", "--adapter", "barewire"]), Suite::ALL);
        assert_eq!(suites(&["client", "--listen", "127.0.0.1:1"]), [Suite::WebSocket, Suite::Deflate]);
        assert_eq!(suites(&["server", "http://127.0.0.1:1", "--suite", "http"]), [Suite::Http]);
    }

    #[test]
    fn an_option_of_the_command_line_replaces_that_of_the_adapter() {
        let given =
            ["server", "http://127.0.0.1:1", "--websocket", "ws://127.0.0.1:2/", "--adapter", "barewire"];
        let Some(Target::Server(server)) = args(&given).unwrap().unwrap().target else { panic!("a server") };
        assert_eq!(server.websocket.unwrap().address.port(), 2);
    }

    #[test]
    fn errors_say_what_is_wrong() {
        for (arguments, message) in [
            (&[][..], "say whether a server or a client is tested"),
            (&["ws://127.0.0.1:1"], "neither server nor client"),
            (&["server"], "the URL of the server is missing"),
            (&["server", "ws://127.0.0.1:1", "--suite", "sse"], "the suite sse needs --stream"),
            (&["server", "ws://127.0.0.1:1", "--suite", "tls"], "\"tls\" is not a suite"),
            (
                &["server", "ws://127.0.0.1:1", "--listen", "127.0.0.1:1"],
                "--listen and --run are for clients",
            ),
            (&["client"], "--listen ADDR:PORT is missing"),
            (&["client", "--run", "node client.js"], "has no {url}"),
            (&["client", "--listen", "127.0.0.1:1", "--suite", "sse"], "start the client with --run"),
            (&["client", "--listen", "127.0.0.1:1", "--stream", "http://x"], "--stream describes a server"),
            (&["server", "ws://127.0.0.1:1", "--publish", "http://x"], "has no method"),
            (&["server", "ws://127.0.0.1:1", "--cursor", "next"], "is not a place of a cursor"),
            (&["server", "ws://127.0.0.1:1", "--onyl", "x"], "unknown option --onyl"),
            (&["server", "ws://127.0.0.1:1", "-j", "0"], "-j: \"0\" is not a whole number"),
            (&["server", "wss://127.0.0.1:1"], "wss"),
        ] {
            let error = args(arguments).err().expect("a mistake");
            assert!(error.contains(message), "{arguments:?}: {error}");
        }
    }

    #[test]
    fn the_command_to_repeat_a_case_names_the_endpoint_only() {
        let given = ["server", "ws://127.0.0.1:1/echo", "--only", "x", "--format=json", "--timeout", "5"];
        let repeat = args(&given).unwrap().unwrap().repeat;
        assert_eq!(repeat, "barewire conform server ws://127.0.0.1:1/echo --timeout 5");
    }
}
