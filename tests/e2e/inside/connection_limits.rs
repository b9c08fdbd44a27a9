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

/// A number of a service's metrics.
async fn metric(client: &reqwest::Client, url: &str, name: &str) -> u64 {
    let metrics = client.get(format!("{url}/metrics")).send().await;
    let metrics = metrics.unwrap().text().await.unwrap();
    let mut lines = metrics.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    value.unwrap_or_else(|| panic!("{name} at {url}:\n{metrics}"))
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
        let refused = r#"keyturn_connections_refused_total{reason="connections"}"#;
        let refused = metric(&at.client, &service.url, refused).await;
        assert!(refused >= 300, "{refused}");
    }
    drop(held);
}

/// Asks on a connection, and opens another one in its place if it was closed.
async fn ask(source: Ipv4Addr, url: &str, stream: &mut TcpStream) {
    let asked = stream.write_all(HEALTH.as_bytes()).await;
    if asked.is_err() || !matches!(stream.read(&mut [0; 4096]).await, Ok(1..)) {
        *stream = open_from(source, url).await;
        let _ = stream.write_all(HEALTH.as_bytes()).await;
    }
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_addresses_that_ask_now_and_then_shut_no_newcomer_out() {
    const BODY: &str = r#"{"email":"a@example.com","password":"not the right one"}"#;
    let app = App::start().await;
    let user = app.register().await;
    // 444 connections for each service.
    let services = services(&app, 700).await;
    // One that is being answered, alone at its address.
    let mut honest = open_from(other(200), &services[0].url).await;
    let head = format!(
        "POST /api/account/login HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{{",
        BODY.len()
    );
    honest.write_all(head.as_bytes()).await.unwrap();
    let mut storms = Vec::new();
    for service in &services {
        let mut hostile = Vec::new();
        for n in 1..=8 {
            for mut stream in occupy(other(n), &service.url, 60, "").await {
                // The first ones of an address may have had to go for its last.
                let _ = stream.read(&mut [0; 4096]).await;
                hostile.push((other(n), stream));
            }
        }
        let url = service.url.clone();
        storms.push(tokio::spawn(async move {
            loop {
                for (source, stream) in &mut hostile {
                    ask(*source, &url, stream).await;
                }
            }
        }));
    }
    for _ in 0..5 {
        let took = come_in(&services, &user).await;
        assert!(took < Duration::from_secs(7), "{took:?}");
    }
    for service in &services {
        let gave_way = "keyturn_connections_gave_way_total";
        let gave_way = metric(&app.client, &service.url, gave_way).await;
        assert!(gave_way > 50, "{gave_way}");
    }
    honest.write_all(&BODY.as_bytes()[1..]).await.unwrap();
    let answer = RawAnswer::read(&mut honest).await;
    assert!(answer.0.starts_with("HTTP/1.1 401"), "{}", answer.0);
    assert!(storms.iter().all(|storm| !storm.is_finished()));
    for storm in &storms {
        storm.abort();
    }
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

fn with_handshake(handshake: Duration) -> Options {
    Options::new().connections(ConnectionLimits {
        handshake,
        ..ConnectionLimits::default()
    })
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_has_so_many_unfinished_handshakes_and_its_others_wait() {
    let certificate = Certificate::make();
    let options = with_handshake(Duration::from_mins(1));
    let app = certificate.app_with(options).await;
    for url in [&app.auth_url, &app.resource_url] {
        let mut silent = Vec::new();
        for _ in 0..128 {
            silent.push(open_from(other(1), url).await);
        }
        let began = Instant::now();
        while metric(&app.client, url, "keyturn_connections ").await < 129 {
            assert!(began.elapsed() < Duration::from_secs(20));
        }
        let one_more = certificate.greet(open_from(other(1), url).await);
        tokio::pin!(one_more);
        let early = timeout(Duration::from_millis(500), &mut one_more).await;
        assert!(early.is_err(), "{url}: it did not wait");
        // Somebody else is not concerned.
        greets(&certificate, url).await;
        // And who goes makes room.
        silent.pop();
        let greeted = timeout(Duration::from_secs(20), one_more).await;
        greeted.unwrap().unwrap();
    }
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_of_300_handshakes_of_one_address_loses_no_connection() {
    let certificate = Certificate::make();
    let options = with_handshake(Duration::from_mins(1));
    let app = certificate.app_with(options).await;
    for url in [&app.auth_url, &app.resource_url] {
        let mut burst = Vec::new();
        for _ in 0..300 {
            burst.push(open_from(other(1), url).await);
        }
        let greeted = join_all(burst.into_iter().map(|one| certificate.greet(one))).await;
        let lost = greeted.iter().filter(|greeted| greeted.is_err()).count();
        assert_eq!(lost, 0, "{url}");
    }
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_a_handshake_waits_no_longer_than_one_may_take() {
    let certificate = Certificate::make();
    let options = with_handshake(Duration::from_secs(1));
    let app = certificate.app_with(options).await;
    for url in [&app.auth_url, &app.resource_url] {
        let mut silent = Vec::new();
        for _ in 0..200 {
            silent.push(open_from(other(1), url).await);
        }
        let ends = silent.iter_mut().map(async |one| {
            let end = timeout(Duration::from_secs(20), one.read(&mut [0; 16])).await;
            matches!(end, Ok(Ok(0) | Err(_)))
        });
        assert!(join_all(ends).await.into_iter().all(|closed| closed));
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
