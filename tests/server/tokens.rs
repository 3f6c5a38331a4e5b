//! Tokens: which clients may publish and follow. Tokens never appear in the metrics.

use barewire::server::Options;

use crate::harness::{Opcode, Request, Server, in_every_mode_with};

fn tokens(options: &mut Options) {
    options.policy.access.publish_token = Some("publish-secret".into());
    options.policy.access.follow_token = Some("follow-secret".into());
}

fn bearer(request: Request, token: &str) -> Request {
    request.field("Authorization", format!("Bearer {token}"))
}

/// Returns one request of each kind that follows a topic.
fn follows(query: &str) -> [Request; 5] {
    [
        Request::get(format!("/topics/a?{query}")),
        Request::head(format!("/topics/a?{query}")),
        Request::get(format!("/topics/a?wait=60&since=start&{query}")),
        Request::event_stream(format!("/topics/a?{query}")),
        Request::handshake(format!("/topics/a?{query}")),
    ]
}

/// Returns the status of the response, and reads no more than its head.
fn status(server: &Server, request: &Request) -> u16 {
    let mut connection = server.begin(request);
    let line = connection.take("HTTP/1.1 200".len()).expect("a response");
    String::from_utf8_lossy(&line[9..]).parse().expect("a status")
}

#[test]
fn a_missing_or_wrong_token_is_401() {
    in_every_mode_with(tokens, |server| {
        let publish = || Request::post("/topics/a", "x");
        let refuse = |request: Request, challenge: &str| {
            let response = server.request(&request);
            assert_eq!(response.status, 401);
            assert_eq!(response.get("WWW-Authenticate"), Some(challenge));
            if request.method != "HEAD" {
                response.assert_problem(401);
            }
        };
        for missing in [
            publish(),
            bearer(publish(), ""),
            publish().field("Authorization", "Basic publish-secret"),
            publish().field("Authorization", "publish-secret"),
            publish().target("/topics/a?access_token="),
        ]
        .into_iter()
        .chain(follows(""))
        {
            refuse(missing, r#"Bearer realm="barewire""#);
        }
        for wrong in [
            bearer(publish(), "wrong"),
            bearer(publish(), "publish-secre"),
            bearer(publish(), "publish-secret2"),
            bearer(publish(), "two words"),
            bearer(publish(), "="),
            // The follow token does not permit publishing.
            bearer(publish(), "follow-secret"),
            publish().target("/topics/a?access_token=follow-secret"),
            publish().target("/topics/a?access_token=wrong"),
            publish().target("/topics/a?access_token=%"),
            publish().target("/topics/a?access_token=wrong").field("Authorization", "Basic x"),
        ]
        .into_iter()
        .chain(follows("access_token=wrong"))
        .chain(follows("").map(|request| bearer(request, "wrong")))
        {
            refuse(wrong, r#"Bearer realm="barewire", error="invalid_token""#);
        }
        assert_eq!(server.metric("barewire_topics"), 0);
    });
}

#[test]
fn a_token_is_in_authorization_or_in_the_query() {
    in_every_mode_with(tokens, |server| {
        assert_eq!(server.request(&bearer(Request::post("/topics/a", "x"), "publish-secret")).status, 201);
        let lower = Request::post("/topics/a", "x").field("Authorization", "bearer publish-secret");
        assert_eq!(server.request(&lower).status, 201);
        server.publish("/topics/a?access_token=publish-secret", "x");
        server.publish("/topics/a?event=b&access_token=publish%2Dsecret", "x");
        for request in follows("access_token=follow-secret") {
            assert!(matches!(status(server, &request), 200 | 101), "{}", request.method);
        }
        for request in follows("").map(|request| bearer(request, "follow-secret")) {
            assert!(matches!(status(server, &request), 200 | 101));
        }
    });
}

#[test]
fn the_publish_token_also_allows_following() {
    in_every_mode_with(tokens, |server| {
        server.publish("/topics/a?access_token=publish-secret", "x");
        for request in follows("access_token=publish-secret") {
            assert!(matches!(status(server, &request), 200 | 101));
        }
    });
}

#[test]
fn with_only_a_publish_token_every_client_may_follow() {
    let set = |options: &mut Options| options.policy.access.publish_token = Some("publish-secret".into());
    in_every_mode_with(set, |server| {
        server.request(&Request::post("/topics/a", "x")).assert_problem(401);
        server.publish("/topics/a?access_token=publish-secret", "x");
        for request in follows("") {
            assert!(matches!(status(server, &request), 200 | 101));
        }
    });
}

#[test]
fn a_web_socket_without_the_publish_token_may_only_follow() {
    in_every_mode_with(tokens, |server| {
        let mut follower = server.web_socket(&Request::handshake("/topics/a?access_token=follow-secret"));
        follower.hello();
        let mut publisher = server.web_socket(&Request::handshake("/topics/a?access_token=publish-secret"));
        publisher.hello();
        publisher.send(Opcode::Text, "from the publisher");
        assert_eq!(follower.event().data, "from the publisher");
        follower.send(Opcode::Text, "from the follower");
        assert_eq!(follower.close().0, 1008);
        follower.send(Opcode::Close, 1008_u16.to_be_bytes());
        assert!(follower.is_at_end());
        let poll = Request::get("/topics/a?access_token=follow-secret");
        assert_eq!(server.request(&poll).data(), ["from the publisher"]);
    });
}

#[test]
fn a_token_is_not_in_the_metrics() {
    in_every_mode_with(tokens, |server| {
        server.publish("/topics/a?access_token=publish-secret", "x");
        assert!(!server.request(&Request::get("/metrics")).text().contains("secret"));
    });
}
