//! A comparison in JSON. The names are an interface and do not change; `docs/compare.md` lists
//! them.

use super::figures::{FIGURES, MEASUREMENTS, rounded};
use crate::text::JsonObject;
use crate::tools::compare::config::CompareConfig;
use crate::tools::compare::prediction::{self, Prediction};
use crate::tools::compare::results::{Comparison, Figures, Trial, difference};

/// Returns a comparison and its predictions as one JSON object (RFC 8259) with a line end.
pub fn json(comparison: &Comparison, predictions: &[Prediction]) -> String {
    let mut out = String::new();
    JsonObject::write(&mut out, |object| {
        object.object("plan", |object| config_members(&comparison.config, object));
        object.value("interrupted", comparison.is_interrupted);
        object.objects("legs", &comparison.trials, |trial, object| {
            trial_members(&comparison.config, trial, object);
        });
        object.objects("predictions", predictions, prediction::members);
    });
    out + "\n"
}

fn config_members(config: &CompareConfig, object: &mut JsonObject) {
    let seconds = config.intervals.iter().map(|interval| rounded(interval.as_secs_f64()));
    object.value("clients", config.clients);
    object.strings("transports", config.transports.iter().map(|via| via.name()));
    object.numbers("intervals_seconds", seconds);
    object.value("events_per_minute", config.events_per_minute);
    object.value("size", config.size);
    object.number("duration_seconds", Some(rounded(config.duration.as_secs_f64())));
    object.value("wait_seconds", config.wait);
}

fn trial_members(config: &CompareConfig, trial: &Trial, object: &mut JsonObject) {
    object.string("transport", trial.via.name());
    object.number("interval_seconds", trial.interval.map(|interval| rounded(interval.as_secs_f64())));
    object.value("clients", config.clients);
    for measurement in &MEASUREMENTS {
        object.number(measurement.name, (measurement.of)(trial).map(rounded));
    }
    figure_members(object, |of| Some(of(&trial.measured)));
    object.object("predicted", |object| figure_members(object, |of| Some(of(&trial.calculated))));
    object.object("difference_percent", |object| {
        figure_members(object, |of| difference(of(&trial.measured), of(&trial.calculated)));
    });
}

/// Adds all figures. Those with a point in their name become members of a nested object.
fn figure_members(object: &mut JsonObject, value: impl Fn(fn(&Figures) -> f64) -> Option<f64>) {
    for group in FIGURES.chunk_by(|one, next| one.group().is_some() && one.group() == next.group()) {
        let write = |object: &mut JsonObject| {
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
