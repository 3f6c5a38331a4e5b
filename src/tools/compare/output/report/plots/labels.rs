//! Places labels so that none covers another label, a mark or a line.

use super::grid::Area;
use super::{Anchor, Canvas, LINE, width_of};

/// The area in which labels are placed.
pub struct Labels {
    bounds: Area,
    occupied: Vec<Area>,
}

/// The distance between the center of a mark and its label.
const GAP: f64 = 11.0;

impl Labels {
    pub fn within(bounds: Area) -> Self {
        Self { bounds, occupied: Vec::new() }
    }

    /// Keeps labels off the area around a mark.
    pub fn keep_off(&mut self, [x, y]: [f64; 2], radius: f64) {
        self.occupied.push([x - radius, y - radius, x + radius, y + radius]);
    }

    /// Writes a label near this position, where it overlaps the least. A label that would overlap
    /// something is written only if it `is_needed`.
    pub fn put(&mut self, canvas: &mut Canvas, class: &str, [x, y]: [f64; 2], text: &str, is_needed: bool) {
        let width = width_of(text);
        let mut best: Option<(f64, Area, [f64; 2], Anchor)> = None;
        for distance in [1.0, 1.8, 2.6] {
            let (gap, down) = (GAP * distance, LINE * distance);
            for (dx, dy, anchor) in [
                (gap, 0.0, Anchor::Start),
                (gap * 0.8, -down * 0.7, Anchor::Start),
                (0.0, -down, Anchor::Middle),
                (gap * 0.8, down * 0.7, Anchor::Start),
                (0.0, down * 1.05, Anchor::Middle),
                (-gap, 0.0, Anchor::End),
                (-gap * 0.8, -down * 0.7, Anchor::End),
                (-gap * 0.8, down * 0.7, Anchor::End),
            ] {
                let left = match anchor {
                    Anchor::Start => x + dx,
                    Anchor::Middle => x - width / 2.0,
                    Anchor::End => x + dx - width,
                };
                let middle = y + dy;
                let area = [left, middle - LINE / 2.0, left + width, middle + LINE / 2.0];
                let overlap = self.overlap(area);
                if best.is_none_or(|(least, ..)| overlap < least) {
                    best = Some((overlap, area, [x + dx, middle + 4.0], anchor));
                }
            }
        }
        if let Some((overlap, area, at, anchor)) = best
            && (is_needed || overlap == 0.0)
        {
            canvas.text(class, at, anchor, text);
            self.occupied.push(area);
        }
    }

    /// Returns how much of the occupied area a label would cover. The part out of bounds counts
    /// more.
    fn overlap(&self, [left, top, right, bottom]: Area) -> f64 {
        let [bounds_left, bounds_top, bounds_right, bounds_bottom] = self.bounds;
        let excess = [bounds_left - left, bounds_top - top, right - bounds_right, bottom - bounds_bottom];
        let outside: f64 = excess.map(|length| length.max(0.0)).iter().sum();
        let inside: f64 = self
            .occupied
            .iter()
            .map(|other| {
                let width = right.min(other[2]) - left.max(other[0]);
                let height = bottom.min(other[3]) - top.max(other[1]);
                width.max(0.0) * height.max(0.0)
            })
            .sum();
        inside + 1000.0 * outside
    }
}

/// Moves positions apart until each is at least `distance` from the next, without changing their
/// order, within bounds.
pub fn spread(positions: &mut [f64], distance: f64, [first, last]: [f64; 2]) {
    let mut order: Vec<usize> = (0..positions.len()).collect();
    order.sort_by(|one, other| positions[*one].total_cmp(&positions[*other]));
    let mut min = first;
    for &index in &order {
        positions[index] = positions[index].max(min);
        min = positions[index] + distance;
    }
    let mut max = last;
    for &index in order.iter().rev() {
        positions[index] = positions[index].min(max);
        max = positions[index] - distance;
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Canvas, Frame};
    use super::*;

    #[test]
    fn labels_at_one_position_do_not_overlap() {
        let mut labels = Labels::within([0.0, 0.0, 700.0, 400.0]);
        let mut canvas = Canvas::new(Frame::Wide, 400.0);
        labels.keep_off([300.0, 200.0], 7.0);
        for _ in 0..4 {
            labels.put(&mut canvas, "", [300.0, 200.0], "Server-Sent Events", true);
        }
        assert_eq!(canvas.body.matches("<text").count(), 4);
        for (index, one) in labels.occupied.iter().enumerate() {
            for other in &labels.occupied[index + 1..] {
                let is_apart =
                    one[2] <= other[0] || other[2] <= one[0] || one[3] <= other[1] || other[3] <= one[1];
                assert!(is_apart, "{one:?} and {other:?}");
            }
        }
    }

    #[test]
    fn an_optional_label_without_room_is_left_out() {
        let mut labels = Labels::within([0.0, 0.0, 60.0, 20.0]);
        let mut canvas = Canvas::new(Frame::Narrow, 20.0);
        labels.put(&mut canvas, "", [5.0, 10.0], "1 s", false);
        labels.put(&mut canvas, "", [5.0, 10.0], "a longer one", false);
        assert_eq!(canvas.body.matches("<text").count(), 1, "{}", canvas.body);
    }

    #[test]
    fn positions_move_apart_in_order_and_within_bounds() {
        let mut positions = [50.0, 51.0, 98.0, 99.0, 10.0];
        spread(&mut positions, 10.0, [0.0, 100.0]);
        assert_eq!(positions, [50.0, 60.0, 90.0, 100.0, 10.0]);
    }
}
