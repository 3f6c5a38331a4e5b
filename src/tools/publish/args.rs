//! The arguments of `barewire publish`.

use std::ffi::OsString;

use crate::client::Publisher;
use crate::tools::args::{bearer_token, header, text, topic, utf8};
use crate::tools::suggest::unexpected;

pub const HELP: &str = "\
Usage: barewire publish [OPTION]... URL [DATA]...

Publishes to a topic, such as http://127.0.0.1:8080/topics/demo. Each DATA is one event. Without DATA, or for a DATA of -,
standard input is one event, without its last line end. The id of each event is written to standard output on a line of its
own.

  --event NAME     name of the events [message]
  --lines          publish each line of standard input as an event as soon as it arrives; empty lines are skipped
  --token TOKEN    bearer token to send
  --header 'N: V'  additional header field to send; may be repeated
  --help           show this help

Exit status: 0 everything was published; 1 the server refused, the data is not UTF-8, or an id could not be written; 2
invalid arguments; 3 no connection, no response, or the server is temporarily unavailable. After 1 and 3, the events whose
ids were written have been published. Standard error names those whose ids could not be written, and says if it is unknown
whether the next event was published.
";

/// The parsed arguments.
pub struct Args {
    pub publisher: Publisher,
    /// The data of each event; `-` stands for standard input.
    pub data: Vec<String>,
    /// True to publish each line of standard input as an event.
    pub by_lines: bool,
}

/// Parses the arguments. Returns `None` if they request help.
pub fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Option<Args>, String> {
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
            argument => return Err(unexpected(&argument, HELP)),
        }
    }
    if by_lines && data.iter().any(|data| data != "-") {
        return Err("--lines reads standard input, so it allows no DATA: leave out one of the two".into());
    }
    let mut publisher = Publisher::new(topic(url.as_deref(), token.as_deref(), &fields)?);
    publisher.event = event;
    if data.is_empty() {
        data.push("-".into());
    }
    Ok(Some(Args { publisher, data, by_lines }))
}
