//! A request, as a handler sees it.

use std::borrow::Cow;

use super::Response;
use crate::hub::Since;
use crate::protocol::http::{EncodingError, Query, RequestHead, percent_decode_path_segment};

/// A request for one of the application's routes.
///
/// Everything in it comes from the client, and has been checked only as far as HTTP asks for it.
pub struct Request<'a> {
    head: &'a RequestHead<'a, 'a>,
    content: &'a [u8],
    parameters: Vec<(&'a str, Cow<'a, str>)>,
}

impl<'a> Request<'a> {
    /// Reads the parameters of `pattern` from the request's path.
    pub(super) fn new(
        head: &'a RequestHead<'a, 'a>,
        content: &'a [u8],
        pattern: &'a str,
    ) -> Result<Request<'a>, EncodingError> {
        let path = head.target.path().map_or("", |(path, _)| path);
        let mut parameters = Vec::new();
        for (name, segment) in pattern.split('/').zip(path.split('/')) {
            if let Some(name) = name.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
                parameters.push((name, percent_decode_path_segment(segment)?));
            }
        }
        Ok(Request { head, content, parameters })
    }

    /// Returns the path, still percent-encoded.
    pub fn path(&self) -> &str {
        self.head.target.path().map_or("*", |(path, _)| path)
    }

    /// Returns the decoded segment of the path at `{name}` in the route.
    ///
    /// # Panics
    /// The route has no parameter with this name.
    pub fn param(&self, name: &str) -> &str {
        let found = self.parameters.iter().find(|(parameter, _)| *parameter == name);
        found.map(|(_, value)| &**value).expect("the route has a parameter with this name")
    }

    /// Returns the decoded value of the first parameter of the query with this name. One that
    /// cannot be decoded counts as missing.
    pub fn query(&self, name: &str) -> Option<Cow<'a, str>> {
        let (_, query) = self.head.target.path()?;
        Query::new(query).get(name)?.ok()
    }

    /// Returns the value of the first field with this name, if it is UTF-8. Names are not
    /// case-sensitive.
    pub fn field(&self, name: &str) -> Option<&'a str> {
        std::str::from_utf8(self.head.fields.get(name)?).ok()
    }

    /// Returns the value of a cookie (RFC 6265 §4.2).
    pub fn cookie(&self, name: &str) -> Option<&'a str> {
        let pairs = self.field("cookie")?.split(';').filter_map(|pair| pair.trim().split_once('='));
        pairs.into_iter().find_map(|(key, value)| (key == name).then_some(value))
    }

    /// Returns the content.
    pub fn content(&self) -> &'a [u8] {
        self.content
    }

    /// Returns the content as text.
    ///
    /// # Errors
    /// The response to content that is not UTF-8: 400.
    pub fn text(&self) -> Result<&'a str, Response> {
        std::str::from_utf8(self.content).map_err(|_| Response::problem(400, "The content is not UTF-8."))
    }

    /// Returns the client's cursor: `Last-Event-ID`, else `?since=`, else `default`.
    pub fn since(&self, default: Since) -> Since {
        Since::of(self.head.fields.get("last-event-id"), self.query("since").as_deref(), default)
    }
}
