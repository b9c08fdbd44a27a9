//! What the tables of sign-on share: the programs, their user, and requests that no browser sends.

use std::collections::BTreeMap;
use std::fmt::{Debug, Display};

use auth_server::clients::ClientKind::{Browser, Native, Service, Web};
use auth_server::mac_keys::MacKeys;
use auth_server::sessions::refresh_token::{Purpose, RefreshToken};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use e2e::{App, Asking, ISSUER, Member, Options, Reply, Tokens, User, Visitor, member};
use reqwest::header::REFRESH;
use reqwest::{Method, RequestBuilder};
use serde_json::Value;

/// The policy of every page but a posted answer.
pub(super) const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; \
    script-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Services with sign-on, a user, and a program of each sort. All but `forum` are trusted.
pub(super) struct Stage {
    pub(super) app: App,
    pub(super) user: User,
    /// On a server, for the APIs.
    pub(super) shop: Member,
    /// On a server, for userinfo alone; ES256.
    pub(super) wiki: Member,
    /// On a server, and its users are asked.
    pub(super) forum: Member,
    /// In a browser, for the APIs.
    pub(super) spa: Member,
    /// On its user's machine.
    pub(super) phone: Member,
    /// Without PKCE, on a loopback address.
    pub(super) legacy: Member,
    /// In its own name.
    pub(super) robot: Member,
    /// In its own name, and not for the APIs.
    pub(super) clerk: Member,
    /// May manage its user's account.
    pub(super) manager: Member,
}

impl Stage {
    pub(super) async fn open() -> Self {
        Self::with(Options::new()).await
    }

    pub(super) async fn with(options: Options) -> Self {
        let words = |words: &[&str]| Some(words.iter().map(|it| (*it).to_owned()).collect());
        let trusted = |id, kind| member(id, kind).with(|it| it.trusted = true);
        let all = ["openid", "profile", "email", "roles", "offline_access"];
        let account = ["openid", "profile", "account"];
        let members = [
            trusted("shop", Web).with(|it| (it.api, it.scopes) = (true, words(&all))),
            trusted("wiki", Web).with(|it| it.id_token_alg = "ES256".into()),
            member("forum", Web),
            trusted("spa", Browser).with(|it| it.api = true),
            trusted("phone", Native).with(|it| {
                it.redirect_uris = [
                    "com.example.phone:/cb",
                    "http://127.0.0.1/cb",
                    "http://[::1]:9/cb",
                    "http://localhost:7000/cb?x=1",
                    "https://phone.example/cb",
                ]
                .map(str::to_owned)
                .to_vec();
            }),
            trusted("legacy", Web).with(|it| {
                it.pkce = false;
                it.redirect_uris = vec!["http://localhost:3000/cb".into()];
            }),
            member("robot", Service).with(|it| {
                it.api = true;
                it.roles = vec!["worker".into()];
                it.scopes = words(&["orders:read", "orders:write"]);
            }),
            member("clerk", Service),
            trusted("manager", Web).with(|it| (it.api, it.scopes) = (true, words(&account))),
        ];
        let app = App::signing_on(options, &members).await;
        let user = app.register().await;
        let [shop, wiki, forum, spa, phone, legacy, robot, clerk, manager] = members;
        Self {
            app,
            user,
            shop,
            wiki,
            forum,
            spa,
            phone,
            legacy,
            robot,
            clerk,
            manager,
        }
    }

    /// A browser in which the user is signed in.
    pub(super) async fn browser(&self) -> Visitor<'_> {
        let (visitor, entered) = self
            .app
            .signed_in(&self.user, &self.shop.ask("openid"))
            .await;
        assert!(entered.says("You are signed in"), "{entered:?}");
        visitor
    }

    /// A code for this client out of a browser that is signed in, whatever is asked on the way.
    pub(super) async fn code(
        &self,
        visitor: &Visitor<'_>,
        client: &Member,
        asking: &Asking,
    ) -> String {
        visitor
            .code(visitor.get(&asking.path()).await, client)
            .await
    }

    /// Tokens for this client out of a browser that is signed in.
    pub(super) async fn tokens(
        &self,
        visitor: &Visitor<'_>,
        client: &Member,
        scope: &str,
    ) -> Tokens {
        let asking = client.ask(scope);
        let code = self.code(visitor, client, &asking).await;
        self.app.exchange(client, &code, &asking).await.tokens()
    }

    /// Tokens of the robot.
    pub(super) async fn service(&self) -> Tokens {
        self.own_tokens(&self.robot).await
    }

    /// Tokens of a service.
    pub(super) async fn own_tokens(&self, service: &Member) -> Tokens {
        let fields = [("grant_type", "client_credentials")];
        let answer = self.app.ask_as(service, "/oauth/token", &fields);
        answer.await.tokens()
    }

    /// Changes rows of clients, and starts again with them.
    pub(super) async fn with_clients(&mut self, assignments: &str, id: &str) {
        let sql = format!("UPDATE clients SET {assignments} WHERE id = '{id}'");
        assert_eq!(self.app.database().execute(&sql), 1, "{sql}");
        self.app.restart(None).await;
    }

    /// A genuine token of this purpose with something else in it.
    pub(super) fn remint(
        &self,
        purpose: Purpose,
        token: &str,
        change: impl FnOnce(&mut RefreshToken),
    ) -> String {
        let file = std::fs::read(self.app.folder().join("refresh-keys.json")).unwrap();
        let keys = MacKeys::parse(&file).unwrap();
        let mut token = RefreshToken::decode(token, purpose, &keys).unwrap();
        change(&mut token);
        token.encode(&keys).unwrap()
    }

    /// The session that a code, a refresh token or a cookie is of.
    pub(super) fn session_of(&self, purpose: Purpose, token: &str) -> String {
        let mut id = String::new();
        self.remint(purpose, token, |token| id = token.session.to_string());
        id
    }

    /// The session of a browser.
    pub(super) fn browser_of(&self, visitor: &Visitor<'_>) -> String {
        self.session_of(Purpose::Browser, &cookie(visitor, "keyturn"))
    }

    /// How many rows there are of which this holds.
    pub(super) fn count(&self, table: &str, condition: &str) -> i64 {
        let sql = format!("SELECT COUNT(*) AS value FROM {table} WHERE {condition}");
        self.app.database().number(&sql).unwrap()
    }

    /// A request to auth-server with these headers, and a body if there is one.
    pub(super) fn request(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
    ) -> RequestBuilder {
        let url = format!("{}{path}", self.app.auth_url);
        let request = self.app.client.request(method, url);
        headers.iter().fold(request, |request, (name, value)| {
            request.header(*name, *value)
        })
    }

    /// A GET of auth-server.
    pub(super) async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Reply {
        send(self.request(Method::GET, path, headers)).await
    }
}

pub(super) async fn send(request: RequestBuilder) -> Reply {
    let response = request.send().await.unwrap();
    Reply {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        body: response.text().await.unwrap(),
    }
}

/// The value of a cookie that a browser has.
pub(super) fn cookie(visitor: &Visitor<'_>, name: &str) -> String {
    let jar = visitor.cookies.lock().unwrap();
    jar.get(name).cloned().unwrap_or_default()
}

/// The claims of a JWT, unverified.
pub(super) fn claims(token: &str) -> Value {
    let part = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// The session of an access token.
pub(super) fn sid(tokens: &Tokens) -> String {
    claims(tokens.access())["sid"].as_str().unwrap().to_owned()
}

/// Asserts that this is a page of ours with everything that guards one.
#[track_caller]
pub(super) fn is_guarded(page: &Reply) {
    assert_eq!(page.header("content-security-policy"), POLICY, "{page:?}");
    for (name, value) in [
        ("content-type", "text/html; charset=utf-8"),
        ("x-frame-options", "DENY"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "same-origin"),
        ("cache-control", "no-store"),
        ("cross-origin-opener-policy", ""),
        ("access-control-allow-origin", ""),
        ("location", ""),
    ] {
        assert_eq!(page.header(name), value, "{name}: {page:?}");
    }
}

/// What a request came to in one word: that of the page that is shown, `page` for one of a fault, `code`, or the
/// error that the client is told. Every redirect has `iss`, the request's `state` and an empty fragment.
#[track_caller]
pub(super) fn outcome(reply: &Reply, asking: &Asking) -> String {
    if reply.status == 302 {
        let uri = asking.params["redirect_uri"].as_str();
        return told(&reply.redirected_to(uri), asking);
    }
    is_guarded(reply);
    let word = match reply.status {
        200 if reply.headers.contains_key(REFRESH) => "goes on",
        200 if reply.says("action=\"/oauth/sign-in\"") => "sign-in",
        200 if reply.says("Continue as ") => "continue",
        200 if reply.says("wants to sign you in") => "consent",
        400 => {
            assert!(!reply.headers.contains_key(REFRESH) && !reply.says("<form"));
            "page"
        }
        _ => panic!("{reply:?}"),
    };
    word.to_owned()
}

/// The same of the fields that a client gets.
#[track_caller]
pub(super) fn told(fields: &BTreeMap<String, String>, asking: &Asking) -> String {
    assert_eq!(fields.get("iss").map(String::as_str), Some(ISSUER));
    assert_eq!(
        fields.get("state"),
        asking.params.get("state"),
        "{fields:?}"
    );
    match (fields.get("code"), fields.get("error")) {
        (Some(_), None) => "code".to_owned(),
        (None, Some(error)) => {
            assert!(!fields["error_description"].is_empty());
            error.clone()
        }
        _ => panic!("{fields:?}"),
    }
}

/// Rows that were put to the server, and those that went wrong: all are told at once.
#[derive(Default)]
pub(super) struct Table {
    rows: usize,
    wrong: Vec<String>,
}

impl Table {
    #[expect(clippy::needless_pass_by_value, reason = "as it reads in a table")]
    pub(super) fn row<T: PartialEq<U> + Debug, U: Debug>(
        &mut self,
        name: impl Display,
        got: T,
        expected: U,
    ) {
        self.rows += 1;
        if got != expected {
            self.wrong
                .push(format!("{name}: {got:?} instead of {expected:?}"));
        }
    }

    /// Asserts that there were at least so many rows, and all were right.
    #[track_caller]
    pub(super) fn close(self, at_least: usize) {
        let Self { rows, wrong } = self;
        assert!(
            wrong.is_empty(),
            "{} of {rows} rows:\n{}",
            wrong.len(),
            wrong.join("\n")
        );
        assert!(rows >= at_least, "{rows} rows");
    }
}
