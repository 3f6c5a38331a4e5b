//! What a route answers, and what the server answers for it.

use barewire::app::{App, Endpoint, Response};

use crate::peers::{content, start, start_with};

fn tasks() -> App<Vec<String>> {
    App::new(Vec::new())
        .on("GET", "/tasks", |cx, _| Response::json(format!("{:?}", cx.state)))
        .on("POST", "/tasks", |cx, request| match request.text() {
            Ok(text) => {
                cx.state.push(text.to_owned());
                Response::status(201).field("Location", format!("/tasks/{}", cx.state.len() - 1))
            }
            Err(refusal) => refusal,
        })
        .on("GET", "/tasks/{id}", |cx, request| {
            let task = request.param("id").parse().ok().and_then(|id: usize| cx.state.get(id));
            task.map_or(Response::problem(404, "No such task."), |task| Response::text(task.clone()))
        })
        .on("DELETE", "/tasks/{id}", |cx, _| {
            cx.state.clear();
            Response::status(204)
        })
}

#[test]
fn a_handler_answers_with_status_fields_and_content() {
    let mut app = start(tasks());
    let created = app.ask("POST /tasks HTTP/1.1\n\nbuy milk");
    assert!(created.starts_with("HTTP/1.1 201 Created\r\n"), "{created}");
    assert!(created.contains("\r\nLocation: /tasks/0\r\nContent-Length: 0\r\n"), "{created}");
    let list = app.ask("GET /tasks HTTP/1.1");
    assert!(list.contains("\r\nContent-Type: application/json\r\nContent-Length: 12\r\n"), "{list}");
    assert_eq!(content(&list), r#"["buy milk"]"#);
    assert_eq!(content(&app.ask("GET /tasks/0?x=1 HTTP/1.1")), "buy milk");
    let missing = app.ask("GET /tasks/1 HTTP/1.1");
    assert!(missing.starts_with("HTTP/1.1 404 ") && missing.contains("application/problem+json"));
    let deleted = app.ask("DELETE /tasks/0 HTTP/1.1");
    assert!(deleted.starts_with("HTTP/1.1 204 ") && !deleted.contains("Content-Length"), "{deleted}");
}

#[test]
fn the_server_answers_head_options_and_other_methods() {
    let mut app = start(tasks());
    let head = app.ask("HEAD /tasks HTTP/1.1");
    assert!(head.starts_with("HTTP/1.1 200 ") && head.contains("Content-Length: 2\r\n"), "{head}");
    assert_eq!(content(&head), "");
    let options = app.ask("OPTIONS /tasks/7 HTTP/1.1");
    assert!(options.contains("\r\nAllow: GET, HEAD, DELETE, OPTIONS\r\n"), "{options}");
    let put = app.ask("PUT /tasks HTTP/1.1\n\nx");
    assert!(put.starts_with("HTTP/1.1 405 ") && put.contains("\r\nAllow: GET, HEAD, POST, OPTIONS\r\n"));
    assert!(app.ask("BREW /tasks HTTP/1.1").starts_with("HTTP/1.1 501 "));
    assert!(app.ask("GET /task HTTP/1.1").starts_with("HTTP/1.1 404 "));
    assert!(app.ask("GET /topics/demo HTTP/1.1").starts_with("HTTP/1.1 404 "), "no topics are offered");
}

#[test]
fn parameters_are_decoded_segments() {
    let app = App::new(()).on("GET", "/a/{b}/{c}", |_, request| {
        Response::text(format!("{}|{}|{:?}", request.param("b"), request.param("c"), request.query("q")))
    });
    let mut app = start(app);
    assert_eq!(content(&app.ask("GET /a/x%2Fy/z+%C3%A9?q=1%202 HTTP/1.1")), "x/y|z+\u{e9}|Some(\"1 2\")");
    for target in ["/a/x", "/a/x/", "/a//y", "/a/x/y/z", "/b/x/y"] {
        assert!(app.ask(&format!("GET {target} HTTP/1.1")).starts_with("HTTP/1.1 404 "), "{target}");
    }
    for target in ["/a/%ff/y", "/a/x/%zz"] {
        assert!(app.ask(&format!("GET {target} HTTP/1.1")).starts_with("HTTP/1.1 400 "), "{target}");
    }
}

#[test]
fn content_is_bounded_and_may_arrive_in_parts() {
    let mut app = start_with(tasks(), |options| options.policy.batch_bytes = 8);
    assert!(app.ask("POST /tasks HTTP/1.1\n\n123456789").starts_with("HTTP/1.1 413 "));
    let peer = app.server.connect();
    for part in
        ["POST /tasks HT", "TP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n", "\r\n3\r\nab"]
    {
        app.server.send(peer, part.as_bytes());
        assert_eq!(app.text(peer), "");
    }
    app.server.send(peer, b"c\r\n0\r\n\r\n");
    assert!(app.text(peer).starts_with("HTTP/1.1 201 "));
    assert_eq!(content(&app.ask("GET /tasks/0 HTTP/1.1")), "abc");
    let invalid = app.server.connect();
    app.server.send(invalid, b"POST /tasks HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n\xff");
    assert!(app.text(invalid).starts_with("HTTP/1.1 400 "));
}

#[test]
fn a_page_of_a_foreign_origin_may_only_read_what_it_cannot_see() {
    let mut app = start(tasks());
    let foreign = "Origin: https://evil.example";
    assert!(app.ask(&format!("POST /tasks HTTP/1.1\n{foreign}\n\nx")).starts_with("HTTP/1.1 403 "));
    assert!(app.ask(&format!("DELETE /tasks/0 HTTP/1.1\n{foreign}")).starts_with("HTTP/1.1 403 "));
    let list = app.ask(&format!("GET /tasks HTTP/1.1\n{foreign}"));
    assert!(list.starts_with("HTTP/1.1 200 ") && !list.contains("Access-Control"), "{list}");
    let allowed = |options: &mut barewire::server::Options| {
        options.policy.access.allowed_origins = vec!["https://app.example".into()];
    };
    let mut app = start_with(tasks(), allowed);
    let ours = "Origin: https://app.example";
    let created = app.ask(&format!("POST /tasks HTTP/1.1\n{ours}\n\nx"));
    assert!(
        created.starts_with("HTTP/1.1 201 ") && created.contains("Access-Control-Allow-Origin: https://app")
    );
    let preflight =
        app.ask(&format!("OPTIONS /tasks/1 HTTP/1.1\n{ours}\nAccess-Control-Request-Method: DELETE"));
    assert!(preflight.contains("\r\nAccess-Control-Allow-Methods: GET, HEAD, DELETE\r\n"), "{preflight}");
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let mut app = start(tasks());
    let peer = app.server.connect();
    let mut requests = Vec::new();
    for number in 0..200 {
        let length = number.to_string().len();
        requests.extend(
            format!("POST /tasks HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{number}").bytes(),
        );
        requests.extend(format!("GET /tasks/{number} HTTP/1.1\r\nHost: localhost\r\n\r\n").bytes());
    }
    let requests = String::from_utf8(requests).expect("text").replace("Host: a", "Host: localhost");
    app.server.send(peer, requests.as_bytes());
    let received = app.text(peer);
    let numbers: Vec<&str> =
        received.split("HTTP/1.1 200 OK").skip(1).filter_map(|part| part.split("\r\n\r\n").nth(1)).collect();
    assert_eq!(numbers.len(), 200);
    for (number, text) in numbers.iter().enumerate() {
        assert_eq!(text.split("HTTP").next(), Some(&*number.to_string()));
    }
}

#[test]
fn a_panic_is_answered_with_500_and_harms_no_other_request() {
    let app = App::new(0).on("GET", "/panic", |_, _| -> Response { panic!("as the test wants") }).on(
        "GET",
        "/",
        |cx, _| {
            *cx.state += 1;
            Response::text(cx.state.to_string())
        },
    );
    let mut app = start(app);
    let peer = app.server.connect();
    let both = "GET /panic HTTP/1.1\r\nHost: localhost\r\n\r\nGET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    app.server.send(peer, both.as_bytes());
    let received = app.text(peer);
    assert!(received.starts_with("HTTP/1.1 500 ") && received.ends_with("\r\n\r\n1"), "{received}");
}

#[test]
fn a_status_that_is_not_final_is_a_failure_of_the_handler() {
    let app = App::new(()).on("GET", "/", |_, _| Response::status(204).with_status(102));
    assert!(start(app).ask("GET / HTTP/1.1").starts_with("HTTP/1.1 500 "));
}

#[test]
fn a_field_cannot_smuggle_a_line() {
    let app = App::new(()).on("GET", "/", |_, request| {
        Response::status(303).field("Location", request.query("to").unwrap_or_default())
    });
    let received = start(app).ask("GET /?to=/a%0d%0aSet-Cookie:%20b HTTP/1.1");
    assert!(received.starts_with("HTTP/1.1 303 See Other\r\n"), "{received}");
    assert!(received.contains("\r\nLocation: /a  Set-Cookie: b\r\n"), "{received}");
}

#[test]
fn topics_and_endpoints_are_offered_where_the_application_wants_them() {
    let app = App::new(()).topics("/feeds/").endpoint("/-/health", Endpoint::Health).file(
        "/",
        "text/html; charset=utf-8",
        "<!doctype html>",
    );
    let mut app = start(app);
    assert!(app.ask("POST /feeds/a HTTP/1.1\n\nhello").starts_with("HTTP/1.1 201 "));
    assert!(app.ask("GET /feeds/a HTTP/1.1").contains(r#""data":"hello""#));
    assert_eq!(content(&app.ask("GET /-/health HTTP/1.1")), r#"{"status":"ok"}"#);
    assert_eq!(content(&app.ask("GET / HTTP/1.1")), "<!doctype html>");
    assert!(app.ask("GET /health HTTP/1.1").starts_with("HTTP/1.1 404 "));
}

#[test]
fn a_request_without_body_can_be_half_closed() {
    let mut app = start(tasks());
    let peer = app.begin("GET /tasks HTTP/1.1\nConnection: close");
    app.server.half_close(peer);
    assert_eq!(content(&app.text(peer)), "[]");
    assert!(app.server.has_ended(peer));
}

#[test]
#[should_panic(expected = "GET / has a handler already")]
fn a_route_has_one_handler_for_a_method() {
    let _ = App::new(())
        .on("GET", "/", |_, _| Response::status(204))
        .on("GET", "/", |_, _| Response::status(204));
}

#[test]
#[should_panic(expected = "is not a parameter: it must be a whole segment {name}")]
fn a_parameter_is_a_whole_segment() {
    let _ = App::new(()).on("GET", "/tasks/{id}.json", |_, _| Response::status(204));
}

#[test]
fn a_path_without_parameters_counts_before_a_pattern() {
    let app = App::new(())
        .on("PATCH", "/tasks/{id}", |_, _| Response::text("pattern"))
        .on("GET", "/{a}/{b}", |_, _| Response::text("wide pattern"))
        .on("GET", "/tasks/events", |_, _| Response::text("literal"));
    let mut app = start(app);
    assert_eq!(content(&app.ask("GET /tasks/events HTTP/1.1")), "literal");
    assert_eq!(content(&app.ask("PATCH /tasks/7 HTTP/1.1")), "pattern");
    assert_eq!(content(&app.ask("GET /other/7 HTTP/1.1")), "wide pattern");
}
