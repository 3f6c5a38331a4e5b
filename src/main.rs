//! The program `barewire`.
#![forbid(unsafe_code)]
#![deny(clippy::print_stdout, clippy::print_stderr)]

use std::process::ExitCode;

fn main() -> ExitCode {
    barewire::tools::main(std::env::args_os().skip(1))
}
