//! Every token at `/oauth/introspect` and `/oauth/revoke` in the hands of everybody: who may not know learns nothing, who
//! may not end ends nothing, and after each try every row is what it was.

use auth_server::sessions::refresh_token::Purpose;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use e2e::{Forge, Member, Reply, Tokens};
use reqwest::Method;
use serde_json::json;

use super::sign_on_cast::{Stage, Table, claims, cookie, send, sid};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

/// A token, by name, and who owns it.
struct Held {
    name: &'static str,
    token: String,
    /// Whose it is, if anybody may know of it.
    owner: Option<&'static str>,
    /// Whether it is an access token for the APIs.
    for_apis: bool,
}

/// Everything that somebody may hold.
async fn everything(s: &Stage) -> Vec<Held> {
    let visitor = s.browser().await;
    let past = shared::clock::now() - 1;
    let account = s.app.log_in(&s.user).await;
    let mut all = Vec::new();
    let mut put = |name, token: &str, owner, for_apis| {
        let token = token.to_owned();
        all.push(Held {
            name,
            token,
            owner,
            for_apis,
        });
    };
    let own = async |client: &Member, scope: &str| s.tokens(&visitor, client, scope).await;
    let good: [(&'static str, Tokens, bool); 5] = [
        ("shop", own(&s.shop, "openid email").await, true),
        ("spa", own(&s.spa, "openid").await, true),
        ("wiki", own(&s.wiki, "openid").await, false),
        ("forum", own(&s.forum, "openid").await, false),
        ("manager", own(&s.manager, "openid account").await, true),
    ];
    for (id, tokens, for_apis) in &good {
        put("an access token", tokens.access(), Some(*id), *for_apis);
        put("a refresh token", tokens.refresh(), Some(*id), false);
        put("an id_token", tokens.text("id_token"), None, false);
    }
    let offline = own(&s.shop, "openid offline_access").await;
    put(
        "an offline access token",
        offline.access(),
        Some("shop"),
        true,
    );
    put(
        "an offline refresh token",
        offline.refresh(),
        Some("shop"),
        false,
    );
    let robot = s.service().await;
    put("a service's token", robot.access(), Some("robot"), true);
    let clerk = s.own_tokens(&s.clerk).await;
    put(
        "another service's token",
        clerk.access(),
        Some("clerk"),
        false,
    );
    // The account's own is nobody's but the APIs'.
    put(
        "the account's access token",
        &account.access_token,
        Some(""),
        true,
    );

    // From here on nobody may know of it.
    put(
        "the account's refresh token",
        &account.refresh_token,
        None,
        false,
    );
    put(
        "a device token",
        account.device_token.as_deref().unwrap(),
        None,
        false,
    );
    put("a cookie", &cookie(&visitor, "keyturn"), None, false);
    let asking = s.shop.ask("openid");
    put(
        "a code",
        &s.code(&visitor, &s.shop, &asking).await,
        None,
        false,
    );
    let spent = own(&s.shop, "openid").await;
    s.app.refresh_as(&s.shop, spent.refresh()).await.tokens();
    s.app.database().age(&sid(&spent), 31);
    put("a spent refresh token", spent.refresh(), None, false);
    let ended = own(&s.shop, "openid").await;
    let fields = [("token", ended.refresh())];
    s.app
        .ask_as(&s.shop, "/oauth/revoke", &fields)
        .await
        .is(200);
    put("a revoked access token", ended.access(), None, false);
    put("a revoked refresh token", ended.refresh(), None, false);
    let gone = own(&s.shop, "openid").await;
    let sql = format!("DELETE FROM sessions WHERE id = '{}'", sid(&gone));
    s.app.database().execute(&sql);
    put("an access token of no session", gone.access(), None, false);
    put("a refresh token of no session", gone.refresh(), None, false);
    // Genuine to the MAC, and of the wrong row.
    let (_, shop, _) = &good[0];
    let remint = |change: fn(&mut auth_server::sessions::refresh_token::RefreshToken)| {
        s.remint(Purpose::App, shop.refresh(), change)
    };
    put(
        "a refresh token with another nonce",
        &remint(|it| it.nonce[0] ^= 1),
        None,
        false,
    );
    put(
        "a refresh token that is over",
        &remint(|it| it.absolute_until = 1),
        None,
        false,
    );
    // Under our own key, and not what was issued.
    let forge = s.app.forge();
    let shop = claims(shop.access());
    let draft = || forge.draft(&shop).head("typ", json!("at+jwt"));
    let mine = claims(&account.access_token);
    for (name, token) in [
        (
            "an access token that is over",
            draft().claim("exp", json!(past)).sign(),
        ),
        (
            "an access token of tomorrow",
            draft().claim("nbf", json!(past + 86_400)).sign(),
        ),
        (
            "an access token of another client",
            draft().claim("client_id", json!("wiki")).sign(),
        ),
        (
            "an access token of no client",
            draft().no_claim("client_id").sign(),
        ),
        (
            "an access token of a client that is none",
            draft().claim("client_id", json!("nobody")).sign(),
        ),
        (
            "an access token of another user",
            draft().claim("sub", mine["sid"].clone()).sign(),
        ),
        (
            "an access token of no session",
            draft().no_claim("sid").sign(),
        ),
        (
            "an access token of an odd session",
            draft().claim("sid", json!("../x")).sign(),
        ),
        (
            "an access token of the account's session",
            draft().claim("sid", mine["sid"].clone()).sign(),
        ),
        (
            "an access token of another issuer",
            draft().claim("iss", json!("https://evil.example")).sign(),
        ),
        (
            "an access token for others",
            draft().claim("aud", json!("https://evil.example")).sign(),
        ),
        (
            "a logout token",
            draft().head("typ", json!("logout+jwt")).sign(),
        ),
        (
            "a service's bearer of the feed",
            draft().head("typ", json!("service+jwt")).sign(),
        ),
        (
            "an access token under another key",
            Forge::stranger(&forge.kid).draft(&shop).sign(),
        ),
        (
            "an access token under no key",
            format!("{}.", draft().head("alg", json!("none")).unsigned()),
        ),
        ("nothing", "x".into()),
        ("three parts of nothing", "a.b.c".into()),
        ("much of nothing", "x".repeat(9_000)),
        ("as long as a refresh token", "A".repeat(112)),
        ("no ASCII", "é\u{0}ü".into()),
        ("SQL", "' OR '1'='1".into()),
    ] {
        put(name, &token, None, false);
    }
    all
}

/// An answer without what is another each time.
fn bare(reply: &Reply) -> (u16, Vec<(String, String)>, String) {
    let headers = reply
        .headers
        .iter()
        .filter(|(name, _)| !["date", "x-request-id"].contains(&name.as_str()));
    let headers =
        headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
    (reply.status, headers.collect(), reply.body.clone())
}

#[tokio::test]
async fn whoever_may_not_know_gets_the_same_nothing_and_no_row_changes() {
    let s = Stage::open().await;
    let all = everything(&s).await;
    let (robot, clerk) = (s.service().await, s.own_tokens(&s.clerk).await);
    let rows = s.rows();
    let nothing = bare(&s.introspect(&s.legacy, "x").await);
    assert_eq!(nothing.2, r#"{"active":false}"#);
    let mut table = Table::default();
    for asker in [
        &s.shop, &s.wiki, &s.forum, &s.legacy, &s.manager, &s.robot, &s.clerk,
    ] {
        let bearer = match asker.id() {
            "robot" => Some(robot.access()),
            "clerk" => Some(clerk.access()),
            _ => None,
        };
        for held in &all {
            let may = held.owner == Some(asker.id()) || (asker.id() == "robot" && held.for_apis);
            let name = format!("{} of {:?} before {}", held.name, held.owner, asker.id());
            let mut replies = vec![s.introspect(asker, &held.token).await];
            if let Some(bearer) = bearer {
                replies.push(s.introspect_by(bearer, &held.token).await);
            }
            for reply in replies {
                if may {
                    table.row(&name, reply.json()["active"].clone(), true);
                } else {
                    table.row(&name, bare(&reply), nothing.clone());
                }
                assert_eq!(s.rows(), rows, "{name}: a row changed");
            }
        }
    }
    table.close(400);
}

/// What is shown at a door: headers and fields.
type Shown = (
    &'static str,
    Vec<String>,
    Vec<(&'static str, String)>,
    &'static str,
);

#[tokio::test]
async fn whoever_is_not_known_is_told_nothing_of_any_token() {
    let s = Stage::open().await;
    let all = everything(&s).await;
    let robot = s.service().await;
    let account = s.app.log_in(&s.user).await;
    let secret = |member: &Member| member.secret.clone().unwrap();
    let basic =
        |id: &str, secret: &str| format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")));
    let bearer = |token: &str| format!("Bearer {token}");
    let forge = s.app.forge();
    let service = claims(robot.access());
    let draft = || forge.draft(&service).head("typ", json!("at+jwt"));
    let past = shared::clock::now() - 1;
    let of_shop = all.iter().find(|it| it.owner == Some("shop")).unwrap();
    let id_token = all.iter().find(|it| it.name == "an id_token").unwrap();
    let id = |id: &str| ("client_id", id.to_owned());
    let unknown = "401 invalid_client";
    let refused = "401 invalid_token";
    let doors: Vec<Shown> = vec![
        ("nobody", vec![], vec![], unknown),
        ("a public client", vec![], vec![id("spa")], unknown),
        (
            "a public client by Basic",
            vec![basic("spa", "")],
            vec![],
            unknown,
        ),
        ("a native client", vec![], vec![id("phone")], unknown),
        ("no secret", vec![], vec![id("shop")], unknown),
        (
            "a wrong secret",
            vec![],
            vec![id("shop"), ("client_secret", "x".into())],
            unknown,
        ),
        (
            "another's secret",
            vec![basic("shop", &secret(&s.wiki))],
            vec![],
            unknown,
        ),
        (
            "another's id",
            vec![basic("shop", &secret(&s.shop))],
            vec![id("wiki")],
            unknown,
        ),
        (
            "two ways",
            vec![basic("shop", &secret(&s.shop))],
            vec![("client_secret", secret(&s.shop))],
            "400 invalid_request",
        ),
        (
            "two headers",
            vec![bearer(robot.access()), basic("shop", &secret(&s.shop))],
            vec![],
            "400 invalid_request",
        ),
        (
            "two bearers",
            vec![bearer(robot.access()), bearer(robot.access())],
            vec![],
            "400 invalid_request",
        ),
        (
            "a bearer and a secret",
            vec![bearer(robot.access())],
            vec![id("robot"), ("client_secret", secret(&s.robot))],
            "400 invalid_request",
        ),
        (
            "a bearer and another's id",
            vec![bearer(robot.access())],
            vec![id("clerk")],
            refused,
        ),
        (
            "the account's token",
            vec![bearer(&account.access_token)],
            vec![],
            refused,
        ),
        (
            "a program's token",
            vec![bearer(&of_shop.token)],
            vec![],
            refused,
        ),
        (
            "an id_token",
            vec![bearer(&id_token.token)],
            vec![],
            refused,
        ),
        (
            "a service's token that is over",
            vec![bearer(&draft().claim("exp", json!(past)).sign())],
            vec![],
            refused,
        ),
        (
            "a service's token of another service",
            vec![bearer(
                &draft()
                    .claim("sub", json!("clerk"))
                    .claim("client_id", json!("clerk"))
                    .sign(),
            )],
            vec![],
            refused,
        ),
        (
            "a service's token of no session",
            vec![bearer(&draft().no_claim("sid").sign())],
            vec![],
            refused,
        ),
        (
            "a service's token of a program's session",
            vec![bearer(
                &draft()
                    .claim("sid", claims(&of_shop.token)["sid"].clone())
                    .sign(),
            )],
            vec![],
            refused,
        ),
        (
            "a web client in the clothes of a service",
            vec![bearer(
                &draft()
                    .claim("sub", json!("shop"))
                    .claim("client_id", json!("shop"))
                    .sign(),
            )],
            vec![],
            refused,
        ),
        (
            "a service's token for others",
            vec![bearer(
                &draft().claim("aud", json!("https://evil.example")).sign(),
            )],
            vec![],
            refused,
        ),
        (
            "a bearer of the feed",
            vec![bearer(&draft().head("typ", json!("service+jwt")).sign())],
            vec![],
            refused,
        ),
        (
            "a bearer of nothing",
            vec!["Bearer x".into()],
            vec![],
            refused,
        ),
        (
            "a bearer without a token",
            vec!["Bearer".into()],
            vec![],
            refused,
        ),
        (
            "another scheme",
            vec![format!("DPoP {}", robot.access())],
            vec![],
            unknown,
        ),
        (
            "the token in the form alone",
            vec![],
            vec![("access_token", robot.access().to_owned())],
            unknown,
        ),
    ];
    let rows = s.rows();
    let mut table = Table::default();
    for held in all
        .iter()
        .filter(|it| it.owner.is_some())
        .chain(&all[all.len() - 1..])
    {
        for (door, headers, fields, expected) in &doors {
            let mut shown = vec![FORM];
            shown.extend(
                headers
                    .iter()
                    .map(|header| ("authorization", header.as_str())),
            );
            let mut form = vec![("token", held.token.as_str())];
            form.extend(fields.iter().map(|(name, value)| (*name, value.as_str())));
            let body = serde_urlencoded::to_string(form).unwrap();
            let reply = send(
                s.request(Method::POST, "/oauth/introspect", &shown)
                    .body(body),
            )
            .await;
            let name = format!("{} of {:?}: {door}", held.name, held.owner);
            let (status, word, _) = reply.error();
            table.row(&name, format!("{status} {word}"), *expected);
            let challenge = reply.header("www-authenticate");
            let fits = match (*expected == refused, headers.first()) {
                (true, _) => challenge == r#"Bearer realm="keyturn", error="invalid_token""#,
                (_, Some(shown)) if status == 401 && shown.starts_with("Basic") => {
                    challenge == r#"Basic realm="keyturn""#
                }
                _ => challenge.is_empty(),
            };
            table.row(&name, (fits, reply.header("act")), (true, ""));
            assert_eq!(s.rows(), rows, "{name}: a row changed");
        }
    }
    table.close(600);
}

#[tokio::test]
async fn nobody_ends_what_is_not_his() {
    let s = Stage::open().await;
    let all = everything(&s).await;
    let rows = s.rows();
    let mut table = Table::default();
    for asker in [
        &s.wiki, &s.forum, &s.legacy, &s.manager, &s.robot, &s.clerk, &s.spa, &s.phone,
    ] {
        for held in all.iter().filter(|it| it.owner != Some(asker.id())) {
            let fields = [("token", held.token.as_str())];
            let reply = s.app.ask_as(asker, "/oauth/revoke", &fields).await;
            let name = format!("{} of {:?} before {}", held.name, held.owner, asker.id());
            let said = match reply.status {
                200 => (200, String::new(), reply.body.clone()),
                _ => reply.error(),
            };
            let theirs = (
                400,
                "invalid_grant".to_owned(),
                "invalid_refresh_token".to_owned(),
            );
            let fine = said == theirs || said == (200, String::new(), String::new());
            // Of what lives, its owner alone is told that it is well.
            let lives = held.owner.is_some();
            table.row(&name, (fine, !lives || said == theirs), (true, true));
            assert_eq!(s.rows(), rows, "{name}: a row changed");
        }
    }
    // Nor does its own client end anything by what is none of its tokens.
    for held in all.iter().filter(|it| {
        let of_others = [
            "a refresh token with another nonce",
            "a code",
            "a cookie",
            "an id_token",
            "a device token",
        ];
        of_others.contains(&it.name) || it.name.starts_with("the account's")
    }) {
        let fields = [("token", held.token.as_str())];
        let reply = s.app.ask_as(&s.shop, "/oauth/revoke", &fields).await;
        let expected = if held.name == "the account's access token" {
            400
        } else {
            200
        };
        table.row(held.name, reply.status, expected);
        assert_eq!(s.rows(), rows, "{}: a row changed", held.name);
    }
    table.close(300);
}

#[tokio::test]
async fn whoever_is_not_known_ends_nothing() {
    let s = Stage::open().await;
    let all = everything(&s).await;
    let robot = s.service().await;
    let wrong = |member: &Member| Member {
        secret: Some("wrong".into()),
        ..member.clone()
    };
    let without = |member: &Member| Member {
        secret: None,
        ..member.clone()
    };
    let nobody = Member {
        secret: None,
        definition: auth_server::clients::Definition::new(
            "nobody",
            auth_server::clients::ClientKind::Web,
        ),
    };
    let rows = s.rows();
    let mut table = Table::default();
    for held in all.iter().filter(|it| it.owner.is_some()) {
        for (name, asker) in [
            ("a wrong secret", wrong(&s.shop)),
            ("no secret", without(&s.shop)),
            ("a service without its secret", without(&s.robot)),
            ("a public client with a secret", wrong(&s.spa)),
            ("nobody", nobody.clone()),
        ] {
            let fields = [("token", held.token.as_str())];
            let reply = s.app.ask_as(&asker, "/oauth/revoke", &fields).await;
            table.row(name, reply.error().1, "invalid_client");
            assert_eq!(s.rows(), rows, "{name}: a row changed");
        }
        // A service's access token opens introspection, and no other door.
        for path in ["/oauth/revoke", "/oauth/token", "/oauth/par"] {
            let bearer = format!("Bearer {}", robot.access());
            let body = serde_urlencoded::to_string([("token", held.token.as_str())]).unwrap();
            let headers = [FORM, ("authorization", bearer.as_str())];
            let reply = send(s.request(Method::POST, path, &headers).body(body)).await;
            table.row(path, reply.error().1, "invalid_client");
            assert_eq!(s.rows(), rows, "{path}: a row changed");
        }
    }
    table.close(100);
}
