//! Stage 10: a cursor that the server cannot continue.

use std::time::Instant;

use super::cursor::shown;
use super::stream::Stream;
use super::websocket::{data_of, expect_event, failed_at, open, wait_for};
use crate::client::json::Reader;
use crate::protocol::rule::Section;
use crate::tools::check::probe::{MemberError, Probe, string_members};
use crate::tools::check::stage::{Stage, Step, View};
use crate::tools::conform::trial::Finding;
use crate::tools::conform::websocket::peer::{Item, Peer};

pub const STAGE: Stage = Stage {
    name: "gap",
    task: "A server may have restarted, or may no longer keep what a client has not read. A cursor of another \
           life, one that is too old, and one that this life has not reached are answered with everything that \
           is kept, and with the news that something may be missing: `\"gap\":true` in the body of a poll; an \
           event named `gap` at the start of a stream, with the data `{\"since\":\"…\",\"oldest\":\"…\"}`, \
           which are the cursor and the id of the oldest event that is kept; the same object in the first \
           message of a WebSocket, `{\"next\":\"…\",\"gap\":{\"since\":\"…\",\"oldest\":\"…\"}}`. Ids \
           therefore name the life of the list too: a part that is random at each start, and a number.",
    example: "src/hub/id.rs of barewire",
    read: "an id is an epoch and a sequence",
    view: View::Wire,
    steps: &[
        Step {
            title: "reports no gap for a cursor that it gave",
            why: "A false alarm makes the client load everything again.",
            section: None,
            play: reports_none,
        },
        Step {
            title: "reports the gap to a poll, with everything that is kept",
            why: "Without it the client never learns that it has lost events: the end of \
                  examples/03_short_poll.rs shows that.",
            section: None,
            play: reports_to_poll,
        },
        Step {
            title: "reports the gap at the start of a stream, then everything that is kept",
            why: "The specification of event streams has no word for it, so it is an event of its own.",
            section: Some(Section::html("9.2.4")),
            play: reports_to_stream,
        },
        Step {
            title: "reports the gap in the first message of a WebSocket, then everything that is kept",
            why: "A WebSocket has no Last-Event-ID at all: the cursor is in the URL.",
            section: None,
            play: reports_to_websocket,
        },
    ],
};

/// Cursors that this server has never given: of another life, and beyond the newest of any.
const UNKNOWN: [&str; 3] = ["anotherlife-1", "q7x2-3", "999999999999"];

/// The most events that a step reads to find its own among all that are kept.
const MOST: usize = 100_000;

fn reports_none(probe: &mut Probe) -> Result<(), Finding> {
    let id = probe.publish(&probe.data("one"))?;
    let poll = probe.poll(&id)?;
    if poll.has_gap {
        return Err(Finding::failed("no gap", shown(&poll)));
    }
    let mut stream = Stream::open(probe, Some(&id))?;
    let mut peer = open(probe, &format!("?since={id}"))?;
    let first =
        wait_for(&mut peer, "a text message", probe.promptly(), |item| matches!(item, Item::Text(_)))?;
    if gap_of(&first)?.is_some() {
        return Err(failed_at(&peer, "a first message without a gap", &first.to_string()));
    }
    let data = probe.data("two");
    probe.publish(&data)?;
    expect_event(&mut peer, &data, probe.promptly())?;
    let event = stream.next(probe.promptly())?;
    match event.event != "gap" && event.data == data {
        true => Ok(()),
        false => {
            let observed = format!("event: {}, data: {}", event.event, event.data);
            Err(Finding::failed(format!("no gap, and the event {data:?}"), observed))
        }
    }
}

fn reports_to_poll(probe: &mut Probe) -> Result<(), Finding> {
    let data = probe.data("one");
    let id = probe.publish(&data)?;
    let other = of_another_life(&id);
    for cursor in UNKNOWN.into_iter().chain(other.as_deref()) {
        let poll = probe.poll(cursor)?;
        if !poll.has_gap || poll.events.last() != Some(&data) {
            let expected = format!("\"gap\":true after {cursor:?}, and {data:?} as the last event");
            return Err(Finding::failed(expected, shown(&poll)));
        }
    }
    Ok(())
}

fn reports_to_stream(probe: &mut Probe) -> Result<(), Finding> {
    let data = probe.data("one");
    probe.publish(&data)?;
    let mut stream = Stream::open(probe, Some(UNKNOWN[0]))?;
    let first = stream.next(probe.promptly())?;
    let expected = "event: gap, data: {\"since\":\"anotherlife-1\",\"oldest\":\"…\"}";
    let observed = format!("event: {}, data: {}", first.event, first.data);
    match string_members(first.data.as_bytes(), &["since", "oldest"]) {
        Ok(members) if first.event == "gap" && members[0] == UNKNOWN[0] && !members[1].is_empty() => {}
        _ => return Err(Finding::failed(expected, observed)),
    }
    let until = probe.promptly();
    for _ in 0..MOST {
        if stream.next(until)?.data == data {
            return Ok(());
        }
    }
    Err(Finding::failed(format!("the event {data:?} after the gap"), "other events"))
}

fn reports_to_websocket(probe: &mut Probe) -> Result<(), Finding> {
    let data = probe.data("one");
    probe.publish(&data)?;
    let mut peer = open(probe, &format!("?since={}", UNKNOWN[0]))?;
    let first =
        wait_for(&mut peer, "a text message", probe.promptly(), |item| matches!(item, Item::Text(_)))?;
    let expected = "{\"next\":\"…\",\"gap\":{\"since\":\"anotherlife-1\",\"oldest\":\"…\"}}";
    match gap_of(&first)? {
        Some((since, oldest)) if since == UNKNOWN[0] && !oldest.is_empty() => {}
        _ => return Err(failed_at(&peer, expected, &first.to_string())),
    }
    find_event(&mut peer, &data, probe.promptly())
}

/// Receives events until the one with this data.
fn find_event(peer: &mut Peer, data: &str, until: Instant) -> Result<(), Finding> {
    for _ in 0..MOST {
        let item =
            wait_for(peer, &format!("the event {data:?}"), until, |item| matches!(item, Item::Text(_)))?;
        if data_of(&item).is_some_and(|other| other == data) {
            return Ok(());
        }
    }
    Err(failed_at(peer, &format!("the event {data:?} after the gap"), "other events"))
}

/// Returns the two members of the gap in the first message of a WebSocket.
fn gap_of(item: &Item) -> Result<Option<(String, String)>, Finding> {
    let Item::Text(text) = item else { return Ok(None) };
    let mut gap = None;
    let read = (|| {
        Reader::new(text)?.object(|name, reader| -> Result<(), MemberError> {
            let raw = reader.raw()?;
            if name == "gap" {
                let [since, oldest] =
                    <[String; 2]>::try_from(string_members(raw.as_bytes(), &["since", "oldest"])?)
                        .unwrap_or_default();
                gap = Some((since, oldest));
            }
            Ok(())
        })
    })();
    match read {
        Ok(()) => Ok(gap),
        Err(error) => Err(Finding::failed("a first message {\"next\":\"…\"}", format!("{item}: {error}"))),
    }
}

/// Returns an id like this one, but of another life: its first letter is another.
fn of_another_life(id: &str) -> Option<String> {
    let at = id.find(|character: char| character.is_ascii_alphabetic())?;
    let other = if id.as_bytes()[at] == b'a' { 'b' } else { 'a' };
    Some(format!("{}{other}{}", &id[..at], &id[at + 1..]))
}
