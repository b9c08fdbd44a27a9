//! What an authorization request must be (RFC 6749 §4.1.1, OIDC Core §3.1.2.1, RFC 9700).

use std::sync::Arc;

use pages::Mistake;

use super::params::{Params, Twice};
use crate::clients::{Client, ClientKind, Clients};
use crate::db::UserId;

/// What our forms carry of a request, in this order: all that is read of it.
const CARRIED: [&str; 18] = [
    "client_id",
    "redirect_uri",
    "response_type",
    "response_mode",
    "scope",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
    "prompt",
    "max_age",
    "login_hint",
    "ui_locales",
    "id_token_hint",
    "acr_values",
    "resource",
    "request",
    "request_uri",
];

/// Bytes that a state or a nonce may have: it comes back in an address.
pub(super) const LONGEST: usize = 2048;

/// Whom an `id_token_hint` tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hint {
    /// The user.
    pub user: UserId,
}

/// An authorization request that is what it must be.
#[derive(Clone)]
pub struct AuthRequest {
    /// Who asks.
    pub client: Arc<Client>,
    /// Where the answer goes.
    pub redirect_uri: String,
    /// What the answer repeats.
    pub state: Option<String>,
    /// Whether the answer is to be posted.
    pub form_post: bool,
    /// What of the asked scope the client may have, words by blanks.
    pub scope: String,
    /// What the `id_token` repeats.
    pub nonce: Option<String>,
    /// S256 of the verifier.
    pub challenge: Option<String>,
    /// What it wants of us.
    pub prompt: Prompt,
    /// Seconds since the last log-in, at most.
    pub max_age: Option<i64>,
    /// Who may be about to log in.
    pub login_hint: Option<String>,
    /// The languages that the user likes.
    pub ui_locales: Option<String>,
    /// Who must be signed in.
    pub hint: Option<Hint>,
    /// The request again, as our forms carry it and tickets are bound to it.
    pub query: String,
    /// That there was a log-in for it.
    pub since: Option<String>,
    /// That the user agreed.
    pub agreed: Option<String>,
    /// That he did not.
    pub denied: Option<String>,
}

/// What a request wants of us (OIDC Core §3.1.2.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "words that may come together"
)]
pub struct Prompt {
    /// To show nothing.
    pub none: bool,
    /// To have the user log in again.
    pub login: bool,
    /// To ask him.
    pub consent: bool,
    /// To let him choose who he is.
    pub select_account: bool,
}

/// Who is told of a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Who sits before the page: there is no client, or none that would own this address (RFC 9700 §4.11).
    Page(Mistake),
    /// The client, by a redirect.
    Client {
        /// Where.
        redirect_uri: String,
        /// What the answer repeats.
        state: Option<String>,
        /// Whether it is to be posted.
        form_post: bool,
    },
}

/// A request that is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Who is told.
    pub refusal: Refusal,
    /// The RFC's word.
    pub error: &'static str,
    /// A sentence for the client's developer.
    pub description: String,
}

impl Refused {
    pub(super) fn page(mistake: Mistake, error: &'static str, description: &str) -> Self {
        Self {
            refusal: Refusal::Page(mistake),
            error,
            description: description.into(),
        }
    }

    /// A pushed request that was taken, is over, or another client's.
    pub(super) fn pushed_is_gone() -> Self {
        Self::page(
            Mistake::Malformed,
            "invalid_request_uri",
            "the pushed request is not known, was used already, or is over: push it again",
        )
    }
}

impl AuthRequest {
    /// Where an answer to it goes.
    #[must_use]
    pub fn refusal(&self) -> Refusal {
        Refusal::Client {
            redirect_uri: self.redirect_uri.clone(),
            state: self.state.clone(),
            form_post: self.form_post,
        }
    }

    /// Whether any program of the machine could have asked in this one's name (RFC 8252 §8.6).
    #[must_use]
    pub fn is_from_a_machine(&self) -> bool {
        self.client.kind == ClientKind::Native && !self.redirect_uri.starts_with("https://")
    }

    /// The request with the tickets that it came with, and one more.
    #[must_use]
    pub fn query_with(&self, name: &str, ticket: Option<&str>) -> String {
        let tickets: Vec<_> = [
            ("since", &self.since),
            ("agreed", &self.agreed),
            ("denied", &self.denied),
        ]
        .into_iter()
        .filter_map(|(held, value)| {
            let value = if held == name {
                ticket
            } else {
                value.as_deref()
            };
            Some((held, value?))
        })
        .collect();
        // Whatever came in their place is no more than a value either.
        let tickets = serde_urlencoded::to_string(tickets).unwrap_or_default();
        let mark = if tickets.is_empty() { "" } else { "&" };
        format!("{}{mark}{tickets}", self.query)
    }
}

/// Reads a request: first who asks and where the answer would go, then everything else in the order of the RFCs.
pub(super) fn read(
    params: &Params,
    clients: &Clients,
    audiences: &[String],
    hint: impl Fn(&str, &Client) -> Option<Hint>,
) -> Result<AuthRequest, Refused> {
    let malformed = |Twice(name): Twice| {
        let said = format!("{name} came more than once");
        Refused::page(Mistake::Malformed, "invalid_request", &said)
    };
    let id = params.one("client_id").map_err(malformed)?;
    let id = id.ok_or_else(|| {
        Refused::page(
            Mistake::Malformed,
            "invalid_request",
            "client_id is missing",
        )
    })?;
    let client = clients.find(id).ok_or_else(|| {
        Refused::page(
            Mistake::UnknownClient,
            "invalid_client",
            "no client has this client_id",
        )
    })?;
    if client.blocked {
        let said = "an operator has blocked this client";
        return Err(Refused::page(
            Mistake::BlockedClient,
            "unauthorized_client",
            said,
        ));
    }
    let asked = params.one("redirect_uri").map_err(malformed)?;
    let redirect_uri = match asked {
        Some(asked) if client.redirects.allow(asked) => asked.to_owned(),
        None if client.redirects.only().is_some() => {
            client.redirects.only().unwrap_or_default().to_owned()
        }
        _ => {
            let said =
                "redirect_uri is not, letter by letter, one that is registered for this client";
            return Err(Refused::page(Mistake::RedirectUri, "invalid_request", said));
        }
    };
    let form_post = params.last("response_mode") == Some("form_post");
    let state = params.one("state").ok().flatten().map(str::to_owned);
    let refusal = Refusal::Client {
        redirect_uri: redirect_uri.clone(),
        state: state.clone(),
        form_post,
    };
    rest(params, &client, audiences, hint)
        .map(|rest| AuthRequest {
            client: Arc::clone(&client),
            redirect_uri,
            state,
            form_post,
            query: params.query_of(&CARRIED),
            since: params.last("since").map(str::to_owned),
            agreed: params.last("agreed").map(str::to_owned),
            denied: params.last("denied").map(str::to_owned),
            scope: rest.scope,
            nonce: rest.nonce,
            challenge: rest.challenge,
            prompt: rest.prompt,
            max_age: rest.max_age,
            login_hint: rest.login_hint,
            ui_locales: rest.ui_locales,
            hint: rest.hint,
        })
        .map_err(|Wrong(error, description)| Refused {
            refusal,
            error,
            description,
        })
}

/// The RFC's word, and a sentence.
struct Wrong(&'static str, String);

impl From<Twice> for Wrong {
    fn from(Twice(name): Twice) -> Self {
        Self("invalid_request", format!("{name} came more than once"))
    }
}

fn wrong<T>(error: &'static str, description: &str) -> Result<T, Wrong> {
    Err(Wrong(error, description.to_owned()))
}

struct Rest {
    scope: String,
    nonce: Option<String>,
    challenge: Option<String>,
    prompt: Prompt,
    max_age: Option<i64>,
    login_hint: Option<String>,
    ui_locales: Option<String>,
    hint: Option<Hint>,
}

fn rest(
    params: &Params,
    client: &Client,
    audiences: &[String],
    hint: impl Fn(&str, &Client) -> Option<Hint>,
) -> Result<Rest, Wrong> {
    // Several resources may be named (RFC 8707 §2); everything else comes once.
    for name in CARRIED.into_iter().filter(|name| *name != "resource") {
        params.one(name)?;
    }
    let text = |name| params.one(name).map(|value| value.map(str::to_owned));
    if text("request")?.is_some() {
        return wrong("request_not_supported", "request objects are not supported");
    }
    if text("request_uri")?.is_some() {
        return wrong(
            "request_uri_not_supported",
            "only pushed requests are taken by request_uri",
        );
    }
    match params.one("response_mode")? {
        None | Some("query" | "form_post") => {}
        Some(_) => return wrong("invalid_request", "response_mode is query or form_post"),
    }
    match params.one("response_type")? {
        Some("code") => {}
        None => return wrong("invalid_request", "response_type is missing"),
        Some(_) => return wrong("unsupported_response_type", "response_type is code"),
    }
    for name in ["state", "nonce"] {
        if params.one(name)?.is_some_and(|value| value.len() > LONGEST) {
            return wrong("invalid_request", "state and nonce have at most 2048 bytes");
        }
    }
    let scope = client.within(params.one("scope")?.unwrap_or_default());
    if scope.is_empty() {
        return wrong(
            "invalid_scope",
            "scope has nothing that this client may have",
        );
    }
    if !params
        .all("resource")
        .all(|asked| audiences.iter().any(|aud| aud == asked))
    {
        return wrong(
            "invalid_target",
            "resource is none of the audiences of this issuer",
        );
    }
    Ok(Rest {
        scope,
        nonce: text("nonce")?,
        challenge: challenge(params, client)?,
        prompt: prompt(params.one("prompt")?.unwrap_or_default())?,
        max_age: max_age(params.one("max_age")?)?,
        login_hint: text("login_hint")?,
        ui_locales: text("ui_locales")?,
        hint: match params.one("id_token_hint")? {
            None => None,
            Some(given) => match hint(given, client) {
                None => {
                    return wrong(
                        "invalid_request",
                        "id_token_hint is no id_token of this client",
                    );
                }
                some => some,
            },
        },
    })
}

/// RFC 7636; `plain` is what a missing method means there, and is not taken.
fn challenge(params: &Params, client: &Client) -> Result<Option<String>, Wrong> {
    let method = params.one("code_challenge_method")?;
    match params.one("code_challenge")? {
        None if client.pkce => wrong(
            "invalid_request",
            "code_challenge is missing: this client uses PKCE",
        ),
        None if method.is_some() => wrong("invalid_request", "code_challenge is missing"),
        None => Ok(None),
        Some(_) if method != Some("S256") => {
            wrong("invalid_request", "code_challenge_method is S256")
        }
        Some(challenge) => {
            let form = |c: u8| c.is_ascii_alphanumeric() || b"-_".contains(&c);
            if challenge.len() == 43 && challenge.bytes().all(form) {
                Ok(Some(challenge.to_owned()))
            } else {
                wrong(
                    "invalid_request",
                    "code_challenge is not a SHA-256 in base64url",
                )
            }
        }
    }
}

fn prompt(words: &str) -> Result<Prompt, Wrong> {
    let mut prompt = Prompt::default();
    for word in words.split_ascii_whitespace() {
        match word {
            "none" => prompt.none = true,
            "login" => prompt.login = true,
            "consent" => prompt.consent = true,
            "select_account" => prompt.select_account = true,
            _ => {
                return wrong(
                    "invalid_request",
                    "prompt is made of none, login, consent and select_account",
                );
            }
        }
    }
    let others = prompt.login || prompt.consent || prompt.select_account;
    if prompt.none && others {
        return wrong("invalid_request", "prompt=none goes with no other");
    }
    Ok(prompt)
}

fn max_age(text: Option<&str>) -> Result<Option<i64>, Wrong> {
    let Some(text) = text else { return Ok(None) };
    match text.parse::<u32>() {
        Ok(seconds) if !text.starts_with('+') => Ok(Some(seconds.into())),
        _ => wrong("invalid_request", "max_age is a number of seconds"),
    }
}
