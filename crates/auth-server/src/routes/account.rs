//! `/api/account…`: registration, log-in, refresh, log-out, and changes of the account itself.

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, HeaderValue};
use actix_web::web::Data;
use shared::http::Json;

use super::bodies::{
    Confirmation, Credentials, NewPassword, NewProfile, OldPair, PairBody, Registration, UserBody,
};
use super::caller::{Addresses, CalledBy};
use super::gate::SignedIn;
use crate::accounts::{Accounts, ProfileChange};
use crate::counters::Counters;
use crate::error::Error;
use crate::password::Password;
use crate::sessions::{Pair, Sessions};
use crate::settings;

pub(super) async fn register(
    CalledBy(caller): CalledBy,
    accounts: Data<Accounts>,
    registration: Data<settings::Registration>,
    addresses: Data<Addresses>,
    Json(body): Json<Registration>,
) -> Result<HttpResponse, Error> {
    if **registration == settings::Registration::Closed {
        return Err(Error::RegistrationClosed);
    }
    addresses.take(&caller)?;
    let password = Password::new(body.password);
    let account = accounts
        .register(body.user_name, body.email, password, Vec::new(), &caller)
        .await?;
    Ok(HttpResponse::Created().json(UserBody::from(account)))
}

pub(super) async fn log_in(
    CalledBy(caller): CalledBy,
    accounts: Data<Accounts>,
    sessions: Data<Sessions>,
    addresses: Data<Addresses>,
    counters: Data<Counters>,
    Json(body): Json<Credentials>,
) -> Result<HttpResponse, Error> {
    let logged_in = async {
        addresses.take(&caller)?;
        let known = accounts
            .authenticate(body.email, Password::new(body.password), &caller)
            .await?;
        sessions.start(&known.user, known.counter, &caller).await
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
    Ok(token_answer(pair))
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
    accounts: Data<Accounts>,
    sessions: Data<Sessions>,
    Json(body): Json<NewPassword>,
) -> Result<HttpResponse, Error> {
    let (current, new) = (
        Password::new(body.current_password),
        Password::new(body.new_password),
    );
    let (user, hash) = accounts
        .check_new_password(signed_in.user, current, new, &caller)
        .await?;
    Ok(token_answer(
        sessions.change_password(&user, hash, &caller).await?,
    ))
}

pub(super) async fn change_profile(
    CalledBy(caller): CalledBy,
    signed_in: SignedIn,
    accounts: Data<Accounts>,
    Json(body): Json<NewProfile>,
) -> Result<HttpResponse, Error> {
    let change = ProfileChange {
        user_name: body.user_name,
        email: body.email,
    };
    let current = Password::new(body.current_password);
    let account = accounts
        .change_profile(signed_in.user, current, change, &caller)
        .await?;
    Ok(HttpResponse::Ok().json(UserBody::from(account)))
}

pub(super) async fn remove(
    CalledBy(caller): CalledBy,
    signed_in: SignedIn,
    accounts: Data<Accounts>,
    Json(body): Json<Confirmation>,
) -> Result<HttpResponse, Error> {
    accounts
        .delete(
            signed_in.user,
            Password::new(body.current_password),
            &caller,
        )
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// RFC 6749 §5.1: nobody on the way may keep an answer that has tokens in it.
fn token_answer(pair: Pair) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .json(PairBody::from(pair))
}
