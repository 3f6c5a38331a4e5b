//! Section 5: unusual data, and many events.

use super::lines::first_invalid;
use super::server_lines::{OUTCOMES, deliver};
use super::stream::{EventStream, Opening};
use crate::tools::conform::case::{Case, Cases, Requirement, Suite, allowed, informational, pass};
use crate::tools::conform::topic::Topic;
use crate::tools::conform::trial::{Finding, Trial};

const ANY: Requirement = Requirement::html("9.2.5", "Data is any text without CR and LF in each line.");
const EMPTY: Requirement =
    Requirement::html_may("9.2.6", "An event with an empty data field is dispatched, one without is not.");
const UTF8: Requirement = Requirement::html("9.2.5", "An event stream is always encoded as UTF-8.");
const ORDER: Requirement =
    Requirement::html("9.2.6", "Events are dispatched in the order of the stream, each of them once.");

/// Events that are published in a row.
const MANY: usize = 100;

/// Returns the cases of the section.
pub fn cases() -> Vec<Case> {
    let mut cases = Cases::of(Suite::Sse, 5, "data");
    let outcomes = [
        pass("delivers an event with empty data"),
        informational("delivers no event"),
        allowed("refuses the data"),
    ];
    cases.add(1, "empty data", EMPTY, &outcomes, empty).server_only();
    let mut add = |index, title: &'static str, data: String| {
        cases.add(index, title, ANY, OUTCOMES, move |trial| deliver(trial, &data)).server_only();
    };
    add(2, "U+0000", "a\0b {t}\0".into());
    add(3, "control characters", "\u{1}\u{8}\u{1b}[31m\u{7f} {t}".into());
    add(4, "characters of 1 to 4 bytes", "a \u{e9} \u{20ac} \u{1f600} \u{10ffff} {t}".into());
    add(5, "a byte order mark at the start and within", "\u{feff}{t} \u{feff}".into());
    add(6, "60,000 bytes in one line", format!("{{t}}{}", "x".repeat(60_000 - 40)));
    add(7, "60,000 bytes in characters of 3 bytes", format!("{{t}}{}", "\u{20ac}".repeat(19_980)));
    add(8, "1 MiB in one line", format!("{{t}}{}", "x".repeat(1 << 20)));
    add(9, "20,000 lines", format!("{{t}}{}", "\nx".repeat(20_000)));
    add(10, "JSON", "{\"a\":\"\\n\\u0000\",\"b\":[1,{}],\"t\":\"{t}\"}".into());
    let outcomes = [pass("delivers UTF-8"), pass("refuses the data"), allowed("delivers no event")];
    cases.add(11, "data that is not UTF-8", UTF8, &outcomes, not_utf8).server_only();
    let outcomes = [pass("delivers each event once, in order")];
    cases.add(12, "100 events in a row", ORDER, &outcomes, many).server_only();
    cases.into_vec()
}

fn empty(trial: &mut Trial) -> Result<&'static str, Finding> {
    let mut topic = Topic::new(trial)?;
    let mut stream = EventStream::open(trial, &mut topic, Opening::default())?;
    let first = topic.publish_token(trial)?;
    if topic.offer(trial, b"")? >= 400 {
        return Ok("refuses the data");
    }
    let last = topic.publish_token(trial)?;
    let end = stream.await_token(trial, &last)?;
    let start = stream.await_token(trial, &first)?;
    let between = stream.events.get(start + 1..end).unwrap_or_default();
    match between.iter().any(|event| event.data.is_empty()) {
        true => Ok("delivers an event with empty data"),
        false if between.is_empty() => Ok("delivers no event"),
        false => {
            let observed = format!("the data {:?}", between[0].data);
            Err(stream.failed("no event, or one with empty data", observed))
        }
    }
}

fn not_utf8(trial: &mut Trial) -> Result<&'static str, Finding> {
    let mut topic = Topic::new(trial)?;
    let mut stream = EventStream::open(trial, &mut topic, Opening::default())?;
    let token = topic.token();
    if topic.offer(trial, &[token.as_bytes(), b" \xff\xc3( \xed\xa0\x80"].concat())? >= 400 {
        return Ok("refuses the data");
    }
    let last = topic.publish_token(trial)?;
    stream.await_token(trial, &last)?;
    match first_invalid(stream.content()) {
        Some(at) => Err(stream.failed("UTF-8", format!("byte {at} of the content is not UTF-8"))),
        None if stream.find(&token).is_none() => Ok("delivers no event"),
        None => Ok("delivers UTF-8"),
    }
}

fn many(trial: &mut Trial) -> Result<&'static str, Finding> {
    let mut topic = Topic::new(trial)?;
    let mut stream = EventStream::open(trial, &mut topic, Opening::default())?;
    let tokens = topic.tokens(MANY);
    for token in &tokens {
        topic.publish(trial, token.as_bytes())?;
    }
    stream.await_token(trial, &tokens[MANY - 1])?;
    stream.expect_tokens(&topic, &tokens)?;
    Ok("delivers each event once, in order")
}
