//! What the documents say against what there is: the tables of settings and commands, the tests that
//! SECURITY.md names, the links from one page to another.
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
const SETTINGS: &str = include_str!("../../../docs/SETTINGS.md");
const COMMANDS: &str = include_str!("../../../docs/COMMANDS.md");
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

/// The table of settings on a page, in the same form.
fn table(page: &str) -> Variables {
    let mut all = Variables::new();
    for row in page.lines().filter(|line| line.starts_with("| `")) {
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
    let (told, true_ones) = (table(SETTINGS), variables());
    for (name, value) in &true_ones {
        assert_eq!(told.get(name), Some(value), "{name} in docs/SETTINGS.md");
    }
    assert_eq!(
        told.len(),
        true_ones.len(),
        "docs/SETTINGS.md tells of a variable that is none"
    );
}

#[test]
fn the_settings_in_the_readme_are_rows_of_the_whole_table() {
    let section = README.split("\n## Settings\n").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows: Vec<_> = section
        .lines()
        .filter(|line| line.starts_with("| `"))
        .collect();
    assert!(rows.len() > 5, "only {}", rows.len());
    for row in rows {
        let there = SETTINGS.lines().any(|line| line == row);
        assert!(there, "not so in docs/SETTINGS.md: {row}");
    }
}

#[test]
fn the_list_of_commands_is_what_help_says() {
    let list = COMMANDS.split("```").nth(1).unwrap();
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
            "{path} is not in docs/COMMANDS.md"
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

/// The repository's files of a kind below a folder; nothing of what is built or installed there.
fn files(folder: &Path, kind: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() {
            if !["target", "node_modules", ".git", "data"].contains(&name) {
                files(&path, kind, found);
            }
        } else if path.extension().is_some_and(|extension| extension == kind) {
            found.push(path);
        }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

#[test]
fn the_tests_that_hold_the_promises_exist() {
    let mut sources = Vec::new();
    for folder in ["crates", "tests"] {
        files(&root().join(folder), "rs", &mut sources);
    }
    let code: String = sources
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

/// A page without its blocks of code.
fn prose(page: &str) -> String {
    let parts = page.split("```").step_by(2);
    parts.collect()
}

/// The anchors that GitHub gives to the headings of a page: lower case, hyphens for blanks, nothing but letters,
/// digits, hyphens and underscores; the second of a name gets `-1`.
fn anchors(page: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    let mut names = Vec::new();
    for line in prose(page).lines().filter(|line| line.starts_with('#')) {
        let words = line.trim_start_matches('#').trim().to_lowercase();
        let name: String = words
            .chars()
            .filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c))
            .map(|c| if c == ' ' { '-' } else { c })
            .collect();
        let before = names.iter().filter(|known| **known == name).count();
        all.push(if before == 0 {
            name.clone()
        } else {
            format!("{name}-{before}")
        });
        names.push(name);
    }
    all
}

/// The relative links of a page, as they are written.
fn links(page: &str) -> Vec<String> {
    prose(page)
        .split("](")
        .skip(1)
        .map(|rest| rest.split([')', ' ']).next().unwrap().to_owned())
        .filter(|link| !link.contains("://") && !link.starts_with("mailto:"))
        .collect()
}

/// What is wrong with the link on this page.
fn broken(page: &Path, link: &str) -> Option<String> {
    let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
    let target = if path.is_empty() {
        page.to_owned()
    } else {
        page.parent().unwrap().join(path)
    };
    let wrong = |what: &str| Some(format!("{}: {link}: {what}", page.display()));
    if !target.exists() {
        return wrong("leads nowhere");
    }
    if anchor.is_empty() {
        return None;
    }
    let Ok(text) = fs::read_to_string(&target) else {
        return wrong("has an anchor in what is no page");
    };
    if anchors(&text).iter().any(|known| known == anchor) {
        None
    } else {
        wrong("no such heading")
    }
}

#[test]
fn every_relative_link_leads_to_a_file_and_a_heading() {
    let mut pages = Vec::new();
    files(&root(), "md", &mut pages);
    let mut count = 0;
    let mut faults = Vec::new();
    for page in &pages {
        for link in links(&fs::read_to_string(page).unwrap()) {
            count += 1;
            faults.extend(broken(page, &link));
        }
    }
    assert!(count > 50, "only {count} links");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_page_in_docs_is_reached_from_the_readme() {
    let docs = root().join("docs");
    let mut pages = Vec::new();
    files(&docs, "md", &mut pages);
    let readme = links(README);
    for page in pages {
        let name = page.strip_prefix(root()).unwrap().to_str().unwrap();
        let linked = readme
            .iter()
            .any(|link| link.split('#').next() == Some(name));
        assert!(linked, "the README does not link {name}");
    }
}

#[test]
fn the_readme_is_read_in_one_sitting() {
    let lines = README.lines().count();
    assert!(lines < 250, "{lines} lines: the details belong in docs/");
}
