//! `openapi.json` against the service that serves it: the same routes, methods, statuses and codes.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests, and the functions they share"
)]

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use auth_server::clients::{ClientKind, Definition, changes};
use auth_server::db::{Caller, Db};
use auth_server::{Server, Settings, key_files};
use clap::Parser;
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::{Value, json};

/// The route table's own text: what it names must be described.
const TABLE: &str = include_str!("../src/routes.rs");
/// The pages' part of it.
const PAGES: &str = include_str!("../src/routes/hosted.rs");
/// That of sign-on.
const SIGN_ON: &str = include_str!("../src/routes/oauth.rs");
const METHODS: [&str; 6] = ["get", "head", "post", "put", "patch", "delete"];

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    settings: Settings,
}

struct Service {
    address: SocketAddr,
    client: Client,
    /// Of the client `worker`.
    secret: String,
    _folder: tempfile::TempDir,
}

impl Service {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        let database = format!("sqlite://{}", path("keyturn.db"));
        let (ring, mac) = (path("ring/jwt-keys.json"), path("refresh-keys.json"));
        let id_keys = path("id-keys.json");
        let line = [
            ["--oauth", "on"],
            ["--id-keys-file", &id_keys],
            ["--listen", "127.0.0.1:0"],
            ["--registration", "open"],
            ["--database-url", &database],
            ["--jwt-keys-file", &ring],
            ["--refresh-keys-file", &mac],
        ];
        let line = std::iter::once("auth-server").chain(line.into_iter().flatten());
        let settings = Line::parse_from(line).settings;
        key_files::init(&settings, shared::clock::now()).unwrap();
        let secret = add_clients(&settings).await;
        let server = Server::bind(settings).await.unwrap();
        let address = server.addr();
        tokio::spawn(server.run(std::future::pending()));
        // The client's TLS, which it sets up without needing it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self {
            address,
            client: Client::builder().no_proxy().build().unwrap(),
            secret,
            _folder: folder,
        }
    }

    fn ask(&self, method: &str, path: &str) -> RequestBuilder {
        let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
        self.client
            .request(method, format!("http://{}{path}", self.address))
    }

    async fn describe(&self) -> Value {
        self.ask("get", "/openapi.json")
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap()
    }

    async fn post(&self, path: &str, body: &Value) -> Response {
        self.ask("post", path).json(body).send().await.unwrap()
    }

    async fn post_form(&self, path: &str, form: &[(&str, &str)]) -> Response {
        let kind = ("content-type", "application/x-www-form-urlencoded");
        let body = serde_urlencoded::to_string(form).unwrap();
        let request = self.ask("post", path).header(kind.0, kind.1).body(body);
        request.send().await.unwrap()
    }

    async fn pair(&self) -> Value {
        // Somebody else each time: an account's log-ins have a budget.
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let email = format!("ada-{}@example.com", NEXT.fetch_add(1, Ordering::Relaxed));
        let user = json!({"userName": "Ada", "email": email, "password": "correct horse battery"});
        self.post("/api/account/register", &user).await;
        self.post("/api/account/login", &user)
            .await
            .json()
            .await
            .unwrap()
    }

    async fn bearer(&self) -> String {
        self.pair().await["accessToken"]
            .as_str()
            .unwrap()
            .to_owned()
    }
}

/// A program that runs in browsers, and a service. Gives the secret of that.
async fn add_clients(settings: &Settings) -> String {
    let db = Db::open(&settings.store.database_url, Duration::ZERO).unwrap();
    let app = Definition {
        redirect_uris: vec!["https://app.example/cb".into()],
        ..Definition::new("app", ClientKind::Browser)
    };
    let worker = Definition::new("worker", ClientKind::Service);
    let caller = Caller::housekeeping();
    changes::add(&db, &app, &caller).await.unwrap();
    let secret = changes::add(&db, &worker, &caller).await.unwrap();
    secret.unwrap()
}

/// The paths that a part of the table names: what stands in `resource("…")`, behind the scope's.
fn named(part: &str, scope: &str) -> Vec<String> {
    let names = part.split("resource(\"").skip(1);
    names
        .map(|rest| format!("{scope}{}", rest.split('"').next().unwrap()))
        .collect()
}

/// Follows a `$ref`.
fn resolved<'a>(description: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(pointer) => description
            .pointer(pointer.strip_prefix('#').unwrap())
            .unwrap(),
        None => value,
    }
}

/// The answer must be one that the operation names, with its headers, and a problem one of its codes.
async fn fits(description: &Value, operation: &Value, answer: Response) {
    let asked = format!("{} {}", answer.status(), answer.url().path());
    let responses = &operation["responses"];
    let named = &responses[answer.status().as_str()];
    let named = resolved(
        description,
        if named.is_null() {
            &responses["default"]
        } else {
            named
        },
    );
    assert!(named.is_object(), "{asked} is not described");
    for (name, header) in named["headers"].as_object().unwrap() {
        let required = resolved(description, header)["required"] == true;
        assert!(
            !required || answer.headers().contains_key(name),
            "{asked} has no {name}"
        );
    }
    let kind = answer
        .headers()
        .get("content-type")
        .map(|kind| kind.to_str().unwrap().to_owned());
    let body = answer.text().await.unwrap();
    let Some(kind) = kind else {
        return assert!(
            named["content"].is_null() && body.is_empty(),
            "{asked}: {body}"
        );
    };
    let content = &named["content"][kind.split(';').next().unwrap()];
    assert!(content.is_object(), "{asked}: {kind} is not described");
    let Ok(body) = serde_json::from_str::<Value>(&body) else {
        return;
    };
    let schema = resolved(description, &content["schema"]);
    for member in schema["required"].as_array().into_iter().flatten() {
        assert!(
            !body[member.as_str().unwrap()].is_null(),
            "{asked}: no {member} in {body}"
        );
    }
    if let (Some(members), Some(described)) = (body.as_object(), schema["properties"].as_object()) {
        for member in members.keys() {
            assert!(
                described.contains_key(member),
                "{asked}: {member} is not described"
            );
        }
    }
    if let Some(code) = body["code"].as_str() {
        assert!(
            named["description"].as_str().unwrap().contains(code),
            "{asked}: {code}"
        );
    }
}

#[tokio::test]
async fn the_description_names_exactly_the_routes_and_methods_of_the_table() {
    let service = Service::start().await;
    let description = service.describe().await;
    assert!(description["openapi"].as_str().unwrap().starts_with("3.1"));
    let paths = description["paths"].as_object().unwrap();
    let table = TABLE.split("pub(crate) fn table").nth(1).unwrap();
    let table = table.split("pub(crate) fn page_table").next().unwrap();
    let (account, others) = table.split_once("\n    config\n").unwrap();
    let well_known = SIGN_ON.split("\"/.well-known/").skip(1);
    let mut routes: Vec<_> = [
        named(account, "/api/account"),
        named(others, ""),
        named(PAGES, "/account"),
        named(SIGN_ON, "/oauth"),
        well_known
            .map(|rest| format!("/.well-known/{}", rest.split('"').next().unwrap()))
            .collect(),
    ]
    .concat();
    let mut described: Vec<_> = paths.keys().cloned().collect();
    routes.sort_unstable();
    described.sort_unstable();
    assert_eq!(described, routes);

    let nobody = "/00000000-0000-4000-8000-000000000000";
    let mut bearer = service.bearer().await;
    for (template, operations) in paths {
        let path = template.replace("/{id}", nobody);
        let path = path.replace("/{clientId}", "/nobody");
        for method in METHODS {
            // What the account's routes do may end the session.
            if template.starts_with("/api/account") {
                bearer = service.bearer().await;
            }
            let asked = format!("{path}?wait=0");
            let request = service.ask(method, &asked).bearer_auth(&bearer);
            let answer = request.json(&json!({})).send().await.unwrap();
            // HEAD is where GET is, and needs no description of its own.
            let operation = match method {
                "head" => &operations["get"],
                method => &operations[method],
            };
            assert_eq!(
                answer.status() == 405,
                operation.is_null(),
                "{method} {template}"
            );
            if operation.is_null() {
                let allow = answer.headers()["allow"].to_str().unwrap().to_lowercase();
                let mut allow: Vec<_> = allow.split(", ").collect();
                allow.sort_unstable();
                let described = operations.as_object().unwrap().keys();
                let head = operations["get"].is_object().then_some("head");
                let mut described: Vec<_> = described.map(String::as_str).chain(head).collect();
                described.sort_unstable();
                assert_eq!(allow, described, "{template}");
            } else if method == "head" {
                assert_eq!(answer.text().await.unwrap(), "", "{template}");
            } else {
                fits(&description, operation, answer).await;
            }
        }
    }
}

#[tokio::test]
async fn answers_are_as_described() {
    let service = Service::start().await;
    let description = service.describe().await;
    let operation = |method: &str, path: &str| &description["paths"][path][method];
    let (email, password) = ("bo@example.com", "correct horse");
    let bo = json!({"userName": "Bo", "email": email, "password": password});
    let confirm = json!({"currentPassword": password});
    let wrong = json!({"userName": "Eve", "currentPassword": "wrong"});
    let bad = |name: &str, value: &str| {
        let mut body = bo.clone();
        body[name] = json!(value);
        body
    };
    for (path, body, status) in [
        ("register", bo.clone(), 201),
        ("register", bo.clone(), 409),
        ("register", bad("userName", ""), 422),
        ("register", bad("email", "bo"), 422),
        ("register", bad("password", "short"), 422),
        ("register", json!([]), 400),
        ("login", bo.clone(), 200),
        ("login", bad("password", "wrong horse"), 401),
        ("login", bad("email", "nobody@example.com"), 401),
        (
            "refresh-token",
            json!({"accessToken": "x", "refreshToken": "x"}),
            401,
        ),
        (
            "logout",
            json!({"accessToken": "x", "refreshToken": "x"}),
            401,
        ),
        ("login", bad("userName", &"x".repeat(20_000)), 413),
    ] {
        let path = format!("/api/account/{path}");
        let answer = service.post(&path, &body).await;
        assert_eq!(answer.status(), status, "{path} {body}");
        fits(&description, operation("post", &path), answer).await;
    }

    let pair: Value = service
        .post("/api/account/login", &bo)
        .await
        .json()
        .await
        .unwrap();
    let spent = pair.clone();
    for (path, status) in [
        ("refresh-token", 200),
        ("logout", 204),
        ("refresh-token", 401),
    ] {
        let path = format!("/api/account/{path}");
        let answer = service.post(&path, &spent).await;
        assert_eq!(answer.status(), status, "{path}");
        fits(&description, operation("post", &path), answer).await;
    }

    let pair: Value = service
        .post("/api/account/login", &bo)
        .await
        .json()
        .await
        .unwrap();
    let bearer = pair["accessToken"].as_str().unwrap();
    let news = json!({"userName": "Bob", "currentPassword": password});
    let change = json!({"currentPassword": password, "newPassword": "another horse"});
    let weak = json!({"currentPassword": password, "newPassword": "short"});
    for (method, path, body, status) in [
        ("get", "/api/account/sessions", None, 200),
        ("get", "/api/account/apps", None, 200),
        ("patch", "/api/account", Some(&news), 200),
        ("patch", "/api/account", Some(&wrong), 403),
        ("patch", "/api/account", Some(&confirm), 400),
        ("delete", "/api/account", Some(&wrong), 403),
        ("post", "/api/account/deletion", Some(&wrong), 403),
        ("post", "/api/account/password", Some(&weak), 422),
        ("post", "/api/account/password", Some(&change), 200),
        // That ended this token's session.
        ("get", "/api/account/sessions", None, 401),
        ("get", "/internal/revocations", None, 401),
    ] {
        let request = service.ask(method, path).bearer_auth(bearer);
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), status, "{method} {path}");
        if path.ends_with("sessions") {
            let act = answer
                .headers()
                .get("act")
                .map(|act| act.to_str().unwrap().to_owned());
            assert_eq!(act.as_deref(), (status == 401).then_some("revoked"));
        }
        fits(&description, operation(method, path), answer).await;
    }
}

#[tokio::test]
async fn answers_of_sign_on_are_as_described() {
    let service = Service::start().await;
    let description = service.describe().await;
    let operation = |method: &str, path: &str| &description["paths"][path][method];
    let asked = [
        ("client_id", "app"),
        ("response_type", "code"),
        ("scope", "openid"),
        (
            "code_challenge",
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        ),
        ("code_challenge_method", "S256"),
    ];
    let app = ("client_id", "app");
    let unknown = ("client_id", "nobody");
    let refresh = ("grant_type", "refresh_token");
    for (path, form, status) in [
        ("/oauth/token", &[unknown, refresh][..], 401),
        ("/oauth/token", &[app], 400),
        ("/oauth/token", &[app, app], 400),
        ("/oauth/token", &[app, ("grant_type", "password")], 400),
        (
            "/oauth/token",
            &[app, ("grant_type", "client_credentials")],
            400,
        ),
        ("/oauth/token", &[app, refresh, ("refresh_token", "x")], 400),
        (
            "/oauth/token",
            &[app, ("grant_type", "authorization_code"), ("code", "x")],
            400,
        ),
        ("/oauth/revoke", &[unknown], 401),
        ("/oauth/revoke", &[app], 400),
        ("/oauth/revoke", &[app, ("token", "x")], 200),
        ("/oauth/introspect", &[], 401),
        ("/oauth/introspect", &[app, ("token", "x")], 401),
        ("/oauth/par", &[("client_id", "worker")], 401),
        ("/oauth/par", &[app], 400),
        ("/oauth/par", &asked, 201),
    ] {
        let answer = service.post_form(path, form).await;
        assert_eq!(answer.status(), status, "{path} {form:?}");
        fits(&description, operation("post", path), answer).await;
    }
    // A service, by its secret and by its token: of its token, of nothing, and without one.
    let worker = [
        ("client_id", "worker"),
        ("client_secret", service.secret.as_str()),
    ];
    let grant = [&worker[..], &[("grant_type", "client_credentials")]].concat();
    let answer = service.post_form("/oauth/token", &grant).await;
    let tokens: Value = answer.json().await.unwrap();
    let token = tokens["access_token"].as_str().unwrap();
    let form = |more: &[(&'static str, &str)]| serde_urlencoded::to_string(more).unwrap();
    let path = "/oauth/introspect";
    for (bearer, body, status) in [
        (
            None,
            form(&[&worker[..], &[("token", token)]].concat()),
            200,
        ),
        (None, form(&[&worker[..], &[("token", "x")]].concat()), 200),
        (None, form(&worker), 400),
        (Some(token), form(&[("token", token)]), 200),
        (Some("x"), form(&[("token", token)]), 401),
    ] {
        let request = service.ask("post", path).body(body);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let request = match bearer {
            Some(bearer) => request.bearer_auth(bearer),
            None => request,
        };
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), status, "{bearer:?}");
        fits(&description, operation("post", path), answer).await;
    }
    let query = serde_urlencoded::to_string(asked).unwrap();
    let path = format!("/oauth/authorize?{query}");
    let answer = service.ask("get", &path).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    fits(&description, operation("get", "/oauth/authorize"), answer).await;
    let client = Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none());
    let address = format!("http://{}{path}&prompt=none", service.address);
    let answer = client.build().unwrap().get(address).send().await.unwrap();
    assert_eq!(answer.status(), 302);
    fits(&description, operation("get", "/oauth/authorize"), answer).await;
}

#[test]
fn every_reference_of_the_description_leads_somewhere() {
    let description: Value = serde_json::from_str(include_str!("../openapi.json")).unwrap();
    let mut open = vec![&description];
    let mut references = 0;
    while let Some(value) = open.pop() {
        if value["$ref"].is_string() {
            assert!(!resolved(&description, value).is_null(), "{value}");
            references += 1;
        }
        open.extend(
            value
                .as_object()
                .into_iter()
                .flat_map(|members| members.values()),
        );
        open.extend(value.as_array().into_iter().flatten());
    }
    assert!(references > 100);
}
