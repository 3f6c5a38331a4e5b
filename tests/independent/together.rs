//! All four kinds of client on one topic: an id of one is a place for each of the others.

use tungstenite::Message;

use crate::event_source::EventSource;
use crate::http::{agent, events, publish, topic};
use crate::running::Running;
use crate::web_socket::Socket;

/// Everything after `since`, by each of the four, must be this.
fn all_get(server: &Running, since: &str, wanted: &[(String, String)]) {
    let (agent, topic) = (agent(), topic(server, "shared"));
    let last = wanted.last().expect("something was missed").0.clone();

    let mut short = agent.get(&topic).query("since", since).call().expect("an answer");
    assert_eq!(events(&mut short), (wanted.to_vec(), last.clone()));
    let long = agent.get(&topic).header("Last-Event-ID", since).header("Prefer", "wait=20");
    assert_eq!(events(&mut long.call().expect("an answer")), (wanted.to_vec(), last));

    let mut source = EventSource::open(&topic, Some(since));
    let mut socket = Socket::open(server, &format!("/topics/shared?since={since}"), None);
    assert_eq!(socket.start(), since);
    for event in wanted {
        let (id, _, data) = source.next();
        assert_eq!((&id, &data), (&event.0, &event.1));
        assert_eq!(socket.event(), *event);
    }
}

#[test]
fn one_publish_reaches_all_four_and_each_goes_on_from_another_s_id() {
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
    all_get(&server, &start, std::slice::from_ref(&event));

    // All are gone while more is published, by one that is a WebSocket itself.
    drop(source);
    socket.inner.send(Message::text("two")).expect("sent");
    let two = socket.event();
    drop(socket);
    let three = (publish(&agent, &topic, "three"), "three".to_owned());
    all_get(&server, &id, &[two.clone(), three.clone()]);
    all_get(&server, &two.0, &[three]);
}
