//! What hostile clients and careless handlers cannot do to the others.

use barewire::app::{App, Message, Response, Since, Socket, SocketId};

use crate::peers::{content, frame, messages, start, start_with};

/// A WebSocket at `/` that follows the topic `t`, and `POST /do`, which fills the log and does what
/// the content says.
fn crowded() -> App<Vec<SocketId>> {
    let socket = Socket::<Vec<SocketId>, _>::open(|cx, id, _| {
        cx.state.push(id);
        Ok(cx.follow(id, "t", Since::Start)?)
    });
    App::new(Vec::new()).socket("/", socket).on("POST", "/do", |cx, request| {
        let (id, what) = (cx.state[0], request.text().unwrap_or_default());
        if what == "send first" {
            cx.send(id, Message::Text("direct"));
        }
        for _ in 0..if what == "publish" { 1 } else { 50 } {
            let _ = cx.publish("t", &"x".repeat(500));
        }
        match what {
            "send" => drop(cx.send(id, Message::Text("direct"))),
            "follow" => drop(cx.follow(id, "u", Since::Start)),
            "close" => cx.close(id, 1000, "enough"),
            _ => {}
        }
        Response::status(204)
    })
}

#[test]
fn a_message_is_not_written_inside_an_event_that_is_no_longer_kept() {
    for what in ["send", "send first", "follow", "close"] {
        let mut app = start_with(crowded(), |options| {
            options.hub.window_bytes = 16 << 10;
            options.hub.window_events = 8;
        });
        let (slow, _) = app.open("/");
        app.server.set_room(slow, 100);
        app.ask("POST /do HTTP/1.1\n\npublish");
        let mut received = app.server.take(slow);
        assert_eq!(received.len(), 100, "a part of the event");
        app.ask(&format!("POST /do HTTP/1.1\n\n{what}"));
        app.server.set_room(slow, usize::MAX);
        received.extend(app.server.take(slow));
        let received = messages(&received);
        assert!(received[0].ends_with(r#"xxx"}"#), "{what}: {received:?}");
        let last = received.last().map(String::as_str);
        assert_eq!(last, Some("close 1013 too slow: unread events are no longer kept"), "{what}");
        assert_eq!(received.len(), if what == "send first" { 3 } else { 2 }, "{what}: {received:?}");
    }
}

/// A room in which each message, and the content of `POST /all`, is sent to all.
fn room() -> App<Vec<SocketId>> {
    let socket = Socket::<Vec<SocketId>, _>::open(|cx, id, _| {
        cx.state.push(id);
        Ok(())
    })
    .message(|cx, _, (), message| cx.state.clone().iter().for_each(|id| _ = cx.send(*id, message)))
    .closed(|cx, id, ()| cx.state.retain(|other| *other != id));
    App::new(Vec::new()).socket("/", socket).on("POST", "/all", |cx, request| {
        cx.state.clone().iter().for_each(|id| _ = cx.send(*id, Message::Binary(request.content())));
        Response::text(cx.state.len().to_string())
    })
}

#[test]
fn messages_to_clients_that_do_not_read_count_as_memory() {
    let mut app = start_with(room(), |options| options.buffered_bytes = 1 << 20);
    for _ in 0..100 {
        let (peer, _) = app.open("/");
        app.server.set_room(peer, 0);
    }
    let data = "x".repeat(10_000);
    for _ in 0..20 {
        app.ask(&format!("POST /all HTTP/1.1\n\n{data}"));
    }
    let left: usize = content(&app.ask("POST /all HTTP/1.1\n\n.")).parse().expect("a number");
    assert!(left > 0 && left * 200_000 <= 1 << 20, "{left} clients hold 200,000 bytes each");
}

#[test]
fn a_flood_of_messages_that_cost_much_does_not_make_an_iteration_long() {
    let mut app = start(room());
    let _others: Vec<_> = (0..300).map(|_| app.open("/")).collect();
    let (flooder, _) = app.open("/");
    app.server.send(flooder, &frame(0x81, b"").repeat(5000));
    assert_eq!(app.messages(flooder).len(), 5000);
    let work = app.server.iteration_work_max();
    assert!(work <= 5_000_000, "{work}");
}
