//! The same events, whatever the cut: with right bytes, and with wrong ones.

use barewire::client::follow::{Next, RetryReason, Since, Via};
use barewire::protocol::websocket::close::CloseCode;
use proptest::prelude::*;
use std::time::Duration;

use super::answers::{Body, Item, JSON, STREAM, answer, messages, poll_body, stream};
use super::{Outcome, Told, play};

fn item() -> impl Strategy<Value = Item> {
    // No carriage return: no event stream can carry one.
    ("[a-zA-Z0-9]{1,8}-[0-9]{1,5}", "[a-z]{1,9}", "[^\r]{0,40}")
        .prop_filter("a stream's own name", |(_, event, _)| event != "gap")
}

fn framing() -> impl Strategy<Value = Body> {
    prop_oneof![Just(Body::Length), (1..200usize).prop_map(Body::Chunks), Just(Body::UntilEnd)]
}

fn told(items: &[Item], next: &str, oldest: Option<Option<&str>>, cursor_first: bool) -> Vec<Told> {
    let gap = oldest.map(|oldest| Told::Gap { since: "x-1".into(), oldest: oldest.map(Into::into) });
    let cursor = Some(Told::Cursor(next.to_owned()));
    let events = items.iter().cloned().map(|(id, event, data)| Told::Event { id, event, data });
    let (first, last) = if cursor_first { (cursor, None) } else { (None, cursor) };
    gap.into_iter().chain(first).chain(events).chain(last).collect()
}

/// BufferedBody, byte by byte, cut once at every place, and at `cuts`.
fn play_all(via: Via, since: &Since, bytes: &[u8], cuts: &[prop::sample::Index]) -> Outcome {
    let whole = play(via, since, bytes, &[]);
    let each: Vec<usize> = (1..bytes.len()).collect();
    assert_eq!(unpaced(play(via, since, bytes, &each)), unpaced(whole.clone()), "byte by byte");
    for cut in 0..=bytes.len() {
        assert_eq!(unpaced(play(via, since, bytes, &[cut])), unpaced(whole.clone()), "cut at {cut}");
    }
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    cuts.sort_unstable();
    assert_eq!(unpaced(play(via, since, bytes, &cuts)), unpaced(whole.clone()), "cut at {cuts:?}");
    whole
}

/// Less what may depend on the cut: how many pings were answered at once, and whether the connection showed more bytes.
fn unpaced(mut outcome: Outcome) -> Outcome {
    outcome.answered.clear();
    if let Ok(Next::Request { reuse, .. }) = &mut outcome.next {
        *reuse = false;
    }
    outcome
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn polls(
        items in prop::collection::vec(item(), 0..4), has_gap: bool, is_held: bool, interim in 0..3usize,
        framing in framing(), cuts: [prop::sample::Index; 3],
    ) {
        let via = if is_held { Via::LongPoll } else { Via::ShortPoll };
        let body = poll_body(&items, "n-9", has_gap);
        let bytes = answer(interim, "200 OK", JSON, &body, framing);
        let outcome = play_all(via, &Since::Id("x-1".into()), &bytes, &cuts);
        let oldest = items.first().map(|(id, _, _)| &**id);
        prop_assert_eq!(outcome.told, told(&items, "n-9", has_gap.then_some(oldest), false));
        let after = if is_held { Duration::ZERO } else { super::resource().interval };
        prop_assert_eq!(outcome.next, Ok(Next::Request { after, reuse: !matches!(framing, Body::UntilEnd) }));
        prop_assert_eq!(outcome.cursor.as_deref(), Some("n-9"));
        let traffic = outcome.traffic;
        prop_assert_eq!((traffic.requests, traffic.responses), (1, 1));
        prop_assert_eq!((traffic.empty_responses, traffic.events), (u64::from(items.is_empty()), items.len() as u64));
        prop_assert_eq!(traffic.payload_down, body.len() as u64);
        prop_assert_eq!(traffic.data_down, items.iter().map(|item| item.2.len() as u64).sum::<u64>());
    }

    #[test]
    fn event_streams(
        items in prop::collection::vec(item(), 0..4), has_gap: bool, interim in 0..3usize, framing in framing(),
        cuts: [prop::sample::Index; 3],
    ) {
        let gap = has_gap.then_some(r#"{"since":"x-1","oldest":"o-1"}"#);
        let bytes = answer(interim, "200 OK", STREAM, &stream(&items, "n-9", gap), framing);
        let outcome = play_all(Via::EventStream, &Since::Id("x-1".into()), &bytes, &cuts);
        prop_assert_eq!(outcome.told, told(&items, "n-9", has_gap.then_some(Some("o-1")), true));
        let least = Duration::from_millis(2500);
        prop_assert_eq!(outcome.next, Ok(Next::Reconnect { at_least: least, reason: RetryReason::Ended }));
        let cursor = items.last().map_or("n-9", |(id, _, _)| id);
        prop_assert_eq!(outcome.cursor.as_deref(), Some(cursor));
    }

    #[test]
    fn web_sockets(
        items in prop::collection::vec(item(), 0..4), has_gap: bool, cuts: [prop::sample::Index; 3],
    ) {
        let gap = has_gap.then_some(r#"{"since":"x-1","oldest":null}"#);
        let bytes = messages(&items, "n-9", gap);
        let outcome = play_all(Via::WebSocket, &Since::Id("x-1".into()), &bytes, &cuts);
        prop_assert_eq!(outcome.told, told(&items, "n-9", has_gap.then_some(None), true));
        let why = RetryReason::Closed(CloseCode::GOING_AWAY);
        prop_assert_eq!(outcome.next, Ok(Next::Reconnect { at_least: Duration::ZERO, reason: why }));
        let cursor = items.last().map_or("n-9", |(id, _, _)| id);
        prop_assert_eq!(outcome.cursor.as_deref(), Some(cursor));
    }

    /// One byte is another: whatever becomes of it, it is the same however it is cut.
    #[test]
    fn wrong_bytes(
        items in prop::collection::vec(item(), 1..3), via in prop::sample::select(&Via::ALL[..]),
        framing in framing(), at: prop::sample::Index, byte: u8, cuts: [prop::sample::Index; 3],
    ) {
        let mut bytes = match via {
            Via::ShortPoll | Via::LongPoll => {
                answer(1, "200 OK", JSON, &poll_body(&items, "n-9", true), framing)
            }
            Via::EventStream => answer(1, "200 OK", STREAM, &stream(&items, "n-9", None), framing),
            Via::WebSocket => messages(&items, "n-9", None),
        };
        let at = at.index(bytes.len());
        bytes[at] = byte;
        play_all(via, &Since::Now, &bytes, &cuts);
    }
}
