//! The program `barewire`.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    barewire::tools::main(std::env::args_os().skip(1))
}
