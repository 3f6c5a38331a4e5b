//! Servers that hang, flood or close at any point: each case gets its verdict in time, and the
//! command's memory stays bounded.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use barewire::protocol::websocket::server_handshake::accept_key;

use super::command::{Played, alone, at_once, conform, played};

/// The limit of each case, in seconds.
const LIMIT: u64 = 1;
/// The cases at once.
const JOBS: usize = 8;
/// The most that a case may take beyond its limit, on a busy machine.
const SLACK: Duration = Duration::from_secs(15);
/// The most memory that the command may use at any time, in KiB.
const MEMORY: u64 = 512 << 10;
/// The number of cases that are played, out of all.
const CASES: usize = 16;

/// How a server ends what it sends.
#[derive(Clone, Copy)]
enum Then {
    /// It sends nothing more, and keeps the connection open.
    Hangs,
    Closes,
    /// It repeats these bytes as fast as the client reads.
    Floods(&'static [u8]),
    /// It repeats these bytes slowly.
    Trickles(&'static [u8]),
}

/// A server that does the same on each connection.
#[derive(Clone, Copy)]
struct Hostile {
    name: &'static str,
    /// Whether it reads a request first.
    reads: bool,
    /// Whether it accepts a handshake, and sends the rest only then.
    upgrades: bool,
    start: &'static [u8],
    then: Then,
}

const fn plain(name: &'static str, start: &'static [u8], then: Then) -> Hostile {
    Hostile { name, reads: true, upgrades: false, start, then }
}

const fn upgraded(name: &'static str, start: &'static [u8], then: Then) -> Hostile {
    Hostile { name, reads: true, upgrades: true, start, then }
}

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{";
const CHUNKED: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
const UNTIL_CLOSE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";
const SWITCHING: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: web";
const KILOBYTE: &[u8] = &[b'a'; 1024];

/// What the servers do, in the order of the bytes that a client expects.
const SERVERS: &[Hostile] = &[
    Hostile { name: "never reads", reads: false, upgrades: false, start: b"", then: Then::Hangs },
    Hostile { name: "closes at once", reads: false, upgrades: false, start: b"", then: Then::Closes },
    plain("reads and says nothing", b"", Then::Hangs),
    plain("closes after the request", b"", Then::Closes),
    plain("hangs in the status line", b"HTTP/1.1 2", Then::Hangs),
    plain("closes in the status line", b"HTTP/1.1 2", Then::Closes),
    plain("hangs in the head", SWITCHING, Then::Hangs),
    plain("closes in the head", SWITCHING, Then::Closes),
    plain("hangs in the body", OK, Then::Hangs),
    plain("closes in the body", OK, Then::Closes),
    plain("floods bytes", b"", Then::Floods(KILOBYTE)),
    plain("floods the status line", b"HTTP/1.1 200 ", Then::Floods(KILOBYTE)),
    plain("floods field lines", b"HTTP/1.1 200 OK\r\n", Then::Floods(b"A: b\r\n")),
    plain("trickles field lines", b"HTTP/1.1 200 OK\r\n", Then::Trickles(b"A: b\r\n")),
    plain("floods interim responses", b"", Then::Floods(b"HTTP/1.1 103 Early Hints\r\n\r\n")),
    plain("trickles interim responses", b"", Then::Trickles(b"HTTP/1.1 103 Early Hints\r\n\r\n")),
    plain("floods responses", b"", Then::Floods(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")),
    plain("floods the body", UNTIL_CLOSE, Then::Floods(KILOBYTE)),
    plain("floods chunks", CHUNKED, Then::Floods(b"1\r\na\r\n")),
    plain("trickles chunks", CHUNKED, Then::Trickles(b"1\r\na\r\n")),
    plain(
        "floods a chunk extension",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;",
        Then::Floods(KILOBYTE),
    ),
    plain("floods events", UNTIL_CLOSE, Then::Floods(b"id: 1\ndata: a\n\n")),
    plain("trickles events", UNTIL_CLOSE, Then::Trickles(b"id: 1\ndata: a\n\n")),
    plain("floods comments", UNTIL_CLOSE, Then::Floods(b":\n")),
    plain("trickles comments", UNTIL_CLOSE, Then::Trickles(b":\n\n")),
    plain("floods a line of data", UNTIL_CLOSE, Then::Floods(b"data: a\n")),
    upgraded("opens and hangs", b"", Then::Hangs),
    upgraded("opens and closes", b"", Then::Closes),
    upgraded("hangs in a header", b"\x81", Then::Hangs),
    upgraded("closes in a header", b"\x81", Then::Closes),
    upgraded("hangs in a payload", b"\x81\x05He", Then::Hangs),
    upgraded("closes in a payload", b"\x81\x05He", Then::Closes),
    upgraded("hangs after its close frame", b"\x88\x02\x03\xe8", Then::Hangs),
    upgraded("floods after its close frame", b"\x88\x02\x03\xe8", Then::Floods(KILOBYTE)),
    upgraded("floods pings", b"", Then::Floods(b"\x89\x00")),
    upgraded("trickles pings", b"", Then::Trickles(b"\x89\x00")),
    upgraded("floods messages", b"", Then::Floods(b"\x81\x05Hello")),
    upgraded("floods fragments", b"\x01\x00", Then::Floods(b"\x00\x05Hello")),
    upgraded("trickles empty fragments", b"\x01\x00", Then::Trickles(b"\x00\x00")),
    upgraded("floods an endless frame", b"\x82\x7f\x00\x00\x00\xff\xff\xff\xff\xff", Then::Floods(KILOBYTE)),
    upgraded("trickles an endless frame", b"\x82\x7f\x00\x00\x00\xff\xff\xff\xff\xff", Then::Trickles(b"a")),
];

impl Hostile {
    /// Serves connections until the test ends.
    fn serve(self, listener: &TcpListener) {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || {
                // The client has ended the connection.
                let _ = self.serve_one(stream);
            });
        }
    }

    fn serve_one(self, mut stream: TcpStream) -> io::Result<()> {
        if self.reads {
            let mut request = Vec::new();
            while !request.windows(4).any(|part| part == b"\r\n\r\n") {
                let mut part = [0; 4096];
                match stream.read(&mut part)? {
                    0 => break,
                    length => request.extend_from_slice(&part[..length]),
                }
            }
            if self.upgrades {
                stream.write_all(&switching(&request))?;
            }
        }
        stream.write_all(self.start)?;
        match self.then {
            Then::Hangs => {
                // Whatever arrives is read, so that the client can send all of it, except by a
                // server that reads nothing at all.
                while self.reads && stream.read(&mut [0; 4096])? > 0 {}
                thread::sleep(Duration::from_secs(2 * LIMIT) + SLACK);
                Ok(())
            }
            Then::Closes => stream.shutdown(Shutdown::Both),
            Then::Floods(bytes) => {
                let block = bytes.repeat(64 * 1024 / bytes.len());
                loop {
                    stream.write_all(&block)?;
                }
            }
            Then::Trickles(bytes) => loop {
                stream.write_all(bytes)?;
                thread::sleep(Duration::from_millis(20));
            },
        }
    }
}

/// Returns the response to a handshake.
fn switching(request: &[u8]) -> Vec<u8> {
    let request = String::from_utf8_lossy(request);
    let key = request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
    let accept = accept_key(key.unwrap_or_default().as_bytes());
    let accept = String::from_utf8_lossy(&accept);
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    )
    .into_bytes()
}

/// Returns some cases of each suite: a part of a list of all that test servers.
fn some_cases() -> Vec<String> {
    let arguments = ["conform", "server", "http://127.0.0.1:1", "--adapter", "barewire", "--list"];
    let listed = Command::new(env!("CARGO_BIN_EXE_barewire")).args(arguments).output();
    let list = String::from_utf8(listed.expect("the command starts").stdout).expect("UTF-8");
    let numbers = list.lines().filter_map(|line| line.split_whitespace().next());
    let numbers: Vec<&str> = numbers.filter(|word| word.contains('/')).collect();
    numbers.iter().step_by((numbers.len() / CASES).max(1)).map(|number| (*number).to_owned()).collect()
}

/// Returns the peak of the memory of a process, in KiB, if the system tells.
fn peak_memory(id: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse().ok()
}

/// Runs cases against one server. Returns what is wrong about the run.
fn play(server: Hostile, cases: &[String]) -> Result<(), String> {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("a bound address");
    thread::spawn(move || server.serve(&listener));
    let (limit, jobs) = (LIMIT.to_string(), JOBS.to_string());
    let mut options = vec!["--timeout", &limit, "-j", &jobs];
    options.extend(cases.iter().flat_map(|number| ["--only", number]));
    let start = Instant::now();
    let mut command = Command::new(env!("CARGO_BIN_EXE_barewire"));
    command.args(conform(address, &options)).stdin(Stdio::null());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the command starts");
    let id = child.id();
    let output = thread::spawn(move || child.wait_with_output().expect("the command's output"));
    let mut memory = 0;
    while !output.is_finished() {
        memory = memory.max(peak_memory(id).unwrap_or(0));
        thread::sleep(Duration::from_millis(20));
    }
    let output = output.join().expect("the thread does not panic");
    let time = start.elapsed();
    if memory > MEMORY {
        return Err(format!("{}: {memory} KiB of memory", server.name));
    }
    if !matches!(output.status.code(), Some(0 | 1)) {
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(format!("{}: {}: {errors}", server.name, output.status));
    }
    let played = played(&output);
    let rounds = u32::try_from(cases.len().div_ceil(JOBS)).expect("few rounds");
    let limit = Duration::from_secs(LIMIT) + SLACK;
    let late: Vec<_> = played.iter().filter(|case| case.time > limit).collect();
    if played.len() != cases.len() {
        return Err(format!("{}: {} verdicts on {} cases", server.name, played.len(), cases.len()));
    }
    if !played.iter().any(Played::is_failure) {
        return Err(format!("{}: no case fails", server.name));
    }
    if !late.is_empty() || time > limit * rounds {
        return Err(format!("{}: {time:?} in all; late: {late:?}", server.name));
    }
    Ok(())
}

#[test]
fn a_hostile_server_gets_a_verdict_in_time_and_within_bounded_memory() {
    let _alone = alone();
    let cases = some_cases();
    let wrong = at_once(SERVERS, |server| play(*server, &cases).err());
    let wrong: Vec<String> = wrong.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
