//! Calls from other threads.

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
