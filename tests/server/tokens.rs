//! Tokens: who may publish, who may follow, and that no token is ever written anywhere.

use barewire::server::Options;

use crate::harness::{Opcode, Request, Server, in_every_way_with};

fn tokens(options: &mut Options) {
    options.policy.access.publish_token = Some("publish-secret".into());
    options.policy.access.follow_token = Some("follow-secret".into());
}

fn bearer(request: Request, token: &str) -> Request {
    request.field("Authorization", format!("Bearer {token}"))
}

/// Each kind of request that follows.
fn follows(query: &str) -> [Request; 5] {
    [
        Request::get(format!("/topics/a?{query}")),
        Request::head(format!("/topics/a?{query}")),
        Request::get(format!("/topics/a?wait=60&since=start&{query}")),
        Request::event_stream(format!("/topics/a?{query}")),
        Request::handshake(format!("/topics/a?{query}")),
    ]
}

/// The status of the answer, of which no more than the head is waited for.
fn status(server: &Server, request: &Request) -> u16 {
    let mut connection = server.begin(request);
    let line = connection.take("HTTP/1.1 200".len()).expect("an answer");
    String::from_utf8_lossy(&line[9..]).parse().expect("a status")
}

#[test]
fn without_a_token_or_with_a_wrong_one_the_answer_is_401() {
    in_every_way_with(tokens, |server| {
        let publish = || Request::post("/topics/a", "x");
        for wrong in [
            publish(),
            bearer(publish(), "wrong"),
            bearer(publish(), "publish-secre"),
            bearer(publish(), "publish-secret2"),
            bearer(publish(), ""),
            bearer(publish(), "follow-secret"),
            publish().field("Authorization", "Basic publish-secret"),
            publish().field("Authorization", "publish-secret"),
            publish().target("/topics/a?access_token=wrong"),
            publish().target("/topics/a?access_token="),
        ]
        .into_iter()
        .chain(follows(""))
        .chain(follows("access_token=wrong"))
        .chain(follows("").map(|request| bearer(request, "wrong")))
        {
            let response = server.ask(&wrong);
            assert_eq!(response.status, 401);
            assert_eq!(response.get("WWW-Authenticate"), Some("Bearer"));
            if wrong.method != "HEAD" {
                response.assert_problem(401);
            }
        }
        assert_eq!(server.metric("barewire_topics"), 0);
    });
}

#[test]
fn a_token_comes_in_authorization_or_in_the_query() {
    in_every_way_with(tokens, |server| {
        assert_eq!(server.ask(&bearer(Request::post("/topics/a", "x"), "publish-secret")).status, 201);
        let lower = Request::post("/topics/a", "x").field("Authorization", "bearer publish-secret");
        assert_eq!(server.ask(&lower).status, 201);
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
    in_every_way_with(tokens, |server| {
        server.publish("/topics/a?access_token=publish-secret", "x");
        for request in follows("access_token=publish-secret") {
            assert!(matches!(status(server, &request), 200 | 101));
        }
    });
}

#[test]
fn where_only_a_publish_token_is_set_everybody_may_follow() {
    let set = |options: &mut Options| options.policy.access.publish_token = Some("publish-secret".into());
    in_every_way_with(set, |server| {
        server.ask(&Request::post("/topics/a", "x")).assert_problem(401);
        server.publish("/topics/a?access_token=publish-secret", "x");
        for request in follows("") {
            assert!(matches!(status(server, &request), 200 | 101));
        }
    });
}

#[test]
fn a_web_socket_without_the_publish_token_may_only_follow() {
    in_every_way_with(tokens, |server| {
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
        assert_eq!(server.ask(&poll).data(), ["from the publisher"]);
    });
}

#[test]
fn a_token_is_not_in_the_metrics() {
    in_every_way_with(tokens, |server| {
        server.publish("/topics/a?access_token=publish-secret", "x");
        assert!(!server.ask(&Request::get("/metrics")).text().contains("secret"));
    });
}
