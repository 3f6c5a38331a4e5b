//! The client under test: for each case of the suite a connection that echoes, until the suite closes it.
//!
//! `conformance-client ws://HOST:PORT AGENT`: `tests/conformance/run` starts it.

use barewire::client::{ConnectError, Message, Request, WebSocket};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(suite), Some(agent)) = (arguments.next(), arguments.next()) else {
        return Err("usage: conformance-client ws://HOST:PORT AGENT".into());
    };
    let cases = match connect(&format!("{suite}/getCaseCount"))?.read()? {
        Message::Text(count) => count.trim().parse::<usize>()?,
        other => return Err(format!("{other:?} is no number of cases").into()),
    };
    for case in 1..=cases {
        let mut connection = connect(&format!("{suite}/runCase?case={case}&agent={agent}"))?;
        while echo(&mut connection) {}
    }
    // Told that all have run, the suite writes its report, and ends the connection.
    let mut reports = connect(&format!("{suite}/updateReports?agent={agent}"))?;
    while matches!(reports.read(), Ok(Message::Text(_) | Message::Binary(_))) {}
    Ok(())
}

fn connect(uri: &str) -> Result<WebSocket, ConnectError> {
    WebSocket::connect(uri, &Request::default())
}

/// Answers one message. What ends the connection is for the suite to judge, which has seen it too.
fn echo(connection: &mut WebSocket) -> bool {
    let sent = match connection.read() {
        Ok(Message::Text(text)) => connection.send_text(&text),
        Ok(Message::Binary(data)) => connection.send_binary(&data),
        Ok(Message::Pong(_)) => Ok(()),
        Ok(Message::Close(_)) | Err(_) => return false,
    };
    sent.is_ok()
}
