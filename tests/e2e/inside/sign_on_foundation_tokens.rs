//! What the conformance suite asks of tokens and of userinfo; see `sign_on_foundation`.

use std::collections::BTreeSet;

use e2e::Reply;
use reqwest::Method;
use serde_json::json;

use super::sign_on_cast::{Stage, claims, send, sid};
use super::sign_on_foundation::{keys, through};

async fn userinfo_at(s: &Stage, method: Method, header: Option<&str>, body: &str) -> Reply {
    let bearer = header.map(|token| format!("Bearer {token}"));
    let mut headers = vec![("content-type", "application/x-www-form-urlencoded")];
    headers.extend(bearer.iter().map(|it| ("authorization", it.as_str())));
    send(
        s.request(method, "/oauth/userinfo", &headers)
            .body(body.to_owned()),
    )
    .await
}

#[tokio::test]
async fn oidcc_idtoken_signature_rs256_and_es256() {
    let s = Stage::open().await;
    let visitor = s.browser().await;
    for (client, alg) in [(&s.shop, "RS256"), (&s.wiki, "ES256")] {
        let tokens = s.tokens(&visitor, client, "openid").await;
        s.app.claims_of_id_token(tokens.text("id_token")).await;
        let draft = tokens
            .text("id_token")
            .split('.')
            .next()
            .unwrap()
            .to_owned();
        let head = claims(&format!("x.{draft}"));
        assert_eq!((&head["alg"], &head["typ"]), (&json!(alg), &json!("JWT")));
        assert!(head["kid"].is_string());
    }
}

#[tokio::test]
async fn oidcc_userinfo_get_and_post_header_and_post_body() {
    let s = Stage::open().await;
    let visitor = s.browser().await;
    let tokens = s.tokens(&visitor, &s.shop, "openid email").await;
    let access = tokens.access();
    let body = format!("access_token={access}");
    for (method, header, body) in [
        (Method::GET, Some(access), ""),
        (Method::POST, Some(access), ""),
        (Method::POST, None, body.as_str()),
    ] {
        let reply = userinfo_at(&s, method, header, body).await.is(200);
        assert_eq!(reply.header("content-type"), "application/json");
        assert_eq!(reply.header("cache-control"), "no-store");
        let info = reply.json();
        assert_eq!(
            (&info["sub"], &info["email"]),
            (&json!(s.user.id), &json!(s.user.email))
        );
    }
    // Not in two places, not twice, not in the address (RFC 6750 §2), and not without one.
    for (header, body, status) in [
        (Some(access), body.clone(), 400),
        (None, format!("{body}&{body}"), 400),
        (None, "access_token=x".to_owned(), 401),
        (None, String::new(), 401),
    ] {
        userinfo_at(&s, Method::POST, header, &body)
            .await
            .is(status);
    }
    let missing = s.get(&format!("/oauth/userinfo?{body}"), &[]).await.is(401);
    assert!(
        missing.header("www-authenticate").starts_with("Bearer"),
        "{missing:?}"
    );
}

#[tokio::test]
async fn oidcc_ensure_request_without_nonce_succeeds_for_code_flow() {
    let s = Stage::open().await;
    let asking = s.shop.ask("openid").with("nonce", "");
    let (_, id) = through(&s, &s.app.visitor(), &s.shop, &asking).await;
    assert!(!keys(&id).contains("nonce"));
}

#[tokio::test]
async fn oidcc_scope_profile_email_address_phone_all() {
    let s = Stage::open().await;
    let visitor = s.browser().await;
    let email: &[&str] = &["email", "email_verified"];
    let profile: &[&str] = &["name", "preferred_username"];
    for (scope, expected) in [
        ("openid", vec![]),
        ("openid profile", profile.to_vec()),
        ("openid email", email.to_vec()),
        ("openid address", vec![]),
        ("openid phone", vec![]),
        ("openid roles", vec!["roles"]),
        (
            "openid profile email address phone",
            [profile, email].concat(),
        ),
    ] {
        let (tokens, id) = through(&s, &visitor, &s.shop, &s.shop.ask(scope)).await;
        let info = s.app.userinfo(tokens.access()).await.is(200).json();
        let expected: BTreeSet<_> = expected.into_iter().chain(["sub"]).collect();
        assert_eq!(keys(&info), expected, "{scope}");
        assert_eq!(info["sub"], id["sub"]);
        // As with response_type=code the claims may be in the id_token, too; none is in it that was not asked for.
        let personal = [
            "name",
            "preferred_username",
            "email",
            "email_verified",
            "roles",
        ];
        let told: BTreeSet<_> = keys(&id)
            .into_iter()
            .filter(|it| personal.contains(it))
            .chain(["sub"])
            .collect();
        assert_eq!(told, expected, "{scope}");
    }
}

#[tokio::test]
async fn oidcc_codereuse_and_codereuse_30seconds() {
    let s = Stage::open().await;
    let visitor = s.browser().await;
    for (seconds, status) in [(0, 200), (30, 401)] {
        let asking = s.shop.ask("openid");
        let code = s.code(&visitor, &s.shop, &asking).await;
        let tokens = s.app.exchange(&s.shop, &code, &asking).await.tokens();
        s.app.userinfo(tokens.access()).await.is(200);
        s.app.database().age_exchange(&sid(&tokens), seconds);
        let again = s.app.exchange(&s.shop, &code, &asking).await;
        assert_eq!(
            (again.status, again.error().1.as_str()),
            (400, "invalid_grant")
        );
        // The suite only warns where tokens live on; here they do for a retry, and for nothing later.
        s.app.userinfo(tokens.access()).await.is(status);
    }
}

#[tokio::test]
async fn oidcc_server_client_secret_post_and_basic() {
    let s = Stage::open().await;
    let visitor = s.browser().await;
    let secret = s.shop.secret.clone().unwrap();
    for basic in [true, false] {
        let asking = s.shop.ask("openid");
        let code = s.code(&visitor, &s.shop, &asking).await;
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", s.shop.redirect_uri()),
            ("code_verifier", &asking.verifier),
        ];
        if !basic {
            fields.extend([("client_id", "shop"), ("client_secret", secret.as_str())]);
        }
        let shown = basic.then_some(("shop", secret.as_str()));
        s.app
            .ask_form("/oauth/token", &fields, shown)
            .await
            .tokens();
    }
}

#[tokio::test]
async fn oidcc_refresh_token_with_a_second_client() {
    let s = Stage::open().await;
    let visitor = s.app.visitor();
    let asking = s
        .shop
        .ask("openid email offline_access")
        .with("prompt", "consent");
    let (tokens, first) = through(&s, &visitor, &s.shop, &asking).await;
    let next = s.app.refresh_as(&s.shop, tokens.refresh()).await.tokens();
    let second = s.app.claims_of_id_token(next.text("id_token")).await;
    for claim in ["iss", "sub", "aud", "azp", "auth_time", "sid"] {
        assert_eq!(second[claim], first[claim], "{claim} (OIDC Core §12.2)");
    }
    assert!(second["iat"].as_i64() >= first["iat"].as_i64());
    assert_ne!(next.access(), tokens.access());
    s.app.userinfo(next.access()).await.is(200);
    // The second client has tokens of its own, and nothing of the first's.
    let (theirs, _) = through(&s, &visitor, &s.wiki, &s.wiki.ask("openid")).await;
    let stolen = s.app.refresh_as(&s.wiki, next.refresh()).await;
    assert_eq!(stolen.error().1, "invalid_grant");
    s.app.refresh_as(&s.wiki, theirs.refresh()).await.tokens();
    s.app.refresh_as(&s.shop, next.refresh()).await.tokens();
}
