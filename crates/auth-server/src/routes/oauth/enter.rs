//! The forms of who is not signed in: log-in, registration, "forgot". What they do is what the JSON endpoints do.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpResponse, ResponseError};
use pages::{Forgot, Message, Notice, Register, Trouble};
use serde::Deserialize;

use super::visit::{Carried, Early, Sent, Signed, Visit};
use crate::accounts::{Accounts, NewAccount};
use crate::error::Error;
use crate::log_in::FrontDoor;
use crate::log_in::password::Password;
use crate::operations::counters::Counters;
use crate::routes::html::{html, trouble};
use crate::sessions::{Browser, BrowserStart, FirstUse};
use crate::sign_on::{AuthRequest, Params, Ticket};

#[derive(Deserialize)]
pub(super) struct SignInForm {
    #[serde(flatten)]
    carried: Carried,
    #[serde(default)]
    email: String,
    #[serde(default)]
    password: String,
    keep: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct RegisterForm {
    #[serde(flatten)]
    carried: Carried,
    #[serde(default, rename = "userName")]
    user_name: String,
    #[serde(default)]
    email: String,
    #[serde(default)]
    password: String,
}

#[derive(Deserialize)]
pub(super) struct ForgotForm {
    #[serde(flatten)]
    carried: Carried,
    #[serde(default)]
    email: String,
}

pub(super) async fn sign_in(
    visit: Visit,
    door: Data<FrontDoor>,
    counters: Data<Counters>,
    sent: Sent<SignInForm>,
) -> HttpResponse {
    sign_in_with(visit, &door, &counters, sent)
        .await
        .unwrap_or_else(|early| early)
}

async fn sign_in_with(
    mut visit: Visit,
    door: &FrontDoor,
    counters: &Counters,
    sent: Sent<SignInForm>,
) -> Early<HttpResponse> {
    let (form, fits) = visit.take(sent, |form| &form.carried, Signed::Unasked)?;
    let request = visit.read(Params::of_query(&form.carried.request)).await?;
    let keep = form.keep.is_some();
    let typed = (form.email.as_str(), keep);
    if !fits {
        return Ok(visit.sign_in(&request, typed, Some((&Trouble::StaleForm, None))));
    }
    let password = Password::new(form.password);
    let before = visit.browser_to_leave().await?;
    let typed_in = (form.email.clone(), password);
    let done = log_in(&visit, door, typed_in, before.as_ref()).await;
    counters.login(done.as_ref().map(|_| ()));
    Ok(match done {
        Ok((start, device)) => enter(&visit, &request, &start, device, keep)?,
        Err(error) => {
            let said = trouble(&error, visit.language);
            visit.sign_in(&request, typed, Some((&said, Some(&error))))
        }
    })
}

/// The same rule as behind the API, and a session of the browser.
async fn log_in(
    visit: &Visit,
    door: &FrontDoor,
    (email, password): (String, Password),
    before: Option<&Browser>,
) -> Result<(BrowserStart, String), Error> {
    let caller = &visit.caller;
    let device = visit.device();
    let known = door
        .log_in(email, password, device.as_deref(), caller)
        .await?;
    let device = door.device_token(&known.user.account, known.device, caller.now)?;
    let first = FirstUse {
        rehash: known.rehash,
        unknown_device: known.device.is_none(),
    };
    let start = visit
        .sessions
        .start_browser(&known.user, first, known.counter, before, caller)
        .await?;
    Ok((start, device))
}

/// Goes on with the request, which knows now that there was a log-in for it.
fn enter(
    visit: &Visit,
    request: &AuthRequest,
    start: &BrowserStart,
    device: String,
    keep: bool,
) -> Early<HttpResponse> {
    let browser = Some(&start.browser);
    let since = visit
        .sign_on
        .ticket(Ticket::Since, request, browser, visit.caller.now)
        .map_err(|error| visit.failed(&error))?;
    // What somebody agreed to in the session before, he did not in this one.
    let query = format!("{}&{}={since}", request.query, Ticket::Since.name());
    let mut answer = visit.signed_in_and_on(&query);
    visit.signed_in(&mut answer, start, device, keep);
    Ok(answer)
}

pub(super) async fn show_register(visit: Visit) -> HttpResponse {
    show(visit, |visit, request| {
        register_page(visit, request, ("", ""), None)
    })
    .await
}

pub(super) async fn show_forgot(visit: Visit) -> HttpResponse {
    show(visit, |visit, request| {
        let email = request.login_hint.clone().unwrap_or_default();
        forgot_page(visit, request, &email, None)
    })
    .await
}

async fn show(
    mut visit: Visit,
    page: impl FnOnce(&Visit, &AuthRequest) -> HttpResponse,
) -> HttpResponse {
    if let Some(elsewhere) = visit.hosted.at_own_host(&visit.request) {
        return elsewhere;
    }
    let params = Params::of_query(visit.request.query_string());
    match visit.read(params).await {
        Ok(request) => page(&visit, &request),
        Err(early) => early,
    }
}

fn register_page(
    visit: &Visit,
    request: &AuthRequest,
    (user_name, email): (&str, &str),
    fault: Option<(&Trouble, StatusCode, Option<&Error>)>,
) -> HttpResponse {
    let closed = Trouble::RegistrationClosed;
    let fault = match fault {
        None if !visit.offers.registers() => Some((&closed, StatusCode::FORBIDDEN, None)),
        fault => fault,
    };
    let query = request.query_with("", None);
    let sign_in = format!("/oauth/authorize?{query}");
    visit.form(&query, Signed::Unasked, |hidden| {
        let page = Register {
            client: Some(&request.client.name),
            user_name,
            email,
            hidden,
            fault: fault.map(|(trouble, ..)| trouble),
            sign_in: Some(&sign_in),
            ..Register::new(visit.hosted.look(visit.language))
        };
        let status = fault.map_or(StatusCode::OK, |(_, status, _)| status);
        html(&page, status, fault.and_then(|(.., error)| error))
    })
}

fn forgot_page(
    visit: &Visit,
    request: &AuthRequest,
    email: &str,
    fault: Option<(&Trouble, StatusCode, Option<&Error>)>,
) -> HttpResponse {
    let query = request.query_with("", None);
    let sign_in = format!("/oauth/authorize?{query}");
    visit.form(&query, Signed::Unasked, |hidden| {
        let page = Forgot {
            email,
            hidden,
            fault: fault.map(|(trouble, ..)| trouble),
            sign_in: Some(&sign_in),
            ..Forgot::new(visit.hosted.look(visit.language))
        };
        let status = fault.map_or(StatusCode::OK, |(_, status, _)| status);
        html(&page, status, fault.and_then(|(.., error)| error))
    })
}

pub(super) async fn register(
    visit: Visit,
    door: Data<FrontDoor>,
    accounts: Data<Accounts>,
    counters: Data<Counters>,
    sent: Sent<RegisterForm>,
) -> HttpResponse {
    register_with(visit, &door, &accounts, &counters, sent)
        .await
        .unwrap_or_else(|early| early)
}

async fn register_with(
    mut visit: Visit,
    door: &FrontDoor,
    accounts: &Accounts,
    counters: &Counters,
    sent: Sent<RegisterForm>,
) -> Early<HttpResponse> {
    let (form, fits) = visit.take(sent, |form| &form.carried, Signed::Unasked)?;
    let request = visit.read(Params::of_query(&form.carried.request)).await?;
    let typed = (form.user_name.as_str(), form.email.as_str());
    if !fits {
        let fault = (&Trouble::StaleForm, StatusCode::FORBIDDEN, None);
        return Ok(register_page(&visit, &request, typed, Some(fault)));
    }
    let password = Password::new(form.password);
    let made = make_account(&visit, door, accounts, typed, password.clone()).await;
    if let Err(error) = made {
        let said = trouble(&error, visit.language);
        let fault = (&said, error.status_code(), Some(&error));
        return Ok(register_page(&visit, &request, typed, Some(fault)));
    }
    if visit.offers.registration.wants_proof() {
        return Ok(message(&visit, &request, Notice::RegistrationMailSent));
    }
    // Who has just chosen a password need not type it again.
    let before = visit.browser_to_leave().await?;
    let typed_in = (form.email.clone(), password);
    let done = log_in(&visit, door, typed_in, before.as_ref()).await;
    counters.login(done.as_ref().map(|_| ()));
    Ok(match done {
        Ok((start, device)) => enter(&visit, &request, &start, device, false)?,
        Err(error) => {
            let said = trouble(&error, visit.language);
            visit.sign_in(&request, (&form.email, false), Some((&said, Some(&error))))
        }
    })
}

async fn make_account(
    visit: &Visit,
    door: &FrontDoor,
    accounts: &Accounts,
    (user_name, email): (&str, &str),
    password: Password,
) -> Result<(), Error> {
    if !visit.offers.registers() {
        return Err(Error::RegistrationClosed);
    }
    let paid = door.pay_for_registration(email, &visit.caller)?;
    let new = NewAccount {
        user_name: user_name.to_owned(),
        email: email.to_owned(),
        password,
        roles: Vec::new(),
    };
    if visit.offers.registration.wants_proof() {
        accounts.register_unproven(new, paid, &visit.caller).await
    } else {
        accounts.register(new, paid, &visit.caller).await.map(drop)
    }
}

pub(super) async fn forgot(
    visit: Visit,
    door: Data<FrontDoor>,
    accounts: Data<Accounts>,
    sent: Sent<ForgotForm>,
) -> HttpResponse {
    forgot_with(visit, &door, &accounts, sent)
        .await
        .unwrap_or_else(|early| early)
}

async fn forgot_with(
    mut visit: Visit,
    door: &FrontDoor,
    accounts: &Accounts,
    sent: Sent<ForgotForm>,
) -> Early<HttpResponse> {
    let (form, fits) = visit.take(sent, |form| &form.carried, Signed::Unasked)?;
    let request = visit.read(Params::of_query(&form.carried.request)).await?;
    if !fits {
        let fault = (&Trouble::StaleForm, StatusCode::FORBIDDEN, None);
        return Ok(forgot_page(&visit, &request, &form.email, Some(fault)));
    }
    let asked = match door.pay_for_mail(&visit.caller) {
        Ok(()) => accounts.forgot(&form.email, &visit.caller).await,
        Err(error) => Err(error),
    };
    Ok(match asked {
        Ok(()) => message(&visit, &request, Notice::ResetMailSent),
        Err(error) => {
            let said = trouble(&error, visit.language);
            let fault = (&said, error.status_code(), Some(&error));
            forgot_page(&visit, &request, &form.email, Some(fault))
        }
    })
}

/// What is said in the end, with the way back to the log-in.
fn message(visit: &Visit, request: &AuthRequest, notice: Notice<'_>) -> HttpResponse {
    let sign_in = format!("/oauth/authorize?{}", request.query_with("", None));
    let page = Message {
        look: visit.hosted.look(visit.language),
        notice,
        sign_in: Some(&sign_in),
    };
    html(&page, StatusCode::OK, None)
}
