//! `barewire explain`: what each byte of a file is.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::process::ExitCode;

use crate::wire::record::{Reader, is_recording};
use crate::wire::render::{Source, json, svg, text::Text};
use crate::wire::{Compression, Conversation, Side, Span, Start};

/// The help of the subcommand.
pub const HELP: &str = "\
Usage: barewire explain [OPTION]... [FILE]

Says of each byte what it is: HTTP/1.1, event streams, WebSocket. FILE, or standard input, holds what one side of a
connection has sent, or a recorded conversation.

  --hex [HEX]...   FILE holds hexadecimal digits, or these arguments are them; blanks, colons and 0x may stand between
  --client         a client has sent it; left out, the bytes tell
  --server         a server has sent it
  --as PROTOCOL    it begins as http, websocket or event-stream; left out, the bytes tell: a start line is HTTP,
                   lines with a name and a colon are an event stream, and all else are WebSocket frames
  --format FORM    text, json (an object a line for each field), or svg (a diagram) [text]
  --color WHEN     auto, always or never [auto: on a terminal, unless NO_COLOR is set]
  --all            each byte of long fields too; left out, the first 32
  --hide-secrets   no credentials, cookies and tokens
  --help           this

The exit status is 0; 1 if something breaks a rule; 2 if there is nothing to explain, or the arguments are wrong.
";

/// The most that is read: what is explained is held in memory.
const MOST: u64 = 256 * 1024 * 1024;

/// The exit status when a rule is broken.
const WRONG: u8 = 1;

/// What the arguments ask for.
#[derive(Default)]
struct Asked {
    words: Vec<OsString>,
    hex: bool,
    side: Option<Side>,
    start: Option<Start>,
    form: Form,
    color: Color,
    all: bool,
    hide_secrets: bool,
    help: bool,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Form {
    #[default]
    Text,
    Json,
    Svg,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

/// Explains what the arguments name.
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let asked = match parse(arguments) {
        Ok(asked) if asked.help => return super::print(HELP),
        Ok(asked) => asked,
        Err(what) => return super::usage_error(&what),
    };
    match read(&asked).and_then(|bytes| explain(&asked, &bytes)) {
        Ok(false) => ExitCode::SUCCESS,
        Ok(true) => ExitCode::from(WRONG),
        Err(what) => {
            eprintln!("barewire: {what}");
            ExitCode::from(super::exit_status::USAGE_ERROR)
        }
    }
}

fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Asked, String> {
    use lexopt::prelude::*;

    let mut asked = Asked::default();
    let mut parser = lexopt::Parser::from_args(arguments);
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        match argument {
            Long("hex") => {
                asked.hex = true;
                asked.words.extend(parser.optional_value());
            }
            Long("client") => asked.side = Some(Side::Client),
            Long("server") => asked.side = Some(Side::Server),
            Long("all") => asked.all = true,
            Long("hide-secrets") => asked.hide_secrets = true,
            Short('h') | Long("help") => asked.help = true,
            Long("as") => {
                asked.start = Some(one_of(
                    "as",
                    &mut parser,
                    &[
                        ("http", Start::Http),
                        ("websocket", Start::WebSocket(Compression::NotSeen)),
                        ("event-stream", Start::EventStream),
                    ],
                )?);
            }
            Long("format") => {
                let forms = [("text", Form::Text), ("json", Form::Json), ("svg", Form::Svg)];
                asked.form = one_of("format", &mut parser, &forms)?;
            }
            Long("color") => {
                let colors = [("auto", Color::Auto), ("always", Color::Always), ("never", Color::Never)];
                asked.color = one_of("color", &mut parser, &colors)?;
            }
            Value(word) => asked.words.push(word),
            argument => return Err(argument.unexpected().to_string()),
        }
    }
    if !asked.hex && asked.words.len() > 1 {
        return Err("explain takes one file".into());
    }
    Ok(asked)
}

fn one_of<T: Copy>(name: &str, parser: &mut lexopt::Parser, values: &[(&str, T)]) -> Result<T, String> {
    let value = parser.value().map_err(|error| error.to_string())?;
    let found = values.iter().find(|(word, _)| value == *word);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let words: Vec<&str> = values.iter().map(|(word, _)| *word).collect();
        format!("--{name}: {value:?} is none of {}", words.join(", "))
    })
}

/// The bytes to explain.
fn read(asked: &Asked) -> Result<Vec<u8>, String> {
    if asked.hex
        && !asked.words.is_empty()
        && let Some(bytes) =
            asked.words.iter().map(|word| hex(word.as_encoded_bytes())).collect::<Option<Vec<_>>>()
    {
        return Ok(bytes.concat());
    }
    let (name, bytes) = match &asked.words[..] {
        [] => ("standard input".to_owned(), read_all(io::stdin())),
        [name] if name == "-" => ("standard input".to_owned(), read_all(io::stdin())),
        [name] => (name.to_string_lossy().into_owned(), File::open(name).and_then(read_all)),
        _ => return Err("--hex: these are not hexadecimal digits".into()),
    };
    let bytes = bytes.map_err(|error| format!("{name}: {error}"))?;
    if asked.hex && !is_recording(&bytes) {
        return hex(&bytes).ok_or_else(|| format!("{name}: this is not hexadecimal digits"));
    }
    Ok(bytes)
}

fn read_all(source: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(MOST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST {
        return Err(io::Error::other("this is more than 256 MiB"));
    }
    Ok(bytes)
}

/// Reads hexadecimal digits, two a byte; white space, colons, commas and `0x` may stand between bytes.
fn hex(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = text;
    loop {
        rest = match rest {
            [] => return Some(bytes),
            [b' ' | b'\t' | b'\r' | b'\n' | b':' | b',', after @ ..] | [b'0', b'x' | b'X', after @ ..] => {
                after
            }
            [high, low, after @ ..] => {
                let digit = |byte: u8| char::from(byte).to_digit(16);
                bytes.push(u8::try_from(digit(*high)? << 4 | digit(*low)?).ok()?);
                after
            }
            [_] => return None,
        };
    }
}

/// Writes what was asked for; true if something breaks a rule.
fn explain(asked: &Asked, bytes: &[u8]) -> Result<bool, String> {
    if bytes.is_empty() {
        return Err("there is nothing to explain".into());
    }
    let mut shown = Shown::new(asked);
    if is_recording(bytes) {
        let mut connections = BTreeMap::new();
        for block in Reader::new(bytes) {
            let block = block.map_err(|error| error.to_string())?;
            let source = Source { connection: Some(block.connection), time_ms: Some(block.time_ms) };
            let conversation =
                connections.entry(block.connection).or_insert_with(|| hiding(Conversation::new(), asked));
            conversation.feed(block.side, &block.bytes, &mut shown.spans);
            if block.is_end {
                conversation.finish(block.side, &mut shown.spans);
            }
            shown.write(source)?;
        }
        for (connection, mut conversation) in connections {
            conversation.finish(Side::Client, &mut shown.spans);
            conversation.finish(Side::Server, &mut shown.spans);
            shown.write(Source { connection: Some(connection), time_ms: None })?;
        }
    } else {
        let (guessed_side, guessed_start) = guess(bytes);
        let side = asked.side.unwrap_or(guessed_side);
        let mut conversation = hiding(Conversation::one_sided(asked.start.unwrap_or(guessed_start)), asked);
        // In pieces, so that the spans need not be all there at once.
        for piece in bytes.chunks(64 * 1024) {
            conversation.feed(side, piece, &mut shown.spans);
            shown.write(Source::default())?;
        }
        conversation.finish(side, &mut shown.spans);
        shown.write(Source::default())?;
    }
    shown.end()
}

fn hiding(conversation: Conversation, asked: &Asked) -> Conversation {
    if asked.hide_secrets { conversation.hiding_secrets() } else { conversation }
}

/// Who has sent this, and in which protocol, as its first bytes tell.
fn guess(bytes: &[u8]) -> (Side, Start) {
    let line = bytes.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
    if line.starts_with(b"HTTP/") {
        return (Side::Server, Start::Http);
    }
    let is_text = line.iter().all(|byte| !byte.is_ascii_control());
    if is_text && line.windows(6).any(|window| window == b" HTTP/") {
        return (Side::Client, Start::Http);
    }
    let name = line.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let is_field = matches!(&line[..name], b"" | b"data" | b"event" | b"id" | b"retry")
        && matches!(line.get(name), Some(b':'));
    if is_text && is_field || line.starts_with(b"\xef\xbb\xbf") {
        return (Side::Server, Start::EventStream);
    }
    let is_masked = bytes.get(1).is_some_and(|second| second & 0x80 != 0);
    let side = if is_masked { Side::Client } else { Side::Server };
    (side, Start::WebSocket(Compression::NotSeen))
}

/// What is written, and what has been seen of it.
struct Shown {
    form: Form,
    text: Text,
    spans: Vec<Span>,
    /// For the diagram, which is made of all of them.
    kept: Vec<Span>,
    out: String,
    is_wrong: bool,
}

impl Shown {
    fn new(asked: &Asked) -> Self {
        let color = match asked.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => super::has_colors(&io::stdout()),
        };
        Self {
            form: asked.form,
            text: Text::new(color, asked.all),
            spans: Vec::new(),
            kept: Vec::new(),
            out: String::new(),
            is_wrong: false,
        }
    }

    fn write(&mut self, source: Source) -> Result<(), String> {
        for span in &self.spans {
            self.is_wrong |= span.violation.is_some();
            match self.form {
                Form::Text => self.text.span(source, span, &mut self.out),
                Form::Json => {
                    json::span(source, span, &mut self.out);
                    self.out.push('\n');
                }
                Form::Svg => {}
            }
        }
        if self.form == Form::Svg {
            self.kept.append(&mut self.spans);
        }
        self.spans.clear();
        self.flush()
    }

    fn end(mut self) -> Result<bool, String> {
        if self.form == Form::Svg {
            svg::diagram(&self.kept, &mut self.out);
            self.flush()?;
        }
        Ok(self.is_wrong)
    }

    fn flush(&mut self) -> Result<(), String> {
        let written = io::stdout().write_all(self.out.as_bytes());
        self.out.clear();
        match written {
            // Whoever reads has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            written => written.map_err(|error| format!("standard output: {error}")),
        }
    }
}
