//! Origins: own, foreign, allowed.

use barewire::server::Options;

use crate::harness::{Request, Response, Server, in_every_way, in_every_way_with};

const METHODS: &str = "GET, HEAD, POST";
const FIELDS: &str = "Authorization, Content-Type, If-None-Match, Last-Event-ID, Prefer";

/// The three kinds of request that an Origin may be refused for.
fn guarded(server: &Server, host: &str, origin: &str) -> [u16; 3] {
    let with = |request: Request| request.host(host).field("Origin", origin);
    let socket = |target: &str| server.begin(&with(Request::handshake(target))).response().status;
    [socket("/topics/a"), server.ask(&with(Request::post("/topics/a", "x"))).status, socket("/echo")]
}

fn has_cors(response: &Response) -> bool {
    response.fields.iter().any(|(name, _)| name.to_ascii_lowercase().starts_with("access-control-"))
}

#[test]
fn own_is_host_and_port_equal_to_host() {
    in_every_way(|server| {
        for (host, origin) in [
            ("localhost:8080", "http://localhost:8080"),
            ("LocalHost:8080", "http://localhost:8080"),
            ("127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("[::1]:8080", "http://[::1]:8080"),
            // Without a port it is the default port of the Origin's scheme.
            ("localhost", "http://localhost"),
            ("localhost", "https://localhost"),
            ("localhost:80", "http://localhost"),
            ("localhost:443", "https://localhost"),
            ("localhost", "http://localhost:80"),
        ] {
            assert_eq!(guarded(server, host, origin), [101, 201, 101], "{host}, {origin}");
        }
    });
}

#[test]
fn a_foreign_origin_is_refused_on_a_handshake_and_on_a_publish() {
    in_every_way(|server| {
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
            // The server listens on loopback only: a name that is not loopback's is a rebound one.
            ("rebound.example", "http://rebound.example"),
            ("10.0.0.1:8080", "http://10.0.0.1:8080"),
        ] {
            assert_eq!(guarded(server, host, origin), [403; 3], "{host}, {origin}");
        }
        assert_eq!(server.ask(&Request::get("/topics/a")).data(), [""; 0]);
    });
}

#[test]
fn a_refusal_of_a_foreign_origin_is_a_problem() {
    in_every_way(|server| {
        let foreign = Request::post("/topics/a", "x").field("Origin", "https://foreign.example");
        server.ask(&foreign).assert_problem(403);
    });
}

#[test]
fn a_server_that_others_can_reach_takes_its_own_name() {
    let server = Server::with(|options| options.listen = ([0, 0, 0, 0], 0).into());
    assert_eq!(guarded(&server, "barewire.example", "https://barewire.example"), [101, 201, 101]);
    assert_eq!(guarded(&server, "barewire.example", "https://other.example"), [403; 3]);
}

#[test]
fn two_origins_are_foreign() {
    in_every_way(|server| {
        let own = Request::post("/topics/a", "x").host("localhost").field("Origin", "http://localhost");
        assert_eq!(server.ask(&own).status, 201);
        server.ask(&own.field("Origin", "http://localhost")).assert_problem(403);
    });
}

#[test]
fn a_foreign_origin_may_follow_but_gets_no_cors_fields() {
    in_every_way(|server| {
        server.publish("/topics/a", "x");
        let foreign = |request: Request| request.field("Origin", "https://foreign.example");
        let poll = server.ask(&foreign(Request::get("/topics/a")));
        assert_eq!((poll.data(), has_cors(&poll)), (vec!["x".to_owned()], false));
        let stream = server.event_stream(&foreign(Request::event_stream("/topics/a")));
        assert!(!has_cors(&stream.head));
        let preflight = Request::new("OPTIONS", "/topics/a").field("Access-Control-Request-Method", "POST");
        assert!(!has_cors(&server.ask(&foreign(preflight))));
        assert!(!has_cors(&server.ask(&foreign(Request::post("/topics/a", "x")))));
    });
}

#[test]
fn a_request_without_origin_is_let_through() {
    in_every_way(|server| {
        assert_eq!(server.ask(&Request::post("/topics/a", "x").host("rebound.example")).status, 201);
        server.web_socket(&Request::handshake("/topics/a").host("rebound.example")).hello();
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
fn an_allowed_origin_gets_the_cors_fields_on_every_answer() {
    in_every_way_with(allow(&["https://one.example", "https://two.example:8443", "null"]), |server| {
        for origin in ["https://one.example", "https://two.example:8443", "null"] {
            let from =
                |request: Request| request.field("Origin", origin).field("Authorization", "Bearer secret");
            let heads = [
                server.ask(&from(Request::post("/topics/a", "x"))),
                server.ask(&from(Request::get("/topics/a"))),
                server.ask(&from(Request::get("/topics/a").field("If-None-Match", "*"))),
                server.ask(&from(Request::head("/topics/a"))),
                server.ask(&from(Request::get("/topics/a?wait=x"))),
                server.ask(&from(Request::post("/topics/a", "x".repeat((64 << 10) + 1)))),
                server.ask(&Request::post("/topics/a", "x").field("Origin", origin)),
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
        assert!(!has_cors(&server.ask(&other)));
    });
}

#[test]
fn an_allowed_origins_preflight_is_204_without_a_token() {
    in_every_way_with(allow(&["https://one.example"]), |server| {
        let preflight = Request::new("OPTIONS", "/topics/a")
            .field("Origin", "https://one.example")
            .field("Access-Control-Request-Method", "POST")
            .field("Access-Control-Request-Headers", "authorization");
        let response = server.ask(&preflight);
        assert_eq!(response.status, 204);
        assert_eq!(response.get("Access-Control-Allow-Origin"), Some("https://one.example"));
        for (field, expected) in
            [("Access-Control-Allow-Methods", METHODS), ("Access-Control-Allow-Headers", FIELDS)]
        {
            let list = |value: &str| -> Vec<String> {
                let mut list: Vec<_> = value.split(',').map(|item| item.trim().to_owned()).collect();
                list.sort();
                list
            };
            assert_eq!(list(response.get(field).expect(field)), list(expected));
        }
    });
}
