//! Reading JSON (RFC 8259) as it comes: no tree is made, and what nobody asks for is skipped.

use std::borrow::Cow;
use std::fmt;

/// How deep objects and arrays may stand in each other (RFC 8259 §9 lets a reader set a limit).
pub const MAX_DEPTH: usize = 64;

/// Reads one text from its start to its end: each call takes the next value.
///
/// ```
/// use barewire::protocol::json::{JsonError, Reader};
///
/// let mut reader = Reader::new(br#"{"next": "a-1", "more": [1, 2]}"#)?;
/// let mut next = String::new();
/// reader.object(|name, reader| match name {
///     "next" => reader.string(&mut next),
///     _ => reader.skip(),
/// })?;
/// reader.end()?;
/// assert_eq!(next, "a-1");
/// # Ok::<(), JsonError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

/// Why a text is no JSON, or not the JSON that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonError {
    /// It is not UTF-8 (RFC 8259 §8.1).
    Utf8,
    /// It ends inside a value (§2).
    Ended,
    /// The byte at this offset may not stand there (§2 to §7), or begins another kind of value than the one asked for.
    Unexpected(usize),
    /// The escape at this offset is half a character (§8.2).
    Surrogate(usize),
    /// More than [`MAX_DEPTH`] objects and arrays in each other (§9).
    TooDeep,
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Utf8 => f.write_str("JSON is UTF-8 (RFC 8259 §8.1)"),
            Self::Ended => f.write_str("the JSON text ends inside a value (RFC 8259 §2)"),
            Self::Unexpected(at) => {
                write!(f, "the JSON text is not as it should be at byte {at} (RFC 8259 §2)")
            }
            Self::Surrogate(at) => write!(f, "the escape at byte {at} is half a character (RFC 8259 §8.2)"),
            Self::TooDeep => {
                write!(f, "more than {MAX_DEPTH} objects and arrays in each other (RFC 8259 §9)")
            }
        }
    }
}

impl std::error::Error for JsonError {}

impl<'a> Reader<'a> {
    /// At the start of `text`.
    ///
    /// # Errors
    /// [`JsonError::Utf8`].
    pub fn new(text: &'a [u8]) -> Result<Self, JsonError> {
        Ok(Self { text: str::from_utf8(text).map_err(|_| JsonError::Utf8)?, at: 0, depth: 0 })
    }

    /// Takes an object: `member` is called with each name in turn, and has to take its value.
    ///
    /// # Errors
    /// [`JsonError`], also if the next value is no object, and those of `member`.
    pub fn object<E: From<JsonError>>(
        &mut self,
        mut member: impl FnMut(&str, &mut Self) -> Result<(), E>,
    ) -> Result<(), E> {
        self.list(b'{', b'}', |reader| {
            reader.is_next(b'"')?;
            let name = reader.quoted()?.decode()?;
            reader.take(b':')?;
            member(&name, reader)
        })
    }

    /// Takes an array: `item` is called for each of its values in turn, and has to take it.
    ///
    /// # Errors
    /// [`JsonError`], also if the next value is no array, and those of `item`.
    pub fn array<E: From<JsonError>>(
        &mut self,
        item: impl FnMut(&mut Self) -> Result<(), E>,
    ) -> Result<(), E> {
        self.list(b'[', b']', item)
    }

    /// Takes a string, and makes it the content of `out`.
    ///
    /// # Errors
    /// [`JsonError`], also if the next value is no string.
    pub fn string(&mut self, out: &mut String) -> Result<(), JsonError> {
        self.is_next(b'"')?;
        out.clear();
        self.quoted()?.decode_to(out)
    }

    /// Takes `true` or `false`.
    ///
    /// # Errors
    /// [`JsonError`], also if the next value is neither.
    pub fn boolean(&mut self) -> Result<bool, JsonError> {
        match self.peek()? {
            b't' => self.literal("true").map(|()| true),
            _ => self.literal("false").map(|()| false),
        }
    }

    /// Takes `null` if it is the next value, and says whether it is.
    ///
    /// # Errors
    /// [`JsonError`] if nothing is left, or what begins as `null` goes on otherwise.
    pub fn null(&mut self) -> Result<bool, JsonError> {
        let is_null = self.peek()? == b'n';
        if is_null {
            self.literal("null")?;
        }
        Ok(is_null)
    }

    /// Takes the next value, whatever it is.
    ///
    /// # Errors
    /// [`JsonError`] if it is none.
    pub fn skip(&mut self) -> Result<(), JsonError> {
        match self.peek()? {
            b'{' => self.object(|_, reader| reader.skip()),
            b'[' => self.array(Self::skip),
            b'"' => self.quoted()?.check(),
            b't' => self.literal("true"),
            b'f' => self.literal("false"),
            b'n' => self.literal("null"),
            _ => self.number(),
        }
    }

    /// Takes the next value, whatever it is: its text, as it stands.
    ///
    /// # Errors
    /// [`JsonError`] if it is none.
    pub fn raw(&mut self) -> Result<&'a str, JsonError> {
        self.peek()?;
        let start = self.at;
        self.skip()?;
        Ok(&self.text[start..self.at])
    }

    /// Behind the last value nothing but whitespace stands.
    ///
    /// # Errors
    /// [`JsonError::Unexpected`] where it does.
    pub fn end(&mut self) -> Result<(), JsonError> {
        match self.peek() {
            Err(_) => Ok(()),
            Ok(_) => Err(JsonError::Unexpected(self.at)),
        }
    }

    /// The next byte that is no whitespace (§2); it is not taken.
    fn peek(&mut self) -> Result<u8, JsonError> {
        let rest = &self.text.as_bytes()[self.at..];
        let blank = rest.iter().position(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
        self.at += blank.unwrap_or(rest.len());
        self.text.as_bytes().get(self.at).copied().ok_or(JsonError::Ended)
    }

    fn is_next(&mut self, byte: u8) -> Result<(), JsonError> {
        if self.peek()? == byte { Ok(()) } else { Err(JsonError::Unexpected(self.at)) }
    }

    fn take(&mut self, byte: u8) -> Result<(), JsonError> {
        self.is_next(byte)?;
        self.at += 1;
        Ok(())
    }

    fn list<E: From<JsonError>>(
        &mut self,
        open: u8,
        close: u8,
        mut item: impl FnMut(&mut Self) -> Result<(), E>,
    ) -> Result<(), E> {
        self.take(open)?;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(JsonError::TooDeep.into());
        }
        if self.peek()? != close {
            item(self)?;
            while self.peek()? == b',' {
                self.at += 1;
                item(self)?;
            }
        }
        self.depth -= 1;
        Ok(self.take(close)?)
    }

    fn literal(&mut self, word: &str) -> Result<(), JsonError> {
        let rest = &self.text[self.at..];
        if rest.starts_with(word) {
            self.at += word.len();
            return Ok(());
        }
        if word.starts_with(rest) { Err(JsonError::Ended) } else { Err(JsonError::Unexpected(self.at)) }
    }

    /// Takes a number (§6); what it is worth is for nobody here.
    fn number(&mut self) -> Result<(), JsonError> {
        let bytes = self.text.as_bytes();
        let mut at = self.at + usize::from(bytes[self.at] == b'-');
        let digits = |at: usize| -> Result<usize, JsonError> {
            let count = bytes[at.min(bytes.len())..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            match (count, bytes.get(at)) {
                (0, None) => Err(JsonError::Ended),
                (0, Some(_)) => Err(JsonError::Unexpected(at)),
                (count, _) => Ok(at + count),
            }
        };
        at = if bytes.get(at) == Some(&b'0') { at + 1 } else { digits(at)? };
        if bytes.get(at) == Some(&b'.') {
            at = digits(at + 1)?;
        }
        if matches!(bytes.get(at), Some(b'e' | b'E')) {
            at += 1;
            at += usize::from(matches!(bytes.get(at), Some(b'+' | b'-')));
            at = digits(at)?;
        }
        self.at = at;
        Ok(())
    }

    /// Takes a string, of which the quotation mark is next, as it stands.
    fn quoted(&mut self) -> Result<Quoted<'a>, JsonError> {
        let start = self.at + 1;
        let bytes = self.text.as_bytes();
        let mut at = start;
        let mut has_escapes = false;
        loop {
            match bytes.get(at) {
                None => return Err(JsonError::Ended),
                Some(b'"') => break,
                Some(b'\\') => {
                    has_escapes = true;
                    at += 2; // what is escaped may be a quotation mark
                }
                Some(..b' ') => return Err(JsonError::Unexpected(at)),
                Some(_) => at += 1,
            }
        }
        self.at = at + 1;
        // Both ends are quotation marks, so neither is inside a character.
        Ok(Quoted { raw: &self.text[start..at], start, has_escapes })
    }
}

/// A string between its quotation marks (§7), its escapes not yet read.
struct Quoted<'a> {
    raw: &'a str,
    /// Where in the text it begins.
    start: usize,
    has_escapes: bool,
}

impl<'a> Quoted<'a> {
    fn decode(self) -> Result<Cow<'a, str>, JsonError> {
        if !self.has_escapes {
            return Ok(Cow::Borrowed(self.raw));
        }
        let mut out = String::new();
        self.decode_to(&mut out)?;
        Ok(Cow::Owned(out))
    }

    fn decode_to(&self, out: &mut String) -> Result<(), JsonError> {
        self.unescape(|piece| out.push_str(piece))
    }

    fn check(&self) -> Result<(), JsonError> {
        self.unescape(|_| {})
    }

    /// Hands out the pieces between escapes, and what the escapes stand for.
    fn unescape(&self, mut piece: impl FnMut(&str)) -> Result<(), JsonError> {
        if !self.has_escapes {
            piece(self.raw);
            return Ok(());
        }
        let mut rest = self.raw;
        while let Some(escape) = rest.find('\\') {
            piece(&rest[..escape]);
            let at = self.start + self.raw.len() - rest.len() + escape;
            let behind = &rest[escape + 1..];
            let kind = behind.bytes().next().ok_or(JsonError::Ended)?;
            let (character, length) = match kind {
                b'"' | b'\\' | b'/' => (char::from(kind), 1),
                b'b' => ('\u{8}', 1),
                b'f' => ('\u{c}', 1),
                b'n' => ('\n', 1),
                b'r' => ('\r', 1),
                b't' => ('\t', 1),
                b'u' => unicode(&behind[1..], at)?,
                _ => return Err(JsonError::Unexpected(at + 1)),
            };
            piece(character.encode_utf8(&mut [0; 4]));
            rest = &behind[length..];
        }
        piece(rest);
        Ok(())
    }
}

/// Reads what stands behind `\u`, and perhaps a second escape with the other half of the character (§7): the character, and
/// how many bytes stand behind the first reverse solidus.
fn unicode(behind: &str, at: usize) -> Result<(char, usize), JsonError> {
    let four = |text: &str| -> Option<u32> {
        let digits = text.get(..4).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
        u32::from_str_radix(digits, 16).ok()
    };
    let first = four(behind).ok_or(JsonError::Unexpected(at))?;
    if let Some(character) = char::from_u32(first) {
        return Ok((character, 5));
    }
    let second = behind.get(4..).and_then(|behind| behind.strip_prefix("\\u")).and_then(four);
    match (first, second) {
        (0xD800..=0xDBFF, Some(second @ 0xDC00..=0xDFFF)) => {
            let code = 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00);
            char::from_u32(code).map(|character| (character, 11)).ok_or(JsonError::Surrogate(at))
        }
        _ => Err(JsonError::Surrogate(at)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(text: &str) -> Result<(), JsonError> {
        let mut reader = Reader::new(text.as_bytes())?;
        reader.skip()?;
        reader.end()
    }

    #[test]
    fn each_mistake_is_told_where_it_is() {
        use JsonError::*;
        for (text, error) in [
            ("", Ended),
            ("tru", Ended),
            ("trup", Unexpected(0)),
            ("[1,]", Unexpected(3)),
            ("[1 2]", Unexpected(3)),
            ("{\"a\" 1}", Unexpected(5)),
            ("{1:2}", Unexpected(1)),
            ("01", Unexpected(1)),
            ("1.", Ended),
            ("1.e", Unexpected(2)),
            ("+1", Unexpected(0)),
            ("\"a", Ended),
            ("\"a\\", Ended),
            ("\"\n\"", Unexpected(1)),
            ("\"\\x\"", Unexpected(2)),
            ("\"\\u12g4\"", Unexpected(1)),
            ("\"\\ud800\"", Surrogate(1)),
            ("\"\\udc00\\ud800\"", Surrogate(1)),
            ("1 1", Unexpected(2)),
        ] {
            assert_eq!(whole(text), Err(error), "{text}");
        }
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert_eq!(whole(&nested(MAX_DEPTH)), Ok(()));
        assert_eq!(whole(&nested(MAX_DEPTH + 1)), Err(TooDeep));
        assert_eq!(whole(&"[".repeat(1 << 20)), Err(TooDeep));
        assert_eq!(Reader::new(b"\"\xff\"").err(), Some(Utf8));
    }

    #[test]
    fn strings_are_what_their_escapes_stand_for() {
        let mut out = "before".to_owned();
        let text = r#" "a\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00 é" "#;
        Reader::new(text.as_bytes()).unwrap().string(&mut out).unwrap();
        assert_eq!(out, "a\"\\/\u{8}\u{c}\n\r\té😀 é");
        assert!(Reader::new(b"1").unwrap().string(&mut out).is_err());
    }
}
