//! Responses, each with one fault or one unusual form.

use super::Expected::{Either, Opens, OpensOrRefuses, Refuses, RefusesOrOpens, SendsNothing};
use super::Row;
use crate::tools::conform::case::Requirement;
use crate::tools::conform::websocket::request::Edit::{Add, Replace, Set, Without};

const VALID: Requirement =
    Requirement::must(6455, "4.1", "A client accepts a response that has what §4.2.2 requires.");
const STATUS: Requirement = Requirement::must(
    6455,
    "4.1",
    "Without status 101 there is no WebSocket; the client handles the response as HTTP.",
);
const INTERIM: Requirement = Requirement::must(
    9110,
    "15.2",
    "A client understands interim responses before the one that it waits for.",
);
const HTTP_1_0: Requirement = Requirement::may(9110, "15.2", "HTTP/1.0 has no status from 100 to 199.");
const UPGRADE: Requirement = Requirement::must(
    6455,
    "4.1",
    "A client fails the connection if Upgrade is missing or is not websocket, in any case.",
);
const CONNECTION: Requirement = Requirement::must(
    6455,
    "4.1",
    "A client fails the connection if Connection is missing or lacks the token Upgrade, in any case.",
);
const ACCEPT: Requirement = Requirement::must(
    6455,
    "4.1",
    "A client fails the connection if Sec-WebSocket-Accept is missing or does not match the key.",
);
const ACCEPT_ONCE: Requirement =
    Requirement::may(6455, "11.3.3", "Sec-WebSocket-Accept must not appear more than once in a response.");
const EXTENSION: Requirement = Requirement::must(
    6455,
    "4.1",
    "A client fails the connection if the server accepts an extension that was not offered.",
);
const EXTENSION_FORM: Requirement = Requirement::must(
    6455,
    "9.1",
    "A recipient of a value that is not a list of extensions fails the connection.",
);
const EMPTY_LIST: Requirement =
    Requirement::may(6455, "9.1", "The list of extensions has at least one element.");
const SUBPROTOCOL: Requirement = Requirement::must(
    6455,
    "4.1",
    "A client fails the connection if the server selects a subprotocol that was not requested.",
);
const FIELD_SYNTAX: Requirement = Requirement::must(
    9112,
    "5",
    "A field is a name, a colon, and a value with optional whitespace around it.",
);
const NAMES: Requirement = Requirement::must(9110, "5.1", "Field names are compared without their case.");
const UNKNOWN: Requirement = Requirement::must(9110, "5.1", "A recipient ignores unknown fields.");
const FOLD: Requirement =
    Requirement::must(9112, "5.2", "A user agent replaces the fold in a field value with spaces.");
const BARE_LF: Requirement = Requirement::may(9112, "2.2", "A recipient may take LF as the end of a line.");
const REASON: Requirement =
    Requirement::should(9112, "4", "A client ignores the reason phrase, which may be empty.");
const NO_CONTENT: Requirement =
    Requirement::must(9112, "6.3", "A response with status 101 has no content, whatever its fields say.");
const NOT_HTTP: Requirement = Requirement::must(9112, "4", "A response starts with a status line of HTTP.");

const ACCEPT_NAME: &str = "Sec-WebSocket-Accept";

pub const ROWS: &[Row] = &[
    (20, "a valid response", VALID, Opens, &[]),
    (21, "Upgrade: WebSocket", UPGRADE, Opens, &[Set("Upgrade", "WebSocket")]),
    (22, "Connection: upgrade", CONNECTION, Opens, &[Set("Connection", "upgrade")]),
    (23, "Connection: keep-alive, Upgrade", CONNECTION, Opens, &[Set("Connection", "keep-alive, Upgrade")]),
    (
        24,
        "names in lower case",
        NAMES,
        Opens,
        &[
            Replace("Upgrade:", "upgrade:"),
            Replace("Connection:", "connection:"),
            Replace("Sec-WebSocket-Accept:", "sec-websocket-accept:"),
        ],
    ),
    (
        25,
        "names in upper case",
        NAMES,
        Opens,
        &[
            Replace("Upgrade:", "UPGRADE:"),
            Replace("Connection:", "CONNECTION:"),
            Replace("Sec-WebSocket-Accept:", "SEC-WEBSOCKET-ACCEPT:"),
        ],
    ),
    (
        26,
        "fields in another order",
        NAMES,
        Opens,
        &[Without("Upgrade"), Add("Upgrade: websocket"), Without("Connection"), Add("Connection: Upgrade")],
    ),
    (
        27,
        "other fields",
        UNKNOWN,
        Opens,
        &[
            Add("Date: Mon, 30 Nov 2026 12:00:00 GMT"),
            Add("Server: x/1"),
            Add("Set-Cookie: a=b"),
            Add("X-A: b; c=\"d\""),
        ],
    ),
    (28, "a field without a value", UNKNOWN, Opens, &[Add("X-A:")]),
    (29, "no whitespace after the colons", FIELD_SYNTAX, Opens, &[Replace(": ", ":")]),
    (
        30,
        "whitespace around the values",
        FIELD_SYNTAX,
        Opens,
        &[Set("Upgrade", "  websocket  "), Set("Connection", "\tUpgrade "), Set(ACCEPT_NAME, " {accept} ")],
    ),
    (31, "another reason phrase", REASON, Opens, &[Replace("Switching Protocols", "OK, go on")]),
    (32, "an empty reason phrase", REASON, Opens, &[Replace("Switching Protocols", "")]),
    (33, "no space after the status", NOT_HTTP, Either, &[Replace(" Switching Protocols", "")]),
    (34, "a folded value of an unknown field", FOLD, OpensOrRefuses, &[Add("X-A: a\r\n b")]),
    (35, "a line that ends in LF", BARE_LF, Either, &[Add("X-A: a\nX-B: b")]),
    (36, "Content-Length: 5", NO_CONTENT, OpensOrRefuses, &[Add("Content-Length: 5")]),
    (37, "Transfer-Encoding: chunked", NO_CONTENT, OpensOrRefuses, &[Add("Transfer-Encoding: chunked")]),
    (
        38,
        "100 before 101",
        INTERIM,
        OpensOrRefuses,
        &[Replace("HTTP/1.1 101", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 101")],
    ),
    (
        39,
        "103 with a field before 101",
        INTERIM,
        OpensOrRefuses,
        &[Replace("HTTP/1.1 101", "HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\nHTTP/1.1 101")],
    ),
    (
        50,
        "status 200",
        STATUS,
        SendsNothing,
        &[Replace("101 Switching Protocols", "200 OK"), Add("Content-Length: 0")],
    ),
    (
        51,
        "status 400",
        STATUS,
        SendsNothing,
        &[Replace("101 Switching Protocols", "400 Bad Request"), Add("Content-Length: 0")],
    ),
    (
        52,
        "status 426",
        STATUS,
        SendsNothing,
        &[Replace("101 Switching Protocols", "426 Upgrade Required"), Add("Content-Length: 0")],
    ),
    (
        53,
        "status 503",
        STATUS,
        SendsNothing,
        &[Replace("101 Switching Protocols", "503 Unavailable"), Add("Content-Length: 0")],
    ),
    (54, "status 102", STATUS, SendsNothing, &[Replace("101 Switching Protocols", "102 Processing")]),
    (55, "HTTP/1.0 with status 101", HTTP_1_0, RefusesOrOpens, &[Replace("HTTP/1.1", "HTTP/1.0")]),
    (56, "HTTP/2.0 as text", HTTP_1_0, Either, &[Replace("HTTP/1.1", "HTTP/2.0")]),
    (57, "a response of another protocol", NOT_HTTP, Refuses, &[Replace("HTTP/1.1 101", "SSH-2.0 101")]),
    (58, "a status of four digits", NOT_HTTP, RefusesOrOpens, &[Replace(" 101 ", " 0101 ")]),
    (59, "http/1.1 in lower case", NOT_HTTP, RefusesOrOpens, &[Replace("HTTP/1.1", "http/1.1")]),
    (70, "no Upgrade", UPGRADE, Refuses, &[Without("Upgrade")]),
    (71, "Upgrade to another protocol", UPGRADE, Refuses, &[Set("Upgrade", "h2c")]),
    (72, "an empty Upgrade", UPGRADE, Refuses, &[Set("Upgrade", "")]),
    (73, "Upgrade with a longer name", UPGRADE, Refuses, &[Set("Upgrade", "websockets")]),
    (74, "Upgrade: websocket, h2c", UPGRADE, Refuses, &[Set("Upgrade", "websocket, h2c")]),
    (75, "Upgrade: websocket twice", UPGRADE, RefusesOrOpens, &[Add("Upgrade: websocket")]),
    (80, "no Connection", CONNECTION, Refuses, &[Without("Connection")]),
    (81, "Connection: keep-alive", CONNECTION, Refuses, &[Set("Connection", "keep-alive")]),
    (82, "Connection: close", CONNECTION, Refuses, &[Set("Connection", "close")]),
    (83, "Connection with a longer token", CONNECTION, Refuses, &[Set("Connection", "Upgrades")]),
    (
        84,
        "Connection in two lines",
        CONNECTION,
        Opens,
        &[Set("Connection", "keep-alive"), Add("Connection: Upgrade")],
    ),
    (90, "no Sec-WebSocket-Accept", ACCEPT, Refuses, &[Without(ACCEPT_NAME)]),
    (91, "an empty Sec-WebSocket-Accept", ACCEPT, Refuses, &[Set(ACCEPT_NAME, "")]),
    (92, "the digest of another key", ACCEPT, Refuses, &[Set(ACCEPT_NAME, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")]),
    (93, "the key instead of its digest", ACCEPT, Refuses, &[Set(ACCEPT_NAME, "{key}")]),
    (94, "the digest in lower case", ACCEPT, Refuses, &[Set(ACCEPT_NAME, "{lower}")]),
    (95, "text after the digest", ACCEPT, Refuses, &[Set(ACCEPT_NAME, "{accept}=")]),
    (96, "text before the digest", ACCEPT, Refuses, &[Set(ACCEPT_NAME, "x{accept}")]),
    (97, "the digest twice in a list", ACCEPT, Refuses, &[Set(ACCEPT_NAME, "{accept}, {accept}")]),
    (98, "the digest in quotes", ACCEPT, Refuses, &[Set(ACCEPT_NAME, "\"{accept}\"")]),
    (99, "the digest in two lines", ACCEPT_ONCE, RefusesOrOpens, &[Add("Sec-WebSocket-Accept: {accept}")]),
    (
        100,
        "the digest, and another line with a wrong one",
        ACCEPT_ONCE,
        RefusesOrOpens,
        &[Add("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")],
    ),
    (
        101,
        "a wrong digest, and another line with the right one",
        ACCEPT_ONCE,
        RefusesOrOpens,
        &[Set(ACCEPT_NAME, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), Add("Sec-WebSocket-Accept: {accept}")],
    ),
    (
        110,
        "a subprotocol that was not requested",
        SUBPROTOCOL,
        Refuses,
        &[Add("Sec-WebSocket-Protocol: x-not-requested")],
    ),
    (
        111,
        "two subprotocols that were not requested",
        SUBPROTOCOL,
        Refuses,
        &[Add("Sec-WebSocket-Protocol: x-not-requested, x-neither")],
    ),
    (112, "an empty subprotocol", SUBPROTOCOL, Either, &[Add("Sec-WebSocket-Protocol:")]),
    (
        120,
        "an extension that was not offered",
        EXTENSION,
        Refuses,
        &[Add("Sec-WebSocket-Extensions: x-not-offered")],
    ),
    (
        121,
        "an extension that was not offered, with parameters",
        EXTENSION,
        Refuses,
        &[Add("Sec-WebSocket-Extensions: x-not-offered; a=1; b")],
    ),
    (122, "an empty list of extensions", EMPTY_LIST, Either, &[Add("Sec-WebSocket-Extensions:")]),
    (123, "a semicolon without a parameter", EXTENSION_FORM, Refuses, &[Add("Sec-WebSocket-Extensions: ;")]),
    (124, "a name that is not a token", EXTENSION_FORM, Refuses, &[Add("Sec-WebSocket-Extensions: x/y")]),
];
