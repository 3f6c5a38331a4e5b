//! A server in this process, on a free port, with a thread of its own.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use barewire::hub::Limits;
use barewire::server::{Options, Server};

/// A server that runs, and ends with this value.
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    stop: UnixStream,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Running {
    /// Starts one that keeps no more than `limits`.
    pub fn start(limits: Limits) -> Running {
        let (stop, stopped) = UnixStream::pair().expect("a pair of sockets");
        let options = Options { listen: ([127, 0, 0, 1], 0).into(), hub: limits, ..Options::default() };
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

    /// Tells it to end: once to bring every connection to its end, a second time to end at once.
    pub fn tell_to_stop(&mut self) {
        // It may have ended already.
        let _ = self.stop.write_all(b"!");
    }

    /// Waits for its end, which must be an orderly one.
    pub fn wait(mut self) {
        let thread = self.thread.take().expect("it is waited for but once");
        thread.join().expect("the server does not panic").expect("the loop has no error");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.tell_to_stop();
        self.tell_to_stop();
    }
}
