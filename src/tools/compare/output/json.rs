//! A comparison in JSON. The names are kept: `docs/compare.md` has them all.

use super::figures::{COUNTS, FIGURES, rounded};
use crate::protocol::json::Object;
use crate::tools::compare::prediction::{self as predict, Prediction};
use crate::tools::compare::{Comparison, Figures, Leg, Plan, difference};

/// A comparison as one JSON object (RFC 8259), with a line's end, and what was predicted from it.
pub fn json(comparison: &Comparison, predictions: &[Prediction]) -> String {
    let mut out = String::new();
    Object::write(&mut out, |object| {
        object.object("plan", |object| plan(&comparison.plan, object));
        object.value("interrupted", comparison.is_interrupted);
        object.objects("legs", &comparison.legs, |one, object| leg(&comparison.plan, one, object));
        object.objects("predictions", predictions, predict::members);
    });
    out + "\n"
}

fn plan(plan: &Plan, object: &mut Object) {
    object.value("clients", plan.clients);
    object.strings("transports", plan.transports.iter().map(|via| via.name()));
    object
        .numbers("intervals_seconds", plan.intervals.iter().map(|interval| rounded(interval.as_secs_f64())));
    object.value("events_per_minute", plan.events_per_minute);
    object.value("size", plan.size);
    object.number("duration_seconds", Some(rounded(plan.duration.as_secs_f64())));
    object.value("wait_seconds", plan.wait);
}

fn leg(plan: &Plan, leg: &Leg, object: &mut Object) {
    object.string("transport", leg.via.name());
    object.number("interval_seconds", leg.interval.map(|interval| rounded(interval.as_secs_f64())));
    object.value("clients", plan.clients);
    for count in &COUNTS {
        object.number(count.name, (count.of)(leg).map(rounded));
    }
    figures(object, |of| Some(of(&leg.measured)));
    object.object("predicted", |object| figures(object, |of| Some(of(&leg.predicted))));
    object.object("difference_percent", |object| {
        figures(object, |of| difference(of(&leg.measured), of(&leg.predicted)));
    });
}

/// All figures; those with a point in their name as members of an object.
fn figures(object: &mut Object, value: impl Fn(fn(&Figures) -> f64) -> Option<f64>) {
    for group in FIGURES.chunk_by(|one, next| one.group().is_some() && one.group() == next.group()) {
        let write = |object: &mut Object| {
            for figure in group {
                object.number(figure.member(), value(figure.of).map(rounded));
            }
        };
        match group[0].group() {
            Some(name) => object.object(name, write),
            None => write(object),
        }
    }
}
