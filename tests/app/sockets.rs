//! WebSockets of an application.

use std::cell::RefCell;
use std::rc::Rc;

use barewire::app::{App, Message, Response, Sent, Since, Socket, SocketId};

use crate::peers::{frame, messages, start, start_with, upgrade};

type Calls = Rc<RefCell<Vec<String>>>;

/// A room in which each message is sent to all others, and which notes every call.
fn room(calls: &Calls) -> App<Vec<SocketId>> {
    let [opened, received, ended] = [0; 3].map(|_| Rc::clone(calls));
    let socket = Socket::<Vec<SocketId>, _>::open(move |cx, id, request| {
        let name = request.query("name").ok_or_else(|| Response::problem(400, "Say ?name="))?;
        opened.borrow_mut().push(format!("open {name}"));
        cx.send(id, Message::Text("welcome"));
        cx.state.push(id);
        Ok(name.into_owned())
    })
    .message(move |cx, id, name, message| {
        match message {
            Message::Text("leave") => return cx.close(id, 4001, "as you wish"),
            Message::Text("panic") => panic!("as the test wants"),
            Message::Text(text) => received.borrow_mut().push(format!("{name}: {text}")),
            Message::Binary(data) => received.borrow_mut().push(format!("{name}: {data:?}")),
        }
        for other in cx.state.clone() {
            cx.send(other, message);
        }
    })
    .closed(move |cx, id, name| {
        assert_eq!(cx.send(id, Message::Text("too late")), Sent::Gone);
        cx.state.retain(|other| *other != id);
        ended.borrow_mut().push(format!("closed {name}"));
    });
    App::new(Vec::new()).socket("/room", socket)
}

#[test]
fn messages_reach_all_in_order_and_each_end_is_told_once() {
    let calls = Calls::default();
    let mut app = start(room(&calls));
    let (a, welcome) = app.open("/room?name=a");
    assert_eq!(messages(&welcome), ["welcome"]);
    let (b, _) = app.open("/room?name=b");
    let mut together = frame(0x81, b"one");
    together.extend(frame(0x82, &[1, 2]));
    together.extend(frame(0x89, b"ping"));
    app.server.send(a, &together);
    assert_eq!(app.messages(b), ["one", "binary [1, 2]"]);
    let mut received = app.messages(a);
    received.retain(|message| message != "opcode 10 ping");
    assert_eq!(received, ["one", "binary [1, 2]"]);
    app.send_text(b, "leave");
    assert_eq!(app.messages(b), ["close 4001 as you wish"]);
    app.server.send(b, &frame(0x88, &[0x0f, 0xa1]));
    app.server.reset(a);
    assert_eq!(*calls.borrow(), ["open a", "open b", "a: one", "a: [1, 2]", "closed b", "closed a"]);
}

#[test]
fn messages_before_a_close_frame_are_delivered_before_the_end() {
    let calls = Calls::default();
    let mut app = start(room(&calls));
    let (a, _) = app.open("/room?name=a");
    let mut together = frame(0x81, b"last");
    together.extend(frame(0x88, &[3, 0xe8]));
    together.extend(frame(0x81, b"after the end"));
    app.server.send(a, &together);
    assert_eq!(app.messages(a), ["close 1000 "], "the answer to `last` has no one to reach");
    assert_eq!(*calls.borrow(), ["open a", "a: last", "closed a"]);
}

#[test]
fn a_handshake_is_refused_by_the_server_or_by_the_application() {
    let calls = Calls::default();
    let mut app = start(room(&calls));
    assert!(app.ask(&upgrade("/room")).starts_with("HTTP/1.1 400 "));
    let foreign = upgrade("/room?name=a") + "\nOrigin: https://evil.example";
    assert!(app.ask(&foreign).starts_with("HTTP/1.1 403 "));
    let plain = app.ask("GET /room?name=a HTTP/1.1");
    assert!(plain.starts_with("HTTP/1.1 426 ") && plain.contains("\r\nUpgrade: websocket\r\n"), "{plain}");
    assert!(app.ask("POST /room HTTP/1.1").contains("\r\nAllow: GET, OPTIONS\r\n"));
    assert_eq!(calls.borrow().len(), 0);
}

#[test]
fn a_panic_closes_only_the_websocket_that_caused_it() {
    let calls = Calls::default();
    let mut app = start(room(&calls));
    let (a, _) = app.open("/room?name=a");
    let (b, _) = app.open("/room?name=b");
    app.send_text(a, "panic");
    assert_eq!(app.messages(a), ["close 1011 the server has failed"]);
    app.send_text(b, "still here");
    assert_eq!(app.messages(b), ["still here"]);
    assert_eq!(*calls.borrow(), ["open a", "open b", "closed a", "b: still here"]);
}

#[test]
fn each_end_is_told_at_the_shutdown_too() {
    let calls = Calls::default();
    let mut app = start(room(&calls));
    let (a, _) = app.open("/room?name=a");
    app.open("/room?name=b");
    app.server.stop();
    assert_eq!(app.messages(a), ["close 1001 the server is shutting down"]);
    assert_eq!(*calls.borrow(), ["open a", "open b", "closed a", "closed b"]);
    app.server.reset(a);
    assert_eq!(calls.borrow().len(), 4);
}

#[test]
fn a_client_that_does_not_read_is_closed_at_the_bound() {
    let calls = Calls::default();
    let mut app = start_with(room(&calls), |options| options.outbox_bytes = 1000);
    let (slow, _) = app.open("/room?name=slow");
    let (fast, _) = app.open("/room?name=fast");
    app.server.set_room(slow, 0);
    let text = "x".repeat(100);
    for _ in 0..9 {
        app.send_text(fast, &text);
    }
    assert_eq!(calls.borrow().iter().filter(|call| call.starts_with("closed")).count(), 0);
    for _ in 0..3 {
        app.send_text(fast, &text);
    }
    assert_eq!(
        calls.borrow().last().map(String::as_str),
        Some(
            "fast: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
        )
    );
    assert!(calls.borrow().contains(&"closed slow".to_owned()));
    assert_eq!(app.messages(fast).len(), 12);
    app.server.set_room(slow, usize::MAX);
    let received = app.messages(slow);
    assert_eq!(
        received.last().map(String::as_str),
        Some("close 1013 too slow: too many messages are unread")
    );
    assert_eq!(received.len(), 10, "what waited is delivered before the close frame");
}

#[test]
fn a_client_that_does_not_keep_up_can_be_skipped() {
    let socket = Socket::<Option<SocketId>, _>::open(|cx, id, _| {
        *cx.state = Some(id);
        Ok(())
    });
    let app = App::new(None).socket("/", socket).on("POST", "/", |cx, request| {
        let Some(id) = *cx.state else { return Response::status(404) };
        if cx.queued(id) > 0 {
            return Response::status(204);
        }
        let sent = cx.send(id, Message::Text(request.text().unwrap_or_default()));
        Response::text(format!("{sent:?}"))
    });
    let mut app = start(app);
    let (peer, _) = app.open("/");
    assert!(app.ask("POST / HTTP/1.1\n\n1").ends_with("\r\n\r\nNow"));
    app.server.set_room(peer, 1);
    assert!(app.ask("POST / HTTP/1.1\n\n2").ends_with("\r\n\r\nNow"), "nothing waits yet");
    assert!(app.ask("POST / HTTP/1.1\n\n3").starts_with("HTTP/1.1 204 "));
    app.server.set_room(peer, usize::MAX);
    assert!(app.ask("POST / HTTP/1.1\n\n4").ends_with("\r\n\r\nNow"));
    assert_eq!(app.messages(peer), ["1", "2", "4"]);
}

fn chat() -> App<Option<SocketId>> {
    let socket = Socket::<Option<SocketId>, _>::open(|cx, id, request| {
        *cx.state = Some(id);
        if let Some(topic) = request.query("topic") {
            cx.follow(id, &topic, request.since(Since::Start)).map_err(|_| Response::status(503))?;
        }
        Ok(())
    })
    .message(|cx, id, (), message| {
        let Message::Text(text) = message else { return };
        match text.split_once(' ') {
            Some(("go", topic)) => drop(cx.follow(id, topic, Since::Start)),
            Some((topic, data)) => drop(cx.publish(topic, data)),
            None => drop(cx.send(id, message)),
        }
    });
    App::new(None).socket("/", socket)
}

#[test]
fn a_websocket_follows_one_topic_after_another() {
    let mut app = start(chat());
    let (a, first) = app.open("/?topic=x");
    assert!(messages(&first)[0].starts_with(r#"{"next":""#));
    let (b, _) = app.open("/");
    app.send_text(b, "x one");
    app.send_text(b, "y two");
    assert_eq!(app.messages(b), [""; 0], "it follows nothing");
    let received = app.messages(a);
    assert!(received.len() == 1 && received[0].contains(r#""data":"one""#), "{received:?}");
    app.send_text(a, "go y");
    let received = app.messages(a);
    assert!(received[0].starts_with(r#"{"next":""#) && received[1].contains(r#""data":"two""#));
    app.send_text(b, "x three");
    app.send_text(b, "y four");
    let received = app.messages(a);
    assert!(received.len() == 1 && received[0].contains("four"), "{received:?}");
    // The cursor of a reconnect.
    let id = received[0].split('"').nth(3).expect("an id").to_owned();
    app.send_text(b, "y five");
    let (_, resumed) = app.open(&format!("/?topic=y&since={id}"));
    let resumed = messages(&resumed);
    assert!(resumed.len() == 2 && resumed[1].contains("five"), "{resumed:?}");
}

#[test]
fn a_message_is_written_between_two_events_never_inside_one() {
    let mut app = start(chat());
    let (a, _) = app.open("/?topic=x");
    let (b, _) = app.open("/");
    let data = "e".repeat(90);
    for room in 0..160 {
        app.server.set_room(a, room);
        app.send_text(b, &format!("x {data}"));
        app.send_text(a, "direct");
        app.server.set_room(a, usize::MAX);
        let received = app.messages(a);
        assert_eq!(received.len(), 2, "{room}: {received:?}");
        assert_eq!(received.iter().filter(|message| *message == "direct").count(), 1, "{room}");
        assert!(received.iter().any(|message| message.contains(&data)), "{room}");
    }
    app.server.set_room(a, 30);
    app.send_text(b, &format!("x {data}"));
    app.send_text(a, "go y");
    app.server.set_room(a, usize::MAX);
    let received = app.messages(a);
    assert!(received[0].contains(&data), "the event that was begun is completed: {received:?}");
    assert!(received[1].starts_with(r#"{"next":""#));
}

#[test]
fn a_follower_that_stops_reading_costs_no_memory_and_is_evicted() {
    let mut app = start_with(chat(), |options| {
        options.hub.window_bytes = 64 << 10;
        options.hub.window_events = 10;
    });
    let (a, _) = app.open("/?topic=x");
    let (b, _) = app.open("/");
    app.server.set_room(a, 0);
    let data = "e".repeat(100);
    for _ in 0..2000 {
        app.send_text(b, &format!("x {data}"));
    }
    app.server.set_room(a, usize::MAX);
    let received = app.messages(a);
    assert!(received.last().expect("a close frame").starts_with("close 1013 too slow"), "{received:?}");
}

#[test]
fn silence_is_answered_with_a_ping_and_then_with_the_end() {
    let calls = Calls::default();
    let mut app = start_with(room(&calls), |options| (options.ping_interval, options.pong_timeout) = (5, 5));
    let (a, _) = app.open("/room?name=a");
    app.server.advance(51);
    assert_eq!(app.messages(a), ["opcode 9 "]);
    app.server.advance(51);
    assert_eq!(calls.borrow().last().map(String::as_str), Some("closed a"));
}

#[test]
fn compressed_messages_are_inflated() {
    let calls = Calls::default();
    let mut app = start(room(&calls));
    let offer = upgrade("/room?name=a") + "\nSec-WebSocket-Extensions: permessage-deflate";
    let peer = app.begin(&offer);
    assert!(app.text(peer).contains("permessage-deflate"));
    // RFC 7692 §7.2.3.1: "Hello" in one compressed frame.
    app.server.send(peer, &frame(0xc1, &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]));
    assert_eq!(calls.borrow().last().map(String::as_str), Some("a: Hello"));
}

#[test]
fn a_socket_at_the_limit_of_topics_is_refused_in_its_handshake() {
    let mut app = start_with(chat(), |options| options.hub.topics = 2);
    let _open: Vec<_> = ["/?topic=a", "/?topic=b"].map(|target| app.open(target)).into();
    assert!(app.ask(&upgrade("/?topic=c")).starts_with("HTTP/1.1 503 "));
    app.open("/?topic=a");
}

#[test]
fn what_open_sends_before_and_after_it_follows_keeps_its_order() {
    let socket = Socket::<(), _>::open(|cx, id, _| {
        cx.send(id, Message::Text("before"));
        let _ = cx.publish("t", "an event");
        let _ = cx.follow(id, "t", Since::Start);
        cx.send(id, Message::Text("after"));
        Ok(())
    });
    let mut app = start(App::new(()).socket("/", socket));
    let (_, first) = app.open("/");
    let first = messages(&first);
    assert!(
        first.len() == 4 && first[1].starts_with(r#"{"next":"#) && first[3].contains("an event"),
        "{first:?}"
    );
    assert_eq!([&first[0], &first[2]], ["before", "after"]);
}

#[test]
fn a_path_can_have_a_socket_and_a_handler() {
    let app = App::new(()).on("GET", "/", |_, _| Response::text("plain")).socket(
        "/",
        Socket::<(), _>::open(|cx, id, _| {
            cx.send(id, Message::Text("socket"));
            Ok(())
        }),
    );
    let mut app = start(app);
    assert!(app.ask("GET / HTTP/1.1").ends_with("plain"));
    assert_eq!(messages(&app.open("/").1), ["socket"]);
    assert!(app.ask("OPTIONS / HTTP/1.1").contains("\r\nAllow: GET, HEAD, OPTIONS\r\n"));
}
