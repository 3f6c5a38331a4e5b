//! The opening handshake over a socket (RFC 6455 §4.1).

use std::io::Write;
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use barewire::client::{ConnectError, Message, Request, UrlError, WebSocket};
use barewire::protocol::http::{HeadError, ResponseError};
use barewire::protocol::websocket::client_handshake::{ClientHandshakeError, RequestError};
use barewire::protocol::websocket::frame::{Opcode, write_frame};

use crate::scripted::connect;

fn refused(answer: impl FnOnce(String) -> String + Send + 'static) -> ConnectError {
    let (client, server) = connect(&Request::default(), |mut peer| {
        let right = peer.answer("");
        peer.send(answer(right));
    });
    server.join().expect("the script is played");
    client.expect_err("it must be refused")
}

#[test]
fn asks_as_the_rfc_wants_it_with_a_new_key_each_time() {
    let ask = || {
        let request =
            Request { subprotocols: &["a", "b"], fields: &[("Origin", "http://x")], ..Request::default() };
        let (client, server) = connect(&request, |mut peer| {
            let answer = peer.answer("Sec-WebSocket-Protocol: b\r\n");
            peer.send(answer);
            peer.request
        });
        assert_eq!(client.unwrap().subprotocol(), Some("b"));
        server.join().unwrap()
    };
    let (first, second) = (ask(), ask());
    let compression = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";
    let compression = if cfg!(feature = "deflate") { compression } else { "" };
    for lines in [
        "GET /path?query HTTP/1.1\r\nHost: 127.0.0.1:",
        "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ",
        "\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: a, b\r\n",
        &format!("b\r\n{compression}Origin: http://x\r\n\r\n"),
    ] {
        assert!(first.contains(lines), "{first}");
    }
    let key = |request: &str| request.split("Sec-WebSocket-Key: ").nth(1).unwrap()[..24].to_owned();
    assert_ne!(key(&first), key(&second));
}

#[test]
fn passes_over_interim_answers_and_keeps_what_stands_behind_the_last() {
    let (client, server) = connect(&Request::default(), |mut peer| {
        let mut bytes = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 \r\n\r\n".to_vec();
        bytes.extend_from_slice(peer.answer("").as_bytes());
        write_frame(Opcode::Text, b"early", &mut bytes);
        peer.send(bytes);
        peer
    });
    assert_eq!(client.unwrap().read().unwrap(), Message::Text("early".to_owned()));
    server.join().unwrap();

    let error = refused(|_| "HTTP/1.1 102 Processing\r\n\r\n".repeat(20));
    assert!(matches!(error, ConnectError::TooManyInterim), "{error:?}");
}

#[test]
fn refuses_an_answer_that_is_wrong() {
    let error = refused(|right| right.replace("101 Switching Protocols", "404 Not Found"));
    assert!(matches!(error, ConnectError::Handshake(ClientHandshakeError::Status(404))), "{error:?}");
    let error = refused(|right| right.replace("Accept: ", "Accept: A"));
    assert!(matches!(error, ConnectError::Handshake(ClientHandshakeError::AcceptMismatch)), "{error:?}");
    let error = refused(|right| right.replace("\r\n\r\n", "\r\nSec-WebSocket-Extensions: x\r\n\r\n"));
    assert!(matches!(error, ConnectError::Handshake(ClientHandshakeError::Extension(_))), "{error:?}");
    let error = refused(|_| "220 mail.example ESMTP\r\n".to_owned());
    assert!(matches!(error, ConnectError::Response(ResponseError::NotHttp)), "{error:?}");
    let error = refused(|right| right[..40].to_owned());
    assert!(matches!(error, ConnectError::Ended), "{error:?}");
    let error =
        refused(|right| right.replace("\r\n\r\n", &format!("\r\nX: {}\r\n\r\n", "x".repeat(100_000))));
    assert!(
        matches!(error, ConnectError::Response(ResponseError::Head(HeadError::HeadTooLarge))),
        "{error:?}"
    );
}

#[test]
fn refuses_to_ask_for_what_it_must_not_before_it_connects() {
    let ask = |uri: &str, request: &Request<'_>| WebSocket::connect(uri, request).unwrap_err();
    let error = ask("wss://127.0.0.1:1/", &Request::default());
    assert!(matches!(error, ConnectError::Url(UrlError::Tls)), "{error:?}");
    let wrong = Request { fields: &[("a", "b\r\nc: d")], ..Request::default() };
    let error = ask("ws://127.0.0.1:1/", &wrong);
    assert!(matches!(error, ConnectError::Request(RequestError::FieldValue)), "{error:?}");
    let error = ask("ws://127.0.0.1:1/", &Request::default());
    assert!(matches!(error, ConnectError::Io(_)), "{error:?}");
}

#[test]
fn a_handshake_without_an_end_has_one() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("ws://{}/", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        // Each byte comes soon enough; only the whole does not.
        for byte in b"HTTP/1.1 101 ".iter().chain(std::iter::repeat(&b'x')) {
            if stream.write_all(&[*byte]).is_err() {
                break;
            }
            thread::sleep(Duration::from_millis(20));
        }
    });
    let started = Instant::now();
    let request = Request { connect_timeout: Duration::from_millis(300), ..Request::default() };
    let error = WebSocket::connect(&uri, &request).unwrap_err();
    assert!(matches!(error, ConnectError::TimedOut), "{error:?}");
    assert!(started.elapsed() >= Duration::from_millis(300));
    server.join().unwrap();
}
