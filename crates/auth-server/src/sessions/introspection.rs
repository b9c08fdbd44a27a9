//! What somebody may know of a token that was presented to him (RFC 7662): from memory, and by one look at a session's
//! row. No HTTP, and nothing is changed: a token that is looked at is not used.
//!
//! Whatever is not the asker's, not for the asker, over, ended or no token at all is the same nothing, and costs about
//! the same.

use std::sync::Arc;

use shared::claims::Claims;
use shared::revocations::Verdict;

use super::Sessions;
use super::refresh::as_presented;
use super::refresh_token::{Purpose, RefreshToken};
use super::rotation::{Judgement, in_grace, judge, over};
use crate::clients::{Client, ClientKind, Clients, has_word};
use crate::db::{Generation, Owner, Session, SessionId, SessionKind, SessionWithAccount};
use crate::error::Error;

/// The scope that tells what a user is called.
const PROFILE: &str = "profile";

/// Who asks: a client that has shown its secret, or a service by its access token.
pub struct Asker {
    /// The client.
    pub client: Arc<Client>,
    /// The session of that access token, which must live.
    pub session: Option<SessionId>,
}

/// What is told of a token that is active; times in Unix seconds.
pub struct Introspected {
    /// What it may be used for, words by blanks; `None` for the account's own, which may do everything.
    pub scope: Option<String>,
    /// The client that it was issued to; `None` for the account's own.
    pub client: Option<String>,
    /// The user, or the service.
    pub sub: String,
    /// What the user is called, where the token may tell that.
    pub username: Option<String>,
    /// Its session, as the revocation feed names it.
    pub sid: String,
    /// Whom it is for; nobody but the issuer takes a refresh token.
    pub aud: Vec<String>,
    /// Who issued it.
    pub iss: String,
    /// Over from then on. A refresh token's is as coarse as in the user's list.
    pub exp: i64,
    /// Issued at; not of a refresh token, since it would tell when the last rotation was.
    pub iat: Option<i64>,
    /// Not valid before.
    pub nbf: Option<i64>,
    /// The id of this very token.
    pub jti: Option<String>,
    /// `Bearer`, or `refresh_token`: nobody may take that for an access token.
    pub token_type: &'static str,
}

/// A genuine token that the asker may know of, as far as memory can tell.
enum Held {
    Access(Box<Claims>),
    Refresh(RefreshToken),
}

impl Sessions {
    /// The service whose access token this is, as far as memory can tell: whether its session lives is left open.
    #[must_use]
    pub fn service_of(&self, bearer: &str, clients: &Clients, now: i64) -> Option<Asker> {
        let claims = self.good_claims(bearer, now)?;
        let id = claims.client_id.filter(|id| *id == claims.sub)?;
        let client = clients.find(&id)?;
        let session = claims.sid?.parse().ok()?;
        (client.kind == ClientKind::Service && !client.blocked).then_some(Asker {
            client,
            session: Some(session),
        })
    }

    /// What `asker` may know of a token; `None` if that is nothing.
    ///
    /// # Errors
    /// [`Error::SessionEnded`] if the asker's own session is over; the database's.
    pub async fn introspect(
        &self,
        token: &str,
        asker: &Asker,
        clients: &Clients,
        now: i64,
    ) -> Result<Option<Introspected>, Error> {
        let held = self.held(token, &asker.client, clients, now);
        // A row is looked for in any case, so that the time tells nobody whether what is not his is genuine.
        let id = held.as_ref().and_then(Held::session);
        let (id, own) = (id.unwrap_or_else(SessionId::random), asker.session);
        let (found, own_row) = self
            .db
            .read(move |tx| {
                let own_row = own.map(|own| tx.find_session(own)).transpose()?;
                Ok((tx.find_session(id)?, own_row.flatten()))
            })
            .await?;
        let own_lives = own_row.is_some_and(|row| is_service(&row.session, &asker.client.id));
        if own.is_some() && !own_lives {
            return Err(Error::SessionEnded);
        }
        Ok(match (held, found) {
            (Some(Held::Access(claims)), Some(found)) => access(*claims, found, now),
            (Some(Held::Refresh(presented)), Some(found)) => {
                self.refresh_token(&presented, found, &asker.client, now)
            }
            _ => None,
        })
    }

    /// The claims of an access token that is good at `now`, by the issuer's own clock.
    fn good_claims(&self, token: &str, now: i64) -> Option<Claims> {
        let checked = self.validator.check_for_issuer(token, now).ok()?;
        let claims = checked.judge(Verdict::Live, now).ok()?.claims;
        // The skew is forgiven between two clocks, and here is only one.
        (now < claims.exp).then_some(claims)
    }

    /// What is presented, if the asker may know of it.
    fn held(&self, token: &str, asker: &Client, clients: &Clients, now: i64) -> Option<Held> {
        if let Ok(presented) = RefreshToken::read(token, Purpose::App, &self.mac_keys) {
            return Some(Held::Refresh(presented));
        }
        let claims = self.good_claims(token, now)?;
        let own = claims.client_id.as_deref() == Some(asker.id.as_str());
        let audiences = &self.validator.policy().audiences;
        let for_apis = claims.aud.iter().any(|aud| audiences.contains(aud));
        if !(own || is_api(asker) && for_apis) {
            return None;
        }
        // Its sessions have ended with the block; and whoever is not known any more has none.
        let issued_to = claims.client_id.as_deref().map(|id| clients.find(id));
        let blocked = issued_to.is_some_and(|it| it.is_none_or(|client| client.blocked));
        (!blocked).then(|| Held::Access(Box::new(claims)))
    }

    /// A refresh token, which its own client alone may know of. Active is what a refresh would take now, but for one
    /// that came too late: what forgives that counts how often it does, and a look is no use.
    fn refresh_token(
        &self,
        presented: &RefreshToken,
        found: SessionWithAccount,
        asker: &Client,
        now: i64,
    ) -> Option<Introspected> {
        let SessionWithAccount { session, account } = found;
        let owner = Owner::Client(asker.id.clone());
        if session.nonce != presented.nonce || !owner.owns(&session) {
            return None;
        }
        let (rules, account) = (self.rules(), account?);
        let session = as_presented(session, presented);
        let active = match judge(&session, presented.generation, now, rules) {
            Judgement::Current | Judgement::Behind => true,
            Judgement::Retry => in_grace(&session, now, rules),
            _ => false,
        };
        if !active {
            return None;
        }
        let grant = session.grant.as_ref()?;
        let scope = asker.within(&grant.scope);
        Some(Introspected {
            client: Some(grant.client.clone()),
            sub: account.id.to_string(),
            username: has_word(&scope, PROFILE).then_some(account.user_name),
            sid: session.id.to_string(),
            aud: vec![self.validator.policy().issuer.clone()],
            iss: self.validator.policy().issuer.clone(),
            scope: Some(scope),
            exp: self.shown(session, now).idle_expires_at,
            iat: None,
            nbf: None,
            jti: None,
            token_type: "refresh_token",
        })
    }
}

impl Held {
    fn session(&self) -> Option<SessionId> {
        match self {
            Self::Access(claims) => claims.sid.as_deref()?.parse().ok(),
            Self::Refresh(presented) => Some(presented.session),
        }
    }
}

/// Whether a client is an API, which looks at what others present to it.
fn is_api(client: &Client) -> bool {
    client.kind == ClientKind::Service && client.api
}

/// Whether this is a live session of that service.
fn is_service(session: &Session, client: &str) -> bool {
    let owner = Owner::Client(client.to_owned());
    session.kind == SessionKind::Service && owner.owns(session) && session.ended.is_none()
}

/// An access token whose claims are good, by the row of its session.
fn access(claims: Claims, found: SessionWithAccount, now: i64) -> Option<Introspected> {
    let SessionWithAccount { session, account } = found;
    let client = session.grant.as_ref().map(|grant| grant.client.as_str());
    let user = session.user.map(|user| user.to_string());
    let whose = match session.kind {
        // Its cookie is its only token.
        SessionKind::Browser => None,
        SessionKind::Service => client,
        SessionKind::Account | SessionKind::App | SessionKind::Offline => user.as_deref(),
    };
    let fits = client == claims.client_id.as_deref() && whose == Some(claims.sub.as_str());
    // A row at generation 0 was set back to before its token: its ends are those of the code.
    let is_over = if session.generation == Generation(0) {
        session.ended.is_some()
    } else {
        over(&session, now).is_some()
    };
    if !fits || is_over {
        return None;
    }
    let named = claims.has_scope(PROFILE);
    Some(Introspected {
        username: account.filter(|_| named).map(|account| account.user_name),
        scope: claims.scope,
        client: claims.client_id,
        sub: claims.sub,
        sid: session.id.to_string(),
        aud: claims.aud,
        iss: claims.iss,
        exp: claims.exp,
        iat: claims.iat,
        nbf: claims.nbf,
        jti: claims.jti,
        token_type: "Bearer",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{EndReason, Grant, UserId};

    const NOW: i64 = 1000;

    fn row(kind: SessionKind, user: Option<UserId>, client: Option<&str>) -> Session {
        Session {
            id: uuid::Uuid::nil().into(),
            user,
            generation: Generation(1),
            nonce: [0; 16],
            created_at: 0,
            rotated_at: 0,
            idle_until: NOW + 1,
            absolute_until: NOW + 1,
            late_generation: Generation(0),
            late_streak: 0,
            ended: None,
            device: String::new(),
            address: String::new(),
            agent: None,
            seen_at: 0,
            seen_address: String::new(),
            sighting: None,
            shown_sighting: None,
            kind,
            parent: None,
            grant: client.map(|client| Grant {
                client: client.into(),
                scope: String::new(),
                auth_time: 0,
                amr: String::new(),
                browser_sid: None,
            }),
        }
    }

    fn claims(sub: &str, client: Option<&str>) -> Claims {
        Claims {
            iss: "i".into(),
            aud: vec!["a".into()],
            sub: sub.into(),
            sid: None,
            jti: None,
            iat: None,
            nbf: None,
            exp: NOW + 1,
            name: None,
            email: None,
            email_verified: false,
            roles: Vec::new(),
            client_id: client.map(str::to_owned),
            scope: None,
        }
    }

    fn is_active(claims: Claims, session: Session) -> bool {
        let found = SessionWithAccount {
            session,
            account: None,
        };
        access(claims, found, NOW).is_some()
    }

    #[test]
    fn an_access_token_is_of_the_row_that_it_names_or_of_none() {
        use SessionKind::{Account, App, Browser, Offline, Service};
        let (ada, bo) = (UserId::random(), UserId::random());
        let text = ada.to_string();
        let (ada_s, shop) = (text.as_str(), Some("shop"));
        for (kind, user, client, sub, of, expected) in [
            (Account, Some(ada), None, ada_s, None, true),
            (App, Some(ada), shop, ada_s, shop, true),
            (Offline, Some(ada), shop, ada_s, shop, true),
            (Service, None, shop, "shop", shop, true),
            // Another user's, or that of a deleted account.
            (Account, Some(bo), None, ada_s, None, false),
            (Account, None, None, ada_s, None, false),
            (App, Some(bo), shop, ada_s, shop, false),
            // Another client's, the account's own, a client's in the clothes of the account.
            (App, Some(ada), Some("wiki"), ada_s, shop, false),
            (Account, Some(ada), None, ada_s, shop, false),
            (App, Some(ada), shop, ada_s, None, false),
            // A service in the clothes of a user, and the other way round.
            (Service, None, shop, ada_s, shop, false),
            (App, Some(ada), shop, "shop", shop, false),
            // A browser has no access token.
            (Browser, Some(ada), None, ada_s, None, false),
        ] {
            let active = is_active(claims(sub, of), row(kind, user, client));
            assert_eq!(active, expected, "{kind:?} {client:?} {sub} {of:?}");
        }
    }

    #[test]
    fn an_access_token_is_over_with_its_session() {
        let ada = UserId::random();
        let live = || row(SessionKind::Account, Some(ada), None);
        let ended = Some((1, EndReason::Logout));
        for (name, session, expected) in [
            ("live", live(), true),
            ("ended", Session { ended, ..live() }, false),
            (
                "idle",
                Session {
                    idle_until: NOW,
                    ..live()
                },
                false,
            ),
            (
                "absolute",
                Session {
                    absolute_until: NOW,
                    ..live()
                },
                false,
            ),
            (
                "set back to the code",
                Session {
                    generation: Generation(0),
                    idle_until: 1,
                    absolute_until: 1,
                    ..live()
                },
                true,
            ),
            (
                "set back, and ended",
                Session {
                    generation: Generation(0),
                    ended,
                    ..live()
                },
                false,
            ),
        ] {
            let active = is_active(claims(&ada.to_string(), None), session);
            assert_eq!(active, expected, "{name}");
        }
    }
}
