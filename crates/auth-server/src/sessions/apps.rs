//! The sessions of clients: an authorization is a session whose generation is 0 until its client has fetched it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use shared::clock::seconds;
use shared::token::NewAppToken;
use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::browser::Browser;
use super::end::audit_endings;
use super::listing::expires_in;
use super::refresh::Turned;
use super::start::end_beyond;
use super::sweep::KEEP_SESSION;
use super::{Sessions, expires_soonest};
use crate::clients::Client;
use crate::db::{Account, Caller, EndReason, Event, Generation, Grant, Purpose, RefreshToken};
use crate::db::{AuditRecord, CodeRow, Fetched, NewSession, Owner, PendingCode};
use crate::db::{SessionId, SessionKind, Unit};
use crate::error::Error;

/// Seconds that a code waits to be fetched (RFC 6749 §4.1.2 allows ten minutes).
pub(crate) const CODE_SECONDS: i64 = 60;

/// Seconds after the exchange in which the same code may come again without harm: a client that renders twice, or
/// whose answer was lost.
const TWICE: i64 = 10;

/// Live sessions that a client may have in one browser.
const MOST_LIVE: i64 = 10;
/// And codes that may wait.
const MOST_WAITING: i64 = 20;
/// How often an exchange that missed is tried again: its row may have been handed over to another log-in meanwhile.
const TRIES: usize = 3;

/// What a user's authorization gives a client.
pub struct Granted {
    /// The client.
    pub client: String,
    /// What its tokens may be used for, words by blanks.
    pub scope: String,
    /// Whether the session stays when the browser signs out.
    pub offline: bool,
    /// What the exchange must fit.
    pub pending: PendingCode,
}

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
    /// Makes a code: a session at generation 0, below that of the browser.
    ///
    /// # Errors
    /// The database's.
    pub async fn issue_code(
        &self,
        browser: &Browser,
        granted: Granted,
        caller: &Caller,
    ) -> Result<String, Error> {
        let until = caller
            .now
            .saturating_add(CODE_SECONDS)
            .min(browser.absolute_until);
        let base = self.new_session(&browser.account, caller)?;
        let parent = browser.session;
        let client = granted.client.clone();
        let new = NewSession {
            token: RefreshToken {
                purpose: Purpose::Code,
                generation: Generation(0),
                absolute_until: until,
                ..base.token
            },
            idle_until: until,
            kind: if granted.offline {
                SessionKind::Offline
            } else {
                SessionKind::App
            },
            parent: Some(parent),
            auth_time: browser.auth_time,
            grant: Some(Grant {
                client: granted.client,
                scope: granted.scope,
                auth_time: browser.auth_time,
                amr: browser.amr.clone(),
                browser_sid: Some(browser.session),
            }),
            pending: Some(granted.pending),
            ..base
        };
        let code = new.token.encode(&self.mac_keys.ring())?;
        self.db
            .write(caller, move |tx| {
                tx.insert_session(&new)?;
                let now = tx.now();
                let id = new.token.session;
                tx.limit_codes((parent, id), &client, MOST_WAITING, now)
            })
            .await?;
        self.sweeper.sweep_soon(caller.now);
        Ok(code)
    }

    /// Exchanges a code for tokens, once.
    ///
    /// # Errors
    /// [`Error::InvalidCode`] for one that is over, spent, another client's, or does not fit what it was asked with. In
    /// the last case it is spent; one that comes again after its exchange, with the right verifier, ends the session.
    pub async fn exchange_code(
        &self,
        code: &str,
        client: &Client,
        redirect_uri: Option<&str>,
        verifier: Option<&str>,
        caller: &Caller,
    ) -> Result<AppTokens, Error> {
        let presented = RefreshToken::read(code, Purpose::Code, &self.mac_keys)
            .map_err(|_| Error::InvalidCode)?;
        if presented.absolute_until <= caller.now {
            return Err(Error::InvalidCode);
        }
        // A code is spent by its exchange, so first whether tokens can be made.
        self.signer.can_sign(caller.now)?;
        let words = (redirect_uri, verifier);
        for _ in 0..TRIES {
            let fetched = self.fetch(&presented, client, words, caller).await?;
            if let Some((turned, nonce)) = fetched {
                return Ok(AppTokens {
                    nonce,
                    ..self.app_tokens(turned, client, None, caller.now)?
                });
            }
        }
        Err(Error::InvalidCode)
    }

    /// One try of an exchange; `None`: the row was not any more what it had been a moment before.
    async fn fetch(
        &self,
        presented: &RefreshToken,
        client: &Client,
        (redirect_uri, verifier): (Option<&str>, Option<&str>),
        caller: &Caller,
    ) -> Result<Option<(Turned, Option<String>)>, Error> {
        let id = presented.session;
        let row = self.db.read(move |tx| tx.find_code(id)).await?;
        let row = row
            .filter(|row| row.nonce == presented.nonce && row.client == client.id)
            .ok_or(Error::InvalidCode)?;
        let proven = is_proven(row.challenge.as_deref(), verifier);
        let waits = row.generation == Generation(0) && !row.ended;
        let Some(pending) = row.pending.as_ref().filter(|_| waits) else {
            let late = row.created_at.saturating_add(TWICE) <= caller.now;
            if proven && late && !row.ended && row.generation > Generation(0) {
                self.end_by_code(id, &row, false, caller).await?;
            }
            return Err(Error::InvalidCode);
        };
        if !proven || redirect_uri.is_some_and(|uri| uri != pending.redirect_uri) {
            self.end_by_code(id, &row, true, caller).await?;
            return Err(Error::InvalidCode);
        }
        let nonce = pending.nonce.clone();
        let (Some(parent), Some(parent_until), Some(user)) =
            (row.parent, row.parent_until, row.user)
        else {
            return Err(Error::InvalidCode);
        };
        let longest = caller
            .now
            .saturating_add(seconds(self.lifetimes.refresh_absolute_ttl));
        let offline = row.kind == SessionKind::Offline;
        let absolute_until = if offline {
            longest
        } else {
            longest.min(parent_until)
        };
        let fetched = Fetched {
            session: id,
            nonce: presented.nonce,
            client: client.id.clone(),
            now: caller.now,
            idle_until: expires_soonest(caller.now, self.idle_lifetime(), absolute_until),
            absolute_until,
            address: caller.address.clone(),
            agent: caller.user_agent.clone(),
        };
        let keep = self.lifetimes.max_sessions_per_user;
        let exchanged = self.db.write(caller, move |tx| {
            // The users row first, as in every unit that may end several sessions.
            if !tx.lock_user(user, None)? {
                return Ok(None);
            }
            let Some((account, Some(grant))) = tx.fetch_session(&fetched)? else {
                return Ok(None);
            };
            let record = AuditRecord::of(Event::AppSignedIn, user).session(id);
            tx.audit(&record.detail(grant.client.clone()))?;
            let ended = if offline {
                end_beyond(tx, user, id, keep)?
            } else {
                let now = tx.now();
                let times = (now, now.saturating_sub(KEEP_SESSION));
                let ended = tx.limit_apps((parent, id), &grant.client, MOST_LIVE, times)?;
                audit_endings(tx, user, &ended, EndReason::Limit)?;
                ended
            };
            Ok(Some((account, grant, ended)))
        });
        let Some((account, grant, ended)) = exchanged.await? else {
            return Ok(None);
        };
        self.announcer.announce(&ended);
        let token = RefreshToken {
            purpose: Purpose::App,
            generation: Generation::FIRST,
            absolute_until,
            ..presented.clone()
        };
        let turned = Turned {
            account,
            refresh_expires_in: expires_in(self.idle_lifetime(), absolute_until, caller.now),
            token,
            grant: Some(grant),
        };
        Ok(Some((turned, nonce)))
    }

    async fn end_by_code(
        &self,
        id: SessionId,
        row: &CodeRow,
        waiting: bool,
        caller: &Caller,
    ) -> Result<(), Error> {
        let Some(user) = row.user else { return Ok(()) };
        let client = row.client.clone();
        let ended = self.db.write(caller, move |tx| {
            let ended = tx.end_code(id, &client, waiting)?;
            audit_endings(tx, user, ended.as_slice(), EndReason::Reuse)?;
            Ok(ended)
        });
        let ended = ended.await?;
        if ended.is_some() {
            log::warn!(
                "reuse: a code of session {id} came {} (request {})",
                if waiting {
                    "with words that it was not asked with"
                } else {
                    "back after its exchange"
                },
                caller.request_id
            );
        }
        self.announcer.announce(ended.as_slice());
        Ok(())
    }

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
            Some(grant) if !is_within(scope, &grant.scope) => Err(Error::InvalidScope),
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
        let session = refresh.map(|presented| presented.session).or_else(|| {
            let claims = self.validator.recognise(token).ok()?;
            claims.sid?.parse().ok()
        });
        let Some(id) = session else { return Ok(()) };
        let found = self.find(id).await?;
        let Some(session) = found.map(|found| found.session) else {
            return Ok(());
        };
        let owner = Owner::Client(client.id.clone());
        if !owner.owns(&session) {
            return Err(Error::InvalidRefreshToken);
        }
        let (user, owner) = (session.user, client.id.clone());
        let ended = self.db.write(caller, move |tx| {
            let ended = tx.end_app(id, &owner, EndReason::Logout)?;
            match user {
                Some(user) => audit_endings(tx, user, &ended, EndReason::Logout)?,
                None => ended.iter().try_for_each(|one| {
                    let record = AuditRecord::general(Event::SessionEnded).session(one.session);
                    tx.audit(&record.detail(EndReason::Logout.as_str()))
                })?,
            }
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

    fn app_tokens(
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
        let has = |word: &str| scope.split(' ').any(|held| held == word);
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

/// Whether every word of `scope` is in `granted`.
fn is_within(scope: &str, granted: &str) -> bool {
    let granted: Vec<_> = granted.split(' ').collect();
    scope.split(' ').all(|word| granted.contains(&word))
}

/// RFC 7636 §4.6. A verifier for a code that was asked for without a challenge is refused (RFC 9700 §4.8.2).
fn is_proven(challenge: Option<&str>, verifier: Option<&str>) -> bool {
    match (challenge, verifier) {
        (Some(challenge), Some(verifier)) => {
            let form = |c: u8| c.is_ascii_alphanumeric() || b"-._~".contains(&c);
            let computed = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier));
            (43..=128).contains(&verifier.len())
                && verifier.bytes().all(form)
                && bool::from(computed.as_bytes().ct_eq(challenge.as_bytes()))
        }
        (None, None) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_verifier_of_the_challenge_proves_a_code() {
        // The example of RFC 7636, appendix B.
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        assert!(is_proven(Some(challenge), Some(verifier)));
        assert!(is_proven(None, None));
        for (challenge, given) in [
            (Some(challenge), None),
            (None, Some(verifier)),
            (Some(challenge), Some(challenge)),
            (Some(challenge), Some("")),
            (Some(verifier), Some(verifier)),
            (Some(challenge), Some(&verifier[..42])),
        ] {
            assert!(!is_proven(challenge, given), "{challenge:?} {given:?}");
        }
        let hash = |text: &str| URL_SAFE_NO_PAD.encode(Sha256::digest(text));
        let (short, long, odd) = (
            "a".repeat(42),
            "a".repeat(129),
            format!("{} ", "a".repeat(50)),
        );
        for verifier in [short, long, odd] {
            assert!(
                !is_proven(Some(&hash(&verifier)), Some(&verifier)),
                "{verifier}"
            );
        }
        let longest = "a".repeat(128);
        assert!(is_proven(Some(&hash(&longest)), Some(&longest)));
    }

    #[test]
    fn a_scope_narrows_and_never_widens() {
        for (scope, granted, expected) in [
            ("openid", "openid email", true),
            ("email openid", "openid email", true),
            ("openid roles", "openid email", false),
            ("OPENID", "openid", false),
            ("open", "openid", false),
        ] {
            assert_eq!(is_within(scope, granted), expected, "{scope} in {granted}");
        }
    }
}
