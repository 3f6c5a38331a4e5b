//! A server for the conformance suite that is correct except for one fault, if it has any.
//!
//! It shares the parsers of barewire, but not its server: one thread with a blocking socket serves
//! each connection, so each rule is one visible line, which a [`Fault`] switches off.

mod compression;
mod connection;
mod echo;
mod fault;
mod frames;
mod handshake;
mod hold;
mod http;
mod request;
mod respond;
mod rewrite;
mod text;
mod topics;

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use connection::Connection;
pub use fault::Fault;
use topics::Topics;

/// The state that all connections share.
struct Shared {
    fault: Option<Fault>,
    topics: Topics,
    is_stopped: AtomicBool,
}

impl Shared {
    fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    fn is_stopped(&self) -> bool {
        self.is_stopped.load(Ordering::Relaxed)
    }
}

/// A running server. It stops when this value is dropped.
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts a server with this fault on a free port.
    pub fn start(fault: Option<Fault>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a bound address");
        let shared =
            Arc::new(Shared { fault, topics: Topics::default(), is_stopped: AtomicBool::new(false) });
        let of_thread = Arc::clone(&shared);
        let thread = Some(thread::spawn(move || accept(&listener, &of_thread)));
        Server { address, shared, thread }
    }

    /// Returns the address on which the server listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.is_stopped.store(true, Ordering::Relaxed);
        // The thread waits for a connection, so this one ends it.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        if shared.is_stopped() {
            return;
        }
        if let Ok(stream) = stream {
            let shared = Arc::clone(shared);
            // The thread ends with its connection, or at the next check of `is_stopped`.
            thread::spawn(move || {
                if let Ok(connection) = Connection::new(stream, shared) {
                    http::serve(connection);
                }
            });
        }
    }
}
