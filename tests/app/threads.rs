//! Calls from other threads.

use std::sync::Arc;
use std::thread;

use barewire::app::{App, Response, Stopped};

use crate::peers::{content, start, start_with};

#[test]
fn a_thread_calls_back() {
    let app = App::new(None)
        .on("POST", "/work", |cx, _| {
            let (ticket, response) = cx.later();
            let handle = cx.handle();
            let worker = thread::spawn(move || {
                let sum: u32 = (0..100).sum();
                handle.call(move |cx| {
                    assert!(cx.finish(ticket, Response::text(sum.to_string())), "the client waits");
                })
            });
            *cx.state = Some(worker);
            response
        })
        .on("POST", "/join", |cx, _| {
            let worker = cx.state.take().expect("a worker");
            Response::text(format!("{:?}", worker.join().expect("the worker does not panic")))
        });
    let mut app = start(app);
    let peer = app.begin("POST /work HTTP/1.1");
    assert_eq!(content(&app.ask("POST /join HTTP/1.1")), "Ok(())");
    app.server.advance(1);
    assert_eq!(content(&app.text(peer)), "4950");
}

#[test]
fn calls_are_bounded_run_in_order_and_end_with_the_server() {
    let app = App::new(String::new()).on("GET", "/", |cx, _| Response::text(cx.state.clone()));
    let mut app = start_with(app, |options| options.waiting_calls = 2);
    let handle = app.handle.clone();
    assert_eq!(handle.call(|cx| cx.state.push('a')), Ok(()));
    assert_eq!(handle.call(|cx| cx.state.push('b')), Ok(()));
    let waiting = {
        let handle = handle.clone();
        thread::spawn(move || handle.call(|cx| cx.state.push('c')))
    };
    // The call of the thread is made once there is room for it.
    while content(&app.ask("GET / HTTP/1.1")) != "abc" {
        thread::yield_now();
    }
    assert_eq!(waiting.join().expect("no panic"), Ok(()));
    assert_eq!(handle.call(|cx| cx.state.push('d')), Ok(()));
    let peer = app.begin("GET / HTTP/1.1");
    assert_eq!(content(&app.text(peer)), "abcd");
    assert_eq!(handle.call(|_| panic!("as the test wants")), Ok(()));
    assert_eq!(handle.call(|cx| cx.state.push('e')), Ok(()));
    app.server.stop();
    assert_eq!(handle.call(|cx| cx.state.push('f')), Err(Stopped));
}

#[test]
fn a_handle_stops_the_server() {
    let mut app = start(App::new(()));
    app.handle.stop();
    assert!(!app.server.is_over());
    app.server.advance(1);
    assert!(app.server.is_over());
}

#[test]
fn a_handler_that_calls_the_loop_does_not_wait_for_itself() {
    let app = App::new(0).on("GET", "/", |cx, _| {
        let handle = cx.handle();
        (0..9).for_each(|_| handle.call(|cx| *cx.state += 1).expect("the server runs"));
        Response::text(cx.state.to_string())
    });
    let mut app = start_with(app, |options| options.waiting_calls = 2);
    assert_eq!(content(&app.ask("GET / HTTP/1.1")), "0");
    assert_eq!(content(&app.ask("GET / HTTP/1.1")), "9");
}

#[test]
fn a_call_is_made_only_while_the_log_has_room() {
    let app = App::new(()).on("GET", "/log", |_, _| Response::follow("log"));
    let mut app = start_with(app, |options| {
        options.hub.window_bytes = 16 << 10;
        options.hub.window_events = 4;
    });
    let followers: Vec<_> =
        (0..50).map(|_| app.begin("GET /log HTTP/1.1\nAccept: text/event-stream")).collect();
    let (handle, line) = (app.handle.clone(), "x".repeat(1000));
    let writer = thread::spawn(move || {
        for number in 0..2000 {
            let line = format!("{number} {line}");
            // An event that is not accepted is missing below.
            handle.call(move |cx| _ = cx.publish("log", &line))?;
        }
        Ok::<_, Stopped>(())
    });
    let mut received = vec![String::new(); followers.len()];
    while !writer.is_finished() {
        app.server.advance(0);
        for (text, follower) in received.iter_mut().zip(&followers) {
            text.push_str(&String::from_utf8_lossy(&app.server.take(*follower)));
        }
    }
    assert_eq!(writer.join().expect("no panic"), Ok(()));
    for (number, follower) in followers.iter().enumerate() {
        app.server.advance(0);
        received[number].push_str(&app.text(*follower));
        assert_eq!(received[number].matches("data: ").count(), 2000, "follower {number}");
    }
}

#[test]
fn a_call_to_a_server_that_is_gone_is_refused() {
    let app = start_with(App::new(()), |options| options.waiting_calls = 1);
    let (handle, server) = (app.handle.clone(), app.server);
    let (calls, dropped) = (handle.clone(), Arc::new(()));
    let held = Arc::clone(&dropped);
    assert_eq!(handle.call(move |_| drop((calls, held))), Ok(()), "it waits, and is never made");
    let waiting = thread::spawn({
        let handle = handle.clone();
        move || handle.call(|_| ())
    });
    drop(server);
    assert_eq!(waiting.join().expect("no panic"), Err(Stopped));
    assert_eq!(handle.call(|_| ()), Err(Stopped));
    assert_eq!(Arc::strong_count(&dropped), 1, "the call that was never made is dropped");
}
