//! The table of the options of `barewire serve`, used for parsing and for the help.

use std::net::SocketAddr;

use super::allowed;
use super::wire::WireOptions;
use crate::access_log::LogForm;
use crate::hub::Tick;
use crate::protocol::MAX_EVENT_BYTES;
use crate::protocol::http::MAX_FIELD_LINES;
use crate::server::{ObservationEndpoint, Options};
use crate::tools::args::{TOKEN_SYNTAX, file, is_bearer_token, secret_name};
use crate::transport::{Purpose, Transport};

/// The values of `--wire-only`. The last one, `-`, stands for everything else.
const SHOWN: [Purpose; 6] = [
    Purpose::Follow(Transport::ShortPoll),
    Purpose::Follow(Transport::LongPoll),
    Purpose::Follow(Transport::EventStream),
    Purpose::Follow(Transport::WebSocket),
    Purpose::Publish,
    Purpose::Other,
];

/// The options of `barewire serve`.
#[derive(Clone, Debug, Default)]
pub struct ServeOptions {
    /// The options of the server.
    pub server: Options,
    /// The options of the wire view.
    pub wire: WireOptions,
    /// The form of the access log.
    pub log: LogForm,
}

/// Applies a value to the options. An error describes an invalid value.
type Setter = fn(&mut ServeOptions, &str) -> Result<(), String>;

/// The kind of an option and the function that applies it.
pub enum Kind {
    /// An option without a value.
    Flag(fn(&mut ServeOptions)),
    /// An option with a value: its name in the help, the setter, and the default as text.
    Value(&'static str, Setter, fn(&ServeOptions) -> String),
}

/// One option.
pub struct Row {
    /// The name without the dashes.
    pub name: &'static str,
    pub kind: Kind,
    pub help: &'static str,
}

/// Parses a number from `low` to `high`.
fn number<T: TryFrom<u64>>(text: &str, low: u64, high: u64) -> Result<T, String> {
    let number = text.parse().ok().filter(|number| (low..=high).contains(number));
    number.and_then(|number| T::try_from(number).ok()).ok_or_else(|| match high {
        ANY => format!("{text:?} is not valid: use a whole number of at least {low}"),
        _ => format!("{text:?} is not valid: use a whole number from {low} to {high}"),
    })
}

fn token(text: &str) -> Result<Option<String>, String> {
    match is_bearer_token(text) {
        true => Ok(Some(text.to_owned())),
        false => Err(format!("the value is not a bearer token: {TOKEN_SYNTAX}")),
    }
}

/// Declares an option without a value.
const fn flag(name: &'static str, help: &'static str, set: fn(&mut ServeOptions)) -> Row {
    Row { name, kind: Kind::Flag(set), help }
}

/// Declares an option with a value. `show` returns its default as text.
const fn value(
    name: &'static str,
    value: &'static str,
    help: &'static str,
    set: Setter,
    show: fn(&ServeOptions) -> String,
) -> Row {
    Row { name, kind: Kind::Value(value, set, show), help }
}

fn none(_: &ServeOptions) -> String {
    "none".into()
}

/// Declares an option whose value is a number within bounds.
macro_rules! number {
    ($name:literal, $value:literal, $help:literal, $low:expr, $high:expr, $($field:ident).+) => {
        value(
            $name,
            $value,
            $help,
            |options, text| {
                options.server.$($field).+ = number(text, $low, $high)?;
                Ok(())
            },
            |options| options.server.$($field).+.to_string(),
        )
    };
}

/// Declares an option that sets a limit. Without the option, the value is unlimited.
macro_rules! optional {
    ($name:literal, $value:literal, $help:literal, $low:expr, $high:expr, $($field:ident).+) => {
        value(
            $name,
            $value,
            $help,
            |options, text| {
                options.server.$($field).+ = Some(number(text, $low, $high)?);
                Ok(())
            },
            |_| "any".into(),
        )
    };
}

/// Seconds per day: the maximum of every time option.
const DAY: u64 = 86_400;
/// No upper bound.
const ANY: u64 = u64::MAX;

/// All options, in the order of the help.
pub const ROWS: &[Row] = &[
    value(
        "listen",
        "ADDR:PORT",
        "address to listen on; port 0 selects a free port",
        |options, text| {
            let address = text.parse::<SocketAddr>();
            options.server.listen = address.map_err(|_| {
                format!("{text:?} is not valid: use an address and a port, such as 127.0.0.1:8080")
            })?;
            Ok(())
        },
        |options| options.server.listen.to_string(),
    ),
    value(
        "publish-token",
        "TOKEN",
        "token required to publish; it also permits following",
        |options, text| {
            options.server.policy.access.publish_token = token(text)?;
            Ok(())
        },
        none,
    ),
    value(
        "follow-token",
        "TOKEN",
        "token required to follow",
        |options, text| {
            options.server.policy.access.follow_token = token(text)?;
            Ok(())
        },
        none,
    ),
    value(
        "allow-origin",
        "ORIGIN",
        "foreign origin whose pages may publish and follow; * allows every origin; may be repeated",
        |options, text| {
            options.server.policy.access.allowed_origins.push(allowed::origin(text)?);
            Ok(())
        },
        none,
    ),
    value(
        "allow-host",
        "HOST",
        "host to answer for besides loopback and the hosts of --allow-origin; * allows every host; may be repeated",
        |options, text| {
            options.server.policy.access.allowed_hosts.push(allowed::host(text)?);
            Ok(())
        },
        none,
    ),
    flag("quiet", "do not log requests", |options| options.log = LogForm::Off),
    value(
        "log",
        "FORM",
        "format of the request log on standard error: text or json",
        |options, text| {
            options.log = match text {
                "text" => LogForm::Text,
                "json" => LogForm::Json,
                _ => return Err(format!("{text:?} is not a log format: use text or json")),
            };
            Ok(())
        },
        |_| "text".into(),
    ),
    flag(
        "wire",
        "explain every byte on standard error, and serve /wire to other machines too, not only on loopback",
        |options| {
            options.wire.print = true;
            options.server.observation = ObservationEndpoint::Everywhere;
        },
    ),
    value(
        "wire-only",
        "WHAT",
        "show and record only this transport or connection number; may be repeated",
        |options, text| {
            if let Ok(connection) = text.parse() {
                options.wire.filter.connections.push(connection);
                return Ok(());
            }
            let purpose = SHOWN.into_iter().find(|purpose| purpose.name() == text).ok_or_else(|| {
                let names = SHOWN.map(Purpose::name).join(", ");
                format!("{text:?} is not valid: use a connection number or one of {names}")
            })?;
            options.wire.filter.purposes.push(purpose);
            Ok(())
        },
        |_| "any".into(),
    ),
    value(
        "record",
        "FILE",
        "record all traffic in this file, for barewire explain; secrets are masked",
        |options, text| {
            options.wire.record = Some(file(text.as_ref())?);
            Ok(())
        },
        none,
    ),
    value(
        "hide",
        "NAME",
        "also mask the values of fields and query parameters with this name in the view; may be repeated",
        |options, text| {
            options.wire.hide.push(secret_name(text)?);
            Ok(())
        },
        none,
    ),
    flag("no-wire", "do not serve /wire, not even on loopback", |options| {
        options.server.observation = ObservationEndpoint::Nowhere
    }),
    number!("max-connections", "N", "maximum number of connections", 1, ANY, max_connections),
    optional!(
        "max-per-address",
        "N",
        "maximum number of connections from one address or one IPv6 /64",
        1,
        u32::MAX as u64,
        connections_per_address
    ),
    optional!(
        "max-requests",
        "N",
        "maximum number of requests on one connection",
        1,
        u32::MAX as u64,
        requests_per_connection
    ),
    optional!(
        "max-message-rate",
        "N",
        "maximum rate of messages and control frames on one WebSocket, per second",
        1,
        u32::MAX as u64,
        messages_per_second
    ),
    number!(
        "max-outbox-bytes",
        "BYTES",
        "pending output at which the server stops reading from a connection",
        1 << 10,
        1 << 30,
        outbox_bytes
    ),
    number!(
        "max-buffered-bytes",
        "BYTES",
        "memory of all connections together; above it, the connection that uses the most, by size times age, is closed",
        1 << 20,
        ANY,
        buffered_bytes
    ),
    number!(
        "max-topics",
        "N",
        "maximum number of topics; above it, a new topic replaces one without followers, and with events only for a publish",
        1,
        ANY,
        hub.topics
    ),
    number!(
        "window-events",
        "N",
        "minimum number of events that a topic keeps, as far as --window-bytes allows",
        1,
        ANY,
        hub.window_events
    ),
    number!(
        "window-bytes",
        "BYTES",
        "maximum size of the events of all topics together",
        1 << 10,
        ANY,
        hub.window_bytes
    ),
    value(
        "window-age",
        "SECONDS",
        "age at which an event may be removed",
        |options, text| {
            let seconds: u32 = number(text, 1, 365 * DAY)?;
            options.server.hub.window_age = Some(seconds * Tick::PER_SECOND);
            Ok(())
        },
        |_| "any".into(),
    ),
    number!(
        "encoded-bytes",
        "BYTES",
        "maximum size of encoded events; the server encodes an event again when needed",
        1 << 10,
        ANY,
        hub.encoded_bytes
    ),
    number!(
        "max-event-bytes",
        "BYTES",
        "maximum size of the data of an event, and of a WebSocket message on a topic",
        1,
        MAX_EVENT_BYTES as u64,
        policy.event_bytes
    ),
    number!(
        "max-batch-bytes",
        "BYTES",
        "maximum size of a body with several events",
        1,
        1 << 30,
        policy.batch_bytes
    ),
    number!("max-head-bytes", "BYTES", "maximum size of a request head", 256, 1 << 20, head.bytes),
    number!("max-request-line", "BYTES", "maximum length of a request line", 64, 1 << 20, head.request_line),
    number!(
        "max-field-lines",
        "N",
        "maximum number of field lines in a request",
        1,
        MAX_FIELD_LINES as u64,
        head.field_lines
    ),
    number!(
        "max-echo-bytes",
        "BYTES",
        "maximum size of a WebSocket message to /echo",
        1,
        1 << 30,
        echo_bytes
    ),
    number!(
        "max-echo-contexts",
        "N",
        "maximum number of connections to /echo that keep a compression window of 400 KiB each",
        0,
        ANY,
        echo_contexts
    ),
    flag("no-compression", "do not negotiate permessage-deflate on WebSockets", |options| {
        options.server.policy.compress = false
    }),
    number!(
        "compress-from",
        "BYTES",
        "size from which a message on a topic is compressed, if compression was negotiated",
        0,
        ANY,
        policy.compress_from
    ),
    number!(
        "max-message-frames",
        "N",
        "maximum number of frames in a WebSocket message, including empty frames",
        1,
        ANY,
        message_frames
    ),
    number!(
        "max-wait",
        "SECONDS",
        "maximum time that a long poll is held, up to 255",
        0,
        255,
        policy.max_wait
    ),
    number!(
        "retry",
        "MS",
        "reconnect delay in milliseconds, plus up to 100 % random jitter",
        0,
        3_600_000,
        policy.retry
    ),
    number!("heartbeat", "SECONDS", "time between two comments in an idle event stream", 1, DAY, heartbeat),
    number!("ping-interval", "SECONDS", "silence after which a WebSocket is pinged", 1, DAY, ping_interval),
    number!(
        "pong-timeout",
        "SECONDS",
        "further silence after which the WebSocket is dropped",
        1,
        DAY,
        pong_timeout
    ),
    number!("head-timeout", "SECONDS", "time for a request head to arrive", 1, DAY, head_timeout),
    number!(
        "body-timeout",
        "SECONDS",
        "time for a request body or a WebSocket message to arrive",
        1,
        DAY,
        body_timeout
    ),
    number!(
        "idle-timeout",
        "SECONDS",
        "time that a connection may be idle between two requests",
        1,
        DAY,
        idle_timeout
    ),
    number!(
        "write-timeout",
        "SECONDS",
        "time for a client to accept any pending data, and twice this time for its machine to acknowledge it",
        1,
        DAY,
        write_timeout
    ),
    number!(
        "close-timeout",
        "SECONDS",
        "time for the reply to a WebSocket close frame",
        1,
        DAY,
        close_timeout
    ),
    number!("linger", "SECONDS", "time for a client to end its side after the last response", 1, DAY, linger),
    number!(
        "drain-timeout",
        "SECONDS",
        "time for all connections to end after SIGTERM, SIGINT or SIGHUP",
        1,
        DAY,
        drain_timeout
    ),
];
