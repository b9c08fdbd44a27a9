//! Who has opened the gate of auth-server's own routes, which looks into the sessions' rows for what is revoked.

use std::future::{Ready, ready};
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use futures_util::future::LocalBoxFuture;
use gate::{Bearer, LookUp, Problem, Refused};
use shared::claims::Claims;
use shared::revocations::Verdict;
use shared::token_error::{Cure, TokenError};

use crate::clients;
use crate::db::{SessionId, UserId};
use crate::error::Error;
use crate::sessions::Sessions;

/// The user and the session whose token opened the gate; an extractor.
#[derive(Clone, Copy, Debug)]
pub(super) struct SignedIn {
    pub(super) user: UserId,
    pub(super) session: SessionId,
}

impl SignedIn {
    /// `None` for a token that names no session, as another issuer under the same key may write.
    fn of(claims: &Claims) -> Option<Self> {
        let user = claims.sub.parse().ok()?;
        let session = claims.sid.as_deref()?.parse().ok()?;
        Some(Self { user, session })
    }
}

impl FromRequest for SignedIn {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let bearer = Bearer::from_request(request, payload).into_inner();
        ready(bearer.and_then(|bearer| {
            Self::of(&bearer.claims)
                .ok_or_else(|| Problem::internal("the gate let a token without a session through"))
        }))
    }
}

/// Whether the session of a token still lives, by its row.
pub(crate) struct Rows(pub(crate) Arc<Sessions>);

impl LookUp for Rows {
    fn judge<'a>(
        &'a self,
        claims: &'a Claims,
        _now: i64,
    ) -> LocalBoxFuture<'a, Result<Verdict, Refused>> {
        Box::pin(async move {
            // The wall: what a program was given opens what it was given for, not the account, but for one of ours
            // that has the word for it. A service has no account.
            let scope = claims.scope.as_deref().unwrap_or_default();
            let may = clients::has_word(scope, clients::ACCOUNT);
            if claims.client_id.is_some() && !may {
                return Err(Problem::from(&Error::WrongKindOfToken).into());
            }
            let signed_in =
                SignedIn::of(claims).ok_or(TokenError::Malformed("the token names no session"))?;
            let found = self.0.find(signed_in.session).await;
            let found = found.map_err(|error: Error| Problem::from(&error))?;
            let live = found.is_some_and(|found| {
                found.session.ended.is_none() && found.session.user == Some(signed_in.user)
            });
            Ok(if live {
                Verdict::Live
            } else {
                Verdict::Revoked(Cure::Refresh)
            })
        })
    }
}
