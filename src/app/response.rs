//! The response of a handler.

use std::borrow::Cow;

use super::Ticket;
use crate::protocol::http::{PROBLEM_JSON, Status, write_problem};

/// The answer of a handler.
///
/// A response with a content type has a `Content-Length`. To a HEAD request, the content is left
/// out.
#[derive(Debug)]
pub struct Response {
    pub(super) status: Status,
    pub(super) kind: Option<Cow<'static, str>>,
    pub(super) fields: Vec<(String, String)>,
    pub(super) body: Body,
}

/// What follows the head of a response.
#[derive(Debug)]
pub(super) enum Body {
    Content(Cow<'static, [u8]>),
    Follow(String),
    Later,
}

impl From<Result<Response, Response>> for Response {
    fn from(answer: Result<Response, Response>) -> Response {
        answer.unwrap_or_else(|refusal| refusal)
    }
}

impl Response {
    /// Returns a response with a status and no content.
    ///
    /// # Panics
    /// The code is not from 200 to 999.
    pub fn status(code: u16) -> Response {
        let status = final_status(code);
        Response { status, kind: None, fields: Vec::new(), body: Body::Content(Cow::Borrowed(&[])) }
    }

    /// Returns 200 with JSON text, which the caller has encoded.
    pub fn json(text: impl Into<String>) -> Response {
        Response::content("application/json", text.into().into_bytes())
    }

    /// Returns 200 with plain text.
    pub fn text(text: impl Into<String>) -> Response {
        Response::content("text/plain; charset=utf-8", text.into().into_bytes())
    }

    /// Returns 200 with content of any media type, such as `text/html; charset=utf-8`. Every text
    /// in a page that comes from elsewhere must be escaped.
    pub fn content(kind: &'static str, content: impl Into<Cow<'static, [u8]>>) -> Response {
        Response { kind: Some(kind.into()), body: Body::Content(content.into()), ..Response::status(200) }
    }

    /// Returns a refusal in the form of `application/problem+json` (RFC 9457), with an explanation
    /// for the client.
    ///
    /// # Panics
    /// The code is not from 200 to 999.
    pub fn problem(code: u16, detail: &str) -> Response {
        let mut content = Vec::new();
        let response = Response::status(code);
        write_problem(response.status, detail, &mut content);
        Response { kind: Some(PROBLEM_JSON.into()), body: Body::Content(content.into()), ..response }
    }

    /// Returns the response to a request that follows a topic, over the transport that the request
    /// asks for: a WebSocket upgrade, `Accept: text/event-stream`, a `wait`, or none of these. The
    /// cursor is the request's `Last-Event-ID` or `?since=`.
    ///
    /// Without a cursor, a short poll begins with the oldest event that is kept, and the others
    /// with the next one. The topic may have any name: only the handler decides who follows it. A
    /// WebSocket of this kind only follows; [`Socket`](super::Socket) is for clients that also
    /// write. The status and the fields are those of the transport; [`Response::with_status`] and
    /// [`Response::field`] do not change them.
    pub fn follow(topic: impl Into<String>) -> Response {
        Response { body: Body::Follow(topic.into()), ..Response::status(200) }
    }

    pub(super) fn later(_ticket: &Ticket) -> Response {
        Response { body: Body::Later, ..Response::status(200) }
    }

    /// Changes the status.
    ///
    /// # Panics
    /// The code is not from 200 to 999.
    #[must_use]
    pub fn with_status(self, code: u16) -> Response {
        Response { status: final_status(code), ..self }
    }

    /// Adds a field. Control characters in the value become spaces.
    ///
    /// # Panics
    /// The name is not a token (RFC 9110 §5.1), or is one that the server writes itself: `Date`,
    /// `Connection`, `Content-Length`, `Content-Type`, `Transfer-Encoding`.
    #[must_use]
    pub fn field(mut self, name: &str, value: impl Into<String>) -> Response {
        super::assert_field_name(name);
        self.fields.push((name.into(), value.into()));
        self
    }
}

/// After an informational response, a client waits for the final one (RFC 9110 §15.2).
fn final_status(code: u16) -> Status {
    assert!(code >= 200, "a handler answers with a final status, from 200 to 999, not {code}");
    Status::new(code)
}
