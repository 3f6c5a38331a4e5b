//! Unknown commands, options and words: the same sentence in every command, with the nearest name.

use crate::harness::run;

const COMMANDS: [&[&str]; 7] =
    [&["serve"], &["follow"], &["publish"], &["compare"], &["explain"], &["tap"], &["bench", "echo"]];

/// Returns the errors of a run that must be a usage error.
fn usage_error(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{arguments:?}");
    String::from_utf8(output.stderr).expect("UTF-8")
}

#[test]
fn every_command_reports_an_unknown_option_in_the_same_words() {
    for command in COMMANDS {
        let name = command[0];
        for option in ["--nonsense", "--nonsense=1", "-Z"] {
            let errors = usage_error(&[command, &[option]].concat());
            let shown = option.trim_end_matches("=1");
            assert_eq!(errors, format!("barewire: unknown option {shown}\nTry barewire {name} --help.\n"));
        }
    }
    // Without a command, the options are those of the server.
    let errors = usage_error(&["--nonsense"]);
    assert_eq!(errors, "barewire: unknown option --nonsense\nTry barewire serve --help.\n");
    assert_eq!(usage_error(&["nonsense"]), "barewire: unknown command \"nonsense\"\nTry barewire --help.\n");
}

#[test]
fn suggests_the_nearest_command_option_or_word() {
    for (arguments, suggestion) in [
        (&["serv"][..], "unknown command \"serv\"; did you mean serve?"),
        (&["subscribe"], "unknown command \"subscribe\"; did you mean follow?"),
        (&["publsih"], "unknown command \"publsih\"; did you mean publish?"),
        (&["version"], "unknown command \"version\"; did you mean --version?"),
        (&["serve", "--port", "80"], "unknown option --port; did you mean --listen?"),
        (&["--port=80"], "unknown option --port; did you mean --listen?"),
        (&["serve", "-p", "80"], "unknown option -p; did you mean --listen?"),
        (&["serve", "--host", "::"], "unknown option --host; did you mean --listen?"),
        (&["serve", "--bind=::"], "unknown option --bind; did you mean --listen?"),
        (&["serve", "--token", "a"], "unknown option --token; did you mean --publish-token?"),
        (&["serve", "--lisen"], "unknown option --lisen; did you mean --listen?"),
        (&["serve", "--alow-orgin"], "unknown option --alow-orgin; did you mean --allow-origin?"),
        (&["tap", "--target", "a:1"], "unknown option --target; did you mean --to?"),
        (&["tap", "--recrod", "a"], "unknown option --recrod; did you mean --record?"),
        (&["follow", "--topic", "a"], "unknown option --topic; did you mean the argument URL?"),
        (&["follow", "--transport", "sse"], "unknown option --transport; did you mean --via?"),
        (&["--verson"], "unknown option --verson; did you mean --version?"),
        (&["--Version"], "unknown option --Version; did you mean --version?"),
        (&["follow", "--trasport", "sse"], "unknown option --trasport; did you mean --via?"),
        (&["follow", "--fromat", "json"], "unknown option --fromat; did you mean --json?"),
        (&["compare", "--trasport", "sse"], "unknown option --trasport; did you mean --transports?"),
        (&["tap", "--upsteam", "a:1"], "unknown option --upsteam; did you mean --to?"),
        (&["subscirbe"], "unknown command \"subscirbe\"; did you mean follow?"),
        (&["serve", "--json"], "unknown option --json; did you mean --log?"),
        (&["explain", "--json"], "unknown option --json; did you mean --format?"),
        (&["tap", "--json"], "unknown option --json; did you mean --format?"),
        (&["follow", "--format", "json"], "unknown option --format; did you mean --json?"),
        (&["follow", "--jsn"], "unknown option --jsn; did you mean --json?"),
        (&["publish", "--data", "x"], "unknown option --data; did you mean the argument DATA?"),
        (&["publish", "-H", "a: b"], "unknown option -H; did you mean --header?"),
        (&["explain", "--colour", "always"], "unknown option --colour; did you mean --color?"),
        (&["compare", "--transport", "sse"], "unknown option --transport; did you mean --transports?"),
        (&["bench", "ehco"], "unknown workload \"ehco\"; did you mean echo?"),
        (&["bench", "echo", "--conections", "1"], "unknown option --conections; did you mean --connections?"),
    ] {
        let errors = usage_error(arguments);
        let first = errors.lines().next().unwrap_or_default();
        assert_eq!(first, format!("barewire: {suggestion}"), "{arguments:?}");
    }
}

#[test]
fn every_option_of_a_help_is_known() {
    for command in COMMANDS {
        let help = run(&[command[0], "--help"]);
        let help = String::from_utf8(help.stdout).expect("UTF-8");
        let options: Vec<&str> = help
            .lines()
            .filter_map(|line| line.strip_prefix("  --"))
            .filter_map(|line| line.split(' ').next())
            .filter(|name| *name != "help")
            .collect();
        assert!(options.len() >= 4, "{command:?}: {help}");
        for option in options {
            // The first unknown word is the value of an option that has one.
            let option = format!("--{option}");
            let errors = usage_error(&[command, &[&option, "--unknown/a", "--unknown/b"]].concat());
            assert!(!errors.contains(&format!("unknown option {option}")), "{errors}");
        }
    }
}
