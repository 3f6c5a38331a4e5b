//! `--record`: what `explain` says of it is what the tap has shown.

use std::io::{Read, Write};
use std::path::PathBuf;

use barewire::wire::record::Reader;
use serde_json::Value;
use tungstenite::Message;

use crate::serve_one;
use crate::shown::head;
use crate::tap::{Tap, run};

/// A file that is not there when the test is over.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        Scratch(std::env::temp_dir().join(format!("barewire-tap-{name}-{}.txt", std::process::id())))
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("UTF-8")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // It is there only if the test came so far.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// The spans, without what is told of connections.
fn spans(lines: impl IntoIterator<Item = Value>) -> Vec<Value> {
    lines.into_iter().filter(|line| line["bytes"].is_string()).collect()
}

fn explained(path: &str) -> Vec<Value> {
    let output = run(&["explain", "--format", "json", path]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    spans(text.lines().map(|line| serde_json::from_str(line).expect("JSON")))
}

#[test]
fn a_recording_says_what_was_shown() {
    for secrets in [&["--show-secrets"][..], &[]] {
        let scratch = Scratch::new(&format!("web-socket-{}", secrets.len()));
        let (server, serving) = serve_one(|stream| {
            let mut socket = tungstenite::accept(stream).expect("a handshake");
            while let Ok(message) = socket.read() {
                if message.is_text() {
                    socket.send(message).expect("it reads");
                }
            }
        });
        let tap = Tap::to(server, &[secrets, &["--record", scratch.path()]].concat());
        let url = format!("ws://{}/?access_token=s3cret", tap.address);
        let (mut socket, _) = tungstenite::client(url, tap.connect()).expect("a handshake");
        for _ in 0..3 {
            socket.send(Message::text("again")).expect("it reads");
            assert_eq!(socket.read().expect("an echo"), Message::text("again"));
        }
        socket.close(None).expect("it reads");
        while socket.read().is_ok() {}
        serving.join().expect("a server");
        drop(socket);
        let shown = spans(tap.shown(1));
        assert!(tap.end("TERM").0.success());
        let mut shown = shown;
        let mut explained = explained(scratch.path());
        // That bytes are hidden is not in a recording, nor is the time when the last ones were asked for.
        for span in shown.iter_mut().chain(&mut explained) {
            span.as_object_mut().expect("an object").retain(|key, _| key != "hidden");
        }
        assert_eq!(explained, shown);
        let recorded = std::fs::read_to_string(scratch.path()).expect("a recording");
        assert_eq!(recorded.contains("s3cret"), !secrets.is_empty());
    }
}

#[test]
fn a_recording_that_a_signal_ends_is_whole() {
    let scratch = Scratch::new("signal");
    let (server, serving) = serve_one(|mut stream| {
        let asked = head(&stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf of").expect("it reads");
        // Until the tap closes it.
        stream.read_to_end(&mut Vec::new()).map(|_| asked)
    });
    let tap = Tap::to(server, &["--record", scratch.path()]);
    let mut client = tap.connect();
    client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").expect("it reads");
    let mut answer = Vec::new();
    while !answer.ends_with(b"half of") {
        let mut piece = [0; 64];
        let length = client.read(&mut piece).expect("an answer");
        answer.extend_from_slice(&piece[..length]);
    }
    let (status, _, errors) = tap.end("INT");
    assert!(status.success(), "{errors}");
    let asked = serving.join().expect("a server").expect("an end in order");
    let recorded = std::fs::read(scratch.path()).expect("a recording");
    let blocks: Vec<_> = Reader::new(&recorded).collect::<Result<_, _>>().expect("it can be read");
    let sent = |side: &str| -> Vec<u8> {
        blocks
            .iter()
            .filter(|block| block.side.name() == side)
            .flat_map(|block| block.bytes.clone())
            .collect()
    };
    assert_eq!((sent("client"), sent("server")), (asked.into_bytes(), answer));
    assert_eq!(blocks.iter().filter(|block| block.is_end).count(), 2, "both ends are told");
}
