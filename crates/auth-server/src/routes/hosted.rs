//! Our own pages, to which mailed links lead: a new password, the proof of an address, an invitation.
//!
//! A GET shows a form and does nothing: mail scanners open every link. Only the POST of its button acts, by the same
//! rules as the JSON endpoints.

use actix_web::http::StatusCode;
use actix_web::middleware::from_fn;
use actix_web::web::{Data, ServiceConfig, get, post, resource, scope};
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use chassis::http::Form;
use gate::Problem;
use pages::{Language, Link, Mailed, Message, Notice, Trouble};
use serde::Deserialize;

use super::caller::CalledBy;
use super::html::{Hosted, asset, html, language_of, trouble};
use crate::accounts::Accounts;
use crate::error::Error;
use crate::log_in::FrontDoor;
use crate::log_in::password::Password;

/// The routes of the pages.
pub(super) fn table(config: &mut ServiceConfig) {
    let pages = scope("/account")
        .wrap(from_fn(chassis::http::deadline))
        .service(
            resource("/reset")
                .route(get().to(show_reset))
                .route(post().to(reset)),
        )
        .service(
            resource("/verify")
                .route(get().to(show_verify))
                .route(post().to(verify)),
        )
        .service(
            resource("/invitation")
                .route(get().to(show_invitation))
                .route(post().to(accept)),
        )
        .service(resource("/page.css").route(get().to(style)))
        .service(resource("/page.js").route(get().to(script)))
        .service(resource("/style.css").route(get().to(own_style)));
    config.service(pages);
}

#[derive(Deserialize)]
struct ResetForm {
    token: String,
    password: String,
}

#[derive(Deserialize)]
struct VerifyForm {
    token: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct InvitationForm {
    token: String,
    user_name: String,
    password: String,
}

/// A form, or what a body was that is none.
type Sent<T> = Result<Form<T>, actix_web::Error>;

async fn show_reset(request: HttpRequest, hosted: Data<Hosted>) -> HttpResponse {
    Visit::of(&request, &hosted, Link::Reset).show()
}

async fn show_verify(request: HttpRequest, hosted: Data<Hosted>) -> HttpResponse {
    Visit::of(&request, &hosted, Link::Verify).show()
}

async fn show_invitation(request: HttpRequest, hosted: Data<Hosted>) -> HttpResponse {
    Visit::of(&request, &hosted, Link::Invitation).show()
}

async fn reset(
    request: HttpRequest,
    hosted: Data<Hosted>,
    CalledBy(caller): CalledBy,
    accounts: Data<Accounts>,
    door: Data<FrontDoor>,
    sent: Sent<ResetForm>,
) -> HttpResponse {
    let visit = Visit::of(&request, &hosted, Link::Reset);
    let form = match visit.take(sent) {
        Ok(form) => form,
        Err(refused) => return refused,
    };
    let token = form.token.trim();
    let new = Password::new(form.password);
    let done = accounts.reset(token, new, &door, &caller).await;
    visit.answer(token, "", done)
}

async fn verify(
    request: HttpRequest,
    hosted: Data<Hosted>,
    CalledBy(caller): CalledBy,
    accounts: Data<Accounts>,
    door: Data<FrontDoor>,
    sent: Sent<VerifyForm>,
) -> HttpResponse {
    let visit = Visit::of(&request, &hosted, Link::Verify);
    let form = match visit.take(sent) {
        Ok(form) => form,
        Err(refused) => return refused,
    };
    let token = form.token.trim();
    let done = match door.pay_for_mail(&caller) {
        Ok(()) => accounts.verify_email(token, &caller).await,
        Err(error) => Err(error),
    };
    visit.answer(token, "", done)
}

async fn accept(
    request: HttpRequest,
    hosted: Data<Hosted>,
    CalledBy(caller): CalledBy,
    accounts: Data<Accounts>,
    door: Data<FrontDoor>,
    sent: Sent<InvitationForm>,
) -> HttpResponse {
    let visit = Visit::of(&request, &hosted, Link::Invitation);
    let form = match visit.take(sent) {
        Ok(form) => form,
        Err(refused) => return refused,
    };
    let (token, name) = (form.token.trim(), form.user_name.as_str());
    let password = Password::new(form.password);
    let done = accounts
        .accept(token, name, password, &door, &caller)
        .await
        .map(drop);
    visit.answer(token, name, done)
}

/// A visit to a page: in which language, and where.
struct Visit<'a> {
    request: &'a HttpRequest,
    hosted: &'a Hosted,
    link: Link,
    language: Language,
}

impl<'a> Visit<'a> {
    fn of(request: &'a HttpRequest, hosted: &'a Hosted, link: Link) -> Self {
        Self {
            request,
            hosted,
            link,
            language: language_of(request, None),
        }
    }

    fn show(&self) -> HttpResponse {
        if let Some(elsewhere) = self.hosted.at_own_host(self.request) {
            return elsewhere;
        }
        self.form("", "", None)
    }

    /// The form that was sent, unless another site did that.
    fn take<T>(&self, sent: Sent<T>) -> Result<T, HttpResponse> {
        if !self.hosted.is_own_form(self.request.headers()) {
            return Err(self.hosted.not_our_form(self.request, self.language));
        }
        sent.map(|Form(form)| form).map_err(|error| {
            let status = error.as_response_error().status_code();
            let problem = Problem::of_status(status).detail(error.to_string());
            self.hosted.failed(self.request, self.language, problem)
        })
    }

    fn form(&self, token: &str, user_name: &str, fault: Option<&Error>) -> HttpResponse {
        let said = fault.map(|error| match error {
            // Nothing is counted that would be told in seconds.
            Error::TooManyAttempts(_) => Trouble::Busy,
            error => trouble(error, self.language),
        });
        let page = Mailed {
            token,
            user_name,
            fault: said.as_ref(),
            ..Mailed::new(self.hosted.look(self.language), self.link)
        };
        html(
            &page,
            fault.map_or(StatusCode::OK, Error::status_code),
            fault,
        )
    }

    fn answer(&self, token: &str, user_name: &str, done: Result<(), Error>) -> HttpResponse {
        let error = match done {
            Ok(()) => return self.message(Notice::Done(self.link), None),
            Err(error) => error,
        };
        match &error {
            // Another try with the same link makes sense.
            Error::WeakPassword(_)
            | Error::InvalidUserName
            | Error::TooManyAttempts(_)
            | Error::Busy => self.form(token, user_name, Some(&error)),
            Error::InvalidLink => {
                self.message(Notice::NotDone(&Trouble::InvalidLink), Some(&error))
            }
            Error::AccountExists => {
                self.message(Notice::NotDone(&Trouble::AddressTaken), Some(&error))
            }
            _ => self
                .hosted
                .failed(self.request, self.language, Problem::from(&error)),
        }
    }

    fn message(&self, notice: Notice<'_>, fault: Option<&Error>) -> HttpResponse {
        let page = Message {
            look: self.hosted.look(self.language),
            notice,
            sign_in: None,
        };
        html(
            &page,
            fault.map_or(StatusCode::OK, Error::status_code),
            fault,
        )
    }
}

async fn style() -> HttpResponse {
    asset(pages::STYLE, "text/css; charset=utf-8")
}

async fn script() -> HttpResponse {
    asset(pages::SCRIPT, "text/javascript; charset=utf-8")
}

async fn own_style(hosted: Data<Hosted>) -> Result<HttpResponse, Problem> {
    match hosted.style() {
        Some(style) => Ok(asset(style, "text/css; charset=utf-8")),
        None => Err(chassis::http::not_found().await),
    }
}
