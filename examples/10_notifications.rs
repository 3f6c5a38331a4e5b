//! 10. Notifications: each user follows one topic, and the handler decides which.
//!
//! `GET /notifications` names no topic. The handler finds the account in the cookie and answers
//! with `Response::follow` and the topic of that account, so there is no path to another one.
//! What is unread is part of the state: a page gets it with a cursor, and follows from there.
//!
//! The login is NOT authentication: it has no password, and any client can write any cookie. A real
//! one puts a session id that cannot be guessed in the cookie, and changes only `account_of`. It is
//! a cookie because an `EventSource` cannot send an `Authorization` field.
//!
//! Start the server, and open <http://127.0.0.1:8010> in two browsers that do not share cookies.
//! `… 10_notifications -- 8090` selects another port. If the port is taken, the server prints which
//! address it cannot listen on, and exits with status 1.
//!
//! ```console
//! $ cargo run --example 10_notifications
//! listening on http://127.0.0.1:8010
//! ```
//!
//! Log in as ada, and as ben in the other browser. Then notify ada from a terminal: only the page
//! of ada shows it. A reload keeps it, until it is marked as read.
//!
//! ```console
//! $ curl -d 'The build has failed' http://127.0.0.1:8010/notify/ada
//! {"id":"HpfL5TaZ-1"}
//! $ curl -b account=ada http://127.0.0.1:8010/unread
//! {"account":"ada","next":"HpfL5TaZ-1","unread":[{"id":"HpfL5TaZ-1","text":"The build has failed"}]}
//! $ curl -b account=ben http://127.0.0.1:8010/unread
//! {"account":"ben","next":"HpfL5TaZ-0","unread":[]}
//! $ curl -b account=ben 'http://127.0.0.1:8010/notifications?since=start'
//! {"events":[],"next":"HpfL5TaZ-0"}
//! ```
//!
//! Stop the server and start it again: each page reconnects by itself. All memory is lost, so the
//! server sends `event: gap`, and the page asks for what is unread now: nothing.
//!
//! **Break it:** read what is only for ada without her password, which does not exist:
//!
//! ```text
//! $ curl -N -b account=ada -H 'Accept: text/event-stream' 'http://127.0.0.1:8010/notifications?since=start'
//! ```

use std::collections::HashMap;

use barewire::app::{App, Context, Event, Request, Response};
use barewire::server::Options;
use serde_json::{Value, json};

/// The accounts, in place of a database.
const ACCOUNTS: [&str; 3] = ["ada", "ben", "cleo"];
/// The most unread notifications of one account.
const MOST_UNREAD: usize = 100;

struct Notification {
    /// The id of the event that announced it.
    id: String,
    text: String,
}

/// The unread notifications of each account, oldest first.
type Unread = HashMap<&'static str, Vec<Notification>>;

fn main() -> std::io::Result<()> {
    let port = std::env::args().nth(1).map_or(8010, |port| port.parse().expect("a port number"));
    let bound = App::new(Unread::new())
        .file("/", "text/html; charset=utf-8", include_str!("pages/10.html"))
        .on("POST", "/login", |_, request| find(request.content()).map(set_cookie))
        .on("POST", "/logout", |_, _| set_cookie("; Max-Age=0"))
        .on("POST", "/notify/{account}", notify)
        // The decision holds until this stream ends; for the next one, the browser asks again.
        .on("GET", "/notifications", |_, request| {
            account_of(request).map(|account| Response::follow(topic_of(account)))
        })
        .on("GET", "/unread", list_unread)
        .on("POST", "/read", mark_as_read)
        .bind(Options { listen: ([127, 0, 0, 1], port).into(), ..Options::default() })?;
    println!("listening on http://{}", bound.local_addr());
    bound.run()
}

/// Stores a notification for an account, and announces it to every page of that account.
fn notify(cx: &mut Context<'_, Unread>, request: &Request<'_>) -> Result<Response, Response> {
    let (account, text) = (find(request.param("account").as_bytes())?, request.text()?);
    if cx.state.get(account).is_some_and(|unread| unread.len() >= MOST_UNREAD) {
        return Err(Response::problem(429, "This account has too many unread notifications."));
    }
    let id = cx.publish(&topic_of(account), text)?;
    let response = Response::json(json!({ "id": id.to_string() }).to_string()).with_status(201);
    cx.state.entry(account).or_default().push(Notification { id: id.to_string(), text: text.into() });
    Ok(response)
}

/// Lists what is unread, with the cursor at which an event stream continues the list.
fn list_unread(cx: &mut Context<'_, Unread>, request: &Request<'_>) -> Result<Response, Response> {
    let account = account_of(request)?;
    let unread = cx.state.get(account).into_iter().flatten();
    let unread: Vec<Value> = unread.map(|one| json!({ "id": one.id, "text": one.text })).collect();
    let next = cx.newest(&topic_of(account)).to_string();
    let list = json!({ "account": account, "unread": unread, "next": next });
    Ok(Response::json(list.to_string()).field("Cache-Control", "no-store"))
}

/// Marks the notifications as read whose ids are the lines of the content. An event tells all pages
/// of the account, so that they show the same count.
fn mark_as_read(cx: &mut Context<'_, Unread>, request: &Request<'_>) -> Result<Response, Response> {
    let (account, ids) = (account_of(request)?, request.text()?);
    let unread = cx.state.entry(account).or_default();
    unread.retain(|one| !ids.lines().any(|id| id == one.id));
    // If there is no room for the event, other pages show the right count after a reload.
    let _ = cx.publish(&topic_of(account), Event { name: "read", data: ids });
    Ok(Response::status(204))
}

fn find(name: &[u8]) -> Result<&'static str, Response> {
    let found = ACCOUNTS.into_iter().find(|account| account.as_bytes() == name);
    found.ok_or_else(|| Response::problem(404, "No account has this name."))
}

/// Returns the account whose name is in the cookie, which is all that this login is.
fn account_of(request: &Request<'_>) -> Result<&'static str, Response> {
    let account = request.cookie("account").and_then(|name| find(name.as_bytes()).ok());
    account.ok_or_else(|| Response::problem(403, "Log in first: POST /login with the name of an account."))
}

fn topic_of(account: &str) -> String {
    format!("notifications of {account}")
}

/// Sets a cookie that scripts cannot read, and that is not sent with a request of a foreign page.
fn set_cookie(value: &str) -> Response {
    Response::status(204).field("Set-Cookie", format!("account={value}; Path=/; HttpOnly; SameSite=Strict"))
}
