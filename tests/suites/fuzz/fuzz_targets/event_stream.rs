//! Event streams: encoded events and arbitrary bytes, read by the decoder.
//!
//! The properties:
//!
//! - However the bytes are split, the events, the last event ID, the reconnection time and the
//!   refusal are the same.
//! - A second decoder in this file finds the same. It reads a complete stream line by line, in the
//!   words of WHATWG HTML §9.2.6. With limits, it refuses the same streams for the same reasons.
//! - Events that the encoder writes, with heartbeats and first blocks between them, in chunks or
//!   not, decode to themselves.
#![no_main]

use arbitrary::Arbitrary;
use barewire::protocol::http::{self, BodyLimits, BodyReader, Framing};
use barewire::protocol::sse::{self, DecodeError, DecodeLimits, Decoder, Event};
use barewire_fuzz::{peak, split, splits};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    /// Whether `bytes` is the stream itself, or the material for events.
    is_stream: bool,
    lengths: [u8; 4],
    line: u8,
    data: u8,
    bytes: &'a [u8],
}

const GENEROUS: DecodeLimits = DecodeLimits { line: 1 << 20, data: 1 << 20 };

fuzz_target!(|input: Input<'_>| {
    let stream = if input.is_stream { input.bytes.to_vec() } else { encode_events(&input) };
    let small = DecodeLimits { line: input.line.into(), data: input.data.into() };
    for limits in [GENEROUS, small] {
        let whole = decode(&[&stream], limits);
        assert_eq!(whole, decode_plainly(&stream, limits));
        for parts in splits(&stream, &input.lengths) {
            assert_eq!(decode(&parts, limits), whole);
        }
    }
    let mut decoder = Decoder::new("", GENEROUS);
    let (_, peak) = peak(|| decoder.read(&stream).map(|_| ()));
    // The line and the data, which briefly exist twice while they grow; an invalid UTF-8 byte
    // becomes three bytes.
    assert!(peak <= 16 * stream.len() + 256, "{peak} bytes of heap for {} of stream", stream.len());
});

/// The result of decoding a stream.
#[derive(Debug, PartialEq)]
struct Decoded {
    events: Vec<Event>,
    last_event_id: String,
    retry: Option<u64>,
    refusal: Option<DecodeError>,
}

fn decode(parts: &[&[u8]], limits: DecodeLimits) -> Decoded {
    let mut decoder = Decoder::new("before", limits);
    let (mut events, mut refusal) = (Vec::new(), None);
    'parts: for part in parts {
        let mut rest = *part;
        while !rest.is_empty() {
            match decoder.read(rest) {
                Ok((taken, event)) => {
                    assert!(
                        event.is_some() || taken == rest.len(),
                        "no event, but not everything is consumed"
                    );
                    events.extend(event);
                    rest = &rest[taken..];
                }
                Err(error) => {
                    refusal = Some(error);
                    break 'parts;
                }
            }
        }
    }
    let last_event_id = decoder.last_event_id().to_owned();
    Decoded { events, last_event_id, retry: decoder.retry(), refusal }
}

/// Implements "9.2.6 Interpreting an event stream" for a complete stream.
fn decode_plainly(stream: &[u8], limits: DecodeLimits) -> Decoded {
    let mut decoded =
        Decoded { events: vec![], last_event_id: "before".to_owned(), retry: None, refusal: None };
    let (mut data, mut event_type, mut id) = (String::new(), String::new(), "before".to_owned());
    let mut rest = stream;
    let mut is_first = true;
    loop {
        // "Lines must be separated by either a CRLF pair, a single LF, or a single CR."
        let end = rest.iter().position(|byte| b"\r\n".contains(byte));
        if end.unwrap_or(rest.len()) > limits.line {
            decoded.refusal = Some(DecodeError::LineTooLong);
            return decoded;
        }
        // "Once the end of the file is reached, any pending data must be discarded."
        let Some(end) = end else { return decoded };
        let mut line = &rest[..end];
        rest = if rest[end..].starts_with(b"\r\n") { &rest[end + 2..] } else { &rest[end + 1..] };
        // "One leading U+FEFF BYTE ORDER MARK character must be ignored if any are present."
        if std::mem::take(&mut is_first) && line.starts_with("\u{feff}".as_bytes()) {
            line = &line["\u{feff}".len()..];
        }
        // "Streams must be decoded using the UTF-8 decode algorithm."
        let line = String::from_utf8_lossy(line);
        if line.is_empty() {
            // "Set the last event ID string of the event source to the value of the last event ID
            // buffer."
            decoded.last_event_id = id.clone();
            // "If the data buffer is an empty string, set the data buffer and the event type buffer
            // to the empty string and return."
            if !data.is_empty() {
                let data = data.strip_suffix('\n').unwrap_or(&data).to_owned();
                let event = if event_type.is_empty() { "message".to_owned() } else { event_type.clone() };
                decoded.events.push(Event { id: id.clone(), event, data });
            }
            data.clear();
            event_type.clear();
            continue;
        }
        // "Let value be the string after the first colon. If value starts with a space, remove it."
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => event_type = value.to_owned(),
            "data" => {
                data.push_str(value);
                data.push('\n');
                if data.len() > limits.data {
                    decoded.refusal = Some(DecodeError::DataTooLarge);
                    return decoded;
                }
            }
            // "If the field value does not contain U+0000 NULL, then set the last event ID buffer
            // to the field value."
            "id" if !value.contains('\0') => id = value.to_owned(),
            // "If the field value consists of only ASCII digits": an empty value, or one beyond 64
            // bits, is ignored here.
            "retry" if value.chars().all(|digit| digit.is_ascii_digit()) => {
                decoded.retry = value.parse().ok().or(decoded.retry);
            }
            _ => {}
        }
    }
}

/// Encodes events made from the input's bytes, checks that they decode to themselves, and returns
/// the stream.
///
/// Each event begins with a byte for its kind and one for the length of its text, which includes
/// its name.
fn encode_events(input: &Input<'_>) -> Vec<u8> {
    let mut blocks: Vec<Vec<u8>> = Vec::new();
    let mut expected =
        Decoded { events: vec![], last_event_id: "before".to_owned(), retry: None, refusal: None };
    let mut rest = input.bytes;
    while let [kind, length, after @ ..] = rest {
        let (text, after) = after.split_at(after.len().min(usize::from(*length)));
        rest = after;
        let text = String::from_utf8_lossy(text);
        let id = format!("Epoch-{}", blocks.len());
        let mut block = Vec::new();
        match kind % 8 {
            0 => block.extend_from_slice(sse::HEARTBEAT),
            1 => {
                sse::write_retry(u32::from(*kind) << 20, &mut block);
                expected.retry = Some(u64::from(*kind) << 20);
            }
            2 => {
                sse::write_first_block(u32::from(*length), &id, None, &mut block);
                expected.retry = Some(u64::from(*length));
                expected.last_event_id = id;
            }
            3 => {
                let gap = r#"{"since":"a-1","oldest":null}"#;
                sse::write_first_block(u32::from(*length), &id, Some(gap), &mut block);
                expected.retry = Some(u64::from(*length));
                expected.last_event_id.clone_from(&id);
                expected.events.push(Event { id, event: "gap".to_owned(), data: gap.to_owned() });
            }
            _ => {
                // The hub accepts names of 1 to 128 bytes without control characters, and data
                // without carriage returns.
                let name: String =
                    text.chars().filter(|char| !char.is_control()).take(usize::from(kind / 8)).collect();
                let name = if name.is_empty() { "message".to_owned() } else { name };
                let data = text.replace('\r', "\n");
                sse::write_event(&id, &name, &data, &mut block);
                expected.last_event_id.clone_from(&id);
                expected.events.push(Event { id, event: name, data });
            }
        }
        blocks.push(block);
    }
    let stream = blocks.concat();
    let decoded = decode(&[&stream], GENEROUS);
    assert_eq!(decoded, expected);

    // In chunks, as the stream is sent over HTTP/1.1.
    let mut chunks = Vec::new();
    for block in &blocks {
        http::chunk(&mut chunks, |out| out.extend_from_slice(block));
    }
    chunks.extend_from_slice(http::LAST_CHUNK);
    let limits = BodyLimits { content: 1 << 20, ..BodyLimits::default() };
    let mut body = BodyReader::new(Framing::Chunked, limits).expect("chunks declare no length");
    let (mut content, mut is_done) = (Vec::new(), false);
    for part in split(&chunks, &input.lengths) {
        let (taken, done) = body.read(part, &mut content).expect("chunks that were just encoded");
        assert_eq!(taken, part.len());
        is_done = done;
    }
    assert!(is_done);
    assert_eq!(content, stream);
    stream
}
