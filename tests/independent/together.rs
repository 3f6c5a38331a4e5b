//! All four kinds of client on one topic. Each can resume after an id from any other.

use tungstenite::Message;

use crate::event_source::EventSource;
use crate::http::{agent, events, publish, topic};
use crate::running::Running;
use crate::web_socket::Socket;

/// Asserts that each of the four clients receives exactly `expected` after `since`.
fn assert_all_receive(server: &Running, since: &str, expected: &[(String, String)]) {
    let (agent, topic) = (agent(), topic(server, "shared"));
    let last = expected.last().expect("an event").0.clone();

    let mut short = agent.get(&topic).query("since", since).call().expect("a response");
    assert_eq!(events(&mut short), (expected.to_vec(), last.clone()));
    let long = agent.get(&topic).header("Last-Event-ID", since).header("Prefer", "wait=20");
    assert_eq!(events(&mut long.call().expect("a response")), (expected.to_vec(), last));

    let mut source = EventSource::open(&topic, Some(since));
    let mut socket = Socket::open(server, &format!("/topics/shared?since={since}"), None);
    assert_eq!(socket.start(), since);
    for event in expected {
        let (id, _, data) = source.next();
        assert_eq!((&id, &data), (&event.0, &event.1));
        assert_eq!(socket.event(), *event);
    }
}

#[test]
fn one_event_reaches_all_four_clients_and_each_resumes_from_another_s_id() {
    let server = Running::start(|_| {});
    let (agent, topic) = (agent(), topic(&server, "shared"));
    let mut source = EventSource::open(&topic, None);
    let mut socket = Socket::open(&server, "/topics/shared", None);
    let start = socket.start();

    let data = "one for \"all\"\nof them \u{1f600}".to_owned();
    let id = publish(&agent, &topic, &data);
    let event = (id.clone(), data.clone());
    assert_eq!(source.next(), (id.clone(), "message".to_owned(), data));
    assert_eq!(socket.event(), event);
    assert_all_receive(&server, &start, std::slice::from_ref(&event));

    // The clients disconnect. A WebSocket and a POST publish more events meanwhile.
    drop(source);
    socket.inner.send(Message::text("two")).expect("sent");
    let two = socket.event();
    drop(socket);
    let three = (publish(&agent, &topic, "three"), "three".to_owned());
    assert_all_receive(&server, &id, &[two.clone(), three.clone()]);
    assert_all_receive(&server, &two.0, &[three]);
}
