//! The two places where a session turns over: the account's own, and the token endpoint of OAuth.

use std::fmt::Write as _;
use std::net::SocketAddr;

use rand::RngExt;

use crate::Fault;
use crate::client::{persist, said};
use crate::http::Message;
use crate::pair::Pair;
use crate::processes::Programs;

/// Every client of a run, and what its `id_token`s are signed with.
const CLIENTS: [(&str, &str); 2] = [("soak", "RS256"), ("soak-es256", "ES256")];
const REDIRECT: &str = "https://soak.example/cb";
/// What forms come from: the issuer that the services have unless told otherwise.
const ISSUER: &str = "http://localhost:5000";
/// The example of RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// Where a session turns over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Door {
    /// `/api/account`.
    #[default]
    Account,
    /// `/oauth/token`, as a public client, without an `id_token`.
    OAuth,
    /// The same with one under RS256.
    Rs256,
    /// The same with one under ES256.
    Es256,
}

impl Door {
    /// What the services are started with for it.
    #[must_use]
    pub fn settings(self) -> Vec<(&'static str, &'static str)> {
        match self {
            Self::Account => Vec::new(),
            _ => vec![("OAUTH", "on")],
        }
    }

    /// The client that comes by it.
    #[must_use]
    pub fn client(self) -> &'static str {
        match self {
            Self::Es256 => "soak-es256",
            _ => "soak",
        }
    }

    fn scope(self) -> &'static str {
        match self {
            Self::Rs256 | Self::Es256 => "openid+profile",
            _ => "profile",
        }
    }

    /// Puts the clients there, if it wants one.
    ///
    /// # Errors
    /// What the command says when it fails.
    pub async fn prepare(self, programs: &Programs) -> Result<(), Fault> {
        if self == Self::Account {
            return Ok(());
        }
        for (client, algorithm) in CLIENTS {
            let add = [
                "client",
                "add",
                client,
                "--kind",
                "browser",
                "--api",
                "--trusted",
                "--redirect",
                REDIRECT,
                "--id-token-alg",
                algorithm,
                "--scope",
                "openid",
                "--scope",
                "profile",
            ];
            programs.run(&add).await?;
        }
        Ok(())
    }

    /// The request that turns a pair over.
    #[must_use]
    pub fn refresh(self, pair: &Pair) -> Message {
        match self {
            Self::Account => {
                Message::request("POST", "/api/account/refresh-token").json(&pair.body())
            }
            _ => Message::request("POST", "/oauth/token").form(&format!(
                "grant_type=refresh_token&client_id={}&refresh_token={}",
                self.client(),
                pair.refresh
            )),
        }
    }

    /// The request that ends its session.
    #[must_use]
    pub fn log_out(self, pair: &Pair) -> Message {
        match self {
            Self::Account => Message::request("POST", "/api/account/logout").json(&pair.body()),
            _ => Message::request("POST", "/oauth/revoke").form(&format!(
                "client_id={}&token={}",
                self.client(),
                pair.refresh
            )),
        }
    }

    /// Signs a user in by the pages, in a browser without cookies, and fetches the client's tokens; with the browser's
    /// cookies.
    ///
    /// # Errors
    /// When the service refuses.
    pub async fn by_pages(
        self,
        auth: SocketAddr,
        email: &str,
        password: &str,
    ) -> Result<(Message, String), Fault> {
        let state: u64 = rand::rng().random();
        let (client, scope) = (self.client(), self.scope());
        let path = format!(
            "/oauth/authorize?client_id={client}&redirect_uri={}&response_type=code&scope={scope}&state={state}\
             &code_challenge={CHALLENGE}&code_challenge_method=S256",
            escape(REDIRECT)
        );
        let page = ask(auth, &Message::request("GET", &path)).await?;
        let text = String::from_utf8_lossy(&page.body).into_owned();
        let field = |name: &str| {
            let (_, rest) = text.split_once(&format!("name=\"{name}\" value=\""))?;
            let value = rest.split('"').next()?;
            Some(value.replace("&#38;", "&").replace("&amp;", "&"))
        };
        let missing = || format!("no log-in form: {}", page.first);
        let (request, form) = field("request").zip(field("form")).ok_or_else(missing)?;
        let body = format!(
            "request={}&form={form}&email={}&password={}",
            escape(&request),
            escape(email),
            escape(password)
        );
        let sign_in = Message::request("POST", "/oauth/sign-in")
            .with("origin", ISSUER)
            .with("cookie", cookies(&page))
            .form(&body);
        let entered = ask(auth, &sign_in).await?;
        let next = entered.header("refresh").unwrap_or_default();
        let next = next
            .strip_prefix("0; url=")
            .ok_or_else(|| format!("not signed in: {}", entered.first))?;
        let signed_in = cookies(&entered);
        let go_on = Message::request("GET", next).with("cookie", &signed_in);
        let end = ask(auth, &go_on).await?;
        let location = end.header("location").unwrap_or_default();
        let code = location
            .split_once("code=")
            .and_then(|(_, rest)| rest.split('&').next())
            .ok_or_else(|| format!("no code: {}", end.first))?;
        let exchange = Message::request("POST", "/oauth/token").form(&format!(
            "grant_type=authorization_code&client_id={client}&code={code}&redirect_uri={}&code_verifier={VERIFIER}",
            escape(REDIRECT)
        ));
        Ok((ask(auth, &exchange).await?, signed_in))
    }
}

async fn ask(auth: SocketAddr, request: &Message) -> Result<Message, Fault> {
    let answer = persist(auth, request).await;
    answer.ok_or_else(|| format!("log-in: {}", said(None)).into())
}

fn cookies(answer: &Message) -> String {
    let set = answer
        .headers
        .iter()
        .filter(|(name, _)| name == "set-cookie");
    let pairs: Vec<_> = set
        .filter_map(|(_, value)| value.split(';').next())
        .collect();
    pairs.join("; ")
}

fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() {
            escaped.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}
