//! Sign-on as its two sides see it: a visitor whose browser has cookies and forms, and a client with its requests.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

use auth_server::clients::{ClientKind, Definition, Secret};
use auth_server::db::{Caller, Db};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use reqwest::header::{AUTHORIZATION, COOKIE, HeaderMap, LOCATION, ORIGIN, REFRESH, SET_COOKIE};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{App, Options, User};

/// The issuer of the services under test.
pub const ISSUER: &str = "http://localhost:5000";

/// A client under test.
#[derive(Clone, Debug)]
pub struct Member {
    /// As it is registered.
    pub definition: Definition,
    /// What it shows, if it is confidential.
    pub secret: Option<String>,
}

/// A client of this kind with one redirect URI, and nothing special.
#[must_use]
pub fn member(id: &str, kind: ClientKind) -> Member {
    let mut definition = Definition::new(id, kind);
    if kind != ClientKind::Service {
        definition.redirect_uris = vec![format!("https://{id}.example/cb")];
    }
    let secret = kind
        .is_confidential()
        .then(|| format!("a secret of {id} with more than enough letters"));
    Member { definition, secret }
}

impl Member {
    /// The same with something else.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Definition)) -> Self {
        change(&mut self.definition);
        self
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.definition.id
    }

    /// Where its codes go.
    #[must_use]
    pub fn redirect_uri(&self) -> &str {
        self.definition.redirect_uris.first().expect("one")
    }

    /// A request of it with everything that it should have.
    #[must_use]
    pub fn ask(&self, scope: &str) -> Asking {
        let verifier = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
        let mut params = BTreeMap::new();
        for (name, value) in [
            ("client_id", self.id()),
            ("redirect_uri", self.redirect_uri()),
            ("response_type", "code"),
            ("scope", scope),
            ("state", "a state"),
            ("nonce", "a nonce"),
            ("code_challenge", &challenge(&verifier)),
            ("code_challenge_method", "S256"),
        ] {
            params.insert(name.to_owned(), value.to_owned());
        }
        Asking { params, verifier }
    }
}

/// S256 of a verifier.
#[must_use]
pub fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))
}

/// An authorization request, and the secret half of its challenge.
#[derive(Clone, Debug)]
pub struct Asking {
    /// Its parameters.
    pub params: BTreeMap<String, String>,
    /// What the challenge was made of.
    pub verifier: String,
}

impl Asking {
    /// The same with another value; an empty one takes the parameter away.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        if value.is_empty() {
            self.params.remove(name);
        } else {
            self.params.insert(name.to_owned(), value.to_owned());
        }
        self
    }

    /// The path that a browser is sent to.
    #[must_use]
    pub fn path(&self) -> String {
        let query = serde_urlencoded::to_string(&self.params).expect("a query");
        format!("/oauth/authorize?{query}")
    }
}

/// An answer, whatever it is.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: String,
}

/// What the token endpoint hands out.
#[derive(Clone, Debug)]
pub struct Tokens(pub Value);

impl Tokens {
    /// A member that is a text.
    #[must_use]
    pub fn text(&self, member: &str) -> &str {
        self.0[member]
            .as_str()
            .unwrap_or_else(|| panic!("no {member} in {:?}", self.0))
    }

    /// The access token.
    #[must_use]
    pub fn access(&self) -> &str {
        self.text("access_token")
    }

    /// The refresh token.
    #[must_use]
    pub fn refresh(&self) -> &str {
        self.text("refresh_token")
    }
}

impl Reply {
    async fn read(response: reqwest::Response) -> Self {
        Self {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: response.text().await.expect("a body of text"),
        }
    }

    /// Asserts the status.
    #[track_caller]
    pub fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    /// The value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().expect("ASCII"))
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// The tokens of a success.
    #[track_caller]
    pub fn tokens(&self) -> Tokens {
        assert_eq!(self.status, 200, "{self:?}");
        Tokens(self.json())
    }

    /// The RFC's word of an error, and ours.
    #[track_caller]
    pub fn error(&self) -> (u16, String, String) {
        let json = self.json();
        let text = |member: &str| json[member].as_str().unwrap_or_default().to_owned();
        (self.status, text("error"), text("code"))
    }

    /// The parameters that a redirect takes to the client at this address.
    #[track_caller]
    pub fn redirected_to(&self, uri: &str) -> BTreeMap<String, String> {
        assert_eq!(self.status, 302, "{self:?}");
        let location = self.header(LOCATION.as_str());
        let rest = location
            .strip_prefix(uri)
            .unwrap_or_else(|| panic!("{location} is not {uri}"));
        let query = rest
            .strip_suffix("#_")
            .unwrap_or_else(|| panic!("{location} has no empty fragment"));
        serde_urlencoded::from_str(&query[1..]).expect("a query")
    }

    /// The hidden fields and the action of the page's form.
    #[track_caller]
    pub fn form(&self) -> (String, Vec<(String, String)>) {
        let action = between(&self.body, "<form method=\"post\" action=\"", "\"")
            .unwrap_or_else(|| panic!("no form: {self:?}"));
        let mut fields = Vec::new();
        for part in self.body.split("<input type=\"hidden\" ").skip(1) {
            let name = between(part, "name=\"", "\"").expect("a name");
            let value = between(part, "value=\"", "\"").expect("a value");
            fields.push((name, value));
        }
        (action, fields)
    }

    /// Whether this is a page with such a heading.
    #[must_use]
    pub fn says(&self, text: &str) -> bool {
        self.body.contains(text)
    }
}

/// The text between two others, without what HTML writes for its own signs.
fn between(text: &str, before: &str, after: &str) -> Option<String> {
    let (_, rest) = text.split_once(before)?;
    let (value, _) = rest.split_once(after)?;
    let mut value = value.to_owned();
    for (entity, sign) in [
        ("&#38;", "&"),
        ("&#60;", "<"),
        ("&#62;", ">"),
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&amp;", "&"),
    ] {
        value = value.replace(entity, sign);
    }
    Some(value)
}

/// Somebody's browser: cookies, and an origin of its pages.
pub struct Visitor<'a> {
    app: &'a App,
    /// By name.
    pub cookies: Mutex<BTreeMap<String, String>>,
    /// Headers that go along with everything.
    pub headers: Vec<(&'static str, String)>,
}

impl App {
    /// Services of our own with sign-on for these clients.
    pub async fn signing_on(options: Options, clients: &[Member]) -> Self {
        let clients = clients.to_vec();
        Self::upon(options.auth("oauth", "on"), move |folder, database| {
            put_id_keys(folder);
            put_clients(database.url(), clients);
        })
        .await
    }

    /// A browser without cookies.
    #[must_use]
    pub fn visitor(&self) -> Visitor<'_> {
        Visitor {
            app: self,
            cookies: Mutex::default(),
            headers: Vec::new(),
        }
    }

    /// A browser in which this user is signed in, for this request; and the page after the log-in.
    pub async fn signed_in(&self, user: &User, asking: &Asking) -> (Visitor<'_>, Reply) {
        let visitor = self.visitor();
        let page = visitor.get(&asking.path()).await;
        let entered = visitor.enter(&page, user).await;
        (visitor, entered)
    }

    /// Sends a form to the token endpoint, or one like it, as this client.
    pub async fn ask_as(&self, client: &Member, path: &str, fields: &[(&str, &str)]) -> Reply {
        let mut all = fields.to_vec();
        all.push(("client_id", client.id()));
        if let Some(secret) = &client.secret {
            all.push(("client_secret", secret));
        }
        self.ask_form(path, &all, None).await
    }

    /// Sends a form, with Basic credentials if given.
    pub async fn ask_form(
        &self,
        path: &str,
        fields: &[(&str, &str)],
        basic: Option<(&str, &str)>,
    ) -> Reply {
        let body = serde_urlencoded::to_string(fields).expect("a form");
        let mut request = self
            .client
            .post(format!("{}{path}", self.auth_url))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body);
        if let Some((id, secret)) = basic {
            let credentials = STANDARD.encode(format!("{id}:{secret}"));
            request = request.header(AUTHORIZATION, format!("Basic {credentials}"));
        }
        Reply::read(request.send().await.expect("auth-server answers")).await
    }

    /// Exchanges a code.
    pub async fn exchange(&self, client: &Member, code: &str, asking: &Asking) -> Reply {
        let redirect = asking.params.get("redirect_uri");
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("code_verifier", asking.verifier.as_str()),
        ];
        if let Some(uri) = redirect {
            fields.push(("redirect_uri", uri));
        }
        self.ask_as(client, "/oauth/token", &fields).await
    }

    /// Turns a client's session over.
    pub async fn refresh_as(&self, client: &Member, refresh: &str) -> Reply {
        let fields = [("grant_type", "refresh_token"), ("refresh_token", refresh)];
        self.ask_as(client, "/oauth/token", &fields).await
    }

    /// The tokens of a client, all the way through the pages.
    pub async fn tokens_of(&self, user: &User, client: &Member, scope: &str) -> Tokens {
        let asking = client.ask(scope);
        let (visitor, entered) = self.signed_in(user, &asking).await;
        let code = visitor.code(entered, client).await;
        self.exchange(client, &code, &asking).await.tokens()
    }
}

impl Visitor<'_> {
    /// Opens a page.
    pub async fn get(&self, path: &str) -> Reply {
        self.send(self.app.client.get(format!("{}{path}", self.app.auth_url)))
            .await
    }

    /// Sends a form, as a page of the issuer does.
    pub async fn post<V: AsRef<str>>(&self, path: &str, fields: &[(&str, V)]) -> Reply {
        self.post_from(Some(ISSUER), path, fields).await
    }

    /// Sends a form, as a page of this origin does.
    pub async fn post_from<V: AsRef<str>>(
        &self,
        origin: Option<&str>,
        path: &str,
        fields: &[(&str, V)],
    ) -> Reply {
        let fields: Vec<_> = fields
            .iter()
            .map(|(name, value)| (*name, value.as_ref()))
            .collect();
        let body = serde_urlencoded::to_string(fields).expect("a form");
        let mut request = self
            .app
            .client
            .post(format!("{}{path}", self.app.auth_url))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body);
        if let Some(origin) = origin {
            request = request.header(ORIGIN, origin);
        }
        self.send(request).await
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Reply {
        let mut request = request;
        let cookies = {
            let jar = self.cookies.lock().expect("nobody panicked");
            let all: Vec<_> = jar
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            all.join("; ")
        };
        if !cookies.is_empty() {
            request = request.header(COOKIE, cookies);
        }
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        let reply = Reply::read(request.send().await.expect("auth-server answers")).await;
        let mut jar = self.cookies.lock().expect("nobody panicked");
        for cookie in reply.headers.get_all(SET_COOKIE) {
            let text = cookie.to_str().expect("ASCII");
            let (name, value) = text.split_once('=').expect("a cookie");
            let value = value.split(';').next().expect("a value");
            jar.insert(name.to_owned(), value.to_owned());
        }
        drop(jar);
        reply
    }

    /// Fills in the page's form and sends it. Fields of the same name replace the page's.
    pub async fn submit(&self, page: &Reply, fields: &[(&str, &str)]) -> Reply {
        let (action, hidden) = page.form();
        let mut all: Vec<(&str, &str)> = hidden
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .filter(|(name, _)| !fields.iter().any(|(other, _)| other == name))
            .collect();
        all.extend(fields.iter().filter(|(_, value)| *value != "\0"));
        self.post(&action, &all).await
    }

    /// Logs in on a page.
    pub async fn enter(&self, page: &Reply, user: &User) -> Reply {
        let fields = [
            ("email", user.email.as_str()),
            ("password", user.password.as_str()),
        ];
        self.submit(page, &fields).await
    }

    /// Goes where a page without a question sends the browser.
    pub async fn go_on(&self, page: &Reply) -> Reply {
        assert_eq!(page.status, 200, "{page:?}");
        let refresh = page.header(REFRESH.as_str());
        let path = refresh
            .strip_prefix("0; url=")
            .unwrap_or_else(|| panic!("goes nowhere: {page:?}"));
        self.get(path).await
    }

    /// Goes on through the pages, saying yes, until the code is on its way to the client.
    pub async fn through(&self, mut page: Reply) -> Reply {
        for _ in 0..6 {
            page = if page.headers.contains_key(REFRESH) {
                self.go_on(&page).await
            } else if page.status == 200 && page.says("name=\"decision\"") {
                self.submit(&page, &[("decision", "allow")]).await
            } else {
                return page;
            };
        }
        panic!("asked for ever: {page:?}")
    }

    /// The code that the client gets in the end.
    pub async fn code(&self, page: Reply, client: &Member) -> String {
        let end = self.through(page).await;
        let params = end.redirected_to(client.redirect_uri());
        params
            .get("code")
            .unwrap_or_else(|| panic!("no code: {params:?}"))
            .clone()
    }
}

/// A fixed ring of known keys: an RSA key takes its time.
pub fn put_id_keys(folder: &Path) {
    let ring = include_bytes!("../../crates/id-keys/tests/keys/ring.json");
    let path = folder.join("id-keys.json");
    shared::files::write_atomically(&path, ring, 0o600).expect("the keys of id_tokens");
}

/// Puts clients into the database at this address.
pub fn put_clients(database_url: &str, clients: Vec<Member>) {
    let url = database_url.parse().expect("a URL");
    let put = move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.expect("a runtime").block_on(async {
            let db = Db::open(&url, std::time::Duration::ZERO).expect("the database");
            let unit = move |tx: &mut auth_server::db::Unit<'_, '_>| {
                for client in &clients {
                    let secret = client.secret.as_deref().map(Secret::of);
                    let row = client.definition.row(None, secret.as_ref(), 1);
                    tx.put_client(&row.expect("a good client"), 1)?;
                }
                Ok(())
            };
            db.write(&Caller::cli(), unit).await.expect("the clients");
        });
    };
    // The test's runtime is at work here.
    std::thread::spawn(put)
        .join()
        .expect("the clients are there");
}

impl App {
    /// The claims of an `id_token`, whose signature is checked with the keys that are published.
    pub async fn claims_of_id_token(&self, token: &str) -> Value {
        self.claims_of_signed(token, "JWT").await
    }

    /// The claims of a token of this type that the second ring signed.
    pub async fn claims_of_signed(&self, token: &str, typ: &str) -> Value {
        let jwks: Value = self.get_json("/oauth/jwks.json").await;
        let mut parts = token.split('.');
        let [header, payload, signature] = [(); 3].map(|()| parts.next().expect("a part"));
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).expect("base64url");
        let head: Value = serde_json::from_slice(&decode(header)).expect("a header");
        assert_eq!(head["typ"], typ);
        let keys = jwks["keys"].as_array().expect("keys");
        let key = keys
            .iter()
            .find(|key| key["kid"] == head["kid"])
            .expect("the key");
        assert_eq!(key["alg"], head["alg"]);
        let number = |member: &str| decode(key[member].as_str().expect("a number"));
        let signed = format!("{header}.{payload}");
        let good = match head["alg"].as_str() {
            Some("RS256") => ring::signature::RsaPublicKeyComponents {
                n: number("n"),
                e: number("e"),
            }
            .verify(
                &ring::signature::RSA_PKCS1_2048_8192_SHA256,
                signed.as_bytes(),
                &decode(signature),
            ),
            Some("ES256") => {
                let point = [&[4][..], &number("x"), &number("y")].concat();
                let algorithm = &ring::signature::ECDSA_P256_SHA256_FIXED;
                ring::signature::UnparsedPublicKey::new(algorithm, point)
                    .verify(signed.as_bytes(), &decode(signature))
            }
            other => panic!("{other:?}"),
        };
        good.expect("the signature of an id_token");
        serde_json::from_slice(&decode(payload)).expect("claims")
    }

    async fn get_json(&self, path: &str) -> Value {
        let request = self.client.get(format!("{}{path}", self.auth_url));
        Reply::read(request.send().await.expect("auth-server answers"))
            .await
            .is(200)
            .json()
    }

    /// What userinfo tells for an access token.
    pub async fn userinfo(&self, access: &str) -> Reply {
        let url = format!("{}/oauth/userinfo", self.auth_url);
        let request = self.client.get(url).bearer_auth(access);
        Reply::read(request.send().await.expect("auth-server answers")).await
    }
}
