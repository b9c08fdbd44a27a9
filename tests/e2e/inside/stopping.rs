//! A stop finishes what was begun: SIGTERM while requests are in flight. And more connections than a process
//! may have are waited out.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use e2e::{App, Cli, Running, signal};
use serde_json::json;
use tokio::task::spawn_blocking;

async fn start(app: &App) -> Running {
    let mut arguments = Cli::new(app.folder(), app.database().url())
        .arguments()
        .to_vec();
    arguments.extend(["--listen=127.0.0.1:0", "--login-limits=off"].map(str::to_owned));
    spawn_blocking(move || Running::start("auth-server", &arguments))
        .await
        .unwrap()
}

/// Waits until so many log-ins have arrived: they wait for a thread, are at one, or have been answered.
async fn arrived(at: &App, all: usize) {
    let since = Instant::now();
    let at_threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    loop {
        let metrics = at.client.get(format!("{}/metrics", at.auth_url));
        let metrics = metrics.send().await.unwrap().text().await.unwrap();
        let value = |name: &str| -> usize {
            let line = metrics.lines().find_map(|line| line.strip_prefix(name));
            line.map_or(0, |value| value.trim().parse().unwrap())
        };
        let waiting = value("keyturn_hash_queue ");
        let answered = value("keyturn_logins_total{outcome=\"ok\"} ");
        if waiting + answered + at_threads >= all {
            return;
        }
        assert!(since.elapsed() < Duration::from_mins(1), "{metrics}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn log_ins_in_flight_get_their_answers_when_the_service_is_told_to_stop() {
    let app = App::start().await;
    let user = app.register().await;
    let service = start(&app).await;
    let at = Arc::new(App::at(&service.url, &app.resource_url));
    let mut asked = Vec::new();
    // Some seconds of work for the threads that hash.
    for _ in 0..40 {
        let (at, user) = (Arc::clone(&at), user.clone());
        asked.push(tokio::spawn(async move { at.log_in(&user).await }));
    }
    arrived(&at, asked.len()).await;
    signal(service.id(), "TERM");
    let told = Instant::now();
    let mut pairs = Vec::new();
    for one in asked {
        pairs.push(one.await.expect("an answer, and a good one"));
    }
    let answered = told.elapsed();
    let ended = spawn_blocking(move || service.wait()).await.unwrap();
    assert!(ended.success(), "{ended:?}");
    assert!(told.elapsed() < Duration::from_secs(16));
    println!("40 log-ins were answered within {answered:?} of SIGTERM");
    // What was answered is true.
    for pair in pairs {
        app.refresh(&pair).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_waits_for_no_connection_that_is_silent_and_for_no_long_poll() {
    let app = App::start().await;
    let service = start(&app).await;
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(e2e::open(&service.url).await);
    }
    let arguments = vec![
        format!(
            "--jwt-keys-file={}",
            app.folder().join("jwt-keys.json").display()
        ),
        "--listen=127.0.0.1:0".to_owned(),
        format!("--revocation-feed-url={}", service.url),
    ];
    let follower = spawn_blocking(move || Running::start("resource-api", &arguments))
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(800)).await;
    let told = Instant::now();
    signal(service.id(), "TERM");
    let ended = spawn_blocking(move || service.wait()).await.unwrap();
    assert!(ended.success(), "{ended:?}");
    assert!(
        told.elapsed() < Duration::from_secs(5),
        "{:?}",
        told.elapsed()
    );
    let told = Instant::now();
    signal(follower.id(), "TERM");
    let ended = spawn_blocking(move || follower.wait()).await.unwrap();
    assert!(ended.success(), "{ended:?}");
    assert!(
        told.elapsed() < Duration::from_secs(5),
        "{:?}",
        told.elapsed()
    );
    drop(silent);
    let body = json!({"email": "nobody@example.com", "password": "x"});
    app.post("/login", body)
        .await
        .refused(401, "invalid_credentials");
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_connections_than_files_are_waited_out_and_the_database_stays_open() {
    let app = App::start().await;
    let user = app.register().await;
    let mut arguments = Cli::new(app.folder(), app.database().url())
        .arguments()
        .to_vec();
    arguments.extend(["--listen=127.0.0.1:0", "--login-limits=off"].map(str::to_owned));
    let service =
        spawn_blocking(move || Running::start_with_few_files("auth-server", &arguments, 400));
    let service = service.await.unwrap();
    let mut silent = Vec::new();
    // One address alone could not have so many.
    for n in 0..230 {
        let source = Ipv4Addr::new(127, 0, 0, 2 + n % 8);
        silent.push(e2e::open_from(source, &service.url).await);
    }
    let came = Instant::now();
    let at = App::at(&service.url, &app.resource_url);
    // It stands behind the silent ones, which are given up after ten seconds.
    let pair = at.log_in(&user).await;
    at.refresh(&pair).await;
    assert!(
        came.elapsed() < Duration::from_secs(20),
        "{:?}",
        came.elapsed()
    );
    drop(silent);
}
