//! What becomes of requests and sessions when PostgreSQL is in trouble, and that it passes by itself.

use std::slice::from_ref;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection};
use e2e::{Answer, App, Cluster, Running, Stop};

use super::fleet::{Crowd, auth_server};

/// All connections of the services.
const TERMINATE: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
     WHERE datname = 'keyturn' AND pid <> pg_backend_pid()";

struct Trouble {
    auth: Running,
    cluster: Cluster,
    app: App,
    _folder: tempfile::TempDir,
}

fn start(settings: &[&str]) -> Option<Trouble> {
    let cluster = Cluster::start(settings)?;
    let folder = tempfile::tempdir().unwrap();
    let auth = auth_server(folder.path(), &cluster.url(), &[]);
    let app = App::at(&auth.url, "");
    Some(Trouble {
        auth,
        cluster,
        app,
        _folder: folder,
    })
}

impl Trouble {
    async fn ready(&self) -> u16 {
        self.app
            .client
            .get(format!("{}/readyz", self.auth.url))
            .send()
            .await
            .unwrap()
            .status()
            .as_u16()
    }

    /// It is ready again by itself.
    async fn recovers(&self) {
        let until = Instant::now() + Duration::from_secs(15);
        while self.ready().await != 200 {
            assert!(Instant::now() < until, "it recovers");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

fn unavailable(answer: &Answer) {
    assert!(
        ["database_unavailable", "busy"].contains(&answer.code().as_str()),
        "{answer:?}"
    );
    assert_eq!(answer.status, 503);
}

#[tokio::test]
async fn a_server_that_is_down_at_the_start_is_waited_for() {
    let Some(mut cluster) = Cluster::start(&[]) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    cluster.down(Stop::Fast);
    let (path, url) = (folder.path().to_owned(), cluster.url());
    let starting = std::thread::spawn(move || auth_server(&path, &url, &[]));
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert!(!starting.is_finished());
    cluster.up();
    let auth = starting.join().unwrap();
    App::at(&auth.url, "").newcomer().await;
    let log = auth.kill();
    assert!(log.contains("waiting for the database"), "{log}");
}

#[tokio::test]
async fn a_start_does_not_wait_for_what_no_waiting_cures() {
    let Some(cluster) = Cluster::start(&[]) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let missing = cluster.url().replace("/keyturn?", "/nowhere?");
    let ran = e2e::Cli::new(folder.path(), &missing).run(&["migrate"]);
    assert!(
        !ran.ok && ran.err.contains("nowhere") && ran.err.lines().count() == 1,
        "{ran:?}"
    );
    let tls = format!("{}&sslmode=verify-full", cluster.url());
    let ran = e2e::Cli::new(folder.path(), &tls).run(&["migrate"]);
    assert!(!ran.ok && ran.err.contains("postgres-tls"), "{ran:?}");
}

#[tokio::test]
async fn connections_that_are_cut_under_load_are_replaced_unnoticed() {
    let Some(trouble) = start(&[]) else { return };
    let crowd = Crowd::gather(12, from_ref(&trouble.auth.url)).await;
    for _ in 0..6 {
        tokio::time::sleep(Duration::from_millis(400)).await;
        trouble.cluster.execute("postgres", TERMINATE);
    }
    let report = crowd.disperse(&trouble.auth.url).await;
    eprintln!("{report:?}");
    assert_eq!(report.unavailable, 0, "{report:?}");
    assert!(report.refreshed > 50, "{report:?}");
}

#[tokio::test]
async fn restarts_under_load_end_no_session() {
    let Some(mut trouble) = start(&[]) else {
        return;
    };
    let crowd = Crowd::gather(12, from_ref(&trouble.auth.url)).await;
    for (how, away) in [
        (Stop::Fast, 0),
        (Stop::Immediate, 100),
        (Stop::Immediate, 3000),
    ] {
        tokio::time::sleep(Duration::from_millis(500)).await;
        trouble.cluster.down(how);
        tokio::time::sleep(Duration::from_millis(away)).await;
        if away > 1000 {
            assert_eq!(trouble.ready().await, 503);
            unavailable(
                &trouble
                    .app
                    .try_register("x", "x@example.com", "long enough for anyone")
                    .await,
            );
        }
        trouble.cluster.up();
        trouble.recovers().await;
    }
    let report = crowd.disperse(&trouble.auth.url).await;
    eprintln!("{report:?}");
    assert!(
        report.refreshed > 50 && report.slowest < Duration::from_secs(9),
        "{report:?}"
    );
}

#[tokio::test]
async fn without_a_free_connection_requests_are_told_so_and_served_later() {
    let Some(trouble) = start(&["max_connections=10", "superuser_reserved_connections=0"]) else {
        return;
    };
    let (_, pair) = trouble.app.newcomer().await;
    trouble.cluster.execute("postgres", TERMINATE);
    let mut taken: Vec<PgConnection> = Vec::new();
    let until = Instant::now() + Duration::from_secs(20);
    while taken.len() < 10 {
        assert!(Instant::now() < until, "{} taken", taken.len());
        if let Ok(mut session) = PgConnection::establish(&trouble.cluster.url()) {
            session
                .batch_execute("SET application_name = 'taken'")
                .unwrap();
            taken.push(session);
        } else {
            // What the service has got meanwhile is taken from it, too, until it finds nothing.
            let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                       WHERE backend_type = 'client backend' AND application_name <> 'taken'";
            taken.first_mut().unwrap().batch_execute(end).unwrap();
        }
    }
    let began = Instant::now();
    let refused = trouble.app.try_refresh(&pair).await;
    eprintln!(
        "{} taken, {:?} {:?}",
        taken.len(),
        refused.code(),
        began.elapsed()
    );
    unavailable(&refused);
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(trouble.ready().await, 503);
    drop(taken);
    trouble.recovers().await;
    trouble.app.refresh(&pair).await;
}

#[tokio::test]
async fn a_read_only_server_loses_nobody_and_is_found_writable_again() {
    let Some(trouble) = start(&[]) else { return };
    let (_, pair) = trouble.app.newcomer().await;
    trouble.cluster.execute(
        "postgres",
        "ALTER DATABASE keyturn SET default_transaction_read_only = on",
    );
    trouble.cluster.execute("postgres", TERMINATE);
    for _ in 0..3 {
        unavailable(&trouble.app.try_refresh(&pair).await);
    }
    trouble.cluster.execute(
        "postgres",
        "ALTER DATABASE keyturn RESET default_transaction_read_only",
    );
    trouble.app.refresh(&pair).await;
}

#[tokio::test]
async fn a_lock_that_somebody_holds_makes_requests_wait_only_so_long() {
    let Some(trouble) = start(&[]) else { return };
    let (_, pair) = trouble.app.newcomer().await;
    let mut session = trouble.cluster.session("keyturn");
    session
        .batch_execute("BEGIN; LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE")
        .unwrap();
    let began = Instant::now();
    unavailable(&trouble.app.try_refresh(&pair).await);
    assert!(
        began.elapsed() < Duration::from_secs(9),
        "{:?}",
        began.elapsed()
    );
    session.batch_execute("ROLLBACK").unwrap();
    trouble.app.refresh(&pair).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_hangs_is_given_up_and_found_again() {
    let Some(mut trouble) = start(&[]) else {
        return;
    };
    let crowd = Crowd::gather(40, from_ref(&trouble.auth.url)).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    trouble.cluster.freeze(true);
    tokio::time::sleep(Duration::from_secs(12)).await;
    let alive = trouble
        .app
        .client
        .get(format!("{}/healthz", trouble.auth.url))
        .send()
        .await
        .unwrap();
    assert_eq!(alive.status(), 200);
    trouble.cluster.freeze(false);
    trouble.recovers().await;
    let report = crowd.disperse(&trouble.auth.url).await;
    eprintln!("{report:?}");
    assert!(
        report.unavailable >= 40 && report.slowest < Duration::from_secs(12),
        "{report:?}"
    );
}
