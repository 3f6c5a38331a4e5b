//! 17. Fallback: one route over four transports, and a page that takes the best one that works.
//!
//! `Response::follow` answers whatever transport the client asks for, and every transport accepts
//! the cursor of every other one. So a client that falls back continues where it was: it loses no
//! event and receives none twice.
//!
//! ```console
//! $ cargo run --example 17_fallback
//! listening on http://127.0.0.1:8017
//! ```
//!
//! Open http://127.0.0.1:8017. The page follows a clock over a WebSocket. Block the WebSocket
//! there, and the page leaves it for SSE; block SSE too, and it ends on long poll. No tick is lost.
//! Unblock both, and the page returns: it tries them from time to time, or at once with the button.
//!
//! In a shell, each transport is one request away. This is a long poll, and this a stream:
//!
//! ```text
//! $ curl 'http://127.0.0.1:8017/ticks?wait=20'
//! {"events":[{"id":"HpfL5TaZ-7","event":"message","data":"7"}],"next":"HpfL5TaZ-7"}
//! $ curl -N -H 'Accept: text/event-stream' 'http://127.0.0.1:8017/ticks?since=HpfL5TaZ-7'
//! retry: 2718
//! id: HpfL5TaZ-7
//!
//! id: HpfL5TaZ-8
//! data: 8
//!
//! ```
//!
//! **Break it:** open the page through nginx with the block "nginx defaults" of docs/proxies.md and
//! `proxy_pass http://127.0.0.1:8017;`. nginx drops `Upgrade`, so the page leaves the WebSocket at
//! once, for SSE. Then add `proxy_ignore_headers X-Accel-Buffering;` and reload: now nginx keeps
//! the events of a stream until its buffer is full. The server begins each stream with the cursor,
//! so the page notices within 4 seconds that not even this arrives: it ends on long poll.
//!
//! If port 8017 is taken, the program prints `cannot listen` and exits with status 1. Choose
//! another one: `cargo run --example 17_fallback -- 8090`.

use std::time::Duration;

use barewire::app::{App, Response};
use barewire::server::Options;
use serde_json::json;

fn main() -> std::io::Result<()> {
    let port = std::env::args().nth(1).map_or(8017, |port| port.parse().expect("a port number"));
    let options = Options { listen: ([127, 0, 0, 1], port).into(), ..Options::default() };
    // The state is the number of the last tick.
    let bound = App::new(0_u64)
        .file("/", "text/html; charset=utf-8", include_str!("pages/17.html"))
        // A WebSocket, an event stream, a long poll or a short poll, whichever the client asks for.
        .on("GET", "/ticks", |_, _| Response::follow("ticks"))
        // The snapshot with which a client begins, and begins again after a gap.
        .on("GET", "/ticks/last", |cx, _| {
            let (number, next) = (*cx.state, cx.newest("ticks").to_string());
            Response::json(json!({"number": number, "next": next}).to_string())
        })
        .every(Duration::from_secs(1), |cx| {
            // During the shutdown nothing is published. The number is skipped only if it was not.
            if cx.publish("ticks", &(*cx.state + 1).to_string()).is_ok() {
                *cx.state += 1;
            }
        })
        .bind(options)?;
    println!("listening on http://{}", bound.local_addr());
    bound.run()
}
