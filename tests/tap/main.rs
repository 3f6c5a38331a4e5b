//! `barewire tap`, between servers and clients that others wrote or that a test plays: what passes is what was sent, and what is
//! shown is what it is.

mod command;
mod documented;
mod ends;
mod passes;
mod recorded;
#[path = "../running/mod.rs"]
mod running;
mod shown;
mod tap;

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How long anything may take.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Takes one connection on a free port, and does this with it.
pub fn serve_one<T: Send + 'static>(
    serve: impl FnOnce(TcpStream) -> T + Send + 'static,
) -> (SocketAddr, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let serving = thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a deadline");
        serve(stream)
    });
    (address, serving)
}
