//! Encoding an event stream (WHATWG HTML §9.2.5).

use crate::protocol::http::fields::write_decimal;

/// A comment and a blank line, which dispatch nothing and show that the connection is alive.
pub const HEARTBEAT: &[u8] = b":\n\n";

/// Appends one event to `out`.
///
/// `event:` is omitted for `message`, which is the default type. Each line of `data` becomes a
/// `data:` field. Empty data become one empty field, because a block without a `data:` field
/// dispatches nothing. The decoder removes the space after each colon, so data that start with a
/// space keep it.
///
/// `data` must not contain a carriage return, which would end a line. The hub ensures that for
/// data, ids and names.
pub fn write_event(id: &str, event: &str, data: &str, out: &mut Vec<u8>) {
    debug_assert!(!data.contains('\r'), "a carriage return in the data would end the line");
    write_field("id", id, out);
    if event != "message" {
        write_field("event", event, out);
    }
    for line in data.split('\n') {
        write_field("data", line, out);
    }
    out.push(b'\n');
}

/// Appends the first block of a stream to `out`: the reconnection time in milliseconds, and the id
/// from which a client resumes that disconnects before the first event.
///
/// Without data the block dispatches nothing. With a `gap`, one line of JSON, the block is an event
/// of type `gap`.
pub fn write_first_block(retry_ms: u32, id: &str, gap: Option<&str>, out: &mut Vec<u8>) {
    write_retry_field(retry_ms, out);
    write_field("id", id, out);
    if let Some(gap) = gap {
        write_field("event", "gap", out);
        write_field("data", gap, out);
    }
    out.push(b'\n');
}

/// Appends a block that only sets the reconnection time, in milliseconds, to `out`.
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
    debug_assert!(!value.contains(['\r', '\n']), "a line end in the field {name} would split it");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value.as_bytes());
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).expect("the encoder writes UTF-8")
    }

    #[test]
    fn writes_an_event_as_fields_and_a_blank_line() {
        assert_eq!(written(|out| write_event("x-1", "message", "a", out)), "id: x-1\ndata: a\n\n");
        assert_eq!(
            written(|out| write_event("x-1", "price", " a\n\nb\n", out)),
            "id: x-1\nevent: price\ndata:  a\ndata: \ndata: b\ndata: \n\n"
        );
        assert_eq!(written(|out| write_event("x-1", "message", "", out)), "id: x-1\ndata: \n\n");
    }

    #[test]
    fn writes_the_first_block_and_the_reconnection_time() {
        assert_eq!(written(|out| write_first_block(2000, "x-1", None, out)), "retry: 2000\nid: x-1\n\n");
        assert_eq!(
            written(|out| write_first_block(0, "x-1", Some("{}"), out)),
            "retry: 0\nid: x-1\nevent: gap\ndata: {}\n\n"
        );
        assert_eq!(written(|out| write_retry(u32::MAX, out)), "retry: 4294967295\n\n");
    }
}
