//! `barewire follow`.

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use super::args::{bearer_token, header, resource, text, utf8};
use super::exit_status::{NO_RESPONSE, REFUSED, USAGE_ERROR};
use crate::client::follow::{Resource, Since, Via};
use crate::client::{Follow, FollowError, FollowOptions, Update};
use crate::protocol::json;
use crate::protocol::sse::Event;

const HELP: &str = "\
Usage: barewire follow [OPTION]... URL

Follows a topic, as http://127.0.0.1:8080/topics/demo, and writes each event's data on standard output, with a line's end
behind it. It comes back by itself when the server was away, and goes on after the last event that it had. What happens
meanwhile is told on standard error: connections, gaps.

  --via TRANSPORT    short-poll, long-poll, sse or websocket [sse]
  --fallback         WebSocket; where that is not to be had, SSE; where that is not, long polling
  --since ID         after this event; start is the oldest that is kept, now only what is still to come [now]
  --count N          end after so many events [any]
  --timeout SECONDS  give up after so long without an answer as it should be [never]
  --interval SECONDS from one short poll to the next [3]
  --token TOKEN      the bearer token to send
  --header 'N: V'    another field to send; may be given again
  --json             each event as JSON, a line an event: {\"id\":…,\"event\":…,\"data\":…}
  --fail-on-gap      end at a gap
  --quiet            nothing on standard error but what ends it
  --help             this

Exit status: 0 so many events have come, or nobody reads them any more; 1 the server refuses, or what it answers can't be
read, or there was a gap, with --fail-on-gap; 2 a mistake in the arguments; 3 no answer as it should be within --timeout.
";

struct Asked {
    resource: Resource,
    plan: FollowOptions,
    count: Option<u64>,
    is_json: bool,
    is_quiet: bool,
    fails_on_gap: bool,
}

/// Follows until it is told to end.
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    match parse(arguments) {
        Ok(Some(asked)) => ExitCode::from(follow(asked)),
        Ok(None) => super::print(HELP),
        Err(what) => {
            eprintln!("barewire: {what}\nTry barewire follow --help.");
            ExitCode::from(USAGE_ERROR)
        }
    }
}

fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Option<Asked>, String> {
    use lexopt::prelude::*;

    let mut plan = FollowOptions::default();
    let (mut url, mut interval, mut count, mut token) = (None, None, None, None);
    let (mut is_json, mut is_quiet, mut fails_on_gap) = (false, false, false);
    let mut fields = Vec::new();
    let mut parser = lexopt::Parser::from_args(arguments);
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        match argument {
            Short('h') | Long("help") => return Ok(None),
            Long("via") => {
                let name = text(&mut parser, "--via")?;
                let via = Via::named(&name).ok_or_else(|| {
                    format!("--via: {name:?} is none of short-poll, long-poll, sse, websocket")
                })?;
                plan.via = vec![via];
            }
            Long("fallback") => plan.via = vec![Via::WebSocket, Via::EventStream, Via::LongPoll],
            Long("since") => {
                plan.since = match text(&mut parser, "--since")? {
                    word if word == "start" => Since::Start,
                    word if word == "now" => Since::Now,
                    id => Since::Id(id),
                };
            }
            Long("count") => count = Some(number(&text(&mut parser, "--count")?, "--count")?),
            Long("timeout") => {
                plan.give_up_after = Some(seconds(&text(&mut parser, "--timeout")?, "--timeout")?)
            }
            Long("interval") => interval = Some(seconds(&text(&mut parser, "--interval")?, "--interval")?),
            Long("token") => token = Some(bearer_token(&text(&mut parser, "--token")?)?),
            Long("header") => fields.push(header(&text(&mut parser, "--header")?)?),
            Long("json") => is_json = true,
            Long("quiet") => is_quiet = true,
            Long("fail-on-gap") => fails_on_gap = true,
            Value(value) if url.is_none() => url = Some(utf8(value, "URL")?),
            argument => return Err(argument.unexpected().to_string()),
        }
    }
    let url = url.ok_or("which URL is to be followed?")?;
    let mut resource = resource(&url, token.as_deref(), &fields)?;
    resource.interval = interval.unwrap_or(resource.interval);
    if let Some(give_up_after) = plan.give_up_after {
        plan.connect_timeout = plan.connect_timeout.min(give_up_after);
    }
    Ok(Some(Asked { resource, plan, count, is_json, is_quiet, fails_on_gap }))
}

fn number(text: &str, option: &str) -> Result<u64, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| format!("{option}: {text:?} is no whole number of at least 1"))
}

fn seconds(text: &str, option: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().filter(|seconds| (0.01..=86_400.0).contains(seconds));
    seconds
        .map(Duration::from_secs_f64)
        .ok_or_else(|| format!("{option}: {text:?} is no number of seconds from 0.01 to 86400"))
}

/// The exit status.
fn follow(asked: Asked) -> u8 {
    let Asked { resource, plan, count, is_json, is_quiet, fails_on_gap } = asked;
    let follow = match Follow::new(resource, plan) {
        Ok(follow) => follow,
        Err(error) => return end(&error),
    };
    let mut left = count;
    let mut out = io::stdout().lock();
    for news in follow {
        let news = match news {
            Ok(news) => news,
            Err(error) => return end(&error),
        };
        let event = match news {
            Update::Event(event) => event,
            other => {
                let is_gap = matches!(other, Update::Gap { .. });
                if !is_quiet || (is_gap && fails_on_gap) {
                    eprintln!("barewire: {}", tell(&other));
                }
                if is_gap && fails_on_gap {
                    return REFUSED;
                }
                continue;
            }
        };
        // Nobody reads any more: that is an end as good as any.
        if out.write_all(&line(&event, is_json)).and_then(|()| out.flush()).is_err() {
            return 0;
        }
        left = left.map(|left| left - 1);
        if left == Some(0) {
            return 0;
        }
    }
    0
}

fn end(error: &FollowError) -> u8 {
    eprintln!("barewire: {error}");
    match error {
        FollowError::Ended(_) => REFUSED,
        FollowError::GaveUp(_) => NO_RESPONSE,
    }
}

fn line(event: &Event, is_json: bool) -> Vec<u8> {
    let mut line = Vec::with_capacity(event.data.len() + 64);
    if is_json {
        let members = [("{\"id\":", &event.id), (",\"event\":", &event.event), (",\"data\":", &event.data)];
        for (before, text) in members {
            line.extend_from_slice(before.as_bytes());
            json::write_string(text, &mut line);
        }
        line.push(b'}');
    } else {
        line.extend_from_slice(event.data.as_bytes());
    }
    line.push(b'\n');
    line
}

fn tell(news: &Update) -> String {
    match news {
        Update::Opened(via) => format!("following via {via}"),
        Update::Gap { since, oldest } => match oldest {
            Some(oldest) => format!("gap: not all after {since} is kept; the oldest is {oldest}"),
            None => format!("gap: nothing after {since} is kept"),
        },
        Update::Disconnected { reason, retry_in } => {
            format!("{reason}; again in {:.1} s", retry_in.as_secs_f64())
        }
        Update::FellBack { from, to, reason } => format!("no {from}: {reason}; trying {to}"),
        Update::Event(event) => format!("event {}", event.id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(arguments: &[&str]) -> Result<Option<Asked>, String> {
        parse(arguments.iter().map(Into::into))
    }

    #[test]
    fn options_are_read_and_mistakes_say_what_is_wrong() {
        let url = "http://a/topics/t";
        let read = asked(&["--via", "websocket", url, "--since=e-1", "--count", "2", "--interval", "0.5"]);
        let read = read.expect("right").expect("no help");
        assert_eq!((read.plan.via, read.count), (vec![Via::WebSocket], Some(2)));
        assert_eq!(read.plan.since, Since::Id("e-1".into()));
        assert_eq!(read.resource.interval, Duration::from_millis(500));
        assert_eq!(asked(&["--fallback", url]).expect("right").expect("no help").plan.via.len(), 3);
        assert!(asked(&["--help"]).expect("right").is_none());
        for (arguments, what) in [
            (&[][..], "which URL"),
            (&["https://a/"], "TLS"),
            (&[url, url], "http://a/"),
            (&[url, "--via", "pigeon"], "--via: \"pigeon\""),
            (&[url, "--count", "0"], "--count: \"0\""),
            (&[url, "--timeout", "-1"], "--timeout: \"-1\""),
            (&[url, "--interval", "NaN"], "--interval: \"NaN\""),
            (&[url, "--token", "two words"], "--token"),
            (&[url, "--header", "nonsense"], "--header: \"nonsense\""),
            (&[url, "--header", "Host: b"], "a field is one"),
            (&[url, "--nonsense"], "--nonsense"),
        ] {
            let error = asked(arguments).err().expect("a mistake");
            assert!(error.contains(what), "{arguments:?}: {error}");
        }
    }
}
