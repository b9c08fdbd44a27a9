//! Everything that somebody may hold, good and bad, and what a look at it may not change.

use auth_server::sessions::refresh_token::Purpose;
use e2e::{Forge, Member, Reply, Tokens};
use reqwest::Method;
use serde_json::json;

use super::sign_on_cast::{Stage, claims, cookie, send, sid};

pub(super) const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

/// What everybody gets of what he may not know.
const NOTHING: &str = r#"{"active":false}"#;

/// `true` for an active token; else nothing at all must be told.
#[track_caller]
pub(super) fn is_active(reply: &Reply) -> bool {
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.header("cache-control"), "no-store");
    assert_eq!(reply.header("content-type"), "application/json");
    let active = reply.json()["active"] == true;
    assert!(active || reply.body == NOTHING, "{reply:?}");
    active
}

impl Stage {
    /// What a client is told of a token.
    pub(super) async fn introspect(&self, client: &Member, token: &str) -> Reply {
        let fields = [("token", token)];
        self.app.ask_as(client, "/oauth/introspect", &fields).await
    }

    /// The same of a service that shows its access token.
    pub(super) async fn introspect_by(&self, bearer: &str, token: &str) -> Reply {
        let headers = [
            ("content-type", "application/x-www-form-urlencoded"),
            ("authorization", &format!("Bearer {bearer}")),
        ];
        let body = serde_urlencoded::to_string([("token", token)]).unwrap();
        send(
            self.request(Method::POST, "/oauth/introspect", &headers)
                .body(body),
        )
        .await
    }

    /// Every row that a request could change, as text.
    pub(super) fn rows(&self) -> Vec<Option<String>> {
        let sessions = [
            "id",
            "user_id",
            "generation",
            "rotated_at",
            "idle_until",
            "absolute_until",
            "late_generation",
            "late_streak",
            "ended_at",
            "end_reason",
            "address",
            "agent",
            "seen_at",
            "sighting_generation",
            "parent_id",
            "scope",
            "pending",
        ];
        let mut all = Vec::new();
        for (table, columns) in [
            ("sessions", &sessions[..]),
            ("consents", &["user_id", "client_id", "scope", "granted_at"]),
            ("clients", &["id", "changed_at", "blocked_at"]),
            ("users", &["id", "password_version", "blocked_at"]),
            ("audit", &["id", "event", "session_id"]),
        ] {
            let text = |column: &&str| format!("COALESCE(CAST({column} AS TEXT), '-')");
            let row: Vec<_> = columns.iter().map(text).collect();
            let row = row.join(" || ' ' || ");
            let sql = format!("SELECT {row} AS value FROM {table} ORDER BY 1");
            all.extend(self.app.database().words(&sql));
        }
        all
    }
}

/// A token, by name, and who owns it.
pub(super) struct Held {
    pub(super) name: &'static str,
    pub(super) token: String,
    /// Whose it is, if anybody may know of it.
    pub(super) owner: Option<&'static str>,
    /// Whether it is an access token for the APIs.
    pub(super) for_apis: bool,
}

/// Everything that somebody may hold.
#[rustfmt::skip] // one line a case
pub(super) async fn everything(s: &Stage) -> Vec<Held> {
    let visitor = s.browser().await;
    let past = shared::clock::now() - 1;
    let account = s.app.log_in(&s.user).await;
    let mut all = Vec::new();
    let mut put = |name, token: &str, owner, for_apis| {
        let token = token.to_owned();
        all.push(Held { name, token, owner, for_apis });
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
    put("an offline access token", offline.access(), Some("shop"), true);
    put("an offline refresh token", offline.refresh(), Some("shop"), false);
    let robot = s.service().await;
    put("a service's token", robot.access(), Some("robot"), true);
    let clerk = s.own_tokens(&s.clerk).await;
    put("another service's token", clerk.access(), Some("clerk"), false);
    // The account's own is nobody's but the APIs'.
    put("the account's access token", &account.access_token, Some(""), true);

    // From here on nobody may know of it.
    put("the account's refresh token", &account.refresh_token, None, false);
    put("a device token", account.device_token.as_deref().unwrap(), None, false);
    put("a cookie", &cookie(&visitor, "keyturn"), None, false);
    let asking = s.shop.ask("openid");
    put("a code", &s.code(&visitor, &s.shop, &asking).await, None, false);
    let spent = own(&s.shop, "openid").await;
    s.app.refresh_as(&s.shop, spent.refresh()).await.tokens();
    s.app.database().age(&sid(&spent), 31);
    put("a spent refresh token", spent.refresh(), None, false);
    let ended = own(&s.shop, "openid").await;
    let fields = [("token", ended.refresh())];
    s.app.ask_as(&s.shop, "/oauth/revoke", &fields).await.is(200);
    put("a revoked access token", ended.access(), None, false);
    put("a revoked refresh token", ended.refresh(), None, false);
    let gone = own(&s.shop, "openid").await;
    let sql = format!("DELETE FROM sessions WHERE id = '{}'", sid(&gone));
    s.app.database().execute(&sql);
    put("an access token of no session", gone.access(), None, false);
    put("a refresh token of no session", gone.refresh(), None, false);
    // Genuine to the MAC, and of the wrong row.
    let (_, shop, _) = &good[0];
    let remint = |change: fn(&mut auth_server::sessions::refresh_token::RefreshToken)| s.remint(Purpose::App, shop.refresh(), change);
    put("a refresh token with another nonce", &remint(|it| it.nonce[0] ^= 1), None, false);
    put("a refresh token that is over", &remint(|it| it.absolute_until = 1), None, false);
    // Under our own key, and not what was issued.
    let forge = s.app.forge();
    let shop = claims(shop.access());
    let draft = || forge.draft(&shop).head("typ", json!("at+jwt"));
    let mine = claims(&account.access_token);
    for (name, token) in [
        ("an access token that is over", draft().claim("exp", json!(past)).sign()),
        ("an access token of tomorrow", draft().claim("nbf", json!(past + 86_400)).sign()),
        ("an access token of another client", draft().claim("client_id", json!("wiki")).sign()),
        ("an access token of no client", draft().no_claim("client_id").sign()),
        ("an access token of a client that is none", draft().claim("client_id", json!("nobody")).sign()),
        ("an access token of another user", draft().claim("sub", mine["sid"].clone()).sign()),
        ("an access token of no session", draft().no_claim("sid").sign()),
        ("an access token of an odd session", draft().claim("sid", json!("../x")).sign()),
        ("an access token of the account's session", draft().claim("sid", mine["sid"].clone()).sign()),
        ("an access token of another issuer", draft().claim("iss", json!("https://evil.example")).sign()),
        ("an access token for others", draft().claim("aud", json!("https://evil.example")).sign()),
        ("a logout token", draft().head("typ", json!("logout+jwt")).sign()),
        ("a service's bearer of the feed", draft().head("typ", json!("service+jwt")).sign()),
        ("an access token under another key", Forge::stranger(&forge.kid).draft(&shop).sign()),
        ("an access token under no key", format!("{}.", draft().head("alg", json!("none")).unsigned())),
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
