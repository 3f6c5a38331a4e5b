//! Where in which document a rule stands.

use std::fmt;

/// A document that says what bytes mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Document {
    /// An RFC, by its number.
    Rfc(u16),
    /// The HTML standard of the WHATWG, of which barewire needs §9.2, server-sent events.
    Html,
    /// The Fetch standard of the WHATWG.
    Fetch,
}

/// A section of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Section {
    /// The document.
    pub document: Document,
    /// The section's number in it, as `5.2`.
    pub paragraph: &'static str,
}

impl Section {
    pub(super) const fn rfc(number: u16, paragraph: &'static str) -> Self {
        Self { document: Document::Rfc(number), paragraph }
    }

    pub(super) const fn html(paragraph: &'static str) -> Self {
        Self { document: Document::Html, paragraph }
    }

    /// Where the section can be read.
    pub fn url(&self) -> Url {
        Url(*self)
    }
}

/// The address of a section, to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Url(Section);

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(Section { document, paragraph }) = self;
        match document {
            Document::Rfc(number) => {
                write!(f, "https://www.rfc-editor.org/rfc/rfc{number}#section-{paragraph}")
            }
            Document::Html => {
                // The standard's numbers move; its names do not.
                let name = match *paragraph {
                    "9.2.3" => "sse-processing-model",
                    "9.2.4" => "the-last-event-id-header",
                    "9.2.5" => "parsing-an-event-stream",
                    "9.2.6" => "event-stream-interpretation",
                    _ => "server-sent-events",
                };
                write!(f, "https://html.spec.whatwg.org/multipage/server-sent-events.html#{name}")
            }
            Document::Fetch => f.write_str("https://fetch.spec.whatwg.org/#http-cors-protocol"),
        }
    }
}

/// `RFC 6455 §5.2`, as everywhere in barewire.
impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.document {
            Document::Rfc(number) => write!(f, "RFC {number} §{}", self.paragraph),
            Document::Html => write!(f, "WHATWG HTML §{}", self.paragraph),
            Document::Fetch => write!(f, "WHATWG Fetch §{}", self.paragraph),
        }
    }
}
