//! `ureq`: short polls, long polls and publishes.

use std::thread;
use std::time::Duration;

use serde_json::Value;
use ureq::http::Response;
use ureq::{Agent, Body};

use crate::running::Running;

/// A client that takes every status as an answer, and gives up in the end.
pub fn agent() -> Agent {
    let config = Agent::config_builder().http_status_as_error(false);
    config.timeout_global(Some(Duration::from_secs(30))).build().into()
}

/// Where a topic is.
pub fn topic(server: &Running, name: &str) -> String {
    format!("http://{}/topics/{name}", server.address)
}

/// Publishes, and returns the id.
pub fn publish(agent: &Agent, topic: &str, data: &str) -> String {
    let mut answer = agent.post(topic).send(data).expect("an answer");
    assert_eq!(answer.status(), 201);
    json(&mut answer)["id"].as_str().expect("an id").to_owned()
}

/// An answer's body.
pub fn json(answer: &mut Response<Body>) -> Value {
    let text = answer.body_mut().read_to_string().expect("text");
    serde_json::from_str(&text).expect("JSON")
}

/// The ids and the data in a poll's answer, and its cursor.
pub fn events(answer: &mut Response<Body>) -> (Vec<(String, String)>, String) {
    assert_eq!(answer.status(), 200);
    let body = json(answer);
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let events = body["events"].as_array().expect("a list");
    (events.iter().map(|event| (text(&event["id"]), text(&event["data"]))).collect(), text(&body["next"]))
}

fn tag(answer: &Response<Body>) -> String {
    answer.headers()["etag"].to_str().expect("ASCII").to_owned()
}

#[test]
fn short_polls_go_on_from_their_cursor_and_are_not_modified_without_news() {
    let server = Running::start(|_| {});
    let (agent, topic) = (agent(), topic(&server, "polled"));

    let mut empty = agent.get(&topic).call().expect("an answer");
    let unchanged = agent.get(&topic).header("If-None-Match", tag(&empty)).call().expect("an answer");
    assert_eq!((unchanged.status().as_u16(), tag(&unchanged)), (304, tag(&empty)));
    let (events_before, start) = events(&mut empty);
    assert!(events_before.is_empty());

    let id = publish(&agent, &topic, "ünï\r\ncode \u{1f600}");
    let news = agent.get(&topic).query("since", &start).header("If-None-Match", tag(&empty));
    let mut news = news.call().expect("an answer");
    assert_eq!(events(&mut news), (vec![(id.clone(), "ünï\ncode \u{1f600}".to_owned())], id.clone()));
    assert_eq!(tag(&news), format!("W/\"{id}\""));
    let seen = agent.get(&topic).header("Last-Event-ID", &id).header("If-None-Match", tag(&news));
    assert_eq!(seen.call().expect("an answer").status(), 304);
}

#[test]
fn a_long_poll_waits_for_what_is_published() {
    let server = Running::start(|_| {});
    let (agent, topic) = (agent(), topic(&server, "awaited"));
    let first = publish(&agent, &topic, "first");

    let poll = agent.get(&topic).query("since", &first).header("Prefer", "wait=20");
    let poll = thread::spawn(move || poll.call().expect("an answer"));
    // It may be held or not yet asked when the next one is published: it brings the same.
    let second = publish(&agent, &topic, "second");
    let mut answer = poll.join().expect("no panic");
    assert_eq!(answer.headers()["preference-applied"], "wait=20");
    assert_eq!(events(&mut answer), (vec![(second.clone(), "second".to_owned())], second.clone()));

    // With the time over and no news, the tag is as good as before.
    let over = agent.get(&topic).query("since", &second).query("wait", "1");
    let over = over.header("If-None-Match", tag(&answer)).call().expect("an answer");
    assert_eq!(over.status(), 304);
}

#[test]
fn many_events_are_published_in_one_request() {
    let server = Running::start(|_| {});
    let (agent, topic) = (agent(), topic(&server, "many"));
    let batch = agent.post(&topic).query("event", "ein Name");
    let mut answer =
        batch.content_type("application/x-ndjson").send("{\"a\":1}\r\n\n[2]\n").expect("an answer");
    assert_eq!(answer.status(), 201);
    let ids = json(&mut answer)["ids"].as_array().expect("ids").len();
    assert_eq!(ids, 2);
    let body = json(&mut agent.get(&topic).call().expect("an answer"));
    assert_eq!(
        (&body["events"][0]["event"], &body["events"][1]["data"]),
        (&"ein Name".into(), &"[2]".into())
    );

    let large = agent.post(&topic).send("x".repeat((64 << 10) + 1)).expect("an answer");
    assert_eq!(
        (large.status().as_u16(), &large.headers()["content-type"]),
        (413, &"application/problem+json".parse().expect("a value"))
    );
}
