//! Servers that do not do as they should, and those that are not there: what is said, and with which exit status.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::peers::{Request, Topic, request, serve};
use crate::{bench, command, measured, number, signal};

/// A barewire that runs; it is ended when this is dropped.
pub struct Server {
    child: Child,
    pub address: String,
}

impl Server {
    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // One that has ended already can't be ended again.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn barewire() -> Server {
    let mut command = Command::new(env!("CARGO_BIN_EXE_barewire"));
    command.args(["serve", "--listen", "127.0.0.1:0", "--quiet"]);
    let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("it is piped")).read_line(&mut line).expect("a line");
    let address = line.trim_end().strip_prefix("listening on http://").expect("an address").to_owned();
    Server { child, address }
}

#[test]
fn an_event_that_one_follower_does_not_get_is_lost() {
    let topic = Topic::default();
    let followers = AtomicUsize::new(0);
    let address = serve(move |stream| {
        let mut reader = BufReader::new(stream.try_clone().expect("another handle"));
        let mut stream = stream;
        while let Some(Request { line, body, .. }) = request(&mut reader) {
            if line.starts_with("POST") {
                topic.publish(String::from_utf8(body).expect("UTF-8"));
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").expect("it reads");
                continue;
            }
            let is_first = followers.fetch_add(1, Ordering::Relaxed) == 0;
            stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
                .expect("it reads");
            let mut at = topic.length();
            loop {
                for event in topic.from(at) {
                    at += 1;
                    // The first follower gets none of those from the fifth on that are odd.
                    let is_dropped = is_first && at > 5 && at % 2 == 1;
                    if !is_dropped && stream.write_all(format!("data: {event}\n\n").as_bytes()).is_err() {
                        return;
                    }
                }
            }
        }
    });
    let url = format!("http://{address}/events");
    let (status, found) = measured(&[
        "fan-out",
        "--via",
        "sse",
        "--connections",
        "3",
        "--url",
        &url,
        "--burst",
        "4",
        "--timeout",
        "3",
    ]);
    let run = &found["runs"][0];
    assert_eq!((status, &found["is_right"]), (1, &false.into()), "{found:#}");
    assert!(number(&run["lost"]) > 0.0, "{run:#}");
    assert_eq!(number(&run["sent"]), number(&run["answered"]) + number(&run["lost"]), "{run:#}");
    assert!(found["notes"].to_string().contains(" lost"), "{found:#}");
}

#[test]
fn answers_that_refuse_are_counted() {
    let server = barewire();
    let url = format!("http://{}/nowhere", server.address);
    let (status, found) = measured(&["requests", "--connections", "2", "--url", &url]);
    let run = &found["runs"][0];
    assert_eq!((status, &run["wrong"]), (1, &run["answered"]), "{found:#}");
    assert!(number(&run["done"]) > 0.0, "{run:#}");

    let asked = Arc::new(AtomicUsize::new(0));
    let address = serve(move |stream| {
        let mut reader = BufReader::new(stream.try_clone().expect("another handle"));
        let mut stream = stream;
        while request(&mut reader).is_some() {
            let answer = match asked.fetch_add(1, Ordering::Relaxed) {
                // Neither is wrong, and the one that ends its connection is followed by another connection.
                0 => "HTTP/1.1 304 Not Modified\r\n\r\n",
                1 => "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
                2 => "HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy",
                _ => "HTTP/1.1 204 No Content\r\n\r\n",
            };
            if stream.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    });
    let (status, found) =
        measured(&["requests", "--connections", "1", "--url", &format!("http://{address}/")]);
    let run = &found["runs"][0];
    assert_eq!((status, &run["wrong"], &run["reconnects"]), (1, &1.into(), &1.into()), "{found:#}");
    assert_eq!(run["sent"], run["answered"]);
}

#[test]
fn a_server_that_goes_away_loses_what_was_asked() {
    let asked = Arc::new(AtomicUsize::new(0));
    let address = serve(move |stream| {
        let mut reader = BufReader::new(stream.try_clone().expect("another handle"));
        let mut stream = stream;
        while request(&mut reader).is_some() {
            if asked.fetch_add(1, Ordering::Relaxed) == 3 {
                return; // asked, and not answered
            }
            if stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").is_err() {
                return;
            }
        }
    });
    let (status, found) =
        measured(&["requests", "--connections", "1", "--url", &format!("http://{address}/")]);
    let run = &found["runs"][0];
    assert_eq!((status, &run["lost"]), (1, &1.into()), "{found:#}");
    assert_eq!(run["errors"].as_object().map(serde_json::Map::len), Some(1), "{run:#}");
}

#[test]
fn what_refuses_a_handshake_or_a_publish_is_said() {
    let server = barewire();
    for (arguments, what) in [
        (&["echo", "--connections", "2"][..], "refused with 426"),
        (&["fan-out", "--connections", "2"], "publishing failed with status 405"),
        (&["idle", "--via", "sse", "--connections", "2"], "refused with 404"),
    ] {
        // Each at something that is there, and is not that.
        let path = match arguments[0] {
            "echo" => "/topics/a%20b",
            "fan-out" => "/echo",
            _ => "/nowhere",
        };
        let url = format!("http://{}{path}", server.address);
        let output = bench(&[&crate::SMALL, arguments, &["--url", &url]].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        let what = if arguments[0] == "echo" { "refused with 400" } else { what };
        assert!(said.contains(what), "{arguments:?}: {said}");
    }
}

#[test]
fn nobody_there_is_another_status_than_a_mistake() {
    // No other test's address: its port stays free.
    let closed = TcpListener::bind("127.0.0.81:0").expect("a free port").local_addr().expect("it was bound");
    for workload in ["echo", "fan-out", "idle", "connect", "requests"] {
        let url = format!("http://{closed}/");
        let output = bench(&[&[workload][..], &crate::SMALL, &["--url", &url]].concat());
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{workload}: {said}");
        assert!(said.contains("no connection"), "{workload}: {said}");
    }
    let output = bench(&["echo", "--nonsense"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("Try barewire bench --help."));
}

#[test]
fn a_server_that_says_nothing_is_not_waited_for_without_end() {
    let address = serve(|stream| {
        let mut reader = BufReader::new(stream);
        while request(&mut reader).is_some() {}
    });
    let url = format!("http://{address}/");
    let output = bench(&["echo", "--connections", "2", "--timeout", "0.2", "--url", &url]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("no response within 0.2 s"), "{said}");
}

/// Whether a process is there. One that has ended and that nobody has waited for has no command line.
fn is_there(id: &str) -> bool {
    std::fs::read(format!("/proc/{id}/cmdline")).is_ok_and(|line| !line.is_empty())
}

#[test]
fn what_was_started_ends_with_it_however_it_ends() {
    if !cfg!(target_os = "linux") {
        eprintln!("skipped: which processes are a process' children is only known on Linux");
        return;
    }
    for (name, what) in
        [("INT", &["echo"][..]), ("TERM", &["ceiling", "fan-out"]), ("KILL", &["ceiling", "echo"])]
    {
        let mut command = command(&[what, &["--connections", "2", "--duration", "60"]].concat());
        let mut child = command.stdout(Stdio::null()).spawn().expect("it starts");
        let id = child.id();
        let started = loop {
            assert!(child.try_wait().expect("it is a child").is_none(), "it has ended by itself");
            let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).expect("Linux");
            match children.split_whitespace().next() {
                Some(started) => break started.to_owned(),
                None => std::thread::yield_now(),
            }
        };
        signal(&child, name);
        child.wait().expect("it ends");
        let is_gone = (0..1_000_000).any(|_| {
            std::thread::yield_now();
            !is_there(&started)
        });
        assert!(is_gone, "{what:?}: what it has started is still there");
    }
}
