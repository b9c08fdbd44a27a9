//! `/api/account…`: forgotten passwords, proofs of addresses, invitations.

use actix_web::HttpResponse;
use actix_web::web::Data;
use chassis::http::Json;
use gate::{Bearer, Problem};

use super::bodies::{Acceptance, Forgotten, Guest, Proof, Reset, UserBody};
use super::caller::CalledBy;
use super::signed_in::SignedIn;
use crate::accounts::Accounts;
use crate::error::Error;
use crate::log_in::FrontDoor;
use crate::log_in::password::Password;

pub(super) async fn forgot(
    CalledBy(caller): CalledBy,
    accounts: Data<Accounts>,
    door: Data<FrontDoor>,
    Json(body): Json<Forgotten>,
) -> Result<HttpResponse, Error> {
    door.pay_for_mail(&caller)?;
    accounts.forgot(&body.email, &caller).await?;
    Ok(HttpResponse::Accepted().finish())
}

pub(super) async fn reset(
    CalledBy(caller): CalledBy,
    accounts: Data<Accounts>,
    door: Data<FrontDoor>,
    Json(body): Json<Reset>,
) -> Result<HttpResponse, Error> {
    let new = Password::new(body.new_password);
    accounts.reset(&body.token, new, &door, &caller).await?;
    Ok(HttpResponse::NoContent().finish())
}

pub(super) async fn send_verification(
    CalledBy(caller): CalledBy,
    signed_in: SignedIn,
    accounts: Data<Accounts>,
) -> Result<HttpResponse, Error> {
    accounts.send_verification(signed_in.user, &caller).await?;
    Ok(HttpResponse::Accepted().finish())
}

pub(super) async fn verify(
    CalledBy(caller): CalledBy,
    accounts: Data<Accounts>,
    door: Data<FrontDoor>,
    Json(body): Json<Proof>,
) -> Result<HttpResponse, Error> {
    door.pay_for_mail(&caller)?;
    accounts.verify_email(&body.token, &caller).await?;
    Ok(HttpResponse::NoContent().finish())
}

pub(super) async fn invite(
    CalledBy(caller): CalledBy,
    bearer: Bearer,
    accounts: Data<Accounts>,
    Json(body): Json<Guest>,
) -> Result<HttpResponse, Problem> {
    bearer.require_role("admin")?;
    let invited = accounts.invite(&body.email, body.roles, None, &caller);
    invited.await.map_err(|error| Problem::from(&error))?;
    Ok(HttpResponse::Accepted().finish())
}

pub(super) async fn accept(
    CalledBy(caller): CalledBy,
    accounts: Data<Accounts>,
    door: Data<FrontDoor>,
    Json(body): Json<Acceptance>,
) -> Result<HttpResponse, Error> {
    let password = Password::new(body.password);
    let account = accounts
        .accept(&body.token, &body.user_name, password, &door, &caller)
        .await?;
    Ok(HttpResponse::Created().json(UserBody::from(account)))
}
