//! Routing: from a request's head to the action it asks for, or to the reason for its refusal.

use std::borrow::Cow;

use super::access::{Access, Origin, Rights};
use super::action::{Action, CallRequest, PollRequest, Publication};
use super::compression::{self, ContextTakeover};
use super::observation;
use super::response::{Overload, Refusal, ResponseContext};
use super::routes::{Resource, Route, Routes};
use super::websocket::{SUBPROTOCOL_JSON, SUBPROTOCOL_TEXT, ServerHandshake};
use crate::hub::Since;
use crate::protocol::http::{
    Method, Query, RequestHead, Status, Version, fields, percent_decode_path_segment,
};
use crate::protocol::websocket::extension::Agreement;
use crate::protocol::websocket::server_handshake::{self, Accept};

/// The longest name of a topic, in bytes.
const MAX_TOPIC_NAME: usize = 64;
/// The longest name of an event, in bytes.
const MAX_EVENT_NAME: usize = 128;
/// An `EventSource` dispatches its own events under two of these names; `gap` is ours.
const RESERVED_EVENTS: [&str; 3] = ["gap", "open", "error"];

/// The policy that routing needs besides the request.
pub struct Rules<'a> {
    /// The resources.
    pub routes: &'a Routes,
    /// Access control.
    pub access: &'a Access,
    /// The longest wait that is granted, in seconds.
    pub max_wait: u8,
    /// The server negotiates compression.
    pub compress: bool,
    /// Whether another connection to `/echo` may keep its windows.
    pub echo_context: ContextTakeover,
    /// The limit for which followers and publishes are refused, if any.
    pub overload: Option<Overload>,
}

/// The methods of `*` (RFC 9110 §9.3.7): those of any topic.
const SERVER: &str = "GET, HEAD, POST, OPTIONS";

/// The fields of 426 (RFC 9110 §15.5.22, RFC 6455 §4.4).
const UPGRADE_REQUIRED: &[(&str, &str)] =
    &[("Sec-WebSocket-Version", "13"), ("Upgrade", "websocket"), ("Connection", "Upgrade")];
/// The field of 401 for a request without a token (RFC 6750 §3: a challenge has a parameter).
const AUTHENTICATE: &[(&str, &str)] = &[("WWW-Authenticate", "Bearer realm=\"barewire\"")];
/// The field of 401 for a wrong token. A publish with the follow token is one too: its status would
/// be 403 with `insufficient_scope` (RFC 6750 §3.1), but these tokens are two secrets, not two
/// scopes.
const INVALID_TOKEN: &[(&str, &str)] =
    &[("WWW-Authenticate", "Bearer realm=\"barewire\", error=\"invalid_token\"")];

/// The fields that a page of an allowed origin may send.
const PREFLIGHT_FIELDS: &str = "Authorization, Content-Type, If-None-Match, Last-Event-ID, Prefer";
/// The same for a page that asks for more: implementations of `EventSource` in JavaScript send
/// `Cache-Control` with each request, and older ones `X-Requested-With` too.
const POLYFILL_FIELDS: &str = "Authorization, Content-Type, If-None-Match, Last-Event-ID, Prefer, \
                               Cache-Control, X-Requested-With";

/// Returns whether the client prefers an event stream: `Accept` names `text/event-stream` with a
/// quality above 0 and not below that of `application/json` (RFC 9110 §12.5.1). `*/*` does not name
/// it.
pub fn prefers_event_stream(head: &RequestHead<'_, '_>) -> bool {
    let accept = || head.fields.get_all("accept");
    fields::explicit_quality(accept(), "text", "event-stream")
        .is_some_and(|stream| stream > 0 && stream >= fields::quality(accept(), "application", "json"))
}

impl<'b> Action<'b> {
    /// Returns the context for the response, and the action that the request asks for. `bytes` are
    /// those of the head. `has_content`: the head announces content.
    ///
    /// # Errors
    /// The refusal of a request that is not allowed or makes no sense.
    pub fn of(
        head: &RequestHead<'_, 'b>,
        bytes: &'b [u8],
        has_content: bool,
        rules: &Rules<'_>,
    ) -> (ResponseContext, Result<Action<'b>, Refusal>) {
        let origin = rules.access.origin(head);
        let (path, query) = head.target.path().unwrap_or(("*", None));
        let found = rules.routes.find(path);
        let context = ResponseContext {
            version: head.version,
            persists: head.persists(),
            head_only: head.method == Method::Head,
            of_topic: found.is_some_and(|(route, _)| route.resource == Resource::Topics),
            cors: match origin {
                Origin::Allowed(origin) => Some(origin.into()),
                _ => None,
            },
        };
        let request = Request { head, bytes, has_content, origin, query: Query::new(query), rules };
        let action = match found {
            _ if !rules.access.serves(head.host) => Err(misdirected(head.host)),
            _ if matches!(head.method, Method::Unknown(_)) => Err(Refusal::new(
                Status::NOT_IMPLEMENTED,
                "The method is not one that this server knows (RFC 9110 §9.1).",
            )),
            _ if path == "*" && head.method == Method::Options => Ok(request.options(SERVER)),
            _ if path == "*" => Err(not_allowed(SERVER)),
            None => Err(not_found(rules.routes)),
            Some((route, _)) if head.method == Method::Options => Ok(request.options(&route.allow)),
            // No method's name is a part of another one's.
            Some((route, _)) if !route.allow.contains(head.method.as_str()) => Err(not_allowed(&route.allow)),
            Some((route, name)) => match route.resource {
                Resource::Topics if head.method == Method::Post => request.publish(name),
                Resource::Topics => request.follow_topic(name),
                Resource::Echo => request.echo(),
                Resource::Wire => request.observe(),
                Resource::Application => request.call(route),
            },
        };
        (context, action)
    }

    /// Returns the action of a request that an application lets follow a topic.
    ///
    /// # Errors
    /// The refusal of a request that makes no sense.
    pub fn follow(
        head: &RequestHead<'_, 'b>,
        topic: &str,
        has_content: bool,
        rules: &Rules<'_>,
    ) -> Result<Action<'b>, Refusal> {
        let (_, query) = head.target.path().unwrap_or(("*", None));
        let (origin, query) = (rules.access.origin(head), Query::new(query));
        let request = Request { head, bytes: &[], has_content, origin, query, rules };
        let rights = Rights { publish: false, follow: true, has_token: false };
        request.follow(Cow::Owned(topic.to_owned()), || Ok(rights))
    }
}

struct Request<'r, 'h, 'b> {
    head: &'r RequestHead<'h, 'b>,
    bytes: &'b [u8],
    has_content: bool,
    origin: Origin<'b>,
    query: Query<'b>,
    rules: &'r Rules<'r>,
}

impl<'b> Request<'_, '_, 'b> {
    /// Answers `OPTIONS`, perhaps a CORS preflight.
    fn options(&self, allow: &str) -> Action<'b> {
        let fields = &self.head.fields;
        let asks = fields.get("access-control-request-method").is_some();
        let asks_for = |name| fields.has_token("access-control-request-headers", name);
        let preflight = (asks && matches!(self.origin, Origin::Allowed(_))).then(|| {
            let is_polyfill = asks_for("cache-control") || asks_for("x-requested-with");
            if is_polyfill { POLYFILL_FIELDS } else { PREFLIGHT_FIELDS }
        });
        Action::Options { allow: allow.into(), preflight }
    }

    /// Returns the action for a route of the application.
    fn call(&self, route: &Route) -> Result<Action<'b>, Refusal> {
        let method = self.head.method;
        let handler = route.handler(method.as_str());
        if let Some(route) = route.socket.filter(|_| method == Method::Get)
            && (handler.is_none() || self.requests_websocket())
        {
            let handshake = Some(self.handshake(&[SUBPROTOCOL_JSON], ContextTakeover::Refused)?);
            return Ok(Action::Call(CallRequest { route, head: Cow::Borrowed(self.bytes), handshake }));
        }
        let handler = handler.ok_or_else(|| not_allowed(&route.allow))?;
        if !matches!(method, Method::Get | Method::Head) {
            self.refuse_foreign()?;
        }
        if !handler.is_always_called {
            self.refuse_overload(false)?;
        }
        let (route, head) = (handler.number, Cow::Borrowed(self.bytes));
        Ok(Action::Call(CallRequest { route, head, handshake: None }))
    }

    fn publish(&self, name: &'b str) -> Result<Action<'b>, Refusal> {
        let topic = topic_name(name)?;
        self.refuse_foreign()?;
        self.require(|rights| rights.publish)?;
        self.refuse_overload(false)?;
        let event = self.query.get("event").unwrap_or(Ok(Cow::Borrowed("")));
        let event = event.map_err(|error| Refusal::bad_request(error.to_string()))?;
        let event = if event.is_empty() { Cow::Borrowed("message") } else { event };
        check_event_name(&event)?;
        let kind = self.head.fields.get("content-type").unwrap_or_default();
        let kind = kind.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        Ok(Action::Publish(Publication {
            topic: topic.into(),
            event: event.into(),
            lines: kind.eq_ignore_ascii_case(b"application/x-ndjson"),
        }))
    }

    fn follow_topic(&self, name: &'b str) -> Result<Action<'b>, Refusal> {
        let topic = topic_name(name)?;
        self.follow(topic, || self.require(|rights| rights.follow))
    }

    fn follow(
        &self,
        topic: Cow<'b, str>,
        rights: impl FnOnce() -> Result<Rights, Refusal>,
    ) -> Result<Action<'b>, Refusal> {
        let get = self.head.method == Method::Get;
        if get && self.requests_websocket() {
            return self.socket(topic, rights);
        }
        rights()?;
        let stream = get && prefers_event_stream(self.head);
        self.refuse_overload(stream)?;
        if stream {
            return Ok(Action::Stream { topic, since: self.since(Since::Now) });
        }
        let (wait, preferred) = self.wait()?;
        let wait = wait.filter(|_| get);
        Ok(Action::Poll(PollRequest {
            topic,
            since: self.since(if wait.is_some() { Since::Now } else { Since::Start }),
            wait,
            preferred: preferred && wait.is_some(),
            if_none_match: self.if_none_match(),
        }))
    }

    fn socket(
        &self,
        topic: Cow<'b, str>,
        rights: impl FnOnce() -> Result<Rights, Refusal>,
    ) -> Result<Action<'b>, Refusal> {
        self.refuse_foreign()?;
        let rights = rights()?;
        let offers = [SUBPROTOCOL_JSON, SUBPROTOCOL_TEXT];
        let handshake = self.handshake(&offers, ContextTakeover::Refused)?;
        Ok(Action::Socket { topic, since: self.since(Since::Now), handshake, may_publish: rights.publish })
    }

    /// Returns the action for `/wire`: an event stream, whatever `Accept` says.
    fn observe(&self) -> Result<Action<'b>, Refusal> {
        self.refuse_foreign()?;
        observation::admit(self.rules.access.observers, self.rules.access, self.head)?;
        self.require(|rights| rights.follow)?;
        self.refuse_overload(true)?;
        Ok(Action::Stream { topic: observation::TOPIC.into(), since: self.since(Since::Now) })
    }

    fn echo(&self) -> Result<Action<'b>, Refusal> {
        Ok(Action::Echo { handshake: self.handshake(&[], self.rules.echo_context)? })
    }

    /// Returns the server's side of the handshake, with one of these subprotocols if the client
    /// offers it.
    fn handshake(
        &self,
        subprotocols: &[&'static str],
        context: ContextTakeover,
    ) -> Result<ServerHandshake, Refusal> {
        self.refuse_foreign()?;
        if !self.requests_websocket() {
            let detail = "The target speaks only WebSocket; send an upgrade request (RFC 9110 §15.5.22).";
            return Err(Refusal::new(Status::UPGRADE_REQUIRED, detail).with(UPGRADE_REQUIRED));
        }
        let accept = self.accept()?;
        self.refuse_overload(false)?;
        let offered = self.head.fields.get_all("sec-websocket-protocol");
        let subprotocol = server_handshake::choose_subprotocol(offered, subprotocols);
        Ok(ServerHandshake { accept, subprotocol, agreement: self.negotiate(context)? })
    }

    fn negotiate(&self, context: ContextTakeover) -> Result<Option<Agreement>, Refusal> {
        let agreement = compression::agree(self.head, context)
            .map_err(|error| Refusal::new(error.status(), error.to_string()))?;
        Ok(agreement.filter(|_| self.rules.compress))
    }

    /// Returns whether `Upgrade` names `websocket`. In HTTP/1.0 the field is ignored (RFC 9110
    /// §7.8).
    fn requests_websocket(&self) -> bool {
        self.head.version == Version::Http11 && self.head.fields.has_token("upgrade", "websocket")
    }

    /// Checks the client's handshake.
    fn accept(&self) -> Result<Accept, Refusal> {
        let fields = &self.head.fields;
        if !fields.has_token("connection", "upgrade") {
            let detail = "Upgrade needs a Connection: upgrade field (RFC 6455 §4.2.1, RFC 9110 §7.8).";
            return Err(Refusal::bad_request(detail));
        }
        if self.has_content {
            // The bytes after the head must be frames, so they cannot be content too.
            let detail = "A WebSocket handshake must not have content (RFC 6455 §4.1).";
            return Err(Refusal::bad_request(detail).closing());
        }
        server_handshake::check(fields.get_all("sec-websocket-key"), fields.get_all("sec-websocket-version"))
            .map_err(|error| {
                let refusal = Refusal::new(error.status(), error.to_string());
                match error.status() {
                    Status::UPGRADE_REQUIRED => refusal.with(UPGRADE_REQUIRED),
                    _ => refusal,
                }
            })
    }

    /// Returns the cursor: `Last-Event-ID`, else `?since=`, else the transport's default.
    fn since(&self, default: Since) -> Since {
        // A parameter that cannot be decoded is a cursor that no log has.
        let replaced = |since: Result<_, _>| since.unwrap_or(Cow::Borrowed("\u{fffd}"));
        let since = self.query.get("since").map(replaced);
        Since::of(self.head.fields.get("last-event-id"), since.as_deref(), default)
    }

    /// Returns the wait in seconds, and whether `Prefer` requested it.
    fn wait(&self) -> Result<(Option<u8>, bool), Refusal> {
        let granted = |seconds: u64| seconds.min(u64::from(self.rules.max_wait)) as u8;
        let Some(wait) = self.query.get("wait") else {
            let preferred = fields::prefer_wait(self.head.fields.get_all("prefer"));
            return Ok((preferred.map(granted), preferred.is_some()));
        };
        let is_number =
            |wait: &Cow<'_, str>| !wait.is_empty() && wait.bytes().all(|byte| byte.is_ascii_digit());
        let digits = wait.ok().filter(is_number);
        let digits =
            digits.ok_or_else(|| Refusal::bad_request("The wait must be a whole number of seconds."))?;
        // A number that does not fit in a u64 is beyond every maximum.
        Ok((Some(granted(digits.parse().unwrap_or(u64::MAX))), false))
    }

    fn if_none_match(&self) -> Option<Box<[u8]>> {
        let lines: Vec<&[u8]> = self.head.fields.get_all("if-none-match").collect();
        (!lines.is_empty()).then(|| lines.join(&b", "[..]).into())
    }

    /// Returns the rights of the request if they include this one.
    fn require(&self, right: fn(Rights) -> bool) -> Result<Rights, Refusal> {
        let rights = self.rules.access.rights(self.head, &self.query);
        if right(rights) {
            return Ok(rights);
        }
        let detail =
            "The token is missing or wrong; send Authorization: Bearer or ?access_token= (RFC 6750 §2).";
        let challenge = if rights.has_token { INVALID_TOKEN } else { AUTHENTICATE };
        Err(Refusal::new(Status::UNAUTHORIZED, detail).with(challenge))
    }

    fn refuse_foreign(&self) -> Result<(), Refusal> {
        if self.origin != Origin::Foreign {
            return Ok(());
        }
        let detail = "The Origin is foreign and not allowed; start the server with --allow-origin to allow it \
                      (RFC 6455 §10.2).";
        Err(Refusal::new(Status::FORBIDDEN, detail))
    }

    fn refuse_overload(&self, event_stream: bool) -> Result<(), Refusal> {
        let refusal = self.rules.overload.map(|limit| Refusal::overloaded(limit, event_stream).closing());
        refusal.map_or(Ok(()), Err)
    }
}

fn not_found(routes: &Routes) -> Refusal {
    let topics = routes.0.iter().find(|route| route.resource == Resource::Topics);
    let detail = match topics {
        Some(Route { path, .. }) => format!("No resource has this path; topics are at {path}{{name}}."),
        None => "No resource has this path.".to_owned(),
    };
    Refusal::new(Status::NOT_FOUND, detail)
}

fn not_allowed(allow: &str) -> Refusal {
    let detail = format!("The target allows only {allow} (RFC 9110 §15.5.6).");
    Refusal { allow: Some(allow.into()), ..Refusal::new(Status::METHOD_NOT_ALLOWED, detail) }
}

/// Refuses a host that the server does not answer for.
fn misdirected(host: Option<&str>) -> Refusal {
    // A name of the DNS has at most 253 characters, but a head has room for more.
    let host = host.unwrap_or_default();
    let detail = format!(
        "This server does not answer for the host \"{host:.253}\"; if that is a name of the server, start it \
         with --allow-host and the name (RFC 9110 §15.5.20)."
    );
    Refusal::new(Status::MISDIRECTED_REQUEST, detail)
}

/// Checks the name of an event.
///
/// # Errors
/// The refusal of a name that no event may have.
pub fn check_event_name(event: &str) -> Result<(), Refusal> {
    if event.is_empty() || event.len() > MAX_EVENT_NAME || event.chars().any(char::is_control) {
        let detail = "The event name must be 1 to 128 bytes long, without control characters.";
        return Err(Refusal::bad_request(detail));
    }
    if RESERVED_EVENTS.contains(&event) {
        let detail = "The event names gap, open and error are reserved; choose another name.";
        return Err(Refusal::bad_request(detail));
    }
    Ok(())
}

fn topic_name(segment: &str) -> Result<Cow<'_, str>, Refusal> {
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || b"._~-".contains(&byte);
    percent_decode_path_segment(segment)
        .ok()
        .filter(|name| (1..=MAX_TOPIC_NAME).contains(&name.len()) && name.bytes().all(valid))
        .ok_or_else(|| {
            Refusal::bad_request("The topic name must be 1 to 64 characters of A-Z a-z 0-9 . _ ~ -")
        })
}
