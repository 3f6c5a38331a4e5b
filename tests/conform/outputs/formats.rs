//! Each format is valid and complete, whatever the server sends.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread;

use serde_json::Value;

use super::{Folder, Ran, conform, conform_echo, faulty};

const ONLY: [&str; 2] = ["--only", "websocket/3.*"];

/// Bytes that act on a terminal, and end elements, strings and lines.
const HOSTILE: &[u8] = b"HTTP/1.1 200 \x1b[2J</script><script>alert(1)</script>]]>&\"'#\\\r\n\
    X-\x1b]0;t\x07: \xe2\x80\xae\xc2\x9b31m\x00\xff\r\nContent-Length: 9\r\n\r\n\x1b[31m<b>\n";

/// Starts a server that answers each connection with hostile bytes.
fn hostile() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("a bound address");
    // The thread ends with the test process.
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || {
                let mut stream = stream;
                // The client may have gone.
                let _ = stream.read(&mut [0; 4096]);
                let _ = stream.write_all(HOSTILE);
            });
        }
    });
    address
}

fn conform_hostile(options: &[&str]) -> Ran {
    let url = format!("ws://{}/", hostile());
    conform(&[&["server", &url, "--timeout", "5"][..], &ONLY, options].concat())
}

/// Fails unless all elements are closed, all attributes quoted and all characters allowed.
fn check_xml(text: &str) -> Vec<String> {
    let mut rest = text.strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n").expect("a declaration");
    let (mut open, mut names) = (Vec::new(), Vec::new());
    while let Some(start) = rest.find('<') {
        check_references(&rest[..start]);
        let end = start + rest[start..].find('>').expect("a tag ends");
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        assert!(!tag.contains('<'), "{tag}");
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name));
            continue;
        }
        let name = tag.split([' ', '/']).next().expect("a name").to_owned();
        let quotes: Vec<&str> = tag.split('"').collect();
        assert_eq!(quotes.len() % 2, 1, "{tag}");
        assert!(quotes[..quotes.len() - 1].iter().step_by(2).all(|part| part.ends_with('=')), "{tag}");
        quotes.iter().for_each(|part| check_references(part));
        names.push(name.clone());
        if !tag.ends_with('/') {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?} are not closed");
    names
}

fn check_references(text: &str) {
    for reference in text.split('&').skip(1) {
        let is_known = ["amp;", "lt;", "gt;", "quot;"].iter().any(|name| reference.starts_with(name));
        assert!(is_known, "&{reference}");
    }
}

/// Fails if a character acts on a terminal.
fn check_characters(text: &str) {
    let acts = |character: char| {
        (character.is_control() && character != '\n') || matches!(character, '\u{202a}'..='\u{202e}')
    };
    if let Some(at) = text.find(acts) {
        let around: String = text[at..].chars().take(20).collect();
        panic!("a character acts on a terminal: {around:?}");
    }
}

#[test]
fn json_has_everything_about_a_failure() {
    let ran = conform_echo(&faulty(), &[&ONLY[..], &["--format", "json"]].concat());
    assert_eq!(ran.status, 1);
    let value: Value = serde_json::from_str(&ran.output).expect("valid JSON");
    let cases = value["cases"].as_array().expect("the cases");
    let failed: Vec<_> = cases.iter().filter(|case| case["verdict"] == "fail").collect();
    assert_eq!(value["counts"]["fail"], failed.len());
    assert!(!failed.is_empty());
    for case in failed {
        for name in ["number", "title", "requirement", "section", "level", "expected", "observed"] {
            assert!(case[name].as_str().is_some_and(|text| !text.is_empty()), "{name}: {case}");
        }
        let number = case["number"].as_str().expect("a number");
        assert!(case["again"].as_str().expect("a command").ends_with(&format!("--only {number}")));
        assert!(!case["record"].as_array().expect("a record").is_empty());
    }
}

#[test]
fn tap_counts_the_cases_and_expected_failures_are_todo() {
    let (server, folder) = (faulty(), Folder::new());
    let count = |ran: &Ran, start: &str| ran.output.lines().filter(|line| line.starts_with(start)).count();
    let file = folder.file("saved");
    let tap = conform_echo(&server, &[&ONLY[..], &["--format", "tap", "--save", &file]].concat());
    assert!(tap.output.starts_with("TAP version 14\n1.."), "{}", tap.output);
    let plan: usize = tap.output.lines().nth(1).expect("a plan")[3..].parse().expect("a number");
    let failed = count(&tap, "not ok ");
    assert!(failed > 0);
    assert_eq!(count(&tap, "ok ") + failed, plan);
    assert_eq!((count(&tap, "  ---"), count(&tap, "  ...")), (failed, failed));
    let expected = conform_echo(&server, &[&ONLY[..], &["--format", "tap", "--expect", &file]].concat());
    assert_eq!(expected.status, 0);
    let todo = expected.output.lines().filter(|line| line.ends_with("# TODO an expected failure")).count();
    assert_eq!((todo, count(&expected, "not ok ")), (failed, failed));
}

#[test]
fn junit_is_well_formed_and_expected_failures_are_skipped() {
    let (server, folder) = (faulty(), Folder::new());
    let file = folder.file("saved");
    let ran = conform_echo(&server, &[&ONLY[..], &["--format", "junit", "--save", &file]].concat());
    let names = check_xml(&ran.output);
    let count = |names: &[String], name: &str| names.iter().filter(|one| *one == name).count();
    let (cases, failures) = (count(&names, "testcase"), count(&names, "failure"));
    assert!(failures > 0);
    let counts = format!("tests=\"{cases}\" failures=\"{failures}\"");
    assert_eq!(ran.output.matches(&counts).count(), 2, "{}", ran.output);
    let ran = conform_echo(&server, &[&ONLY[..], &["--format", "junit", "--expect", &file]].concat());
    let names = check_xml(&ran.output);
    assert_eq!((count(&names, "failure"), count(&names, "skipped")), (0, failures));
}

#[test]
fn nothing_that_a_server_sends_reaches_the_terminal_or_becomes_markup() {
    let folder = Folder::new();
    let report = folder.file("report.html");
    for format in ["text", "json", "tap", "junit"] {
        let ran = conform_hostile(&["--format", format, "--report", &report]);
        assert_eq!(ran.status, 1, "{}", ran.errors);
        check_characters(&ran.output);
        check_characters(&ran.errors);
        match format {
            "json" => drop(serde_json::from_str::<Value>(&ran.output).expect("valid JSON")),
            "junit" => drop(check_xml(&ran.output)),
            // The bytes are shown, in a form that does nothing.
            _ => assert!(ran.output.contains("\\x1b[2J"), "{}", ran.output),
        }
        let page = fs::read_to_string(&report).expect("the report was written");
        check_characters(&page);
        assert_eq!(page.matches("<script>").count(), 1);
        assert!(!page.contains("<b>\\n") && page.contains("&lt;script&gt;alert"), "{page}");
    }
}

#[test]
fn the_report_is_one_page_that_explains_each_failure() {
    let folder = Folder::new();
    let file = folder.file("report.html");
    let ran = conform_echo(&faulty(), &[&ONLY[..], &["--report", &file, "--format", "json"]].concat());
    let value: Value = serde_json::from_str(&ran.output).expect("valid JSON");
    let page = fs::read_to_string(&file).expect("the report was written");
    let cases = value["cases"].as_array().expect("the cases");
    assert_eq!(page.matches("<details ").count(), cases.len());
    let failures = cases.iter().filter(|case| case["verdict"] == "fail").count();
    assert_eq!(page.matches("<pre class=\"bytes\"").count(), failures);
    for case in cases {
        assert!(page.contains(case["number"].as_str().expect("a number")));
    }
    for source in ["src=", "href=", "url(", "@import"] {
        assert!(!page.contains(source), "{source}");
    }
    // Without a script, everything is shown except for the filter.
    assert!(page.contains("<form id=\"filter\" hidden>") && !page.contains("<details hidden"));
    for file in [folder.file("none/there"), folder.file("")] {
        let ran = conform_echo(&faulty(), &[&ONLY[..], &["--report", &file]].concat());
        assert_eq!(ran.status, 1);
        assert!(ran.output.is_empty() && ran.errors.contains(&file), "{}", ran.errors);
    }
}

#[test]
fn a_server_that_cannot_be_reached_and_wrong_arguments_are_errors() {
    let free = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("an address");
    let url = format!("ws://{free}/");
    for arguments in [&["server", &url][..], &["server"], &["server", "ws://127.0.0.1:1/", "--format", "xml"]]
    {
        let ran = conform(arguments);
        assert_eq!(ran.status, 2, "{arguments:?}");
        assert!(ran.output.is_empty() && !ran.errors.is_empty());
    }
    assert_eq!(conform_echo(&super::Server::start(None), &ONLY).status, 0);
}
