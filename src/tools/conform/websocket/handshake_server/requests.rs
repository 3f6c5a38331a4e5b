//! The request line, content, and the syntax of fields.

use super::Expected::{BadRequest, Either, Opens, OpensOrRefuses, Refuses, RefusesOrOpens, StaysHttp};
use super::Row;
use crate::tools::conform::case::Requirement;
use crate::tools::conform::websocket::request::Edit::{Add, Replace, Set, Then, Without};

const GET: Requirement =
    Requirement::must(6455, "4.2.1", "The request is a GET; a server responds with an error to others.");
const HTTP_1_1: Requirement =
    Requirement::must(9110, "7.8", "A server ignores Upgrade in a request of HTTP/1.0.");
const LATER: Requirement = Requirement::may(6455, "4.2.1", "The version of HTTP is 1.1 or higher.");
const ABSOLUTE: Requirement =
    Requirement::must(9112, "3.2.2", "A server accepts the absolute form of a target.");
const CONTENT: Requirement =
    Requirement::may(9110, "9.3.1", "A server may refuse a GET with content, but the content is no frame.");
const EXPECT: Requirement =
    Requirement::may(9110, "10.1.1", "A request without content has no use for 100-continue.");
const FIELD_SYNTAX: Requirement = Requirement::must(
    9112,
    "5",
    "A field is a name, a colon, and a value with optional whitespace around it.",
);
const NAMES: Requirement = Requirement::must(9110, "5.1", "Field names are compared without their case.");
const BEFORE_COLON: Requirement =
    Requirement::must(9112, "5.1", "A server responds with status 400 to whitespace before a colon.");
const FOLD: Requirement = Requirement::must(
    9112,
    "5.2",
    "A server refuses a folded field value, or replaces the fold with spaces.",
);
const EMPTY_LINE: Requirement =
    Requirement::should(9112, "2.2", "A server ignores an empty line before a request.");
const BARE_LF: Requirement = Requirement::may(9112, "2.2", "A recipient may take LF as the end of a line.");
const UNKNOWN: Requirement = Requirement::must(6455, "4.2.1", "Unknown fields are ignored.");
const VALUE_BYTES: Requirement =
    Requirement::must(9110, "5.5", "A recipient refuses CR, LF and NUL in a value, or replaces them.");
const OBS_TEXT: Requirement = Requirement::may(9110, "5.5", "Bytes above 127 in a value are opaque.");
const ORDER: Requirement =
    Requirement::must(9110, "5.3", "The order of fields with different names has no meaning.");
const ORIGIN: Requirement =
    Requirement::may(6455, "4.2.2", "A server may refuse an origin, with status 403.");

pub const ROWS: &[Row] = &[
    (100, "the method POST", GET, Refuses, &[Replace("GET ", "POST "), Add("Content-Length: 0")]),
    (101, "the method get", GET, Refuses, &[Replace("GET ", "get ")]),
    (102, "the method HEAD", GET, StaysHttp, &[Replace("GET ", "HEAD ")]),
    (103, "the method PUT", GET, Refuses, &[Replace("GET ", "PUT "), Add("Content-Length: 0")]),
    (104, "the method OPTIONS", GET, StaysHttp, &[Replace("GET ", "OPTIONS ")]),
    (105, "HTTP/1.0", HTTP_1_1, StaysHttp, &[Replace("HTTP/1.1", "HTTP/1.0")]),
    (106, "HTTP/1.2", LATER, Either, &[Replace("HTTP/1.1", "HTTP/1.2")]),
    (107, "HTTP/2.0 as text", LATER, Either, &[Replace("HTTP/1.1", "HTTP/2.0")]),
    (108, "http/1.1 in lower case", GET, RefusesOrOpens, &[Replace("HTTP/1.1", "http/1.1")]),
    (109, "a target in the absolute form", ABSOLUTE, Opens, &[Replace("GET /", "GET http://{authority}/")]),
    (110, "content of five bytes", CONTENT, RefusesOrOpens, &[Add("Content-Length: 5"), Then("hello")]),
    (
        111,
        "content in chunks",
        CONTENT,
        RefusesOrOpens,
        &[Add("Transfer-Encoding: chunked"), Then("5\r\nhello\r\n0\r\n\r\n")],
    ),
    (112, "Content-Length: 0", CONTENT, OpensOrRefuses, &[Add("Content-Length: 0")]),
    (113, "Expect: 100-continue without content", EXPECT, Either, &[Add("Expect: 100-continue")]),
    (120, "no whitespace after the colons", FIELD_SYNTAX, Opens, &[Replace(": ", ":")]),
    (
        121,
        "spaces and tabs around the values",
        FIELD_SYNTAX,
        Opens,
        &[Set("Upgrade", "\t  websocket \t"), Set("Connection", "   Upgrade\t\t")],
    ),
    (
        122,
        "all names in lower case",
        NAMES,
        Opens,
        &[
            Replace("Host:", "host:"),
            Replace("Upgrade:", "upgrade:"),
            Replace("Connection:", "connection:"),
            Replace("Sec-WebSocket", "sec-websocket"),
            Replace("-Key:", "-key:"),
            Replace("-Version:", "-version:"),
        ],
    ),
    (
        123,
        "all names in upper case",
        NAMES,
        Opens,
        &[
            Replace("Host:", "HOST:"),
            Replace("Upgrade:", "UPGRADE:"),
            Replace("Connection:", "CONNECTION:"),
            Replace("Sec-WebSocket", "SEC-WEBSOCKET"),
            Replace("-Key:", "-KEY:"),
            Replace("-Version:", "-VERSION:"),
        ],
    ),
    (124, "a space before a colon", BEFORE_COLON, BadRequest, &[Replace("Upgrade:", "Upgrade :")]),
    (125, "a folded value of an unknown field", FOLD, OpensOrRefuses, &[Add("X-Unknown: a\r\n b")]),
    (
        126,
        "a folded value of Connection",
        FOLD,
        OpensOrRefuses,
        &[Set("Connection", "keep-alive,\r\n Upgrade")],
    ),
    (127, "an empty line before the request", EMPTY_LINE, OpensOrRefuses, &[Replace("GET ", "\r\nGET ")]),
    (128, "a line that ends in LF", BARE_LF, Either, &[Add("X-Unknown: a\nX-Other: b")]),
    (
        129,
        "unknown fields and cookies",
        UNKNOWN,
        Opens,
        &[
            Add("X-Unknown: a, b; c=\"d\""),
            Add("Cookie: a=b; c=d"),
            Add("User-Agent: a/1 (b)"),
            Add("DNT: 1"),
        ],
    ),
    (130, "an unknown field without a value", UNKNOWN, Opens, &[Add("X-Unknown:")]),
    (131, "UTF-8 in an unknown field", OBS_TEXT, OpensOrRefuses, &[Add("X-Unknown: \u{e9}")]),
    (132, "NUL in an unknown field", VALUE_BYTES, RefusesOrOpens, &[Add("X-Unknown: a\0b")]),
    (133, "CR in an unknown field", VALUE_BYTES, RefusesOrOpens, &[Add("X-Unknown: a\rb")]),
    (134, "a line without a colon", FIELD_SYNTAX, RefusesOrOpens, &[Add("X-Unknown")]),
    (135, "Host as the last field", ORDER, Opens, &[Without("Host"), Add("Host: {authority}")]),
    (
        136,
        "Upgrade and Connection as the last fields",
        ORDER,
        Opens,
        &[Without("Upgrade"), Without("Connection"), Add("Connection: Upgrade"), Add("Upgrade: websocket")],
    ),
    (140, "an origin", ORIGIN, OpensOrRefuses, &[Add("Origin: http://example.org")]),
    (141, "the origin null", ORIGIN, OpensOrRefuses, &[Add("Origin: null")]),
    (142, "an empty origin", ORIGIN, Either, &[Add("Origin:")]),
    (
        143,
        "two origins",
        ORIGIN,
        Either,
        &[Add("Origin: http://example.org"), Add("Origin: http://example.com")],
    ),
    (
        144,
        "Sec-WebSocket-Origin, of older versions",
        UNKNOWN,
        Opens,
        &[Add("Sec-WebSocket-Origin: http://example.org")],
    ),
];
