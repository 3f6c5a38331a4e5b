//! Any sequence of what clients and handlers can do, on a server with narrow bounds.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use barewire::app::{App, Message, Response, Since, Socket, SocketId, Ticket};
use barewire::server::Options;
use barewire::simulation::{Peer, Simulation};
use proptest::prelude::*;

use crate::peers::{bytes, frame, upgrade};

/// What the application keeps: its open WebSockets, and the requests that wait.
#[derive(Default)]
struct State {
    sockets: Vec<SocketId>,
    tickets: Vec<Ticket>,
}

/// What the handlers have seen of each WebSocket: how many messages, and whether it has ended. And
/// what is wrong with that, since a panic of a handler does not end the test.
#[derive(Default)]
struct Record {
    sockets: HashMap<SocketId, (usize, bool)>,
    wrong: Vec<&'static str>,
}

type Seen = Rc<RefCell<Record>>;

impl Record {
    fn replace(
        &mut self,
        id: SocketId,
        expected: Option<(usize, bool)>,
        next: (usize, bool),
        rule: &'static str,
    ) {
        if self.sockets.insert(id, next) != expected {
            self.wrong.push(rule);
        }
    }
}

fn app(seen: &Seen) -> App<State> {
    let [opened, received, ended] = [0; 3].map(|_| Rc::clone(seen));
    let socket = Socket::<State, _>::open(move |cx, id, request| {
        match request.query("do").as_deref() {
            Some("refuse") => return Err(Response::status(403)),
            Some("panic") => panic!("as the test wants"),
            Some("follow") => drop(cx.follow(id, "t", request.since(Since::Start))),
            _ => {}
        }
        opened.borrow_mut().replace(id, None, (0, false), "an id is never used again");
        cx.send(id, Message::Text("welcome"));
        cx.state.sockets.push(id);
        Ok(0)
    })
    .message(move |cx, id, count, message| {
        *count += 1;
        let (before, now) = ((*count - 1, false), (*count, false));
        received.borrow_mut().replace(id, Some(before), now, "messages come between the start and the end");
        match message {
            Message::Text("close") => cx.close(id, 1000, "enough"),
            Message::Text("follow") => drop(cx.follow(id, "t", Since::Start)),
            Message::Text("other") => drop(cx.follow(id, "u", Since::Now)),
            Message::Text("publish") => drop(cx.publish("t", "an event of some length, so that it matters")),
            Message::Text("panic") => panic!("as the test wants"),
            Message::Text("close all") => {
                cx.state.sockets.clone().iter().for_each(|other| cx.close(*other, 1000, "all"));
            }
            _ => {
                for other in cx.state.sockets.clone() {
                    cx.send(other, message);
                }
            }
        }
    })
    .closed(move |cx, id, count| {
        let rule = "the end is told once, after all messages";
        ended.borrow_mut().replace(id, Some((count, false)), (count, true), rule);
        cx.state.sockets.retain(|other| *other != id);
        let _ = cx.publish("t", "someone has left");
    });
    App::new(State::default())
        .socket("/socket", socket)
        .on("GET", "/follow", |_, _| Response::follow("t"))
        .on("POST", "/later", |cx, _| {
            let (ticket, response) = cx.later();
            cx.state.tickets.push(ticket);
            response
        })
        .on("POST", "/finish", |cx, _| {
            for ticket in std::mem::take(&mut cx.state.tickets) {
                cx.finish(ticket, Response::follow("t"));
            }
            Response::status(204)
        })
        .followers(|cx, follower| {
            let _ = cx.publish("u", follower.topic);
        })
}

/// Something that a client does.
#[derive(Clone, Debug)]
enum Step {
    Connect,
    Request(usize, String),
    Send(usize, &'static str),
    Frame(usize, u8),
    Room(usize, usize),
    HalfClose(usize),
    Reset(usize),
    Advance(u32),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let peer = 0_usize..6;
    let requests = prop_oneof![
        Just(upgrade("/socket")),
        Just(upgrade("/socket?do=follow")),
        Just(upgrade("/socket?do=refuse")),
        Just(upgrade("/socket?do=panic")),
        Just(upgrade("/follow")),
        Just("GET /follow HTTP/1.1\nAccept: text/event-stream".to_owned()),
        Just("GET /follow?wait=1 HTTP/1.1".to_owned()),
        Just("POST /later HTTP/1.1\n\nx".to_owned()),
        Just("POST /finish HTTP/1.1".to_owned()),
    ];
    let texts = prop::sample::select(vec![
        "hello",
        "close",
        "follow",
        "other",
        "publish",
        "panic",
        "close all",
        "a longer message for everybody",
    ]);
    let step = prop_oneof![
        2 => Just(Step::Connect),
        6 => (peer.clone(), requests).prop_map(|(peer, request)| Step::Request(peer, request)),
        8 => (peer.clone(), texts).prop_map(|(peer, text)| Step::Send(peer, text)),
        1 => (peer.clone(), prop::sample::select(vec![0x88, 0x89, 0x8a, 0x01, 0x82]))
            .prop_map(|(peer, first)| Step::Frame(peer, first)),
        3 => (peer.clone(), prop::sample::select(vec![0, 1, 7, 30, 200, usize::MAX]))
            .prop_map(|(peer, room)| Step::Room(peer, room)),
        1 => peer.clone().prop_map(Step::HalfClose),
        1 => peer.prop_map(Step::Reset),
        1 => (0_u32..40).prop_map(Step::Advance),
    ];
    prop::collection::vec(step, 1..60)
}

fn narrow() -> Options {
    let mut options = Options { outbox_bytes: 300, buffered_bytes: 16 << 10, ..Options::default() };
    (options.hub.window_bytes, options.hub.window_events, options.hub.topics) = (4 << 10, 8, 2);
    (options.answer_timeout, options.ping_interval, options.pong_timeout) = (2, 1, 1);
    options
}

fn run(server: &mut Simulation, peers: &mut Vec<Peer>, step: Step) {
    let at = |peer: usize| peers.get(peer).copied();
    match step {
        Step::Connect if peers.len() < 6 => peers.push(server.connect()),
        Step::Connect => peers[0] = server.connect(),
        Step::Request(peer, request) => {
            at(peer).into_iter().for_each(|peer| server.send(peer, &bytes(&request)));
        }
        Step::Send(peer, text) => {
            at(peer).into_iter().for_each(|peer| server.send(peer, &frame(0x81, text.as_bytes())));
        }
        Step::Frame(peer, first) => {
            at(peer).into_iter().for_each(|peer| server.send(peer, &frame(first, b"")));
        }
        Step::Room(peer, room) => at(peer).into_iter().for_each(|peer| server.set_room(peer, room)),
        Step::HalfClose(peer) => at(peer).into_iter().for_each(|peer| server.half_close(peer)),
        Step::Reset(peer) => at(peer).into_iter().for_each(|peer| server.reset(peer)),
        Step::Advance(ticks) => server.advance(ticks),
    }
}

proptest! {
    #[test]
    fn each_websocket_that_opens_ends_once_whatever_happens(steps in steps()) {
        let seen = Seen::default();
        let (mut server, _) = Simulation::of(app(&seen), narrow(), 1);
        let mut peers = Vec::new();
        for step in steps {
            run(&mut server, &mut peers, step);
        }
        // Every client reads on, so that the shutdown is orderly.
        peers.iter().for_each(|peer| server.set_room(*peer, usize::MAX));
        server.stop();
        server.advance(400);
        prop_assert_eq!(server.connections(), 0);
        let seen = seen.borrow();
        prop_assert!(seen.wrong.is_empty(), "{:?}", seen.wrong);
        prop_assert!(seen.sockets.values().all(|(_, has_ended)| *has_ended), "{:?}", seen.sockets);
    }
}
