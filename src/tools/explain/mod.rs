//! `barewire explain`: names every byte of a file.

mod args;
mod guess;
mod hex;
mod input;
mod output;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::ops::ControlFlow;
use std::process::ExitCode;

use args::{Args, Format, MAX_DIAGRAM_BYTES};
use input::{Input, Source};
use output::{Output, OutputError};

use super::exit_status::{OUTPUT_FAILED, USAGE_ERROR};
use super::standard_streams::fail;
use crate::wire::record::Reader;
use crate::wire::{Conversation, PIECE_BYTES, Side, render};

/// The exit status if the input breaks a rule.
const RULE_BROKEN: u8 = 1;

/// Runs the command.
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let args = match args::parse(arguments) {
        Ok(args) if args.help => return super::print(args::HELP),
        Ok(args) => args,
        Err(message) => return super::usage_error("barewire explain", &message),
    };
    match input::read(&args).map_err(Failure::from).and_then(|input| explain(&args, input)) {
        Ok(false) => ExitCode::SUCCESS,
        Ok(true) => ExitCode::from(RULE_BROKEN),
        Err(Failure(message, status)) => fail(status, message),
    }
}

/// An error message and the exit status that belongs to it.
struct Failure(String, u8);

impl From<String> for Failure {
    fn from(message: String) -> Self {
        Self(message, USAGE_ERROR)
    }
}

impl From<OutputError> for Failure {
    fn from(error: OutputError) -> Self {
        Self(error.0, OUTPUT_FAILED)
    }
}

/// Explains the input. Returns true if it breaks a rule. When the reader of the output has ended,
/// the rest of the input is not examined, and the result is false.
fn explain(args: &Args, input: Input) -> Result<bool, Failure> {
    let mut output = Output::new(args);
    let flow = match input {
        Input::Recording(bytes) => explain_recording(args, &bytes, &mut output)?,
        Input::OneSide(source) => explain_one_side(args, source, &mut output)?,
    };
    if flow.is_break() { Ok(false) } else { Ok(output.end()?) }
}

fn explain_recording(args: &Args, bytes: &[u8], output: &mut Output) -> Result<ControlFlow<()>, Failure> {
    let mut connections = BTreeMap::new();
    let mut length = 0;
    for block in Reader::new(bytes) {
        let block = block.map_err(|error| error.to_string())?;
        let source = render::Source { connection: Some(block.connection), time_ms: Some(block.time_ms) };
        let conversation =
            connections.entry(block.connection).or_insert_with(|| hiding(Conversation::new(), args));
        length += block.bytes.len() as u64;
        check_length(args, length)?;
        let mut flow = feed(conversation, block.side, &block.bytes, source, output)?;
        if block.is_end && flow.is_continue() {
            flow = finish(conversation, &[block.side], source, output)?;
        }
        if flow.is_break() {
            return Ok(flow);
        }
    }
    for (connection, mut conversation) in connections {
        let source = render::Source { connection: Some(connection), time_ms: None };
        let flow = finish(&mut conversation, &[Side::Client, Side::Server], source, output)?;
        if flow.is_break() {
            return Ok(flow);
        }
    }
    Ok(ControlFlow::Continue(()))
}

fn explain_one_side(args: &Args, mut input: Source, output: &mut Output) -> Result<ControlFlow<()>, Failure> {
    if input.first().is_empty() {
        return Err("there is nothing to explain: the input is empty".to_owned().into());
    }
    let start = args.start.unwrap_or_else(|| guess::start(input.first()));
    let side = args.side.unwrap_or_else(|| guess::side(input.first(), start));
    let mut conversation = hiding(Conversation::one_sided(start), args);
    let mut length = 0;
    let source = render::Source::default();
    loop {
        let bytes = input.next()?;
        if bytes.is_empty() {
            return Ok(finish(&mut conversation, &[side], source, output)?);
        }
        length += bytes.len() as u64;
        check_length(args, length)?;
        let flow = feed(&mut conversation, side, &bytes, source, output)?;
        if flow.is_break() {
            return Ok(flow);
        }
    }
}

/// Checks the number of bytes so far against the limit of the format.
fn check_length(args: &Args, length: u64) -> Result<(), Failure> {
    if args.format == Format::Svg && length > MAX_DIAGRAM_BYTES {
        let message = "the input of a diagram is longer than 1 MiB: use --format text, or cut the input";
        return Err(message.to_owned().into());
    }
    Ok(())
}

/// Feeds bytes to a conversation, piece by piece, and writes the spans of each piece. `Break` means
/// that nothing reads the output any more.
fn feed(
    conversation: &mut Conversation,
    side: Side,
    bytes: &[u8],
    source: render::Source,
    output: &mut Output,
) -> Result<ControlFlow<()>, OutputError> {
    let mut spans = Vec::new();
    for piece in bytes.chunks(PIECE_BYTES) {
        conversation.feed(side, piece, &mut spans);
        if output.write(source, &mut spans)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// Ends sides of a conversation, and writes their last spans.
fn finish(
    conversation: &mut Conversation,
    sides: &[Side],
    source: render::Source,
    output: &mut Output,
) -> Result<ControlFlow<()>, OutputError> {
    let mut spans = Vec::new();
    sides.iter().for_each(|side| conversation.finish(*side, &mut spans));
    output.write(source, &mut spans)
}

fn hiding(conversation: Conversation, args: &Args) -> Conversation {
    match &args.secrets {
        Some(names) => conversation.hiding(names.clone()),
        None => conversation,
    }
}
