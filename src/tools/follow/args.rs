//! The arguments of `barewire follow`.

use std::ffi::OsString;
use std::time::Duration;

use crate::client::FollowOptions;
use crate::client::follow::{Resource, ResponseLimits, Since, Transport};
use crate::tools::args::{bearer_token, header, text, topic, utf8};
use crate::tools::suggest::unexpected;

pub const HELP: &str = "\
Usage: barewire follow [OPTION]... URL

Follows a topic, such as http://127.0.0.1:8080/topics/demo, and writes the data of each event to standard output, with a
line end after it. When the connection is lost, barewire reconnects and resumes after the last event. Connections, gaps and
failures are reported on standard error.

  --via TRANSPORT    short-poll, long-poll, sse or websocket [sse]
  --fallback         try WebSocket first, then SSE, then long polling
  --since ID         deliver the events after this one; start: all events that the server keeps; now: only new events [now]
  --count N          exit after N events [no limit]
  --timeout SECONDS  exit after this time without a usable response [never]
  --interval SECONDS time between two short polls [3]
  --max-event-bytes BYTES
                     size of the data of an event that is accepted over every transport [16777216]
  --token TOKEN      bearer token to send
  --header 'N: V'    additional header field to send; may be repeated
  --json             write each event as a line of JSON: {\"id\":…,\"event\":…,\"data\":…}
  --fail-on-gap      exit at a gap
  --quiet            write nothing to standard error except the reason for exiting
  --help             show this help

Exit status: 0 after N events, or when standard output was closed; 1 the server refused, its response could not be parsed,
an event could not be written, or there was a gap, with --fail-on-gap; 2 invalid arguments; 3 no usable response within
--timeout.
";

/// The parsed arguments.
pub struct Args {
    pub resource: Resource,
    pub options: FollowOptions,
    /// The number of events to deliver; `None` is unlimited.
    pub count: Option<u64>,
    pub is_json: bool,
    pub is_quiet: bool,
    pub fails_on_gap: bool,
}

/// Parses the arguments. Returns `None` if they request help.
pub fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Option<Args>, String> {
    use lexopt::prelude::*;

    let mut options = FollowOptions::default();
    let (mut url, mut interval, mut count, mut token) = (None, None, None, None);
    let mut max_event_bytes = None;
    let (mut is_json, mut is_quiet, mut fails_on_gap) = (false, false, false);
    let mut fields = Vec::new();
    let mut parser = lexopt::Parser::from_args(arguments);
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        match argument {
            Short('h') | Long("help") => return Ok(None),
            Long("via") => options.transports = vec![transport(&text(&mut parser, "--via")?)?],
            Long("fallback") => {
                options.transports = vec![Transport::WebSocket, Transport::EventStream, Transport::LongPoll]
            }
            Long("since") => options.since = since(text(&mut parser, "--since")?),
            Long("count") => count = Some(number(&text(&mut parser, "--count")?, "--count")?),
            Long("timeout") => {
                options.give_up_after = Some(seconds(&text(&mut parser, "--timeout")?, "--timeout")?);
            }
            Long("max-event-bytes") => {
                max_event_bytes =
                    Some(number(&text(&mut parser, "--max-event-bytes")?, "--max-event-bytes")?);
            }
            Long("interval") => interval = Some(seconds(&text(&mut parser, "--interval")?, "--interval")?),
            Long("token") => token = Some(bearer_token(&text(&mut parser, "--token")?)?),
            Long("header") => fields.push(header(&text(&mut parser, "--header")?)?),
            Long("json") => is_json = true,
            Long("quiet") => is_quiet = true,
            Long("fail-on-gap") => fails_on_gap = true,
            Value(value) if url.is_none() => url = Some(utf8(value, "URL")?),
            argument => return Err(unexpected(&argument, HELP)),
        }
    }
    let mut resource = topic(url.as_deref(), token.as_deref(), &fields)?;
    if let Some(bytes) = max_event_bytes {
        resource.limits = ResponseLimits::for_events(usize::try_from(bytes).unwrap_or(usize::MAX));
    }
    resource.interval = interval.unwrap_or(resource.interval);
    if let Some(give_up_after) = options.give_up_after {
        options.connect_timeout = options.connect_timeout.min(give_up_after);
    }
    Ok(Some(Args { resource, options, count, is_json, is_quiet, fails_on_gap }))
}

fn transport(name: &str) -> Result<Transport, String> {
    Transport::named(name).ok_or_else(|| {
        format!("--via: {name:?} is not a transport: use short-poll, long-poll, sse or websocket")
    })
}

fn since(text: String) -> Since {
    match &*text {
        "start" => Since::Start,
        "now" => Since::Now,
        _ => Since::Id(text),
    }
}

fn number(text: &str, option: &str) -> Result<u64, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| format!("{option}: {text:?} is not valid: use a whole number of at least 1"))
}

fn seconds(text: &str, option: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().filter(|seconds| (0.01..=86_400.0).contains(seconds));
    seconds
        .map(Duration::from_secs_f64)
        .ok_or_else(|| format!("{option}: {text:?} is not valid: use a number of seconds from 0.01 to 86400"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::MAX_EVENT_BYTES;

    fn args(arguments: &[&str]) -> Result<Option<Args>, String> {
        parse(arguments.iter().map(Into::into))
    }

    #[test]
    fn parses_options_and_names_each_mistake() {
        let url = "http://a/topics/t";
        let read = args(&["--via", "websocket", url, "--since=e-1", "--count", "2", "--interval", "0.5"]);
        let read = read.expect("valid").expect("not help");
        assert_eq!((read.options.transports, read.count), (vec![Transport::WebSocket], Some(2)));
        assert_eq!(read.options.since, Since::Id("e-1".into()));
        assert_eq!(read.resource.interval, Duration::from_millis(500));
        let fallback = args(&["--fallback", url]).expect("valid").expect("not help");
        assert_eq!(fallback.options.transports.len(), 3);
        let limits = |arguments: &[&str]| args(arguments).map(|args| args.expect("not help").resource.limits);
        assert_eq!(limits(&[url]), Ok(ResponseLimits::for_events(MAX_EVENT_BYTES)));
        assert_eq!(limits(&[url, "--max-event-bytes", "9"]), Ok(ResponseLimits::for_events(9)));
        assert!(HELP.contains(&format!("[{MAX_EVENT_BYTES}]")), "the default");
        assert!(args(&["--help"]).expect("valid").is_none());
        for (arguments, part) in [
            (&[][..], "the URL of a topic is missing"),
            (&["https://a/topics/t"], "TLS"),
            (&["http://a"], "has no topic"),
            (&["t"], "\"t\" is not the URL of a topic"),
            (&[url, "--max-event-bytes", "0"], "--max-event-bytes: \"0\""),
            (&[url, url], "http://a/"),
            (&[url, "--via", "pigeon"], "--via: \"pigeon\""),
            (&[url, "--count", "0"], "--count: \"0\""),
            (&[url, "--timeout", "-1"], "--timeout: \"-1\""),
            (&[url, "--interval", "NaN"], "--interval: \"NaN\""),
            (&[url, "--token", "two words"], "--token"),
            (&[url, "--header", "nonsense"], "--header: \"nonsense\""),
            (&[url, "--header", "Host: b"], "The handshake sets this field itself"),
            (&[url, "--nonsense"], "--nonsense"),
        ] {
            let error = args(arguments).err().expect("a mistake");
            assert!(error.contains(part), "{arguments:?}: {error}");
        }
    }
}
