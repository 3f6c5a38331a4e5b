//! The grid of a plot: the lines and numbers of its two axes.

use super::axis::Axis;
use super::{Anchor, Canvas, width_of};

/// The edges of a rectangle: left, top, right, bottom.
pub type Area = [f64; 4];

/// Draws the grid of two axes within this area, with these functions for the text of ticks.
pub fn grid(canvas: &mut Canvas, x: &Axis, y: &Axis, area: Area, [text_x, text_y]: [fn(f64) -> String; 2]) {
    let [left, top, right, bottom] = area;
    for tick in y.ticks() {
        if let Some(at) = y.at(tick) {
            canvas.line("grid", [left, at, right, at]);
            canvas.text("tick", [left - 8.0, at + 4.0], Anchor::End, &text_y(tick));
        }
    }
    let mut occupied: Vec<[f64; 2]> = Vec::new();
    for tick in x.ticks() {
        if let Some(at) = x.at(tick) {
            canvas.line("grid", [at, top, at, bottom]);
            let text = text_x(tick);
            let half = width_of(&text) / 2.0 + 2.0;
            let place = [at - half, at + half];
            if occupied.iter().all(|other| place[1] <= other[0] || other[1] <= place[0]) {
                canvas.text("tick", [at, bottom + 17.0], Anchor::Middle, &text);
                occupied.push(place);
            }
        }
    }
    // A dashed line separates zero from the scale.
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
