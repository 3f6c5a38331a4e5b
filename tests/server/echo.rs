//! `/echo`.

use crate::harness::{Frame, Opcode, Request, Server, WebSocket, in_every_mode, masked_frame};

const MOST: usize = (16 << 20) + 1;

fn echo(server: &Server) -> WebSocket {
    server.web_socket(&Request::handshake("/echo"))
}

#[test]
fn echoes_text_and_binary() {
    in_every_mode(|server| {
        let mut socket = echo(server);
        for length in [0, 1, 125, 126, 65_535, 65_536, 300_000] {
            let payload = b"e".repeat(length);
            for opcode in [Opcode::Text, Opcode::Binary] {
                socket.send(opcode, &payload);
                assert_eq!(socket.frame(), Some(Frame { opcode, payload: payload.clone() }));
            }
        }
        socket.send(Opcode::Binary, [0xff, 0x00, 0xc3]);
        assert_eq!(socket.frame().map(|frame| frame.payload), Some(vec![0xff, 0x00, 0xc3]));
    });
}

#[test]
fn a_message_may_have_16_mib_and_one_byte_and_no_more() {
    let server = Server::start();
    let mut socket = echo(&server);
    let payload: Vec<u8> = (0..MOST).map(|at| (at % 251) as u8).collect();
    socket.send(Opcode::Binary, &payload);
    let frame = socket.frame().expect("an echo");
    assert!(frame.opcode == Opcode::Binary && frame.payload == payload);
    // One byte more: the length in the header is enough to refuse the message, so no payload is
    // needed.
    let mut header = vec![0x82, 0x80 | 127];
    header.extend_from_slice(&(MOST as u64 + 1).to_be_bytes());
    header.extend_from_slice(&[0; 4]);
    socket.connection().send(header);
    assert_eq!(socket.close().0, 1009);
}

#[test]
fn the_fragments_of_a_message_count_together() {
    let server = Server::start();
    let mut socket = echo(&server);
    let half = vec![0; MOST / 2 + 1];
    socket.connection().send(masked_frame(false, Opcode::Binary, &half));
    socket.connection().send(masked_frame(true, Opcode::Continuation, &half));
    assert_eq!(socket.close().0, 1009);
}

#[test]
fn echoes_a_fragmented_message_and_answers_pings_between_its_fragments() {
    in_every_mode(|server| {
        let mut socket = echo(server);
        let frames = [
            // Split in the middle of a character.
            masked_frame(false, Opcode::Text, b"f\xc3"),
            masked_frame(true, Opcode::Ping, b"in between"),
            masked_frame(false, Opcode::Continuation, b""),
            masked_frame(true, Opcode::Pong, b"unsolicited"),
            masked_frame(true, Opcode::Continuation, b"\xbcr"),
        ];
        socket.connection().send_byte_by_byte(frames.concat());
        assert_eq!(socket.frame(), Some(Frame { opcode: Opcode::Pong, payload: b"in between".to_vec() }));
        assert_eq!(socket.text(), "f\u{fc}r");
    });
}

#[test]
fn echoes_many_messages_of_one_write_in_order() {
    in_every_mode(|server| {
        let mut socket = echo(server);
        let messages =
            (0..1000).map(|number: u32| masked_frame(true, Opcode::Text, number.to_string().as_bytes()));
        socket.connection().send(messages.collect::<Vec<_>>().concat());
        assert!((0..1000).all(|number: u32| socket.text() == number.to_string()));
    });
}

#[test]
fn the_first_frame_may_arrive_with_the_handshake() {
    let server = Server::start();
    let mut connection = server.connect();
    let first = masked_frame(true, Opcode::Text, b"first");
    connection.send([Request::handshake("/echo").bytes(), first].concat());
    assert_eq!(WebSocket::open(connection, false).text(), "first");
}

#[test]
fn echoes_that_are_not_read_at_once_are_not_lost() {
    let server = Server::start();
    let mut socket = echo(&server);
    let message = |number: u8| vec![b'a' + number % 26; 1 << 20];
    // The client writes on a separate thread without reading, so the server stops reading until it
    // can write.
    let bytes: Vec<u8> =
        (0..24).flat_map(|number| masked_frame(true, Opcode::Text, &message(number))).collect();
    let mut writing = socket.connection().writer();
    let writer = std::thread::spawn(move || std::io::Write::write_all(&mut writing, &bytes));
    for number in 0..24 {
        assert!(socket.text().into_bytes() == message(number), "message {number}");
    }
    writer.join().expect("the writer does not panic").expect("everything is written");
}

#[test]
fn a_plain_get_is_426() {
    in_every_mode(|server| {
        let http10 = server.request(&Request::handshake("/echo").http10());
        assert_eq!(http10.status, 426);
        let response = server.request(&Request::get("/echo"));
        response.assert_problem(426);
        assert_eq!(response.get("Sec-WebSocket-Version"), Some("13"));
        assert_eq!(response.get("Upgrade"), Some("websocket"));
        assert_eq!(response.get("Connection"), Some("Upgrade"));
    });
}
