//! The dashboard: a client that does not keep up skips values.

use std::collections::HashMap;

use barewire::client::{Message, Request, WebSocket};
use serde_json::Value;

use crate::http::get;
use crate::program::{PATIENCE, Program};

const EXAMPLE: &str = "13_dashboard";

fn connect(program: &Program) -> WebSocket {
    let url = program.url("/values").replace("http", "ws");
    let request = Request { read_timeout: Some(PATIENCE), ..Request::default() };
    WebSocket::connect(&url, &request).expect("the example accepts the WebSocket")
}

/// Returns the next values with their tick, and without an answer.
fn read(socket: &mut WebSocket) -> (u64, Value) {
    let message = socket.read().expect("the WebSocket is open");
    let Message::Text(text) = message else { panic!("{message:?} has no values") };
    let values: Value = serde_json::from_str(&text).expect("values are JSON");
    (values["tick"].as_u64().expect("values have a tick"), values)
}

fn answer(socket: &mut WebSocket) {
    socket.send_text("ready").expect("the WebSocket is open");
}

#[test]
fn a_slow_client_skips_values_and_ends_with_the_newest() {
    let program = Program::start(EXAMPLE);
    let (mut fast, mut slow) = (connect(&program), connect(&program));
    let mut seen = HashMap::new();
    let mut read_fast = || {
        let (tick, values) = read(&mut fast);
        answer(&mut fast);
        seen.insert(tick, values);
        (tick, seen.clone())
    };
    // The slow client reads nothing while the fast one receives 25 values.
    let last = (0..25).map(|_| read_fast().0).last().expect("25 values");
    let (old, _) = read(&mut slow);
    answer(&mut slow);
    let (mut newest, mut values) = read(&mut slow);
    println!(
        "the slow client has skipped the {} values from {} to {}",
        newest - old - 1,
        old + 1,
        newest - 1
    );
    assert!(newest > last && last >= old + 23, "{old}, then {newest}; the fast client had {last}");
    // Both have the same values at the same time. Either may skip one on a busy machine.
    loop {
        let (tick, seen) = read_fast();
        if let Some(expected) = seen.get(&newest) {
            assert_eq!(&values, expected);
            break;
        }
        if tick > newest {
            answer(&mut slow);
            (newest, values) = read(&mut slow);
        }
    }
}

#[test]
fn a_client_that_answers_too_often_receives_each_value_once() {
    let program = Program::start(EXAMPLE);
    let mut socket = connect(&program);
    for _ in 0..1000 {
        answer(&mut socket);
    }
    let ticks: Vec<u64> = (0..5)
        .map(|_| {
            (0..10).for_each(|_| answer(&mut socket));
            read(&mut socket).0
        })
        .collect();
    assert!(ticks.is_sorted_by(|a, b| a < b), "{ticks:?}");
}

#[test]
fn a_client_that_does_not_answer_receives_one_value() {
    let program = Program::start(EXAMPLE);
    let (mut silent, mut other) = (connect(&program), connect(&program));
    read(&mut silent);
    for _ in 0..5 {
        read(&mut other);
        answer(&mut other);
    }
    // A pong would come after any further value.
    silent.ping(b"").expect("the WebSocket is open");
    assert_eq!(silent.read().expect("the WebSocket is open"), Message::Pong(Vec::new()));
}

#[test]
fn the_values_are_plausible() {
    let program = Program::start(EXAMPLE);
    let values = get(&program.url("/values"), &[]).json();
    let stocks = values["stocks"].as_array().expect("a list of stocks");
    assert_eq!(stocks.len(), 6);
    let mut rising = 0;
    for stock in stocks {
        let (opening, price) = (stock[1].as_f64().expect("a price"), stock[2].as_f64().expect("a price"));
        assert!((0.5..1.5).contains(&(price / opening)), "{stock}");
        rising += u64::from(price > opening);
    }
    assert_eq!(values["gauges"][1]["value"], rising);
    for gauge in values["gauges"].as_array().expect("a list of gauges") {
        let [value, max] = ["value", "max"].map(|name| gauge[name].as_f64().expect("a number"));
        assert!((0.0..=max).contains(&value), "{gauge}");
    }
}

#[test]
fn a_taken_port_is_reported() {
    let (code, report) = Program::start_on_taken_port(EXAMPLE);
    assert_eq!(code, Some(1));
    assert!(report.contains("cannot listen"), "{report}");
}
