//! An independent server: tungstenite's.

use std::net::{TcpListener, TcpStream};
use std::thread;

use barewire::client::{Error, Message, Request, WebSocket};
use barewire::protocol::websocket::close::CloseCode;
use tungstenite::protocol::frame::CloseFrame;
use tungstenite::protocol::frame::coding;

type Server = tungstenite::WebSocket<TcpStream>;

/// Runs `serve` on one connection of tungstenite's, and `use_it` on this end of it.
fn meet(serve: impl FnOnce(&mut Server) + Send + 'static, use_it: impl FnOnce(WebSocket)) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("ws://{}/", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let mut server = tungstenite::accept(listener.accept().unwrap().0).expect("the request is right");
        serve(&mut server);
        // Answers what has to be answered, and ends when the closing handshake has.
        while server.read().is_ok() {}
    });
    use_it(WebSocket::connect(&uri, &Request::default()).expect("the answer is right"));
    server.join().unwrap();
}

#[test]
fn messages_of_any_length_come_back() {
    const LENGTHS: [usize; 9] = [0, 1, 125, 126, 127, 65_535, 65_536, 1 << 20, 16 << 20];
    let echo = |server: &mut Server| {
        for _ in 0..2 * LENGTHS.len() {
            let message = server.read().unwrap();
            server.send(message).unwrap();
        }
    };
    meet(echo, |mut client| {
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
fn pings_are_answered_both_ways() {
    let ask = |server: &mut Server| {
        server.send(tungstenite::Message::Ping(b"a"[..].into())).unwrap();
        assert_eq!(server.read().unwrap(), tungstenite::Message::Ping(b"b"[..].into()));
        assert_eq!(server.read().unwrap(), tungstenite::Message::Pong(b"a"[..].into()));
    };
    meet(ask, |mut client| {
        client.ping(b"b").unwrap();
        assert_eq!(client.read().unwrap(), Message::Pong(b"b".to_vec()));
        client.close(CloseCode::NORMAL, "").unwrap();
    });
}

#[test]
fn close_codes_go_both_ways() {
    for code in [1000, 1001, 1003, 1008, 1011, 1013, 3000, 4999] {
        let close = move |server: &mut Server| {
            let reason = "from the server".into();
            server.close(Some(CloseFrame { code: coding::CloseCode::from(code), reason })).unwrap();
        };
        meet(close, |mut client| {
            let expected = Some((CloseCode(code), "from the server".to_owned()));
            assert_eq!(client.read().unwrap(), Message::Close(expected));
        });
        let listen = move |server: &mut Server| match server.read().unwrap() {
            tungstenite::Message::Close(Some(frame)) => {
                assert_eq!((u16::from(frame.code), frame.reason.as_str()), (code, "from the client"));
            }
            other => panic!("{other:?}"),
        };
        meet(listen, |client| {
            let answer = client.close(CloseCode(code), "from the client").unwrap();
            assert_eq!(answer.map(|(code, _)| code), Some(CloseCode(code)));
        });
    }
}

#[test]
fn a_server_that_vanishes_is_no_close() {
    let vanish = |server: &mut Server| server.get_mut().shutdown(std::net::Shutdown::Both).unwrap();
    meet(vanish, |mut client| assert!(matches!(client.read(), Err(Error::Ended))));
}
