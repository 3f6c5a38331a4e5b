//! Reads an event stream as the standard says (WHATWG HTML §9.2.6), chunked or delimited by the connection's end.

use super::connection::Connection;
use super::response::{self, Response};
use super::transports::{Event, Gap, gap_from_json};

/// What stands between two blank lines: the fields in their order. A comment is a field without a name.
pub type Block = Vec<(String, String)>;

/// An event stream that is open.
pub struct EventStream {
    pub head: Response,
    connection: Connection,
    chunked: bool,
    unread: String,
    /// The stream has come to its proper end: the last chunk, or the end of the connection where that delimits it.
    pub is_whole: bool,
}

impl EventStream {
    /// Reads the head of the answer.
    pub fn open(mut connection: Connection, chunked: bool) -> EventStream {
        let head = response::read_head(&mut connection);
        assert_eq!(head.status, 200, "{head:?}");
        assert_eq!(head.get("Content-Type"), Some("text/event-stream"));
        assert_eq!(head.get("Content-Length"), None);
        assert_eq!(head.get("Transfer-Encoding"), chunked.then_some("chunked"));
        EventStream { head, connection, chunked, unread: String::new(), is_whole: false }
    }

    /// The next block, or `None` at the end; what stands unfinished there is discarded, as by every client.
    pub fn block(&mut self) -> Option<Block> {
        loop {
            if let Some(end) = self.unread.find("\n\n") {
                let rest = self.unread.split_off(end + 2);
                let block = std::mem::replace(&mut self.unread, rest);
                return Some(block.trim_end_matches('\n').split('\n').map(field).collect());
            }
            let piece = String::from_utf8(self.piece()?).expect("an event stream is UTF-8");
            self.unread += &piece;
        }
    }

    fn piece(&mut self) -> Option<Vec<u8>> {
        if self.is_whole {
            return None;
        }
        if self.chunked {
            let chunk = response::read_chunk(&mut self.connection)?;
            self.is_whole = chunk.is_none();
            return chunk;
        }
        let piece = self.connection.read_until(|unread| {
            let whole = unread.windows(2).rposition(|two| two == b"\n\n")?;
            Some(whole + 2)
        });
        self.is_whole = piece.is_none();
        piece
    }

    /// The block that a stream begins with: its id, and the gap that it tells of. Its form is checked to the letter.
    pub fn first_block(&mut self) -> (String, Option<Gap>) {
        let block = self.block().expect("a first block");
        let names: Vec<&str> = block.iter().map(|(name, _)| name.as_str()).collect();
        let (retry, id) = (&block[0].1, &block[1].1);
        assert!(retry.parse::<u32>().is_ok(), "{retry:?} is no number of milliseconds");
        if block.len() == 2 {
            assert_eq!(names, ["retry", "id"]);
            return (id.clone(), None);
        }
        assert_eq!(names, ["retry", "id", "event", "data"]);
        assert_eq!(block[2].1, "gap");
        let gap = serde_json::from_str(&block[3].1).expect("a gap is JSON");
        (id.clone(), Some(gap_from_json(&gap)))
    }

    /// The next event that a client would dispatch, or `None` at the end. Comments and blocks without data are none.
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

    /// The data of the next event.
    pub fn data(&mut self) -> String {
        self.event().expect("an event before the end").data
    }

    /// Waits for the connection's end, with nothing before it.
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

/// The values of all fields of this name.
pub fn values<'a>(block: &'a Block, name: &'a str) -> impl Iterator<Item = &'a str> {
    block.iter().filter(move |(other, _)| other == name).map(|(_, value)| value.as_str())
}
