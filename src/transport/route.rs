//! Routing: from a request's head to what it asks for, or to the reason why it is refused.

use std::borrow::Cow;

use super::access::{Access, Origin};
use super::answer::{Overload, Refusal, Terms};
use super::compression::{self, Context};
use super::plan::{Plan, Publication};
use super::socket::Opening;
use super::wire_view;
use crate::hub::Since;
use crate::page;
use crate::protocol::http::{Method, RequestHead, Status, Target, Version, fields};
use crate::protocol::http::{Query, percent_decode_path_segment};
use crate::protocol::websocket::extension::Agreement;
use crate::protocol::websocket::server_handshake::{self, Accept};

/// The longest name of a topic, in bytes.
const NAME_BYTES: usize = 64;
/// The longest name of an event, in bytes.
const EVENT_NAME_BYTES: usize = 128;
/// An `EventSource` has these events of its own, and `gap` is ours.
const RESERVED_EVENTS: [&str; 3] = ["gap", "open", "error"];

/// The subprotocol in which messages are events in JSON; also what is spoken when none is agreed on.
pub const SUBPROTOCOL_JSON: &str = "barewire.json";
/// The subprotocol in which each message is an event's bare data.
pub const SUBPROTOCOL_TEXT: &str = "barewire.text";

/// What routing has to know beside the request.
pub struct Rules<'a> {
    /// Who may.
    pub access: &'a Access,
    /// The longest wait that is granted, in seconds.
    pub max_wait: u8,
    /// Whether compression is agreed to.
    pub compress: bool,
    /// Whether one more connection to `/echo` may keep a window.
    pub echo_context: Context,
    /// Why no follower and no publish is taken now, if none is.
    pub overload: Option<Overload>,
}

/// The methods that a target knows: `GET` and `OPTIONS`, and these.
struct Allow {
    head: bool,
    post: bool,
    /// All of them (RFC 9110 §10.2.1), for 405 and for `OPTIONS`.
    field: &'static [(&'static str, &'static str); 1],
}

const GET_ONLY: Allow = Allow { head: false, post: false, field: &[("Allow", "GET, OPTIONS")] };
const READ_ONLY: Allow = Allow { head: true, post: false, field: &[("Allow", "GET, HEAD, OPTIONS")] };
const TOPIC: Allow = Allow { head: true, post: true, field: &[("Allow", "GET, HEAD, POST, OPTIONS")] };
/// Of `*`: what any target knows.
const SERVER: Allow = TOPIC;

/// The fields of 426 (RFC 9110 §15.5.22, RFC 6455 §4.4).
const UPGRADE_REQUIRED: &[(&str, &str)] =
    &[("Sec-WebSocket-Version", "13"), ("Upgrade", "websocket"), ("Connection", "Upgrade")];
const WHO_ARE_YOU: &[(&str, &str)] = &[("WWW-Authenticate", "Bearer")];

/// Whether the client wants an event stream: `Accept` names `text/event-stream`, with a quality above 0 and not
/// below that of `application/json` (RFC 9110 §12.5.1). `*/*` does not name it.
pub fn wants_event_stream(head: &RequestHead<'_, '_>) -> bool {
    let accept = || head.fields.get_all("accept");
    fields::explicit_quality(accept(), "text", "event-stream")
        .is_some_and(|stream| stream > 0 && stream >= fields::quality(accept(), "application", "json"))
}

impl<'b> Plan<'b> {
    /// On which terms the request is answered, and what it asks for. `has_content`: it says that a body follows.
    pub fn of(
        head: &RequestHead<'_, 'b>,
        has_content: bool,
        rules: &Rules<'_>,
    ) -> (Terms, Result<Plan<'b>, Refusal>) {
        let origin = rules.access.origin(head);
        let (path, query) = match head.target {
            Target::Path { path, query } => (path, query),
            Target::Asterisk | Target::Authority(_) => ("*", None),
        };
        let terms = Terms {
            version: head.version,
            persists: head.persists(),
            head_only: head.method == Method::Head,
            of_topic: path.starts_with("/topics/"),
            cors: match origin {
                Origin::Allowed(origin) => Some(origin.into()),
                _ => None,
            },
        };
        let request = Request { head, has_content, origin, query: Query::new(query), rules };
        (terms, request.plan(path))
    }
}

struct Request<'r, 'h, 'b> {
    head: &'r RequestHead<'h, 'b>,
    has_content: bool,
    origin: Origin<'b>,
    query: Query<'b>,
    rules: &'r Rules<'r>,
}

impl<'b> Request<'_, '_, 'b> {
    fn plan(&self, path: &'b str) -> Result<Plan<'b>, Refusal> {
        if let Method::Unknown(_) = self.head.method {
            // RFC 9110 §9.1: not recognized, so not a matter of this target.
            return Err(Refusal::new(
                Status::NOT_IMPLEMENTED,
                "This server does not know the method (RFC 9110 §9.1).",
            ));
        }
        match path {
            "*" => self.on(SERVER, |_| Err(not_found())),
            "/health" => self.on(READ_ONLY, |_| Ok(Plan::Health)),
            "/metrics" => self.on(READ_ONLY, |_| Ok(Plan::Metrics)),
            "/echo" => self.on(GET_ONLY, |request| request.echo()),
            "/wire" => self.on(GET_ONLY, |request| request.wire()),
            _ => match path.strip_prefix("/topics/") {
                Some(name) => self.on(TOPIC, |request| request.topic(topic_name(name)?)),
                None => {
                    let file = page::find(path).ok_or_else(not_found)?;
                    self.on(READ_ONLY, |_| Ok(Plan::Page(file)))
                }
            },
        }
    }

    /// Answers `OPTIONS`, refuses the methods that are not in `allow`, and goes on with the others.
    fn on(
        &self,
        allow: Allow,
        then: impl FnOnce(&Self) -> Result<Plan<'b>, Refusal>,
    ) -> Result<Plan<'b>, Refusal> {
        let [(_, methods)] = *allow.field;
        match self.head.method {
            Method::Options => {
                let asks = self.head.fields.get("access-control-request-method").is_some();
                let preflight = asks && matches!(self.origin, Origin::Allowed(_));
                Ok(Plan::Options { allow: methods, preflight })
            }
            Method::Get => then(self),
            Method::Head if allow.head => then(self),
            Method::Post if allow.post => then(self),
            _ => {
                // RFC 9110 §15.5.6: 405 names what is allowed.
                let detail = format!("This target knows {methods} (RFC 9110 §15.5.6).");
                Err(Refusal::new(Status::METHOD_NOT_ALLOWED, detail).with(allow.field))
            }
        }
    }

    fn topic(&self, topic: Cow<'b, str>) -> Result<Plan<'b>, Refusal> {
        let head = self.head;
        let rights = self.rules.access.rights(head, &self.query);
        if head.method == Method::Post {
            self.refuse_foreign()?;
            require(rights.publish)?;
            self.refuse_overload(false)?;
            return self.publish(topic);
        }
        let get = head.method == Method::Get;
        let socket = get && self.names_websocket();
        if socket {
            self.refuse_foreign()?;
        }
        require(rights.follow)?;
        if socket {
            let accept = self.handshake()?;
            self.refuse_overload(false)?;
            let offered = head.fields.get_all("sec-websocket-protocol");
            let subprotocol =
                server_handshake::choose_subprotocol(offered, &[SUBPROTOCOL_JSON, SUBPROTOCOL_TEXT]);
            let since = self.since(Since::Now);
            let agreement = self.agreement(Context::None)?;
            let opening = Opening { accept, subprotocol, agreement };
            return Ok(Plan::Socket { topic, since, opening, may_publish: rights.publish });
        }
        let stream = get && wants_event_stream(head);
        self.refuse_overload(stream)?;
        if stream {
            return Ok(Plan::Stream { topic, since: self.since(Since::Now) });
        }
        let (wait, preferred) = self.wait()?;
        let wait = wait.filter(|_| get);
        Ok(Plan::Poll {
            topic,
            since: self.since(if wait.is_some() { Since::Now } else { Since::Start }),
            wait,
            preferred: preferred && wait.is_some(),
            if_none_match: self.if_none_match(),
        })
    }

    /// The wire view is an event stream, whatever `Accept` says: it is there for looking at.
    fn wire(&self) -> Result<Plan<'b>, Refusal> {
        self.refuse_foreign()?;
        wire_view::admit(self.rules.access.wire, self.rules.access, self.head)?;
        require(self.rules.access.rights(self.head, &self.query).follow)?;
        self.refuse_overload(true)?;
        Ok(Plan::Stream { topic: wire_view::TOPIC.into(), since: self.since(Since::Now) })
    }

    fn echo(&self) -> Result<Plan<'b>, Refusal> {
        self.refuse_foreign()?;
        if !self.names_websocket() {
            let detail = "This target speaks WebSocket and nothing else (RFC 9110 §15.5.22).";
            return Err(Refusal::new(Status::UPGRADE_REQUIRED, detail).with(UPGRADE_REQUIRED));
        }
        let accept = self.handshake()?;
        self.refuse_overload(false)?;
        let agreement = self.agreement(self.rules.echo_context)?;
        Ok(Plan::Echo { opening: Opening { accept, subprotocol: None, agreement } })
    }

    fn agreement(&self, context: Context) -> Result<Option<Agreement>, Refusal> {
        if !self.rules.compress {
            return Ok(None);
        }
        let agreement = compression::agree(self.head, context);
        agreement.map_err(|error| Refusal::new(error.status(), error.to_string()))
    }

    /// Whether `Upgrade` names `websocket`. In HTTP/1.0 the field is ignored (RFC 9110 §7.8).
    fn names_websocket(&self) -> bool {
        self.head.version == Version::Http11 && self.head.fields.has_token("upgrade", "websocket")
    }

    fn handshake(&self) -> Result<Accept, Refusal> {
        let fields = &self.head.fields;
        if !fields.has_token("connection", "upgrade") {
            let detail = "Upgrade stands without Connection: upgrade (RFC 6455 §4.2.1, RFC 9110 §7.8).";
            return Err(Refusal::new(Status::BAD_REQUEST, detail));
        }
        if self.has_content {
            // What follows the head is to be frames, and can't be content as well.
            return Err(Refusal::new(
                Status::BAD_REQUEST,
                "A WebSocket handshake has no content (RFC 6455 §4.1).",
            )
            .closing());
        }
        server_handshake::check(fields.get_all("sec-websocket-key"), fields.get_all("sec-websocket-version"))
            .map_err(|error| {
                let refusal = Refusal::new(error.status(), error.to_string());
                if error.status() == Status::UPGRADE_REQUIRED {
                    refusal.with(UPGRADE_REQUIRED)
                } else {
                    refusal
                }
            })
    }

    fn publish(&self, topic: Cow<'b, str>) -> Result<Plan<'b>, Refusal> {
        let event = self.query.get("event").unwrap_or(Ok(Cow::Borrowed("")));
        let event = event.map_err(|error| Refusal::new(Status::BAD_REQUEST, error.to_string()))?;
        let event = if event.is_empty() { Cow::Borrowed("message") } else { event };
        if event.len() > EVENT_NAME_BYTES || event.chars().any(char::is_control) {
            return Err(Refusal::new(
                Status::BAD_REQUEST,
                "An event's name is 1 to 128 bytes without controls.",
            ));
        }
        if RESERVED_EVENTS.contains(&&*event) {
            return Err(Refusal::new(
                Status::BAD_REQUEST,
                "An event can't be named gap, open or error: followers take these for something else.",
            ));
        }
        let kind = self.head.fields.get("content-type").unwrap_or_default();
        let kind = kind.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        Ok(Plan::Publish(Publication {
            topic: topic.into(),
            event: event.into(),
            lines: kind.eq_ignore_ascii_case(b"application/x-ndjson"),
        }))
    }

    /// The cursor: `Last-Event-ID`, else `?since=`, else what the transport starts at. One that can't be
    /// read is a gap, and not an error: whoever holds it has to be told what it lacks.
    fn since(&self, otherwise: Since) -> Since {
        let given = self.head.fields.get("last-event-id").filter(|line| !line.is_empty());
        if let Some(line) = given {
            return Since::After(String::from_utf8_lossy(line).into_owned());
        }
        match self.query.get("since") {
            None => otherwise,
            Some(Err(_)) => Since::After(char::REPLACEMENT_CHARACTER.to_string()),
            Some(Ok(since)) => match &*since {
                "" => otherwise,
                "start" => Since::Start,
                "now" => Since::Now,
                _ => Since::After(since.into_owned()),
            },
        }
    }

    /// The wait in seconds, and whether `Prefer` asked for it.
    fn wait(&self) -> Result<(Option<u8>, bool), Refusal> {
        let granted = |seconds: u64| seconds.min(u64::from(self.rules.max_wait)) as u8;
        match self.query.get("wait") {
            Some(wait) => {
                let digits = wait
                    .ok()
                    .filter(|wait| !wait.is_empty() && wait.bytes().all(|byte| byte.is_ascii_digit()));
                let digits = digits
                    .ok_or_else(|| Refusal::new(Status::BAD_REQUEST, "wait is a whole number of seconds."))?;
                // More digits than a u64 has are beyond every maximum.
                Ok((Some(granted(digits.parse().unwrap_or(u64::MAX))), false))
            }
            None => {
                let preferred = fields::prefer_wait(self.head.fields.get_all("prefer"));
                Ok((preferred.map(granted), preferred.is_some()))
            }
        }
    }

    fn if_none_match(&self) -> Option<Box<[u8]>> {
        let lines: Vec<&[u8]> = self.head.fields.get_all("if-none-match").collect();
        (!lines.is_empty()).then(|| lines.join(&b", "[..]).into())
    }

    fn refuse_foreign(&self) -> Result<(), Refusal> {
        match self.origin {
            Origin::Foreign => Err(Refusal::new(
                Status::FORBIDDEN,
                "The Origin is foreign, and not among those that are allowed (RFC 6455 §10.2).",
            )),
            _ => Ok(()),
        }
    }

    fn refuse_overload(&self, event_stream: bool) -> Result<(), Refusal> {
        match self.rules.overload {
            Some(overload) => Err(Refusal::overloaded(overload, event_stream).closing()),
            None => Ok(()),
        }
    }
}

fn require(right: bool) -> Result<(), Refusal> {
    if right {
        return Ok(());
    }
    let detail = "A token is needed: Authorization: Bearer, or ?access_token= (RFC 6750 §2).";
    Err(Refusal::new(Status::UNAUTHORIZED, detail).with(WHO_ARE_YOU))
}

fn not_found() -> Refusal {
    Refusal::new(Status::NOT_FOUND, "There is nothing here; a topic is at /topics/{name}.")
}

fn topic_name(segment: &str) -> Result<Cow<'_, str>, Refusal> {
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || b"._~-".contains(&byte);
    percent_decode_path_segment(segment)
        .ok()
        .filter(|name| (1..=NAME_BYTES).contains(&name.len()) && name.bytes().all(valid))
        .ok_or_else(|| Refusal::new(Status::BAD_REQUEST, "A topic's name is 1 to 64 of A-Z a-z 0-9 . _ ~ -"))
}
