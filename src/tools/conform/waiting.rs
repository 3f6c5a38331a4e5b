//! Waits for clients that choose the cases by themselves, with the requests of the Autobahn
//! TestSuite's fuzzing server, so that the loops that exist for it need no change:
//!
//! | request, on a WebSocket | what happens |
//! | --- | --- |
//! | `/getCaseCount` | one text message with the number of cases, then a close |
//! | `/runCase?case=N` | the case is played; the first has the number 1 |
//! | `/getCaseInfo?case=N` | one message with the case's number and title, in JSON |
//! | `/getCaseStatus?case=N` | one message with the verdict, in JSON: `{"behavior":"OK"}` |
//! | `/updateReports` | a close; the command writes its results and ends |
//!
//! The parameter `agent`, the name of the client, is ignored: a run tests one client.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};

use super::case::{Case, Suite, Verdict};
use super::client::ClientSession;
use super::runner::{CaseResult, Run};
use super::trial::{Finding, Trial};
use super::websocket::frame::{Frame, close, text};
use super::websocket::opening::{Compression, open};
use super::websocket::peer::{Item, Next};
use crate::protocol::http::{self, HeadError, HeadLimits, HeadScan, Query, ResponseHead, Status};
use crate::text::JsonObject;
use crate::tools::listen::listen;
use crate::tools::standard_streams::standard_error;

/// The maximum number of connections at once. Others wait to be accepted.
const MAX_CONNECTIONS: usize = 64;
/// The time that a client has for its request, and for the answer to a close frame.
const PROMPTLY: Duration = Duration::from_secs(5);
/// The time between two looks at the signals.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);
/// The time until the next look at the number of connections.
const FULL_INTERVAL: Duration = Duration::from_millis(5);
/// The seconds for which a client may leave data unacknowledged.
const UNACKNOWLEDGED: u32 = 30;
/// The number of bytes read at once from a request.
const READ_BYTES: usize = 4096;

/// The sections with invalid handshakes, in which a client cannot connect.
const HANDSHAKES: [(Suite, u16); 2] = [(Suite::WebSocket, 21), (Suite::Deflate, 2)];

/// Returns whether a client that connects by itself opens a WebSocket in the case. The loops for
/// the Autobahn TestSuite, which has no other cases, end where they cannot connect.
pub fn is_suited(case: &Case) -> bool {
    !HANDSHAKES.contains(&(case.number.suite, case.number.section))
}

/// A case as far as it was played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    NotPlayed,
    Playing,
    Played(Verdict),
}

/// What a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    CaseCount,
    /// The index of a case, from 0.
    Play(usize),
    CaseInfo(usize),
    CaseStatus(usize),
    End,
}

/// What the connections share.
struct Waiting<'w, R> {
    run: &'w Run<'w>,
    cases: &'w [&'w Case],
    progress: Mutex<Vec<Progress>>,
    /// Notified when a case has been played.
    played: Condvar,
    record_result: Mutex<R>,
    connections: AtomicUsize,
    /// Whether a client has asked for the results.
    is_over: AtomicBool,
}

/// Waits at `address`, and plays the cases that clients choose until one of them asks for the
/// results or a signal arrives. Reports each result with the index of its case.
///
/// # Errors
/// The command cannot listen at the address, or cannot wait for connections.
pub fn wait(
    run: &Run<'_>,
    address: SocketAddr,
    cases: &[&Case],
    record_result: impl FnMut(usize, CaseResult) + Send,
) -> io::Result<()> {
    let listener = listen(address, UNACKNOWLEDGED)?;
    listener.set_nonblocking(true)?;
    let mut poll = Poll::new()?;
    poll.registry().register(&mut SourceFd(&listener.as_raw_fd()), Token(0), Interest::READABLE)?;
    standard_error().write(format!("listening on ws://{}\n", listener.local_addr()?).as_bytes());
    let waiting = Waiting {
        run,
        cases,
        progress: Mutex::new(vec![Progress::NotPlayed; cases.len()]),
        played: Condvar::new(),
        record_result: Mutex::new(record_result),
        connections: AtomicUsize::new(0),
        is_over: AtomicBool::new(false),
    };
    // The connections end within the time limit of a case.
    thread::scope(|scope| {
        let mut events = Events::with_capacity(1);
        while !waiting.is_ending() {
            if waiting.connections.load(Ordering::Relaxed) >= MAX_CONNECTIONS {
                thread::sleep(FULL_INTERVAL);
                continue;
            }
            match accept(&listener)? {
                Some(stream) => {
                    waiting.connections.fetch_add(1, Ordering::Relaxed);
                    let waiting = &waiting;
                    scope.spawn(move || {
                        waiting.serve(stream);
                        waiting.connections.fetch_sub(1, Ordering::Relaxed);
                    });
                }
                None => match poll.poll(&mut events, Some(LOOK_INTERVAL)) {
                    Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
                    _ => {}
                },
            }
        }
        Ok(())
    })
}

/// Returns a connection that waits to be accepted.
fn accept(listener: &TcpListener) -> io::Result<Option<TcpStream>> {
    match listener.accept() {
        Ok((stream, _)) => Ok(Some(stream)),
        // The client may have gone before it was accepted (accept(2)).
        Err(error) => match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::Interrupted | ErrorKind::ConnectionAborted => Ok(None),
            _ => Err(error),
        },
    }
}

impl<R: FnMut(usize, CaseResult)> Waiting<'_, R> {
    /// Serves one connection to its end.
    fn serve(&self, mut stream: TcpStream) {
        // A client that sends no request gets no answer.
        let Ok((request, head)) = self.read_request(&mut stream) else { return };
        match head.map_err(|error| error.to_string()).and_then(|head| self.wish(&request[..head])) {
            Err(why) => {
                // The connection ends in any case.
                let _ = stream.write_all(&refusal(&why));
            }
            Ok(Wish::CaseCount) => self.answer(stream, request, Some(self.cases.len().to_string())),
            Ok(Wish::CaseInfo(index)) => self.answer(stream, request, Some(self.info(index))),
            Ok(Wish::CaseStatus(index)) => self.answer(stream, request, Some(self.status(index))),
            Ok(Wish::Play(index)) => self.play(index, stream, request),
            Ok(Wish::End) => {
                self.answer(stream, request, None);
                self.is_over.store(true, Ordering::Relaxed);
            }
        }
    }

    /// Reads up to the end of a request's head. Returns all bytes read, and the length of the head
    /// or the rule that it breaks.
    fn read_request(&self, stream: &mut TcpStream) -> io::Result<(Vec<u8>, Result<usize, HeadError>)> {
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(LOOK_INTERVAL))?;
        let until = Instant::now() + PROMPTLY;
        let (mut request, mut scan) = (Vec::new(), HeadScan::default());
        loop {
            if Instant::now() >= until || self.is_ending() {
                return Err(ErrorKind::TimedOut.into());
            }
            let length = request.len();
            request.resize(length + READ_BYTES, 0);
            let read = stream.read(&mut request[length..]);
            request.truncate(length + read.as_ref().map_or(0, |read| *read));
            match read {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => continue,
                    _ => return Err(error),
                },
            }
            if let Some(head) = scan.scan(&request, &HeadLimits::default()).transpose() {
                return Ok((request, head));
            }
        }
    }

    /// Returns what the head of a request asks for. The error is a text for the client.
    fn wish(&self, head: &[u8]) -> Result<Wish, String> {
        let mut scratch = http::scratch();
        let head = http::parse(head, &mut scratch, &HeadLimits::default());
        let head = head.map_err(|error| error.to_string())?;
        let (path, query) = head.target.path().ok_or("the request target has no path")?;
        let case = || match Query::new(query).get("case").and_then(Result::ok) {
            Some(number) => match number.parse::<usize>() {
                Ok(number) if (1..=self.cases.len()).contains(&number) => Ok(number - 1),
                _ => Err(format!("case={number}: the cases are 1 to {}", self.cases.len())),
            },
            None => Err("the query has no case=NUMBER".to_owned()),
        };
        match path {
            "/getCaseCount" => Ok(Wish::CaseCount),
            "/runCase" => case().map(Wish::Play),
            "/getCaseInfo" => case().map(Wish::CaseInfo),
            "/getCaseStatus" => case().map(Wish::CaseStatus),
            "/updateReports" => Ok(Wish::End),
            _ => Err("the paths are /getCaseCount, /runCase?case=N, /getCaseInfo?case=N, \
                      /getCaseStatus?case=N and /updateReports"
                .into()),
        }
    }

    fn play(&self, index: usize, stream: TcpStream, request: Vec<u8>) {
        self.progress()[index] = Progress::Playing;
        let session = ClientSession::Connected(Some((stream, request)));
        let result = self.run.play_with(self.cases[index], Some(session));
        self.progress()[index] = Progress::Played(result.verdict);
        self.played.notify_all();
        let mut record_result = self.record_result.lock().unwrap_or_else(PoisonError::into_inner);
        record_result(index, result);
    }

    /// Sends a message on a WebSocket, if there is one, and closes it.
    fn answer(&self, stream: TcpStream, request: Vec<u8>, message: Option<String>) {
        let session = ClientSession::Connected(Some((stream, request)));
        let mut trial = Trial::new(self.run.target, Some(session), PROMPTLY);
        // A client that breaks a rule here loses the answer; no case is about it.
        let _ = converse(&mut trial, message);
    }

    fn info(&self, index: usize) -> String {
        let case = self.cases[index];
        let mut info = String::new();
        JsonObject::write(&mut info, |object| {
            object.plain("id", case.number);
            object.string("description", &case.title);
        });
        info
    }

    /// Returns the verdict on a case in the words of the Autobahn TestSuite. A case that is being
    /// played is awaited, because a client may ask as soon as its connection has ended.
    fn status(&self, index: usize) -> String {
        let limit = Instant::now() + PROMPTLY;
        let mut progress = self.progress();
        while progress[index] == Progress::Playing && Instant::now() < limit {
            let wait = self.played.wait_timeout(progress, LOOK_INTERVAL);
            progress = wait.unwrap_or_else(PoisonError::into_inner).0;
        }
        let behavior = match progress[index] {
            Progress::NotPlayed | Progress::Playing => "MISSING",
            Progress::Played(Verdict::Pass) => "OK",
            Progress::Played(Verdict::Allowed) => "NON-STRICT",
            Progress::Played(Verdict::Informational) => "INFORMATIONAL",
            Progress::Played(Verdict::NotApplicable) => "UNIMPLEMENTED",
            Progress::Played(Verdict::Fail) => "FAILED",
        };
        let mut status = String::new();
        JsonObject::write(&mut status, |object| object.string("behavior", behavior));
        status
    }

    /// Returns whether no other case is started.
    fn is_ending(&self) -> bool {
        self.is_over.load(Ordering::Relaxed) || self.run.is_stopped.load(Ordering::Relaxed)
    }

    fn progress(&self) -> MutexGuard<'_, Vec<Progress>> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens a WebSocket, sends the message, and closes.
fn converse(trial: &mut Trial, message: Option<String>) -> Result<(), Finding> {
    let mut peer = open(trial, Compression::None)?;
    let mut frames: Vec<Frame> = message.into_iter().map(text).collect();
    frames.push(close(1000, ""));
    peer.send(&frames)?;
    loop {
        match peer.next(trial.deadline())? {
            Next::Item(Item::Close(_)) => peer.connection.finish_sending(),
            Next::Item(Item::Broken(_) | Item::AfterClose) | Next::Ended(_) | Next::Quiet => return Ok(()),
            Next::Item(_) => {}
        }
    }
}

/// Returns the response to a request that is none of this module's.
fn refusal(why: &str) -> Vec<u8> {
    let body = format!("{why}\n");
    let mut response = Vec::new();
    ResponseHead::start(&mut response, Status::BAD_REQUEST)
        .field("Content-Type", "text/plain; charset=utf-8")
        .field("Connection", "close")
        .length(body.len())
        .end();
    response.extend_from_slice(body.as_bytes());
    response
}
