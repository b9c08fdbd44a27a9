//! What signs people on stays where it is: no code, cookie, ticket or client's secret in a log, however loud, or in the
//! database.

use auth_server::clients::ClientKind;
use e2e::{App, Cli, Database, Member, Options, Running, member};

/// The longest part of a token that is nowhere else.
fn tail(token: &str) -> String {
    token[token.len() - 40..].to_owned()
}

/// Signs somebody in by the pages, refreshes, revokes; gives everything that is a secret.
async fn secrets_of(app: &App, shop: &Member) -> Vec<String> {
    let user = app.register().await;
    let asking = shop.ask("openid email offline_access");
    let (visitor, entered) = app.signed_in(&user, &asking).await;
    let since = entered
        .header("refresh")
        .split_once("since=")
        .unwrap()
        .1
        .to_owned();
    let code = visitor.code(entered, shop).await;
    let tokens = app.exchange(shop, &code, &asking).await.tokens();
    let next = app.refresh_as(shop, tokens.refresh()).await.tokens();
    app.userinfo(next.access()).await.is(200);
    app.refresh_as(shop, "rubbish").await.is(400);
    app.exchange(shop, &code, &asking).await.is(400);
    app.ask_as(shop, "/oauth/revoke", &[("token", next.refresh())])
        .await
        .is(200);
    let wrong = Member {
        secret: Some("another secret than the right one".into()),
        ..shop.clone()
    };
    app.refresh_as(&wrong, next.refresh()).await.is(401);
    let push = [("scope", "openid"), ("response_type", "token")];
    app.ask_as(shop, "/oauth/par", &push).await.is(400);

    let mut secrets = vec![
        user.password.clone(),
        shop.secret.clone().unwrap(),
        "another secret than the right one".into(),
        asking.verifier.clone(),
        tail(&since),
        tail(&code),
    ];
    for tokens in [&tokens, &next] {
        secrets.extend([tokens.access(), tokens.refresh(), tokens.text("id_token")].map(tail));
    }
    let cookies = visitor.cookies.lock().unwrap();
    assert_eq!(cookies.len(), 3, "{:?}", cookies.keys());
    secrets.extend(
        cookies
            .values()
            .map(|value| value[value.len() - 20..].to_owned()),
    );
    secrets
}

#[tokio::test]
async fn no_log_line_tells_a_code_a_cookie_a_ticket_or_a_client_s_secret() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::create(folder.path());
    let cli = Cli::new(folder.path(), database.url());
    let ids = format!(
        "--id-keys-file={}",
        folder.path().join("id-keys.json").display()
    );
    let init = ["keys", "init", "--oauth=on", &ids];
    cli.done(&init);
    let redirect = "https://shop.example/cb";
    let add = [
        "client",
        "add",
        "shop",
        "--kind",
        "web",
        "--redirect",
        redirect,
        "--trusted",
    ];
    let secret = cli.finish(&add).await.lines().last().unwrap().to_owned();
    let own = [
        "--listen=127.0.0.1:0",
        "--registration=open",
        "--login-limits=off",
        "--oauth=on",
        "--log-filter=debug",
        &ids,
    ];
    let own = own.map(str::to_owned);
    let auth = Running::start("auth-server", &[cli.arguments(), &own].concat());
    let app = App::at(&auth.url, &auth.url);
    let shop = Member {
        secret: Some(secret),
        ..member("shop", ClientKind::Web)
    };
    let secrets = secrets_of(&app, &shop).await;
    let logs = auth.kill();
    // There is a log to look into.
    assert!(
        logs.contains("POST /oauth/token") && logs.contains("POST /oauth/par"),
        "{logs}"
    );
    for secret in secrets {
        let line = logs.lines().find(|line| line.contains(&secret));
        assert_eq!(line, None, "{secret}");
    }
}

#[tokio::test]
async fn the_database_holds_no_code_no_cookie_and_no_secret_of_a_client() {
    let shop = member("shop", ClientKind::Web).with(|it| it.trusted = true);
    let app = App::signing_on(Options::new(), std::slice::from_ref(&shop)).await;
    let secrets = secrets_of(&app, &shop).await;
    let mut all = Vec::new();
    for (column, table) in [
        ("nonce", "sessions"),
        ("pending", "sessions"),
        ("code_challenge", "sessions"),
        ("secret_hash", "clients"),
        ("detail", "audit"),
        ("scope", "consents"),
    ] {
        let sql = format!("SELECT {column} AS value FROM {table} WHERE {column} IS NOT NULL");
        all.extend(app.database().words(&sql));
    }
    assert!(all.len() > 4, "{all:?}");
    let all = format!("{all:?}");
    for secret in secrets {
        assert!(!all.contains(&secret), "{all}");
    }
}
