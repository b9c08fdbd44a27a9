//! Every token at `/oauth/introspect` in the hands of everybody: who may not know learns nothing, and after each try every
//! row is what it was.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use e2e::{Member, Reply};
use reqwest::Method;
use serde_json::json;

use super::sign_on_cast::{Stage, Table, claims, send};
use super::sign_on_holdings::{FORM, everything};

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
#[rustfmt::skip] // one line a case
async fn whoever_is_not_known_is_told_nothing_of_any_token() {
    let s = Stage::open().await;
    let all = everything(&s).await;
    let robot = s.service().await;
    let account = s.app.log_in(&s.user).await;
    let secret = |member: &Member| member.secret.clone().unwrap();
    let basic = |id: &str, secret: &str| format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")));
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
        ("a public client by Basic", vec![basic("spa", "")], vec![], unknown),
        ("a native client", vec![], vec![id("phone")], unknown),
        ("no secret", vec![], vec![id("shop")], unknown),
        ("a wrong secret", vec![], vec![id("shop"), ("client_secret", "x".into())], unknown),
        ("another's secret", vec![basic("shop", &secret(&s.wiki))], vec![], unknown),
        ("another's id", vec![basic("shop", &secret(&s.shop))], vec![id("wiki")], unknown),
        ("two ways", vec![basic("shop", &secret(&s.shop))], vec![("client_secret", secret(&s.shop))], "400 invalid_request"),
        ("two headers", vec![bearer(robot.access()), basic("shop", &secret(&s.shop))], vec![], "400 invalid_request"),
        ("two bearers", vec![bearer(robot.access()), bearer(robot.access())], vec![], "400 invalid_request"),
        ("a bearer and a secret", vec![bearer(robot.access())], vec![id("robot"), ("client_secret", secret(&s.robot))], "400 invalid_request"),
        ("a bearer and another's id", vec![bearer(robot.access())], vec![id("clerk")], refused),
        ("the account's token", vec![bearer(&account.access_token)], vec![], refused),
        ("a program's token", vec![bearer(&of_shop.token)], vec![], refused),
        ("an id_token", vec![bearer(&id_token.token)], vec![], refused),
        ("a service's token that is over", vec![bearer(&draft().claim("exp", json!(past)).sign())], vec![], refused),
        ("a service's token of another service", vec![bearer(&draft().claim("sub", json!("clerk")).claim("client_id", json!("clerk")).sign())], vec![], refused),
        ("a service's token of no session", vec![bearer(&draft().no_claim("sid").sign())], vec![], refused),
        ("a service's token of a program's session", vec![bearer(&draft().claim("sid", claims(&of_shop.token)["sid"].clone()).sign())], vec![], refused),
        ("a web client in the clothes of a service", vec![bearer(&draft().claim("sub", json!("shop")).claim("client_id", json!("shop")).sign())], vec![], refused),
        ("a service's token for others", vec![bearer(&draft().claim("aud", json!("https://evil.example")).sign())], vec![], refused),
        ("a bearer of the feed", vec![bearer(&draft().head("typ", json!("service+jwt")).sign())], vec![], refused),
        ("a bearer of nothing", vec!["Bearer x".into()], vec![], refused),
        ("a bearer without a token", vec!["Bearer".into()], vec![], refused),
        ("another scheme", vec![format!("DPoP {}", robot.access())], vec![], unknown),
        ("the token in the form alone", vec![], vec![("access_token", robot.access().to_owned())], unknown),
    ];
    let rows = s.rows();
    let mut table = Table::default();
    for held in all.iter().filter(|it| it.owner.is_some()).chain(&all[all.len() - 1..]) {
        for (door, headers, fields, expected) in &doors {
            let mut shown = vec![FORM];
            shown.extend(headers.iter().map(|header| ("authorization", header.as_str())));
            let mut form = vec![("token", held.token.as_str())];
            form.extend(fields.iter().map(|(name, value)| (*name, value.as_str())));
            let body = serde_urlencoded::to_string(form).unwrap();
            let reply = send(s.request(Method::POST, "/oauth/introspect", &shown).body(body)).await;
            let name = format!("{} of {:?}: {door}", held.name, held.owner);
            let (status, word, _) = reply.error();
            table.row(&name, format!("{status} {word}"), *expected);
            let challenge = reply.header("www-authenticate");
            let fits = match (*expected == refused, headers.first()) {
                (true, _) => challenge == r#"Bearer realm="keyturn", error="invalid_token""#,
                (_, Some(shown)) if status == 401 && shown.starts_with("Basic") => challenge == r#"Basic realm="keyturn""#,
                _ => challenge.is_empty(),
            };
            table.row(&name, (fits, reply.header("act")), (true, ""));
            assert_eq!(s.rows(), rows, "{name}: a row changed");
        }
    }
    table.close(600);
}
