//! The cases of `src/tools/conform/http/cases`: malformed and borderline bytes, and the expected
//! outcomes.

use std::path::Path;

use super::connection::Connection;
use super::server::Server;
use crate::vectors;

/// Sent after the bytes of every case. It gets a 200 only if the server has read the case exactly
/// to its end and keeps the connection open, so its response shows what happened to the connection.
const LAST: &[u8] = b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

/// The number of places at which long cases are split.
const PLACES: usize = 128;

/// What the RFC asks a server to do with a case.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rule {
    Refuse,
    /// The request is malformed, and a recipient may refuse or repair it (RFC 9110 §2.4); or it
    /// asks for more than a server has to support.
    Either,
    Accept,
}

/// The state of the connection after a case.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum After {
    /// The connection ends with the last response.
    End,
    /// The connection continues with the next request.
    On,
    /// The server waits for more of the case.
    Waits,
}

/// One case.
pub struct Case {
    pub name: String,
    /// The number of the file, and of the case in it.
    pub number: (u32, u32),
    pub bytes: Vec<u8>,
    pub rule: Rule,
    /// Whether the rule is a SHOULD of the RFC, so that a server may have reasons to deviate.
    pub is_advice: bool,
    /// How the connection must not be afterwards, even if the server accepts the request.
    pub forbidden: &'static [After],
    /// The most requests that may be accepted. A request beyond is hidden in another one.
    pub most: usize,
    /// The statuses of all responses, including interim ones.
    pub statuses: Vec<u16>,
    pub after: After,
}

/// Reads the cases of all files.
pub fn cases() -> Vec<Case> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tools/conform/http/cases");
    let entries = std::fs::read_dir(directory).expect("the cases");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("a file").path()).collect();
    files.sort();
    let cases = files.iter().flat_map(|file| {
        let text = std::fs::read_to_string(file).expect("a file of text");
        vectors::parse(&text).iter().map(case).collect::<Vec<_>>()
    });
    cases.collect()
}

fn case(vector: &vectors::Vector) -> Case {
    let name = vector.text("name").to_owned();
    let (file, count) = vector.text("number").split_once('.').expect("two numbers");
    let number = (file.parse().expect("a number"), count.parse().expect("a number"));
    let (rule, _) = vector.text("rule").split_once(", RFC ").expect("a rule and its section");
    let (rule, forbidden): (_, &[After]) = match rule.split_once(" but must ") {
        Some((rule, "end")) => (rule, &[After::On, After::Waits]),
        Some((rule, "not go on")) => (rule, &[After::On]),
        Some((_, other)) => panic!("{name}, line {}: unknown rule {other:?}", vector.line),
        None => (rule, &[]),
    };
    let (rule, is_advice) = match rule {
        "must refuse" => (Rule::Refuse, false),
        "should refuse" => (Rule::Refuse, true),
        "may refuse" => (Rule::Either, false),
        "should accept" => (Rule::Accept, true),
        "must accept" => (Rule::Accept, false),
        other => panic!("{name}, line {}: unknown rule {other:?}", vector.line),
    };
    let most = vector.get("most").map_or(usize::MAX, |_| vector.text("most").parse().expect("a number"));
    let mut words: Vec<&str> = vector.text("is").split(' ').collect();
    let after = match words.pop() {
        Some("end") => After::End,
        Some("on") => After::On,
        Some("waits") => After::Waits,
        other => panic!("{name}, line {}: expected end, on or waits, found {other:?}", vector.line),
    };
    let statuses = words.iter().map(|word| word.parse().expect("a status")).collect();
    let bytes = vector.get("in").expect("the case's bytes").to_vec();
    Case { name, number, bytes, rule, is_advice, forbidden, most, statuses, after }
}

impl Case {
    /// Returns every way to split the case, with the last request after it: not at all, in two
    /// parts at every byte of the case, and byte by byte.
    pub fn splits(&self) -> Vec<Vec<Vec<u8>>> {
        let length = self.bytes.len();
        let all = [&self.bytes[..], LAST].concat();
        let owned = |parts: &[&[u8]]| parts.iter().map(|part| part.to_vec()).collect::<Vec<_>>();
        if length <= 4 * PLACES {
            let singles: Vec<&[u8]> = all.chunks(1).collect();
            let halves = (1..=length).map(|at| owned(&[&all[..at], &all[at..]]));
            return [owned(&[&all]), owned(&singles)].into_iter().chain(halves).collect();
        }
        // In a long case only the ends matter, and some places in the middle.
        let middle = (1..PLACES / 2).map(|part| length * part / (PLACES / 2));
        let places = (1..=PLACES / 4).chain(middle).chain(length - PLACES / 4..=length);
        let halves = places.map(|at| owned(&[&all[..at], &all[at..]]));
        [owned(&[&all])].into_iter().chain(halves).collect()
    }

    /// Sends the case in these parts, and fails if the outcome differs from the expected one.
    /// `other` is another connection to the same server.
    pub fn play(&self, parts: &[Vec<u8>], server: &Server, other: &mut Connection) {
        let mut connection = server.connect();
        for (number, part) in parts.iter().enumerate() {
            if number > 0 {
                // The server has one thread and reads in order of arrival: once it responds here,
                // it has read the previous part.
                other.send(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n");
                assert_eq!(other.response().status, 200);
            }
            connection.send(part);
        }
        if self.after == After::Waits {
            connection.half_close();
        }
        let method = if self.bytes.starts_with(b"HEAD ") { "HEAD" } else { "GET" };
        let mut statuses = Vec::new();
        while statuses.len() < self.statuses.len() {
            let response = connection.response_to(method);
            statuses.extend(&response.interim);
            statuses.push(response.status);
            if response.status >= 400 {
                response.assert_problem(response.status);
            }
            let last = statuses.len() >= self.statuses.len() && self.after == After::End;
            assert_eq!(response.ends(), last, "{statuses:?} {response:?}");
        }
        assert_eq!(statuses, self.statuses);
        if self.after == After::On {
            let last = connection.response();
            assert!(last.status == 200 && last.text().starts_with("# HELP ") && last.ends(), "{last:?}");
        }
        assert!(connection.is_at_end(), "there is data after the last response");
    }
}
