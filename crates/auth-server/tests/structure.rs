//! The structure of this crate, drawn from its imports: data flows one way, and nothing points back.
#![expect(clippy::unwrap_used, reason = "tests, and the functions they share")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A file, the top-level module that it belongs to, and its text without comments and inline tests.
struct Source {
    path: PathBuf,
    module: String,
    text: String,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = Vec::new();
    collect(&root, &root, &mut sources);
    assert!(sources.len() > 50, "{}", sources.len());
    sources
}

fn collect(root: &Path, folder: &Path, sources: &mut Vec<Source>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, sources);
            continue;
        }
        let relative = path.strip_prefix(root).unwrap();
        let first = relative.components().next().unwrap().as_os_str();
        let module = first.to_str().unwrap().trim_end_matches(".rs").to_owned();
        // Files that only tests have know what they like.
        let of_tests = ["tests", "rotation_model", "simulation", "statements"];
        let stem = |part: &str| of_tests.contains(&part.trim_end_matches(".rs"));
        if relative.iter().any(|part| stem(part.to_str().unwrap())) || module == "lib" {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        let lines = code
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        let text = lines.collect::<Vec<_>>().join("\n");
        sources.push(Source { path, module, text });
    }
}

/// Which top-level module uses which others.
fn arrows(sources: &[Source]) -> BTreeMap<String, BTreeSet<String>> {
    let mut arrows: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in sources {
        for after in source.text.split("crate::").skip(1) {
            let end = after.find(|c: char| !c.is_alphanumeric() && c != '_');
            let used = &after[..end.unwrap_or(after.len())];
            if used != source.module && used.starts_with(char::is_lowercase) {
                let arrow = arrows.entry(source.module.clone()).or_default();
                arrow.insert(used.to_owned());
            }
        }
    }
    arrows
}

#[test]
fn no_arrow_between_the_rooms_runs_back() {
    let arrows = arrows(&sources());
    let mut settled: BTreeSet<&str> = BTreeSet::new();
    let mut modules: BTreeSet<&str> = arrows.keys().map(String::as_str).collect();
    modules.extend(arrows.values().flatten().map(String::as_str));
    while settled.len() < modules.len() {
        let free = |module: &&&str| {
            !settled.contains(**module)
                && arrows
                    .get(**module)
                    .is_none_or(|used| used.iter().all(|used| settled.contains(used.as_str())))
        };
        let next: Vec<&str> = modules.iter().filter(free).copied().collect();
        assert!(
            !next.is_empty(),
            "in a circle: {:?}",
            modules.difference(&settled).collect::<Vec<_>>()
        );
        settled.extend(next);
    }
}

#[test]
fn the_rules_know_no_http_and_nobody_but_the_database_knows_sql() {
    let mut rules = 0;
    for Source { path, module, text } in sources() {
        if module != "db" {
            assert!(!text.contains("diesel"), "SQL in {}", path.display());
        }
        if ["accounts", "db", "error", "feed", "log_in", "sessions"].contains(&module.as_str()) {
            rules += 1;
            assert!(!text.contains("actix_web"), "HTTP in {}", path.display());
            assert!(!text.contains("gate::"), "HTTP in {}", path.display());
        }
    }
    assert!(rules > 40, "{rules}");
}
