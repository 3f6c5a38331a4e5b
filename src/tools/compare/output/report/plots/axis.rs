//! A logarithmic axis, on which zero has a place of its own.

use crate::tools::compare::output::numbers;

/// From values to places. Values are on a logarithmic scale; zero, which has no place on one, has a strip at its beginning.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    /// Of the scale's ends, the logarithm to the base of 10.
    low: f64,
    high: f64,
    /// The scale's ends.
    from: f64,
    to: f64,
    /// The ends of the strip of zero, if there is one.
    zero: Option<[f64; 2]>,
}

/// No scale is wider: 10 to this, and to minus this.
const FARTHEST: f64 = 15.0;

impl Axis {
    /// Over these values, from one place to another, with a strip of this size if zero is among them. What is no number,
    /// or below zero, is left out.
    pub(super) fn over(values: impl IntoIterator<Item = f64>, [from, to]: [f64; 2], strip: f64) -> Self {
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
        let (mut low, mut high) = (low.clamp(-FARTHEST, FARTHEST), high.clamp(-FARTHEST, FARTHEST));
        // One value alone stands in the middle.
        let margin = ((1.0 - (high - low)) / 2.0).max(0.06 * (high - low));
        low -= margin;
        high += margin;
        let begin = from + (to - from).signum() * strip;
        let zero = has_zero.then_some([from, begin]);
        Self { low, high, from: if has_zero { begin } else { from }, to, zero }
    }

    /// The place of a value; none of what has none.
    pub(super) fn at(&self, value: f64) -> Option<f64> {
        if value == 0.0 {
            return self.zero_at(0, 1);
        }
        if !(value > 0.0 && value.is_finite()) {
            return None;
        }
        let part = ((value.log10() - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        Some(self.from + part * (self.to - self.from))
    }

    /// The place of zero for one of many that would hide each other.
    pub(super) fn zero_at(&self, index: usize, many: usize) -> Option<f64> {
        let [begin, end] = self.zero?;
        let part = (index as f64 + 0.5) / many.max(1) as f64;
        // Not to the strip's very ends.
        Some(begin + (0.1 + 0.8 * part) * (end - begin))
    }

    /// Where the strip of zero ends.
    pub(super) fn zero_end(&self) -> Option<f64> {
        self.zero.map(|[_, end]| end)
    }

    /// What is written at it: powers of ten, and behind them what lies between them where these are few.
    pub(super) fn ticks(&self) -> Vec<f64> {
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

/// A tick's text on an axis of numbers.
pub(super) fn number(value: f64) -> String {
    if value < 0.01 { value.to_string() } else { numbers::short(value) }
}

/// The same where there is little room: `100k`, `1M`.
pub(super) fn brief_number(value: f64) -> String {
    match value {
        1e9.. => format!("{}bn", numbers::count(value / 1e9)),
        1e6.. => format!("{}M", numbers::count(value / 1e6)),
        1e3.. => format!("{}k", numbers::count(value / 1e3)),
        _ => number(value),
    }
}

/// A tick's text on an axis of milliseconds.
pub(super) fn time(ms: f64) -> String {
    if ms < 0.01 { format!("{}\u{a0}µs", ms * 1000.0) } else { numbers::delay(ms) }
}

#[cfg(test)]
mod tests {
    use super::Axis;

    #[test]
    fn a_decade_is_as_long_as_the_next_and_zero_is_before_them() {
        let axis = Axis::over([0.0, 1.0, 100.0], [0.0, 500.0], 50.0);
        let [one, ten, hundred] = [1.0, 10.0, 100.0].map(|value| axis.at(value).expect("a place"));
        assert!(((ten - one) - (hundred - ten)).abs() < 1e-9, "{one} {ten} {hundred}");
        let zero = axis.at(0.0).expect("its strip");
        assert!((0.0..50.0).contains(&zero) && one > 50.0, "{zero} {one}");
        assert!(axis.zero_at(0, 2) < axis.zero_at(1, 2));
    }

    #[test]
    fn it_goes_downwards_too() {
        let axis = Axis::over([0.0, 1.0, 100.0], [400.0, 0.0], 40.0);
        assert!(axis.at(1.0) > axis.at(100.0));
        assert!(axis.at(0.0) > axis.at(1.0));
    }

    #[test]
    fn whatever_it_is_over_its_places_are_numbers() {
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
        assert_eq!(axis.at(0.0), None, "it is over no zero");
    }
}
