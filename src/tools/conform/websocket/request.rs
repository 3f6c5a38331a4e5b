//! A request for a WebSocket with any fault, and the server's answer to it.

use std::time::{Duration, Instant};

use super::frame::{close, text};
use super::peer::{Item, Next, Peer};
use crate::protocol::websocket::extension::{self, Agreement};
use crate::protocol::websocket::server_handshake::accept_key;
use crate::tools::conform::case::Endpoint;
use crate::tools::conform::connection::{Connection, End, Received};
use crate::tools::conform::exchange::{ResponseHead, ResponseReader};
use crate::tools::conform::target::{Template, Values};
use crate::tools::conform::trial::{Finding, Trial};

/// The time that a server has for its response.
const RESPONSE_TIME: Duration = Duration::from_secs(3);

/// The key of the example in RFC 6455 §1.3.
pub const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// A change of a valid head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edit {
    /// Removes the field of this name.
    Without(&'static str),
    /// Replaces the value of the field of this name.
    Set(&'static str, &'static str),
    /// Adds a line.
    Add(&'static str),
    /// Replaces a text.
    Replace(&'static str, &'static str),
    /// Adds bytes after the blank line.
    Then(&'static str),
}

/// The head of a request or a response, as text.
#[derive(Clone, Debug)]
pub struct OpeningHead {
    /// The lines without their ends: the request line or the status line first.
    lines: Vec<String>,
    /// What follows the head.
    rest: String,
}

impl OpeningHead {
    /// Returns a valid request for the resource.
    pub fn new(template: &Template) -> Self {
        Self::from_lines([
            format!("GET {} HTTP/1.1", template.target(Values::default())),
            format!("Host: {}", template.authority),
            "Upgrade: websocket".to_owned(),
            "Connection: Upgrade".to_owned(),
            format!("Sec-WebSocket-Key: {KEY}"),
            "Sec-WebSocket-Version: 13".to_owned(),
        ])
    }

    /// Returns a head of these lines.
    pub fn from_lines(lines: impl Into<Vec<String>>) -> Self {
        Self { lines: lines.into(), rest: String::new() }
    }

    /// Changes the head.
    pub fn edit(mut self, edit: Edit) -> Self {
        match edit {
            Edit::Without(name) => self.lines.retain(|line| !is_field(line, name)),
            Edit::Set(name, value) => {
                let field = self.lines.iter_mut().filter(|line| is_field(line, name));
                field.for_each(|line| *line = format!("{name}: {value}"));
            }
            Edit::Add(line) => self.lines.push(line.to_owned()),
            Edit::Replace(old, new) => {
                self.lines.iter_mut().for_each(|line| *line = line.replace(old, new));
            }
            Edit::Then(bytes) => self.rest.push_str(bytes),
        }
        self
    }

    /// Adds a line.
    pub fn line(mut self, line: String) -> Self {
        self.lines.push(line);
        self
    }

    /// Returns the bytes of the request. The text `{authority}` stands for that of the server.
    pub fn to_bytes(&self, template: &Template) -> Vec<u8> {
        self.text().replace("{authority}", &template.authority).into_bytes()
    }

    /// Returns the head with its blank line, and what follows it.
    pub fn text(&self) -> String {
        format!("{}\r\n\r\n{}", self.lines.join("\r\n"), self.rest)
    }

    /// Returns the values of all fields of this name.
    pub fn values(&self, name: &str) -> Vec<&str> {
        let fields = self.lines.iter().filter(|line| is_field(line, name));
        fields
            .filter_map(|line| line.split_once(':'))
            .map(|(_, value)| value.trim_matches([' ', '\t']))
            .collect()
    }
}

fn is_field(line: &str, name: &str) -> bool {
    line.split_once(':').is_some_and(|(field, _)| field.trim_end().eq_ignore_ascii_case(name))
}

/// A server's answer to a request for a WebSocket.
pub enum Answer {
    /// The status 101.
    Switched(ResponseHead),
    /// Another status.
    Refused(ResponseHead),
    /// The end of TCP without a response.
    Ended(End),
}

/// Returns the resource under test.
///
/// # Errors
/// The case is not applicable: there is no WebSocket.
pub fn resource<'t>(trial: &Trial<'t>) -> Result<&'t Template, Finding> {
    let template = trial.server()?.websocket.as_ref();
    template.ok_or_else(|| Finding::NotApplicable("the server has no WebSocket".into()))
}

/// Sends a request on a new connection and reads the response head.
///
/// # Errors
/// A finding: the response breaks a rule of HTTP, or does not arrive in time.
pub fn ask(trial: &Trial, request: &OpeningHead) -> Result<(Connection, Answer), Finding> {
    let template = resource(trial)?;
    let mut connection = trial.connect(template.address)?;
    connection.send(&request.to_bytes(template))?;
    let answer = read_answer(&mut connection, trial.after(RESPONSE_TIME))?;
    Ok((connection, answer))
}

/// Reads the head of the response.
///
/// # Errors
/// A finding: the response breaks a rule of HTTP, or does not arrive in time.
pub fn read_answer(connection: &mut Connection, until: Instant) -> Result<Answer, Finding> {
    while connection.input().is_empty() {
        match connection.receive(until)? {
            Received::Data => {}
            Received::Ended(end) => return Ok(Answer::Ended(end)),
            Received::Quiet => return Err(Finding::failed("a response", "no response in time")),
        }
    }
    let head = ResponseReader::new("GET").head(connection, until)?;
    Ok(if head.status == 101 { Answer::Switched(head) } else { Answer::Refused(head) })
}

/// Checks a response with status 101 against the request (RFC 6455 §4.2.2, item 5), and returns
/// the agreed compression.
///
/// # Errors
/// A finding: the response has what the request does not allow, or lacks what it requires.
pub fn check_switched(request: &OpeningHead, head: &ResponseHead) -> Result<Option<Agreement>, Finding> {
    let wrong = |expected: &str, observed: String| Err(Finding::failed(expected, observed));
    let values = |name: &str| head.all(name).collect::<Vec<_>>();
    if !matches!(&values("Upgrade")[..], [value] if value.eq_ignore_ascii_case("websocket")) {
        return wrong("Upgrade: websocket in the response", format!("{:?}", values("Upgrade")));
    }
    if !head.has_token("Connection", "Upgrade") {
        return wrong("Connection with Upgrade in the response", format!("{:?}", values("Connection")));
    }
    let keys = request.values("Sec-WebSocket-Key");
    let joined = keys.join(", ");
    let mut accepts = keys.iter().copied().chain([&*joined]).map(|key| accept_key(key.as_bytes()));
    let accept = values("Sec-WebSocket-Accept");
    if !matches!(&accept[..], [value] if accepts.any(|accept| accept == value.as_bytes())) {
        let expected = String::from_utf8_lossy(&accept_key(joined.as_bytes())).into_owned();
        return wrong(&format!("Sec-WebSocket-Accept: {expected}"), format!("{accept:?}"));
    }
    // RFC 9110 §8.6, RFC 9112 §6.1: a response with status 101 has no content.
    for name in ["Content-Length", "Transfer-Encoding"] {
        if head.field(name).is_some() {
            return wrong("a response without content", format!("{name}: {:?}", values(name)));
        }
    }
    check_subprotocol(request, &values("Sec-WebSocket-Protocol"))?;
    check_extensions(request, &values("Sec-WebSocket-Extensions"))
}

fn check_subprotocol(request: &OpeningHead, chosen: &[&str]) -> Result<(), Finding> {
    let offered = request.values("Sec-WebSocket-Protocol");
    let mut offered = offered.iter().flat_map(|list| list.split(',')).map(str::trim);
    match chosen {
        [] => Ok(()),
        [one] if !one.is_empty() && offered.any(|offered| offered == *one) => Ok(()),
        other => Err(Finding::failed("at most one subprotocol, an offered one", format!("{other:?}"))),
    }
}

fn check_extensions(request: &OpeningHead, lines: &[&str]) -> Result<Option<Agreement>, Finding> {
    let bytes = |line: &&str| line.trim().to_owned().into_bytes();
    let (asked, lines): (Vec<_>, Vec<_>) = (
        request.values("Sec-WebSocket-Extensions").iter().map(bytes).collect(),
        lines.iter().map(bytes).collect(),
    );
    let offers = extension::offers(asked.iter().map(Vec::as_slice)).unwrap_or_default();
    let mut error = None;
    for offer in &offers {
        match extension::check_response(offer, lines.iter().map(Vec::as_slice)) {
            Ok(agreement) => return Ok(agreement),
            Err(found) => error = Some(found.to_string()),
        }
    }
    if lines.iter().all(Vec::is_empty) {
        return Ok(None);
    }
    let shown: Vec<_> = lines.iter().map(|line| String::from_utf8_lossy(line)).collect();
    let error = error.unwrap_or_else(|| "no acceptable offer was made".into());
    Err(Finding::failed("an extension of the request", format!("{shown:?}: {error}")))
}

/// Checks that the connection is a WebSocket that echoes, and closes it.
///
/// # Errors
/// A finding: the endpoint sends anything else than the echo.
pub fn check_echo(
    trial: &Trial,
    connection: Connection,
    endpoint: Endpoint,
    agreement: Option<Agreement>,
) -> Result<(), Finding> {
    let mut peer = Peer::new(connection, endpoint, agreement);
    peer.send(&[text("Hello")])?;
    expect_item(trial, &mut peer, |item| *item == Item::Text(b"Hello".to_vec()), "the echo of \"Hello\"")?;
    peer.send(&[close(1000, "")])?;
    let is_close = |item: &Item| matches!(item, Item::Close(None | Some(1000)));
    expect_item(trial, &mut peer, is_close, "a response to the close frame")
}

/// Receives one item that the predicate accepts.
///
/// # Errors
/// A finding: the endpoint sends another item, or none.
pub fn expect_item(
    trial: &Trial,
    peer: &mut Peer,
    is_expected: impl Fn(&Item) -> bool,
    expected: &str,
) -> Result<(), Finding> {
    let observed = match peer.next(trial.after(RESPONSE_TIME))? {
        Next::Item(item) if is_expected(&item) => return Ok(()),
        Next::Item(item) => item.to_string(),
        Next::Ended(end) => end.to_string(),
        Next::Quiet => "nothing in time".to_owned(),
    };
    Err(Finding::failed(expected, observed).at(peer.connection.number(), peer.item_offset()))
}
