//! The list in a `Sec-WebSocket-Extensions` field (RFC 6455 §9.1).

use super::error::ExtensionError;
use super::parameters::Offer;
use crate::protocol::http::fields::{is_tchar, trim};

/// One element of the list.
pub struct Extension<'a> {
    pub name: &'a [u8],
    /// The parameters, if permessage-deflate defines them. A response has the form of an offer.
    pub offer: Result<Offer, ExtensionError>,
}

/// The elements of one line in the grammar of RFC 6455 §9.1:
///
/// ```text
/// extension-list  = 1#extension
/// extension       = extension-token *( ";" extension-param )
/// extension-param = token [ "=" (token | quoted-string) ]
/// ```
///
/// The grammar is that of RFC 2616: elements of `#` may be empty, and whitespace is allowed around
/// every separator. The grammar requires one element that is not empty. A list without one is
/// accepted all the same, and names no extension: clients in use send an empty field (Ktor until
/// 2021, its issue KTOR-2388). After an error the elements have no meaning.
pub struct Extensions<'a> {
    rest: &'a [u8],
}

impl<'a> Extensions<'a> {
    pub fn new(line: &'a [u8]) -> Self {
        let mut extensions = Self { rest: trim(line) };
        extensions.skip_empty_elements();
        extensions
    }

    fn extension(&mut self) -> Result<Extension<'a>, ExtensionError> {
        let name = self.token()?;
        let mut offer = Ok(Offer::default());
        while self.separator(b';') {
            let parameter = self.token()?;
            let value = if self.separator(b'=') { Some(self.value()?) } else { None };
            offer = offer.and_then(|mut offer| offer.add(parameter, value).map(|()| offer));
        }
        if !self.rest.is_empty() && !self.separator(b',') {
            return Err(ExtensionError::Grammar);
        }
        self.skip_empty_elements();
        Ok(Extension { name, offer })
    }

    fn skip_empty_elements(&mut self) {
        while self.separator(b',') {}
    }

    /// Skips a separator and the whitespace around it. Returns false if another byte is next.
    fn separator(&mut self, separator: u8) -> bool {
        let Some((_, after)) = trim(self.rest).split_first().filter(|(first, _)| **first == separator) else {
            return false;
        };
        self.rest = trim(after);
        true
    }

    fn token(&mut self) -> Result<&'a [u8], ExtensionError> {
        let end = self.rest.iter().position(|byte| !is_tchar(*byte)).unwrap_or(self.rest.len());
        let (token, rest) = self.rest.split_at(end);
        self.rest = trim(rest);
        if token.is_empty() { Err(ExtensionError::Grammar) } else { Ok(token) }
    }

    /// Returns a token, or the content of a quoted string, which must be a token when unescaped
    /// (RFC 6455 §9.1). The content still contains its backslashes; a token never contains one.
    fn value(&mut self) -> Result<&'a [u8], ExtensionError> {
        let Some(content) = self.rest.strip_prefix(b"\"") else { return self.token() };
        let mut rest = content;
        loop {
            match rest {
                [b'"', after @ ..] if rest.len() < content.len() => {
                    self.rest = trim(after);
                    return Ok(&content[..content.len() - rest.len()]);
                }
                [b'\\', byte, after @ ..] | [byte, after @ ..] if is_tchar(*byte) => rest = after,
                _ => return Err(ExtensionError::Grammar),
            }
        }
    }
}

impl<'a> Iterator for Extensions<'a> {
    type Item = Result<Extension<'a>, ExtensionError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() { None } else { Some(self.extension()) }
    }
}
