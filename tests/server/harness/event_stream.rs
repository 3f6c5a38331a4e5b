//! Reads an event stream as the standard specifies (WHATWG HTML §9.2.6), chunked or delimited by
//! the connection's end.

use super::connection::Connection;
use super::response::{self, Response};
use super::transports::{Event, Gap, gap_from_json};

/// The fields between two blank lines, in order. A comment is a field without a name.
pub type Block = Vec<(String, String)>;

/// An open event stream.
pub struct EventStream {
    pub head: Response,
    connection: Connection,
    chunked: bool,
    unread: String,
    /// Whether the stream has ended properly: with the last chunk, or with the connection where
    /// that delimits the stream.
    pub is_complete: bool,
}

impl EventStream {
    /// Reads the head of the response.
    pub fn open(mut connection: Connection, chunked: bool) -> EventStream {
        let head = response::read_head(&mut connection);
        assert_eq!(head.status, 200, "{head:?}");
        assert_eq!(head.get("Content-Type"), Some("text/event-stream"));
        assert_eq!(head.get("Content-Length"), None);
        assert_eq!(head.get("Transfer-Encoding"), chunked.then_some("chunked"));
        EventStream { head, connection, chunked, unread: String::new(), is_complete: false }
    }

    /// Returns the next block, or `None` at the end. Like every client, it discards an incomplete
    /// block there.
    pub fn block(&mut self) -> Option<Block> {
        loop {
            if let Some(end) = self.unread.find("\n\n") {
                let rest = self.unread.split_off(end + 2);
                let block = std::mem::replace(&mut self.unread, rest);
                return Some(block.trim_end_matches('\n').split('\n').map(field).collect());
            }
            let part = String::from_utf8(self.part()?).expect("an event stream is UTF-8");
            self.unread += &part;
        }
    }

    fn part(&mut self) -> Option<Vec<u8>> {
        if self.is_complete {
            return None;
        }
        if self.chunked {
            let chunk = response::read_chunk(&mut self.connection)?;
            self.is_complete = chunk.is_none();
            return chunk;
        }
        let part = self.connection.read_until(|unread| {
            let complete = unread.windows(2).rposition(|two| two == b"\n\n")?;
            Some(complete + 2)
        });
        self.is_complete = part.is_none();
        part
    }

    /// Returns the contents of a stream's first block: its id, and the gap if it reports one.
    /// Checks the block's exact form.
    pub fn first_block(&mut self) -> (String, Option<Gap>) {
        let block = self.block().expect("a first block");
        let names: Vec<&str> = block.iter().map(|(name, _)| name.as_str()).collect();
        let (retry, id) = (&block[0].1, &block[1].1);
        assert!(retry.parse::<u32>().is_ok(), "{retry:?} is not a number of milliseconds");
        if block.len() == 2 {
            assert_eq!(names, ["retry", "id"]);
            return (id.clone(), None);
        }
        assert_eq!(names, ["retry", "id", "event", "data"]);
        assert_eq!(block[2].1, "gap");
        let gap = serde_json::from_str(&block[3].1).expect("a gap is JSON");
        (id.clone(), Some(gap_from_json(&gap)))
    }

    /// Returns the next event that a client would dispatch, or `None` at the end. Skips comments
    /// and blocks without data.
    pub fn event(&mut self) -> Option<Event> {
        loop {
            let block = self.block()?;
            let data: Vec<&str> = values(&block, "data").collect();
            if !data.is_empty() {
                let name = values(&block, "event").last().unwrap_or("message").to_owned();
                let id = values(&block, "id").last().expect("every event has an id").to_owned();
                return Some(Event { id, event: name, data: data.join("\n") });
            }
        }
    }

    /// Returns the data of the next event.
    pub fn data(&mut self) -> String {
        self.event().expect("an event before the end").data
    }

    /// Waits for data or for the connection's end, and returns whether it ended without further
    /// data.
    pub fn is_at_end(&mut self) -> bool {
        self.connection.is_at_end()
    }

    pub fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }
}

fn field(line: &str) -> (String, String) {
    let (name, value) = line.split_once(':').unwrap_or((line, ""));
    (name.to_owned(), value.strip_prefix(' ').unwrap_or(value).to_owned())
}

/// Returns the values of all fields with this name.
pub fn values<'a>(block: &'a Block, name: &'a str) -> impl Iterator<Item = &'a str> {
    block.iter().filter(move |(other, _)| other == name).map(|(_, value)| value.as_str())
}
