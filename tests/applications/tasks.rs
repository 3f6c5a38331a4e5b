//! 08_tasks_by_time loses updates; 09_tasks_by_cursor delivers each exactly once.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use barewire::client::follow::{Resource, Since, Transport};
use barewire::client::{Follow, FollowOptions, Message, Request, Update, WebSocket};
use serde_json::{Value, json};

use crate::http::{Reply, get, post, send};
use crate::program::{PATIENCE, Program};

const BY_TIME: &str = "08_tasks_by_time";
const BY_CURSOR: &str = "09_tasks_by_cursor";
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

/// Both servers refuse the same requests, and are unchanged by them.
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
        assert_eq!(refusal, (400, "updatedSince is in milliseconds since 1970.".into()), "{time}");
    }
}

/// A client of 09: the list that it shows, and how it stays up to date.
struct Page {
    tasks: Vec<Value>,
    /// The number of the last update that the list contains.
    newest: u64,
    follow: Follow,
}

impl Page {
    /// Fetches the list, and follows since its cursor.
    fn load(program: &Program, transport: Transport) -> Page {
        let list = get(&program.url("/tasks"), &[]).json();
        let tasks = list["tasks"].as_array().expect("a list of tasks").clone();
        let cursor = list["next"].as_str().expect("a cursor").to_owned();
        let mut resource = Resource::new(&program.url("/tasks/events"), None, &[]).expect("a valid URL");
        resource.interval = Duration::from_millis(100);
        let options = FollowOptions {
            transports: vec![transport],
            since: Since::Id(cursor),
            give_up_after: Some(PATIENCE),
            ..FollowOptions::default()
        };
        let newest = tasks.iter().filter_map(|task| task["update"].as_u64()).max().unwrap_or(0);
        Page { tasks, newest, follow: Follow::new(resource, options).expect("random numbers") }
    }

    /// Receives updates up to this number, each of which must be the next one.
    fn receive(&mut self, last: u64) {
        while self.newest < last {
            match self.follow.next().expect("the follower goes on").expect("the server answers") {
                Update::Event(event) => {
                    assert_eq!(event.event, "task");
                    let task: Value = serde_json::from_str(&event.data).expect("the data is JSON");
                    assert_eq!(task["update"], self.newest + 1, "an update is lost or doubled");
                    self.newest += 1;
                    match self.tasks.iter_mut().find(|old| old["id"] == task["id"]) {
                        Some(old) => *old = task,
                        None => self.tasks.push(task),
                    }
                }
                Update::Opened(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Waits until the server reports a gap.
    fn wait_for_gap(&mut self) {
        loop {
            match self.follow.next().expect("the follower goes on").expect("the server answers") {
                Update::Gap { .. } => break,
                Update::Opened(_) | Update::Disconnected { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

fn expect_each_update_once(transport: Transport) {
    let program = Program::start(BY_CURSOR);
    let first = add(&program.url("/tasks"), "in the snapshot");
    let mut page = Page::load(&program, transport);
    assert_eq!(page.tasks, vec![first.clone()]);
    let adding = add_on_schedule(&program, Duration::from_millis(10));
    page.receive(UPDATES / 2);
    change(&program, &first["id"], true);
    page.receive(1 + UPDATES + 1);
    adding.join().expect("all tasks are added");
    assert_eq!(page.tasks, *get(&program.url("/tasks"), &[]).json()["tasks"].as_array().expect("a list"));
    assert_eq!(page.tasks[0]["done"], true);

    // The new server knows neither the tasks nor the cursor, and says so.
    let program = program.restart();
    add(&program.url("/tasks"), "after the restart");
    page.wait_for_gap();
    let mut page = Page::load(&program, transport);
    assert_eq!((page.tasks.len(), page.newest), (1, 1));
    let adding = add_on_schedule(&program, Duration::from_millis(10));
    page.receive(1 + UPDATES);
    adding.join().expect("all tasks are added");
    assert_eq!(page.tasks, *get(&program.url("/tasks"), &[]).json()["tasks"].as_array().expect("a list"));
}

#[test]
fn by_cursor_each_update_arrives_once_over_a_short_poll() {
    expect_each_update_once(Transport::ShortPoll);
}

#[test]
fn by_cursor_each_update_arrives_once_over_a_long_poll() {
    expect_each_update_once(Transport::LongPoll);
}

#[test]
fn by_cursor_each_update_arrives_once_over_an_event_stream() {
    expect_each_update_once(Transport::EventStream);
}

#[test]
fn by_cursor_each_update_arrives_once_over_a_websocket() {
    expect_each_update_once(Transport::WebSocket);
}

#[test]
fn by_cursor_what_is_not_valid_is_refused() {
    let program = Program::start(BY_CURSOR);
    add(&program.url("/tasks"), "a");
    // An event is shorter than a request may be. A task is kept only if its event is.
    expect_refusals(&program, 64 << 10);
    expect_refusals(&program, 2 << 20);
    assert_eq!(get(&program.url("/tasks/events"), &[]).json()["events"].as_array().map(Vec::len), Some(1));
}

#[test]
fn by_cursor_a_follower_cannot_publish() {
    let program = Program::start(BY_CURSOR);
    let uri = program.url("/tasks/events?since=start").replace("http", "ws");
    let mut socket = WebSocket::connect(&uri, &Request::default()).expect("a WebSocket");
    assert!(matches!(socket.read(), Ok(Message::Text(text)) if text.starts_with("{\"next\":")));
    socket.send_text(r#"{"id":1,"title":"forged","done":false,"update":1}"#).expect("the server reads");
    assert!(matches!(socket.read(), Ok(Message::Close(Some((code, _)))) if code.0 == 1008));
    assert_eq!(get(&program.url("/tasks/events"), &[]).json()["events"], json!([]));
}

#[test]
fn a_page_is_served_and_a_taken_port_is_reported() {
    for example in [BY_TIME, BY_CURSOR] {
        let page = get(&Program::start(example).url("/"), &[]);
        assert!(page.text.starts_with("<!doctype html>") && page.text.ends_with("</script>\n"));
        assert_eq!(page.field("content-type"), "text/html; charset=utf-8");
        let (code, report) = Program::start_on_taken_port(example);
        assert_eq!(code, Some(1));
        assert!(report.contains("cannot listen on 127.0.0.1:") && report.contains("choose another port"));
    }
}
