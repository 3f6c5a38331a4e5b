//! `barewire tap` between independent clients and servers, or peers that a test plays: the relayed
//! bytes equal the sent ones, and the view names them correctly.

mod command;
mod documented;
mod endings;
mod harness;
mod recorded;
mod relayed;
#[path = "../running/mod.rs"]
mod running;
mod shown;

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// The timeout of each operation.
pub const TIMEOUT: Duration = Duration::from_secs(60);

/// Accepts one connection on a free port, and passes it to `serve`.
pub fn serve_one<T: Send + 'static>(
    serve: impl FnOnce(TcpStream) -> T + Send + 'static,
) -> (SocketAddr, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("a bound socket");
    let serving = thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a connection");
        stream.set_read_timeout(Some(TIMEOUT)).expect("a deadline");
        serve(stream)
    });
    (address, serving)
}
