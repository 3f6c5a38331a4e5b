//! Stage 5: a response that waits for its event.

use std::thread;
use std::time::{Duration, Instant};

use super::cursor::shown;
use crate::protocol::rule::Section;
use crate::tools::check::probe::{PROMPTLY, Poll, Probe, expect_status, read_poll};
use crate::tools::check::stage::{Stage, Step, View};
use crate::tools::conform::connection::{Connection, Received};
use crate::tools::conform::exchange::ResponseReader;
use crate::tools::conform::trial::Finding;

pub const STAGE: Stage = Stage {
    name: "hold",
    task: "A GET with `?since=ID&wait=SECONDS` that finds no event is held until one is published, or until \
           the time is over, in whole seconds. Then it is answered as in stage 4.",
    example: "examples/04_long_poll.rs",
    read: "`Client::deliver` and `Following::Waiting`: a client has a state, and the loop looks at all that wait",
    view: View::Wire,
    steps: &[
        Step {
            title: "answers at once when there are events",
            why: "An event between two polls must not wait for the next event.",
            section: None,
            play: answers_at_once,
        },
        Step {
            title: "holds the response until an event is published",
            why: "That is the whole idea: the answer arrives when there is one.",
            section: Some(Section::rfc(6202, "2.1")),
            play: holds,
        },
        Step {
            title: "answers without events when the time is over",
            why: "Proxies end requests that take too long. The client asks again with the same cursor.",
            section: Some(Section::rfc(6202, "5.5")),
            play: times_out,
        },
        Step {
            title: "answers every client that waits",
            why: "All followers wait for the same event.",
            section: None,
            play: answers_all,
        },
        Step {
            title: "keeps a request that arrives behind a held one",
            why: "The responses are in the order of the requests, so the second waits too, and is not lost.",
            section: Some(Section::rfc(9112, "9.3.2")),
            play: keeps_next,
        },
        Step {
            title: "goes on when a client that waits hangs up",
            why: "Clients leave while they wait. A write to them fails, and nobody else may notice.",
            section: None,
            play: survives_hang_up,
        },
    ],
};

fn answers_at_once(probe: &mut Probe) -> Result<(), Finding> {
    let id = probe.publish(&probe.data("zero"))?;
    let data = probe.data("one");
    probe.publish(&data)?;
    let mut connection = hold(probe, &id, 5)?;
    expect_event(&answer(&mut connection, probe.promptly())?, &data)
}

fn holds(probe: &mut Probe) -> Result<(), Finding> {
    let id = probe.publish(&probe.data("zero"))?;
    let mut connection = hold(probe, &id, 5)?;
    stays_quiet(&mut connection, Duration::from_millis(300))?;
    let data = probe.data("one");
    probe.publish(&data)?;
    expect_event(&answer(&mut connection, probe.promptly())?, &data)
}

fn times_out(probe: &mut Probe) -> Result<(), Finding> {
    let id = probe.publish(&probe.data("zero"))?;
    let start = Instant::now();
    let mut connection = hold(probe, &id, 2)?;
    let poll = answer(&mut connection, start + Duration::from_secs(2) + PROMPTLY)?;
    let expected = format!("no event and \"next\":{id:?} after 2 s");
    match (poll.events.is_empty() && poll.next == id, start.elapsed()) {
        (false, _) => Err(Finding::failed(expected, shown(&poll))),
        (true, time) if time < Duration::from_millis(1900) => {
            Err(Finding::failed(expected, format!("this response after {} ms", time.as_millis())))
        }
        (true, _) => Ok(()),
    }
}

fn answers_all(probe: &mut Probe) -> Result<(), Finding> {
    let id = probe.publish(&probe.data("zero"))?;
    let mut waiting = Vec::new();
    for _ in 0..5 {
        waiting.push(hold(probe, &id, 5)?);
    }
    stays_quiet(&mut waiting[4], Duration::from_millis(100))?;
    let data = probe.data("one");
    probe.publish(&data)?;
    waiting.iter_mut().try_for_each(|connection| expect_event(&answer(connection, probe.promptly())?, &data))
}

fn keeps_next(probe: &mut Probe) -> Result<(), Finding> {
    let id = probe.publish(&probe.data("zero"))?;
    let mut connection = hold(probe, &id, 5)?;
    connection.send(&probe.request("GET", &format!("{}?since={id}", probe.topic()), &[], None))?;
    stays_quiet(&mut connection, Duration::from_millis(200))?;
    let data = probe.data("one");
    probe.publish(&data)?;
    expect_event(&answer(&mut connection, probe.promptly())?, &data)?;
    expect_event(&answer(&mut connection, probe.promptly())?, &data)
}

fn survives_hang_up(probe: &mut Probe) -> Result<(), Finding> {
    let id = probe.publish(&probe.data("zero"))?;
    for _ in 0..5 {
        drop(hold(probe, &id, 5)?);
    }
    let mut connection = hold(probe, &id, 5)?;
    thread::sleep(Duration::from_millis(100));
    let data = probe.data("one");
    probe.publish(&data)?;
    expect_event(&answer(&mut connection, probe.promptly())?, &data)
}

fn hold(probe: &Probe, since: &str, wait: u64) -> Result<Connection, Finding> {
    let mut connection = probe.connect()?;
    let target = format!("{}?since={since}&wait={wait}", probe.topic());
    connection.send(&probe.request("GET", &target, &[], None))?;
    Ok(connection)
}

fn answer(connection: &mut Connection, until: Instant) -> Result<Poll, Finding> {
    let mut reader = ResponseReader::new("GET");
    expect_status(&reader.head(connection, until)?, 200)?;
    read_poll(reader.all(connection, until)?)
}

fn stays_quiet(connection: &mut Connection, time: Duration) -> Result<(), Finding> {
    let expected = "no response before an event is published";
    match connection.receive(Instant::now() + time)? {
        Received::Quiet => Ok(()),
        Received::Data => Err(Finding::failed(expected, "a response at once")),
        Received::Ended(end) => Err(Finding::failed(expected, end)),
    }
}

fn expect_event(poll: &Poll, data: &str) -> Result<(), Finding> {
    match poll.events == [data] {
        true => Ok(()),
        false => Err(Finding::failed(format!("the event {data:?}"), shown(poll))),
    }
}
