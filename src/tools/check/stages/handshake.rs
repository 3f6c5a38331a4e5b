//! Stage 7: from HTTP to a WebSocket.

use super::websocket::HANDSHAKE;
use crate::protocol::rule::Section;
use crate::tools::check::probe::{Probe, expect_status};
use crate::tools::check::stage::{Stage, Step, View};
use crate::tools::conform::exchange::{ResponseHead, ResponseReader};
use crate::tools::conform::trial::Finding;

pub const STAGE: Stage = Stage {
    name: "handshake",
    task: "A GET of the topic with the fields of a WebSocket handshake is answered with 101, `Upgrade: \
           websocket`, `Connection: Upgrade` and `Sec-WebSocket-Accept`: the SHA-1 hash of the key followed by \
           258EAFA5-E914-47DA-95CA-C5AB0DC85B11, in base64. A handshake that is not valid gets 400, one of \
           another version than 13 gets 426 (or 400), and one from a page of another origin 403.",
    example: "examples/06_websocket_handshake.rs",
    read: "`Client::upgrade` and `Client::allows_origin`",
    view: View::Wire,
    steps: &[
        Step {
            title: "proves that it has understood the handshake",
            why: "No server of another protocol sends the hash of this key by accident.",
            section: Some(Section::rfc(6455, "4.2.2")),
            play: accepts,
        },
        Step {
            title: "reads the tokens in any case, and in a list",
            why: "Firefox sends `Connection: keep-alive, Upgrade`.",
            section: Some(Section::rfc(6455, "4.2.1")),
            play: reads_lists,
        },
        Step {
            title: "refuses a handshake without a valid key",
            why: "Without a key there is nothing to prove, and the client is not a WebSocket client.",
            section: Some(Section::rfc(6455, "4.2.1")),
            play: refuses_key,
        },
        Step {
            title: "refuses another version",
            why: "Frames of another version may look different.",
            section: Some(Section::rfc(6455, "4.4")),
            play: refuses_version,
        },
        Step {
            title: "accepts its own pages, and refuses those of another origin",
            why: "Browsers send cookies with a handshake to any site: without this check every page can act as \
                  its visitor.",
            section: Some(Section::rfc(6455, "10.2")),
            play: refuses_origin,
        },
    ],
};

fn accepts(probe: &mut Probe) -> Result<(), Finding> {
    // The key of RFC 6455 §1.3, and another, so that a constant is not enough.
    for (key, accept) in [
        ("dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        ("x3JJHMbDL1EzLkh9GBhXDw==", "HSmrc0sMlYUkAGmm5OPpG2HaGWk="),
    ] {
        let head = handshake(probe, &[("Sec-WebSocket-Key", Some(key))])?;
        expect_status(&head, 101)?;
        for (name, token) in [("Upgrade", "websocket"), ("Connection", "upgrade")] {
            if !head.has_token(name, token) {
                let observed = format!("{name}: {}", head.field(name).unwrap_or("missing"));
                return Err(Finding::failed(format!("{name}: {token}"), observed));
            }
        }
        let observed = head.field("Sec-WebSocket-Accept").unwrap_or("missing");
        if observed != accept {
            let name = "Sec-WebSocket-Accept";
            return Err(Finding::failed(format!("{name}: {accept}"), format!("{name}: {observed}")));
        }
    }
    Ok(())
}

fn reads_lists(probe: &mut Probe) -> Result<(), Finding> {
    let fields = [("Connection", Some("keep-alive, UPGRADE")), ("Upgrade", Some("WebSocket"))];
    expect_status(&handshake(probe, &fields)?, 101)
}

fn refuses_key(probe: &mut Probe) -> Result<(), Finding> {
    for key in [None, Some("dGhlIHNhbXBsZQ=="), Some("not base64 at all, sorry")] {
        refused(&handshake(probe, &[("Sec-WebSocket-Key", key)])?, &[400])?;
    }
    Ok(())
}

fn refuses_version(probe: &mut Probe) -> Result<(), Finding> {
    refused(&handshake(probe, &[("Sec-WebSocket-Version", Some("8"))])?, &[400, 426])
}

fn refuses_origin(probe: &mut Probe) -> Result<(), Finding> {
    let own = format!("http://{}", probe.authority());
    expect_status(&handshake(probe, &[("Origin", Some(&own))])?, 101)?;
    let host = probe.authority().rsplit_once(':').map_or(probe.authority(), |(host, _)| host);
    let other_port = format!("http://{host}:1");
    for origin in ["http://attacker.example", &format!("{own}.attacker.example"), &other_port] {
        refused(&handshake(probe, &[("Origin", Some(origin))])?, &[403])?;
    }
    Ok(())
}

fn refused(head: &ResponseHead, statuses: &[u16]) -> Result<(), Finding> {
    match statuses.contains(&head.status) {
        true => Ok(()),
        false => {
            let statuses: Vec<String> = statuses.iter().map(u16::to_string).collect();
            let expected = format!("status {}", statuses.join(" or "));
            Err(Finding::failed(expected, format!("status {}", head.status)))
        }
    }
}

/// Sends a handshake with some fields changed, added, or left out, and reads the head.
fn handshake(probe: &Probe, changes: &[(&'static str, Option<&str>)]) -> Result<ResponseHead, Finding> {
    let mut fields: Vec<(&str, &str)> = HANDSHAKE.to_vec();
    for (name, value) in changes {
        fields.retain(|(other, _)| other != name);
        fields.extend(value.map(|value| (*name, value)));
    }
    let mut connection = probe.connect()?;
    connection.send(&probe.request("GET", &probe.topic(), &fields, None))?;
    ResponseReader::new("GET").head(&mut connection, probe.promptly())
}
