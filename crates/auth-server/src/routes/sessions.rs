//! `/api/account/sessions…`: the caller's sessions, and their end.

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};

use super::bodies::SessionBody;
use super::caller::CalledBy;
use super::signed_in::SignedIn;
use crate::db::EndReason;
use crate::error::Error;
use crate::sessions::Sessions;
use crate::sign_on::SignOn;

pub(super) async fn list(
    CalledBy(caller): CalledBy,
    signed_in: SignedIn,
    sessions: Data<Sessions>,
    sign_on: Option<Data<SignOn>>,
) -> Result<HttpResponse, Error> {
    let name = |id: &str| {
        let client = sign_on.as_ref()?.clients().find(id)?;
        Some(client.name.clone())
    };
    let live = sessions.list(signed_in.user, caller.now).await?;
    let bodies: Vec<_> = live
        .into_iter()
        .map(|one| SessionBody::new(one, signed_in.session, name))
        .collect();
    Ok(HttpResponse::Ok().json(bodies))
}

pub(super) async fn end_all(
    CalledBy(caller): CalledBy,
    signed_in: SignedIn,
    sessions: Data<Sessions>,
) -> Result<HttpResponse, Error> {
    sessions
        .end_all(signed_in.user, EndReason::Ended, &caller)
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

pub(super) async fn end(
    CalledBy(caller): CalledBy,
    signed_in: SignedIn,
    sessions: Data<Sessions>,
    id: Path<String>,
) -> Result<HttpResponse, Error> {
    // Whatever is no id of ours is no session of the caller's.
    let id = id.parse().map_err(|_| Error::SessionNotFound)?;
    if sessions
        .end(signed_in.user, id, EndReason::Ended, &caller)
        .await?
    {
        Ok(HttpResponse::NoContent().finish())
    } else {
        Err(Error::SessionNotFound)
    }
}
