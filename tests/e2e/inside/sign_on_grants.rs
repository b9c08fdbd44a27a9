//! What clients ask for themselves: refresh, revocation, pushed requests, tokens in their own name.

use e2e::{Member, Reply, Tokens, Visitor};
use serde_json::json;

use super::sign_on_cast::{Stage, Table, claims, outcome, sid};

#[track_caller]
fn words(reply: &Reply) -> (u16, String, String, String) {
    let (status, word, code) = reply.error();
    let reason = reply.json()["reason"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    (status, word, code, reason)
}

fn expected(word: &str, code: &str, reason: &str) -> (u16, String, String, String) {
    (400, word.into(), code.into(), reason.into())
}

async fn narrowed(s: &Stage, client: &Member, refresh: &str, scope: &str) -> Reply {
    let fields = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh),
        ("scope", scope),
    ];
    s.app.ask_as(client, "/oauth/token", &fields).await
}

#[tokio::test]
async fn a_scope_narrows_one_access_token_and_never_widens_nor_is_lost() {
    let s = Stage::open().await;
    let visitor = s.browser().await;
    let mut tokens = s.tokens(&visitor, &s.shop, "openid email").await;
    let mut table = Table::default();
    for (scope, granted) in [
        ("openid", Some("openid")),
        ("email", Some("email")),
        ("email openid", Some("email openid")),
        ("openid email roles", None),
        ("roles", None),
        ("offline_access", None),
        ("account", None),
        ("OPENID", None),
        ("unknown", None),
        ("", Some("openid email")),
    ] {
        let before = tokens.refresh().to_owned();
        let reply = narrowed(&s, &s.shop, &before, scope).await;
        match granted {
            None => {
                table.row(
                    scope,
                    words(&reply),
                    expected("invalid_scope", "invalid_scope", ""),
                );
                let generation = s.app.database().session(&sid(&tokens), "generation");
                // What is refused loses nothing: the same token is the current one still.
                tokens = s.app.refresh_as(&s.shop, &before).await.tokens();
                let after = s.app.database().session(&sid(&tokens), "generation");
                table.row(scope, after, generation.map(|it| it + 1));
            }
            Some(granted) => {
                tokens = reply.tokens();
                table.row(scope, tokens.text("scope"), granted);
                table.row(
                    scope,
                    claims(tokens.access())["scope"].clone(),
                    json!(granted),
                );
                let openid = granted.contains("openid");
                table.row(scope, tokens.0["id_token"].is_string(), openid);
            }
        }
    }
    table.row(
        "all of it again",
        s.app
            .refresh_as(&s.shop, tokens.refresh())
            .await
            .tokens()
            .text("scope"),
        "openid email",
    );
    table.close(25);
}

#[tokio::test]
#[rustfmt::skip] // one line a case
async fn a_refusal_of_a_refresh_says_why_in_our_words_beside_the_standard_s() {
    let s = Stage::open().await;
    let visitor = s.browser().await;
    let db = s.app.database();
    let past = shared::clock::now() - 10;
    let mut table = Table::default();
    let fresh = || s.tokens(&visitor, &s.shop, "openid");
    let turn = |tokens: String| { let s = &s; async move { s.app.refresh_as(&s.shop, &tokens).await } };

    let first = fresh().await;
    let second = turn(first.refresh().to_owned()).await.tokens();
    let again = turn(first.refresh().to_owned()).await.tokens();
    table.row("a retry gets the same token", again.refresh().to_owned(), second.refresh().to_owned());
    let third = turn(second.refresh().to_owned()).await.tokens();
    table.row("overtaken", words(&turn(first.refresh().to_owned()).await), expected("invalid_grant", "refresh_token_superseded", ""));
    db.age(&sid(&third), 31);
    let late = turn(second.refresh().to_owned()).await.tokens();
    table.row("a late retry gets the same token", late.refresh().to_owned(), third.refresh().to_owned());
    table.row("used long ago", words(&turn(first.refresh().to_owned()).await), expected("invalid_grant", "refresh_token_reused", ""));
    table.row("after that", words(&turn(third.refresh().to_owned()).await), expected("invalid_grant", "session_revoked", "reuse"));

    let idle = fresh().await;
    db.set(&sid(&idle), &format!("idle_until = {past}"));
    table.row("idle", words(&turn(idle.refresh().to_owned()).await), expected("invalid_grant", "session_expired", "idle"));
    let over = fresh().await;
    db.set(&sid(&over), &format!("absolute_until = {past}"));
    table.row("over", words(&turn(over.refresh().to_owned()).await), expected("invalid_grant", "session_expired", "absolute"));
    let gone = fresh().await;
    db.execute(&format!("DELETE FROM sessions WHERE id = '{}'", sid(&gone)));
    table.row("gone", words(&turn(gone.refresh().to_owned()).await).1, "invalid_grant");
    let revoked = fresh().await;
    s.app.ask_as(&s.shop, "/oauth/revoke", &[("token", revoked.refresh())]).await.is(200);
    table.row("revoked", words(&turn(revoked.refresh().to_owned()).await), expected("invalid_grant", "session_revoked", "logout"));
    let forged = revoked.refresh().chars().rev().collect::<String>();
    table.row("forged", words(&turn(forged).await), expected("invalid_grant", "invalid_refresh_token", ""));
    // Another client's: whatever it is, it is nobody's, and ages nothing.
    let theirs = fresh().await;
    table.row("another client's", words(&s.app.refresh_as(&s.wiki, theirs.refresh()).await), expected("invalid_grant", "invalid_refresh_token", ""));
    table.row("its own", turn(theirs.refresh().to_owned()).await.status, 200);
    table.close(12);
}

#[tokio::test]
async fn fifty_refreshes_with_one_token_are_one_step_with_one_successor() {
    let s = Stage::open().await;
    let visitor = s.browser().await;
    let tokens = s.tokens(&visitor, &s.spa, "openid").await;
    let all = (0..50).map(|_| s.app.refresh_as(&s.spa, tokens.refresh()));
    let all: Vec<Tokens> = futures_util::future::join_all(all)
        .await
        .iter()
        .map(Reply::tokens)
        .collect();
    let one = all[0].refresh();
    assert!(all.iter().all(|tokens| tokens.refresh() == one));
    assert_eq!(
        s.app.database().session(&sid(&tokens), "generation"),
        Some(2)
    );
}

#[tokio::test]
#[rustfmt::skip] // one line a case
async fn revocation_ends_the_session_of_either_token_and_says_nothing_of_others() {
    let s = Stage::open().await;
    let visitor = s.browser().await;
    let mut table = Table::default();
    for (name, hint, access) in [
        ("refresh token", "", false),
        ("access token", "", true),
        ("refresh token, hinted", "refresh_token", false),
        ("access token, hinted", "access_token", true),
        ("refresh token, hinted wrongly", "access_token", false),
        ("access token, hinted wrongly", "refresh_token", true),
        ("a hint of nothing", "never heard of", false),
    ] {
        let (tokens, other) = (s.tokens(&visitor, &s.shop, "openid").await, s.tokens(&visitor, &s.shop, "openid").await);
        let token = if access { tokens.access() } else { tokens.refresh() };
        for _ in 0..2 {
            let reply = s.app.ask_as(&s.shop, "/oauth/revoke", &[("token", token), ("token_type_hint", hint)]).await;
            table.row(name, (reply.status, reply.body.as_str(), reply.header("content-type")), (200, "", ""));
        }
        table.row(name, words(&s.app.refresh_as(&s.shop, tokens.refresh()).await), expected("invalid_grant", "session_revoked", "logout"));
        table.row(name, s.app.userinfo(tokens.access()).await.status, 401);
        table.row(format!("{name}, of another session"), s.app.refresh_as(&s.shop, other.refresh()).await.status, 200);
    }
    for token in ["x", "a.b.c", "é", &"x".repeat(5_000)] {
        let reply = s.app.ask_as(&s.shop, "/oauth/revoke", &[("token", token)]).await;
        table.row(format!("{token:.5}"), (reply.status, reply.body.as_str()), (200, ""));
    }
    table.row("nothing", s.app.ask_as(&s.shop, "/oauth/revoke", &[]).await.error().1, "invalid_request");
    table.close(40);
}

async fn push(s: &Stage, client: &Member, asking: &e2e::Asking) -> Reply {
    let fields: Vec<_> = asking
        .params
        .iter()
        .filter(|(name, _)| *name != "client_id")
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    s.app.ask_as(client, "/oauth/par", &fields).await
}

async fn pulled(visitor: &Visitor<'_>, client: &str, uri: &str) -> Reply {
    let query = serde_urlencoded::to_string([("client_id", client), ("request_uri", uri)]).unwrap();
    visitor.get(&format!("/oauth/authorize?{query}")).await
}

#[tokio::test]
async fn a_pushed_request_is_taken_once_within_its_time_by_its_own_client() {
    let s = Stage::open().await;
    let visitor = s.browser().await;
    for client in [&s.shop, &s.spa] {
        let asking = client.ask("openid");
        let pushed = push(&s, client, &asking).await.is(201).json();
        assert_eq!(pushed["expires_in"], 90);
        let uri = pushed["request_uri"].as_str().unwrap();
        assert!(
            uri.starts_with("urn:ietf:params:oauth:request_uri:"),
            "{uri}"
        );
        // Another's name for it leads nowhere, and loses nothing.
        for other in ["wiki", "nobody"] {
            assert_eq!(
                outcome(&pulled(&visitor, other, uri).await, &asking),
                "page"
            );
        }
        let end = pulled(&visitor, client.id(), uri).await;
        let code = end.redirected_to(client.redirect_uri())["code"].clone();
        s.app.exchange(client, &code, &asking).await.tokens();
        assert_eq!(
            outcome(&pulled(&visitor, client.id(), uri).await, &asking),
            "page"
        );
    }
    let asking = s.shop.ask("openid");
    let pushed = push(&s, &s.shop, &asking).await.is(201).json();
    let sql = "UPDATE pushed_requests SET expires_at = expires_at - 90";
    assert_eq!(s.app.database().execute(sql), 1);
    let uri = pushed["request_uri"].as_str().unwrap();
    assert_eq!(
        outcome(&pulled(&visitor, "shop", uri).await, &asking),
        "page"
    );
    // Whoever is not signed in yet comes back with all of it.
    let stranger = s.app.visitor();
    let pushed = push(&s, &s.shop, &asking).await.is(201).json();
    let page = pulled(&stranger, "shop", pushed["request_uri"].as_str().unwrap()).await;
    let entered = stranger.enter(&page, &s.user).await;
    let code = stranger.code(entered, &s.shop).await;
    s.app.exchange(&s.shop, &code, &asking).await.tokens();
}

#[tokio::test]
#[rustfmt::skip] // one line a case
async fn what_is_wrong_with_a_pushed_request_its_client_hears_at_once() {
    let s = Stage::open().await;
    let mut table = Table::default();
    for (name, value, word) in [
        ("redirect_uri", "https://evil.example/cb", "invalid_request"),
        ("response_type", "token", "unsupported_response_type"),
        ("response_type", "", "invalid_request"),
        ("code_challenge", "", "invalid_request"),
        ("code_challenge_method", "plain", "invalid_request"),
        ("scope", "unknown", "invalid_scope"),
        ("resource", "https://evil.example", "invalid_target"),
        ("prompt", "none login", "invalid_request"),
        ("max_age", "x", "invalid_request"),
        ("id_token_hint", "x", "invalid_request"),
        ("request", "x", "request_not_supported"),
        ("request_uri", "urn:ietf:params:oauth:request_uri:x", "invalid_request"),
    ] {
        for client in [&s.shop, &s.spa] {
            let reply = push(&s, client, &client.ask("openid").with(name, value)).await;
            table.row(format!("{name}={value}"), (reply.status, reply.error().1.as_str()), (400, word));
        }
    }
    let unknown = push(&s, &s.shop, &s.shop.ask("openid").with("client_id", "").with("made_up", "x")).await;
    table.row("what we do not know", unknown.status, 201);
    table.row("a service", push(&s, &s.robot, &s.shop.ask("openid")).await.status, 400);
    let twice = s.shop.ask("openid").with("resource", "http://localhost:5001");
    let mut fields: Vec<_> = twice.params.iter().map(|(name, value)| (name.as_str(), value.as_str())).filter(|(name, _)| *name != "client_id").collect();
    fields.push(("resource", "http://localhost:5001"));
    table.row("two resources (RFC 8707, 2)", s.app.ask_as(&s.shop, "/oauth/par", &fields).await.status, 201);
    fields.push(("state", "another"));
    table.row("two states", s.app.ask_as(&s.shop, "/oauth/par", &fields).await.error().1, "invalid_request");
    table.close(28);
}

#[tokio::test]
async fn a_service_has_one_session_whose_end_its_next_token_outlives() {
    let s = Stage::open().await;
    let tokens = s.service().await;
    let access = claims(tokens.access());
    assert_eq!(access["sub"], "robot");
    assert_eq!(access["client_id"], "robot");
    assert_eq!(access["roles"], json!(["worker"]));
    assert_eq!(access["scope"], "orders:read orders:write");
    assert_eq!(
        (&access["name"], &access["email"]),
        (&json!(null), &json!(null))
    );
    for missing in ["refresh_token", "id_token"] {
        assert_eq!(tokens.0[missing], json!(null));
    }
    let fields = [
        ("grant_type", "client_credentials"),
        ("scope", "orders:read"),
    ];
    let all = (0..20).map(|_| s.app.ask_as(&s.robot, "/oauth/token", &fields));
    for reply in futures_util::future::join_all(all).await {
        let less = reply.tokens();
        assert_eq!(less.text("scope"), "orders:read");
        assert_eq!(sid(&less), sid(&tokens), "one row");
    }
    assert_eq!(s.count("sessions", "kind = 'service'"), 1);
    s.app.call_home(tokens.access()).await.is(200);
    let fields = [("token", tokens.access())];
    s.app
        .ask_as(&s.robot, "/oauth/revoke", &fields)
        .await
        .is(200);
    assert_eq!(
        s.app.database().end_reason(&sid(&tokens)).as_deref(),
        Some("logout")
    );
    let next = s.service().await;
    assert_ne!(sid(&next), sid(&tokens));
    s.app.call_home(next.access()).await.is(200);
}
