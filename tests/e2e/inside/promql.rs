//! What expressions for Prometheus ask for, and what the services give. It reads names and matchers, and judges no syntax.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use e2e::{App, Options};

/// Words of the language that stand where a name of a metric could.
const WORDS: [&str; 14] = [
    "and", "avg", "bool", "by", "count", "max", "min", "offset", "on", "or", "sum", "topk",
    "unless", "without",
];

/// What Prometheus itself adds to every series.
const ADDED: [&str; 2] = ["instance", "job"];

/// The words that a service may write as a label's value, where none may have happened in a test.
const VOCABULARY: [&str; 3] = [
    include_str!("../../../crates/auth-server/src/operations/counters.rs"),
    include_str!("../../../crates/auth-server/src/db/end_reason.rs"),
    include_str!("../../../crates/shared/src/token_error.rs"),
];

/// What an expression asks for.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    /// The labels in the matchers of each metric, with the values in question.
    pub(crate) metrics: BTreeMap<String, BTreeSet<(String, String)>>,
    /// The labels that it groups by; every metric of it must have them.
    pub(crate) by: BTreeSet<String>,
}

impl Asked {
    /// Reads an expression.
    pub(crate) fn of(expression: &str) -> Self {
        let mut asked = Self::default();
        let mut rest = expression;
        let mut last = String::new();
        while let Some(c) = rest.chars().next() {
            let end = |stop: char| rest.find(stop).map_or(rest.len(), |at| at + 1);
            if c.is_ascii_alphabetic() || c == '_' {
                let length = rest.find(|c: char| !is_of_name(c)).unwrap_or(rest.len());
                let name = &rest[..length];
                rest = rest[length..].trim_start();
                if matches!(name, "by" | "without" | "on") {
                    let (labels, after) = rest.split_once(')').unwrap();
                    let labels = labels.trim_start_matches('(').split(',');
                    asked.by.extend(labels.map(|it| it.trim().to_owned()));
                    rest = after;
                } else if !WORDS.contains(&name) && !rest.starts_with('(') {
                    asked.metrics.entry(name.to_owned()).or_default();
                    name.clone_into(&mut last);
                }
            } else if c == '{' {
                let (matchers, after) = rest.split_once('}').unwrap();
                let of_last = asked.metrics.get_mut(&last).unwrap();
                of_last.extend(read_matchers(&matchers[1..]));
                rest = after;
            } else if c == '[' {
                rest = &rest[end(']')..];
            } else if c.is_ascii_digit() {
                // The unit of a duration belongs to it.
                let length = rest.find(|c: char| !is_of_name(c) && c != '.');
                rest = &rest[length.unwrap_or(rest.len())..];
            } else {
                rest = &rest[c.len_utf8()..];
            }
        }
        asked
    }
}

async fn metrics(app: &App, url: &str) -> String {
    let asked = app.client.get(format!("{url}/metrics"));
    asked.send().await.unwrap().text().await.unwrap()
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == ':'
}

/// `a="b", c=~"d"` as pairs. No value of ours has a quote or a brace in it.
fn read_matchers(text: &str) -> Vec<(String, String)> {
    let mut parts = text.split('"');
    let mut pairs = Vec::new();
    while let (Some(label), Some(value)) = (parts.next(), parts.next()) {
        let label = label.trim_matches(|c: char| !is_of_name(c));
        pairs.push((label.to_owned(), value.to_owned()));
    }
    pairs
}

/// What services show at `/metrics`: the labels of each metric, with the values seen.
pub(crate) struct Shown(BTreeMap<String, BTreeMap<String, BTreeSet<String>>>);

impl Shown {
    /// What both services show when everything that they count has happened once.
    pub(crate) async fn by_services() -> Self {
        let deny = tempfile::NamedTempFile::new().unwrap();
        let mails = tempfile::tempdir().unwrap();
        let options = Options::new()
            .with_feed()
            .auth("mail-url", format!("file:{}", mails.path().display()))
            .resource("deny-file", deny.path().display().to_string());
        let app = App::signing_on(options, &[]).await;
        let (_, pair) = app.newcomer().await;
        let pair = app.refresh(&pair).await;
        app.log_out(&pair).await;
        app.call_home("no.token.here").await.is(401);
        // The newcomer's mail, which goes out by itself.
        let begun = Instant::now();
        while !metrics(&app, &app.auth_url)
            .await
            .contains("keyturn_mails_total{")
        {
            assert!(
                begun.elapsed() < Duration::from_secs(20),
                "no mail went out"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let mut shown = BTreeMap::new();
        // Prometheus writes this one itself.
        shown.insert("up".to_owned(), BTreeMap::new());
        for url in [&app.auth_url, &app.resource_url] {
            let text = metrics(&app, url).await;
            for line in text.lines().filter(|line| !line.starts_with('#')) {
                let (series, _) = line.rsplit_once(' ').unwrap();
                let (name, labels) = series.split_once('{').unwrap_or((series, ""));
                let labels_of: &mut BTreeMap<_, BTreeSet<_>> =
                    shown.entry(name.to_owned()).or_default();
                for (label, value) in read_matchers(labels.trim_end_matches('}')) {
                    labels_of.entry(label).or_default().insert(value);
                }
            }
        }
        Self(shown)
    }

    /// Whether a metric has a label, be it one that Prometheus adds.
    pub(crate) fn has(&self, metric: &str, label: &str) -> bool {
        let labels = self.0.get(metric);
        labels.is_some_and(|labels| ADDED.contains(&label) || labels.contains_key(label))
    }

    /// What an expression asks for that no service has.
    pub(crate) fn lacks(&self, asked: &Asked) -> Vec<String> {
        let mut lacking = Vec::new();
        for (metric, matchers) in &asked.metrics {
            let Some(labels) = self.0.get(metric) else {
                lacking.push(metric.clone());
                continue;
            };
            let matched = matchers.iter().map(|(label, _)| label);
            for label in matched.chain(&asked.by) {
                if !self.has(metric, label) {
                    lacking.push(format!("{metric}{{{label}}}"));
                }
            }
            for (label, values) in matchers {
                let seen = labels.get(label);
                let known = |value: &str| {
                    seen.is_some_and(|seen| seen.contains(value))
                        || VOCABULARY
                            .iter()
                            .any(|code| code.contains(&format!("\"{value}\"")))
                };
                let ours = !ADDED.contains(&label.as_str());
                let plain = |value: &&str| value.chars().all(|c| is_of_name(c) || "/-".contains(c));
                for value in values.split('|').filter(plain).filter(|_| ours) {
                    if !known(value) {
                        lacking.push(format!("{metric}{{{label}=\"{value}\"}}"));
                    }
                }
            }
        }
        lacking
    }
}

#[test]
fn metrics_matchers_and_groups_are_read_and_nothing_else_is() {
    let asked = Asked::of(
        r#"histogram_quantile(0.99, sum by (le, job) (rate(a_bucket{b="c", d=~"e|f"}[5m])))
            > 2 * sum by (job) (g) offset 5m or vector(0) and h{} == 1e3"#,
    );
    let names: Vec<&str> = asked.metrics.keys().map(String::as_str).collect();
    assert_eq!(names, ["a_bucket", "g", "h"]);
    let pair = |label: &str, value: &str| (label.to_owned(), value.to_owned());
    let matchers = BTreeSet::from([pair("b", "c"), pair("d", "e|f")]);
    assert_eq!(asked.metrics["a_bucket"], matchers);
    assert_eq!(asked.by, BTreeSet::from(["job".into(), "le".into()]));
}

#[test]
fn what_is_misspelt_is_told() {
    let values = BTreeMap::from([("outcome".to_owned(), BTreeSet::from(["ok".to_owned()]))]);
    let shown = Shown(BTreeMap::from([("logins".to_owned(), values)]));
    for (expression, lacking) in [
        (
            r#"sum by (outcome) (logins{outcome=~"ok|delayed|.+", job="x"})"#,
            "",
        ),
        ("login", "login"),
        (r#"logins{outcom="ok"}"#, "logins{outcom}"),
        (r#"logins{outcome="okay"}"#, r#"logins{outcome="okay"}"#),
        ("sum by (reason) (logins)", "logins{reason}"),
    ] {
        assert_eq!(shown.lacks(&Asked::of(expression)).join(" "), lacking);
    }
}
