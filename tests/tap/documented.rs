//! The transcript in `docs/wire.md` equals the view of a server that sends the same bytes.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};
use std::thread;

use crate::TIMEOUT;
use crate::harness::barewire;
use crate::shown::head;

const PAGE: &str = include_str!("../../docs/wire.md");
const COMMAND: &str = "$ barewire tap --listen 127.0.0.1:8081 --to 127.0.0.1:9000\n";

const REQUEST: &str = "GET /clock HTTP/1.0\r\nAccept: text/event-stream\r\n\r\n";
const RESPONSE: &str = "HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\nid: 7\ndata: noon\n\n";
const BANNER: &str = "SSH-2.0-OpenSSH_9.6\r\n";

/// Replaces times and client ports, which differ in each run.
fn normalized(text: &str) -> String {
    let line = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let mut shown = Vec::new();
        for (at, word) in words.iter().enumerate() {
            let is_time = words.get(at + 1).is_some_and(|next| next.starts_with("ms"))
                && word.bytes().all(|byte| byte.is_ascii_digit());
            shown.push(match word.strip_prefix("127.0.0.1:") {
                _ if is_time => "…",
                Some(_) => "127.0.0.1:…",
                None => word,
            });
        }
        shown.join(" ") + "\n"
    };
    text.lines().map(line).collect()
}

/// Returns the view of a client that requests the event stream, and of another that speaks SSH.
fn shown() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let to = listener.local_addr().expect("a bound socket").to_string();
    let serving = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("the first client");
        assert_eq!(head(&stream), REQUEST);
        stream.write_all(RESPONSE.as_bytes()).expect("the peer reads");
        drop(stream);
        let (mut stream, _) = listener.accept().expect("the second client");
        stream.write_all(BANNER.as_bytes()).expect("the peer reads");
        stream.shutdown(Shutdown::Write).expect("an open connection");
        stream.read_to_end(&mut Vec::new()).expect("an orderly end");
    });
    let mut tap = crate::harness::Tap::start(barewire(&["tap", "--listen", "127.0.0.1:0", "--to", &to]));
    for sent in [REQUEST, BANNER] {
        let mut client = tap.connect();
        client.set_read_timeout(Some(TIMEOUT)).expect("a deadline");
        if sent == REQUEST {
            client.write_all(sent.as_bytes()).expect("the peer reads");
        }
        client.read_to_end(&mut Vec::new()).expect("an orderly end");
        if sent != REQUEST {
            client.write_all(sent.as_bytes()).expect("the peer reads");
        }
        drop(client);
        tap.text_until(": closed;");
    }
    serving.join().expect("the server does not panic");
    tap.text()
}

#[test]
fn the_transcript_in_the_documentation_is_current() {
    let shown = shown();
    let (_, block) = PAGE.split_once(COMMAND).expect("the transcript");
    let (block, _) = block.split_once("```").expect("the last line");
    assert_eq!(normalized(&shown), normalized(block), "{shown}");
}
