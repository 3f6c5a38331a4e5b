//! Section 8: a stream without events.

use std::time::Duration;

use super::stream::{EventStream, Opening};
use crate::tools::conform::case::{Case, Cases, Requirement, Suite, allowed, informational, pass};
use crate::tools::conform::exchange::Progress;
use crate::tools::conform::topic::Topic;
use crate::tools::conform::trial::{Finding, Trial};

const KEEP_ALIVE: Requirement = Requirement::html_may(
    "9.2.7",
    "Proxies end connections that are silent, so a comment every 15 seconds or so is advisable.",
);

/// Longer than the timeouts of proxies in common configurations.
const SILENCE: Duration = Duration::from_secs(65);

/// Returns the cases of the section.
pub fn cases() -> Vec<Case> {
    let mut cases = Cases::of(Suite::Sse, 8, "a stream without events");
    let outcomes = [
        pass("sends something within 30 seconds"),
        allowed("sends something within 65 seconds"),
        informational("sends nothing for 65 seconds"),
        informational("ends the stream"),
    ];
    cases.add(1, "65 seconds without an event", KEEP_ALIVE, &outcomes, silence).server_only().long();
    cases.into_vec()
}

fn silence(trial: &mut Trial) -> Result<&'static str, Finding> {
    let mut topic = Topic::new(trial)?;
    let mut stream = EventStream::open(trial, &mut topic, Opening::default())?;
    // The bytes at the start of the stream are no heartbeat.
    while stream.more(trial.after(Duration::from_secs(1)))? == Progress::More {}
    for outcome in ["sends something within 30 seconds", "sends something within 65 seconds"] {
        match stream.more(trial.after(SILENCE / 2))? {
            Progress::More => return Ok(outcome),
            Progress::Quiet => {}
            Progress::Complete | Progress::Ended => return Ok("ends the stream"),
        }
    }
    let token = topic.publish_token(trial)?;
    stream.await_token(trial, &token)?;
    Ok("sends nothing for 65 seconds")
}
