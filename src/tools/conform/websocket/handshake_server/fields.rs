//! Upgrade, Connection, Host, the key and the version.

use super::Expected::{
    BadRequest, Either, OffersVersion, OffersVersionOrOpens, Opens, OpensOrRefuses, Refuses, RefusesOrOpens,
    StaysHttp,
};
use super::Row;
use crate::tools::conform::case::Requirement;
use crate::tools::conform::websocket::request::Edit::{Add, Replace, Set, Without};

const UPGRADE: Requirement =
    Requirement::must(6455, "4.2.1", "The request has Upgrade with the value websocket, in any case.");
const CONNECTION: Requirement =
    Requirement::must(6455, "4.2.1", "The request has Connection with the token Upgrade, in any case.");
const LIST: Requirement =
    Requirement::must(9110, "5.3", "Several lines of a list mean the same as one line with all elements.");
const EMPTY_ELEMENTS: Requirement =
    Requirement::must(9110, "5.6.1.2", "A recipient ignores empty elements of a list.");
const HOST: Requirement = Requirement::must(
    9112,
    "3.2",
    "A server responds with status 400 to a request without Host, with two, or with an invalid one.",
);
const AUTHORITY: Requirement = Requirement::may(6455, "4.2.1", "The server chooses the resource by Host.");
const KEY_PRESENT: Requirement = Requirement::must(
    6455,
    "4.2.1",
    "A server responds with an error to a handshake without Sec-WebSocket-Key.",
);
const KEY_FORM: Requirement = Requirement::may(
    6455,
    "4.2.2",
    "The key is 16 bytes in base64, but a server does not have to decode it.",
);
const KEY_ONCE: Requirement =
    Requirement::may(6455, "11.3.1", "Sec-WebSocket-Key must not appear more than once in a request.");
const NAMES: Requirement = Requirement::must(9110, "5.1", "Field names are compared without their case.");
const WHITESPACE: Requirement =
    Requirement::must(9112, "5.1", "Whitespace around a field value is not part of the value.");
const VERSION_PRESENT: Requirement = Requirement::must(
    6455,
    "4.2.1",
    "A server responds with an error to a handshake whose Sec-WebSocket-Version is not a version.",
);
const VERSION: Requirement = Requirement::must(
    6455,
    "4.2.2",
    "A server answers an unsupported version with an error and with the versions that it supports.",
);
const VERSION_ONCE: Requirement =
    Requirement::may(6455, "11.3.5", "Sec-WebSocket-Version must not appear more than once in a request.");

const KEY_NAME: &str = "Sec-WebSocket-Key";
const VERSION_NAME: &str = "Sec-WebSocket-Version";

pub const ROWS: &[Row] = &[
    (1, "no Upgrade", UPGRADE, StaysHttp, &[Without("Upgrade")]),
    (2, "Upgrade to another protocol", UPGRADE, StaysHttp, &[Set("Upgrade", "h2c")]),
    (3, "Upgrade with a longer name", UPGRADE, StaysHttp, &[Set("Upgrade", "websockets")]),
    (4, "Upgrade with a space in the name", UPGRADE, StaysHttp, &[Set("Upgrade", "web socket")]),
    (5, "an empty Upgrade", UPGRADE, StaysHttp, &[Set("Upgrade", "")]),
    (6, "Upgrade: WebSocket", UPGRADE, Opens, &[Set("Upgrade", "WebSocket")]),
    (7, "Upgrade: WEBSOCKET", UPGRADE, Opens, &[Set("Upgrade", "WEBSOCKET")]),
    (
        8,
        "websocket as the second element of Upgrade",
        UPGRADE,
        OpensOrRefuses,
        &[Set("Upgrade", "h2c, websocket")],
    ),
    (
        9,
        "websocket as the first element of Upgrade",
        UPGRADE,
        OpensOrRefuses,
        &[Set("Upgrade", "websocket, h2c")],
    ),
    (
        10,
        "Upgrade in two lines, of which the second is websocket",
        LIST,
        OpensOrRefuses,
        &[Set("Upgrade", "h2c"), Add("Upgrade: websocket")],
    ),
    (11, "Upgrade: websocket twice", LIST, OpensOrRefuses, &[Add("Upgrade: websocket")]),
    (12, "Upgrade: websocket/13", UPGRADE, Either, &[Set("Upgrade", "websocket/13")]),
    (20, "no Connection", CONNECTION, StaysHttp, &[Without("Connection")]),
    (21, "Connection: keep-alive", CONNECTION, StaysHttp, &[Set("Connection", "keep-alive")]),
    (22, "Connection with a longer token", CONNECTION, StaysHttp, &[Set("Connection", "Upgraded")]),
    (23, "Connection: close", CONNECTION, StaysHttp, &[Set("Connection", "close")]),
    (24, "an empty Connection", CONNECTION, StaysHttp, &[Set("Connection", "")]),
    (25, "Connection: upgrade", CONNECTION, Opens, &[Set("Connection", "upgrade")]),
    (26, "Connection: UPGRADE", CONNECTION, Opens, &[Set("Connection", "UPGRADE")]),
    (27, "Connection: keep-alive, Upgrade", CONNECTION, Opens, &[Set("Connection", "keep-alive, Upgrade")]),
    (28, "Connection: Upgrade,keep-alive", CONNECTION, Opens, &[Set("Connection", "Upgrade,keep-alive")]),
    (
        29,
        "Connection in two lines",
        LIST,
        Opens,
        &[Set("Connection", "keep-alive"), Add("Connection: Upgrade")],
    ),
    (30, "empty elements in Connection", EMPTY_ELEMENTS, Opens, &[Set("Connection", ", Upgrade ,,")]),
    (31, "Connection: Upgrade twice", LIST, Opens, &[Add("Connection: Upgrade")]),
    (32, "Connection: close, Upgrade", CONNECTION, Either, &[Set("Connection", "close, Upgrade")]),
    (40, "no Host", HOST, BadRequest, &[Without("Host")]),
    (41, "Host twice", HOST, BadRequest, &[Add("Host: {authority}")]),
    (42, "two different hosts", HOST, BadRequest, &[Add("Host: example.org")]),
    (43, "an invalid Host", HOST, BadRequest, &[Set("Host", "a b")]),
    (44, "an empty Host", HOST, Either, &[Set("Host", "")]),
    (45, "another host", AUTHORITY, OpensOrRefuses, &[Set("Host", "example.org")]),
    (46, "host in lower case", NAMES, Opens, &[Replace("Host:", "host:")]),
    (50, "no key", KEY_PRESENT, Refuses, &[Without(KEY_NAME)]),
    (51, "an empty key", KEY_FORM, RefusesOrOpens, &[Set(KEY_NAME, "")]),
    (52, "a key of 15 bytes", KEY_FORM, RefusesOrOpens, &[Set(KEY_NAME, "dGhlIHNhbXBsZSBub25j")]),
    (53, "a key of 17 bytes", KEY_FORM, RefusesOrOpens, &[Set(KEY_NAME, "dGhlIHNhbXBsZSBub25jZWE=")]),
    (54, "a key without padding", KEY_FORM, RefusesOrOpens, &[Set(KEY_NAME, "dGhlIHNhbXBsZSBub25jZQ")]),
    (55, "a key that is not base64", KEY_FORM, RefusesOrOpens, &[Set(KEY_NAME, "dGhl!HNhbXBsZSBub25jZQ==")]),
    (
        56,
        "a key in the alphabet for URLs",
        KEY_FORM,
        RefusesOrOpens,
        &[Set(KEY_NAME, "_-hlIHNhbXBsZSBub25jZQ==")],
    ),
    (
        57,
        "a key with bits after the last byte",
        KEY_FORM,
        RefusesOrOpens,
        &[Set(KEY_NAME, "dGhlIHNhbXBsZSBub25jZR==")],
    ),
    (
        58,
        "the same key twice",
        KEY_ONCE,
        RefusesOrOpens,
        &[Add("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")],
    ),
    (59, "two keys", KEY_ONCE, RefusesOrOpens, &[Add("Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==")]),
    (
        60,
        "a list of two keys",
        KEY_FORM,
        RefusesOrOpens,
        &[Set(KEY_NAME, "dGhlIHNhbXBsZSBub25jZQ==, AQIDBAUGBwgJCgsMDQ4PEA==")],
    ),
    (61, "sec-websocket-key in lower case", NAMES, Opens, &[Replace(KEY_NAME, "sec-websocket-key")]),
    (62, "whitespace around the key", WHITESPACE, Opens, &[Set(KEY_NAME, " \t dGhlIHNhbXBsZSBub25jZQ==\t ")]),
    (70, "no version", VERSION_PRESENT, Refuses, &[Without(VERSION_NAME)]),
    (71, "version 0", VERSION, OffersVersionOrOpens, &[Set(VERSION_NAME, "0")]),
    (72, "version 7", VERSION, OffersVersionOrOpens, &[Set(VERSION_NAME, "7")]),
    (73, "version 8", VERSION, OffersVersionOrOpens, &[Set(VERSION_NAME, "8")]),
    (74, "version 12", VERSION, OffersVersionOrOpens, &[Set(VERSION_NAME, "12")]),
    (75, "version 14", VERSION, OffersVersion, &[Set(VERSION_NAME, "14")]),
    (76, "version 255", VERSION, OffersVersion, &[Set(VERSION_NAME, "255")]),
    (77, "version 269, which is 13 in one byte", VERSION_PRESENT, Refuses, &[Set(VERSION_NAME, "269")]),
    (78, "version 013", VERSION_PRESENT, RefusesOrOpens, &[Set(VERSION_NAME, "013")]),
    (79, "version 13.0", VERSION_PRESENT, Refuses, &[Set(VERSION_NAME, "13.0")]),
    (80, "version +13", VERSION_PRESENT, Refuses, &[Set(VERSION_NAME, "+13")]),
    (81, "version 130", VERSION, OffersVersion, &[Set(VERSION_NAME, "130")]),
    (82, "version 1", VERSION, OffersVersionOrOpens, &[Set(VERSION_NAME, "1")]),
    (83, "a version that is not a number", VERSION_PRESENT, Refuses, &[Set(VERSION_NAME, "thirteen")]),
    (84, "an empty version", VERSION_PRESENT, Refuses, &[Set(VERSION_NAME, "")]),
    (85, "version 13 twice", VERSION_ONCE, RefusesOrOpens, &[Add("Sec-WebSocket-Version: 13")]),
    (
        86,
        "version 13 and another line with 8",
        VERSION_ONCE,
        RefusesOrOpens,
        &[Add("Sec-WebSocket-Version: 8")],
    ),
    (
        87,
        "version 8 and another line with 13",
        VERSION_ONCE,
        RefusesOrOpens,
        &[Set(VERSION_NAME, "8"), Add("Sec-WebSocket-Version: 13")],
    ),
    (88, "versions 13, 8 in one line", VERSION_PRESENT, Refuses, &[Set(VERSION_NAME, "13, 8")]),
    (89, "versions 8, 13 in one line", VERSION_PRESENT, Refuses, &[Set(VERSION_NAME, "8, 13")]),
    (90, "whitespace around the version", WHITESPACE, Opens, &[Set(VERSION_NAME, "\t 13 \t")]),
    (
        91,
        "sec-websocket-version in lower case",
        NAMES,
        Opens,
        &[Replace(VERSION_NAME, "sec-websocket-version")],
    ),
];
