//! `/api/account…`: registration, log-in, refresh, log-out, and changes of the account itself.

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, HeaderValue};
use actix_web::web::Data;
use chassis::http::Json;
use serde::Serialize;

use super::bodies::{
    Confirmation, Credentials, LoggedInBody, NewPassword, NewProfile, OldPair, PairBody,
    Registration, UserBody,
};
use super::caller::CalledBy;
use super::signed_in::SignedIn;
use crate::accounts::{self, Accounts, NewAccount, ProfileChange};
use crate::error::Error;
use crate::log_in::FrontDoor;
use crate::log_in::password::Password;
use crate::operations::counters::Counters;
use crate::sessions::{FirstUse, Sessions};
use crate::settings;

pub(super) async fn register(
    CalledBy(caller): CalledBy,
    accounts: Data<Accounts>,
    registration: Data<settings::Registration>,
    door: Data<FrontDoor>,
    Json(body): Json<Registration>,
) -> Result<HttpResponse, Error> {
    use settings::Registration as R;
    if matches!(**registration, R::Closed | R::Invited) {
        return Err(Error::RegistrationClosed);
    }
    let paid = door.pay_for_registration(&body.email, &caller)?;
    let new = NewAccount {
        user_name: body.user_name,
        email: body.email,
        password: Password::new(body.password),
        roles: Vec::new(),
    };
    if registration.wants_proof() {
        accounts.register_unproven(new, paid, &caller).await?;
        return Ok(HttpResponse::Accepted().finish());
    }
    let account = accounts.register(new, paid, &caller).await?;
    Ok(HttpResponse::Created().json(UserBody::from(account)))
}

pub(super) async fn log_in(
    CalledBy(caller): CalledBy,
    door: Data<FrontDoor>,
    sessions: Data<Sessions>,
    counters: Data<Counters>,
    Json(body): Json<Credentials>,
) -> Result<HttpResponse, Error> {
    let logged_in = async {
        let (password, device) = (Password::new(body.password), body.device_token.as_deref());
        let known = door.log_in(body.email, password, device, &caller).await?;
        let device = door.device_token(&known.user.account, known.device, caller.now)?;
        let first = FirstUse {
            rehash: known.rehash,
            unknown_device: known.device.is_none(),
        };
        let pair = sessions
            .start(&known.user, first, known.counter, &caller)
            .await?;
        Ok(LoggedInBody::new(pair, device))
    }
    .await;
    counters.login(logged_in.as_ref().map(|_| ()));
    Ok(token_answer(logged_in?))
}

pub(super) async fn refresh(
    CalledBy(caller): CalledBy,
    sessions: Data<Sessions>,
    Json(body): Json<OldPair>,
) -> Result<HttpResponse, Error> {
    let pair = sessions
        .refresh(&body.access_token, &body.refresh_token, &caller)
        .await?;
    Ok(token_answer(PairBody::from(pair)))
}

pub(super) async fn log_out(
    CalledBy(caller): CalledBy,
    sessions: Data<Sessions>,
    Json(body): Json<OldPair>,
) -> Result<HttpResponse, Error> {
    sessions
        .log_out(&body.access_token, &body.refresh_token, &caller)
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

pub(super) async fn change_password(
    CalledBy(caller): CalledBy,
    signed_in: SignedIn,
    door: Data<FrontDoor>,
    sessions: Data<Sessions>,
    Json(body): Json<NewPassword>,
) -> Result<HttpResponse, Error> {
    let (current, new) = (
        Password::new(body.current_password),
        Password::new(body.new_password),
    );
    accounts::check_password(&new)?;
    let confirmed = door
        .confirm(signed_in.user, signed_in.session, current, &caller)
        .await?;
    let account = &confirmed.user().account;
    let hash = door
        .hash_new(signed_in.session, account, new, &caller)
        .await?;
    let pair = sessions
        .change_password(confirmed.user(), hash, &caller)
        .await?;
    Ok(token_answer(PairBody::from(pair)))
}

pub(super) async fn change_profile(
    CalledBy(caller): CalledBy,
    signed_in: SignedIn,
    door: Data<FrontDoor>,
    accounts: Data<Accounts>,
    Json(body): Json<NewProfile>,
) -> Result<HttpResponse, Error> {
    let change = ProfileChange::new(body.user_name.as_deref(), body.email.as_deref())?;
    let current = Password::new(body.current_password);
    let confirmed = door
        .confirm(signed_in.user, signed_in.session, current, &caller)
        .await?;
    if let Some(email) = &body.email {
        door.pay_for_mailbox(email)?;
    }
    let changed = accounts.change_profile(&confirmed, change, &caller).await?;
    Ok(HttpResponse::Ok().json(UserBody::new(changed.account, changed.pending)))
}

pub(super) async fn show(
    CalledBy(caller): CalledBy,
    signed_in: SignedIn,
    accounts: Data<Accounts>,
) -> Result<HttpResponse, Error> {
    let shown = accounts.find(signed_in.user, &caller).await?;
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .json(UserBody::whole(shown.account, shown.pending)))
}

pub(super) async fn remove(
    CalledBy(caller): CalledBy,
    signed_in: SignedIn,
    door: Data<FrontDoor>,
    accounts: Data<Accounts>,
    Json(body): Json<Confirmation>,
) -> Result<HttpResponse, Error> {
    let current = Password::new(body.current_password);
    let confirmed = door
        .confirm(signed_in.user, signed_in.session, current, &caller)
        .await?;
    accounts.delete(&confirmed, &caller).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// RFC 6749 §5.1: nobody on the way may keep an answer that has tokens in it.
fn token_answer(body: impl Serialize) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .json(body)
}
