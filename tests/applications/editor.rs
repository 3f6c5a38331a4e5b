//! Tests of `15_editor`: every page ends with the same text, and no edit is doubled or lost.

use std::collections::HashSet;
use std::thread;
use std::time::{Duration, Instant};

use barewire::client::{Error, Message, Request, WebSocket};
use serde_json::{Value, json};

use crate::http;
use crate::program::{PATIENCE, Program};

const NAME: &str = "15_editor";
const WRITERS: usize = 4;
const EDITS_OF_EACH: usize = 250;

fn connect(program: &Program, since: &str) -> WebSocket {
    let request = Request { read_timeout: Some(Duration::from_millis(1)), ..Request::default() };
    let url = program.websocket_url(&format!("/edit?since={since}"));
    WebSocket::connect(&url, &request).expect("the server accepts the WebSocket")
}

fn get(program: &Program, target: &str) -> Value {
    let reply = http::get(&program.url(target), &[]);
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply.json()
}

/// Waits for the next message. Returns `None` if the server closes.
fn read(socket: &mut WebSocket) -> Option<Value> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        match socket.read() {
            Ok(Message::Text(text)) => return Some(serde_json::from_str(&text).expect("JSON")),
            Err(Error::TimedOut) => {}
            Ok(Message::Close(_)) => return None,
            other => panic!("{other:?}"),
        }
    }
    panic!("no message arrives");
}

/// Returns the code with which the server closes after it has received `message`.
fn close_code_after(program: &Program, message: &str) -> u16 {
    let mut socket = connect(program, "");
    socket.send_text(message).expect("the server reads");
    let deadline = Instant::now() + PATIENCE;
    loop {
        match socket.read() {
            Ok(Message::Close(Some((code, _)))) => return code.0,
            Ok(Message::Text(_)) | Err(Error::TimedOut) if Instant::now() < deadline => {}
            other => panic!("{other:?}"),
        }
    }
}

fn edit(base: &str, at: usize, remove: usize, insert: &str, client: &str, number: u64) -> String {
    json!({
        "base": base, "at": at, "remove": remove, "insert": insert, "client": client, "number": number
    })
    .to_string()
}

/// A reproducible source of numbers (xorshift64).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }
}

/// The edit that a writer has sent, in characters.
struct SentEdit {
    message: String,
    at: usize,
    remove: usize,
    insert: Vec<char>,
}

/// A client like the page. Each character that a writer inserts is unique, so the characters
/// themselves are what the page calls cells.
struct Writer<'p> {
    program: &'p Program,
    name: String,
    random: Random,
    base: Vec<char>,
    local: Vec<char>,
    version: String,
    sent: Option<SentEdit>,
    number: u64,
    socket: Option<WebSocket>,
    /// This writer sometimes resumes with a cursor that the server does not know. It does not
    /// delete: after a gap nobody knows which of two equal texts a character belongs to.
    has_gaps: bool,
    characters: std::ops::Range<u32>,
    inserted: Vec<char>,
    deleted: Vec<char>,
    gaps: usize,
    cuts: usize,
}

impl Writer<'_> {
    fn new(program: &Program, index: usize) -> Writer<'_> {
        let start = 1000 * index as u32;
        let mut writer = Writer {
            program,
            name: format!("writer {index}"),
            random: Random(0x9E37_79B9_7F4A_7C15 + index as u64),
            base: Vec::new(),
            local: Vec::new(),
            version: String::new(),
            sent: None,
            number: 0,
            socket: None,
            has_gaps: index == 0,
            characters: start..start + 1000,
            inserted: Vec::new(),
            deleted: Vec::new(),
            gaps: 0,
            cuts: 0,
        };
        writer.load();
        writer
    }

    /// Returns a character that no other call returns: every second one is two code units long.
    fn next_character(&mut self) -> char {
        let number = self.characters.next().expect("there are enough characters");
        char::from_u32(if number.is_multiple_of(2) { 0x4E00 } else { 0x2_0000 } + number)
            .expect("a character")
    }

    /// Changes the local text as a user does.
    fn change(&mut self) {
        let at = self.random.below(self.local.len() + 1);
        let kind = self.random.below(10);
        let most = self.local.len() - at;
        let remove = if kind < 6 || self.has_gaps { 0 } else { self.random.below(5).min(most) };
        let insert = if kind < 8 || self.has_gaps { 1 + self.random.below(3) } else { 0 };
        let insert: Vec<char> = (0..insert).map(|_| self.next_character()).collect();
        self.inserted.extend(&insert);
        self.deleted.extend(self.local.splice(at..at + remove, insert));
    }

    /// Returns the first difference of the local text from the server's.
    fn first_change(&self) -> Option<(usize, usize, Vec<char>)> {
        let at = self.base.iter().zip(&self.local).take_while(|(base, local)| base == local).count();
        let removed = self.base[at..].iter().take_while(|character| !self.local.contains(character));
        let inserted = self.local[at..].iter().take_while(|character| !self.base.contains(character));
        let (remove, insert) = (removed.count(), inserted.copied().collect::<Vec<char>>());
        (remove > 0 || !insert.is_empty()).then_some((at, remove, insert))
    }

    fn send(&mut self, is_reconnected: bool) {
        let change = if self.sent.is_none() { self.first_change() } else { None };
        let is_new = change.is_some();
        if let Some((at, remove, insert)) = change {
            self.number += 1;
            let text: String = insert.iter().collect();
            let (at16, remove16) = (units(&self.base[..at]), units(&self.base[at..at + remove]));
            let message = edit(&self.version, at16, remove16, &text, &self.name, self.number);
            self.sent = Some(SentEdit { message, at, remove, insert });
        }
        if let (Some(socket), Some(sent)) = (&mut self.socket, &self.sent)
            && (is_new || is_reconnected)
            && socket.send_text(&sent.message).is_err()
        {
            self.socket = None;
        }
    }

    fn apply_sent(&mut self) {
        let sent = self.sent.take().expect("an edit was sent");
        self.base.splice(sent.at..sent.at + sent.remove, sent.insert);
    }

    fn apply(&mut self, at: usize, remove: usize, insert: &str) {
        let start = index(&self.base, at);
        let end = index(&self.base, at + remove);
        let removed: Vec<char> = self.base.splice(start..end, insert.chars()).collect();
        self.local.retain(|character| !removed.contains(character));
        let left = self.base[..start].iter().rev().find_map(|left| self.local.iter().position(|c| c == left));
        let after = left.map_or(0, |left| left + 1);
        let pending = self.local[after..].iter().take_while(|character| !self.base.contains(character));
        let place = after + pending.count();
        self.local.splice(place..place, insert.chars());
        self.sent = None;
    }

    /// Fetches the whole text, and applies the difference.
    fn load(&mut self) {
        let snapshot = get(self.program, &format!("/text?client={}", self.name.replace(' ', "%20")));
        let version = snapshot["version"].as_str().expect("a version");
        if version == self.version {
            return;
        }
        if self.sent.is_some() && snapshot["number"].as_u64() == Some(self.number) {
            self.apply_sent();
        }
        let text: Vec<char> = snapshot["text"].as_str().expect("a text").chars().collect();
        let most = text.len().min(self.base.len());
        let at = text.iter().zip(&self.base).take_while(|(new, old)| new == old).count();
        let pairs = text.iter().rev().zip(self.base.iter().rev());
        let tail = pairs.take(most - at).take_while(|(new, old)| new == old).count();
        let removed = units(&self.base[at..self.base.len() - tail]);
        let insert: String = text[at..text.len() - tail].iter().collect();
        self.apply(units(&self.base[..at]), removed, &insert);
        self.version = version.to_owned();
    }

    fn connect(&mut self) {
        let forges = self.has_gaps && self.random.below(2) == 0;
        self.socket = Some(connect(self.program, if forges { "unknown" } else { &self.version }));
        self.send(true);
    }

    /// Sends what is due, and applies what has arrived.
    fn exchange(&mut self) {
        if self.socket.is_none() {
            self.connect();
        }
        self.send(false);
        while let Some(socket) = &mut self.socket {
            match socket.read() {
                Ok(Message::Text(text)) => self.receive(&serde_json::from_str(&text).expect("JSON")),
                Err(Error::TimedOut) => return,
                other => panic!("{}: {other:?}", self.name),
            }
        }
    }

    fn receive(&mut self, message: &Value) {
        if message["gap"] != Value::Null {
            self.gaps += 1;
            self.socket = None;
            return self.load();
        }
        let Some(id) = message["id"].as_str() else { return };
        let edit: Value = serde_json::from_str(message["data"].as_str().expect("data")).expect("JSON");
        if edit["client"] == *self.name && edit["number"] == self.number && self.sent.is_some() {
            self.apply_sent();
        } else {
            let number = |name: &str| edit[name].as_u64().expect("a number") as usize;
            self.apply(number("at"), number("remove"), edit["insert"].as_str().expect("a text"));
        }
        self.version = id.to_owned();
        self.send(false);
    }

    /// Makes all edits, while the connection is often cut, and returns when all are accepted.
    fn write(mut self) -> Self {
        for _ in 0..EDITS_OF_EACH {
            self.change();
            if self.random.below(3) > 0 {
                self.exchange();
            }
            if self.random.below(12) == 0 {
                // An edit may be on its way, or its confirmation.
                self.send(false);
                self.cuts += usize::from(self.socket.take().is_some());
            }
        }
        let deadline = Instant::now() + PATIENCE;
        while self.local != self.base || self.sent.is_some() {
            assert!(Instant::now() < deadline, "{}: the edits are not accepted", self.name);
            self.exchange();
        }
        self
    }
}

/// Returns the length in UTF-16 code units.
fn units(text: &[char]) -> usize {
    text.iter().map(|character| character.len_utf16()).sum()
}

/// Returns the index of the character at an offset in code units.
fn index(text: &[char], offset: usize) -> usize {
    let found = (0..=text.len()).find(|&index| units(&text[..index]) >= offset).expect("within the text");
    assert_eq!(units(&text[..found]), offset, "the offset is inside a character");
    found
}

/// Returns each edit of the log as its client and number.
fn log(program: &Program) -> Vec<(String, u64)> {
    let (mut edits, mut since) = (Vec::new(), "start".to_owned());
    loop {
        let page = get(program, &format!("/edits?since={since}"));
        let events = page["events"].as_array().expect("events");
        if events.is_empty() {
            return edits;
        }
        for event in events {
            assert_eq!(event["event"], "edit");
            let edit: Value = serde_json::from_str(event["data"].as_str().expect("data")).expect("JSON");
            let client = edit["client"].as_str().expect("a client").to_owned();
            edits.push((client, edit["number"].as_u64().expect("a number")));
        }
        since = page["next"].as_str().expect("a cursor").to_owned();
    }
}

#[test]
fn all_texts_are_equal_after_1000_concurrent_edits_over_connections_that_are_cut() {
    let program = Program::start(NAME);
    let writers: Vec<Writer<'_>> = (0..WRITERS).map(|index| Writer::new(&program, index)).collect();
    let mut writers: Vec<Writer<'_>> = thread::scope(|scope| {
        let threads: Vec<_> = writers.into_iter().map(|writer| scope.spawn(move || writer.write())).collect();
        threads.into_iter().map(|thread| thread.join().expect("the writer succeeds")).collect()
    });

    let snapshot = get(&program, "/text");
    let text: Vec<char> = snapshot["text"].as_str().expect("a text").chars().collect();
    let deadline = Instant::now() + PATIENCE;
    for writer in &mut writers {
        while writer.version != snapshot["version"] {
            assert!(Instant::now() < deadline, "{} does not receive every edit", writer.name);
            writer.exchange();
        }
        assert_eq!(writer.local, text, "{}", writer.name);
    }

    // Each character that was inserted and not deleted is in the text once.
    let deleted: HashSet<char> = writers.iter().flat_map(|writer| writer.deleted.clone()).collect();
    let inserted = writers.iter().flat_map(|writer| writer.inserted.clone());
    let mut expected: Vec<char> = inserted.filter(|character| !deleted.contains(character)).collect();
    let mut found = text.clone();
    expected.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, expected);
    assert!(text.iter().any(|character| character.len_utf16() == 2));

    let log = log(&program);
    let unique: HashSet<&(String, u64)> = log.iter().collect();
    assert_eq!(unique.len(), log.len(), "an edit was accepted twice");
    let (cuts, gaps) = (writers.iter().map(|writer| writer.cuts).sum::<usize>(), writers[0].gaps);
    println!("{} events, {} characters, {cuts} cuts, {gaps} gaps", log.len(), text.len());
    assert!(cuts >= 20 && gaps >= 3 && log.len() >= 300, "{cuts} cuts, {gaps} gaps, {} events", log.len());
}

#[test]
fn accepts_an_edit_once_although_it_arrives_over_two_connections() {
    let program = Program::start(NAME);
    let base = get(&program, "/text")["version"].as_str().expect("a version").to_owned();
    let first = edit(&base, 0, 0, "a\u{1F600}b", "one", 1);
    let mut cut = connect(&program, &base);
    cut.send_text(&first).expect("the server reads");
    drop(cut);
    let mut socket = connect(&program, &base);
    socket.send_text(&first).expect("the server reads");
    socket.send_text(&edit(&base, 0, 0, "too late", "two", 1)).expect("the server reads");

    assert_ne!(read(&mut socket).expect("the cursor")["next"], Value::Null);
    let event = read(&mut socket).expect("the edit");
    assert_eq!(event["data"], *first);
    let newest = event["id"].as_str().expect("an id");
    // The position is after two code units, and so after the character.
    socket.send_text(&edit(newest, 3, 1, "c", "one", 2)).expect("the server reads");
    assert_eq!(read(&mut socket).expect("the second edit")["event"], "edit");

    let snapshot = get(&program, "/text?client=one");
    assert_eq!((&snapshot["text"], &snapshot["number"]), (&"a\u{1F600}c".into(), &2.into()));
    assert_eq!(get(&program, "/text?client=two")["number"], Value::Null);
    assert_eq!(log(&program), [("one".to_owned(), 1), ("one".to_owned(), 2)]);
}

#[test]
fn refuses_what_is_not_an_edit_of_the_text() {
    let program = Program::start(NAME);
    let base = get(&program, "/text")["version"].as_str().expect("a version").to_owned();
    let mut socket = connect(&program, &base);
    socket.send_text(&edit(&base, 0, 0, "a\u{1F600}b", "one", 1)).expect("the server reads");
    read(&mut socket).expect("the cursor");
    let newest = read(&mut socket).expect("the edit")["id"].as_str().expect("an id").to_owned();

    let lone = edit(&newest, 0, 0, "x", "one", 2).replace("\"x\"", r#""\ud800""#);
    let negative = edit(&newest, 0, 0, "x", "one", 2).replace("\"at\":0", "\"at\":-1");
    for message in ["", "[]", "{}", "null", "x", &lone, &negative] {
        assert_eq!(close_code_after(&program, message), 1007, "{message}");
    }
    let overflow = edit(&newest, usize::MAX, 1, "", "one", 2);
    assert_eq!(close_code_after(&program, &overflow), 1007);
    let cut_at_start = edit(&newest, 2, 1, "", "one", 2);
    let cut_at_end = edit(&newest, 0, 2, "", "one", 2);
    let too_far = edit(&newest, 4, 1, "", "one", 2);
    let too_long = edit(&newest, 0, 0, &"x".repeat(20_000), "one", 2);
    let with_return = edit(&newest, 0, 0, "a\r\n", "one", 2);
    for message in [&cut_at_start, &cut_at_end, &too_far, &too_long, &with_return] {
        assert_eq!(close_code_after(&program, message), 1008, "{message}");
    }
    assert_eq!(get(&program, "/text")["text"], "a\u{1F600}b");
}

#[test]
fn says_that_its_port_is_taken() {
    let (code, report) = Program::start_on_taken_port(NAME);
    assert_eq!(code, Some(1));
    assert!(report.contains("choose another port"), "{report}");
}
