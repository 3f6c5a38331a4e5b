//! 15. Editor: two people edit one text.
//!
//! The server puts all edits into one order, and each page rebases its own edits onto that order.
//! An edit names the id of the last event that its author has received, and the server accepts it
//! only if that event is still the newest one. So the id of an event is the version of the text.
//!
//! Start the server, and open <http://127.0.0.1:8015> in two windows. Type in both at once:
//!
//! ```console
//! $ cargo run --example 15_editor
//! listening on http://127.0.0.1:8015
//! ```
//!
//! ```console
//! $ curl http://127.0.0.1:8015/text
//! {"number":null,"text":"","version":"HpfL5TaZ-0"}
//! ```
//!
//! An event is an edit. This one has inserted a letter into the empty text:
//!
//! ```text
//! $ curl http://127.0.0.1:8015/edits?since=start
//! {"events":[{"id":"HpfL5TaZ-1","event":"edit","data":"{\"at\":0,\"remove\":0,\"base\":\"HpfL5TaZ-0\",…}"}],"next":…}
//! ```
//!
//! - A page has at most one edit on its way. If the server accepts another one first, the page
//!   applies that, and sends its own again with a new base and new positions.
//! - A page whose connection was cut reconnects with `?since=VERSION`, receives the edits that it
//!   has missed, and sends its own again. At most one copy has the newest base.
//! - After a gap (the server was restarted, or its log no longer has the edits) the page fetches
//!   the whole text. `number` says whether its last edit is part of that text.
//! - Positions count UTF-16 code units, as JavaScript does. No edit cuts a character in half.
//!
//! **Break it:** stop the server with Ctrl-Z, type in both windows, and continue it with `fg`:
//! nothing is lost. Now end it with Ctrl-C while you type, and start it again. Its memory was the
//! only place of the text, so both pages keep only what the server had not accepted.
//!
//! Left out: a file for the text, and an end of `numbers`, which grows with each page.
//!
//! `cargo run --example 15_editor -- 8090` selects another port. If the port is taken, the program
//! prints `cannot listen` and exits with status 1.

use std::collections::HashMap;

use barewire::app::{App, Context, Event, Message, Response, Since, Socket};
use barewire::server::Options;
use serde_json::{Value, json};

const TOPIC: &str = "edits";
/// The most code units of the text. The page stops at half of it, so two people do not reach it.
const LONGEST: usize = 20_000;

#[derive(Default)]
struct Document {
    /// The text, in UTF-16.
    text: Vec<u16>,
    /// The number of the last edit that was accepted from each client.
    numbers: HashMap<String, u64>,
}

struct Edit {
    base: String,
    at: usize,
    end: usize,
    insert: Vec<u16>,
    client: String,
    number: u64,
}

impl Edit {
    fn parse(text: &str) -> Option<Edit> {
        let edit: Value = serde_json::from_str(text).ok()?;
        let string = |name: &str| Some(edit[name].as_str()?.to_owned());
        let index = |name: &str| usize::try_from(edit[name].as_u64()?).ok();
        Some(Edit {
            base: string("base")?,
            at: index("at")?,
            end: index("at")?.checked_add(index("remove")?)?,
            insert: string("insert")?.encode_utf16().collect(),
            client: string("client").filter(|client| client.len() <= 40)?,
            number: edit["number"].as_u64()?,
        })
    }

    fn fits(&self, text: &[u16]) -> bool {
        // A character outside the Basic Multilingual Plane is two code units; the second of them is
        // in this range.
        let is_inside = |at: usize| text.get(at).is_some_and(|unit| (0xDC00..0xE000).contains(unit));
        let is_cut = is_inside(self.at) || is_inside(self.end);
        // The text area of a page has no carriage returns.
        let is_plain = !self.insert.contains(&u16::from(b'\r'));
        self.end <= text.len() && !is_cut && is_plain && text.len() + self.insert.len() <= LONGEST
    }
}

/// Accepts an edit of the newest version. Returns the code and the reason with which the WebSocket
/// is closed if the edit is refused.
fn accept(cx: &mut Context<'_, Document>, message: Message<'_>) -> Result<(), (u16, &'static str)> {
    let Message::Text(data) = message else { return Err((1003, "send text")) };
    let edit = Edit::parse(data).ok_or((1007, "this is not an edit"))?;
    if edit.base != cx.newest(TOPIC).to_string() {
        // The author will see the edit that was accepted first, and send this one again.
        return Ok(());
    }
    if !edit.fits(&cx.state.text) {
        return Err((1008, "the edit does not fit the text"));
    }
    cx.publish(TOPIC, Event { name: "edit", data }).map_err(|_| (1013, "try again later"))?;
    cx.state.text.splice(edit.at..edit.end, edit.insert);
    cx.state.numbers.insert(edit.client, edit.number);
    Ok(())
}

fn main() -> std::io::Result<()> {
    let port = std::env::args().nth(1).map_or(8015, |port| port.parse().expect("a port number"));
    let socket = Socket::<Document, _>::open(|cx, socket, request| {
        let followed = cx.follow(socket, TOPIC, request.since(Since::Now));
        followed.map_err(|error| Response::problem(503, &error.to_string()))
    })
    .message(|cx, socket, (), message| {
        if let Err((code, reason)) = accept(cx, message) {
            cx.close(socket, code, reason);
        }
    });
    let app = App::new(Document::default())
        .file("/", "text/html; charset=utf-8", include_str!("pages/15.html"))
        .on("GET", "/edits", |_, _| Response::follow(TOPIC))
        .on("GET", "/text", |cx, request| {
            let number = request.query("client").and_then(|client| cx.state.numbers.get(&*client));
            let text = String::from_utf16_lossy(&cx.state.text);
            let version = cx.newest(TOPIC).to_string();
            Response::json(format!("{}\n", json!({"text": text, "version": version, "number": number})))
        })
        .socket("/edit", socket);
    let bound = app.bind(Options { listen: ([127, 0, 0, 1], port).into(), ..Options::default() })?;
    println!("listening on http://{}", bound.local_addr());
    bound.run()
}
