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

/// Returns the client's error for a response that `change` makes from a valid one.
fn connect_error(change: impl FnOnce(String) -> String + Send + 'static) -> ConnectError {
    let (client, server) = connect(&Request::default(), |mut peer| {
        let valid = peer.response("");
        peer.send(change(valid));
    });
    server.join().expect("the script succeeds");
    client.expect_err("an invalid response")
}

#[test]
fn sends_the_request_of_the_rfc_with_a_new_key_each_time() {
    let send_request = || {
        let request =
            Request { subprotocols: &["a", "b"], fields: &[("Origin", "http://x")], ..Request::default() };
        let (client, server) = connect(&request, |mut peer| {
            let response = peer.response("Sec-WebSocket-Protocol: b\r\n");
            peer.send(response);
            peer.request
        });
        assert_eq!(client.unwrap().subprotocol(), Some("b"));
        server.join().unwrap()
    };
    let (first, second) = (send_request(), send_request());
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
fn skips_interim_responses_and_keeps_the_bytes_after_the_final_one() {
    let (client, server) = connect(&Request::default(), |mut peer| {
        let mut bytes = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 \r\n\r\n".to_vec();
        bytes.extend_from_slice(peer.response("").as_bytes());
        write_frame(Opcode::Text, b"early", &mut bytes);
        peer.send(bytes);
        peer
    });
    assert_eq!(client.unwrap().read().unwrap(), Message::Text("early".to_owned()));
    server.join().unwrap();

    let error = connect_error(|_| "HTTP/1.1 102 Processing\r\n\r\n".repeat(20));
    assert!(matches!(error, ConnectError::TooManyInterim), "{error:?}");
}

#[test]
fn rejects_an_invalid_response() {
    let error = connect_error(|valid| valid.replace("101 Switching Protocols", "404 Not Found"));
    assert!(matches!(error, ConnectError::Handshake(ClientHandshakeError::Status(404))), "{error:?}");
    let error = connect_error(|valid| valid.replace("Accept: ", "Accept: A"));
    assert!(matches!(error, ConnectError::Handshake(ClientHandshakeError::AcceptMismatch)), "{error:?}");
    let error = connect_error(|valid| valid.replace("\r\n\r\n", "\r\nSec-WebSocket-Extensions: x\r\n\r\n"));
    assert!(matches!(error, ConnectError::Handshake(ClientHandshakeError::Extension(_))), "{error:?}");
    let error = connect_error(|_| "220 mail.example ESMTP\r\n".to_owned());
    assert!(matches!(error, ConnectError::Response(ResponseError::NotHttp)), "{error:?}");
    let error = connect_error(|valid| valid[..40].to_owned());
    assert!(matches!(error, ConnectError::Ended), "{error:?}");
    let error =
        connect_error(|valid| valid.replace("\r\n\r\n", &format!("\r\nX: {}\r\n\r\n", "x".repeat(100_000))));
    assert!(
        matches!(error, ConnectError::Response(ResponseError::Head(HeadError::HeadTooLarge))),
        "{error:?}"
    );
}

#[test]
fn rejects_an_invalid_request_before_it_connects() {
    let connect_error = |uri: &str, request: &Request<'_>| WebSocket::connect(uri, request).unwrap_err();
    let error = connect_error("wss://127.0.0.1:1/", &Request::default());
    assert!(matches!(error, ConnectError::Url(UrlError::Tls)), "{error:?}");
    let invalid = Request { fields: &[("a", "b\r\nc: d")], ..Request::default() };
    let error = connect_error("ws://127.0.0.1:1/", &invalid);
    assert!(matches!(error, ConnectError::Request(RequestError::FieldValue)), "{error:?}");
    let error = connect_error("ws://127.0.0.1:1/", &Request::default());
    assert!(matches!(error, ConnectError::Io(_)), "{error:?}");
}

#[test]
fn an_endless_handshake_times_out() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("ws://{}/", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        // Each byte arrives in time, but the head never ends.
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
