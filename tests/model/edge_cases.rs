//! Edge cases that random scenarios rarely reach, each as small as possible.

use barewire::hub::HubLimits;

use crate::parse::Form;
use crate::run::run;
use crate::scenario::{Data, Publication, Scenario, Since, Step, Transport};

fn open(topic: usize, form: Form) -> Step {
    Step::Open { topic, transport: Transport::Stream(form), since: Since::Now, header: false }
}

/// More than the kernels on both sides buffer for a client that does not read.
fn much(topic: usize) -> Step {
    Step::Batch { topic, lines: vec![Data::new("much ", 64 << 10); 15] }
}

fn send(texts: usize, bytes: usize) -> Step {
    Step::Send { index: 0, texts: (0..texts).map(|_| Data::new("sent ", bytes)).collect() }
}

#[test]
fn a_follower_that_pushes_itself_out_of_the_window_is_closed() {
    for form in [Form::Json, Form::Text] {
        for bytes in [0, 60_000] {
            let steps = vec![open(0, form), much(0), Step::Read { index: 0, bytes: 100 }, send(20, bytes)];
            let limits = HubLimits { window_events: 8, ..HubLimits::default() };
            for drain in [false, true] {
                run(&Scenario { limits: limits.clone(), steps: steps.clone(), drain });
            }
        }
    }
}

#[test]
fn an_event_is_completed_after_its_encoding_was_dropped() {
    let end = |binary| Step::End { index: 0, binary };
    for (form, last) in [
        (Form::Json, Some(end(false))),
        (Form::Text, Some(end(true))),
        (Form::Json, None),
        (Form::Chunks, None),
    ] {
        let mut steps = vec![open(0, form), much(0), Step::Read { index: 0, bytes: 100 }, Step::Tick];
        steps.extend([open(1, form), much(1)]);
        steps.extend(last);
        let limits = HubLimits { encoded_bytes: 4096, ..HubLimits::default() };
        run(&Scenario { limits, steps, drain: true });
    }
}

#[test]
fn a_follower_that_has_read_every_dropped_event_is_not_closed() {
    for form in [Form::Json, Form::Chunks, Form::Plain] {
        let publish = |times: usize| {
            let publication = Publication { topic: 0, name: "message", data: Data::new("\u{1}", 64 << 10) };
            Step::Publish(vec![publication; times])
        };
        let mut steps = vec![publish(30)];
        steps.push(Step::Open {
            topic: 0,
            transport: Transport::Stream(form),
            since: Since::Start,
            header: false,
        });
        for _ in 0..40 {
            steps.extend([Step::Read { index: 0, bytes: 390_000 }, publish(1)]);
        }
        let limits = HubLimits { window_events: 8, ..HubLimits::default() };
        run(&Scenario { limits, steps, drain: false });
    }
}
