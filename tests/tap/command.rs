//! Arguments and exit status.

use std::net::TcpListener;

use crate::harness::run;

#[test]
fn the_exit_status_reports_usage_errors_and_failures() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("a bound socket").to_string();
    for (arguments, status, named) in [
        (&[][..], 2, "--to"),
        (&["--to", "localhost"], 2, "localhost"),
        (&["--to", "https://localhost:1"], 2, "TLS"),
        (&["--to", "localhost:1", "--listen", "here"], 2, "here"),
        (&["--to", "localhost:1", "--format", "svg"], 2, "svg"),
        (&["--to", "localhost:1", "--wire-only", "short-poll"], 2, "short-poll"),
        (&["--to", "localhost:1", "--record"], 2, "--record"),
        (&["--to", "localhost:1", "word"], 2, "word"),
        (&["--to", "localhost:1", "--listen", &address], 1, &address),
        (&["--to", "no-such-host.invalid:1"], 1, "no-such-host.invalid"),
        (&["--to", "127.0.0.1:1", "--record", "/nowhere/at/all"], 1, "/nowhere/at/all"),
    ] {
        let output = run(&[&["tap"], arguments].concat());
        let errors = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {errors}");
        assert!(errors.contains(named) && output.stdout.is_empty(), "{arguments:?}: {errors}");
    }
    // The tap refuses to relay to itself. No other test uses this address, so its ports stay free.
    let free = TcpListener::bind("127.0.0.77:0").expect("a free port");
    let address = free.local_addr().expect("a bound socket").to_string();
    drop(free);
    let output = run(&["tap", "--to", &address, "--listen", &address]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("itself"), "{errors}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn the_help_names_every_option() {
    let output = run(&["tap", "--help"]);
    assert!(output.status.success() && output.stderr.is_empty());
    let help = String::from_utf8(output.stdout).expect("UTF-8");
    let options = [
        "--listen",
        "--to",
        "--format",
        "--record",
        "--wire-only",
        "--show-secrets",
        "--help",
        "Host",
        "Origin",
    ];
    for option in options {
        assert!(help.contains(option), "{option}");
    }
    let help = String::from_utf8(run(&["--help"]).stdout).expect("UTF-8");
    assert!(help.contains("barewire tap"));
}
