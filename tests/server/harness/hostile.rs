//! The cases of `tests/suites/hostile/requests`: bytes that are wrong, or nearly so, and what has to come of them.

use std::path::Path;

use super::connection::Connection;
use super::server::Server;
use crate::vectors;

/// What follows the bytes of every case. It is answered with 200 where the server has read the case to its end, and to no other
/// end, and goes on. So whether it is answered says what became of the connection.
const LAST: &[u8] = b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

/// Longer ones are cut at so many places only.
const PLACES: usize = 128;

/// What an RFC says on a case.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rule {
    /// No server may take it.
    MustRefuse,
    /// It is wrong, and a recipient may refuse or repair it (RFC 9110 §2.4); or it is right, and more than a server has to do.
    MayRefuse,
    /// It is right.
    MustAccept,
}

/// What becomes of the connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum After {
    /// It ends with the last answer.
    End,
    /// It goes on with the next request.
    On,
    /// The server waits for more of the case.
    Waits,
}

/// One case.
pub struct Case {
    pub name: String,
    pub bytes: Vec<u8>,
    pub rule: Rule,
    /// The connection must end, whether the case is refused or not.
    pub must_end: bool,
    /// The statuses of all answers, interim ones among them.
    pub statuses: Vec<u16>,
    pub after: After,
}

/// All cases of all files.
pub fn cases() -> Vec<Case> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suites/hostile/requests");
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
    let (rule, _) = vector.text("rule").split_once(", RFC ").expect("a rule and its section");
    let (rule, must_end) = match rule.strip_suffix(" but must end") {
        Some(rule) => (rule, true),
        None => (rule, false),
    };
    let rule = match rule {
        "must refuse" => Rule::MustRefuse,
        "may refuse" => Rule::MayRefuse,
        "must accept" => Rule::MustAccept,
        other => panic!("{name}, line {}: no such rule: {other}", vector.line),
    };
    let mut words: Vec<&str> = vector.text("is").split(' ').collect();
    let after = match words.pop() {
        Some("end") => After::End,
        Some("on") => After::On,
        Some("waits") => After::Waits,
        other => panic!("{name}, line {}: what becomes of the connection? {other:?}", vector.line),
    };
    let statuses = words.iter().map(|word| word.parse().expect("a status")).collect();
    let bytes = vector.get("in").expect("its bytes").to_vec();
    Case { name, bytes, rule, must_end, statuses, after }
}

impl Case {
    /// Every way to cut it, with the last request behind it: whole, in two at every place of the case, and a byte at a time.
    pub fn cuts(&self) -> Vec<Vec<Vec<u8>>> {
        let length = self.bytes.len();
        let all = [&self.bytes[..], LAST].concat();
        let owned = |pieces: &[&[u8]]| pieces.iter().map(|piece| piece.to_vec()).collect::<Vec<_>>();
        if length <= 4 * PLACES {
            let singles: Vec<&[u8]> = all.chunks(1).collect();
            let halves = (1..=length).map(|at| owned(&[&all[..at], &all[at..]]));
            return [owned(&[&all]), owned(&singles)].into_iter().chain(halves).collect();
        }
        // The ends of a long one are what matters, and some places in its middle.
        let middle = (1..PLACES / 2).map(|part| length * part / (PLACES / 2));
        let places = (1..=PLACES / 4).chain(middle).chain(length - PLACES / 4..=length);
        let halves = places.map(|at| owned(&[&all[..at], &all[at..]]));
        [owned(&[&all])].into_iter().chain(halves).collect()
    }

    /// Plays it in these pieces, and fails if what comes is not what is said. `beside` is another connection to the same server.
    pub fn play(&self, pieces: &[Vec<u8>], server: &Server, beside: &mut Connection) {
        let mut connection = server.connect();
        for (number, piece) in pieces.iter().enumerate() {
            if number > 0 {
                // The server has one thread, and takes what comes in its order: once it answers here it has read what is there.
                beside.send(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n");
                assert_eq!(beside.response().status, 200);
            }
            connection.send(piece);
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
        assert!(connection.is_at_end(), "something stands behind the last answer");
    }
}
