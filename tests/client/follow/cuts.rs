//! Valid and invalid bytes produce the same notices however they are split.

use barewire::client::follow::{Next, RetryReason, Since, Transport};
use barewire::protocol::websocket::close::CloseCode;
use proptest::prelude::*;
use std::time::Duration;

use super::responses::{Body, Item, JSON, STREAM, messages, poll_body, response, stream};
use super::{Outcome, Received, exchange};

fn item() -> impl Strategy<Value = Item> {
    // An event stream cannot carry a carriage return.
    ("[a-zA-Z0-9]{1,8}-[0-9]{1,5}", "[a-z]{1,9}", "[^\r]{0,40}")
        .prop_filter("a name that the event stream uses itself", |(_, event, _)| event != "gap")
}

fn framing() -> impl Strategy<Value = Body> {
    prop_oneof![Just(Body::Length), (1..200usize).prop_map(Body::Chunks), Just(Body::UntilEnd)]
}

fn expected(items: &[Item], next: &str, oldest: Option<Option<&str>>, cursor_first: bool) -> Vec<Received> {
    let gap = oldest.map(|oldest| Received::Gap { since: "x-1".into(), oldest: oldest.map(Into::into) });
    let cursor = Some(Received::Cursor(next.to_owned()));
    let events = items.iter().cloned().map(|(id, event, data)| Received::Event { id, event, data });
    let (first, last) = if cursor_first { (cursor, None) } else { (None, cursor) };
    gap.into_iter().chain(first).chain(events).chain(last).collect()
}

/// Runs the exchange in one piece, byte by byte, split in two at every place, and split at `cuts`.
fn exchange_in_every_way(
    via: Transport,
    since: &Since,
    bytes: &[u8],
    cuts: &[prop::sample::Index],
) -> Outcome {
    let uncut = exchange(via, since, bytes, &[]);
    let each: Vec<usize> = (1..bytes.len()).collect();
    assert_eq!(comparable(exchange(via, since, bytes, &each)), comparable(uncut.clone()), "byte by byte");
    for cut in 0..=bytes.len() {
        assert_eq!(
            comparable(exchange(via, since, bytes, &[cut])),
            comparable(uncut.clone()),
            "cut at {cut}"
        );
    }
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    cuts.sort_unstable();
    assert_eq!(comparable(exchange(via, since, bytes, &cuts)), comparable(uncut.clone()), "cut at {cuts:?}");
    uncut
}

/// Removes everything that may depend on how the bytes are split: the pongs, because only the
/// latest ping in a call needs one, and whether bytes after the response prevent reuse.
fn comparable(mut outcome: Outcome) -> Outcome {
    outcome.replies.clear();
    if let Ok(Next::Request { reuse, .. }) = &mut outcome.next {
        *reuse = false;
    }
    outcome
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn polls_do_not_depend_on_the_cuts(
        items in prop::collection::vec(item(), 0..4), has_gap: bool, is_long: bool, interim in 0..3usize,
        framing in framing(), cuts: [prop::sample::Index; 3],
    ) {
        let via = if is_long { Transport::LongPoll } else { Transport::ShortPoll };
        let body = poll_body(&items, "n-9", has_gap);
        let bytes = response(interim, "200 OK", JSON, &body, framing);
        let outcome = exchange_in_every_way(via, &Since::Id("x-1".into()), &bytes, &cuts);
        let oldest = items.first().map(|(id, _, _)| &**id);
        prop_assert_eq!(outcome.received, expected(&items, "n-9", has_gap.then_some(oldest), false));
        let after = if is_long { Duration::ZERO } else { super::resource().interval };
        prop_assert_eq!(outcome.next, Ok(Next::Request { after, reuse: !matches!(framing, Body::UntilEnd) }));
        prop_assert_eq!(outcome.cursor.as_deref(), Some("n-9"));
        let traffic = outcome.traffic;
        prop_assert_eq!((traffic.requests, traffic.responses), (1, 1));
        prop_assert_eq!((traffic.empty_responses, traffic.events), (u64::from(items.is_empty()), items.len() as u64));
        prop_assert_eq!(traffic.payload_down, body.len() as u64);
        prop_assert_eq!(traffic.data_down, items.iter().map(|item| item.2.len() as u64).sum::<u64>());
    }

    #[test]
    fn event_streams_do_not_depend_on_the_cuts(
        items in prop::collection::vec(item(), 0..4), has_gap: bool, interim in 0..3usize, framing in framing(),
        cuts: [prop::sample::Index; 3],
    ) {
        let gap = has_gap.then_some(r#"{"since":"x-1","oldest":"o-1"}"#);
        let bytes = response(interim, "200 OK", STREAM, &stream(&items, "n-9", gap), framing);
        let outcome = exchange_in_every_way(Transport::EventStream, &Since::Id("x-1".into()), &bytes, &cuts);
        prop_assert_eq!(outcome.received, expected(&items, "n-9", has_gap.then_some(Some("o-1")), true));
        let least = Duration::from_millis(2500);
        prop_assert_eq!(outcome.next, Ok(Next::Reconnect { after: least, reason: RetryReason::Ended }));
        let cursor = items.last().map_or("n-9", |(id, _, _)| id);
        prop_assert_eq!(outcome.cursor.as_deref(), Some(cursor));
    }

    #[test]
    fn web_sockets_do_not_depend_on_the_cuts(
        items in prop::collection::vec(item(), 0..4), has_gap: bool, cuts: [prop::sample::Index; 3],
    ) {
        let gap = has_gap.then_some(r#"{"since":"x-1","oldest":null}"#);
        let bytes = messages(&items, "n-9", gap);
        let outcome = exchange_in_every_way(Transport::WebSocket, &Since::Id("x-1".into()), &bytes, &cuts);
        prop_assert_eq!(outcome.received, expected(&items, "n-9", has_gap.then_some(None), true));
        let reason = RetryReason::Closed(CloseCode::GOING_AWAY);
        prop_assert_eq!(outcome.next, Ok(Next::Reconnect { after: Duration::ZERO, reason }));
        let cursor = items.last().map_or("n-9", |(id, _, _)| id);
        prop_assert_eq!(outcome.cursor.as_deref(), Some(cursor));
    }

    #[test]
    fn a_changed_byte_has_the_same_effect_however_the_bytes_are_cut(
        items in prop::collection::vec(item(), 1..3), via in prop::sample::select(&Transport::ALL[..]),
        framing in framing(), at: prop::sample::Index, byte: u8, cuts: [prop::sample::Index; 3],
    ) {
        let mut bytes = match via {
            Transport::ShortPoll | Transport::LongPoll => {
                response(1, "200 OK", JSON, &poll_body(&items, "n-9", true), framing)
            }
            Transport::EventStream => response(1, "200 OK", STREAM, &stream(&items, "n-9", None), framing),
            Transport::WebSocket => messages(&items, "n-9", None),
        };
        let at = at.index(bytes.len());
        bytes[at] = byte;
        exchange_in_every_way(via, &Since::Now, &bytes, &cuts);
    }
}
