//! Requests, encoded as bytes.

/// A request under construction.
#[derive(Clone)]
pub struct Request {
    pub method: &'static str,
    target: String,
    pub version: &'static str,
    host: Option<String>,
    fields: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Request {
    pub fn new(method: &'static str, target: impl Into<String>) -> Request {
        Request {
            method,
            target: target.into(),
            version: "HTTP/1.1",
            host: Some("localhost".into()),
            fields: Vec::new(),
            body: Vec::new(),
        }
    }

    pub fn get(target: impl Into<String>) -> Request {
        Request::new("GET", target)
    }

    pub fn head(target: impl Into<String>) -> Request {
        Request::new("HEAD", target)
    }

    /// Returns a publish of this body, with a Content-Length.
    pub fn post(target: impl Into<String>, body: impl AsRef<[u8]>) -> Request {
        let body = body.as_ref();
        let request = Request::new("POST", target).field("Content-Length", body.len().to_string());
        Request { body: body.to_vec(), ..request }
    }

    /// Returns a publish of this body, in these chunks.
    pub fn post_chunks(target: impl Into<String>, chunks: &[&[u8]]) -> Request {
        let mut body = Vec::new();
        for chunk in chunks {
            body.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            body.extend_from_slice(chunk);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(b"0\r\n\r\n");
        Request { body, ..Request::new("POST", target).field("Transfer-Encoding", "chunked") }
    }

    /// Returns a publish of one event per line.
    pub fn post_lines(target: impl Into<String>, lines: impl AsRef<[u8]>) -> Request {
        Request::post(target, lines).field("Content-Type", "application/x-ndjson")
    }

    /// Returns a WebSocket handshake with the key of RFC 6455 §1.3.
    pub fn handshake(target: impl Into<String>) -> Request {
        Request::get(target)
            .field("Upgrade", "websocket")
            .field("Connection", "Upgrade")
            .field("Sec-WebSocket-Version", "13")
            .field("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
    }

    /// Returns a request for an event stream.
    pub fn event_stream(target: impl Into<String>) -> Request {
        Request::get(target).field("Accept", "text/event-stream")
    }

    pub fn field(mut self, name: &'static str, value: impl Into<String>) -> Request {
        self.fields.push((name, value.into()));
        self
    }

    /// Removes the fields with this name.
    pub fn without(mut self, name: &str) -> Request {
        self.fields.retain(|(other, _)| *other != name);
        self
    }

    pub fn host(self, host: impl Into<String>) -> Request {
        Request { host: Some(host.into()), ..self }
    }

    /// Replaces the method.
    pub fn method(self, method: &'static str) -> Request {
        Request { method, ..self }
    }

    /// Replaces the target.
    pub fn target(self, target: impl Into<String>) -> Request {
        Request { target: target.into(), ..self }
    }

    pub fn http10(self) -> Request {
        Request { version: "HTTP/1.0", host: None, ..self }
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut out = format!("{} {} {}\r\n", self.method, self.target, self.version);
        let host = self.host.iter().map(|host| ("Host", host));
        for (name, value) in host.chain(self.fields.iter().map(|(name, value)| (*name, value))) {
            out += &format!("{name}: {value}\r\n");
        }
        out += "\r\n";
        [out.as_bytes(), &self.body].concat()
    }
}
