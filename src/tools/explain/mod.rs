//! `barewire explain`: names every byte of a file.

mod args;
mod input;
mod output;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::process::ExitCode;

use args::Args;
use output::Output;

use super::exit_status;
use crate::wire::record::{Reader, is_recording};
use crate::wire::render::Source;
use crate::wire::{Conversation, Side};

/// The number of bytes that are split before their spans are written, so that the spans of a large
/// file are not in memory all at once.
const CHUNK_BYTES: usize = 64 * 1024;

/// The exit status if the input breaks a rule.
const RULE_BROKEN: u8 = 1;

/// Runs the command.
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let args = match args::parse(arguments) {
        Ok(args) if args.help => return super::print(args::HELP),
        Ok(args) => args,
        Err(message) => return super::usage_error("barewire explain", &message),
    };
    match input::read(&args).and_then(|bytes| explain(&args, &bytes)) {
        Ok(false) => ExitCode::SUCCESS,
        Ok(true) => ExitCode::from(RULE_BROKEN),
        Err(message) => {
            eprintln!("barewire: {message}");
            ExitCode::from(exit_status::USAGE_ERROR)
        }
    }
}

/// Explains the input. Returns true if it breaks a rule.
fn explain(args: &Args, bytes: &[u8]) -> Result<bool, String> {
    if bytes.is_empty() {
        return Err("there is nothing to explain: the input is empty".into());
    }
    let mut output = Output::new(args);
    if is_recording(bytes) {
        explain_recording(args, bytes, &mut output)?;
    } else {
        explain_one_side(args, bytes, &mut output)?;
    }
    output.end()
}

fn explain_recording(args: &Args, bytes: &[u8], output: &mut Output) -> Result<(), String> {
    let mut connections = BTreeMap::new();
    let mut spans = Vec::new();
    for block in Reader::new(bytes) {
        let block = block.map_err(|error| error.to_string())?;
        let source = Source { connection: Some(block.connection), time_ms: Some(block.time_ms) };
        let conversation =
            connections.entry(block.connection).or_insert_with(|| hiding(Conversation::new(), args));
        conversation.feed(block.side, &block.bytes, &mut spans);
        if block.is_end {
            conversation.finish(block.side, &mut spans);
        }
        output.write(source, &mut spans)?;
    }
    for (connection, mut conversation) in connections {
        conversation.finish(Side::Client, &mut spans);
        conversation.finish(Side::Server, &mut spans);
        output.write(Source { connection: Some(connection), time_ms: None }, &mut spans)?;
    }
    Ok(())
}

fn explain_one_side(args: &Args, bytes: &[u8], output: &mut Output) -> Result<(), String> {
    let (guessed_side, guessed_start) = input::guess(bytes);
    let side = args.side.unwrap_or(guessed_side);
    let mut conversation = hiding(Conversation::one_sided(args.start.unwrap_or(guessed_start)), args);
    let mut spans = Vec::new();
    for chunk in bytes.chunks(CHUNK_BYTES) {
        conversation.feed(side, chunk, &mut spans);
        output.write(Source::default(), &mut spans)?;
    }
    conversation.finish(side, &mut spans);
    output.write(Source::default(), &mut spans)
}

fn hiding(conversation: Conversation, args: &Args) -> Conversation {
    if args.hide_secrets { conversation.hiding_secrets() } else { conversation }
}
