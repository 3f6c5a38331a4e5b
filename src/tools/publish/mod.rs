//! `barewire publish`: publishes arguments or standard input to a topic.

mod args;

use std::ffi::OsString;
use std::io::{self, Read};
use std::process::ExitCode;

use self::args::Args;
use super::exit_status::{NO_RESPONSE, OUTPUT_FAILED, REFUSED};
use super::io_error::stream_error;
use super::standard_streams::{self, fail};
use crate::client::{PublishError, Publisher};
use crate::protocol::MAX_EVENT_BYTES;
use crate::text::escaped;

/// Bytes that are read from standard input at once, and that the lines of one request have at most.
const CHUNK: usize = 64 * 1024;

/// The maximum length of a line end.
const MAX_LINE_END: usize = 2;

/// An error message and the exit status that belongs to it.
struct Failure(String, u8);

/// Publishes the data of the command line or standard input.
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let args = match args::parse(arguments) {
        Ok(Some(args)) => args,
        Ok(None) => return super::print(args::HELP),
        Err(error) => return super::usage_error("barewire publish", &error),
    };
    match publish(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure(error, status)) => fail(status, error),
    }
}

fn publish(args: Args) -> Result<(), Failure> {
    let Args { mut publisher, data, by_lines } = args;
    if by_lines {
        return publish_lines(&mut publisher);
    }
    for data in data {
        let read;
        let data = if data == "-" {
            read = standard_input()?;
            &*read
        } else {
            &data
        };
        let id = publisher.publish(data)?;
        print_ids(&[id])?;
    }
    Ok(())
}

/// Reads standard input without its last line end.
fn standard_input() -> Result<String, Failure> {
    let mut data = Vec::new();
    io::stdin().lock().take((MAX_EVENT_BYTES + MAX_LINE_END + 1) as u64).read_to_end(&mut data)?;
    if data.pop_if(|last| *last == b'\n').is_some() {
        data.pop_if(|last| *last == b'\r');
    }
    if data.len() > MAX_EVENT_BYTES {
        return Err(Failure(
            format!("standard input is too long for one event: at most {MAX_EVENT_BYTES} bytes are allowed"),
            REFUSED,
        ));
    }
    String::from_utf8(data).map_err(|_| Failure("standard input is not valid UTF-8".into(), REFUSED))
}

/// Publishes each line of standard input as soon as it arrives.
fn publish_lines(publisher: &mut Publisher) -> Result<(), Failure> {
    let mut input = io::stdin().lock();
    let mut pending = Vec::new();
    let mut chunk = vec![0; CHUNK];
    loop {
        let length = match input.read(&mut chunk) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        pending.extend_from_slice(&chunk[..length]);
        // The last line may lack a line end.
        let end = match pending.iter().rposition(|byte| *byte == b'\n') {
            _ if length == 0 => pending.len(),
            Some(last) => last + 1,
            None if pending.len() > MAX_EVENT_BYTES + MAX_LINE_END => {
                return Err(Failure(
                    format!(
                        "a line of standard input is too long: at most {MAX_EVENT_BYTES} bytes are allowed"
                    ),
                    REFUSED,
                ));
            }
            None => 0,
        };
        let complete = str::from_utf8(&pending[..end])
            .map_err(|_| Failure("a line of standard input is not valid UTF-8".into(), REFUSED))?;
        publish_complete_lines(publisher, complete)?;
        pending.drain(..end);
        if length == 0 {
            return Ok(());
        }
    }
}

fn publish_complete_lines(publisher: &mut Publisher, text: &str) -> Result<(), Failure> {
    let lines: Vec<_> = text.lines().filter(|line| !line.is_empty()).collect();
    for lines in requests(&lines) {
        match lines {
            [line] => print_ids(&[publisher.publish(line)?])?,
            // A CR within a line is a line end in the data of an event, but it does not separate
            // two events. The format for several events cannot express this, so each line is a
            // request.
            lines if lines.iter().any(|line| line.contains('\r')) => {
                for line in lines {
                    print_ids(&[publisher.publish(line)?])?;
                }
            }
            lines => print_ids(&publisher.publish_lines(lines)?)?,
        }
    }
    Ok(())
}

/// Splits lines into requests of at most [`CHUNK`] bytes. A longer line is a request of its own: a
/// server may accept a larger body for one event than for several.
fn requests<'l>(mut lines: &'l [&'l str]) -> impl Iterator<Item = &'l [&'l str]> {
    std::iter::from_fn(move || {
        let mut length = 0;
        let fits = |line: &&&str| {
            length += line.len() + 1;
            length <= CHUNK
        };
        let count = lines.iter().take_while(fits).count().max(1);
        let (request, rest) = lines.split_at_checked(count)?;
        lines = rest;
        Some(request)
    })
}

/// Writes ids to standard output, safe for a terminal. If nobody reads it any more, publishing
/// continues. After a failed write it does not, because nobody could know which events are
/// published.
fn print_ids(ids: &[String]) -> Result<(), Failure> {
    let shown = |id: &str| escaped(id, &[]).into_owned();
    let text: String = ids.iter().map(|id| shown(id) + "\n").collect();
    let Err(error) = standard_streams::write(text.as_bytes()) else { return Ok(()) };
    let message = match ids {
        [first, .., last] => {
            let (first, last) = (shown(first), shown(last));
            format!("the events {first} to {last} are published, but not all of their ids could be written")
        }
        [id] => format!("the event {} is published, but its id could not be written", shown(id)),
        [] => return Ok(()),
    };
    Err(Failure(format!("{message}: {error}"), OUTPUT_FAILED))
}

impl From<PublishError> for Failure {
    fn from(error: PublishError) -> Self {
        let status = match &error {
            PublishError::Refused(_) | PublishError::InvalidLine => REFUSED,
            PublishError::Unavailable { .. } | PublishError::Unreachable(_) | PublishError::NoResponse(_) => {
                NO_RESPONSE
            }
        };
        Self(error.to_string(), status)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self(stream_error("standard input", &error), REFUSED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_a_request_of_its_own() {
        let long = "x".repeat(CHUNK);
        let half = &long[..CHUNK / 2 - 1];
        let lines = ["a", &long, "b", "c", half, half, &long, &long];
        let counts: Vec<_> = requests(&lines).map(<[_]>::len).collect();
        assert_eq!(counts, [1, 1, 3, 1, 1, 1]);
        assert_eq!(requests(&[half, half]).count(), 1);
        assert_eq!(requests(&[]).count(), 0);
    }
}
