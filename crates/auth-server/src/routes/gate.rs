//! The bearer gate of auth-server's own routes: the shared judgement, with revocation read from the row.

use std::future::{Ready, ready};

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpMessage, HttpRequest, ResponseError};
use shared::bearer;
use shared::claims::Claims;
use shared::http::RequestInfo;
use shared::token::{Cure, TokenError, Validator, Verdict};
use uuid::Uuid;

use crate::error::Error;
use crate::sessions::Sessions;

/// The user and the session whose token opened the gate.
#[derive(Clone, Copy, Debug)]
pub(super) struct SignedIn {
    pub(super) user: Uuid,
    pub(super) session: Uuid,
}

/// Lets requests with a good token of a live session through.
pub(super) async fn gate(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    match admit(request.request()).await {
        Ok(signed_in) => {
            request.extensions_mut().insert(signed_in);
            Ok(next.call(request).await?.map_into_boxed_body())
        }
        Err(error) => {
            let answer = error.error_response();
            Ok(request.into_response(answer))
        }
    }
}

async fn admit(request: &HttpRequest) -> Result<SignedIn, Error> {
    let now = RequestInfo::of_request(request).now;
    let missing = || Error::Internal("the gate has not what it needs".into());
    let validator: &Data<Validator> = request.app_data().ok_or_else(missing)?;
    let sessions: &Data<Sessions> = request.app_data().ok_or_else(missing)?;
    let checked = validator.check_own(bearer::credential(request.headers())?, now)?;
    let signed_in =
        whose(checked.claims()).ok_or(TokenError::Malformed("the token names no session"))?;
    checked.judge(verdict(sessions, signed_in).await?, now)?;
    Ok(signed_in)
}

/// `None` for a token that names no session, as another issuer under the same key may write.
fn whose(claims: &Claims) -> Option<SignedIn> {
    let user = Uuid::try_parse(&claims.sub).ok()?;
    let session = Uuid::try_parse(claims.sid.as_deref()?).ok()?;
    Some(SignedIn { user, session })
}

async fn verdict(sessions: &Sessions, signed_in: SignedIn) -> Result<Verdict, Error> {
    let found = sessions
        .find(signed_in.session)
        .await?
        .map(|found| found.session);
    let live = found
        .is_some_and(|session| session.ended.is_none() && session.user == Some(signed_in.user));
    Ok(if live {
        Verdict::Live
    } else {
        Verdict::Revoked(Cure::Refresh)
    })
}

impl FromRequest for SignedIn {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let found = request.extensions().get::<Self>().copied();
        ready(found.ok_or_else(|| {
            Error::Internal("a route of signed-in users is not behind the gate".into())
        }))
    }
}
