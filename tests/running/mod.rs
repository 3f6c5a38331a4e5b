//! Runs barewire in the test's own process, on a separate thread.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use barewire::app::{App, Bound, Handle};
use barewire::server::Options;

/// A running server. Dropping it ends the server at once, even with open connections.
pub struct Running {
    /// The listening address.
    pub address: SocketAddr,
    handle: Handle<()>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Running {
    /// Starts a server on a free port, with the default options except for those that `set`
    /// changes.
    pub fn start(set: impl FnOnce(&mut Options)) -> Running {
        let mut options = Options { listen: (Ipv4Addr::LOCALHOST, 0).into(), ..Options::default() };
        set(&mut options);
        // A server must stay on the thread that created it, so the thread reports the address.
        let (sender, receiver) = mpsc::channel();
        let thread = thread::spawn(move || {
            let server = with_wire_view(options)?;
            // The receiver is gone only if the test is already over.
            let _ = sender.send((server.local_addr(), server.handle()));
            server.run()
        });
        let (address, handle) = receiver.recv().expect("a free port");
        Running { address, handle, thread: Some(thread) }
    }

    /// Signals the server to stop. The first signal drains every connection; the second ends the
    /// server at once.
    pub fn signal_stop(&self) {
        self.handle.stop();
    }

    /// Waits for the server's end, which must be orderly.
    pub fn wait(&mut self) {
        let ended = self.thread.take().map(JoinHandle::join);
        if !thread::panicking() {
            assert!(matches!(ended, None | Some(Ok(Ok(())))), "the server ended with {ended:?}");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.signal_stop();
        self.signal_stop();
        self.wait();
    }
}

/// Binds a server, with the wire view if the options open it and this build has it.
fn with_wire_view(options: Options) -> io::Result<Bound<()>> {
    let is_open = options.observation.exists_on(options.listen.ip().to_canonical().is_loopback());
    let server = App::standard().bind(options)?;
    #[cfg(feature = "cli")]
    if is_open {
        use barewire::tools::serve::{WireOptions, WireView};
        return Ok(server.observed_by(Box::new(WireView::new(&WireOptions::default())?)));
    }
    let _ = is_open;
    Ok(server)
}
