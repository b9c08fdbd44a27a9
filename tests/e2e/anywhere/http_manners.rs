//! The manners of the HTTP layer that [`super::hostile_connections`] does not try: slow heads, old HTTP, odd
//! forms of targets and headers, packed and nested bodies. And no answer says which software answers.

use std::fmt::Write;
use std::time::{Duration, Instant};

use e2e::{Answer, App, RawAnswer, exchange, open};
use tokio::io::AsyncWriteExt;

const LOGIN: &str =
    "POST /api/account/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";

#[tokio::test]
async fn a_slow_head_is_given_up_after_a_while() {
    let app = App::any().await;
    let started = Instant::now();
    let mut waiting = Vec::new();
    for url in [&app.auth_url, &app.resource_url] {
        for begin in ["", "G", "GET /healthz HTTP/1.1\r\nHost: x\r\nA: "] {
            let mut stream = open(url).await;
            stream.write_all(begin.as_bytes()).await.unwrap();
            waiting.push((begin, stream));
        }
        // One that drips.
        let mut stream = open(url).await;
        waiting.push(("dripping", open(url).await));
        tokio::spawn(async move {
            let line = "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ".bytes();
            for byte in line.chain(std::iter::repeat_n(b'x', 60)) {
                if stream.write_all(&[byte]).await.is_err() {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(300)).await;
            }
            panic!("a head may drip for ever");
        });
    }
    for (begin, mut stream) in waiting {
        let answer = RawAnswer::read(&mut stream).await;
        assert_eq!(answer.status(), Some(408), "{begin}: {answer:?}");
        let took = started.elapsed();
        assert!(took < Duration::from_secs(15), "{begin:?}: {took:?}");
    }
    app.is_alive().await;
}

#[tokio::test]
async fn half_a_connection_still_gets_its_answer() {
    let app = App::any().await;
    let mut stream = open(&app.auth_url).await;
    stream
        .write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    stream.shutdown().await.unwrap();
    let answer = RawAnswer::read(&mut stream).await;
    assert_eq!(answer.status(), Some(200), "{answer:?}");
    // And one that goes before it has said everything is forgotten.
    let mut stream = open(&app.auth_url).await;
    let cut = format!("{LOGIN}Content-Length: 100\r\n\r\n{{");
    stream.write_all(cut.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let answer = RawAnswer::read(&mut stream).await;
    assert!(
        answer.status().is_none_or(|status| status >= 400),
        "{answer:?}"
    );
    app.is_alive().await;
}

#[tokio::test]
async fn http_1_0_is_answered_and_the_connection_closed() {
    let app = App::any().await;
    for url in [&app.auth_url, &app.resource_url] {
        let answer = exchange(url, b"GET /healthz HTTP/1.0\r\n\r\n").await;
        let head = answer.0.split("\r\n").next().unwrap_or_default().to_owned();
        assert!(
            head.starts_with("HTTP/1.0 200") || head.starts_with("HTTP/1.1 200"),
            "{answer:?}"
        );
        assert!(
            !answer.0.to_lowercase().contains("transfer-encoding"),
            "{answer:?}"
        );
    }
}

#[tokio::test]
async fn targets_of_other_forms_open_nothing() {
    let app = App::any().await;
    let (_, pair) = app.newcomer().await;
    let token = format!("Authorization: Bearer {}\r\n", pair.access_token);
    for (target, statuses) in [
        // A proxy's form: the path counts, whatever the host is.
        ("http://elsewhere.example/healthz", [200, 200].as_slice()),
        ("http://elsewhere.example/api/home", &[401, 401]),
        ("//api/home", &[404, 401]),
        ("/api//home", &[404, 401]),
        ("/api/./home", &[404, 401]),
        ("/healthz/../api/home", &[404, 401]),
        ("/api/home%00", &[404, 401, 400]),
        ("/API/HOME", &[404, 401]),
        ("*", &[404, 400]),
    ] {
        let request = format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n");
        let answer = exchange(&app.resource_url, request.as_bytes()).await;
        let status = answer.status().unwrap();
        assert!(statuses.contains(&status), "{target}: {answer:?}");
    }
    let proxied =
        format!("GET http://elsewhere.example/api/home HTTP/1.1\r\nHost: x\r\n{token}\r\n");
    let answer = exchange(&app.resource_url, proxied.as_bytes()).await;
    assert_eq!(answer.status(), Some(200), "{answer:?}");
    let connect = format!("CONNECT example.com:443 HTTP/1.1\r\nHost: x\r\n{token}\r\n");
    let answer = exchange(&app.resource_url, connect.as_bytes()).await;
    assert!(
        answer.status().is_none_or(|status| status >= 400),
        "{answer:?}"
    );
}

#[tokio::test]
async fn folded_and_doubled_headers_are_not_put_together() {
    let app = App::any().await;
    let (_, pair) = app.newcomer().await;
    let token = &pair.access_token;
    for headers in [
        format!("Authorization: Bearer\r\n {token}\r\n"),
        format!("Authorization:\r\n\tBearer {token}\r\n"),
        format!("X: y\r\n Authorization: Bearer {token}\r\n"),
        format!("Authorization: Bearer {token}\r\nAuthorization: Bearer {token}\r\n"),
        format!("Authorization: Bearer {token}\r\nauthorization: Bearer x\r\n"),
        format!("Authorization : Bearer {token}\r\n"),
        format!("Authorization: Bearer {token}, Bearer {token}\r\n"),
    ] {
        let request = format!("GET /api/home HTTP/1.1\r\nHost: x\r\n{headers}\r\n");
        let answer = exchange(&app.resource_url, request.as_bytes()).await;
        assert!(
            matches!(answer.status(), None | Some(400 | 401)),
            "{headers}: {answer:?}"
        );
    }
    app.is_alive().await;
}

#[tokio::test]
async fn packed_bodies_are_not_unpacked() {
    let app = App::any().await;
    for encoding in [
        "gzip",
        "deflate",
        "br",
        "zstd",
        "GZIP",
        "gzip, identity",
        "x-unknown",
    ] {
        // The beginning of a bomb: 10 GB of zeroes in a few bytes would follow.
        let body = "\x1f\u{8b}\x08";
        let request = format!(
            "{LOGIN}Content-Encoding: {encoding}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = exchange(&app.auth_url, request.as_bytes()).await;
        answer.answer().refused(415, "unsupported_media_type");
    }
    app.is_alive().await;
}

#[tokio::test]
async fn deep_and_long_json_is_refused_quickly() {
    let app = App::any().await;
    for body in [
        "[".repeat(16_000),
        "{\"a\":".repeat(3_000),
        format!("{{\"email\":{}", "[".repeat(16_000)),
        format!(
            "{{\"email\":\"a\",\"password\":\"b\",\"c\":{}{}}}",
            "[".repeat(8_000),
            "]".repeat(8_000)
        ),
        format!("{{\"email\":1e{}}}", "9".repeat(10_000)),
        "[[\"a@example.com\",\"password\"]]".to_owned(),
        "[\"a@example.com\",\"password\"]".to_owned(),
    ] {
        let started = Instant::now();
        let mut request = format!("{LOGIN}Content-Length: {}\r\n\r\n", body.len());
        request.push_str(&body);
        let answer = exchange(&app.auth_url, request.as_bytes()).await;
        let status = answer.status();
        assert!(
            matches!(status, Some(400 | 401 | 413)),
            "{body:.40}: {answer:?}"
        );
        assert!(
            status != Some(401) || body.starts_with("{\"email\":\"a\""),
            "{body:.40}"
        );
        assert!(started.elapsed() < Duration::from_secs(3));
    }
    app.is_alive().await;
}

/// A struct would be filled from an array by position.
#[tokio::test]
async fn positional_arrays_are_no_bodies() {
    let app = App::any().await;
    let (user, pair) = app.newcomer().await;
    for (path, body) in [
        ("/login", serde_json::json!([user.email, user.password])),
        (
            "/refresh-token",
            serde_json::json!([pair.access_token, pair.refresh_token]),
        ),
        (
            "/logout",
            serde_json::json!([pair.access_token, pair.refresh_token]),
        ),
        (
            "/register",
            serde_json::json!(["name", "new@example.com", "long enough"]),
        ),
    ] {
        app.post(path, body).await.refused(400, "invalid_request");
    }
    app.refresh(&pair).await;
}

#[tokio::test]
async fn no_answer_names_the_software() {
    let app = App::any().await;
    let mut all = String::new();
    for url in [&app.auth_url, &app.resource_url] {
        for request in [
            "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
            "GET /api/home HTTP/1.1\r\nHost: x\r\n\r\n",
            "GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n",
            "DELETE /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
            "OPTIONS /api/home HTTP/1.1\r\nHost: x\r\nOrigin: http://y\r\nAccess-Control-Request-Method: GET\r\n\r\n",
            "TRACE / HTTP/1.1\r\nHost: x\r\n\r\n",
            "rubbish\r\n\r\n",
        ] {
            let answer = exchange(url, request.as_bytes()).await;
            write!(all, "{}", answer.0.to_lowercase()).unwrap();
        }
    }
    for word in [
        "server:",
        "x-powered-by",
        "via:",
        "actix",
        "rust",
        "rustls",
        "hyper",
    ] {
        assert!(!all.contains(word), "{word}: {all}");
    }
}

#[tokio::test]
async fn bodies_are_application_json_and_a_byte_order_mark_before_them_means_nothing() {
    let app = App::any().await;
    let user = app.register().await;
    let body = serde_json::json!({"email": user.email, "password": user.password}).to_string();
    let send = async |kind: &str, body: String| {
        let url = format!("{}/api/account/login", app.auth_url);
        let request = app.client.post(url).header("content-type", kind).body(body);
        Answer::read(request.send().await.unwrap()).await
    };
    for kind in ["application/json", "application/json; charset=utf-8"] {
        send(kind, body.clone()).await.is(200);
        send(kind, format!("\u{feff}{body}")).await.is(200);
        send(kind, format!("\u{feff}\u{feff}{body}"))
            .await
            .refused(400, "invalid_request");
    }
    for kind in [
        "text/json",
        "application/vnd.api+json",
        "text/plain",
        "json",
    ] {
        send(kind, body.clone())
            .await
            .refused(415, "unsupported_media_type");
    }
}
