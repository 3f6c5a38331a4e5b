//! Handlers that are called again and again.

use std::time::Duration;

use barewire::app::{App, Response};

use crate::peers::{content, start};

fn counting(interval: Duration) -> App<u32> {
    App::new(0)
        .every(interval, |cx| {
            *cx.state += 1;
            let _ = cx.publish("ticks", &cx.state.to_string());
        })
        .on("GET", "/", |cx, _| Response::text(cx.state.to_string()))
        .on("GET", "/ticks", |_, _| Response::follow("ticks"))
}

#[test]
fn a_timer_runs_at_its_interval_and_its_events_go_out() {
    let mut app = start(counting(Duration::from_secs(2)));
    let stream = app.begin("GET /ticks HTTP/1.1\nAccept: text/event-stream");
    app.text(stream);
    app.server.advance(19);
    assert_eq!(app.text(stream), "");
    app.server.advance(1);
    assert!(app.text(stream).contains("data: 1\n"));
    app.server.advance(100);
    assert!(app.text(stream).contains("data: 6\n"));
    assert_eq!(content(&app.ask("GET / HTTP/1.1")), "6");
}

#[test]
fn times_that_pass_between_two_iterations_are_left_out() {
    // A simulation looks every tenth of a second.
    let mut app = start(counting(Duration::from_millis(30)));
    app.server.advance(10);
    assert_eq!(content(&app.ask("GET / HTTP/1.1")), "10");
}
