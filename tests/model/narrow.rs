//! Scenarios in narrow places that random ones seldom come to, each as small as it can be.

use barewire::hub::HubLimits;

use crate::parse::Form;
use crate::play::play;
use crate::scenario::{Data, Publication, Scenario, Since, Step, Transport};

fn open(topic: usize, form: Form) -> Step {
    Step::Open { topic, transport: Transport::Stream(form), since: Since::Now, header: false }
}

/// More than the kernels on both sides set aside for one who does not read.
fn much(topic: usize) -> Step {
    Step::Batch { topic, lines: vec![Data::new("much ", 64 << 10); 15] }
}

fn say(texts: usize, bytes: usize) -> Step {
    Step::Say { who: 0, texts: (0..texts).map(|_| Data::new("said ", bytes)).collect() }
}

#[test]
fn who_pushes_itself_out_of_the_window_is_ended_and_not_served_from_elsewhere() {
    for form in [Form::Json, Form::Text] {
        for bytes in [0, 60_000] {
            let steps = vec![open(0, form), much(0), Step::Read { who: 0, bytes: 100 }, say(20, bytes)];
            let limits = HubLimits { window_events: 8, ..HubLimits::default() };
            for drain in [false, true] {
                play(&Scenario { limits: limits.clone(), steps: steps.clone(), drain });
            }
        }
    }
}

#[test]
fn who_ends_in_the_middle_of_an_event_gets_the_rest_of_it_though_its_encoding_was_dropped() {
    let end = |binary| Step::End { who: 0, binary };
    for (form, last) in [
        (Form::Json, Some(end(false))),
        (Form::Text, Some(end(true))),
        (Form::Json, None),
        (Form::Chunks, None),
    ] {
        let mut steps = vec![open(0, form), much(0), Step::Read { who: 0, bytes: 100 }, Step::Tick];
        steps.extend([open(1, form), much(1)]);
        steps.extend(last);
        let limits = HubLimits { encoded_bytes: 4096, ..HubLimits::default() };
        play(&Scenario { limits, steps, drain: true });
    }
}

#[test]
fn who_has_read_all_of_what_goes_is_not_ended() {
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
            steps.extend([Step::Read { who: 0, bytes: 390_000 }, publish(1)]);
        }
        let limits = HubLimits { window_events: 8, ..HubLimits::default() };
        play(&Scenario { limits, steps, drain: false });
    }
}
