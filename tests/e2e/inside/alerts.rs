//! The alert rules ask for metrics that the services have.

use std::collections::BTreeSet;

use e2e::{App, Options};

#[tokio::test]
async fn every_metric_that_an_alert_asks_for_is_there() {
    let rules = include_str!("../../../deploy/prometheus-alerts.yml");
    let asked: BTreeSet<&str> = rules
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| word.starts_with("keyturn_") || word.starts_with("http_"))
        .map(|word| word.trim_end_matches("_bucket"))
        .collect();
    assert!(asked.len() > 8, "{asked:?}");

    let deny = tempfile::NamedTempFile::new().unwrap();
    let options = Options::new()
        .with_feed()
        .resource("deny-file", deny.path().display().to_string());
    let app = App::with(options).await;
    let (_, pair) = app.newcomer().await;
    app.refresh(&pair).await;
    app.call_home("no.token.here").await.is(401);
    let mut metrics = String::new();
    for url in [&app.auth_url, &app.resource_url] {
        let answer = app
            .client
            .get(format!("{url}/metrics"))
            .send()
            .await
            .unwrap();
        metrics.push_str(&answer.text().await.unwrap());
    }
    for name in asked {
        let there = metrics
            .lines()
            .any(|line| line.starts_with(&format!("# TYPE {name} ")));
        assert!(there, "{name} is in none of both:\n{metrics}");
    }
}
