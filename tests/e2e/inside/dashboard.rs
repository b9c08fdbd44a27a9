//! The dashboard shows what operators are told to watch, and asks for metrics that the services have.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::alerts;
use super::promql::{Asked, Shown};

const OPERATIONS: &str = include_str!("../../../docs/OPERATIONS.md");

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Dashboard {
    schema_version: u32,
    templating: Templating,
    panels: Vec<Panel>,
}

#[derive(Deserialize)]
struct Templating {
    list: Vec<Variable>,
}

#[derive(Deserialize)]
struct Variable {
    name: String,
    r#type: String,
    query: Query,
}

/// Of a data source, or of values in it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Query {
    Kind(String),
    Values { query: String },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Panel {
    id: u32,
    r#type: String,
    title: String,
    grid_pos: Place,
    #[serde(flatten)]
    shows: Option<Shows>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
struct Place {
    x: u32,
    y: u32,
    w: u32,
    h: u32,
}

impl Place {
    fn overlaps(self, other: Self) -> bool {
        self.x < other.x + other.w
            && other.x < self.x + self.w
            && self.y < other.y + other.h
            && other.y < self.y + self.h
    }
}

/// What every panel has but a row.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shows {
    description: String,
    datasource: Source,
    field_config: FieldConfig,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Source {
    r#type: String,
    uid: String,
}

#[derive(Deserialize)]
struct FieldConfig {
    defaults: Defaults,
}

#[derive(Deserialize)]
struct Defaults {
    unit: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Target {
    datasource: Source,
    expr: String,
    legend_format: String,
}

fn dashboard() -> Dashboard {
    let text = include_str!("../../../deploy/grafana-dashboard.json");
    serde_json::from_str(text).unwrap()
}

impl Dashboard {
    fn targets(&self) -> impl Iterator<Item = &Target> {
        let shows = self.panels.iter().filter_map(|panel| panel.shows.as_ref());
        shows.flat_map(|shows| &shows.targets)
    }
}

#[tokio::test]
async fn every_metric_label_and_value_that_the_dashboard_asks_for_is_there() {
    let shown = Shown::by_services().await;
    let dashboard = dashboard();
    for target in dashboard.targets() {
        let expression = &target.expr;
        let asked = Asked::of(expression);
        assert!(!asked.metrics.is_empty(), "{expression}");
        let lacking = shown.lacks(&asked);
        assert!(lacking.is_empty(), "{lacking:?} in {expression}");
        for label in target.legend_format.split("{{").skip(1) {
            let label = label.split("}}").next().unwrap();
            let has = |metric: &String| shown.has(metric, label);
            let kept =
                asked.by.contains(label) || asked.by.is_empty() && asked.metrics.keys().all(has);
            assert!(kept, "the legend's {label} is lost in {expression}");
        }
    }
    for variable in dashboard.templating.list {
        let Query::Values { query } = variable.query else {
            continue;
        };
        let query = query.strip_prefix("label_values(").unwrap();
        let (metric, label) = query.strip_suffix(')').unwrap().rsplit_once(", ").unwrap();
        let asked = Asked {
            by: BTreeSet::from([label.to_owned()]),
            ..Asked::of(metric)
        };
        assert_eq!(shown.lacks(&asked), [""; 0], "{query}");
    }
}

#[test]
fn the_dashboard_shows_what_operators_watch_and_what_alerts_are_about() {
    let on_dashboard: BTreeSet<String> = dashboard()
        .targets()
        .flat_map(|target| Asked::of(&target.expr).metrics.into_keys())
        .map(|metric| metric.trim_end_matches("_bucket").to_owned())
        .collect();
    let (_, chapter) = OPERATIONS.split_once("\n## What to watch\n").unwrap();
    let (chapter, _) = chapter.split_once("\n## ").unwrap();
    let rows = chapter.lines().filter(|line| line.starts_with("| `"));
    let quoted = rows.flat_map(|row| row.split('|').nth(1).unwrap().split('`'));
    let named = quoted.filter(|word| word.starts_with("keyturn_") || word.starts_with("http_"));
    let mut to_watch: BTreeSet<String> = named
        .map(|word| word.split('{').next().unwrap().to_owned())
        .collect();
    assert!(to_watch.len() > 20, "{to_watch:?}");
    for expression in alerts::expressions() {
        let metrics = Asked::of(&expression).metrics.into_keys();
        to_watch.extend(metrics.map(|it| it.trim_end_matches("_bucket").to_owned()));
    }
    let missing: Vec<_> = to_watch.difference(&on_dashboard).collect();
    assert!(missing.is_empty(), "no panel shows {missing:?}");
}

#[test]
fn every_panel_has_a_place_of_its_own_and_says_what_it_is() {
    let dashboard = dashboard();
    assert!(dashboard.schema_version >= 38, "Grafana 10 and later");
    let ids: BTreeSet<u32> = dashboard.panels.iter().map(|panel| panel.id).collect();
    assert_eq!(ids.len(), dashboard.panels.len(), "an id is there twice");
    for (n, panel) in dashboard.panels.iter().enumerate() {
        let (title, place) = (&panel.title, panel.grid_pos);
        assert!(!title.is_empty(), "panel {} has no title", panel.id);
        assert!(place.w > 0 && place.h > 0, "{title}: {place:?}");
        assert!(place.x + place.w <= 24, "{title}: {place:?}");
        for other in dashboard.panels.iter().skip(n + 1) {
            let apart = !place.overlaps(other.grid_pos);
            assert!(apart, "{title} lies over {}", other.title);
        }
        if panel.r#type == "row" {
            continue;
        }
        let shows = panel.shows.as_ref();
        let shows = shows.unwrap_or_else(|| panic!("{title} has no description, unit or target"));
        assert!(!shows.description.is_empty(), "{title}");
        assert!(!shows.field_config.defaults.unit.is_empty(), "{title}");
        assert!(!shows.targets.is_empty(), "{title}");
    }
}

#[test]
fn the_dashboard_is_tied_to_no_installation() {
    let dashboard = dashboard();
    let variables = dashboard.templating.list.iter();
    let names: Vec<&str> = variables.map(|variable| variable.name.as_str()).collect();
    assert_eq!(names, ["datasource", "job", "instance"]);
    let first = dashboard.templating.list.first().unwrap();
    assert_eq!(first.r#type, "datasource");
    assert!(matches!(&first.query, Query::Kind(kind) if kind == "prometheus"));
    for panel in &dashboard.panels {
        if let Some(shows) = &panel.shows {
            let targets = shows.targets.iter().map(|target| &target.datasource);
            for source in targets.chain([&shows.datasource]) {
                let source = (source.r#type.as_str(), source.uid.as_str());
                assert_eq!(source, ("prometheus", "${datasource}"), "{}", panel.title);
            }
        }
    }
    for target in dashboard.targets() {
        let chosen = ["job", "instance"].map(|it| (it.to_owned(), format!("${it}")));
        for (metric, matchers) in Asked::of(&target.expr).metrics {
            let all = chosen.iter().all(|matcher| matchers.contains(matcher));
            assert!(all, "{metric} of every job and instance: {}", target.expr);
        }
    }
}
