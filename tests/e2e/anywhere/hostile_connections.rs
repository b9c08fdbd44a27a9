//! HTTP by hand: heads and bodies that are cut, stalled, doubled or huge. What matters is that nothing is
//! executed by mistake, every answer is a problem, and the services are alive afterwards.

use std::time::{Duration, Instant};

use e2e::{App, RawAnswer, exchange, open};
use serde_json::json;
use tokio::io::AsyncWriteExt;

const LOGIN: &str =
    "POST /api/account/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";

#[tokio::test]
async fn a_stalled_body_is_given_up_after_a_while() {
    let app = App::any().await;
    let started = Instant::now();
    let mut connections = Vec::new();
    for head in [
        format!("{LOGIN}Content-Length: 100\r\n\r\n{{\"email\":"),
        format!("{LOGIN}Content-Length: 100\r\n\r\n"),
        format!("{LOGIN}Transfer-Encoding: chunked\r\n\r\n5\r\n{{\"ema\r\n"),
        format!(
            "{}Content-Length: 100\r\n\r\n",
            LOGIN.replace("login", "refresh-token")
        ),
    ] {
        let mut stream = open(&app.auth_url).await;
        stream.write_all(head.as_bytes()).await.unwrap();
        connections.push(stream);
    }
    for mut stream in connections {
        let answer = RawAnswer::read(&mut stream).await;
        answer.answer().refused(408, "request_timeout");
        assert!(
            answer.0.to_lowercase().contains("connection: close"),
            "{answer:?}"
        );
    }
    assert!(
        started.elapsed() < Duration::from_secs(24),
        "{:?}",
        started.elapsed()
    );
    app.is_alive().await;
}

#[tokio::test]
async fn a_body_that_drips_is_given_up_as_well() {
    let app = App::any().await;
    let mut stream = open(&app.auth_url).await;
    stream
        .write_all(format!("{LOGIN}Content-Length: 1000\r\n\r\n").as_bytes())
        .await
        .unwrap();
    let started = Instant::now();
    // A byte now and then does not buy more time.
    while started.elapsed() < Duration::from_secs(20) {
        if stream.write_all(b" ").await.is_err() {
            break;
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(500)) => {}
            ready = stream.readable() => { ready.unwrap(); break; }
        }
    }
    RawAnswer::read(&mut stream)
        .await
        .answer()
        .refused(408, "request_timeout");
    app.is_alive().await;
}

#[tokio::test]
async fn clients_that_vanish_leave_nothing_behind() {
    let app = App::any().await;
    let (user, pair) = app.newcomer().await;
    let body = json!({"email": user.email, "password": user.password}).to_string();
    for cut in [
        1,
        20,
        LOGIN.len(),
        LOGIN.len() + 15,
        LOGIN.len() + 40,
        LOGIN.len() + 10_000,
    ] {
        for _ in 0..10 {
            let request = format!("{LOGIN}Content-Length: {}\r\n\r\n{body}", body.len());
            let mut stream = open(&app.auth_url).await;
            stream
                .write_all(&request.as_bytes()[..cut.min(request.len())])
                .await
                .unwrap();
        }
    }
    app.refresh(&pair).await;
    app.is_alive().await;
}

#[tokio::test]
async fn heads_that_are_no_http_are_refused() {
    let app = App::any().await;
    let big = "x".repeat(1_000_000);
    for url in [&app.auth_url, &app.resource_url] {
        for head in [
            "\0\0\0\0\r\n\r\n".to_owned(),
            "GET\r\n\r\n".to_owned(),
            "GET / HTTP/9.9\r\nHost: x\r\n\r\n".to_owned(),
            "GET /healthz HTTP/1.1\r\nHost x\r\n\r\n".to_owned(),
            "GET /healthz HTTP/1.1\r\n: x\r\nHost: x\r\n\r\n".to_owned(),
            "GET /health\0z HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
            "GET /healthz HTTP/1.1\r\nHost: x\r\nA: b\0c\r\n\r\n".to_owned(),
            format!("GET /{big} HTTP/1.1\r\nHost: x\r\n\r\n"),
            format!("GET /healthz HTTP/1.1\r\nHost: x\r\nX-Big: {big}\r\n\r\n"),
            format!(
                "GET /healthz HTTP/1.1\r\nHost: x\r\n{}\r\n",
                "A: b\r\n".repeat(20_000)
            ),
            format!("{big}\r\n\r\n"),
            "\x16\x03\x01\x02\x00\x01\x00\x01\u{7f}\x03\x03".to_owned()
                + &"x".repeat(300)
                + "\r\n\r\n",
        ] {
            let answer = exchange(url, head.as_bytes()).await;
            // Closed without a word or refused: both will do, a success will not.
            let status = answer.status();
            assert!(
                status.is_none_or(|status| (400..500).contains(&status)),
                "{head:.80}: {answer:?}"
            );
        }
    }
    app.is_alive().await;
}

#[tokio::test]
async fn two_lengths_or_two_framings_are_never_two_requests() {
    let app = App::any().await;
    let (user, pair) = app.newcomer().await;
    let login = json!({"email": user.email, "password": user.password}).to_string();
    let smuggled = format!(
        "GET /api/account/sessions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\r\n",
        pair.access_token
    );
    for framing in [
        format!(
            "Content-Length: {}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}",
            login.len()
        ),
        format!(
            "Transfer-Encoding: chunked\r\nContent-Length: {}\r\n\r\n0\r\n\r\n{smuggled}",
            login.len()
        ),
        format!(
            "Content-Length: {}\r\nContent-Length: 0\r\n\r\n{login}{smuggled}",
            login.len()
        ),
        format!(
            "Content-Length: 0\r\nContent-Length: {}\r\n\r\n{login}{smuggled}",
            login.len()
        ),
        format!("Content-Length: +{}\r\n\r\n{login}", login.len()),
        format!("Content-Length: -1\r\n\r\n{login}"),
        format!("Content-Length: 0x10\r\n\r\n{login}"),
        format!("Content-Length: 1 0\r\n\r\n{login}"),
        format!(
            "Content-Length: {}, {}\r\n\r\n{login}",
            login.len(),
            login.len()
        ),
        "Content-Length: 99999999999999999999999999\r\n\r\n".to_owned(),
        format!("Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n{smuggled}"),
        format!("Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{smuggled}"),
        format!("Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n{smuggled}"),
        format!(
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n{smuggled}"
        ),
        "Transfer-Encoding: chunked\r\n\r\nzz\r\n".to_owned(),
        "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffffff\r\n".to_owned(),
        "Transfer-Encoding: chunked\r\n\r\n-1\r\n".to_owned(),
    ] {
        let answer = exchange(&app.auth_url, format!("{LOGIN}{framing}").as_bytes()).await;
        assert!(
            !answer.0.contains("lastUsedAt"),
            "the smuggled request was answered: {framing:.60}: {answer:?}"
        );
        assert!(
            answer.status().is_none_or(|status| status >= 400),
            "{framing:.60}: {answer:?}"
        );
    }
    app.is_alive().await;
}

#[tokio::test]
async fn requests_that_follow_each_other_on_one_connection_are_each_answered() {
    let app = App::any().await;
    let (_, pair) = app.newcomer().await;
    let home = |token: &str| {
        format!("GET /api/home HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n")
    };
    let line = format!(
        "{}{}{}",
        home(&pair.access_token),
        home("rubbish"),
        home(&pair.access_token)
    );
    let answer = exchange(&app.resource_url, line.as_bytes()).await;
    let statuses: Vec<&str> = answer
        .0
        .match_indices("HTTP/1.1 ")
        .map(|(at, _)| &answer.0[at + 9..at + 12])
        .collect();
    assert_eq!(statuses, ["200", "401", "200"], "{answer:?}");
}

#[tokio::test]
async fn many_silent_connections_do_not_keep_others_out() {
    let app = App::any().await;
    let mut silent = Vec::new();
    for _ in 0..200 {
        silent.push(open(&app.auth_url).await);
        silent.push(open(&app.resource_url).await);
    }
    let (_, pair) = app.newcomer().await;
    app.call_home(&app.refresh(&pair).await.access_token)
        .await
        .is(200);
    drop(silent);
    app.is_alive().await;
}
