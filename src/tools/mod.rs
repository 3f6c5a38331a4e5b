//! The command: from arguments to a running server, a client, an explanation, or a tap.

mod args;
mod bench;

mod compare;
mod exit_status;
mod explain;
mod follow;
mod listen;
mod load;
mod open_files;
mod publish;
mod serve;
mod tap;

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

const USAGE: &str = "\
barewire: real-time from the bare socket up

Usage: barewire [serve] [OPTION]...
       barewire follow [OPTION]... URL
       barewire publish [OPTION]... URL [DATA]...
       barewire compare [OPTION]...
       barewire explain [OPTION]... [FILE]
       barewire tap --to HOST:PORT [OPTION]...
       barewire bench WORKLOAD [OPTION]...

  serve    one topic over short polling, long polling, Server-Sent Events and WebSockets
  follow   follows a topic over any of these; see barewire follow --help
  publish  publishes to a topic; see barewire publish --help
  compare  what each transport costs, measured; see barewire compare --help
  explain  what each byte is that a client or a server has sent; see barewire explain --help
  tap      the same of what passes between any client and any server; see barewire tap --help
  bench    puts load on any server of these, and says what it makes of it; see barewire bench --help

Without a subcommand it serves. --version says which barewire this is.
";

/// Runs the command with its arguments, the program's name left out.
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let mut arguments = arguments.peekable();
    match arguments.peek().and_then(|first| first.to_str()) {
        Some("serve") => {
            arguments.next();
            serve::main(arguments)
        }
        Some("follow") => {
            arguments.next();
            follow::main(arguments)
        }
        Some("publish") => {
            arguments.next();
            publish::main(arguments)
        }
        Some("compare") => {
            arguments.next();
            compare::main(arguments)
        }
        Some("explain") => {
            arguments.next();
            explain::main(arguments)
        }
        Some("tap") => {
            arguments.next();
            tap::main(arguments)
        }
        Some("bench") => {
            arguments.next();
            bench::main(arguments)
        }
        Some(load::CHILD_SERVER) => load::serve_as_child(),
        Some("--help" | "-h" | "help") => print(&format!("{USAGE}\n{}", serve::help())),
        Some("--version" | "-V") => print(concat!("barewire ", env!("CARGO_PKG_VERSION"), "\n")),
        Some(word) if !word.starts_with('-') => usage_error(&format!("there is no subcommand {word:?}")),
        _ => serve::main(arguments),
    }
}

/// Whether colours are wanted there: on a terminal, unless `NO_COLOR` is set (no-color.org).
fn has_colors(out: &impl IsTerminal) -> bool {
    out.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|no| no.is_empty())
}

/// Writes what was asked for on standard output, which may be closed or full.
fn print(text: &str) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn usage_error(what: &str) -> ExitCode {
    eprintln!("barewire: {what}\nTry barewire --help.");
    ExitCode::from(exit_status::USAGE_ERROR)
}
