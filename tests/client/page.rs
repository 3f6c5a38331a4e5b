//! `docs/client.md` typed into a shell, and the exit statuses.

use std::process::{Command, Output};

use crate::servers::{Barewire, scripted};

/// An id's epoch as the page has it.
const EPOCH: &str = "HpfL5TaZ";

/// Runs a line in a shell that finds the command; standard error goes where standard output goes, as on a terminal.
fn shell(line: &str) -> Output {
    let command = std::path::Path::new(env!("CARGO_BIN_EXE_barewire"));
    let directory = command.parent().expect("a file stands in a directory").display().to_string();
    let path = format!("{directory}:{}", std::env::var("PATH").unwrap_or_default());
    let script = format!("{{ {line}\n}} 2>&1");
    Command::new("sh").args(["-c", &script]).env("PATH", path).output().expect("there is a shell")
}

fn barewire(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_barewire")).args(arguments).output().expect("the command starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// The commands of a page and what stands below each.
fn steps(page: &str) -> Vec<(String, String)> {
    let mut steps: Vec<(String, String)> = Vec::new();
    let blocks = page.split("```console\n").skip(1).map(|rest| rest.split("```").next().expect("its start"));
    for block in blocks {
        for line in block.lines() {
            match line.strip_prefix("$ ") {
                Some(command) => steps.push((command.to_owned(), String::new())),
                None => {
                    let (command, output) = steps.last_mut().expect("a command stands first");
                    // A quotation that is open goes on in the next line.
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
fn the_page_shows_what_is_seen() {
    let server = Barewire::start();
    let page =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/client.md")).expect("it is there");
    let steps = steps(&page);
    assert!(steps.len() >= 10, "the page shows too little");
    let mut epoch = EPOCH.to_owned();
    for (command, expected) in steps {
        let port = server.address.port().to_string();
        let output = shell(&command.replace("8080", &port).replace(EPOCH, &epoch)).stdout;
        let output = String::from_utf8(output).expect("UTF-8");
        if epoch == EPOCH {
            epoch = output[..EPOCH.len()].to_owned(); // the first command publishes
        }
        assert_eq!(output.replace(&epoch, EPOCH), expected, "{command}");
    }
}

#[test]
fn each_exit_status_has_its_reason() {
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
        let away = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
        std::io::Write::write_all(stream, away).is_err()
    });
    assert_eq!(barewire(&["publish", &url, "x"]).0, Some(3));
    peer.join().expect("the script is played");
}

#[test]
fn lines_are_events_and_standard_input_is_one() {
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
fn a_reader_that_has_enough_is_no_failure() {
    let server = Barewire::start();
    let url = server.url("t");
    let publish = format!("seq 1 5000 | barewire publish --lines {url} >/dev/null");
    assert!(shell(&publish).status.success());
    let output = shell(&format!("barewire follow --quiet --since start {url} | head -n 2"));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "1\n2\n");
}
