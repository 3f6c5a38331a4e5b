//! Section 13: the fields of a stream, as a client interprets them.

use super::reader::message;
use crate::tools::conform::case::{Case, Cases, Requirement, Suite};

const SPACE: Requirement =
    Requirement::html("9.2.6", "One space after the colon does not belong to the value.");
const NO_COLON: Requirement =
    Requirement::html("9.2.6", "A line without a colon is the name of a field whose value is empty.");
const UNKNOWN: Requirement =
    Requirement::html("9.2.6", "A field with another name is ignored; names are compared literally.");
const COMMENT: Requirement = Requirement::html("9.2.6", "A line that starts with a colon is ignored.");
const DATA: Requirement = Requirement::html(
    "9.2.6",
    "The values of data are joined with LF, and the LF after the last is removed.",
);
const EVENT: Requirement = Requirement::html(
    "9.2.6",
    "The type of an event is the last value of event in its block; an empty one is message.",
);
const NO_DATA: Requirement =
    Requirement::html("9.2.6", "A block whose data buffer is empty dispatches no event, but sets the ID.");
const ID: Requirement = Requirement::html("9.2.6", "An ID stays in effect until a block has another one.");
const NUL: Requirement = Requirement::html("9.2.6", "An ID with a NUL is ignored.");
const RETRY: Requirement =
    Requirement::html("9.2.6", "A field retry is no event, and is ignored unless its value is digits only.");

/// Returns the cases of the section.
pub fn cases() -> Vec<Case> {
    let mut section = Cases::of(Suite::Sse, 13, "the fields of a stream");
    names_and_values(&mut section);
    data_and_types(&mut section);
    ids(&mut section);
    section.into_vec()
}

fn names_and_values(section: &mut Cases) {
    section.stream(1, "no space after the colon", SPACE, "data:a\n\n", [message("a")]);
    section.stream(2, "two spaces after the colon", SPACE, "data:  a\n\n", [message(" a")]);
    section.stream(3, "a tab after the colon", SPACE, "data:\ta\n\n", [message("\ta")]);
    section.stream(4, "spaces at the end of a value", SPACE, "data: a  \n\n", [message("a  ")]);
    section.stream(
        5,
        "colons in a value",
        SPACE,
        "data: a: b:c\n\ndata::\n\n",
        [message("a: b:c"), message(":")],
    );
    section.stream(6, "data without a colon", NO_COLON, "data\ndata\n\n", [message("\n")]);
    section.stream(7, "event without a colon", NO_COLON, "event: x\nevent\ndata: a\n\n", [message("a")]);
    section.stream(8, "unknown fields", UNKNOWN, "x: 1\ndata: a\ndatas: b\nx\n\n", [message("a")]);
    section.stream(9, "names in capital letters", UNKNOWN, "DATA: a\nData: b\ndata: c\n\n", [message("c")]);
    section.stream(
        10,
        "a space before a name or a colon",
        UNKNOWN,
        " data: a\ndata : b\ndata: c\n\n",
        [message("c")],
    );
    section.stream(11, "comments", COMMENT, ": data: a\n:\n::\ndata: b\n:data: c\n\n", [message("b")]);
    section.stream(12, "a block with comments only", COMMENT, ": a\n\n: b\n\n", []);
}

fn data_and_types(section: &mut Cases) {
    section.stream(21, "three lines of data", DATA, "data: a\ndata:\ndata: c\n\n", [message("a\n\nc")]);
    section.stream(22, "empty lines of data", DATA, "data:\ndata:\ndata:\n\n", [message("\n\n")]);
    section.stream(
        23,
        "lines of data between other fields",
        DATA,
        "data: a\nid: 1\n: x\ndata: b\n\n",
        [message("a\nb").id("1")],
    );
    section.stream(
        24,
        "a type",
        EVENT,
        "event: greeting\ndata: a\n\ndata: b\n\n",
        [message("a").named("greeting"), message("b")],
    );
    section.stream(
        25,
        "two types in a block",
        EVENT,
        "event: one\nevent: two\ndata: a\n\n",
        [message("a").named("two")],
    );
    section.stream(26, "an empty type", EVENT, "event:\ndata: a\n\n", [message("a")]);
    section.stream(
        27,
        "a type after the data",
        EVENT,
        "data: a\nevent: late\n\n",
        [message("a").named("late")],
    );
    section.stream(28, "a block without data", NO_DATA, "event: x\n\ndata: a\n\n", [message("a")]);
    section.stream(
        29,
        "an event with empty data",
        DATA,
        "data\n\ndata:\n\ndata: a\n\n",
        [message(""), message(""), message("a")],
    );
}

fn ids(section: &mut Cases) {
    section.stream(
        31,
        "an ID stays in effect",
        ID,
        "id: 1\ndata: a\n\ndata: b\n\nid: 2\ndata: c\n\n",
        [message("a").id("1"), message("b").id("1"), message("c").id("2")],
    );
    section.stream(
        32,
        "an empty ID",
        ID,
        "id: 1\ndata: a\n\nid\ndata: b\n\nid: 1\ndata: c\n\nid:\ndata: d\n\n",
        [message("a").id("1"), message("b"), message("c").id("1"), message("d")],
    );
    section.stream(
        33,
        "an ID in a block without data",
        NO_DATA,
        "id: 1\n\ndata: a\n\n",
        [message("a").id("1")],
    );
    section.stream(34, "two IDs in a block", ID, "id: 1\ndata: a\nid: 2\n\n", [message("a").id("2")]);
    section.stream(
        35,
        "an ID with a NUL",
        NUL,
        "id: 1\ndata: a\n\nid: 2\u{0}3\ndata: b\n\n",
        [message("a").id("1"), message("b").id("1")],
    );
    section.stream(
        36,
        "an ID with spaces and other scripts",
        ID,
        "id:  a é€ \ndata: a\n\n",
        [message("a").id(" a é€ ")],
    );
    section.stream(37, "retry within a block", RETRY, "data: a\nretry: 100\ndata: b\n\n", [message("a\nb")]);
    section.stream(
        38,
        "retry that is no number",
        RETRY,
        "retry: 1a\nretry: -1\nretry: +1\nretry\nretry: 1.5\ndata: a\n\n",
        [message("a")],
    );
}
