//! `docs/conform-findings.md`: the faults are failures of the servers, and the example is true.

use std::fs;
use std::path::Path;

use barewire::protocol::sse::{DecodeLimits, Decoder};

const PAGE: &str = include_str!("../../../docs/conform-findings.md");

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn each_fault_is_an_expected_failure_with_its_section() {
    let list = read("tests/conform/list.txt");
    let mut rows = 0;
    for row in PAGE.lines().filter(|line| line.starts_with("| ")).skip(2) {
        let [_, server, _, section, cases, _] = row.split('|').map(str::trim).collect::<Vec<_>>()[..] else {
            panic!("{row}");
        };
        let outcomes = read(&format!("tests/suites/conform/{server}.expect"));
        for case in cases.split(", ") {
            let fails = outcomes.lines().any(|line| {
                let mut words = line.split_whitespace();
                (words.next(), words.next()) == (Some(case), Some("fail"))
            });
            assert!(fails, "{server}: {case} is not a failure");
            let title = list.lines().find(|line| line.trim().starts_with(&format!("{case} ")));
            let title = title.unwrap_or_else(|| panic!("{case} is not a case"));
            assert!(title.contains(" MUST "), "{title}");
            assert!(title.contains(section), "{server}: {title}, not {section}");
        }
        rows += 1;
    }
    assert!(rows >= 15, "{rows} rows");
}

#[test]
fn a_cr_in_the_data_becomes_a_field() {
    // The server splits the data as the page says.
    let split = PAGE.split("```js\n").nth(1).and_then(|block| block.lines().next()).expect("the line");
    assert!(read("tests/suites/conform/servers/node-sse.js").contains(split), "{split}");
    let examples: Vec<_> = PAGE.split("```text\n").skip(1).collect();
    for (example, event, data) in
        [(examples[0], "message", "first\nsecond"), (examples[1], "injected", "hello")]
    {
        let line = |name: &str| {
            let line = example.lines().find_map(|line| line.strip_prefix(name)).expect("a line");
            line.trim_start().replace('␊', "\n").replace('␍', "\r")
        };
        let fields: String = line("published").split('\n').map(|line| format!("data: {line}\n")).collect();
        assert_eq!(line("stream"), format!("id: 1\n{fields}\n"));
        let mut decoder = Decoder::new("", DecodeLimits::default());
        let (_, decoded) = decoder.read(line("stream").as_bytes()).expect("an event stream");
        let decoded = decoded.expect("an event");
        assert_eq!((&*decoded.event, &*decoded.data), (event, data));
    }
}
