//! The service over a real socket: what its routes answer, to whom, and why it does not start.

use std::path::Path;

use reqwest::{Method, Response};
use serde_json::Value;
use shared::clock;
use shared::keys::KeyRing;
use shared::token::NewToken;
use shared::token::{Policy, Signer};
use tokio::sync::oneshot;

use super::*;

mod verify;

#[derive(clap::Parser)]
struct Line {
    #[command(flatten)]
    settings: Settings,
}

/// A folder with a key ring, and the service that uses it.
struct Spawned {
    folder: tempfile::TempDir,
    base: String,
    signer: Signer,
    client: reqwest::Client,
    _stop: oneshot::Sender<()>,
}

fn settings(folder: &Path, flags: &[&str]) -> Settings {
    let keys = folder.join("keys.json");
    if !keys.exists() {
        let ring = KeyRing::generate(clock::now() - 10).to_json();
        shared::key_file::write_atomically(&keys, ring.as_bytes(), 0o600).unwrap();
    }
    let own = [
        "resource-api",
        "--listen",
        "127.0.0.1:0",
        "--jwt-keys-file",
        keys.to_str().unwrap(),
    ];
    <Line as clap::Parser>::try_parse_from([&own, flags].concat())
        .unwrap()
        .settings
}

async fn refused_start(settings: Settings) -> String {
    let Err(error) = Server::bind(settings).await else {
        panic!("it started")
    };
    error.to_string()
}

impl Spawned {
    async fn with(flags: &[&str]) -> Self {
        Self::at(tempfile::tempdir().unwrap(), flags).await
    }

    async fn at(folder: tempfile::TempDir, flags: &[&str]) -> Self {
        let server = Server::bind(settings(folder.path(), flags)).await.unwrap();
        let base = format!("http://{}", server.addr());
        let keys = Arc::clone(server.parts.gate.validator().keys());
        let policy: Policy = server.parts.gate.validator().policy().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        actix_web::rt::spawn(server.run(async {
            let _ = stopped.await;
        }));
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self {
            folder,
            base,
            signer: Signer::new(keys, policy),
            client,
            _stop: stop,
        }
    }

    fn token(&self, sub: &str, roles: &[&str]) -> String {
        let now = clock::now();
        let roles: Vec<String> = roles.iter().map(ToString::to_string).collect();
        let token = NewToken {
            sub,
            sid: "session-1",
            jti: "token-1",
            iat: now,
            nbf: now,
            exp: now + 60,
            name: "王小明",
            email: "a@example.com",
            email_verified: false,
            roles: &roles,
        };
        self.signer.sign(&token, now).unwrap()
    }

    async fn ask(&self, method: Method, path: &str, token: Option<&str>) -> Response {
        let mut request = self.client.request(method, format!("{}{path}", self.base));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        request.send().await.unwrap()
    }

    async fn get(&self, path: &str, token: Option<&str>) -> Response {
        self.ask(Method::GET, path, token).await
    }
}

/// Checks that an answer is a problem of this status and code.
async fn assert_problem(response: Response, status: u16, code: &str) -> Value {
    assert_eq!(response.status().as_u16(), status);
    assert_eq!(
        response.headers()["content-type"],
        "application/problem+json"
    );
    assert!(status != 503 || response.headers().contains_key("retry-after"));
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["code"], code);
    assert_eq!(body["status"], status);
    assert!(body["requestId"].is_string());
    body
}

#[actix_web::test]
async fn a_token_opens_the_date_and_its_own_claims() {
    let api = Spawned::with(&[]).await;
    let token = api.token("user-1", &[]);
    let home = api.get("/api/home", Some(&token)).await;
    assert_eq!(home.status(), 200);
    assert!(
        home.headers()["content-type"]
            .to_str()
            .unwrap()
            .starts_with("text/plain")
    );
    let date = home.text().await.unwrap();
    let today = chrono::DateTime::from_timestamp(clock::now(), 0)
        .unwrap()
        .date_naive();
    assert_eq!(date, today.to_string());
    let me: Value = api.get("/api/me", Some(&token)).await.json().await.unwrap();
    assert_eq!(me["sub"], "user-1");
    assert_eq!(me["name"], "王小明");
    assert_eq!(me["aud"], "http://localhost:5001");
}

#[actix_web::test]
async fn everything_below_api_is_closed_by_default() {
    let api = Spawned::with(&[]).await;
    for path in [
        "/api/home",
        "/api/me",
        "/api/admin",
        "/api/none",
        "/api/home/x",
    ] {
        assert_problem(api.get(path, None).await, 401, "token_missing").await;
        assert_problem(api.get(path, Some("x.y.z")).await, 401, "token_malformed").await;
    }
    let token = api.token("user-1", &[]);
    assert_problem(api.get("/api/none", Some(&token)).await, 404, "not_found").await;
    assert_problem(api.get("/none", None).await, 404, "not_found").await;
}

#[actix_web::test]
async fn the_wrong_method_is_405_and_says_which_is_right() {
    let api = Spawned::with(&[]).await;
    let token = api.token("user-1", &[]);
    for path in ["/api/home", "/healthz", "/metrics"] {
        let response = api.ask(Method::POST, path, Some(&token)).await;
        assert_eq!(response.headers()["allow"], "GET, HEAD", "{path}");
        assert_problem(response, 405, "method_not_allowed").await;
    }
}

#[actix_web::test]
async fn administration_takes_the_role() {
    let api = Spawned::with(&[]).await;
    let user = api
        .get("/api/admin", Some(&api.token("user-1", &["administrator"])))
        .await;
    let challenge = user.headers()["www-authenticate"].to_str().unwrap();
    assert!(challenge.contains(r#"error="insufficient_scope""#));
    assert_problem(user, 403, "insufficient_role").await;
    let admin = api
        .get("/api/admin", Some(&api.token("user-1", &["x", "admin"])))
        .await;
    assert_eq!(admin.status(), 200);
}

#[actix_web::test]
async fn readiness_says_what_both_services_must_agree_on() {
    let api = Spawned::with(&["--jwt-audience", "a,b", "--jwt-clock-skew", "7s"]).await;
    let response = api.get("/readyz", None).await;
    assert_eq!(response.status(), 200);
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["status"], "ready");
    assert_eq!(body["issuer"], "http://localhost:5000");
    assert_eq!(body["audience"], serde_json::json!(["a", "b"]));
    assert_eq!(body["clockSkew"], 7);
    assert_eq!(body["keys"].as_array().unwrap().len(), 1);
    assert_eq!(body["feed"]["state"], "off");
}

#[actix_web::test]
async fn closed_without_an_answer_of_the_feed_is_503_but_says_what_it_knows() {
    // Nobody listens on port 9 of this machine.
    let feed = [
        "--revocation-feed-url",
        "http://127.0.0.1:9",
        "--revocation-stale",
        "closed",
    ];
    let api = Spawned::with(&feed).await;
    let home = api.get("/api/home", Some(&api.token("user-1", &[]))).await;
    assert_problem(home, 503, "revocation_view_stale").await;
    let ready = assert_problem(api.get("/readyz", None).await, 503, "revocation_view_stale").await;
    assert_eq!(ready["feed"]["state"], "waiting");
    assert_eq!(ready["feed"]["age"], Value::Null);
    assert_eq!(api.get("/healthz", None).await.status(), 200);
    let metrics = api.get("/metrics", None).await.text().await.unwrap();
    assert!(
        metrics.contains("keyturn_revocation_view_stale 1"),
        "{metrics}"
    );
    assert!(
        metrics.contains("keyturn_revocation_view_age_seconds -1"),
        "{metrics}"
    );
}

#[actix_web::test]
async fn open_without_an_answer_of_the_feed_goes_on() {
    let api = Spawned::with(&["--revocation-feed-url", "http://127.0.0.1:9"]).await;
    let home = api.get("/api/home", Some(&api.token("user-1", &[]))).await;
    assert_eq!(home.status(), 200);
}

#[actix_web::test]
async fn a_line_in_the_deny_file_works_within_seconds_and_has_no_cure() {
    let folder = tempfile::tempdir().unwrap();
    let deny = folder.path().join("deny");
    let api = Spawned::at(folder, &["--deny-file", deny.to_str().unwrap()]).await;
    let token = api.token("user-1", &[]);
    assert_eq!(api.get("/api/home", Some(&token)).await.status(), 200);
    std::fs::write(api.folder.path().join("deny"), "sub:user-1\n").unwrap();
    let refused = async {
        loop {
            let response = api.get("/api/home", Some(&token)).await;
            if response.status() != 200 {
                return response;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let refused = tokio::time::timeout(Duration::from_secs(5), refused)
        .await
        .unwrap();
    assert!(!refused.headers().contains_key("act"));
    assert_problem(refused, 401, "token_revoked").await;
}

#[actix_web::test]
async fn the_description_names_exactly_the_routes_that_exist() {
    let api = Spawned::with(&[]).await;
    let token = api.token("user-1", &["admin"]);
    let described: Value = api.get("/openapi.json", None).await.json().await.unwrap();
    assert!(described["openapi"].as_str().unwrap().starts_with("3.1"));
    let paths = described["paths"].as_object().unwrap();
    let routes = [
        "/api/home",
        "/api/me",
        "/api/admin",
        "/verify",
        "/healthz",
        "/readyz",
        "/metrics",
        "/openapi.json",
    ];
    assert_eq!(paths.len(), routes.len());
    for path in routes {
        let described = &paths[path]["get"]["responses"]["200"]["content"];
        let response = api.get(path, Some(&token)).await;
        assert_eq!(response.status(), 200, "{path}");
        if path == "/verify" {
            assert!(described.is_null() && response.content_length() == Some(0));
            continue;
        }
        let kind = response.headers()["content-type"]
            .to_str()
            .unwrap()
            .to_owned();
        let kind = kind.split(';').next().unwrap();
        assert!(
            described[kind].is_object(),
            "{path}: {kind} is not described"
        );
    }
}

#[actix_web::test]
async fn it_stops_when_told() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::bind(settings(folder.path(), &[])).await.unwrap();
    let stop = tokio::time::sleep(Duration::from_millis(50));
    tokio::time::timeout(Duration::from_secs(10), server.run(stop))
        .await
        .unwrap()
        .unwrap();
}

#[actix_web::test]
async fn a_taken_port_and_bad_files_are_said_in_one_line_with_the_setting() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::bind(settings(folder.path(), &[])).await.unwrap();
    let taken = Settings {
        listen: server.addr(),
        ..settings(folder.path(), &[])
    };
    let said = refused_start(taken).await;
    let line = format!(
        "RESOURCE_LISTEN: cannot listen on {}: the port is taken",
        server.addr()
    );
    assert!(said.starts_with(&line) && !said.contains('\n'), "{said}");
    let mut keyless = settings(folder.path(), &[]);
    keyless.token.jwt_keys_file = folder.path().join("none");
    let said = refused_start(keyless).await;
    assert!(said.starts_with("JWT_KEYS_FILE"), "{said}");
    let path = folder.path().to_str().unwrap();
    let said = refused_start(settings(folder.path(), &["--deny-file", path])).await;
    assert!(said.starts_with("DENY_FILE"), "{said}");
    let said = refused_start(settings(folder.path(), &["--revocation-stale", "closed"])).await;
    assert!(
        said.contains("REVOCATION_STALE") && said.contains("REVOCATION_FEED_URL"),
        "{said}"
    );
}
