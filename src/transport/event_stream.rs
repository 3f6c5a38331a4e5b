//! Server-Sent Events: the connection holds the cursor, and the client remembers the last event ID.

use super::following::{Encoding, Following, gap_json};
use super::response::{Now, ResponseContext};
use crate::hub::{Hub, Placement, TopicKey};
use crate::protocol::http::{self, Status, Version};
use crate::protocol::sse;

/// Writes the head and the first block, and places the cursor. `retry` is the reconnection time in
/// milliseconds.
///
/// The first block has no data unless it reports a gap, so the browser dispatches no event. The
/// browser remembers its `id` all the same, so a client that has seen no event can resume too
/// (WHATWG HTML §9.2.6).
pub fn open(
    hub: &mut Hub,
    topic: TopicKey,
    placement: &Placement,
    context: &ResponseContext,
    retry: u32,
    now: &Now<'_>,
    out: &mut Vec<u8>,
) -> Following {
    // In HTTP/1.0 the connection's end delimits the stream, whatever the client requested.
    let persists = context.persists && context.version == Version::Http11;
    let context = ResponseContext { persists, ..context.clone() };
    let head = context.head(out, Status::OK, now).field("Content-Type", "text/event-stream");
    let head = head.field("Cache-Control", "no-store, no-transform").field("X-Accel-Buffering", "no");
    let id = hub.id(placement.after).to_string();
    let gap = placement.gap.as_ref().map(gap_json);
    let encoding = match context.version {
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
    Following::after(hub, topic, placement.after, encoding, now.tick)
}

/// Writes a comment, which keeps the connection alive and shows whether the client is still there
/// (WHATWG HTML §9.2.7).
pub fn write_heartbeat(encoding: Encoding, out: &mut Vec<u8>) {
    match encoding {
        Encoding::EventStreamChunks => http::chunk(out, |out| out.extend_from_slice(sse::HEARTBEAT)),
        _ => out.extend_from_slice(sse::HEARTBEAT),
    }
}

/// Writes the end of the stream, after the reconnection time in milliseconds if there is one.
pub fn write_end(encoding: Encoding, retry: Option<u32>, out: &mut Vec<u8>) {
    let is_chunked = encoding == Encoding::EventStreamChunks;
    match retry {
        Some(retry) if is_chunked => http::chunk(out, |out| sse::write_retry(retry, out)),
        Some(retry) => sse::write_retry(retry, out),
        None => {}
    }
    if is_chunked {
        out.extend_from_slice(http::LAST_CHUNK);
    }
}
