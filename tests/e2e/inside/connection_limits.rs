//! One address cannot take what belongs to all: connections and TLS handshakes. And connections that only
//! wait give way when there are few left.
//!
//! Other addresses are those of the loopback network; only Linux has all of them.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use chassis::connection_limits::ConnectionLimits;
use e2e::{App, Cli, Options, RawAnswer, Running, User, open, open_from};
use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::tls::Certificate;

const HEALTH: &str = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";

/// Somebody else.
fn other(n: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 0, 1 + n)
}

/// Opens connections that have had an answer and sent the beginning of the next request, or nothing.
async fn occupy(source: Ipv4Addr, url: &str, count: usize, next: &str) -> Vec<TcpStream> {
    let mut held = Vec::new();
    for _ in 0..count {
        let mut stream = open_from(source, url).await;
        // Those above the bound are closed at any moment.
        let _ = stream.write_all(format!("{HEALTH}{next}").as_bytes()).await;
        held.push(stream);
    }
    held
}

/// auth-server as a process that may have few files, and resource-api beside it.
async fn services(app: &App, files: u32) -> [Running; 2] {
    let mut auth = Cli::new(app.folder(), app.database().url())
        .arguments()
        .to_vec();
    auth.extend(["--listen=127.0.0.1:0", "--login-limits=off"].map(str::to_owned));
    let ring = app.folder().join("jwt-keys.json");
    let resource = vec![
        "--listen=127.0.0.1:0".to_owned(),
        format!("--jwt-keys-file={}", ring.display()),
    ];
    let start = move || {
        [("auth-server", auth), ("resource-api", resource)]
            .map(|(name, arguments)| Running::start_with_few_files(name, &arguments, files))
    };
    spawn_blocking(start).await.unwrap()
}

/// Logs in and calls the API, from the usual address, and says how long that took.
async fn come_in(services: &[Running; 2], user: &User) -> Duration {
    let came = Instant::now();
    let at = App::at(&services[0].url, &services[1].url);
    let pair = at.log_in(user).await;
    at.call_home(&pair.access_token).await.is(200);
    came.elapsed()
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_address_with_stuck_connections_shuts_nobody_out() {
    let app = App::start().await;
    let user = app.register().await;
    let services = services(&app, 700).await;
    let mut held = Vec::new();
    for service in &services {
        held.extend(occupy(other(1), &service.url, 460, "G").await);
    }
    let took = come_in(&services, &user).await;
    // They would be given up after ten seconds.
    assert!(took < Duration::from_secs(7), "{took:?}");
    for service in &services {
        let at = App::at(&service.url, &service.url);
        let metrics = at.client.get(format!("{}/metrics", service.url)).send();
        let metrics = metrics.await.unwrap().text().await.unwrap();
        let refused = r#"keyturn_connections_refused_total{reason="connections"} "#;
        let line = metrics.lines().find_map(|line| line.strip_prefix(refused));
        assert!(line.unwrap().parse::<u64>().unwrap() >= 300, "{line:?}");
    }
    drop(held);
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_connections_give_way_when_few_are_left() {
    let app = App::start().await;
    let user = app.register().await;
    // 144 connections on any number of cores; few are left from 108 on.
    let services = services(&app, 400).await;
    for service in &services {
        let mut held = Vec::new();
        for n in 1..=4 {
            held.extend(occupy(other(n), &service.url, 30, "").await);
        }
        // As many as it takes, after five seconds; nobody goes by himself before 75.
        let ends = held
            .iter_mut()
            .map(async |one| one.read_to_end(&mut Vec::new()).await);
        let mut ends: FuturesUnordered<_> = ends.collect();
        for closed in 0..=120 - 108 {
            let end = timeout(Duration::from_mins(1), ends.next()).await;
            assert!(end.is_ok(), "{closed} closed at {}", service.url);
        }
    }
    come_in(&services, &user).await;
}

/// Whether a service answers over TLS, and how long that took.
async fn greets(certificate: &Certificate, url: &str) -> Duration {
    let came = Instant::now();
    let mut tls = certificate.greet(open(url).await).await.unwrap();
    tls.write_all(HEALTH.as_bytes()).await.unwrap();
    assert!(tls.read(&mut [0; 4096]).await.unwrap() > 0);
    came.elapsed()
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_tls_connections_do_not_make_others_wait() {
    let certificate = Certificate::make();
    let app = certificate.app_with(Options::new()).await;
    for url in [&app.auth_url, &app.resource_url] {
        let mut silent = Vec::new();
        for n in 1..=8 {
            for _ in 0..100 {
                silent.push(open_from(other(n), url).await);
            }
        }
        for _ in 0..5 {
            let took = greets(&certificate, url).await;
            // They are given up after five seconds.
            assert!(took < Duration::from_secs(3), "{url}: {took:?}");
        }
        drop(silent);
    }
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_has_so_many_unfinished_handshakes_and_its_others_are_closed_at_once() {
    let certificate = Certificate::make();
    let limits = ConnectionLimits {
        handshake: Duration::from_mins(1),
        ..ConnectionLimits::default()
    };
    let app = certificate
        .app_with(Options::new().connections(limits))
        .await;
    for url in [&app.auth_url, &app.resource_url] {
        let mut silent = Vec::new();
        for _ in 0..200 {
            silent.push(open_from(other(1), url).await);
        }
        // Which ones is a matter of which worker comes first.
        let ends = silent.iter_mut().map(async |one| {
            let end = timeout(Duration::from_secs(5), one.read(&mut [0; 16])).await;
            matches!(end, Ok(Ok(0) | Err(_)))
        });
        let closed = join_all(ends).await.into_iter().filter(|closed| *closed);
        assert_eq!(closed.count(), 200 - 128);
        // Somebody else is not concerned.
        greets(&certificate, url).await;
        // And who goes makes room.
        drop(silent);
        let began = Instant::now();
        while let Err(error) = certificate.greet(open_from(other(1), url).await).await {
            assert!(began.elapsed() < Duration::from_secs(10), "{error}");
        }
    }
}

/// A closed connection is no answer that could be taken for one.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_too_many_is_closed_without_a_word() {
    let app = App::start().await;
    let services = services(&app, 400).await;
    let mut held = occupy(other(1), &services[0].url, 36, "").await;
    for stream in &mut held {
        // It has been taken in.
        assert!(stream.read(&mut [0; 4096]).await.unwrap() > 0);
    }
    let mut one_more = open_from(other(1), &services[0].url).await;
    let _ = one_more.write_all(HEALTH.as_bytes()).await;
    let answer = RawAnswer::read(&mut one_more).await;
    assert_eq!(answer.0, "");
    drop(held);
}
