use std::time::Duration;

use super::fixture::{comparison, comparison_of, formula};
use super::tables::CAPTION;
use super::{report, words};
use crate::client::follow::Transport;
use crate::tools::compare::config::CompareConfig;
use crate::tools::compare::output::numbers::{bytes, count, delay, percent, ratio};
use crate::tools::compare::prediction::predict;
use crate::tools::compare::results::{Comparison, Figures, Trial};

/// Elements without content (HTML, "void elements").
const VOID: [&str; 1] = ["meta"];

/// Checks that each tag is closed by its own end tag, each attribute is quoted, each `&` starts a
/// reference, and no id occurs twice.
fn check_well_formed(html: &str) -> Result<(), String> {
    let mut rest = html.strip_prefix("<!doctype html>\n").ok_or("no doctype")?;
    let (mut open, mut ids): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
    while let Some(at) = rest.find('<') {
        check_text(&rest[..at])?;
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
        let (name, is_closed, after) = check_start_tag(rest, &mut ids)?;
        rest = after;
        if !is_closed && !VOID.contains(&name) {
            open.push(name);
            if name == "style" {
                rest = &rest[rest.find("</style>").ok_or("a style element does not end")?..];
            }
        }
    }
    if open.is_empty() { Ok(()) } else { Err(format!("open: {open:?}")) }
}

/// Checks a start tag whose `<` has been consumed. Returns its name, true if the tag closes itself,
/// and the text after the tag.
fn check_start_tag<'t>(text: &'t str, ids: &mut Vec<&'t str>) -> Result<(&'t str, bool, &'t str), String> {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric()).ok_or("a tag does not end")?;
    let (name, mut attributes) = text.split_at(end);
    if name.is_empty() {
        return Err(format!("no name: <{}", &text[..text.len().min(20)]));
    }
    loop {
        if let Some(after) = attributes.strip_prefix("/>") {
            return Ok((name, true, after));
        }
        if let Some(after) = attributes.strip_prefix('>') {
            return Ok((name, false, after));
        }
        let attribute =
            attributes.strip_prefix([' ', '\n']).ok_or(format!("no space in <{name}{attributes:.20}"))?;
        let (key, value) = attribute.split_once("=\"").ok_or(format!("no value in <{name}"))?;
        if !key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            return Err(format!("<{name} has the attribute {key}"));
        }
        let (value, after) = value.split_once('"').ok_or("a value does not end")?;
        check_text(value)?;
        if value.contains('<') {
            return Err(format!("< in {key} of <{name}"));
        }
        if key == "id" {
            if ids.contains(&value) {
                return Err(format!("the id {value} occurs twice"));
            }
            ids.push(value);
        }
        attributes = after;
    }
}

/// Checks the character references in a text.
fn check_text(text: &str) -> Result<(), String> {
    for (at, _) in text.match_indices('&') {
        let is_reference =
            ["&lt;", "&gt;", "&amp;", "&quot;"].iter().any(|known| text[at..].starts_with(known));
        if !is_reference {
            return Err(format!("an unescaped & in {text:?}"));
        }
    }
    if text.contains('>') { Err(format!("an unescaped > in {text:?}")) } else { Ok(()) }
}

/// Returns the report of a comparison after checking what holds for every report.
fn checked_report(comparison: &Comparison) -> String {
    let events = comparison.config.events_per_minute;
    let predictions = [predict(comparison, 1_000_000, events, &formula, &formula)];
    let html = report(comparison, &formula, &predictions);
    check_well_formed(&html).unwrap_or_else(|error| panic!("{error}"));
    for external in ["<script", "http://", "https://", "src=", "href=", "url(", "@import"] {
        assert!(!html.contains(external), "{external}");
    }
    let body = html.split_once("</style>").expect("the report has a style").1;
    for number in ["NaN", "inf\"", "inf ", "-0.0\"", "=\"inf", "Linf"] {
        assert!(!body.contains(number), "{number} in {comparison:?}");
    }
    html
}

#[test]
fn the_check_finds_malformed_html() {
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
        let found = check_well_formed(&format!("<!doctype html>\n{html}"));
        assert_eq!(found.is_ok(), is_good, "{html}: {found:?}");
    }
}

#[test]
fn the_table_has_each_figure_measured_and_calculated() {
    let comparison = comparison();
    let html = checked_report(&comparison);
    let table = html.split(&format!("{CAPTION}</span></caption>")).nth(1).expect("the table");
    let table = table.split("</table>").next().expect("the end of the table");
    for trial in &comparison.trials {
        for (figures, before) in [(&trial.measured, "<b>"), (&trial.calculated, "calculated </span>")] {
            let assert_has = |text: String| {
                assert!(
                    table.contains(&format!("{before}{text}<"))
                        || table.contains(&format!("{before}{text} <i>")),
                    "{before}{text}"
                )
            };
            assert_has(count(figures.requests_per_minute));
            assert_has(count(figures.empty_per_minute));
            assert_has(percent(figures.empty_percent()));
            assert_has(count(figures.connections));
            for part in [figures.up.headers, figures.up.payload, figures.down.headers, figures.down.payload] {
                assert_has(bytes(part));
            }
            let delays = figures.delay;
            for part in [delays.mean, delays.p50, delays.p95, delays.p99, delays.max] {
                assert_has(delay(part));
            }
        }
    }
    assert!(table.contains("<i>+0.2\u{a0}%</i>"), "no difference for the first trial");
}

#[test]
fn the_summary_says_what_was_measured() {
    let comparison = comparison_of(CompareConfig::default());
    let mut exact = comparison.clone();
    for trial in &mut exact.trials {
        trial.measured = Figures { delay: trial.measured.delay, ..trial.calculated };
    }
    let summary = words::summary(&exact).join("\n").replace('\u{a0}', " ");
    assert_eq!(
        summary,
        "100 clients that poll every 3 s sent 2,000 requests per minute; 1,400 of them, 70 %, received an \
         empty response. Half of the events took longer than 1.5 s to arrive.\n\
         The same events over Server-Sent Events: 0 requests per minute once connected, and half of the \
         events arrived within 0.4 ms instead of 1.5 s."
    );
}

#[test]
fn ratios_divide_the_longer_interval_by_the_shorter() {
    let comparison = comparison();
    let pairs = words::pairs(&comparison);
    let seconds = |trial: &Trial| trial.interval.expect("short polling has an interval").as_secs();
    let found: Vec<_> = pairs.iter().map(|pair| (seconds(pair.shorter), seconds(pair.longer))).collect();
    assert_eq!(found, [(1, 3), (1, 6), (3, 6)]);
    for pair in &pairs {
        let factor = seconds(pair.longer) as f64 / seconds(pair.shorter) as f64;
        let delay = pair.delay.expect("events arrived");
        assert!((pair.requests.calculated.expect("not 0") - 1.0 / factor).abs() < 1e-9);
        assert!((delay.calculated.expect("not 0") - factor).abs() < 1e-9);
        assert!(pair.requests.difference().expect("not 0").abs() < 1.1);
        assert_eq!(pair.is_within(), Some(true));
    }
    let html = checked_report(&comparison);
    assert!(html.contains(&ratio(Some(1.0 / 3.0))) && html.contains("1\u{a0}s\u{a0}→\u{a0}3\u{a0}s"));

    let mut different = comparison.clone();
    different.trials[1].measured.delay.p50 *= 1.08;
    assert_eq!(
        words::pairs(&different).iter().map(|pair| pair.is_within()).collect::<Vec<_>>(),
        [Some(false), Some(true), Some(false)]
    );
    assert!(checked_report(&different).contains("<b class=\"wrong\">no</b>"));
}

#[test]
fn missing_trials_do_not_cause_a_panic() {
    let mut nothing = comparison();
    nothing.trials.clear();
    assert!(checked_report(&nothing).contains("Nothing was measured."));

    let mut interrupted = comparison();
    interrupted.trials.truncate(2);
    interrupted.is_interrupted = true;
    assert!(
        checked_report(&interrupted)
            .contains("The run was interrupted: these are the results so far, 2 of 6 trials.")
    );

    for via in Transport::ALL {
        let config = CompareConfig { transports: vec![via], ..CompareConfig::default() };
        let html = checked_report(&comparison_of(config));
        assert!(html.contains(words::name(via)));
        assert!(!html.contains("follow the formula?"), "a single interval has no ratios");
    }
}

#[test]
fn zeros_have_a_place_on_logarithmic_axes() {
    let mut zero = comparison();
    for trial in &mut zero.trials {
        (trial.published, trial.arrived, trial.server, trial.client_cpu) = (0, 0, None, None);
        (trial.measured, trial.calculated) = Default::default();
        trial.measured_for = Duration::ZERO;
    }
    assert!(checked_report(&zero).contains("No event was published"));
    for trial in &mut zero.trials {
        (trial.published, trial.arrived) = (1, 100);
    }
    checked_report(&zero);
    checked_report(&comparison_of(CompareConfig { clients: 0, ..CompareConfig::default() }));
    checked_report(&comparison_of(CompareConfig { events_per_minute: 0.0, ..CompareConfig::default() }));
    checked_report(&comparison_of(CompareConfig { duration: Duration::ZERO, ..CompareConfig::default() }));
    let mut not_finite = comparison();
    not_finite.trials[0].measured.requests_per_minute = f64::NAN;
    not_finite.trials[1].measured.delay.p50 = f64::INFINITY;
    checked_report(&not_finite);
}

#[test]
fn many_trials_fit_on_the_page() {
    let intervals = [1, 10, 100, 1_000, 10_000, 60_000].map(Duration::from_millis).to_vec();
    let config = CompareConfig { clients: 5_000, intervals, ..CompareConfig::default() };
    let html = checked_report(&comparison_of(config));
    assert!(html.contains("every 60\u{a0}s"));
}

#[test]
fn the_report_mentions_lost_events() {
    let mut comparison = comparison();
    assert!(checked_report(&comparison).contains("No event was lost, and none arrived twice."));
    comparison.trials[0].lost = 12;
    comparison.trials[4].duplicated = 3;
    let html = checked_report(&comparison);
    assert!(html.contains("12 events did not arrive, and 3 arrived twice. Both must be 0."));
    assert!(!html.contains("No event was lost"));
}

#[test]
fn the_report_mentions_clients_that_are_the_bottleneck() {
    let mut comparison = comparison();
    assert!(!checked_report(&comparison).contains("were busy for"));
    comparison.trials[5].client_cpu = Some(comparison.config.duration * 9 / 10);
    assert!(
        checked_report(&comparison)
            .contains("WebSocket: the clients, which share one thread, were busy for 90\u{a0}%")
    );
}

#[test]
fn text_is_escaped() {
    let comparison = comparison();
    let mut prediction = predict(&comparison, 1000, 6.0, &formula, &formula);
    prediction.trials[0].constants.up.origin = "<b>\"R&D\"</b>".to_owned();
    let html = report(&comparison, &formula, &[prediction]);
    check_well_formed(&html).unwrap_or_else(|error| panic!("{error}"));
    assert!(html.contains("&lt;b&gt;&quot;R&amp;D&quot;&lt;/b&gt;"));
}

#[test]
fn each_picture_has_a_name_and_a_description() {
    let html = checked_report(&comparison());
    let pictures: Vec<_> = html.split("<svg class=\"plot ").skip(1).collect();
    assert_eq!(pictures.len(), 6);
    for picture in pictures {
        let picture = picture.split("</svg>").next().expect("the end of the picture");
        assert!(picture.contains("role=\"img\""));
        let names = picture.split("aria-labelledby=\"").nth(1).and_then(|text| text.split('"').next());
        let names: Vec<_> = names.expect("the picture has a name").split(' ').collect();
        assert!(picture.contains(&format!("<title id=\"{}\">", names[0])), "{names:?}");
        assert!(picture.contains(&format!("<desc id=\"{}\">", names[1])), "{names:?}");
    }
}

#[test]
fn predictions_are_marked_as_calculated() {
    let comparison = comparison();
    assert!(!report(&comparison, &formula, &[]).contains("calculated, not measured"));
    let html = checked_report(&comparison);
    assert!(html.contains("<h2>1,000,000 users: calculated, not measured</h2>"));
    assert!(html.contains("20,000,000"), "no requests for short polling every 3 s");
}
