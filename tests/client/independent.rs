//! The client against an independent server: tungstenite.

use std::net::{TcpListener, TcpStream};
use std::thread;

use barewire::client::{Error, Message, Request, WebSocket};
use barewire::protocol::websocket::close::CloseCode;
use tungstenite::protocol::frame::CloseFrame;
use tungstenite::protocol::frame::coding;

type Server = tungstenite::WebSocket<TcpStream>;

/// Connects the client to a tungstenite server and runs `serve` and `connect` on the two ends.
fn with_server(serve: impl FnOnce(&mut Server) + Send + 'static, connect: impl FnOnce(WebSocket)) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("ws://{}/", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let mut server = tungstenite::accept(listener.accept().unwrap().0).expect("a valid request");
        serve(&mut server);
        // Replies to control frames until the closing handshake is complete.
        while server.read().is_ok() {}
    });
    connect(WebSocket::connect(&uri, &Request::default()).expect("a valid response"));
    server.join().unwrap();
}

#[test]
fn messages_of_any_length_are_echoed() {
    const LENGTHS: [usize; 9] = [0, 1, 125, 126, 127, 65_535, 65_536, 1 << 20, 16 << 20];
    let echo = |server: &mut Server| {
        for _ in 0..2 * LENGTHS.len() {
            let message = server.read().unwrap();
            server.send(message).unwrap();
        }
    };
    with_server(echo, |mut client| {
        for length in LENGTHS {
            let text = "é".repeat(length / 2);
            client.send_text(&text).unwrap();
            assert!(client.read().unwrap() == Message::Text(text), "{length} bytes of text");
            let data: Vec<u8> = (0..=u8::MAX).cycle().take(length).collect();
            client.send_binary(&data).unwrap();
            assert!(client.read().unwrap() == Message::Binary(data), "{length} bytes");
        }
        assert_eq!(
            client.close(CloseCode::NORMAL, "").unwrap().map(|(code, _)| code),
            Some(CloseCode::NORMAL)
        );
    });
}

#[test]
fn both_sides_reply_to_pings() {
    let ping = |server: &mut Server| {
        server.send(tungstenite::Message::Ping(b"a"[..].into())).unwrap();
        assert_eq!(server.read().unwrap(), tungstenite::Message::Ping(b"b"[..].into()));
        assert_eq!(server.read().unwrap(), tungstenite::Message::Pong(b"a"[..].into()));
    };
    with_server(ping, |mut client| {
        client.ping(b"b").unwrap();
        assert_eq!(client.read().unwrap(), Message::Pong(b"b".to_vec()));
        client.close(CloseCode::NORMAL, "").unwrap();
    });
}

#[test]
fn close_codes_and_reasons_arrive_at_both_sides() {
    for code in [1000, 1001, 1003, 1008, 1011, 1013, 3000, 4999] {
        let close = move |server: &mut Server| {
            let reason = "from the server".into();
            server.close(Some(CloseFrame { code: coding::CloseCode::from(code), reason })).unwrap();
        };
        with_server(close, |mut client| {
            let expected = Some((CloseCode(code), "from the server".to_owned()));
            assert_eq!(client.read().unwrap(), Message::Close(expected));
        });
        let listen = move |server: &mut Server| match server.read().unwrap() {
            tungstenite::Message::Close(Some(frame)) => {
                assert_eq!((u16::from(frame.code), frame.reason.as_str()), (code, "from the client"));
            }
            other => panic!("{other:?}"),
        };
        with_server(listen, |client| {
            let reply = client.close(CloseCode(code), "from the client").unwrap();
            assert_eq!(reply.map(|(code, _)| code), Some(CloseCode(code)));
        });
    }
}

#[test]
fn the_end_of_tcp_without_a_close_frame_is_an_error() {
    let vanish = |server: &mut Server| server.get_mut().shutdown(std::net::Shutdown::Both).unwrap();
    with_server(vanish, |mut client| assert!(matches!(client.read(), Err(Error::Ended))));
}
