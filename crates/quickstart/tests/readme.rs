//! What the documents say against what there is: the README's tables of settings and commands, the tests
//! that SECURITY.md names.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests, and the functions they share"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args as _, Command, CommandFactory as _};

const README: &str = include_str!("../../../README.md");
const OPERATIONS: &str = include_str!("../../../docs/OPERATIONS.md");
const ALERTS: &str = include_str!("../../../deploy/prometheus-alerts.yml");
const DECISIONS: &str = include_str!("../../../docs/DECISIONS.md");
const SECURITY: &str = include_str!("../../../SECURITY.md");

/// Which services have a variable, and its default.
type Variables = BTreeMap<String, (Vec<&'static str>, Option<String>)>;

fn variables() -> Variables {
    let mut all = Variables::new();
    for (service, command) in [
        (
            "auth-server",
            auth_server::Settings::augment_args(Command::new("")),
        ),
        (
            "resource-api",
            resource_api::Settings::augment_args(Command::new("")),
        ),
    ] {
        for argument in command.get_arguments() {
            let Some(variable) = argument.get_env() else {
                panic!("{} has no variable", argument.get_id());
            };
            let default = argument.get_default_values().first();
            let default = default.map(|value| value.to_str().unwrap().to_owned());
            let default = default.filter(|value| !value.is_empty());
            let known = all
                .entry(variable.to_str().unwrap().to_owned())
                .or_default();
            known.0.push(service);
            known.1 = default;
        }
    }
    all
}

/// The README's table of settings, in the same form.
fn table() -> Variables {
    let section = README.split("\n## Settings\n").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let mut all = Variables::new();
    for row in section.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let [_, names, default, service, ..] = cells[..] else {
            panic!("not a row of settings: {row}");
        };
        let services = match service {
            "both" => vec!["auth-server", "resource-api"],
            "auth-server" => vec!["auth-server"],
            "resource-api" => vec!["resource-api"],
            other => panic!("no service: {other}"),
        };
        let default = default
            .strip_prefix('`')
            .and_then(|it| it.strip_suffix('`'));
        for name in names.split(", ") {
            let value = (services.clone(), default.map(str::to_owned));
            all.insert(name.trim_matches('`').to_owned(), value);
        }
    }
    all
}

#[test]
fn the_table_of_settings_is_what_help_says() {
    let (told, true_ones) = (table(), variables());
    for (name, value) in &true_ones {
        assert_eq!(told.get(name), Some(value), "{name} in the README");
    }
    assert_eq!(
        told.len(),
        true_ones.len(),
        "the README tells of a variable that is none"
    );
}

#[test]
fn the_list_of_commands_is_what_help_says() {
    let section = README.split("\n## Commands\n").nth(1).unwrap();
    let list = section.split("```").nth(1).unwrap();
    let listed = |path: &str| {
        let mut lines = list.lines();
        lines.any(|line| {
            line == path
                || line
                    .strip_prefix(path)
                    .is_some_and(|rest| rest.starts_with(' '))
        })
    };
    let root = auth_server::cli::Cli::command();
    let mut paths = vec![("auth-server".to_owned(), &root)];
    while let Some((path, command)) = paths.pop() {
        let mut below: Vec<_> = command
            .get_subcommands()
            .map(|it| (format!("{path} {}", it.get_name()), it))
            .collect();
        assert!(
            !below.is_empty() || listed(&path),
            "{path} is not in the README"
        );
        paths.append(&mut below);
    }
    for line in list.lines().filter(|line| line.starts_with("auth-server ")) {
        let words = line
            .split_whitespace()
            .skip(1)
            .take_while(|word| word.chars().all(|c| c.is_ascii_lowercase() || c == '-'));
        let mut command = &root;
        for word in words.take(2) {
            let Some(next) = command.find_subcommand(word) else {
                break;
            };
            command = next;
        }
        let is_command = command.get_subcommands().next().is_none() || line.ends_with(" serves");
        assert!(is_command, "there is no such command: {line}");
    }
}

/// The Rust files below a folder.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn the_tests_that_hold_the_promises_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut files = Vec::new();
    for folder in ["crates", "tests"] {
        sources(&root.join(folder), &mut files);
    }
    let code: String = files
        .iter()
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    let promises = SECURITY.split("\n## What is promised").nth(1).unwrap();
    let promises = promises.split("\n## ").next().unwrap();
    let is_test = |name: &&str| {
        let sober = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        name.matches('_').count() > 1 && name.chars().all(sober)
    };
    let named: Vec<_> = promises
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(is_test)
        .collect();
    assert!(named.len() > 50, "only {}", named.len());
    for name in named {
        assert!(
            code.contains(&format!("fn {name}(")),
            "there is no test {name}"
        );
    }
}

#[test]
fn every_alert_is_explained_and_no_other() {
    let rules: Vec<_> = ALERTS
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "))
        .collect();
    assert!(rules.len() > 5);
    for rule in &rules {
        assert!(
            OPERATIONS.contains(&format!("`{rule}`")),
            "{rule} is not in docs/OPERATIONS.md"
        );
    }
    let names = OPERATIONS.split('`').skip(1).step_by(2);
    for name in names.filter(|name| name.starts_with("Keyturn")) {
        assert!(rules.contains(&name), "there is no alert {name}");
    }
}

#[test]
fn the_decisions_are_numbered_one_after_the_other() {
    let numbers: Vec<usize> = DECISIONS
        .lines()
        .filter_map(|line| line.strip_prefix("**")?.split_once(". ")?.0.parse().ok())
        .collect();
    assert!(numbers.len() > 20);
    assert_eq!(numbers, (1..=numbers.len()).collect::<Vec<_>>());
}
