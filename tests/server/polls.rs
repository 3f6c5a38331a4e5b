//! Polls: their body, how long they wait, and their caching fields.

use barewire::server::Options;

use crate::harness::{Request, Server, in_every_mode, in_every_mode_with};

#[test]
fn the_body_is_exactly_the_events_and_next() {
    in_every_mode(|server| {
        let first = server.publish("/topics/a", "one \"1\"\n");
        let second = server.publish("/topics/a?event=named", "");
        let response = server.request(&Request::get("/topics/a"));
        assert_eq!(response.get("Content-Type"), Some("application/json"));
        let expected = format!(
            r#"{{"events":[{{"id":"{first}","event":"message","data":"one \"1\"\n"}},{{"id":"{second}","event":"named","data":""}}],"next":"{second}"}}"#
        );
        assert_eq!(response.text(), expected);
        let response = server.request(&Request::get(format!("/topics/a?since={second}")));
        assert_eq!(response.text(), format!(r#"{{"events":[],"next":"{second}"}}"#));
    });
}

#[test]
fn a_response_holds_at_most_256_kib_of_events_and_next_is_the_last_of_them() {
    let set = |options: &mut Options| options.policy.batch_bytes = 8 << 20;
    in_every_mode_with(set, |server| {
        let line = "x".repeat(50_000);
        let ids = server.request(&Request::post_lines("/topics/a", [line.as_str(); 12].join("\n"))).ids();
        for wait in ["", "&wait=60"] {
            let (mut since, mut received) = ("start".to_owned(), Vec::new());
            while received.len() < ids.len() {
                let response = server.request(&Request::get(format!("/topics/a?since={since}{wait}")));
                let events = response.events();
                assert!(!events.is_empty());
                // The body also has the list's brackets and next.
                let around = r#"{"events":[],"next":""}"#.len() + response.next().len();
                assert!(response.body.len() <= 256 * 1024 + around, "{} bytes", response.body.len());
                assert_eq!(response.next(), events[events.len() - 1].id);
                assert_eq!(response.get("ETag"), Some(format!("W/\"{}\"", response.next()).as_str()));
                since = response.next();
                received.extend(events.into_iter().map(|event| event.id));
            }
            assert_eq!(received, ids);
        }
    });
}

#[test]
fn a_response_holds_at_least_one_event_however_large() {
    in_every_mode(|server| {
        // In JSON each of these characters takes six bytes.
        let data = "\u{1}".repeat(64 << 10);
        let ids = [server.publish("/topics/a", &data), server.publish("/topics/a", &data)];
        let first = server.request(&Request::get("/topics/a"));
        assert_eq!((first.data(), first.next()), (vec![data.clone()], ids[0].clone()));
        let second = server.request(&Request::get(format!("/topics/a?since={}", ids[0])));
        assert_eq!((second.data(), second.next()), (vec![data.clone()], ids[1].clone()));
    });
}

/// Returns long polls of a topic, with the wait in the query and in `Prefer`.
fn long_polls(topic: &str, wait: &str) -> [Request; 2] {
    let prefer = Request::get(format!("/topics/{topic}")).field("Prefer", format!("wait={wait}"));
    [Request::get(format!("/topics/{topic}?wait={wait}")), prefer]
}

#[test]
fn a_long_poll_is_held_until_an_event_after_the_cursor_exists() {
    in_every_mode(|server| {
        for (held, request) in long_polls("a", "60").iter().enumerate() {
            server.publish("/topics/a", "old");
            let poll = server.begin(request);
            server.await_metric("barewire_long_polls_held_total", held as u64 + 1);
            let id = server.publish("/topics/a?event=new", "new");
            let response = server.finish(poll, "GET");
            assert_eq!(response.get("Content-Type"), Some("application/json"));
            let event = format!(r#"{{"id":"{id}","event":"new","data":"new"}}"#);
            assert_eq!(response.text(), format!(r#"{{"events":[{event}],"next":"{id}"}}"#));
        }
    });
}

#[test]
fn a_long_poll_gets_its_response_at_once_if_there_is_an_event_after_the_cursor() {
    in_every_mode(|server| {
        server.publish("/topics/a", "x");
        let response = server.request(&Request::get("/topics/a?since=start&wait=60"));
        assert_eq!(response.data(), ["x"]);
        assert_eq!(server.metric("barewire_long_polls_held_total"), 0);
    });
}

#[test]
fn a_poll_that_times_out_has_an_empty_list_of_events() {
    in_every_mode(|server| {
        let id = server.publish("/topics/a", "x");
        for request in long_polls("a", "1").iter().chain(&long_polls("a", "0")) {
            let response = server.request(request);
            assert_eq!(response.text(), format!(r#"{{"events":[],"next":"{id}"}}"#));
        }
        assert_eq!(server.metric("barewire_long_polls_held_total"), 2);
    });
}

#[test]
fn a_wait_above_the_maximum_is_lowered_to_it() {
    let server = Server::with(|options| options.policy.max_wait = 1);
    let waits = ["2", "61", "4294967297", "99999999999999999999999"];
    let requests: Vec<_> = waits.iter().flat_map(|wait| long_polls("a", wait)).collect();
    let polls: Vec<_> = requests.iter().map(|request| server.begin(request)).collect();
    for poll in polls {
        assert_eq!(server.finish(poll, "GET").data(), [""; 0]);
    }
    assert_eq!(Options::default().policy.max_wait, 60);
}

#[test]
fn any_other_wait_in_the_query_is_400() {
    in_every_mode(|server| {
        for wait in ["", "x", "-1", "+1", "1.5", "1s", "%20", "0x1", "1%00", "%"] {
            server.request(&Request::get(format!("/topics/a?wait={wait}"))).assert_problem(400);
        }
        server.request(&Request::get("/topics/a?wait")).assert_problem(400);
    });
}

#[test]
fn ignores_an_invalid_prefer() {
    in_every_mode(|server| {
        server.publish("/topics/a", "x");
        for prefer in
            ["wait", "wait=", "wait=x", "wait=-1", "wait=1.5", "waiting=1", "respond-async", "=", "\"", ""]
        {
            let response = server.request(&Request::get("/topics/a").field("Prefer", prefer));
            assert_eq!(response.data(), ["x"], "{prefer}: a short poll");
            assert_eq!(response.get("Preference-Applied"), None);
        }
    });
}

#[test]
fn preference_applied_reports_a_used_prefer() {
    in_every_mode(|server| {
        let id = server.publish("/topics/a", "x");
        let request = Request::get("/topics/a?since=start");
        for prefer in ["wait=7", "respond-async, WAIT = \"7\"; x=y, wait=0", "return=minimal,wait=7"] {
            let response = server.request(&request.clone().field("Prefer", prefer));
            assert_eq!(
                (response.status, response.get("Preference-Applied")),
                (200, Some("wait=7")),
                "{prefer}"
            );
        }
        let lines = request.clone().field("Prefer", "respond-async").field("Prefer", "wait=7");
        assert_eq!(server.request(&lines).get("Preference-Applied"), Some("wait=7"));
        assert_eq!(server.request(&request).get("Preference-Applied"), None);
        assert_eq!(
            server.request(&request.target("/topics/a?since=start&wait=7")).get("Preference-Applied"),
            None
        );
        let unchanged = Request::get(format!("/topics/a?since={id}"))
            .field("If-None-Match", format!("W/\"{id}\""))
            .field("Prefer", "wait=0");
        let response = server.request(&unchanged);
        assert_eq!((response.status, response.get("Preference-Applied")), (304, Some("wait=0")));
    });
}

#[test]
fn an_etag_is_the_next_cursor_and_if_none_match_compares_it_weakly_in_a_list() {
    in_every_mode(|server| {
        let id = server.publish("/topics/a", "x");
        let poll = |if_none_match: &str| {
            server.request(&Request::get("/topics/a").field("If-None-Match", if_none_match))
        };
        for known in [
            format!("W/\"{id}\""),
            format!("\"{id}\""),
            format!("\"other\", W/\"{id}\""),
            format!("W/\"a,b\" ,, \"{id}\",\"c\""),
            "*".to_owned(),
        ] {
            let response = poll(&known);
            assert_eq!(response.status, 304, "{known}");
            assert_eq!(response.get("ETag"), Some(format!("W/\"{id}\"").as_str()));
            assert_eq!(response.get("Vary"), Some("Accept, Prefer, Last-Event-ID, Origin"));
            assert_eq!(response.get("Cache-Control"), Some("private, no-cache"));
        }
        for unknown in
            ["\"other\"".to_owned(), id.clone(), format!("W/\"{id}x\""), format!("\"x,{id}\""), String::new()]
        {
            assert_eq!(poll(&unknown).data(), ["x"], "{unknown}");
        }
        let lines = Request::get("/topics/a").field("If-None-Match", "\"other\"");
        let lines = lines.field("If-None-Match", format!("\"{id}\""));
        assert_eq!(server.request(&lines).status, 304);
        assert_eq!(server.request(&lines.method("HEAD")).status, 304);
    });
}

#[test]
fn if_none_match_is_evaluated_when_the_response_is_made() {
    in_every_mode(|server| {
        let id = server.publish("/topics/a", "x");
        let known = |wait: u32| {
            Request::get(format!("/topics/a?since={id}&wait={wait}"))
                .field("If-None-Match", format!("W/\"{id}\""))
        };
        // The wait is over, and nothing has changed.
        assert_eq!(server.request(&known(1)).status, 304);
        // An event has arrived, so the response differs from the client's copy.
        let poll = server.begin(&known(60));
        server.await_metric("barewire_long_polls_held_total", 2);
        let new = server.publish("/topics/a", "new");
        let response = server.finish(poll, "GET");
        assert_eq!((response.data(), response.next()), (vec!["new".to_owned()], new));
    });
}

#[test]
fn polls_have_vary_and_cache_control() {
    in_every_mode(|server| {
        server.publish("/topics/a", "x");
        for target in
            ["/topics/a", "/topics/a?since=start&wait=60", "/topics/a?since=junk", "/topics/unknown"]
        {
            let response = server.request(&Request::get(target));
            assert_eq!(response.get("Vary"), Some("Accept, Prefer, Last-Event-ID, Origin"), "{target}");
            assert_eq!(response.get("Cache-Control"), Some("private, no-cache"), "{target}");
        }
    });
}

#[test]
fn every_response_of_a_topic_has_vary() {
    in_every_mode(|server| {
        for request in [
            Request::post("/topics/a", "x"),
            Request::post("/topics/a", b"\xff"),
            Request::post("/topics/a", "x".repeat((64 << 10) + 1)),
            Request::post_chunks("/topics/a", &["x".repeat((64 << 10) + 1).as_bytes()]),
            Request::post("/topics/a", "x").field("Expect", "something"),
            Request::get("/topics/a?wait=x"),
            Request::new("DELETE", "/topics/a"),
            Request::new("OPTIONS", "/topics/a"),
            Request::handshake("/topics/a").without("Connection"),
        ] {
            let response = server.request(&request);
            assert_eq!(response.get("Vary"), Some("Accept, Prefer, Last-Event-ID, Origin"), "{response:?}");
        }
        let stream = server.event_stream(&Request::event_stream("/topics/a"));
        assert_eq!(stream.head.get("Vary"), Some("Accept, Prefer, Last-Event-ID, Origin"));
        let socket = server.web_socket(&Request::handshake("/topics/a"));
        assert_eq!(socket.head.get("Vary"), Some("Accept, Prefer, Last-Event-ID, Origin"));
    });
}

#[test]
fn one_publish_completes_a_thousand_held_polls() {
    // Both ends of each connection belong to this process.
    let files = rlimit::increase_nofile_limit(4096).expect("a limit that can be raised to the hard one");
    assert!(files >= 2500, "{files} open files are too few for this test");
    let server = Server::start();
    let request = Request::get("/topics/a?wait=60");
    let polls: Vec<_> = (0..1000).map(|_| server.begin(&request)).collect();
    server.await_metric("barewire_long_polls_held_total", 1000);
    let id = server.publish("/topics/a", "x");
    for poll in polls {
        let response = server.finish(poll, "GET");
        assert_eq!((response.data(), response.next()), (vec!["x".to_owned()], id.clone()));
    }
}

#[test]
fn a_poll_that_joins_during_a_fan_out_waits_for_the_next_event() {
    let server = Server::start();
    // A follower starts the fan-out, and the poll joins after that follower.
    let _follower = server.event_stream(&Request::event_stream("/topics/a"));
    let mut connection = server.connect();
    let publish = Request::post("/topics/a", "first").bytes();
    let poll = Request::get("/topics/a?wait=60");
    connection.send([publish, poll.bytes()].concat());
    let first = connection.response_to("POST").id();
    server.await_metric("barewire_long_polls_held_total", 1);
    let second = server.publish("/topics/a", "second");
    let response = server.finish(connection, "GET");
    assert_eq!((response.data(), response.next()), (vec!["second".to_owned()], second));
    assert_ne!(first, response.next());
}
