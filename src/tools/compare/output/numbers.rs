//! Formats numbers for people: with thousands separators, a suitable unit, and few digits.
//!
//! A no-break space separates a number from its unit.

use std::time::Duration;

/// The text for an unknown number.
pub const NOT_KNOWN: &str = "not known";

/// Formats a count: `2,000`, `33.3`, `0.25`.
pub fn count(value: f64) -> String {
    if !value.is_finite() {
        return NOT_KNOWN.to_owned();
    }
    match value.abs() {
        0.0..0.005 if value != 0.0 => "under 0.01".to_owned(),
        0.0..9.995 => decimals(value, 2),
        9.995..99.95 => decimals(value, 1),
        _ => decimals(value, 0),
    }
}

/// Formats bytes in decimal units: `412 B`, `3.1 kB`, `2.43 MB`.
pub fn bytes(value: f64) -> String {
    const UNITS: [&str; 6] = ["B", "kB", "MB", "GB", "TB", "PB"];
    if !value.is_finite() {
        return NOT_KNOWN.to_owned();
    }
    let (mut value, mut unit) = (value, 0);
    while value.abs() >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    let digits = match (unit, value.abs()) {
        (0, _) | (_, 99.95..) => 0,
        // The growth of the server's memory is often less than a tenth of a megabyte.
        (2.., 0.0..9.995) => 2,
        _ => 1,
    };
    format!("{}\u{a0}{}", decimals(value, digits), UNITS[unit])
}

/// Formats milliseconds: `0.04 ms`, `0.4 ms`, `12 ms`, `1.5 s`.
pub fn delay(ms: f64) -> String {
    if !ms.is_finite() {
        return NOT_KNOWN.to_owned();
    }
    let (value, digits, unit) = match ms.abs() {
        0.0..0.005 if ms != 0.0 => return "under\u{a0}0.01\u{a0}ms".to_owned(),
        0.0..0.095 => (ms, 2, "ms"),
        0.095..9.95 => (ms, 1, "ms"),
        9.95..999.5 => (ms, 0, "ms"),
        999.5..9_995.0 => (ms / 1000.0, 2, "s"),
        9_995.0..99_950.0 => (ms / 1000.0, 1, "s"),
        _ => (ms / 1000.0, 0, "s"),
    };
    format!("{}\u{a0}{unit}", decimals(value, digits))
}

/// Formats a duration as [`delay`] does.
pub fn duration(duration: Duration) -> String {
    delay(duration.as_secs_f64() * 1000.0)
}

/// Formats a percentage: `70 %`, `0.4 %`.
pub fn percent(value: f64) -> String {
    if !value.is_finite() {
        return NOT_KNOWN.to_owned();
    }
    format!("{}\u{a0}%", decimals(value, if value.abs() < 9.95 { 1 } else { 0 }))
}

/// Formats a difference in percent with its sign, or a dash for `None`.
pub fn difference(percent_of: Option<f64>) -> String {
    match percent_of {
        Some(value) if value.is_finite() => {
            let text = percent(value);
            if text.starts_with('−') || text.starts_with("0\u{a0}") { text } else { format!("+{text}") }
        }
        _ => "–".to_owned(),
    }
}

/// Formats a ratio: `×2.00`, `×0.503`, or a dash for `None`.
pub fn ratio(value: Option<f64>) -> String {
    match value {
        Some(value) if value.is_finite() => {
            let digits = match value.abs() {
                0.0..0.1 => 4,
                0.1..1.0 => 3,
                _ => 2,
            };
            format!("×{value:.digits$}")
        }
        _ => "–".to_owned(),
    }
}

/// Formats a count for an axis: millions as `20 M`, which is shorter than all zeros.
pub fn short(value: f64) -> String {
    if value.abs() >= 1e6 { format!("{}\u{a0}M", count(value / 1e6)) } else { count(value) }
}

/// Formats a number with at most `digits` decimals, without trailing zeros, and with thousands
/// separators.
fn decimals(value: f64, digits: usize) -> String {
    let text = format!("{:.digits$}", value.abs());
    let (integer, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let fraction = fraction.trim_end_matches('0');
    let mut out = String::new();
    if value < 0.0 && text.bytes().any(|digit| matches!(digit, b'1'..=b'9')) {
        out.push('−');
    }
    for (index, digit) in integer.chars().enumerate() {
        if index > 0 && (integer.len() - index) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    if !fraction.is_empty() {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_separators_and_few_digits() {
        for (value, text) in [
            (0.0, "0"),
            (0.001, "under 0.01"),
            (0.25, "0.25"),
            (5.996, "6"),
            (33.33, "33.3"),
            (99.96, "100"),
            (999.9, "1,000"),
            (2000.4, "2,000"),
            (20_000_000.0, "20,000,000"),
            (-1234.0, "−1,234"),
            (-0.0, "0"),
            (f64::NAN, "not known"),
        ] {
            assert_eq!(count(value), text, "{value}");
        }
        for (value, text) in [(10.0, "10"), (100_000.0, "100,000"), (2.5e6, "2.5 M"), (1e9, "1,000 M")] {
            assert_eq!(short(value).replace('\u{a0}', " "), text, "{value}");
        }
    }

    #[test]
    fn units_fit_the_size_of_the_number() {
        let plain = |text: String| text.replace('\u{a0}', " ");
        for (value, text) in [
            (0.0, "0 B"),
            (412.4, "412 B"),
            (999.97, "1 kB"),
            (3120.0, "3.1 kB"),
            (2.44e9, "2.44 GB"),
            (2.44e7, "24.4 MB"),
        ] {
            assert_eq!(plain(bytes(value)), text, "{value}");
        }
        for (ms, text) in [
            (0.0, "0 ms"),
            (0.042, "0.04 ms"),
            (0.41, "0.4 ms"),
            (12.3, "12 ms"),
            (999.6, "1 s"),
            (1530.0, "1.53 s"),
            (12_340.0, "12.3 s"),
            (1_234_000.0, "1,234 s"),
            (f64::INFINITY, "not known"),
        ] {
            assert_eq!(plain(delay(ms)), text, "{ms}");
        }
        assert_eq!(plain(duration(Duration::from_millis(250))), "250 ms");
        assert_eq!(plain(percent(70.02)), "70 %");
        for (value, text) in [(Some(0.42), "+0.4 %"), (Some(-3.0), "−3 %"), (Some(0.01), "0 %"), (None, "–")]
        {
            assert_eq!(plain(difference(value)), text, "{value:?}");
        }
        assert_eq!(ratio(Some(2.0)), "×2.00");
        assert_eq!(ratio(Some(1.0 / 60.0)), "×0.0167");
    }
}
