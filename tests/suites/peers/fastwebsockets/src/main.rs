//! A server on fastwebsockets and hyper, written like the library's examples: echo, and a broadcast
//! to all followers.
//!
//! ```text
//! peer-fastwebsockets PORT
//! ```

use std::convert::Infallible;
use std::env;
use std::io;

use fastwebsockets::upgrade::{UpgradeFut, is_upgrade_request, upgrade};
use fastwebsockets::{FragmentCollector, FragmentCollectorRead, Frame, OpCode, Payload, WebSocketError};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, broadcast};

/// The number of events by which a follower may lag; one that lags further is disconnected.
const KEPT: usize = 1024;

type Events = broadcast::Sender<Bytes>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let port = env::args().nth(1).and_then(|port| port.parse::<u16>().ok()).expect("a port");
    let events: Events = broadcast::channel(KEPT).0;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listening on http://{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let events = events.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| respond(request, events.clone()));
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            // The end of one connection does not concern the others.
            let _ = connection.with_upgrades().await;
        });
    }
}

async fn respond(
    mut request: Request<Incoming>,
    events: Events,
) -> Result<Response<Empty<Bytes>>, Infallible> {
    let status = |status| {
        let mut response = Response::new(Empty::new());
        *response.status_mut() = status;
        Ok(response)
    };
    if request.method() == Method::POST {
        return match request.into_body().collect().await {
            Ok(body) => {
                // An error means that no follower is connected.
                let _ = events.send(body.to_bytes());
                status(StatusCode::CREATED)
            }
            Err(_) => status(StatusCode::BAD_REQUEST),
        };
    }
    if !is_upgrade_request(&request) {
        return status(StatusCode::UPGRADE_REQUIRED);
    }
    let Ok((response, upgraded)) = upgrade(&mut request) else { return status(StatusCode::BAD_REQUEST) };
    let is_echo = request.uri().path() == "/echo";
    tokio::spawn(async move {
        let _ = if is_echo { echo(upgraded).await } else { follow(upgraded, events.subscribe()).await };
    });
    Ok(response)
}

async fn echo(upgraded: UpgradeFut) -> Result<(), WebSocketError> {
    let mut socket = FragmentCollector::new(upgraded.await?);
    loop {
        let frame = socket.read_frame().await?;
        match frame.opcode {
            OpCode::Close => return Ok(()),
            OpCode::Text | OpCode::Binary => socket.write_frame(frame).await?,
            _ => {}
        }
    }
}

/// Reads and writes concurrently. A `select!` over `read_frame` in a loop would drop a partly read
/// frame.
async fn follow(upgraded: UpgradeFut, mut events: broadcast::Receiver<Bytes>) -> Result<(), WebSocketError> {
    let (from, to) = upgraded.await?.split(tokio::io::split);
    let (mut from, to) = (FragmentCollectorRead::new(from), Mutex::new(to));
    let reads = async {
        loop {
            let frame =
                from.read_frame(&mut |answer| async { to.lock().await.write_frame(answer).await }).await?;
            if frame.opcode == OpCode::Close {
                return Ok(());
            }
        }
    };
    let writes = async {
        while let Ok(event) = events.recv().await {
            to.lock().await.write_frame(Frame::text(Payload::Borrowed(&event))).await?;
        }
        Ok(())
    };
    tokio::select! {
        ended = reads => ended,
        ended = writes => ended,
    }
}
