//! The head of the last poll, with the request that it means.
//!
//! Clients that check a topic, or wait for its next event, send the same head byte for byte: they
//! have the same cursor. Such a head is compared with the last one instead of being parsed again.

use crate::transport::action::PollRequest;
use crate::transport::response::ResponseContext;

/// A longer head is parsed each time.
const MAX_HEAD: usize = 1024;

/// A poll whose head may arrive again.
pub struct RepeatedPoll {
    head: Box<[u8]>,
    /// The path of the target.
    pub path: Box<str>,
    request: PollRequest<'static>,
    /// The context of the response.
    pub context: ResponseContext,
}

impl RepeatedPoll {
    /// Returns a copy of a poll, unless its head is too long.
    pub fn new(
        head: &[u8],
        path: &str,
        request: &PollRequest<'_>,
        context: &ResponseContext,
    ) -> Option<RepeatedPoll> {
        (head.len() <= MAX_HEAD).then(|| RepeatedPoll {
            head: head.into(),
            path: path.into(),
            request: request.clone().into_owned(),
            context: context.clone(),
        })
    }

    /// Returns the length of the head if `input` begins with it. A head ends with its blank line,
    /// so the bytes after it do not belong to it.
    pub fn length_in(&self, input: &[u8]) -> Option<usize> {
        input.starts_with(&self.head).then_some(self.head.len())
    }

    /// Returns the request.
    pub fn request(&self) -> PollRequest<'_> {
        self.request.as_borrowed()
    }
}
