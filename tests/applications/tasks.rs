//! 08_tasks_by_time loses updates.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::http::{Reply, get, post, send};
use crate::program::Program;

const BY_TIME: &str = "08_tasks_by_time";
const UPDATES: u64 = 60;

fn add(url: &str, title: &str) -> Value {
    let reply = post(url, &[], &json!({"title": title}).to_string());
    assert_eq!(reply.status, 201, "{}", reply.text);
    reply.json()
}

fn change(program: &Program, id: &Value, done: bool) -> Value {
    let content = json!({"done": done}).to_string();
    let reply = send("PATCH", &program.url(&format!("/tasks/{id}")), &[], &content);
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply.json()
}

/// Adds tasks on a fixed schedule, on another thread.
fn add_on_schedule(program: &Program, spacing: Duration) -> thread::JoinHandle<()> {
    let url = program.url("/tasks");
    thread::spawn(move || {
        let began = Instant::now();
        for n in 1..=UPDATES {
            add(&url, &format!("Task {n}"));
            thread::sleep((spacing * n as u32).saturating_sub(began.elapsed()));
        }
    })
}

/// The ids of the tasks in an answer.
fn ids(tasks: &Value) -> BTreeSet<u64> {
    let tasks = tasks.as_array().expect("a list of tasks");
    tasks.iter().map(|task| task["id"].as_u64().expect("a number")).collect()
}

/// The problem that a refused request is answered with.
fn problem(reply: &Reply) -> (u16, String) {
    assert_eq!(reply.field("content-type"), "application/problem+json");
    (reply.status, reply.json()["detail"].as_str().expect("a text").to_owned())
}

/// The server refuses these requests, and is unchanged by them.
fn expect_refusals(program: &Program, long_title: usize) {
    let tasks = program.url("/tasks");
    let before = get(&tasks, &[]).text;
    for content in ["", "{", "[]", "7", r#"{"title":7}"#, r#"{"name":"a"}"#, "\"title\""] {
        let refusal = problem(&post(&tasks, &[], content));
        assert_eq!(refusal, (400, r#"Send the title in JSON: {"title":"…"}"#.into()), "{content}");
    }
    let patch = |id: &str, content: &str| send("PATCH", &program.url(&format!("/tasks/{id}")), &[], content);
    for content in ["", "{}", r#"{"done":1}"#, r#"{"done":"true"}"#] {
        let refusal = problem(&patch("1", content));
        assert_eq!(refusal, (400, r#"Send the new state in JSON: {"done":true}"#.into()), "{content}");
    }
    for id in ["0", "999", "-1", "18446744073709551616", "1.0", "one", "%20"] {
        let refusal = problem(&patch(id, r#"{"done":true}"#));
        assert_eq!(refusal, (404, "There is no task with this id.".into()), "{id}");
    }
    let too_long = json!({"title": "x".repeat(long_title)}).to_string();
    assert_eq!(post(&tasks, &[], &too_long).status, 413);
    assert_eq!(get(&tasks, &[]).text, before);
}

/// The time of a page's clock.
fn now() -> i64 {
    let time = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is after 1970");
    i64::try_from(time.as_millis()).expect("the clock is right")
}

/// Polls as the page of 08 does, with a clock that is `ahead` milliseconds ahead, while tasks are
/// added. Returns how many of them are never received.
fn lost_by_time(ahead: i64) -> usize {
    let program = Program::start(BY_TIME);
    let mut since = 0;
    let mut poll = || {
        let tasks = get(&program.url(&format!("/tasks?updatedSince={since}")), &[]).json();
        since = now() + ahead;
        ids(&tasks)
    };
    let mut received = poll();
    let adding = add_on_schedule(&program, Duration::from_millis(10));
    while !adding.is_finished() {
        received.extend(poll());
        thread::sleep(Duration::from_millis(100));
    }
    adding.join().expect("all tasks are added");
    (0..3).for_each(|_| received.extend(poll()));
    let all = ids(&get(&program.url("/tasks"), &[]).json());
    assert_eq!(all.len() as u64, UPDATES);
    assert!(received.is_subset(&all));
    all.len() - received.len()
}

#[test]
fn by_time_an_update_during_an_answer_is_lost() {
    let lost = lost_by_time(0);
    assert!(lost >= 1, "{lost} of {UPDATES}");
}

#[test]
fn by_time_a_clock_that_is_ahead_loses_most_updates() {
    let lost = lost_by_time(10_000) as u64;
    assert!(lost > UPDATES / 2, "{lost} of {UPDATES}");
}

#[test]
fn by_time_a_clock_that_is_behind_repeats_updates() {
    let program = Program::start(BY_TIME);
    let task = add(&program.url("/tasks"), "a");
    let behind = program.url(&format!("/tasks?updatedSince={}", now() - 60_000));
    for _ in 0..3 {
        assert_eq!(get(&behind, &[]).json(), json!([task]));
    }
    let after = task["updated"].as_u64().expect("a time") + 1;
    assert_eq!(get(&program.url(&format!("/tasks?updatedSince={after}")), &[]).json(), json!([]));
    assert_eq!(change(&program, &task["id"], true)["done"], true);
}

#[test]
fn by_time_an_answer_takes_its_delay() {
    let program = Program::start(BY_TIME);
    let began = Instant::now();
    get(&program.url("/tasks"), &[]);
    assert!(began.elapsed() >= Duration::from_millis(50));
}

#[test]
fn by_time_what_is_not_valid_is_refused() {
    let program = Program::start(BY_TIME);
    add(&program.url("/tasks"), "a");
    expect_refusals(&program, 2 << 20);
    for time in ["", "yesterday", "-1", "1.5", "18446744073709551616"] {
        let refusal = problem(&get(&program.url(&format!("/tasks?updatedSince={time}")), &[]));
        assert_eq!(refusal, (400, "updatedSince is a time in milliseconds since 1970.".into()), "{time}");
    }
}

#[test]
fn a_page_is_served_and_a_taken_port_is_reported() {
    let page = get(&Program::start(BY_TIME).url("/"), &[]);
    assert!(page.text.starts_with("<!doctype html>") && page.text.ends_with("</script>\n"));
    assert_eq!(page.field("content-type"), "text/html; charset=utf-8");
    let (code, report) = Program::start_on_taken_port(BY_TIME);
    assert_eq!(code, Some(1));
    assert!(report.contains("cannot listen on 127.0.0.1:") && report.contains("choose another port"));
}
