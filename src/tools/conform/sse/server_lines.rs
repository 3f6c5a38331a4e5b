//! Section 4: line ends within data. An event stream has no way to carry a CR, so a server has to
//! split the data at each line end; otherwise the data contains fields of its own.

use super::stream::{EventStream, Opening};
use crate::protocol::sse::Event;
use crate::tools::conform::case::{Case, Cases, Outcome, Requirement, Suite, allowed, pass};
use crate::tools::conform::topic::Topic;
use crate::tools::conform::trial::{Finding, Trial};

const LINES: Requirement =
    Requirement::html("9.2.5", "A CR, an LF and a CRLF end a line, and each line of data has its own field.");
const OTHERS: Requirement = Requirement::html("9.2.5", "Only CR, LF and CRLF end a line.");
const SPACE: Requirement =
    Requirement::html("9.2.6", "A client removes one space from the start of each value.");

/// What a server can do with data.
pub const OUTCOMES: &[Outcome] = &[
    pass("delivers the data unchanged"),
    allowed("delivers the data in another form"),
    allowed("refuses the data"),
];

/// The text in the injected fields.
const INJECTED: &str = "injected";

/// Returns the cases of the section. `{t}` stands for a token.
pub fn cases() -> Vec<Case> {
    let mut cases = Cases::of(Suite::Sse, 4, "line ends within data");
    let mut add = |index, title: &'static str, requirement, data: &'static str| {
        cases.add(index, title, requirement, OUTCOMES, move |trial| deliver(trial, data)).server_only();
    };
    add(1, "LF", LINES, "{t}\nsecond");
    add(2, "CR", LINES, "{t}\rsecond");
    add(3, "CRLF", LINES, "{t}\r\nsecond");
    add(4, "empty lines between others", LINES, "{t}\n\n\nfourth");
    add(5, "an LF at the start", LINES, "\n{t}");
    add(6, "an LF at the end", LINES, "{t}\n");
    add(7, "all line ends", LINES, "one\rtwo\n\rfour\r\n\n{t}");
    add(8, "another event, behind LF", LINES, "{t}\n\ndata: injected");
    add(9, "another event, behind CR", LINES, "{t}\r\rdata: injected");
    add(10, "another event, behind CRLF", LINES, "{t}\r\n\r\ndata: injected");
    add(11, "the field data, behind CR", LINES, "{t}\rdata: second");
    add(12, "the field event, behind LF", LINES, "{t}\nevent: injected");
    add(13, "the field event, behind CR", LINES, "{t}\revent: injected");
    add(14, "the field id, behind CR", LINES, "{t}\rid: injected");
    add(15, "the field retry, behind CR", LINES, "{t}\rretry: 86400000");
    add(16, "a comment, behind CR", LINES, "{t}\r: injected");
    add(17, "the name of a field", LINES, "data: {t}");
    add(18, "a colon at the start", LINES, ":{t}");
    add(19, "a space at the start", SPACE, " {t}");
    add(20, "spaces at the start of each line", SPACE, "  {t}\n  second");
    add(21, "a space and a tab at the end", SPACE, "{t} \t");
    add(22, "U+000B, U+000C, U+0085, U+2028, U+2029", OTHERS, "{t}\u{b}\u{c}\u{85}\u{2028}\u{2029}end");
    cases.into_vec()
}

/// Publishes data and compares it with what a follower receives.
///
/// # Errors
/// A finding: the follower receives other data, or other fields than data.
pub fn deliver(trial: &Trial, data: &str) -> Result<&'static str, Finding> {
    let mut topic = Topic::new(trial)?;
    let mut stream = EventStream::open(trial, &mut topic, Opening::default())?;
    let token = topic.token();
    let data = data.replace("{t}", &token);
    if let 400..=499 = topic.offer(trial, data.as_bytes())? {
        return Ok("refuses the data");
    }
    let last = topic.publish_token(trial)?;
    stream.await_token(trial, &last)?;
    let is_ours = |event: &&Event| {
        event.data.contains(&token) || [&event.event, &event.data, &event.id].contains(&&INJECTED.to_owned())
    };
    let events: Vec<&Event> = stream.events.iter().filter(is_ours).collect();
    let expected = data.replace("\r\n", "\n").replace('\r', "\n");
    let failed = || {
        let observed = events.iter().map(|event| {
            let id = if event.id == INJECTED { " with the id \"injected\"" } else { "" };
            format!("{:?} of the type {:?}{id}", event.data, event.event)
        });
        let observed = observed.collect::<Vec<_>>().join(", then ");
        let observed = if observed.is_empty() { "no such event".to_owned() } else { observed };
        stream.failed(format!("one event with the data {expected:?}"), observed)
    };
    let [event] = events[..] else { return Err(failed()) };
    if [&event.event, &event.id].contains(&&INJECTED.to_owned()) {
        return Err(failed());
    }
    if event.data == expected {
        return Ok("delivers the data unchanged");
    }
    // Another form, such as JSON, still has the text of each line.
    let has_all = expected.lines().filter(|line| !line.is_empty()).all(|line| event.data.contains(line));
    if has_all { Ok("delivers the data in another form") } else { Err(failed()) }
}
