//! `eventsource-client`, which reconnects on its own: a cut stream loses and repeats no event.

use std::collections::VecDeque;
use std::pin::Pin;
use std::time::Duration;

use eventsource_client::{Client, ClientBuilder, Error, ReconnectOptions, SSE};
use futures_util::{Stream, StreamExt};
use tokio::runtime::{Builder, Runtime};

use crate::http::{agent, publish, topic};
use crate::relay::Relay;
use crate::running::Running;

/// An event source with its runtime.
pub struct EventSource {
    runtime: Runtime,
    stream: Pin<Box<dyn Stream<Item = Result<SSE, Error>> + Send + Sync>>,
    /// The number of connections so far.
    pub connected: usize,
    received: VecDeque<(String, String, String)>,
}

impl EventSource {
    /// Connects to a topic and resumes after the id `since`, if there is one.
    pub fn open(topic: &str, since: Option<&str>) -> EventSource {
        let reconnect = ReconnectOptions::reconnect(true).delay(Duration::from_millis(20)).backoff_factor(1);
        let mut builder = ClientBuilder::for_url(topic).expect("a URL").reconnect(reconnect.build());
        if let Some(since) = since {
            builder = builder.last_event_id(since.to_owned());
        }
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let stream = builder.build_http().stream();
        let mut source = EventSource { runtime, stream, connected: 0, received: VecDeque::new() };
        source.until_connected(1);
        source
    }

    /// Waits until the client has connected this many times.
    pub fn until_connected(&mut self, times: usize) {
        while self.connected < times {
            self.step();
        }
    }

    /// Waits for the next event and returns its id, name and data.
    pub fn next(&mut self) -> (String, String, String) {
        loop {
            if let Some(event) = self.received.pop_front() {
                return event;
            }
            self.step();
        }
    }

    fn step(&mut self) {
        let EventSource { runtime, stream, .. } = self;
        let deadline = Duration::from_secs(30);
        let next = runtime.block_on(async { tokio::time::timeout(deadline, stream.next()).await });
        match next.expect("an item in time") {
            Some(Ok(SSE::Connected(_))) => self.connected += 1,
            Some(Ok(SSE::Event(event))) => {
                self.received.push_back((event.id.unwrap_or_default(), event.event_type, event.data));
            }
            // A comment, or an error after which the client reconnects.
            Some(Ok(SSE::Comment(_)) | Err(_)) => {}
            None => panic!("the client gave up"),
        }
    }
}

fn message(id: String, data: &str) -> (String, String, String) {
    (id, "message".to_owned(), data.to_owned())
}

#[test]
fn resumes_a_stream_that_was_cut() {
    let server = Running::start(|_| {});
    let relay = Relay::start(server.address);
    let (agent, topic) = (agent(), topic(&server, "cut"));
    let mut source = EventSource::open(&format!("http://{}/topics/cut", relay.address), None);
    let id = publish(&agent, &topic, "one\nof two lines");
    assert_eq!(source.next(), message(id, "one\nof two lines"));

    for round in 1..4 {
        relay.cut();
        let missed: Vec<_> = (0..3)
            .map(|number| {
                let data = format!("{round}.{number}");
                message(publish(&agent, &topic, &data), &data)
            })
            .collect();
        for event in missed {
            assert_eq!(source.next(), event);
        }
        assert_eq!(source.connected, 1 + round);
    }
}

#[test]
fn a_restarted_server_reports_the_gap() {
    // No other test uses this address, so its port stays free.
    let server = Running::start(|options| options.listen = ([127, 0, 0, 82], 0).into());
    let (agent, address) = (agent(), server.address);
    let topic = topic(&server, "again");
    let mut source = EventSource::open(&topic, None);
    let old = publish(&agent, &topic, "before the restart");
    assert_eq!(source.next(), message(old.clone(), "before the restart"));
    drop(server);

    let _server = Running::start(|options| options.listen = address);
    let (id, event, data) = source.next();
    assert_eq!((event.as_str(), data), ("gap", format!("{{\"since\":\"{old}\",\"oldest\":null}}")));
    assert_ne!(id, old);
    let new = publish(&agent, &topic, "after the restart");
    assert_eq!(source.next(), message(new, "after the restart"));
}
