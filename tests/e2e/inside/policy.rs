//! What an installation decides for itself: registration, origins, the demo page.

use e2e::{Answer, App, Options};
use serde_json::{Value, json};

#[tokio::test]
async fn registration_can_be_closed() {
    let app = App::with(
        Options::new()
            .auth("registration", "closed")
            .auth("demo-user", "demo@example.com:keyturn-demo"),
    )
    .await;
    app.try_register("x", "x@example.com", "a long password")
        .await
        .refused(403, "registration_closed");
    app.try_register("", "none", "short")
        .await
        .refused(403, "registration_closed");
    let pair: e2e::Pair = app
        .try_log_in("demo@example.com", "keyturn-demo")
        .await
        .is(200)
        .json();
    app.refresh(&pair).await;
}

#[tokio::test]
async fn only_the_listed_origins_may_read_answers() {
    let app = App::with(Options::new().both(
        "cors-allowed-origins",
        "https://a.example,https://b.example",
    ))
    .await;
    for url in [
        format!("{}/api/account/sessions", app.auth_url),
        format!("{}/api/home", app.resource_url),
    ] {
        for (origin, allowed) in [
            ("https://a.example", true),
            ("https://b.example", true),
            ("https://c.example", false),
            ("http://a.example", false),
            ("https://a.example.evil", false),
            ("https://a.example:444", false),
            ("null", false),
            ("*", false),
        ] {
            let answer = app
                .client
                .get(&url)
                .header("origin", origin)
                .send()
                .await
                .unwrap();
            let answer = Answer::read(answer).await.is(401);
            assert_eq!(
                answer.header("access-control-allow-origin"),
                allowed.then_some(origin),
                "{answer:?}"
            );
            let vary = answer.header("vary").unwrap_or_default().to_lowercase();
            assert!(vary.contains("origin"), "{answer:?}");
        }
    }
}

#[tokio::test]
async fn the_demo_page_is_its_own_files_and_no_others() {
    let web = tempfile::tempdir().unwrap();
    let write = |name: &str| {
        let path = web.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, name).unwrap();
    };
    let own = [
        "index.html",
        "style.css",
        "demo.js",
        "token-client.js",
        "favicon.svg",
        "demo/chain.js",
        "demo/x.css",
        "demo/y.svg",
    ];
    let others = [
        "package.json",
        "README.md",
        ".env",
        "test/unit.js",
        "node_modules/x.js",
        "demo/secret.json",
        "demo/deep/z.js",
    ];
    own.iter().chain(&others).for_each(|name| write(name));
    let app = App::with(
        Options::new()
            .auth("web-root", web.path().display().to_string())
            .auth("demo-user", "demo@example.com:keyturn-demo")
            .auth("resource-public-url", "http://localhost:5001"),
    )
    .await;
    let get = async |path: &str| {
        let answer = app
            .client
            .get(format!("{}/{path}", app.auth_url))
            .send()
            .await
            .unwrap();
        Answer::read(answer).await
    };
    for name in own {
        let path = if name == "index.html" { "" } else { name };
        let answer = get(path).await.is(200);
        assert_eq!(answer.body, name);
        let policy = answer.header("content-security-policy").unwrap();
        assert!(
            policy.contains("script-src 'self'")
                && policy.contains("connect-src 'self' http://localhost:5001"),
            "{policy}"
        );
        assert!(!policy.contains("unsafe"), "{policy}");
    }
    for name in others.iter().copied().chain([
        "demo",
        "demo/",
        "..%2fCargo.toml",
        "demo/..%2fpackage.json",
        "demo/%2e%2e/package.json",
    ]) {
        get(name).await.refused(404, "not_found");
    }
    let config: Value = get("config.json").await.is(200).json();
    assert_eq!(config["resourceUrl"], "http://localhost:5001");
    assert_eq!(config["demo"]["email"], "demo@example.com");

    let bare = App::start().await;
    for path in ["", "index.html", "demo.js", "config.json"] {
        let answer = bare
            .client
            .get(format!("{}/{path}", bare.auth_url))
            .send()
            .await
            .unwrap();
        Answer::read(answer).await.refused(404, "not_found");
    }
}

#[tokio::test]
async fn operators_and_their_machines_get_answers() {
    let app = App::start().await;
    for url in [&app.auth_url, &app.resource_url] {
        for path in ["/healthz", "/readyz", "/openapi.json"] {
            let answer = app.client.get(format!("{url}{path}")).send().await.unwrap();
            Answer::read(answer).await.is(200).json::<Value>();
        }
        let answer = app
            .client
            .get(format!("{url}/metrics"))
            .send()
            .await
            .unwrap();
        let answer = Answer::read(answer).await.is(200);
        assert!(answer.body.contains("# TYPE "), "{answer:?}");
    }
}

#[tokio::test]
async fn a_token_for_one_api_of_several_does_not_manage_the_account() {
    let audiences = "http://one.example,http://two.example";
    let app = App::with(Options::new().both("jwt-audience", audiences)).await;
    let (_, pair) = app.newcomer().await;
    let draft = app.forge().draft(&pair.claims());
    for (aud, api, account) in [
        (
            json!(["http://one.example", "http://two.example"]),
            "ok",
            "ok",
        ),
        (
            json!(["http://two.example", "x", "http://one.example"]),
            "ok",
            "ok",
        ),
        (json!("http://one.example"), "ok", "token_wrong_audience"),
        (json!(["http://two.example"]), "ok", "token_wrong_audience"),
        (
            json!(["http://two.example", "x"]),
            "ok",
            "token_wrong_audience",
        ),
        (json!("x"), "token_wrong_audience", "token_wrong_audience"),
    ] {
        let token = draft.clone().claim("aud", aud.clone()).sign();
        assert_eq!(app.call_home(&token).await.code(), api, "{aud}");
        let listed = app.get("/api/account/sessions", &token).await;
        assert_eq!(listed.code(), account, "{aud}");
    }
    assert_eq!(
        app.sessions(&app.refresh(&pair).await.access_token)
            .await
            .len(),
        1
    );
}
