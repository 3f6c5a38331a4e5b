//! The input of `explain`: raw bytes, hexadecimal digits or a recording.

use std::fs::File;
use std::io::{self, Read};

use super::args::Args;
use crate::wire::record::is_recording;
use crate::wire::{Compression, Side, Start};

/// The maximum size of the input in bytes, because it is kept in memory.
const MAX_INPUT_BYTES: u64 = 256 * 1024 * 1024;

/// Reads the bytes to explain. The error is a message for the user.
pub fn read(args: &Args) -> Result<Vec<u8>, String> {
    if args.hex
        && !args.words.is_empty()
        && let Some(bytes) =
            args.words.iter().map(|word| decode_hex(word.as_encoded_bytes())).collect::<Option<Vec<_>>>()
    {
        return Ok(bytes.concat());
    }
    let (name, bytes) = match &args.words[..] {
        [] => ("standard input".to_owned(), read_all(io::stdin())),
        [name] if name == "-" => ("standard input".to_owned(), read_all(io::stdin())),
        [name] => (name.to_string_lossy().into_owned(), File::open(name).and_then(read_all)),
        _ => return Err("--hex: the arguments are not hexadecimal digits".into()),
    };
    let bytes = bytes.map_err(|error| format!("{name}: {error}"))?;
    if args.hex && !is_recording(&bytes) {
        return decode_hex(&bytes).ok_or_else(|| format!("{name}: the input is not hexadecimal digits"));
    }
    Ok(bytes)
}

fn read_all(source: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(MAX_INPUT_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_INPUT_BYTES {
        return Err(io::Error::other("the input is longer than 256 MiB"));
    }
    Ok(bytes)
}

/// Decodes hexadecimal digits, two for each byte. Whitespace, colons, commas and `0x` are allowed
/// between bytes.
fn decode_hex(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = text;
    loop {
        rest = match rest {
            [] => return Some(bytes),
            [b' ' | b'\t' | b'\r' | b'\n' | b':' | b',', after @ ..] | [b'0', b'x' | b'X', after @ ..] => {
                after
            }
            [high, low, after @ ..] => {
                let digit = |byte: u8| char::from(byte).to_digit(16);
                bytes.push(u8::try_from(digit(*high)? << 4 | digit(*low)?).ok()?);
                after
            }
            [_] => return None,
        };
    }
}

/// Guesses from the first bytes which side sent them, and in which protocol.
pub fn guess(bytes: &[u8]) -> (Side, Start) {
    let line = bytes.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
    if line.starts_with(b"HTTP/") {
        return (Side::Server, Start::Http);
    }
    let is_text = line.iter().all(|byte| !byte.is_ascii_control());
    if is_text && line.windows(6).any(|window| window == b" HTTP/") {
        return (Side::Client, Start::Http);
    }
    let name = line.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let is_field = matches!(&line[..name], b"" | b"data" | b"event" | b"id" | b"retry")
        && matches!(line.get(name), Some(b':'));
    if is_text && is_field || line.starts_with(b"\xef\xbb\xbf") {
        return (Side::Server, Start::EventStream);
    }
    let is_masked = bytes.get(1).is_some_and(|second| second & 0x80 != 0);
    let side = if is_masked { Side::Client } else { Side::Server };
    (side, Start::WebSocket(Compression::NotSeen))
}
