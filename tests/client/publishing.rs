//! Publishing over sockets.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::sync::mpsc;
use std::time::Duration;

use barewire::client::follow::{Error, Resource};
use barewire::client::{PublishError, Publisher, publish};

use crate::servers::{Barewire, request, scripted};

fn publisher(url: &str) -> Publisher {
    Publisher::new(Resource::new(url, None, &[]).expect("a URL"))
}

/// Whether it is the error that was to come.
type Judge = fn(&PublishError) -> bool;

const CREATED: &[u8] =
    b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n{\"id\":\"a-1\"}";

#[test]
fn one_connection_serves_many_events() {
    let (url, server) = scripted(|_, stream| {
        for expected in ["one", "two", ""] {
            let (head, content) = request(stream);
            assert!(head.starts_with("POST /topics/t?event=a%20b%26c HTTP/1.1\r\n"), "{head}");
            assert_eq!(content, expected);
            // In chunks, cut in the middle, behind an interim answer.
            stream
                .write_all(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Type: app")
                .unwrap();
            stream.flush().unwrap();
            let rest = b"lication/json\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"id\"\r\n7\r\n:\"a-1\"}\r\n0\r\n\r\n";
            stream.write_all(rest).unwrap();
        }
        false
    });
    let mut publisher = publisher(&url);
    publisher.event = Some("a b&c".into());
    for data in ["one", "two", ""] {
        assert_eq!(publisher.publish(data).expect("published"), "a-1");
    }
    server.join().expect("the script is played");
}

#[test]
fn a_connection_that_has_ended_meanwhile_is_not_used_again() {
    let (tell, told) = mpsc::channel();
    let (url, server) = scripted(move |before, stream| {
        request(stream);
        stream.write_all(CREATED).unwrap();
        stream.shutdown(Shutdown::Both).unwrap();
        tell.send(()).unwrap();
        before < 1
    });
    let mut publisher = publisher(&url);
    publisher.publish("one").expect("published");
    told.recv().expect("the first connection has ended");
    publisher.publish("two").expect("published, over a new connection");
    server.join().expect("the script is played");
}

#[test]
fn what_becomes_of_an_event_is_said() {
    let answers: [(&[u8], Judge); 6] = [
        (b"", |error| matches!(error, PublishError::NoResponse(_))),
        (b"HTTP/1.1 201 Created\r\nContent-Le", |error| matches!(error, PublishError::NoResponse(_))),
        (
            b"HTTP/1.1 503 Busy\r\nRetry-After: 3\r\nContent-Length: 0\r\n\r\n",
            |error| matches!(error, PublishError::Unavailable { status: 503, retry_after } if retry_after.as_secs() == 3),
        ),
        (b"HTTP/1.1 413 Large\r\nContent-Length: 0\r\n\r\n", |error| {
            matches!(error, PublishError::Refused(Error::Refused { status: 413, .. }))
        }),
        (b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}", |error| {
            matches!(error, PublishError::Refused(Error::UnexpectedJson))
        }),
        (b"What?\r\n", |error| matches!(error, PublishError::Refused(Error::Head(_)))),
    ];
    for (answer, is_right) in answers {
        let (url, server) = scripted(move |_, stream| {
            request(stream);
            stream.write_all(answer).unwrap();
            false
        });
        let error = publisher(&url).publish("x").expect_err("it is not published");
        assert!(is_right(&error), "{}: {error:?}", answer.escape_ascii());
        server.join().expect("the script is played");
    }
    let (url, server) = scripted(|_, stream| {
        request(stream);
        let _ = stream.read(&mut [0]); // until the client gives up
        false
    });
    let mut publisher = publisher(&url);
    publisher.timeout = Duration::from_millis(1000);
    assert!(matches!(publisher.publish("x"), Err(PublishError::NoResponse(_))));
    server.join().expect("the script is played");
    assert!(matches!(publish("http://127.0.0.1:1/", "x"), Err(PublishError::Unreachable(_))));
    assert!(matches!(publish("https://127.0.0.1:1/", "x"), Err(PublishError::Refused(Error::Url(_)))));
}

#[test]
fn lines_are_many_events_or_none() {
    let server = Barewire::start();
    let mut publisher = publisher(&server.url("t"));
    let ids = publisher.publish_lines(&["a", "b", "c"]).expect("published");
    assert_eq!(ids.len(), 3);
    for lines in [&["a", ""][..], &["a\nb"], &["a\rb"]] {
        assert!(matches!(publisher.publish_lines(lines), Err(PublishError::InvalidLine)));
    }
    let next = publisher.publish("d").expect("published");
    let number = |id: &str| id.rsplit('-').next().and_then(|number| number.parse::<u64>().ok());
    assert_eq!(number(&next), number(&ids[2]).map(|last| last + 1), "nothing was published in between");
}

#[test]
fn a_token_and_a_refusal() {
    let server = Barewire::with(|options| {
        options.policy.access.publish_token = Some("tell-me".into());
    });
    let url = server.url("t");
    match publish(&url, "x") {
        Err(PublishError::Refused(Error::Refused { status: 401, detail: Some(_) })) => {}
        other => panic!("{other:?}"),
    }
    let mut with = Publisher::new(Resource::new(&url, Some("tell-me"), &[]).expect("right"));
    with.publish("x").expect("published");
    with.event = Some("gap".into());
    match with.publish("x") {
        Err(PublishError::Refused(Error::Refused { status: 400, detail: Some(_) })) => {}
        other => panic!("{other:?}"),
    }
}
