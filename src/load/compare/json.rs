//! A comparison in JSON. The names are kept: `docs/compare.md` has them all.

use super::figures::{COUNTS, FIGURES, number};
use super::predict::{self, Prediction};
use super::{Comparison, Figures, Leg, Plan, difference};
use crate::client::follow::Via;

/// A comparison as one JSON object (RFC 8259), with a line's end, and what was predicted from it.
pub fn json(comparison: &Comparison, predictions: &[Prediction]) -> String {
    let predictions: Vec<_> = predictions.iter().map(prediction_json).collect();
    let legs: Vec<_> = comparison.legs.iter().map(|leg| leg_json(&comparison.plan, leg)).collect();
    let members = [
        ("plan", plan_json(&comparison.plan)),
        ("interrupted", comparison.is_interrupted.to_string()),
        ("legs", format!("[{}]", legs.join(","))),
        ("predictions", format!("[{}]", predictions.join(","))),
    ];
    object(members) + "\n"
}

fn object<'a>(members: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let members: Vec<_> = members.into_iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}}}", members.join(","))
}

fn plan_json(plan: &Plan) -> String {
    let transports: Vec<_> = plan.transports.iter().map(|via| transport(*via)).collect();
    let intervals: Vec<_> = plan.intervals.iter().map(|interval| number(interval.as_secs_f64())).collect();
    object([
        ("clients", plan.clients.to_string()),
        ("transports", format!("[{}]", transports.join(","))),
        ("intervals_seconds", format!("[{}]", intervals.join(","))),
        ("events_per_minute", plan.events_per_minute.to_string()),
        ("size", plan.size.to_string()),
        ("duration_seconds", number(plan.duration.as_secs_f64())),
        ("wait_seconds", plan.wait.to_string()),
    ])
}

fn prediction_json(prediction: &Prediction) -> String {
    let mut out = Vec::new();
    predict::write_json(prediction, &mut out);
    String::from_utf8(out).expect("JSON is UTF-8")
}

/// Its name needs no escape.
fn transport(via: Via) -> String {
    format!("\"{via}\"")
}

fn leg_json(plan: &Plan, leg: &Leg) -> String {
    let interval = leg.interval.map_or("null".into(), |interval| number(interval.as_secs_f64()));
    let mut members = vec![
        ("transport", transport(leg.via)),
        ("interval_seconds", interval),
        ("clients", plan.clients.to_string()),
    ];
    members.extend(COUNTS.iter().map(|count| (count.name, optional((count.of)(leg)))));
    members.extend(figures_json(|of| Some(of(&leg.measured))));
    members.push(("predicted", object(figures_json(|of| Some(of(&leg.predicted))))));
    let apart = figures_json(|of| difference(of(&leg.measured), of(&leg.predicted)));
    members.push(("difference_percent", object(apart)));
    object(members)
}

fn optional(value: Option<f64>) -> String {
    value.map_or("null".into(), number)
}

/// All figures; those with a point in their name as members of an object.
fn figures_json(value: impl Fn(fn(&Figures) -> f64) -> Option<f64>) -> Vec<(&'static str, String)> {
    let mut members = Vec::new();
    let mut nested: Vec<(&str, Vec<(&str, String)>)> = Vec::new();
    for figure in &FIGURES {
        let text = optional(value(figure.of));
        match figure.name.split_once('.') {
            None => members.push((figure.name, text)),
            Some((outer, inner)) => match nested.last_mut() {
                Some((name, inside)) if *name == outer => inside.push((inner, text)),
                _ => nested.push((outer, vec![(inner, text)])),
            },
        }
    }
    members.extend(nested.into_iter().map(|(outer, inside)| (outer, object(inside))));
    members
}
