//! Writing JSON objects (RFC 8259 §4).

use std::fmt::{Display, Write};

use super::printable::acts_on_terminal;
use crate::protocol::json::{is_escaped, write_string};

/// A JSON object while it is appended to a text, without whitespace between its tokens.
///
/// Names and strings are escaped where JSON requires it.
///
/// ```
/// use barewire::text::JsonObject;
///
/// let mut out = String::new();
/// JsonObject::write(&mut out, |object| {
///     object.string("transport", "sse");
///     object.number("delay_ms", Some(1.5));
///     object.objects("runs", [20, 30], |run, object| object.value("done", run));
/// });
/// assert_eq!(out, r#"{"transport":"sse","delay_ms":1.5,"runs":[{"done":20},{"done":30}]}"#);
/// ```
pub struct JsonObject<'o> {
    out: &'o mut String,
    is_empty: bool,
}

impl<'o> JsonObject<'o> {
    /// Appends an object with the members that `members` adds.
    pub fn write(out: &'o mut String, members: impl FnOnce(&mut JsonObject)) {
        out.push('{');
        let mut object = JsonObject { out, is_empty: true };
        members(&mut object);
        object.out.push('}');
    }

    fn key(&mut self, key: &str) {
        if !std::mem::take(&mut self.is_empty) {
            self.out.push(',');
        }
        string(key, self.out);
        self.out.push(':');
    }

    /// Adds a member whose Rust format is valid JSON: an integer or a boolean.
    pub fn value(&mut self, key: &str, value: impl Display) {
        self.key(key);
        // Writing to a String cannot fail.
        let _ = write!(self.out, "{value}");
    }

    /// Adds a number, or `null` for `None`. Infinities and NaN become `null` too, because JSON has
    /// no such numbers (RFC 8259 §6).
    pub fn number(&mut self, key: &str, value: Option<f64>) {
        self.key(key);
        number(value, self.out);
    }

    /// Adds a string.
    pub fn string(&mut self, key: &str, text: &str) {
        self.key(key);
        string(text, self.out);
    }

    /// Adds the Rust format of a value as a string. The format must not contain characters that
    /// JSON escapes.
    pub fn plain(&mut self, key: &str, text: impl Display) {
        self.value(key, format_args!("\"{text}\""));
    }

    /// Adds `null`.
    pub fn null(&mut self, key: &str) {
        self.value(key, "null");
    }

    /// Adds bytes as a string of hexadecimal digits.
    pub fn hex(&mut self, key: &str, bytes: &[u8]) {
        self.key(key);
        self.out.push('"');
        for byte in bytes {
            let _ = write!(self.out, "{byte:02x}");
        }
        self.out.push('"');
    }

    /// Adds an object.
    pub fn object(&mut self, key: &str, members: impl FnOnce(&mut JsonObject)) {
        self.key(key);
        JsonObject::write(self.out, members);
    }

    /// Adds an array of objects.
    pub fn objects<T>(
        &mut self,
        key: &str,
        items: impl IntoIterator<Item = T>,
        members: impl Fn(T, &mut JsonObject),
    ) {
        self.array(key, items, |item, out| JsonObject::write(out, |object| members(item, object)));
    }

    /// Adds an array of numbers.
    pub fn numbers(&mut self, key: &str, items: impl IntoIterator<Item = f64>) {
        self.array(key, items, |item, out| number(Some(item), out));
    }

    /// Adds an array of strings.
    pub fn strings<T: AsRef<str>>(&mut self, key: &str, items: impl IntoIterator<Item = T>) {
        self.array(key, items, |item, out| string(item.as_ref(), out));
    }

    fn array<T>(&mut self, key: &str, items: impl IntoIterator<Item = T>, write: impl Fn(T, &mut String)) {
        self.key(key);
        self.out.push('[');
        for (at, item) in items.into_iter().enumerate() {
            if at > 0 {
                self.out.push(',');
            }
            write(item, self.out);
        }
        self.out.push(']');
    }
}

fn number(value: Option<f64>, out: &mut String) {
    let _ = match value.filter(|value| value.is_finite()) {
        // Rust writes the shortest digits that identify the number.
        Some(value) => write!(out, "{value}"),
        None => write!(out, "null"),
    };
}

/// Appends a string, in which characters that act on a terminal are escaped too, because the output
/// of a command may be shown on one.
fn string(text: &str, out: &mut String) {
    if !text.bytes().any(is_escaped) && !text.contains(acts_on_terminal) {
        out.push('"');
        out.push_str(text);
        out.push('"');
        return;
    }
    let mut bytes = Vec::with_capacity(text.len() + 2);
    write_string(text, &mut bytes);
    // The bytes are valid UTF-8, because the escapes are ASCII.
    for character in String::from_utf8_lossy(&bytes).chars() {
        if acts_on_terminal(character) {
            let _ = write!(out, "\\u{:04x}", u32::from(character));
        } else {
            out.push(character);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::JsonObject;

    fn written(members: impl FnOnce(&mut JsonObject)) -> String {
        let mut out = String::new();
        JsonObject::write(&mut out, members);
        out
    }

    #[test]
    fn writes_empty_and_nested_objects() {
        assert_eq!(written(|_| {}), "{}");
        let nested = written(|object| {
            object.object("a", |_| {});
            object.object("b", |inner| inner.value("c", 1));
        });
        assert_eq!(nested, r#"{"a":{},"b":{"c":1}}"#);
    }

    #[test]
    fn writes_short_numbers_and_null_for_numbers_that_json_lacks() {
        let text = written(|object| {
            object.numbers("all", [0.0, 20.0, 1.5, 0.000_016, 1e21, -2.25]);
            object.number("none", None);
            object.numbers("no numbers", [f64::NAN, f64::INFINITY, f64::NEG_INFINITY]);
            object.null("null");
        });
        let wanted = r#"{"all":[0,20,1.5,0.000016,1000000000000000000000,-2.25],"none":null,"no numbers":[null,null,null],"null":null}"#;
        assert_eq!(text, wanted);
    }

    #[test]
    fn escapes_strings_and_writes_bytes_in_hexadecimal() {
        let text = written(|object| {
            object.strings("texts", ["plain", "a\"b\\c\n", "é\u{9b}\x7f\u{202e}"]);
            object.strings("none", [""; 0]);
            object.value("a \"name\"", 1);
            object.hex("bytes", &[0x00, 0x1f, 0xff]);
            object.plain("section", 5.2);
        });
        assert_eq!(
            text,
            "{\"texts\":[\"plain\",\"a\\\"b\\\\c\\n\",\"é\\u009b\\u007f\\u202e\"],\"none\":[],\"a \\\"name\\\"\":1,\"bytes\":\"001fff\",\"section\":\"5.2\"}"
        );
    }
}
