//! 10_notifications: who may follow what, what is unread, and followers that resume by themselves.

use std::time::{Duration, Instant};

use barewire::client::follow::{Resource, Since};
use barewire::client::{Follow, FollowOptions, Update};
use serde_json::{Value, json};

use crate::http::{get, post};
use crate::program::{PATIENCE, Program};

const EXAMPLE: &str = "10_notifications";

/// Sends a notification and returns its id.
fn notify(program: &Program, account: &str, text: &str) -> String {
    let reply = post(&program.url(&format!("/notify/{account}")), &[], text);
    assert_eq!(reply.status, 201, "{}", reply.text);
    reply.json()["id"].as_str().expect("an id").to_owned()
}

/// Returns the list that a page of the account loads.
fn unread(program: &Program, account: &str) -> Value {
    let cookie = format!("account={account}");
    let reply = get(&program.url("/unread"), &[("Cookie", &cookie)]);
    assert_eq!((reply.status, reply.field("Cache-Control")), (200, "no-store"), "{}", reply.text);
    reply.json()
}

fn mark_as_read(program: &Program, account: &str, ids: &str) {
    let cookie = format!("account={account}");
    assert_eq!(post(&program.url("/read"), &[("Cookie", &cookie)], ids).status, 204);
}

/// Follows as an `EventSource` does: over an event stream, with a cookie and no other proof.
fn follow(program: &Program, account: &str, since: Since) -> Follow {
    let cookie = format!("account={account}");
    let resource = Resource::new(&program.url("/notifications"), None, &[("Cookie", &cookie)]);
    let mut resource = resource.expect("a URL");
    resource.backoff.max = Duration::from_millis(500);
    Follow::new(resource, FollowOptions { since, ..FollowOptions::default() }).expect("random bytes")
}

/// Returns the next update that is not about the connection.
fn next(follow: &mut Follow) -> Update {
    loop {
        let update = follow.next_until(Some(Instant::now() + PATIENCE)).expect("the follower resumes");
        match update.expect("an update in time") {
            Update::Opened(_) | Update::Disconnected { .. } => {}
            update => return update,
        }
    }
}

/// Returns the name and the data of the next event.
fn next_event(follow: &mut Follow) -> (String, String) {
    match next(follow) {
        Update::Event(event) => (event.event, event.data),
        update => panic!("expected an event: {update:?}"),
    }
}

fn message(text: &str) -> (String, String) {
    ("message".into(), text.into())
}

#[test]
fn each_account_receives_its_own_notifications_only() {
    let program = Program::start(EXAMPLE);
    let mut ada = follow(&program, "ada", Since::Start);
    let mut ben = follow(&program, "ben", Since::Start);
    // Every second one is for ben, so a stream that carried another account's would show it.
    for number in 0..50 {
        notify(&program, "ada", &format!("ada {number}"));
        notify(&program, "ben", &format!("ben {number}"));
    }
    for number in 0..50 {
        assert_eq!(next_event(&mut ada), message(&format!("ada {number}")));
        assert_eq!(next_event(&mut ben), message(&format!("ben {number}")));
    }
    // The same over a poll, and with a cursor that belongs to the topic of another account.
    let cursor = unread(&program, "ada")["next"].as_str().expect("a cursor").to_owned();
    for since in ["start", &cursor] {
        let url = program.url(&format!("/notifications?since={since}"));
        let events = get(&url, &[("Cookie", "account=ben")]).json()["events"].to_string();
        assert!(!events.contains("ada"), "{events}");
    }
    let texts = unread(&program, "ben")["unread"].to_string();
    assert!(texts.contains("ben 49") && !texts.contains("ada"), "{texts}");
}

#[test]
fn only_a_known_account_reads_or_follows() {
    let program = Program::start(EXAMPLE);
    for fields in [&[][..], &[("Cookie", "account=eve")], &[("Cookie", "other=ada")]] {
        for target in ["/notifications", "/notifications?account=ada", "/unread"] {
            assert_eq!(get(&program.url(target), fields).status, 403, "{fields:?} {target}");
        }
        assert_eq!(post(&program.url("/read"), fields, "x-1").status, 403, "{fields:?}");
    }
    assert_eq!(post(&program.url("/notify/eve"), &[], "x").status, 404);
    assert_eq!(post(&program.url("/login"), &[], "eve").status, 404);
    let reply = post(&program.url("/login"), &[], "ada");
    let cookie = "account=ada; Path=/; HttpOnly; SameSite=Strict";
    assert_eq!((reply.status, reply.field("Set-Cookie")), (204, cookie));
    let reply = post(&program.url("/logout"), &[], "");
    assert_eq!(reply.field("Set-Cookie"), "account=; Max-Age=0; Path=/; HttpOnly; SameSite=Strict");
}

#[test]
fn what_is_unread_is_kept_until_it_is_marked_as_read() {
    let program = Program::start(EXAMPLE);
    let ids = ["one", "two", "three"].map(|text| notify(&program, "ada", text));
    let mut page = follow(&program, "ada", Since::Id(ids[2].clone()));
    let list = unread(&program, "ada");
    assert_eq!((&list["account"], &list["next"]), (&json!("ada"), &json!(ids[2])));
    let all = json!([{"id": ids[0], "text": "one"}, {"id": ids[1], "text": "two"}, {"id": ids[2], "text": "three"}]);
    assert_eq!(list["unread"], all);

    // Another account cannot mark them, and its own pages alone are told about the attempt.
    mark_as_read(&program, "ben", &ids.join("\n"));
    assert_eq!(unread(&program, "ada")["unread"], all);

    mark_as_read(&program, "ada", &ids[1]);
    assert_eq!(next_event(&mut page), ("read".into(), ids[1].clone()));
    assert_eq!(unread(&program, "ada")["unread"], json!([all[0], all[2]]));
    mark_as_read(&program, "ada", &format!("{}\n{}", ids[0], ids[2]));
    assert_eq!(next_event(&mut page), ("read".into(), format!("{}\n{}", ids[0], ids[2])));
    assert_eq!(unread(&program, "ada")["unread"], json!([]));
}

#[test]
fn the_list_and_the_stream_after_it_have_each_notification_once() {
    let program = Program::start(EXAMPLE);
    notify(&program, "ada", "before");
    let list = unread(&program, "ada");
    notify(&program, "ada", "after");
    let next = list["next"].as_str().expect("a cursor").to_owned();
    assert_eq!(list["unread"][0]["text"], "before");
    assert_eq!(next_event(&mut follow(&program, "ada", Since::Id(next))), message("after"));
}

#[test]
fn a_follower_resumes_after_a_restart_on_the_same_port() {
    let program = Program::start(EXAMPLE);
    let mut ben = follow(&program, "ben", Since::Now);
    assert!(matches!(ben.next(), Some(Ok(Update::Opened(_)))));
    notify(&program, "ben", "before");
    assert_eq!(next_event(&mut ben), message("before"));

    let program = program.restart();
    // The log is in the memory that is lost, and the follower is told so: its page loads the list.
    assert!(matches!(next(&mut ben), Update::Gap { .. }));
    assert_eq!(unread(&program, "ben")["unread"], json!([]));
    notify(&program, "ada", "not for ben");
    notify(&program, "ben", "after");
    assert_eq!(next_event(&mut ben), message("after"));
}

#[test]
fn a_full_list_and_a_long_text_are_refused() {
    let program = Program::start(EXAMPLE);
    let url = program.url("/notify/ada");
    assert_eq!(post(&url, &[], &"x".repeat((64 << 10) + 1)).status, 413);
    for _ in 0..100 {
        notify(&program, "ada", "again");
    }
    assert_eq!(post(&url, &[], "one too many").status, 429);
    assert_eq!(unread(&program, "ada")["unread"].as_array().map(Vec::len), Some(100));
    let (code, error) = Program::start_on_taken_port(EXAMPLE);
    assert_eq!(code, Some(1));
    assert!(error.contains("cannot listen on 127.0.0.1:"), "{error}");
}
