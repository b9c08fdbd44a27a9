//! Whoever makes us hash pays, and nobody takes the whole queue.

use std::sync::Arc;

use e2e::{Answer, App, Cli, Database, Options, Running};
use reqwest::Method;
use reqwest::header::HeaderValue;
use serde_json::{Value, json};

fn limited() -> Options {
    Options::new().auth("login-limits", "on")
}

fn behind_a_proxy() -> Options {
    limited().auth("trusted-proxies", "127.0.0.1")
}

fn retry_after(answer: &Answer) -> i64 {
    answer.refused(429, "too_many_attempts");
    answer.header("retry-after").unwrap().parse().unwrap()
}

/// Strangers who take whatever the bucket of an address gets, until this is dropped: what runs in real time
/// fills it again meanwhile, and a busy machine takes its time.
struct Flood(Vec<tokio::task::JoinHandle<()>>);

impl Flood {
    fn from(app: &Arc<App>, address: &'static str) -> Self {
        let knock = || {
            let app = Arc::clone(app);
            tokio::spawn(async move {
                loop {
                    try_register(&app, address.as_bytes()).await;
                    tokio::task::yield_now().await;
                }
            })
        };
        Self((0..8).map(|_| knock()).collect())
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.0.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

/// Tries until the answer is 429: now and then a drop in the bucket is this one's.
async fn kept_out(mut attempt: impl AsyncFnMut() -> Answer) {
    for _ in 0..100 {
        let answer = attempt().await;
        if answer.status == 429 {
            assert!(retry_after(&answer) >= 1);
            return;
        }
    }
    panic!("a hundred attempts in a row had a full bucket");
}

/// Costs an attempt and no hash.
async fn try_register(app: &App, from: &[u8]) -> Answer {
    let request = app
        .client
        .post(format!("{}/api/account/register", app.auth_url))
        .header("x-forwarded-for", HeaderValue::from_bytes(from).unwrap())
        .json(&json!({"userName": "x", "email": format!("no e-mail {}", e2e::random()), "password": "long enough"}));
    Answer::read(request.send().await.unwrap()).await
}

#[tokio::test]
async fn an_address_has_a_bucket_and_other_addresses_have_their_own() {
    let app = Arc::new(App::with(behind_a_proxy()).await);
    for _ in 0..30 {
        try_register(&app, b"2001:db8::1")
            .await
            .refused(422, "invalid_email");
    }
    let _flood = Flood::from(&app, "2001:db8::1");
    // The same household.
    kept_out(async || {
        app.try_log_in_from("2001:db8::77", "a@example.com", "a guess", None)
            .await
    })
    .await;
    try_register(&app, b"2001:db8:0:1::1")
        .await
        .refused(422, "invalid_email");
    // What the client itself wrote before the address that the proxy adds does not count, nor does it hide that
    // address with what is no text.
    for forged in [
        b"192.0.2.1, 2001:db8::2".as_slice(),
        b"\xff\xfe, 2001:db8::3",
    ] {
        kept_out(async || try_register(&app, forged).await).await;
    }
}

/// Every route that hashes: method, path, whether it wants a bearer, and a body whose password is right.
fn routes(email: &str, password: &str) -> Vec<(Method, &'static str, bool, Value)> {
    let new = format!("new-{}@example.com", e2e::random());
    vec![
        (
            Method::POST,
            "/register",
            false,
            json!({"userName": "x", "email": new, "password": password}),
        ),
        (
            Method::POST,
            "/login",
            false,
            json!({"email": email, "password": password}),
        ),
        (
            Method::PATCH,
            "",
            true,
            json!({"userName": "y", "currentPassword": password}),
        ),
        (
            Method::PATCH,
            "",
            true,
            json!({"email": email, "currentPassword": password}),
        ),
        (
            Method::POST,
            "/password",
            true,
            json!({"currentPassword": password, "newPassword": password}),
        ),
        (
            Method::POST,
            "/deletion",
            true,
            json!({"currentPassword": password}),
        ),
        (
            Method::DELETE,
            "",
            true,
            json!({"currentPassword": password}),
        ),
    ]
}

async fn send(app: &App, route: &(Method, &str, bool, Value), from: &str, access: &str) -> Answer {
    let (method, path, bearer, body) = route;
    let mut request = app
        .client
        .request(
            method.clone(),
            format!("{}/api/account{path}", app.auth_url),
        )
        .header("x-forwarded-for", from)
        .json(body);
    if *bearer {
        request = request.bearer_auth(access);
    }
    Answer::read(request.send().await.unwrap()).await
}

#[tokio::test]
async fn the_address_pays_on_every_route_that_hashes() {
    let app = Arc::new(App::with(behind_a_proxy()).await);
    let (poor, rich) = ("198.51.100.1", "198.51.100.2");
    let flood = Flood::from(&app, poor);
    kept_out(async || try_register(&app, poor.as_bytes()).await).await;
    for n in 0..routes("", "").len() {
        // Another account at each try: some routes leave nothing to try again with.
        kept_out(async || {
            let (user, pair) = app.newcomer().await;
            let route = routes(&user.email, &user.password).remove(n);
            send(&app, &route, poor, &pair.access_token).await
        })
        .await;
    }
    drop(flood);
    for n in 0..routes("", "").len() {
        let (user, pair) = app.newcomer().await;
        let route = routes(&user.email, &user.password).remove(n);
        let answer = send(&app, &route, rich, &pair.access_token).await;
        assert!(answer.status < 300, "{route:?}: {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_account_pays_on_every_route_that_hashes() {
    let app = Arc::new(App::with(behind_a_proxy()).await);
    for (n, route) in routes("", "").into_iter().enumerate() {
        if route.0 == Method::DELETE || ["/password", "/deletion"].contains(&route.1) {
            // They end what they are asked with: tried below with wrong passwords by `guessing_signed_in`.
            continue;
        }
        let (user, pair) = app.newcomer().await;
        let route = routes(&user.email, &user.password).remove(n);
        // From everywhere, so that no address is poor, with passwords that are right.
        let began = std::time::Instant::now();
        let mut answers = Vec::new();
        for wave in 0..20 {
            let wave = (0..10).map(|m| {
                let (app, route, access) =
                    (Arc::clone(&app), route.clone(), pair.access_token.clone());
                tokio::spawn(async move {
                    let from = format!("2001:db8:{n:x}:{:x}::1", wave * 10 + m);
                    send(&app, &route, &from, &access).await
                })
            });
            for answer in futures_util::future::join_all(wave).await {
                answers.push(answer.unwrap().status);
            }
        }
        let served = answers
            .iter()
            .filter(|status| **status != 429)
            .inspect(|status| assert!([200, 201, 409].contains(*status), "{status}"))
            .count();
        let (most, per_second) = if route.1 == "/login" {
            (120, 4)
        } else {
            (30, 1)
        };
        let seconds = usize::try_from(began.elapsed().as_secs() + 1).unwrap();
        assert!(served <= most + per_second * seconds, "{route:?}: {served}");
        assert!(served >= 20, "{route:?}: {served}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_account_with_160_connections_keeps_nobody_else_out() {
    let app = Arc::new(App::with(limited()).await);
    let (user, pair) = app.newcomer().await;
    let mut others = Vec::new();
    for _ in 0..12 {
        others.push(app.register().await);
    }
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let flood: Vec<_> = (0..160)
        .map(|n| {
            let (app, stop) = (Arc::clone(&app), Arc::clone(&stop));
            let access = pair.access_token.clone();
            let body = json!({"userName": format!("n{n}"), "currentPassword": user.password});
            tokio::spawn(async move {
                let mut statuses = Vec::new();
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    statuses.push(app.try_change_account(&access, body.clone()).await.status);
                    tokio::task::yield_now().await;
                }
                statuses
            })
        })
        .collect();
    let logged_in = others
        .iter()
        .map(|other| app.try_log_in(&other.email, &other.password));
    let answers = futures_util::future::join_all(logged_in).await;
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    let refused: Vec<_> = answers
        .iter()
        .filter(|answer| answer.status != 200)
        .collect();
    assert!(refused.is_empty(), "{refused:?}");
    let mut flooded = Vec::new();
    for statuses in flood {
        flooded.extend(statuses.await.unwrap());
    }
    assert!(flooded.contains(&429), "it was a flood");
    let changes = "SELECT COUNT(*) AS value FROM audit WHERE event = 'account_changed'";
    assert!(app.database().number(changes).unwrap() < 60);
}

#[tokio::test]
async fn a_change_that_changes_nothing_writes_nothing() {
    let app = App::start().await;
    let (user, pair) = app.newcomer().await;
    let row = || {
        let sql = format!(
            "SELECT user_name || ' ' || email || ' ' || password_hash AS value FROM users WHERE id = '{}'",
            user.id
        );
        app.database().words(&sql)
    };
    let records = || app.database().number("SELECT COUNT(*) AS value FROM audit");
    let before = (row(), records());
    for body in [
        json!({"userName": user.name}),
        json!({"email": user.email}),
        json!({"userName": user.name, "email": user.email}),
    ] {
        let mut body = body;
        body["currentPassword"] = json!(user.password);
        let answer = app
            .try_change_account(&pair.access_token, body.clone())
            .await;
        let account: Value = answer.is(200).json();
        assert_eq!(account["userName"], user.name.as_str());
        assert_eq!(account["email"], user.email.as_str());
        assert_eq!((row(), records()), before, "{body}");
    }
    // What changes beside what does not is written, and said as what it is.
    let body = json!({"userName": "new", "email": user.email, "currentPassword": user.password});
    app.try_change_account(&pair.access_token, body)
        .await
        .is(200);
    let said = "SELECT detail AS value FROM audit WHERE event = 'account_changed'";
    assert_eq!(app.database().words(said), [Some("name".to_owned())]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_refusals_is_a_line_a_second_in_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::create(folder.path());
    let cli = Cli::new(folder.path(), database.url());
    cli.done(&["keys", "init"]);
    // Without limits, so that the queue gets full: 503, which is logged as a warning.
    let own = ["--listen=127.0.0.1:0", "--login-limits=off"].map(str::to_owned);
    let auth = Running::start("auth-server", &[cli.arguments(), &own].concat());
    let app = Arc::new(App::at(&auth.url, &auth.url));
    let began = std::time::Instant::now();
    let guesses = (0..400).map(|_| {
        let app = Arc::clone(&app);
        tokio::spawn(async move { app.try_log_in("nobody@example.com", "a guess").await })
    });
    let answers = futures_util::future::join_all(guesses).await;
    let busy = answers
        .iter()
        .filter(|answer| answer.as_ref().unwrap().status == 503)
        .count();
    let seconds = usize::try_from(began.elapsed().as_secs()).unwrap() + 1;
    assert!(busy > 50, "it was a flood: {busy}");
    drop(app);
    let log = tokio::task::spawn_blocking(move || auth.stop())
        .await
        .unwrap();
    let warnings = log.lines().filter(|line| line.contains(" WARN "));
    let lines = warnings.filter(|line| line.contains("busy")).count();
    assert!(log.contains("more of this kind within a second"), "{log}");
    assert!(
        (2..=2 * (seconds + 1)).contains(&lines),
        "{lines} lines of {busy}: {log}"
    );
}
