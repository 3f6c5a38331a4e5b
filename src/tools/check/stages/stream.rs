//! Stage 6: a response that does not end.

use std::time::{Duration, Instant};

use crate::protocol::rule::Section;
use crate::protocol::sse::{DecodeLimits, Decoder, Event};
use crate::tools::check::probe::{Probe, expect_status};
use crate::tools::check::stage::{Stage, Step, View};
use crate::tools::conform::connection::Connection;
use crate::tools::conform::exchange::{Progress, ResponseReader};
use crate::tools::conform::trial::Finding;

pub const STAGE: Stage = Stage {
    name: "stream",
    task: "A GET with `Accept: text/event-stream` is answered with a stream: `Content-Type: text/event-stream`, \
           and for each event the lines `id: ID` and `data: DATA` and an empty line. A client that returns \
           sends the last id as `Last-Event-ID`, and receives the events after it. A stream \
           without that field begins with the next event.",
    example: "examples/05_sse.rs",
    read: "`sse_event` and `Following::Streaming`: the response has a head and no length",
    view: View::Wire,
    steps: &[
        Step {
            title: "answers with the media type of event streams",
            why: "An EventSource fails for good at any other type.",
            section: Some(Section::html("9.2.5")),
            play: has_media_type,
        },
        Step {
            title: "sends an event when it is published",
            why: "An event that stays in a buffer until the next one is late by the time between them.",
            section: Some(Section::html("9.2.6")),
            play: sends_events,
        },
        Step {
            title: "begins with the next event if the client has no cursor",
            why: "A client that wants everything says so. The others would read all of it at each start. Take the \
                  position before the head is sent: the client may publish as soon as it has read it.",
            section: None,
            play: begins_with_next,
        },
        Step {
            title: "starts each line of the data with `data:`",
            why: "A line end inside the data, which is LF, CR or CRLF, would end the field, and an empty line the \
                  event: a publisher could forge fields.",
            section: Some(Section::html("9.2.6")),
            play: splits_lines,
        },
        Step {
            title: "resumes after Last-Event-ID, without a loss or a repetition",
            why: "Connections end all the time. The browser reconnects, and the cursor is the id.",
            section: Some(Section::html("9.2.4")),
            play: resumes,
        },
        Step {
            title: "still answers a poll with JSON",
            why: "One resource, and the request chooses the transport.",
            section: Some(Section::rfc(9110, "12.5.1")),
            play: still_polls,
        },
    ],
};

/// How long an event may take from its publish to the client.
const AT_ONCE: Duration = Duration::from_secs(1);

fn has_media_type(probe: &mut Probe) -> Result<(), Finding> {
    Stream::open(probe, None).map(drop)
}

fn sends_events(probe: &mut Probe) -> Result<(), Finding> {
    let mut stream = Stream::open(probe, None)?;
    for label in ["one", "two"] {
        let data = probe.data(label);
        let id = probe.publish(&data)?;
        let event = stream.next(probe.trial.after(AT_ONCE))?;
        expect(&event, &data)?;
        if event.id != id {
            return Err(Finding::failed(format!("id: {id}"), format!("id: {}", event.id)));
        }
    }
    Ok(())
}

fn begins_with_next(probe: &mut Probe) -> Result<(), Finding> {
    probe.publish(&probe.data("before"))?;
    let mut stream = Stream::open(probe, None)?;
    let data = probe.data("after");
    probe.publish(&data)?;
    expect(&stream.next(probe.promptly())?, &data)
}

fn splits_lines(probe: &mut Probe) -> Result<(), Finding> {
    let mut stream = Stream::open(probe, None)?;
    let data = probe.data("one\n\nid: forged\rdata: three\r\nevent: forged\n");
    probe.publish(&data)?;
    // An event stream cannot carry a CR: a line end is a line end.
    expect(&stream.next(probe.promptly())?, &data.replace("\r\n", "\n").replace('\r', "\n"))
}

fn resumes(probe: &mut Probe) -> Result<(), Finding> {
    let mut stream = Stream::open(probe, None)?;
    probe.publish(&probe.data("one"))?;
    let last = stream.next(probe.promptly())?.id;
    drop(stream);
    let missed = ["two", "three"].map(|label| probe.data(label));
    for data in &missed {
        probe.publish(data)?;
    }
    let mut stream = Stream::open(probe, Some(&last))?;
    for data in &missed {
        expect(&stream.next(probe.promptly())?, data)?;
    }
    Ok(())
}

fn still_polls(probe: &mut Probe) -> Result<(), Finding> {
    let id = probe.publish(&probe.data("one"))?;
    probe.poll(&id).map(drop)
}

fn expect(event: &Event, data: &str) -> Result<(), Finding> {
    match event.data == data {
        true => Ok(()),
        false => Err(Finding::failed(format!("the event {data:?}"), format!("the event {:?}", event.data))),
    }
}

/// The client's end of an event stream.
pub struct Stream {
    connection: Connection,
    reader: ResponseReader,
    decoder: Decoder,
}

impl Stream {
    /// Opens a stream, after this id if there is one.
    pub fn open(probe: &Probe, last_event_id: Option<&str>) -> Result<Self, Finding> {
        let mut connection = probe.connect()?;
        let mut fields = vec![("Accept", "text/event-stream")];
        fields.extend(last_event_id.map(|id| ("Last-Event-ID", id)));
        connection.send(&probe.request("GET", &probe.topic(), &fields, None))?;
        let mut reader = ResponseReader::new("GET");
        let head = reader.head(&mut connection, probe.promptly())?;
        expect_status(&head, 200)?;
        let kind = head.field("Content-Type").unwrap_or_default();
        if !kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("text/event-stream") {
            let observed = format!("Content-Type: {kind}");
            return Err(Finding::failed("Content-Type: text/event-stream", observed));
        }
        let decoder = Decoder::new(last_event_id.unwrap_or_default(), DecodeLimits::default());
        Ok(Self { connection, reader, decoder })
    }

    /// Returns the next event.
    pub fn next(&mut self, until: Instant) -> Result<Event, Finding> {
        loop {
            let content = std::mem::take(&mut self.reader.content);
            let mut left = &content[..];
            while !left.is_empty() {
                let read = self.decoder.read(left);
                let (consumed, event) = read.map_err(|error| Finding::failed("an event stream", error))?;
                left = &left[consumed..];
                if let Some(event) = event {
                    self.reader.content = left.to_vec();
                    return Ok(event);
                }
            }
            let observed = match self.reader.more(&mut self.connection, until)? {
                Progress::More => continue,
                Progress::Quiet => "no event in time",
                Progress::Complete | Progress::Ended => "the stream ends",
            };
            return Err(Finding::failed("an event", observed));
        }
    }
}
