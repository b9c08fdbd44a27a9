//! Who a client is: by Basic, by its form, or by its id alone; one way, and its own.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use e2e::{Member, Reply};
use reqwest::Method;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::sign_on_cast::{Stage, Table, is_guarded, send};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

/// A secret with everything that form-encoding changes.
const ODD: &str = "a secret: 100% + \"é\" & more = ?/~";

fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
}

/// As RFC 6749 §2.3.1 has it: both form-encoded before they are joined.
fn encoded(id: &str, secret: &str) -> String {
    let escape = |text: &str| {
        let pair = serde_urlencoded::to_string([("", text)]).unwrap();
        pair[1..].to_owned()
    };
    basic(&escape(id), &escape(secret))
}

fn query(fields: &[(&str, &str)]) -> String {
    serde_urlencoded::to_string(fields).unwrap()
}

/// Asks with this form and these `Authorization` headers.
async fn ask(s: &Stage, path: &str, headers: &[&str], body: String) -> Reply {
    let mut all = vec![FORM];
    all.extend(headers.iter().map(|header| ("authorization", *header)));
    send(s.request(Method::POST, path, &all).body(body)).await
}

/// What came, in a word; every refusal has its members and is kept by nobody.
#[track_caller]
fn word(reply: &Reply) -> String {
    assert_eq!(reply.header("cache-control"), "no-store", "{reply:?}");
    assert_eq!(
        reply.header("content-type"),
        "application/json",
        "{reply:?}"
    );
    let body = reply.json();
    if reply.status == 200 {
        return "ok".to_owned();
    }
    let text = |member: &str| body[member].as_str().unwrap_or_else(|| panic!("{reply:?}"));
    let (error, description, code) = (text("error"), text("error_description"), text("code"));
    assert!(!description.is_empty() && !code.is_empty());
    // RFC 6749 §5.2: the characters that a description may have.
    assert!(
        description
            .chars()
            .all(|c| matches!(c, ' '..='~') && !"\"\\".contains(c)),
        "{reply:?}"
    );
    let challenge = match reply.header("www-authenticate") {
        "" => "",
        r#"Basic realm="keyturn""# => " Basic",
        _ => panic!("{reply:?}"),
    };
    format!("{} {error}{challenge}", reply.status)
}

#[tokio::test]
#[rustfmt::skip] // one line a case
async fn a_client_shows_who_it_is_in_one_way_and_its_own() {
    let mut s = Stage::open().await;
    let hash = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(Sha256::digest(ODD));
    s.with_clients(&format!("secret_hash = '{hash}'"), "legacy").await;
    let shop = s.shop.secret.clone().unwrap();
    let shop = shop.as_str();
    // A refresh token of nobody: whoever gets as far as that was known.
    let known = "400 invalid_grant";
    let grant = [("grant_type", "refresh_token"), ("refresh_token", "x")];
    let form = |more: &[(&str, &str)]| { let mut all = grant.to_vec(); all.extend(more); query(&all) };
    let mut table = Table::default();
    for (name, headers, body, expected) in [
        ("Basic", vec![basic("shop", shop)], form(&[]), known),
        ("Basic, encoded", vec![encoded("shop", shop)], form(&[]), known),
        ("Basic, encoded, with everything", vec![encoded("legacy", ODD)], form(&[]), known),
        ("Basic, not encoded, as many write it", vec![basic("legacy", ODD)], form(&[]), known),
        ("basic in other letters", vec![basic("shop", shop).replace("Basic", "bASIC")], form(&[]), known),
        ("Basic and its own id in the form", vec![basic("shop", shop)], form(&[("client_id", "shop")]), known),
        ("Basic and another's id in the form", vec![basic("shop", shop)], form(&[("client_id", "wiki")]), "401 invalid_client Basic"),
        ("Basic and the secret in the form", vec![basic("shop", shop)], form(&[("client_secret", shop)]), "400 invalid_request"),
        ("Basic and all of it in the form", vec![basic("shop", shop)], form(&[("client_id", "shop"), ("client_secret", shop)]), "400 invalid_request"),
        ("Basic twice", vec![basic("shop", shop), basic("shop", shop)], form(&[]), "400 invalid_request"),
        ("Basic and Bearer", vec![basic("shop", shop), "Bearer x".into()], form(&[]), "400 invalid_request"),
        ("Basic, a wrong secret", vec![basic("shop", "wrong")], form(&[]), "401 invalid_client Basic"),
        ("Basic, another's secret", vec![basic("wiki", shop)], form(&[]), "401 invalid_client Basic"),
        ("Basic, no secret", vec![basic("shop", "")], form(&[]), "401 invalid_client Basic"),
        ("Basic, the secret in other letters", vec![basic("shop", &shop.to_uppercase())], form(&[]), "401 invalid_client Basic"),
        ("Basic, more behind the secret", vec![basic("shop", &format!("{shop}x"))], form(&[]), "401 invalid_client Basic"),
        ("Basic, the id in other letters", vec![basic("SHOP", shop)], form(&[]), "401 invalid_client Basic"),
        ("Basic, nobody", vec![basic("nobody", shop)], form(&[]), "401 invalid_client Basic"),
        ("Basic, no colon", vec![format!("Basic {}", STANDARD.encode("shop"))], form(&[]), "401 invalid_client Basic"),
        ("Basic, no base64", vec!["Basic !".into()], form(&[]), "401 invalid_client Basic"),
        ("Basic, no UTF-8", vec![format!("Basic {}", STANDARD.encode(b"shop:\xff"))], form(&[]), "401 invalid_client Basic"),
        ("Basic, empty", vec!["Basic ".into()], form(&[]), "401 invalid_client Basic"),
        ("Basic, a public client", vec![basic("spa", "")], form(&[]), known),
        ("Basic, a public client with a secret", vec![basic("spa", "x")], form(&[]), "401 invalid_client Basic"),
        ("Bearer", vec![format!("Bearer {shop}")], form(&[("client_id", "shop")]), "401 invalid_client"),
        ("Digest", vec!["Digest username=\"shop\"".into()], form(&[("client_id", "shop")]), "401 invalid_client"),
        ("form", vec![], form(&[("client_id", "shop"), ("client_secret", shop)]), known),
        ("form, with everything", vec![], form(&[("client_id", "legacy"), ("client_secret", ODD)]), known),
        ("form, a wrong secret", vec![], form(&[("client_id", "shop"), ("client_secret", "wrong")]), "401 invalid_client"),
        ("form, an empty secret", vec![], form(&[("client_id", "shop"), ("client_secret", "")]), "401 invalid_client"),
        ("form, the secret's hash", vec![], form(&[("client_id", "legacy"), ("client_secret", &hash)]), "401 invalid_client"),
        ("form, no secret", vec![], form(&[("client_id", "shop")]), "401 invalid_client"),
        ("form, a secret alone", vec![], form(&[("client_secret", shop)]), "401 invalid_client"),
        ("form, a public client", vec![], form(&[("client_id", "spa")]), known),
        ("form, a native client", vec![], form(&[("client_id", "phone")]), known),
        ("form, a public client with a secret", vec![], form(&[("client_id", "spa"), ("client_secret", "x")]), "401 invalid_client"),
        ("form, a public client with another's", vec![], form(&[("client_id", "spa"), ("client_secret", shop)]), "401 invalid_client"),
        ("form, nobody", vec![], form(&[("client_id", "nobody")]), "401 invalid_client"),
        ("nothing", vec![], form(&[]), "401 invalid_client"),
        ("an assertion", vec![], form(&[("client_id", "shop"), ("client_assertion", "x"), ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")]), "401 invalid_client"),
        ("id twice", vec![], form(&[("client_id", "shop"), ("client_id", "shop"), ("client_secret", shop)]), "400 invalid_request"),
        ("secret twice", vec![], form(&[("client_id", "shop"), ("client_secret", shop), ("client_secret", "x")]), "400 invalid_request"),
    ] {
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        table.row(name, word(&ask(&s, "/oauth/token", &headers, body.clone()).await), expected);
        // The same clients at the other doors.
        let expected = if expected == known { "400 invalid_request" } else { expected };
        table.row(format!("{name}, at /oauth/revoke"), word(&ask(&s, "/oauth/revoke", &headers, body.clone()).await), expected);
        table.row(format!("{name}, at /oauth/par"), word(&ask(&s, "/oauth/par", &headers, body).await), expected);
    }
    // In the address it would stand in every log.
    let path = format!("/oauth/token?{}", query(&[("client_id", "shop"), ("client_secret", shop)]));
    table.row("in the address", word(&ask(&s, &path, &[], form(&[])).await), "401 invalid_client");
    table.close(127);
}

#[tokio::test]
#[rustfmt::skip] // one line a case
async fn a_changed_secret_is_good_until_its_time_and_a_blocked_client_is_nobody() {
    let mut s = Stage::open().await;
    let now = shared::clock::now();
    let hash = |secret: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(Sha256::digest(secret));
    let shop = s.shop.secret.clone().unwrap();
    let mut table = Table::default();
    for (name, former, until, blocked, expected) in [
        ("none", "NULL".to_owned(), "NULL".to_owned(), "NULL", "401 invalid_client Basic"),
        ("within its time", format!("'{}'", hash("former")), (now + 600).to_string(), "NULL", "400 invalid_grant"),
        ("after its time", format!("'{}'", hash("former")), now.to_string(), "NULL", "401 invalid_client Basic"),
        ("without a time", format!("'{}'", hash("former")), "NULL".into(), "NULL", "401 invalid_client Basic"),
        ("blocked", format!("'{}'", hash("former")), (now + 600).to_string(), "1", "401 invalid_client Basic"),
    ] {
        s.with_clients(&format!("former_secret_hash = {former}, former_secret_until = {until}, blocked_at = {blocked}"), "shop").await;
        let form = query(&[("grant_type", "refresh_token"), ("refresh_token", "x")]);
        let reply = ask(&s, "/oauth/token", &[&basic("shop", "former")], form.clone()).await;
        table.row(name, word(&reply), expected);
        let expected = if blocked == "1" { "401 invalid_client Basic" } else { "400 invalid_grant" };
        let reply = ask(&s, "/oauth/token", &[&basic("shop", &shop)], form).await;
        table.row(format!("{name}, its present one"), word(&reply), expected);
    }
    table.close(10);
}

#[tokio::test]
#[rustfmt::skip] // one line a case
async fn a_client_gets_the_grants_of_its_kind_for_a_form_that_is_one() {
    let s = Stage::open().await;
    let secret = |it: &Member| it.secret.clone().unwrap_or_default();
    let form = |it: &Member, fields: &[(&str, &str)]| {
        let mut all = fields.to_vec();
        let secret = secret(it);
        all.extend([("client_id", it.id()), ("client_secret", secret.as_str())]);
        query(&all)
    };
    let mut table = Table::default();
    let code = [("grant_type", "authorization_code"), ("code", "x")];
    let own = [("grant_type", "client_credentials")];
    for (name, body, expected) in [
        ("a service in its own name", form(&s.robot, &own), "ok"),
        ("a service with less", form(&s.robot, &[own[0], ("scope", "orders:read")]), "ok"),
        ("a service with more", form(&s.robot, &[own[0], ("scope", "orders:read admin")]), "400 invalid_scope"),
        ("a service as a user", form(&s.robot, &[own[0], ("scope", "openid")]), "400 invalid_scope"),
        ("a service with a code", form(&s.robot, &code), "400 unauthorized_client"),
        ("a service with a refresh token", form(&s.robot, &[("grant_type", "refresh_token"), ("refresh_token", "x")]), "400 unauthorized_client"),
        ("a web client in its own name", form(&s.shop, &own), "400 unauthorized_client"),
        ("a browser's client in its own name", form(&s.spa, &own), "400 unauthorized_client"),
        ("a native client in its own name", form(&s.phone, &own), "400 unauthorized_client"),
        ("a code that is none", form(&s.shop, &code), "400 invalid_grant"),
        ("no code", form(&s.shop, &code[..1]), "400 invalid_request"),
        ("no refresh token", form(&s.shop, &[("grant_type", "refresh_token")]), "400 invalid_request"),
        ("no grant", form(&s.shop, &[]), "400 invalid_request"),
        ("an empty grant", form(&s.shop, &[("grant_type", "")]), "400 invalid_request"),
        ("a password", form(&s.shop, &[("grant_type", "password"), ("username", &s.user.email), ("password", &s.user.password)]), "400 unsupported_grant_type"),
        ("implicit", form(&s.shop, &[("grant_type", "implicit")]), "400 unsupported_grant_type"),
        ("a device", form(&s.shop, &[("grant_type", "urn:ietf:params:oauth:grant-type:device_code")]), "400 unsupported_grant_type"),
        ("an assertion", form(&s.shop, &[("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer")]), "400 unsupported_grant_type"),
        ("an exchange", form(&s.shop, &[("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange")]), "400 unsupported_grant_type"),
        ("a grant in other letters", form(&s.shop, &[("grant_type", "AUTHORIZATION_CODE")]), "400 unsupported_grant_type"),
        ("a grant twice", form(&s.shop, &[code[0], code[0], code[1]]), "400 invalid_request"),
        ("two grants", form(&s.shop, &[code[0], ("grant_type", "refresh_token"), code[1]]), "400 invalid_request"),
        ("a code twice", form(&s.shop, &[code[0], code[1], code[1]]), "400 invalid_request"),
        ("what we do not know, twice", form(&s.shop, &[code[0], code[1], ("x", "1"), ("x", "2")]), "400 invalid_request"),
        ("what we do not know", form(&s.shop, &[code[0], code[1], ("x", "1")]), "400 invalid_grant"),
        ("a code of 15 KiB", form(&s.shop, &[code[0], ("code", &"x".repeat(15_000))]), "400 invalid_grant"),
        ("an empty body", String::new(), "401 invalid_client"),
    ] {
        table.row(name, word(&ask(&s, "/oauth/token", &[], body).await), expected);
    }
    let fields = json!({"grant_type": "client_credentials", "client_id": "robot", "client_secret": secret(&s.robot)});
    for (name, kind, body) in [
        ("JSON", "application/json", fields.to_string()),
        ("JSON that says it is a form", "application/x-www-form-urlencoded", fields.to_string()),
        ("a form that says it is text", "text/plain", form(&s.robot, &own)),
        ("parts", "multipart/form-data; boundary=x", "--x--".into()),
    ] {
        let reply = send(s.request(Method::POST, "/oauth/token", &[("content-type", kind)]).body(body)).await;
        table.row(name, (400..500).contains(&reply.status) && reply.json()["access_token"].is_null(), true);
        assert_eq!(reply.header("cache-control"), "no-store", "{reply:?}");
        assert!(["invalid_request", "invalid_client"].contains(&reply.error().1.as_str()), "{reply:?}");
    }
    let large = form(&s.shop, &[code[0], ("code", &"x".repeat(17_000))]);
    table.row("17 KiB", send(s.request(Method::POST, "/oauth/token", &[FORM]).body(large)).await.status, 413);
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let path = format!("/oauth/token?{}", form(&s.robot, &own));
        table.row(&method, send(s.request(method.clone(), &path, &[])).await.status, 405);
    }
    table.close(35);
}

#[tokio::test]
async fn a_blocked_client_is_refused_at_the_page() {
    let mut s = Stage::open().await;
    let asking = s.shop.ask("openid");
    s.with_clients("blocked_at = 1", "shop").await;
    for path in [asking.path(), asking.with("prompt", "none").path()] {
        let page = s.app.visitor().get(&path).await.is(400);
        assert!(page.says("This program is blocked"), "{page:?}");
        is_guarded(&page);
    }
}
