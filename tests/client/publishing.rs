//! Publishing over sockets.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::sync::mpsc;
use std::time::Duration;

use barewire::client::follow::{Error, Resource, ResponseLimits};
use barewire::client::{PublishError, Publisher, publish};

use crate::servers::{Barewire, request, scripted};

fn publisher(url: &str) -> Publisher {
    Publisher::new(Resource::new(url, None, &[]).expect("a URL"))
}

/// A check for the expected error.
type Check = fn(&PublishError) -> bool;

#[test]
fn the_ids_of_a_large_batch_are_read() {
    let server = Barewire::start();
    let mut resource = Resource::new(&server.url("t"), None, &[]).expect("a URL");
    resource.limits = ResponseLimits::for_events(1);
    let lines = vec!["x"; 100_000];
    let ids = Publisher::new(resource.clone()).publish_lines(&lines).expect("published");
    assert_eq!(ids.len(), lines.len());
    let length: usize = ids.iter().map(String::len).sum();
    assert!(length as u64 > 2 * resource.limits.body, "the ids exceed the limit of other bodies");
}

const CREATED: &[u8] =
    b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n{\"id\":\"a-1\"}";

#[test]
fn one_connection_carries_many_events() {
    let (url, server) = scripted(|_, stream| {
        for expected in ["one", "two", ""] {
            let (head, content) = request(stream);
            assert!(head.starts_with("POST /topics/t?event=a%20b%26c HTTP/1.1\r\n"), "{head}");
            assert_eq!(content, expected);
            // The response follows an interim response, is split in its head and is chunked.
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
    server.join().expect("the script succeeds");
}

#[test]
fn does_not_reuse_a_connection_that_has_ended() {
    let (sender, receiver) = mpsc::channel();
    let (url, server) = scripted(move |before, stream| {
        request(stream);
        stream.write_all(CREATED).unwrap();
        stream.shutdown(Shutdown::Both).unwrap();
        sender.send(()).unwrap();
        before < 1
    });
    let mut publisher = publisher(&url);
    publisher.publish("one").expect("published");
    receiver.recv().expect("the first connection has ended");
    publisher.publish("two").expect("published, over a new connection");
    server.join().expect("the script succeeds");
}

#[test]
fn each_failure_has_its_error() {
    let responses: [(&[u8], Check); 6] = [
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
    for (response, is_expected) in responses {
        let (url, server) = scripted(move |_, stream| {
            request(stream);
            stream.write_all(response).unwrap();
            false
        });
        let error = publisher(&url).publish("x").expect_err("an error");
        assert!(is_expected(&error), "{}: {error:?}", response.escape_ascii());
        server.join().expect("the script succeeds");
    }
    let (url, server) = scripted(|_, stream| {
        request(stream);
        let _ = stream.read(&mut [0]); // returns when the client gives up
        false
    });
    let mut publisher = publisher(&url);
    publisher.timeout = Duration::from_millis(1000);
    assert!(matches!(publisher.publish("x"), Err(PublishError::NoResponse(_))));
    server.join().expect("the script succeeds");
    assert!(matches!(publish("http://127.0.0.1:1/", "x"), Err(PublishError::Unreachable(_))));
    assert!(matches!(publish("https://127.0.0.1:1/", "x"), Err(PublishError::Refused(Error::Url(_)))));
}

#[test]
fn publishes_all_lines_or_none() {
    let server = Barewire::start();
    let mut publisher = publisher(&server.url("t"));
    let ids = publisher.publish_lines(&["a", "b", "c"]).expect("published");
    assert_eq!(ids.len(), 3);
    for lines in [&["a", ""][..], &["a\nb"], &["a\rb"]] {
        assert!(matches!(publisher.publish_lines(lines), Err(PublishError::InvalidLine)));
    }
    let next = publisher.publish("d").expect("published");
    let number = |id: &str| id.rsplit('-').next().and_then(|number| number.parse::<u64>().ok());
    assert_eq!(number(&next), number(&ids[2]).map(|last| last + 1), "the rejected lines were not published");
}

#[test]
fn publishes_with_a_token_and_reports_refusals() {
    let server = Barewire::with(|options| {
        options.policy.access.publish_token = Some("tell-me".into());
    });
    let url = server.url("t");
    match publish(&url, "x") {
        Err(PublishError::Refused(Error::Refused { status: 401, detail: Some(_) })) => {}
        other => panic!("{other:?}"),
    }
    let mut with = Publisher::new(Resource::new(&url, Some("tell-me"), &[]).expect("valid"));
    with.publish("x").expect("published");
    with.event = Some("gap".into());
    match with.publish("x") {
        Err(PublishError::Refused(Error::Refused { status: 400, detail: Some(_) })) => {}
        other => panic!("{other:?}"),
    }
}
