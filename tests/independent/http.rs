//! `ureq`: short polls, long polls and publishes.

use std::thread;
use std::time::Duration;

use serde_json::Value;
use ureq::http::Response;
use ureq::{Agent, Body};

use crate::running::Running;

/// Returns a client that does not treat a status as an error and has a timeout.
pub fn agent() -> Agent {
    let config = Agent::config_builder().http_status_as_error(false);
    config.timeout_global(Some(Duration::from_secs(30))).build().into()
}

/// Returns the URL of a topic.
pub fn topic(server: &Running, name: &str) -> String {
    format!("http://{}/topics/{name}", server.address)
}

/// Publishes an event and returns its id.
pub fn publish(agent: &Agent, topic: &str, data: &str) -> String {
    let mut response = agent.post(topic).send(data).expect("a response");
    assert_eq!(response.status(), 201);
    json(&mut response)["id"].as_str().expect("an id").to_owned()
}

/// Parses the body of a response.
pub fn json(response: &mut Response<Body>) -> Value {
    let text = response.body_mut().read_to_string().expect("text");
    serde_json::from_str(&text).expect("JSON")
}

/// Returns the ids and data of the events in a poll response, and its cursor.
pub fn events(response: &mut Response<Body>) -> (Vec<(String, String)>, String) {
    assert_eq!(response.status(), 200);
    let body = json(response);
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let events = body["events"].as_array().expect("a list");
    (events.iter().map(|event| (text(&event["id"]), text(&event["data"]))).collect(), text(&body["next"]))
}

fn tag(response: &Response<Body>) -> String {
    response.headers()["etag"].to_str().expect("ASCII").to_owned()
}

#[test]
fn short_polls_resume_from_their_cursor_and_get_304_without_new_events() {
    let server = Running::start(|_| {});
    let (agent, topic) = (agent(), topic(&server, "polled"));

    let mut empty = agent.get(&topic).call().expect("a response");
    let unchanged = agent.get(&topic).header("If-None-Match", tag(&empty)).call().expect("a response");
    assert_eq!((unchanged.status().as_u16(), tag(&unchanged)), (304, tag(&empty)));
    let (events_before, start) = events(&mut empty);
    assert!(events_before.is_empty());

    let id = publish(&agent, &topic, "ünï\r\ncode \u{1f600}");
    let update = agent.get(&topic).query("since", &start).header("If-None-Match", tag(&empty));
    let mut update = update.call().expect("a response");
    assert_eq!(events(&mut update), (vec![(id.clone(), "ünï\ncode \u{1f600}".to_owned())], id.clone()));
    assert_eq!(tag(&update), format!("W/\"{id}\""));
    let unchanged = agent.get(&topic).header("Last-Event-ID", &id).header("If-None-Match", tag(&update));
    assert_eq!(unchanged.call().expect("a response").status(), 304);
}

#[test]
fn a_long_poll_waits_for_an_event() {
    let server = Running::start(|_| {});
    let (agent, topic) = (agent(), topic(&server, "awaited"));
    let first = publish(&agent, &topic, "first");

    let poll = agent.get(&topic).query("since", &first).header("Prefer", "wait=20");
    let poll = thread::spawn(move || poll.call().expect("a response"));
    // The event may be published before or after the server holds the poll. The response is the
    // same.
    let second = publish(&agent, &topic, "second");
    let mut response = poll.join().expect("no panic");
    assert_eq!(response.headers()["preference-applied"], "wait=20");
    assert_eq!(events(&mut response), (vec![(second.clone(), "second".to_owned())], second.clone()));

    // After the wait without a new event, the tag is still valid.
    let over = agent.get(&topic).query("since", &second).query("wait", "1");
    let over = over.header("If-None-Match", tag(&response)).call().expect("a response");
    assert_eq!(over.status(), 304);
}

#[test]
fn publishes_several_events_in_one_request() {
    let server = Running::start(|_| {});
    let (agent, topic) = (agent(), topic(&server, "many"));
    let batch = agent.post(&topic).query("event", "a name");
    let mut response =
        batch.content_type("application/x-ndjson").send("{\"a\":1}\r\n\n[2]\n").expect("a response");
    assert_eq!(response.status(), 201);
    let ids = json(&mut response)["ids"].as_array().expect("ids").len();
    assert_eq!(ids, 2);
    let body = json(&mut agent.get(&topic).call().expect("a response"));
    assert_eq!((&body["events"][0]["event"], &body["events"][1]["data"]), (&"a name".into(), &"[2]".into()));

    let large = agent.post(&topic).send("x".repeat((64 << 10) + 1)).expect("a response");
    assert_eq!(
        (large.status().as_u16(), &large.headers()["content-type"]),
        (413, &"application/problem+json".parse().expect("a value"))
    );
}
