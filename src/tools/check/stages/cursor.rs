//! Stage 4: a list of events, and a client that knows how far it has read.

use crate::protocol::rule::Section;
use crate::tools::check::probe::{Poll, Probe};
use crate::tools::check::stage::{Stage, Step, View};
use crate::tools::conform::trial::Finding;

pub const STAGE: Stage = Stage {
    name: "cursor",
    task: "A topic at `/topics/demo`, which is a list of events. A POST appends its content as an event and is \
           answered with 201 and `{\"id\":\"…\"}`. A GET with `?since=ID` is answered at once with the events \
           after that id, and with `next`, the id for the next request: \
           `{\"events\":[{\"id\":\"…\",\"event\":\"message\",\"data\":\"…\"}],\"next\":\"…\"}`. Both are \
           `application/json`. An id is a string that needs no escaping in a URL. Without `since`, \
           it returns everything.",
    example: "examples/03_short_poll.rs",
    read: "`poll_body`: the server stores nothing about a client",
    view: View::Wire,
    steps: &[
        Step {
            title: "answers a publish with 201 and an id",
            why: "The publisher learns that the event is stored, and under which id.",
            section: Some(Section::rfc(9110, "15.3.2")),
            play: publishes,
        },
        Step {
            title: "returns the event, and the next cursor",
            why: "The client sends `next` back. It need not know what an id means.",
            section: None,
            play: returns_event,
        },
        Step {
            title: "returns nothing twice, and the same cursor while nothing is new",
            why: "A client that polls with a time instead loses events or reads them twice.",
            section: None,
            play: returns_nothing_twice,
        },
        Step {
            title: "returns all events between two polls, in their order",
            why: "The cursor is a position in the list, so a slow client misses nothing.",
            section: None,
            play: returns_all,
        },
        Step {
            title: "escapes quotes, line ends and other characters in JSON",
            why: "A quotation mark in an event must not end the string.",
            section: Some(Section::rfc(8259, "7")),
            play: escapes,
        },
    ],
};

fn publishes(probe: &mut Probe) -> Result<(), Finding> {
    probe.publish(&probe.data("one")).map(drop)
}

fn returns_event(probe: &mut Probe) -> Result<(), Finding> {
    let data = probe.data("one");
    let id = probe.publish(&data)?;
    let poll = probe.poll("")?;
    if poll.events.last() != Some(&data) {
        return Err(Finding::failed(format!("{data:?} as the last event"), shown(&poll)));
    }
    match poll.next == id {
        true => Ok(()),
        false => Err(Finding::failed(format!("\"next\":{id:?}, the id of the event"), shown(&poll))),
    }
}

fn returns_nothing_twice(probe: &mut Probe) -> Result<(), Finding> {
    let id = probe.publish(&probe.data("one"))?;
    let poll = probe.poll(&id)?;
    match poll.events.is_empty() && poll.next == id {
        true => Ok(()),
        false => Err(Finding::failed(format!("no event and \"next\":{id:?}"), shown(&poll))),
    }
}

fn returns_all(probe: &mut Probe) -> Result<(), Finding> {
    let id = probe.publish(&probe.data("zero"))?;
    let events = ["one", "two", "three"].map(|label| probe.data(label));
    for data in &events {
        probe.publish(data)?;
    }
    let poll = probe.poll(&id)?;
    match poll.events == events {
        true => Ok(()),
        false => Err(Finding::failed(format!("the events {events:?}"), shown(&poll))),
    }
}

fn escapes(probe: &mut Probe) -> Result<(), Finding> {
    let id = probe.publish(&probe.data("zero"))?;
    let data = probe.data("a \"quoted\" \\ two\nlines\ttab, é and 🦀");
    probe.publish(&data)?;
    let poll = probe.poll(&id)?;
    match poll.events == [&*data] {
        true => Ok(()),
        false => Err(Finding::failed(format!("the event {data:?}"), shown(&poll))),
    }
}

/// Returns a poll as text.
pub fn shown(poll: &Poll) -> String {
    let gap = if poll.has_gap { " and a gap" } else { "" };
    let last = &poll.events[poll.events.len().saturating_sub(5)..];
    let more = if last.len() < poll.events.len() { "…, " } else { "" };
    format!("events [{more}{}], \"next\":{:?}{gap}", last.join(", "), poll.next)
}
