//! 8. Tasks by time: a page that polls by its own clock, and misses updates for good.
//!
//! This is the page from which a course on real-time APIs starts. Every 3 seconds it asks for the
//! tasks that were updated since its last answer, and it takes that time from its own clock.
//!
//! Start the server, and open <http://127.0.0.1:8008>. Click on "Add 100 tasks", wait until the
//! list grows no more, and click on "Compare with the server": a few tasks are missing, and no
//! later answer brings them.
//!
//! ```console
//! $ cargo run --example 08_tasks_by_time
//! listening on http://127.0.0.1:8008
//! $ curl -d '{"title":"Water the plants"}' http://127.0.0.1:8008/tasks
//! {"done":false,"id":1,"title":"Water the plants","updated":1796013000000}
//! $ curl -X PATCH -d '{"done":true}' http://127.0.0.1:8008/tasks/1
//! {"done":true,"id":1,"title":"Water the plants","updated":1796013004000}
//! $ curl 'http://127.0.0.1:8008/tasks?updatedSince=1700000000000'
//! [{"done":true,"id":1,"title":"Water the plants","updated":1796013004000}]
//! ```
//!
//! **Why updates are lost.** The server reads its tasks, and its answer travels for a while. Only
//! when it arrives does the page look at its clock; the next request asks for what was updated
//! since then. An update between these two moments is missing in this answer, and too old for the
//! next one. The share of lost updates is about the delay of an answer divided by the interval:
//! 50 ms of 3 s are 1.7 %. The server here holds each answer back for 50 ms, as a network does. Its
//! second argument changes that: `… 08_tasks_by_time -- 8008 500`.
//!
//! **Break it:** give the page a clock that is 10 seconds ahead, <http://127.0.0.1:8008/?ahead=10>.
//! After its first answer it shows nothing new. With `?ahead=-10` nothing is lost, but each update
//! is sent again and again for 10 seconds. `?interval=200` polls every 200 ms, and loses a quarter.
//!
//! No clock repairs this: a time does not say which updates the page has. `09_tasks_by_cursor` asks
//! by a position instead.
//!
//! `… 08_tasks_by_time -- 8090` selects another port. If it is taken, the server prints
//! `cannot listen` and the reason, and exits with status 1.

use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use barewire::app::{App, Context, Request, Response, Ticket};
use barewire::server::Options;
use serde_json::{Value, json};

const PAGE: &str = include_str!("pages/08.html");
const MOST_TASKS: usize = 10_000;

struct State {
    /// The tasks in JSON. The first one has the id 1.
    tasks: Vec<Value>,
    /// How long an answer travels.
    delay: Duration,
    /// To the thread that holds answers back until they are due.
    answers: Sender<(Instant, Ticket, Response)>,
}

fn main() -> std::io::Result<()> {
    let port = std::env::args().nth(1).map_or(8008, |port| port.parse().expect("a port number"));
    let delay = std::env::args().nth(2).map_or(50, |delay| delay.parse().expect("milliseconds"));
    let delay = Duration::from_millis(delay);
    let options = Options { listen: ([127, 0, 0, 1], port).into(), ..Options::default() };
    let (sender, answers) = mpsc::channel::<(Instant, Ticket, Response)>();
    let bound = App::new(State { tasks: Vec::new(), delay, answers: sender })
        .file("/", "text/html; charset=utf-8", PAGE)
        .on("GET", "/tasks", list)
        .on("POST", "/tasks", add)
        .on("PATCH", "/tasks/{id}", change)
        .bind(options)?;
    println!("listening on http://{}", bound.local_addr());

    // This thread is the slow network. A handler must not sleep: it would stop the whole server.
    let handle = bound.handle();
    thread::spawn(move || {
        for (due, ticket, response) in answers {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            // A call fails only when the server is shutting down.
            let _ = handle.call(move |cx| _ = cx.finish(ticket, response));
        }
    });
    bound.run()
}

/// Answers with the tasks that were updated since a time, or with all of them.
fn list(cx: &mut Context<'_, State>, request: &Request<'_>) -> Result<Response, Response> {
    let since = request.query("updatedSince").map_or(Ok(0), |time| time.parse());
    let since = since.map_err(|_| Response::problem(400, "updatedSince is in milliseconds since 1970."))?;
    let is_new = |task: &&Value| task["updated"].as_u64() >= Some(since);
    let tasks: Vec<&Value> = cx.state.tasks.iter().filter(is_new).collect();
    let response = Response::json(json!(tasks).to_string());
    let (ticket, later) = cx.later();
    // The thread that receives the answer runs as long as the server.
    let _ = cx.state.answers.send((Instant::now() + cx.state.delay, ticket, response));
    Ok(later)
}

fn add(cx: &mut Context<'_, State>, request: &Request<'_>) -> Result<Response, Response> {
    let content: Value = serde_json::from_slice(request.content()).unwrap_or_default();
    let title = content["title"].as_str();
    let title = title.ok_or_else(|| Response::problem(400, r#"Send the title in JSON: {"title":"…"}"#))?;
    let id = cx.state.tasks.len() + 1;
    if id > MOST_TASKS {
        return Err(Response::problem(409, "The list is full."));
    }
    let task = json!({"id": id, "title": title, "done": false, "updated": now()});
    let response = Response::json(task.to_string()).with_status(201);
    cx.state.tasks.push(task);
    Ok(response)
}

fn change(cx: &mut Context<'_, State>, request: &Request<'_>) -> Result<Response, Response> {
    let content: Value = serde_json::from_slice(request.content()).unwrap_or_default();
    let done = content["done"].as_bool();
    let done = done.ok_or_else(|| Response::problem(400, r#"Send the new state in JSON: {"done":true}"#))?;
    let id: usize = request.param("id").parse().unwrap_or(0);
    let task = cx.state.tasks.iter_mut().find(|task| task["id"] == id);
    let task = task.ok_or_else(|| Response::problem(404, "There is no task with this id."))?;
    (task["done"], task["updated"]) = (done.into(), now().into());
    Ok(Response::json(task.to_string()))
}

/// Returns the server's time in milliseconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64
}
