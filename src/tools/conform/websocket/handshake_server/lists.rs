//! Subprotocols and extensions.

use super::Expected::{Either, Opens, OpensOrRefuses, Refuses};
use super::Row;
use crate::tools::conform::case::Requirement;
use crate::tools::conform::websocket::request::Edit::Add;

const SUBPROTOCOL: Requirement =
    Requirement::must(6455, "4.2.2", "A server selects no subprotocol, or one that the client offers.");
const SUBPROTOCOL_FORM: Requirement = Requirement::may(6455, "4.1", "Subprotocols are distinct tokens.");
const UNKNOWN: Requirement =
    Requirement::must(6455, "9.1", "A server accepts only extensions that it supports, and ignores others.");
const GRAMMAR: Requirement = Requirement::must(
    6455,
    "9.1",
    "A recipient of a value that is not a list of extensions fails the connection.",
);
const EMPTY_LIST: Requirement =
    Requirement::may(6455, "9.1", "The list of extensions has at least one element.");

pub const ROWS: &[Row] = &[
    (150, "a subprotocol", SUBPROTOCOL, OpensOrRefuses, &[Add("Sec-WebSocket-Protocol: x-unknown")]),
    (
        151,
        "a list of subprotocols",
        SUBPROTOCOL,
        OpensOrRefuses,
        &[Add("Sec-WebSocket-Protocol: x-unknown, chat, superchat,soap, mqtt, echo")],
    ),
    (
        152,
        "subprotocols in two lines",
        SUBPROTOCOL,
        OpensOrRefuses,
        &[Add("Sec-WebSocket-Protocol: x-unknown, chat"), Add("Sec-WebSocket-Protocol: superchat")],
    ),
    (
        153,
        "whitespace and empty elements among the subprotocols",
        SUBPROTOCOL,
        OpensOrRefuses,
        &[Add("Sec-WebSocket-Protocol: ,\tchat ,, superchat,")],
    ),
    (154, "a subprotocol twice", SUBPROTOCOL_FORM, Either, &[Add("Sec-WebSocket-Protocol: chat, chat")]),
    (
        155,
        "a subprotocol that is not a token",
        SUBPROTOCOL_FORM,
        Either,
        &[Add("Sec-WebSocket-Protocol: ch at, su(per)chat")],
    ),
    (156, "an empty list of subprotocols", SUBPROTOCOL_FORM, Either, &[Add("Sec-WebSocket-Protocol:")]),
    (
        157,
        "common subprotocols in another case",
        SUBPROTOCOL,
        OpensOrRefuses,
        &[Add("Sec-WebSocket-Protocol: MQTT, Soap, WAMP, GraphQL-WS, ECHO")],
    ),
    (160, "an unknown extension", UNKNOWN, Opens, &[Add("Sec-WebSocket-Extensions: x-unknown")]),
    (
        161,
        "an unknown extension with parameters",
        UNKNOWN,
        Opens,
        &[Add("Sec-WebSocket-Extensions: x-unknown; a=b; c")],
    ),
    (
        162,
        "an unknown extension with a quoted value",
        UNKNOWN,
        Opens,
        &[Add("Sec-WebSocket-Extensions: x-unknown; a=\"b\"; c=\"10\"")],
    ),
    (
        163,
        "an escape in a quoted value",
        UNKNOWN,
        OpensOrRefuses,
        &[Add("Sec-WebSocket-Extensions: x-unknown; a=\"\\b\"")],
    ),
    (
        164,
        "several unknown extensions",
        UNKNOWN,
        Opens,
        &[Add("Sec-WebSocket-Extensions: x-unknown, x-other; a=1, x-unknown; b")],
    ),
    (
        165,
        "unknown extensions in two lines",
        UNKNOWN,
        Opens,
        &[Add("Sec-WebSocket-Extensions: x-unknown"), Add("Sec-WebSocket-Extensions: x-other; a=1")],
    ),
    (
        166,
        "extensions without whitespace",
        UNKNOWN,
        Opens,
        &[Add("Sec-WebSocket-Extensions: x-unknown;a=1;b,x-other;c")],
    ),
    (
        167,
        "whitespace around the separators",
        UNKNOWN,
        OpensOrRefuses,
        &[Add("Sec-WebSocket-Extensions: x-unknown ; a\t= 1 ,\tx-other ")],
    ),
    (
        168,
        "empty elements among the extensions",
        UNKNOWN,
        OpensOrRefuses,
        &[Add("Sec-WebSocket-Extensions: ,x-unknown, ,x-other,")],
    ),
    (169, "only empty elements", EMPTY_LIST, Either, &[Add("Sec-WebSocket-Extensions: , ,")]),
    (170, "an empty list of extensions", EMPTY_LIST, Either, &[Add("Sec-WebSocket-Extensions:")]),
    (171, "a parameter without a name", GRAMMAR, Refuses, &[Add("Sec-WebSocket-Extensions: x-unknown; =1")]),
    (
        172,
        "a semicolon without a parameter",
        GRAMMAR,
        Refuses,
        &[Add("Sec-WebSocket-Extensions: x-unknown;")],
    ),
    (
        173,
        "no value after the equals sign",
        GRAMMAR,
        Refuses,
        &[Add("Sec-WebSocket-Extensions: x-unknown; a=")],
    ),
    (174, "a name that is not a token", GRAMMAR, Refuses, &[Add("Sec-WebSocket-Extensions: x/unknown")]),
    (
        175,
        "two names without a separator",
        GRAMMAR,
        Refuses,
        &[Add("Sec-WebSocket-Extensions: x-unknown x-other")],
    ),
    (
        176,
        "a quoted value that is not a token",
        GRAMMAR,
        Refuses,
        &[Add("Sec-WebSocket-Extensions: x-unknown; a=\"b c\"")],
    ),
    (
        177,
        "a quoted value without an end",
        GRAMMAR,
        Refuses,
        &[Add("Sec-WebSocket-Extensions: x-unknown; a=\"b")],
    ),
    (
        178,
        "text after a quoted value",
        GRAMMAR,
        Refuses,
        &[Add("Sec-WebSocket-Extensions: x-unknown; a=\"b\"c")],
    ),
    (179, "an empty quoted value", GRAMMAR, Refuses, &[Add("Sec-WebSocket-Extensions: x-unknown; a=\"\"")]),
    (180, "a quoted name", GRAMMAR, Refuses, &[Add("Sec-WebSocket-Extensions: \"x-unknown\"")]),
    (
        181,
        "an error in the second line",
        GRAMMAR,
        Refuses,
        &[Add("Sec-WebSocket-Extensions: x-unknown"), Add("Sec-WebSocket-Extensions: x-other; a=")],
    ),
    (182, "a parameter without an extension", GRAMMAR, Refuses, &[Add("Sec-WebSocket-Extensions: ; a=1")]),
];
