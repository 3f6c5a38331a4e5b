//! The other end of the wire, written without a line of the library: what it reads, it reads as the RFCs say, and
//! so it is a second opinion. Nothing here sleeps; each read has one generous deadline, so that what never comes
//! fails the test instead of stopping it.

mod connection;
mod event_stream;
pub mod hostile;
#[cfg(feature = "cli")]
mod program;
mod request;
mod response;
mod server;
mod transports;
mod web_socket;

pub use connection::Connection;
pub use event_stream::{Block, EventStream};
#[cfg(feature = "cli")]
pub use program::{Program, run};
pub use request::Request;
pub use response::Response;
pub use server::{Server, eventually, in_every_way, in_every_way_with};
pub use transports::{Event, Gap, Transport, follow};
pub use web_socket::{Frame, Opcode, WebSocket, masked_frame};
