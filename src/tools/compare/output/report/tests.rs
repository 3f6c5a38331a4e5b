use std::time::Duration;

use super::super::numbers::{bytes, count, delay, percent, ratio};
use super::fixture::{comparison, curve, of};
use super::tables::CAPTION;
use super::{report, words};
use crate::client::follow::Via;
use crate::tools::compare::prediction::predict;
use crate::tools::compare::{Comparison, Figures, Plan};

/// Elements that have no content (HTML, "void elements").
const VOID: [&str; 1] = ["meta"];

/// Checks that each tag is closed by its own, each attribute quoted, each `&` a reference, and that no id is there twice.
fn well_formed(html: &str) -> Result<(), String> {
    let mut rest = html.strip_prefix("<!doctype html>\n").ok_or("no doctype")?;
    let (mut open, mut ids): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
    while let Some(at) = rest.find('<') {
        text(&rest[..at])?;
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('/') {
            let (name, after) = after.split_once('>').ok_or("a tag does not end")?;
            let last = open.pop();
            if last != Some(name) {
                return Err(format!("</{name}> closes {last:?}"));
            }
            rest = after;
            continue;
        }
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric()).ok_or("a tag does not end")?;
        let (name, mut attributes) = rest.split_at(end);
        if name.is_empty() {
            return Err(format!("no name: <{}", &rest[..rest.len().min(20)]));
        }
        let is_closed = loop {
            if let Some(after) = attributes.strip_prefix("/>") {
                rest = after;
                break true;
            }
            if let Some(after) = attributes.strip_prefix('>') {
                rest = after;
                break false;
            }
            let attribute =
                attributes.strip_prefix([' ', '\n']).ok_or(format!("no space in <{name}{attributes:.20}"))?;
            let (key, value) = attribute.split_once("=\"").ok_or(format!("no value in <{name}"))?;
            if !key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
                return Err(format!("<{name} has the attribute {key}"));
            }
            let (value, after) = value.split_once('"').ok_or("a value does not end")?;
            text(value)?;
            if value.contains('<') {
                return Err(format!("< in {key} of <{name}"));
            }
            if key == "id" {
                if ids.contains(&value) {
                    return Err(format!("two of id {value}"));
                }
                ids.push(value);
            }
            attributes = after;
        };
        if !is_closed && !VOID.contains(&name) {
            open.push(name);
            if name == "style" {
                rest = &rest[rest.find("</style>").ok_or("a style does not end")?..];
            }
        }
    }
    if open.is_empty() { Ok(()) } else { Err(format!("open: {open:?}")) }
}

/// Checks the references in a text.
fn text(text: &str) -> Result<(), String> {
    for (at, _) in text.match_indices('&') {
        let is_reference =
            ["&lt;", "&gt;", "&amp;", "&quot;"].iter().any(|known| text[at..].starts_with(known));
        if !is_reference {
            return Err(format!("a bare & in {text:?}"));
        }
    }
    if text.contains('>') { Err(format!("a bare > in {text:?}")) } else { Ok(()) }
}

/// The report of it, held to what each report has to be.
fn checked(comparison: &Comparison) -> String {
    let predictions = [predict(comparison, 1_000_000, comparison.plan.events_per_minute, &curve, &curve)];
    let html = report(comparison, &curve, &predictions);
    well_formed(&html).unwrap_or_else(|what| panic!("{what}"));
    for outside in ["<script", "http://", "https://", "src=", "href=", "url(", "@import"] {
        assert!(!html.contains(outside), "{outside}");
    }
    let drawn = html.split_once("</style>").expect("a style").1;
    for number in ["NaN", "inf\"", "inf ", "-0.0\"", "=\"inf", "Linf"] {
        assert!(!drawn.contains(number), "{number} in {comparison:?}");
    }
    html
}

#[test]
fn the_check_finds_what_is_not_well_formed() {
    for (html, is_good) in [
        ("<p>a &lt; b</p>", true),
        ("<p><b>a</b><path d=\"M0\"/></p>", true),
        ("<p>", false),
        ("<p></b>", false),
        ("<p>a & b</p>", false),
        ("<p>a > b</p>", false),
        ("<p a=b></p>", false),
        ("<p id=\"a\"></p><p id=\"a\"></p>", false),
    ] {
        let found = well_formed(&format!("<!doctype html>\n{html}"));
        assert_eq!(found.is_ok(), is_good, "{html}: {found:?}");
    }
}

#[test]
fn each_figure_is_in_the_table_measured_and_calculated() {
    let comparison = comparison();
    let html = checked(&comparison);
    let table = html.split(&format!("{CAPTION}</span></caption>")).nth(1).expect("the table");
    let table = table.split("</table>").next().expect("its end");
    for leg in &comparison.legs {
        for (figures, before) in [(&leg.measured, "<b>"), (&leg.predicted, "calculated </span>")] {
            let has = |text: String| {
                assert!(
                    table.contains(&format!("{before}{text}<"))
                        || table.contains(&format!("{before}{text} <i>")),
                    "{before}{text}"
                )
            };
            has(count(figures.requests_per_minute));
            has(count(figures.empty_per_minute));
            has(percent(figures.empty_percent()));
            has(count(figures.connections));
            for part in [figures.up.headers, figures.up.payload, figures.down.headers, figures.down.payload] {
                has(bytes(part));
            }
            let late = figures.delay;
            for part in [late.mean, late.p50, late.p95, late.p99, late.max] {
                has(delay(part));
            }
        }
    }
    assert!(table.contains("<i>+0.2\u{a0}%</i>"), "the difference of the first leg");
}

#[test]
fn the_sentence_says_what_was_measured() {
    let comparison = of(Plan::default());
    let mut exact = comparison.clone();
    for leg in &mut exact.legs {
        leg.measured = Figures { delay: leg.measured.delay, ..leg.predicted };
    }
    let found = words::found(&exact).join("\n").replace('\u{a0}', " ");
    assert_eq!(
        found,
        "100 clients that ask every 3 s sent 2,000 requests a minute; 1,400 of them, 70 %, were answered with nothing. Half of the \
         events took longer than 1.5 s to arrive.\n\
         The same events over Server-Sent Events: 0 requests a minute once connected, and half of the events arrived within 0.4 ms \
         instead of 1.5 s."
    );
}

#[test]
fn ratios_are_the_longer_interval_s_over_the_shorter_s() {
    let comparison = comparison();
    let pairs = words::pairs(&comparison);
    let seconds = |leg: &crate::tools::compare::Leg| leg.interval.expect("a short poll").as_secs();
    let found: Vec<_> = pairs.iter().map(|pair| (seconds(pair.one), seconds(pair.other))).collect();
    assert_eq!(found, [(1, 3), (1, 6), (3, 6)]);
    for pair in &pairs {
        let times = seconds(pair.other) as f64 / seconds(pair.one) as f64;
        let late = pair.delay.expect("events arrived");
        assert!((pair.requests.formula.expect("not 0") - 1.0 / times).abs() < 1e-9);
        assert!((late.formula.expect("not 0") - times).abs() < 1e-9);
        assert!(pair.requests.difference().expect("not 0").abs() < 1.1);
        assert_eq!(pair.is_within(), Some(true));
    }
    let html = checked(&comparison);
    assert!(html.contains(&ratio(Some(1.0 / 3.0))) && html.contains("1\u{a0}s\u{a0}→\u{a0}3\u{a0}s"));

    let mut away = comparison.clone();
    away.legs[1].measured.delay.p50 *= 1.08;
    assert_eq!(
        words::pairs(&away).iter().map(|pair| pair.is_within()).collect::<Vec<_>>(),
        [Some(false), Some(true), Some(false)]
    );
    assert!(checked(&away).contains("<b class=\"wrong\">no</b>"));
}

#[test]
fn what_is_not_there_is_no_panic() {
    let mut nothing = comparison();
    nothing.legs.clear();
    assert!(checked(&nothing).contains("Nothing was measured."));

    let mut interrupted = comparison();
    interrupted.legs.truncate(2);
    interrupted.is_interrupted = true;
    assert!(
        checked(&interrupted)
            .contains("It was interrupted: this is what was measured until then, 2 of 6 legs.")
    );

    for via in Via::ALL {
        let html = checked(&of(Plan { transports: vec![via], ..Plan::default() }));
        assert!(html.contains(words::name(via)));
        assert!(!html.contains("doubling and halving"), "one interval makes no pair");
    }
}

#[test]
fn zeros_have_a_place_and_are_no_logarithm() {
    let mut zero = comparison();
    for leg in &mut zero.legs {
        (leg.published, leg.arrived, leg.server, leg.client_cpu) = (0, 0, None, None);
        (leg.measured, leg.predicted) = Default::default();
        leg.measured_for = Duration::ZERO;
    }
    assert!(checked(&zero).contains("No event was published"));
    for leg in &mut zero.legs {
        (leg.published, leg.arrived) = (1, 100);
    }
    checked(&zero);
    checked(&of(Plan { clients: 0, ..Plan::default() }));
    checked(&of(Plan { events_per_minute: 0.0, ..Plan::default() }));
    checked(&of(Plan { duration: Duration::ZERO, ..Plan::default() }));
    let mut wild = comparison();
    wild.legs[0].measured.requests_per_minute = f64::NAN;
    wild.legs[1].measured.delay.p50 = f64::INFINITY;
    checked(&wild);
}

#[test]
fn many_legs_have_their_places() {
    let intervals = [1, 10, 100, 1_000, 10_000, 60_000].map(Duration::from_millis).to_vec();
    let html = checked(&of(Plan { clients: 5_000, intervals, ..Plan::default() }));
    assert!(html.contains("every 60\u{a0}s"));
}

#[test]
fn events_that_were_lost_are_told_of() {
    let mut comparison = comparison();
    assert!(checked(&comparison).contains("No event was lost, and none came twice."));
    comparison.legs[0].lost = 12;
    comparison.legs[4].doubled = 3;
    let html = checked(&comparison);
    assert!(html.contains("12 events did not arrive, and 3 came twice: neither may be."));
    assert!(!html.contains("No event was lost"));
}

#[test]
fn clients_that_are_the_limit_are_told_of() {
    let mut comparison = comparison();
    assert!(!checked(&comparison).contains("were busy for"));
    comparison.legs[5].client_cpu = Some(comparison.plan.duration * 9 / 10);
    assert!(
        checked(&comparison).contains("WebSocket: the clients, all in one thread, were busy for 90\u{a0}%")
    );
}

#[test]
fn text_is_escaped() {
    let comparison = comparison();
    let mut prediction = predict(&comparison, 1000, 6.0, &curve, &curve);
    prediction.legs[0].constants.up.origin = "<b>\"R&D\"</b>".to_owned();
    let html = report(&comparison, &curve, &[prediction]);
    well_formed(&html).unwrap_or_else(|what| panic!("{what}"));
    assert!(html.contains("&lt;b&gt;&quot;R&amp;D&quot;&lt;/b&gt;"));
}

#[test]
fn each_picture_has_a_name_and_words() {
    let html = checked(&comparison());
    let pictures: Vec<_> = html.split("<svg class=\"plot ").skip(1).collect();
    assert_eq!(pictures.len(), 6);
    for picture in pictures {
        let picture = picture.split("</svg>").next().expect("its end");
        assert!(picture.contains("role=\"img\""));
        let names = picture.split("aria-labelledby=\"").nth(1).and_then(|text| text.split('"').next());
        let names: Vec<_> = names.expect("named").split(' ').collect();
        assert!(picture.contains(&format!("<title id=\"{}\">", names[0])), "{names:?}");
        assert!(picture.contains(&format!("<desc id=\"{}\">", names[1])), "{names:?}");
    }
}

#[test]
fn what_is_calculated_is_marked() {
    let comparison = comparison();
    assert!(!report(&comparison, &curve, &[]).contains("calculated, not measured"));
    let html = checked(&comparison);
    assert!(html.contains("<h2>1,000,000 users: calculated, not measured</h2>"));
    assert!(html.contains("20,000,000"), "every 3 s");
}
