//! 12. A live log: standard input in every browser that looks, as `tail -f` shows it in a terminal.
//!
//! A thread reads standard input and publishes each line, so the topic is the log of the log. The
//! page follows it with `EventSource`. The topic keeps the newest MiB and nothing per reader: a
//! reader that pauses or stops reading costs no memory, and is told of its gap when it returns.
//!
//! ```text
//! $ tail -f /var/log/syslog | cargo run --example 12_live_log
//! listening on http://127.0.0.1:8012
//! ```
//!
//! Open http://127.0.0.1:8012 in two windows: both show each line as it arrives, and how many read.
//! A paused page has closed its stream; it continues after its last line. Or read in a terminal:
//!
//! ```text
//! $ curl -sN -H 'Accept: text/event-stream' 'http://127.0.0.1:8012/log?since=start'
//! retry: 2417
//! id: HpfL5TaZ-0
//!
//! id: HpfL5TaZ-1
//! event: status
//! data: {"is_open":true,"readers":1}
//!
//! id: HpfL5TaZ-2
//! data: Nov 29 09:14:02 host systemd[1]: Started Daily apt download activities.
//!
//! ```
//!
//! **Break it:** write as fast as you can, to a reader that sleeps:
//!
//! ```text
//! $ yes "$(seq -s ' ' 1000)" | cargo run --example 12_live_log
//! $ curl -sN -H 'Accept: text/event-stream' 'http://127.0.0.1:8012/log?since=now' | sleep 60
//! $ curl -s http://127.0.0.1:8012/metrics | grep -E 'too_slow|log_bytes|resident'
//! ```
//!
//! `yes` is slowed to the pace of the event loop, and no line is left out. The sleeping reader is
//! disconnected when its position leaves the log, and the process does not grow. Then let
//! `LOG_BYTES` be `1 << 30`: it grows by hundreds of megabytes, for the log alone, reader or not.
//!
//! If port 8012 is taken, the program prints `cannot listen` and exits with status 1. Choose
//! another one: `cargo run --example 12_live_log -- 8090`.

use std::io::{self, BufRead, Read};
use std::thread;

use barewire::app::{App, Context, Endpoint, Event, Handle, Response, Stopped};
use barewire::hub::HubLimits;
use barewire::server::Options;
use serde_json::json;

/// What the topic keeps, in bytes: all that a slow reader can cost.
const LOG_BYTES: usize = 1 << 20;
/// The most bytes of one event. A longer line continues in the next event.
const LINE_BYTES: u64 = 16 << 10;
/// The most lines that wait for the event loop.
const WAITING_LINES: usize = 64;

#[derive(Default)]
struct State {
    readers: usize,
    input_has_ended: bool,
}

fn main() -> io::Result<()> {
    let port = std::env::args().nth(1).map_or(8012, |port| port.parse().expect("a port number"));
    let hub = HubLimits { window_bytes: LOG_BYTES, ..HubLimits::default() };
    let listen = ([127, 0, 0, 1], port).into();
    let options = Options { listen, hub, waiting_calls: WAITING_LINES, ..Options::default() };
    let bound = App::new(State::default())
        .file("/", "text/html; charset=utf-8", include_str!("pages/12.html"))
        .on("GET", "/log", |_, _| Response::follow("log"))
        .endpoint("/metrics", Endpoint::Metrics)
        .followers(|cx, follower| {
            cx.state.readers = follower.count;
            show_status(cx);
        })
        .bind(options)?;
    println!("listening on http://{}", bound.local_addr());
    let handle = bound.handle();
    thread::spawn(move || publish_input(&handle));
    bound.run()
}

/// Tells the readers how many they are, and whether standard input is open. Each new reader causes
/// a status, so it learns of an end that it has missed.
fn show_status(cx: &mut Context<'_, State>) {
    let status = json!({ "readers": cx.state.readers, "is_open": !cx.state.input_has_ended }).to_string();
    // If the log is full, the next status shows the number.
    let _ = cx.publish("log", Event { name: "status", data: &status });
}

/// Publishes each line of standard input, and then its end. An error counts as the end.
///
/// While the log is full, or many calls wait, `call` waits too. Meanwhile this thread reads no
/// input, so the pipe fills up, and the program that writes to it waits.
fn publish_input(handle: &Handle<State>) -> Result<(), Stopped> {
    let (mut input, mut line) = (io::stdin().lock(), Vec::new());
    while input.by_ref().take(LINE_BYTES).read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
        let text = String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned();
        line.clear();
        handle.call(move |cx| {
            // The server shuts down, or there is room for the event.
            let _ = cx.publish("log", &text);
        })?;
    }
    handle.call(|cx| {
        cx.state.input_has_ended = true;
        show_status(cx);
    })
}
