//! Selects the connections that are shown and recorded.

use crate::wire::Protocol;

/// The protocols that can be selected; `-` is any protocol that the view can't read.
const PROTOCOLS: [&str; 4] = ["http", "sse", "websocket", "-"];

/// The selected connections and protocols. An empty filter selects everything.
#[derive(Debug, Default)]
pub struct Filter {
    protocols: Vec<&'static str>,
    connections: Vec<u64>,
}

impl Filter {
    /// Adds a protocol, or a connection by its number.
    ///
    /// # Errors
    /// Fails if the word is neither, with a message for the user.
    pub fn add(&mut self, word: &str) -> Result<(), String> {
        if let Ok(number) = word.parse() {
            self.connections.push(number);
            return Ok(());
        }
        let protocol = PROTOCOLS.into_iter().find(|protocol| *protocol == word);
        let error =
            || format!("{word:?} is neither the number of a connection nor one of {}", PROTOCOLS.join(", "));
        self.protocols.push(protocol.ok_or_else(error)?);
        Ok(())
    }

    /// Returns whether a connection is selected; `None` while its protocol is not known.
    pub fn selects(&self, number: u64, protocol: Protocol) -> Option<bool> {
        if !self.connections.is_empty() && !self.connections.contains(&number) {
            return Some(false);
        }
        if self.protocols.is_empty() {
            return Some(true);
        }
        let protocol = match protocol {
            Protocol::Undecided => return None,
            Protocol::Http => "http",
            Protocol::EventStream => "sse",
            Protocol::WebSocket => "websocket",
            Protocol::Unknown { .. } => "-",
        };
        Some(self.protocols.contains(&protocol))
    }
}
