//! WebSockets that follow a topic.

use serde_json::json;

use crate::harness::{
    Event, Opcode, Request, Transport, WebSocket, follow, in_every_mode, in_every_mode_with,
};

#[test]
fn the_first_message_is_the_starting_cursor() {
    in_every_mode(|server| {
        let id = server.publish("/topics/a", "x");
        let mut socket = server.web_socket(&Request::handshake("/topics/a"));
        assert_eq!(socket.text(), format!(r#"{{"next":"{id}"}}"#));
        let mut socket = server.web_socket(&Request::handshake("/topics/a?since=junk"));
        let gap =
            format!(r#"{{"next":"{}","gap":{{"since":"junk","oldest":"{id}"}}}}"#, id.replace("-1", "-0"));
        assert_eq!(socket.text(), gap);
    });
}

#[test]
fn each_event_is_one_text_message() {
    in_every_mode(|server| {
        let mut socket = server.web_socket(&Request::handshake("/topics/a"));
        socket.hello();
        let id = server.publish("/topics/a?event=named", "a\r\n\"b\"");
        assert_eq!(socket.text(), format!(r#"{{"id":"{id}","event":"named","data":"a\n\"b\""}}"#));
        // Lengths on both sides of the points where a frame's header grows.
        for length in [125, 126, 65_000, 65_536] {
            let data = "x".repeat(length);
            let id = server.publish("/topics/a", &data);
            assert_eq!(socket.json(), json!({ "id": id, "event": "message", "data": data }));
        }
    });
}

#[test]
fn a_clients_text_message_is_published_as_an_events_data() {
    in_every_mode(|server| {
        let mut socket = server.web_socket(&Request::handshake("/topics/a"));
        let mut other = server.web_socket(&Request::handshake("/topics/a"));
        socket.hello();
        other.hello();
        socket.send(Opcode::Text, "{\"not\": parsed}\r\n");
        socket.send(Opcode::Text, "");
        let events = follow_two(&mut socket);
        assert_eq!(events, follow_two(&mut other));
        assert_eq!(events, follow(server, Transport::ShortPoll, "a", "start", 2).events);
        assert_eq!((events[0].event.as_str(), events[0].data.as_str()), ("message", "{\"not\": parsed}\n"));
        assert_eq!(events[1].data, "");
    });
}

fn follow_two(socket: &mut WebSocket) -> Vec<Event> {
    vec![socket.event(), socket.event()]
}

#[test]
fn chooses_the_first_known_subprotocol_of_the_client() {
    in_every_mode(|server| {
        for (offered, chosen) in [
            ("barewire.json", Some("barewire.json")),
            ("barewire.text", Some("barewire.text")),
            ("barewire.text, barewire.json", Some("barewire.text")),
            ("mqtt, barewire.json,barewire.text", Some("barewire.json")),
            ("mqtt", None),
            ("BAREWIRE.TEXT", None),
        ] {
            let request = Request::handshake("/topics/a").field("Sec-WebSocket-Protocol", offered);
            let mut socket = server.web_socket(&request);
            assert_eq!(socket.head.get("Sec-WebSocket-Protocol"), chosen, "{offered}");
            if chosen != Some("barewire.text") {
                socket.hello();
            }
        }
        let lines = Request::handshake("/topics/a").field("Sec-WebSocket-Protocol", "mqtt");
        let lines = lines.field("Sec-WebSocket-Protocol", "barewire.text");
        assert_eq!(server.web_socket(&lines).head.get("Sec-WebSocket-Protocol"), Some("barewire.text"));
        assert_eq!(
            server.web_socket(&Request::handshake("/topics/a")).head.get("Sec-WebSocket-Protocol"),
            None
        );
    });
}

#[test]
fn in_barewire_text_each_message_is_only_the_data() {
    in_every_mode(|server| {
        server.publish("/topics/a", "1");
        let text = |target: &str| Request::handshake(target).field("Sec-WebSocket-Protocol", "barewire.text");
        let mut socket = server.web_socket(&text("/topics/a?since=start"));
        server.publish("/topics/a?event=named", "2\r\n");
        socket.send(Opcode::Text, "\"3\"");
        server.publish("/topics/a", "");
        assert_eq!([(); 2].map(|()| socket.text()), ["1", "2\n"]);
        let mut last = [(); 2].map(|()| socket.text());
        last.sort();
        assert_eq!(last, ["", "\"3\""]);
    });
}

#[test]
fn in_barewire_text_a_gap_is_close_4000() {
    in_every_mode(|server| {
        server.publish("/topics/a", "1");
        let request =
            Request::handshake("/topics/a?since=junk").field("Sec-WebSocket-Protocol", "barewire.text");
        let mut socket = server.web_socket(&request);
        assert_eq!(socket.close(), (4000, "gap".to_owned()));
        socket.send(Opcode::Close, 4000_u16.to_be_bytes());
        assert!(socket.is_at_end());
    });
}

#[test]
fn a_binary_message_is_closed_with_1003() {
    in_every_mode(|server| {
        for subprotocol in ["barewire.json", "barewire.text"] {
            let request = Request::handshake("/topics/a").field("Sec-WebSocket-Protocol", subprotocol);
            let mut socket = server.web_socket(&request);
            if subprotocol == "barewire.json" {
                socket.hello();
            }
            socket.send(Opcode::Binary, "x");
            assert_eq!(socket.close().0, 1003);
            // Messages after the server's close frame are ignored.
            socket.send(Opcode::Text, "too late");
            socket.send(Opcode::Close, 1003_u16.to_be_bytes());
            assert!(socket.is_at_end());
        }
        assert_eq!(server.request(&Request::get("/topics/a")).data(), [""; 0]);
    });
}

#[test]
fn a_list_without_an_extension_is_no_offer() {
    for compress in [true, false] {
        in_every_mode_with(
            |options| options.policy.compress = compress,
            |server| {
                let with = |target: &str, lines: &[&str]| {
                    lines.iter().fold(Request::handshake(target), |request, line| {
                        request.field("Sec-WebSocket-Extensions", *line)
                    })
                };
                for target in ["/topics/a", "/echo"] {
                    for lines in [&[""][..], &[","], &[" , ,"], &["", ""], &["x-unknown"], &["x; y=z", ""]] {
                        let socket = server.web_socket(&with(target, lines));
                        assert_eq!(socket.head.get("Sec-WebSocket-Extensions"), None, "{lines:?}");
                    }
                    // RFC 6455 §4.2.1, §9.1: a list that the grammar does not permit fails the
                    // handshake.
                    for lines in [&[";"][..], &["permessage-deflate;"], &["a b"], &["x=y"], &["", "x; y="]] {
                        server.request(&with(target, lines)).assert_problem(400);
                    }
                }
            },
        );
    }
}
