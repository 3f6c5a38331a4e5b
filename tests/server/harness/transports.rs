//! Treats the four transports alike. A topic has the same events on each.

use serde_json::Value;

use super::request::Request;
use super::server::Server;

/// An event, as every transport delivers it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Event {
    pub id: String,
    pub event: String,
    pub data: String,
}

impl Event {
    /// Parses an object with exactly three members.
    pub fn from_json(json: &Value) -> Event {
        let object = json.as_object().expect("an event is an object");
        assert_eq!(object.len(), 3, "{json}");
        let text = |name: &str| object[name].as_str().expect("each member is a string").to_owned();
        Event { id: text("id"), event: text("event"), data: text("data") }
    }
}

/// A gap. Polls report only that there is one; the other transports also report where.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Gap {
    /// The cursor that the client sent.
    pub since: Option<String>,
    /// The oldest event kept.
    pub oldest: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Transport {
    ShortPoll,
    LongPoll,
    EventStream,
    WebSocket,
}

/// The data that a client received while it followed a topic.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Followed {
    /// The gap that was reported first, if any.
    pub gap: Option<Gap>,
    /// The id to resume from, before the first event.
    pub first: String,
    pub events: Vec<Event>,
}

impl Transport {
    pub const ALL: [Transport; 4] =
        [Transport::ShortPoll, Transport::LongPoll, Transport::EventStream, Transport::WebSocket];

    /// Returns the request that follows a topic from `since` on. A long poll waits longer than any
    /// test.
    pub fn request(self, topic: &str, since: &str) -> Request {
        let target = format!("/topics/{topic}?since={since}");
        match self {
            Transport::ShortPoll => Request::get(target),
            Transport::LongPoll => Request::get(format!("{target}&wait=60")),
            Transport::EventStream => Request::event_stream(target),
            Transport::WebSocket => Request::handshake(target),
        }
    }
}

/// Follows a topic until that many events have arrived. A poll reads one response, which must
/// contain exactly that many.
pub fn follow(server: &Server, transport: Transport, topic: &str, since: &str, events: usize) -> Followed {
    let request = transport.request(topic, since);
    let followed = match transport {
        Transport::ShortPoll | Transport::LongPoll => {
            let response = server.request(&request);
            let gap = response.json().get("gap").map(|gap| {
                assert_eq!(gap, true);
                Gap::default()
            });
            Followed { gap, first: response.next(), events: response.events() }
        }
        Transport::EventStream => {
            let mut stream = server.event_stream(&request);
            let (first, gap) = stream.first_block();
            let events = (0..events).map(|_| stream.event().expect("an event before the end")).collect();
            Followed { gap, first, events }
        }
        Transport::WebSocket => {
            let mut socket = server.web_socket(&request);
            let (first, gap) = socket.first_message();
            Followed { gap, first, events: (0..events).map(|_| socket.event()).collect() }
        }
    };
    assert_eq!(followed.events.len(), events, "{transport:?}: {followed:?}");
    followed
}

/// Parses `{"since":"ID","oldest":"ID"}`, with exactly these members; `oldest` may be null.
pub fn gap_from_json(json: &Value) -> Gap {
    let object = json.as_object().expect("a gap is an object");
    assert_eq!(object.keys().map(String::as_str).collect::<Vec<_>>(), ["oldest", "since"], "{json}");
    let since = object["since"].as_str().expect("since is a string").to_owned();
    assert!(object["oldest"].is_string() || object["oldest"].is_null(), "{json}");
    Gap { since: Some(since), oldest: object["oldest"].as_str().map(str::to_owned) }
}
