//! The results in JSON. The names are an interface and do not change; `docs/conform.md` lists them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::text::JsonObject;
use crate::tools::conform::case::{Case, Endpoint, Verdict};
use crate::tools::conform::results::Results;
use crate::tools::conform::runner::CaseResult;
use crate::tools::conform::trial::Finding;

/// Returns the results as one JSON object (RFC 8259) with a line end.
pub fn json(results: &Results<'_>) -> String {
    let mut out = String::new();
    let played: Vec<(&Case, &CaseResult)> = results.played().collect();
    JsonObject::write(&mut out, |object| {
        object.string(
            "endpoint",
            match results.endpoint {
                Endpoint::Server => "server",
                Endpoint::Client => "client",
            },
        );
        object.object("counts", |object| {
            for verdict in Verdict::ALL {
                object.value(&verdict.name().replace(' ', "_"), results.count(verdict));
            }
        });
        object.objects("cases", &played, |(case, result), object| {
            object.plain("number", case.number);
            if let Some(autobahn) = &case.autobahn {
                object.string("autobahn", autobahn);
            }
            object.string("title", &case.title);
            object.string("suite", case.number.suite.name());
            object.string("level", case.requirement.level.name());
            object.string("requirement", case.requirement.rule.sentence);
            object.plain("section", case.requirement.rule.section);
            object.string("verdict", result.verdict.name());
            object.string("outcome", &result.outcome);
            if result.verdict == Verdict::Fail {
                failure(results, case, result, object);
            }
            object.number("milliseconds", Some(result.time.as_secs_f64() * 1000.0));
        });
        if let Some(differences) = &results.differences {
            object.objects("differences", differences, |difference, object| {
                object.plain("number", difference.number);
                for (key, recorded) in
                    [("expected", &difference.expected), ("observed", &difference.observed)]
                {
                    match recorded {
                        Some(recorded) => object.string(key, &recorded.to_string()),
                        None => object.null(key),
                    }
                }
            });
        }
    });
    out + "\n"
}

/// Adds what a failed case expected and observed, its command and its conversation.
fn failure(results: &Results<'_>, case: &Case, result: &CaseResult, object: &mut JsonObject) {
    let (expected, observed) = result.expected_and_observed();
    if let Some(expected) = expected {
        object.string("expected", expected);
    }
    object.string("observed", observed);
    object.string("again", &results.repeat_command(case));
    if let Some(Finding::Failed { at: Some(mark), .. }) = &result.finding {
        object.object("at", |object| {
            object.value("connection", mark.connection);
            object.value("offset", mark.offset);
        });
    }
    let blocks = result.record.iter().flat_map(|record| record.blocks());
    object.objects("record", blocks, |block, object| {
        object.value("connection", block.connection);
        object.string("side", block.side.name());
        object.value("milliseconds", block.time_ms);
        object.string("base64", &STANDARD.encode(&block.bytes));
        object.value("end", block.is_end);
    });
}
