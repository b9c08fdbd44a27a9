//! Sign-on: authorization requests of clients, and what becomes of them.
//!
//! All state is in the request. It is read and judged from zero whenever it comes, also out of our own forms, and what
//! was done on the way (a log-in, a consent) comes along as a MACed [`Ticket`]. No HTTP, no SQL.

mod id_token;
mod log_out;
mod params;
mod request;
mod step;
mod ticket;

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use id_keys::IdKeyFile;

pub use id_token::UserClaims;
pub use log_out::{Leaving, LogOutRequest};
pub use params::{Params, Twice};
pub use request::{AuthRequest, Hint, Prompt, Refusal, Refused};
pub use step::Step;
pub use ticket::{FormPurpose, FormTokens, Ticket};

use crate::clients::{Client, Clients, OFFLINE, OPENID, has_word};
use crate::db::{AuditRecord, Caller, Db, Event, PendingCode};
use crate::error::Error;
use crate::mac_keys::MacKeyFile;
use crate::sessions::{AppTokens, Browser, Granted, Sessions};
use step::Situation;

/// Seconds that a pushed request waits (RFC 9126 §2.2).
pub const PUSHED_SECONDS: i64 = 90;

/// Letters of a pushed request's own name: 32 bytes in base64url.
const PUSHED_LETTERS: usize = 43;

/// What a pushed request is called by.
const PUSHED: &str = "urn:ietf:params:oauth:request_uri:";

/// The rules, with what they need. Shared by all workers.
pub struct SignOn {
    db: Db,
    sessions: Arc<Sessions>,
    clients: Clients,
    id_keys: Arc<IdKeyFile>,
    mac_keys: Arc<MacKeyFile>,
    issuer: String,
    audiences: Vec<String>,
}

impl SignOn {
    /// Puts the rules together. `audiences` are those of the APIs.
    #[must_use]
    pub fn new(
        db: Db,
        sessions: Arc<Sessions>,
        clients: Clients,
        (id_keys, mac_keys): (Arc<IdKeyFile>, Arc<MacKeyFile>),
        issuer: String,
        audiences: Vec<String>,
    ) -> Self {
        Self {
            db,
            sessions,
            clients,
            id_keys,
            mac_keys,
            issuer,
            audiences,
        }
    }

    /// The issuer, as every answer names it.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The clients.
    #[must_use]
    pub fn clients(&self) -> &Clients {
        &self.clients
    }

    /// The public keys that `id_token`s are verified with, as a JSON Web Key Set.
    #[must_use]
    pub fn jwks(&self, now: i64) -> String {
        self.id_keys.ring().jwks(now)
    }

    /// The tokens that our own forms carry.
    #[must_use]
    pub fn forms(&self) -> FormTokens<'_> {
        FormTokens::new(&self.mac_keys)
    }

    /// Reads an authorization request, a pushed one in the place of its name (RFC 9126 §4). Taken once, it is whole from
    /// then on: our forms carry what it says.
    ///
    /// # Errors
    /// What is wrong with the request, and who may be told; or the database's.
    pub async fn request(
        &self,
        params: Params,
        caller: &Caller,
    ) -> Result<Result<AuthRequest, Refused>, Error> {
        // Twice is for the reading to refuse.
        let uri = params.one("request_uri").ok().flatten();
        let pushed = uri.and_then(|uri| {
            let id = uri.strip_prefix(PUSHED)?.to_owned();
            // Whoever makes a name or a client up costs no look into the database.
            let client = self.clients.find(params.last("client_id")?)?;
            Some((id, client.id.clone()))
        });
        let params = match pushed {
            None => params,
            Some((id, _)) if id.len() != PUSHED_LETTERS => {
                return Ok(Err(Refused::pushed_is_gone()));
            }
            Some((id, client)) => {
                let taken = self.take(id, client, caller).await?;
                match taken {
                    Some(request) => Params::of_query(&request),
                    None => return Ok(Err(Refused::pushed_is_gone())),
                }
            }
        };
        Ok(request::read(
            &params,
            &self.clients,
            &self.audiences,
            |hint, client| self.hint(hint, client),
        ))
    }

    async fn take(
        &self,
        id: String,
        client: String,
        caller: &Caller,
    ) -> Result<Option<String>, Error> {
        // Whoever makes a name up costs no write.
        let asked = id.clone();
        if !self.db.read(move |tx| tx.has_request(&asked)).await? {
            return Ok(None);
        }
        let now = caller.now;
        let taken = self
            .db
            .write(caller, move |tx| tx.take_request(&id, &client, now));
        Ok(taken.await?)
    }

    /// Keeps a request that its client has pushed; answers its name.
    ///
    /// # Errors
    /// What is wrong with the request, as the word and the sentence that `/oauth/par` answers; or the database's.
    pub async fn push(
        &self,
        params: Params,
        client: &Client,
        caller: &Caller,
    ) -> Result<Result<String, (&'static str, String)>, Error> {
        if params.last("request_uri").is_some() {
            let said = "a pushed request is whole: it has no request_uri (RFC 9126, 2.1)";
            return Ok(Err(("invalid_request", said.into())));
        }
        let read = request::read(
            &params.of_client(&client.id),
            &self.clients,
            &self.audiences,
            |hint, client| self.hint(hint, client),
        );
        let request = match read {
            Ok(request) => request,
            Err(refused) => return Ok(Err((refused.error, refused.description))),
        };
        let id = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
        let until = caller.now.saturating_add(PUSHED_SECONDS);
        let (name, client, query) = (format!("{PUSHED}{id}"), client.id.clone(), request.query);
        self.db
            .write(caller, move |tx| {
                tx.push_request(&id, &client, &query, until)?;
                let now = tx.now();
                tx.delete_old_requests(now, 20)
            })
            .await?;
        Ok(Ok(name))
    }

    /// What is to be done about a request of whoever is signed in.
    ///
    /// # Errors
    /// The database's.
    pub async fn step(
        &self,
        request: &AuthRequest,
        browser: Option<&Browser>,
        caller: &Caller,
    ) -> Result<Step, Error> {
        let consent = match browser {
            None => None,
            Some(browser) => {
                let (user, client) = (browser.account.id, request.client.id.clone());
                self.db
                    .read(move |tx| tx.find_consent(user, &client))
                    .await?
            }
        };
        let holds = |ticket, word: &Option<String>| {
            let row = browser.map(|browser| browser.session);
            let word = word.as_deref().unwrap_or_default();
            ticket::holds(
                &self.mac_keys,
                ticket,
                word,
                &request.query,
                row,
                caller.now,
            )
        };
        Ok(step::judge(
            request,
            &Situation {
                browser,
                consent: consent.as_deref(),
                fresh: holds(Ticket::Since, &request.since),
                agreed: holds(Ticket::Agreed, &request.agreed),
                denied: holds(Ticket::Denied, &request.denied),
                now: caller.now,
            },
        ))
    }

    /// A ticket for this request in this browser.
    ///
    /// # Errors
    /// [`Error::Internal`] if there is no key.
    pub fn ticket(
        &self,
        ticket: Ticket,
        request: &AuthRequest,
        browser: Option<&Browser>,
        now: i64,
    ) -> Result<String, Error> {
        let row = browser.map(|browser| browser.session);
        ticket::issue(&self.mac_keys, ticket, &request.query, row, now)
            .ok_or_else(|| Error::Internal("no MAC key".into()))
    }

    /// Notes that the user agreed to what the client asks for, beside what he agreed to before.
    ///
    /// # Errors
    /// The database's.
    pub async fn agree(
        &self,
        request: &AuthRequest,
        browser: &Browser,
        caller: &Caller,
    ) -> Result<(), Error> {
        let (user, client) = (browser.account.id, request.client.id.clone());
        let asked = request.scope.clone();
        self.db
            .write(caller, move |tx| {
                // Of two that agree at once the second sees what the first agreed to.
                if !tx.lock_user(user, None)? {
                    return Ok(());
                }
                let before = tx.find_consent(user, &client)?.unwrap_or_default();
                let mut words: Vec<&str> =
                    before.split(' ').filter(|word| !word.is_empty()).collect();
                words.extend(
                    asked
                        .split(' ')
                        .filter(|word| !before.split(' ').any(|held| held == *word)),
                );
                let now = tx.now();
                tx.put_consent(user, &client, &words.join(" "), now)?;
                tx.audit(&AuditRecord::of(Event::ConsentGiven, user).detail(client.clone()))
            })
            .await?;
        Ok(())
    }

    /// The code for a request that nothing stands in the way of any more; `None` if the user has taken back meanwhile
    /// what he had agreed to.
    ///
    /// # Errors
    /// The database's.
    pub async fn code(
        &self,
        request: &AuthRequest,
        browser: &Browser,
        caller: &Caller,
    ) -> Result<Option<String>, Error> {
        let granted = Granted {
            client: request.client.id.clone(),
            agreed: step::to_agree(request).to_owned(),
            scope: request.scope.clone(),
            offline: has_word(&request.scope, OFFLINE),
            pending: PendingCode {
                redirect_uri: request.redirect_uri.clone(),
                challenge: request.challenge.clone(),
                nonce: request.nonce.clone(),
            },
        };
        self.sessions.issue_code(browser, granted, caller).await
    }

    /// The `id_token` that goes with an access token, if its scope makes the authorization a sign-in; gives the tokens
    /// back. RS256 takes a millisecond, so it is made where it holds up no other request.
    ///
    /// # Errors
    /// [`Error::Internal`] if no key signs.
    pub async fn id_token(
        self: Arc<Self>,
        tokens: AppTokens,
        client: Arc<Client>,
        now: i64,
    ) -> Result<(AppTokens, Option<String>), Error> {
        if tokens.user.is_none() || !has_word(&tokens.scope, OPENID) {
            return Ok((tokens, None));
        }
        let sign = move || {
            let Some((account, grant)) = &tokens.user else {
                return Ok((tokens, None));
            };
            let claims = id_token::claims(&self.issuer, account, grant, &tokens, now);
            let ring = self.id_keys.ring();
            let signed = id_token::sign(&ring, &client.id_token_alg, &claims, now)?;
            Ok((tokens, Some(signed)))
        };
        tokio::task::spawn_blocking(sign)
            .await
            .unwrap_or_else(|error| Err(Error::Internal(format!("id_token: {error}"))))
    }

    /// Whom a genuine `id_token` of this client tells of, be it over (OIDC Core §3.1.2.1).
    fn hint(&self, hint: &str, client: &Client) -> Option<Hint> {
        id_token::hint(&self.id_keys.ring(), &self.issuer, hint, &client.id)
    }
}
