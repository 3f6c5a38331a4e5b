//! Runs the client against an independent echo server, with and without compression.
//!
//! `tests/suites/interop/run` starts it as `interop_client ws://HOST:PORT/`.

use barewire::client::{Message, Request, WebSocket};
use barewire::protocol::websocket::close::CloseCode;

const BIG: usize = 16 << 20;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let uri = std::env::args().nth(1).ok_or("usage: interop_client ws://HOST:PORT/")?;
    let plain = Request { deflate: None, ..Request::default() };
    let mut passed = 0;
    for (name, request) in [("nothing", plain), ("permessage-deflate", Request::default())] {
        let mut socket = WebSocket::connect(&uri, &request)?;
        if socket.agreement().is_some() != request.deflate.is_some() {
            return Err(format!("offering {name}: the agreed extension is {:?}", socket.agreement()).into());
        }
        let text = "h\u{e9}llo ".repeat(2000);
        let big: Vec<u8> = (0..BIG).map(|at| (at % 251) as u8).collect();
        for text in [&text, "", &text] {
            socket.send_text(text)?;
            if socket.read()? != Message::Text(text.to_owned()) {
                return Err(format!("offering {name}: the echo of a text message differs").into());
            }
        }
        for binary in [vec![7; 70_000], big] {
            socket.send_binary(&binary)?;
            if socket.read()? != Message::Binary(binary) {
                return Err(format!("offering {name}: the echo of a binary message differs").into());
            }
        }
        socket.ping(b"there?")?;
        let close = socket.close(CloseCode(4321), "enough")?;
        if close.as_ref().map(|(code, _)| *code) != Some(CloseCode(4321)) {
            return Err(format!("offering {name}: the peer's close frame was {close:?}").into());
        }
        println!("ok      the client, offering {name}: text, binary, empty, 16 MiB, ping, close 4321");
        passed += 1;
    }
    println!("{passed} passed, 0 failed");
    Ok(())
}
