//! The arguments of `explain`.

use std::ffi::OsString;

use crate::tools::args::{secret_name, text};
use crate::tools::suggest::unexpected;
use crate::wire::{Compression, SecretNames, Side, Start};

/// The maximum size of a recording or of hexadecimal digits in bytes, because they are kept in
/// memory.
pub const MAX_INPUT_BYTES: u64 = 256 * 1024 * 1024;
/// The maximum number of bytes that a diagram explains. It draws the first 600 fields, so that one
/// of a longer input would show next to nothing of it.
pub const MAX_DIAGRAM_BYTES: u64 = 1024 * 1024;

pub const HELP: &str = "\
Usage: barewire explain [OPTION]... [FILE]

Names every byte of HTTP/1.1, event streams and WebSocket. FILE, or standard input, contains the
bytes that one side of a connection sent, or a recorded conversation.

  --hex [HEX]...   FILE contains hexadecimal digits, or these arguments are the digits: pairs with
                   spaces, colons, commas, hyphens, 0x or \\x between them, arrays of C, or a dump of
                   xxd, od -t x1, hexdump -C, tcpdump -x or Wireshark; a file that is a dump or
                   separate pairs needs no --hex
  --client         a client sent the bytes [determined by the bytes]
  --server         a server sent the bytes [determined by the bytes]
  --as PROTOCOL    the bytes begin as http, websocket or event-stream [determined by the bytes: a
                   start line is HTTP, other text is an event stream, with or without chunks, and
                   anything else is WebSocket frames]
  --format FORMAT  text, json (one object for each field, on one line) or svg (a diagram) [text]
  --color WHEN     auto, always or never [auto: on a terminal, unless NO_COLOR is set]
  --all            shows all bytes of long fields [the first 32]
  --hide-secrets   hides credentials, cookies and tokens
  --hide NAME      also hides the values of fields and query parameters with this name; may be
                   repeated; implies --hide-secrets
  --help           shows this help

The exit status is 0, also when the reader of the output has ended; 1 if the bytes break a rule, or
if the output can't be written; 2 if there is nothing to explain, or if the arguments are wrong.
";

/// The parsed arguments.
#[derive(Default)]
pub struct Args {
    /// The files, or hexadecimal digits if `hex` is set.
    pub words: Vec<OsString>,
    pub hex: bool,
    pub side: Option<Side>,
    pub start: Option<Start>,
    pub format: Format,
    pub color: Color,
    pub all: bool,
    /// The names of the secrets to hide; `None` shows all.
    pub secrets: Option<SecretNames>,
    pub help: bool,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    #[default]
    Text,
    Json,
    Svg,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

/// Parses the arguments. The error is a message for the user.
pub fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Args, String> {
    use lexopt::prelude::*;

    let mut args = Args::default();
    let (mut hides_secrets, mut hide) = (false, Vec::new());
    let mut parser = lexopt::Parser::from_args(arguments);
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        match argument {
            Long("hex") => {
                args.hex = true;
                args.words.extend(parser.optional_value());
            }
            Long("client") => args.side = Some(Side::Client),
            Long("server") => args.side = Some(Side::Server),
            Long("all") => args.all = true,
            Long("hide-secrets") => hides_secrets = true,
            Long("hide") => {
                let name = secret_name(&text(&mut parser, "--hide")?);
                hide.push(name.map_err(|error| format!("--hide: {error}"))?);
            }
            Short('h') | Long("help") => args.help = true,
            Long("as") => {
                let starts = [
                    ("http", Start::Http),
                    ("websocket", Start::WebSocket(Compression::NotSeen)),
                    ("event-stream", Start::EventStream),
                ];
                args.start = Some(choice("as", &mut parser, &starts)?);
            }
            Long("format") => {
                let formats = [("text", Format::Text), ("json", Format::Json), ("svg", Format::Svg)];
                args.format = choice("format", &mut parser, &formats)?;
            }
            Long("color") => {
                let colors = [("auto", Color::Auto), ("always", Color::Always), ("never", Color::Never)];
                args.color = choice("color", &mut parser, &colors)?;
            }
            Value(word) => args.words.push(word),
            argument => return Err(unexpected(&argument, HELP)),
        }
    }
    args.secrets = (hides_secrets || !hide.is_empty()).then(|| SecretNames::with(&hide));
    if !args.hex && args.words.len() > 1 {
        return Err("explain accepts only one file".into());
    }
    Ok(args)
}

/// Returns the value of an option that accepts one of several words.
fn choice<T: Copy>(name: &str, parser: &mut lexopt::Parser, values: &[(&str, T)]) -> Result<T, String> {
    let value = parser.value().map_err(|error| error.to_string())?;
    let found = values.iter().find(|(word, _)| value == *word);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let words: Vec<&str> = values.iter().map(|(word, _)| *word).collect();
        format!("--{name}: {value:?} is not one of {}", words.join(", "))
    })
}
