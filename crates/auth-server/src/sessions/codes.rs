//! Authorization codes: an authorization is a session whose generation is 0 until its client has fetched it. Here a code
//! becomes a token.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use shared::clock::seconds;
use subtle::ConstantTimeEq;

use super::apps::AppTokens;
use super::browser::Browser;
use super::end::audit_endings;
use super::listing::expires_in;
use super::refresh::Turned;
use super::start::end_beyond;
use super::sweep::KEEP_SESSION;
use super::{Sessions, expires_soonest};
use crate::clients::{Client, covers};
use crate::db::{AuditRecord, CodeRow, Fetched, NewSession, PendingCode};
use crate::db::{Caller, EndReason, Event, Generation, Grant, Purpose, RefreshToken};
use crate::db::{SessionId, SessionKind};
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
    /// What of it the user must have agreed to.
    pub agreed: String,
    /// Whether the session stays when the browser signs out.
    pub offline: bool,
    /// What the exchange must fit.
    pub pending: PendingCode,
}

impl Sessions {
    /// Makes a code: a session at generation 0, below that of the browser. `None` if the user has taken back what he
    /// had agreed to since that was looked at.
    ///
    /// # Errors
    /// The database's.
    pub async fn issue_code(
        &self,
        browser: &Browser,
        granted: Granted,
        caller: &Caller,
    ) -> Result<Option<String>, Error> {
        let until = caller
            .now
            .saturating_add(CODE_SECONDS)
            .min(browser.absolute_until);
        let base = self.new_session(&browser.account, caller)?;
        let parent = browser.session;
        let (user, client, agreed) = (browser.account.id, granted.client.clone(), granted.agreed);
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
        let issued = self.db.write(caller, move |tx| {
            // Where he must have agreed, the users row comes first: whoever takes access away writes it as well, and
            // finds this code, or is found here.
            let held = agreed.is_empty()
                || tx.lock_user(user, None)?
                    && tx
                        .find_consent(user, &client)?
                        .is_some_and(|consent| covers(&consent, &agreed));
            if !held {
                return Ok(false);
            }
            tx.insert_session(&new)?;
            let now = tx.now();
            let id = new.token.session;
            tx.limit_codes((parent, id), &client, MOST_WAITING, now)?;
            Ok(true)
        });
        let issued = issued.await?;
        self.sweeper.sweep_soon(caller.now);
        Ok(issued.then_some(code))
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
            // The users row first, as in every unit that may end several sessions; and a block of the client is before
            // this unit or after it.
            if !tx.lock_user(user, None)? || !tx.share_client(&fetched.client)? {
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
            tx.queue_log_outs(ended.as_slice())?;
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
}
