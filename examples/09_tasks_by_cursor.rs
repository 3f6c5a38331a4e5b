//! 9. Tasks by cursor: a snapshot, then every update after it, over any of four transports.
//!
//! New since `08_tasks_by_time`: each update is an event in a topic. The list comes with a cursor,
//! the position in the topic to which the list belongs, and the page asks for the events after it.
//! Between the two, no update can be missed, and no clock is involved.
//!
//! Start the server, and open <http://127.0.0.1:8009>. Click on "Add 100 tasks", and choose other
//! transports meanwhile: the page continues from its cursor. The page checks the numbers of the
//! updates, and finds that none is lost and none arrives twice.
//!
//! ```console
//! $ cargo run --example 09_tasks_by_cursor
//! listening on http://127.0.0.1:8009
//! $ curl -d '{"title":"Water the plants"}' http://127.0.0.1:8009/tasks
//! {"done":false,"id":1,"title":"Water the plants","update":1}
//! $ curl http://127.0.0.1:8009/tasks
//! {"next":"HpfL5TaZ-1","tasks":[{"done":false,"id":1,"title":"Water the plants","update":1}]}
//! ```
//!
//! The route `/tasks/events` answers in the way that the request asks for. This is an event stream:
//!
//! ```console first
//! $ curl -N -H 'Accept: text/event-stream' 'http://127.0.0.1:8009/tasks/events?since=HpfL5TaZ-1'
//! retry: 2000
//! id: HpfL5TaZ-1
//!
//! id: HpfL5TaZ-2
//! event: task
//! data: {"done":true,"id":1,"title":"Water the plants","update":2}
//!
//! ```
//!
//! ```console second
//! $ curl -X PATCH -d '{"done":true}' http://127.0.0.1:8009/tasks/1
//! {"done":true,"id":1,"title":"Water the plants","update":2}
//! ```
//!
//! **Break it:** stop the server while the page is open, and start it again. The new server has an
//! empty list, and the page's cursor is not one of its own. The server reports this (`"gap":true`,
//! or `event: gap`), and the page fetches the list again, instead of showing one that is gone.
//!
//! `… 09_tasks_by_cursor -- 8090` selects another port. If it is taken, the server prints
//! `cannot listen` and the reason, and exits with status 1.

use barewire::app::{App, Context, Event, Request, Response};
use barewire::server::Options;
use serde_json::{Value, json};

const PAGE: &str = include_str!("pages/09.html");
const MOST_TASKS: usize = 10_000;

#[derive(Default)]
struct State {
    /// The tasks in JSON. The first one has the id 1.
    tasks: Vec<Value>,
    /// The number of updates. Each task has the number of its last one.
    updates: u64,
}

fn main() -> std::io::Result<()> {
    let port = std::env::args().nth(1).map_or(8009, |port| port.parse().expect("a port number"));
    let options = Options { listen: ([127, 0, 0, 1], port).into(), ..Options::default() };
    let bound = App::new(State::default())
        .file("/", "text/html; charset=utf-8", PAGE)
        // One line for a short poll, a long poll, an event stream and a WebSocket.
        .on("GET", "/tasks/events", |_, _| Response::follow("tasks"))
        .on("GET", "/tasks", list)
        .on("POST", "/tasks", add)
        .on("PATCH", "/tasks/{id}", change)
        .bind(options)?;
    println!("listening on http://{}", bound.local_addr());
    bound.run()
}

/// Answers with all tasks, and the cursor of a client that has received them.
fn list(cx: &mut Context<'_, State>, _: &Request<'_>) -> Response {
    let next = cx.newest("tasks").to_string();
    Response::json(json!({"tasks": cx.state.tasks, "next": next}).to_string())
}

fn add(cx: &mut Context<'_, State>, request: &Request<'_>) -> Result<Response, Response> {
    let content: Value = serde_json::from_slice(request.content()).unwrap_or_default();
    let title = content["title"].as_str();
    let title = title.ok_or_else(|| Response::problem(400, r#"Send the title in JSON: {"title":"…"}"#))?;
    let id = cx.state.tasks.len() + 1;
    if id > MOST_TASKS {
        return Err(Response::problem(409, "The list is full."));
    }
    update(cx, id, json!({"id": id, "title": title, "done": false})).map(|response| response.with_status(201))
}

fn change(cx: &mut Context<'_, State>, request: &Request<'_>) -> Result<Response, Response> {
    let content: Value = serde_json::from_slice(request.content()).unwrap_or_default();
    let done = content["done"].as_bool();
    let done = done.ok_or_else(|| Response::problem(400, r#"Send the new state in JSON: {"done":true}"#))?;
    let id: usize = request.param("id").parse().unwrap_or(0);
    let task = cx.state.tasks.iter().find(|task| task["id"] == id).cloned();
    let mut task = task.ok_or_else(|| Response::problem(404, "There is no task with this id."))?;
    task["done"] = done.into();
    update(cx, id, task)
}

/// Publishes a task and keeps it. No other handler runs in between, so a snapshot has either both
/// the task and the cursor after its event, or neither.
fn update(cx: &mut Context<'_, State>, id: usize, mut task: Value) -> Result<Response, Response> {
    task["update"] = (cx.state.updates + 1).into();
    let data = task.to_string();
    // A task that the topic does not accept is not kept: followers and snapshots must agree.
    cx.publish("tasks", Event { name: "task", data: &data })?;
    cx.state.updates += 1;
    match cx.state.tasks.get_mut(id - 1) {
        Some(old) => *old = task,
        None => cx.state.tasks.push(task),
    }
    Ok(Response::json(data))
}
