//! 13. A dashboard: stock prices and gauges, of which only the newest values matter.
//!
//! The prices change ten times per second. A page answers each message after drawing it, and is
//! then sent the values of that moment. So a page that needs a second to draw skips nine of ten
//! values, and what it draws is never older than that second. There is no topic: a log would keep
//! what no page wants.
//!
//! ```console
//! $ cargo run --example 13_dashboard
//! listening on http://127.0.0.1:8013
//! ```
//!
//! Open http://127.0.0.1:8013 in two windows, and slow one of them down with its checkbox. It
//! counts the values that it skips, and shows the newest ones again when the box is cleared. Or ask
//! for the values once:
//!
//! ```text
//! $ curl http://127.0.0.1:8013/values
//! {"gauges":[{"max":1000,"name":"Trades per second","value":612}, …],"stocks":[…],"tick":271}
//! ```
//!
//! Why does the page answer, if `cx.queued` returns how many bytes wait? They wait only when the
//! kernel accepts no more, and for a client that does not read it accepts 3 to 4 MB on loopback:
//! minutes of old values. `cx.queued` is for the client that answers and does not read.
//!
//! **Break it:** stop a browser for ten seconds with `kill -STOP`, and continue it with
//! `kill -CONT`: it counts about 100 skipped values, and shows new ones. Now do not wait for
//! answers: in `update`, put each socket back into `ready` after `cx.send`. Repeat, and the browser
//! has to draw every value of the ten seconds; none is skipped.
//!
//! If port 8013 is taken, the program prints `cannot listen` and exits with status 1. Choose
//! another one: `cargo run --example 13_dashboard -- 8090`.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use barewire::app::{App, Context, Message, Response, Socket, SocketId};
use barewire::server::Options;
use serde_json::{Value, json};

/// The time between two changes of the prices.
const INTERVAL: Duration = Duration::from_millis(100);
/// The stocks, with the prices at which they opened.
const STOCKS: [(&str, f64); 6] = [
    ("Alder", 128.40),
    ("Birch", 41.75),
    ("Cedar", 310.20),
    ("Elder", 86.10),
    ("Hazel", 19.95),
    ("Maple", 63.30),
];

struct Market {
    /// How often the prices have changed.
    tick: u64,
    prices: [f64; STOCKS.len()],
    random: RandomState,
    /// The WebSockets that have answered the last message, or have received none yet.
    ready: HashSet<SocketId>,
}

fn main() -> std::io::Result<()> {
    let port = std::env::args().nth(1).map_or(8013, |port| port.parse().expect("a port number"));
    let page = Socket::<Market, _>::open(|cx, socket, _| {
        cx.state.ready.insert(socket);
        Ok(())
    })
    .message(|cx, socket, (), _| {
        cx.state.ready.insert(socket);
    })
    .closed(|cx, socket, ()| {
        cx.state.ready.remove(&socket);
    });
    let prices = STOCKS.map(|(_, opening)| opening);
    let bound = App::new(Market { tick: 0, prices, random: RandomState::new(), ready: HashSet::new() })
        .file("/", "text/html; charset=utf-8", include_str!("pages/13.html"))
        .on("GET", "/values", |cx, _| Response::json(cx.state.values().to_string()))
        .socket("/values", page)
        .every(INTERVAL, update)
        .bind(Options { listen: ([127, 0, 0, 1], port).into(), ..Options::default() })?;
    println!("listening on http://{}", bound.local_addr());
    bound.run()
}

/// Changes the prices, and sends them to each client that is ready for the next values.
fn update(cx: &mut Context<'_, Market>) {
    cx.state.change_prices();
    let text = cx.state.values().to_string();
    for socket in std::mem::take(&mut cx.state.ready) {
        if cx.queued(socket) > 0 {
            // The client has answered what it has not read. It stays ready until it reads.
            cx.state.ready.insert(socket);
        } else {
            cx.send(socket, Message::Text(&text));
        }
    }
}

impl Market {
    /// Returns a number from 0 to 1 for this tick.
    fn random(&self, index: usize) -> f64 {
        self.random.hash_one((self.tick, index)) as f64 / u64::MAX as f64
    }

    /// Moves each price by up to 0.3 %, and a little towards the price at which it opened.
    fn change_prices(&mut self) {
        self.tick += 1;
        for (index, (_, opening)) in STOCKS.iter().enumerate() {
            let (price, random) = (self.prices[index], self.random(index));
            self.prices[index] += price * (random - 0.5) * 0.006 + (opening - price) * 0.005;
        }
    }

    fn values(&self) -> Value {
        let stocks = STOCKS.iter().zip(self.prices);
        let rising = stocks.clone().filter(|((_, opening), price)| price > opening).count();
        let trades = 500.0 + 250.0 * (self.tick as f64 / 30.0).sin() + 200.0 * self.random(STOCKS.len());
        let stocks = stocks.map(|((name, opening), price)| json!([name, opening, price]));
        json!({
            "tick": self.tick,
            "stocks": stocks.collect::<Value>(),
            "gauges": [
                { "name": "Trades per second", "value": trades.round(), "max": 1000 },
                { "name": "Rising stocks", "value": rising, "max": STOCKS.len() },
            ],
        })
    }
}
