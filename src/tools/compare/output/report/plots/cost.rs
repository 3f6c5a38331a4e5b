//! The plot of cost and delay: requests per minute, and the median delay.

use std::time::Duration;

use super::axis::{Axis, number, time};
use super::grid::grid;
use super::labels::Labels;
use super::{Anchor, Canvas, Frame, Mark};
use crate::client::follow::Transport;
use crate::tools::compare::arithmetic::Formula;
use crate::tools::compare::output::numbers::{count, delay, duration};
use crate::tools::compare::output::report::words::{name, short_name, trial_name};
use crate::tools::compare::results::{Comparison, Trial};

/// Intervals in seconds that are labelled on the curve where there is room.
const LABELLED: [f64; 13] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0];
/// The number of steps along the curve.
const STEPS: u32 = 32;
/// The factor by which the curve extends beyond the shortest and the longest measured interval.
const EXTENSION: f64 = 5.0;

/// The calculated figures of short polling with one interval.
struct Point {
    interval: Duration,
    requests: f64,
    delay: f64,
}

/// Returns the calculated curve of short polling over its intervals.
fn curve(comparison: &Comparison, formula: &Formula<'_>) -> Vec<Point> {
    let intervals =
        || comparison.trials.iter().filter_map(|trial| trial.interval).map(|interval| interval.as_secs_f64());
    let shortest = intervals().fold(f64::INFINITY, f64::min).max(0.001) / EXTENSION;
    let longest = intervals().fold(0.0, f64::max).max(0.001) * EXTENSION;
    if !shortest.is_finite() {
        return Vec::new();
    }
    let step = (longest / shortest).powf(1.0 / f64::from(STEPS));
    let steps = (0..=STEPS).map(|index| shortest * step.powf(f64::from(index)));
    let labelled = LABELLED.into_iter().filter(|seconds| (shortest..=longest).contains(seconds));
    let mut seconds: Vec<f64> = steps.chain(labelled).collect();
    seconds.sort_by(f64::total_cmp);
    // An end of the curve may equal a labelled interval except for a rounding error.
    seconds.dedup_by(|one, other| (*one / *other - 1.0).abs() < 1e-6);
    seconds
        .into_iter()
        .filter_map(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .map(|interval| {
            let figures = formula(&comparison.config, Transport::ShortPoll, Some(interval));
            Point { interval, requests: figures.requests_per_minute, delay: figures.delay.p50 }
        })
        .filter(|point| point.requests > 0.0 && point.delay > 0.0)
        .collect()
}

/// Returns the plot in both frames.
pub fn cost(comparison: &Comparison, formula: &Formula<'_>) -> String {
    let curve = curve(comparison, formula);
    let trials: Vec<_> = comparison.trials.iter().filter(|trial| trial.arrived > 0).collect();
    let sentences = trials.iter().map(|trial| {
        format!(
            "{}: {} requests per minute, {}.",
            trial_name(trial),
            count(trial.measured.requests_per_minute),
            delay(trial.measured.delay.p50)
        )
    });
    let description = format!(
        "Measured requests per minute and median delay. {}{}",
        sentences.collect::<Vec<_>>().join(" "),
        if curve.is_empty() {
            ""
        } else {
            " Short polling lies on a falling curve: fewer requests mean longer delays."
        }
    );
    Frame::BOTH
        .map(|frame| Plot::new(frame, &trials, &curve).draw().end("cost", "Cost and delay", &description))
        .concat()
}

/// One drawing of the plot in progress.
struct Plot<'a> {
    frame: Frame,
    canvas: Canvas,
    labels: Labels,
    /// The position of each measured trial.
    marks: Vec<(&'a Trial, [f64; 2])>,
    /// The position of each interval on the curve.
    curve: Vec<(Duration, [f64; 2])>,
}

impl<'a> Plot<'a> {
    /// Draws the grid and calculates all positions.
    fn new(frame: Frame, trials: &[&'a Trial], curve: &[Point]) -> Self {
        let mut canvas = Canvas::new(frame, frame.choose(430.0, 390.0));
        let (left, right) = (frame.choose(62.0, 54.0), frame.width() - 10.0);
        let (top, bottom) = (30.0, canvas.height - 44.0);
        let requests = |trial: &Trial| trial.measured.requests_per_minute;
        let median = |trial: &Trial| trial.measured.delay.p50;
        let x = Axis::over(
            trials.iter().map(|trial| requests(trial)).chain(curve.iter().map(|point| point.requests)),
            [left, right],
            frame.choose(96.0, 64.0),
        );
        let y = Axis::over(
            trials.iter().map(|trial| median(trial)).chain(curve.iter().map(|point| point.delay)),
            // The lowest mark needs room for its label below it.
            [bottom - 14.0, top],
            30.0,
        );
        grid(&mut canvas, &x, &y, [left, top, right, bottom], [number, time]);
        canvas.text("axis", [0.0, 14.0], Anchor::Start, "↑ median delay");
        canvas.text("axis", [right, canvas.height - 6.0], Anchor::End, "requests per minute →");

        let curve = curve.iter().filter_map(|point| {
            let position = [x.at(point.requests)?, y.at(point.delay)?];
            Some((point.interval, position))
        });
        let without_requests: Vec<_> = trials.iter().filter(|trial| requests(trial) == 0.0).collect();
        let marks = trials.iter().filter_map(|trial| {
            let at = match without_requests.iter().position(|other| std::ptr::eq(**other, *trial)) {
                Some(index) => x.zero_at(index, without_requests.len())?,
                None => x.at(requests(trial))?,
            };
            Some((*trial, [at, y.at(median(trial))?]))
        });
        let (curve, marks) = (curve.collect(), marks.collect());
        let labels = Labels::within([left + 2.0, top - 8.0, right, bottom - 2.0]);
        Self { frame, canvas, labels, marks, curve }
    }

    fn draw(mut self) -> Canvas {
        self.draw_curve();
        self.draw_marks();
        self.draw_intervals();
        self.canvas
    }

    fn draw_curve(&mut self) {
        let line: Vec<_> = self.curve.iter().map(|(_, position)| *position).collect();
        self.canvas.curve("calculated", &line);
        for pair in line.windows(2) {
            // A few points represent the line between the two positions.
            for part in [0.0, 0.33, 0.67, 1.0] {
                let position = [0, 1].map(|axis| pair[0][axis] + part * (pair[1][axis] - pair[0][axis]));
                self.labels.keep_off(position, 2.0);
            }
        }
    }

    fn draw_marks(&mut self) {
        for (trial, position) in &self.marks {
            self.canvas.mark(Mark::of(trial.via), *position);
            self.labels.keep_off(*position, 8.0);
        }
        for (trial, position) in &self.marks {
            let label = match trial.interval {
                Some(interval) => format!("every {}", duration(interval)),
                None => self.frame.choose(name(trial.via), short_name(trial.via)).to_owned(),
            };
            self.labels.put(&mut self.canvas, "label", *position, &label, true);
        }
    }

    /// Labels the curve and some of its intervals.
    fn draw_intervals(&mut self) {
        if let Some((_, position)) = self.curve.get(self.curve.len() / 4) {
            self.labels.put(&mut self.canvas, "soft", *position, "short polling, calculated", false);
        }
        for (interval, [x, y]) in &self.curve {
            let is_free =
                self.marks.iter().all(|(_, [mark_x, mark_y])| (mark_x - x).hypot(mark_y - y) > 22.0);
            if is_free && LABELLED.contains(&interval.as_secs_f64()) {
                self.canvas.rect("interval", [x - 2.0, y - 2.0, 4.0, 4.0]);
                self.labels.put(&mut self.canvas, "soft", [*x, *y], &duration(*interval), false);
            }
        }
    }
}
