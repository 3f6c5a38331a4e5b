//! Hosts: a server on loopback answers only for its own names, so that no page of another site can
//! reach it through a name that resolves to this machine (DNS rebinding).

use std::net::Ipv6Addr;

use barewire::server::Options;

use crate::harness::{Request, Server, in_every_mode, in_every_mode_with};

/// Hosts that are neither loopback nor allowed.
const FOREIGN: [&str; 8] = [
    "rebound.example",
    "rebound.example:8080",
    "localhost.rebound.example",
    "127.0.0.1.rebound.example:8080",
    "notlocalhost",
    "10.0.0.1:8080",
    "0.0.0.0:8080",
    "[2001:db8::1]:8080",
];

/// Returns requests of every kind: each resource, transport, method and refusal.
fn requests() -> Vec<Request> {
    vec![
        Request::get("/topics/a"),
        Request::get("/topics/a?wait=60"),
        Request::get("/topics/a").field("Prefer", "wait=60"),
        Request::head("/topics/a"),
        Request::event_stream("/topics/a"),
        Request::handshake("/topics/a"),
        Request::handshake("/topics/a").without("Sec-WebSocket-Key"),
        Request::post("/topics/a", "x"),
        Request::post("/topics/a?event=gap", "x"),
        Request::post_chunks("/topics/a", &[b"x", b"y"]),
        Request::post_lines("/topics/a", "x\ny\n"),
        Request::new("PUT", "/topics/a"),
        Request::new("OPTIONS", "/topics/a"),
        Request::new("OPTIONS", "/topics/a")
            .field("Origin", "https://allowed.example")
            .field("Access-Control-Request-Method", "POST"),
        Request::get("/topics/no%20name"),
        Request::get("/echo"),
        Request::handshake("/echo"),
        Request::get("/wire"),
        Request::get("/health"),
        Request::head("/health"),
        Request::get("/metrics"),
        Request::get("/"),
        Request::get("/page/page.js"),
        Request::get("/nowhere"),
        Request::post("/nowhere", "x"),
        Request::new("OPTIONS", "*"),
        Request::new("CONNECT", "localhost:80"),
        Request::new("BREW", "/health"),
    ]
}

/// Returns the status of the response, and reads no more than its head.
fn status(server: &Server, request: &Request) -> u16 {
    let mut connection = server.begin(request);
    let line = connection.take("HTTP/1.1 200".len()).expect("a response");
    String::from_utf8_lossy(&line[9..]).parse().expect("a status")
}

fn assert_misdirected(server: &Server, request: Request, host: &str) {
    let response = server.request(&request.clone().host(host));
    assert_eq!(response.status, 421, "{} {host}: {response:?}", request.method);
    if request.method != "HEAD" {
        response.assert_problem(421);
        let detail = response.json()["detail"].as_str().expect("text").to_owned();
        assert!(detail.contains(&format!("\"{host}\"")) && detail.contains("--allow-host"), "{detail}");
    }
}

fn hosts(hosts: &[&str]) -> Vec<String> {
    hosts.iter().map(|&host| host.to_owned()).collect()
}

#[test]
fn every_resource_refuses_a_foreign_host_with_421() {
    in_every_mode_with(
        |options| options.policy.access.allowed_origins = hosts(&["https://allowed.example"]),
        |server| {
            for request in requests() {
                for host in FOREIGN {
                    assert_misdirected(server, request.clone(), host);
                }
            }
            assert_eq!(server.metric("barewire_topics"), 0);
        },
    );
}

#[test]
fn the_host_is_judged_before_tokens_origins_and_limits() {
    let set = |options: &mut Options| {
        options.policy.access.publish_token = Some("publish-secret".into());
        options.policy.access.follow_token = Some("follow-secret".into());
        options.max_connections = 1;
    };
    in_every_mode_with(set, |server| {
        let follow = Request::event_stream("/topics/a?access_token=follow-secret");
        let _held = server.event_stream(&follow);
        for request in requests() {
            let foreign = request.field("Origin", "http://rebound.example");
            assert_misdirected(server, foreign, "rebound.example");
        }
    });
}

#[test]
fn a_refused_body_is_read_or_ends_the_connection() {
    let server = Server::start();
    for (request, ends) in [
        (Request::post("/topics/a", "x".repeat(60_000)), false),
        (Request::post("/topics/a", "x".repeat(70_000)), true),
        (Request::post_chunks("/topics/a", &[b"x"]), false),
        (Request::post("/topics/a", "x").field("Expect", "100-continue"), true),
    ] {
        let response = server.request(&request.host("rebound.example"));
        response.assert_problem(421);
        assert_eq!((response.ends(), response.interim), (ends, vec![]));
    }
    // A syntax error is reported as such, whatever the host is.
    let framed_twice = Request::post_chunks("/topics/a", &[b"x"]).field("Content-Length", "1");
    server.request(&framed_twice.host("rebound.example")).assert_problem(400);
    server.request(&Request::get("/topics/a").host("u@rebound.example")).assert_problem(400);
}

#[test]
fn loopback_names_and_addresses_are_answered() {
    in_every_mode(|server| {
        for host in [
            "localhost",
            "LOCALHOST:8080",
            "localhost.:8080",
            "a.localhost:1",
            "127.0.0.1:8080",
            "127.1.2.3",
            "[::1]:8080",
            "[0:0:0:0:0:0:0:1]",
            "[::ffff:127.0.0.1]:8080",
            // A target without an authority has an empty Host (RFC 9112 §3.2).
            "",
        ] {
            assert_eq!(server.request(&Request::get("/topics/a").host(host)).status, 200, "{host}");
            assert_eq!(status(server, &Request::event_stream("/topics/a").host(host)), 200, "{host}");
            assert_eq!(status(server, &Request::handshake("/topics/a").host(host)), 101, "{host}");
        }
    });
}

#[test]
fn a_request_without_host_is_answered() {
    in_every_mode(|server| {
        for request in [Request::post("/topics/a", "x"), Request::get("/topics/a"), Request::get("/health")] {
            assert!(server.request(&request.http10()).status < 300);
        }
        server.event_stream(&Request::event_stream("/topics/a").http10());
    });
}

#[test]
fn the_authority_of_an_absolute_target_replaces_host() {
    in_every_mode(|server| {
        let own = Request::get("http://localhost:80/topics/a").host("rebound.example");
        assert_eq!(server.request(&own).status, 200);
        let foreign = Request::get("http://rebound.example/topics/a");
        server.request(&foreign.clone().host("localhost")).assert_problem(421);
        server.request(&foreign.http10()).assert_problem(421);
    });
}

#[test]
fn allowed_hosts_and_the_hosts_of_allowed_origins_are_answered() {
    let set = |options: &mut Options| {
        options.policy.access.allowed_hosts = hosts(&["a.example", "b.example:8443", "[2001:DB8:0::1]"]);
        options.policy.access.allowed_origins = hosts(&["https://c.example:444", "*", "null"]);
    };
    in_every_mode_with(set, |server| {
        for host in [
            "a.example",
            "A.EXAMPLE.:8080",
            "b.example",
            "b.example:1",
            "[2001:db8::1]:80",
            "c.example",
            "C.example:8080",
            "localhost",
        ] {
            assert_eq!(server.request(&Request::get("/topics/a").host(host)).status, 200, "{host}");
            assert_eq!(server.request(&Request::post("/topics/a", "x").host(host)).status, 201, "{host}");
            assert_eq!(status(server, &Request::handshake("/topics/a").host(host)), 101, "{host}");
        }
        for host in ["d.example", "x.a.example", "xa.example", "a.example.evil", "null", "*"] {
            assert_misdirected(server, Request::get("/topics/a"), host);
        }
    });
}

#[test]
fn an_allowed_host_is_not_an_allowed_origin() {
    let server = Server::with(|options| options.policy.access.allowed_hosts = hosts(&["a.example"]));
    let from = |request: Request| request.host("a.example").field("Origin", "https://a.example");
    assert_eq!(server.request(&from(Request::get("/topics/a"))).status, 200);
    server.request(&from(Request::post("/topics/a", "x"))).assert_problem(403);
    server.request(&from(Request::handshake("/topics/a"))).assert_problem(403);
}

#[test]
fn an_allowed_origin_may_read_why_its_request_is_misdirected() {
    let origin = "https://a.example";
    let server = Server::with(|options| options.policy.access.allowed_origins = hosts(&[origin]));
    let request = Request::get("/topics/a").host("b.example").field("Origin", origin);
    let response = server.request(&request);
    response.assert_problem(421);
    assert_eq!(response.get("Access-Control-Allow-Origin"), Some(origin));
}

#[test]
fn a_star_allows_every_host() {
    let server = Server::with(|options| options.policy.access.allowed_hosts = hosts(&["*"]));
    assert_eq!(server.request(&Request::get("/topics/a").host("rebound.example")).status, 200);
}

#[test]
fn a_public_address_judges_the_host_only_if_hosts_are_allowed() {
    let public = |allowed: &[&str]| {
        Server::with(|options| {
            options.listen = ([0, 0, 0, 0], 0).into();
            options.policy.access.allowed_hosts = hosts(allowed);
        })
    };
    let server = public(&[]);
    assert_eq!(server.request(&Request::get("/topics/a").host("any.example")).status, 200);
    let server = public(&["a.example"]);
    for host in ["a.example", "localhost", "127.0.0.1:8080"] {
        assert_eq!(server.request(&Request::get("/topics/a").host(host)).status, 200, "{host}");
    }
    assert_misdirected(&server, Request::get("/topics/a"), "any.example");
}

#[test]
fn an_ipv4_loopback_address_written_as_ipv6_is_loopback() {
    let address = std::net::Ipv4Addr::LOCALHOST.to_ipv6_mapped();
    for (address, is_loopback) in
        [(address, true), (Ipv6Addr::LOCALHOST, true), (Ipv6Addr::UNSPECIFIED, false)]
    {
        let server = Server::with(|options| options.listen = (address, 0).into());
        let status = server.request(&Request::get("/health").host("rebound.example")).status;
        assert_eq!(status, if is_loopback { 421 } else { 200 }, "{address}");
    }
}

#[test]
fn the_refusal_quotes_a_host_and_shortens_a_long_one() {
    let server = Server::start();
    let host = "a'$(b)&c;d";
    assert_misdirected(&server, Request::get("/topics/a"), host);
    let response = server.request(&Request::get("/topics/a").host("a".repeat(4000)));
    response.assert_problem(421);
    assert!(response.body.len() < 600);
}
