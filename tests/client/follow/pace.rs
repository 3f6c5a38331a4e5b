//! A server that reports nothing new receives few requests. Time is simulated.

use std::time::Duration;

use barewire::client::follow::{Error, Follower, Next, Resource, Shared, Since, Transport};
use barewire::protocol::websocket::server_handshake::accept_key;

use super::responses::{Body, JSON, STREAM, frame, poll_body, response};

const HOUR: Duration = Duration::from_secs(3600);
const MILLISECOND: Duration = Duration::from_millis(1);
/// The number of requests at which a test stops to count.
const FLOOD: u64 = 100_000;
/// Requests per hour to a server that reports nothing new: one in 15 seconds on average, and a few
/// more at the start.
const BACKED_OFF: std::ops::Range<u64> = 150..400;

fn resource() -> Resource {
    Resource::new("http://a.example/topics/t", None, &[]).expect("a URL")
}

fn with(set: impl FnOnce(&mut Resource)) -> Resource {
    let mut resource = resource();
    set(&mut resource);
    resource
}

/// Random bytes that are the same in each run.
fn draws() -> impl FnMut() -> std::io::Result<[u8; 16]> + Send {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let half = state.to_be_bytes();
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&half);
        bytes[8..].copy_from_slice(&half);
        Ok(bytes)
    }
}

/// Follows for an hour from the id `a-1`. `respond` receives the number of earlier requests and the
/// request, and returns the response, `latency` after the request. The server then ends a
/// connection that the client still reads. Returns the number of requests.
fn requests_per_hour(
    via: Transport,
    resource: &Resource,
    latency: Duration,
    mut respond: impl FnMut(u64, &str) -> Vec<u8>,
) -> Result<u64, Error> {
    let mut shared = Shared::new(draws());
    let mut follower = Follower::new(via, Since::Id("a-1".into()));
    let (mut clock, mut requests) = (Duration::ZERO, 0);
    while clock < HOUR && requests < FLOOD {
        let mut request = Vec::new();
        follower.write_request(resource, &mut shared, &mut request)?;
        let mut response = respond(requests, &String::from_utf8(request).expect("ASCII"));
        requests += 1;
        let sent = clock;
        clock += latency;
        let mut out = Vec::new();
        let mut next =
            follower.receive(&mut response, latency, resource, &mut shared, &mut out, &mut |_| {})?;
        if next == Next::Read {
            next = follower.end(latency, resource, &mut shared, &mut |_| {})?;
        }
        clock = match next {
            Next::Request { after, .. } => clock.max(sent + after),
            Next::Reconnect { after, .. } => clock + after,
            Next::Read => panic!("the connection has ended"),
        };
    }
    Ok(requests)
}

fn poll_response(id: &str, has_gap: bool) -> Vec<u8> {
    response(0, "200 OK", JSON, &poll_body(&[], id, has_gap), Body::Length)
}

fn event_response(number: u64) -> Vec<u8> {
    let id = format!("b-{number}");
    let body = poll_body(&[(id.clone(), "message".into(), "x".into())], &id, false);
    response(0, "200 OK", JSON, &body, Body::Length)
}

/// Builds the response to a handshake and these frames.
fn websocket(request: &str, frames: &[Vec<u8>]) -> Vec<u8> {
    let key = request.split("Sec-WebSocket-Key: ").nth(1).expect("a key");
    let accept = accept_key(&key.as_bytes()[..24]);
    let head = format!(
        "HTTP/1.1 101 \r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {}\r\n\r\n",
        accept.escape_ascii()
    );
    [head.into_bytes(), frames.concat()].concat()
}

#[test]
fn immediate_polls_without_progress_are_backed_off() {
    let padded = [&poll_body(&[], "a-1", false)[..], &vec![b' '; 132_000]].concat();
    let padded = response(0, "200 OK", JSON, &padded, Body::Length);
    let unmodified = response(0, "304 Not Modified", "", b"", Body::UntilEnd);
    type Respond<'a> = &'a dyn Fn(u64) -> Vec<u8>;
    let cases: [(&str, Respond<'_>); 7] = [
        ("the same cursor", &|_| poll_response("a-1", false)),
        ("a repeated gap", &|_| poll_response("a-1", true)),
        ("304", &|_| unmodified.clone()),
        ("two ids in turn", &|number| poll_response(["a-2", "a-3"][number as usize % 2], false)),
        ("two ids in turn with gaps", &|number| poll_response(["a-2", "a-3"][number as usize % 2], true)),
        ("new ids without end", &|number| poll_response(&format!("b-{number}"), true)),
        ("a large response without an event", &|_| padded.clone()),
    ];
    for (name, respond) in cases {
        let count = |resource: &Resource, via| {
            requests_per_hour(via, resource, MILLISECOND, |number, _| respond(number)).expect(name)
        };
        let long = count(&resource(), Transport::LongPoll);
        assert!(BACKED_OFF.contains(&long), "{name}: {long} requests");
        // A poll that asks for no wait is a short poll, with an interval of 3 seconds.
        if name != "a large response without an event" {
            assert_eq!(count(&resource(), Transport::ShortPoll), 1200, "{name}");
            assert_eq!(count(&with(|resource| resource.wait = 0), Transport::LongPoll), 1200, "{name}");
        } else {
            let short = count(&resource(), Transport::ShortPoll);
            assert!(BACKED_OFF.contains(&short), "{name}: {short} requests");
        }
        // Without an interval, only the progress paces the requests.
        let hasty = with(|resource| (resource.interval, resource.wait) = (Duration::ZERO, 0));
        for via in [Transport::ShortPoll, Transport::LongPoll] {
            let requests = count(&hasty, via);
            // The shortest wait that the client takes for that of the server is a second.
            assert!(BACKED_OFF.contains(&requests), "{name}, {via} without an interval: {requests} requests");
        }
    }
}

#[test]
fn connections_that_end_at_once_without_an_event_are_backed_off() {
    type Respond<'a> = &'a dyn Fn(u64, &str) -> Vec<u8>;
    let stream = |content: &str| response(0, "200 OK", STREAM, content.as_bytes(), Body::Chunks(7));
    let hello = |id: &str| frame(1, format!(r#"{{"next":"{id}"}}"#).as_bytes());
    let unavailable = response(0, "503 ", "Retry-After: 0\r\n", b"", Body::Length);
    let (sse, socket) = (Transport::EventStream, Transport::WebSocket);
    let cases: [(&str, Transport, Respond<'_>); 9] = [
        ("an empty stream", sse, &|_, _| stream("")),
        ("a stream with a comment", sse, &|_, _| stream(":\n\n")),
        ("a reconnection time of zero", sse, &|_, _| stream("retry: 0\n\n")),
        ("two ids in turn", sse, &|number, _| stream(&format!("retry: 0\nid: a-{}\n\n", number % 2))),
        ("an end without a frame", socket, &|_, request| websocket(request, &[])),
        ("a first message", socket, &|_, request| websocket(request, &[hello("a-1")])),
        ("two ids in turn", socket, &|number, request| {
            websocket(request, &[hello(["a-2", "a-3"][number as usize % 2]), frame(8, b"")])
        }),
        ("a close frame", socket, &|_, request| websocket(request, &[frame(8, &1000u16.to_be_bytes())])),
        ("an end without a response", socket, &|_, _| Vec::new()),
    ];
    for (name, via, respond) in cases {
        let requests = requests_per_hour(via, &resource(), MILLISECOND, respond).expect(name);
        assert!(BACKED_OFF.contains(&requests), "{name}, {via}: {requests} requests");
    }
    for via in Transport::ALL {
        let requests = requests_per_hour(via, &resource(), MILLISECOND, |_, _| unavailable.clone());
        let requests = requests.expect("temporary");
        assert!(BACKED_OFF.contains(&requests), "503, {via}: {requests} requests");
    }
}

#[test]
fn a_redirection_causes_no_second_request() {
    for via in Transport::ALL {
        for status in [300, 301, 302, 303, 305, 307, 308] {
            let mut requests = 0;
            let error = requests_per_hour(via, &resource(), MILLISECOND, |_, _| {
                requests += 1;
                response(0, &format!("{status} "), "Location: /topics/t\r\n", b"", Body::Length)
            })
            .expect_err("a redirection");
            assert_eq!((requests, error), (1, Error::Redirected { status, location: "/topics/t".into() }));
        }
    }
}

#[test]
fn the_next_long_poll_follows_at_once_after_progress() {
    let per_hour = |latency, respond: &dyn Fn(u64) -> Vec<u8>| {
        requests_per_hour(Transport::LongPoll, &resource(), latency, |number, _| respond(number))
    };
    assert_eq!(per_hour(Duration::from_millis(100), &event_response), Ok(36_000), "an event each");
    // A gap, a new position and then the events: the last request of a restarted server's follower.
    let restarted = |number| match number % 3 {
        0 => poll_response(&format!("a-{number}"), true),
        1 => poll_response(&format!("a-{number}"), false),
        _ => event_response(number),
    };
    assert_eq!(per_hour(Duration::from_millis(100), &restarted), Ok(36_000), "an event for each two moves");
}

#[test]
fn a_server_that_waits_is_polled_at_once() {
    let idle = |_, _: &str| poll_response("a-1", false);
    // The server may grant less than the requested 30 seconds.
    for (latency, expected) in [(30, 120), (5, 720), (1, 3600)] {
        let latency = Duration::from_secs(latency);
        let requests = requests_per_hour(Transport::LongPoll, &resource(), latency, idle);
        assert_eq!(requests, Ok(expected), "{latency:?}");
    }
}

#[test]
fn success_after_an_outage_resets_the_delay() {
    // An outage of ten requests, and then a server that holds each poll for the requested second.
    let resource = with(|resource| resource.wait = 1);
    let mut shared = Shared::new(draws());
    let mut follower = Follower::new(Transport::LongPoll, Since::Id("a-1".into()));
    for _ in 0..10 {
        follower.write_request(&resource, &mut shared, &mut Vec::new()).expect("valid");
        follower.fail(Duration::ZERO, &resource, &mut shared).expect("random bytes");
    }
    follower.write_request(&resource, &mut shared, &mut Vec::new()).expect("valid");
    let second = Duration::from_secs(1);
    let (mut idle, mut out) = (poll_response("a-1", false), Vec::new());
    let next = follower.receive(&mut idle, second, &resource, &mut shared, &mut out, &mut |_| {});
    assert_eq!(next, Ok(Next::Request { after: Duration::ZERO, reuse: true }));
    // The first delay is below 500 ms again.
    let after = follower.fail(Duration::ZERO, &resource, &mut shared).expect("random bytes");
    assert!(after <= resource.backoff.initial, "{after:?}");
}

#[test]
fn a_stream_that_ends_after_each_event_is_reopened_soon_but_not_at_once() {
    let event = |number: u64| format!("retry: 0\nid: a-{number}\ndata: x\n\n");
    let requests = requests_per_hour(Transport::EventStream, &resource(), MILLISECOND, |number, _| {
        response(0, "200 OK", STREAM, event(number).as_bytes(), Body::Length)
    });
    // A quarter of a second on average.
    let requests = requests.expect("events");
    assert!((12_000..16_000).contains(&requests), "{requests} requests");
}
