//! The plot of bytes per event and client.

use super::{Anchor, Canvas, Frame, Mark};
use crate::tools::compare::output::numbers;
use crate::tools::compare::output::report::words::trial_name;
use crate::tools::compare::results::{Comparison, Trial};

/// The height of a bar.
const BAR: f64 = 20.0;
/// The position of the first row.
const TOP: f64 = 32.0;

/// Returns the bytes of a trial per event and client: headers up, headers down, payload. Returns
/// `None` if no event was published.
pub fn parts(trial: &Trial, clients: usize) -> Option<[f64; 3]> {
    let deliveries = trial.published as f64 * clients as f64;
    let measured = &trial.measured;
    (deliveries > 0.0).then(|| {
        [measured.up.headers, measured.down.headers, measured.up.payload + measured.down.payload]
            .map(|bytes| bytes / deliveries)
    })
}

/// Returns the plot in both frames, or an empty text if no event was published.
pub fn bytes(comparison: &Comparison) -> String {
    let config = &comparison.config;
    let bars: Vec<_> =
        comparison.trials.iter().filter_map(|trial| Some((trial, parts(trial, config.clients)?))).collect();
    if bars.is_empty() {
        return String::new();
    }
    let sentences = bars.iter().map(|(trial, [up, down, payload])| {
        format!(
            "{}: {} of headers up, {} of headers down, {} of payload.",
            trial_name(trial),
            numbers::bytes(*up),
            numbers::bytes(*down),
            numbers::bytes(*payload)
        )
    });
    let description = sentences.collect::<Vec<_>>().join(" ");
    Frame::BOTH
        .map(|frame| {
            draw(frame, &bars, config.size as f64).end("bytes", "Bytes per event and client", &description)
        })
        .concat()
}

fn draw(frame: Frame, bars: &[(&Trial, [f64; 3])], size: f64) -> Canvas {
    let row = frame.choose(36.0, 54.0);
    let mut canvas = Canvas::new(frame, TOP + row * bars.len() as f64 + 10.0);
    let left = frame.choose(196.0, 2.0);
    let right = frame.width() - 64.0;
    let most = bars.iter().map(|(_, parts)| parts.iter().sum::<f64>()).fold(size, f64::max).max(1.0);
    let length = |bytes: f64| bytes / most * (right - left);

    for (index, (trial, parts)) in bars.iter().enumerate() {
        let y = TOP + row * index as f64 + frame.choose(8.0, 26.0);
        match frame {
            Frame::Wide => canvas.text("label", [left - 28.0, y + 15.0], Anchor::End, &trial_name(trial)),
            Frame::Narrow => canvas.text("label", [left + 18.0, y - 6.0], Anchor::Start, &trial_name(trial)),
        }
        canvas.mark(Mark::of(trial.via), frame.choose([left - 14.0, y + 10.0], [left + 7.0, y - 11.0]));
        let mut x = left;
        for (class, bytes) in ["up", "down", "payload"].into_iter().zip(parts) {
            canvas.rect(class, [x, y, length(*bytes), BAR]);
            x += length(*bytes);
        }
        canvas.text("label", [x + 8.0, y + 15.0], Anchor::Start, &numbers::bytes(parts.iter().sum()));
    }

    let at = left + length(size);
    match frame {
        Frame::Wide => canvas.line("size", [at, TOP - 6.0, at, canvas.height - 6.0]),
        // An unbroken line would cross the names.
        Frame::Narrow => {
            canvas.line("size", [at, TOP - 9.0, at, TOP + 5.0]);
            for index in 0..bars.len() {
                let y = TOP + row * index as f64 + 26.0;
                canvas.line("size", [at, y, at, y + BAR + 4.0]);
            }
        }
    }
    let text = format!("event data: {}", numbers::bytes(size));
    canvas.text("axis", [at.max(left), 18.0], Anchor::Start, &text);
    canvas
}
