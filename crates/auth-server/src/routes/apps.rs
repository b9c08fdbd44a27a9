//! `/api/account/apps…`: the programs that have something of the caller's account, and how it is taken away from one.

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};

use super::bodies::AppBody;
use super::caller::CalledBy;
use super::signed_in::SignedIn;
use crate::clients;
use crate::error::Error;
use crate::sessions::Sessions;
use crate::sign_on::SignOn;

pub(super) async fn list(
    CalledBy(caller): CalledBy,
    signed_in: SignedIn,
    sessions: Data<Sessions>,
    sign_on: Data<SignOn>,
) -> Result<HttpResponse, Error> {
    let programs = sessions.programs(signed_in.user, caller.now).await?;
    let mut bodies: Vec<_> = programs
        .into_iter()
        .map(|(id, program)| {
            let name = match sign_on.clients().find(&id) {
                Some(client) => client.name.clone(),
                None => id.clone(),
            };
            AppBody::new((id, name), program, signed_in.session)
        })
        .collect();
    // By what people see, and always in the same order.
    bodies.sort_by_key(AppBody::order);
    Ok(HttpResponse::Ok().json(bodies))
}

pub(super) async fn end(
    CalledBy(caller): CalledBy,
    signed_in: SignedIn,
    sessions: Data<Sessions>,
    id: Path<String>,
) -> Result<HttpResponse, Error> {
    let id = id.into_inner();
    // Whatever is no id of a client has nothing, and is not looked for.
    if clients::is_id(&id) && sessions.end_program(signed_in.user, id, &caller).await? {
        Ok(HttpResponse::NoContent().finish())
    } else {
        Err(Error::AppNotFound)
    }
}
