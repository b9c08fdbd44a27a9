//! The signing key turns while clients work: rotated, revoked, broken, seen too early, slept through.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use e2e::{App, Cli, Options, Pair, Running};
use serde_json::Value;
use tokio::time::sleep;

/// A look at the file a second, and some time to act on it.
const LOOK: Duration = Duration::from_millis(1_500);

fn cli(app: &App) -> Cli {
    Cli::new(app.folder(), app.database().url())
}

fn ring_path(app: &App) -> PathBuf {
    app.folder().join("jwt-keys.json")
}

fn ring(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Replaces the file as the commands do.
fn replace(path: &Path, content: &[u8]) {
    shared::key_file::write_atomically(path, content, 0o600).unwrap();
}

fn kid(token: &str) -> String {
    let header = URL_SAFE_NO_PAD
        .decode(token.split('.').next().unwrap())
        .unwrap();
    let header: Value = serde_json::from_slice(&header).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

/// Lets everything in a ring lie this many seconds further back.
fn age(path: &Path, seconds: i64) {
    let mut ring = ring(path);
    for list in ["keys", "former"] {
        for key in ring
            .get_mut(list)
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            for time in ["sign_from", "verify_until", "since"] {
                if let Some(at) = key.get(time).and_then(Value::as_i64) {
                    key[time] = (at - seconds).into();
                }
            }
        }
    }
    replace(path, ring.to_string().as_bytes());
}

/// Calls and refreshes until told to stop; gives the number of requests. Any refusal is a failure.
async fn work(app: Arc<App>, mut pair: Pair, stop: Arc<AtomicBool>) -> (usize, Pair) {
    let mut requests = 0;
    while !stop.load(Ordering::Relaxed) {
        app.call_home(&pair.access_token).await.is(200);
        app.get("/api/account/sessions", &pair.access_token)
            .await
            .is(200);
        pair = app.refresh(&pair).await;
        app.call_home(&pair.access_token).await.is(200);
        requests += 4;
    }
    (requests, pair)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_at_noon_fails_no_request_and_signs_nobody_out() {
    let app = Arc::new(App::with(Options::new().with_feed()).await);
    let stop = Arc::new(AtomicBool::new(false));
    let mut before = Vec::new();
    let mut workers = Vec::new();
    for _ in 0..12 {
        let (_, pair) = app.newcomer().await;
        before.push(pair.access_token.clone());
        workers.push(tokio::spawn(work(
            Arc::clone(&app),
            pair,
            Arc::clone(&stop),
        )));
    }
    let commands = cli(&app);
    let path = ring_path(&app);
    tokio::task::spawn_blocking(move || {
        for lead in ["--in=2s", "--in=0s", "--in=0s", "--in=1s"] {
            commands.done(&["keys", "rotate", lead]);
            std::thread::sleep(Duration::from_millis(1_100));
        }
        std::thread::sleep(Duration::from_millis(1_600));
    })
    .await
    .unwrap();
    stop.store(true, Ordering::Relaxed);
    let mut requests = 0;
    let newest = ring(&path)["keys"]
        .as_array()
        .unwrap()
        .iter()
        .max_by_key(|key| key["sign_from"].as_i64())
        .unwrap()["kid"]
        .clone();
    for worker in workers {
        let (done, pair) = worker.await.expect("no request was refused");
        requests += done;
        assert_ne!(done, 0);
        assert_eq!(kid(&pair.access_token), newest.as_str().unwrap());
    }
    assert!(requests > 200, "a load: {requests}");
    println!("{requests} requests over four rotations, none refused");
    for token in before {
        app.call_home(&token).await.is(200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_key_takes_every_access_token_and_one_refresh_cures_it() {
    let app = Arc::new(App::with(Options::new().with_feed()).await);
    let mut clients = Vec::new();
    for _ in 0..10 {
        clients.push(app.newcomer().await.1);
    }
    let old = kid(&clients[0].access_token);
    let stop = Arc::new(AtomicBool::new(false));
    let mut workers = Vec::new();
    for mut pair in clients.clone() {
        let (app, stop) = (Arc::clone(&app), Arc::clone(&stop));
        workers.push(tokio::spawn(async move {
            let mut cured = 0;
            while !stop.load(Ordering::Relaxed) {
                let answer = app.call_home(&pair.access_token).await;
                if answer.status == 200 {
                    continue;
                }
                let refused = answer.refused(401, "token_revoked");
                assert_eq!(refused.act.as_deref(), Some("revoked"));
                pair = app.refresh(&pair).await;
                cured += 1;
                app.call_home(&pair.access_token).await.is(200);
            }
            (cured, pair)
        }));
    }
    let (commands, revoked) = (cli(&app), old.clone());
    tokio::task::spawn_blocking(move || commands.done(&["keys", "revoke", &revoked]))
        .await
        .unwrap();
    sleep(LOOK).await;
    stop.store(true, Ordering::Relaxed);
    for worker in workers {
        let (cured, pair) = worker.await.expect("no client was lost");
        assert_eq!(cured, 1, "one refresh cures");
        assert_ne!(kid(&pair.access_token), old);
        app.get("/api/account/sessions", &pair.access_token)
            .await
            .is(200);
    }
    for pair in &clients {
        for answer in [
            app.call_home(&pair.access_token).await,
            app.get("/api/account/sessions", &pair.access_token).await,
        ] {
            let refused = answer.refused(401, "token_revoked");
            assert_eq!(refused.act.as_deref(), Some("revoked"));
        }
    }
}

#[tokio::test]
async fn a_refresh_after_a_revocation_never_signs_under_the_revoked_key() {
    let app = App::start().await;
    let (_, mut pair) = app.newcomer().await;
    for _ in 0..3 {
        let old = kid(&pair.access_token);
        let revoked = shared::key_file::KeyFile::open(&ring_path(&app))
            .unwrap()
            .ring()
            .revoke(&old, shared::clock::now())
            .unwrap();
        replace(&ring_path(&app), revoked.ring.to_json().as_bytes());
        // As soon as a gate knows, whichever: the client refreshes at once.
        while app.call_home(&pair.access_token).await.status == 200 {}
        pair = app.refresh(&pair).await;
        assert_ne!(kid(&pair.access_token), old);
        app.call_home(&pair.access_token).await.is(200);
        // The gate looks for an unknown `kid` once a second.
        sleep(Duration::from_millis(1_050)).await;
    }
}

#[tokio::test]
async fn a_client_that_slept_through_a_rotation_finds_its_way_back() {
    let app = App::start().await;
    let (_, slept) = app.newcomer().await;
    let (_, slept_longer) = app.newcomer().await;
    cli(&app).finish(&["keys", "rotate", "--in", "0s"]).await;
    // Two days later the old key is retired; its tokens are over whatever they say themselves.
    age(&ring_path(&app), 2 * 86_400);
    sleep(LOOK).await;
    let recover = async |pair: &Pair| {
        for answer in [
            app.call_home(&pair.access_token).await,
            app.get("/api/account/sessions", &pair.access_token).await,
        ] {
            let refused = answer.refused(401, "token_expired");
            assert_eq!(refused.act.as_deref(), Some("expired"));
        }
        let next = app.refresh(pair).await;
        assert_eq!(next.sid(), pair.sid());
        app.call_home(&next.access_token).await.is(200);
    };
    recover(&slept).await;
    // The next command moves it to `former`, where it is still recognised.
    cli(&app).finish(&["keys", "rotate", "--in", "0s"]).await;
    sleep(LOOK).await;
    let ring = ring(&ring_path(&app));
    assert_eq!(
        ring["former"][0]["kid"],
        kid(&slept.access_token).as_str(),
        "{:?}",
        ring["former"]
    );
    recover(&slept_longer).await;
}

#[tokio::test]
async fn a_broken_new_ring_is_reported_once_and_the_old_one_stays_until_it_is_mended() {
    let app = App::start().await;
    let (user, pair) = app.newcomer().await;
    let path = ring_path(&app);
    let good = fs::read(&path).unwrap();
    // A process of its own, for its log.
    let mut arguments = cli(&app).arguments().to_vec();
    arguments.push("--listen=127.0.0.1:0".into());
    arguments.push("--login-limits=off".into());
    let process = tokio::task::spawn_blocking(move || Running::start("auth-server", &arguments))
        .await
        .unwrap();
    let log_in = async |expected: u16| {
        let body = serde_json::json!({"email": user.email, "password": user.password});
        let url = format!("{}/api/account/login", process.url);
        let answer = app.client.post(url).json(&body).send().await.unwrap();
        assert_eq!(answer.status(), expected);
        answer.json::<Pair>().await.unwrap()
    };
    for broken in [b"{\"keys\": [".as_slice(), b"{\"keys\": []}"] {
        replace(&path, broken);
        sleep(LOOK * 2).await;
        app.call_home(&pair.access_token).await.is(200);
        app.call_home(&log_in(200).await.access_token).await.is(200);
    }
    replace(&path, &good);
    let old = kid(&pair.access_token);
    cli(&app).finish(&["keys", "rotate", "--in", "0s"]).await;
    sleep(LOOK).await;
    let healed = log_in(200).await;
    assert_ne!(kid(&healed.access_token), old);
    app.call_home(&healed.access_token).await.is(200);
    let log = process.kill();
    let reports = log.matches("the old keys stay in use").count();
    assert_eq!(reports, 2, "one for each broken file:\n{log}");
    let secret = app.forge().secret;
    assert!(!log.contains(&URL_SAFE_NO_PAD.encode(secret)));
}

#[tokio::test]
async fn a_new_kid_before_its_ring_is_refused_and_counted_and_good_as_soon_as_the_file_is_there() {
    let elsewhere = tempfile::tempdir().unwrap();
    let copy = elsewhere.path().join("jwt-keys.json");
    let options = Options::new().resource("jwt-keys-file", copy.display().to_string());
    // Its services do not start without a ring; a first one comes from another installation.
    replace(
        &copy,
        shared::keys::KeyRing::generate(0).to_json().as_bytes(),
    );
    let app = App::with(options).await;
    let here = ring_path(&app);
    replace(&copy, &fs::read(&here).unwrap());
    let (_, mut pair) = app.newcomer().await;
    app.call_home(&pair.access_token).await.is(200);
    let counted = async || {
        let url = format!("{}/metrics", app.resource_url);
        let text = app.client.get(url).send().await.unwrap();
        let text = text.text().await.unwrap();
        let name = r#"keyturn_tokens_refused_total{code="token_unknown_key"} "#;
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.map_or(0, |count| count.parse::<u64>().unwrap())
    };
    assert_eq!(counted().await, 0);
    for turn in 1..=3 {
        cli(&app).finish(&["keys", "rotate", "--in", "0s"]).await;
        // Until the signer has looked.
        let old = kid(&pair.access_token);
        while kid(&pair.access_token) == old {
            pair = app.refresh(&pair).await;
        }
        let refused = app
            .call_home(&pair.access_token)
            .await
            .refused(401, "token_unknown_key");
        assert_eq!(refused.act, None, "no refresh would help");
        assert_eq!(counted().await, turn);
        // A second has passed since it last looked for the sake of an unknown `kid`.
        sleep(Duration::from_millis(1_050)).await;
        replace(&copy, &fs::read(&here).unwrap());
        let came = Instant::now();
        app.call_home(&pair.access_token).await.is(200);
        assert!(came.elapsed() < Duration::from_millis(1_100));
    }
}
