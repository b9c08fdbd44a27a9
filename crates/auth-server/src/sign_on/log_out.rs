//! A program's request to sign its user out (OIDC RP-Initiated Logout 1.0).

use std::sync::Arc;

use pages::Mistake;
use serde::Deserialize;

use super::SignOn;
use super::id_token::TYP;
use super::params::{Params, Twice};
use super::request::{LONGEST, Refused};
use crate::clients::Client;
use crate::db::{Caller, SessionId, UserId};
use crate::error::Error;
use crate::sessions::Browser;

/// What our form carries of a request, in this order: all that is read of it.
const CARRIED: [&str; 5] = [
    "id_token_hint",
    "client_id",
    "post_logout_redirect_uri",
    "state",
    "ui_locales",
];

/// A request that is what it must be.
pub struct LogOutRequest {
    /// Whom a genuine `id_token_hint` tells of.
    hint: Option<LogOutHint>,
    /// Where the browser goes then, with the request's `state`.
    back: Option<String>,
    /// The languages that the user likes.
    pub ui_locales: Option<String>,
    /// The request again, as our form carries it.
    pub query: String,
}

/// What a genuine `id_token_hint` tells.
struct LogOutHint {
    user: UserId,
    sid: Option<SessionId>,
    client: String,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    sid: Option<SessionId>,
}

/// What is to be done about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaving {
    /// Sign out: the program's user is who is signed in here, and the program has shown that it knows this session.
    AtOnce,
    /// Ask whoever sits before the page.
    Ask,
    /// Nobody is signed in.
    Nobody,
}

impl LogOutRequest {
    /// Where the browser goes once it is signed out; `None`: it stays on our page.
    #[must_use]
    pub fn back(&self) -> Option<&str> {
        self.back.as_deref()
    }

    /// The same for a browser in which nobody is signed in: only a program that has signed somebody in is gone back to.
    #[must_use]
    pub fn back_unasked(&self) -> Option<&str> {
        self.hint.as_ref().and(self.back())
    }
}

impl SignOn {
    /// Reads a request. A hint that is none of ours, or so old that its key is gone, counts as none: its user wants to
    /// leave all the same, and is asked.
    ///
    /// # Errors
    /// What is wrong with it, for the page: nobody is sent anywhere.
    pub fn log_out_request(&self, params: &Params) -> Result<LogOutRequest, Refused> {
        let malformed = |said: &str| Refused::page(Mistake::Malformed, "invalid_request", said);
        let one = |name| {
            params
                .one(name)
                .map_err(|Twice(name)| malformed(&format!("{name} came more than once")))
        };
        let hint = one("id_token_hint")?.and_then(|token| self.log_out_hint(token));
        let (named, wanted, state) = (
            one("client_id")?,
            one("post_logout_redirect_uri")?,
            one("state")?,
        );
        let ui_locales = one("ui_locales")?.map(str::to_owned);
        if let (Some(hint), Some(named)) = (&hint, named)
            && hint.client != named
        {
            return Err(malformed("client_id is not the client of id_token_hint"));
        }
        if state.is_some_and(|state| state.len() > LONGEST) {
            return Err(malformed("state is longer than 2048 bytes"));
        }
        let client = hint.as_ref().map(|hint| hint.client.as_str()).or(named);
        let client = client
            .and_then(|id| self.clients.find(id))
            .filter(|client| !client.blocked);
        let back = match (client, wanted) {
            (Some(client), Some(wanted)) => Some(back_to(&client, wanted, state)?),
            // Whose it is nobody can say, so nobody is sent there.
            (None, _) | (_, None) => None,
        };
        Ok(LogOutRequest {
            hint,
            back,
            ui_locales,
            query: params.query_of(&CARRIED),
        })
    }

    /// What is to be done about a request, where this browser is signed in.
    ///
    /// # Errors
    /// The database's.
    pub async fn leaving(
        &self,
        request: &LogOutRequest,
        browser: Option<&Browser>,
    ) -> Result<Leaving, Error> {
        let Some(browser) = browser else {
            return Ok(Leaving::Nobody);
        };
        let Some(LogOutHint {
            user,
            sid: Some(sid),
            client,
        }) = &request.hint
        else {
            return Ok(Leaving::Ask);
        };
        let same =
            *user == browser.account.id && self.sessions.is_known_as(browser, *sid, client).await?;
        Ok(if same { Leaving::AtOnce } else { Leaving::Ask })
    }

    /// The names of the programs that this browser is signed in to.
    ///
    /// # Errors
    /// The database's.
    pub async fn programs(&self, browser: &Browser, caller: &Caller) -> Result<Vec<String>, Error> {
        let ids = self.sessions.programs_of(browser, caller.now).await?;
        let clients = ids.iter().filter_map(|id| self.clients.find(id));
        let mut names: Vec<String> = clients.map(|client| client.name.clone()).collect();
        names.sort();
        Ok(names)
    }

    /// What a genuine `id_token` of any client tells, be it over.
    fn log_out_hint(&self, token: &str) -> Option<LogOutHint> {
        let payload = self.id_keys.ring().recognise(token, TYP).ok()?;
        let claims: Claims = serde_json::from_str(&payload).ok()?;
        if claims.iss != self.issuer {
            return None;
        }
        Some(LogOutHint {
            user: claims.sub.parse().ok()?,
            sid: claims.sid,
            client: claims.aud,
        })
    }
}

/// An address that is registered for log-outs, letter by letter, with the state.
fn back_to(client: &Arc<Client>, wanted: &str, state: Option<&str>) -> Result<String, Refused> {
    if !client.logout_uris.iter().any(|uri| uri == wanted) {
        return Err(Refused::page(
            Mistake::RedirectUri,
            "invalid_request",
            "post_logout_redirect_uri is not, letter by letter, one that is registered for this client",
        ));
    }
    Ok(match state {
        None => wanted.to_owned(),
        Some(state) => {
            let mark = if wanted.contains('?') { '&' } else { '?' };
            let state = serde_urlencoded::to_string([("state", state)]).unwrap_or_default();
            format!("{wanted}{mark}{state}")
        }
    })
}
