//! A server on tokio-tungstenite, written like the library's examples: echo, and a broadcast to all
//! followers.
//!
//! ```text
//! peer-tokio-tungstenite PORT [--read-buffer BYTES] [--batch]
//! ```
//! The library speaks no HTTP beyond the handshake, so publishers send text messages on a WebSocket
//! at `/publish`. `--read-buffer` sets tungstenite's `read_buffer_size` (by default 128 KiB per
//! connection). With `--batch`, all events that wait for a follower are flushed once, instead of
//! one by one.

use std::env;
use std::io;

use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;
use tokio_tungstenite::tungstenite::handshake::server::{Callback, ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async_with_config};

/// The number of events by which a follower may lag; one that lags further is disconnected.
const KEPT: usize = 1024;

type Socket = WebSocketStream<TcpStream>;

#[derive(Clone)]
struct Peer {
    events: broadcast::Sender<Utf8Bytes>,
    config: WebSocketConfig,
    batch: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let mut arguments = env::args().skip(1);
    let port = arguments.next().and_then(|port| port.parse::<u16>().ok()).expect("a port");
    let mut peer =
        Peer { events: broadcast::channel(KEPT).0, config: WebSocketConfig::default(), batch: false };
    while let Some(option) = arguments.next() {
        match option.as_str() {
            "--read-buffer" => {
                let size = arguments.next().and_then(|size| size.parse().ok()).expect("a number of bytes");
                peer.config = peer.config.read_buffer_size(size);
            }
            "--batch" => peer.batch = true,
            _ => panic!("{option}: unknown option"),
        }
    }
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listening on http://{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        let peer = peer.clone();
        tokio::spawn(async move {
            // The end of one connection does not concern the others.
            let _ = peer.serve(stream).await;
        });
    }
}

/// Stores the requested path.
struct RequestPath<'p>(&'p mut String);

impl Callback for RequestPath<'_> {
    fn on_request(self, request: &Request, response: Response) -> Result<Response, ErrorResponse> {
        *self.0 = request.uri().path().to_owned();
        Ok(response)
    }
}

impl Peer {
    async fn serve(self, stream: TcpStream) -> Result<(), Error> {
        stream.set_nodelay(true)?;
        let mut path = String::new();
        let callback = RequestPath(&mut path);
        let socket = accept_hdr_async_with_config(stream, callback, Some(self.config)).await?;
        match path.as_str() {
            "/echo" => echo(socket).await,
            "/publish" => self.publish(socket).await,
            _ => self.follow(socket).await,
        }
    }

    async fn publish(self, mut socket: Socket) -> Result<(), Error> {
        while let Some(message) = socket.next().await {
            if let Message::Text(text) = message? {
                // An error means that no follower is connected.
                let _ = self.events.send(text);
            }
        }
        Ok(())
    }

    /// Writes in a separate task, so that an event does not interrupt a read.
    async fn follow(self, socket: Socket) -> Result<(), Error> {
        let mut events = self.events.subscribe();
        let (mut to, mut from) = socket.split();
        let mut writes = tokio::spawn(async move {
            while let Ok(event) = events.recv().await {
                to.feed(Message::Text(event)).await?;
                while self.batch
                    && let Ok(event) = events.try_recv()
                {
                    to.feed(Message::Text(event)).await?;
                }
                to.flush().await?;
            }
            Ok::<_, Error>(())
        });
        let reads = async { while let Some(Ok(_)) = from.next().await {} };
        tokio::select! {
            _ = &mut writes => {}
            () = reads => writes.abort(),
        }
        Ok(())
    }
}

/// Echoes like the library's own example. `forward` flushes when no further message is available.
async fn echo(socket: Socket) -> Result<(), Error> {
    let (to, from) = socket.split();
    let messages = from
        .filter(|message| std::future::ready(!matches!(message, Ok(Message::Ping(_) | Message::Pong(_)))));
    messages.forward(to).await
}
