//! Bodies: their form, their size, their time.

use super::*;

const JSON: &str = "Content-Type: application/json";

#[actix_web::test]
async fn bodies_are_json_and_small_and_never_repeated() {
    let (address, _) = start("*");
    let good = r#"{"email":"a","password":"hunter2"}"#;
    for kind in [
        JSON,
        "Content-Type: application/json; charset=utf-8",
        "content-type: Application/JSON",
        "Content-Type: application/json;charset=utf-8;x=\"y\"",
    ] {
        let answer = post(address, &[kind], good).await;
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (200, "a 7"),
            "{kind}"
        );
    }
    assert_eq!(
        post(address, &[JSON, "Content-Encoding: identity"], good)
            .await
            .status,
        200
    );
    let large = format!(r#"{{"email":"{}"}}"#, "x".repeat(LARGEST_BODY));
    let chunked = format!("{:x}\r\n{large}\r\n0\r\n\r\n", large.len());
    let chunks = send(
        address,
        format!("POST /api/login HTTP/1.1\r\nHost: x\r\n{JSON}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n{chunked}"),
    )
    .await;
    assert_eq!(
        (chunks.status, chunks.code().as_str()),
        (413, "body_too_large")
    );
    for (headers, body, status, code) in [
        (
            &[JSON][..],
            r#"{"email":"hunter2"}"#,
            400,
            "invalid_request",
        ),
        (
            &[JSON],
            r#"{"email":"a","password":{"hunter2":1}}"#,
            400,
            "invalid_request",
        ),
        (
            &[JSON],
            r#"{"email":1,"password":"hunter2"}"#,
            400,
            "invalid_request",
        ),
        (
            &[JSON],
            r#"{"password":"hunter2","password":"hunter2","email":""}"#,
            400,
            "invalid_request",
        ),
        (&[JSON], r#"["a","hunter2"]"#, 400, "invalid_request"),
        (&[JSON], r#""hunter2""#, 400, "invalid_request"),
        (&[JSON], r#"{"email":"hunter2"#, 400, "invalid_request"),
        (&[JSON], "", 400, "invalid_request"),
        (&[], good, 415, "unsupported_media_type"),
        (
            &["Content-Type: text/json"],
            good,
            415,
            "unsupported_media_type",
        ),
        (
            &["Content-Type: application/x+json"],
            good,
            415,
            "unsupported_media_type",
        ),
        (
            &["Content-Type: application/problem+json"],
            good,
            415,
            "unsupported_media_type",
        ),
        (
            &["Content-Type: application/json5"],
            good,
            415,
            "unsupported_media_type",
        ),
        (
            &["Content-Type: application/jsonx; a=application/json"],
            good,
            415,
            "unsupported_media_type",
        ),
        (&["Content-Type: json"], good, 415, "unsupported_media_type"),
        (
            &["Content-Type: text/plain"],
            good,
            415,
            "unsupported_media_type",
        ),
        (
            &["Content-Type: application/x-www-form-urlencoded"],
            "email=a",
            415,
            "unsupported_media_type",
        ),
        (
            &[JSON, "Content-Encoding: gzip"],
            good,
            415,
            "unsupported_media_type",
        ),
        (&[JSON], &large, 413, "body_too_large"),
        (&[JSON, "Content-Length: 16385"], "", 413, "body_too_large"),
        (
            &[JSON, "Content-Length: 18446744073709551615"],
            "",
            413,
            "body_too_large",
        ),
    ] {
        let answer = post(address, headers, body).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (status, code),
            "{headers:?} {body:.40}"
        );
        assert!(!answer.body.contains("hunter2"), "{answer:?}");
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    }
    let missing = post(address, &[JSON], r#"{"email":"a"}"#).await;
    assert!(
        missing.body.contains("missing field `password`"),
        "{missing:?}"
    );
    // Also where no body is read.
    let ignored = send(
        address,
        request("GET /api/whoami", &["Content-Length: 20000"], ""),
    )
    .await;
    assert_eq!(ignored.status, 413);
}

#[actix_web::test]
async fn a_stalled_body_or_handler_ends_and_so_does_the_connection() {
    let (address, _) = start("https://app.example.com");
    let origin = "Origin: https://app.example.com";
    // Without `Connection: close`: the server closes of itself.
    let stalled = format!(
        "POST /api/login HTTP/1.1\r\nHost: x\r\n{origin}\r\n{JSON}\r\nContent-Length: 99\r\n\r\n{{"
    );
    for request in [
        stalled,
        format!("GET /api/stall HTTP/1.1\r\nHost: x\r\n{origin}\r\n\r\n"),
    ] {
        let answer = send(address, request).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (408, "request_timeout")
        );
        assert_eq!(answer.header("connection"), Some("close"));
        assert_eq!(
            answer.header("access-control-allow-origin"),
            Some("https://app.example.com")
        );
    }
}

#[actix_web::test]
async fn a_byte_order_mark_before_a_body_is_skipped() {
    let (address, _) = start("*");
    let good = r#"{"email":"a","password":"hunter2"}"#;
    for (body, status) in [
        (format!("\u{feff}{good}"), 200),
        (format!("\u{feff} \r\n{good}\r\n"), 200),
        // Once, before all else, and never inside.
        (format!("\u{feff}\u{feff}{good}"), 400),
        (format!(" \u{feff}{good}"), 400),
        (format!("{good}\u{feff}"), 400),
        ("\u{feff}".to_owned(), 400),
    ] {
        let answer = post(address, &[JSON], &body).await;
        assert_eq!(answer.status, status, "{body:?}: {answer:?}");
    }
    let kept = "{\"email\":\"a\",\"password\":\"\u{feff}hunter2\"}";
    assert_eq!(
        post(address, &[JSON], kept).await.body,
        "a 10",
        "text keeps its own"
    );
}
