//! The socket that the command listens on.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

/// How many connections may wait to be accepted; the system has a bound of its own (`net.core.somaxconn`).
const BACKLOG: i32 = 4096;

/// Listens. Where the system can (tcp(7), `TCP_USER_TIMEOUT`), a connection whose client's machine has not acknowledged
/// what it was sent for `unacknowledged` seconds is broken: a cable that was cut shows neither in an event stream's comments,
/// which the kernel takes for as long as it has room, nor in an answer that was the last. The kernel's own patience is a
/// quarter of an hour.
///
/// # Errors
/// Those of the operating system: the address is in use, or not this machine's, or out of descriptors.
pub fn listen(address: SocketAddr, unacknowledged: u32) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A server that starts again has its port at once, whatever the connections of the last one still wait for.
    socket.set_reuse_address(true)?;
    // Connections inherit it, so it costs none of them a call.
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(Duration::from_secs(unacknowledged.into())))?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}
