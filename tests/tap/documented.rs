//! The transcript in `docs/wire.md` is what the tap shows of a server that says what is in it.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};
use std::thread;

use crate::PATIENCE;
use crate::shown::head;
use crate::tap::barewire;

const PAGE: &str = include_str!("../../docs/wire.md");
const COMMAND: &str = "$ barewire tap --listen 127.0.0.1:8081 --to 127.0.0.1:9000\n";

const REQUEST: &str = "GET /clock HTTP/1.0\r\nAccept: text/event-stream\r\n\r\n";
const ANSWER: &str = "HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\nid: 7\ndata: noon\n\n";
const BANNER: &str = "SSH-2.0-OpenSSH_9.6\r\n";

/// Without what differs each time: times, and the clients' ports.
fn without_what_varies(text: &str) -> String {
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

/// What the tap writes when one client asks for the event stream, and another speaks SSH.
fn shown() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let to = listener.local_addr().expect("it is bound").to_string();
    let serving = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("the first client");
        assert_eq!(head(&stream), REQUEST);
        stream.write_all(ANSWER.as_bytes()).expect("it reads");
        drop(stream);
        let (mut stream, _) = listener.accept().expect("the second client");
        stream.write_all(BANNER.as_bytes()).expect("it reads");
        stream.shutdown(Shutdown::Write).expect("the connection stands");
        stream.read_to_end(&mut Vec::new()).expect("an end in order");
    });
    let mut tap = crate::tap::Tap::start(barewire(&["tap", "--listen", "127.0.0.1:0", "--to", &to]));
    for sent in [REQUEST, BANNER] {
        let mut client = tap.connect();
        client.set_read_timeout(Some(PATIENCE)).expect("a deadline");
        if sent == REQUEST {
            client.write_all(sent.as_bytes()).expect("it reads");
        }
        client.read_to_end(&mut Vec::new()).expect("an end in order");
        if sent != REQUEST {
            client.write_all(sent.as_bytes()).expect("it reads");
        }
        drop(client);
        tap.text_until(": over;");
    }
    serving.join().expect("a server");
    tap.text()
}

#[test]
fn the_transcript_of_the_documentation_is_what_is_shown() {
    let shown = shown();
    let (_, block) = PAGE.split_once(COMMAND).expect("the transcript");
    let (block, _) = block.split_once("```").expect("its end");
    assert_eq!(without_what_varies(&shown), without_what_varies(block), "{shown}");
}
