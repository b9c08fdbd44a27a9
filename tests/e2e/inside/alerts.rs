//! The alert rules ask for metrics that the services have.

use super::promql::{Asked, Shown};

const RULES: &str = include_str!("../../../deploy/prometheus-alerts.yml");

/// The expressions of the rules: what stands behind `expr:`, or below it and further in.
pub(super) fn expressions() -> Vec<String> {
    let mut expressions: Vec<String> = Vec::new();
    let mut above = None;
    for line in RULES.lines() {
        let deep = line.len() - line.trim_start().len();
        if let Some(begun) = line.trim_start().strip_prefix("expr: ") {
            expressions.push(begun.trim_end_matches('|').to_owned());
            above = Some(deep);
        } else if above.is_some_and(|above| deep > above) {
            let expression = expressions.last_mut().unwrap();
            expression.push_str(line);
        } else {
            above = None;
        }
    }
    expressions
}

#[tokio::test]
async fn every_metric_label_and_value_that_an_alert_asks_for_is_there() {
    let alerts = RULES.matches("- alert: ").count();
    let expressions = expressions();
    assert_eq!(expressions.len(), alerts);
    let shown = Shown::by_services().await;
    for expression in expressions {
        let asked = Asked::of(&expression);
        assert!(!asked.metrics.is_empty(), "{expression}");
        let lacking = shown.lacks(&asked);
        assert!(lacking.is_empty(), "{lacking:?} in {expression}");
    }
}
