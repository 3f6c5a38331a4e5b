//! `barewire follow`: writes the events of a topic to standard output.

mod args;
mod output;

use std::ffi::OsString;
use std::process::{self, ExitCode};

use self::args::Args;
use self::output::Form;
use super::exit_status::{NO_RESPONSE, OUTPUT_FAILED, REFUSED};
use super::standard_streams::{self, Written, finish_messages, report, when_reader_is_gone};
use crate::client::{Follow, FollowError, Update};
use crate::text::printable;

/// Follows until an error occurs, the requested number of events has arrived, or standard output is
/// closed.
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    match args::parse(arguments) {
        Ok(Some(args)) => ExitCode::from(follow(args)),
        Ok(None) => super::print(args::HELP),
        Err(error) => super::usage_error("barewire follow", &error),
    }
}

/// Returns the exit status.
fn follow(args: Args) -> u8 {
    let Args { resource, options, count, is_json, is_quiet, fails_on_gap } = args;
    let follow = match Follow::new(resource, options) {
        Ok(follow) => follow,
        Err(error) => return report_error(&error),
    };
    // The next event may be far away. A reader that has ended is a success, as below.
    when_reader_is_gone(|| {
        finish_messages();
        process::exit(0);
    });
    let mut remaining = count;
    let form = Form::of_standard_output(is_json);
    for update in follow {
        let update = match update {
            Ok(update) => update,
            Err(error) => return report_error(&error),
        };
        let event = match update {
            Update::Event(event) => event,
            other => {
                let is_failure = fails_on_gap && matches!(other, Update::Gap { .. });
                if !is_quiet || is_failure {
                    report(output::describe(&other));
                }
                if is_failure {
                    return REFUSED;
                }
                continue;
            }
        };
        match standard_streams::write(&form.line(&event)) {
            Ok(Written::Completely) => {}
            // The reader of standard output may stop at any time, for example head. This is a
            // success.
            Ok(Written::ReaderGone) => return 0,
            Err(error) => {
                let id = printable(event.id.as_bytes());
                report(format_args!("the event {id} could not be written: {error}"));
                return OUTPUT_FAILED;
            }
        }
        remaining = remaining.map(|remaining| remaining - 1);
        if remaining == Some(0) {
            return 0;
        }
    }
    0
}

/// Writes the error to standard error and returns the exit status.
fn report_error(error: &FollowError) -> u8 {
    report(error);
    match error {
        FollowError::Fatal(_) => REFUSED,
        FollowError::GaveUp(_) => NO_RESPONSE,
    }
}
