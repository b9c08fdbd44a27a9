//! Every token at every wrong door: whatever somebody holds opens what it was given for, and nothing is lost by trying.

use auth_server::sessions::refresh_token::Purpose;
use e2e::{Member, Pair, Tokens, Visitor};
use reqwest::Method;
use serde_json::json;

use super::sign_on_cast::{Stage, Table, cookie, outcome, send};

const NONE: [&str; 4] = ["token_malformed"; 4];

/// Everything that somebody may hold, all of it good.
struct Bunch<'a> {
    s: &'a Stage,
    visitor: Visitor<'a>,
    pair: Pair,
    /// Of a client for the APIs.
    app: Tokens,
    /// Of one for userinfo alone.
    wiki: Tokens,
    service: Tokens,
    cookie: String,
    asking: e2e::Asking,
    code: String,
}

impl<'a> Bunch<'a> {
    async fn of(s: &'a Stage) -> Self {
        let visitor = s.browser().await;
        let asking = s.shop.ask("openid");
        Self {
            pair: s.app.log_in(&s.user).await,
            app: s.tokens(&visitor, &s.shop, "openid email roles").await,
            wiki: s.tokens(&visitor, &s.wiki, "openid email").await,
            service: s.service().await,
            cookie: cookie(&visitor, "keyturn"),
            code: s.code(&visitor, &s.shop, &asking).await,
            s,
            visitor,
            asking,
        }
    }

    /// By name, in one order.
    #[rustfmt::skip] // one line each
    fn all(&self) -> Vec<(&'static str, &str)> {
        vec![
            ("account access", &self.pair.access_token),
            ("account refresh", &self.pair.refresh_token),
            ("app access", self.app.access()),
            ("app refresh", self.app.refresh()),
            ("app id_token", self.app.text("id_token")),
            ("wiki access", self.wiki.access()),
            ("wiki refresh", self.wiki.refresh()),
            ("wiki id_token", self.wiki.text("id_token")),
            ("service access", self.service.access()),
            ("cookie", &self.cookie),
            ("code", &self.code),
            ("device", self.pair.device_token.as_deref().unwrap()),
        ]
    }

    /// Everything still is as good as it was.
    async fn nothing_was_lost(&self) {
        let s = self.s;
        s.app.refresh(&self.pair).await;
        for (client, tokens) in [(&s.shop, &self.app), (&s.wiki, &self.wiki)] {
            s.app.refresh_as(client, tokens.refresh()).await.tokens();
        }
        s.app
            .exchange(&s.shop, &self.code, &self.asking)
            .await
            .tokens();
        let end = self.visitor.get(&self.asking.path()).await;
        assert_eq!(outcome(&end, &self.asking), "code");
        s.app.call_home(self.service.access()).await.is(200);
    }
}

#[tokio::test]
async fn only_an_app_s_own_refresh_token_or_code_is_a_grant() {
    let s = Stage::open().await;
    let b = Bunch::of(&s).await;
    let mut table = Table::default();
    for (name, token) in b.all() {
        if name != "app refresh" {
            let code = ("invalid_grant", "invalid_refresh_token");
            let (status, word, ours) = s.app.refresh_as(&s.shop, token).await.error();
            table.row(
                format!("{name} as refresh token"),
                (status, word.as_str(), ours.as_str()),
                (400, code.0, code.1),
            );
        }
        if name != "code" {
            let (status, word, ours) = s.app.exchange(&s.shop, token, &b.asking).await.error();
            table.row(
                format!("{name} as code"),
                (status, word.as_str(), ours.as_str()),
                (400, "invalid_grant", "invalid_code"),
            );
        }
    }
    table.close(22);
    b.nothing_was_lost().await;
}

#[tokio::test]
async fn another_client_s_tokens_are_nobody_s() {
    let s = Stage::open().await;
    let b = Bunch::of(&s).await;
    let mut table = Table::default();
    let wrong: [&Member; 4] = [&s.wiki, &s.forum, &s.spa, &s.legacy];
    for client in wrong {
        let refreshed = s.app.refresh_as(client, b.app.refresh()).await;
        table.row(client.id(), refreshed.error().1, "invalid_grant");
        let exchanged = s.app.exchange(client, &b.code, &b.asking).await;
        table.row(client.id(), exchanged.error().1, "invalid_grant");
        for token in [b.app.refresh(), b.app.access(), &b.pair.access_token] {
            let fields = [("token", token)];
            let revoked = s.app.ask_as(client, "/oauth/revoke", &fields).await;
            table.row(client.id(), revoked.error().1, "invalid_grant");
        }
        // What is no token of a client at all is as good as revoked, and lives on.
        for token in [&b.pair.refresh_token, &b.code, &b.cookie] {
            let fields = [("token", token.as_str())];
            let revoked = s.app.ask_as(client, "/oauth/revoke", &fields).await;
            table.row(
                client.id(),
                (revoked.status, revoked.body.as_str()),
                (200, ""),
            );
        }
    }
    table.close(32);
    b.nothing_was_lost().await;
}

#[tokio::test]
async fn an_account_s_pair_is_turned_over_and_ended_by_its_own_two_tokens_alone() {
    let s = Stage::open().await;
    let b = Bunch::of(&s).await;
    let mut table = Table::default();
    for (name, token) in b.all() {
        if name != "account refresh" {
            let refused = s.app.try_refresh_with(&b.pair.access_token, token).await;
            table.row(
                format!("{name} as refresh"),
                refused.code(),
                "invalid_refresh_token",
            );
            let refused = s.app.try_log_out_with(&b.pair.access_token, token).await;
            table.row(
                format!("{name} at log-out"),
                refused.code(),
                "invalid_refresh_token",
            );
        }
        if name != "account access" {
            let refused = s.app.try_refresh_with(token, &b.pair.refresh_token).await;
            table.row(
                format!("{name} as access"),
                refused.code(),
                "invalid_access_token",
            );
            let refused = s.app.try_log_out_with(token, &b.pair.refresh_token).await;
            table.row(
                format!("{name} as access at log-out"),
                refused.code(),
                "invalid_access_token",
            );
        }
    }
    table.close(44);
    b.nothing_was_lost().await;
}

#[tokio::test]
#[rustfmt::skip] // one line a case
async fn a_bearer_opens_the_doors_of_its_kind_alone() {
    let s = Stage::open().await;
    let b = Bunch::of(&s).await;
    let mut table = Table::default();
    // Doors: the API, the account, userinfo, the feed of revocations.
    let expected = |name: &str| match name {
        "account access" => ["ok", "ok", "insufficient_scope", "token_malformed"],
        "app access" => ["ok", "wrong_kind_of_token", "ok", "token_malformed"],
        "wiki access" => ["token_wrong_audience", "token_wrong_audience", "ok", "token_malformed"],
        "service access" => ["ok", "wrong_kind_of_token", "insufficient_scope", "token_malformed"],
        _ => NONE,
    };
    for (name, token) in b.all() {
        let [api, account, userinfo, feed] = expected(name);
        table.row(format!("{name} at the API"), s.app.call("/api/me", token).await.code(), api);
        table.row(format!("{name} at the account"), s.app.get("/api/account/sessions", token).await.code(), account);
        table.row(format!("{name} at userinfo"), s.app.get("/oauth/userinfo", token).await.code(), userinfo);
        table.row(format!("{name} at the feed"), s.app.get("/internal/revocations", token).await.code(), feed);
    }
    table.close(48);
    b.nothing_was_lost().await;
}

#[tokio::test]
async fn no_cookie_opens_anything_but_the_pages() {
    let s = Stage::open().await;
    let b = Bunch::of(&s).await;
    let mut table = Table::default();
    let jar = format!("keyturn={}; keyturn-form=x; __Host-keyturn={0}", b.cookie);
    for (base, path) in [
        (&s.app.resource_url, "/api/me"),
        (&s.app.resource_url, "/api/home"),
        (&s.app.auth_url, "/api/account"),
        (&s.app.auth_url, "/api/account/sessions"),
        (&s.app.auth_url, "/internal/revocations"),
        (&s.app.auth_url, "/oauth/userinfo"),
    ] {
        let request = s
            .app
            .client
            .get(format!("{base}{path}"))
            .header("cookie", &jar);
        let refused = send(request).await;
        table.row(
            path,
            (refused.status, refused.json()["code"].clone()),
            (401, json!("token_missing")),
        );
        // Nor does it help another's token, nor is it helped by one.
        let both = s
            .app
            .client
            .get(format!("{base}{path}"))
            .header("cookie", &jar);
        table.row(path, send(both.bearer_auth("x")).await.status, 401);
    }
    // And nothing else is a cookie.
    for (name, token) in b.all() {
        let header = format!("keyturn={token}");
        let page = s.get(&b.asking.path(), &[("cookie", &header)]).await;
        let expected = if name == "cookie" { "code" } else { "sign-in" };
        table.row(
            format!("{name} as cookie"),
            outcome(&page, &b.asking),
            expected,
        );
    }
    table.close(24);
    b.nothing_was_lost().await;
}

const ACCOUNT: [(&str, &str); 9] = [
    ("GET", "/api/account"),
    ("PATCH", "/api/account"),
    ("DELETE", "/api/account"),
    ("POST", "/api/account/deletion"),
    ("GET", "/api/account/sessions"),
    ("DELETE", "/api/account/sessions"),
    (
        "DELETE",
        "/api/account/sessions/6f1c1de2-0000-4000-8000-000000000000",
    ),
    ("POST", "/api/account/password"),
    ("POST", "/api/account/email/verification"),
];

#[tokio::test]
async fn a_program_s_token_does_not_open_the_account_unless_it_has_the_scope_for_it() {
    let s = Stage::open().await;
    let visitor = s.browser().await;
    let mut table = Table::default();
    let shop = s
        .tokens(&visitor, &s.shop, "openid profile email roles")
        .await;
    let offline = s.tokens(&visitor, &s.shop, "openid offline_access").await;
    let narrow = s.tokens(&visitor, &s.manager, "openid profile").await;
    let (wiki, robot) = (
        s.tokens(&visitor, &s.wiki, "openid").await,
        s.service().await,
    );
    let (_, invitations) = ("POST", "/api/account/invitations");
    for (name, tokens) in [
        ("shop", &shop),
        ("offline", &offline),
        ("manager, not for the account", &narrow),
        ("wiki", &wiki),
        ("robot", &robot),
    ] {
        for (method, path) in ACCOUNT.into_iter().chain([("POST", invitations)]) {
            let method: Method = method.parse().unwrap();
            let body = (method != Method::GET).then(|| json!({"currentPassword": s.user.password}));
            let answer = s
                .app
                .ask_auth(method.clone(), path, Some(tokens.access()), body)
                .await;
            // One that is not for the APIs is not for this one either.
            let expected = match name {
                "wiki" => (401, "token_wrong_audience".to_owned()),
                _ => (403, "wrong_kind_of_token".to_owned()),
            };
            let got = (answer.status, answer.code());
            table.row(format!("{name}: {method} {path}"), got, expected);
        }
    }
    table.close(50);
    // The one that may: it sees, ends and changes what the user could.
    let manager = s
        .tokens(&visitor, &s.manager, "openid profile account")
        .await;
    let access = manager.access();
    s.app.get("/api/account", access).await.is(200);
    let name = json!({"userName": "somebody else", "currentPassword": s.user.password});
    s.app.try_change_account(access, name).await.is(200);
    let session = super::sign_on_cast::sid(&shop);
    s.app
        .delete(&format!("/sessions/{session}"), access)
        .await
        .is(204);
    s.app.refresh_as(&s.shop, shop.refresh()).await.is(400);
    s.app.delete("/sessions", access).await.is(204);
    s.app
        .get("/api/account", access)
        .await
        .refused(401, "token_revoked");
}

#[tokio::test]
#[rustfmt::skip] // one line a case
async fn what_is_over_opens_nothing_any_more() {
    let s = Stage::open().await;
    let b = Bunch::of(&s).await;
    let mut table = Table::default();
    let past = shared::clock::now() - 1;
    let over = |purpose, token: &str| s.remint(purpose, token, |it| it.absolute_until = past);
    let late = |access: &str| s.app.forge().draft(&super::sign_on_cast::claims(access)).head("typ", json!("at+jwt")).claim("exp", json!(past - 3_600)).sign();
    // By its own word, whatever the row says.
    let (status, word, code) = s.app.refresh_as(&s.shop, &over(Purpose::App, b.app.refresh())).await.error();
    table.row("refresh token", (status, word.as_str(), code.as_str()), (400, "invalid_grant", "session_expired"));
    table.row("code", s.app.exchange(&s.shop, &over(Purpose::Code, &b.code), &b.asking).await.error().1, "invalid_grant");
    let stale = format!("keyturn={}", over(Purpose::Browser, &b.cookie));
    table.row("cookie", outcome(&s.get(&b.asking.path(), &[("cookie", &stale)]).await, &b.asking), "sign-in");
    for (name, access) in [("app access", b.app.access()), ("service access", b.service.access())] {
        table.row(format!("{name} at the API"), s.app.call("/api/me", &late(access)).await.code(), "token_expired");
        table.row(format!("{name} at userinfo"), s.app.get("/oauth/userinfo", &late(access)).await.code(), "token_expired");
        table.row(format!("{name} at the account"), s.app.get("/api/account", &late(access)).await.code(), "wrong_kind_of_token");
    }
    // By its row.
    let browser = s.browser_of(&b.visitor);
    s.app.database().set(&browser, &format!("idle_until = {past}"));
    table.row("the browser's row, idle", outcome(&b.visitor.get(&b.asking.path()).await, &b.asking), "sign-in");
    s.app.database().set(&browser, &format!("idle_until = {past} + 1000, absolute_until = {past}"));
    table.row("the browser's row, absolute", outcome(&b.visitor.get(&b.asking.path()).await, &b.asking), "sign-in");
    let app = super::sign_on_cast::sid(&b.app);
    s.app.database().set(&app, &format!("idle_until = {past}"));
    let refused = s.app.refresh_as(&s.shop, b.app.refresh()).await;
    table.row("an app's row", (refused.error().1, refused.json()["reason"].clone()), ("invalid_grant".to_owned(), json!("idle")));
    table.close(12);
}
