//! The commands of the program, one folder each.
//!
//! A folder contains the arguments, the logic and the output of its command. Shared by several
//! commands:
//!
//! - `args` — parsers of common arguments; `suggest` — the nearest name to a mistyped one;
//!   `exit_status` — the exit statuses.
//! - `standard_streams` — standard output and standard error; `io_error` — errors of the operating
//!   system; `recorded_file` — the file of a recording; `signals` — the signals that end a command.
//! - `listen` — the listening socket; `open_files` — the limit of open files.
//! - `cursor_place` — where a response to a poll has the cursor of the next one.
//! - `load` — many clients at once and what they cost, for `compare` and `bench`.

mod args;
mod bench;
mod check;
mod compare;
mod conform;
mod cursor_place;
mod exit_status;
mod explain;
mod follow;
mod html_report;
mod io_error;
mod listen;
mod load;
mod open_files;
mod publish;
mod recorded_file;
pub mod serve;
mod signals;
mod standard_streams;
mod suggest;
mod tap;

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;

use standard_streams::{fail, finish_messages, print};

const USAGE: &str = "\
barewire: real-time from the bare socket up

Usage: barewire [serve] [OPTION]...
       barewire follow [OPTION]... URL
       barewire publish [OPTION]... URL [DATA]...
       barewire compare [OPTION]...
       barewire explain [OPTION]... [FILE]
       barewire tap --to HOST:PORT [OPTION]...
       barewire bench WORKLOAD [OPTION]...
       barewire conform server|client [OPTION]... [URL]
       barewire check [STAGE [URL]]

  serve    serve topics over short polling, long polling, Server-Sent Events and WebSockets
  follow   write the events of a topic to standard output
  publish  publish events to a topic
  compare  measure what each transport costs
  explain  explain every byte of a recorded conversation
  tap      relay between any client and any server, and explain every byte
  bench    measure the speed of any server with one of these transports
  conform  test whether a server or a client obeys the specifications
  check    test a server that you build, stage by stage

Without a command, barewire runs the server. barewire COMMAND --help shows the options of a command; barewire --version
shows the version.
";

/// Runs the command that the arguments select. The first argument is not the program's name.
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    // Beyond the limit of the size of a file, a write must fail instead of ending the process.
    let _ = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::default());
    let status = run(arguments);
    finish_messages();
    status
}

fn run(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let mut arguments = arguments.peekable();
    match arguments.peek().and_then(|first| first.to_str()) {
        Some("serve") => serve::main(arguments.skip(1)),
        Some("follow") => follow::main(arguments.skip(1)),
        Some("publish") => publish::main(arguments.skip(1)),
        Some("compare") => compare::main(arguments.skip(1)),
        Some("explain") => explain::main(arguments.skip(1)),
        Some("tap") => tap::main(arguments.skip(1)),
        Some("conform") => conform::main(arguments.skip(1)),
        Some("check") => check::main(arguments.skip(1)),
        Some("bench") => bench::main(arguments.skip(1)),
        Some(load::CHILD_SERVER) => load::serve_as_child(),
        Some("--help" | "-h" | "help") => print(&format!("{USAGE}\n{}", serve::help())),
        Some("--version" | "-V") => print(concat!("barewire ", env!("CARGO_PKG_VERSION"), "\n")),
        Some(word) if !word.starts_with('-') => {
            usage_error("barewire", &suggest::unknown("command", word, USAGE))
        }
        // The options of the server do not include this one, so `serve` would not suggest it.
        Some(option) if suggest::is_mistyped(option, "--version") => {
            usage_error("barewire", &suggest::unknown("option", option, USAGE))
        }
        _ => serve::main(arguments),
    }
}

/// Writes an error about the arguments of `command` to standard error.
fn usage_error(command: &str, error: &str) -> ExitCode {
    fail(exit_status::USAGE_ERROR, format_args!("{error}\nTry {command} --help."))
}
