//! The list in a `Sec-WebSocket-Extensions` field (RFC 6455 §9.1).

use super::{ExtensionError, Offer};
use crate::protocol::http::fields::{is_tchar, trim};

/// One element of the list. An answer has the form of an offer, so it is read as one.
pub struct Extension<'a> {
    pub name: &'a [u8],
    /// The parameters, if they are those of permessage-deflate.
    pub offer: Result<Offer, ExtensionError>,
}

/// The elements of one line, read as RFC 6455 §9.1 writes them:
///
/// ```text
/// extension-list  = 1#extension
/// extension       = extension-token *( ";" extension-param )
/// extension-param = token [ "=" (token | quoted-string) ]
/// ```
///
/// The grammar is RFC 2616's, so elements of `#` may be empty (but not all), and whitespace may stand around every
/// separator.
pub struct Extensions<'a> {
    rest: &'a [u8],
}

impl<'a> Extensions<'a> {
    /// Of a line, which has at least one.
    pub fn of(line: &'a [u8]) -> Result<Self, ExtensionError> {
        let mut extensions = Self { rest: trim(line) };
        while extensions.separator(b',') {}
        if extensions.rest.is_empty() { Err(ExtensionError::Grammar) } else { Ok(extensions) }
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
        while self.separator(b',') {}
        Ok(Extension { name, offer })
    }

    /// Goes over a separator and the whitespace around it; false if another byte comes next.
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

    /// A token, or a quoted-string whose content, unescaped, is one (RFC 6455 §9.1).
    fn value(&mut self) -> Result<Value<'a>, ExtensionError> {
        let Some(content) = self.rest.strip_prefix(b"\"") else { return self.token().map(Value) };
        let mut rest = content;
        loop {
            match rest {
                [b'"', after @ ..] if rest.len() < content.len() => {
                    self.rest = trim(after);
                    return Ok(Value(&content[..content.len() - rest.len()]));
                }
                [b'\\', byte, after @ ..] | [byte, after @ ..] if is_tchar(*byte) => rest = after,
                _ => return Err(ExtensionError::Grammar),
            }
        }
    }
}

impl<'a> Iterator for Extensions<'a> {
    type Item = Result<Extension<'a>, ExtensionError>;

    /// Nothing that follows an error has a meaning.
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() { None } else { Some(self.extension()) }
    }
}

/// A parameter's value. Backslashes in it are those of a quoted-string: a token has none.
pub struct Value<'a>(&'a [u8]);

impl Value<'_> {
    /// A decimal number from 8 to 15, without leading zeros (RFC 7692 §7.1.2).
    pub fn window_bits(&self) -> Result<u8, ExtensionError> {
        let mut digits = self.0.iter().filter(|byte| **byte != b'\\');
        match (digits.next(), digits.next(), digits.next()) {
            (Some(digit @ b'8'..=b'9'), None, None) => Ok(digit - b'0'),
            (Some(b'1'), Some(digit @ b'0'..=b'5'), None) => Ok(10 + digit - b'0'),
            _ => Err(ExtensionError::ParameterValue),
        }
    }
}
