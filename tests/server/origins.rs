//! Origins: the server's own, foreign, and allowed ones.

use barewire::server::Options;

use crate::harness::{Request, Response, Server, in_every_mode, in_every_mode_with};

const METHODS: &str = "GET, HEAD, POST";
const FIELDS: &str = "Authorization, Content-Type, If-None-Match, Last-Event-ID, Prefer";
const POLYFILL_FIELDS: &str = ", Cache-Control, X-Requested-With";

/// Returns the statuses of the three kinds of request that an Origin can prevent.
fn guarded(server: &Server, host: &str, origin: &str) -> [u16; 3] {
    let with = |request: Request| request.host(host).field("Origin", origin);
    let socket = |target: &str| server.begin(&with(Request::handshake(target))).response().status;
    [socket("/topics/a"), server.request(&with(Request::post("/topics/a", "x"))).status, socket("/echo")]
}

fn has_cors(response: &Response) -> bool {
    response.fields.iter().any(|(name, _)| name.to_ascii_lowercase().starts_with("access-control-"))
}

#[test]
fn an_origin_is_own_if_it_is_of_http_and_its_host_and_port_equal_host() {
    in_every_mode(|server| {
        for (host, origin) in [
            ("localhost:8080", "http://localhost:8080"),
            ("LocalHost:8080", "http://localhost:8080"),
            ("127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("[::1]:8080", "http://[::1]:8080"),
            // A missing port means the default port of the Origin's scheme.
            ("localhost", "http://localhost"),
            ("localhost", "https://localhost"),
            ("localhost:80", "http://localhost"),
            ("localhost:443", "https://localhost"),
            ("localhost", "http://localhost:80"),
            ("localhost:8080", "https://localhost:8080"),
            ("localhost", "HTTP://LOCALHOST"),
        ] {
            assert_eq!(guarded(server, host, origin), [101, 201, 101], "{host}, {origin}");
        }
    });
}

#[test]
fn refuses_a_foreign_origin_on_a_handshake_and_on_a_publish() {
    in_every_mode(|server| {
        for (host, origin) in [
            ("localhost:8080", "http://localhost:8081"),
            ("localhost:8080", "http://localhost"),
            ("localhost", "http://localhost:8080"),
            ("localhost:80", "https://localhost"),
            ("localhost", "http://127.0.0.1"),
            ("localhost", "http://localhost.evil.example"),
            ("localhost", "null"),
            ("localhost", "localhost"),
            ("localhost", ""),
            // The scheme is a part of the origin.
            ("localhost:8080", "ftp://localhost:8080"),
            ("localhost:8080", "file://localhost:8080"),
            ("localhost:8080", "ws://localhost:8080"),
            ("localhost", "ws://localhost"),
            ("localhost", "WSS://localhost"),
            ("localhost:8080", "://localhost:8080"),
            ("localhost:443", "HTTP://localhost"),
        ] {
            assert_eq!(guarded(server, host, origin), [403; 3], "{host}, {origin}");
        }
        // The server listens only on loopback, so any other name is a sign of DNS rebinding.
        for (host, origin) in
            [("rebound.example", "http://rebound.example"), ("10.0.0.1:8080", "http://10.0.0.1:8080")]
        {
            assert_eq!(guarded(server, host, origin), [421; 3], "{host}, {origin}");
        }
        assert_eq!(server.request(&Request::get("/topics/a")).data(), [""; 0]);
    });
}

#[test]
fn the_refusal_of_a_foreign_origin_is_a_problem_document() {
    in_every_mode(|server| {
        let foreign = Request::post("/topics/a", "x").field("Origin", "https://foreign.example");
        server.request(&foreign).assert_problem(403);
    });
}

#[test]
fn a_server_on_a_public_address_accepts_its_own_name() {
    let server = Server::with(|options| options.listen = ([0, 0, 0, 0], 0).into());
    assert_eq!(guarded(&server, "barewire.example", "https://barewire.example"), [101, 201, 101]);
    assert_eq!(guarded(&server, "barewire.example", "https://other.example"), [403; 3]);
}

#[test]
fn two_origin_fields_are_foreign() {
    in_every_mode(|server| {
        let own = Request::post("/topics/a", "x").host("localhost").field("Origin", "http://localhost");
        assert_eq!(server.request(&own).status, 201);
        server.request(&own.field("Origin", "http://localhost")).assert_problem(403);
    });
}

#[test]
fn a_foreign_origin_may_follow_but_gets_no_cors_fields() {
    in_every_mode(|server| {
        server.publish("/topics/a", "x");
        let foreign = |request: Request| request.field("Origin", "https://foreign.example");
        let poll = server.request(&foreign(Request::get("/topics/a")));
        assert_eq!((poll.data(), has_cors(&poll)), (vec!["x".to_owned()], false));
        let stream = server.event_stream(&foreign(Request::event_stream("/topics/a")));
        assert!(!has_cors(&stream.head));
        let preflight = Request::new("OPTIONS", "/topics/a").field("Access-Control-Request-Method", "POST");
        assert!(!has_cors(&server.request(&foreign(preflight))));
        assert!(!has_cors(&server.request(&foreign(Request::post("/topics/a", "x")))));
    });
}

#[test]
fn accepts_a_request_without_origin() {
    in_every_mode(|server| {
        assert_eq!(server.request(&Request::post("/topics/a", "x")).status, 201);
        server.web_socket(&Request::handshake("/topics/a")).hello();
    });
}

fn allow(origins: &[&str]) -> impl Fn(&mut Options) {
    let origins: Vec<String> = origins.iter().map(|origin| (*origin).to_owned()).collect();
    move |options| {
        options.policy.access.allowed_origins = origins.clone();
        options.policy.access.publish_token = Some("secret".into());
    }
}

#[test]
fn an_allowed_origin_gets_the_cors_fields_on_every_response() {
    in_every_mode_with(allow(&["https://one.example", "https://two.example:8443", "null"]), |server| {
        for origin in ["https://one.example", "https://two.example:8443", "null"] {
            let from =
                |request: Request| request.field("Origin", origin).field("Authorization", "Bearer secret");
            let heads = [
                server.request(&from(Request::post("/topics/a", "x"))),
                server.request(&from(Request::get("/topics/a"))),
                server.request(&from(Request::get("/topics/a").field("If-None-Match", "*"))),
                server.request(&from(Request::head("/topics/a"))),
                server.request(&from(Request::get("/topics/a?wait=x"))),
                server.request(&from(Request::post("/topics/a", "x".repeat((64 << 10) + 1)))),
                server.request(&Request::post("/topics/a", "x").field("Origin", origin)),
                server.event_stream(&from(Request::event_stream("/topics/a"))).head,
            ];
            assert_eq!(heads.each_ref().map(|head| head.status), [201, 200, 304, 200, 400, 413, 401, 200]);
            for head in heads {
                assert_eq!(head.get("Access-Control-Allow-Origin"), Some(origin), "{head:?}");
                assert_eq!(head.get("Access-Control-Expose-Headers"), Some("ETag, Preference-Applied"));
            }
            server.web_socket(&from(Request::handshake("/topics/a"))).hello();
        }
        let other = Request::get("/topics/a").field("Origin", "https://one.example:444");
        assert!(!has_cors(&server.request(&other)));
    });
}

#[test]
fn an_allowed_origins_preflight_is_204_without_a_token() {
    in_every_mode_with(allow(&["https://one.example"]), |server| {
        for (asked, polyfill_fields) in [
            ("authorization", ""),
            ("authorization,last-event-id", ""),
            ("x-unknown", ""),
            // As sent by implementations of EventSource in JavaScript.
            ("authorization,cache-control,last-event-id", POLYFILL_FIELDS),
            ("Cache-Control, Last-Event-ID, X-Requested-With", POLYFILL_FIELDS),
            ("x-requested-with", POLYFILL_FIELDS),
        ] {
            let preflight = Request::new("OPTIONS", "/topics/a")
                .field("Origin", "https://one.example")
                .field("Access-Control-Request-Method", "POST")
                .field("Access-Control-Request-Headers", asked);
            let response = server.request(&preflight);
            assert_eq!(response.status, 204);
            assert_eq!(response.get("Access-Control-Allow-Origin"), Some("https://one.example"));
            assert_eq!(response.get("Access-Control-Max-Age"), Some("600"));
            let fields = format!("{FIELDS}{polyfill_fields}");
            for (field, expected) in
                [("Access-Control-Allow-Methods", METHODS), ("Access-Control-Allow-Headers", &fields)]
            {
                let list = |value: &str| -> Vec<String> {
                    let mut list: Vec<_> = value.split(',').map(|item| item.trim().to_owned()).collect();
                    list.sort();
                    list
                };
                assert_eq!(list(response.get(field).expect(field)), list(expected));
            }
        }
    });
}

/// Returns one request for each kind of response.
fn every_kind_of_response() -> Vec<(u16, Request)> {
    let bearer = |request: Request| request.field("Authorization", "Bearer secret");
    vec![
        (200, Request::get("/topics/a")),
        (304, Request::get("/topics/a").field("If-None-Match", "*")),
        (200, Request::head("/topics/a")),
        (400, Request::get("/topics/a?wait=x")),
        (400, Request::get("/topics/no%20name")),
        (101, bearer(Request::handshake("/topics/a"))),
        (201, bearer(Request::post("/topics/a", "x"))),
        (401, Request::post("/topics/a", "x")),
        (413, bearer(Request::post("/topics/a", "x".repeat((64 << 10) + 1)))),
        (405, Request::new("PUT", "/topics/a")),
        (204, Request::new("OPTIONS", "/topics/a")),
        (204, Request::new("OPTIONS", "/topics/a").field("Access-Control-Request-Method", "GET")),
        (200, Request::get("/health")),
        (200, Request::head("/health")),
        (405, Request::post("/health", "x")),
        (204, Request::new("OPTIONS", "/health")),
        (200, Request::get("/metrics")),
        (200, Request::get("/")),
        (101, Request::handshake("/echo")),
        (426, Request::get("/echo")),
        (404, Request::get("/nowhere")),
        (204, Request::new("OPTIONS", "*")),
        (501, Request::new("BREW", "/health")),
        (421, Request::get("/health").host("rebound.example")),
        (400, Request::post("/topics/a", "x").field("Transfer-Encoding", "chunked")),
    ]
}

#[test]
fn every_response_varies_by_origin() {
    in_every_mode_with(allow(&["https://one.example"]), |server| {
        for (status, request) in every_kind_of_response() {
            for (origin, is_allowed) in
                [(None, false), (Some("https://one.example"), true), (Some("https://two.example"), false)]
            {
                let request =
                    origin.iter().fold(request.clone(), |request, origin| request.field("Origin", *origin));
                let response = match status {
                    101 => server.begin(&request).response(),
                    _ => server.request(&request),
                };
                let at = format!("{} {origin:?}: {response:?}", request.method);
                // A foreign origin may neither publish nor open a WebSocket.
                assert!(response.status == status || response.status == 403, "{at}");
                assert!(response.get("Vary").is_some_and(|vary| vary.ends_with("Origin")), "{at}");
                assert_eq!(has_cors(&response), is_allowed, "{at}");
            }
        }
        let stream = server.event_stream(&Request::event_stream("/topics/a"));
        assert!(stream.head.get("Vary").is_some_and(|vary| vary.ends_with("Origin")));
    });
}

#[test]
fn a_page_can_read_when_to_retry() {
    let set = |options: &mut Options| {
        options.max_connections = 1;
        options.policy.access.allowed_origins = vec!["https://one.example".into()];
    };
    in_every_mode_with(set, |server| {
        let _held = server.event_stream(&Request::event_stream("/topics/a"));
        let from = |request: Request| request.field("Origin", "https://one.example");
        for request in [Request::get("/topics/a"), Request::post("/topics/a", "x")] {
            let response = server.request(&from(request));
            response.assert_problem(503);
            assert!(response.get("Retry-After").is_some());
            let exposed = response.get("Access-Control-Expose-Headers");
            assert_eq!(exposed, Some("ETag, Preference-Applied, Retry-After"));
        }
    });
}
