//! The protocol code's refusals as rules that stand at a byte: the sentence apart from its section.

use std::fmt::Display;

use super::span::Violation;
use crate::protocol::rule::{Rule, Section};
use crate::protocol::websocket::extension::ExtensionError;
use crate::protocol::websocket::server_handshake::HandshakeError;

/// The sentence of a refusal, which ends with its section in parentheses.
fn sentence(refusal: impl Display) -> String {
    let text = refusal.to_string();
    let end = text.rfind(" (").unwrap_or(text.len());
    let mut sentence = text[..end].to_owned();
    if let Some(first) = sentence.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    sentence.push('.');
    sentence
}

fn wrong(refusal: impl Display, section: Section) -> Violation {
    Violation { rule: sentence(refusal).into(), section }
}

impl From<Rule> for Violation {
    fn from(Rule { sentence, section }: Rule) -> Self {
        Self { rule: sentence.into(), section }
    }
}

pub(super) fn of_handshake(error: HandshakeError) -> Violation {
    use HandshakeError::*;
    let paragraph = match error {
        VersionMissing | KeyMissing | KeyInvalid => "4.2.1",
        VersionUnsupported => "4.2.2",
        VersionRepeated => "11.3.5",
        KeyRepeated => "11.3.1",
    };
    wrong(error, Section::rfc(6455, paragraph))
}

pub(super) fn of_extension(error: ExtensionError) -> Violation {
    use ExtensionError::*;
    let section = match error {
        Grammar => Section::rfc(6455, "9.1"),
        NotOffered => Section::rfc(6455, "4.1"),
        AcceptedTwice => Section::rfc(7692, "6"),
        UnknownParameter | ParameterValue | ParameterRepeated => Section::rfc(7692, "7"),
        ServerContextTakeover => Section::rfc(7692, "7.1.1.1"),
        ServerWindow => Section::rfc(7692, "7.1.2.1"),
        ClientWindow => Section::rfc(7692, "7.1.2.2"),
    };
    wrong(error, section)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The section of a rule is the one that the refusal names.
    fn agrees(refusal: impl Display + Copy, wrong: &Violation) {
        let text = refusal.to_string().replace(" section ", " §");
        let named = wrong.section.to_string();
        assert!(
            text.contains(&format!("({named})")) || text.contains(&format!("({named},")),
            "{text}: {named}"
        );
        assert!(wrong.rule.ends_with('.') && !wrong.rule.contains('('), "{}", wrong.rule);
    }

    #[test]
    fn each_rule_stands_where_the_refusal_says() {
        use HandshakeError as S;
        for error in [
            S::VersionMissing,
            S::VersionUnsupported,
            S::VersionRepeated,
            S::KeyMissing,
            S::KeyRepeated,
            S::KeyInvalid,
        ] {
            agrees(error, &of_handshake(error));
        }
        use ExtensionError as E;
        for error in [
            E::Grammar,
            E::NotOffered,
            E::AcceptedTwice,
            E::UnknownParameter,
            E::ParameterValue,
            E::ParameterRepeated,
            E::ServerContextTakeover,
            E::ServerWindow,
            E::ClientWindow,
        ] {
            agrees(error, &of_extension(error));
        }
    }
}
