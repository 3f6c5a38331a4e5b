//! Bytes for an event and a client: what an event's way to one of those who wait for it costs.

use super::super::words::leg_name;
use super::{Anchor, Canvas, Frame, Mark};
use crate::tools::compare::output::numbers;
use crate::tools::compare::{Comparison, Leg};

/// Bytes of one leg for each event and client: headers up, headers down, payload.
pub(in super::super) fn parts(leg: &Leg, clients: usize) -> Option<[f64; 3]> {
    let many = leg.published as f64 * clients as f64;
    let measured = &leg.measured;
    (many > 0.0).then(|| {
        [measured.up.headers, measured.down.headers, measured.up.payload + measured.down.payload]
            .map(|bytes| bytes / many)
    })
}

/// The plot, in both frames; empty if nothing was published.
pub(in super::super) fn bytes(comparison: &Comparison) -> String {
    let plan = &comparison.plan;
    let bars: Vec<_> =
        comparison.legs.iter().filter_map(|leg| Some((leg, parts(leg, plan.clients)?))).collect();
    if bars.is_empty() {
        return String::new();
    }
    let words = bars.iter().map(|(leg, [up, down, payload])| {
        format!(
            "{}: {} of headers up, {} of headers down, {} of payload.",
            leg_name(leg),
            numbers::bytes(*up),
            numbers::bytes(*down),
            numbers::bytes(*payload)
        )
    });
    let description = words.collect::<Vec<_>>().join(" ");
    Frame::BOTH
        .map(|frame| {
            draw(frame, &bars, plan.size as f64).end("bytes", "Bytes for an event and a client", &description)
        })
        .concat()
}

fn draw(frame: Frame, bars: &[(&Leg, [f64; 3])], size: f64) -> Canvas {
    const BAR: f64 = 20.0;
    let (top, row) = (32.0, frame.choose(36.0, 54.0));
    let mut canvas = Canvas::new(frame, top + row * bars.len() as f64 + 10.0);
    let left = frame.choose(196.0, 2.0);
    let right = frame.width() - 64.0;
    let most = bars.iter().map(|(_, parts)| parts.iter().sum::<f64>()).fold(size, f64::max).max(1.0);
    let length = |bytes: f64| bytes / most * (right - left);

    for (index, (leg, parts)) in bars.iter().enumerate() {
        let y = top + row * index as f64 + frame.choose(8.0, 26.0);
        match frame {
            Frame::Wide => canvas.text("label", [left - 28.0, y + 15.0], Anchor::End, &leg_name(leg)),
            Frame::Narrow => canvas.text("label", [left + 18.0, y - 6.0], Anchor::Start, &leg_name(leg)),
        }
        canvas.mark(Mark::of(leg.via), frame.choose([left - 14.0, y + 10.0], [left + 7.0, y - 11.0]));
        let mut x = left;
        for (class, bytes) in ["up", "down", "payload"].into_iter().zip(parts) {
            canvas.rect(class, [x, y, length(*bytes), BAR]);
            x += length(*bytes);
        }
        canvas.text("label", [x + 8.0, y + 15.0], Anchor::Start, &numbers::bytes(parts.iter().sum()));
    }

    let at = left + length(size);
    match frame {
        Frame::Wide => canvas.line("size", [at, top - 6.0, at, canvas.height - 6.0]),
        // It would go through the names.
        Frame::Narrow => {
            canvas.line("size", [at, top - 9.0, at, top + 5.0]);
            for index in 0..bars.len() {
                let y = top + row * index as f64 + 26.0;
                canvas.line("size", [at, y, at, y + BAR + 4.0]);
            }
        }
    }
    let text = format!("the event’s own {}", numbers::bytes(size));
    canvas.text("axis", [at.max(left), 18.0], Anchor::Start, &text);
    canvas
}
