//! The client's end of the wire. It is written from the RFCs, without the library, as a second
//! opinion on the server. Nothing here sleeps: each read has one generous deadline, so that missing
//! data fails the test instead of hanging it.

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
pub use program::{Program, command, run};
pub use request::Request;
pub use response::Response;
pub use server::{Server, eventually, in_every_mode, in_every_mode_with};
pub use transports::{Event, Gap, Transport, follow};
pub use web_socket::{Frame, Opcode, WebSocket, masked_frame};
