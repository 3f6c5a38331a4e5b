//! HTTP/1.1 messages: reading requests and responses, and writing responses (RFC 9110, RFC 9112).
//!
//! # From bytes to a request
//!
//! A request is a head followed by a body. Neither announces its length at its start, and both
//! arrive in parts that the network splits, not the client:
//!
//! ```text
//! POST /topics/news HTTP/1.1␍␊   the request line: method, target, version   ┐
//! Host: localhost:8080␍␊         a field line: name, colon, value            │ the head
//! Transfer-Encoding: chunked␍␊   the framing of the body                     │
//! ␍␊                             the blank line that ends the head           ┘
//! 5␍␊hello␍␊                     a chunk: its size, its data                 ┐ the body
//! 0␍␊␍␊                          the last chunk, no trailer fields           ┘
//! ```
//!
//! 1. [`HeadScan`] searches for the blank line, reads each byte once, and rejects bytes that cannot
//!    become a head. The server keeps the bytes until the blank line is found.
//! 2. [`parse`] makes a [`RequestHead`] of them: slices of the same bytes, without a copy. Every
//!    method, target and host that it returns is valid.
//! 3. [`Framing::of`] decides how the end of the body is found. Two readers that disagree on the
//!    framing see two different requests, so this step is the strictest.
//! 4. [`BodyReader`] appends the content to a buffer and stops at the last byte of the body. The
//!    next byte belongs to the next request.
//!
//! ```
//! use barewire::protocol::http::{self, BodyLimits, BodyReader, Framing, HeadLimits, HeadScan};
//!
//! let bytes = b"POST /topics/news HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello";
//! let limits = HeadLimits::default();
//! let end = HeadScan::default().scan(bytes, &limits)?.expect("the head is complete");
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
//! A client reads a response in the same steps: [`ResponseScan`], [`parse_response`],
//! [`Framing::of_response`] and [`BodyReader`].
//!
//! # Three outcomes
//!
//! Each reader has three outcomes, and the outcome does not depend on how the bytes are split:
//!
//! - **More bytes are needed.** The bytes so far are valid. Missing bytes are never an error.
//! - **Complete**, with the number of bytes consumed. The reader does not look at the rest.
//! - **An error**: the bytes break a rule. Each rule is one row of a table, with its section and
//!   the status of the response. [`HeadScan`] and [`BodyReader`] report the first error in the
//!   order of the bytes as soon as its byte arrives. [`parse`] and [`Framing::of`] report the
//!   errors that only a complete head shows. An error is final, because the start of the next
//!   request is not known.

mod body;
mod chunked;
mod date;
pub mod fields;
mod framing;
mod head;
mod limits;
mod method;
mod problem;
mod query;
mod response;
mod response_head;
mod rules;
mod status;
mod target;

pub use body::BodyReader;
pub use chunked::{LAST_CHUNK, chunk};
pub(crate) use date::civil;
pub use date::write_date;
pub use framing::Framing;
pub use head::{Fields, HeadScan, RequestHead, Scratch, Version, parse, scratch};
pub use limits::{BodyLimits, ExtensionLimit, HeadLimits, MAX_FIELD_LINES};
pub use method::Method;
pub use problem::{PROBLEM_JSON, write_problem};
pub use query::{Query, percent_decode_path_segment};
pub use response::{CONTINUE, ResponseHead};
pub use response_head::{Response, ResponseScan, parse_response};
pub use rules::{BodyError, EncodingError, FramingError, HeadError, RequestError, ResponseError};
pub use status::Status;
pub use target::{Target, host_and_port};
