//! 11. Deployments: work that takes seconds, on a thread, while the event loop answers others.
//!
//! The handler of `POST /deployments` starts a thread and answers `later`. The thread reports each
//! step with `Handle::call`, which runs a closure on the loop: it publishes the progress, and at
//! the end it answers with `finish`. That returns `false` if the client has left meanwhile.
//!
//! Start the server, and open <http://127.0.0.1:8011>. `… 11_deployments -- 8090` selects another
//! port. If the port is taken, the server prints which address it cannot listen on, and exits with
//! status 1.
//!
//! ```console
//! $ cargo run --example 11_deployments
//! listening on http://127.0.0.1:8011
//! ```
//!
//! Deploy in one terminal. The response arrives after five seconds; the page shows each step.
//!
//! ```console
//! $ curl -d shop http://127.0.0.1:8011/deployments
//! {"id":1,"outcome":"finished"}
//! ```
//!
//! Deploy again, and leave after a second. The work goes on, and its last event says so:
//!
//! ```text
//! $ curl -m 1 -d blog http://127.0.0.1:8011/deployments
//! $ curl -N -H 'Accept: text/event-stream' 'http://127.0.0.1:8011/deployments/events?since=start'
//! …
//! data: {"id":2,"name":"blog","percent":100,"step":"finished; the client had left"}
//! ```
//!
//! While a deployment runs, send 100 requests with the button on the page, or like this:
//!
//! ```text
//! $ time for i in $(seq 100); do curl -s http://127.0.0.1:8011/deployments; done
//! ```
//!
//! **Break it:** do the work on the event loop. Replace `thread::spawn(move || …)` with
//! `(move || …)()`, and send the 100 requests again: the first one takes up to five seconds. Nor
//! does a page show any step before the last.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use barewire::app::{App, Context, Request, Response};
use barewire::server::Options;
use serde_json::{Value, json};

const STEPS: [&str; 5] = ["fetching the source", "compiling", "testing", "copying", "switching over"];
/// The most deployments that run at the same time. Each is a thread.
const MOST_RUNNING: usize = 4;
/// The most deployments that are listed.
const MOST_LISTED: usize = 10;

struct Deployment {
    name: String,
    step: &'static str,
    percent: usize,
}

/// The latest deployments by their ids.
type Deployments = BTreeMap<u64, Deployment>;

fn main() -> std::io::Result<()> {
    let port = std::env::args().nth(1).map_or(8011, |port| port.parse().expect("a port number"));
    let bound = App::new(Deployments::new())
        .file("/", "text/html; charset=utf-8", include_str!("pages/11.html"))
        .on("GET", "/deployments", |cx, _| {
            let list: Vec<Value> = cx.state.iter().map(|(id, deployment)| deployment.json(*id)).collect();
            let next = cx.newest("deployments").to_string();
            Response::json(json!({ "deployments": list, "next": next }).to_string())
        })
        .on("GET", "/deployments/events", |_, _| Response::follow("deployments"))
        .on("POST", "/deployments", deploy)
        .bind(Options { listen: ([127, 0, 0, 1], port).into(), ..Options::default() })?;
    println!("listening on http://{}", bound.local_addr());
    bound.run()
}

impl Deployment {
    fn json(&self, id: u64) -> Value {
        json!({ "id": id, "name": self.name, "step": self.step, "percent": self.percent })
    }
}

/// Starts a deployment, and answers when it has ended.
fn deploy(cx: &mut Context<'_, Deployments>, request: &Request<'_>) -> Result<Response, Response> {
    let name = request.text()?.to_owned();
    if !(1..=40).contains(&name.len()) {
        return Err(Response::problem(400, "Send the name of what to deploy: 1 to 40 bytes."));
    }
    if cx.state.values().filter(|deployment| deployment.percent < 100).count() >= MOST_RUNNING {
        return Err(Response::problem(429, "Too many deployments are running.").field("Retry-After", "5"));
    }
    let id = cx.state.last_key_value().map_or(1, |(last, _)| last + 1);
    cx.state.insert(id, Deployment { name, step: "waiting", percent: 0 });
    if cx.state.len() > MOST_LISTED {
        cx.state.pop_first();
    }
    let (ticket, response) = cx.later();
    let handle = cx.handle();
    thread::spawn(move || {
        for (number, step) in STEPS.into_iter().enumerate() {
            // A call fails only during a shutdown, when no client is told any more.
            let _ = handle.call(move |cx| report(cx, id, step, 100 * number / STEPS.len()));
            work();
        }
        let _ = handle.call(move |cx| {
            let response = Response::json(json!({ "id": id, "outcome": "finished" }).to_string());
            let is_there = cx.finish(ticket, response);
            report(cx, id, if is_there { "finished" } else { "finished; the client had left" }, 100);
        });
    });
    Ok(response)
}

/// Takes a second, and blocks its thread. In a real deployment, this is a compiler or a copy.
fn work() {
    thread::sleep(Duration::from_secs(1));
}

/// Notes how far a deployment has come, and tells its followers.
fn report(cx: &mut Context<'_, Deployments>, id: u64, step: &'static str, percent: usize) {
    let Some(deployment) = cx.state.get_mut(&id) else { return };
    (deployment.step, deployment.percent) = (step, percent);
    let event = deployment.json(id).to_string();
    // If there is no room for the event, a page shows this step when it loads the list.
    let _ = cx.publish("deployments", &event);
}
