//! Reading JSON (RFC 8259) as a stream of values: the reader builds no tree and skips unused
//! values.

use std::borrow::Cow;

use crate::protocol::rule::rules;

/// The maximum nesting of objects and arrays (RFC 8259 §9 lets a reader set a limit).
const MAX_DEPTH: usize = 64;

rules! {
    /// Why a JSON text is rejected. A number is the offset of a byte in the text.
    pub enum JsonError {
        Utf8: 8259, "8.1", "The JSON text is not UTF-8.";
        UnexpectedEnd: 8259, "2", "The JSON text ends inside a value.";
        Unexpected(usize): 8259, "2", "The JSON text has an unexpected byte at this offset.";
        Surrogate(usize): 8259, "8.2", "The JSON text has half of a surrogate pair at this offset.";
        TooDeep: 8259, "9", "The JSON text has too many nested objects and arrays.";
    }
}

/// A reader of one JSON text. Each call consumes the next value.
///
/// ```
/// use barewire::client::json::{JsonError, Reader};
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
    position: usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    /// Returns a reader at the start of `text`.
    ///
    /// # Errors
    /// Returns [`JsonError::Utf8`].
    pub fn new(text: &'a [u8]) -> Result<Self, JsonError> {
        Ok(Self { text: str::from_utf8(text).map_err(|_| JsonError::Utf8)?, position: 0, depth: 0 })
    }

    /// Consumes an object. `member` is called with each name and must consume the value.
    ///
    /// # Errors
    /// Returns a [`JsonError`], also if the next value is not an object, or an error of `member`.
    pub fn object<E: From<JsonError>>(
        &mut self,
        mut member: impl FnMut(&str, &mut Self) -> Result<(), E>,
    ) -> Result<(), E> {
        self.sequence(b'{', b'}', |reader| {
            let name = reader.quoted()?.decode()?;
            reader.expect(b':')?;
            member(&name, reader)
        })
    }

    /// Consumes an array. `item` is called for each value and must consume it.
    ///
    /// # Errors
    /// Returns a [`JsonError`], also if the next value is not an array, or an error of `item`.
    pub fn array<E: From<JsonError>>(
        &mut self,
        item: impl FnMut(&mut Self) -> Result<(), E>,
    ) -> Result<(), E> {
        self.sequence(b'[', b']', item)
    }

    /// Consumes a string, which replaces the content of `out`.
    ///
    /// # Errors
    /// Returns a [`JsonError`], also if the next value is not a string.
    pub fn string(&mut self, out: &mut String) -> Result<(), JsonError> {
        let quoted = self.quoted()?;
        out.clear();
        quoted.unescape(|text| out.push_str(text))
    }

    /// Consumes `true` or `false`.
    ///
    /// # Errors
    /// Returns a [`JsonError`], also if the next value is not a boolean.
    pub fn boolean(&mut self) -> Result<bool, JsonError> {
        let value = self.peek()? == b't';
        self.literal(if value { "true" } else { "false" })?;
        Ok(value)
    }

    /// Consumes the next value if it is `null`, and returns whether it is.
    ///
    /// # Errors
    /// Returns a [`JsonError`] if the text ends here or inside `null`.
    pub fn null(&mut self) -> Result<bool, JsonError> {
        let is_null = self.peek()? == b'n';
        if is_null {
            self.literal("null")?;
        }
        Ok(is_null)
    }

    /// Consumes the next value of any kind.
    ///
    /// # Errors
    /// Returns a [`JsonError`] if the next value is missing or malformed.
    pub fn skip(&mut self) -> Result<(), JsonError> {
        match self.peek()? {
            b'{' => self.object(|_, reader| reader.skip()),
            b'[' => self.array(Self::skip),
            b'"' => self.quoted()?.unescape(|_| ()),
            b't' => self.literal("true"),
            b'f' => self.literal("false"),
            b'n' => self.literal("null"),
            _ => self.number(),
        }
    }

    /// Consumes the next value of any kind and returns its text.
    ///
    /// # Errors
    /// Returns a [`JsonError`] if the next value is missing or malformed.
    pub fn raw(&mut self) -> Result<&'a str, JsonError> {
        self.peek()?;
        let start = self.position;
        self.skip()?;
        Ok(&self.text[start..self.position])
    }

    /// Checks that only whitespace follows.
    ///
    /// # Errors
    /// Returns [`JsonError::Unexpected`] for the first other byte.
    pub fn end(&mut self) -> Result<(), JsonError> {
        match self.peek() {
            Err(_) => Ok(()),
            Ok(_) => Err(JsonError::Unexpected(self.position)),
        }
    }

    /// Consumes whitespace (§2) and returns the byte after it.
    fn peek(&mut self) -> Result<u8, JsonError> {
        let rest = &self.text.as_bytes()[self.position..];
        let blank = rest.iter().position(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
        self.position += blank.unwrap_or(rest.len());
        self.text.as_bytes().get(self.position).copied().ok_or(JsonError::UnexpectedEnd)
    }

    /// Consumes whitespace and `byte`.
    fn expect(&mut self, byte: u8) -> Result<(), JsonError> {
        if self.peek()? != byte {
            return Err(JsonError::Unexpected(self.position));
        }
        self.position += 1;
        Ok(())
    }

    /// Consumes an object or an array, whose members or values `item` consumes.
    fn sequence<E: From<JsonError>>(
        &mut self,
        open: u8,
        close: u8,
        mut item: impl FnMut(&mut Self) -> Result<(), E>,
    ) -> Result<(), E> {
        self.expect(open)?;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(JsonError::TooDeep.into());
        }
        if self.peek()? != close {
            item(self)?;
            while self.peek()? == b',' {
                self.position += 1;
                item(self)?;
            }
        }
        self.depth -= 1;
        Ok(self.expect(close)?)
    }

    fn literal(&mut self, word: &str) -> Result<(), JsonError> {
        let rest = &self.text[self.position..];
        if rest.starts_with(word) {
            self.position += word.len();
            return Ok(());
        }
        Err(if word.starts_with(rest) {
            JsonError::UnexpectedEnd
        } else {
            JsonError::Unexpected(self.position)
        })
    }

    /// Consumes a number (§6), whose value is not used.
    fn number(&mut self) -> Result<(), JsonError> {
        self.skip_any(b"-");
        if !self.skip_any(b"0") {
            self.digits()?;
        }
        if self.skip_any(b".") {
            self.digits()?;
        }
        if self.skip_any(b"eE") {
            self.skip_any(b"+-");
            self.digits()?;
        }
        Ok(())
    }

    /// Consumes the next byte if it is one of `bytes`, and returns whether it is.
    fn skip_any(&mut self, bytes: &[u8]) -> bool {
        let is_next = self.text.as_bytes().get(self.position).is_some_and(|next| bytes.contains(next));
        self.position += usize::from(is_next);
        is_next
    }

    /// Consumes one or more digits.
    fn digits(&mut self) -> Result<(), JsonError> {
        let rest = &self.text.as_bytes()[self.position..];
        let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.position += count;
        match (count, rest) {
            (0, []) => Err(JsonError::UnexpectedEnd),
            (0, _) => Err(JsonError::Unexpected(self.position)),
            _ => Ok(()),
        }
    }

    /// Consumes a string without decoding its escapes.
    fn quoted(&mut self) -> Result<Quoted<'a>, JsonError> {
        self.expect(b'"')?;
        let start = self.position;
        let bytes = self.text.as_bytes();
        let mut end = start;
        loop {
            match bytes.get(end) {
                None => return Err(JsonError::UnexpectedEnd),
                Some(b'"') => break,
                // The escaped character may be a quotation mark.
                Some(b'\\') => end += 2,
                Some(..b' ') => return Err(JsonError::Unexpected(end)),
                Some(_) => end += 1,
            }
        }
        self.position = end + 1;
        // Both ends are next to a quotation mark, so neither splits a character.
        Ok(Quoted { raw: &self.text[start..end], start })
    }
}

/// The text of a string between its quotation marks, with its escapes (§7).
struct Quoted<'a> {
    raw: &'a str,
    /// The offset of `raw` in the JSON text.
    start: usize,
}

impl<'a> Quoted<'a> {
    fn decode(self) -> Result<Cow<'a, str>, JsonError> {
        if !self.raw.contains('\\') {
            return Ok(Cow::Borrowed(self.raw));
        }
        let mut out = String::new();
        self.unescape(|text| out.push_str(text))?;
        Ok(Cow::Owned(out))
    }

    /// Calls `append` with the text between the escapes and with each escaped character, in order.
    fn unescape(&self, mut append: impl FnMut(&str)) -> Result<(), JsonError> {
        let mut rest = self.raw;
        while let Some(escape) = rest.find('\\') {
            append(&rest[..escape]);
            let at = self.start + self.raw.len() - rest.len() + escape;
            let after = &rest[escape + 1..];
            let kind = after.bytes().next().ok_or(JsonError::UnexpectedEnd)?;
            let (character, length) = match kind {
                b'"' | b'\\' | b'/' => (char::from(kind), 1),
                b'b' => ('\u{8}', 1),
                b'f' => ('\u{c}', 1),
                b'n' => ('\n', 1),
                b'r' => ('\r', 1),
                b't' => ('\t', 1),
                b'u' => unicode(&after[1..], at)?,
                _ => return Err(JsonError::Unexpected(at + 1)),
            };
            append(character.encode_utf8(&mut [0; 4]));
            rest = &after[length..];
        }
        append(rest);
        Ok(())
    }
}

/// Decodes the digits after `\u`, and a second escape for the other half of a surrogate pair (§7).
///
/// Returns the character and the length of its escapes without the first backslash. `at` is the
/// offset of that backslash.
fn unicode(text: &str, at: usize) -> Result<(char, usize), JsonError> {
    let code_unit = |text: &str| {
        let digits = text.get(..4).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
        u16::from_str_radix(digits, 16).ok()
    };
    let first = code_unit(text).ok_or(JsonError::Unexpected(at))?;
    let second = text.get(4..).and_then(|rest| rest.strip_prefix("\\u")).and_then(code_unit);
    match char::decode_utf16([first].into_iter().chain(second)).next() {
        Some(Ok(character)) => Ok((character, if character.len_utf16() == 1 { 5 } else { 11 })),
        _ => Err(JsonError::Surrogate(at)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(text: &str) -> Result<(), JsonError> {
        let mut reader = Reader::new(text.as_bytes())?;
        reader.skip()?;
        reader.end()
    }

    #[test]
    fn reports_each_error_at_its_offset() {
        use JsonError::*;
        for (text, error) in [
            ("", UnexpectedEnd),
            ("tru", UnexpectedEnd),
            ("trup", Unexpected(0)),
            ("[1,]", Unexpected(3)),
            ("[1 2]", Unexpected(3)),
            ("{\"a\" 1}", Unexpected(5)),
            ("{1:2}", Unexpected(1)),
            ("01", Unexpected(1)),
            ("1.", UnexpectedEnd),
            ("1.e", Unexpected(2)),
            ("+1", Unexpected(0)),
            ("\"a", UnexpectedEnd),
            ("\"a\\", UnexpectedEnd),
            ("\"\n\"", Unexpected(1)),
            ("\"\\x\"", Unexpected(2)),
            ("\"\\u12g4\"", Unexpected(1)),
            ("\"\\ud800\"", Surrogate(1)),
            ("\"\\udc00\\ud800\"", Surrogate(1)),
            ("1 1", Unexpected(2)),
        ] {
            assert_eq!(read_all(text), Err(error), "{text}");
        }
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert_eq!(read_all(&nested(MAX_DEPTH)), Ok(()));
        assert_eq!(read_all(&nested(MAX_DEPTH + 1)), Err(TooDeep));
        assert_eq!(read_all(&"[".repeat(1 << 20)), Err(TooDeep));
        assert_eq!(Reader::new(b"\"\xff\"").err(), Some(Utf8));
    }

    #[test]
    fn decodes_every_escape_in_a_string() {
        let mut out = "previous content".to_owned();
        let text = r#" "a\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00 é" "#;
        Reader::new(text.as_bytes()).unwrap().string(&mut out).unwrap();
        assert_eq!(out, "a\"\\/\u{8}\u{c}\n\r\té😀 é");
        assert!(Reader::new(b"1").unwrap().string(&mut out).is_err());
    }
}
