//! `Response::follow`: four transports for one line.

use barewire::app::{App, Event, PublishError, Response};

use crate::peers::{content, messages, start, start_with, upgrade};

/// Everybody may follow their own feed, and one of them may publish.
fn feeds() -> App<()> {
    App::new(())
        .on("GET", "/feed", |_, request| match request.cookie("user") {
            Some(user) => Response::follow(format!("feed of {user}")),
            None => Response::problem(401, "Log in first."),
        })
        .on("POST", "/feed/{user}", |cx, request| {
            let event = Event { name: "note", data: request.text().unwrap_or_default() };
            match cx.publish(&format!("feed of {}", request.param("user")), event) {
                Ok(id) => Response::json(format!("\"{id}\"")).with_status(201),
                Err(error) => Response::problem(503, &format!("{error:?}")),
            }
        })
        .on("GET", "/snapshot/{user}", |cx, request| {
            let cursor = cx.newest(&format!("feed of {}", request.param("user")));
            Response::text(cursor.to_string())
        })
}

const A: &str = "Cookie: theme=dark; user=a";

#[test]
fn one_line_answers_over_all_four_transports() {
    let mut app = start(feeds());
    let cursor = content(&app.ask("GET /snapshot/a HTTP/1.1")).to_owned();
    let long = app.begin(&format!("GET /feed?wait=9&since={cursor} HTTP/1.1\n{A}"));
    let stream = app.begin(&format!("GET /feed?since={cursor} HTTP/1.1\nAccept: text/event-stream\n{A}"));
    let other = app.begin("GET /feed HTTP/1.1\nAccept: text/event-stream\nCookie: user=b");
    let socket = app.begin(&format!("{}\n{A}", upgrade(&format!("/feed?since={cursor}"))));
    assert_eq!(app.text(long), "");
    assert!(app.text(stream).contains("\r\nContent-Type: text/event-stream\r\n"));
    assert!(app.text(socket).starts_with("HTTP/1.1 101 "));
    app.text(other);

    let id = content(&app.ask("POST /feed/a HTTP/1.1\n\nhello")).trim_matches('"').to_owned();
    let event = format!(r#"{{"id":"{id}","event":"note","data":"hello"}}"#);
    assert!(content(&app.text(long)).contains(&event));
    let short = app.ask(&format!("GET /feed?since={cursor} HTTP/1.1\n{A}"));
    assert!(content(&short).contains(&event) && short.contains("\r\nVary: Accept, Prefer"), "{short}");
    assert!(app.text(stream).contains(&format!("id: {id}\nevent: note\ndata: hello\n\n")));
    assert_eq!(app.messages(socket), [event]);
    assert_eq!(app.text(other), "", "another user's feed");
    assert!(app.ask("GET /feed HTTP/1.1").starts_with("HTTP/1.1 401 "));
    assert!(app.ask("GET /feed/a HTTP/1.1\nUpgrade: websocket").starts_with("HTTP/1.1 405 "));
}

#[test]
fn a_follower_resumes_and_is_told_of_a_gap() {
    let mut app = start(feeds());
    app.ask("POST /feed/a HTTP/1.1\n\none");
    let cursor = content(&app.ask("GET /snapshot/a HTTP/1.1")).to_owned();
    app.ask("POST /feed/a HTTP/1.1\n\ntwo");
    let resumed =
        app.ask(&format!("GET /feed HTTP/1.1\nAccept: text/event-stream\nLast-Event-ID: {cursor}\n{A}"));
    assert!(resumed.contains("data: two") && !resumed.contains("data: one"), "{resumed}");
    let gap = app.ask(&format!("GET /feed HTTP/1.1\nAccept: text/event-stream\nLast-Event-ID: old-7\n{A}"));
    assert!(gap.contains("event: gap\n") && gap.contains("data: one"), "{gap}");
}

#[test]
fn head_and_not_modified_work_as_on_topics() {
    let mut app = start(feeds());
    app.ask("POST /feed/a HTTP/1.1\n\none");
    let head = app.ask(&format!("HEAD /feed HTTP/1.1\n{A}"));
    assert!(head.starts_with("HTTP/1.1 200 ") && content(&head).is_empty(), "{head}");
    let tag = head.lines().find_map(|line| line.strip_prefix("ETag: ")).expect("an entity tag").to_owned();
    let same = app.ask(&format!("GET /feed HTTP/1.1\n{A}\nIf-None-Match: {tag}"));
    assert!(same.starts_with("HTTP/1.1 304 "), "{same}");
}

#[test]
fn a_websocket_that_follows_may_not_publish() {
    let mut app = start(feeds());
    let socket = app.begin(&format!("{}\n{A}", upgrade("/feed")));
    app.text(socket);
    app.send_text(socket, "hello");
    assert_eq!(
        app.messages(socket),
        ["close 1008 this WebSocket only follows; to publish, a request may need a token"]
    );
}

#[test]
fn what_cannot_be_published_is_refused() {
    let app = App::new(()).on("GET", "/", |cx, _| {
        let long = "x".repeat(65);
        let event = |name| Event { name, data: "" };
        assert_eq!(cx.publish("t", &long), Err(PublishError::TooLong));
        for name in ["", "gap", "open", "error", "a\nb"] {
            assert_eq!(cx.publish("t", event(name)), Err(PublishError::Name), "{name:?}");
        }
        Response::text(cx.publish("t", "fits").is_ok().to_string())
    });
    let mut app = start_with(app, |options| options.policy.event_bytes = 64);
    assert_eq!(content(&app.ask("GET / HTTP/1.1")), "true");
}

#[test]
fn all_events_of_an_iteration_go_out_together() {
    let app = App::new(()).on("GET", "/follow", |_, _| Response::follow("t")).on("POST", "/", |cx, _| {
        for number in 0..100 {
            cx.publish("t", &number.to_string()).expect("room");
        }
        Response::status(204)
    });
    let mut app = start(app);
    let socket = app.begin(&upgrade("/follow"));
    app.text(socket);
    app.ask("POST / HTTP/1.1");
    let received = messages(&app.server.take(socket));
    assert_eq!(received.len(), 100);
    assert!(received[99].contains(r#""data":"99""#));
}

#[test]
fn followers_are_counted_as_they_join_and_leave() {
    let app = App::new(Vec::new())
        .on("GET", "/{topic}", |_, request| Response::follow(request.param("topic")))
        .on("GET", "/", |cx, _| Response::text(cx.state.join(" ")))
        .followers(|cx, follower| {
            let sign = if follower.has_joined { '+' } else { '-' };
            cx.state.push(format!("{sign}{}:{}", follower.topic, follower.count));
        });
    let mut app = start(app);
    let first = app.begin("GET /a HTTP/1.1\nAccept: text/event-stream");
    let second = app.begin(&upgrade("/a"));
    app.begin(&upgrade("/b"));
    app.ask("GET /a?wait=5 HTTP/1.1");
    app.server.reset(first);
    app.server.send(second, &crate::peers::frame(0x88, &[3, 0xe8]));
    assert_eq!(content(&app.ask("GET / HTTP/1.1")), "+a:1 +a:2 +b:1 -a:1 -a:0");
}
