//! What the `OpenID` foundation's conformance suite asks of a basic provider, under its own names. The suite itself cannot
//! run here; each function does what its module does.

use std::collections::BTreeSet;

use e2e::{Asking, ISSUER, Member, Tokens, Visitor};
use serde_json::{Value, json};

use super::sign_on_cast::{Stage, outcome};

const METADATA: &str = "/.well-known/openid-configuration";

/// A log-in with this request, all the way to tokens.
pub(super) async fn through(
    s: &Stage,
    visitor: &Visitor<'_>,
    client: &Member,
    asking: &Asking,
) -> (Tokens, Value) {
    let page = visitor.get(&asking.path()).await;
    let page = if page.says("action=\"/oauth/sign-in\"") {
        visitor.enter(&page, &s.user).await
    } else {
        page
    };
    let code = visitor.code(page, client).await;
    let tokens = s.app.exchange(client, &code, asking).await.tokens();
    let id = s.app.claims_of_id_token(tokens.text("id_token")).await;
    assert_eq!(
        (&id["iss"], &id["aud"]),
        (&json!(ISSUER), &json!(client.id()))
    );
    assert_eq!(
        id["nonce"].as_str(),
        asking.params.get("nonce").map(String::as_str)
    );
    let (exp, iat) = (id["exp"].as_i64().unwrap(), id["iat"].as_i64().unwrap());
    assert!(iat <= shared::clock::now() && exp > shared::clock::now());
    (tokens, id)
}

pub(super) fn keys(value: &Value) -> BTreeSet<&str> {
    value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

#[tokio::test]
async fn oidcc_discovery_endpoint_verification() {
    let s = Stage::open().await;
    let document = s.get(METADATA, &[]).await.is(200);
    assert_eq!(document.header("content-type"), "application/json");
    let json = document.json();
    assert_eq!(json["issuer"], ISSUER);
    for (member, path) in [
        ("authorization_endpoint", "/oauth/authorize"),
        ("token_endpoint", "/oauth/token"),
        ("userinfo_endpoint", "/oauth/userinfo"),
        ("jwks_uri", "/oauth/jwks.json"),
        ("revocation_endpoint", "/oauth/revoke"),
        ("pushed_authorization_request_endpoint", "/oauth/par"),
    ] {
        assert_eq!(json[member], format!("{ISSUER}{path}"), "{member}");
        let reply = s.get(path, &[]).await;
        assert_ne!(reply.status, 404, "{path}");
    }
    for (member, expected) in [
        ("response_types_supported", json!(["code"])),
        ("response_modes_supported", json!(["query", "form_post"])),
        ("subject_types_supported", json!(["public"])),
        (
            "id_token_signing_alg_values_supported",
            json!(["RS256", "ES256"]),
        ),
        ("code_challenge_methods_supported", json!(["S256"])),
        (
            "grant_types_supported",
            json!(["authorization_code", "refresh_token", "client_credentials"]),
        ),
        (
            "token_endpoint_auth_methods_supported",
            json!(["none", "client_secret_basic", "client_secret_post"]),
        ),
        (
            "authorization_response_iss_parameter_supported",
            json!(true),
        ),
        ("claims_parameter_supported", json!(false)),
        ("request_parameter_supported", json!(false)),
        ("request_uri_parameter_supported", json!(false)),
    ] {
        assert_eq!(json[member], expected, "{member}");
    }
    let scopes = json["scopes_supported"].as_array().unwrap();
    assert!(scopes.contains(&json!("openid")));
    let same = s.get("/.well-known/oauth-authorization-server", &[]).await;
    assert_eq!(same.json(), json, "RFC 8414");
    // The keys: public parts, each with what it is for.
    let jwks = s.get("/oauth/jwks.json", &[]).await.is(200).json();
    let all = jwks["keys"].as_array().unwrap();
    let names: BTreeSet<_> = all.iter().map(|key| key["kid"].as_str().unwrap()).collect();
    assert!(names.len() == all.len() && all.len() >= 2);
    for key in all {
        assert_eq!(key["use"], "sig");
        for private in ["d", "p", "q", "dp", "dq", "qi", "k"] {
            assert_eq!(key[private], Value::Null, "{private}");
        }
    }
}

#[tokio::test]
async fn oidcc_server() {
    let s = Stage::open().await;
    for client in [&s.shop, &s.wiki, &s.spa, &s.phone, &s.forum] {
        let visitor = s.app.visitor();
        let asking = client.ask("openid");
        let (tokens, id) = through(&s, &visitor, client, &asking).await;
        assert_eq!(tokens.text("token_type"), "Bearer");
        assert_eq!(id["sub"], s.user.id.as_str());
        let required = [
            "iss",
            "sub",
            "aud",
            "exp",
            "iat",
            "auth_time",
            "nonce",
            "at_hash",
        ];
        assert!(
            required.into_iter().all(|claim| keys(&id).contains(claim)),
            "{id}"
        );
    }
}

#[tokio::test]
async fn oidcc_response_type_missing() {
    let s = Stage::open().await;
    let asking = s.shop.ask("openid").with("response_type", "");
    let reply = s.app.visitor().get(&asking.path()).await;
    assert_eq!(outcome(&reply, &asking), "invalid_request");
}

#[tokio::test]
async fn requests_with_what_need_not_be_supported_succeed() {
    let s = Stage::open().await;
    let now = shared::clock::now().to_string();
    for (module, name, value) in [
        ("oidcc-display-page", "display", "page"),
        ("oidcc-display-popup", "display", "popup"),
        (
            "oidcc-ensure-request-with-unknown-parameter-succeeds",
            "extra",
            "foobar",
        ),
        ("oidcc-login-hint", "login_hint", "buffy@localhost"),
        ("oidcc-ui-locales", "ui_locales", "se"),
        ("oidcc-claims-locales", "claims_locales", "se"),
        (
            "oidcc-ensure-request-with-acr-values-succeeds",
            "acr_values",
            "1 2",
        ),
        (
            "oidcc-claims-essential",
            "claims",
            r#"{"userinfo":{"name":{"essential":true}}}"#,
        ),
        ("oidcc-max-age-10000", "max_age", "10000"),
        (
            "oidcc-ensure-other-scope-order-succeeds",
            "scope",
            "email openid",
        ),
        ("oidcc-response-mode-query", "response_mode", "query"),
        ("a nonce that is a number", "nonce", &now),
    ] {
        let visitor = s.app.visitor();
        let asking = s.shop.ask("openid").with(name, value);
        let page = visitor.get(&asking.path()).await;
        if module == "oidcc-login-hint" {
            assert!(page.says(&format!("value=\"{value}\"")), "{page:?}");
        }
        let (_, id) = through(&s, &visitor, &s.shop, &asking).await;
        assert_eq!(id["sub"], s.user.id.as_str(), "{module}");
        if module == "oidcc-max-age-10000" {
            let (_, again) = through(&s, &visitor, &s.shop, &asking).await;
            assert_eq!(again["auth_time"], id["auth_time"], "{module}");
        }
    }
}

#[tokio::test]
async fn oidcc_prompt_login() {
    let s = Stage::open().await;
    let visitor = s.app.visitor();
    let (_, first) = through(&s, &visitor, &s.shop, &s.shop.ask("openid")).await;
    age(&s, &visitor, 100);
    let asking = s.shop.ask("openid").with("prompt", "login");
    assert_eq!(
        outcome(&visitor.get(&asking.path()).await, &asking),
        "sign-in"
    );
    let (_, second) = through(&s, &visitor, &s.shop, &asking).await;
    assert!(second["auth_time"].as_i64() >= first["auth_time"].as_i64());
    assert_eq!(second["sub"], first["sub"]);
}

/// Lets the log-in of a browser lie back.
fn age(s: &Stage, visitor: &Visitor<'_>, seconds: i64) {
    let row = s.browser_of(visitor);
    s.app
        .database()
        .set(&row, &format!("auth_time = auth_time - {seconds}"));
}

#[tokio::test]
async fn oidcc_prompt_none_not_logged_in_and_logged_in() {
    let s = Stage::open().await;
    let visitor = s.app.visitor();
    let silent = s.shop.ask("openid").with("prompt", "none");
    assert_eq!(
        outcome(&visitor.get(&silent.path()).await, &silent),
        "login_required"
    );
    let (_, first) = through(&s, &visitor, &s.shop, &s.shop.ask("openid")).await;
    assert_eq!(outcome(&visitor.get(&silent.path()).await, &silent), "code");
    let (_, second) = through(&s, &visitor, &s.shop, &silent).await;
    for claim in ["sub", "auth_time", "sid"] {
        assert_eq!(second[claim], first[claim], "{claim}");
    }
}

#[tokio::test]
async fn oidcc_max_age_1() {
    let s = Stage::open().await;
    let visitor = s.app.visitor();
    let (_, first) = through(&s, &visitor, &s.shop, &s.shop.ask("openid")).await;
    age(&s, &visitor, 2);
    let asking = s.shop.ask("openid").with("max_age", "1");
    assert_eq!(
        outcome(&visitor.get(&asking.path()).await, &asking),
        "sign-in"
    );
    let (_, second) = through(&s, &visitor, &s.shop, &asking).await;
    assert!(second["auth_time"].as_i64() >= first["auth_time"].as_i64());
    let now = shared::clock::now();
    assert!((now - 30..=now).contains(&second["auth_time"].as_i64().unwrap()));
}

#[tokio::test]
async fn oidcc_id_token_hint() {
    let s = Stage::open().await;
    let visitor = s.app.visitor();
    let (tokens, first) = through(&s, &visitor, &s.shop, &s.shop.ask("openid")).await;
    let asking = s
        .shop
        .ask("openid")
        .with("prompt", "none")
        .with("id_token_hint", tokens.text("id_token"));
    let (_, second) = through(&s, &visitor, &s.shop, &asking).await;
    assert_eq!(second["sub"], first["sub"]);
}

#[tokio::test]
async fn oidcc_ensure_registered_redirect_uri_and_redirect_uri_query_and_regfrag() {
    let s = Stage::open().await;
    let visitor = s.browser().await;
    for more in ["/elsewhere", "?foo=bar", "#fragment"] {
        let uri = format!("{}{more}", s.shop.redirect_uri());
        let asking = s.shop.ask("openid").with("redirect_uri", &uri);
        assert_eq!(outcome(&visitor.get(&asking.path()).await, &asking), "page");
    }
}

#[tokio::test]
async fn oidcc_ensure_post_request_succeeds() {
    let s = Stage::open().await;
    let visitor = s.app.visitor();
    let asking = s.shop.ask("openid");
    let fields: Vec<_> = asking
        .params
        .iter()
        .map(|(name, value)| (name.as_str(), value))
        .collect();
    let reply = visitor
        .post_from(Some("https://shop.example"), "/oauth/authorize", &fields)
        .await
        .is(303);
    let page = visitor.get(reply.header("location")).await;
    let code = visitor
        .code(visitor.enter(&page, &s.user).await, &s.shop)
        .await;
    s.app.exchange(&s.shop, &code, &asking).await.tokens();
}

#[tokio::test]
async fn oidcc_request_objects_are_rejected_as_unsupported() {
    let s = Stage::open().await;
    let visitor = s.browser().await;
    let inner =
        json!({"client_id": "shop", "redirect_uri": s.shop.redirect_uri(), "state": "another"});
    let object = s
        .app
        .forge()
        .draft(&inner)
        .head("alg", json!("none"))
        .unsigned()
        + ".";
    for (module, name, value, error) in [
        (
            "oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported",
            "request",
            object.as_str(),
            "request_not_supported",
        ),
        (
            "oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported",
            "request_uri",
            "https://shop.example/r.jwt",
            "request_uri_not_supported",
        ),
    ] {
        let asking = s.shop.ask("openid").with(name, value);
        assert_eq!(
            outcome(&visitor.get(&asking.path()).await, &asking),
            error,
            "{module}"
        );
    }
    // oidcc-ensure-request-object-with-redirect-uri: with the redirect URI in it alone, there is none.
    let asking = s.phone.ask("openid").with("request", &object);
    let bare = asking.clone().with("redirect_uri", "");
    assert_eq!(outcome(&visitor.get(&bare.path()).await, &asking), "page");
}
