//! A prediction as JSON.

use super::{Constants, PredictedTrial, Prediction};
use crate::text::JsonObject;

/// Adds the members of a prediction to an object. Unknown values are `null`. `docs/prediction.md`
/// lists the names.
pub fn members(prediction: &Prediction, object: &mut JsonObject) {
    object.value("is_calculated", true);
    object.value("users", prediction.users);
    object.number("events_per_minute", Some(prediction.events_per_minute));
    object.value("size", prediction.size);
    object.objects("transports", &prediction.trials, trial_members);
}

fn trial_members(trial: &PredictedTrial, object: &mut JsonObject) {
    object.string("transport", trial.via.name());
    object.number("interval_seconds", trial.interval.map(|interval| interval.as_secs_f64()));
    object.number("requests_per_minute", Some(trial.requests_per_minute));
    object.number("empty_per_minute", Some(trial.empty_per_minute));
    object.number("connections", Some(trial.connections));
    object.number("bytes_up_per_minute", Some(trial.bytes_up_per_minute));
    object.number("bytes_down_per_minute", Some(trial.bytes_down_per_minute));
    object.object("delay_ms", |object| object.number("p50", Some(trial.delay_ms_p50)));
    object.number("fan_out_ms", trial.fan_out_ms);
    object.number("server_cores", trial.cores);
    object.number("server_processes", trial.processes());
    object.number("server_memory_bytes", trial.memory);
    object.object("constants", |object| constant_members(&trial.constants, object));
}

fn constant_members(constants: &Constants, object: &mut JsonObject) {
    for (name, constant) in [
        ("cpu_seconds", constants.cpu_seconds.as_ref()),
        ("memory_per_client", constants.memory_per_client.as_ref()),
        ("memory_before", constants.memory_before.as_ref()),
        ("bytes_up_factor", Some(&constants.up)),
        ("bytes_down_factor", Some(&constants.down)),
    ] {
        match constant {
            Some(constant) => object.object(name, |object| {
                object.number("value", Some(constant.value));
                object.string("origin", &constant.origin.replace('\u{a0}', " "));
            }),
            None => object.null(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::compare::output::report::fixture::formula;
    use crate::tools::compare::prediction::{predict, tests::comparison};

    fn json(prediction: &Prediction) -> serde_json::Value {
        let mut out = String::new();
        JsonObject::write(&mut out, |object| members(prediction, object));
        serde_json::from_str(&out).expect("valid JSON")
    }

    #[test]
    fn each_name_has_a_number_or_null() {
        let mut comparison = comparison();
        comparison.trials[0].server = None;
        let mut prediction = predict(&comparison, 1_000_000, 6.0, &formula, &formula);
        prediction.trials[1].delay_ms_p50 = f64::INFINITY;
        let value = json(&prediction);
        assert_eq!(value["is_calculated"], true);
        assert_eq!(value["users"], 1_000_000.0);
        let trials = value["transports"].as_array().expect("a list");
        assert_eq!(trials.len(), 6);
        assert_eq!(trials[0]["transport"], "short-poll");
        assert_eq!(trials[0]["interval_seconds"], 1.0);
        assert_eq!(trials[0]["requests_per_minute"], 60_000_000.0);
        assert!(trials[0]["server_cores"].is_null() && trials[0]["constants"]["cpu_seconds"].is_null());
        assert!(trials[1]["delay_ms"]["p50"].is_null());
        assert!(trials[4]["interval_seconds"].is_null());
        assert!(trials[4]["server_cores"].as_f64().expect("a number") > 0.0);
        let cpu = &trials[4]["constants"]["cpu_seconds"];
        assert!(cpu["value"].as_f64().expect("a number") > 0.0);
        assert!(cpu["origin"].as_str().expect("a string").starts_with("measured in this run"));
    }

    /// Collects the names of all members in a value.
    fn names(value: &serde_json::Value, found: &mut Vec<String>) {
        match value {
            serde_json::Value::Object(members) => {
                for (name, value) in members {
                    found.push(name.clone());
                    names(value, found);
                }
            }
            serde_json::Value::Array(items) => items.iter().for_each(|item| names(item, found)),
            _ => {}
        }
    }

    #[test]
    fn the_documentation_lists_exactly_the_names_of_the_json() {
        let mut written = Vec::new();
        names(&json(&predict(&comparison(), 1_000_000, 6.0, &formula, &formula)), &mut written);
        // The members of the constants and of the delay are described in the text of other rows.
        written.retain(|name| !["value", "origin", "p50"].contains(&name.as_str()));
        written.sort_unstable();
        written.dedup();
        let page = include_str!("../../../../docs/prediction.md");
        let mut documented: Vec<_> = page
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.split_once("` |"))
            .map(|(name, _)| name.to_owned())
            .collect();
        documented.sort_unstable();
        assert_eq!(written, documented);
    }
}
