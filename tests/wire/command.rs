//! `barewire explain`: arguments, input and exit status.

use std::io::Write;
use std::process::{Command, Output, Stdio};

const HELLO: &str = "81 85 37 fa 21 3d 7f 9f 4d 51 58";

fn explain(arguments: &[&str], input: &[u8]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_barewire"));
    command.arg("explain").args(arguments).env_remove("NO_COLOR");
    run(command, input)
}

/// Runs `explain` with at most this many KiB of virtual memory.
fn explain_within(kib: usize, arguments: &[&str], input: &[u8]) -> Output {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("ulimit -v {kib}; exec \"$0\" explain \"$@\"")]);
    shell.arg(env!("CARGO_BIN_EXE_barewire")).args(arguments);
    run(shell, input)
}

fn run(mut command: Command, input: &[u8]) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    // With invalid arguments, the command ends without reading its input.
    let _ = child.stdin.take().expect("stdin is piped").write_all(input);
    child.wait_with_output().expect("it ends")
}

fn explained(arguments: &[&str], input: &[u8]) -> String {
    let output = explain(arguments, input);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn accepts_hexadecimal_digits_in_several_notations() {
    let expected = explained(&["--hex", HELLO], b"");
    assert!(expected.contains("Masking-key") && expected.contains("Hello") && !expected.contains('\x1b'));
    let bytes: Vec<u8> =
        HELLO.split(' ').map(|byte| u8::from_str_radix(byte, 16).expect("two digits")).collect();
    let apart: Vec<&str> = ["--hex"].into_iter().chain(HELLO.split(' ')).collect();
    for (arguments, input) in [
        (&apart[..], &b""[..]),
        (&["--hex=8185:37fa:213d", "0x7f,0x9f,0x4d,0x51,0x58"], b""),
        (&["--hex"], HELLO.to_uppercase().as_bytes()),
        (&["--hex", "-"], b"81 85 37 fa 21 3d\r\n7f 9f 4d 51 58\n"),
        (&[], &bytes),
        (&["-", "--client", "--as", "websocket"], &bytes),
        (&["--color", "never", "--format=text"], &bytes),
    ] {
        assert_eq!(explained(arguments, input), expected, "{arguments:?}");
    }
    assert!(explained(&["--color=always"], &bytes).contains("\x1b["));
}

#[test]
fn the_first_bytes_determine_the_protocol_unless_an_option_does() {
    for (arguments, input, first, field) in [
        (&[][..], &b"GET / HTTP/1.1\r\n"[..], "client → server", "method"),
        (&[], b"HTTP/1.1 200 OK\r\n", "server → client", "status-code"),
        (&[], b"data: a\n\n", "server → client", "end-of-line"),
        (&[], b": a\n\n", "server → client", "comment"),
        (&[], b"\x81\x01a", "server → client", "Payload Data"),
        (&["--as=event-stream"], b"foo: a\n", "server → client", "field name"),
        (&["--server", "--as=websocket"], b"\x81\x01a", "server → client", "Payload Data"),
    ] {
        let shown = explained(arguments, input);
        assert!(shown.starts_with(first) && shown.contains(field), "{arguments:?}: {shown}");
    }
}

#[test]
fn control_characters_in_the_first_lines_leave_an_event_stream_one() {
    for input in ["data: a\tb\n\n", "data: \x1b[1m\n\n", "event: \0\ndata: \x7f\n\n", "\u{feff}id: \x1b\n\n"]
    {
        let shown = explained(&[], input.as_bytes());
        assert!(shown.starts_with("server → client") && shown.contains("field value"), "{input:?}: {shown}");
    }
    let chunks = explained(&[], b"c\r\ndata: a\tb\x1b\n\n\r\n0\r\n\r\n");
    assert!(chunks.contains("chunk-size") && chunks.contains("event \"message\""), "{chunks}");
}

#[test]
fn reads_dumps_and_recordings_after_a_byte_order_mark() {
    let expected = explained(&["--hex", HELLO], b"");
    let dump = "00000000: 8185 37fa 213d 7f9f 4d51 58              ..7.!=..MQX\n";
    for (arguments, input) in [
        (&["--hex"][..], dump.to_owned()),
        (&[], dump.to_owned()),
        (&["--hex"], format!("\u{feff}{dump}")),
        (&["--hex", dump], String::new()),
        (&["--hex"], format!("\u{feff}{HELLO}")),
        (&[], HELLO.to_owned()),
    ] {
        assert_eq!(explained(arguments, input.as_bytes()), expected, "{arguments:?} {input:?}");
    }
    let recording = "barewire conversation 1\n\n1 client 0 ms\n  text GET / HTTP/1.0\\r\\n\\r\\n\n";
    let shown = explained(&[], recording.as_bytes());
    assert_eq!(explained(&[], format!("\u{feff}{recording}").as_bytes()), shown);
    let refused = explain(&["--hex"], b"0000000 8581 fa37 3d21\n0000006\n");
    assert_eq!(refused.status.code(), Some(2));
    let errors = String::from_utf8(refused.stderr).expect("UTF-8");
    assert!(errors.contains("standard input: ") && errors.contains("known forms are"), "{errors}");
}

#[test]
fn hides_secrets_and_added_names() {
    let request = "GET /?token=s3cret HTTP/1.0\r\nX-Api-Key: s3cret\r\nX-Device: d3vice\r\n\r\n";
    let shown = explained(&["--hide-secrets"], request.as_bytes());
    assert!(!shown.contains("s3cret") && shown.contains("d3vice"), "{shown}");
    for arguments in [&["--hide", "x-device"][..], &["--hide=x_device", "--hide-secrets"]] {
        let shown = explained(arguments, request.as_bytes());
        assert!(!shown.contains("s3cret") && !shown.contains("d3vice"), "{shown}");
    }
    assert!(explained(&[], request.as_bytes()).contains("s3cret"));
}

/// Without an end, the input would be explained forever.
#[test]
fn ends_when_the_reader_of_the_output_has_ended() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_barewire"));
    command.arg("explain").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let mut input = child.stdin.take().expect("stdin is piped");
    let frames = [&b"\x83\x00"[..], &b"\x81\x02hi".repeat(1000)].concat();
    drop(child.stdout.take());
    while input.write_all(&frames).is_ok() {}
    assert_eq!(child.wait().expect("it ends").code(), Some(0), "although the first frame breaks a rule");
}

#[test]
fn the_exit_status_reports_violations_and_usage_errors() {
    assert_eq!(explain(&["--hex", "83 00"], b"").status.code(), Some(1));
    assert_eq!(explain(&["--client"], b"\x81\x00").status.code(), Some(1), "not masked");
    for (arguments, input, named) in [
        (&["--nonsense"][..], &b""[..], "--nonsense"),
        (&["--format", "xml"], b"", "xml"),
        (&["--as"], b"", "--as"),
        (&["a", "b"], b"", "one file"),
        (&["no such file"], b"", "no such file"),
        (&["--hex", "8"], b"", "8"),
        (&["--hex"], b"8x", "hexadecimal"),
        (&[], b"", "nothing to explain"),
        (&[], b"barewire conversation 1\n1 client 0\n", "line 2"),
        (&[], b"barewire conversation 2\n", "the first line must be `barewire conversation 1`"),
        (&["--hide", ""], b"", "--hide: \"\" is not a name"),
    ] {
        let output = explain(arguments, input);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let errors = String::from_utf8(output.stderr).expect("UTF-8");
        assert!(errors.contains(named), "{arguments:?}: {errors}");
    }
    let help = explained(&["--help"], b"");
    for option in
        ["--hex", "--client", "--server", "--as", "--format", "--color", "--all", "--hide-secrets", "--hide "]
    {
        assert!(help.contains(option), "{option}");
    }
}

#[test]
fn explains_a_recording_of_several_connections_in_order() {
    let recording =
        b"barewire conversation 1\n\n1 client 0 ms\n  text HEAD / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n\n\
        2 client 1 ms\n  text GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n\n\
        1 server 2 ms\n  text HTTP/1.1 200 OK\\r\\nContent-Length: 5\\r\\n\\r\\n\n\
        2 server 3 ms end\n  text HTTP/1.1 200 OK\\r\\nContent-Length: 5\\r\\n\\r\\nhello\n";
    let shown = explained(&[], recording);
    let headings: Vec<&str> = shown.lines().filter(|line| line.starts_with("connection")).collect();
    assert_eq!(
        headings,
        [
            "connection 1, client → server, 0 ms",
            "connection 2, client → server, 1 ms",
            "connection 1, server → client, 2 ms",
            "connection 2, server → client, 3 ms",
        ]
    );
    assert!(
        shown.contains("response complete: 200, 0 bytes")
            && shown.contains("response complete: 200, 5 bytes")
    );
    let objects = explained(&["--format", "json"], recording);
    assert!(objects.lines().all(|line| line.starts_with("{\"connection\":") && line.ends_with('}')));
}

#[test]
fn a_diagram_of_a_long_input_is_refused() {
    let output = explain(&["--format", "svg"], &b"data: x\n".repeat(200_000));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.code() == Some(2) && error.contains("longer than 1 MiB: use --format text"),
        "{error}"
    );
}

#[test]
fn a_diagram_of_a_long_recording_is_refused() {
    let block = format!("\n1 server 0 ms\n{}", format!("  text {}\n", "x".repeat(500)).repeat(1000));
    let recording = |blocks| format!("barewire conversation 1\n{}", block.repeat(blocks));
    let output = explain(&["--format", "svg"], recording(3).as_bytes());
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("longer than 1 MiB: use --format text"));
    explained(&["--format", "svg"], recording(2).as_bytes());
}

#[test]
fn a_diagram_counts_the_fields_that_it_does_not_draw() {
    let drawn = explained(&["--format", "svg", "--as", "event-stream"], &b"data\n".repeat(301));
    assert!(drawn.contains("<title>1505 bytes in 602 fields</title>") && drawn.contains("… 2 more fields"));
    let drawn = explained(&["--format", "svg", "--as", "event-stream"], &b"data\n".repeat(300));
    assert!(drawn.contains("<title>1500 bytes in 600 fields</title>") && !drawn.contains("more fields"));
}

/// The spans of small frames need hundreds of times the memory of the frames.
#[test]
fn the_memory_of_a_format_does_not_grow_with_the_input() {
    let pings = b"\x89\x00".repeat(1 << 19);
    let events = b"data: x\n\n".repeat(100_000);
    // The other formats write hundreds of MiB for 1 MiB, which takes long.
    for (format, limit) in [("svg", 1 << 20), ("text", 64 << 10), ("json", 64 << 10)] {
        for (protocol, input) in [("websocket", &pings), ("event-stream", &events)] {
            let input = &input[..input.len().min(limit)];
            let output = explain_within(64 << 10, &["--format", format, "--as", protocol], input);
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() && !output.stdout.is_empty(), "{format} {protocol}: {errors}");
        }
    }
}
