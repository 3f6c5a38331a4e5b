//! Protocol rules: one sentence each, and the section of the document that states it.
//!
//! Each rule is stated once, as a row of a table that the `rules!` macro turns into an error enum.
//! The documentation of the enum, the error text and the wire view all read that row.

use std::fmt;

/// A document that defines a protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Document {
    /// An RFC, by its number.
    Rfc(u16),
    /// The HTML Standard of the WHATWG; barewire uses §9.2, server-sent events.
    Html,
    /// The Fetch Standard of the WHATWG.
    Fetch,
}

/// A section of a document. Displayed as `RFC 6455 §5.2`, or in ASCII with `{:#}` as
/// `RFC 6455 section 5.2`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Section {
    /// The document.
    pub document: Document,
    /// The section number in the document, such as `5.2`.
    pub paragraph: &'static str,
}

impl Section {
    pub(crate) const fn rfc(number: u16, paragraph: &'static str) -> Self {
        Self { document: Document::Rfc(number), paragraph }
    }

    pub(crate) const fn html(paragraph: &'static str) -> Self {
        Self { document: Document::Html, paragraph }
    }
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.document {
            Document::Rfc(number) => write!(f, "RFC {number} ")?,
            Document::Html => f.write_str("WHATWG HTML ")?,
            Document::Fetch => f.write_str("WHATWG Fetch ")?,
        }
        write!(f, "{}{}", if f.alternate() { "section " } else { "§" }, self.paragraph)
    }
}

/// A protocol rule. Displayed as its sentence with the section before the full stop:
/// `A line ends in LF without CR (RFC 9112 §2.2).` The alternate form `{:#}` is ASCII.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// How input breaks the rule, in one sentence with its full stop.
    pub sentence: &'static str,
    /// The section that states the rule.
    pub section: Section,
}

impl Rule {
    /// Returns a rule of an RFC.
    ///
    /// # Panics
    /// Panics, at compile time where the value is a constant, if `sentence` is not one sentence
    /// that ends in a full stop.
    pub(crate) const fn rfc(number: u16, paragraph: &'static str, sentence: &'static str) -> Self {
        assert!(matches!(sentence.as_bytes(), [b'A'..=b'Z', .., b'.']), "not a sentence");
        Self { sentence, section: Section::rfc(number, paragraph) }
    }

    /// Writes the rule with the value that breaks it between the sentence and the section:
    /// `The opcode is reserved: 3 (RFC 6455 §5.2).`
    pub(crate) fn write_with<T: fmt::Display>(&self, value: &T, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sentence.trim_end_matches('.'))?;
        write!(f, ": {value}")?;
        self.write_section(f)
    }

    fn write_section(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(" (")?;
        fmt::Display::fmt(&self.section, f)?;
        f.write_str(").")
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sentence.trim_end_matches('.'))?;
        self.write_section(f)
    }
}

/// Declares an error enum as a table with one row for each rule.
///
/// A row is `Variant: RFC number, "section", "Sentence.";`. The sentence and the section become the
/// documentation of the variant, its [`Rule`] and its text. When the header ends in `=> status:
/// Status` (or another method name and type), each row starts with one of that type's constants,
/// which the method returns. A row `Variant(Type): …` carries the value that breaks the rule, and
/// the text of the error contains that value. Error types after the enum's name are nested: their
/// rules are also rules of this enum, and `?` converts them.
///
/// ```text
/// rules! {
///     /// Why a response head is rejected.
///     pub enum ResponseError: Head(HeadError) => status: Status {
///         StatusCode: BAD_REQUEST, 9110, "15", "The status code is not between 100 and 599.";
///     }
/// }
/// ```
macro_rules! rules {
    (
        $(#[$meta:meta])*
        pub enum $error:ident $(: $($outer:ident($inner:ident)),+)? => $method:ident: $code_type:ident {
            $($variant:ident $(($value:ty))?: $code:ident, $number:literal, $paragraph:literal, $sentence:literal;)+
        }
    ) => {
        $crate::protocol::rule::rules! {
            $(#[$meta])*
            pub enum $error $(: $($outer($inner)),+)? {
                $($variant $(($value))?: $number, $paragraph, $sentence;)+
            }
        }

        impl $error {
            #[doc = concat!("Returns the [`", stringify!($code_type), "`] to send to the peer that broke the rule.")]
            pub const fn $method(self) -> $code_type {
                match self {
                    $(Self::$variant { .. } => $code_type::$code,)+
                    $($(Self::$outer(error) => error.$method(),)+)?
                }
            }
        }
    };
    (
        $(#[$meta:meta])*
        pub enum $error:ident $(: $($outer:ident($inner:ident)),+)? {
            $($variant:ident $(($value:ty))?: $number:literal, $paragraph:literal, $sentence:literal;)+
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $error {
            $(
                #[doc = concat!($sentence, " (RFC ", $number, " §", $paragraph, ")")]
                $variant $(($value))?,
            )+
            $($(
                #[doc = concat!("A rule of [`", stringify!($inner), "`].")]
                $outer($inner),
            )+)?
        }

        impl $error {
            /// Returns the rule that was broken.
            pub const fn rule(self) -> $crate::protocol::rule::Rule {
                use $crate::protocol::rule::Rule;
                match self {
                    $(Self::$variant { .. } => const { Rule::rfc($number, $paragraph, $sentence) },)+
                    $($(Self::$outer(error) => error.rule(),)+)?
                }
            }
        }

        impl std::fmt::Display for $error {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                $($(if let Self::$variant(value) = self {
                    return self.rule().write_with::<$value>(value, f);
                })?)+
                std::fmt::Display::fmt(&self.rule(), f)
            }
        }

        impl std::error::Error for $error {}

        $($(
            impl From<$inner> for $error {
                fn from(error: $inner) -> Self {
                    Self::$outer(error)
                }
            }
        )+)?
    };
}
pub(crate) use rules;

#[cfg(test)]
mod tests {
    rules! {
        /// A table without another column.
        pub enum Inner => number: u16 {
            Small: MIN, 9110, "5.5", "The number is too small.";
        }
    }

    rules! {
        /// A table with a nested one.
        pub enum Outer: Nested(Inner) => number: u16 {
            Large: MAX, 6455, "5.2", "The number is too large.";
            Odd(u8): MAX, 6455, "5.2", "The number is odd.";
        }
    }

    #[test]
    fn text_and_code_of_a_rule_are_read_from_its_row() {
        assert_eq!(Outer::Large.to_string(), "The number is too large (RFC 6455 §5.2).");
        assert_eq!(Outer::Large.rule().sentence, "The number is too large.");
        assert_eq!(Outer::Large.number(), u16::MAX);
    }

    #[test]
    fn the_text_of_a_rule_contains_the_value_that_breaks_it() {
        assert_eq!(Outer::Odd(3).to_string(), "The number is odd: 3 (RFC 6455 §5.2).");
        assert_eq!(Outer::Odd(3).rule().sentence, "The number is odd.");
    }

    #[test]
    fn the_alternate_text_of_a_rule_is_ascii() {
        assert_eq!(format!("{:#}", Outer::Large), "The number is too large (RFC 6455 section 5.2).");
        assert_eq!(format!("{:#}", Outer::Odd(3)), "The number is odd: 3 (RFC 6455 section 5.2).");
    }

    #[test]
    fn a_nested_error_keeps_its_rule() {
        let nested = Outer::from(Inner::Small);
        assert_eq!(nested, Outer::Nested(Inner::Small));
        assert_eq!(nested.rule(), Inner::Small.rule());
        assert_eq!(nested.number(), 0);
    }
}
