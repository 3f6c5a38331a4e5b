//! The client under test: echoes until the suite closes the connection.
//!
//! `tests/suites/conformance/run` starts it as `conformance-client ws://HOST:PORT AGENT
//! [--without-context]`, and it opens a connection for each case of the suite. `barewire conform
//! client` can also start it for each case: `--run 'conformance-client {url}'`.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use barewire::client::{ConnectError, Message, Request, WebSocket};

const USAGE: &str = "usage: conformance-client URL, or ws://HOST:PORT AGENT [--without-context]";

/// Cases that run concurrently.
const AT_ONCE: usize = 4;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (suite, agent, request) = match &arguments[..] {
        [suite, agent] => (suite, agent, Request::default()),
        [suite, agent, option] if option == "--without-context" => (suite, agent, without_context()),
        [url] => {
            let mut connection = WebSocket::connect(url, &Request::default())?;
            while echo(&mut connection) {}
            return Ok(());
        }
        _ => return Err(USAGE.into()),
    };
    let cases = match connect(suite, "/getCaseCount", &request)?.read()? {
        Message::Text(count) => count.trim().parse::<usize>()?,
        other => return Err(format!("expected the number of cases, received {other:?}").into()),
    };
    let next = AtomicUsize::new(1);
    let run = || -> Result<(), ConnectError> {
        loop {
            let case = next.fetch_add(1, Ordering::Relaxed);
            if case > cases {
                return Ok(());
            }
            let mut connection = connect(suite, &format!("/runCase?case={case}&agent={agent}"), &request)?;
            while echo(&mut connection) {}
        }
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(run)).collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("a client never panics"))
    })?;
    // This request makes the suite write its report and close the connection.
    let mut reports = connect(suite, &format!("/updateReports?agent={agent}"), &request)?;
    while matches!(reports.read(), Ok(Message::Text(_) | Message::Binary(_))) {}
    Ok(())
}

/// Returns a request whose offer promises to compress each message independently (RFC 7692
/// §7.1.1.2).
fn without_context() -> Request<'static> {
    let mut request = Request::default();
    if let Some(offer) = &mut request.deflate {
        offer.client_no_context_takeover = true;
    }
    request
}

fn connect(suite: &str, target: &str, request: &Request<'_>) -> Result<WebSocket, ConnectError> {
    WebSocket::connect(&format!("{suite}{target}"), request)
}

/// Echoes one message and returns true if the connection is still open. The suite judges how the
/// connection ends.
fn echo(connection: &mut WebSocket) -> bool {
    let sent = match connection.read() {
        Ok(Message::Text(text)) => connection.send_text(&text),
        Ok(Message::Binary(data)) => connection.send_binary(&data),
        Ok(Message::Pong(_)) => Ok(()),
        Ok(Message::Close(_)) | Err(_) => return false,
    };
    sent.is_ok()
}
