//! Calendar dates and the `Date` field (RFC 9110 §5.6.7, §6.6.1).

/// Appends a time, in seconds since 1970-01-01T00:00:00Z, as an IMF-fixdate (RFC 9110 §5.6.7):
/// `Sun, 06 Nov 1994 08:49:37 GMT`.
///
/// The format has four digits for the year. A later time is written as the last second of 9999.
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
    for (separator, number) in [(b' ', second / 3600), (b':', second / 60 % 60), (b':', second % 60)] {
        out.push(separator);
        write_two_digits(number, out);
    }
    out.extend_from_slice(b" GMT");
}

/// Returns the year, the month (0 is January) and the day of the month, `days` after 1970-01-01.
///
/// The calculation uses years that begin on 1 March, so that the leap day is the last day of a
/// year. Every 400 such years have 146,097 days.
pub(crate) fn civil(days: u64) -> (u64, u64, u64) {
    // Day 0 is 0000-03-01, so 1970-01-01 is day 719,468.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    // A year has 365 days. Leap days are removed first: one in 4 years (1,460 days), none in the
    // hundredth year (36,524 days), and one in the four hundredth (146,096 days).
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
    fn writes_the_date_of_the_gregorian_calendar() {
        assert_eq!(date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
        // The example of RFC 9110 §5.6.7.
        assert_eq!(date(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(date(951_782_400), "Tue, 29 Feb 2000 00:00:00 GMT");
        assert_eq!(date(951_868_800), "Wed, 01 Mar 2000 00:00:00 GMT");
        assert_eq!(date(1_709_251_199), "Thu, 29 Feb 2024 23:59:59 GMT");
        assert_eq!(date(1_735_689_599), "Tue, 31 Dec 2024 23:59:59 GMT");
        // 2100 is not a leap year.
        assert_eq!(date(4_107_542_400), "Mon, 01 Mar 2100 00:00:00 GMT");
        assert_eq!(date(4_107_542_399), "Sun, 28 Feb 2100 23:59:59 GMT");
        assert_eq!(date(u64::MAX), "Fri, 31 Dec 9999 23:59:59 GMT");
    }

    #[test]
    fn consecutive_days_have_consecutive_dates() {
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
}
