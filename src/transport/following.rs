//! What event streams and WebSockets have in common: the connection holds the cursor.

use super::encoding::Encoding;
use crate::hub::{Cursor, Gap, TopicKey};
use crate::protocol::json;

/// A follower whose connection holds its cursor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Following {
    /// The topic.
    pub topic: TopicKey,
    /// What has been given to it.
    pub cursor: Cursor,
    /// In which bytes it gets its events.
    pub encoding: Encoding,
}

/// A gap, as event streams and WebSockets tell of it.
pub fn gap_json(gap: &Gap) -> String {
    let mut out = b"{\"since\":".to_vec();
    json::write_string(&gap.since, &mut out);
    out.extend_from_slice(b",\"oldest\":");
    match gap.oldest {
        Some(oldest) => json::write_string(&oldest.to_string(), &mut out),
        None => out.extend_from_slice(b"null"),
    }
    out.push(b'}');
    String::from_utf8_lossy(&out).into_owned()
}
