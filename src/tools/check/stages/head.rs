//! Stage 2: a request that arrives in any pieces.

use std::thread;
use std::time::Duration;

use crate::protocol::rule::Section;
use crate::tools::check::probe::{Probe, expect_bytes, expect_status, read_to_end};
use crate::tools::check::stage::{Stage, Step, View};
use crate::tools::conform::exchange::{Request, exchange};
use crate::tools::conform::trial::Finding;
use crate::wire::printable;

pub const STAGE: Stage = Stage {
    name: "head",
    task: "A new program, for the echo is done: an HTTP/1.1 server that answers `POST /` with 200 and the content of the request, and every other \
           path with 404. A request may arrive in any pieces. Bytes that are not a request get 400, and the \
           connection ends.",
    example: "examples/02_http.rs",
    read: "`Request::take`, which has three outcomes: complete, incomplete, invalid",
    view: View::Wire,
    steps: &[
        Step {
            title: "answers a POST with its content",
            why: "The client finds the end of the response by its Content-Length.",
            section: Some(Section::rfc(9112, "6.3")),
            play: answers,
        },
        Step {
            title: "answers another path with 404",
            why: "A client must be able to tell a wrong address from an answer.",
            section: Some(Section::rfc(9110, "15.5.5")),
            play: answers_404,
        },
        Step {
            title: "waits for a head that arrives byte by byte",
            why: "An incomplete head is not an error. A server that answers after the first read answers half \
                  a request.",
            section: Some(Section::rfc(9112, "2.2")),
            play: waits_for_head,
        },
        Step {
            title: "waits for content that arrives after its head",
            why: "The blank line ends the head only. Content-Length says how many bytes follow.",
            section: Some(Section::rfc(9112, "6.2")),
            play: waits_for_content,
        },
        Step {
            title: "reads field names in any case",
            why: "Field names are case-insensitive, and many clients send them in lower case.",
            section: Some(Section::rfc(9110, "5.1")),
            play: ignores_case,
        },
        Step {
            title: "refuses bytes that are not a request, and ends the connection",
            why: "The server cannot know where the next request begins, so it must not read on.",
            section: Some(Section::rfc(9112, "2.2")),
            play: refuses,
        },
    ],
};

fn answers(probe: &mut Probe) -> Result<(), Finding> {
    let data = probe.data("héllo");
    let authority = probe.authority();
    let content = Some(data.as_bytes());
    let request = Request { method: "POST", target: "/", authority, fields: Vec::new(), content };
    let (head, body) = exchange(&mut probe.connect()?, &request, probe.promptly())?;
    expect_status(&head, 200)?;
    expect_bytes(data.as_bytes(), &body, "the content")
}

fn answers_404(probe: &mut Probe) -> Result<(), Finding> {
    expect_status(&probe.get("/nothing/here", &[])?.0, 404)
}

fn waits_for_head(probe: &mut Probe) -> Result<(), Finding> {
    let data = probe.data("in pieces");
    let request = probe.request("POST", "/", &[], Some(&data));
    let mut connection = probe.connect()?;
    for byte in request.chunks(1) {
        connection.send(byte)?;
        thread::sleep(Duration::from_millis(1));
    }
    probe.answer_is(&mut connection, &data)
}

fn waits_for_content(probe: &mut Probe) -> Result<(), Finding> {
    let data = probe.data("late content");
    let request = probe.request("POST", "/", &[], Some(&data));
    let mut connection = probe.connect()?;
    let (head, content) = request.split_at(request.len() - data.len() + 4);
    connection.send(head)?;
    thread::sleep(Duration::from_millis(100));
    connection.send(content)?;
    probe.answer_is(&mut connection, &data)
}

fn ignores_case(probe: &mut Probe) -> Result<(), Finding> {
    let data = probe.data("case");
    let request = String::from_utf8_lossy(&probe.request("POST", "/", &[], Some(&data)))
        .replace("Content-Length", "cOnTeNt-LeNgTh")
        .replace("Host", "hOST");
    let mut connection = probe.connect()?;
    // The content arrives later, so that a server has to find the length.
    let (head, content) = request.split_at(request.len() - data.len());
    connection.send(head.as_bytes())?;
    thread::sleep(Duration::from_millis(50));
    connection.send(content.as_bytes())?;
    probe.answer_is(&mut connection, &data)
}

fn refuses(probe: &mut Probe) -> Result<(), Finding> {
    let mut connection = probe.connect()?;
    connection.send(b"How do you do?\r\n\r\n")?;
    let response = read_to_end(&mut connection, probe.promptly())?;
    match response.starts_with(b"HTTP/1.1 400 ") {
        true => Ok(()),
        false if response.is_empty() => {
            Err(Finding::failed("a response 400", "the end of the connection without a response"))
        }
        false => Err(Finding::failed("a response 400", format!("\"{}\"", printable(&response)))),
    }
}
