//! Publishing: the body, the event's name, and batches of events.

use barewire::server::Options;

use crate::harness::{Request, Server, in_every_mode, in_every_mode_with};

const MOST: usize = 64 << 10;

#[test]
fn a_publish_responds_with_201_and_the_id() {
    in_every_mode(|server| {
        let response = server.request(&Request::post("/topics/a", "x"));
        assert_eq!(response.get("Content-Type"), Some("application/json"));
        assert_eq!(response.text(), format!(r#"{{"id":"{}"}}"#, response.id()));
        assert_eq!(server.request(&Request::get("/topics/a")).next(), response.id());
    });
}

#[test]
fn the_body_is_the_data_with_a_length_or_in_chunks_and_with_any_content_type() {
    in_every_mode(|server| {
        let requests = [
            Request::post("/topics/a", "d\u{e4}ta"),
            Request::post("/topics/a", "d\u{e4}ta").field("Content-Type", "application/octet-stream"),
            Request::post("/topics/a", "d\u{e4}ta").field("Content-Type", "no type at all"),
            // Split in the middle of a character.
            Request::post_chunks("/topics/a", &[b"d\xc3", b"\xa4t", b"a"]),
            Request::post_chunks("/topics/a", &["d\u{e4}ta".as_bytes()]),
        ];
        for request in &requests {
            server.request(request).id();
        }
        assert_eq!(server.request(&Request::get("/topics/a")).data(), ["d\u{e4}ta"; 5]);
    });
}

#[test]
fn a_body_may_be_empty() {
    in_every_mode(|server| {
        server.request(&Request::post("/topics/a", "")).id();
        server.request(&Request::post_chunks("/topics/a", &[])).id();
        server.request(&Request::new("POST", "/topics/a")).id();
        assert_eq!(server.request(&Request::get("/topics/a")).data(), [""; 3]);
    });
}

#[test]
fn the_data_is_at_most_64_kib() {
    in_every_mode(|server| {
        let (most, more) = ("x".repeat(MOST), "x".repeat(MOST + 1));
        server.request(&Request::post("/topics/a", &most)).id();
        server.request(&Request::post_chunks("/topics/a", &[most.as_bytes()])).id();
        server.request(&Request::post_chunks("/topics/a", &[&most.as_bytes()[..MOST - 1], b"x"])).id();
        server.request(&Request::post("/topics/a", &more)).assert_problem(413);
        server.request(&Request::post_chunks("/topics/a", &[more.as_bytes()])).assert_problem(413);
        server.request(&Request::post_chunks("/topics/a", &[most.as_bytes(), b"x"])).assert_problem(413);
        let request = Request::new("POST", "/topics/a").field("Content-Length", "99999999999999999999999");
        server.request(&request).assert_problem(413);
        assert_eq!(server.metric("barewire_events_published_total"), 3);
    });
}

#[test]
fn invalid_utf_8_is_400() {
    in_every_mode(|server| {
        for body in [&b"\xff"[..], b"a\xc3", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80"] {
            server.request(&Request::post("/topics/a", body)).assert_problem(400);
            server.request(&Request::post_chunks("/topics/a", &[body])).assert_problem(400);
            server.request(&Request::post_lines("/topics/a", [b"good\n", body].concat())).assert_problem(400);
        }
        assert_eq!(server.request(&Request::get("/topics/a")).data(), [""; 0]);
    });
}

#[test]
fn the_events_name_is_form_decoded_and_defaults_to_message() {
    in_every_mode(|server| {
        let longest = "n".repeat(128);
        for (query, name) in [
            ("event=a", "a"),
            ("event=a+b%2Bc", "a b+c"),
            ("x=y&event=%C3%A4&event=second", "\u{e4}"),
            ("event=Gap", "Gap"),
            ("event=gaps", "gaps"),
            ("event=", "message"),
            ("event", "message"),
            ("", "message"),
            (&format!("event={longest}"), &longest),
        ] {
            server.publish(&format!("/topics/a?{query}"), "x");
            let response = server.request(&Request::get("/topics/a"));
            assert_eq!(response.events().pop().expect("an event").event, name, "{query}");
        }
    });
}

#[test]
fn an_invalid_name_is_400() {
    in_every_mode(|server| {
        let too_long = "n".repeat(129);
        // 64 characters, but 130 bytes.
        let too_long_in_bytes = "%C3%A4".repeat(65);
        for name in
            ["gap", "open", "error", "g%61p", "a%0Ab", "%00", "%0D", "%09", "%7F", "%C2%85", "%FF", "%", "%4"]
                .into_iter()
                .chain([too_long.as_str(), &too_long_in_bytes])
        {
            server.request(&Request::post(format!("/topics/a?event={name}"), "x")).assert_problem(400);
            server.request(&Request::post_lines(format!("/topics/a?event={name}"), "x")).assert_problem(400);
        }
        assert_eq!(server.request(&Request::get("/topics/a")).data(), [""; 0]);
    });
}

#[test]
fn each_line_of_ndjson_is_the_data_of_one_event() {
    in_every_mode(|server| {
        let lines = "{\"a\": 1}\r\n\n\r\n not json \nlast\r\n";
        for request in [
            Request::post_lines("/topics/a?event=named", lines),
            Request::post("/topics/a?event=named", lines)
                .field("Content-Type", "Application/X-NDJSON; charset=utf-8"),
            Request::post_chunks("/topics/a?event=named", &[&lines.as_bytes()[..9], &lines.as_bytes()[9..]])
                .field("Content-Type", "application/x-ndjson"),
        ] {
            let response = server.request(&request);
            let ids = response.ids();
            assert_eq!(response.text(), format!(r#"{{"ids":["{}","{}","{}"]}}"#, ids[0], ids[1], ids[2]));
            let events = server.request(&Request::get("/topics/a")).events();
            let events = &events[events.len() - 3..];
            assert!(events.iter().map(|event| &event.id).eq(&ids));
            assert!(events.iter().all(|event| event.event == "named"));
            let data: Vec<&str> = events.iter().map(|event| event.data.as_str()).collect();
            assert_eq!(data, ["{\"a\": 1}", " not json ", "last"]);
        }
    });
}

#[test]
fn a_batch_without_lines_is_400() {
    in_every_mode(|server| {
        for lines in ["", "\n", "\r\n\n\r\n"] {
            server.request(&Request::post_lines("/topics/a", lines)).assert_problem(400);
        }
        assert_eq!(server.metric("barewire_topics"), 0);
    });
}

#[test]
fn a_batch_is_published_completely_or_not_at_all() {
    in_every_mode(|server| {
        let too_long = "x".repeat(MOST + 1);
        server.request(&Request::post_lines("/topics/a", format!("a\n{too_long}\nb"))).assert_problem(413);
        server.request(&Request::post_lines("/topics/a", b"a\nb\n\xff")).assert_problem(400);
        assert_eq!(server.request(&Request::get("/topics/a")).data(), [""; 0]);
        let longest = "x".repeat(MOST);
        let ids = server.request(&Request::post_lines("/topics/a", format!("a\r\n{longest}\r\nb"))).ids();
        assert_eq!(ids.len(), 3);
    });
}

#[test]
fn a_batch_is_at_most_1_mib() {
    in_every_mode(|server| {
        let mut lines = format!("{}\n", "x".repeat(1023)).repeat(1024).into_bytes();
        assert_eq!(lines.len(), 1 << 20);
        assert_eq!(server.request(&Request::post_lines("/topics/a", &lines)).ids().len(), 1024);
        lines.push(b'\n');
        server.request(&Request::post_lines("/topics/a", &lines)).assert_problem(413);
        let chunks =
            Request::post_chunks("/topics/a", &[&lines]).field("Content-Type", "application/x-ndjson");
        server.request(&chunks).assert_problem(413);
        assert_eq!(server.metric("barewire_events_published_total"), 1024);
    });
}

#[test]
fn a_window_holds_at_least_65_536_events_by_default() {
    let server = Server::start();
    for batch in 0..=65_536 / 4096 {
        let lines: String = (0..4096).map(|number| format!("{}\n", batch * 4096 + number)).collect();
        assert_eq!(server.request(&Request::post_lines("/topics/a", lines)).ids().len(), 4096);
    }
    // 65,536 events follow the first 4096.
    let oldest = server.request(&Request::get("/topics/a?since=start")).data().remove(0);
    assert!(oldest.parse::<u32>().is_ok_and(|oldest| oldest <= 4096), "{oldest}");
}

#[test]
fn the_window_limits_the_bytes_of_all_topics_together() {
    let window = |options: &mut Options| options.hub.window_bytes = 1 << 20;
    in_every_mode_with(window, |server| {
        for number in 0..40 {
            server.publish(&format!("/topics/{}", number % 2), &"x".repeat(60_000));
        }
        assert!(server.metric("barewire_log_bytes") <= 1 << 20);
        assert_eq!(server.request(&Request::get("/topics/1")).json().get("gap"), None);
        assert!(!server.request(&Request::get("/topics/1")).events().is_empty());
    });
    let default = Options::default().hub;
    assert_eq!((default.window_events, default.window_bytes), (65_536, 64 << 20));
}
