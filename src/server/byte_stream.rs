//! What a connection asks of its socket. A rehearsal plays it with bytes in memory.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr};

use mio::net::TcpStream;

/// Bytes to and from one client. Neither reading nor writing ever waits: [`io::ErrorKind::WouldBlock`] says that there is
/// nothing now.
pub trait ByteStream: Read + Write {
    /// Ends the server's side; the client's goes on.
    ///
    /// # Errors
    /// The connection is broken.
    fn end(&mut self) -> io::Result<()>;

    /// Who is at the other end, as long as it is known.
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
