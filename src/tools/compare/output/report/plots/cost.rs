//! Cost against delay: requests a minute, and how late half of the events are.

use std::time::Duration;

use super::super::words::{brief, leg_name, name};
use super::axis::{Axis, number, time};
use super::labels::Labels;
use super::{Anchor, Canvas, Frame, Mark, width_of};
use crate::client::follow::Via;
use crate::tools::compare::output::numbers::{count, delay, duration};
use crate::tools::compare::prediction::Curve;
use crate::tools::compare::{Comparison, Leg};

/// Intervals, in seconds, that are told beside the curve where there is room.
const TOLD: [f64; 13] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0];
/// Points of the curve.
const POINTS: u32 = 32;
/// How many times shorter and longer than the measured intervals those of the curve are.
const BEYOND: f64 = 5.0;

/// Where a short poll of this interval is, by arithmetic.
struct Calculated {
    interval: Duration,
    requests: f64,
    delay: f64,
}

/// Short polling over its intervals.
fn curve(comparison: &Comparison, calculate: &Curve<'_>) -> Vec<Calculated> {
    let intervals =
        || comparison.legs.iter().filter_map(|leg| leg.interval).map(|interval| interval.as_secs_f64());
    let shortest = intervals().fold(f64::INFINITY, f64::min).max(0.001) / BEYOND;
    let longest = intervals().fold(0.0, f64::max).max(0.001) * BEYOND;
    if !shortest.is_finite() {
        return Vec::new();
    }
    let step = (longest / shortest).powf(1.0 / f64::from(POINTS));
    let between = (0..=POINTS).map(|point| shortest * step.powf(f64::from(point)));
    let mut seconds: Vec<f64> =
        between.chain(TOLD.into_iter().filter(|told| (shortest..=longest).contains(told))).collect();
    seconds.sort_by(f64::total_cmp);
    // The ends may be told ones, but for their last digit.
    seconds.dedup_by(|one, other| (*one / *other - 1.0).abs() < 1e-6);
    seconds
        .into_iter()
        .filter_map(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .map(|interval| {
            let figures = calculate(&comparison.plan, Via::ShortPoll, Some(interval));
            Calculated { interval, requests: figures.requests_per_minute, delay: figures.delay.p50 }
        })
        .filter(|point| point.requests > 0.0 && point.delay > 0.0)
        .collect()
}

/// The plot, in both frames.
pub(in super::super) fn cost(comparison: &Comparison, calculate: &Curve<'_>) -> String {
    let curve = curve(comparison, calculate);
    let arrived: Vec<_> = comparison.legs.iter().filter(|leg| leg.arrived > 0).collect();
    let points = arrived.iter().map(|leg| {
        format!(
            "{}: {} requests a minute, {}.",
            leg_name(leg),
            count(leg.measured.requests_per_minute),
            delay(leg.measured.delay.p50)
        )
    });
    let description = format!(
        "Measured, as requests a minute and the delay that half of the events do not exceed. {}{}",
        points.collect::<Vec<_>>().join(" "),
        if curve.is_empty() {
            ""
        } else {
            " Short polling lies on a falling curve: fewer requests, longer delays."
        }
    );
    Frame::BOTH
        .map(|frame| draw(frame, &arrived, &curve).end("cost", "Cost against delay", &description))
        .concat()
}

fn draw(frame: Frame, legs: &[&Leg], curve: &[Calculated]) -> Canvas {
    let mut canvas = Canvas::new(frame, frame.choose(430.0, 390.0));
    let (left, right) = (frame.choose(62.0, 54.0), frame.width() - 10.0);
    let (top, bottom) = (30.0, canvas.height - 44.0);
    let requests = |leg: &&Leg| leg.measured.requests_per_minute;
    let x = Axis::over(
        legs.iter().map(requests).chain(curve.iter().map(|point| point.requests)),
        [left, right],
        frame.choose(96.0, 64.0),
    );
    let y = Axis::over(
        legs.iter().map(|leg| leg.measured.delay.p50).chain(curve.iter().map(|point| point.delay)),
        // Beneath the lowest mark there is room for its label.
        [bottom - 14.0, top],
        30.0,
    );
    ground(&mut canvas, &x, &y, [left, top, right, bottom], [number, time]);
    canvas.text("axis", [0.0, 14.0], Anchor::Start, "↑ delay, half within");
    canvas.text("axis", [right, canvas.height - 6.0], Anchor::End, "requests a minute →");

    let mut labels = Labels::within([left + 2.0, top - 8.0, right, bottom - 2.0]);
    let places: Vec<_> = curve
        .iter()
        .filter_map(|point| Some((point.interval, [x.at(point.requests)?, y.at(point.delay)?])))
        .collect();
    let line: Vec<_> = places.iter().map(|(_, at)| *at).collect();
    canvas.curve("calculated", &line);
    for pair in line.windows(2) {
        // A point here and there stands for the line between them.
        for part in [0.0, 0.33, 0.67, 1.0] {
            let at = [0, 1].map(|axis| pair[0][axis] + part * (pair[1][axis] - pair[0][axis]));
            labels.keep_off(at, 2.0);
        }
    }

    let nothing: Vec<_> = legs.iter().filter(|leg| requests(leg) == 0.0).collect();
    let marks: Vec<_> = legs
        .iter()
        .filter_map(|leg| {
            let at = match nothing.iter().position(|other| std::ptr::eq(**other, *leg)) {
                Some(index) => x.zero_at(index, nothing.len())?,
                None => x.at(requests(leg))?,
            };
            Some((*leg, [at, y.at(leg.measured.delay.p50)?]))
        })
        .collect();
    for (leg, at) in &marks {
        canvas.mark(Mark::of(leg.via), *at);
        labels.keep_off(*at, 8.0);
    }
    for (leg, at) in &marks {
        let label = match leg.interval {
            Some(interval) => format!("every {}", duration(interval)),
            None => frame.choose(name(leg.via), brief(leg.via)).to_owned(),
        };
        labels.put(&mut canvas, "label", *at, &label, true);
    }
    if let Some((_, at)) = places.get(places.len() / 4) {
        labels.put(&mut canvas, "soft", *at, "short polling, calculated", false);
    }
    for (interval, at) in places.iter().filter(|(interval, _)| TOLD.contains(&interval.as_secs_f64())) {
        let is_free = marks.iter().all(|(_, [x, y])| (x - at[0]).hypot(y - at[1]) > 22.0);
        if is_free {
            canvas.rect("told", [at[0] - 2.0, at[1] - 2.0, 4.0, 4.0]);
            labels.put(&mut canvas, "soft", *at, &duration(*interval), false);
        }
    }
    canvas
}

/// The lines and numbers of two axes, left, top, right and bottom of what is between them.
pub(super) fn ground(
    canvas: &mut Canvas,
    x: &Axis,
    y: &Axis,
    [left, top, right, bottom]: [f64; 4],
    [text_x, text_y]: [fn(f64) -> String; 2],
) {
    for tick in y.ticks() {
        if let Some(at) = y.at(tick) {
            canvas.line("grid", [left, at, right, at]);
            canvas.text("tick", [left - 8.0, at + 4.0], Anchor::End, &text_y(tick));
        }
    }
    let mut taken: Vec<[f64; 2]> = Vec::new();
    for tick in x.ticks() {
        if let Some(at) = x.at(tick) {
            canvas.line("grid", [at, top, at, bottom]);
            let text = text_x(tick);
            let half = width_of(&text) / 2.0 + 2.0;
            let place = [at - half, at + half];
            if taken.iter().all(|taken| place[1] <= taken[0] || taken[1] <= place[0]) {
                canvas.text("tick", [at, bottom + 17.0], Anchor::Middle, &text);
                taken.push(place);
            }
        }
    }
    // Between zero and the scale the axis is broken.
    if let (Some(at), Some(end)) = (x.zero_at(0, 1), x.zero_end()) {
        canvas.line("broken", [end, top, end, bottom]);
        canvas.text("tick", [at, bottom + 17.0], Anchor::Middle, "0");
    }
    if let (Some(at), Some(end)) = (y.zero_at(0, 1), y.zero_end()) {
        canvas.line("broken", [left, end, right, end]);
        canvas.text("tick", [left - 8.0, at + 4.0], Anchor::End, "0");
    }
    canvas.line("base", [left, bottom, right, bottom]);
    canvas.line("base", [left, top, left, bottom]);
}
