//! The plot of requests per minute by number of users.

use super::axis::{Axis, number, short_number};
use super::grid::grid;
use super::labels::spread;
use super::{Anchor, Canvas, Frame, LINE, Mark};
use crate::tools::compare::arithmetic::Formula;
use crate::tools::compare::config::CompareConfig;
use crate::tools::compare::output::numbers::{count, duration};
use crate::tools::compare::output::report::words::{name, short_name, trial_name};
use crate::tools::compare::results::{Comparison, Trial};

/// The calculated numbers of users.
pub const USERS: [usize; 6] = [10, 100, 1_000, 10_000, 100_000, 1_000_000];

/// The line of one trial.
struct Line<'a> {
    trial: &'a Trial,
    /// Requests per minute for each number of [`USERS`].
    requests: Vec<f64>,
}

impl Line<'_> {
    fn measured(&self) -> f64 {
        self.trial.measured.requests_per_minute
    }
}

/// Returns the plot in both frames.
pub fn users(comparison: &Comparison, formula: &Formula<'_>) -> String {
    let clients = comparison.config.clients;
    let calculate = |trial: &Trial, users| {
        let config = CompareConfig { clients: users, ..comparison.config.clone() };
        formula(&config, trial.via, trial.interval).requests_per_minute
    };
    let lines: Vec<_> = comparison
        .trials
        .iter()
        .map(|trial| Line { trial, requests: USERS.map(|users| calculate(trial, users)).to_vec() })
        .collect();
    let sentences = lines.iter().map(|line| {
        let last = line.requests.last().copied().unwrap_or_default();
        format!("{}: {}.", trial_name(line.trial), count(last))
    });
    let description = format!(
        "Calculated requests per minute with 1,000,000 users. {} Marks at {} users were measured.",
        sentences.collect::<Vec<_>>().join(" "),
        count(clients as f64)
    );
    let title = "Requests per minute by number of users";
    Frame::BOTH.map(|frame| draw(frame, &lines, clients as f64).end("users", title, &description)).concat()
}

fn draw(frame: Frame, lines: &[Line<'_>], clients: f64) -> Canvas {
    let mut canvas = Canvas::new(frame, frame.choose(400.0, 380.0));
    let left = frame.choose(54.0, 42.0);
    let right = frame.width() - frame.choose(172.0, 90.0);
    let (top, bottom) = (30.0, canvas.height - 44.0);
    // Lines without requests would hide each other in one position.
    let is_zero = |line: &Line<'_>| line.requests.iter().all(|requests| *requests == 0.0);
    let zeros: Vec<_> = (0..lines.len()).filter(|index| is_zero(&lines[*index])).collect();
    let x = Axis::over(
        USERS.iter().map(|users| *users as f64).chain([clients]).filter(|users| *users > 0.0),
        [left, right],
        0.0,
    );
    let y = Axis::over(
        lines.iter().flat_map(|line| line.requests.iter().copied().chain([line.measured()])),
        [bottom, top],
        18.0 * zeros.len().max(1) as f64,
    );
    grid(&mut canvas, &x, &y, [left, top, right, bottom], [frame.choose(number, short_number); 2]);
    canvas.text("axis", [0.0, 14.0], Anchor::Start, "↑ requests per minute");
    canvas.text("axis", [right, canvas.height - 6.0], Anchor::End, "users →");

    let zero = |index: usize| {
        let place = zeros.iter().rev().position(|other| *other == index)?;
        y.zero_at(place, zeros.len())
    };
    let mut ends = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let position = |users: f64, requests: f64| {
            let height = if requests == 0.0 { zero(index).or(y.at(0.0)) } else { y.at(requests) };
            Some([x.at(users)?, height?])
        };
        let points = USERS.iter().zip(&line.requests);
        let points: Vec<_> =
            points.filter_map(|(users, requests)| position(*users as f64, *requests)).collect();
        canvas.curve(&format!("calculated {}", line.trial.via), &points);
        if let Some(position) = position(clients, line.measured()) {
            canvas.mark(Mark::of(line.trial.via), position);
        }
        if let Some(end) = points.last() {
            ends.push((line.trial, *end));
        }
    }
    label_lines(&mut canvas, &ends, right, [top, bottom - 4.0]);
    canvas
}

/// Labels the right end of each line.
fn label_lines(canvas: &mut Canvas, ends: &[(&Trial, [f64; 2])], right: f64, bounds: [f64; 2]) {
    let frame = canvas.frame;
    let mut heights: Vec<f64> = ends.iter().map(|(_, [_, y])| *y).collect();
    spread(&mut heights, LINE, bounds);
    for ((trial, [x, y]), height) in ends.iter().zip(heights) {
        let label = match trial.interval {
            Some(interval) => {
                frame.choose(format!("Polling every {}", duration(interval)), duration(interval))
            }
            None => frame.choose(name(trial.via), short_name(trial.via)).to_owned(),
        };
        canvas.line("leader", [*x, *y, right + 14.0, height]);
        canvas.text("label", [right + 18.0, height + 4.0], Anchor::Start, &label);
    }
}
