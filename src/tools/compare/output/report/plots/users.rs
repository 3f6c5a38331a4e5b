//! Requests a minute over the number of users.

use super::super::words::{brief, leg_name, name};
use super::axis::{Axis, brief_number, number};
use super::cost::ground;
use super::labels::apart;
use super::{Anchor, Canvas, Frame, LINE, Mark};
use crate::tools::compare::output::numbers::{count, duration};
use crate::tools::compare::prediction::Curve;
use crate::tools::compare::{Comparison, Leg, Plan};

/// Numbers of users that are calculated.
pub(in super::super) const USERS: [usize; 6] = [10, 100, 1_000, 10_000, 100_000, 1_000_000];

/// What a leg has, and where its line goes.
struct Line<'a> {
    leg: &'a Leg,
    /// Of each number of [`USERS`].
    requests: Vec<f64>,
}

/// The plot, in both frames.
pub(in super::super) fn users(comparison: &Comparison, calculate: &Curve<'_>) -> String {
    let clients = comparison.plan.clients;
    let lines: Vec<_> = comparison
        .legs
        .iter()
        .map(|leg| {
            let requests = USERS.map(|users| {
                let plan = Plan { clients: users, ..comparison.plan.clone() };
                calculate(&plan, leg.via, leg.interval).requests_per_minute
            });
            Line { leg, requests: requests.to_vec() }
        })
        .collect();
    let ends = lines.iter().map(|line| {
        let last = line.requests.last().copied().unwrap_or_default();
        format!("{}: {}.", leg_name(line.leg), count(last))
    });
    let description = format!(
        "Calculated, requests a minute with 1,000,000 users. {} Marks at {} users are what was measured.",
        ends.collect::<Vec<_>>().join(" "),
        count(clients as f64)
    );
    Frame::BOTH
        .map(|frame| {
            draw(frame, &lines, clients as f64).end(
                "users",
                "Requests a minute over the number of users",
                &description,
            )
        })
        .concat()
}

fn draw(frame: Frame, lines: &[Line<'_>], clients: f64) -> Canvas {
    let mut canvas = Canvas::new(frame, frame.choose(400.0, 380.0));
    let left = frame.choose(54.0, 42.0);
    let right = frame.width() - frame.choose(172.0, 90.0);
    let (top, bottom) = (30.0, canvas.height - 44.0);
    let measured = |line: &Line<'_>| line.leg.measured.requests_per_minute;
    let nothing: Vec<_> =
        (0..lines.len()).filter(|at| lines[*at].requests.iter().all(|n| *n == 0.0)).collect();
    let x = Axis::over(
        USERS.iter().map(|users| *users as f64).chain([clients]).filter(|users| *users > 0.0),
        [left, right],
        0.0,
    );
    let y = Axis::over(
        lines.iter().flat_map(|line| line.requests.iter().copied().chain([measured(line)])),
        [bottom, top],
        18.0 * nothing.len().max(1) as f64,
    );
    ground(&mut canvas, &x, &y, [left, top, right, bottom], [frame.choose(number, brief_number); 2]);
    canvas.text("axis", [0.0, 14.0], Anchor::Start, "↑ requests a minute");
    canvas.text("axis", [right, canvas.height - 6.0], Anchor::End, "users →");

    // Those that need none would hide each other.
    let zero = |at: usize| {
        let index = nothing.iter().rev().position(|other| *other == at)?;
        y.zero_at(index, nothing.len())
    };
    let mut ends = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let place = |users: f64, requests: f64| {
            let height = if requests == 0.0 { zero(at).or(y.at(0.0)) } else { y.at(requests) };
            Some([x.at(users)?, height?])
        };
        let points: Vec<_> = USERS
            .iter()
            .zip(&line.requests)
            .filter_map(|(users, requests)| place(*users as f64, *requests))
            .collect();
        canvas.curve(&format!("calculated {}", line.leg.via), &points);
        if let Some(at) = place(clients, measured(line)) {
            canvas.mark(Mark::of(line.leg.via), at);
        }
        if let Some(end) = points.last() {
            ends.push((line.leg, *end));
        }
    }

    let mut heights: Vec<f64> = ends.iter().map(|(_, [_, y])| *y).collect();
    apart(&mut heights, LINE, [top, bottom - 4.0]);
    for ((leg, [x, y]), height) in ends.iter().zip(heights) {
        let label = match leg.interval {
            Some(interval) => {
                frame.choose(format!("Polling every {}", duration(interval)), duration(interval))
            }
            None => frame.choose(name(leg.via), brief(leg.via)).to_owned(),
        };
        canvas.line("leader", [*x, *y, right + 14.0, height]);
        canvas.text("label", [right + 18.0, height + 4.0], Anchor::Start, &label);
    }
    canvas
}
