//! `--record`: `explain` shows the same for a recording as the tap did.

use std::io::{Read, Write};
use std::path::PathBuf;

use barewire::wire::record::Reader;
use serde_json::Value;
use tungstenite::Message;

use crate::harness::{Tap, run};
use crate::serve_one;
use crate::shown::head;

/// A file that is removed at the end of the test.
struct TempFile(PathBuf);

impl TempFile {
    fn new(name: &str) -> TempFile {
        TempFile(std::env::temp_dir().join(format!("barewire-tap-{name}-{}.txt", std::process::id())))
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("UTF-8")
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        // The file exists only if the test created it.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Returns the spans, without the remarks about connections.
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
fn a_recording_contains_what_was_shown() {
    for secrets in [&["--show-secrets"][..], &[]] {
        let file = TempFile::new(&format!("web-socket-{}", secrets.len()));
        let (server, serving) = serve_one(|stream| {
            let mut socket = tungstenite::accept(stream).expect("a handshake");
            while let Ok(message) = socket.read() {
                if message.is_text() {
                    socket.send(message).expect("the peer reads");
                }
            }
        });
        let tap = Tap::to(server, &[secrets, &["--record", file.path()]].concat());
        let url = format!("ws://{}/?access_token=s3cret", tap.address);
        let (mut socket, _) = tungstenite::client(url, tap.connect()).expect("a handshake");
        for _ in 0..3 {
            socket.send(Message::text("again")).expect("the peer reads");
            assert_eq!(socket.read().expect("an echo"), Message::text("again"));
        }
        socket.close(None).expect("the peer reads");
        while socket.read().is_ok() {}
        serving.join().expect("the server does not panic");
        drop(socket);
        let shown = spans(tap.shown(1));
        assert!(tap.end("TERM").0.success());
        let mut shown = shown;
        let mut explained = explained(file.path());
        // A recording does not contain which bytes are hidden.
        for span in shown.iter_mut().chain(&mut explained) {
            span.as_object_mut().expect("an object").retain(|key, _| key != "hidden");
        }
        assert_eq!(explained, shown);
        let recorded = std::fs::read_to_string(file.path()).expect("a recording");
        assert_eq!(recorded.contains("s3cret"), !secrets.is_empty());
    }
}

#[test]
fn a_tap_relays_before_the_pipe_of_its_recording_has_a_reader() {
    let pipe = TempFile::new("pipe");
    let made = std::process::Command::new("mkfifo").arg(pipe.path()).status();
    assert!(made.expect("mkfifo is installed").success());
    let (server, serving) = serve_one(|mut stream| {
        head(&stream);
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").expect("the peer reads");
    });
    // `start` returns when the tap listens.
    let tap = Tap::to(server, &["--record", pipe.path()]);
    let mut client = tap.connect();
    client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").expect("the peer reads");
    let mut response = String::new();
    client.read_to_string(&mut response).expect("the server ends the connection");
    assert!(response.starts_with("HTTP/1.1 204 "), "{response}");
    serving.join().expect("the server does not panic");
    drop(client);
    let mut reader = std::fs::File::open(pipe.path()).expect("the tap opens the other end");
    tap.shown(1);
    let (status, _, errors) = tap.end("TERM");
    assert!(status.success() && errors.contains("wait for its reader"), "{errors}");
    let mut recorded = Vec::new();
    reader.read_to_end(&mut recorded).expect("a recording");
    let blocks: Vec<_> = Reader::new(&recorded).collect::<Result<_, _>>().expect("a valid recording");
    assert_eq!(blocks.iter().filter(|block| block.is_end).count(), 2);
}

#[test]
fn a_recording_is_complete_after_a_signal() {
    let file = TempFile::new("signal");
    let (server, serving) = serve_one(|mut stream| {
        let request = head(&stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf of").expect("the peer reads");
        // Until the tap closes the connection.
        stream.read_to_end(&mut Vec::new()).map(|_| request)
    });
    let tap = Tap::to(server, &["--record", file.path()]);
    let mut client = tap.connect();
    client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").expect("the peer reads");
    let mut response = Vec::new();
    while !response.ends_with(b"half of") {
        let mut piece = [0; 64];
        let length = client.read(&mut piece).expect("a response");
        response.extend_from_slice(&piece[..length]);
    }
    let (status, _, errors) = tap.end("INT");
    assert!(status.success(), "{errors}");
    let request = serving.join().expect("the server does not panic").expect("an orderly end");
    let recorded = std::fs::read(file.path()).expect("a recording");
    let blocks: Vec<_> = Reader::new(&recorded).collect::<Result<_, _>>().expect("a valid recording");
    let sent = |side: &str| -> Vec<u8> {
        blocks
            .iter()
            .filter(|block| block.side.name() == side)
            .flat_map(|block| block.bytes.clone())
            .collect()
    };
    assert_eq!((sent("client"), sent("server")), (request.into_bytes(), response));
    assert_eq!(blocks.iter().filter(|block| block.is_end).count(), 2, "both ends are recorded");
}
