//! Responses of a server, built without the library's encoders.

use serde_json::{Value, json};

/// An event: id, name, data.
pub type Item = (String, String, String);

pub fn item_json((id, event, data): &Item) -> Value {
    json!({"id": id, "event": event, "data": data})
}

/// How a body is framed.
#[derive(Clone, Copy, Debug)]
pub enum Body {
    Length,
    Chunks(usize),
    UntilEnd,
}

/// Builds a response with this body after `interim` interim responses.
pub fn response(interim: usize, status: &str, fields: &str, body: &[u8], framing: Body) -> Vec<u8> {
    let mut out = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n".repeat(interim).into_bytes();
    out.extend_from_slice(format!("HTTP/1.1 {status}\r\nDate: now\r\n{fields}").as_bytes());
    match framing {
        Body::Length => {
            out.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
            out.extend_from_slice(body);
        }
        Body::Chunks(size) => {
            out.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n");
            for chunk in body.chunks(size) {
                out.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                out.extend_from_slice(chunk);
                out.extend_from_slice(b"\r\n");
            }
            out.extend_from_slice(b"0\r\n\r\n");
        }
        Body::UntilEnd => {
            out.extend_from_slice(b"\r\n");
            out.extend_from_slice(body);
        }
    }
    out
}

pub const JSON: &str = "Content-Type: application/json\r\n";
pub const STREAM: &str = "Content-Type: text/event-stream\r\n";
pub const PROBLEM: &str = "Content-Type: application/problem+json\r\n";

pub fn poll_body(items: &[Item], next: &str, gap: bool) -> Vec<u8> {
    let events: Vec<_> = items.iter().map(item_json).collect();
    let mut body = json!({"events": events, "next": next});
    if gap {
        body["gap"] = true.into();
    }
    body.to_string().into_bytes()
}

/// Builds an event stream that starts like one from barewire.
pub fn stream(items: &[Item], next: &str, gap: Option<&str>) -> Vec<u8> {
    let mut out = format!("retry: 2500\nid: {next}\n");
    if let Some(gap) = gap {
        out.push_str(&format!("event: gap\ndata: {gap}\n"));
    }
    out.push('\n');
    for (id, event, data) in items {
        out.push_str(&format!("id: {id}\nevent: {event}\n"));
        for line in data.split('\n') {
            out.push_str(&format!("data: {line}\n"));
        }
        out.push_str("\n:\n\n");
    }
    out.into_bytes()
}

/// Builds a frame from a server.
pub fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![0x80 | opcode];
    match payload.len() {
        length @ 0..126 => out.push(length as u8),
        length @ 126..65_536 => {
            out.push(126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            out.push(127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(payload);
    out
}

/// The response of RFC 6455 §1.3.
pub const OPENED: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// Builds the bytes of a WebSocket that starts like one from barewire, with a ping after each event
/// and a close frame at the end.
pub fn messages(items: &[Item], next: &str, gap: Option<&str>) -> Vec<u8> {
    let mut hello = json!({"next": next});
    if let Some(gap) = gap {
        hello["gap"] = serde_json::from_str(gap).expect("JSON");
    }
    let mut out = OPENED.as_bytes().to_vec();
    out.extend(frame(1, hello.to_string().as_bytes()));
    for item in items {
        out.extend(frame(1, item_json(item).to_string().as_bytes()));
        out.extend(frame(9, b"?"));
    }
    out.extend(frame(8, &1001u16.to_be_bytes()));
    out
}
