//! Runs a scenario. One thread does everything, and waits after each step that changes the server's
//! topics. So nothing is published or dropped between two steps, and the next data is known.

use std::thread;
use std::time::{Duration, Instant};

use crate::expected::{Expected, Kept};
use crate::follower::{FollowRequest, Follower, Link};
use crate::parse::{Form, masked_frame};
use crate::running::Running;
use crate::scenario::{Data, Publication, Scenario, Since, Step, TOPICS, Transport};
use crate::wire::{Connection, get, post};

const NAMES: [&str; TOPICS] = ["a", "b~.", "C_", "d-4"];
/// The maximum length of a batch's body.
const BATCH: usize = 1 << 20;
/// A tick of the server's clock, plus a little.
const TICK: Duration = Duration::from_millis(110);
pub const DEADLINE: Duration = Duration::from_secs(20);

/// A running scenario: the server, its model, and the followers.
pub struct Run {
    pub server: Running,
    pub requests: Connection,
    pub expected: Expected,
    pub followers: Vec<Follower>,
    /// Whether the server may have fewer topics than the scenario uses, so that it refuses some
    /// requests.
    pub few_topics: bool,
}

pub fn run(scenario: &Scenario) {
    let server = Running::start(|options| options.hub = scenario.limits.clone());
    let mut requests = Connection::open(server.address);
    requests.send(&get("/topics/none", "1.1", ""));
    let (_, body) = requests.response();
    let body: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
    let (epoch, zero) = body["next"].as_str().and_then(|id| id.split_once('-')).expect("an id");
    assert_eq!(zero, "0");
    let expected = Expected::new(epoch, TOPICS);
    let few_topics = scenario.limits.topics < TOPICS;
    let mut run = Run { server, requests, expected, followers: Vec::new(), few_topics };
    for step in &scenario.steps {
        run.step(step);
    }
    if scenario.drain { run.drain() } else { run.catch_up() }
}

impl Run {
    fn step(&mut self, step: &Step) {
        let streams = |form: Option<Form>| matches!(form, Some(Form::Chunks | Form::Plain));
        let sockets = |form: Option<Form>| matches!(form, Some(Form::Json | Form::Text));
        match step {
            Step::Publish(publications) => self.publish(publications),
            Step::Batch { topic, lines } => self.batch(*topic, lines),
            Step::Burst { index, lines } => {
                if let Some(index) = self.pick(*index, |form| form.is_some()) {
                    let lines = vec![Data::new("much ", 64 << 10); *lines];
                    self.batch(self.followers[index].topic, &lines);
                }
            }
            Step::Send { index, texts } => {
                if let Some(index) = self.pick(*index, sockets) {
                    self.send_messages(index, texts);
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
            Step::Read { index, bytes } => {
                if let Some(index) = self.pick(*index, |_| true) {
                    self.read(index, *bytes);
                }
            }
            Step::Cut { index, reset } => {
                if let Some(index) = self.pick(*index, |form| form.is_some())
                    && let Link::Stream(_, connection, _) = self.cut(index)
                    && *reset
                {
                    connection.reset();
                }
            }
            Step::Resume { index, transport, header } => {
                if let Some(index) = self.pick(*index, |_| true) {
                    self.cut(index);
                    self.follow(index, *transport, &Since::Follower(index), *header);
                }
            }
            Step::HalfClose { index } => {
                if let Some(index) = self.pick(*index, streams)
                    && let Link::Stream(_, connection, _) = &self.followers[index].link
                {
                    connection.half_close();
                }
            }
            Step::End { index, binary } => {
                if let Some(index) = self.pick(*index, sockets) {
                    self.end(index, *binary);
                }
            }
            Step::Tick => thread::sleep(TICK),
        }
    }

    /// Selects, by number, one of the followers whose form satisfies the predicate.
    fn pick(&self, number: usize, predicate: impl Fn(Option<Form>) -> bool) -> Option<usize> {
        let form = |follower: &Follower| match follower.link {
            Link::Stream(form, ..) => Some(form),
            _ => None,
        };
        let picked: Vec<usize> =
            (0..self.followers.len()).filter(|index| predicate(form(&self.followers[*index]))).collect();
        Some(picked[number.checked_rem(picked.len())?])
    }

    fn cut(&mut self, index: usize) -> Link {
        std::mem::replace(&mut self.followers[index].link, Link::None)
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
            let (head, body) = self.requests.response();
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
        let (head, response) = self.requests.response();
        let lines = body.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
        let lines: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
        if lines.is_empty() {
            return assert_eq!(head.status, 400, "a batch without lines");
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
        assert_eq!(response, format!("{{\"ids\":[{}]}}", ids.join(",")).as_bytes());
    }

    /// Publishes over a WebSocket. A publish there gets no response: the metrics show it, unless
    /// the connection has ended before.
    fn send_messages(&mut self, index: usize, texts: &[Data]) {
        let mut bytes = Vec::new();
        texts.iter().for_each(|text| masked_frame(0x81, text.text().as_bytes(), &mut bytes));
        let Link::Stream(_, connection, _) = &mut self.followers[index].link else { return };
        connection.send(&bytes);
        let (before, begun) = (self.expected.newest, Instant::now());
        let mut over = false;
        loop {
            let accepted = (self.published() - before) as usize;
            let known = (self.expected.newest - before) as usize;
            for text in &texts[known..accepted] {
                self.expected.accepted(self.followers[index].topic, "message", &text.text());
            }
            if accepted == texts.len() || over {
                return;
            }
            let Link::Stream(_, connection, _) = &mut self.followers[index].link else { return };
            // The server may have closed the follower as too slow, which only a read shows.
            if begun.elapsed() > TICK {
                connection.receive_available();
                over = connection.ended || connection.buffer.ends_with(b"unread events are no longer kept");
            }
            assert!(begun.elapsed() < DEADLINE, "{accepted} of {} messages were published", texts.len());
        }
    }

    fn published(&mut self) -> u64 {
        self.metric("barewire_events_published_total ")
    }

    pub fn metric(&mut self, name: &str) -> u64 {
        self.requests.send(&get("/metrics", "1.1", ""));
        let (_, body) = self.requests.response();
        let text = String::from_utf8(body).expect("metrics are text");
        let mut lines = text.lines();
        let line = lines.find_map(|line| line.strip_prefix(name));
        line.and_then(|count| count.parse().ok()).expect("a count")
    }

    /// Returns whether a request was refused for lack of topics.
    pub fn refused(&self, status: u16) -> bool {
        assert!(status != 503 || self.few_topics, "a request is refused despite free topics");
        status == 503
    }

    /// Asks the server which events of a topic are kept, with a poll, which neither creates nor
    /// uses a topic.
    pub fn kept(&mut self, topic: usize) -> Kept {
        self.requests.send(&get(&format!("/topics/{}?since=start", NAMES[topic]), "1.1", ""));
        let (head, body) = self.requests.response();
        assert_eq!(head.status, 200);
        let id = |before: &str, body: &[u8]| {
            // Only the ids. The followers check the complete responses.
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
            lost_most: if self.few_topics { oldest - 1 } else { lost },
        }
    }

    /// Starts or resumes a follower.
    fn follow(&mut self, index: usize, transport: Transport, since: &Since, header: bool) {
        let topic = self.followers[index].topic;
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
        let may_evict = self.few_topics && kept.oldest.is_none() && transport != Transport::ShortPoll;
        let request = FollowRequest { cursor, sequence, now, kept, may_evict };
        match transport {
            Transport::ShortPoll => self.poll(index, &request, header, None),
            Transport::LongPoll => self.long_poll(index, &request, header),
            Transport::Stream(form) => self.open(index, form, &request, header),
        }
    }

    /// Returns a request's target and field with the follower's cursor, in the query or in the
    /// field.
    pub fn start_at(&self, index: usize, request: &FollowRequest, header: bool) -> (String, String) {
        let target = format!("/topics/{}?", NAMES[self.followers[index].topic]);
        match (&request.cursor, request.now) {
            // The field takes precedence over the query.
            (Some(cursor), _) if header => {
                (format!("{target}since=start"), format!("Last-Event-ID: {cursor}\r\n"))
            }
            (Some(cursor), _) => (format!("{target}since={cursor}"), String::new()),
            (None, true) => (format!("{target}since=now"), String::new()),
            (None, false) => (format!("{target}since=start"), String::new()),
        }
    }
}
