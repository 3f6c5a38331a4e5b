//! `tungstenite`: following, publishing, resuming, subprotocols, pings, and closing from both ends.

use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;
use tungstenite::client::IntoClientRequest;
use tungstenite::http::HeaderValue;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tungstenite::{Error, Message, WebSocket};

use crate::http::{agent, publish, topic};
use crate::running::Running;

/// A WebSocket and its negotiated subprotocol.
pub struct Socket {
    pub inner: WebSocket<TcpStream>,
    pub subprotocol: Option<String>,
}

impl Socket {
    /// Opens a WebSocket at `target`: `/topics/…?…` or `/echo`.
    pub fn open(server: &Running, target: &str, subprotocols: Option<&str>) -> Socket {
        let url = format!("ws://{}{target}", server.address);
        let mut request = url.into_client_request().expect("a URL");
        if let Some(subprotocols) = subprotocols {
            let value = HeaderValue::from_str(subprotocols).expect("ASCII");
            request.headers_mut().insert("Sec-WebSocket-Protocol", value);
        }
        let stream = TcpStream::connect(server.address).expect("a listening server");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
        let config = WebSocketConfig::default().max_frame_size(Some(32 << 20));
        let (inner, response) =
            tungstenite::client::client_with_config(request, stream, Some(config)).expect("a handshake");
        let subprotocol = response.headers().get("Sec-WebSocket-Protocol");
        let subprotocol = subprotocol.map(|value| value.to_str().expect("ASCII").to_owned());
        Socket { inner, subprotocol }
    }

    /// Waits for the next text message.
    pub fn text(&mut self) -> String {
        loop {
            match self.inner.read().expect("a message") {
                Message::Text(text) => return text.as_str().to_owned(),
                Message::Ping(_) => {}
                other => panic!("expected a text message: {other:?}"),
            }
        }
    }

    /// Waits for the first message and returns its cursor.
    pub fn start(&mut self) -> String {
        let hello: Value = serde_json::from_str(&self.text()).expect("JSON");
        assert!(hello.get("gap").is_none());
        hello["next"].as_str().expect("an id").to_owned()
    }

    /// Waits for the next event and returns its id and data.
    pub fn event(&mut self) -> (String, String) {
        let event: Value = serde_json::from_str(&self.text()).expect("JSON");
        (event["id"].as_str().expect("an id").to_owned(), event["data"].as_str().expect("data").to_owned())
    }

    /// Waits for the close frame of the server and the end of the connection.
    pub fn closed(&mut self) -> Option<CloseFrame> {
        let frame = match self.inner.read().expect("a close frame") {
            Message::Close(frame) => frame,
            other => panic!("expected a close frame: {other:?}"),
        };
        assert!(
            matches!(self.inner.read(), Err(Error::ConnectionClosed)),
            "the connection ends after the close frame"
        );
        frame
    }
}

#[test]
fn every_follower_receives_a_message_and_a_returning_one_catches_up() {
    let server = Running::start(|_| {});
    let mut one = Socket::open(&server, "/topics/talk", None);
    let mut other = Socket::open(&server, "/topics/talk", Some("unknown, barewire.json"));
    assert_eq!((one.subprotocol.as_deref(), other.subprotocol.as_deref()), (None, Some("barewire.json")));
    let start = one.start();
    assert_eq!(other.start(), start);
    one.inner.send(Message::text("a\r\nb")).expect("sent");
    let received = one.event();
    assert_eq!(received.1, "a\nb");
    assert_eq!(other.event(), received);

    drop(other);
    let missed = publish(&agent(), &topic(&server, "talk"), "while away");
    let mut back = Socket::open(&server, &format!("/topics/talk?since={}", received.0), None);
    assert_eq!(back.start(), received.0);
    assert_eq!(back.event(), (missed.clone(), "while away".to_owned()));
    assert_eq!(one.event().0, missed);
}

#[test]
fn bare_text_has_the_data_alone_and_a_gap_closes_with_4000() {
    let server = Running::start(|_| {});
    let mut bare = Socket::open(&server, "/topics/bare", Some("barewire.text, barewire.json"));
    assert_eq!(bare.subprotocol.as_deref(), Some("barewire.text"));
    bare.inner.send(Message::text("as it is")).expect("sent");
    assert_eq!(bare.text(), "as it is");
    let mut gone = Socket::open(&server, "/topics/bare?since=AAAAAAAA-1", Some("barewire.text"));
    let frame = gone.closed().expect("a code");
    assert_eq!((frame.code, frame.reason.as_str()), (CloseCode::from(4000), "gap"));
}

#[test]
fn replies_to_pings_and_either_end_closes() {
    let mut server = Running::start(|_| {});
    let mut client_closes = Socket::open(&server, "/topics/ends", None);
    client_closes.start();
    client_closes.inner.send(Message::Ping("payload".into())).expect("sent");
    assert_eq!(client_closes.inner.read().expect("a pong"), Message::Pong("payload".into()));
    let frame = CloseFrame { code: CloseCode::Normal, reason: "enough".into() };
    client_closes.inner.close(Some(frame)).expect("sent");
    assert_eq!(client_closes.closed().map(|frame| frame.code), Some(CloseCode::Normal));

    let mut binary = Socket::open(&server, "/topics/ends", None);
    binary.start();
    binary.inner.send(Message::binary(vec![0])).expect("sent");
    assert_eq!(binary.closed().map(|frame| frame.code), Some(CloseCode::Unsupported));

    let mut left = Socket::open(&server, "/topics/ends", None);
    left.start();
    server.signal_stop();
    let stopping = std::thread::spawn(move || server.wait());
    assert_eq!(left.closed().map(|frame| frame.code), Some(CloseCode::Away));
    stopping.join().expect("the server ends");
}

#[test]
fn echoes_a_message_of_the_maximum_size() {
    let server = Running::start(|_| {});
    let mut echo = Socket::open(&server, "/echo", None);
    let large: Vec<u8> = (0..16_u32 << 20).map(|number| (number % 251) as u8).collect();
    echo.inner.send(Message::binary(large.clone())).expect("sent");
    assert!(echo.inner.read().expect("an echo").into_data() == large, "the echo differs");
    echo.inner.send(Message::text("ünï")).expect("sent");
    assert_eq!(echo.text(), "ünï");
    drop(echo);
}
