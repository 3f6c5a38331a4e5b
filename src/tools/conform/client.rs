//! A client under test: started for each case, or connected by itself.

use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender, TrySendError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::finding::Finding;
use crate::wire::printable;

/// The time between two looks for a connection.
const ACCEPT_INTERVAL: Duration = Duration::from_millis(2);

/// What a case expects that finds no client.
pub const CONNECTS: &str = "a client that connects";

/// The number of lines that may wait to be read. Further ones are dropped.
const MAX_LINES: usize = 1000;

/// The longest line that a client may print, in bytes: more than any case sends. The rest of a line
/// is dropped.
const MAX_LINE: u64 = 4 << 20;

/// The number of bytes kept of what a client writes to standard error.
const MAX_ERRORS: usize = 4096;

/// The time that a client has to write its last words, after its end.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// The client during one case.
pub enum ClientSession {
    /// A process that was started for the case.
    Started(StartedClient),
    /// A client that chose the case with its request, and has one connection.
    Connected(Option<(TcpStream, Vec<u8>)>),
}

/// A process that was started for the case, and its own listener.
pub struct StartedClient {
    listener: TcpListener,
    /// The command, until the URL is known.
    command: String,
    child: Option<Child>,
    lines: Option<Receiver<String>>,
    /// The end of what it has written to standard error.
    errors: Arc<Mutex<Vec<u8>>>,
}

impl ClientSession {
    /// Prepares a case with its own listener. [`start`](Self::start) starts the client.
    ///
    /// # Errors
    /// A finding: there is no port to listen on.
    pub fn prepare(command: &str, host: std::net::IpAddr) -> Result<Self, Finding> {
        let unusable = |error| Finding::failed("a port to listen on", error);
        let listener = TcpListener::bind(SocketAddr::new(host, 0)).map_err(unusable)?;
        listener.set_nonblocking(true).map_err(unusable)?;
        let command = command.to_owned();
        Ok(Self::Started(StartedClient {
            listener,
            command,
            child: None,
            lines: None,
            errors: Arc::default(),
        }))
    }

    /// Starts the client, if the suite starts it, with a URL of this scheme and path.
    ///
    /// # Errors
    /// A finding: the shell cannot be started.
    pub fn start(&mut self, scheme: &str, path: &str) -> Result<(), Finding> {
        let Self::Started(client) = self else { return Ok(()) };
        if client.child.is_some() {
            return Ok(());
        }
        let unusable = |error| Finding::failed("a client that can be started", error);
        let address = client.listener.local_addr().map_err(unusable)?;
        let command = client.command.replace("{url}", &format!("{scheme}://{address}{path}"));
        let mut child = shell(&command).map_err(unusable)?;
        let (sender, lines) = mpsc::sync_channel(MAX_LINES);
        if let Some(output) = child.stdout.take() {
            thread::spawn(move || read_lines(output, &sender));
        }
        if let Some(output) = child.stderr.take() {
            let errors = Arc::clone(&client.errors);
            thread::spawn(move || keep_end(output, &errors));
        }
        (client.child, client.lines) = (Some(child), Some(lines));
        Ok(())
    }

    /// Returns the host and port of the URL, if the suite starts the client.
    pub fn authority(&self) -> Option<String> {
        let Self::Started(client) = self else { return None };
        client.listener.local_addr().ok().map(|address| address.to_string())
    }

    /// Ends the client, so that it can be started again.
    pub fn stop(&mut self) {
        if let Self::Started(client) = self {
            client.stop();
        }
    }

    /// Waits for the client's next connection, and returns it with the bytes that were already read
    /// from it.
    ///
    /// # Errors
    /// A finding: the client does not connect in time, or the process ends without connecting.
    pub fn accept(&mut self, until: Instant) -> Result<(TcpStream, Vec<u8>), Finding> {
        let client = match self {
            Self::Started(client) => client,
            Self::Connected(connection) => {
                let why = "the case needs a second connection: start the client with --run";
                return connection.take().ok_or_else(|| Finding::NotApplicable(why.into()));
            }
        };
        loop {
            match client.listener.accept() {
                Ok((stream, _)) => return Ok((stream, Vec::new())),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(Finding::failed(CONNECTS, error)),
            }
            if let Some(Ok(Some(status))) = client.child.as_mut().map(Child::try_wait) {
                // A connection may have arrived just before the end.
                return match client.listener.accept() {
                    Ok((stream, _)) => Ok((stream, Vec::new())),
                    Err(_) => Err(Finding::failed(CONNECTS, client.last_words(status))),
                };
            }
            if Instant::now() >= until {
                return Err(Finding::failed(CONNECTS, "no connection in time"));
            }
            thread::sleep(ACCEPT_INTERVAL);
        }
    }

    /// Returns the next line that the client prints before `until`; `None` if there is none.
    ///
    /// # Errors
    /// The case is not applicable, because the suite did not start the client.
    pub fn line(&mut self, until: Instant) -> Result<Option<String>, Finding> {
        let why = "the case reads what the client prints: start it with --run";
        let Self::Started(StartedClient { lines: Some(lines), .. }) = self else {
            return Err(Finding::NotApplicable(why.into()));
        };
        match lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(line) => Ok(Some(line)),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Ok(None),
        }
    }
}

impl StartedClient {
    fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // All processes of its group: the client may be the child of a script. Those that have
            // ended by themselves are no error.
            let group = format!("kill -9 -{} 2>/dev/null", child.id());
            let _ = Command::new("/bin/sh").args(["-c", &group]).stdin(Stdio::null()).status();
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Returns how the process has ended, with the end of what it wrote to standard error.
    fn last_words(&self, status: ExitStatus) -> String {
        thread::sleep(LAST_WORDS);
        let errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        match String::from_utf8_lossy(&errors).trim() {
            "" => format!("the client has ended: {status}"),
            text => {
                let last = text.lines().next_back().unwrap_or_default();
                format!("the client has ended: {status}: {}", printable(last.as_bytes()))
            }
        }
    }
}

/// Sends each line of the output, with U+FFFD for what is not UTF-8. A client that prints more than
/// is read goes on: what it prints is dropped.
fn read_lines(output: impl Read, lines: &SyncSender<String>) {
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    loop {
        line.clear();
        match output.by_ref().take(MAX_LINE).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        if line.last() != Some(&b'\n') && output.skip_until(b'\n').is_err() {
            return;
        }
        let text = String::from_utf8_lossy(&line);
        match lines.try_send(text.trim_end_matches(['\n', '\r']).to_owned()) {
            Ok(()) | Err(TrySendError::Full(_)) => {}
            Err(TrySendError::Disconnected(_)) => return,
        }
    }
}

/// Keeps the end of the output.
fn keep_end(mut output: impl Read, kept: &Mutex<Vec<u8>>) {
    let mut buffer = [0; MAX_ERRORS];
    while let Ok(read @ 1..) = output.read(&mut buffer) {
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend_from_slice(&buffer[..read]);
        let surplus = kept.len().saturating_sub(MAX_ERRORS);
        kept.drain(..surplus);
    }
}

impl Drop for StartedClient {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Starts the command line in a shell. Its process group is its own: a Ctrl-C ends the run, but no
/// case that is being played.
fn shell(command: &str) -> std::io::Result<Child> {
    let mut shell = Command::new("/bin/sh");
    shell.arg("-c").arg(command).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    shell.process_group(0).spawn()
}

/// The address that clients on this machine connect to.
pub const LOOPBACK: std::net::IpAddr = std::net::IpAddr::V4(Ipv4Addr::LOCALHOST);
