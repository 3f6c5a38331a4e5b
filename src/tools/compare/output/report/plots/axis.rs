//! A logarithmic axis with a separate place for zero.

use crate::tools::compare::output::numbers;

/// A mapping from values to positions on a logarithmic scale. Zero has no position on such a scale,
/// so it has a strip before the start of the scale.
#[derive(Clone, Debug)]
pub struct Axis {
    /// The logarithms to base 10 of the values at the two ends of the scale.
    low: f64,
    high: f64,
    /// The positions of the two ends of the scale.
    from: f64,
    to: f64,
    /// The positions of the two ends of the strip for zero, if there is one.
    zero: Option<[f64; 2]>,
}

/// The largest exponent of 10 on a scale, and the negative of the smallest.
const MAX_EXPONENT: f64 = 15.0;

impl Axis {
    /// Returns an axis for these values between two positions. If one of the values is zero, the
    /// axis has a strip of this size. Negative values and values that are not finite have no place.
    pub fn over(values: impl IntoIterator<Item = f64>, [from, to]: [f64; 2], strip: f64) -> Self {
        let (mut low, mut high, mut has_zero) = (f64::INFINITY, f64::NEG_INFINITY, false);
        for value in values {
            if value == 0.0 {
                has_zero = true;
            } else if value > 0.0 && value.is_finite() {
                low = low.min(value.log10());
                high = high.max(value.log10());
            }
        }
        if low > high {
            (low, high) = (0.0, 1.0);
        }
        let mut low = low.clamp(-MAX_EXPONENT, MAX_EXPONENT);
        let mut high = high.clamp(-MAX_EXPONENT, MAX_EXPONENT);
        // A single value is placed in the middle.
        let margin = ((1.0 - (high - low)) / 2.0).max(0.06 * (high - low));
        low -= margin;
        high += margin;
        let start = from + (to - from).signum() * strip;
        let zero = has_zero.then_some([from, start]);
        Self { low, high, from: if has_zero { start } else { from }, to, zero }
    }

    /// Returns the position of a value, if it has one.
    pub fn at(&self, value: f64) -> Option<f64> {
        if value == 0.0 {
            return self.zero_at(0, 1);
        }
        if !(value > 0.0 && value.is_finite()) {
            return None;
        }
        let part = ((value.log10() - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        Some(self.from + part * (self.to - self.from))
    }

    /// Returns the position of the zero with this index among `count` zeros, which would hide each
    /// other in the same position.
    pub fn zero_at(&self, index: usize, count: usize) -> Option<f64> {
        let [start, end] = self.zero?;
        let part = (index as f64 + 0.5) / count.max(1) as f64;
        // Keep a distance from both ends of the strip.
        Some(start + (0.1 + 0.8 * part) * (end - start))
    }

    /// Returns the end of the strip for zero.
    pub fn zero_end(&self) -> Option<f64> {
        self.zero.map(|[_, end]| end)
    }

    /// Returns the values to label: powers of ten and, if those are few, values between them.
    pub fn ticks(&self) -> Vec<f64> {
        let between = |factors: &[f64]| -> Vec<f64> {
            let decades = self.low.floor() as i32..=self.high.ceil() as i32;
            let all =
                decades.flat_map(|decade| factors.iter().map(move |factor| factor * 10_f64.powi(decade)));
            all.filter(|value| (self.low..=self.high).contains(&value.log10())).collect()
        };
        let decades = between(&[1.0]);
        match decades.len() {
            0..=2 => [decades, between(&[5.0]), between(&[2.0])].concat(),
            3..=9 => decades,
            many => decades.into_iter().step_by(many.div_ceil(9)).collect(),
        }
    }
}

/// Returns the text of a tick on an axis of numbers.
pub fn number(value: f64) -> String {
    if value < 0.01 { value.to_string() } else { numbers::short(value) }
}

/// Returns a shorter text of a tick on an axis of numbers: `100k`, `1M`.
pub fn short_number(value: f64) -> String {
    match value {
        1e9.. => format!("{}bn", numbers::count(value / 1e9)),
        1e6.. => format!("{}M", numbers::count(value / 1e6)),
        1e3.. => format!("{}k", numbers::count(value / 1e3)),
        _ => number(value),
    }
}

/// Returns the text of a tick on an axis of milliseconds.
pub fn time(ms: f64) -> String {
    if ms < 0.01 { format!("{}\u{a0}µs", ms * 1000.0) } else { numbers::delay(ms) }
}

#[cfg(test)]
mod tests {
    use super::Axis;

    #[test]
    fn decades_have_equal_length_and_zero_comes_first() {
        let axis = Axis::over([0.0, 1.0, 100.0], [0.0, 500.0], 50.0);
        let [one, ten, hundred] = [1.0, 10.0, 100.0].map(|value| axis.at(value).expect("a position"));
        assert!(((ten - one) - (hundred - ten)).abs() < 1e-9, "{one} {ten} {hundred}");
        let zero = axis.at(0.0).expect("a position in the strip");
        assert!((0.0..50.0).contains(&zero) && one > 50.0, "{zero} {one}");
        assert!(axis.zero_at(0, 2) < axis.zero_at(1, 2));
    }

    #[test]
    fn an_axis_may_run_downwards() {
        let axis = Axis::over([0.0, 1.0, 100.0], [400.0, 0.0], 40.0);
        assert!(axis.at(1.0) > axis.at(100.0));
        assert!(axis.at(0.0) > axis.at(1.0));
    }

    #[test]
    fn positions_are_finite_for_all_values() {
        for values in [
            vec![],
            vec![0.0],
            vec![f64::NAN, f64::INFINITY, -1.0],
            vec![5.0],
            vec![5.0, 5.0],
            vec![f64::MIN_POSITIVE, f64::MAX],
        ] {
            let axis = Axis::over(values.iter().copied(), [0.0, 100.0], 10.0);
            for value in values.iter().copied().chain([0.0, 1.0, f64::NAN]) {
                let at = axis.at(value);
                assert!(at.is_none_or(|at| (0.0..=100.0).contains(&at)), "{values:?}: {value} at {at:?}");
            }
            let ticks = axis.ticks();
            assert!(ticks.len() <= 12, "{values:?}: {ticks:?}");
            assert!(ticks.iter().all(|tick| axis.at(*tick).is_some()), "{values:?}: {ticks:?}");
        }
        let axis = Axis::over([1.0], [0.0, 100.0], 10.0);
        assert_eq!(axis.at(0.0), None, "no zero among the values");
    }
}
