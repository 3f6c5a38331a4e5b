//! A scripted server for one connection.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use barewire::client::{ConnectError, Request, WebSocket};
use barewire::protocol::websocket::close::CloseCode;
use barewire::protocol::websocket::frame::{FrameHeader, Opcode, write_frame};
use barewire::protocol::websocket::{close, mask, server_handshake};

/// The end of the connection that the script has.
pub struct Peer {
    pub stream: TcpStream,
    /// The request head.
    pub request: String,
}

/// A frame from the client, unmasked.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame {
    pub opcode: Opcode,
    pub rsv1: bool,
    pub masking_key: Option<[u8; 4]>,
    pub payload: Vec<u8>,
}

/// Connects to a server that reads the request and then runs `script`.
pub fn connect<T: Send + 'static>(
    request: &Request<'_>,
    script: impl FnOnce(Peer) -> T + Send + 'static,
) -> (Result<WebSocket, ConnectError>, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let uri = format!("ws://{}/path?query", listener.local_addr().expect("a listening socket"));
    let server = thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a client");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a socket");
        let mut peer = Peer { stream, request: String::new() };
        while !peer.request.ends_with("\r\n\r\n") {
            let byte = peer.take::<1>();
            peer.request.push(char::from(byte[0]));
        }
        script(peer)
    });
    (WebSocket::connect(&uri, request), server)
}

/// Like [`connect`], but completes the handshake before the script.
pub fn open<T: Send + 'static>(
    request: &Request<'_>,
    script: impl FnOnce(Peer) -> T + Send + 'static,
) -> (WebSocket, JoinHandle<T>) {
    let (client, server) = connect(request, |mut peer| {
        let response = peer.response("");
        peer.send(response);
        script(peer)
    });
    (client.expect("a valid handshake"), server)
}

impl Peer {
    /// Returns the valid response with additional fields, each with its line end.
    pub fn response(&self, more: &str) -> String {
        let key = self.request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
        let accept = server_handshake::accept_key(key.expect("a key").as_bytes());
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {}\r\n{more}\r\n",
            accept.escape_ascii()
        )
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).expect("the client reads");
    }

    pub fn send_frame(&mut self, opcode: Opcode, payload: &[u8]) {
        let mut out = Vec::new();
        write_frame(opcode, payload, &mut out);
        self.send(out);
    }

    pub fn send_close(&mut self, code: CloseCode) {
        self.send_frame(Opcode::Close, &close::payload(code, "bye"));
    }

    fn take<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.stream.read_exact(&mut bytes).expect("the client writes");
        bytes
    }

    pub fn frame(&mut self) -> Frame {
        let mut header = Vec::new();
        let header = loop {
            header.extend(self.take::<1>());
            if let Some((header, _)) = FrameHeader::decode(&header).expect("a valid header") {
                break header;
            }
        };
        let mut payload = vec![0; header.payload_length as usize];
        self.stream.read_exact(&mut payload).expect("the client writes");
        if let Some(key) = header.masking_key {
            mask::apply(key, 0, &mut payload);
        }
        let FrameHeader { opcode, rsv1, masking_key, .. } = header;
        Frame { opcode, rsv1, masking_key, payload }
    }

    /// Returns the code of the next frame, which must be a close frame.
    pub fn close_code(&mut self) -> Option<CloseCode> {
        let frame = self.frame();
        assert_eq!(frame.opcode, Opcode::Close);
        close::decode(&frame.payload).expect("a valid close frame").map(|(code, _)| code)
    }

    /// Returns whether the client has ended its side. Waits a little for that.
    pub fn has_ended(&mut self) -> bool {
        self.stream.set_read_timeout(Some(Duration::from_millis(200))).expect("a socket");
        match self.stream.read(&mut [0]) {
            Ok(0) => true,
            Ok(_) => panic!("the client must not write now"),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => false,
            Err(error) => panic!("{error}"),
        }
    }
}
