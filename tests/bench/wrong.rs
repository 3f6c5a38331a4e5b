//! Servers that misbehave or cannot be reached: the messages and the exit status of the command.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::peers::{Request, Topic, request, serve};
use crate::{bench, command, measured, number, signal};

/// A running barewire server. Dropping it ends the process.
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
        // The process may already have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts a barewire server on a free port.
pub fn barewire() -> Server {
    let mut command = Command::new(env!("CARGO_BIN_EXE_barewire"));
    command.args(["serve", "--listen", "127.0.0.1:0", "--quiet"]);
    let mut child = command.stdout(Stdio::piped()).spawn().expect("the command starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
    let address = line.trim_end().strip_prefix("listening on http://").expect("an address").to_owned();
    Server { child, address }
}

#[test]
fn an_event_that_misses_one_follower_is_lost() {
    let topic = Topic::default();
    let followers = AtomicUsize::new(0);
    let address = serve(move |stream| {
        let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
        let mut stream = stream;
        while let Some(Request { line, body, .. }) = request(&mut reader) {
            if line.starts_with("POST") {
                topic.publish(String::from_utf8(body).expect("UTF-8"));
                stream
                    .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                    .expect("the client reads");
                continue;
            }
            let is_first = followers.fetch_add(1, Ordering::Relaxed) == 0;
            stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
                .expect("the client reads");
            let mut at = topic.length();
            loop {
                for event in topic.from(at) {
                    at += 1;
                    // From the fifth event on, the first follower gets only every other event.
                    let is_dropped = is_first && at > 5 && at % 2 == 1;
                    if !is_dropped && stream.write_all(format!("data: {event}\n\n").as_bytes()).is_err() {
                        return;
                    }
                }
            }
        }
    });
    let url = format!("http://{address}/events");
    let (status, report) = measured(&[
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
    let run = &report["runs"][0];
    assert_eq!((status, &report["is_right"]), (1, &false.into()), "{report:#}");
    assert!(number(&run["lost"]) > 0.0, "{run:#}");
    assert_eq!(number(&run["sent"]), number(&run["answered"]) + number(&run["lost"]), "{run:#}");
    assert!(report["notes"].to_string().contains(" lost"), "{report:#}");
}

#[test]
fn counts_responses_that_refuse_a_request() {
    let server = barewire();
    let url = format!("http://{}/nowhere", server.address);
    let (status, report) = measured(&["requests", "--connections", "2", "--url", &url]);
    let run = &report["runs"][0];
    assert_eq!((status, &run["wrong"]), (1, &run["answered"]), "{report:#}");
    assert!(number(&run["done"]) > 0.0, "{run:#}");

    let requests = Arc::new(AtomicUsize::new(0));
    let address = serve(move |stream| {
        let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
        let mut stream = stream;
        while request(&mut reader).is_some() {
            let response = match requests.fetch_add(1, Ordering::Relaxed) {
                // The first two are successes. After the second, the client must reconnect.
                0 => "HTTP/1.1 304 Not Modified\r\n\r\n",
                1 => "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
                2 => "HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy",
                _ => "HTTP/1.1 204 No Content\r\n\r\n",
            };
            if stream.write_all(response.as_bytes()).is_err() {
                return;
            }
        }
    });
    let (status, report) =
        measured(&["requests", "--connections", "1", "--url", &format!("http://{address}/")]);
    let run = &report["runs"][0];
    assert_eq!((status, &run["wrong"], &run["reconnects"]), (1, &1.into(), &1.into()), "{report:#}");
    assert_eq!(run["sent"], run["answered"]);
}

#[test]
fn a_request_is_lost_if_the_server_closes_without_a_response() {
    let requests = Arc::new(AtomicUsize::new(0));
    let address = serve(move |stream| {
        let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
        let mut stream = stream;
        while request(&mut reader).is_some() {
            if requests.fetch_add(1, Ordering::Relaxed) == 3 {
                return; // the request stays unanswered
            }
            if stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").is_err() {
                return;
            }
        }
    });
    let (status, report) =
        measured(&["requests", "--connections", "1", "--url", &format!("http://{address}/")]);
    let run = &report["runs"][0];
    assert_eq!((status, &run["lost"]), (1, &1.into()), "{report:#}");
    assert_eq!(run["errors"].as_object().map(serde_json::Map::len), Some(1), "{run:#}");
}

#[test]
fn reports_a_refused_handshake_and_a_refused_publish() {
    let server = barewire();
    // No path supports the workload that is sent to it.
    for (arguments, path, expected) in [
        (&["echo", "--connections", "2"][..], "/topics/a%20b", "refused with 400"),
        (&["fan-out", "--connections", "2"], "/echo", "publishing failed with status 405"),
        (&["idle", "--via", "sse", "--connections", "2"], "/nowhere", "refused with 404"),
    ] {
        let url = format!("http://{}{path}", server.address);
        let output = bench(&[&crate::SMALL, arguments, &["--url", &url]].concat());
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {errors}");
        assert!(errors.contains(expected), "{arguments:?}: {errors}");
    }
}

#[test]
fn an_unreachable_server_and_wrong_arguments_have_different_statuses() {
    // No other test uses this address, so the port stays free.
    let closed =
        TcpListener::bind("127.0.0.81:0").expect("a free port").local_addr().expect("a bound listener");
    for workload in ["echo", "fan-out", "idle", "connect", "requests"] {
        let url = format!("http://{closed}/");
        let output = bench(&[&[workload][..], &crate::SMALL, &["--url", &url]].concat());
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{workload}: {errors}");
        assert!(errors.contains("no connection"), "{workload}: {errors}");
    }
    let output = bench(&["echo", "--nonsense"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("Try barewire bench --help."));
}

#[test]
fn does_not_wait_forever_for_a_silent_server() {
    let address = serve(|stream| {
        let mut reader = BufReader::new(stream);
        while request(&mut reader).is_some() {}
    });
    let url = format!("http://{address}/");
    let output = bench(&["echo", "--connections", "2", "--timeout", "0.2", "--url", &url]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{errors}");
    assert!(errors.contains("no response within 0.2 s"), "{errors}");
}

/// Returns whether a process runs. A zombie has no command line.
fn is_running(id: &str) -> bool {
    std::fs::read(format!("/proc/{id}/cmdline")).is_ok_and(|line| !line.is_empty())
}

#[test]
fn child_processes_end_with_the_command_however_it_ends() {
    if !cfg!(target_os = "linux") {
        eprintln!("skipped: only Linux lists the children of a process");
        return;
    }
    for (name, workload) in
        [("INT", &["echo"][..]), ("TERM", &["ceiling", "fan-out"]), ("KILL", &["ceiling", "echo"])]
    {
        let mut command = command(&[workload, &["--connections", "2", "--duration", "60"]].concat());
        let mut child = command.stdout(Stdio::null()).spawn().expect("the command starts");
        let id = child.id();
        let started = loop {
            assert!(child.try_wait().expect("a child").is_none(), "the command ended too early");
            let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).expect("Linux");
            match children.split_whitespace().next() {
                Some(started) => break started.to_owned(),
                None => std::thread::yield_now(),
            }
        };
        signal(&child, name);
        child.wait().expect("a child");
        let has_ended = (0..1_000_000).any(|_| {
            std::thread::yield_now();
            !is_running(&started)
        });
        assert!(has_ended, "{workload:?}: the child process still runs");
    }
}
