//! Parsers for arguments that several commands accept. Their errors are messages for the user.

use std::ffi::{OsStr, OsString};
use std::fmt::Display;
use std::path::PathBuf;
use std::str::FromStr;

use crate::client::follow::Resource;
use crate::tools::load::Process;

/// The syntax of a bearer token, for error messages.
pub const TOKEN_SYNTAX: &str = "use A-Z a-z 0-9 - . _ ~ + / and, only at the end, = (RFC 6750 section 2.1)";

/// Returns the resource at `url`, requested with the token and header fields of the command line.
pub fn resource(url: &str, token: Option<&str>, fields: &[(String, String)]) -> Result<Resource, String> {
    let fields: Vec<_> = fields.iter().map(|(name, value)| (&**name, &**value)).collect();
    Resource::new(url, token, &fields).map_err(|error| error.to_string())
}

/// A URL of a topic, for error messages.
const TOPIC_URL: &str = "http://127.0.0.1:8080/topics/news";

/// Returns the topic at the URL of the command line, requested with its token and header fields.
pub fn topic(
    url: Option<&str>,
    token: Option<&str>,
    fields: &[(String, String)],
) -> Result<Resource, String> {
    let url =
        url.ok_or_else(|| format!("the URL of a topic is missing: add one, for example {TOPIC_URL}"))?;
    if !url.contains("://") {
        return Err(format!(
            "{url:?} is not the URL of a topic: write it with http://, for example {TOPIC_URL}"
        ));
    }
    let resource = resource(url, token, fields)?;
    // Another server may have events at `/`, so only a URL without any path is certainly
    // incomplete.
    let path = url.splitn(3, '/').nth(2).and_then(|rest| rest.split_once('/')).map(|(_, path)| path);
    match path {
        None | Some("topics" | "topics/") => {
            Err(format!("the URL {url:?} has no topic: add the path of a topic, for example {TOPIC_URL}"))
        }
        Some(_) => Ok(resource),
    }
}

/// Returns the value of `option` as text.
pub fn text(parser: &mut lexopt::Parser, option: &str) -> Result<String, String> {
    utf8(parser.value().map_err(|error| error.to_string())?, option)
}

/// Parses the name of a file.
pub fn file(value: &OsStr) -> Result<PathBuf, String> {
    match value.is_empty() {
        true => Err("the name of the file is empty: name a file".into()),
        false => Ok(value.into()),
    }
}

/// Converts `value` to text. `argument` names it in the error.
pub fn utf8(value: OsString, argument: &str) -> Result<String, String> {
    value.into_string().map_err(|_| format!("{argument}: the value is not valid UTF-8"))
}

/// Parses the value of `--token`.
pub fn bearer_token(text: &str) -> Result<String, String> {
    match is_bearer_token(text) {
        true => Ok(text.to_owned()),
        false => Err(format!("--token: the value is not a bearer token: {TOKEN_SYNTAX}")),
    }
}

/// Returns whether `text` has the syntax of a bearer token (RFC 6750 §2.1).
pub fn is_bearer_token(text: &str) -> bool {
    // b64token = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="
    let body = text.trim_end_matches('=');
    !body.is_empty() && body.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte))
}

/// Parses the value of `--header`: a name and a value, separated by a colon.
pub fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text
        .split_once(':')
        .ok_or_else(|| format!("--header: {text:?} has no colon: write it as 'Name: value'"))?;
    Ok((name.to_owned(), value.trim().to_owned()))
}

/// Parses the value of `--hide`: the name of a field or a query parameter.
pub fn secret_name(text: &str) -> Result<String, String> {
    let is_name = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b':' | b'=' | b'&');
    match !text.is_empty() && text.bytes().all(is_name) {
        true => Ok(text.to_owned()),
        false => Err(format!("{text:?} is not a name: use the name of a field or a query parameter")),
    }
}

/// Parses a whole number from `min` to `max`.
pub fn integer<T: FromStr + PartialOrd + Display>(text: &str, min: T, max: T) -> Result<T, String> {
    let number = text.parse().ok().filter(|number| (&min..=&max).contains(&number));
    number.ok_or_else(|| format!("{text:?} is not a whole number from {min} to {max}"))
}

/// Parses the id of a process whose CPU time can be read.
pub fn process(text: &str) -> Result<Process, String> {
    let process = text
        .parse()
        .map(Process::new)
        .map_err(|_| format!("{text:?} is not a process id: use a number as ps shows it"))?;
    process.cpu_time().map_err(|error| format!("process {text}: {error}"))?;
    Ok(process)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_token_is_a_b64token() {
        for text in ["mF_9.B5f-4.1JqM", "a+/~=="] {
            assert!(is_bearer_token(text), "{text}");
        }
        for text in ["", "=", "a=b", "a b", " a", "p@ss"] {
            assert!(!is_bearer_token(text), "{text}");
        }
    }

    #[test]
    fn accepts_the_id_of_a_running_process_only() {
        let own = std::process::id();
        assert_eq!(process(&own.to_string()).map(|process| process.id()), Ok(own));
        for (text, start) in [("x", "\"x\" is not a process id"), ("4294967295", "process 4294967295: ")] {
            let error = process(text).map(|process| process.id()).expect_err("no such process");
            assert!(error.starts_with(start), "{error}");
        }
    }
}
