//! Hexadecimal dumps: lines with an offset, the digits, and perhaps the same bytes as text.
//!
//! The offsets and the text are checked against the digits. So a dump with another order of bytes,
//! or of which a part is missing, is rejected instead of read as other bytes.

use super::packet::segment;
use crate::tools::explain::args::MAX_INPUT_BYTES;

/// The maximum number of bytes in a row with text. No program writes longer rows, and comparing the
/// text would take too long.
const MAX_ROW_BYTES: usize = 1024;

pub const WORDS: &str = "the dump does not show single bytes, and the order of the bytes in its words depends \
                     on the machine: use od -t x1 or hexdump -C";

/// A line of a dump.
struct Row<'t> {
    /// The number of the line; the first is 1.
    number: usize,
    offset: &'t str,
    has_colon: bool,
    /// No bytes if the line has only an offset, as the last line of some programs.
    bytes: Vec<u8>,
    /// Whether the text of the row also shows each group read backwards. `None` if that makes no
    /// difference.
    shows_backwards: Option<bool>,
    /// True after a line `*`, which stands for repetitions of the row before it.
    follows_star: bool,
}

impl Row<'_> {
    /// Returns true for a row of tcpdump or Wireshark, which write offsets of 4 digits.
    fn is_of_packet(&self) -> bool {
        self.offset.len() == 4
    }
}

/// The parts of a line.
struct Parts<'t> {
    offset: &'t str,
    has_colon: bool,
    rest: &'t str,
}

impl<'t> Parts<'t> {
    /// Splits a line that begins with an offset of at least four digits.
    fn of(line: &'t str) -> Option<Self> {
        let text = line.trim_start();
        let text = text.strip_prefix("0x").unwrap_or(text);
        let length = text.bytes().take_while(u8::is_ascii_hexdigit).count();
        let (offset, rest) = text.split_at(length);
        let (has_colon, rest) = rest.strip_prefix(':').map_or((false, rest), |rest| (true, rest));
        let is_separate = rest.is_empty() || rest.starts_with(char::is_whitespace);
        ((4..=16).contains(&length) && is_separate).then_some(Self { offset, has_colon, rest })
    }
}

/// Returns true if the first line has an offset, and perhaps bytes after it.
pub fn begins_dump(text: &str) -> bool {
    text.lines().find(|line| !line.trim().is_empty()).and_then(Parts::of).is_some() && is_dump(text)
}

/// Returns true if the first line that is not prose has an offset. A first group that is as wide as
/// the others is data.
pub fn is_dump(text: &str) -> bool {
    let mut lines = text.lines().filter(|line| !line.trim().is_empty()).skip_while(|line| is_prose(line));
    lines.next().and_then(Parts::of).is_some_and(|Parts { offset, has_colon, rest }| {
        let group = rest.split_whitespace().next().unwrap_or_default();
        let is_hex = !group.is_empty() && group.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_zero = offset.bytes().all(|digit| digit == b'0');
        has_colon || (is_hex && (group.len() == 2 || (is_zero && group.len() != offset.len())))
    })
}

/// Returns true for a dump that begins with words of the machine after an offset of 0, as od and
/// hexdump write them by default.
pub fn is_of_words(text: &str) -> bool {
    text.lines().find_map(Parts::of).is_some_and(|Parts { offset, has_colon, rest }| {
        let group = rest.split_whitespace().next().unwrap_or_default();
        let is_word = group.len() > 2 && group.bytes().all(|byte| byte.is_ascii_hexdigit());
        !has_colon && is_word && offset.len() > 4 && offset.bytes().all(|digit| digit == b'0')
    })
}

/// Returns true for the words of two bytes that `od -Ax` writes by default: octal, and as long as
/// its offsets. The last line is the length alone.
pub fn is_octal_words(text: &str) -> bool {
    let offset = |group: Option<&str>| {
        let group = group.filter(|group| group.len() == 6);
        group.and_then(|group| usize::from_str_radix(group, 16).ok())
    };
    let is_octal = |group: &str| group.len() == 6 && group.bytes().all(|digit| matches!(digit, b'0'..=b'7'));
    let lines: Vec<&str> = text.lines().collect();
    let Some((last, rows)) = lines.split_last() else { return false };
    let are_rows = rows.iter().enumerate().all(|(number, row)| {
        let mut groups = row.split_whitespace();
        offset(groups.next()) == Some(16 * number) && groups.clone().next().is_some() && groups.all(is_octal)
    });
    let length = offset(Some(last.trim())).unwrap_or_default();
    are_rows && !rows.is_empty() && length.div_ceil(16) == rows.len()
}

/// Returns true for a line about a packet, which tcpdump and tshark write before its rows. It
/// begins with words that are not digits.
fn is_prose(line: &str) -> bool {
    let is_row = Parts::of(line).is_some();
    let is_data = |byte: u8| byte.is_ascii_hexdigit() || b" \t\r:,-\"\\xX*{}".contains(&byte);
    !is_row && !line.bytes().all(is_data)
}

/// Decodes a dump. The error is a message for the user.
pub fn decode(text: &str) -> Result<Vec<u8>, String> {
    let rows = rows(text)?;
    let Some(first) = rows.first() else { return Ok(Vec::new()) };
    if let ([row], true) = (&rows[..], first.offset.bytes().any(|digit| digit != b'0')) {
        return Err(format!("line {}: {:?} may be an offset or bytes", row.number, row.offset));
    }
    if first.is_of_packet() {
        return packets(&rows);
    }
    let mut backwards = rows.iter().filter_map(|row| row.shows_backwards).peekable();
    if backwards.peek().is_some() && backwards.all(|fits| fits) {
        return Err("the order of the bytes in the groups is not certain: use xxd -g 1".into());
    }
    // od writes octal and decimal offsets with 7 digits, xxd decimal ones with 8 and a colon.
    let radixes: &[u32] = match (first.offset.len(), first.has_colon) {
        (7, false) => &[8, 10],
        (8, true) => &[16, 10],
        _ => &[16],
    };
    let mut outcomes = radixes.iter().map(|radix| assemble(&rows, *radix));
    let first = outcomes.next().unwrap_or_else(|| Ok(Vec::new()));
    match (first, outcomes.next()) {
        (Ok(one), Some(Ok(other))) if one != other => {
            Err("the base of the offsets is not certain: use od -A x or xxd without -d".into())
        }
        (Err(_), Some(Ok(bytes))) => Ok(bytes),
        (first, _) => first,
    }
}

/// Joins packets, each with offsets from 0 on. If they are packets of TCP, the result is their
/// data.
fn packets(rows: &[Row]) -> Result<Vec<u8>, String> {
    let is_start = |row: &Row| row.offset.bytes().all(|digit| digit == b'0');
    let packets = rows.chunk_by(|_, next| !is_start(next)).map(|rows| assemble(rows, 16));
    let packets = packets.collect::<Result<Vec<_>, _>>()?;
    let segments: Option<Vec<_>> = packets.iter().map(|packet| segment(packet)).collect();
    match (segments, &packets[..]) {
        (Some(segments), _) => {
            let mut with_data = segments.iter().filter(|segment| !segment.payload.is_empty()).peekable();
            let first = with_data.peek().map(|segment| segment.endpoints);
            if !with_data.clone().all(|segment| Some(segment.endpoints) == first) {
                return Err("the packets have several senders: select one, as with `src port 8080`".into());
            }
            Ok(with_data.flat_map(|segment| segment.payload).copied().collect())
        }
        (None, [packet]) => Ok(packet.clone()),
        (None, _) => Err("the dump has several packets, and not all are of TCP: pass one of them".into()),
    }
}

/// Splits the lines of a dump.
fn rows(text: &str) -> Result<Vec<Row<'_>>, String> {
    let mut rows: Vec<Row> = Vec::new();
    let mut follows_star = false;
    for (line, number) in text.lines().zip(1..) {
        match line.trim() {
            "" => continue,
            "*" if !rows.is_empty() => {
                follows_star = true;
                continue;
            }
            _ => {}
        }
        let Some(parts) = Parts::of(line) else {
            if is_prose(line) && rows.first().is_none_or(Row::is_of_packet) {
                continue;
            }
            return Err(format!("line {number} has no offset"));
        };
        let (bytes, shows_backwards) = match parts.rest.trim() {
            "" => (Vec::new(), None),
            digits => row(digits, parts.has_colon).map_err(|error| format!("line {number}: {error}"))?,
        };
        rows.push(Row {
            number,
            offset: parts.offset,
            has_colon: parts.has_colon,
            bytes,
            shows_backwards,
            follows_star,
        });
        follows_star = false;
    }
    if follows_star {
        return Err("the last line is *, so the number of repetitions is not known".into());
    }
    Ok(rows)
}

/// Decodes the groups of digits of a row. Returns the bytes, and whether their text also shows them
/// if each group of four or eight bytes is read backwards.
fn row(text: &str, has_colon: bool) -> Result<(Vec<u8>, Option<bool>), String> {
    let (mut bytes, mut gaps, mut width) = (Vec::new(), Vec::new(), 0);
    let mut rest = text;
    loop {
        let group = rest.split(char::is_whitespace).next().unwrap_or_default();
        let is_narrower = width > 0 && group.len() < width;
        let is_group = !group.is_empty() && group.len() % 2 == 0 && (width == 0 || group.len() <= width);
        if !is_group || !group.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            break;
        }
        if width == 0 {
            width = group.len();
        }
        bytes.extend(group.as_bytes().chunks_exact(2).filter_map(|pair| super::pair(pair[0], pair[1])));
        let column = rest[group.len()..].trim_start();
        let gap = rest.len() - group.len() - column.len();
        if !column.is_empty() && gap >= 2 && shows(column, &bytes) {
            let groups = bytes.chunks(width / 2);
            let backwards: Vec<u8> = groups.flat_map(|group| group.iter().rev()).copied().collect();
            let differs = matches!(width, 8 | 16) && backwards != bytes;
            let shows_backwards = differs.then(|| shows(column, &backwards));
            return words_are_ordered(width, has_colon).map(|()| (bytes, shows_backwards));
        }
        if column.is_empty() {
            // Wide gaps are between all bytes (od of BSD) or in the middle of 16. The digits after
            // any other one are text.
            let is_uniform = !has_colon && gaps.windows(2).all(|two: &[(usize, usize)]| two[0].1 == two[1].1);
            let is_halved = gaps.iter().all(|(before, gap)| *gap == 1 || (*before, *gap) == (8, 2));
            if !is_uniform && !is_halved {
                break;
            }
            return words_are_ordered(width, has_colon).map(|()| (bytes, None));
        }
        if is_narrower {
            break;
        }
        gaps.push((bytes.len(), gap));
        rest = column;
    }
    words_are_ordered(width, has_colon)?;
    Err("the digits and the text after them do not fit each other".into())
}

/// Fails for groups that are not single bytes in a dump without colons after the offsets, which is
/// the form of od and hexdump. They show words of the machine.
fn words_are_ordered(width: usize, has_colon: bool) -> Result<(), String> {
    if has_colon || width == 2 { Ok(()) } else { Err(WORDS.into()) }
}

/// Returns true if `column` shows these bytes as text, perhaps between delimiters. Spaces at its
/// ends may be missing.
fn shows(column: &str, bytes: &[u8]) -> bool {
    if bytes.len() > MAX_ROW_BYTES {
        return false;
    }
    let within = |open, close| column.strip_prefix(open).and_then(|rest: &str| rest.strip_suffix(close));
    let columns = [Some(column), within('|', '|'), within('>', '<')];
    let plain: Vec<u8> = bytes.to_vec();
    // Wireshark separates the halves of a row with a space.
    let mut halved = plain.clone();
    if halved.len() > 8 {
        halved.insert(8, b' ');
    }
    columns.into_iter().flatten().any(|column| {
        let characters: Vec<char> = column.chars().collect();
        fits(&characters, &plain) || fits(&characters, &halved)
    })
}

fn fits(characters: &[char], bytes: &[u8]) -> bool {
    let is_blank = |bytes: &[u8]| bytes.iter().all(|byte| *byte == b' ');
    let Some(missing) = bytes.len().checked_sub(characters.len()) else { return false };
    (0..=missing).any(|before| {
        let (leading, rest) = bytes.split_at(before);
        let (shown, trailing) = rest.split_at(characters.len());
        is_blank(leading)
            && is_blank(trailing)
            && characters.iter().zip(shown).all(|(character, byte)| is_shown_as(*character, *byte))
    })
}

fn is_shown_as(character: char, byte: u8) -> bool {
    let is_visible = byte.is_ascii_graphic();
    (char::from(byte) == character && (is_visible || byte == b' '))
        || (!is_visible && matches!(character, '.' | '·' | ' '))
}

/// Joins rows with offsets in this base.
fn assemble(rows: &[Row], radix: u32) -> Result<Vec<u8>, String> {
    let mut bytes: Vec<u8> = Vec::new();
    let (mut base, mut row_length) = (None, 0);
    for row in rows {
        let wrong = |what: &str| Err(format!("line {}: {what}", row.number));
        let Ok(offset) = u64::from_str_radix(row.offset, radix) else {
            return wrong("the offset has digits of another base");
        };
        let base = *base.get_or_insert(offset);
        let Some(missing) =
            offset.checked_sub(base).and_then(|offset| offset.checked_sub(bytes.len() as u64))
        else {
            return wrong("the offsets restart, so the dump has several parts: pass one of them");
        };
        if missing > 0 {
            let is_repetition = row.follows_star && row_length > 0 && missing % row_length as u64 == 0;
            if !is_repetition || offset - base > MAX_INPUT_BYTES {
                return wrong("the offset does not follow from the bytes before it");
            }
            let repeated = bytes[bytes.len() - row_length..].to_vec();
            (0..missing / row_length as u64).for_each(|_| bytes.extend_from_slice(&repeated));
        }
        bytes.extend_from_slice(&row.bytes);
        row_length = row.bytes.len();
    }
    Ok(bytes)
}
