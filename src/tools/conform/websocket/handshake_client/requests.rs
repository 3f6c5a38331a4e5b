//! The request of a client, and the randomness of its keys.

use std::time::Duration;

use crate::protocol::http::{Version, host_and_port};
use crate::protocol::websocket::extension::offers;
use crate::protocol::websocket::frame::FrameHeader;
use crate::protocol::websocket::server_handshake::is_valid_key;
use crate::tools::conform::case::{Cases, Requirement, informational, pass};
use crate::tools::conform::connection::Received;
use crate::tools::conform::trial::{Finding, Trial};
use crate::tools::conform::websocket::frame::text;
use crate::tools::conform::websocket::opening::{Compression, open};
use crate::tools::conform::websocket::peer::Item;
use crate::tools::conform::websocket::request::expect_item;
use crate::tools::conform::websocket::response::{ClientRequest, await_request, close_cleanly};

const LINE: Requirement = Requirement::must(
    6455,
    "4.1",
    "The request is a GET in HTTP/1.1 or higher, for the resource of the URL.",
);
const HOST: Requirement =
    Requirement::must(6455, "4.1", "Host is the host of the URL, with its port unless it is the default.");
const UPGRADE: Requirement =
    Requirement::must(6455, "4.1", "The request has Upgrade with websocket, and Connection with Upgrade.");
const KEY: Requirement =
    Requirement::must(6455, "4.1", "The request has one key, which is 16 random bytes in base64.");
const VERSION: Requirement =
    Requirement::must(6455, "4.1", "The request has Sec-WebSocket-Version, which is 13.");
const WAITS: Requirement =
    Requirement::must(6455, "4.1", "A client waits for the response before it sends anything else.");
const LISTS: Requirement = Requirement::must(
    6455,
    "4.1",
    "Subprotocols are distinct tokens, and extensions are a list of the grammar of §9.1.",
);
const MASKS: Requirement = Requirement::must(
    6455,
    "5.3",
    "A client chooses a new masking key for each frame, which nobody can predict.",
);

const CORRECT: &str = "has a correct request";
const FRESH: &str = "chooses new keys";

/// The path of the URL in the cases about the request. A shell does not change it.
const PATH: &str = "/a/b?c=d%20e";

/// Returns why the request is wrong, if it is.
type Check = fn(&ClientRequest) -> Result<(), String>;

const CHECKS: [(u16, &str, Requirement, Check); 9] = [
    (1, "the method", LINE, |request| equals("the method", "GET", &request.method)),
    (2, "the version of HTTP", LINE, |request| match request.version {
        Version::Http11 => Ok(()),
        version => Err(format!("{version:?}")),
    }),
    (3, "Upgrade", UPGRADE, |request| has_token(request, "Upgrade", "websocket")),
    (4, "Connection", UPGRADE, |request| has_token(request, "Connection", "Upgrade")),
    (5, "the key", KEY, |request| match request.all("Sec-WebSocket-Key")[..] {
        [key] if is_valid_key(key.as_bytes()) => Ok(()),
        ref keys => Err(format!("Sec-WebSocket-Key: {keys:?}")),
    }),
    (6, "the version of the protocol", VERSION, |request| match request.all("Sec-WebSocket-Version")[..] {
        ["13"] => Ok(()),
        ref versions => Err(format!("Sec-WebSocket-Version: {versions:?}")),
    }),
    (7, "subprotocols", LISTS, subprotocols),
    (8, "extensions", LISTS, |request| {
        let lines = request.all("Sec-WebSocket-Extensions");
        let found = offers(lines.iter().map(|line| line.as_bytes()));
        found.map(|_| ()).map_err(|error| format!("{lines:?}: {error}"))
    }),
    (9, "no content", LINE, |request| {
        let announced = [request.all("Content-Length"), request.all("Transfer-Encoding")].concat();
        let is_none = announced.iter().all(|value| *value == "0");
        if is_none { Ok(()) } else { Err(format!("content: {announced:?}")) }
    }),
];

fn equals(name: &str, expected: &str, found: &str) -> Result<(), String> {
    if expected == found { Ok(()) } else { Err(format!("{name} is {found:?}, not {expected:?}")) }
}

fn has_token(request: &ClientRequest, name: &str, token: &str) -> Result<(), String> {
    let lines = request.all(name);
    let mut members = lines.iter().flat_map(|line| line.split(',')).map(str::trim);
    match members.any(|member| member.eq_ignore_ascii_case(token)) {
        true => Ok(()),
        false => Err(format!("{name}: {lines:?}")),
    }
}

fn subprotocols(request: &ClientRequest) -> Result<(), String> {
    let lines = request.all("Sec-WebSocket-Protocol");
    let members: Vec<&str> = lines.iter().flat_map(|line| line.split(',')).map(str::trim).collect();
    let is_token = |member: &&str| crate::protocol::http::fields::is_token(member.as_bytes());
    let is_repeated = members.iter().enumerate().any(|(at, member)| members[..at].contains(member));
    match is_repeated || !members.iter().all(is_token) {
        true => Err(format!("Sec-WebSocket-Protocol: {lines:?}")),
        false => Ok(()),
    }
}

/// Adds the cases about requests and keys.
pub fn add(cases: &mut Cases) {
    for (index, title, requirement, check) in CHECKS {
        let play = move |trial: &mut Trial| {
            let (connection, request) = await_request(trial, PATH)?;
            let wrong =
                |observed: String| Finding::failed("a correct request", observed).at(connection.number(), 0);
            check(&request).map(|()| CORRECT).map_err(wrong)
        };
        let title = format!("the request: {title}");
        cases.add(index, title, requirement, &[pass(CORRECT)], play).client_only();
    }
    cases.add(10, "the request: the target", LINE, &[pass(CORRECT)], target).client_only();
    cases.add(11, "the request: Host", HOST, &[pass(CORRECT)], host).client_only();
    cases.add(12, "nothing after the request", WAITS, &[pass(CORRECT)], waits).client_only();
    cases.add(13, "the keys of two connections", KEY, &[pass(FRESH)], handshake_keys).client_only();
    cases.add(14, "the masking keys of eight frames", MASKS, &[pass(FRESH)], masking_keys).client_only();
    let outcomes = [informational("sends no Origin"), informational("sends Origin")];
    let play = |trial: &mut Trial| {
        let (_, request) = await_request(trial, PATH)?;
        Ok(if request.all("Origin").is_empty() { "sends no Origin" } else { "sends Origin" })
    };
    let origin = Requirement::may(6455, "4.1", "A browser sends Origin; other clients may.");
    cases.add(15, "the request: Origin", origin, &outcomes, play).client_only();
}

fn target(trial: &mut Trial) -> Result<&'static str, Finding> {
    known_authority(trial)?;
    let (connection, request) = await_request(trial, PATH)?;
    let wrong = |observed| Finding::failed("the target of the URL", observed).at(connection.number(), 0);
    equals("the target", PATH, &request.target).map(|()| CORRECT).map_err(wrong)
}

fn host(trial: &mut Trial) -> Result<&'static str, Finding> {
    let authority = known_authority(trial)?;
    let (connection, request) = await_request(trial, PATH)?;
    match request.all("Host")[..] {
        [host] if host == authority && host_and_port(host).is_some() => Ok(CORRECT),
        ref hosts => {
            let finding = Finding::failed(format!("Host: {authority}"), format!("Host: {hosts:?}"));
            Err(finding.at(connection.number(), 0))
        }
    }
}

/// Returns the authority of the URL with which the client is started.
fn known_authority(trial: &mut Trial) -> Result<String, Finding> {
    let why = "the case needs the URL of the client: start it with --run";
    trial.client()?.authority().ok_or_else(|| Finding::NotApplicable(why.into()))
}

fn waits(trial: &mut Trial) -> Result<&'static str, Finding> {
    let (mut connection, _) = await_request(trial, PATH)?;
    let until = trial.after(Duration::from_millis(200));
    while connection.input().is_empty() {
        if connection.receive(until)? != Received::Data {
            return Ok(CORRECT);
        }
    }
    let offset = connection.consumed();
    let observed = format!("{} bytes after the request", connection.input().len());
    Err(Finding::failed("no bytes before the response", observed).at(connection.number(), offset))
}

fn handshake_keys(trial: &mut Trial) -> Result<&'static str, Finding> {
    let (_first, first) = await_request(trial, PATH)?;
    trial.client()?.stop();
    let (connection, second) = await_request(trial, PATH)?;
    if first.all("Sec-WebSocket-Key") == second.all("Sec-WebSocket-Key") {
        let observed = format!("the key {:?} twice", second.all("Sec-WebSocket-Key"));
        return Err(Finding::failed("two different keys", observed).at(connection.number(), 0));
    }
    Ok(FRESH)
}

fn masking_keys(trial: &mut Trial) -> Result<&'static str, Finding> {
    let mut peer = open(trial, Compression::None)?;
    peer.keep_bytes();
    for _ in 0..8 {
        peer.send(&[text("Hello")])?;
        let is_echo = |item: &Item| *item == Item::Text(b"Hello".to_vec());
        expect_item(trial, &mut peer, is_echo, "the echo of \"Hello\"")?;
    }
    let (mut bytes, mut keys) = (peer.kept_bytes(), Vec::new());
    while let Ok(Some((header, length))) = FrameHeader::decode(bytes) {
        let key = header.masking_key.unwrap_or_default();
        // Two of eight random keys are the same in one of 150 million runs.
        if keys.contains(&key) {
            let finding = Finding::failed("different masking keys", format!("the key {key:02x?} twice"));
            return Err(finding.at(peer.connection.number(), peer.item_offset()));
        }
        keys.push(key);
        bytes = bytes.get(length + header.payload_length as usize..).unwrap_or_default();
    }
    close_cleanly(trial, &mut peer)?;
    Ok(FRESH)
}
