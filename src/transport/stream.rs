//! Server-Sent Events: the cursor lives in the connection, and in the client's last event ID.

use super::answer::{Moment, Terms};
use super::encoding::Encoding;
use super::following::{Following, gap_json};
use crate::hub::{Hub, Placement, TopicKey};
use crate::protocol::http;
use crate::protocol::http::{Status, Version};
use crate::protocol::sse;

/// Writes the head and the first block, and puts the cursor.
///
/// The first block has no data (unless it tells of a gap), so the browser shows no event; but its `id` is
/// remembered, so that a client which has seen no event yet can resume too (WHATWG HTML §9.2.6).
pub fn open(
    hub: &mut Hub,
    topic: TopicKey,
    placement: &Placement,
    terms: &Terms,
    retry: u32,
    moment: &Moment<'_>,
    out: &mut Vec<u8>,
) -> Following {
    // In HTTP/1.0 the stream's end is the connection's, whatever the request asked for.
    let persists = terms.persists && terms.version == Version::Http11;
    let terms = Terms { persists, ..terms.clone() };
    let head = terms.head(out, Status::OK, moment).field("Content-Type", "text/event-stream");
    let head = head.field("Cache-Control", "no-store, no-transform").field("X-Accel-Buffering", "no");
    let id = hub.id(placement.after).to_string();
    let gap = placement.gap.as_ref().map(gap_json);
    let encoding = match terms.version {
        Version::Http11 => {
            head.field("Transfer-Encoding", "chunked").end();
            http::chunk(out, |out| sse::write_first_block(retry, &id, gap.as_deref(), out));
            Encoding::EventStreamChunks
        }
        Version::Http10 => {
            head.end();
            sse::write_first_block(retry, &id, gap.as_deref(), out);
            Encoding::EventStream
        }
    };
    let cursor = hub.cursor(topic, placement.after, encoding.encoder(0), moment.tick);
    Following { topic, cursor, encoding }
}

/// Writes a comment, which keeps the connection alive and shows whether anybody is there (WHATWG HTML §9.2.7).
pub fn write_heartbeat(encoding: Encoding, out: &mut Vec<u8>) {
    match encoding {
        Encoding::EventStreamChunks => http::chunk(out, |out| out.extend_from_slice(sse::HEARTBEAT)),
        _ => out.extend_from_slice(sse::HEARTBEAT),
    }
}

/// Writes the end of the stream; with a `retry`, first when to come again, in milliseconds.
pub fn write_end(encoding: Encoding, retry: Option<u32>, out: &mut Vec<u8>) {
    let chunks = encoding == Encoding::EventStreamChunks;
    match retry {
        Some(retry) if chunks => http::chunk(out, |out| sse::write_retry(retry, out)),
        Some(retry) => sse::write_retry(retry, out),
        None => {}
    }
    if chunks {
        out.extend_from_slice(http::LAST_CHUNK);
    }
}
