//! Requests that no honest client sends: each gets its problem, and the services live on.

use std::fmt::Write as _;

use e2e::{Answer, App};
use reqwest::Method;
use serde_json::{Value, json};

const LOGIN: &str = "/api/account/login";
const REFRESH: &str = "/api/account/refresh-token";
const REGISTER: &str = "/api/account/register";
const LOGOUT: &str = "/api/account/logout";

async fn send(
    app: &App,
    path: &str,
    content_type: Option<&str>,
    body: impl Into<reqwest::Body>,
) -> Answer {
    let mut request = app
        .client
        .post(format!("{}{path}", app.auth_url))
        .body(body);
    if let Some(content_type) = content_type {
        request = request.header("content-type", content_type);
    }
    Answer::read(request.send().await.unwrap()).await
}

#[tokio::test]
async fn what_is_no_json_object_of_the_endpoint_is_an_invalid_request() {
    let app = App::any().await;
    let (_, pair) = app.newcomer().await;
    let deep = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
    let bodies: Vec<Vec<u8>> = vec![
        b"".into(),
        b" ".into(),
        b"{".into(),
        b"}".into(),
        b"{}".into(),
        b"[]".into(),
        b"null".into(),
        b"true".into(),
        b"1".into(),
        b"\"text\"".into(),
        b"{\"email\"}".into(),
        b"{'email':'a@b','password':'12345678'}".into(),
        b"email=a@b&password=12345678".into(),
        b"<xml/>".into(),
        b"\xff\xfe\x00".into(),
        b"\xef\xbb\xbf{}".into(),
        b"{} {}".into(),
        b"{}x".into(),
        b"{\"a\":NaN}".into(),
        b"{\"email\":\"\xff\",\"password\":\"\xff\",\"accessToken\":\"\xff\",\"refreshToken\":\"\xff\"}".into(),
        br#"{"email":"\ud800","password":"\ud800","accessToken":"\ud800","refreshToken":"\ud800"}"#.into(),
        deep(100).into(),
        deep(8_000).into(),
        r#"{"a":"#.repeat(2_500).into(),
        format!(r#"{{"email":{}}}"#, deep(5_000)).into(),
        br#"["a@b","12345678"]"#.into(),
        br#"["x","a@b","12345678"]"#.into(),
    ];
    for path in [LOGIN, REFRESH, REGISTER, LOGOUT] {
        for body in &bodies {
            let answer = send(&app, path, Some("application/json"), body.clone()).await;
            let body = String::from_utf8_lossy(body);
            assert_eq!(
                (answer.status, answer.code().as_str()),
                (400, "invalid_request"),
                "{path} {body:.60}: {answer:?}"
            );
        }
    }
    app.refresh(&pair).await;
    app.is_alive().await;
}

#[tokio::test]
async fn members_of_another_type_are_an_invalid_request() {
    let app = App::any().await;
    let (user, pair) = app.newcomer().await;
    let whole = [
        (
            LOGIN,
            json!({"email": user.email, "password": user.password}),
        ),
        (
            REFRESH,
            json!({"accessToken": pair.access_token, "refreshToken": pair.refresh_token}),
        ),
        (
            LOGOUT,
            json!({"accessToken": pair.access_token, "refreshToken": pair.refresh_token}),
        ),
        (
            REGISTER,
            json!({"userName": "x", "email": "other@example.com", "password": "long enough for anyone"}),
        ),
    ];
    let others = [
        Value::Null,
        json!(1),
        json!(1.5),
        json!(true),
        json!([]),
        json!({}),
        json!(["a"]),
        json!({"$ne": ""}),
    ];
    for (path, body) in whole {
        for member in body.as_object().unwrap().keys() {
            for other in &others {
                let mut body = body.clone();
                body[member] = other.clone();
                app.ask_auth(Method::POST, path, None, Some(body))
                    .await
                    .refused(400, "invalid_request");
            }
            let mut without = body.clone();
            without.as_object_mut().unwrap().remove(member);
            app.ask_auth(Method::POST, path, None, Some(without))
                .await
                .refused(400, "invalid_request");
            // Twice: which one counts would be a guess.
            let text = body
                .to_string()
                .replacen('{', &format!("{{\"{member}\":\"x\","), 1);
            send(&app, path, Some("application/json"), text)
                .await
                .refused(400, "invalid_request");
        }
    }
    let refused = app
        .post(
            "/refresh-token",
            json!({"access_token": "x", "refresh_token": "y"}),
        )
        .await;
    refused.refused(400, "invalid_request");
    app.refresh(&pair).await;
    app.is_alive().await;
}

#[tokio::test]
async fn members_that_are_not_known_are_passed_over() {
    let app = App::any().await;
    let user = app.register().await;
    let body = json!({"email": user.email, "password": user.password, "remember": true, "roles": ["admin"]});
    let pair: e2e::Pair = app.post("/login", body).await.is(200).json();
    assert_eq!(pair.claims()["roles"], json!([]));
    let email = format!("{}@example.com", e2e::random());
    let body = json!({"userName": "x", "email": email, "password": "long enough for anyone", "roles": ["admin"], "id": "x"});
    let account: Value = app.post("/register", body).await.is(201).json();
    assert_eq!(account["roles"], json!([]));
}

#[tokio::test]
async fn no_answer_repeats_what_was_sent() {
    let app = App::any().await;
    let secret = "hunter2hunter2";
    for body in [
        format!(r#"{{"email":1,"password":"{secret}"}}"#),
        format!(r#"{{"email":"a@b","password":{{"x":"{secret}"}}}}"#),
        format!(r#"{{"{secret}":1}}"#),
        secret.to_owned(),
        format!(r#"{{"email":"{secret}@b","password":"{secret}"}}"#),
    ] {
        let answer = send(&app, LOGIN, Some("application/json"), body).await;
        assert!(
            answer.status >= 400 && !answer.body.contains(secret),
            "{answer:?}"
        );
    }
    let answer = app.try_refresh_with(secret, secret).await;
    assert!(!answer.body.contains(secret), "{answer:?}");
}

#[tokio::test]
async fn bodies_are_json_and_say_so() {
    let app = App::any().await;
    let user = app.register().await;
    let body = json!({"email": user.email, "password": user.password}).to_string();
    for content_type in [
        None,
        Some("text/plain"),
        Some("application/x-www-form-urlencoded"),
        Some("multipart/form-data; boundary=x"),
        Some("application/xml"),
        Some("application/octet-stream"),
        Some("*/*"),
        Some("json"),
    ] {
        send(&app, LOGIN, content_type, body.clone())
            .await
            .refused(415, "unsupported_media_type");
    }
    for content_type in [
        "application/json",
        "application/json; charset=utf-8",
        "Application/JSON",
        "application/json;charset=UTF-8",
    ] {
        send(&app, LOGIN, Some(content_type), body.clone())
            .await
            .is(200);
    }
    for encoding in [
        "gzip",
        "deflate",
        "br",
        "zstd",
        "identity, gzip",
        "x-gzip",
        "compress",
        "GZIP",
    ] {
        let request = app
            .client
            .post(format!("{}{LOGIN}", app.auth_url))
            .body(body.clone());
        let request = request
            .header("content-type", "application/json")
            .header("content-encoding", encoding);
        let answer = Answer::read(request.send().await.unwrap()).await;
        answer.refused(415, "unsupported_media_type");
    }
    app.is_alive().await;
}

#[tokio::test]
async fn bodies_have_at_most_16_kib() {
    let app = App::any().await;
    let user = app.register().await;
    let of_size = |size: usize| {
        let body = json!({"email": user.email, "password": user.password, "x": ""}).to_string();
        let room = "y".repeat(size - body.len());
        body.replace("\"x\":\"\"", &format!("\"x\":\"{room}\""))
    };
    send(&app, LOGIN, Some("application/json"), of_size(16_384))
        .await
        .is(200);
    for size in [16_385, 20_000, 200_000, 3_000_000] {
        for path in [LOGIN, REFRESH, REGISTER, LOGOUT] {
            send(&app, path, Some("application/json"), of_size(size))
                .await
                .refused(413, "body_too_large");
        }
    }
    // In chunks, whose sum nobody announces.
    let in_chunks = async |size: usize| {
        let mut request = format!(
            "POST {LOGIN} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        );
        for part in of_size(size).as_bytes().chunks(1_000) {
            let _ = write!(
                request,
                "{:x}\r\n{}\r\n",
                part.len(),
                String::from_utf8_lossy(part)
            );
        }
        e2e::exchange(&app.auth_url, (request + "0\r\n\r\n").as_bytes())
            .await
            .answer()
    };
    in_chunks(16_384).await.is(200);
    for size in [16_385, 20_000, 60_000] {
        in_chunks(size).await.refused(413, "body_too_large");
    }
    app.is_alive().await;
}
