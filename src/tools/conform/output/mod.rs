//! The output of `conform`: the result in the requested format, the report, the saved outcomes, and
//! messages.

mod json;
mod junit;
mod list;
mod report;
mod tap;
mod text;

pub use list::list;

use std::fs::{self, OpenOptions};
use std::process::ExitCode;

use super::args::{Args, Format};
use super::expectation::saved;
use super::results::Results;
use crate::text::escaped;
use crate::tools::exit_status::{FAILED, OUTPUT_FAILED};
use crate::tools::io_error::file_error;
use crate::tools::standard_streams::{self, output_has_colors};

/// Checks before the run that its files can be written. Their contents stay until it is over.
///
/// # Errors
/// A message for the user.
pub fn check_files(args: &Args) -> Result<(), String> {
    for path in [&args.save, &args.report].into_iter().flatten() {
        OpenOptions::new().append(true).create(true).open(path).map_err(|error| file_error(path, &error))?;
    }
    Ok(())
}

/// Writes the result to standard output, the files, and messages to standard error. Returns the
/// exit status of the command.
pub fn write(args: &Args, results: &Results<'_>) -> ExitCode {
    let text = format(results, args.format, output_has_colors());
    let mut errors = Vec::new();
    errors.extend(standard_streams::write(text.as_bytes()).err());
    if let Some(path) = &args.save {
        let written = match results.is_complete() {
            true => fs::write(path, saved(results.played())).map_err(|error| file_error(path, &error)),
            // A part of the outcomes must not replace all of them.
            false => Err(format!("{} is not written, because the run was stopped", path.display())),
        };
        errors.extend(written.err());
    }
    if let Some(path) = &args.report {
        let written = fs::write(path, report::report(results));
        errors.extend(written.map_err(|error| file_error(path, &error)).err());
    }
    report_differences(args, results);
    errors.iter().for_each(standard_streams::report);
    match (results.is_success(), errors.is_empty()) {
        (true, true) => ExitCode::SUCCESS,
        (false, _) => ExitCode::from(FAILED),
        (true, false) => ExitCode::from(OUTPUT_FAILED),
    }
}

/// Reports each difference from the expected outcomes.
fn report_differences(args: &Args, results: &Results<'_>) {
    let (Some(expectation), Some(differences)) = (&args.expect, &results.differences) else { return };
    // The outcomes of a file are text from elsewhere.
    differences.iter().for_each(|one| standard_streams::report(escaped(&one.to_string(), &[])));
    let file = expectation.path.display();
    match differences.len() {
        0 => standard_streams::report(format_args!("all outcomes are those of {file}")),
        1 => standard_streams::report(format_args!("1 outcome differs from {file}")),
        count => standard_streams::report(format_args!("{count} outcomes differ from {file}")),
    }
}

/// Returns the results in a format, for standard output.
pub fn format(results: &Results<'_>, format: Format, color: bool) -> String {
    match format {
        Format::Json => json::json(results),
        Format::Junit => junit::junit(results),
        Format::Tap => tap::tap(results),
        Format::Text => text::text(results, color),
    }
}
