//! The socket of a connection. A simulation replaces it with bytes in memory.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr};

use mio::net::TcpStream;

/// Bytes from and to one client. Neither reading nor writing blocks: they return
/// [`io::ErrorKind::WouldBlock`] instead.
pub trait ByteStream: Read + Write {
    /// Ends the server's side; the client's side stays open.
    ///
    /// # Errors
    /// The connection is broken.
    fn end(&mut self) -> io::Result<()>;

    /// Returns the client's address, as long as it is known.
    fn peer(&self) -> Option<SocketAddr>;
}

impl ByteStream for TcpStream {
    fn end(&mut self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }

    fn peer(&self) -> Option<SocketAddr> {
        self.peer_addr().ok()
    }
}
