//! Refreshes that share a statement of PostgreSQL, or a commit of SQLite: each hears of its own session alone.

use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use e2e::{App, Cluster, Pair};
use futures_util::future::join_all;

use super::fleet::auth_server;

async fn newcomers(app: &App, count: usize) -> Vec<Pair> {
    let mut pairs = Vec::new();
    for _ in 0..count {
        pairs.push(app.newcomer().await.1);
    }
    pairs
}

/// A counter of auth-server.
async fn number(app: &App, name: &str) -> u64 {
    let metrics = app.client.get(format!("{}/metrics", app.auth_url));
    let text = metrics.send().await.unwrap().text().await.unwrap();
    let line = text.lines().find(|line| line.starts_with(name)).unwrap();
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_row_that_is_locked_delays_no_refresh_but_its_own() {
    let Some(cluster) = Cluster::start(&[]) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let auth = auth_server(folder.path(), &cluster.url(), &[]);
    let app = App::at(&auth.url, "");
    let mut pairs = newcomers(&app, 12).await;
    let locked = pairs.pop().unwrap();
    let mut session = cluster.session("keyturn");
    let sid = locked.sid();
    session
        .batch_execute(&format!(
            "BEGIN; SELECT 1 FROM sessions WHERE id = '{sid}' FOR UPDATE"
        ))
        .unwrap();
    let waits = app.try_refresh(&locked);
    let others = async {
        // Beside the one that waits, and beside new ones for the same row.
        for _ in 0..4 {
            let began = Instant::now();
            let (next, _) = tokio::join!(
                join_all(pairs.iter().map(|pair| app.refresh(pair))),
                tokio::time::timeout(Duration::from_millis(300), app.try_refresh(&locked)),
            );
            pairs = next;
            assert!(
                began.elapsed() < Duration::from_secs(2),
                "{:?}",
                began.elapsed()
            );
        }
        session.batch_execute("ROLLBACK").unwrap();
    };
    let (refreshed, ()) = tokio::join!(waits, others);
    assert_eq!(refreshed.status, 200, "{refreshed:?}");
}

#[tokio::test]
async fn every_refresh_of_a_wave_hears_of_its_own_session() {
    let app = App::start().await;
    let mut pairs = newcomers(&app, 16).await;
    let ended = newcomers(&app, 4).await;
    for pair in &ended {
        app.log_out(pair).await;
    }
    let (mut before, strangers) = (pairs.clone(), newcomers(&app, 4).await);
    for _ in 0..5 {
        let (next, again, over, mixed) = tokio::join!(
            join_all(pairs.iter().map(|pair| app.refresh(pair))),
            // The same at the same time: one of the two is a retry, and gets the same successor.
            join_all(pairs.iter().map(|pair| app.refresh(pair))),
            join_all(ended.iter().map(|pair| app.try_refresh(pair))),
            // Somebody else's access token beside a refresh token.
            join_all(strangers.iter().zip(&before).map(|(theirs, ours)| {
                app.try_refresh_with(&theirs.access_token, &ours.refresh_token)
            })),
        );
        for ((pair, next), again) in pairs.iter().zip(&next).zip(&again) {
            assert_eq!(next.sid(), pair.sid());
            assert_eq!(next.generation(), pair.generation() + 1);
            assert_eq!(next.refresh_token, again.refresh_token);
        }
        for answer in over {
            answer.refused(401, "session_revoked");
        }
        for answer in mixed {
            answer.refused(401, "invalid_access_token");
        }
        before = pairs;
        pairs = next;
    }
    let commits = number(&app, "keyturn_group_commits_total").await;
    let writes = number(&app, "keyturn_group_writes_total").await;
    assert!(commits < writes, "{writes} writes in {commits} commits");
}

#[tokio::test]
async fn pages_of_sessions_have_room_for_rotations_unless_somebody_chose_otherwise() {
    let Some(cluster) = Cluster::start(&[]) else {
        return;
    };
    let with = |factor: u32| {
        cluster.number(&format!(
            "SELECT count(*) AS value FROM pg_class WHERE relname = 'sessions' \
             AND reloptions @> ARRAY['fillfactor={factor}']"
        ))
    };
    let folder = tempfile::tempdir().unwrap();
    auth_server(folder.path(), &cluster.url(), &[]).kill();
    assert_eq!(with(90), 1);
    cluster.execute("keyturn", "ALTER TABLE sessions SET (fillfactor = 70)");
    auth_server(folder.path(), &cluster.url(), &[]).kill();
    assert_eq!(with(70), 1);
}
