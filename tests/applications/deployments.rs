//! 11_deployments: work on a thread, progress as events, and answers to clients that may have left.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::Instant;

use barewire::client::follow::{Resource, Since};
use barewire::client::{Follow, FollowOptions, Update};
use serde_json::{Value, json};

use crate::http::{get, post};
use crate::program::{PATIENCE, Program};

const EXAMPLE: &str = "11_deployments";

/// Follows the progress of all deployments from the first one.
fn follow(program: &Program) -> Follow {
    let resource = Resource::new(&program.url("/deployments/events"), None, &[]).expect("a URL");
    let options = FollowOptions { since: Since::Start, ..FollowOptions::default() };
    Follow::new(resource, options).expect("random bytes")
}

/// Returns the progress that is reported next: what a page shows of one deployment.
fn next(follow: &mut Follow) -> Value {
    loop {
        let update = follow.next_until(Some(Instant::now() + PATIENCE)).expect("the stream is open");
        match update.expect("an update in time") {
            Update::Opened(_) => {}
            Update::Event(event) => return serde_json::from_str(&event.data).expect("JSON"),
            update => panic!("expected an event: {update:?}"),
        }
    }
}

/// Waits for the end of any deployment. Returns its id and its last step.
fn next_end(follow: &mut Follow) -> (u64, String) {
    loop {
        let progress = next(follow);
        if progress["percent"] == 100 {
            let step = progress["step"].as_str().expect("a step").to_owned();
            return (progress["id"].as_u64().expect("an id"), step);
        }
    }
}

/// Sends the request to deploy, and waits until the work has begun.
fn begin(program: &Program, name: &str) -> TcpStream {
    let listed = || get(&program.url("/deployments"), &[]).json()["deployments"].to_string();
    let before = listed();
    let mut client = TcpStream::connect(("127.0.0.1", program.port)).expect("the example listens");
    client.set_read_timeout(Some(PATIENCE)).expect("the read timeout can be set");
    let head = "POST /deployments HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n";
    let request = format!("{head}Content-Length: {}\r\n\r\n{name}", name.len());
    client.write_all(request.as_bytes()).expect("the example reads");
    eventually("the deployment is listed", || listed() != before);
    client
}

fn eventually(description: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "timed out: {description}");
        thread::sleep(std::time::Duration::from_millis(5));
    }
}

#[test]
fn answers_100_polls_while_a_deployment_works() {
    let program = Program::start(EXAMPLE);
    let url = program.url("/deployments");
    let deployment = thread::spawn({
        let url = url.clone();
        move || post(&url, &[], "shop")
    });
    let percent = || get(&url, &[]).json()["deployments"][0]["percent"].as_u64();
    eventually("the deployment has begun", || percent().is_some());
    for number in 0..100 {
        let target = if number % 2 == 0 { "/deployments" } else { "/deployments/events?since=start" };
        assert_eq!(get(&program.url(target), &[]).status, 200);
    }
    let percent = percent().expect("the deployment is listed");
    assert!(percent < 100 && !deployment.is_finished(), "the polls took longer than the work");
    let reply = deployment.join().expect("the response");
    assert_eq!((reply.status, reply.json()), (200, json!({"id": 1, "outcome": "finished"})));
}

#[test]
fn reports_each_step_and_then_answers() {
    let program = Program::start(EXAMPLE);
    let mut events = follow(&program);
    let mut client = begin(&program, "shop");
    for (number, step) in
        ["fetching the source", "compiling", "testing", "copying", "switching over", "finished"]
            .iter()
            .enumerate()
    {
        let progress = json!({"id": 1, "name": "shop", "percent": number * 20, "step": step});
        assert_eq!(next(&mut events), progress);
    }
    let mut response = String::new();
    client.read_to_string(&mut response).expect("a response and a FIN");
    assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");
    assert!(response.ends_with("\r\n\r\n{\"id\":1,\"outcome\":\"finished\"}"), "{response}");
    let list = get(&program.url("/deployments"), &[]).json()["deployments"].clone();
    assert_eq!(list, json!([{"id": 1, "name": "shop", "percent": 100, "step": "finished"}]));
}

#[test]
fn notices_that_a_client_has_left_but_not_one_that_only_ended_its_side() {
    let program = Program::start(EXAMPLE);
    let mut events = follow(&program);
    let leaves = begin(&program, "left");
    let mut waits = begin(&program, "half-closed");
    drop(leaves);
    // As netcat does at the end of its input.
    waits.shutdown(Shutdown::Write).expect("the connection is open");
    // Both began at nearly the same time, so either may end first.
    let mut ends = [next_end(&mut events), next_end(&mut events)];
    ends.sort();
    assert_eq!(ends, [(1, "finished; the client had left".into()), (2, "finished".into())]);
    let mut response = String::new();
    waits.read_to_string(&mut response).expect("a response and a FIN");
    assert!(response.ends_with("{\"id\":2,\"outcome\":\"finished\"}"), "{response}");
}

#[test]
fn refuses_too_many_deployments_and_names_that_are_too_long() {
    let program = Program::start(EXAMPLE);
    let url = program.url("/deployments");
    for name in ["", &"x".repeat(41)] {
        assert_eq!(post(&url, &[], name).status, 400, "{name}");
    }
    let mut events = follow(&program);
    let _running = ["a", "b", "c", "d"].map(|name| begin(&program, name));
    let reply = post(&url, &[], "e");
    assert_eq!((reply.status, reply.field("Retry-After")), (429, "5"));
    let (first, step) = next_end(&mut events);
    assert!((1..=4).contains(&first) && step == "finished", "{first}: {step}");
    // One of the four has ended, so another may begin.
    let _fifth = begin(&program, "e");
    let (code, error) = Program::start_on_taken_port(EXAMPLE);
    assert_eq!(code, Some(1));
    assert!(error.contains("cannot listen on 127.0.0.1:"), "{error}");
}
