//! The output of `barewire follow`: a line per event, and messages about the connection.

use crate::client::Update;
use crate::protocol::sse::Event;
use crate::text::JsonObject;
use crate::text::{escaped, printable};
use crate::tools::standard_streams::output_is_terminal;

/// The form of the events on standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The exact data, for a file or a program.
    Data,
    /// The data with the characters on which a terminal acts escaped, except for line ends and
    /// tabs.
    Terminal,
    /// A JSON object. It escapes the same characters, so it is the same for every reader.
    Json,
}

impl Form {
    /// Returns the form for standard output.
    pub fn of_standard_output(is_json: bool) -> Self {
        match is_json {
            true => Self::Json,
            false if output_is_terminal() => Self::Terminal,
            false => Self::Data,
        }
    }

    /// Returns the output for one event, including the line end.
    pub fn line(self, event: &Event) -> Vec<u8> {
        let mut line = match self {
            Self::Data => event.data.clone(),
            Self::Terminal => escaped(&event.data, &['\n', '\t']).into_owned(),
            Self::Json => {
                let mut line = String::with_capacity(event.data.len() + 64);
                JsonObject::write(&mut line, |object| {
                    object.string("id", &event.id);
                    object.string("event", &event.event);
                    object.string("data", &event.data);
                });
                line
            }
        };
        line.push('\n');
        line.into_bytes()
    }
}

/// Returns the message about an update for standard error. The ids in it are safe for a terminal.
pub fn describe(update: &Update) -> String {
    let id = |id: &str| printable(id.as_bytes());
    match update {
        Update::Opened(via) => format!("following via {via}"),
        Update::Gap { since, oldest: Some(oldest) } => format!(
            "gap: some events after {} are no longer kept; the oldest kept event is {}",
            id(since),
            id(oldest)
        ),
        Update::Gap { since, oldest: None } => {
            format!("gap: the events after {} are no longer kept; the topic is empty", id(since))
        }
        Update::Disconnected { reason, retry_in } => {
            format!("{reason}; reconnecting in {:.1} s", retry_in.as_secs_f64())
        }
        Update::FellBack { from, to, reason } => format!("{from} failed: {reason}; trying {to}"),
        Update::Event(event) => format!("event {}", id(&event.id)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_terminal_and_json_receive_escaped_data() {
        let event =
            Event { id: "a\x1b".into(), event: "e".into(), data: "x\ty\n\x1b[2J\u{9b}\u{202e}".into() };
        assert_eq!(Form::Data.line(&event), "x\ty\n\x1b[2J\u{9b}\u{202e}\n".as_bytes());
        assert_eq!(Form::Terminal.line(&event), b"x\ty\n\\x1b[2J\\xc2\\x9b\\xe2\\x80\\xae\n");
        let json = br#"{"id":"a\u001b","event":"e","data":"x\ty\n\u001b[2J\u009b\u202e"}"#;
        assert_eq!(Form::Json.line(&event), [&json[..], b"\n"].concat());
    }

    #[test]
    fn messages_have_no_character_on_which_a_terminal_acts() {
        let (since, oldest) = ("\x1b]0;a\x07".to_owned(), Some("\u{9b}2J".to_owned()));
        let shown = describe(&Update::Gap { since, oldest });
        assert!(shown.contains("after \\x1b]0;a\\x07 are") && shown.ends_with("\\xc2\\x9b2J"), "{shown}");
    }
}
