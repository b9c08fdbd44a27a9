//! Every state that a connection can be in has an end, plain and over TLS, in both services.
//!
//! The limits are shortened, all but the ones that a case must not depend on.

use std::time::{Duration, Instant};

use chassis::connection_limits::ConnectionLimits;
use e2e::{App, Options, RawAnswer, open};
use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{sleep, timeout};

use super::tls::Certificate;

trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

const LOGIN: &str =
    "POST /api/account/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
const HEALTH: &str = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";

/// Much more than every limit of [`limits`], and much less than those that a case must not depend on.
const PATIENCE: Duration = Duration::from_secs(15);

fn limits() -> ConnectionLimits {
    ConnectionLimits {
        handshake: Duration::from_secs(1),
        head: Duration::from_secs(1),
        stalled: Duration::from_secs(3),
        request: Duration::from_secs(4),
        unread: Duration::from_secs(1),
        ..ConnectionLimits::default()
    }
}

/// What a client does and then stops doing.
struct Case {
    name: &'static str,
    sends: String,
    /// What it sends once it has read an answer.
    then: &'static str,
    /// What it goes on sending, a little at a time.
    drips: &'static str,
}

fn case(name: &'static str, sends: impl Into<String>) -> Case {
    Case {
        name,
        sends: sends.into(),
        then: "",
        drips: "",
    }
}

impl Case {
    fn then(self, then: &'static str) -> Self {
        Self { then, ..self }
    }

    fn drips(self, drips: &'static str) -> Self {
        Self { drips, ..self }
    }
}

/// The states of a connection, with routes of a service.
fn cases(json: &str, poll: Option<&str>) -> Vec<Case> {
    let chunked = "Transfer-Encoding: chunked\r\n\r\n5\r\nab";
    let counted = "Content-Length: 50\r\n\r\nab";
    let mut cases = vec![
        case("nothing", ""),
        case("the first head", "GET /healthz HT"),
        case("the first head, dripping", "GET /healthz HTTP/1.1\r\nA: ").drips("x"),
        case("blank lines", "").drips("\r\n"),
        case("the next head, later", HEALTH).then("G"),
        case("the next head, dripping", HEALTH)
            .then("GET /healthz HTTP/1.1\r\nA: ")
            .drips("x"),
        case("the next head, in one piece", format!("{HEALTH}G")),
        case(
            "the next head, all but its end",
            format!("{HEALTH}{}", HEALTH.trim_end()),
        ),
        case(
            "a long next head",
            format!("{HEALTH}GET /healthz HTTP/1.1\r\nA: {}", "x".repeat(9_000)),
        ),
        case("the fourth head", format!("{HEALTH}{HEALTH}{HEALTH}GET /")),
        case("a blank line behind an answer", HEALTH).then("\r\n"),
    ];
    for (name, head) in [
        (
            "a route that reads no body",
            "GET /healthz HTTP/1.1\r\nHost: x\r\n",
        ),
        ("no route", "POST /nowhere HTTP/1.1\r\nHost: x\r\n"),
        (
            "no method of a route",
            "POST /healthz HTTP/1.1\r\nHost: x\r\n",
        ),
        (
            "a gate",
            "DELETE /api/account/sessions HTTP/1.1\r\nHost: x\r\n",
        ),
        ("the other gate", "GET /api/home HTTP/1.1\r\nHost: x\r\n"),
        ("a JSON route", json),
    ] {
        for body in [chunked, counted] {
            cases.push(case(name, format!("{head}{body}")));
            cases.push(case(name, format!("{head}{body}")).drips("c"));
        }
        // Behind an answer on the same connection.
        cases.push(case(name, format!("{HEALTH}{head}{chunked}")));
        // The size of the next chunk, for ever.
        cases.push(case(name, format!("{head}Transfer-Encoding: chunked\r\n\r\n")).drips("0"));
        // Chunk after chunk.
        cases.push(
            case(name, format!("{head}Transfer-Encoding: chunked\r\n\r\n")).drips("1\r\na\r\n"),
        );
        // Trailers.
        cases.push(
            case(
                name,
                format!("{head}Transfer-Encoding: chunked\r\n\r\n0\r\n"),
            )
            .drips("A: b\r\n"),
        );
    }
    if let Some(poll) = poll {
        for rest in ["G", chunked, counted] {
            let end = if rest == "G" { "\r\n" } else { "" };
            cases.push(case("a long poll", format!("{poll}{end}{rest}")));
            cases.push(case("a long poll, dripping", format!("{poll}{end}{rest}")).drips("c"));
        }
    }
    cases
}

/// Does what the case says, and waits for the other side to end it.
async fn play(case: Case, mut wire: Box<dyn Wire>) -> Result<(), String> {
    let Case {
        name,
        sends,
        then,
        drips,
    } = case;
    let began = Instant::now();
    let what = format!("{name}: {sends:.120}… then {then:?}, dripping {drips:?}");
    // The other side may end it at any moment from here on.
    let _ = wire.write_all(sends.as_bytes()).await;
    let _ = wire.flush().await;
    let mut part = [0; 4096];
    if !then.is_empty() {
        let read = wire.read(&mut part).await;
        assert!(read.is_ok_and(|read| read > 0), "no answer: {what}");
        let _ = wire.write_all(then.as_bytes()).await;
        let _ = wire.flush().await;
    }
    while began.elapsed() < PATIENCE {
        match timeout(Duration::from_millis(200), wire.read(&mut part)).await {
            Ok(Ok(0) | Err(_)) => return Ok(()),
            Ok(Ok(_)) => {}
            Err(_) if drips.is_empty() => {}
            Err(_) => {
                let dripped = wire.write_all(drips.as_bytes()).await;
                if dripped.is_err() || wire.flush().await.is_err() {
                    return Ok(());
                }
            }
        }
    }
    Err(what)
}

async fn all_end(app: &App, certificate: Option<&Certificate>) {
    let poll = format!(
        "GET /internal/revocations?wait=1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n",
        super::feed::bearer(app).sign()
    );
    let mut playing = Vec::new();
    for (url, json, poll) in [
        (&app.auth_url, LOGIN, Some(poll.as_str())),
        (
            &app.resource_url,
            "POST /api/me HTTP/1.1\r\nHost: x\r\n",
            None,
        ),
    ] {
        for case in cases(json, poll) {
            let tcp = open(url).await;
            let wire: Box<dyn Wire> = match certificate {
                None => Box::new(tcp),
                Some(certificate) => Box::new(certificate.greet(tcp).await.unwrap()),
            };
            playing.push(tokio::spawn(play(case, wire)));
        }
    }
    let mut endless = Vec::new();
    for one in playing {
        endless.extend(one.await.unwrap().err());
    }
    assert!(endless.is_empty(), "open for ever:\n{}", endless.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_state_of_a_connection_has_an_end() {
    let app = App::with(Options::new().connections(limits())).await;
    all_end(&app, None).await;
    app.is_alive().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_state_of_a_tls_connection_has_an_end() {
    let certificate = Certificate::make();
    let app = certificate
        .app_with(Options::new().connections(limits()))
        .await;
    all_end(&app, Some(&certificate)).await;
    // Before there is TLS at all, and in the middle of a record behind the greeting.
    let mut playing = Vec::new();
    for url in [&app.auth_url, &app.resource_url] {
        for begin in ["", "\x16", "\x16\x03\x01\x02\x00\x01"] {
            let wire = Box::new(open(url).await);
            playing.push(tokio::spawn(play(case("a greeting", begin), wire)));
        }
        let mut tls = certificate.greet(open(url).await).await.unwrap();
        tls.write_all(HEALTH.as_bytes()).await.unwrap();
        assert!(tls.read(&mut [0; 4096]).await.unwrap() > 0);
        let (tcp, _) = tls.into_inner();
        playing.push(tokio::spawn(play(
            case("half a record", "\x17\x03\x03\x40"),
            Box::new(tcp),
        )));
    }
    for one in playing {
        one.await.unwrap().unwrap();
    }
    app.is_alive().await;
}

/// How many connections a service has open, this question's included.
async fn open_connections(app: &App, url: &str) -> u64 {
    let text = app
        .client
        .get(format!("{url}/metrics"))
        .send()
        .await
        .unwrap();
    let text = text.text().await.unwrap();
    let line = text
        .lines()
        .find(|line| line.starts_with("keyturn_connections "));
    let (_, count) = line.unwrap().split_once(' ').unwrap();
    count.parse().unwrap()
}

/// Asks for much more than fits into the buffers of both sides.
async fn asks_much(mut wire: impl AsyncWrite + Unpin) {
    let asked = "GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n".repeat(64);
    while wire.write_all(asked.as_bytes()).await.is_ok() {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_and_reads_nothing_or_next_to_nothing_is_given_up() {
    let certificate = Certificate::make();
    for tls in [false, true] {
        let options = Options::new().connections(limits());
        let app = if tls {
            certificate.app_with(options).await
        } else {
            App::with(options).await
        };
        for url in [&app.auth_url, &app.resource_url] {
            let mut held = Vec::new();
            for trickles in [false, true] {
                let tcp = open(url).await;
                let wire: Box<dyn Wire> = if tls {
                    Box::new(certificate.greet(tcp).await.unwrap())
                } else {
                    Box::new(tcp)
                };
                let (mut read, write) = tokio::io::split(wire);
                held.push(tokio::spawn(asks_much(write)));
                held.push(tokio::spawn(async move {
                    let mut part = [0; 1_000];
                    while trickles && read.read(&mut part).await.is_ok_and(|read| read > 0) {
                        sleep(Duration::from_millis(50)).await;
                    }
                    // Neither reads nor closes.
                    std::future::pending::<()>().await;
                }));
            }
            let began = Instant::now();
            while open_connections(&app, url).await > 1 {
                assert!(began.elapsed() < PATIENCE, "{url}: open for ever");
                sleep(Duration::from_millis(100)).await;
            }
            held.iter().for_each(tokio::task::JoinHandle::abort);
        }
    }
}

#[tokio::test]
async fn a_long_poll_outlives_every_limit_but_its_own() {
    let limits = ConnectionLimits {
        head: Duration::from_secs(1),
        idle: Duration::from_secs(1),
        idle_when_short: Duration::from_millis(200),
        ..ConnectionLimits::default()
    };
    let app = App::with(Options::new().connections(limits)).await;
    let ask = |query: String| super::feed::ask(&app, query);
    let cursor = ask(String::new()).await["cursor"]
        .as_str()
        .unwrap()
        .to_owned();
    let began = Instant::now();
    let news = ask(format!("?after={cursor}&wait=4")).await;
    assert_eq!(news["entries"], json!([]));
    assert!(
        began.elapsed() >= Duration::from_secs(4),
        "{:?}",
        began.elapsed()
    );
}

async fn asks_again_after(url: &str, silence: Duration) -> bool {
    let mut stream = open(url).await;
    for pause in [silence, Duration::ZERO] {
        if stream.write_all(HEALTH.as_bytes()).await.is_err() {
            return false;
        }
        let answer = RawAnswer::read(&mut stream).await;
        if answer.status() != Some(200) {
            return false;
        }
        sleep(pause).await;
    }
    true
}

/// Proxies keep connections for a minute and more, and send a request whenever they like.
#[tokio::test]
async fn a_connection_that_was_silent_for_six_seconds_is_used_again() {
    let app = App::start().await;
    let silence = Duration::from_secs(6);
    let (auth, resource) = tokio::join!(
        asks_again_after(&app.auth_url, silence),
        asks_again_after(&app.resource_url, silence)
    );
    assert!(auth && resource);
}

#[tokio::test]
async fn a_trusted_proxy_keeps_its_connections_longer_than_others() {
    let limits = ConnectionLimits {
        idle: Duration::from_secs(1),
        idle_of_proxy: Duration::from_mins(1),
        ..ConnectionLimits::default()
    };
    let options = Options::new().connections(limits);
    let silence = Duration::from_secs(4);
    let app = App::with(options.clone()).await;
    assert!(!asks_again_after(&app.auth_url, silence).await);
    assert!(!asks_again_after(&app.resource_url, silence).await);
    let app = App::with(options.both("trusted-proxies", "127.0.0.1")).await;
    assert!(asks_again_after(&app.auth_url, silence).await);
    assert!(asks_again_after(&app.resource_url, silence).await);
}
