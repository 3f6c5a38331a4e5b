//! The results in JSON. The names are an interface and do not change; `docs/conform.md` lists them.

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
            object.string("level", case.requirement.level.name());
            object.plain("section", case.requirement.rule.section);
            object.string("verdict", result.verdict.name());
            object.string("outcome", &result.outcome);
            if let Some(Finding::Failed { expected, observed, .. }) = &result.finding {
                object.string("expected", expected);
                object.string("observed", observed);
            }
            object.number("milliseconds", Some(result.time.as_secs_f64() * 1000.0));
        });
    });
    out + "\n"
}
