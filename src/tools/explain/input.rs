//! The input of `explain`: raw bytes, hexadecimal digits or a recording.

use std::fs::File;
use std::io::{self, Read};

use super::args::{Args, MAX_INPUT_BYTES};
use super::hex;
use crate::tools::args;
use crate::tools::io_error::stream_error;
use crate::wire::record::is_recording;

/// The number of bytes that are read at once, and from which the kind of input is determined.
const READ_BYTES: u64 = 64 * 1024;

/// The bytes to explain.
pub enum Input {
    /// A recording of both sides.
    Recording(Vec<u8>),
    /// Bytes of one side.
    OneSide(Source),
}

/// Bytes of one side, which are read while they are explained.
pub struct Source {
    /// The name of the input, for errors.
    name: String,
    /// The first bytes.
    first: Vec<u8>,
    rest: Box<dyn Read>,
}

impl Source {
    /// Opens an input and reads its first bytes.
    fn open(name: &str, rest: io::Result<Box<dyn Read>>) -> Result<Self, String> {
        let rest = rest.map_err(|error| stream_error(name, &error))?;
        let mut source = Self { name: name.to_owned(), first: Vec::new(), rest };
        source.first = source.read(READ_BYTES)?;
        Ok(source)
    }

    fn of(bytes: Vec<u8>) -> Self {
        Self { name: "--hex".into(), first: bytes, rest: Box::new(io::empty()) }
    }

    /// Returns the first bytes, which determine the protocol.
    pub fn first(&self) -> &[u8] {
        &self.first
    }

    /// Returns the next bytes; none at the end.
    pub fn next(&mut self) -> Result<Vec<u8>, String> {
        match std::mem::take(&mut self.first) {
            first if first.is_empty() => self.read(READ_BYTES),
            first => Ok(first),
        }
    }

    /// Reads up to `limit` bytes. Fewer are the last ones.
    fn read(&mut self, limit: u64) -> Result<Vec<u8>, String> {
        let mut bytes = Vec::new();
        let read = (&mut self.rest).take(limit).read_to_end(&mut bytes);
        read.map(|_| bytes).map_err(|error| stream_error(&self.name, &error))
    }

    /// Reads the whole input.
    fn read_all(mut self) -> Result<Vec<u8>, String> {
        let mut bytes = std::mem::take(&mut self.first);
        bytes.extend(self.read(MAX_INPUT_BYTES)?);
        if bytes.len() as u64 > MAX_INPUT_BYTES {
            return Err(format!("{}: the input is longer than 256 MiB", self.name));
        }
        Ok(bytes)
    }

    /// Returns true if [`first`](Self::first) is the whole input.
    fn is_complete(&self) -> bool {
        (self.first.len() as u64) < READ_BYTES
    }
}

/// Reads the input that the arguments name. The error is a message for the user.
pub fn read(args: &Args) -> Result<Input, String> {
    let source = match &args.words[..] {
        [] => standard_input()?,
        [name] if name == "-" => standard_input()?,
        words if args.hex => {
            let digits: Vec<&[u8]> = words.iter().map(|word| word.as_encoded_bytes()).collect();
            match (hex::decode(&digits.join(&b' ')), words) {
                (Ok(bytes), _) => return Ok(Input::OneSide(Source::of(bytes))),
                (Err(error), [name]) => match File::open(name) {
                    Ok(file) => Source::open(&name.to_string_lossy(), Ok(Box::new(file)))?,
                    Err(missing) => {
                        return Err(format!("--hex: {}: {missing}; {error}", name.to_string_lossy()));
                    }
                },
                (Err(error), _) => return Err(format!("--hex: {error}")),
            }
        }
        [name, ..] => {
            args::file(name).map_err(|message| format!("FILE: {message}"))?;
            let file = File::open(name).map(|file| Box::new(file) as Box<dyn Read>);
            Source::open(&name.to_string_lossy(), file)?
        }
    };
    if resembles_recording(source.first()) {
        return source.read_all().map(Input::Recording);
    }
    if args.hex || (args.start.is_none() && hex::is_evident(source.first(), source.is_complete())) {
        let name = source.name.clone();
        let bytes = hex::decode(&source.read_all()?).map_err(|error| format!("{name}: {error}"))?;
        return Ok(Input::OneSide(Source::of(bytes)));
    }
    Ok(Input::OneSide(source))
}

fn standard_input() -> Result<Source, String> {
    Source::open("standard input", Ok(Box::new(io::stdin())))
}

/// Returns true for a recording, and for one of another version, whose reader reports that.
fn resembles_recording(first: &[u8]) -> bool {
    is_recording(first) || first.starts_with(b"barewire conversation ")
}
