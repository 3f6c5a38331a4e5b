//! The transcripts of `docs/client.md` in a shell, and the exit statuses.

use std::process::{Command, Output};

use crate::servers::{Barewire, scripted};

/// The epoch of the ids on the page.
const EPOCH: &str = "HpfL5TaZ";

/// Runs a line in a shell with barewire in its path. Standard error goes to standard output, as on
/// a terminal.
fn shell(line: &str) -> Output {
    let command = std::path::Path::new(env!("CARGO_BIN_EXE_barewire"));
    let directory = command.parent().expect("a file in a directory").display().to_string();
    let path = format!("{directory}:{}", std::env::var("PATH").unwrap_or_default());
    let script = format!("{{ {line}\n}} 2>&1");
    Command::new("sh").args(["-c", &script]).env("PATH", path).output().expect("a shell")
}

fn barewire(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_barewire")).args(arguments).output().expect("the command starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// Returns the commands of a page with their output.
fn steps(page: &str) -> Vec<(String, String)> {
    let mut steps: Vec<(String, String)> = Vec::new();
    let blocks = page.split("```console\n").skip(1).map(|rest| rest.split("```").next().expect("a block"));
    for block in blocks {
        for line in block.lines() {
            match line.strip_prefix("$ ") {
                Some(command) => steps.push((command.to_owned(), String::new())),
                None => {
                    let (command, output) = steps.last_mut().expect("a command before its output");
                    // An open quotation continues on the next line.
                    let is_open = command.matches('\'').count() % 2 == 1;
                    let text = if is_open { command } else { output };
                    text.push_str(if is_open { "\n" } else { "" });
                    text.push_str(line);
                    text.push_str(if is_open { "" } else { "\n" });
                }
            }
        }
    }
    steps
}

#[test]
fn the_page_shows_the_real_output() {
    let server = Barewire::start();
    let page =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/client.md")).expect("the page");
    let steps = steps(&page);
    assert!(steps.len() >= 10, "the page has too few commands");
    let mut epoch = EPOCH.to_owned();
    for (command, expected) in steps {
        let port = server.address.port().to_string();
        let output = shell(&command.replace("8080", &port).replace(EPOCH, &epoch)).stdout;
        let output = String::from_utf8(output).expect("UTF-8");
        if epoch == EPOCH {
            epoch = output[..EPOCH.len()].to_owned(); // the first command prints an id
        }
        assert_eq!(output.replace(&epoch, EPOCH), expected, "{command}");
    }
}

#[test]
fn each_failure_has_its_exit_status() {
    let server = Barewire::start();
    let url = server.url("t");
    for arguments in [&["follow", "--help"][..], &["publish", "-h"]] {
        let (status, output, errors) = barewire(arguments);
        assert_eq!((status, &*errors), (Some(0), ""), "{arguments:?}");
        assert!(output.contains("Exit status:") && output.contains("--token"), "{output}");
    }
    for arguments in [
        &["follow"][..],
        &["follow", "ftp://a/"],
        &["follow", "https://a/"],
        &["follow", &url, "--via", "pigeon"],
        &["publish"],
        &["publish", &url, "--lines", "x"],
        &["publish", &url, "--nonsense"],
    ] {
        let (status, output, errors) = barewire(arguments);
        assert_eq!((status, &*output), (Some(2), ""), "{arguments:?}");
        assert!(errors.starts_with("barewire: ") && errors.contains("--help"), "{arguments:?}: {errors}");
    }
    assert_eq!(barewire(&["publish", &url, "--event", "gap", "x"]).0, Some(1));
    assert_eq!(barewire(&["publish", "http://127.0.0.1:1/", "x"]).0, Some(3));
    assert_eq!(shell(&format!("printf '\\377' | barewire publish {url}")).status.code(), Some(1));
    let (url, peer) = scripted(|_, stream| {
        crate::servers::request(stream);
        let unavailable = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
        std::io::Write::write_all(stream, unavailable).is_err()
    });
    assert_eq!(barewire(&["publish", &url, "x"]).0, Some(3));
    peer.join().expect("the script succeeds");
}

#[test]
fn publishes_standard_input_as_one_event_or_line_by_line() {
    let server = Barewire::start();
    let url = server.url("t");
    let published = |line: &str| {
        let output = shell(line);
        assert!(output.status.success(), "{line}");
        String::from_utf8(output.stdout).expect("UTF-8").lines().count()
    };
    assert_eq!(published(&format!("printf 'a\\r\\n\\nb\\rc\\nd' | barewire publish --lines {url}")), 3);
    assert_eq!(published(&format!("printf 'e\\nf\\n' | barewire publish {url}")), 1);
    assert_eq!(published(&format!("printf g | barewire publish {url} - h")), 2);
    let (status, output, errors) =
        barewire(&["follow", "--fallback", "--since", "start", "--count", "6", "--json", &url]);
    assert_eq!((status, &*errors), (Some(0), "barewire: following via websocket\n"));
    let data: Vec<String> = output
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON")["data"].to_string())
        .collect();
    assert_eq!(data, [r#""a""#, r#""b\nc""#, r#""d""#, r#""e\nf""#, r#""g""#, r#""h""#]);
}

#[test]
fn a_closed_standard_output_is_a_success() {
    let server = Barewire::start();
    let url = server.url("t");
    let publish = format!("seq 1 5000 | barewire publish --lines {url} >/dev/null");
    assert!(shell(&publish).status.success());
    let output = shell(&format!("barewire follow --quiet --since start {url} | head -n 2"));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "1\n2\n");
}
