//! Writes an event stream (WHATWG HTML §9.2.5).

use crate::protocol::http::fields::write_decimal;

/// A comment and a blank line, which no client dispatches: it shows that the connection lives.
pub const HEARTBEAT: &[u8] = b":\n\n";

/// Appends one event.
///
/// `event:` is left out for `message`, the type that an event has without it. `data` becomes one
/// `data:` field a line; empty data is one empty field, for a block without any dispatches nothing. The
/// space behind each colon is not data: a decoder takes one away, so data that begins with a space keeps it.
///
/// A carriage return would end a line in every decoder. The hub lets none into data, ids or names.
pub fn write_event(id: &str, event: &str, data: &str, out: &mut Vec<u8>) {
    debug_assert!(!data.contains('\r'), "a carriage return in data");
    write_field("id", id, out);
    if event != "message" {
        write_field("event", event, out);
    }
    for line in data.split('\n') {
        write_field("data", line, out);
    }
    out.push(b'\n');
}

/// Appends the block that a stream begins with: how long to wait before a reconnect, in
/// milliseconds, and the id to resume from, for a client that may see no event before.
///
/// Without data it dispatches nothing. With a `gap`, one line of JSON, the same block is an event `gap`.
pub fn write_first_block(retry_ms: u32, id: &str, gap: Option<&str>, out: &mut Vec<u8>) {
    write_retry_field(retry_ms, out);
    write_field("id", id, out);
    if let Some(gap) = gap {
        write_field("event", "gap", out);
        write_field("data", gap, out);
    }
    out.push(b'\n');
}

/// Appends a block that says only how long to wait before a reconnect, in milliseconds.
pub fn write_retry(retry_ms: u32, out: &mut Vec<u8>) {
    write_retry_field(retry_ms, out);
    out.push(b'\n');
}

fn write_retry_field(retry_ms: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(b"retry: ");
    write_decimal(u64::from(retry_ms), out);
    out.push(b'\n');
}

fn write_field(name: &str, value: &str, out: &mut Vec<u8>) {
    debug_assert!(!value.contains(['\r', '\n']), "a line end in the field {name}");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value.as_bytes());
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).expect("text in, text out")
    }

    #[test]
    fn an_event_is_fields_and_a_blank_line() {
        assert_eq!(text(|out| write_event("x-1", "message", "a", out)), "id: x-1\ndata: a\n\n");
        assert_eq!(
            text(|out| write_event("x-1", "price", " a\n\nb\n", out)),
            "id: x-1\nevent: price\ndata:  a\ndata: \ndata: b\ndata: \n\n"
        );
        assert_eq!(text(|out| write_event("x-1", "message", "", out)), "id: x-1\ndata: \n\n");
    }

    #[test]
    fn the_first_block_is_one_block() {
        assert_eq!(text(|out| write_first_block(2000, "x-1", None, out)), "retry: 2000\nid: x-1\n\n");
        assert_eq!(
            text(|out| write_first_block(0, "x-1", Some("{}"), out)),
            "retry: 0\nid: x-1\nevent: gap\ndata: {}\n\n"
        );
        assert_eq!(text(|out| write_retry(u32::MAX, out)), "retry: 4294967295\n\n");
    }
}
