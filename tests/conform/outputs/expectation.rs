//! `--save` and `--expect`.

use std::fs;

use super::{Folder, conform_echo, faulty};
use crate::faulty::Server;

/// The cases about reserved bits.
const ONLY: [&str; 2] = ["--only", "websocket/3.*"];

/// Saves the outcomes of a server, and returns the path of the file.
fn saved(server: &Server, folder: &Folder) -> String {
    let file = folder.file("saved");
    conform_echo(server, &[&ONLY[..], &["--save", &file]].concat());
    file
}

#[test]
fn two_runs_save_the_same_lines_in_the_order_of_the_numbers() {
    let folder = Folder::new();
    for server in [Server::start(None), faulty()] {
        let (first, second) = (folder.file("first"), folder.file("second"));
        conform_echo(&server, &["--only", "websocket/3.*", "--save", &first]);
        conform_echo(&server, &["--only", "websocket/3.*", "--save", &second, "-j", "1"]);
        let text = fs::read_to_string(&first).expect("the file was written");
        assert_eq!(text, fs::read_to_string(&second).expect("the file was written"));
        let numbers: Vec<_> = text.lines().skip(1).filter_map(|line| line.split(' ').next()).collect();
        let expected: Vec<_> = (1..=numbers.len()).map(|index| format!("websocket/3.{index}")).collect();
        assert!(numbers.len() >= 7);
        assert_eq!(numbers, expected);
    }
}

#[test]
fn an_expected_failure_is_no_failure() {
    let (folder, server) = (Folder::new(), faulty());
    let plain = conform_echo(&server, &ONLY);
    assert_eq!(plain.status, 1, "{}", plain.output);
    assert!(plain.output.contains("FAIL websocket/3.1"), "{}", plain.output);
    let file = saved(&server, &folder);
    let expected = conform_echo(&server, &[&ONLY[..], &["--expect", &file]].concat());
    assert_eq!(expected.status, 0, "{}", expected.errors);
    assert!(!expected.output.contains("FAIL"), "{}", expected.output);
}

#[test]
fn a_difference_in_either_direction_is_a_failure() {
    let folder = Folder::new();
    let (correct, faulty) = (Server::start(None), faulty());
    for (saver, other, expected, observed) in [
        (&correct, &faulty, "pass (fails the connection)", "fail"),
        (&faulty, &correct, "fail", "pass (fails the connection)"),
    ] {
        let file = saved(saver, &folder);
        let ran = conform_echo(other, &[&ONLY[..], &["--expect", &file]].concat());
        assert_eq!(ran.status, 1);
        let line = format!("websocket/3.1: expected {expected}, observed {observed}");
        assert!(ran.errors.contains(&line), "{}", ran.errors);
        assert!(ran.errors.contains(&format!("outcomes differ from {file}")), "{}", ran.errors);
    }
}

#[test]
fn a_missing_and_an_additional_case_are_differences() {
    let (folder, server) = (Folder::new(), Server::start(None));
    let file = saved(&server, &folder);
    let text = fs::read_to_string(&file).expect("the file was written");
    // 3.2 has no line, and 3.999 is no case. websocket/4.999 is not chosen.
    let changed: String = text
        .lines()
        .filter(|line| !line.starts_with("websocket/3.2 "))
        .fold("websocket/3.999 pass x\nwebsocket/4.999 pass x\n".to_owned(), |text, line| text + line + "\n");
    fs::write(&file, changed).expect("the file is replaced");
    let ran = conform_echo(&server, &[&ONLY[..], &["--expect", &file]].concat());
    assert_eq!(ran.status, 1);
    for line in [
        "websocket/3.2: not among the expected outcomes, observed pass",
        "websocket/3.999: expected pass (x), not played",
        "2 outcomes differ",
    ] {
        assert!(ran.errors.contains(line), "{line} is not in\n{}", ran.errors);
    }
    // A case that is not chosen is not missing.
    let ran =
        conform_echo(&server, &["--only", "websocket/3.1", "--skip", "websocket/3.2", "--expect", &file]);
    assert_eq!((ran.status, ran.output.contains(" 1 ")), (0, true), "{}", ran.errors);
}

#[test]
fn an_unreadable_file_is_an_error_of_the_arguments() {
    let (folder, server) = (Folder::new(), Server::start(None));
    let (missing, invalid) = (folder.file("missing"), folder.file("invalid"));
    fs::write(&invalid, "websocket/3.1 passes\n").expect("a new file");
    let binary = folder.file("binary");
    fs::write(&binary, b"\xff\xfe").expect("a new file");
    for (file, message) in [
        (missing.as_str(), "No such file"),
        (folder.0.to_str().expect("UTF-8"), "name a file, not a folder"),
        (&invalid, "line 1: \"passes\" is not a verdict"),
        (&binary, "valid UTF-8"),
        ("", "the name of the file is empty"),
    ] {
        let ran = conform_echo(&server, &["--expect", file]);
        assert_eq!(ran.status, 2, "{file}");
        assert!(ran.errors.contains(message) && ran.output.is_empty(), "{}", ran.errors);
    }
}

#[test]
fn a_file_that_cannot_be_written_fails_before_the_run() {
    let (folder, server) = (Folder::new(), Server::start(None));
    for file in [folder.file("none/there"), folder.file("")] {
        let ran = conform_echo(&server, &[&ONLY[..], &["--save", &file]].concat());
        assert_eq!(ran.status, 1, "{file}");
        assert!(ran.output.is_empty() && ran.errors.contains(&file), "{}", ran.errors);
    }
    // A full disk shows only when the file is written, and does not hide the result.
    let ran = conform_echo(&server, &[&ONLY[..], &["--save", "/dev/full"]].concat());
    assert_eq!(ran.status, 1);
    assert!(ran.errors.contains("/dev/full") && ran.output.contains("section"), "{}", ran.errors);
}
