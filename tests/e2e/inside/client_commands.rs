//! `auth-server client …` as an operator uses it, beside services that run.

use std::fs;
use std::time::{Duration, Instant};

use auth_server::clients::ClientKind;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use e2e::{App, Cli, Options, Ran, Reply, Tokens, member};
use serde_json::{Value, json};
use tokio::time::sleep;

fn cli(app: &App) -> Cli {
    Cli::new(app.folder(), app.database().url())
}

async fn signing_on() -> App {
    App::signing_on(Options::new().with_feed(), &[]).await
}

fn shown(cli: &Cli, id: &str) -> Value {
    serde_json::from_str(&cli.done(&["client", "show", id, "--json"])).unwrap()
}

/// The secret that a command printed: the last line, alone; nothing else looks like it.
fn secret_of(out: &str) -> String {
    let lines: Vec<&str> = out.lines().collect();
    let (last, before) = lines.split_last().unwrap();
    let bytes = URL_SAFE_NO_PAD.decode(last).unwrap();
    assert_eq!(bytes.len(), 32, "{out}");
    assert!(before.iter().all(|line| !line.contains(last)), "{out}");
    (*last).to_owned()
}

/// Asks as a service until a second has passed for the running one to see what changed.
async fn token_of(app: &App, id: &str, secret: &str, wanted: u16) -> Reply {
    let until = Instant::now() + Duration::from_secs(5);
    loop {
        let fields = [("grant_type", "client_credentials")];
        let reply = app
            .ask_form("/oauth/token", &fields, Some((id, secret)))
            .await;
        if reply.status == wanted {
            return reply;
        }
        assert!(Instant::now() < until, "{reply:?}");
        sleep(Duration::from_millis(100)).await;
    }
}

fn sid(tokens: &Tokens) -> String {
    let payload = tokens.access().split('.').nth(1).unwrap();
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
    claims["sid"].as_str().unwrap().to_owned()
}

fn refused(ran: &Ran, words: &[&str], said: &str) {
    assert!(!ran.ok && ran.out.is_empty(), "{words:?}: {ran:?}");
    assert_eq!(ran.err.trim().lines().count(), 1, "{words:?}: {ran:?}");
    assert!(ran.err.contains(said), "{words:?}: {said}: {ran:?}");
}

#[tokio::test]
async fn a_client_is_added_and_the_running_service_takes_it() {
    let app = signing_on().await;
    let cli = cli(&app);
    let added = [
        "client", "add", "reports", "--kind", "service", "--api", "--role", "auditor", "--role",
        "admin",
    ];
    let added = cli.run(&added);
    assert!(added.ok && added.err.is_empty(), "{added:?}");
    let secret = secret_of(&added.out);
    assert!(added.out.lines().count() > 1, "{added:?}");
    token_of(&app, "reports", &secret, 200).await;

    let public = [
        "client",
        "add",
        "spa",
        "--kind",
        "browser",
        "--redirect",
        "https://spa.example/cb",
    ];
    let public = cli.done(&public);
    assert!(public.contains("no secret"), "{public}");
    assert_eq!(public.lines().count(), 1, "{public}");

    // Neither the secret nor its hash is ever shown again.
    let hashes = app
        .database()
        .words("SELECT secret_hash AS value FROM clients WHERE id = 'reports'");
    let hash = hashes[0].clone().unwrap();
    let list = cli.done(&["client", "list"]);
    assert_eq!(
        list,
        "reports\tservice\tactive\treports\t\nspa\tbrowser\tactive\tspa\thttps://spa.example/cb\n"
    );
    for words in [
        vec!["client", "list"],
        vec!["client", "list", "--json"],
        vec!["client", "show", "reports"],
        vec!["client", "show", "reports", "--json"],
    ] {
        let out = cli.done(&words);
        assert!(out.contains("reports"), "{out}");
        assert!(!out.contains(&secret) && !out.contains(&hash), "{out}");
    }
    let list: Value = serde_json::from_str(&cli.done(&["client", "list", "--json"])).unwrap();
    assert_eq!(list[0], shown(&cli, "reports"));
    assert_eq!(list[0]["roles"], json!(["auditor", "admin"]));
    assert_eq!(
        list[1]["scopes"],
        json!(["openid", "profile", "email", "offline_access"])
    );
}

#[tokio::test]
async fn what_is_not_given_stays_as_it_is() {
    let app = signing_on().await;
    let cli = cli(&app);
    cli.done(&[
        "client",
        "add",
        "grafana",
        "--kind",
        "web",
        "--name",
        "Grafana",
        "--redirect",
        "https://grafana.example/login",
        "--redirect",
        "https://grafana.example/other",
        "--logout-redirect",
        "https://grafana.example/bye",
        "--backchannel",
        "https://grafana.example/out",
        "--scope",
        "openid",
        "--scope",
        "roles",
        "--api",
        "--trusted",
        "--id-token-alg",
        "ES256",
        "--without-pkce",
    ]);
    let before = shown(&cli, "grafana");
    for (member, value) in [
        ("name", json!("Grafana")),
        ("kind", json!("web")),
        (
            "redirectUris",
            json!([
                "https://grafana.example/login",
                "https://grafana.example/other"
            ]),
        ),
        ("logoutUris", json!(["https://grafana.example/bye"])),
        ("backchannelUri", json!("https://grafana.example/out")),
        ("scopes", json!(["openid", "roles"])),
        ("roles", json!([])),
        ("api", json!(true)),
        ("trusted", json!(true)),
        ("pkce", json!(false)),
        ("idTokenAlg", json!("ES256")),
    ] {
        assert_eq!(before[member], value, "{member}");
    }
    let same = cli.done(&["client", "set", "grafana", "--name", "Grafana"]);
    assert!(same.contains("so already"), "{same}");
    assert_eq!(shown(&cli, "grafana"), before);

    cli.done(&[
        "client",
        "set",
        "grafana",
        "--name",
        "Graphs",
        "--trusted=false",
        "--backchannel=",
        "--redirect",
        "https://g.example/",
    ]);
    let mut wanted = before.clone();
    (wanted["name"], wanted["trusted"]) = (json!("Graphs"), json!(false));
    wanted["redirectUris"] = json!(["https://g.example/"]);
    wanted.as_object_mut().unwrap().remove("backchannelUri");
    let mut after = shown(&cli, "grafana");
    assert!(after["changedAt"].as_i64() > before["changedAt"].as_i64());
    after["changedAt"] = before["changedAt"].clone();
    assert_eq!(after, wanted);

    // One that becomes confidential gets a secret, and one that was keeps it.
    cli.done(&[
        "client",
        "set",
        "grafana",
        "--kind",
        "native",
        "--without-pkce=false",
    ]);
    let ran = cli.done(&["client", "set", "grafana", "--kind", "web"]);
    secret_of(&ran);
    let ran = cli.done(&["client", "set", "grafana", "--api=false"]);
    assert_eq!(ran, "changed grafana\n");
}

#[tokio::test]
async fn a_new_secret_leaves_the_former_one_a_day() {
    let app = signing_on().await;
    let cli = cli(&app);
    let first = secret_of(&cli.done(&["client", "add", "job", "--kind", "service"]));
    token_of(&app, "job", &first, 200).await;
    let said = cli.done(&["client", "rotate-secret", "job"]);
    assert!(said.contains("24 hours"), "{said}");
    let second = secret_of(&said);
    token_of(&app, "job", &second, 200).await;
    token_of(&app, "job", &first, 200).await;
    let until = shown(&cli, "job")["formerSecretUntil"].as_i64().unwrap();
    let day = shared::clock::now() + 24 * 3600;
    assert!((day - 60..=day).contains(&until), "{until}");
    app.database()
        .execute("UPDATE clients SET former_secret_until = 1, changed_at = changed_at + 1");
    token_of(&app, "job", &first, 401).await;
    token_of(&app, "job", &second, 200).await;
}

#[tokio::test]
async fn a_blocked_client_s_sessions_end_and_stay_ended() {
    let shop = member("shop", ClientKind::Web).with(|it| it.api = true);
    let mail = member("mail", ClientKind::Web).with(|it| it.api = true);
    let options = Options::new().with_feed();
    let app = App::signing_on(options, &[shop.clone(), mail.clone()]).await;
    let cli = cli(&app);
    let (user, other) = (app.register().await, app.register().await);
    let scope = "openid offline_access";
    let all = [
        app.tokens_of(&user, &shop, scope).await,
        app.tokens_of(&other, &shop, "openid").await,
    ];
    let untouched = app.tokens_of(&user, &mail, scope).await;
    let list = cli.done(&["sessions", "list", &user.email]);
    let line = list.lines().find(|line| line.contains(&sid(&all[0])));
    let cells: Vec<&str> = line.unwrap().split('\t').collect();
    assert_eq!(cells[7..9], ["offline", "client shop"], "{list}");
    assert!(cells[9].starts_with("parent "), "{list}");
    let json = cli.done(&["sessions", "list", &other.email, "--json"]);
    let json: Vec<Value> = serde_json::from_str(&json).unwrap();
    let one = json.iter().find(|it| it["id"] == sid(&all[1])).unwrap();
    assert_eq!(one["kind"], "app");
    assert_eq!(one["client"], json!({"id": "shop", "name": "shop"}));
    let browser = json.iter().find(|it| it["id"] == one["parentId"]).unwrap();
    assert_eq!(browser["kind"], "browser");

    app.call_home(all[0].access()).await.is(200);
    let said = cli.done(&["client", "block", "shop"]);
    assert!(said.starts_with("blocked shop, "), "{said}");
    for tokens in &all {
        let session = sid(tokens);
        assert_eq!(
            app.database().end_reason(&session).as_deref(),
            Some("client")
        );
        assert_eq!(app.database().records(&session, "session_ended"), 1);
        let until = Instant::now() + Duration::from_secs(5);
        while app.call_home(tokens.access()).await.status == 200 {
            assert!(Instant::now() < until, "the API still takes it");
            sleep(Duration::from_millis(50)).await;
        }
        assert_ne!(app.refresh_as(&shop, tokens.refresh()).await.status, 200);
        let story = cli.done(&["sessions", "explain", &session]);
        assert!(
            story.contains("client shop, parent ")
                && story.contains("blocked or removed its client"),
            "{story}"
        );
    }
    app.call_home(untouched.access()).await.is(200);
    assert_eq!(
        shown(&cli, "shop")["blockedAt"].as_i64().map(|at| at > 0),
        Some(true)
    );
    refused(
        &cli.run(&["client", "block", "shop"]),
        &["block"],
        "blocked already",
    );

    cli.done(&["client", "unblock", "shop"]);
    // Until the service knows, it knows no such client.
    let until = Instant::now() + Duration::from_secs(5);
    let mut answer = app.refresh_as(&shop, all[0].refresh()).await;
    while answer.status == 401 {
        assert!(Instant::now() < until, "{answer:?}");
        sleep(Duration::from_millis(20)).await;
        answer = app.refresh_as(&shop, all[0].refresh()).await;
    }
    assert_eq!(
        answer.error(),
        (400, "invalid_grant".into(), "session_revoked".into())
    );
    app.tokens_of(&user, &shop, "openid").await;

    let said = cli.done(&["client", "remove", "mail"]);
    assert_eq!(said, "removed mail, 1 sessions ended\n");
    let session = sid(&untouched);
    assert_eq!(
        app.database().end_reason(&session).as_deref(),
        Some("client")
    );
    let details = app
        .database()
        .words("SELECT detail AS value FROM audit WHERE event = 'client_changed' ORDER BY id");
    let details: Vec<String> = details.into_iter().flatten().collect();
    assert_eq!(
        details,
        ["blocked: shop", "unblocked: shop", "removed: mail"]
    );
}

#[tokio::test]
async fn a_file_is_applied_whole_or_not_at_all_and_twice_is_once() {
    let app = signing_on().await;
    let cli = cli(&app);
    let file = |name: &str| app.folder().join(name).display().to_string();
    let (path, secret_file) = (file("clients.json"), file("secret"));
    let secret = e2e::random() + &e2e::random();
    fs::write(&secret_file, format!("{secret}\nand more\n")).unwrap();
    cli.done(&["client", "add", "other", "--kind", "service"]);
    let mut clients = json!([
        {"id": "job", "kind": "service", "secretFile": secret_file, "roles": ["auditor"]},
        {"id": "spa", "kind": "browser", "redirectUris": ["https://spa.example/cb"]},
    ]);
    let apply = |clients: &Value| {
        fs::write(&path, clients.to_string()).unwrap();
        cli.run(&["client", "apply", &path])
    };
    let ran = apply(&clients);
    assert_eq!(
        (ran.out.as_str(), ran.err.as_str()),
        ("added job\nadded spa\n", "")
    );
    token_of(&app, "job", &secret, 200).await;
    let rows = || {
        app.database()
            .words("SELECT id || changed_at || redirect_uris AS value FROM clients ORDER BY id")
    };
    let before = rows();
    // From standard input, too.
    let ran = cli.run_with(&["client", "apply", "-"], &clients.to_string());
    assert_eq!(ran.out, "unchanged job\nunchanged spa\n", "{ran:?}");
    assert_eq!(rows(), before);

    // The first would change; nothing does.
    clients[0]["name"] = json!("The job");
    let bad = |member: &str, value: Value| {
        let mut clients = clients.clone();
        clients[1][member] = value;
        clients
    };
    for (clients, said) in [
        (
            bad("redirectUris", json!(["https://*.example/"])),
            "entry 2: client \"spa\": redirectUris",
        ),
        (
            bad("redirectUris", json!("x")),
            "entry 2: client \"spa\": redirectUris: invalid type",
        ),
        (
            bad("kind", json!("spa")),
            "entry 2: client \"spa\": kind: unknown variant",
        ),
        (
            bad("secret", json!("hunter2")),
            "entry 2: client \"spa\": secret: unknown field",
        ),
        (
            bad("id", json!("job")),
            "entry 2: client \"job\": id: it is described twice",
        ),
        (bad("kind", json!("web")), "secretFile: it needs a secret"),
        (json!({"id": "job"}), "no JSON array of clients"),
    ] {
        let ran = apply(&clients);
        refused(&ran, &["apply"], said);
        assert!(ran.err.contains("clients.json"), "{ran:?}");
        assert!(!ran.err.contains("hunter2"), "{ran:?}");
        assert_eq!(rows(), before, "{said}");
    }
    fs::write(&secret_file, "thirty-one characters, not more\n").unwrap();
    let ran = apply(&clients);
    refused(&ran, &["apply"], "shorter than 32");
    assert!(!ran.err.contains("thirty"), "{ran:?}");
    assert_eq!(rows(), before);

    // Without the file the secret stays, and who is not named is left alone.
    clients[0].as_object_mut().unwrap().remove("secretFile");
    let ran = apply(&clients);
    assert_eq!(ran.out, "changed job\nunchanged spa\n", "{ran:?}");
    token_of(&app, "job", &secret, 200).await;
    assert_eq!(shown(&cli, "other")["kind"], "service");
}

#[tokio::test]
async fn what_cannot_be_a_client_or_is_none_is_one_line_and_a_failure() {
    let app = signing_on().await;
    let cli = cli(&app);
    let uuid = "6f1c1de2-0000-4000-8000-000000000000";
    let web = ["client", "add", "web", "--kind", "web", "--redirect"];
    let at = |uri: &'static str| [&web[..], &[uri]].concat();
    cli.done(&at("https://web.example/cb"));
    for (words, said) in [
        (at("https://other.example/cb"), "already"),
        (vec!["client", "add", uuid, "--kind", "service"], "UUID"),
        (
            vec!["client", "add", "x", "--kind", "web"],
            "needs a redirect URI",
        ),
        (
            vec![
                "client",
                "add",
                "x",
                "--kind",
                "web",
                "--redirect",
                "https://*.x.example/",
            ],
            "wildcard",
        ),
        (
            vec![
                "client",
                "add",
                "x",
                "--kind",
                "web",
                "--redirect",
                "https://u:p@x.example/",
            ],
            "user",
        ),
        (
            vec![
                "client",
                "add",
                "x",
                "--kind",
                "web",
                "--redirect",
                "com.example.x:/cb",
            ],
            "native",
        ),
        (
            vec![
                "client",
                "add",
                "x",
                "--kind",
                "browser",
                "--redirect",
                "https://x.example/",
                "--without-pkce",
            ],
            "PKCE",
        ),
        (
            vec!["client", "set", "none", "--name", "x"],
            "no client \"none\"",
        ),
        (
            vec!["client", "set", "web", "--scope", "account"],
            "trusted",
        ),
        (vec!["client", "show", "none"], "no client \"none\""),
        (
            vec!["client", "rotate-secret", "none"],
            "no client \"none\"",
        ),
        (vec!["client", "block", "none"], "no client \"none\""),
        (vec!["client", "unblock", "web"], "not blocked"),
        (vec!["client", "remove", "none"], "no client \"none\""),
        (vec!["client", "apply", "/nonexistent"], "/nonexistent"),
    ] {
        refused(&cli.run(&words), &words, said);
    }
    assert_eq!(cli.done(&["client", "list"]).lines().count(), 1);
}
