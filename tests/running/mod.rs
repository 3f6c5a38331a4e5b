//! barewire in the test's own process, on a thread of its own.

use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use barewire::server::{Options, Server};

/// A server that runs. It ends at once when this is dropped, whoever is connected.
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    stop: UnixStream,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Running {
    /// Starts one on a free port, with the default options, but for what `set` changes.
    pub fn start(set: impl FnOnce(&mut Options)) -> Running {
        let mut options = Options { listen: (Ipv4Addr::LOCALHOST, 0).into(), ..Options::default() };
        set(&mut options);
        let (stop, stopped) = UnixStream::pair().expect("a pair of sockets");
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
    pub fn tell_to_stop(&self) {
        // It may have ended already.
        let _ = (&self.stop).write_all(b"!");
    }

    /// Waits for its end, which must be an orderly one.
    pub fn wait(&mut self) {
        let ended = self.thread.take().map(JoinHandle::join);
        if !thread::panicking() {
            assert!(matches!(ended, None | Some(Ok(Ok(())))), "the server's end: {ended:?}");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.tell_to_stop();
        self.tell_to_stop();
        self.wait();
    }
}
