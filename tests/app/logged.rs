//! What the log of requests contains, and the only tests here with a real clock or a real socket.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

use barewire::app::{App, Endpoint, Response};
use barewire::server::{LoggedRequest, Options, RequestLog};
use barewire::simulation::Simulation;

use crate::peers::bytes;

/// Sends a line per request.
struct Lines(Sender<String>);

impl RequestLog for Lines {
    fn add(&mut self, request: &LoggedRequest<'_>) {
        let LoggedRequest { method, path, status, purpose, ticks, .. } = request;
        let line = format!("{method} {path} {} {} {ticks}", status.code(), purpose.name());
        self.0.send(line).expect("the test receives");
    }

    fn add_slow_handler(&mut self, route: &str, took: Duration) {
        assert!(took >= Duration::from_millis(30));
        self.0.send(format!("slow {route}")).expect("the test receives");
    }

    fn flush(&mut self) {}

    fn dropped(&self) -> u64 {
        0
    }

    fn finish(&mut self) {}
}

#[test]
fn a_request_is_logged_with_its_own_path_and_how_long_it_waited() {
    let app = App::new(None)
        .on("GET", "/feed/{name}", |_, request| Response::follow(request.param("name")))
        .on("POST", "/later", |cx, _| {
            let (ticket, response) = cx.later();
            *cx.state = Some(ticket);
            response
        })
        .on("POST", "/now", |cx, _| {
            let ticket = cx.state.take().expect("a request waits");
            assert!(cx.finish(ticket, Response::status(204)));
            Response::status(200)
        });
    let (sender, lines) = channel();
    let (server, _) = Simulation::of(app, Options::default(), 1);
    let mut server = server.logging_to(Box::new(Lines(sender)));
    let mut begin = |request: &str, ticks| {
        let peer = server.connect();
        server.send(peer, &bytes(request));
        server.advance(ticks);
    };
    begin("GET /feed/a%20b?since=start&wait=2&token=secret HTTP/1.1", 20);
    begin("GET /feed/x?wait=0 HTTP/1.1", 0);
    begin("GET /feed/x HTTP/1.1\nAccept: text/event-stream", 0);
    begin("POST /later HTTP/1.1", 13);
    begin("POST /now HTTP/1.1", 0);
    let expected = [
        "GET /feed/a%20b 200 long-poll 20",
        "GET /feed/x 200 long-poll 0",
        "GET /feed/x 200 sse 0",
        "POST /later 204 - 13",
        "POST /now 200 - 0",
    ];
    assert_eq!(lines.try_iter().collect::<Vec<_>>(), expected);
}

fn local() -> Options {
    Options { listen: ([127, 0, 0, 1], 0).into(), slow_handler: 30, ..Options::default() }
}

#[test]
fn a_slow_handler_is_counted_and_logged_with_its_route() {
    let (sender, lines) = channel();
    let (ready, address) = channel();
    let server = thread::spawn(move || {
        // An application stays on its thread: its handlers may share what no other thread may see.
        let app = App::new(())
            .on("GET", "/slow/{id}", |_, _| {
                thread::sleep(Duration::from_millis(31));
                Response::status(204)
            })
            .endpoint("/metrics", Endpoint::Metrics);
        let bound = app.bind(local()).expect("a free port").logging_to(Box::new(Lines(sender)));
        ready.send((bound.local_addr(), bound.handle())).expect("the test receives");
        bound.run()
    });
    let (address, handle) = address.recv().expect("the server starts");
    let mut client = TcpStream::connect(address).expect("the server listens");
    client.write_all(&bytes("GET /slow/7 HTTP/1.1")).expect("a request");
    client.write_all(&bytes("GET /metrics HTTP/1.1\nConnection: close")).expect("a request");
    let mut received = String::new();
    client.read_to_string(&mut received).expect("responses");
    assert!(received.contains("\nbarewire_slow_handlers_total 1\n"), "{received}");
    handle.stop();
    server.join().expect("no panic").expect("the server ends in order");
    let lines: Vec<String> = lines.iter().collect();
    assert_eq!(lines, ["slow GET /slow/{id}", "GET /slow/7 204 - 0", "GET /metrics 200 - 0"]);
}

#[test]
fn the_error_for_a_port_that_is_taken_says_what_to_do() {
    let taken = App::new(()).bind(local()).expect("a free port");
    let options = Options { listen: taken.local_addr(), ..Options::default() };
    let error = App::new(()).bind(options).err().expect("the port is taken").to_string();
    let expected = format!("cannot listen on {}: ", taken.local_addr());
    assert!(error.starts_with(&expected) && error.ends_with("; choose another port"), "{error}");
}
