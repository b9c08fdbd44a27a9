//! Several processes of each service on one PostgreSQL.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use e2e::{App, Cli, Database, Running};
use futures_util::future::join_all;
use serde_json::Value;

use super::fleet::{Crowd, auth_server, resource_api, terminate};

struct Replicas {
    auth: Vec<Running>,
    resource: Vec<Running>,
    database: Database,
    folder: tempfile::TempDir,
}

/// Three of each, or nothing if this run is not one with PostgreSQL. Each resource-api follows another
/// auth-server.
fn start() -> Option<Replicas> {
    if std::env::var("E2E_DATABASE").as_deref() != Ok("postgres") {
        eprintln!("left out: this run is not one with PostgreSQL");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let database = Database::create(folder.path());
    let auth: Vec<Running> = (0..3)
        .map(|_| auth_server(folder.path(), database.url(), &[]))
        .collect();
    let resource = auth
        .iter()
        .map(|auth| resource_api(folder.path(), &auth.url))
        .collect();
    Some(Replicas {
        auth,
        resource,
        database,
        folder,
    })
}

impl Replicas {
    /// One client for each pair of replicas.
    fn apps(&self) -> Vec<App> {
        let pairs = self.auth.iter().zip(&self.resource);
        pairs
            .map(|(auth, resource)| App::at(&auth.url, &resource.url))
            .collect()
    }
}

#[tokio::test]
async fn one_pair_refreshed_on_all_at_once_has_one_successor() {
    let Some(replicas) = start() else { return };
    let apps = replicas.apps();
    let (_, mut pair) = apps[0].newcomer().await;
    for round in 1..=10 {
        let asked = (0..30).map(|n| apps[n % 3].refresh(&pair));
        let answers = join_all(asked).await;
        let successors: BTreeSet<_> = answers.iter().map(|next| &next.refresh_token).collect();
        assert_eq!(successors.len(), 1, "round {round}");
        assert_eq!(
            replicas.database.session(&pair.sid(), "generation"),
            Some(round + 1)
        );
        pair = answers.into_iter().next_back().unwrap();
    }
}

#[tokio::test]
async fn a_session_ended_on_one_is_refused_by_every_api_within_a_second() {
    let Some(replicas) = start() else { return };
    let apps = replicas.apps();
    for ends in &apps {
        let (_, pair) = apps[0].newcomer().await;
        for app in &apps {
            app.call_home(&pair.access_token).await.is(200);
        }
        ends.log_out(&pair).await;
        let began = Instant::now();
        for app in &apps {
            while app.call_home(&pair.access_token).await.status == 200 {
                assert!(
                    began.elapsed() < Duration::from_secs(1),
                    "{:?}",
                    began.elapsed()
                );
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            let refused = app.call_home(&pair.access_token).await;
            assert_eq!(
                refused.refused(401, "token_revoked").act.as_deref(),
                Some("revoked")
            );
        }
        eprintln!("refused by all after {:?}", began.elapsed());
        for app in &apps {
            app.try_refresh(&pair).await.refused(401, "session_revoked");
        }
    }
}

#[tokio::test]
async fn cleaning_up_on_all_at_once_does_no_harm() {
    let Some(replicas) = start() else { return };
    let apps = replicas.apps();
    let (user, pair) = apps[0].newcomer().await;
    replicas.database.execute(
        "INSERT INTO sessions SELECT 'old-' || n, user_id, nonce, 1, 0, 0, 0, 0, 0, 0, NULL, NULL, '', '' \
         FROM sessions, generate_series(1, 400) AS n",
    );
    replicas.database.execute(
        "INSERT INTO audit (id, at, event) SELECT 'old-' || n, 0, 'x' FROM generate_series(1, 400) AS n",
    );
    let left = || {
        let old = "SELECT (SELECT COUNT(*) FROM sessions WHERE id LIKE 'old-%') + \
             (SELECT COUNT(*) FROM audit WHERE id LIKE 'old-%') AS value";
        replicas.database.number(old).unwrap()
    };
    let until = Instant::now() + Duration::from_secs(30);
    while left() > 0 {
        assert!(Instant::now() < until, "{} old rows are left", left());
        join_all((0..9).map(|n| apps[n % 3].log_in(&user))).await;
    }
    apps[1].refresh(&pair).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_under_load_fails_no_request() {
    let Some(mut replicas) = start() else { return };
    let urls: Vec<String> = replicas.auth.iter().map(|auth| auth.url.clone()).collect();
    let crowd = Crowd::gather(12, &urls).await;
    for url in &urls {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let old = replicas.auth.remove(0);
        let listen = format!("--listen={}", old.url.trim_start_matches("http://"));
        terminate(old);
        let new = auth_server(replicas.folder.path(), replicas.database.url(), &[&listen]);
        assert_eq!(&new.url, url);
        replicas.auth.push(new);
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let report = crowd.disperse(&urls[0]).await;
    eprintln!("{report:?}");
    assert!(
        report.unavailable == 0 && report.refreshed > 100,
        "{report:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_that_start_at_once_on_an_empty_database_do_not_race() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::create(folder.path());
    let cli = Cli::new(folder.path(), database.url());
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| cli.done(&["migrate"]));
        }
    });
    let tables = "SELECT COUNT(*) AS value FROM __diesel_schema_migrations";
    let once = database.number(tables);
    cli.done(&["migrate"]);
    assert_eq!(database.number(tables), once);
}

#[tokio::test]
async fn a_replica_whose_clock_is_wrong_is_not_ready() {
    let Some(replicas) = start() else { return };
    let ready = async |auth: &Running| {
        let answer = App::at(&auth.url, "")
            .client
            .get(format!("{}/readyz", auth.url))
            .send();
        let answer = answer.await.unwrap();
        (
            answer.status().as_u16(),
            answer.json::<Value>().await.unwrap()["databaseClockAhead"].as_i64(),
        )
    };
    assert_eq!(ready(&replicas.auth[0]).await, (200, Some(0)));
    // No clock is set for a test: the database gets another clock_timestamp().
    let name = replicas
        .database
        .words("SELECT current_database() AS value")
        .remove(0)
        .unwrap();
    for (wrong, fine) in [(5, true), (-3600, false)] {
        replicas
            .database
            .execute("CREATE SCHEMA IF NOT EXISTS wrong");
        replicas.database.execute(&format!(
            "CREATE OR REPLACE FUNCTION wrong.clock_timestamp() RETURNS timestamptz LANGUAGE sql \
             AS $$ SELECT pg_catalog.clock_timestamp() + interval '{wrong} seconds' $$"
        ));
        replicas.database.execute(&format!(
            "ALTER DATABASE {name} SET search_path = wrong, pg_catalog, public"
        ));
        let late = auth_server(replicas.folder.path(), replicas.database.url(), &[]);
        let (status, ahead) = ready(&late).await;
        assert_eq!(status, if fine { 200 } else { 503 });
        assert!((ahead.unwrap() - wrong).abs() <= 1, "{ahead:?}");
        let log = late.kill();
        let direction = if wrong > 0 { "behind" } else { "ahead of" };
        let said = format!(
            "this machine's clock is {} s {direction} the database's",
            ahead.unwrap().abs()
        );
        assert!(log.contains(&said), "{said}");
        // Nor does it tell APIs that it knows what ended.
        let silent = log.contains("revocation feed: the database's clock is");
        assert_eq!(silent, !fine, "{wrong}");
    }
}
