//! Response heads: the status line, field lines, and the date (RFC 9112 §4, RFC 9110 §5.6.7, §15).

use std::fmt;

use super::fields::{is_control, is_token, write_decimal};

/// A status code with its reason phrase (RFC 9110 §15); those that barewire answers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Status(u16);

/// Names the statuses once, for the constants and for the reason phrases.
macro_rules! statuses {
    ($($name:ident = $code:literal, $reason:literal;)*) => {
        impl Status {
            $(#[doc = concat!("`", $code, " ", $reason, "`.")]
            pub const $name: Self = Self($code);)*

            /// The reason phrase of the registry.
            pub const fn reason(self) -> &'static str {
                match self.0 {
                    $($code => $reason,)*
                    // No other can be made: the field is private. An empty phrase is allowed (RFC 9112 §4).
                    _ => "",
                }
            }
        }
    };
}

statuses! {
    CONTINUE = 100, "Continue";
    SWITCHING_PROTOCOLS = 101, "Switching Protocols";
    OK = 200, "OK";
    CREATED = 201, "Created";
    NO_CONTENT = 204, "No Content";
    NOT_MODIFIED = 304, "Not Modified";
    BAD_REQUEST = 400, "Bad Request";
    UNAUTHORIZED = 401, "Unauthorized";
    FORBIDDEN = 403, "Forbidden";
    NOT_FOUND = 404, "Not Found";
    METHOD_NOT_ALLOWED = 405, "Method Not Allowed";
    REQUEST_TIMEOUT = 408, "Request Timeout";
    CONTENT_TOO_LARGE = 413, "Content Too Large";
    URI_TOO_LONG = 414, "URI Too Long";
    EXPECTATION_FAILED = 417, "Expectation Failed";
    UPGRADE_REQUIRED = 426, "Upgrade Required";
    TOO_MANY_REQUESTS = 429, "Too Many Requests";
    REQUEST_HEADER_FIELDS_TOO_LARGE = 431, "Request Header Fields Too Large";
    INTERNAL_SERVER_ERROR = 500, "Internal Server Error";
    NOT_IMPLEMENTED = 501, "Not Implemented";
    SERVICE_UNAVAILABLE = 503, "Service Unavailable";
    HTTP_VERSION_NOT_SUPPORTED = 505, "HTTP Version Not Supported";
}

impl Status {
    /// The three digits.
    pub const fn code(self) -> u16 {
        self.0
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0, self.reason())
    }
}

/// The whole interim answer to `Expect: 100-continue` (RFC 9110 §15.2.1).
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// A response head that is being written; [`end`](Self::end) writes its blank line.
///
/// The version is always HTTP/1.1, also towards a client that said 1.0: it tells what the server
/// can do (RFC 9110 §2.5).
#[must_use = "a head without its end is half a head"]
pub struct ResponseHead<'o> {
    out: &'o mut Vec<u8>,
}

impl<'o> ResponseHead<'o> {
    /// Appends the status line to `out`.
    pub fn start(out: &'o mut Vec<u8>, status: Status) -> Self {
        out.extend_from_slice(b"HTTP/1.1 ");
        write_decimal(u64::from(status.code()), out);
        out.push(b' ');
        out.extend_from_slice(status.reason().as_bytes());
        out.extend_from_slice(b"\r\n");
        Self { out }
    }

    /// Appends a field line.
    ///
    /// A control in `value` goes out as a space. So a value that came from a client cannot end the
    /// line and begin another, or another response: RFC 9110 §5.5 wants exactly this of a recipient
    /// that keeps such a value. The name is the program's own, never a client's: hence `'static`.
    pub fn field(self, name: &'static str, value: impl AsRef<[u8]>) -> Self {
        debug_assert!(is_token(name.as_bytes()), "{name:?} is no field name");
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b": ");
        let value = value.as_ref();
        // All are looked at, without an end at the first: so the compiler takes many at once.
        if value.iter().fold(false, |found, byte| found | is_control(*byte)) {
            let safe = |byte: &u8| if is_control(*byte) { b' ' } else { *byte };
            self.out.extend(value.iter().map(safe));
        } else {
            self.out.extend_from_slice(value);
        }
        self.out.extend_from_slice(b"\r\n");
        self
    }

    /// Appends `Content-Length`, in bytes (RFC 9110 §8.6).
    pub fn length(self, bytes: usize) -> Self {
        self.out.extend_from_slice(b"Content-Length: ");
        write_decimal(bytes as u64, self.out);
        self.out.extend_from_slice(b"\r\n");
        self
    }

    /// Appends a weak entity tag (RFC 9110 §8.8.3) of visible ASCII without quotation marks.
    pub fn weak_tag(self, opaque: &[u8]) -> Self {
        debug_assert!(opaque.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'"'), "{opaque:?}");
        for part in [b"ETag: W/\"", opaque, b"\"\r\n"] {
            self.out.extend_from_slice(part);
        }
        self
    }

    /// Appends the blank line that ends the head.
    pub fn end(self) {
        self.out.extend_from_slice(b"\r\n");
    }
}

/// Appends a moment, in seconds since 1970-01-01T00:00:00Z, as an IMF-fixdate
/// (RFC 9110 §5.6.7): `Sun, 06 Nov 1994 08:49:37 GMT`.
///
/// The form has four digits for the year; what is later than the year 9999 is its last second.
pub fn write_date(seconds_since_epoch: u64, out: &mut Vec<u8>) {
    const LAST: u64 = 253_402_300_799;
    // 1970-01-01 was a Thursday.
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let seconds = seconds_since_epoch.min(LAST);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    out.extend_from_slice(DAYS[(days % 7) as usize].as_bytes());
    out.extend_from_slice(b", ");
    write_two_digits(day, out);
    out.push(b' ');
    out.extend_from_slice(MONTHS[month as usize].as_bytes());
    out.push(b' ');
    write_two_digits(year / 100, out);
    write_two_digits(year % 100, out);
    for (before, number) in [(b' ', second / 3600), (b':', second / 60 % 60), (b':', second % 60)] {
        out.push(before);
        write_two_digits(number, out);
    }
    out.extend_from_slice(b" GMT");
}

/// The year, the month (0 is January) and the day of the month, `days` after 1970-01-01.
///
/// Counted in years that begin on the first of March, so that the leap day is the last of its
/// year; 400 such years have always 146,097 days.
pub(crate) fn civil(days: u64) -> (u64, u64, u64) {
    // From 0000-03-01 on; 1970-01-01 is day 719,468 of that.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    // A year more for each 365 days, less the leap days that have been: one in 4 years
    // (1,460 days), none in the hundredth (36,524), but one in the four hundredth (146,096).
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // Five months from March, and again from August, have 153 days: 31, 30, 31, 30, 31.
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12;
    let year = era * 400 + year_of_era + u64::from(month < 2);
    (year, month, day)
}

/// Appends a number below 100 in two digits.
fn write_two_digits(number: u64, out: &mut Vec<u8>) {
    out.extend([number / 10, number % 10].map(|digit| b'0' + digit as u8));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(seconds: u64) -> String {
        let mut out = Vec::new();
        write_date(seconds, &mut out);
        String::from_utf8(out).expect("a date is ASCII")
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
        // The example of RFC 9110 §5.6.7.
        assert_eq!(date(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(date(951_782_400), "Tue, 29 Feb 2000 00:00:00 GMT");
        assert_eq!(date(951_868_800), "Wed, 01 Mar 2000 00:00:00 GMT");
        assert_eq!(date(1_709_251_199), "Thu, 29 Feb 2024 23:59:59 GMT");
        assert_eq!(date(1_735_689_599), "Tue, 31 Dec 2024 23:59:59 GMT");
        // 2100 is no leap year.
        assert_eq!(date(4_107_542_400), "Mon, 01 Mar 2100 00:00:00 GMT");
        assert_eq!(date(4_107_542_399), "Sun, 28 Feb 2100 23:59:59 GMT");
        assert_eq!(date(u64::MAX), "Fri, 31 Dec 9999 23:59:59 GMT");
    }

    #[test]
    fn days_follow_each_other_without_a_gap() {
        let leap =
            |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        let mut expected = (1970, 0, 1);
        for days in 0..200_000 {
            assert_eq!(civil(days), expected);
            let (year, month, day) = expected;
            let february = if leap(year) { 29 } else { 28 };
            let length = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month as usize];
            expected = match (month, day) {
                (11, 31) => (year + 1, 0, 1),
                _ if day == length => (year, month + 1, 1),
                _ => (year, month, day + 1),
            };
        }
    }

    #[test]
    fn a_head_is_a_status_line_field_lines_and_a_blank_line() {
        let mut out = Vec::new();
        ResponseHead::start(&mut out, Status::CREATED)
            .field("Content-Type", "application/json")
            .length(12)
            .end();
        let expected = "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n";
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }

    #[test]
    fn no_value_ends_its_line() {
        let mut out = Vec::new();
        ResponseHead::start(&mut out, Status::OK).field("X", "a\r\nSet-Cookie: b\0\x7f\tc\u{e9}").end();
        let expected = "HTTP/1.1 200 OK\r\nX: a  Set-Cookie: b  \tc\u{e9}\r\n\r\n";
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }

    #[test]
    fn statuses_have_their_phrases() {
        assert_eq!(Status::NOT_FOUND.to_string(), "404 Not Found");
        assert_eq!(Status::CONTENT_TOO_LARGE.code(), 413);
    }
}
