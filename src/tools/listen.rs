//! The listening socket of a command.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

/// Connections that may wait to be accepted. The system limits this too (`net.core.somaxconn`).
const BACKLOG: i32 = 4096;

/// Opens a listening socket at `address`.
///
/// On Linux, a connection whose peer leaves data unacknowledged for `unacknowledged` seconds is
/// broken off (tcp(7), `TCP_USER_TIMEOUT`). Writes alone do not reveal a cut cable: the kernel
/// accepts the comments of an event stream while its buffer has space, and no write follows
/// a final response. The kernel's own timeout is a quarter of an hour.
///
/// # Errors
/// The address is in use or does not belong to this machine, or no file descriptor is left.
pub fn listen(address: SocketAddr, unacknowledged: u32) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restarted server can use its port at once, although connections of its predecessor linger.
    socket.set_reuse_address(true)?;
    // On Linux accepted connections inherit both options, so these cost them no system call.
    socket.set_tcp_nodelay(true)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(Duration::from_secs(unacknowledged.into())))?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}
