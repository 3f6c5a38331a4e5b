//! The command: from arguments to a running server.

mod options;
mod serve;

use std::ffi::OsString;
use std::process::ExitCode;

const USAGE: &str = "\
barewire: real-time from the bare socket up

Usage: barewire [serve] [OPTION]...

  serve    one topic over short polling, long polling, Server-Sent Events and WebSockets

Without a subcommand it serves.
";

/// A mistake in the arguments: exit status 2, and what is wrong on standard error.
const MISTAKE: u8 = 2;

/// Runs the command with its arguments, the program's name left out.
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let mut arguments = arguments.peekable();
    match arguments.peek().and_then(|first| first.to_str()) {
        Some("serve") => {
            arguments.next();
            serve::main(arguments)
        }
        Some("--help" | "-h" | "help") => {
            print!("{USAGE}\n{}", options::help());
            ExitCode::SUCCESS
        }
        Some("--version" | "-V") => {
            println!("barewire {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
        Some(word) if !word.starts_with('-') => mistake(&format!("there is no subcommand {word:?}")),
        _ => serve::main(arguments),
    }
}

fn mistake(what: &str) -> ExitCode {
    eprintln!("barewire: {what}\nTry barewire --help.");
    ExitCode::from(MISTAKE)
}
