//! The report: a comparison as one page of HTML, without any outside part and without scripts.
//!
//! Read in this order:
//!
//! 1. `words` — what was found, in sentences.
//! 2. `tables` — the figures, a column for each leg.
//! 3. `plots` — the pictures; each has the same in words, and in a table beside it.
//! 4. `markup` — what all of it is written with; `report.css`.

mod markup;
mod plots;
mod tables;
mod words;

#[cfg(test)]
pub mod fixture;
#[cfg(test)]
mod tests;

use std::fmt::Write;

use super::numbers::{bytes, count, duration};
use crate::client::follow::Via;
use crate::tools::compare::prediction::{Curve, Prediction};
use crate::tools::compare::{Comparison, Plan};
use markup::{element, escaped};
use plots::{Mark, USERS};
use words::name;

const STYLE: &str = include_str!("report.css");

/// The report: one HTML document. The curves are calculated for other intervals, and other numbers of clients; predictions, if there are
/// any, have a section each.
pub fn report(comparison: &Comparison, curve: &Curve<'_>, predictions: &[Prediction]) -> String {
    let found = words::found(comparison);
    let mut main = String::new();
    if !comparison.legs.is_empty() {
        main.push_str(&figures(comparison));
        main.push_str(&cost(comparison, curve));
        main.push_str(&weight(comparison));
        main.push_str(&users(comparison, curve));
        main.push_str(&doubling(comparison));
        for prediction in predictions {
            main.push_str(&calculated(prediction));
        }
        main.push_str(&method(comparison));
    }
    let head = head(comparison, &found);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n{head}{main}</main>\n\
         <footer>\n<p>Written by barewire {}. Nothing on this page comes from elsewhere.</p>\n</footer>\n</body>\n</html>\n",
        escaped(&title(&comparison.plan)),
        env!("CARGO_PKG_VERSION")
    )
}

fn title(plan: &Plan) -> String {
    format!("barewire compare: {}, four ways to hear of an event", words::some(plan.clients as f64, "client"))
}

fn head(comparison: &Comparison, found: &[String]) -> String {
    let mut head = "<header>\n<h1>barewire compare</h1>\n".to_owned();
    for (at, paragraph) in found.iter().enumerate() {
        let class = if at == 0 { "found" } else { "found then" };
        let _ = writeln!(head, "<p class=\"{class}\">{}</p>", escaped(paragraph));
    }
    for (is_warning, caution) in words::cautions(comparison) {
        let class = if is_warning { "caution" } else { "note" };
        let _ = writeln!(head, "<p class=\"{class}\">{}</p>", escaped(&caution));
    }
    let _ = writeln!(head, "<p class=\"note\">{}</p>\n</header>", escaped(&words::plan(comparison)));
    head
}

/// A section with a heading.
fn section(heading: &str, content: &str) -> String {
    format!("<section>\n{}{content}</section>\n", element("h2", heading))
}

/// A section with a picture, what there is to say to it beside it, and its figures beneath.
fn picture(heading: &str, plot: &str, beside: &str, table: &str) -> String {
    section(
        heading,
        &format!(
            "<div class=\"picture\">\n<div class=\"drawn\">\n{plot}</div>\n<div class=\"beside\">\n{beside}</div>\n</div>\n\
             <details>\n<summary>The figures of this picture</summary>\n{table}</details>\n"
        ),
    )
}

fn figures(comparison: &Comparison) -> String {
    section("Measured beside calculated", &tables::figures(comparison))
}

/// The shapes of the transports that were measured.
fn legend(comparison: &Comparison) -> String {
    let mut legend = "<ul class=\"legend\">\n".to_owned();
    for via in Via::ALL.into_iter().filter(|via| comparison.legs.iter().any(|leg| leg.via == *via)) {
        let _ = writeln!(legend, "<li>{}{}</li>", Mark::of(via).icon(), escaped(name(via)));
    }
    legend.push_str("</ul>\n");
    legend
}

fn cost(comparison: &Comparison, curve: &Curve<'_>) -> String {
    let mut beside = legend(comparison);
    beside.push_str(&element("p", "Down is sooner, left is cheaper. Each mark was measured."));
    if comparison.legs.iter().any(|leg| leg.via == Via::ShortPoll) {
        let text = "The line is short polling by arithmetic, over its intervals: who asks half as often waits twice as long. \
                    No interval leaves the line.";
        beside.push_str(&element("p", text));
    }
    picture("Cost against delay", &plots::cost(comparison, curve), &beside, &tables::cost(comparison))
}

fn weight(comparison: &Comparison) -> String {
    let plot = plots::bytes(comparison);
    if plot.is_empty() {
        let text =
            "No event was published while it was measured, so there is nothing to share the bytes among.";
        return section("Bytes for an event and a client", &element("p", text));
    }
    let key =
        [("up", "headers up: requests"), ("down", "headers down: answers, frames"), ("payload", "payload")];
    let mut beside = "<ul class=\"legend\">\n".to_owned();
    for (class, text) in key {
        let _ = writeln!(
            beside,
            "<li><svg class=\"icon\" viewBox=\"0 0 16 16\" width=\"14\" height=\"14\" aria-hidden=\"true\"><rect class=\"{class}\" \
             x=\"1\" y=\"1\" width=\"14\" height=\"14\"/></svg> {text}</li>"
        );
    }
    beside.push_str("</ul>\n");
    let text = "All bytes on the sockets while it was measured, over the events published and the clients. What was asked in vain is \
                part of the price of the next event.";
    beside.push_str(&element("p", text));
    picture("Bytes for an event and a client", &plot, &beside, &tables::weight(comparison))
}

fn users(comparison: &Comparison, curve: &Curve<'_>) -> String {
    let mut beside = element("p", "Lines are calculated; the marks on them were measured.");
    let most = USERS[USERS.len() - 1];
    let plan = Plan { clients: most, ..comparison.plan.clone() };
    if let Some(leg) = comparison.legs.iter().find(|leg| leg.via == Via::ShortPoll) {
        let requests = curve(&plan, leg.via, leg.interval).requests_per_minute;
        let text = format!(
            "{} users that ask every {} are {} requests a minute, {} each second, however little happens.",
            count(most as f64),
            leg.interval.map(duration).unwrap_or_default(),
            count(requests),
            count(requests / 60.0)
        );
        beside.push_str(&element("p", &text));
    }
    let streams = comparison.legs.iter().any(|leg| matches!(leg.via, Via::EventStream | Via::WebSocket));
    if streams {
        let text =
            "A stream or a socket is asked for once. What it costs from then on are its events, and memory.";
        beside.push_str(&element("p", text));
    }
    picture(
        "Requests a minute over the number of users",
        &plots::users(comparison, curve),
        &beside,
        &tables::users(comparison, curve),
    )
}

fn doubling(comparison: &Comparison) -> String {
    let heading = "Does doubling and halving move it as the formula says?";
    let Some(table) = tables::doubling(comparison) else { return String::new() };
    let pairs = words::pairs(comparison);
    let beyond = pairs.iter().filter(|pair| pair.is_within() == Some(false)).count();
    let unknown = pairs.iter().filter(|pair| pair.is_within().is_none()).count();
    let answer = match (beyond, unknown) {
        (0, 0) => {
            "Yes: with each interval that was measured, requests and delay moved within 5 % of what the formula says."
        }
        (0, _) => "As far as is known: where no event arrived, there is no delay to speak of.",
        _ => {
            "Not everywhere: what is more than 5 % away is marked. A short measurement has few events, and so a rough delay."
        }
    };
    section(heading, &format!("{}{table}", element("p", answer)))
}

fn calculated(prediction: &Prediction) -> String {
    let heading = format!("{} users: calculated, not measured", count(prediction.users as f64));
    let text = format!(
        "{} users and {} events a minute, each of {}. This is arithmetic, with what one request, one \
         delivery and one client cost the server in this run. It leaves out the kernel’s memory and the network; the delay is the \
         transport’s own, without queues. More than one core is more than one barewire process, for each has one thread.",
        count(prediction.users as f64),
        count(prediction.events_per_minute),
        bytes(prediction.size as f64)
    );
    let content = format!("{}{}", element("p", &text), tables::prediction(prediction));
    section(&heading, &format!("<div class=\"calculated\">\n{content}</div>\n"))
}

fn method(comparison: &Comparison) -> String {
    let plan = &comparison.plan;
    let lines = [
        "Each transport has its turn, with as many clients on as many sockets, a topic of its own, and the same events at the same \
         times after its start. Clients begin spread over time, so that short polls do not ask in step."
            .to_owned(),
        "A delay is from the publishing of an event to its arrival at a client. Bytes are counted on the sockets, above TCP. The \
         server’s memory is its proportional set size; its CPU time has user and system in it."
            .to_owned(),
    ];
    let formulas = [
        (
            "Short polling",
            format!(
                "Requests a minute are clients × 60 s ÷ interval. {} events a minute for each client are answers that are not empty, at \
                 most one for each request; all others are. An event waits for the next request of each client: from nothing to the \
                 interval, on average half of it.",
                count(plan.events_per_minute)
            ),
        ),
        (
            "Long polling",
            format!(
                "A request for each event and client, and one more each time that {} s pass without an event. The delay is what the \
                 network and the server take, which arithmetic puts at 0.",
                plan.wait
            ),
        ),
        (
            "Server-Sent Events, WebSocket",
            "No request once connected. Bytes are the events, with a few bytes around each, and what keeps the connection alive. The \
             delay is put at 0 as well."
                .to_owned(),
        ),
        (
            "Bytes of polls",
            "Requests × the length of a request’s head, answers × that of an answer’s head, the empty list in each answer, and each \
             event once for each client."
                .to_owned(),
        ),
    ];
    let mut content: String = lines.iter().map(|line| element("p", line)).collect();
    content.push_str(&tables::measurement(comparison));
    content.push_str("<h3>The formulas</h3>\n<dl>\n");
    for (term, text) in formulas {
        let _ = writeln!(content, "<dt>{}</dt>\n<dd>{}</dd>", escaped(term), escaped(&text));
    }
    content.push_str("</dl>\n");
    section("How it was measured", &content)
}
