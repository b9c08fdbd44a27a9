//! What web pages of other origins may do.

use e2e::{Answer, App};
use reqwest::{Method, RequestBuilder};
use serde_json::json;

const ORIGIN: &str = "https://app.example.com";

async fn from_page(request: RequestBuilder) -> Answer {
    Answer::read(request.header("origin", ORIGIN).send().await.unwrap()).await
}

fn assert_open(answer: &Answer) {
    assert_eq!(
        answer.header("access-control-allow-origin"),
        Some("*"),
        "{answer:?}"
    );
    assert_eq!(
        answer.header("access-control-allow-credentials"),
        None,
        "{answer:?}"
    );
    let exposed = answer
        .header("access-control-expose-headers")
        .unwrap_or_default()
        .to_lowercase();
    for name in ["act", "retry-after", "www-authenticate"] {
        assert!(
            exposed.split(',').any(|word| word.trim() == name),
            "{name}: {answer:?}"
        );
    }
}

#[tokio::test]
async fn success_and_error_alike_may_be_read() {
    let app = App::any().await;
    let (user, pair) = app.newcomer().await;
    let (auth, resource, http) = (&app.auth_url, &app.resource_url, &app.client);
    let account = format!("{auth}/api/account");
    let credentials = json!({"email": user.email, "password": user.password});
    for (request, status) in [
        (
            http.get(format!("{resource}/api/home"))
                .bearer_auth(&pair.access_token),
            200,
        ),
        (http.get(format!("{resource}/api/home")), 401),
        (
            http.get(format!("{resource}/api/home"))
                .bearer_auth("rubbish"),
            401,
        ),
        (
            http.get(format!("{resource}/api/admin"))
                .bearer_auth(&pair.access_token),
            403,
        ),
        (
            http.get(format!("{resource}/api/nothing"))
                .bearer_auth(&pair.access_token),
            404,
        ),
        (http.get(format!("{resource}/nothing")), 404),
        (
            http.post(format!("{resource}/api/home"))
                .bearer_auth(&pair.access_token),
            405,
        ),
        (
            http.post(format!("{account}/login")).json(&credentials),
            200,
        ),
        (
            http.post(format!("{account}/login"))
                .json(&json!({"email": "x", "password": "y"})),
            401,
        ),
        (
            http.post(format!("{account}/login"))
                .body("{")
                .header("content-type", "application/json"),
            400,
        ),
        (
            http.post(format!("{account}/login"))
                .body("x")
                .header("content-type", "text/plain"),
            415,
        ),
        (
            http.post(format!("{account}/login"))
                .body(vec![b'x'; 20_000])
                .header("content-type", "application/json"),
            413,
        ),
        (http.get(format!("{account}/login")), 405),
        (
            http.post(format!("{account}/refresh-token"))
                .json(&json!({"accessToken": "", "refreshToken": ""})),
            401,
        ),
        (http.get(format!("{account}/sessions")), 401),
        (http.get(format!("{auth}/nothing")), 404),
    ] {
        let answer = from_page(request).await.is(status);
        assert_open(&answer);
    }
}

#[tokio::test]
async fn preflights_are_answered_everywhere_and_kept() {
    let app = App::any().await;
    for url in [
        format!("{}/api/account/login", app.auth_url),
        format!("{}/api/account/refresh-token", app.auth_url),
        format!("{}/api/account/sessions", app.auth_url),
        format!("{}/api/account", app.auth_url),
        format!("{}/api/home", app.resource_url),
        format!("{}/api/nothing", app.resource_url),
    ] {
        for method in ["GET", "POST", "PATCH", "DELETE"] {
            let request = app
                .client
                .request(Method::OPTIONS, &url)
                .header("access-control-request-method", method)
                .header(
                    "access-control-request-headers",
                    "authorization,content-type",
                );
            let answer = from_page(request).await;
            assert!(matches!(answer.status, 200 | 204), "{url}: {answer:?}");
            assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
            assert_eq!(answer.header("access-control-max-age"), Some("7200"));
            let list = |name: &str| -> Vec<String> {
                let value = answer.header(name).unwrap_or_default().to_lowercase();
                value
                    .split(',')
                    .map(|word| word.trim().to_owned())
                    .collect()
            };
            let methods = list("access-control-allow-methods");
            assert!(
                ["get", "post", "patch", "delete"]
                    .iter()
                    .all(|m| methods.contains(&(*m).to_owned())),
                "{answer:?}"
            );
            let headers = list("access-control-allow-headers");
            assert!(
                ["authorization", "content-type"]
                    .iter()
                    .all(|h| headers.contains(&(*h).to_owned())),
                "{answer:?}"
            );
        }
    }
}

/// Scripts that trace add headers to every request of a page, and one that is not allowed fails them all.
#[tokio::test]
async fn headers_that_tracing_scripts_add_fail_no_preflight() {
    let app = App::any().await;
    for url in [
        format!("{}/api/account/login", app.auth_url),
        format!("{}/api/account/refresh-token", app.auth_url),
        format!("{}/api/home", app.resource_url),
    ] {
        for asked in [
            "traceparent,tracestate,baggage,sentry-trace",
            "authorization,content-type,traceparent",
            "x-datadog-trace-id,x-b3-traceid,newrelic,x-request-id,idempotency-key",
        ] {
            let request = app
                .client
                .request(Method::OPTIONS, &url)
                .header("access-control-request-method", "POST")
                .header("access-control-request-headers", asked);
            let answer = from_page(request).await;
            let allowed = answer.header("access-control-allow-headers").unwrap();
            let allowed = allowed.to_lowercase();
            let allowed: Vec<&str> = allowed.split(',').map(str::trim).collect();
            // As the Fetch standard judges it: `*` means every header but one.
            let passes = |name: &str| {
                allowed.contains(&name) || (allowed.contains(&"*") && name != "authorization")
            };
            assert!(asked.split(',').all(passes), "{url}: {asked}: {allowed:?}");
        }
    }
}

#[tokio::test]
async fn feed_and_metrics_are_no_business_of_pages() {
    let app = App::any().await;
    for url in [
        format!("{}/internal/revocations", app.auth_url),
        format!("{}/metrics", app.auth_url),
        format!("{}/metrics", app.resource_url),
    ] {
        for method in [Method::GET, Method::OPTIONS] {
            let request = app
                .client
                .request(method, &url)
                .header("access-control-request-method", "GET");
            let answer = from_page(request).await;
            assert_eq!(
                answer.header("access-control-allow-origin"),
                None,
                "{url}: {answer:?}"
            );
        }
    }
}
