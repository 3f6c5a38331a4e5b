//! Where labels go so that none covers another, a mark or a line.

use super::{Anchor, Canvas, LINE, width_of};

/// Left, top, right, bottom.
type Area = [f64; 4];

/// The ground on which labels look for a place.
pub(super) struct Labels {
    bounds: Area,
    taken: Vec<Area>,
}

/// How far from its mark's middle a label begins.
const GAP: f64 = 11.0;

impl Labels {
    pub(super) fn within(bounds: Area) -> Self {
        Self { bounds, taken: Vec::new() }
    }

    /// Keeps labels off the place of a mark.
    pub(super) fn keep_off(&mut self, [x, y]: [f64; 2], radius: f64) {
        self.taken.push([x - radius, y - radius, x + radius, y + radius]);
    }

    /// Writes a label beside this place where it covers the least. Where it would cover something, it is written only if
    /// it has to be.
    pub(super) fn put(
        &mut self,
        canvas: &mut Canvas,
        class: &str,
        [x, y]: [f64; 2],
        text: &str,
        is_needed: bool,
    ) {
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
                let covered = self.covered(area);
                if best.is_none_or(|(least, ..)| covered < least) {
                    best = Some((covered, area, [x + dx, middle + 4.0], anchor));
                }
            }
        }
        if let Some((covered, area, at, anchor)) = best
            && (is_needed || covered == 0.0)
        {
            canvas.text(class, at, anchor, text);
            self.taken.push(area);
        }
    }

    /// How much of what is taken this would cover; what is out of bounds counts more.
    fn covered(&self, [left, top, right, bottom]: Area) -> f64 {
        let [first, highest, last, lowest] = self.bounds;
        let out = [first - left, highest - top, right - last, bottom - lowest].map(|by| by.max(0.0));
        let outside: f64 = out.iter().sum();
        let inside: f64 = self
            .taken
            .iter()
            .map(|taken| {
                let width = right.min(taken[2]) - left.max(taken[0]);
                let height = bottom.min(taken[3]) - top.max(taken[1]);
                width.max(0.0) * height.max(0.0)
            })
            .sum();
        inside + 1000.0 * outside
    }
}

/// Moves places apart, in their order, until each is this far from the next, within bounds; the nearer the better.
pub(super) fn apart(places: &mut [f64], distance: f64, [first, last]: [f64; 2]) {
    let mut order: Vec<usize> = (0..places.len()).collect();
    order.sort_by(|one, other| places[*one].total_cmp(&places[*other]));
    let mut least = first;
    for &at in &order {
        places[at] = places[at].max(least);
        least = places[at] + distance;
    }
    let mut most = last;
    for &at in order.iter().rev() {
        places[at] = places[at].min(most);
        most = places[at] - distance;
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Canvas, Frame};
    use super::*;

    #[test]
    fn labels_of_one_place_do_not_cover_each_other() {
        let mut labels = Labels::within([0.0, 0.0, 700.0, 400.0]);
        let mut canvas = Canvas::new(Frame::Wide, 400.0);
        labels.keep_off([300.0, 200.0], 7.0);
        for _ in 0..4 {
            labels.put(&mut canvas, "", [300.0, 200.0], "Server-Sent Events", true);
        }
        assert_eq!(canvas.body.matches("<text").count(), 4);
        for (at, one) in labels.taken.iter().enumerate() {
            for other in &labels.taken[at + 1..] {
                let is_apart =
                    one[2] <= other[0] || other[2] <= one[0] || one[3] <= other[1] || other[3] <= one[1];
                assert!(is_apart, "{one:?} and {other:?}");
            }
        }
    }

    #[test]
    fn a_label_that_need_not_be_gives_way() {
        let mut labels = Labels::within([0.0, 0.0, 60.0, 20.0]);
        let mut canvas = Canvas::new(Frame::Narrow, 20.0);
        labels.put(&mut canvas, "", [5.0, 10.0], "1 s", false);
        labels.put(&mut canvas, "", [5.0, 10.0], "a longer one", false);
        assert_eq!(canvas.body.matches("<text").count(), 1, "{}", canvas.body);
    }

    #[test]
    fn places_move_apart_and_stay_in_order_and_in_bounds() {
        let mut places = [50.0, 51.0, 98.0, 99.0, 10.0];
        apart(&mut places, 10.0, [0.0, 100.0]);
        assert_eq!(places, [50.0, 60.0, 90.0, 100.0, 10.0]);
    }
}
