//! Standard output, standard error and files that are full, closed, or read by nobody.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, PipeReader, PipeWriter, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;

use barewire::wire::Side;
use barewire::wire::record::Reader;

use crate::harness::{
    Connection, EventStream, Opcode, Program, Request, WebSocket, command, eventually, run,
};

/// A request whose line in the log, and whose bytes in the wire view, are long.
fn long_request() -> Request {
    Request::get(format!("/{}", "x".repeat(4000)))
}

/// A device on which every write fails, as on a full disk.
fn full() -> File {
    File::options().write(true).open("/dev/full").expect("Linux has it")
}

/// Returns the writing end of a pipe whose reader is gone.
fn without_reader() -> PipeWriter {
    io::pipe().expect("two descriptors").1
}

/// Starts a server with this standard error.
fn serve(arguments: &[&str], errors: impl Into<Stdio>) -> Program {
    let mut command = command();
    command.args(["serve", "--listen", "127.0.0.1:0"]).args(arguments);
    Program::start_with(command.stderr(errors))
}

/// Runs a command with this standard output and standard error.
fn run_into(arguments: &[&str], output: impl Into<Stdio>, errors: impl Into<Stdio>) -> Output {
    command().args(arguments).stdin(Stdio::null()).stdout(output).stderr(errors).output().expect("it starts")
}

fn errors(output: &Output) -> &str {
    str::from_utf8(&output.stderr).expect("UTF-8")
}

/// Sends requests on one connection, and reads each response.
fn send_requests(connection: &mut Connection, request: &Request, count: usize) {
    for _ in 0..count {
        connection.send(request.bytes());
        assert!([404, 414].contains(&connection.response().status));
    }
}

fn dropped_lines(program: &Program) -> u64 {
    let metrics = program.request(&Request::get("/metrics"));
    let line = metrics.text().lines().find_map(|line| line.strip_prefix("barewire_log_lines_dropped_total "));
    line.expect("the metric").parse().expect("a number")
}

/// Sends SIGTERM, and checks that the server ends in order and soon.
fn terminate(mut program: Program) {
    program.signal("TERM");
    eventually(|| program.status().is_some());
    assert_eq!(program.status().and_then(|status| status.code()), Some(0));
}

/// Reads a pipe on another thread, so that its writer goes on.
fn read_to_end(mut reader: PipeReader) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut text = String::new();
        reader.read_to_string(&mut text).expect("UTF-8");
        text
    })
}

/// A file or a folder that is removed at the end of the test.
pub struct Temporary(pub PathBuf);

impl Temporary {
    pub fn new(name: &str) -> Temporary {
        Temporary(std::env::temp_dir().join(format!("barewire-outputs-{name}-{}", std::process::id())))
    }

    pub fn pipe(name: &str) -> Temporary {
        let pipe = Temporary::new(name);
        let status = Command::new("mkfifo").arg(&pipe.0).status().expect("mkfifo is installed");
        assert!(status.success());
        pipe
    }

    pub fn path(&self) -> &str {
        self.0.to_str().expect("UTF-8")
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // The test may not have created it.
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn a_log_that_nobody_reads_is_dropped_and_counted_while_everyone_is_served() {
    let short_request = Request::get("/nowhere");
    // The queue holds 1 MiB of the log, and 4 MiB with the wire view.
    for (arguments, request, requests) in [
        (&["--log", "text"][..], long_request(), 600),
        (&["--log", "json"], long_request(), 600),
        (&["--wire", "--quiet"], short_request.clone(), 1500),
        (&["--wire", "--log", "json"], short_request, 1500),
    ] {
        let (reader, writer) = io::pipe().expect("two descriptors");
        let program = serve(arguments, writer);
        let mut stream = EventStream::open(program.begin(&Request::event_stream("/topics/a")), true);
        stream.first_block();
        send_requests(&mut program.connect(), &request, requests);
        assert!(dropped_lines(&program) > 0, "{arguments:?}: the queue is bounded");
        program.request(&Request::post("/topics/a", "x")).id();
        assert_eq!(stream.event().expect("an event").data, "x", "{arguments:?}");
        drop(stream);
        terminate(program);
        drop(reader);
    }
}

#[test]
fn the_log_says_how_many_lines_are_missing_when_it_is_read_again() {
    for (form, start, end) in [
        ("text", "barewire: ", " lines of the log were dropped, because standard error did not accept them"),
        (
            "json",
            "\"message\":\"",
            " lines of the log were dropped, because standard error did not accept them\"}",
        ),
    ] {
        let (reader, writer) = io::pipe().expect("two descriptors");
        let program = serve(&["--log", form], writer);
        send_requests(&mut program.connect(), &long_request(), 600);
        let dropped = dropped_lines(&program);
        let log = read_to_end(reader);
        // The writer has caught up when it accepts lines again.
        eventually(|| {
            let before = dropped_lines(&program);
            before == dropped_lines(&program)
        });
        let dropped_later = dropped_lines(&program);
        program.request(&Request::get("/after"));
        terminate(program);
        let log = log.join().expect("no panic");
        let notices: Vec<u64> = log
            .lines()
            .filter_map(|line| line[line.find(start)? + start.len()..].strip_suffix(end)?.parse().ok())
            .collect();
        assert!(notices.iter().sum::<u64>() >= dropped, "{notices:?}");
        assert_eq!(notices.iter().sum::<u64>(), dropped_later, "{notices:?}");
        let lines: Vec<&str> = log.lines().collect();
        assert!(lines.last().is_some_and(|line| line.contains("/after")), "{:?}", lines.last());
        assert!(form == "text" || lines.iter().all(|line| line.starts_with('{') && line.ends_with('}')));
    }
}

#[test]
fn a_full_or_closed_standard_error_does_not_end_the_server() {
    for arguments in [&["--log", "text"][..], &["--wire"], &["--wire", "--log", "json"]] {
        let outputs: [(Stdio, bool); 3] =
            [(full().into(), true), (without_reader().into(), true), (Stdio::null(), false)];
        for (output, is_dropped) in outputs {
            let program = serve(arguments, output);
            for _ in 0..3 {
                assert_eq!(program.request(&Request::get("/health")).status, 200);
            }
            if is_dropped {
                eventually(|| dropped_lines(&program) >= 3);
            }
            terminate(program);
        }
    }
}

#[test]
fn a_second_signal_ends_the_server_whose_outputs_are_blocked() {
    let (reader, writer) = io::pipe().expect("two descriptors");
    let mut program = serve(&["--wire", "--close-timeout", "3600", "--drain-timeout", "3600"], writer);
    let mut socket = WebSocket::open(program.begin(&Request::handshake("/echo")), false);
    send_requests(&mut program.connect(), &long_request(), 100);
    program.signal("TERM");
    assert_eq!(socket.close().0, 1001);
    assert_eq!(program.status(), None);
    program.signal("INT");
    eventually(|| program.status().is_some());
    drop(reader);
}

#[test]
fn sighup_drains_unless_it_was_ignored_at_the_start() {
    // The tests themselves may run under nohup.
    let mut handled = Command::new("env");
    handled.args([
        "--default-signal=HUP",
        env!("CARGO_BIN_EXE_barewire"),
        "--listen",
        "127.0.0.1:0",
        "--quiet",
    ]);
    let program = Program::start_with(handled.stderr(Stdio::piped()));
    let mut socket = WebSocket::open(program.begin(&Request::handshake("/echo")), false);
    program.signal("HUP");
    assert_eq!(socket.close().0, 1001);
    socket.send(Opcode::Close, 1001_u16.to_be_bytes());
    let (status, _, errors) = program.wait();
    assert_eq!((status.code(), errors.as_str()), (Some(0), ""));

    let mut shell = Command::new("sh");
    shell.args([
        "-c",
        "trap '' HUP; exec \"$0\" --listen 127.0.0.1:0 --quiet",
        env!("CARGO_BIN_EXE_barewire"),
    ]);
    let program = Program::start_with(shell.stderr(Stdio::piped()));
    program.signal("HUP");
    assert_eq!(program.request(&Request::get("/health")).status, 200);
    terminate(program);
}

/// Connects to a server whose first line cannot be read.
fn connect_to(address: SocketAddr) -> Connection {
    eventually(|| TcpStream::connect(address).is_ok());
    Connection::to(address)
}

#[test]
fn a_first_line_that_nobody_reads_does_not_stop_the_server() {
    // No other test uses this address, so its ports stay free.
    let address = TcpListener::bind("127.0.0.78:0").expect("a free port").local_addr().expect("an address");
    let (reader, mut writer) = io::pipe().expect("two descriptors");
    writer.write_all(&[b'x'; 64 << 10]).expect("the size of a pipe");
    for output in [Stdio::from(writer), full().into(), without_reader().into(), Stdio::null()] {
        let mut command = command();
        command.args(["--listen", &address.to_string()]).stdout(output).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let mut connection = connect_to(address);
        connection.send(Request::get("/health").bytes());
        assert_eq!(connection.response().status, 200);
        let kill = format!("kill -s TERM {}", child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().expect("sh is installed").success());
        drop(connection);
        eventually(|| child.try_wait().expect("a child").is_some());
        assert_eq!(child.wait().expect("a child").code(), Some(0));
    }
    drop(reader);
    let mut command = command();
    command.args(["--listen", "127.0.0.1:0", "--quiet"]).stdout(full()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let mut errors = io::BufReader::new(child.stderr.take().expect("a pipe"));
    let mut line = String::new();
    io::BufRead::read_line(&mut errors, &mut line).expect("a line");
    // The end of the process does not matter.
    let _ = child.kill().and_then(|()| child.wait());
    assert!(line.starts_with("barewire: standard output: No space left on device"), "{line}");
    assert!(line.contains("the server listens on http://127.0.0.1:"), "{line}");
}

#[test]
fn a_failed_message_does_not_change_the_result_of_a_command() {
    let server = Program::start(&["--quiet"]);
    let url = format!("http://{}/topics/a", server.address());
    server.request(&Request::post("/topics/a", "data")).id();
    let follow = ["follow", "--since", "start", "--count", "1", &url];
    for errors in [Stdio::from(full()), without_reader().into()] {
        let output = run_into(&follow, Stdio::piped(), errors);
        assert_eq!((output.status.code(), &*output.stdout), (Some(0), &b"data\n"[..]));
    }
    // The messages of a command fill a pipe of 64 KiB only if it runs long, so this one is full.
    let (reader, mut writer) = io::pipe().expect("two descriptors");
    writer.write_all(&[b'x'; 64 << 10]).expect("the size of a pipe");
    let output = run_into(&follow, Stdio::piped(), writer);
    assert_eq!((output.status.code(), &*output.stdout), (Some(0), &b"data\n"[..]));
    drop(reader);
    for (arguments, status) in
        [(&["nonsense"][..], 2), (&["follow"], 2), (&["explain", "/none/there"], 2), (&["bench", "x"], 2)]
    {
        let output = run_into(arguments, Stdio::piped(), full());
        assert_eq!(output.status.code(), Some(status), "{arguments:?}");
    }
}

#[test]
fn follow_fails_if_an_event_could_not_be_written_but_not_if_nobody_reads() {
    let server = Program::start(&["--quiet"]);
    let url = format!("http://{}/topics/a", server.address());
    let id = server.request(&Request::post("/topics/a", "data")).id();
    for form in [&[][..], &["--json"]] {
        let follow = [&["follow", "--quiet", "--since", "start", "--count", "1", &url], form].concat();
        let output = run_into(&follow, full(), Stdio::piped());
        assert_eq!(output.status.code(), Some(1));
        let message = errors(&output);
        assert!(message.contains("standard output: No space left on device"), "{message}");
        assert!(message.contains(&id), "{message}");
        let output = run_into(&follow, without_reader(), Stdio::piped());
        assert_eq!((output.status.code(), errors(&output)), (Some(0), ""));
    }
}

#[test]
fn follow_ends_with_the_reader_of_its_output_although_no_event_follows() {
    let server = Program::start(&["--quiet"]);
    let url = format!("http://{}/topics/a", server.address());
    server.request(&Request::post("/topics/a", "only")).id();
    for via in ["short-poll", "long-poll", "sse", "websocket"] {
        let arguments = ["follow", "--via", via, "--since", "start", "--interval", "86400", &url];
        let mut child = command()
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut output = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut line = String::new();
        output.read_line(&mut line).expect("an event");
        assert_eq!(line, "only\n", "{via}");
        drop(output);
        // The test would wait here forever.
        let output = child.wait_with_output().expect("a child process");
        assert_eq!(output.status.code(), Some(0), "{via}");
        assert_eq!(errors(&output), format!("barewire: following via {via}\n"));
    }
}

#[test]
fn publish_says_that_an_event_whose_id_could_not_be_written_is_published() {
    let server = Program::start(&["--quiet"]);
    let url = format!("http://{}/topics/a", server.address());
    let output = run_into(&["publish", &url, "one", "two"], full(), Stdio::piped());
    assert_eq!(output.status.code(), Some(1));
    let kept = server.request(&Request::get("/topics/a?since=start"));
    let events = kept.events();
    assert_eq!(events.iter().map(|event| &*event.data).collect::<Vec<_>>(), ["one"]);
    let message = errors(&output);
    assert!(message.contains(&format!("the event {} is published", events[0].id)), "{message}");
    assert!(message.contains("standard output: No space left on device"), "{message}");
    // A reader that has gone does not stop publishing.
    let output = run_into(&["publish", &url, "two", "three"], without_reader(), Stdio::piped());
    assert_eq!((output.status.code(), errors(&output)), (Some(0), ""));
    assert_eq!(server.request(&Request::get("/topics/a?since=start")).events().len(), 3);
}

#[test]
fn every_command_reports_data_that_it_could_not_write() {
    let bench = ["bench", "echo", "--connections", "1", "--runs", "1", "--duration", "0.1", "--warm-up", "0"];
    let compare = ["compare", "--transports", "sse", "--clients", "1", "--duration", "1s"];
    for (arguments, has_reader) in [
        (&["--help"][..], true),
        (&["--version"], true),
        (&["follow", "--help"], true),
        (&["explain", "--help"], true),
        (&["explain", "--hex", "89 00"], true),
        (&["explain", "--hex", "89 00", "--format", "json"], true),
        (&["explain", "--hex", "89 00", "--format", "svg"], true),
        (&bench, true),
        (&[&bench[..], &["--json"]].concat(), true),
        (&compare, true),
        (&[&compare[..], &["--format", "json"]].concat(), true),
    ] {
        let output = run_into(arguments, full(), Stdio::piped());
        let message = errors(&output);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {message}");
        assert!(message.contains("standard output: No space left on device"), "{arguments:?}: {message}");
        if has_reader {
            let output = run_into(arguments, without_reader(), Stdio::piped());
            assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", errors(&output));
        }
    }
}

#[test]
fn a_tap_whose_outputs_are_closed_or_blocked_relays_on() {
    let server = Program::start(&["--quiet"]);
    let to = server.address().to_string();
    // No other test uses this address, so its ports stay free.
    let address = TcpListener::bind("127.0.0.79:0").expect("a free port").local_addr().expect("an address");
    let listen = address.to_string();
    let (reader, mut writer) = io::pipe().expect("two descriptors");
    writer.write_all(&[b'x'; 64 << 10]).expect("the size of a pipe");
    let blocked = || Stdio::from(writer.try_clone().expect("a descriptor"));
    let outputs: [(Stdio, Stdio); 4] = [
        (without_reader().into(), without_reader().into()),
        (full().into(), full().into()),
        (blocked(), blocked()),
        (Stdio::null(), blocked()),
    ];
    for (output, errors) in outputs {
        let mut command = command();
        command.args(["tap", "--to", &to, "--listen", &listen]).stdout(output).stderr(errors);
        let mut child = command.spawn().expect("it starts");
        let mut connection = connect_to(address);
        for _ in 0..100 {
            connection.send(Request::get("/health").bytes());
            assert_eq!(connection.response().status, 200);
        }
        // After the first signal the tap waits for the view; after the second it does not. Two
        // signals in quick succession may arrive as one.
        let kill = format!("kill -s TERM {}", child.id());
        eventually(|| {
            // The tap may have ended already.
            let _ = Command::new("sh").args(["-c", &kill]).stderr(Stdio::null()).status();
            child.try_wait().expect("a child").is_some()
        });
    }
    drop(reader);
}

#[test]
fn a_recording_to_a_pipe_that_nobody_opens_does_not_stop_the_server() {
    let pipe = Temporary::pipe("unopened");
    let program = serve(&["--quiet", "--record", pipe.path()], Stdio::piped());
    send_requests(&mut program.connect(), &long_request(), 10);
    program.signal("TERM");
    let (status, _, errors) = program.wait();
    let message = format!("barewire: {}: the recording is incomplete, because", pipe.path());
    assert!(status.success() && errors.starts_with(&message), "{status}: {errors}");
}

#[test]
fn a_recording_that_lost_bytes_can_be_explained() {
    let pipe = Temporary::pipe("slow");
    let program = serve(&["--quiet", "--record", pipe.path()], Stdio::piped());
    // The pipe is opened with the first block. Then nobody reads it: 16 MiB wait, and the rest is
    // dropped.
    program.request(&Request::get("/first"));
    let mut reader = File::open(&pipe.0).expect("the server opens the other end");
    let mut flooded = program.connect();
    for _ in 0..300 {
        flooded.send(Request::post("/topics/a", "x".repeat(60_000)).bytes());
        assert_eq!(flooded.response().status, 201);
    }
    let recording = thread::spawn(move || {
        let mut text = String::new();
        reader.read_to_string(&mut text).map(|_| text)
    });
    // A connection is recorded as a whole when the file accepts bytes again.
    let mut number = 0;
    eventually(|| {
        number += 1;
        program.request(&Request::get(format!("/later-{number}")));
        number > 50
    });
    flooded.send(Request::get("/health").bytes());
    assert_eq!(flooded.response().status, 200);
    terminate(program);
    let text = recording.join().expect("no panic").expect("UTF-8");
    assert!(text.contains("lines are missing here. Their connections are not recorded any further."));
    assert!(text.contains("/later-50 ") && !text.contains("/health"));
    let file = Temporary::new("slow.txt");
    fs::write(&file.0, text).expect("a temporary file");
    let output = run(&["explain", file.path()]);
    assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
}

#[test]
fn a_recording_of_a_large_message_is_complete() {
    const BYTES: usize = 4 << 20;
    let file = Temporary::new("large.txt");
    let program = serve(&["--quiet", "--record", file.path()], Stdio::piped());
    let mut socket = WebSocket::open(program.begin(&Request::handshake("/echo")), false);
    socket.send(Opcode::Binary, vec![0xff; BYTES]);
    assert_eq!(socket.frame().expect("an echo").payload.len(), BYTES);
    drop(socket);
    terminate(program);
    let recording = fs::read(&file.0).expect("the recording");
    let (mut client, mut server) = (0, 0);
    for block in Reader::new(&recording) {
        let block = block.expect("a valid block");
        *(if block.side == Side::Client { &mut client } else { &mut server }) += block.bytes.len();
    }
    assert!(client > BYTES && server > BYTES, "{client} {server}");
}

#[test]
fn a_recording_that_does_not_fit_ends_after_a_whole_block() {
    let file = Temporary::new("full.txt");
    let mut shell = Command::new("sh");
    // The limit is counted in blocks of 512 or 1024 bytes.
    let script = "ulimit -f 16; exec \"$0\" --listen 127.0.0.1:0 --quiet --record \"$1\"";
    shell.args(["-c", script, env!("CARGO_BIN_EXE_barewire"), file.path()]);
    let program = Program::start_with(shell.stderr(Stdio::piped()));
    send_requests(&mut program.connect(), &long_request(), 10);
    let (status, _, messages) = program.end();
    assert_eq!(status.code(), Some(0), "{messages}");
    assert!(messages.contains(file.path()) && messages.contains("the recording ends here"), "{messages}");
    let output = run(&["explain", file.path()]);
    assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
    assert!(!output.stdout.is_empty());
}

#[test]
fn an_error_names_the_file_or_the_address_and_what_to_do() {
    let folder = std::env::temp_dir();
    let folder = folder.to_str().expect("UTF-8");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = taken.local_addr().expect("an address").to_string();
    let to = ["tap", "--listen", "127.0.0.1:0", "--to", "127.0.0.1:1"];
    let compare = ["compare", "--transports", "sse", "--clients", "1", "--duration", "1s"];
    let serve = ["serve", "--listen", "127.0.0.1:0"];
    for (command, arguments, name, advice) in [
        (&serve[..], &["--record", "/none/there"][..], "/none/there", "its folder must exist"),
        (&serve, &["--record", folder], folder, "name a file"),
        (&serve, &["--listen", &taken], &taken, "choose another port"),
        (&serve, &["--listen", "192.0.2.1:80"], "192.0.2.1:80", "choose one that it has"),
        (&to, &["--record", "/none/there"], "/none/there", "its folder must exist"),
        (&to, &["--record", folder], folder, "name a file"),
        (&to, &["--listen", &taken], &taken, "choose another port"),
        (&to, &["--to", "no-such-host.invalid:1"], "no-such-host.invalid:1", "check the host"),
        (&compare, &["--report", "/none/there"], "/none/there", "its folder must exist"),
        (&compare, &["--report", folder], folder, "name a file"),
        (&compare, &["--url", "http://127.0.0.1:1"], "127.0.0.1:1", "check that the server is running"),
        (
            &["bench", "echo"],
            &["--url", "ws://127.0.0.1:1"],
            "127.0.0.1:1",
            "check that the server is running",
        ),
        (&["publish", "http://127.0.0.1:1/topics/a", "x"], &[], "127.0.0.1:1", "cannot connect"),
        (&["follow", "--timeout", "0.1", "http://[::1]:1/topics/a"], &[], "[::1]:1", "cannot connect"),
        (&serve, &["--record", ""], "--record", "name a file"),
        (&to, &["--record", ""], "--record", "name a file"),
        (&compare, &["--report", ""], "--report", "name a file"),
        (&["explain"], &[""], "FILE", "name a file"),
        (&["explain"], &["/none/there"], "/none/there", "check the path"),
        (&["explain"], &[folder], folder, "name a file"),
    ] {
        let output = run(&[command, arguments].concat());
        let message = errors(&output);
        assert!(matches!(output.status.code(), Some(1..=3)), "{arguments:?}: {message}");
        assert!(message.starts_with("barewire: ") && message.contains(name), "{arguments:?}: {message}");
        assert!(message.contains(advice), "{arguments:?}: {message}");
    }
}

#[test]
fn a_low_limit_of_open_files_is_reported_at_the_start() {
    for (arguments, start) in
        [("--quiet", "barewire: "), ("--log text", "barewire: "), ("--log json", "{\"time\":\"")]
    {
        let mut shell = Command::new("sh");
        let script = format!("ulimit -n 64; exec \"$0\" --listen 127.0.0.1:0 {arguments}");
        shell.args(["-c", &script, env!("CARGO_BIN_EXE_barewire")]);
        let (status, _, messages) = Program::start_with(shell.stderr(Stdio::piped())).end();
        assert_eq!(status.code(), Some(0));
        assert!(messages.starts_with(start), "{messages}");
        let reason = "at most 1 connection is possible, because the limit of open files is 64";
        assert!(messages.contains(reason) && messages.contains("ulimit -n"), "{messages}");
    }
}

#[test]
fn the_log_begins_with_the_number_of_possible_connections() {
    for (arguments, start) in [
        (
            &["--max-connections", "7"][..],
            "barewire: at most 7 connections are possible; the limit of open files is ",
        ),
        (&["--max-connections", "7", "--quiet"], ""),
    ] {
        let (_, _, messages) = Program::start(arguments).end();
        assert!(messages.starts_with(start) && messages.is_empty() == start.is_empty(), "{messages}");
    }
}

#[test]
fn a_command_without_standard_streams_works() {
    let server = Program::start(&["--quiet"]);
    let url = format!("http://{}/topics/a", server.address());
    let closed = |arguments: &str| {
        let script = format!("exec \"$0\" {arguments} <&- >&- 2>&-");
        let mut shell = Command::new("sh");
        shell.args(["-c", &script, env!("CARGO_BIN_EXE_barewire")]).status().expect("sh is installed").code()
    };
    assert_eq!(closed(&format!("publish {url} data")), Some(0));
    assert_eq!(closed(&format!("follow --since start --count 1 {url}")), Some(0));
    assert_eq!(closed("--version"), Some(0));
    assert_eq!(closed("explain --hex 8900"), Some(0));
    assert_eq!(closed("nonsense"), Some(2));
    assert_eq!(server.request(&Request::get("/topics/a?since=start")).events().len(), 1);
    // A socket must not take the place of a closed stream, and receive a message of the server.
    let address = TcpListener::bind("127.0.0.80:0").expect("a free port").local_addr().expect("an address");
    let script = format!("exec \"$0\" --listen {address} --wire <&- >&- 2>&-");
    let mut shell = Command::new("sh");
    let mut child =
        shell.args(["-c", &script, env!("CARGO_BIN_EXE_barewire")]).spawn().expect("sh is installed");
    let mut connection = connect_to(address);
    for _ in 0..10 {
        connection.send(Request::get("/health").bytes());
        assert_eq!(connection.response().status, 200);
    }
    // The end of the process does not matter.
    let _ = child.kill().and_then(|()| child.wait());
    assert!(!Path::new("/proc").join(child.id().to_string()).join("exe").exists());
}
