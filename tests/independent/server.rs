//! A server in this process, on a free port, with a thread of its own.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use barewire::server::{Options, Server};

/// A server that runs, and ends with this value.
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    stop: UnixStream,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Running {
    /// Starts one on a free port.
    pub fn start() -> Running {
        Running::start_at(([127, 0, 0, 1], 0).into())
    }

    /// Starts one at this address.
    pub fn start_at(listen: SocketAddr) -> Running {
        let (stop, stopped) = UnixStream::pair().expect("a pair of sockets");
        let options = Options { listen, ..Options::default() };
        // A server lives on the thread that made it; where it listens comes back from there.
        let (tell, told) = mpsc::channel();
        let thread = thread::spawn(move || {
            let server = Server::bind(options, Some(stopped))?;
            // Nobody listens only if the test is over already.
            let _ = tell.send(server.local_addr());
            server.run()
        });
        let address = told.recv().expect("a free port");
        Running { address, stop, thread: Some(thread) }
    }

    /// Where a topic is.
    pub fn topic(&self, scheme: &str, name: &str) -> String {
        format!("{scheme}://{}/topics/{name}", self.address)
    }

    /// Brings every connection to its end, and waits for the server's own.
    pub fn drain(self) {
        self.end(b"!");
    }

    /// Ends at once, whoever is connected.
    pub fn stop(self) {
        self.end(b"!!");
    }

    fn end(mut self, told: &[u8]) {
        self.stop.write_all(told).expect("it runs");
        let thread = self.thread.take().expect("it is ended but once");
        thread.join().expect("the server does not panic").expect("the loop has no error");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have been stopped already; the second one does not wait for anybody.
        let _ = self.stop.write_all(b"!!");
    }
}
