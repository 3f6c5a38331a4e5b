//! Stage 10: a cursor that the server cannot continue.

use super::cursor::shown;
use super::stream::Stream;
use super::websocket::{open, wait_for};
use crate::protocol::rule::Section;
use crate::tools::check::probe::Probe;
use crate::tools::check::stage::{Stage, Step};
use crate::tools::conform::trial::Finding;
use crate::tools::conform::websocket::peer::Item;

pub const STAGE: Stage = Stage {
    name: "gap",
    task: "A server may have restarted, or may no longer keep what a client has not read. A cursor of another \
           life, or one that is too old, is answered with everything that is kept, and with the news that \
           something may be missing: `\"gap\":true` in the body of a poll, an event named `gap` at the start of \
           a stream, `\"gap\"` in the first message of a WebSocket. Ids therefore name the life of the list too.",
    example: "src/hub/log.rs",
    read: "`src/hub/id.rs`: an id is an epoch and a sequence",
    steps: &[
        Step {
            title: "reports no gap for a cursor that it gave",
            why: "A false alarm makes the client load everything again.",
            section: None,
            play: reports_none,
        },
        Step {
            title: "reports the gap to a poll, with everything that is kept",
            why: "Without it the client never learns that it has lost events: example 3 shows that.",
            section: None,
            play: reports_to_poll,
        },
        Step {
            title: "reports the gap at the start of a stream",
            why: "The specification of event streams has no word for it, so it is an event of its own.",
            section: Some(Section::html("9.2.4")),
            play: reports_to_stream,
        },
        Step {
            title: "reports the gap in the first message of a WebSocket",
            why: "A WebSocket has no Last-Event-ID at all: the cursor is in the URL.",
            section: None,
            play: reports_to_websocket,
        },
    ],
};

/// A cursor of a life that this server has never had.
const UNKNOWN: &str = "anotherlife-1";

fn reports_none(probe: &mut Probe) -> Result<(), Finding> {
    let id = probe.publish(&probe.data("one"))?;
    let poll = probe.poll(&id)?;
    match poll.has_gap {
        false => Ok(()),
        true => Err(Finding::failed("no gap", shown(&poll))),
    }
}

fn reports_to_poll(probe: &mut Probe) -> Result<(), Finding> {
    let data = probe.data("one");
    probe.publish(&data)?;
    let poll = probe.poll(UNKNOWN)?;
    match poll.has_gap && poll.events.last() == Some(&data) {
        true => Ok(()),
        false => Err(Finding::failed(format!("\"gap\":true, and {data:?} as the last event"), shown(&poll))),
    }
}

fn reports_to_stream(probe: &mut Probe) -> Result<(), Finding> {
    probe.publish(&probe.data("one"))?;
    let event = Stream::open(probe, Some(UNKNOWN))?.next(probe.promptly())?;
    match event.event == "gap" {
        true => Ok(()),
        false => Err(Finding::failed("event: gap", format!("event: {}, data: {}", event.event, event.data))),
    }
}

fn reports_to_websocket(probe: &mut Probe) -> Result<(), Finding> {
    probe.publish(&probe.data("one"))?;
    let mut peer = open(probe, &format!("?since={UNKNOWN}"))?;
    let first =
        wait_for(&mut peer, "a text message", probe.promptly(), |item| matches!(item, Item::Text(_)))?;
    match &first {
        Item::Text(text) if String::from_utf8_lossy(text).contains("\"gap\"") => Ok(()),
        other => Err(Finding::failed("\"gap\" in the first message", other)
            .at(peer.connection.number(), peer.item_offset())),
    }
}
