//! The report: a comparison as one HTML page without external resources and without scripts.
//!
//! Read in this order:
//!
//! 1. `words` — the results in sentences.
//! 2. `tables` — the figures, one column per trial.
//! 3. `plots` — the pictures. Each also has a description in words and a table.
//! 4. `report.css`, which follows the style of all reports.

#[cfg(test)]
pub mod fixture;
mod plots;
mod tables;
#[cfg(test)]
mod tests;
mod words;

use std::fmt::Write;

use super::numbers::{bytes, count, duration};
use crate::client::follow::Transport;
use crate::tools::compare::arithmetic::Formula;
use crate::tools::compare::config::CompareConfig;
use crate::tools::compare::prediction::Prediction;
use crate::tools::compare::results::Comparison;
use crate::tools::html_report::markup::{element, escaped};
use crate::tools::html_report::page;
use plots::{Mark, USERS};
use words::name;

const STYLE: &str = include_str!("report.css");

/// Returns the report as an HTML document. `formula` calculates the figures for other intervals and
/// other numbers of clients. Each prediction has its own section.
pub fn report(comparison: &Comparison, formula: &Formula<'_>, predictions: &[Prediction]) -> String {
    let mut main = String::new();
    if !comparison.trials.is_empty() {
        main.push_str(&figures(comparison));
        main.push_str(&cost(comparison, formula));
        main.push_str(&bytes_per_event(comparison));
        main.push_str(&users(comparison, formula));
        main.push_str(&interval_pairs(comparison));
        for prediction in predictions {
            main.push_str(&predicted(prediction));
        }
        main.push_str(&method(comparison));
    }
    page(&title(&comparison.config), STYLE, &(header(comparison) + &main), "")
}

fn title(config: &CompareConfig) -> String {
    format!(
        "barewire compare: {}, four ways to receive an event",
        words::quantity(config.clients as f64, "client")
    )
}

fn header(comparison: &Comparison) -> String {
    let mut header = "<header>\n<h1>barewire compare</h1>\n".to_owned();
    for (index, paragraph) in words::summary(comparison).iter().enumerate() {
        let class = if index == 0 { "summary" } else { "summary further" };
        let _ = writeln!(header, "<p class=\"{class}\">{}</p>", escaped(paragraph));
    }
    for note in words::notes(comparison) {
        let class = if note.is_warning { "warning" } else { "note" };
        let _ = writeln!(header, "<p class=\"{class}\">{}</p>", escaped(&note.text));
    }
    let _ =
        writeln!(header, "<p class=\"note\">{}</p>\n</header>", escaped(&words::configuration(comparison)));
    header
}

fn section(heading: &str, content: &str) -> String {
    format!("<section>\n{}{content}</section>\n", element("h2", heading))
}

/// Returns a section with a plot, a text next to the plot, and the plot's figures below in a table.
fn plot_section(heading: &str, plot: &str, text: &str, table: &str) -> String {
    section(
        heading,
        &format!(
            "<div class=\"picture\">\n<div class=\"drawing\">\n{plot}</div>\n\
             <div class=\"aside\">\n{text}</div>\n</div>\n\
             <details>\n<summary>The figures of this picture</summary>\n{table}</details>\n"
        ),
    )
}

fn figures(comparison: &Comparison) -> String {
    section("Measured and calculated", &tables::figures(comparison))
}

/// Returns the legend of the transports that were measured.
fn legend(comparison: &Comparison) -> String {
    let mut legend = "<ul class=\"legend\">\n".to_owned();
    let is_measured = |via: &Transport| comparison.trials.iter().any(|trial| trial.via == *via);
    for via in Transport::ALL.into_iter().filter(is_measured) {
        let _ = writeln!(legend, "<li>{}{}</li>", Mark::of(via).icon(), escaped(name(via)));
    }
    legend.push_str("</ul>\n");
    legend
}

fn cost(comparison: &Comparison, formula: &Formula<'_>) -> String {
    let mut text = legend(comparison);
    text.push_str(&element("p", "Lower is faster, further left is cheaper. Each mark was measured."));
    if comparison.trials.iter().any(|trial| trial.via == Transport::ShortPoll) {
        let line = "The line shows short polling as calculated for other intervals: half as many requests \
                    mean twice the delay. No interval leaves the line.";
        text.push_str(&element("p", line));
    }
    plot_section("Cost and delay", &plots::cost(comparison, formula), &text, &tables::cost(comparison))
}

fn bytes_per_event(comparison: &Comparison) -> String {
    const HEADING: &str = "Bytes per event and client";
    let plot = plots::bytes(comparison);
    if plot.is_empty() {
        let text = "No event was published during the measurement, so bytes per event are unknown.";
        return section(HEADING, &element("p", text));
    }
    let key =
        [("up", "headers up: requests"), ("down", "headers down: responses, frames"), ("payload", "payload")];
    let mut legend = "<ul class=\"legend\">\n".to_owned();
    for (class, text) in key {
        let _ = writeln!(
            legend,
            "<li><svg class=\"icon\" viewBox=\"0 0 16 16\" width=\"14\" height=\"14\" aria-hidden=\"true\">\
             <rect class=\"{class}\" x=\"1\" y=\"1\" width=\"14\" height=\"14\"/></svg> {text}</li>"
        );
    }
    legend.push_str("</ul>\n");
    let text = "All bytes at the sockets during the measurement, divided by published events and by clients. \
                Polls with empty responses add to the cost of the next event.";
    plot_section(HEADING, &plot, &(legend + &element("p", text)), &tables::bytes_per_event(comparison))
}

fn users(comparison: &Comparison, formula: &Formula<'_>) -> String {
    let mut aside = element("p", "Lines are calculated; the marks on them were measured.");
    let most = USERS[USERS.len() - 1];
    let config = CompareConfig { clients: most, ..comparison.config.clone() };
    if let Some(trial) = comparison.trials.iter().find(|trial| trial.via == Transport::ShortPoll) {
        let requests = formula(&config, trial.via, trial.interval).requests_per_minute;
        let text = format!(
            "{} users that poll every {} make {} requests per minute, {} per second, no matter how few \
             events there are.",
            count(most as f64),
            trial.interval.map(duration).unwrap_or_default(),
            count(requests),
            count(requests / 60.0)
        );
        aside.push_str(&element("p", &text));
    }
    if comparison
        .trials
        .iter()
        .any(|trial| matches!(trial.via, Transport::EventStream | Transport::WebSocket))
    {
        let text = "A stream or a WebSocket needs one request. After that, it costs its events and memory.";
        aside.push_str(&element("p", text));
    }
    plot_section(
        "Requests per minute by number of users",
        &plots::users(comparison, formula),
        &aside,
        &tables::users(comparison, formula),
    )
}

fn interval_pairs(comparison: &Comparison) -> String {
    let Some(table) = tables::interval_pairs(comparison) else { return String::new() };
    let pairs = words::pairs(comparison);
    let beyond = pairs.iter().filter(|pair| pair.is_within() == Some(false)).count();
    let unknown = pairs.iter().filter(|pair| pair.is_within().is_none()).count();
    let text = match (beyond, unknown) {
        (0, 0) => {
            "Yes: between all measured intervals, requests and delay change as calculated, to within 5 %."
        }
        (0, _) => "As far as known: a trial in which no event arrived has no delay.",
        _ => {
            "Not everywhere: ratios more than 5 % away from the calculated one are marked. A short measurement \
             has few events, so its delay is not precise."
        }
    };
    section("Do requests and delay follow the formula?", &format!("{}{table}", element("p", text)))
}

fn predicted(prediction: &Prediction) -> String {
    let heading = format!("{} users: calculated, not measured", count(prediction.users as f64));
    let text = format!(
        "{} users and {} events per minute, each of {}. These figures combine the formulas with the cost of \
         one request, one delivery and one client for the server in this run. They leave out the kernel’s \
         memory and the network. The delay is the transport’s own, without queues. More than one core means \
         more than one barewire process, because each process has one thread.",
        count(prediction.users as f64),
        count(prediction.events_per_minute),
        bytes(prediction.size as f64)
    );
    let content = format!("{}{}", element("p", &text), tables::prediction(prediction));
    section(&heading, &format!("<div class=\"predicted\">\n{content}</div>\n"))
}

fn method(comparison: &Comparison) -> String {
    let mut content: String = words::METHOD.iter().map(|paragraph| element("p", paragraph)).collect();
    content.push_str(&tables::measurements(comparison));
    content.push_str("<h3>The formulas</h3>\n<dl>\n");
    for (term, text) in words::formulas(&comparison.config) {
        let _ = writeln!(content, "<dt>{}</dt>\n<dd>{}</dd>", escaped(term), escaped(&text));
    }
    content.push_str("</dl>\n");
    section("How it was measured", &content)
}
