//! The arguments of `barewire serve`.

use std::ffi::OsString;
use std::fmt::Write;

use super::options::{Kind, ROWS, ServeOptions};
use super::wire::WireOptions;
use crate::access_log::LogForm;
use crate::server::Options;
use crate::tools::suggest::{unexpected, unknown};

/// File descriptors that are not connections: the standard streams, the listener, the poll, the
/// stop stream and connections that only receive a refusal, with some to spare.
const RESERVE: u64 = 100;
/// Fewer connections than this are a reason for a warning, even without the log.
const FEW_CONNECTIONS: usize = 256;

/// Returns the defaults of the command.
///
/// The number of connections is the limit of open files minus a reserve. The soft limit is raised
/// to the hard limit if possible.
pub fn defaults() -> ServeOptions {
    let library = Options::default();
    let files = rlimit::increase_nofile_limit(u64::MAX).unwrap_or(library.max_connections as u64 + RESERVE);
    let max_connections = connections_within(files);
    let (wire, log) = (WireOptions::default(), LogForm::default());
    ServeOptions { server: Options { max_connections, ..library }, wire, log }
}

/// Returns the message about the number of connections that the limit of open files permits: with a
/// log always, and without one only if they are few.
pub fn notice_of_connections(options: &Options, log: LogForm) -> Option<String> {
    // If the limit cannot be read, accepting one connection too many is retried later.
    let files = rlimit::increase_nofile_limit(u64::MAX).ok()?;
    notice_of_limit(files, options, log)
}

fn notice_of_limit(files: u64, options: &Options, log: LogForm) -> Option<String> {
    let (possible, wanted) = (connections_within(files), options.max_connections);
    let is_warning = possible < FEW_CONNECTIONS;
    let is_expected =
        possible > wanted || possible == wanted && possible >= Options::default().max_connections;
    // Without the log, only a warning is worth a line.
    if log == LogForm::Off && (is_expected || !is_warning) {
        return None;
    }
    let at_most = |number: usize| match number {
        1 => "at most 1 connection is possible".to_owned(),
        _ => format!("at most {number} connections are possible"),
    };
    if is_expected {
        return Some(format!("{}; the limit of open files is {files}", at_most(wanted)));
    }
    let consequence = match wanted > possible {
        true => format!("{wanted} connections may not be possible"),
        false => at_most(possible),
    };
    Some(format!(
        "{consequence}, because the limit of open files is {files}: raise it with ulimit -n before the start, \
         or with LimitNOFILE in a unit of systemd"
    ))
}

/// Returns how many connections a limit of open files permits.
fn connections_within(files: u64) -> usize {
    usize::try_from(files.saturating_sub(RESERVE).max(1)).unwrap_or(usize::MAX)
}

/// The parsed arguments.
pub enum Args {
    /// Serve with these options.
    Serve(Box<ServeOptions>),
    /// Show the help.
    Help,
}

/// Applies the arguments to the defaults.
pub fn parse(arguments: impl Iterator<Item = OsString>, defaults: ServeOptions) -> Result<Args, String> {
    use lexopt::prelude::*;

    let mut options = defaults;
    options.log = LogForm::Text;
    let mut quiet = false;
    let mut parser = lexopt::Parser::from_args(arguments);
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        let name = match argument {
            Short('h') | Long("help") => return Ok(Args::Help),
            Long(name) => name.to_owned(),
            argument => return Err(unexpected(&argument, &help())),
        };
        quiet |= name == "quiet";
        let row = ROWS.iter().find(|row| row.name == name);
        let row = row.ok_or_else(|| unknown("option", &format!("--{name}"), &help()))?;
        match row.kind {
            Kind::Flag(set) => set(&mut options),
            Kind::Value(_, set, _) => {
                let value = parser.value().map_err(|error| error.to_string())?;
                let value =
                    value.to_str().ok_or_else(|| format!("--{name}: the value is not valid UTF-8"))?;
                set(&mut options, value).map_err(|error| format!("--{name}: {error}"))?;
            }
        }
    }
    if quiet {
        options.log = LogForm::Off;
    }
    Ok(Args::Serve(Box::new(options)))
}

/// Returns the help: a table of all options with their defaults.
pub fn help() -> String {
    let defaults = defaults();
    let mut out = String::from("Options of barewire serve:\n\n");
    let rows = ROWS.iter().map(|row| match row.kind {
        Kind::Flag(_) => (format!("--{}", row.name), String::new(), row.help),
        Kind::Value(value, _, show) => (format!("--{} {value}", row.name), show(&defaults), row.help),
    });
    for (option, default, help) in rows.chain([("--help".into(), String::new(), "show this help")]) {
        // Writing to a String does not fail.
        let _ = match &*default {
            "" => writeln!(out, "  {option:<30}  {help}"),
            default => writeln!(out, "  {option:<30}  {help} [{default}]"),
        };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{
        Args, Kind, LogForm, Options, ROWS, ServeOptions, connections_within, notice_of_limit, parse,
    };

    fn options(arguments: &[&str]) -> Result<ServeOptions, String> {
        match parse(arguments.iter().map(Into::into), ServeOptions::default())? {
            Args::Serve(options) => Ok(*options),
            Args::Help => Err("help".into()),
        }
    }

    #[test]
    fn parses_options_and_names_each_mistake() {
        let parsed = options(&["--listen", "[::1]:0", "--max-wait=7", "--allow-origin", "https://a.example"])
            .expect("valid");
        assert_eq!(parsed.server.listen.to_string(), "[::1]:0");
        assert_eq!(parsed.server.policy.max_wait, 7);
        assert_eq!(parsed.server.policy.access.allowed_origins, ["https://a.example"]);
        for (arguments, part) in [
            (&["--listen", "nowhere"][..], "--listen: \"nowhere\" is not valid: use an address"),
            (&["--max-wait", "256"], "--max-wait: \"256\" is not valid: use a whole number from 0 to 255"),
            (&["--heartbeat", "0"], "--heartbeat: \"0\" is not valid: use a whole number from 1"),
            (&["--allow-origin", "a.example"], "--allow-origin: \"a.example\" is not an origin"),
            (&["--allow-origin", "https://*.a.example"], "\"https://*.a.example\" is not an origin: use one"),
            (&["--allow-host", "https://a.example"], "--allow-host: \"https://a.example\" is not a host"),
            (&["--publish-token", ""], "--publish-token: the value is not a bearer token"),
            (&["--follow-token", "p@ss!"], "--follow-token: the value is not a bearer token"),
            (&["--log", "xml"], "--log: \"xml\" is not a log format"),
            (&["--record", ""], "--record: the name of the file is empty"),
            (&["--nonsense"], "unknown option --nonsense"),
            (&["--listen"], "--listen"),
            (&["word"], "word"),
        ] {
            let error = options(arguments).expect_err("a mistake");
            assert!(error.contains(part), "{arguments:?}: {error}");
        }
    }

    #[test]
    fn the_limit_of_open_files_is_reported_and_a_low_one_in_any_case() {
        let notice = |files, max_connections, log| {
            notice_of_limit(files, &Options { max_connections, ..Options::default() }, log)
        };
        for log in [LogForm::Off, LogForm::Text, LogForm::Json] {
            let warning = notice(64, connections_within(64), log).expect("a warning");
            let start = "at most 1 connection is possible, because the limit of open files is 64: ";
            assert!(warning.starts_with(start) && warning.contains("ulimit -n"), "{warning}");
            let more = notice(64, 50, log).expect("a warning");
            assert!(more.starts_with("50 connections may not be possible, because"), "{more}");
            let expected = [
                (64, 0, "at most 0 connections are possible; the limit of open files is 64"),
                (1 << 20, 1, "at most 1 connection is possible; the limit of open files is 1048576"),
                (20_000, 19_900, "at most 19900 connections are possible; the limit of open files is 20000"),
            ];
            for (files, max_connections, text) in expected {
                let notice = notice(files, max_connections, log);
                assert_eq!(notice.as_deref(), (log != LogForm::Off).then_some(text));
            }
            let told = [notice(1024, connections_within(1024), log), notice(1 << 14, 1 << 14, log)];
            assert!(told.iter().all(|notice| notice.is_some() == (log != LogForm::Off)), "{told:?}");
        }
    }

    #[test]
    fn every_option_accepts_its_default() {
        let defaults = ServeOptions::default();
        for row in ROWS {
            if let Kind::Value(_, set, show) = &row.kind {
                let default = show(&defaults);
                if default != "none" && default != "any" {
                    set(&mut ServeOptions::default(), &default)
                        .unwrap_or_else(|error| panic!("--{}: {error}", row.name));
                }
            }
        }
    }
}
