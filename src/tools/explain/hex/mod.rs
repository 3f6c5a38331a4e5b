//! Bytes in hexadecimal digits: as pairs of digits, as arrays of C, or as the dump of another
//! program.

mod dump;
mod packet;
#[cfg(test)]
mod tests;

/// The forms that are decoded, for error messages.
const FORMS: &str = "known forms are two hexadecimal digits for each byte, with spaces, colons, commas, \
                     hyphens, 0x or \\x between bytes; arrays of C; and the dumps of xxd, od -t x1, \
                     hexdump -C, tcpdump -x and Wireshark";

/// The minimum number of separate pairs that are recognized without being announced.
const MIN_PAIRS: usize = 4;

/// Decodes text in a form that is recognized. The error is a message for the user.
pub fn decode(text: &[u8]) -> Result<Vec<u8>, String> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let Ok(text) = str::from_utf8(text) else {
        return Err(format!("the input is not hexadecimal digits; {FORMS}"));
    };
    let decoded = if dump::is_octal_words(text) {
        Err(dump::WORDS.to_owned())
    } else if dump::is_dump(text) {
        dump::decode(text)
    } else if text.contains('{') {
        arrays(text)
    } else {
        pairs(text)
    };
    decoded.map_err(|error| format!("{error}; {FORMS}"))
}

/// Returns true if text, of which this is the start, is a dump or at least four pairs of digits,
/// although nothing announces that. The dump may be one that is refused.
pub fn is_evident(start: &[u8], is_complete: bool) -> bool {
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
    let end = if is_complete { None } else { start.iter().rposition(|byte| *byte == b'\n') };
    let Ok(text) = str::from_utf8(&start[..end.unwrap_or(start.len())]) else { return false };
    let mut words = text.split_ascii_whitespace();
    let is_pair = |word: &str| word.len() == 2 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_pairs = words.clone().count() >= MIN_PAIRS && words.all(is_pair);
    is_pairs
        || dump::is_octal_words(text)
        || (dump::begins_dump(text) && (dump::is_of_words(text) || dump::decode(text).is_ok()))
}

/// Decodes two digits for each byte, with separators between bytes.
fn pairs(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    loop {
        rest = match rest {
            [] => return Ok(bytes),
            [b' ' | b'\t' | b'\r' | b'\n' | b':' | b',' | b'-' | b'"', after @ ..]
            | [b'0', b'x' | b'X', after @ ..]
            | [b'\\', b'x', after @ ..] => after,
            // The end of a line in a string literal.
            [b'\\', b'\r' | b'\n', after @ ..] => after,
            [b'\\'] => return Ok(bytes),
            [high, low, after @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                bytes.extend(pair(*high, *low));
                after
            }
            _ => {
                let line = text.len() - rest.len();
                let line = text.as_bytes()[..line].iter().filter(|byte| **byte == b'\n').count() + 1;
                return Err(format!("line {line}: these are not hexadecimal digits"));
            }
        };
    }
}

fn pair(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? << 4 | digit(low)?).ok()
}

/// Decodes the elements between the braces of arrays of C.
fn arrays(text: &str) -> Result<Vec<u8>, String> {
    // Wireshark names the arrays of a connection after the two peers.
    if text.contains("peer0_") && text.contains("peer1_") {
        return Err("the arrays contain both directions: pass one of them".into());
    }
    let code: String = text.lines().map(|line| without_comment(line) + "\n").collect();
    let mut elements = String::new();
    let mut rest = &*code;
    while let Some((_, after)) = rest.split_once('{') {
        let (inside, after) = after.split_once('}').ok_or("an array has no end")?;
        elements.push_str(inside);
        elements.push('\n');
        rest = after;
    }
    let mut words = elements.split([',', ' ', '\t', '\r', '\n']).filter(|word| !word.is_empty());
    match words.find(|word| !word.starts_with("0x") && !word.starts_with("0X")) {
        Some(word) => Err(format!("{word:?} in an array does not begin with 0x")),
        None => pairs(&elements),
    }
}

/// Returns a line of C without its comment. The comment may contain any characters, because
/// Wireshark writes the bytes as text into it.
fn without_comment(line: &str) -> String {
    match (line.find("/*"), line.rfind("*/")) {
        (Some(start), Some(end)) if start < end => [&line[..start], &line[end + 2..]].concat(),
        (Some(start), _) => line[..start].to_owned(),
        _ => line.split("//").next().unwrap_or_default().to_owned(),
    }
}
