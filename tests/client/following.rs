//! Following over sockets: barewire on all four transports, and servers that are unavailable,
//! silent or not barewire.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use barewire::client::follow::{Error, Resource, Since, Transport};
use barewire::client::{FollowError, Publisher, Update};
use barewire::protocol::http::ResponseError;
use barewire::protocol::websocket::client_handshake::ClientHandshakeError;
use barewire::protocol::websocket::server_handshake::accept_key;
use barewire::server::Options;

use crate::servers::{Barewire, data, follow, head, next, scripted};

const JSON: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
const STREAM: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";

fn publisher(url: &str) -> Publisher {
    Publisher::new(Resource::new(url, None, &[]).expect("a URL"))
}

fn open_websocket(stream: &mut TcpStream) {
    let head = head(stream);
    let key = head.split("Sec-WebSocket-Key: ").nth(1).expect("a key")[..24].to_owned();
    let accept = String::from_utf8(accept_key(key.as_bytes()).to_vec()).expect("base64");
    let response = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
    stream
        .write_all(format!("{response}Sec-WebSocket-Accept: {accept}\r\n\r\n").as_bytes())
        .expect("the client reads");
}

#[test]
fn all_transports_deliver_the_same_events_and_accept_each_others_ids() {
    let server = Barewire::start();
    let url = server.url("t");
    let mut publisher = publisher(&url);
    let ids: Vec<String> =
        ["one", "two\n2", "é😀"].map(|data| publisher.publish(data).expect("published")).into();
    let mut since = ids[0].clone();
    for via in Transport::ALL {
        let mut from_start = follow(&url, &[via], Since::Start, |_, _| {});
        assert_eq!(next(&mut from_start), Ok(Update::Opened(via)));
        let received = [(); 3].map(|()| match next(&mut from_start) {
            Ok(Update::Event(event)) => (event.id, event.event, event.data),
            other => panic!("{via}: {other:?}"),
        });
        assert_eq!(received.clone().map(|(id, _, _)| id).to_vec(), ids, "{via}");
        assert_eq!(
            received.map(|(_, event, data)| (event, data))[1],
            ("message".into(), "two\n2".into()),
            "{via}"
        );

        // Each transport resumes after an id from the previous one.
        let mut resumed = follow(&url, &[via], Since::Id(since.clone()), |_, _| {});
        assert_eq!(data(&mut resumed), if since == ids[0] { "two\n2" } else { "é😀" }, "{via}");
        since = ids[1].clone();
    }
}

#[test]
fn following_from_now_delivers_new_events_only() {
    let server = Barewire::start();
    let url = server.url("t");
    let mut publisher = publisher(&url);
    publisher.publish("before").expect("published");
    for via in Transport::ALL {
        let mut follow = follow(&url, &[via], Since::Now, |_, _| {});
        assert_eq!(next(&mut follow), Ok(Update::Opened(via)));
        for text in ["x", "y"] {
            publisher.publish(text).expect("published");
            assert_eq!(data(&mut follow), text, "{via}");
        }
        let traffic = follow.traffic();
        assert_eq!((traffic.events, traffic.data_down, follow.connections()), (2, 2, 1), "{via}");
    }
}

#[test]
fn a_follower_survives_a_restart_and_reports_the_gap() {
    for via in Transport::ALL {
        // The client does not read while the server drains, so the server waits until these
        // timeouts elapse.
        let short_timeouts = |options: &mut Options| {
            (options.close_timeout, options.linger, options.policy.retry) = (1, 1, 50);
        };
        let server = Barewire::with(|options| {
            short_timeouts(options);
            // No other test uses this address, so its port stays free.
            options.listen = ([127, 0, 0, 79], 0).into();
        });
        let (address, url) = (server.address, server.url("t"));
        let first = publisher(&url).publish("first").expect("published");
        let mut follow = follow(&url, &[via], Since::Start, |_, _| {});
        assert_eq!(next(&mut follow), Ok(Update::Opened(via)));
        assert_eq!(data(&mut follow), "first");
        drop(server);
        let server = Barewire::with(|options| {
            short_timeouts(options);
            options.listen = address;
        });
        publisher(&server.url("t")).publish("second").expect("published");
        let mut updates = Vec::new();
        let gap = loop {
            match next(&mut follow).expect("the follower reconnects") {
                Update::Gap { since, oldest } => break (since, oldest.is_some()),
                Update::Event(event) => panic!("{via}: {event:?} before the gap"),
                other => updates.push(other),
            }
        };
        assert_eq!(gap, (first, true), "{via}");
        // A poll may reach the new server without noticing that the old one is gone.
        assert!(
            matches!(via, Transport::ShortPoll | Transport::LongPoll)
                || updates.contains(&Update::Opened(via)),
            "{updates:?}"
        );
        assert_eq!(data(&mut follow), "second", "{via}");
    }
}

#[test]
fn a_follower_waits_for_the_retry_time_of_a_drain() {
    let server = Barewire::with(|options| {
        options.policy.retry = 700;
    });
    let mut follow = follow(&server.url("t"), &[Transport::EventStream], Since::Now, |_, _| {});
    assert_eq!(next(&mut follow), Ok(Update::Opened(Transport::EventStream)));
    drop(server);
    match next(&mut follow) {
        Ok(Update::Disconnected { retry_in, .. }) => {
            assert!(retry_in >= Duration::from_millis(700), "{retry_in:?}")
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_refusal_ends_following_with_the_reason_of_the_server() {
    let server = Barewire::with(|options| {
        options.policy.access.follow_token = Some("follow-me".into());
        options.policy.access.publish_token = Some("tell-me".into());
    });
    for via in Transport::ALL {
        let mut without = follow(&server.url("t"), &[via], Since::Now, |_, _| {});
        match next(&mut without) {
            Err(FollowError::Fatal(Error::Refused { status: 401, detail: Some(_) })) => {}
            other => panic!("{via}: {other:?}"),
        }
        assert!(next(&mut without).is_err(), "the error is permanent");
        let mut nowhere =
            follow(&format!("http://{}/nowhere", server.address), &[via], Since::Now, |_, _| {});
        match next(&mut nowhere) {
            Err(FollowError::Fatal(Error::Refused { status: 404, .. })) => {}
            other => panic!("{via}: {other:?}"),
        }
        let mut with = follow(&server.url("t"), &[via], Since::Now, |resource, _| {
            let url = format!("http://{}/topics/t", server.address);
            *resource = Resource::new(&url, Some("follow-me"), &[]).expect("valid");
        });
        assert_eq!(next(&mut with), Ok(Update::Opened(via)));
    }
    // A missing token does not depend on the transport, so the client does not fall back.
    let mut follow_in_turn =
        follow(&server.url("t"), &[Transport::WebSocket, Transport::LongPoll], Since::Now, |_, _| {});
    assert!(matches!(next(&mut follow_in_turn), Err(FollowError::Fatal(Error::Refused { status: 401, .. }))));
    let foreign =
        Resource::new(&server.url("t"), Some("tell-me"), &[("Origin", "http://x.example")]).expect("valid");
    let mut foreign =
        follow(&server.url("t"), &[Transport::WebSocket], Since::Now, |resource, _| *resource = foreign);
    assert!(matches!(next(&mut foreign), Err(FollowError::Fatal(Error::Refused { status: 403, .. }))));
}

#[test]
fn falls_back_to_the_next_transport_if_one_is_not_supported() {
    // This server ignores the upgrade and the Accept field: every response is JSON.
    let (url, server) = scripted(|before, stream| {
        let head = head(stream);
        let body = r#"{"events":[],"next":"a-0"}"#;
        match before {
            0 => assert!(head.contains("\r\nUpgrade: websocket\r\n"), "{head}"),
            1 => assert!(head.contains("\r\nAccept: text/event-stream\r\n"), "{head}"),
            _ => assert!(head.contains("\r\nAccept: application/json\r\n"), "{head}"),
        }
        let response = format!("{JSON}Content-Length: {}\r\n\r\n{body}", body.len());
        stream.write_all(response.as_bytes()).expect("the client reads");
        before < 2
    });
    let order = [Transport::WebSocket, Transport::EventStream, Transport::LongPoll];
    let mut follow = follow(&url, &order, Since::Now, |_, _| {});
    let reason = Error::Handshake(ClientHandshakeError::Status(200));
    let (from, to) = (Transport::WebSocket, Transport::EventStream);
    assert_eq!(next(&mut follow), Ok(Update::FellBack { from, to, reason }));
    let received = Some("application/json".into());
    let reason = Error::ContentType { expected: "text/event-stream", received };
    assert_eq!(next(&mut follow), Ok(Update::FellBack { from: to, to: Transport::LongPoll, reason }));
    assert_eq!(next(&mut follow), Ok(Update::Opened(Transport::LongPoll)));
    assert_eq!((follow.via(), follow.cursor()), (Transport::LongPoll, Some("a-0")));
    server.join().expect("the script succeeds");
}

#[test]
fn does_not_fall_back_because_the_server_is_unavailable() {
    let (url, server) = scripted(|before, stream| {
        let head = head(stream);
        assert!(head.contains("\r\nUpgrade: websocket\r\n"), "{head}");
        let unavailable = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n";
        match before {
            0 => stream.write_all(unavailable.as_bytes()).expect("the client reads"),
            1 => {} // ends the connection
            _ => stream.write_all(b"HTTP/1.1 426 \r\nContent-Length: 0\r\n\r\n").expect("the client reads"),
        }
        before < 2
    });
    let mut follow = follow(&url, &[Transport::WebSocket, Transport::LongPoll], Since::Now, |_, _| {});
    let started = Instant::now();
    match next(&mut follow) {
        Ok(Update::Disconnected { reason, retry_in }) => {
            assert!(reason.contains("503") && retry_in >= Duration::from_secs(1), "{reason} {retry_in:?}");
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(next(&mut follow), Ok(Update::Disconnected { .. })));
    assert!(started.elapsed() >= Duration::from_secs(1), "the follower waited for Retry-After");
    assert!(matches!(next(&mut follow), Ok(Update::FellBack { to: Transport::LongPoll, .. })));
    server.join().expect("the script succeeds");
}

#[test]
fn detects_a_server_that_went_silent() {
    for via in [Transport::EventStream, Transport::WebSocket, Transport::LongPoll] {
        let (sender, receiver) = mpsc::channel();
        let (url, server) = scripted(move |_, stream| {
            match via {
                Transport::WebSocket => open_websocket(stream),
                Transport::EventStream => {
                    head(stream);
                    stream.write_all(STREAM).expect("the client reads");
                }
                _ => drop(head(stream)),
            }
            // Everything that the client sends until it closes the connection.
            let mut received = Vec::new();
            let _ = stream.read_to_end(&mut received);
            sender.send(received).expect("the test waits");
            false
        });
        let mut follow = follow(&url, &[via], Since::Id("a-1".into()), |resource, options| {
            resource.wait = 0;
            options.idle_timeout = Duration::from_millis(1500);
            options.connect_timeout = Duration::from_millis(1500);
        });
        if via != Transport::LongPoll {
            assert_eq!(next(&mut follow), Ok(Update::Opened(via)));
        }
        match next(&mut follow) {
            Ok(Update::Disconnected { reason, .. }) => assert!(reason.contains("silent"), "{via}: {reason}"),
            other => panic!("{via}: {other:?}"),
        }
        let received = receiver.recv().expect("the script succeeds");
        let is_pinged = received.starts_with(&[0x89, 0x80]);
        assert_eq!(is_pinged, via == Transport::WebSocket, "{via}: {received:x?}");
        server.join().expect("the script succeeds");
    }
}

#[test]
fn heartbeats_and_pings_keep_an_idle_stream_open() {
    let server = Barewire::with(|options| {
        (options.heartbeat, options.ping_interval) = (1, 1);
    });
    let followers = [Transport::EventStream, Transport::WebSocket].map(|via| {
        let url = server.url("t");
        thread::spawn(move || {
            let idle_timeout = Duration::from_secs(5);
            let mut follow =
                follow(&url, &[via], Since::Now, |_, options| options.idle_timeout = idle_timeout);
            assert_eq!(next(&mut follow), Ok(Update::Opened(via)));
            let until = Instant::now() + idle_timeout + Duration::from_secs(2);
            assert_eq!(follow.next_until(Some(until)), Ok(None), "{via}");
            assert_eq!(follow.connections(), 1);
        })
    });
    for follower in followers {
        follower.join().expect("the stream stays open");
    }
}

#[test]
fn a_connection_that_ended_between_two_polls_is_replaced_without_an_update() {
    let (url, server) = scripted(|before, stream| {
        head(stream);
        let id = before + 1;
        let body = format!(r#"{{"events":[{{"id":"a-{id}","event":"m","data":"{id}"}}],"next":"a-{id}"}}"#);
        let response = format!("{JSON}Content-Length: {}\r\n\r\n{body}", body.len());
        stream.write_all(response.as_bytes()).expect("the client reads");
        before < 2 // ends the connection without having announced it
    });
    let mut follow = follow(&url, &[Transport::ShortPoll], Since::Start, |_, _| {});
    assert_eq!(next(&mut follow), Ok(Update::Opened(Transport::ShortPoll)));
    for expected in ["1", "2", "3"] {
        match next(&mut follow) {
            Ok(Update::Event(event)) => assert_eq!(event.data, expected),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(follow.connections(), 3);
    server.join().expect("the script succeeds");
}

#[test]
fn immediate_long_poll_responses_without_progress_cause_no_busy_loop() {
    for body in [r#"{"events":[],"next":"a-1"}"#, r#"{"events":[],"next":"a-1","gap":true}"#] {
        let (sender, receiver) = mpsc::channel();
        let (url, server) = scripted(move |_, stream| {
            let response = format!("{JSON}Content-Length: {}\r\n\r\n{body}", body.len());
            let mut requests = 0;
            while !head(stream).is_empty() {
                requests += 1;
                stream.write_all(response.as_bytes()).expect("the client reads");
            }
            sender.send(requests).expect("the test waits");
            false
        });
        let mut follow = follow(&url, &[Transport::LongPoll], Since::Id("a-1".into()), |_, _| {});
        assert_eq!(next(&mut follow), Ok(Update::Opened(Transport::LongPoll)));
        let until = Instant::now() + Duration::from_secs(1);
        while let Some(update) = follow.next_until(Some(until)).expect("no error") {
            assert!(matches!(update, Update::Gap { .. }), "{update:?}");
        }
        drop(follow);
        let requests = receiver.recv().expect("the script succeeds");
        assert!((1..200).contains(&requests), "{requests} requests for {body}");
        server.join().expect("the script succeeds");
    }
}

#[test]
fn an_invalid_response_is_an_error() {
    for (response, error) in [
        (&b"220 mail.example ESMTP\r\n"[..], Error::Head(ResponseError::NotHttp)),
        (
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n[]",
            Error::UnexpectedJson,
        ),
    ] {
        let (url, server) = scripted(move |_, stream| {
            head(stream);
            // One byte at a time.
            for byte in response {
                let _ = stream.write_all(&[*byte]);
                let _ = stream.flush();
            }
            false
        });
        let mut follow = follow(&url, &[Transport::ShortPoll], Since::Start, |_, _| {});
        let reported = next(&mut follow);
        match (reported, error) {
            (Err(FollowError::Fatal(reported)), Error::UnexpectedJson) => {
                assert!(matches!(reported, Error::Json(_)), "{reported}")
            }
            (reported, error) => assert_eq!(reported, Err(FollowError::Fatal(error))),
        }
        server.join().expect("the script succeeds");
    }
}

#[test]
fn gives_up_on_an_unreachable_server() {
    // No other test uses this address, so its port stays free.
    let listener = std::net::TcpListener::bind("127.0.0.78:0").expect("a free port");
    let url = format!("http://{}/topics/t", listener.local_addr().expect("a listening socket"));
    drop(listener);
    let started = Instant::now();
    let mut follow =
        follow(&url, &[Transport::WebSocket, Transport::EventStream], Since::Now, |_, options| {
            options.give_up_after = Some(Duration::from_millis(500));
        });
    let last =
        follow.find(|update| !matches!(update, Ok(Update::Disconnected { .. }))).expect("following ends");
    assert!(matches!(last, Err(FollowError::GaveUp(_))), "{last:?}");
    assert!(started.elapsed() >= Duration::from_millis(500));
    assert!(follow.next().is_none(), "the error is the last item");
}

#[test]
fn a_dropped_follower_sends_a_close_frame() {
    let (sender, receiver) = mpsc::channel();
    let (url, server) = scripted(move |_, stream| {
        open_websocket(stream);
        let mut received = Vec::new();
        let _ = stream.read_to_end(&mut received);
        sender.send(received).expect("the test waits");
        false
    });
    let mut follow = follow(&url, &[Transport::WebSocket], Since::Now, |_, _| {});
    assert_eq!(next(&mut follow), Ok(Update::Opened(Transport::WebSocket)));
    drop(follow);
    let received = receiver.recv().expect("the script succeeds");
    assert_eq!(received[..2], [0x88, 0x82], "a masked close frame with a code");
    server.join().expect("the script succeeds");
}

#[test]
fn simultaneous_followers_receive_every_event() {
    let server = Barewire::start();
    let url = server.url("t");
    let followers: Vec<_> = Transport::ALL
        .into_iter()
        .map(|via| {
            let url = url.clone();
            thread::spawn(move || {
                let mut follow = follow(&url, &[via], Since::Start, |_, _| {});
                (0..2000).map(|_| data(&mut follow)).collect::<Vec<_>>()
            })
        })
        .collect();
    let mut publisher = publisher(&url);
    let texts: Vec<String> =
        (0..2000).map(|number| format!("{number} {}", "x".repeat(number % 300))).collect();
    for lines in texts.chunks(100) {
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        assert_eq!(publisher.publish_lines(&lines).expect("published").len(), 100);
    }
    for follower in followers {
        assert!(follower.join().expect("it gets all") == texts);
    }
}

#[test]
fn follows_every_event_that_the_server_can_be_told_to_accept() {
    const LENGTH: usize = 1_500_000;
    let server = Barewire::with(|options| options.policy.event_bytes = LENGTH);
    let url = server.url("t");
    // The encodings expand these: the length of a line, the number of lines, the escapes of JSON.
    let texts = ["x".repeat(LENGTH), "\n".repeat(LENGTH), "\u{1}".repeat(LENGTH)];
    let mut publisher = publisher(&url);
    for text in &texts {
        publisher.publish(text).expect("published");
    }
    for via in Transport::ALL {
        let mut follow = follow(&url, &[via], Since::Start, |_, _| {});
        for text in &texts {
            assert!(data(&mut follow) == *text, "{via}");
        }
    }
}

#[test]
fn a_server_of_empty_event_streams_is_reported_and_given_up() {
    let (url, server) = scripted(|_, stream| {
        if head(stream).is_empty() {
            return false;
        }
        stream.write_all(STREAM).expect("the client reads");
        // The client reads the head before the end arrives.
        thread::sleep(Duration::from_millis(20));
        true
    });
    let mut follow = follow(&url, &[Transport::EventStream], Since::Now, |_, options| {
        options.give_up_after = Some(Duration::from_millis(500));
    });
    let reason = "the server ended the event stream before its first byte";
    assert_eq!(next(&mut follow), Ok(Update::Opened(Transport::EventStream)));
    match next(&mut follow) {
        Ok(Update::Disconnected { reason: reported, .. }) => assert_eq!(reported, reason),
        other => panic!("{other:?}"),
    }
    let end = follow.find_map(Result::err);
    assert_eq!(end, Some(FollowError::GaveUp(reason.into())));
    drop(TcpStream::connect(url[7..].split('/').next().expect("an address")));
    server.join().expect("the script succeeds");
}
