//! The application API has nothing that no example and no command uses.

use std::fs;

use crate::files::files;

/// Returns the names of the public functions in a source.
fn public_functions(source: &str) -> impl Iterator<Item = &str> {
    let lines = source.lines().filter_map(|line| line.trim_start().strip_prefix("pub fn "));
    lines.filter_map(|line| line.split(['(', '<']).next())
}

#[test]
fn an_example_or_a_command_uses_each_function_of_the_application_api() {
    let read = |folder: &str| -> Vec<String> {
        let files = files(folder, "rs").into_iter();
        files.map(|file| fs::read_to_string(file).expect("source is UTF-8")).collect()
    };
    let standard = fs::read_to_string("src/app/endpoints.rs").expect("the application of serve");
    let users = [read("examples"), read("src/tools"), vec![standard]].concat();
    let is_used = |name: &str| {
        let calls = [format!(".{name}("), format!("::{name}("), format!(".{name}::<")];
        users.iter().any(|user| calls.iter().any(|call| user.contains(call)))
    };
    let api = read("src/app");
    let names: Vec<&str> = api.iter().flat_map(|source| public_functions(source)).collect();
    assert!(names.len() > 30, "{} functions are too few: they were not found", names.len());
    let unused: Vec<&str> = names.into_iter().filter(|name| !is_used(name)).collect();
    assert!(unused.is_empty(), "no example and no command uses {unused:?}: remove it or show it");
}
