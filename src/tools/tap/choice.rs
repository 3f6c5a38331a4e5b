//! What of all that passes is shown and recorded.

use crate::wire::Protocol;

/// What a connection can be chosen by; `-` is what the view can't read.
const KINDS: [&str; 4] = ["http", "sse", "websocket", "-"];

/// What is shown and recorded; nothing chosen is all.
#[derive(Debug, Default)]
pub struct Choice {
    kinds: Vec<&'static str>,
    connections: Vec<u64>,
}

impl Choice {
    /// Chooses a kind, or a connection by its number, too.
    ///
    /// # Errors
    /// It is neither.
    pub fn add(&mut self, word: &str) -> Result<(), String> {
        if let Ok(number) = word.parse() {
            self.connections.push(number);
            return Ok(());
        }
        let kind = KINDS.into_iter().find(|kind| *kind == word);
        let wrong = || format!("{word:?} is no connection's number and none of {}", KINDS.join(", "));
        self.kinds.push(kind.ok_or_else(wrong)?);
        Ok(())
    }

    /// Whether what a connection carries is chosen; `None` as long as nobody knows.
    pub fn takes(&self, number: u64, carries: Protocol) -> Option<bool> {
        if !self.connections.is_empty() && !self.connections.contains(&number) {
            return Some(false);
        }
        if self.kinds.is_empty() {
            return Some(true);
        }
        let kind = match carries {
            Protocol::Undecided => return None,
            Protocol::Http => "http",
            Protocol::EventStream => "sse",
            Protocol::WebSocket => "websocket",
            Protocol::Unknown { .. } => "-",
        };
        Some(self.kinds.contains(&kind))
    }
}
