//! Writing objects (RFC 8259 §4), for what the command tells other programs.

use std::fmt::{Display, Write};

use super::{is_escaped, write_string};

/// An object that is being written to the end of a text. Nothing is put between its tokens, so it has no line end.
///
/// What has to be escaped is, in names as in what they hold.
///
/// ```
/// use barewire::protocol::json::Object;
///
/// let mut out = String::new();
/// Object::write(&mut out, |object| {
///     object.string("transport", "sse");
///     object.number("delay_ms", Some(1.5));
///     object.objects("runs", [20, 30], |run, object| object.value("done", run));
/// });
/// assert_eq!(out, r#"{"transport":"sse","delay_ms":1.5,"runs":[{"done":20},{"done":30}]}"#);
/// ```
pub struct Object<'o> {
    out: &'o mut String,
    is_empty: bool,
}

impl<'o> Object<'o> {
    /// Writes the object whose members `members` adds.
    pub fn write(out: &'o mut String, members: impl FnOnce(&mut Object)) {
        out.push('{');
        let mut object = Object { out, is_empty: true };
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

    /// A member that Rust writes as JSON does: an integer, a truth value.
    pub fn value(&mut self, key: &str, value: impl Display) {
        self.key(key);
        // Writing to a String can't fail.
        let _ = write!(self.out, "{value}");
    }

    /// A number; `null` where there is none. JSON has no infinity and no number that is none (§6): those are `null` too.
    pub fn number(&mut self, key: &str, value: Option<f64>) {
        self.key(key);
        number(value, self.out);
    }

    /// A text.
    pub fn string(&mut self, key: &str, text: &str) {
        self.key(key);
        string(text, self.out);
    }

    /// A text that is known to need no escape, as Rust displays it.
    pub fn plain(&mut self, key: &str, text: impl Display) {
        self.value(key, format_args!("\"{text}\""));
    }

    /// A member that is known to be nothing.
    pub fn null(&mut self, key: &str) {
        self.value(key, "null");
    }

    /// Bytes, as a text of hexadecimal digits.
    pub fn hex(&mut self, key: &str, bytes: &[u8]) {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        self.key(key);
        self.out.push('"');
        for byte in bytes {
            self.out.push(char::from(HEX[usize::from(byte >> 4)]));
            self.out.push(char::from(HEX[usize::from(byte & 15)]));
        }
        self.out.push('"');
    }

    /// An object in the object.
    pub fn object(&mut self, key: &str, members: impl FnOnce(&mut Object)) {
        self.key(key);
        Object::write(self.out, members);
    }

    /// A list of objects.
    pub fn objects<T>(
        &mut self,
        key: &str,
        items: impl IntoIterator<Item = T>,
        members: impl Fn(T, &mut Object),
    ) {
        self.list(key, items, |item, out| Object::write(out, |object| members(item, object)));
    }

    /// A list of numbers.
    pub fn numbers(&mut self, key: &str, items: impl IntoIterator<Item = f64>) {
        self.list(key, items, |item, out| number(Some(item), out));
    }

    /// A list of texts.
    pub fn strings<T: AsRef<str>>(&mut self, key: &str, items: impl IntoIterator<Item = T>) {
        self.list(key, items, |item, out| string(item.as_ref(), out));
    }

    fn list<T>(&mut self, key: &str, items: impl IntoIterator<Item = T>, write: impl Fn(T, &mut String)) {
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
        // The fewest digits that are this number and no other.
        Some(value) => write!(out, "{value}"),
        None => write!(out, "null"),
    };
}

fn string(text: &str, out: &mut String) {
    if !text.bytes().any(is_escaped) {
        out.push('"');
        out.push_str(text);
        out.push('"');
        return;
    }
    let mut bytes = Vec::with_capacity(text.len() + 2);
    write_string(text, &mut bytes);
    // Text with ASCII escapes in it is text.
    out.push_str(&String::from_utf8_lossy(&bytes));
}

#[cfg(test)]
mod tests {
    use super::Object;

    fn written(members: impl FnOnce(&mut Object)) -> String {
        let mut out = String::new();
        Object::write(&mut out, members);
        out
    }

    #[test]
    fn an_object_without_members_and_one_in_another() {
        assert_eq!(written(|_| {}), "{}");
        let nested = written(|object| {
            object.object("a", |_| {});
            object.object("b", |inner| inner.value("c", 1));
        });
        assert_eq!(nested, r#"{"a":{},"b":{"c":1}}"#);
    }

    #[test]
    fn numbers_are_as_short_as_they_can_be_and_null_where_json_has_none() {
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
    fn texts_are_escaped_and_bytes_are_digits() {
        let text = written(|object| {
            object.strings("texts", ["plain", "a\"b\\c\n", "é"]);
            object.strings("none", [""; 0]);
            object.value("a \"name\"", 1);
            object.hex("bytes", &[0x00, 0x1f, 0xff]);
            object.plain("section", 5.2);
        });
        assert_eq!(
            text,
            "{\"texts\":[\"plain\",\"a\\\"b\\\\c\\n\",\"é\"],\"none\":[],\"a \\\"name\\\"\":1,\"bytes\":\"001fff\",\"section\":\"5.2\"}"
        );
    }
}
