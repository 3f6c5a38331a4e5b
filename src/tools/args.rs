//! Parsers for arguments that several commands accept.

use std::ffi::OsString;

use crate::client::follow::Resource;
use crate::protocol::http::fields::bearer;
use crate::tools::load::Process;

/// What the arguments of `follow` and of `publish` ask for.
pub fn resource(url: &str, token: Option<&str>, fields: &[(String, String)]) -> Result<Resource, String> {
    let fields: Vec<_> = fields.iter().map(|(name, value)| (&**name, &**value)).collect();
    Resource::new(url, token, &fields).map_err(|error| error.to_string())
}

/// An option's value as text.
pub fn text(parser: &mut lexopt::Parser, option: &str) -> Result<String, String> {
    utf8(parser.value().map_err(|error| error.to_string())?, option)
}

pub fn utf8(value: OsString, what: &str) -> Result<String, String> {
    value.into_string().map_err(|_| format!("{what}: the value is not UTF-8"))
}

pub fn bearer_token(text: &str) -> Result<String, String> {
    match bearer(format!("Bearer {text}").as_bytes()) {
        Some(token) if token == text.as_bytes() => Ok(text.to_owned()),
        _ => Err("--token: a token is of A-Z a-z 0-9 - . _ ~ + / with = at its end (RFC 6750 §2.1)".into()),
    }
}

pub fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text
        .split_once(':')
        .ok_or_else(|| format!("--header: {text:?} is not a name, a colon and a value"))?;
    Ok((name.to_owned(), value.trim().to_owned()))
}

/// The process with this id, whose CPU time can be read.
pub fn process(text: &str) -> Result<Process, String> {
    let process = text.parse().map(Process::new).map_err(|_| format!("{text:?} is no process' id"))?;
    process.cpu_time().map_err(|error| format!("process {text}: {error}"))?;
    Ok(process)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_one_that_is_there() {
        let own = std::process::id();
        assert_eq!(process(&own.to_string()).map(|process| process.id()), Ok(own));
        for (text, what) in [("x", "\"x\" is no process' id"), ("4294967295", "process 4294967295: ")] {
            let error = process(text).map(|process| process.id()).expect_err("it is none");
            assert!(error.starts_with(what), "{error}");
        }
    }
}
