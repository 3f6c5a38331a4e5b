//! Answers that come later.

use barewire::app::{App, Response, Ticket};

use crate::peers::{content, start, start_with};

/// A request waits until another one finishes it.
fn waiting() -> App<Vec<Ticket>> {
    App::new(Vec::new())
        .on("POST", "/work", |cx, _| {
            let (ticket, response) = cx.later();
            cx.state.push(ticket);
            response
        })
        .on("POST", "/finish", |cx, request| {
            let text = request.text().unwrap_or_default().to_owned();
            let mut reached = String::new();
            for ticket in std::mem::take(cx.state) {
                let is_there = cx.finish(ticket, Response::text(text.clone()).with_status(202));
                reached += if is_there { "reached " } else { "gone " };
            }
            Response::text(reached)
        })
}

#[test]
fn a_request_waits_for_its_answer_and_the_next_one_behind_it() {
    let mut app = start(waiting());
    let peer = app.begin("POST /work HTTP/1.1");
    app.server.send(peer, b"POST /finish HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx");
    assert_eq!(app.text(peer), "", "the second request is not read before the first is answered");
    assert_eq!(content(&app.ask("POST /finish HTTP/1.1\n\ndone")), "reached ");
    let received = app.text(peer);
    assert!(
        received.starts_with("HTTP/1.1 202 Accepted\r\n") && received.contains("\r\n\r\ndoneHTTP/1.1 200")
    );
    assert!(received.ends_with("\r\n\r\n"), "no ticket was left for the second: {received}");
}

#[test]
fn a_client_that_has_left_is_not_answered() {
    let mut app = start(waiting());
    let first = app.begin("POST /work HTTP/1.1");
    let second = app.begin("POST /work HTTP/1.1");
    app.server.reset(first);
    assert_eq!(content(&app.ask("POST /finish HTTP/1.1\n\ndone")), "gone reached ");
    assert!(app.text(second).ends_with("done"));
}

#[test]
fn a_client_that_ends_its_side_is_probed_once_and_still_answered() {
    let mut app = start(waiting());
    let early = app.begin("POST /work HTTP/1.1");
    app.server.half_close(early);
    assert_eq!(app.text(early), "HTTP/1.1 100 Continue\r\n\r\n");
    let old = app.begin("POST /work HTTP/1.0");
    app.server.half_close(old);
    assert_eq!(app.text(old), "", "HTTP/1.0 has no interim response");
    assert_eq!(content(&app.ask("POST /finish HTTP/1.1\n\ndone")), "reached reached ");
    assert!(app.text(early).starts_with("HTTP/1.1 202 "));
    assert!(app.server.has_ended(early));
}

#[test]
fn a_request_does_not_wait_forever() {
    let mut app = start_with(waiting(), |options| options.answer_timeout = 7);
    let peer = app.begin("POST /work HTTP/1.1");
    app.server.advance(69);
    assert_eq!(app.text(peer), "");
    app.server.advance(1);
    let received = app.text(peer);
    assert!(received.starts_with("HTTP/1.1 503 ") && received.contains("problem+json"), "{received}");
    // A later request on the same connection does not receive the old answer.
    app.server.send(peer, b"POST /work HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(content(&app.ask("POST /finish HTTP/1.1\n\ndone")), "gone reached ");
    assert!(app.text(peer).ends_with("done"));
}

#[test]
fn a_request_may_wait_as_long_as_it_likes() {
    let mut app = start_with(waiting(), |options| options.answer_timeout = u32::MAX);
    let peer = app.begin("POST /work HTTP/1.1");
    app.server.advance(36_000);
    assert_eq!(content(&app.ask("POST /finish HTTP/1.1\n\ndone")), "reached ");
    assert!(app.text(peer).ends_with("done"));
}

#[test]
fn requests_that_wait_are_answered_at_the_shutdown() {
    let mut app = start(waiting());
    let peer = app.begin("POST /work HTTP/1.1");
    app.server.stop();
    let received = app.text(peer);
    assert!(received.starts_with("HTTP/1.1 503 ") && received.contains("\r\nConnection: close\r\n"));
    assert!(received.contains("\r\nRetry-After: ") && app.server.has_ended(peer), "{received}");
}

#[test]
fn a_request_can_follow_later() {
    let app = App::new(None)
        .on("GET", "/feed", |cx, _| {
            let (ticket, response) = cx.later();
            *cx.state = Some(ticket);
            response
        })
        .on("POST", "/permit", |cx, _| {
            let _ = cx.publish("feed", "hello");
            let ticket = cx.state.take().expect("a request waits");
            Response::text(cx.finish(ticket, Response::follow("feed")).to_string())
        });
    let mut app = start(app);
    let peer = app.begin("GET /feed?since=start HTTP/1.1\nAccept: text/event-stream");
    assert_eq!(content(&app.ask("POST /permit HTTP/1.1")), "true");
    assert!(app.text(peer).contains("data: hello\n"));
}
