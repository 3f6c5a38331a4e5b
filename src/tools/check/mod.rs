//! `barewire check`: tests a server that somebody builds, in any language, stage by stage.
//!
//! The ten stages follow the examples: from an echo of bytes to a gap that is reported. A stage is
//! a few steps; the first that fails ends the check, and is explained with the bytes.
//!
//! ```text
//! args ─▶ Stage ─▶ Step, one after the other ─▶ output
//!                    └─ Probe: requests to the server, over conform's Trial
//! ```
//!
//! Read in this order: `stage` — what a stage is; `stages` — the ten; `probe` — what their steps
//! work with. Connections, frames and explanations are those of [`conform`](super::conform).

mod output;
mod probe;
mod stage;
mod stages;

use std::ffi::OsString;
use std::net::TcpStream;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::args::utf8;
use super::conform::record::Record;
use super::conform::target::{ServerTarget, Target, Template};
use super::conform::trial::{Finding, Trial};
use super::exit_status::{FAILED, USAGE_ERROR};
use super::standard_streams::{fail, output_has_colors, print};
use super::suggest::{unexpected, unknown};
use probe::Probe;
use stage::{Stage, Step};

/// The time limit of a step.
const STEP_TIME: Duration = Duration::from_secs(20);

/// The topic of a URL without a path, as in the examples.
const TOPIC: &str = "/topics/demo";

const HELP: &str = "\
Usage: barewire check
       barewire check STAGE
       barewire check STAGE URL

Tests a server that you build, in any language, in ten stages. Each stage adds one idea to the last,
as the examples do. Without arguments, it lists the stages; with a stage, it says what to build; with
the URL of your server, such as http://127.0.0.1:8080, it tests the stage and explains the first step
that fails.

The check needs the topic for itself: no other client may publish to it meanwhile.

STAGE is a number from 1 to 10, or a name: echo, head, pipelining, cursor, hold, stream, handshake,
frame, fragments, gap.

  --help  shows this help

Exit status: 0 the stage is done; 1 a step failed; 2 the arguments are wrong, or the server cannot be reached.
";

/// What the arguments ask for.
enum Command {
    Help,
    List,
    Describe(usize, &'static Stage),
    Check(usize, &'static Stage, String),
}

/// Runs the command.
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    match parse(arguments) {
        Ok(Command::Help) => print(HELP),
        Ok(Command::List) => print(&output::list()),
        Ok(Command::Describe(index, stage)) => print(&output::describe(index, stage)),
        Ok(Command::Check(index, stage, url)) => check(index, stage, &url),
        Err(error) => super::usage_error("barewire check", &error),
    }
}

fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Command, String> {
    use lexopt::prelude::*;

    let (mut stage, mut url) = (None, None);
    let mut parser = lexopt::Parser::from_args(arguments);
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        match argument {
            Short('h') | Long("help") => return Ok(Command::Help),
            Long(name) => return Err(unknown("option", &format!("--{name}"), HELP)),
            Value(value) if stage.is_none() => {
                let name = utf8(value, "STAGE")?;
                let error = || format!("{name:?} is not a stage: barewire check lists them");
                stage = Some(stages::named(&name).ok_or_else(error)?);
            }
            Value(value) if url.is_none() => url = Some(utf8(value, "URL")?),
            argument => return Err(unexpected(&argument, HELP)),
        }
    }
    Ok(match (stage, url) {
        (None, _) => Command::List,
        (Some((index, stage)), None) => Command::Describe(index, stage),
        (Some((index, stage)), Some(url)) => Command::Check(index, stage, url),
    })
}

fn check(index: usize, stage: &'static Stage, url: &str) -> ExitCode {
    let template = match template(url) {
        Ok(template) => template,
        Err(error) => return super::usage_error("barewire check", &error),
    };
    if let Err(error) = TcpStream::connect_timeout(&template.address, Duration::from_secs(5)) {
        return fail(USAGE_ERROR, format_args!("{}: {error}: is your server running?", template.address));
    }
    let server = ServerTarget { get: Some(template.clone()), ..ServerTarget::default() };
    let target = Target::Server(Box::new(server));
    let mut outcomes = Vec::new();
    for (number, step) in stage.steps.iter().enumerate() {
        let outcome = play(step, &target, &template, number);
        let has_failed = outcome.finding.is_some();
        outcomes.push(outcome);
        if has_failed {
            break;
        }
    }
    let is_done = outcomes.iter().all(|outcome| outcome.finding.is_none());
    let written = print(&output::result(index, stage, &outcomes, url, output_has_colors()));
    if is_done { written } else { ExitCode::from(FAILED) }
}

/// Returns where the server is. The path is that of the topic.
fn template(url: &str) -> Result<Template, String> {
    let url = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
    let has_path = url.splitn(4, '/').nth(3).is_some_and(|path| !path.is_empty());
    match has_path {
        true => Template::parse(&url),
        false => Template::parse(&format!("{}{TOPIC}", url.trim_end_matches('/'))),
    }
}

/// What a step ended with.
struct StepOutcome {
    step: &'static Step,
    finding: Option<Finding>,
    record: Record,
}

fn play(step: &'static Step, target: &Target, template: &Template, number: usize) -> StepOutcome {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let token = format!("{:x}{number}", since_epoch.as_micros());
    let mut probe = Probe::new(Trial::new(target, None, STEP_TIME), template, token);
    let finding = (step.play)(&mut probe).err();
    StepOutcome { step, finding, record: probe.trial.into_record() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_has_a_number_and_a_name() {
        assert_eq!(stages::ALL.len(), 10);
        for (index, stage) in stages::ALL.iter().enumerate() {
            for text in [&(index + 1).to_string(), stage.name] {
                assert_eq!(
                    stages::named(text).map(|(index, stage)| (index, stage.name)),
                    Some((index, stage.name))
                );
            }
            assert!(HELP.contains(stage.name), "{}", stage.name);
        }
        for text in ["0", "11", "-1", "", "websocket"] {
            assert!(stages::named(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_url_without_a_path_is_that_of_the_topic_of_the_examples() {
        for (url, target) in [
            ("http://127.0.0.1:1", "/topics/demo"),
            ("http://127.0.0.1:1/", "/topics/demo"),
            ("127.0.0.1:1", "/topics/demo"),
            ("http://127.0.0.1:1/events", "/events"),
        ] {
            assert_eq!(template(url).map(|template| template.target(Default::default())), Ok(target.into()));
        }
        assert!(template("https://127.0.0.1:1").is_err());
    }

    #[test]
    fn errors_say_what_is_wrong() {
        for (arguments, message) in [
            (&["websockets"][..], "is not a stage"),
            (&["1", "127.0.0.1:1", "more"], "more"),
            (&["--list"], "unknown option --list"),
        ] {
            let error = parse(arguments.iter().map(Into::into)).err().expect("a mistake");
            assert!(error.contains(message), "{arguments:?}: {error}");
        }
    }
}
