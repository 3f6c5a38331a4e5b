//! Following over sockets: barewire in all four ways, and servers that are away, silent, or something else.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use barewire::client::follow::{Error, Resource, Since, Via};
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
    let answer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
    stream.write_all(format!("{answer}Sec-WebSocket-Accept: {accept}\r\n\r\n").as_bytes()).expect("it reads");
}

#[test]
fn all_transports_get_the_same_events_and_take_each_others_ids() {
    let server = Barewire::start();
    let url = server.url("t");
    let mut publisher = publisher(&url);
    let ids: Vec<String> =
        ["one", "two\n2", "é😀"].map(|data| publisher.publish(data).expect("published")).into();
    let mut since = ids[0].clone();
    for via in Via::ALL {
        let mut from_start = follow(&url, &[via], Since::Start, |_, _| {});
        assert_eq!(next(&mut from_start), Ok(Update::Opened(via)));
        let told = [(); 3].map(|()| match next(&mut from_start) {
            Ok(Update::Event(event)) => (event.id, event.event, event.data),
            other => panic!("{via}: {other:?}"),
        });
        assert_eq!(told.clone().map(|(id, _, _)| id).to_vec(), ids, "{via}");
        assert_eq!(
            told.map(|(_, event, data)| (event, data))[1],
            ("message".into(), "two\n2".into()),
            "{via}"
        );

        // What the one before had last is where this one goes on.
        let mut resumed = follow(&url, &[via], Since::Id(since.clone()), |_, _| {});
        assert_eq!(data(&mut resumed), if since == ids[0] { "two\n2" } else { "é😀" }, "{via}");
        since = ids[1].clone();
    }
}

#[test]
fn who_follows_from_now_on_gets_what_comes() {
    let server = Barewire::start();
    let url = server.url("t");
    let mut publisher = publisher(&url);
    publisher.publish("before").expect("published");
    for via in Via::ALL {
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
fn a_restart_is_survived_and_its_gap_is_told() {
    for via in Via::ALL {
        // Nobody reads while the server ends, so it waits in vain for an answer.
        let impatient = |options: &mut Options| {
            (options.close_timeout, options.linger, options.policy.retry) = (1, 1, 50);
        };
        let server = Barewire::with(|options| {
            impatient(options);
            // No other test's address: its port stays free.
            options.listen = ([127, 0, 0, 79], 0).into();
        });
        let (address, url) = (server.address, server.url("t"));
        let first = publisher(&url).publish("first").expect("published");
        let mut follow = follow(&url, &[via], Since::Start, |_, _| {});
        assert_eq!(next(&mut follow), Ok(Update::Opened(via)));
        assert_eq!(data(&mut follow), "first");
        drop(server);
        let server = Barewire::with(|options| {
            impatient(options);
            options.listen = address;
        });
        publisher(&server.url("t")).publish("second").expect("published");
        let mut told = Vec::new();
        let gap = loop {
            match next(&mut follow).expect("it comes back") {
                Update::Gap { since, oldest } => break (since, oldest.is_some()),
                Update::Event(event) => panic!("{via}: {event:?} before the gap"),
                other => told.push(other),
            }
        };
        assert_eq!(gap, (first, true), "{via}");
        // A poll may have found the new server before it knew that the old one had gone.
        assert!(
            matches!(via, Via::ShortPoll | Via::LongPoll) || told.contains(&Update::Opened(via)),
            "{told:?}"
        );
        assert_eq!(data(&mut follow), "second", "{via}");
    }
}

#[test]
fn a_drain_says_when_to_come_again_and_is_obeyed() {
    let server = Barewire::with(|options| {
        options.policy.retry = 700;
    });
    let mut follow = follow(&server.url("t"), &[Via::EventStream], Since::Now, |_, _| {});
    assert_eq!(next(&mut follow), Ok(Update::Opened(Via::EventStream)));
    drop(server);
    match next(&mut follow) {
        Ok(Update::Disconnected { retry_in, .. }) => {
            assert!(retry_in >= Duration::from_millis(700), "{retry_in:?}")
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_refusal_ends_it_with_what_the_server_says() {
    let server = Barewire::with(|options| {
        options.policy.access.follow_token = Some("follow-me".into());
        options.policy.access.publish_token = Some("tell-me".into());
    });
    for via in Via::ALL {
        let mut without = follow(&server.url("t"), &[via], Since::Now, |_, _| {});
        match next(&mut without) {
            Err(FollowError::Fatal(Error::Refused { status: 401, detail: Some(_) })) => {}
            other => panic!("{via}: {other:?}"),
        }
        assert!(next(&mut without).is_err(), "it stays so");
        let mut nowhere =
            follow(&format!("http://{}/nowhere", server.address), &[via], Since::Now, |_, _| {});
        match next(&mut nowhere) {
            Err(FollowError::Fatal(Error::Refused { status: 404, .. })) => {}
            other => panic!("{via}: {other:?}"),
        }
        let mut with = follow(&server.url("t"), &[via], Since::Now, |resource, _| {
            let url = format!("http://{}/topics/t", server.address);
            *resource = Resource::new(&url, Some("follow-me"), &[]).expect("right");
        });
        assert_eq!(next(&mut with), Ok(Update::Opened(via)));
    }
    // A token is no matter of the transport.
    let mut follow_in_turn =
        follow(&server.url("t"), &[Via::WebSocket, Via::LongPoll], Since::Now, |_, _| {});
    assert!(matches!(next(&mut follow_in_turn), Err(FollowError::Fatal(Error::Refused { status: 401, .. }))));
    let foreign =
        Resource::new(&server.url("t"), Some("tell-me"), &[("Origin", "http://x.example")]).expect("right");
    let mut foreign =
        follow(&server.url("t"), &[Via::WebSocket], Since::Now, |resource, _| *resource = foreign);
    assert!(matches!(next(&mut foreign), Err(FollowError::Fatal(Error::Refused { status: 403, .. }))));
}

#[test]
fn the_next_transport_is_tried_where_one_is_not_to_be_had() {
    // Knows no upgrade, and answers what stands there otherwise; has no streams either.
    let (url, server) = scripted(|before, stream| {
        let head = head(stream);
        let body = r#"{"events":[],"next":"a-0"}"#;
        match before {
            0 => assert!(head.contains("\r\nUpgrade: websocket\r\n"), "{head}"),
            1 => assert!(head.contains("\r\nAccept: text/event-stream\r\n"), "{head}"),
            _ => assert!(head.contains("\r\nAccept: application/json\r\n"), "{head}"),
        }
        let answer = format!("{JSON}Content-Length: {}\r\n\r\n{body}", body.len());
        stream.write_all(answer.as_bytes()).expect("it reads");
        before < 2
    });
    let order = [Via::WebSocket, Via::EventStream, Via::LongPoll];
    let mut follow = follow(&url, &order, Since::Now, |_, _| {});
    let reason = Error::Handshake(ClientHandshakeError::Status(200));
    let (from, to) = (Via::WebSocket, Via::EventStream);
    assert_eq!(next(&mut follow), Ok(Update::FellBack { from, to, reason }));
    let reason = Error::ContentType { expected: "text/event-stream" };
    assert_eq!(next(&mut follow), Ok(Update::FellBack { from: to, to: Via::LongPoll, reason }));
    assert_eq!(next(&mut follow), Ok(Update::Opened(Via::LongPoll)));
    assert_eq!((follow.via(), follow.cursor()), (Via::LongPoll, Some("a-0")));
    server.join().expect("the script is played");
}

#[test]
fn a_server_that_is_away_is_no_reason_for_another_transport() {
    let (url, server) = scripted(|before, stream| {
        let head = head(stream);
        assert!(head.contains("\r\nUpgrade: websocket\r\n"), "{head}");
        let away = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n";
        match before {
            0 => stream.write_all(away.as_bytes()).expect("it reads"),
            1 => {} // it just ends
            _ => stream.write_all(b"HTTP/1.1 426 \r\nContent-Length: 0\r\n\r\n").expect("it reads"),
        }
        before < 2
    });
    let mut follow = follow(&url, &[Via::WebSocket, Via::LongPoll], Since::Now, |_, _| {});
    let started = Instant::now();
    match next(&mut follow) {
        Ok(Update::Disconnected { reason, retry_in }) => {
            assert!(reason.contains("503") && retry_in >= Duration::from_secs(1), "{reason} {retry_in:?}");
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(next(&mut follow), Ok(Update::Disconnected { .. })));
    assert!(started.elapsed() >= Duration::from_secs(1), "it has waited");
    assert!(matches!(next(&mut follow), Ok(Update::FellBack { to: Via::LongPoll, .. })));
    server.join().expect("the script is played");
}

#[test]
fn a_server_that_has_gone_without_a_word_is_found() {
    for via in [Via::EventStream, Via::WebSocket, Via::LongPoll] {
        let (tell, told) = mpsc::channel();
        let (url, server) = scripted(move |_, stream| {
            match via {
                Via::WebSocket => open_websocket(stream),
                Via::EventStream => {
                    head(stream);
                    stream.write_all(STREAM).expect("it reads");
                }
                _ => drop(head(stream)),
            }
            // All that the client says until it gives up.
            let mut said = Vec::new();
            let _ = stream.read_to_end(&mut said);
            tell.send(said).expect("the test waits for it");
            false
        });
        let mut follow = follow(&url, &[via], Since::Id("a-1".into()), |resource, plan| {
            resource.wait = 0;
            plan.idle_timeout = Duration::from_millis(1500);
            plan.connect_timeout = Duration::from_millis(1500);
        });
        if via != Via::LongPoll {
            assert_eq!(next(&mut follow), Ok(Update::Opened(via)));
        }
        match next(&mut follow) {
            Ok(Update::Disconnected { reason, .. }) => assert!(reason.contains("silent"), "{via}: {reason}"),
            other => panic!("{via}: {other:?}"),
        }
        let said = told.recv().expect("the script is played");
        let is_pinged = said.starts_with(&[0x89, 0x80]);
        assert_eq!(is_pinged, via == Via::WebSocket, "{via}: {said:x?}");
        server.join().expect("the script is played");
    }
}

#[test]
fn heartbeats_and_pings_keep_a_silent_stream() {
    let server = Barewire::with(|options| {
        (options.heartbeat, options.ping_interval) = (1, 1);
    });
    let followers = [Via::EventStream, Via::WebSocket].map(|via| {
        let url = server.url("t");
        thread::spawn(move || {
            let silence = Duration::from_secs(5);
            let mut follow = follow(&url, &[via], Since::Now, |_, plan| plan.idle_timeout = silence);
            assert_eq!(next(&mut follow), Ok(Update::Opened(via)));
            let until = Instant::now() + silence + Duration::from_secs(2);
            assert_eq!(follow.next_until(Some(until)), Ok(None), "{via}");
            assert_eq!(follow.connections(), 1);
        })
    });
    for follower in followers {
        follower.join().expect("nothing happens");
    }
}

#[test]
fn a_connection_that_ended_between_two_polls_is_no_news() {
    let (url, server) = scripted(|before, stream| {
        head(stream);
        let id = before + 1;
        let body = format!(r#"{{"events":[{{"id":"a-{id}","event":"m","data":"{id}"}}],"next":"a-{id}"}}"#);
        let answer = format!("{JSON}Content-Length: {}\r\n\r\n{body}", body.len());
        stream.write_all(answer.as_bytes()).expect("it reads");
        before < 2 // and ends it, though it did not say so
    });
    let mut follow = follow(&url, &[Via::ShortPoll], Since::Start, |_, _| {});
    assert_eq!(next(&mut follow), Ok(Update::Opened(Via::ShortPoll)));
    for expected in ["1", "2", "3"] {
        match next(&mut follow) {
            Ok(Update::Event(event)) => assert_eq!(event.data, expected),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(follow.connections(), 3);
    server.join().expect("the script is played");
}

#[test]
fn a_long_poll_that_is_answered_at_once_is_no_busy_loop() {
    let (url, server) = scripted(|_, stream| {
        let body = r#"{"events":[],"next":"a-1"}"#;
        let answer = format!("{JSON}Content-Length: {}\r\n\r\n{body}", body.len());
        let mut requests = 0;
        while !head(stream).is_empty() {
            requests += 1;
            stream.write_all(answer.as_bytes()).expect("it reads");
        }
        assert!((1..200).contains(&requests), "{requests} requests");
        false
    });
    let mut follow = follow(&url, &[Via::LongPoll], Since::Id("a-1".into()), |_, _| {});
    assert_eq!(next(&mut follow), Ok(Update::Opened(Via::LongPoll)));
    let until = Instant::now() + Duration::from_secs(1);
    assert_eq!(follow.next_until(Some(until)), Ok(None));
    drop(follow);
    server.join().expect("the script is played");
}

#[test]
fn what_is_no_answer_at_all_is_an_error() {
    for (answer, error) in [
        (&b"220 mail.example ESMTP\r\n"[..], Error::Head(ResponseError::NotHttp)),
        (
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n[]",
            Error::UnexpectedJson,
        ),
    ] {
        let (url, server) = scripted(move |_, stream| {
            head(stream);
            // One byte at a time.
            for byte in answer {
                let _ = stream.write_all(&[*byte]);
                let _ = stream.flush();
            }
            false
        });
        let mut follow = follow(&url, &[Via::ShortPoll], Since::Start, |_, _| {});
        let told = next(&mut follow);
        match (told, error) {
            (Err(FollowError::Fatal(told)), Error::UnexpectedJson) => {
                assert!(matches!(told, Error::Json(_)), "{told}")
            }
            (told, error) => assert_eq!(told, Err(FollowError::Fatal(error))),
        }
        server.join().expect("the script is played");
    }
}

#[test]
fn a_server_that_never_comes_is_given_up() {
    // No other test's address: its port stays free.
    let listener = std::net::TcpListener::bind("127.0.0.78:0").expect("a free port");
    let url = format!("http://{}/topics/t", listener.local_addr().expect("it listens"));
    drop(listener);
    let started = Instant::now();
    let mut follow = follow(&url, &[Via::WebSocket, Via::EventStream], Since::Now, |_, plan| {
        plan.give_up_after = Some(Duration::from_millis(500));
    });
    let last = follow.find(|news| !matches!(news, Ok(Update::Disconnected { .. }))).expect("it ends");
    assert!(matches!(last, Err(FollowError::GaveUp(_))), "{last:?}");
    assert!(started.elapsed() >= Duration::from_millis(500));
    assert!(follow.next().is_none(), "an error is the last of it");
}

#[test]
fn a_follower_that_is_dropped_says_good_bye() {
    let (tell, told) = mpsc::channel();
    let (url, server) = scripted(move |_, stream| {
        open_websocket(stream);
        let mut said = Vec::new();
        let _ = stream.read_to_end(&mut said);
        tell.send(said).expect("the test waits for it");
        false
    });
    let mut follow = follow(&url, &[Via::WebSocket], Since::Now, |_, _| {});
    assert_eq!(next(&mut follow), Ok(Update::Opened(Via::WebSocket)));
    drop(follow);
    let said = told.recv().expect("the script is played");
    assert_eq!(said[..2], [0x88, 0x82], "a close frame, masked, with a code");
    server.join().expect("the script is played");
}

#[test]
fn many_at_once_get_all_of_it() {
    let server = Barewire::start();
    let url = server.url("t");
    let followers: Vec<_> = Via::ALL
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
