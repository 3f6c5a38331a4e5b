//! Plays a scenario. All of it is done by one thread, and what changes the server's topics is waited for; so between
//! two steps nothing is published and nothing is dropped, and what must come is known.

use std::thread;
use std::time::{Duration, Instant};

use crate::expected::{Expected, Kept};
use crate::follower::{Asked, Follower, Link};
use crate::parse::{Form, masked_frame};
use crate::running::Running;
use crate::scenario::{Data, Publication, Scenario, Since, Step, TOPICS, Transport};
use crate::wire::{Connection, get, post};

const NAMES: [&str; TOPICS] = ["a", "b~.", "C_", "d-4"];
/// A batch's body is at most this long.
const BATCH: usize = 1 << 20;
/// A tick of the server, and a little more.
const TICK: Duration = Duration::from_millis(110);
pub const DEADLINE: Duration = Duration::from_secs(20);

/// The server, the model of it, and all who follow.
pub struct Play {
    pub server: Running,
    pub requests: Connection,
    pub expected: Expected,
    pub followers: Vec<Follower>,
    /// There may be fewer topics than are asked for, so some requests are refused.
    pub narrow: bool,
}

pub fn play(scenario: &Scenario) {
    let server = Running::start(|options| options.hub = scenario.limits.clone());
    let mut requests = Connection::open(server.address);
    requests.send(&get("/topics/none", "1.1", ""));
    let (_, body) = requests.answer();
    let body: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
    let (epoch, zero) = body["next"].as_str().and_then(|id| id.split_once('-')).expect("an id");
    assert_eq!(zero, "0");
    let expected = Expected::new(epoch, TOPICS);
    let narrow = scenario.limits.topics < TOPICS;
    let mut play = Play { server, requests, expected, followers: Vec::new(), narrow };
    for step in &scenario.steps {
        play.step(step);
    }
    if scenario.drain { play.drain() } else { play.catch_up() }
}

impl Play {
    fn step(&mut self, step: &Step) {
        let streams = |form: Option<Form>| matches!(form, Some(Form::Chunks | Form::Plain));
        let sockets = |form: Option<Form>| matches!(form, Some(Form::Json | Form::Text));
        match step {
            Step::Publish(publications) => self.publish(publications),
            Step::Batch { topic, lines } => self.batch(*topic, lines),
            Step::Burst { who, lines } => {
                if let Some(who) = self.pick(*who, |form| form.is_some()) {
                    let lines = vec![Data::new("much ", 64 << 10); *lines];
                    self.batch(self.followers[who].topic, &lines);
                }
            }
            Step::Say { who, texts } => {
                if let Some(who) = self.pick(*who, sockets) {
                    self.say(who, texts);
                }
            }
            Step::Open { topic, transport, since, header } => {
                self.followers.push(Follower {
                    topic: *topic,
                    last: self.expected.newest,
                    received: false,
                    link: Link::None,
                });
                self.follow(self.followers.len() - 1, *transport, since, *header);
            }
            Step::Read { who, bytes } => {
                if let Some(who) = self.pick(*who, |_| true) {
                    self.read(who, *bytes);
                }
            }
            Step::Cut { who, reset } => {
                if let Some(who) = self.pick(*who, |form| form.is_some())
                    && let Link::Stream(_, connection, _) = self.cut(who)
                    && *reset
                {
                    connection.reset();
                }
            }
            Step::Resume { who, transport, header } => {
                if let Some(who) = self.pick(*who, |_| true) {
                    self.cut(who);
                    self.follow(who, *transport, &Since::Follower(who), *header);
                }
            }
            Step::HalfClose { who } => {
                if let Some(who) = self.pick(*who, streams)
                    && let Link::Stream(_, connection, _) = &self.followers[who].link
                {
                    connection.end_own_side();
                }
            }
            Step::End { who, binary } => {
                if let Some(who) = self.pick(*who, sockets) {
                    self.end(who, *binary);
                }
            }
            Step::Tick => thread::sleep(TICK),
        }
    }

    /// One of the followers, by a number, whose stream's form is such.
    fn pick(&self, number: usize, such: impl Fn(Option<Form>) -> bool) -> Option<usize> {
        let form = |follower: &Follower| match follower.link {
            Link::Stream(form, ..) => Some(form),
            _ => None,
        };
        let picked: Vec<usize> =
            (0..self.followers.len()).filter(|who| such(form(&self.followers[*who]))).collect();
        Some(picked[number.checked_rem(picked.len())?])
    }

    fn cut(&mut self, who: usize) -> Link {
        std::mem::replace(&mut self.followers[who].link, Link::None)
    }

    fn publish(&mut self, publications: &[Publication]) {
        let mut bytes = Vec::new();
        for Publication { topic, name, data } in publications {
            let name: String = name.bytes().map(|byte| format!("%{byte:02X}")).collect();
            let target = format!("/topics/{}?event={name}", NAMES[*topic]);
            bytes.extend(post(&target, "text/plain", &data.text()));
        }
        self.requests.send(&bytes);
        for Publication { topic, name, data } in publications {
            let (head, body) = self.requests.answer();
            if self.refused(head.status) {
                continue;
            }
            assert_eq!(head.status, 201);
            self.expected.accepted(*topic, name, &data.text());
            let id = self.expected.id(self.expected.newest);
            assert_eq!(body, format!("{{\"id\":\"{id}\"}}").as_bytes());
        }
    }

    fn batch(&mut self, topic: usize, lines: &[Data]) {
        let mut body = String::new();
        for line in lines.iter().map(Data::text) {
            if body.len() + line.len() < BATCH {
                body.push_str(&line);
                body.push('\n');
            }
        }
        let target = format!("/topics/{}", NAMES[topic]);
        self.requests.send(&post(&target, "application/x-ndjson", &body));
        let (head, answer) = self.requests.answer();
        let lines = body.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
        let lines: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
        if lines.is_empty() {
            return assert_eq!(head.status, 400, "a batch of nothing");
        }
        if self.refused(head.status) {
            return;
        }
        assert_eq!(head.status, 201);
        let mut ids = Vec::new();
        for line in lines {
            self.expected.accepted(topic, "message", line);
            ids.push(format!("\"{}\"", self.expected.id(self.expected.newest)));
        }
        assert_eq!(answer, format!("{{\"ids\":[{}]}}", ids.join(",")).as_bytes());
    }

    /// Nobody answers a publish over a WebSocket: it is seen in the metrics, or the connection has ended before.
    fn say(&mut self, who: usize, texts: &[Data]) {
        let mut bytes = Vec::new();
        texts.iter().for_each(|text| masked_frame(0x81, text.text().as_bytes(), &mut bytes));
        let Link::Stream(_, connection, _) = &mut self.followers[who].link else { return };
        connection.send(&bytes);
        let (before, begun) = (self.expected.newest, Instant::now());
        let mut over = false;
        loop {
            let accepted = (self.published() - before) as usize;
            let known = (self.expected.newest - before) as usize;
            for text in &texts[known..accepted] {
                self.expected.accepted(self.followers[who].topic, "message", &text.text());
            }
            if accepted == texts.len() || over {
                return;
            }
            let Link::Stream(_, connection, _) = &mut self.followers[who].link else { return };
            // It may have been ended as too slow, which shows only to one who reads.
            if begun.elapsed() > TICK {
                connection.receive_what_is_there();
                over = connection.ended || connection.buffer.ends_with(b"that were not read");
            }
            assert!(begun.elapsed() < DEADLINE, "{accepted} of {} messages were published", texts.len());
        }
    }

    fn published(&mut self) -> u64 {
        self.metric("barewire_events_published_total ")
    }

    pub fn metric(&mut self, name: &str) -> u64 {
        self.requests.send(&get("/metrics", "1.1", ""));
        let (_, body) = self.requests.answer();
        let text = String::from_utf8(body).expect("metrics are text");
        let mut lines = text.lines();
        let line = lines.find_map(|line| line.strip_prefix(name));
        line.and_then(|count| count.parse().ok()).expect("a count")
    }

    /// Whether a request was refused for want of topics.
    pub fn refused(&self, status: u16) -> bool {
        assert!(status != 503 || self.narrow, "there is room, and a request is refused");
        status == 503
    }

    /// What is kept of a topic: asked by a poll, which makes no topic and uses none.
    pub fn kept(&mut self, topic: usize) -> Kept {
        self.requests.send(&get(&format!("/topics/{}?since=start", NAMES[topic]), "1.1", ""));
        let (head, body) = self.requests.answer();
        assert_eq!(head.status, 200);
        let id = |before: &str, body: &[u8]| {
            // The ids alone: the whole is checked where it is followed.
            let text = String::from_utf8_lossy(&body[..body.len().min(64)]);
            text.strip_prefix(before).and_then(|rest| rest.split('"').next()).map(str::to_owned)
        };
        if let Some(next) = id("{\"events\":[],\"next\":\"", &body) {
            let next = self.expected.sequence(&next);
            return Kept { oldest: None, lost_least: next, lost_most: next };
        }
        let oldest = self.expected.sequence(&id("{\"events\":[{\"id\":\"", &body).expect("an event"));
        let lost = self.expected.last_before(topic, oldest).unwrap_or(0);
        Kept {
            oldest: Some(oldest),
            lost_least: lost,
            lost_most: if self.narrow { oldest - 1 } else { lost },
        }
    }

    /// A follower begins, or goes on.
    fn follow(&mut self, who: usize, transport: Transport, since: &Since, header: bool) {
        let topic = self.followers[who].topic;
        let sequence = match since {
            Since::Start | Since::Now | Since::Foreign(_) => None,
            Since::Follower(number) => Some(self.followers[number % self.followers.len()].last),
            Since::Event(number) => self.expected.any(topic, *number),
            Since::Future => Some(self.expected.newest + 1),
        };
        let cursor = match since {
            Since::Foreign(text) => Some((*text).to_owned()),
            _ => sequence.map(|sequence| self.expected.id(sequence)),
        };
        let kept = self.kept(topic);
        let now = matches!(since, Since::Now);
        let may_evict = self.narrow && kept.oldest.is_none() && transport != Transport::ShortPoll;
        let asked = Asked { cursor, sequence, now, kept, may_evict };
        match transport {
            Transport::ShortPoll => self.poll(who, &asked, header, None),
            Transport::LongPoll => self.long_poll(who, &asked, header),
            Transport::Stream(form) => self.open(who, form, &asked, header),
        }
    }

    /// Tells a request where to begin: in the target's query, or in a field.
    pub fn begins(&self, who: usize, asked: &Asked, header: bool) -> (String, String) {
        let target = format!("/topics/{}?", NAMES[self.followers[who].topic]);
        match (&asked.cursor, asked.now) {
            // A field goes before the query.
            (Some(cursor), _) if header => {
                (format!("{target}since=start"), format!("Last-Event-ID: {cursor}\r\n"))
            }
            (Some(cursor), _) => (format!("{target}since={cursor}"), String::new()),
            (None, true) => (format!("{target}since=now"), String::new()),
            (None, false) => (format!("{target}since=start"), String::new()),
        }
    }
}
