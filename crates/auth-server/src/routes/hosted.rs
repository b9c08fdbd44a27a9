//! Our own pages, to which mailed links lead: a new password, the proof of an address, an invitation.
//!
//! A GET shows a form and does nothing: mail scanners open every link. Only the POST of its button acts, by the same
//! rules as the JSON endpoints.

mod words;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap};
use actix_web::middleware::from_fn;
use actix_web::web::{Data, ServiceConfig, get, post, resource, scope};
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use askama::Template;
use chassis::http::Form;
use gate::Problem;
use mail::Locale;
use serde::Deserialize;

use super::caller::{CalledBy, locale_of};
use crate::accounts::Accounts;
use crate::error::Error;
use crate::log_in::FrontDoor;
use crate::log_in::password::Password;

use words::{PageWords, Words, said};

const STYLE: &str = include_str!("../../pages/page.css");
const SCRIPT: &str = include_str!("../../pages/page.js");

/// RFC 9700 §4.16, and nothing from anywhere else.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; form-action 'self'; \
    base-uri 'none'; frame-ancestors 'none'";

/// Where the pages are, as their visitors see it.
#[derive(Clone, Debug)]
pub(crate) struct Issuer {
    /// `scheme://host[:port]`.
    origin: String,
    host: String,
}

impl Issuer {
    pub(crate) fn new(issuer: &str) -> Self {
        let (scheme, rest) = issuer.split_once("://").unwrap_or(("http", issuer));
        let host = rest.split('/').next().unwrap_or_default();
        Self {
            origin: format!("{scheme}://{host}"),
            host: host.to_owned(),
        }
    }
}

/// A page that mailed links lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Page {
    Reset,
    Verify,
    Invitation,
}

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
        .service(resource("/page.js").route(get().to(script)));
    config.service(pages);
}

#[derive(Template)]
#[template(path = "form.html")]
struct FormPage<'a> {
    words: &'static Words,
    service: &'a str,
    title: &'static str,
    lead: &'static str,
    button: &'static str,
    token: &'a str,
    user_name: &'a str,
    names: bool,
    passwords: bool,
    fault: Option<String>,
}

#[derive(Template)]
#[template(path = "message.html")]
struct MessagePage<'a> {
    words: &'static Words,
    service: &'a str,
    title: &'static str,
    text: &'a str,
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

async fn show_reset(request: HttpRequest, issuer: Data<Issuer>) -> Result<HttpResponse, Problem> {
    Visit::of(&request, &issuer, Page::Reset).form("", "", None)
}

async fn show_verify(request: HttpRequest, issuer: Data<Issuer>) -> Result<HttpResponse, Problem> {
    Visit::of(&request, &issuer, Page::Verify).form("", "", None)
}

async fn show_invitation(
    request: HttpRequest,
    issuer: Data<Issuer>,
) -> Result<HttpResponse, Problem> {
    Visit::of(&request, &issuer, Page::Invitation).form("", "", None)
}

async fn reset(
    request: HttpRequest,
    issuer: Data<Issuer>,
    CalledBy(caller): CalledBy,
    accounts: Data<Accounts>,
    door: Data<FrontDoor>,
    Form(form): Form<ResetForm>,
) -> Result<HttpResponse, Problem> {
    let visit = Visit::of(&request, &issuer, Page::Reset);
    visit.refuse_strangers(request.headers())?;
    let token = form.token.trim();
    let new = Password::new(form.password);
    let done = accounts.reset(token, new, &door, &caller).await;
    visit.answer(token, "", done)
}

async fn verify(
    request: HttpRequest,
    issuer: Data<Issuer>,
    CalledBy(caller): CalledBy,
    accounts: Data<Accounts>,
    door: Data<FrontDoor>,
    Form(form): Form<VerifyForm>,
) -> Result<HttpResponse, Problem> {
    let visit = Visit::of(&request, &issuer, Page::Verify);
    visit.refuse_strangers(request.headers())?;
    let token = form.token.trim();
    let done = match door.pay_for_mail(&caller) {
        Ok(()) => accounts.verify_email(token, &caller).await,
        Err(error) => Err(error),
    };
    visit.answer(token, "", done)
}

async fn accept(
    request: HttpRequest,
    issuer: Data<Issuer>,
    CalledBy(caller): CalledBy,
    accounts: Data<Accounts>,
    door: Data<FrontDoor>,
    Form(form): Form<InvitationForm>,
) -> Result<HttpResponse, Problem> {
    let visit = Visit::of(&request, &issuer, Page::Invitation);
    visit.refuse_strangers(request.headers())?;
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
    page: Page,
    locale: Locale,
    issuer: &'a Issuer,
}

impl<'a> Visit<'a> {
    fn of(request: &HttpRequest, issuer: &'a Issuer, page: Page) -> Self {
        Self {
            page,
            locale: locale_of(request),
            issuer,
        }
    }

    /// Refuses a form that another site sent.
    fn refuse_strangers(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
        let own = match (text("origin"), text("sec-fetch-site")) {
            // What browsers say, and pages cannot.
            (_, Some(site)) => site == "same-origin",
            (Some(origin), None) => origin == self.issuer.origin,
            // No browser: nothing that it would send along for somebody else.
            (None, None) => true,
        };
        if own {
            return Ok(());
        }
        let problem = Problem::new(StatusCode::FORBIDDEN, "invalid_request");
        Err(problem.detail("this form is not taken from another site"))
    }

    fn words(&self) -> &'static PageWords {
        Words::of(self.locale).of_page(self.page)
    }

    fn form(
        &self,
        token: &str,
        user_name: &str,
        fault: Option<&Error>,
    ) -> Result<HttpResponse, Problem> {
        let words = self.words();
        let page = FormPage {
            words: Words::of(self.locale),
            service: &self.issuer.host,
            title: words.title,
            lead: words.lead,
            button: words.button,
            token,
            user_name,
            names: self.page == Page::Invitation,
            passwords: self.page != Page::Verify,
            fault: fault.map(|error| said(error, self.locale)),
        };
        let status = fault.map_or(StatusCode::OK, Error::status_code);
        self.html(&page, status, fault)
    }

    fn answer(
        &self,
        token: &str,
        user_name: &str,
        done: Result<(), Error>,
    ) -> Result<HttpResponse, Problem> {
        let words = self.words();
        let error = match done {
            Ok(()) => return self.message(words.done, words.done_text, StatusCode::OK, None),
            Err(error) => error,
        };
        match &error {
            // Another try with the same link makes sense.
            Error::WeakPassword(_)
            | Error::InvalidUserName
            | Error::TooManyAttempts(_)
            | Error::Busy => self.form(token, user_name, Some(&error)),
            Error::InvalidLink | Error::AccountExists => {
                let text = said(&error, self.locale);
                let title = Words::of(self.locale).not_done;
                self.message(title, &text, error.status_code(), Some(&error))
            }
            _ => Err(Problem::from(&error)),
        }
    }

    fn message(
        &self,
        title: &'static str,
        text: &str,
        status: StatusCode,
        fault: Option<&Error>,
    ) -> Result<HttpResponse, Problem> {
        let page = MessagePage {
            words: Words::of(self.locale),
            service: &self.issuer.host,
            title,
            text,
        };
        self.html(&page, status, fault)
    }

    #[expect(clippy::unused_self, reason = "as its callers are")]
    fn html(
        &self,
        page: &impl Template,
        status: StatusCode,
        fault: Option<&Error>,
    ) -> Result<HttpResponse, Problem> {
        let html = page
            .render()
            .map_err(|error| Problem::internal(format!("page: {error}")))?;
        let mut answer = HttpResponse::build(status);
        guarded(&mut answer)
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .content_type("text/html; charset=utf-8");
        if let Some(Error::TooManyAttempts(seconds)) = fault {
            answer.insert_header((header::RETRY_AFTER, seconds.to_string()));
        }
        if let Some(Error::Busy) = fault {
            answer.insert_header((header::RETRY_AFTER, "1"));
        }
        let mut answer = answer.body(html);
        if let Some(fault) = fault {
            // For the log and the metrics; the page itself says it to people.
            answer.extensions_mut().insert(Problem::from(fault));
        }
        Ok(answer)
    }
}

/// What every page and its files carry.
fn guarded(answer: &mut actix_web::HttpResponseBuilder) -> &mut actix_web::HttpResponseBuilder {
    answer
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((header::X_FRAME_OPTIONS, "DENY"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        // Chrome sends `Origin: null` with our own forms under `no-referrer`.
        .insert_header((header::REFERRER_POLICY, "same-origin"))
}

async fn style() -> HttpResponse {
    asset(STYLE, "text/css; charset=utf-8")
}

async fn script() -> HttpResponse {
    asset(SCRIPT, "text/javascript; charset=utf-8")
}

fn asset(content: &'static str, kind: &'static str) -> HttpResponse {
    guarded(&mut HttpResponse::Ok())
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .content_type(kind)
        .body(content)
}
