//! Stage 3: one connection, many requests.

use std::thread;
use std::time::Duration;

use crate::protocol::rule::Section;
use crate::tools::check::probe::{Probe, expect_bytes, read_to_end};
use crate::tools::check::stage::{Stage, Step, View};
use crate::tools::conform::trial::Finding;

pub const STAGE: Stage = Stage {
    name: "pipelining",
    task: "The server of stage 2 keeps a connection open after a response. A client may send its next request \
           before the response to the last has arrived; the responses are in the order of the requests.",
    example: "examples/02_http.rs",
    read: "the loop in `Client::handle_input`, and what it leaves in the inbox",
    view: View::Wire,
    steps: &[
        Step {
            title: "answers a second request on the same connection",
            why: "A connection costs a round trip. HTTP/1.1 keeps it unless somebody says close.",
            section: Some(Section::rfc(9112, "9.3")),
            play: persists,
        },
        Step {
            title: "answers both requests of one segment, in their order",
            why: "One read may return two requests. A server that empties its buffer after the first loses the \
                  second.",
            section: Some(Section::rfc(9112, "9.3.2")),
            play: answers_both,
        },
        Step {
            title: "keeps the start of the next request",
            why: "A read may also end within the second request. Its start must stay in the buffer.",
            section: Some(Section::rfc(9112, "9.3.2")),
            play: keeps_start,
        },
        Step {
            title: "does not read the content of a request as the next request",
            why: "This is request smuggling: two readers that disagree on the end of a request see different \
                  requests after it.",
            section: Some(Section::rfc(9112, "6.3")),
            play: skips_content,
        },
        Step {
            title: "ends the connection when the client asks for it",
            why: "The client waits for the end, and a request after `Connection: close` must not be answered.",
            section: Some(Section::rfc(9112, "9.6")),
            play: closes,
        },
    ],
};

fn persists(probe: &mut Probe) -> Result<(), Finding> {
    let mut connection = probe.connect()?;
    for label in ["first", "second"] {
        let data = probe.data(label);
        connection.send(&probe.request("POST", "/", &[], Some(&data)))?;
        probe.answer_is(&mut connection, &data)?;
    }
    Ok(())
}

fn answers_both(probe: &mut Probe) -> Result<(), Finding> {
    let (first, second) = (probe.data("first"), probe.data("second"));
    let mut connection = probe.connect()?;
    let requests =
        [probe.request("POST", "/", &[], Some(&first)), probe.request("POST", "/", &[], Some(&second))]
            .concat();
    connection.send(&requests)?;
    probe.answer_is(&mut connection, &first)?;
    probe.answer_is(&mut connection, &second)
}

fn keeps_start(probe: &mut Probe) -> Result<(), Finding> {
    let (first, second) = (probe.data("first"), probe.data("second"));
    let mut connection = probe.connect()?;
    let next = probe.request("POST", "/", &[], Some(&second));
    let (start, rest) = next.split_at(next.len() / 2);
    connection.send(&[&probe.request("POST", "/", &[], Some(&first)), start].concat())?;
    probe.answer_is(&mut connection, &first)?;
    thread::sleep(Duration::from_millis(50));
    connection.send(rest)?;
    probe.answer_is(&mut connection, &second)
}

fn skips_content(probe: &mut Probe) -> Result<(), Finding> {
    let hidden = "GET /nothing/here HTTP/1.1\r\nHost: a\r\n\r\n";
    let second = probe.data("second");
    let mut connection = probe.connect()?;
    connection.send(&probe.request("POST", "/", &[], Some(hidden)))?;
    connection.send(&probe.request("POST", "/", &[], Some(&second)))?;
    probe.answer_is(&mut connection, hidden)?;
    probe.answer_is(&mut connection, &second)
}

fn closes(probe: &mut Probe) -> Result<(), Finding> {
    let data = probe.data("last");
    let mut connection = probe.connect()?;
    let last = probe.request("POST", "/", &[("Connection", "close")], Some(&data));
    connection.send(&[last, probe.request("POST", "/", &[], Some("too late"))].concat())?;
    probe.answer_is(&mut connection, &data)?;
    expect_bytes(b"", &read_to_end(&mut connection, probe.promptly())?, "after the last response")
}
