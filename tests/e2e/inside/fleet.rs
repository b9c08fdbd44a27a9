//! Services as processes on one database, and a crowd of clients that refresh without a pause.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use e2e::{App, Cli, Pair, Running, signal};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

/// Starts an auth-server on a folder with key files, which are made if missing.
pub(crate) fn auth_server(folder: &Path, database_url: &str, flags: &[&str]) -> Running {
    let cli = Cli::new(folder, database_url);
    cli.done(&["keys", "init"]);
    let mut arguments = cli.arguments().to_vec();
    arguments.extend(["--registration=open", "--login-limits=off"].map(str::to_owned));
    if !flags.iter().any(|flag| flag.starts_with("--listen=")) {
        arguments.push("--listen=127.0.0.1:0".into());
    }
    arguments.extend(flags.iter().map(|&flag| flag.to_owned()));
    Running::start("auth-server", &arguments)
}

/// Starts a resource-api beside it that follows the feed at these addresses.
pub(crate) fn resource_api(folder: &Path, feed: &str) -> Running {
    let ring = format!("--jwt-keys-file={}", folder.join("jwt-keys.json").display());
    Running::start(
        "resource-api",
        &[
            ring,
            "--listen=127.0.0.1:0".into(),
            format!("--revocation-feed-url={feed}"),
        ],
    )
}

/// Ends a service as an orchestrator does, and waits for its end.
pub(crate) fn terminate(service: Running) {
    signal(service.id(), "TERM");
    assert!(service.wait().success(), "it ends well");
}

/// What a crowd went through.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// Exchanges.
    pub(crate) refreshed: usize,
    /// Answers of 503, each with `Retry-After`.
    pub(crate) unavailable: usize,
    /// Requests that found no listener, and were sent to another.
    pub(crate) moved: usize,
    /// Requests whose connection was closed before an answer came, and were sent to another.
    pub(crate) cut: usize,
    /// The longest that an answer took.
    pub(crate) slowest: Duration,
}

/// Clients, each with a session of its own, that exchange their pair again and again.
pub(crate) struct Crowd {
    stop: Arc<AtomicBool>,
    members: Vec<JoinHandle<(Report, Pair)>>,
}

impl Crowd {
    /// A crowd of `size`, each of whom goes from one of the addresses to the next.
    pub(crate) async fn gather(size: usize, auth_urls: &[String]) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut members = Vec::new();
        let first = App::at(&auth_urls[0], "");
        let user = first.register().await;
        for number in 0..size {
            let pair = first.log_in(&user).await;
            let (urls, stop) = (auth_urls.to_vec(), Arc::clone(&stop));
            members.push(tokio::spawn(refresh_on(number, urls, pair, stop)));
        }
        Self { stop, members }
    }

    /// Ends it. Everyone must be signed in still: each refreshes once more.
    pub(crate) async fn disperse(self, auth_url: &str) -> Report {
        self.stop.store(true, Ordering::Relaxed);
        let app = App::at(auth_url, "");
        let mut sum = Report::default();
        for member in self.members {
            let (report, pair) = member.await.expect("nobody was refused");
            app.refresh(&pair).await;
            sum.refreshed += report.refreshed;
            sum.unavailable += report.unavailable;
            sum.moved += report.moved;
            sum.cut += report.cut;
            sum.slowest = sum.slowest.max(report.slowest);
        }
        sum
    }
}

async fn refresh_on(
    number: usize,
    urls: Vec<String>,
    mut pair: Pair,
    stop: Arc<AtomicBool>,
) -> (Report, Pair) {
    let client = App::at("", "").client;
    let mut report = Report::default();
    let mut turn = number;
    while !stop.load(Ordering::Relaxed) {
        turn += 1;
        let body = json!({"accessToken": pair.access_token, "refreshToken": pair.refresh_token});
        let url = format!("{}/api/account/refresh-token", urls[turn % urls.len()]);
        let began = Instant::now();
        let answer = client.post(url).json(&body).send().await;
        let answer = match answer {
            Ok(answer) => answer,
            // Nobody listens there just now, or the kept connection was closed as it was used.
            Err(error) if urls.len() > 1 => {
                report.moved += usize::from(error.is_connect());
                report.cut += usize::from(!error.is_connect());
                tokio::time::sleep(Duration::from_millis(5)).await;
                continue;
            }
            Err(error) => panic!("auth-server answers: {error:?}"),
        };
        report.slowest = report.slowest.max(began.elapsed());
        match answer.status().as_u16() {
            200 => {
                pair = answer.json().await.expect("a pair");
                report.refreshed += 1;
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            503 => {
                assert!(answer.headers().contains_key("retry-after"), "{answer:?}");
                let problem: Value = answer.json().await.expect("a problem");
                let code = problem["code"].as_str().unwrap_or_default();
                assert!(
                    ["database_unavailable", "busy"].contains(&code),
                    "{problem}"
                );
                report.unavailable += 1;
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            _ => panic!("refused: {:?}", answer.text().await),
        }
    }
    (report, pair)
}
