//! `barewire publish`.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::process::ExitCode;

use super::args::{bearer_token, header, resource, text, utf8};
use super::exit_status::{NO_RESPONSE, REFUSED, USAGE_ERROR};
use crate::client::{PublishError, Publisher};

const HELP: &str = "\
Usage: barewire publish [OPTION]... URL [DATA]...

Publishes to a topic, as http://127.0.0.1:8080/topics/demo: each DATA is one event. Without any, or for a DATA that is -, what
stands on standard input is one, less the end of its last line. Writes each event's id on standard output, a line an id.

  --event NAME     the name of the events [message]
  --lines          each line of standard input is an event, published as it comes; empty ones are passed over
  --token TOKEN    the bearer token to send
  --header 'N: V'  another field to send; may be given again
  --help           this

Exit status: 0 all is published; 1 the server refuses, or the data are not UTF-8; 2 a mistake in the arguments; 3 no connection,
no answer, or the server can't now. At 1 and 3 those are published whose ids were written; of the next one it is said on
standard error if that is not known.
";

/// What is read from standard input at once; of the lines in it, one request.
const PIECE: usize = 64 * 1024;

/// A line that is longer is no event of any server's.
const MAX_LINE: usize = 16 << 20;

struct Asked {
    publisher: Publisher,
    data: Vec<String>,
    by_lines: bool,
}

/// What has gone wrong, and the exit status for it.
struct Failed(String, u8);

/// Publishes what it is given.
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let asked = match parse(arguments) {
        Ok(Some(asked)) => asked,
        Ok(None) => return super::print(HELP),
        Err(what) => {
            eprintln!("barewire: {what}\nTry barewire publish --help.");
            return ExitCode::from(USAGE_ERROR);
        }
    };
    match publish(asked) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failed(what, status)) => {
            eprintln!("barewire: {what}");
            ExitCode::from(status)
        }
    }
}

fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Option<Asked>, String> {
    use lexopt::prelude::*;

    let (mut url, mut token, mut event, mut by_lines) = (None, None, None, false);
    let (mut fields, mut data) = (Vec::new(), Vec::new());
    let mut parser = lexopt::Parser::from_args(arguments);
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        match argument {
            Short('h') | Long("help") => return Ok(None),
            Long("event") => event = Some(text(&mut parser, "--event")?),
            Long("token") => token = Some(bearer_token(&text(&mut parser, "--token")?)?),
            Long("header") => fields.push(header(&text(&mut parser, "--header")?)?),
            Long("lines") => by_lines = true,
            Value(value) if url.is_none() => url = Some(utf8(value, "URL")?),
            Value(value) => data.push(utf8(value, "DATA")?),
            argument => return Err(argument.unexpected().to_string()),
        }
    }
    if by_lines && data.iter().any(|data| data != "-") {
        return Err("--lines is for what stands on standard input".into());
    }
    let url = url.ok_or("to which URL is to be published?")?;
    let mut publisher = Publisher::new(resource(&url, token.as_deref(), &fields)?);
    publisher.event = event;
    if data.is_empty() {
        data.push("-".into());
    }
    Ok(Some(Asked { publisher, data, by_lines }))
}

fn publish(asked: Asked) -> Result<(), Failed> {
    let Asked { mut publisher, data, by_lines } = asked;
    if by_lines {
        return lines(&mut publisher);
    }
    for data in data {
        let read;
        let data = if data == "-" {
            read = standard_input()?;
            read.strip_suffix('\n').map_or(&*read, |line| line.strip_suffix('\r').unwrap_or(line))
        } else {
            &data
        };
        let id = publisher.publish(data)?;
        say(&[id]);
    }
    Ok(())
}

fn standard_input() -> Result<String, Failed> {
    let mut data = Vec::new();
    io::stdin().lock().take(MAX_LINE as u64 + 1).read_to_end(&mut data)?;
    if data.len() > MAX_LINE {
        return Err(Failed(format!("standard input is longer than {MAX_LINE} bytes"), REFUSED));
    }
    String::from_utf8(data).map_err(|_| Failed("standard input is not UTF-8".into(), REFUSED))
}

/// Publishes each line of standard input as soon as it is there.
fn lines(publisher: &mut Publisher) -> Result<(), Failed> {
    let mut input = io::stdin().lock();
    let mut pending = Vec::new();
    let mut piece = vec![0; PIECE];
    loop {
        let length = match input.read(&mut piece) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        pending.extend_from_slice(&piece[..length]);
        // At the end of input the last line needs no end.
        let end = match pending.iter().rposition(|byte| *byte == b'\n') {
            _ if length == 0 => pending.len(),
            Some(last) => last + 1,
            None if pending.len() > MAX_LINE => {
                return Err(Failed(format!("a line is longer than {MAX_LINE} bytes"), REFUSED));
            }
            None => 0,
        };
        let whole =
            str::from_utf8(&pending[..end]).map_err(|_| Failed("a line is not UTF-8".into(), REFUSED))?;
        // Inside a line a CR is a line's end to an event, but none of these.
        let whole: Vec<_> = whole.lines().filter(|line| !line.is_empty()).collect();
        match &whole[..] {
            [] => {}
            [one] => say(&[publisher.publish(one)?]),
            many if many.iter().any(|line| line.contains('\r')) => {
                for line in many {
                    say(&[publisher.publish(line)?]);
                }
            }
            many => say(&publisher.publish_lines(many)?),
        }
        pending.drain(..end);
        if length == 0 {
            return Ok(());
        }
    }
}

/// Writes ids. That nobody reads them does not undo what is published.
fn say(ids: &[String]) {
    let mut text = ids.join("\n");
    text.push('\n');
    let mut out = io::stdout();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

impl From<PublishError> for Failed {
    fn from(error: PublishError) -> Self {
        let status = match &error {
            PublishError::Refused(_) | PublishError::Line => REFUSED,
            PublishError::Passing { .. } | PublishError::Unreachable(_) | PublishError::Unanswered(_) => {
                NO_RESPONSE
            }
        };
        Self(error.to_string(), status)
    }
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self(format!("standard input: {error}"), REFUSED)
    }
}
