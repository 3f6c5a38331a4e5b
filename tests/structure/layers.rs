//! The direction of dependencies: `tools -> {access_log, app} -> server -> transport`,
//! `app -> page`, `transport -> {protocol, hub}` and `{client, wire} -> text -> protocol`. A
//! violation is reported with its file and line.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::Path;

use crate::files::files;

/// The other layers that each layer may name.
const MAY_NAME: [(&str, &[&str]); 12] = [
    ("page", &[]),
    ("protocol", &[]),
    ("hub", &[]),
    ("text", &["protocol"]),
    ("wire", &["protocol", "text"]),
    ("client", &["protocol", "text"]),
    ("transport", &["protocol", "hub", "text"]),
    ("server", &["transport", "protocol", "hub"]),
    ("app", &["server", "transport", "protocol", "hub", "text", "page"]),
    ("simulation", &["app", "server", "transport", "hub"]),
    ("access_log", &["server", "protocol", "text"]),
    (
        "tools",
        &[
            "app",
            "access_log",
            "simulation",
            "server",
            "transport",
            "protocol",
            "hub",
            "page",
            "wire",
            "client",
            "text",
        ],
    ),
];

/// Returns the source with its comment lines emptied, so that line numbers stay the same.
fn code(source: &str) -> String {
    source
        .lines()
        .map(|line| if line.trim_start().starts_with("//") { "\n".into() } else { format!("{line}\n") })
        .collect()
}

/// Returns the first name of a path, or the first name of each item of a list in braces.
fn first_names(path: &str) -> Vec<String> {
    let name = |text: &str| -> String {
        text.trim_start()
            .chars()
            .take_while(|character| character.is_alphanumeric() || *character == '_')
            .collect()
    };
    let Some(list) = path.strip_prefix('{') else { return vec![name(path)] };
    let (mut names, mut depth, mut item) = (Vec::new(), 0, String::new());
    for character in list.chars() {
        match character {
            '}' if depth == 0 => break,
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                names.push(name(&item));
                item.clear();
                continue;
            }
            _ => {}
        }
        item.push(character);
    }
    names.push(name(&item));
    names
}

/// Returns the names at the root of the crate that a module names, each with its line.
///
/// `depth` is the depth of the module below the root. A path starts at the root with `crate::`, or
/// with as many `super::` as the module is deep. A module inside the file is one level deeper.
fn named(source: &str, depth: usize) -> Vec<(usize, String)> {
    let code = code(source);
    let mut named = Vec::new();
    for root in ["crate::", "barewire::"] {
        for (at, _) in code.match_indices(root) {
            let starts_path = !code[..at].ends_with(|last: char| last.is_alphanumeric() || last == '_');
            if starts_path && !code[..at].ends_with('$') {
                named.extend(first_names(&code[at + root.len()..]).into_iter().map(|name| (at, name)));
            }
        }
    }
    for (at, _) in code.match_indices("super::").filter(|(at, _)| !code[..*at].ends_with("super::")) {
        let mut path = &code[at..];
        let mut levels = 0;
        while let Some(rest) = path.strip_prefix("super::") {
            (path, levels) = (rest, levels + 1);
        }
        let inside = usize::from(code[..at].contains("\nmod tests {"));
        if levels == depth + inside {
            named.extend(first_names(path).into_iter().map(|name| (at, name)));
        }
    }
    let line = |at: usize| code[..at].matches('\n').count() + 1;
    named.into_iter().map(|(at, name)| (line(at), name)).collect()
}

/// Returns the layers that a file names but may not name, each with its line.
fn violations(layer: &str, depth: usize, source: &str) -> Vec<(usize, String)> {
    let may_name: HashMap<_, _> = MAY_NAME.into_iter().collect();
    let allowed = may_name.get(layer).unwrap_or_else(|| panic!("the layer {layer} is missing in the table"));
    let forbidden = |name: &str| name != layer && may_name.contains_key(name) && !allowed.contains(&name);
    named(source, depth).into_iter().filter(|(_, name)| forbidden(name)).collect()
}

#[test]
fn each_layer_names_permitted_layers_only() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut found, mut layers) = (Vec::new(), HashSet::new());
    for path in files("src", "rs") {
        let relative = path.strip_prefix(&root).expect("a file of the source");
        let parts: Vec<&str> = relative.iter().map(|part| part.to_str().expect("UTF-8")).collect();
        let [layer, .., name] = parts[..] else { continue };
        layers.insert(layer.to_owned());
        let depth = parts.len() - usize::from(name == "mod.rs");
        let source = fs::read_to_string(&path).expect("UTF-8");
        for (line, name) in violations(layer, depth, &source) {
            found.push(format!("{}:{line}: {layer} names {name}", path.display()));
        }
    }
    assert!(layers.len() >= 6, "there are too few layers: has the source moved?");
    assert!(found.is_empty(), "these lines name a forbidden layer:\n{}", found.join("\n"));
}

/// The layers that receive bytes and time as values.
const WITHOUT_IO: [&str; 6] = ["page", "protocol", "hub", "transport", "text", "wire"];

/// What such a layer may not name: sockets, files, threads, clocks and random numbers.
const IO: [&str; 12] = [
    "std::io",
    "std::fs",
    "std::env",
    "std::process",
    "std::thread",
    "std::os",
    "mio",
    "TcpStream",
    "TcpListener",
    "Instant",
    "SystemTime",
    "RandomState",
];

/// Returns the I/O that a file names.
fn named_io(source: &str) -> Vec<&'static str> {
    let code = code(source);
    let is_name = |part: char| part.is_alphanumeric() || part == '_';
    let names = |io: &&str| {
        code.match_indices(*io)
            .any(|(at, _)| !code[..at].ends_with(is_name) && !code[at + io.len()..].starts_with(is_name))
    };
    IO.iter().filter(|io| names(io)).copied().collect()
}

#[test]
fn the_layers_below_the_server_have_no_io_and_no_clock() {
    let mut found = Vec::new();
    for path in WITHOUT_IO.iter().flat_map(|layer| files(&format!("src/{layer}"), "rs")) {
        let source = fs::read_to_string(&path).expect("UTF-8");
        found.extend(named_io(&source).iter().map(|io| format!("{}: {io}", path.display())));
    }
    assert!(found.is_empty(), "these files name I/O, a clock or random numbers:\n{}", found.join("\n"));
}

#[test]
fn finds_io_in_every_spelling() {
    for source in
        ["use std::io;", "use std::io::{self, Read};", "let now = std::time::Instant::now();", "mio::Poll"]
    {
        assert_eq!(named_io(source).len(), 1, "{source}");
    }
    for source in ["use std::net::IpAddr;", "// std::io", "use std::iter::once;", "struct Instants;"] {
        assert_eq!(named_io(source), [""; 0], "{source}");
    }
}

#[test]
fn finds_a_violation_in_every_spelling() {
    for source in [
        "use crate::server::Options;",
        "use crate::{hub, server::Options};",
        "use crate::{\n    hub::{Hub, Log},\n    server,\n};",
        "fn f() -> crate::server::Options {}",
        "use super::super::server::Options;",
        "use super::super::{hub, server};",
        "\nmod tests {\n    use super::super::super::server;\n}",
        "use barewire::server;",
    ] {
        assert_eq!(violations("transport", 2, source).len(), 1, "{source}");
    }
    for source in [
        "use crate::hub::Hub;",
        "use crate::transport::Service;",
        "    /// [`crate::server`] is above.",
        "use super::server;",
        "\nmod tests {\n    use super::super::server;\n}",
        "use crate::hub::server;",
    ] {
        assert_eq!(violations("transport", 2, source), [], "{source}");
    }
    assert_eq!(violations("hub", 2, "use crate::protocol::json;").len(), 1);
    assert_eq!(violations("protocol", 3, "use crate::hub::Id;").len(), 1);
}
