//! The access log: one line per request, as text or JSON, written by a thread for which the event
//! loop never waits.

mod background_writer;

use std::io::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub use background_writer::BackgroundWriter;

use crate::protocol::json;
use crate::server::{LoggedRequest, RequestLog};
use crate::text::without_user_information;

/// How many bytes of the log may wait for the output, unless the program chooses.
const LOG_BYTES: usize = 1 << 20;

/// The form of a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum LogForm {
    /// No lines.
    #[default]
    Off,
    /// Words with spaces between them: time, peer, method, path, status, transport, milliseconds.
    Text,
    /// One JSON object per line: `time`, `peer`, `method`, `path`, `status`,
    /// `transport`, `milliseconds`.
    Json,
}

impl LogForm {
    /// Returns a line with a message about the server itself. JSON has `time` and `message`.
    pub fn notice(self, message: &str) -> String {
        match self {
            LogForm::Off | LogForm::Text => format!("barewire: {message}\n"),
            LogForm::Json => {
                let mut line =
                    format!("{{\"time\":\"{}\",\"message\":", timestamp(SystemTime::now())).into_bytes();
                json::write_string(message, &mut line);
                line.extend_from_slice(b"}\n");
                String::from_utf8_lossy(&line).into_owned()
            }
        }
    }

    /// Returns a writer to standard error whose queue holds at most `capacity` bytes. It reports
    /// dropped lines in this form.
    pub fn to_standard_error(self, capacity: usize) -> BackgroundWriter {
        BackgroundWriter::to_standard_error(capacity, move |lines| {
            let lines = match lines {
                1 => "1 line of the log was".to_owned(),
                _ => format!("{lines} lines of the log were"),
            };
            self.notice(&format!("{lines} dropped, because standard error did not accept them"))
        })
    }
}

/// The access log. The lines of one loop iteration are queued together.
pub struct AccessLog {
    form: LogForm,
    lines: Vec<u8>,
    to: BackgroundWriter,
    /// How long the end of the server waits for the last lines.
    patience: Duration,
}

impl AccessLog {
    /// Creates a log that writes lines in this form to `to`. The caller, which may have other uses
    /// for the writer, waits for the last lines.
    pub fn new(form: LogForm, to: BackgroundWriter) -> AccessLog {
        AccessLog { form, lines: Vec::new(), to, patience: Duration::ZERO }
    }

    /// Creates a log that writes lines in this form to standard error. The end of the server waits
    /// at most a second for the last lines.
    pub fn to_standard_error(form: LogForm) -> AccessLog {
        let log = AccessLog::new(form, form.to_standard_error(LOG_BYTES));
        AccessLog { patience: Duration::from_secs(1), ..log }
    }
}

impl RequestLog for AccessLog {
    fn add(&mut self, request: &LoggedRequest<'_>) {
        let time = timestamp(SystemTime::now());
        let peer = request.peer.map_or_else(|| "-".to_owned(), |peer| peer.to_string());
        let (status, milliseconds) = (request.status.code(), request.ticks * 100);
        let (LoggedRequest { method, path, .. }, transport) = (request, request.purpose.name());
        let path = without_user_information(path);
        let lines = &mut self.lines;
        match self.form {
            LogForm::Off => {}
            LogForm::Text => {
                // Writing to a Vec cannot fail.
                let _ =
                    writeln!(lines, "{time} {peer} {method} {path} {status} {transport} {milliseconds}ms");
            }
            LogForm::Json => {
                let _ = write!(lines, "{{\"time\":\"{time}\",\"peer\":\"{peer}\",\"method\":");
                json::write_string(method, lines);
                lines.extend_from_slice(b",\"path\":");
                json::write_string(&path, lines);
                let _ = writeln!(
                    lines,
                    ",\"status\":{status},\"transport\":\"{transport}\",\"milliseconds\":{milliseconds}}}"
                );
            }
        }
    }

    fn add_slow_handler(&mut self, route: &str, took: Duration) {
        if self.form != LogForm::Off {
            let message = format!("the handler of {route} took {} ms", took.as_millis());
            self.lines.extend_from_slice(self.form.notice(&message).as_bytes());
        }
    }

    fn flush(&mut self) {
        self.to.write(&self.lines);
        self.lines.clear();
    }

    fn dropped(&self) -> u64 {
        self.to.dropped()
    }

    fn finish(&mut self) {
        self.to.finish(self.patience);
    }
}

/// Returns a time as in RFC 3339, in UTC, with milliseconds.
fn timestamp(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let (year, month, day) = crate::protocol::http::civil(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let (month, millisecond) = (month + 1, since.subsec_millis());
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millisecond:03}Z")
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::{LogForm, timestamp};

    #[test]
    fn a_notice_has_the_form_of_the_log() {
        assert_eq!(LogForm::Text.notice("1 line"), "barewire: 1 line\n");
        let line = LogForm::Json.notice("\"1\" line");
        assert!(line.starts_with("{\"time\":\""), "{line}");
        assert!(line.ends_with("Z\",\"message\":\"\\\"1\\\" line\"}\n"), "{line}");
    }

    #[test]
    fn times_have_the_form_of_rfc_3339() {
        assert_eq!(timestamp(UNIX_EPOCH), "1970-01-01T00:00:00.000Z");
        assert_eq!(
            timestamp(UNIX_EPOCH + Duration::from_millis(784_111_777_042)),
            "1994-11-06T08:49:37.042Z"
        );
    }
}
