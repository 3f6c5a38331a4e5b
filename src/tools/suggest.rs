//! The nearest name to one that a command does not know.

use lexopt::Arg;

/// Names that users of other programs try, with the option or the argument that they mean. An
/// option is suggested only by a command that has it, so several rows may have the same first name.
const SYNONYMS: &[(&str, &str)] = &[
    ("port", "--listen"),
    ("host", "--listen"),
    ("bind", "--listen"),
    ("address", "--listen"),
    ("addr", "--listen"),
    ("interface", "--listen"),
    ("p", "--listen"),
    ("l", "--listen"),
    ("topic", "URL"),
    ("url", "URL"),
    ("server", "--to"),
    ("server", "--url"),
    ("server", "URL"),
    ("target", "--to"),
    ("target", "--url"),
    ("upstream", "--to"),
    ("backend", "--to"),
    ("host", "--to"),
    ("transport", "--via"),
    ("transport", "--transports"),
    ("transport", "--wire-only"),
    ("protocol", "--as"),
    ("filter", "--wire-only"),
    ("cors", "--allow-origin"),
    ("origin", "--allow-origin"),
    ("auth", "--token"),
    ("bearer", "--token"),
    ("access-token", "--token"),
    ("token", "--publish-token"),
    ("auth", "--publish-token"),
    ("last-event-id", "--since"),
    ("from", "--since"),
    ("cursor", "--since"),
    ("limit", "--count"),
    ("max", "--count"),
    ("n", "--count"),
    ("H", "--header"),
    ("d", "DATA"),
    ("data", "DATA"),
    ("message", "DATA"),
    ("name", "--event"),
    ("type", "--event"),
    ("file", "FILE"),
    ("input", "FILE"),
    ("output", "--report"),
    ("output", "--record"),
    ("out", "--report"),
    ("out", "--record"),
    ("o", "--report"),
    ("o", "--record"),
    ("mask", "--hide"),
    ("redact", "--hide"),
    ("secrets", "--hide-secrets"),
    ("secrets", "--show-secrets"),
    ("clients", "--connections"),
    ("connections", "--clients"),
    ("iterations", "--runs"),
    ("repeat", "--runs"),
    ("silent", "--quiet"),
    ("s", "--quiet"),
    ("q", "--quiet"),
    ("j", "--json"),
    ("j", "--format"),
    ("json", "--format"),
    ("json", "--log"),
    ("format", "--json"),
    // Commands.
    ("server", "serve"),
    ("start", "serve"),
    ("run", "serve"),
    ("subscribe", "follow"),
    ("sub", "follow"),
    ("listen", "follow"),
    ("watch", "follow"),
    ("tail", "follow"),
    ("pub", "publish"),
    ("send", "publish"),
    ("post", "publish"),
    ("emit", "publish"),
    ("decode", "explain"),
    ("parse", "explain"),
    ("dump", "explain"),
    ("proxy", "tap"),
    ("sniff", "tap"),
    ("relay", "tap"),
    ("record", "tap"),
    ("benchmark", "bench"),
    ("load", "bench"),
    ("version", "--version"),
];

/// The maximum number of edits between a mistyped name and the suggestion.
const MAX_EDITS: usize = 2;

/// Returns the error for an argument that a command does not accept. `help` is the help of the
/// command, whose lines name its options.
pub fn unexpected(argument: &Arg, help: &str) -> String {
    match argument {
        Arg::Long(name) => unknown("option", &format!("--{name}"), help),
        Arg::Short(letter) => unknown("option", &format!("-{letter}"), help),
        Arg::Value(value) => format!("unexpected argument {value:?}"),
    }
}

/// Returns the error for an unknown option or word of this kind, with the nearest name in `help`.
pub fn unknown(kind: &str, name: &str, help: &str) -> String {
    let shown = if name.starts_with('-') { name.to_owned() } else { format!("{name:?}") };
    let suggestion = nearest(name, help).map(|nearest| match nearest {
        argument if argument.starts_with(|first: char| first.is_ascii_uppercase()) => {
            format!("; did you mean the argument {argument}?")
        }
        name => format!("; did you mean {name}?"),
    });
    format!("unknown {kind} {shown}{}", suggestion.unwrap_or_default())
}

/// Returns true if `name` is not `other` but a mistyped form of it.
pub fn is_mistyped(name: &str, other: &str) -> bool {
    name != other && name.starts_with('-') == other.starts_with('-') && mistyped(name, other).is_some()
}

/// Returns the number of edits between a name and another one, if `name` may be a mistyped form of
/// it. Hyphens at the start do not count.
fn mistyped(name: &str, other: &str) -> Option<usize> {
    let (bare, other) = (name.trim_start_matches('-'), other.trim_start_matches('-'));
    let edits = edits(bare, other);
    // A name of which more than half is wrong is another name.
    let is_close = edits <= MAX_EDITS && 2 * edits <= bare.chars().count().max(other.chars().count());
    is_close.then_some(edits)
}

/// Returns the name in `help` that `name` most probably means.
fn nearest<'h>(name: &str, help: &'h str) -> Option<&'h str> {
    let is_option = name.starts_with('-');
    let bare = name.trim_start_matches('-');
    let all = || names(help);
    // The case of a single letter has a meaning.
    let is_synonym = |given: &str| given == bare || (bare.len() > 1 && given.eq_ignore_ascii_case(bare));
    let known = |meant: &str| all().chain(arguments(help)).find(|name| *name == meant);
    let mut synonyms = SYNONYMS.iter().filter(|(given, _)| is_synonym(given));
    if let Some(synonym) = synonyms.find_map(|(_, meant)| known(meant)) {
        return Some(synonym);
    }
    let bares = || {
        let same_kind = all().filter(move |name| name.starts_with("--") == is_option);
        same_kind.map(|name| (name, name.trim_start_matches('-')))
    };
    let own = bares().filter_map(|(name, other)| Some((mistyped(bare, other)?, name)));
    // A synonym may be mistyped too, but less: there are many. Among equally close names, one of
    // this command comes first.
    let of_kind =
        |meant: &str| (meant.starts_with("--") || meant.starts_with(char::is_uppercase)) == is_option;
    let synonyms = SYNONYMS.iter().filter(|(_, meant)| of_kind(meant));
    let meant = synonyms.filter_map(|(given, meant)| {
        let edits = mistyped(bare, given).filter(|edits| 4 * edits <= given.len())?;
        Some((edits, known(meant)?))
    });
    if let Some((_, name)) = own.chain(meant).min_by_key(|(edits, _)| *edits) {
        return Some(name);
    }
    // A part of a name is enough if no other name has it.
    let mut with_part = bares().filter(|(_, other)| {
        bare.len() >= 3 && (other.starts_with(bare) || other.split('-').any(|part| part == bare))
    });
    let (only, _) = with_part.next()?;
    with_part.next().is_none().then_some(only)
}

/// Returns the options and words that a help describes: the first word of each line that begins
/// with two spaces.
pub fn names(help: &str) -> impl Iterator<Item = &str> {
    let entries =
        help.lines().filter_map(|line| line.strip_prefix("  ")).filter(|line| !line.starts_with(' '));
    let words = entries.filter_map(|line| line.split([' ', '=']).next());
    let commands = help.contains("barewire --version").then_some("--version");
    words.filter(|word| !word.is_empty()).chain(commands)
}

/// Returns the arguments in capital letters in the first line of a help.
fn arguments(help: &str) -> impl Iterator<Item = &str> {
    let words = help.lines().next().unwrap_or_default().split([' ', '[', ']', '.']);
    words.filter(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_uppercase()))
}

/// Returns the number of characters to insert, remove, replace, or exchange with their neighbor, to
/// turn one text into the other.
fn edits(one: &str, other: &str) -> usize {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=other.len()).collect();
    for (row, from) in one.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, to) in other.iter().enumerate() {
            let replaced = last[column] + usize::from(from != to);
            let mut best = replaced.min(last[column + 1] + 1).min(current[column] + 1);
            if row > 0 && column > 0 && *from == other[column - 1] && one[row - 1] == *to {
                best = best.min(before_last[column - 1] + 1);
            }
            current.push(best);
        }
        before_last = std::mem::replace(&mut last, current);
    }
    last[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELP: &str = "\
Usage: barewire follow [OPTION]... URL

  --listen ADDR:PORT  the address
                      --indented is not an option
  --publish-token T   a token
  --max-connections N the number
  --as PROTOCOL       the protocol
  --quiet             nothing
  echo                a workload
";

    #[test]
    fn suggests_synonyms_then_few_edits_then_a_part_that_is_unique() {
        for (name, expected) in [
            ("--port", Some("--listen")),
            ("-p", Some("--listen")),
            ("-P", None),
            ("--PORT", Some("--listen")),
            ("--topic", Some("URL")),
            ("--token", Some("--publish-token")),
            ("--lsiten", Some("--listen")),
            ("--listn", Some("--listen")),
            ("--liisteen", Some("--listen")),
            ("--quite", Some("--quiet")),
            ("--Quiet", Some("--quiet")),
            ("--connections", Some("--max-connections")),
            ("--pub", Some("--publish-token")),
            ("--echo", None),
            ("ehco", Some("echo")),
            ("listen", None),
            ("--indented", None),
            // A synonym of an option that this command does not have.
            ("--cors", None),
            // A mistyped synonym. A name of this command is closer, or as close.
            ("--porrt", Some("--listen")),
            ("--silnt", Some("--quiet")),
            ("--lisen", Some("--listen")),
            ("subscribbe", None),
            ("--subscribe", None),
            ("--xx", None),
            ("--\u{e9}\u{e9}", None),
            ("--", None),
        ] {
            assert_eq!(nearest(name, HELP), expected, "{name}");
        }
        assert_eq!(
            unknown("option", "--prot", "  --port N\n"),
            "unknown option --prot; did you mean --port?"
        );
        assert_eq!(unknown("workload", "x", HELP), "unknown workload \"x\"");
        assert_eq!(unknown("option", "--url", HELP), "unknown option --url; did you mean the argument URL?");
    }

    #[test]
    fn a_mistyped_name_is_close_to_another_one() {
        for name in ["--verson", "--versoin", "--Version", "-version", "--versions"] {
            assert!(is_mistyped(name, "--version"), "{name}");
        }
        for name in ["--version", "version", "verson", "--verbose", "--listen", "-V", "--", ""] {
            assert!(!is_mistyped(name, "--version"), "{name}");
        }
    }

    #[test]
    fn counts_edits() {
        for (one, other, expected) in [
            ("", "", 0),
            ("", "ab", 2),
            ("ab", "ba", 1),
            ("abc", "abd", 1),
            ("kitten", "sitting", 3),
            ("a", "", 1),
        ] {
            assert_eq!(edits(one, other), expected, "{one} {other}");
        }
    }
}
