//! Checks that every link between pages leads to an existing file and heading.

use std::fs;
use std::path::{Path, PathBuf};

/// Returns the targets of the inline links in a Markdown text without its code fences, each with
/// its line.
fn links(text: &str) -> Vec<(usize, &str)> {
    let mut in_fence = false;
    let mut links = Vec::new();
    for (number, line) in text.lines().enumerate() {
        in_fence ^= line.starts_with("```");
        let targets = line.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0));
        links.extend(targets.filter(|_| !in_fence).map(|target| (number + 1, target)));
    }
    links
}

/// Returns the anchor of a heading as GitHub makes it.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
    kept.map(|letter| if letter == ' ' { '-' } else { letter.to_ascii_lowercase() }).collect()
}

/// Returns true if the text has a heading with this anchor.
fn has_anchor(text: &str, wanted: &str) -> bool {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings.map(|line| anchor(line.trim_start_matches('#'))).any(|anchor| anchor == wanted)
}

/// Returns one line for each link on the page that leads nowhere.
fn broken_links(page: &Path, text: &str) -> Vec<String> {
    let leads_somewhere = |target: &str| {
        let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
        let file = if path.is_empty() { page.to_owned() } else { page.with_file_name(path) };
        let content = if path.is_empty() { text.to_owned() } else { read_or_empty(&file) };
        (path.is_empty() || file.exists()) && (anchor.is_empty() || has_anchor(&content, anchor))
    };
    let internal = links(text).into_iter().filter(|(_, target)| !target.contains("://"));
    let broken = internal.filter(|(_, target)| !leads_somewhere(target));
    broken.map(|(line, target)| format!("{}:{line}: {target} leads nowhere", page.display())).collect()
}

fn read_or_empty(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn every_link_in_the_documentation_leads_to_a_file_and_a_heading() {
    let in_docs = fs::read_dir(root().join("docs")).expect("docs/ exists");
    let mut pages: Vec<PathBuf> = in_docs.map(|entry| entry.expect("the entry is readable").path()).collect();
    pages.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    pages.extend(["README.md", "CONTRIBUTING.md", "tests/suites/README.md"].map(|path| root().join(path)));
    let text = |page: &PathBuf| fs::read_to_string(page).expect("the page is UTF-8");
    let broken: Vec<String> = pages.iter().flat_map(|page| broken_links(page, &text(page))).collect();
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn docs_readme_lists_every_page() {
    let index = read_or_empty(&root().join("docs/README.md"));
    for entry in fs::read_dir(root().join("docs")).expect("docs/ exists") {
        let name = entry.expect("the entry is readable").file_name().into_string().expect("UTF-8");
        let is_listed = index.contains(&format!("]({name})"));
        assert!(!name.ends_with(".md") || name == "README.md" || is_listed, "docs/README.md lacks {name}");
    }
}

#[test]
fn reports_a_broken_link_with_page_and_line() {
    let text = "\
        # A page, and `code`!\n[1](README.md) [2](docs/bench.md#json) [3](#a-page-and-code)\n\
        [4](https://a.example/none) [5](none.md)\n```\n[6](none.md)\n```\n[7](README.md#none) [8](#none)";
    let broken = broken_links(&root().join("page.md"), text);
    let endings = ["page.md:3: none.md", "page.md:7: README.md#none", "page.md:7: #none"];
    assert_eq!(broken.len(), endings.len(), "{broken:?}");
    for (line, ending) in broken.iter().zip(endings) {
        assert!(line.ends_with(&format!("{ending} leads nowhere")), "{line}");
    }
}
