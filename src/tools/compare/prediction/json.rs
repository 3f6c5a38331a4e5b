//! A prediction as JSON.

use super::{Constants, PredictedLeg, Prediction};
use crate::protocol::json::Object;

/// Adds the members of a prediction to an object. What is not known is `null`.
///
/// `docs/prediction.md` has their names: `is_calculated` (always `true`), `users`, `events_per_minute`, `size`, and `transports`, a list of
/// objects with `transport`, `interval_seconds` (`null` but for short polling), `requests_per_minute`, `empty_per_minute`, `connections`,
/// `bytes_up_per_minute`, `bytes_down_per_minute`, `delay_ms` with `p50`, `fan_out_ms`, `server_cores`, `server_processes`,
/// `server_memory_bytes`, and `constants`: `cpu_seconds`, `memory_per_client`, `memory_before`, `bytes_up_factor` and `bytes_down_factor`,
/// each `null` or an object with `value` and `origin`.
pub fn members(prediction: &Prediction, object: &mut Object) {
    object.value("is_calculated", true);
    object.value("users", prediction.users);
    object.number("events_per_minute", Some(prediction.events_per_minute));
    object.value("size", prediction.size);
    object.objects("transports", &prediction.legs, leg);
}

fn leg(leg: &PredictedLeg, object: &mut Object) {
    object.string("transport", leg.via.name());
    object.number("interval_seconds", leg.interval.map(|interval| interval.as_secs_f64()));
    object.number("requests_per_minute", Some(leg.requests_per_minute));
    object.number("empty_per_minute", Some(leg.empty_per_minute));
    object.number("connections", Some(leg.connections));
    object.number("bytes_up_per_minute", Some(leg.bytes_up_per_minute));
    object.number("bytes_down_per_minute", Some(leg.bytes_down_per_minute));
    object.object("delay_ms", |object| object.number("p50", Some(leg.delay_ms_p50)));
    object.number("fan_out_ms", leg.fan_out_ms);
    object.number("server_cores", leg.cores);
    object.number("server_processes", leg.processes());
    object.number("server_memory_bytes", leg.memory);
    object.object("constants", |object| constants(&leg.constants, object));
}

fn constants(constants: &Constants, object: &mut Object) {
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
    use super::super::predict;
    use super::super::tests::comparison;
    use super::*;
    use crate::tools::compare::output::report::fixture::curve;

    fn json(prediction: &Prediction) -> serde_json::Value {
        let mut out = String::new();
        Object::write(&mut out, |object| members(prediction, object));
        serde_json::from_str(&out).expect("JSON")
    }

    #[test]
    fn json_has_a_number_or_null_for_each_name() {
        let mut comparison = comparison();
        comparison.legs[0].server = None;
        let mut prediction = predict(&comparison, 1_000_000, 6.0, &curve, &curve);
        prediction.legs[1].delay_ms_p50 = f64::INFINITY;
        let value = json(&prediction);
        assert_eq!(value["is_calculated"], true);
        assert_eq!(value["users"], 1_000_000.0);
        let legs = value["transports"].as_array().expect("a list");
        assert_eq!(legs.len(), 6);
        assert_eq!(legs[0]["transport"], "short-poll");
        assert_eq!(legs[0]["interval_seconds"], 1.0);
        assert_eq!(legs[0]["requests_per_minute"], 60_000_000.0);
        assert!(legs[0]["server_cores"].is_null() && legs[0]["constants"]["cpu_seconds"].is_null());
        assert!(legs[1]["delay_ms"]["p50"].is_null());
        assert!(legs[4]["interval_seconds"].is_null());
        assert!(legs[4]["server_cores"].as_f64().expect("a number") > 0.0);
        let cpu = &legs[4]["constants"]["cpu_seconds"];
        assert!(cpu["value"].as_f64().expect("a number") > 0.0);
        assert!(cpu["origin"].as_str().expect("a text").starts_with("measured in this run"));
    }

    /// All names of members in a value.
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
    fn each_name_of_the_json_is_documented_and_each_documented_name_is_there() {
        let mut written = Vec::new();
        names(&json(&predict(&comparison(), 1_000_000, 6.0, &curve, &curve)), &mut written);
        // Of the constants and of the delay; these stand in a row's text.
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
