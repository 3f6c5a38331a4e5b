//! Tests of `16_game`: who keeps up receives every tick, and who does not read costs nothing.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use barewire::client::{Message, Request, WebSocket};
use socket2::{Domain, Socket, Type};

use crate::program::{PATIENCE, Program};

const NAME: &str = "16_game";
/// The size of the field.
const FIELD: u16 = u16::MAX;

/// The positions after one tick.
#[derive(Debug, PartialEq)]
struct Tick {
    number: u32,
    players: Vec<(u16, u16, u16)>,
}

impl Tick {
    fn parse(message: &[u8]) -> Tick {
        let (number, players) = message.split_first_chunk().expect("the number of the tick");
        assert_eq!(players.len() % 6, 0);
        let player = |bytes: &[u8]| {
            let number = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
            (number(0), number(2), number(4))
        };
        Tick { number: u32::from_le_bytes(*number), players: players.chunks(6).map(player).collect() }
    }

    fn place(&self, player: u16) -> Option<(u16, u16)> {
        self.players.iter().find(|(number, ..)| *number == player).map(|&(_, x, y)| (x, y))
    }
}

/// A player that reads.
struct Player {
    socket: WebSocket,
    number: u16,
}

impl Player {
    fn join(program: &Program) -> Player {
        let request = Request { read_timeout: Some(PATIENCE), ..Request::default() };
        let mut socket =
            WebSocket::connect(&program.websocket_url("/play"), &request).expect("the player joins");
        match socket.read() {
            Ok(Message::Text(number)) => Player { socket, number: number.parse().expect("a number") },
            other => panic!("{other:?}"),
        }
    }

    fn steer(&mut self, right: i8, down: i8) {
        self.socket.send_binary(&[right as u8, down as u8]).expect("the server reads");
    }

    fn next(&mut self) -> Tick {
        match self.socket.read() {
            Ok(Message::Binary(message)) => Tick::parse(&message),
            other => panic!("{other:?}"),
        }
    }

    /// Returns the code with which the server closes.
    fn close_code(mut self) -> u16 {
        loop {
            match self.socket.read() {
                Ok(Message::Binary(_)) => {}
                Ok(Message::Close(Some((code, _)))) => return code.0,
                other => panic!("{other:?}"),
            }
        }
    }

    /// Waits for a tick after which `condition` is true.
    fn until(&mut self, condition: impl Fn(&Tick) -> bool) -> Tick {
        // The server counts the ticks, so this does not depend on the speed of the machine.
        (0..3600).map(|_| self.next()).find(condition).expect("the condition is true within a minute")
    }
}

#[test]
fn moves_each_player_in_its_direction_as_far_as_the_border() {
    let program = Program::start(NAME);
    let (mut one, mut two) = (Player::join(&program), Player::join(&program));
    assert_ne!(one.number, two.number);
    let start = two.until(|tick| tick.players.len() == 2).place(two.number).expect("a place");

    let number = one.number;
    one.steer(127, 127);
    two.until(|tick| tick.place(number) == Some((FIELD, FIELD)));
    one.steer(-128, -127);
    two.until(|tick| tick.place(number) == Some((0, 0)));
    one.steer(64, 0);
    let before = two.until(|tick| tick.place(number).is_some_and(|(x, y)| x > 0 && y == 0));
    let after = two.next();
    let [before, after] = [before, after].map(|tick| tick.place(number).expect("a place").0);
    assert_eq!(after - before, 275, "half of the full speed");
    assert_eq!(two.next().place(two.number), Some(start), "who sends nothing does not move");

    drop(one);
    two.until(|tick| tick.players.len() == 1);
}

#[test]
fn refuses_what_is_not_a_direction() {
    let program = Program::start(NAME);
    for message in [&[][..], &[1], &[1, 2, 3]] {
        let mut player = Player::join(&program);
        player.socket.send_binary(message).expect("the server reads");
        assert_eq!(player.close_code(), 1003, "{message:?}");
    }
    let mut player = Player::join(&program);
    player.socket.send_text("up").expect("the server reads");
    assert_eq!(player.close_code(), 1003);
}

/// A player that does not read, with buffers that are as small as possible: Linux sizes the send
/// buffer of the server by the client's segments, and by what it remembers of earlier connections
/// to the client's address. So this client has an address that no other test uses.
fn join_without_reading(program: &Program) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.set_recv_buffer_size(4096).expect("SO_RCVBUF");
    socket.set_tcp_mss(536).expect("TCP_MAXSEG");
    let [.., high, low] = std::process::id().to_be_bytes();
    socket.bind(&SocketAddr::from(([127, 116, high, low], 0)).into()).expect("an address of this machine");
    socket.connect(&SocketAddr::from(([127, 0, 0, 1], program.port)).into()).expect("the server listens");
    let mut stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream
        .write_all(
            b"GET /play HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        )
        .expect("the server reads");
    stream
}

/// Reads one frame without a mask. Returns its first byte and its payload.
fn read_frame(stream: &mut impl Read) -> (u8, Vec<u8>) {
    let mut head = [0; 2];
    stream.read_exact(&mut head).expect("a frame");
    let length = if head[1] == 126 {
        let mut length = [0; 2];
        stream.read_exact(&mut length).expect("a length");
        usize::from(u16::from_be_bytes(length))
    } else {
        usize::from(head[1])
    };
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload).expect("a payload");
    (head[0], payload)
}

/// Reads until the head of the response is complete.
fn read_head(stream: &mut impl Read) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("the head of the response");
        head.extend(byte);
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
}

#[test]
fn skips_players_that_do_not_read_and_sends_every_tick_to_the_others() {
    const STALLED: usize = 200;
    let program = Program::start(NAME);
    let mut player = Player::join(&program);
    let mut stalled: Vec<TcpStream> = (0..STALLED).map(|_| join_without_reading(&program)).collect();
    let joined = player.until(|tick| tick.players.len() == STALLED + 1).number;

    // A message has 1.2 kB, so the buffers of the kernel are full after some tens of ticks.
    let next = |player: &mut Player, expected: &mut u32| {
        *expected += 1;
        assert_eq!(player.next().number, *expected, "a player that reads has missed a tick");
    };
    let mut number = joined;
    (0..150).for_each(|_| next(&mut player, &mut number));
    let before = program.resident();
    (0..300).for_each(|_| next(&mut player, &mut number));
    if let (Some(before), Some(after)) = (before, program.resident()) {
        // 300 messages to each stalled player have 72 MB.
        let growth = after.saturating_sub(before);
        println!("the server has grown by {growth} bytes in 300 ticks");
        assert!(growth < 4 << 20, "the server has grown by {growth} bytes");
    }

    // Such a player is still in the game. It receives what was in the buffers, then the present.
    let stream = &mut stalled[0];
    read_head(stream);
    assert_eq!(read_frame(stream).0, 0x81, "the number of the player");
    let (mut ticks, mut last, mut most_skipped) = (0, None, 0);
    while last.is_none_or(|last| last < number + 10) {
        let (first, payload) = read_frame(stream);
        assert_eq!(first, 0x82, "a binary message");
        let tick = Tick::parse(&payload).number;
        most_skipped = most_skipped.max(tick - last.unwrap_or(tick));
        (ticks, last) = (ticks + 1, Some(tick));
    }
    println!("{ticks} messages for the stalled player, {most_skipped} ticks apart at most");
    assert!(most_skipped > 200, "only {most_skipped} ticks were skipped");
}

#[test]
fn says_that_its_port_is_taken() {
    let (code, report) = Program::start_on_taken_port(NAME);
    assert_eq!(code, Some(1));
    assert!(report.contains("choose another port"), "{report}");
}
