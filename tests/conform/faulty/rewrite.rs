//! Faults of an HTTP parser: the received bytes are rewritten to valid ones before they are parsed.

use super::Fault;

/// Rewrites the head at the start of `received`. The bytes behind the head stay as they are.
pub fn head(fault: Option<Fault>, received: &mut Vec<u8>) {
    if fault == Some(Fault::AcceptsBareLf) {
        end_lines_with_crlf(received);
    }
    let Some(end) = position(received, b"\r\n\r\n") else { return };
    let rest = received.split_off(end + 4);
    match fault {
        Some(Fault::AcceptsSpaceBeforeColon) => edit_lines(received, |line| {
            let colon = line.find(':')?;
            Some(format!("{}{}", line[..colon].trim_end(), &line[colon..]))
        }),
        Some(Fault::AcceptsFoldedFields) => {
            while let Some(at) = position(received, b"\r\n ").or_else(|| position(received, b"\r\n\t")) {
                received[at..at + 2].copy_from_slice(b"  ");
            }
        }
        Some(Fault::AcceptsLengthAndCoding) if named(received, "transfer-encoding") > 0 => {
            edit_lines(received, |line| (!is_named(line, "content-length")).then(|| line.into()));
        }
        Some(Fault::AcceptsTwoLengths) => keep_first(received, "content-length"),
        Some(Fault::AcceptsTwoHosts) => keep_first(received, "host"),
        Some(Fault::AcceptsSignedLength) => edit_lines(received, |line| {
            let is_length = is_named(line, "content-length");
            Some(if is_length { line.replace('+', "") } else { line.into() })
        }),
        Some(Fault::AcceptsCodingAfterChunked) => edit_lines(received, |line| {
            let is_coding = is_named(line, "transfer-encoding") && line.contains("chunked");
            Some(if is_coding { "Transfer-Encoding: chunked".into() } else { line.into() })
        }),
        Some(Fault::AcceptsMissingHost) if named(received, "host") == 0 => add(received, "Host: localhost"),
        Some(Fault::AcceptsAnyVersion) => any_version(received),
        _ => {}
    }
    received.extend(rest);
}

/// Rewrites a chunked body as far as it has arrived.
pub fn chunks(fault: Option<Fault>, received: &mut Vec<u8>) {
    if fault == Some(Fault::AcceptsHexPrefix) {
        if received.starts_with(b"0x") {
            received.drain(..2);
        }
        while let Some(at) = position(received, b"\r\n0x") {
            received.drain(at + 2..at + 4);
        }
    }
}

fn end_lines_with_crlf(received: &mut Vec<u8>) {
    let mut start = 0;
    while let Some(length) = received[start..].iter().position(|byte| *byte == b'\n') {
        let mut end = start + length;
        if received[..end].last() != Some(&b'\r') {
            received.insert(end, b'\r');
            end += 1;
        }
        let is_blank = end == start + 1;
        start = end + 1;
        if is_blank && start > 2 {
            return;
        }
    }
}

fn any_version(received: &mut Vec<u8>) {
    let Some(line) = position(received, b"\r\n") else { return };
    if let Some(at) = position(&received[..line], b" HTTP/") {
        received.splice(at..line, *b" HTTP/1.1");
    }
}

/// Replaces each field line by the result of `edit`; `None` removes the line.
fn edit_lines(head: &mut Vec<u8>, edit: impl Fn(&str) -> Option<String>) {
    let Ok(text) = str::from_utf8(head) else { return };
    let mut lines = text.trim_end_matches("\r\n").split("\r\n");
    let mut edited = lines.next().unwrap_or_default().to_owned();
    for line in lines {
        // A line without a colon is left as it is.
        if let Some(line) = if line.contains(':') { edit(line) } else { Some(line.into()) } {
            edited += "\r\n";
            edited += &line;
        }
    }
    *head = (edited + "\r\n\r\n").into_bytes();
}

fn keep_first(head: &mut Vec<u8>, name: &str) {
    let seen = std::cell::Cell::new(false);
    edit_lines(head, |line| {
        let is_repeated = is_named(line, name) && seen.replace(true);
        (!is_repeated).then(|| line.into())
    });
}

fn add(head: &mut Vec<u8>, line: &str) {
    head.truncate(head.len() - 2);
    head.extend_from_slice(line.as_bytes());
    head.extend_from_slice(b"\r\n\r\n");
}

fn named(head: &[u8], name: &str) -> usize {
    String::from_utf8_lossy(head).split("\r\n").filter(|line| is_named(line, name)).count()
}

fn is_named(line: &str, name: &str) -> bool {
    line.split_once(':').is_some_and(|(key, _)| key.eq_ignore_ascii_case(name))
}

fn position(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part)
}
