//! Text that a peer sent, made safe for a terminal (CWE-150).
//!
//! A terminal acts on some characters instead of showing them: a peer could clear the screen,
//! change the title or forge a line of output. Everything that shows a peer's text escapes these
//! characters with the functions of this module.

use std::borrow::Cow;

/// Returns whether a terminal acts on `character` instead of showing it.
///
/// These are the controls C0, DEL and C1 (ECMA-48 §5), and the bidirectional controls (UAX #9 §2)
/// and separators of lines and paragraphs, which rearrange the text around them.
pub const fn acts_on_terminal(character: char) -> bool {
    matches!(
        character,
        '\0'..='\x1f' | '\x7f'..='\u{9f}'
            | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    )
}

/// Returns `bytes` as one line of text of at most `max_chars` characters and escapes, with `…` in
/// place of the rest.
///
/// Characters on which a terminal acts, characters for which `is_shown` returns false, and bytes
/// that are not UTF-8 become `\r`, `\n`, `\t` or `\xNN`; a backslash becomes `\\`.
pub fn one_line(bytes: &[u8], max_chars: usize, is_shown: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(bytes.len().min(max_chars));
    let mut left = max_chars;
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            if left == 0 {
                out.push('…');
                return out;
            }
            left -= 1;
            if character == '\\' {
                out.push_str("\\\\");
            } else if is_shown(character) && !acts_on_terminal(character) {
                out.push(character);
            } else {
                push_escape(character, &mut out);
            }
        }
        for byte in chunk.invalid() {
            if left == 0 {
                out.push('…');
                return out;
            }
            left -= 1;
            push_hex_escape(*byte, &mut out);
        }
    }
    out
}

/// Returns a peer's text, an id or a field value as one line of at most 500 characters, to be
/// quoted in a message.
pub fn printable(bytes: &[u8]) -> String {
    one_line(bytes, 500, |_| true)
}

/// Returns `text` with every character on which a terminal acts escaped, except for those in
/// `kept`. All other characters are unchanged, including backslashes.
pub fn escaped<'t>(text: &'t str, kept: &[char]) -> Cow<'t, str> {
    let acts = |character| acts_on_terminal(character) && !kept.contains(&character);
    if !text.contains(acts) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if acts(character) {
            push_escape(character, &mut out);
        } else {
            out.push(character);
        }
    }
    Cow::Owned(out)
}

fn push_escape(character: char, out: &mut String) {
    match character {
        '\r' => out.push_str("\\r"),
        '\n' => out.push_str("\\n"),
        '\t' => out.push_str("\\t"),
        _ => character.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| push_hex_escape(byte, out)),
    }
}

fn push_hex_escape(byte: u8, out: &mut String) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push_str("\\x");
    out.push(char::from(HEX[usize::from(byte >> 4)]));
    out.push(char::from(HEX[usize::from(byte & 15)]));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_every_character_on_which_a_terminal_acts() {
        let controls = (0..0x20).chain(0x7f..0xa0);
        let others = [0x61c, 0x200e, 0x200f].into_iter().chain(0x2028..0x202f).chain(0x2066..0x206a);
        for code in controls.chain(others) {
            let character = char::from_u32(code).expect("a character");
            let text = format!("a{character}b");
            assert!(!printable(text.as_bytes()).contains(character), "U+{code:04X}");
            assert!(!escaped(&text, &[]).contains(character), "U+{code:04X}");
            assert_eq!(escaped(&text, &[character]), text);
        }
        assert_eq!(printable("\x1b[2J\u{9b}m\r\n\t".as_bytes()), "\\x1b[2J\\xc2\\x9bm\\r\\n\\t");
        assert_eq!(escaped("\x1b]0;t\x07\r\n\ta\\", &['\n', '\t']), "\\x1b]0;t\\x07\\r\n\ta\\");
    }

    #[test]
    fn shows_text_in_any_language() {
        let text = "naïve 日本語 नमस्ते e\u{301} 👩\u{200d}🚀 \u{a0}";
        assert_eq!((&*printable(text.as_bytes()), &*escaped(text, &[])), (text, text));
        assert!(matches!(escaped(text, &[]), Cow::Borrowed(_)));
    }

    #[test]
    fn truncates_one_line_and_escapes_what_is_not_utf_8() {
        assert_eq!(one_line(b"a\\b\xff\xc3", 10, |_| true), "a\\\\b\\xff\\xc3");
        assert_eq!(one_line(b"abc", 2, |_| true), "ab…");
        assert_eq!(one_line(b"ab\xff", 2, |_| true), "ab…");
        assert_eq!(one_line(b"abc", 3, |character| character != 'b'), "a\\x62c");
    }
}
