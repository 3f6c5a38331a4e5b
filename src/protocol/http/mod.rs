//! HTTP/1.1 messages: bytes in, values out, and back (RFC 9110, RFC 9112).
//!
//! # How a request's bytes become values
//!
//! A request is a head and, behind it, a body. Nothing in the bytes says beforehand how long either
//! is, and they come in pieces that were cut by the network, not by the client:
//!
//! ```text
//! POST /topics/news HTTP/1.1␍␊   the request line: method, target, version   ┐
//! Host: localhost:8080␍␊         a field line: name, colon, value            │ the head
//! Transfer-Encoding: chunked␍␊   what frames the body                        │
//! ␍␊                             the blank line: the head ends               ┘
//! 5␍␊hello␍␊                     a chunk: its size, its data                 ┐ the body
//! 0␍␊␍␊                          the last chunk, no trailer fields           ┘
//! ```
//!
//! 1. [`HeadScan`] looks for the blank line, at each byte once, and refuses what can no longer become a
//!    head. The server keeps the bytes until it is found.
//! 2. [`parse`] makes a [`RequestHead`] of them: slices of the same bytes, nothing copied. What it is
//!    not sure of it does not return, so a method, a target or a host that exists is a valid one.
//! 3. [`Framing::of`] decides how the end of the body is found. Two readers that disagree on it see two
//!    different requests, so it is the strictest of all.
//! 4. [`BodyReader`] appends the content to a buffer and stops at the last byte of the body. What is behind
//!    is the head of the next request.
//!
//! ```
//! use barewire::protocol::http::{self, BodyLimits, BodyReader, Framing, HeadLimits, HeadScan};
//!
//! let bytes = b"POST /topics/news HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello";
//! let limits = HeadLimits::default();
//! let end = HeadScan::default().scan(bytes, &limits)?.expect("the blank line is in there");
//!
//! let mut scratch = http::scratch();
//! let head = http::parse(&bytes[..end], &mut scratch, &limits)?;
//! assert_eq!(head.target.path(), Some(("/topics/news", None)));
//!
//! let mut body = BodyReader::new(Framing::of(&head)?, BodyLimits::default())?;
//! let mut content = Vec::new();
//! assert_eq!(body.read(&bytes[end..], &mut content)?, (5, true));
//! assert_eq!(content, b"hello");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A client reads the answer in the same steps: [`ResponseScan`], [`parse_response`], [`ResponseFraming::of`] and
//! [`BodyReader::of_response`].
//!
//! # Three outcomes
//!
//! Each reader answers with one of three things, and which one never depends on how the bytes were cut:
//!
//! - **More is needed.** What has come is right so far. Bytes that are missing are never an error.
//! - **Done**, and how many bytes it took. The rest is not its business.
//! - **An error**: the bytes cannot become what they should. Each rule has a variant, with the status to
//!   answer with and a sentence that names the section. [`HeadScan`] and [`BodyReader`] report the first mistake
//!   in the order of the bytes as soon as its byte is there; what only the meaning of a line shows waits
//!   for [`parse`] and [`Framing::of`], when the head is whole. An error is final: where the next
//!   request would begin is not known.

mod body;
mod chunked;
pub mod fields;
mod framing;
mod head;
mod head_error;
mod problem;
mod query;
mod response;
mod response_framing;
mod response_head;
mod scan;
mod target;

pub use body::{BodyError, BodyLimits, BodyReader};
pub use chunked::{LAST_CHUNK, chunk};
pub use framing::{Framing, FramingError};
pub use head::{
    Fields, HeadError, HeadLimits, MAX_FIELD_LINES, Method, RequestHead, Scratch, Version, parse, scratch,
};
pub use problem::{PROBLEM_JSON, write_problem};
pub use query::{BadEncoding, Query, percent_decode_path_segment};
pub(crate) use response::civil;
pub use response::{CONTINUE, ResponseHead, Status, write_date};
pub use response_framing::ResponseFraming;
pub use response_head::{Response, ResponseError, ResponseScan, parse_response};
pub use scan::HeadScan;
pub use target::{Target, host_and_port};
