//! An echo client on tokio-tungstenite that asks a conformance suite for its cases.
//!
//! ```text
//! witness-tungstenite ws://HOST:PORT AGENT
//! ```

use std::cell::Cell;
use std::env;

use futures_util::future::join_all;
use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::{Error, Message};

/// Cases that run concurrently.
const AT_ONCE: usize = 4;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [suite, agent] = &arguments[..] else {
        return Err("usage: witness-tungstenite ws://HOST:PORT AGENT".into());
    };
    let (mut socket, _) = connect_async(format!("{suite}/getCaseCount")).await?;
    let cases = match socket.next().await {
        Some(Ok(Message::Text(count))) => count.trim().parse::<usize>()?,
        other => return Err(format!("expected the number of cases, received {other:?}").into()),
    };
    let next = Cell::new(1);
    let run = async || -> Result<(), Error> {
        while next.get() <= cases {
            let case = next.replace(next.get() + 1);
            let (mut socket, _) = connect_async(format!("{suite}/runCase?case={case}&agent={agent}")).await?;
            // The suite judges how the connection ends.
            while let Some(Ok(message)) = socket.next().await {
                if (message.is_text() || message.is_binary()) && socket.send(message).await.is_err() {
                    break;
                }
            }
        }
        Ok(())
    };
    join_all((0..AT_ONCE).map(|_| run())).await.into_iter().collect::<Result<(), _>>()?;
    // This request makes the suite write its report and close the connection.
    let (mut reports, _) = connect_async(format!("{suite}/updateReports?agent={agent}")).await?;
    while let Some(Ok(_)) = reports.next().await {}
    Ok(())
}
