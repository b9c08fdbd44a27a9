//! The sessions of clients once they are begun: refreshes, revocation, tokens; and services, which have no user.

use shared::clock::seconds;
use shared::token::NewAppToken;
use uuid::Uuid;

use super::Sessions;
use super::end::audit_endings;
use super::refresh::Turned;
use crate::clients::{Client, covers, has_word};
use crate::db::{Account, Caller, EndReason, Grant, Purpose, RefreshToken};
use crate::db::{NewSession, Owner, Session};
use crate::db::{SessionKind, Unit};
use crate::error::Error;

/// What `/oauth/token` hands out.
pub struct AppTokens {
    /// The signed JWT.
    pub access_token: String,
    /// Seconds until it is over, without skew.
    pub expires_in: i64,
    /// What it may be used for, words by blanks.
    pub scope: String,
    /// The refresh token, and the seconds until the session is over unless refreshed.
    pub refresh: Option<(String, i64)>,
    /// Of whom an `id_token` may tell, and by what grant; `None` for a service.
    pub user: Option<(Account, Grant)>,
    /// What the `id_token` of an exchange repeats.
    pub nonce: Option<String>,
}

impl Sessions {
    /// Exchanges a client's refresh token, by the same table as the account's own. `scope` narrows this access token,
    /// and nothing else (RFC 6749 §6).
    ///
    /// # Errors
    /// The refusals of the table; [`Error::InvalidScope`] if `scope` has more than was granted.
    pub async fn refresh_app(
        &self,
        refresh: &str,
        client: &Client,
        scope: Option<&str>,
        caller: &Caller,
    ) -> Result<AppTokens, Error> {
        let exchanged = async {
            let presented = RefreshToken::read(refresh, Purpose::App, &self.mac_keys)?;
            if let Some(scope) = scope {
                self.may_narrow(&presented, client, scope).await?;
            }
            let owner = Owner::Client(client.id.clone());
            let (turned, how) = self.turn(presented, Ok(owner), caller).await?;
            Ok((self.app_tokens(turned, client, scope, caller.now)?, how))
        }
        .await;
        self.counters
            .refresh(exchanged.as_ref().map(|(_, how)| *how));
        exchanged.map(|(tokens, _)| tokens)
    }

    /// Looked at before the session turns: what is refused loses nothing.
    async fn may_narrow(
        &self,
        presented: &RefreshToken,
        client: &Client,
        scope: &str,
    ) -> Result<(), Error> {
        let found = self.find(presented.session).await?;
        let grant = found
            .filter(|found| found.session.nonce == presented.nonce)
            .and_then(|found| found.session.grant)
            .filter(|grant| grant.client == client.id);
        match grant {
            Some(grant) if !covers(&grant.scope, scope) => Err(Error::InvalidScope),
            // Whatever is wrong with it, the table says.
            _ => Ok(()),
        }
    }

    /// Ends the session of a client's refresh or access token (RFC 7009 §2.1). What is no token of ours, or of a session
    /// that is over, is as good as revoked.
    ///
    /// # Errors
    /// [`Error::InvalidRefreshToken`] for a genuine one of somebody else's.
    pub async fn revoke_app(
        &self,
        token: &str,
        client: &Client,
        caller: &Caller,
    ) -> Result<(), Error> {
        let refresh = RefreshToken::read(token, Purpose::App, &self.mac_keys).ok();
        // Over for so long that no gate takes an access token of it any more: nothing is left to end.
        if refresh.as_ref().is_some_and(|presented| {
            presented.absolute_until.saturating_add(self.accepted()) <= caller.now
        }) {
            return Ok(());
        }
        let nonce = refresh.as_ref().map(|presented| presented.nonce);
        let session = refresh.map(|presented| presented.session).or_else(|| {
            let claims = self.validator.recognise(token).ok()?;
            claims.sid?.parse().ok()
        });
        let Some(id) = session else { return Ok(()) };
        let found = self.find(id).await?;
        // Who has the MAC key alone can make no token of a session, and so cannot end one.
        let fits = |session: &Session| nonce.is_none_or(|nonce| nonce == session.nonce);
        let Some(session) = found.map(|found| found.session).filter(fits) else {
            return Ok(());
        };
        let owner = Owner::Client(client.id.clone());
        if !owner.owns(&session) {
            return Err(Error::InvalidRefreshToken);
        }
        let (user, owner) = (session.user, client.id.clone());
        let ended = self.db.write(caller, move |tx| {
            let ended = tx.end_app(id, &owner, EndReason::Logout)?;
            audit_endings(tx, user, &ended, EndReason::Logout)?;
            Ok(ended)
        });
        self.announcer.announce(&ended.await?);
        Ok(())
    }

    /// An access token for a client in its own name (RFC 6749 §4.4).
    ///
    /// # Errors
    /// The database's.
    pub async fn service(
        &self,
        client: &Client,
        scope: String,
        caller: &Caller,
    ) -> Result<AppTokens, Error> {
        let now = caller.now;
        let ttl = seconds(self.lifetimes.access_token_ttl);
        let (until, id) = (now.saturating_add(ttl), client.id.clone());
        let found = self.db.read({
            let id = id.clone();
            move |tx| tx.find_service(&id, until)
        });
        let session = if let Some(session) = found.await? {
            session
        } else {
            let new = self.new_service(client, caller)?;
            let unit = move |tx: &mut Unit<'_, '_>| {
                // Of two that find none, the second waits here and finds the first one's.
                if !tx.hold_client(&id)? {
                    return Ok(None);
                }
                if let Some(found) = tx.find_service(&id, until)? {
                    return Ok(Some(found));
                }
                tx.insert_session(&new)?;
                Ok(Some(new.token.session))
            };
            // Blocked or removed since it was read.
            let begun = self.db.write(caller, unit).await?;
            begun.ok_or(Error::InvalidClient)?
        };
        let access_token = self.signer.sign_app(
            &NewAppToken {
                sub: &client.id,
                sid: &session.to_string(),
                jti: &Uuid::new_v4().to_string(),
                iat: now,
                exp: until,
                client_id: &client.id,
                scope: &scope,
                for_apis: client.api,
                name: None,
                email: None,
                roles: Some(&client.roles),
            },
            now,
        )?;
        Ok(AppTokens {
            access_token,
            expires_in: ttl,
            scope,
            refresh: None,
            user: None,
            nonce: None,
        })
    }

    fn new_service(&self, client: &Client, caller: &Caller) -> Result<NewSession, Error> {
        let token = self.new_token(Purpose::App, self.lifetimes.refresh_absolute_ttl, caller)?;
        Ok(NewSession {
            user: None,
            created_at: caller.now,
            idle_until: token.absolute_until,
            token,
            device: caller.user_agent.clone(),
            address: caller.address.clone(),
            kind: SessionKind::Service,
            parent: None,
            auth_time: caller.now,
            grant: Some(Grant {
                client: client.id.clone(),
                scope: client.scopes.join(" "),
                auth_time: caller.now,
                amr: String::new(),
                browser_sid: None,
            }),
            pending: None,
        })
    }

    pub(super) fn app_tokens(
        &self,
        turned: Turned,
        client: &Client,
        narrowed: Option<&str>,
        now: i64,
    ) -> Result<AppTokens, Error> {
        let Turned {
            account,
            token,
            refresh_expires_in,
            grant,
        } = turned;
        let grant = grant.ok_or_else(|| Error::Internal("a client's session has none".into()))?;
        // What an operator has taken from the client since, it has no more.
        let scope = client.within(narrowed.unwrap_or(&grant.scope));
        let has = |word: &str| has_word(&scope, word);
        let exp = now
            .saturating_add(seconds(self.lifetimes.access_token_ttl))
            .min(token.absolute_until);
        let access_token = self.signer.sign_app(
            &NewAppToken {
                sub: &account.id.to_string(),
                sid: &token.session.to_string(),
                jti: &Uuid::new_v4().to_string(),
                iat: now,
                exp,
                client_id: &client.id,
                scope: &scope,
                for_apis: client.api,
                name: has("profile").then_some(account.user_name.as_str()),
                email: has("email").then_some((account.email.as_str(), account.email_verified)),
                roles: has("roles").then_some(account.roles.as_slice()),
            },
            now,
        )?;
        let refresh = token.encode(&self.mac_keys.ring())?;
        Ok(AppTokens {
            access_token,
            expires_in: exp.saturating_sub(now),
            scope,
            refresh: Some((refresh, refresh_expires_in)),
            user: Some((account, grant)),
            nonce: None,
        })
    }
}
