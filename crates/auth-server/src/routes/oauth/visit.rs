//! A visit to one of the pages of sign-on: who comes, in which browser, with what request.

use actix_web::cookie::Cookie;
use actix_web::http::header;
use actix_web::http::{Method, StatusCode};
use actix_web::web::Data;
use actix_web::{HttpMessage, HttpRequest, HttpResponse, ResponseError};
use chassis::http::{Form, OnlyHead};
use futures_util::future::LocalBoxFuture;
use gate::Problem;
use pages::{Consent, ContinueAs, Destination, GoOn, Language, Person, SignIn, Trouble};
use serde::Deserialize;

use super::answer::to_client;
use super::offers::Offers;
use crate::db::Caller;
use crate::error::Error;
use crate::routes::html::{DEVICE, FORM, Hosted, SESSION, html, language_of, redirect};
use crate::sessions::{Browser, BrowserStart, Sessions};
use crate::sign_on::{AuthRequest, FormPurpose, FormTokens, Params, Refusal, Refused, SignOn};

/// Seconds that the browser keeps what the account knows it by.
const DEVICE_SECONDS: i64 = 180 * 86_400;

/// What all pages of sign-on work with.
pub(super) struct Visit {
    pub(super) request: HttpRequest,
    pub(super) caller: Caller,
    pub(super) hosted: Data<Hosted>,
    pub(super) sign_on: Data<SignOn>,
    pub(super) sessions: Data<Sessions>,
    pub(super) offers: Data<Offers>,
    pub(super) language: Language,
}

impl actix_web::FromRequest for Visit {
    type Error = actix_web::Error;
    type Future = LocalBoxFuture<'static, Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, payload: &mut actix_web::dev::Payload) -> Self::Future {
        let caller = crate::routes::caller::CalledBy::from_request(request, payload);
        let request = request.clone();
        Box::pin(async move {
            let missing = || Problem::internal("sign-on is not in the app's data");
            let crate::routes::caller::CalledBy(caller) = caller.await?;
            Ok(Self {
                hosted: request.app_data().cloned().ok_or_else(missing)?,
                sign_on: request.app_data().cloned().ok_or_else(missing)?,
                sessions: request.app_data().cloned().ok_or_else(missing)?,
                offers: request.app_data().cloned().ok_or_else(missing)?,
                language: language_of(&request, None),
                caller,
                request,
            })
        })
    }
}

/// What every form of sign-on carries: the request of the program, and the form's token.
#[derive(Clone, Default, Deserialize)]
pub(super) struct Carried {
    #[serde(default)]
    pub(super) request: String,
    #[serde(default)]
    pub(super) form: String,
}

/// Whom a form is for.
#[derive(Clone, Copy)]
pub(super) enum Signed<'a> {
    /// Whoever comes.
    Unasked,
    /// Who was asked something, if he still is who is signed in.
    In(Option<&'a Browser>),
    /// Who was asked whether to sign out, if he still is who is signed in.
    Out(Option<&'a Browser>),
}

/// A form, or what a body was that is none.
pub(super) type Sent<T> = Result<Form<T>, actix_web::Error>;

/// An answer that ends the visit early.
pub(super) type Early<T> = Result<T, HttpResponse>;

impl Visit {
    /// The answer to a GET of a page that is none: at another host of this machine, or a HEAD. A link preview takes nobody's
    /// pushed request, makes no code and signs nobody out.
    pub(super) fn before(&self) -> Option<HttpResponse> {
        let elsewhere = self.hosted.at_own_host(&self.request);
        elsewhere.or_else(|| {
            self.request.extensions().get::<OnlyHead>()?;
            let page = HttpResponse::Ok()
                .content_type("text/html; charset=utf-8")
                .finish();
            Some(page)
        })
    }

    /// On by GET with what another site may have posted: the browser leaves our cookie out of that.
    pub(super) fn on_by_get(&self, path: &str, sent: Sent<Vec<(String, String)>>) -> HttpResponse {
        match sent {
            Ok(Form(pairs)) => {
                let query = Params::of_pairs(pairs).query();
                redirect(StatusCode::SEE_OTHER, &format!("{path}?{query}"))
            }
            Err(error) => self.no_form(&error),
        }
    }

    /// Goes on in the language of the request.
    pub(super) fn speak(&mut self, ui_locales: Option<&str>) {
        self.language = language_of(&self.request, ui_locales);
    }

    /// The authorization request of these parameters; or the answer to one that is none.
    pub(super) async fn read(&mut self, params: Params) -> Early<AuthRequest> {
        let query = params.query();
        match self.sign_on.request(params, &self.caller).await {
            Ok(Ok(request)) => {
                self.speak(request.ui_locales.as_deref());
                Ok(request)
            }
            // Out of a form of ours no redirect goes to a client: see `go_on`.
            Ok(Err(refused))
                if self.request.method() == Method::POST
                    && matches!(refused.refusal, Refusal::Client { .. }) =>
            {
                Err(self.go_on(&query))
            }
            Ok(Err(refused)) => Err(self.refused(&refused)),
            Err(error) => Err(self.failed(&error)),
        }
    }

    /// The answer to a request that is refused.
    pub(super) fn refused(&self, refused: &Refused) -> HttpResponse {
        let said = (refused.error, refused.description.as_str());
        match refused.refusal {
            Refusal::Page(mistake) => {
                let at = (mistake, StatusCode::BAD_REQUEST);
                let mut page = self.hosted.fault(&self.request, self.language, at, said);
                let problem = Problem::new(StatusCode::BAD_REQUEST, refused.error);
                page.extensions_mut()
                    .insert(problem.detail(refused.description.clone()));
                page
            }
            Refusal::Client { .. } => self.tell(&refused.refusal, said.0, said.1),
        }
    }

    /// Tells the client of an error.
    pub(super) fn tell(&self, whom: &Refusal, error: &str, description: &str) -> HttpResponse {
        let fields = [("error", error), ("error_description", description)];
        let issuer = self.sign_on.issuer();
        to_client(whom, &fields, issuer, &self.hosted, self.language)
    }

    /// Gives the client its code.
    pub(super) fn give(&self, request: &AuthRequest, code: &str) -> HttpResponse {
        let issuer = self.sign_on.issuer();
        let fields = [("code", code)];
        to_client(
            &request.refusal(),
            &fields,
            issuer,
            &self.hosted,
            self.language,
        )
    }

    /// What failed inside.
    pub(super) fn failed(&self, error: &Error) -> HttpResponse {
        self.hosted
            .failed(&self.request, self.language, Problem::from(error))
    }

    /// The page for a body that is no form.
    pub(super) fn no_form(&self, error: &actix_web::Error) -> HttpResponse {
        let status = error.as_response_error().status_code();
        let problem = Problem::of_status(status).detail(error.to_string());
        self.hosted.failed(&self.request, self.language, problem)
    }

    /// Whoever is signed in in this browser.
    pub(super) async fn browser(&self) -> Early<Option<Browser>> {
        let Some(cookie) = self.hosted.read_cookie(&self.request, &SESSION) else {
            return Ok(None);
        };
        let found = self.sessions.browser(&cookie, &self.caller).await;
        found.map_err(|error| self.failed(&error))
    }

    /// Whoever can be signed out in this browser: see [`Sessions::browser_to_leave`].
    pub(super) async fn browser_to_leave(&self) -> Early<Option<Browser>> {
        let Some(cookie) = self.hosted.read_cookie(&self.request, &SESSION) else {
            return Ok(None);
        };
        let found = self.sessions.browser_to_leave(&cookie, &self.caller).await;
        found.map_err(|error| self.failed(&error))
    }

    /// Has the browser forget who was signed in.
    pub(super) fn forget(&self, answer: &mut HttpResponse) {
        if self.hosted.read_cookie(&self.request, &SESSION).is_some() {
            let gone = self.hosted.cookie(&SESSION, String::new(), Some(0));
            self.set(answer, &gone);
        }
    }

    /// By what an account may know this browser.
    pub(super) fn device(&self) -> Option<String> {
        self.hosted.read_cookie(&self.request, &DEVICE)
    }

    /// The fields of a form that a page of ours sent, and whether its token fits: it does not where the browser keeps no
    /// cookies, or has lost them.
    pub(super) fn take<T>(
        &self,
        sent: Sent<T>,
        carried: impl Fn(&T) -> &Carried,
        signed_in: Signed<'_>,
    ) -> Early<(T, bool)> {
        let headers = self.request.headers();
        if !headers.contains_key(header::ORIGIN) || !self.hosted.is_own_form(headers) {
            return Err(self.hosted.not_our_form(&self.request, self.language));
        }
        let Form(form) = sent.map_err(|error| self.no_form(&error))?;
        let cookie = self.hosted.read_cookie(&self.request, &FORM);
        let fits = cookie.is_some_and(|cookie| {
            let carried = carried(&form);
            let purpose = match signed_in {
                Signed::Unasked => FormPurpose::Enter,
                Signed::In(Some(browser)) => FormPurpose::Answer(browser.session, &carried.request),
                Signed::Out(Some(browser)) => FormPurpose::Leave(browser.session, &carried.request),
                Signed::In(None) | Signed::Out(None) => return false,
            };
            self.sign_on.forms().fits(&carried.form, &cookie, &purpose)
        });
        Ok((form, fits))
    }

    /// A page with a form in it: its hidden fields are this request and the form's token, and the browser gets the
    /// cookie that the token is made of, if it has none.
    pub(super) fn form(
        &self,
        query: &str,
        signed_in: Signed<'_>,
        page: impl FnOnce(pages::Hidden<'_>) -> HttpResponse,
    ) -> HttpResponse {
        // One that is there is used again: two tabs must not spoil each other.
        let had = self
            .hosted
            .read_cookie(&self.request, &FORM)
            .filter(|cookie| FormTokens::is_cookie(cookie));
        let fresh = had.is_none();
        let cookie = had.unwrap_or_else(FormTokens::fresh_cookie);
        let purpose = match signed_in {
            Signed::In(Some(browser)) => FormPurpose::Answer(browser.session, query),
            Signed::Out(Some(browser)) => FormPurpose::Leave(browser.session, query),
            _ => FormPurpose::Enter,
        };
        let field = self
            .sign_on
            .forms()
            .field(&cookie, &purpose, self.caller.now);
        let Some(field) = field else {
            return self.failed(&Error::Internal("no MAC key".into()));
        };
        let mut answer = page(&[("request", query), ("form", &field)]);
        if fresh {
            self.set(&mut answer, &self.hosted.cookie(&FORM, cookie, None));
        }
        answer
    }

    /// The log-in form for a request.
    pub(super) fn sign_in(
        &self,
        request: &AuthRequest,
        (email, keep): (&str, bool),
        fault: Option<(&Trouble, Option<&Error>)>,
    ) -> HttpResponse {
        let query = request.query_with("", None);
        let (forgot, register) = (
            format!("/oauth/forgot?{query}"),
            format!("/oauth/register?{query}"),
        );
        let status = match fault {
            None => StatusCode::OK,
            Some((_, Some(error))) => error.status_code(),
            Some((_, None)) => StatusCode::FORBIDDEN,
        };
        self.form(&query, Signed::Unasked, |hidden| {
            let page = SignIn {
                client: Some(&request.client.name),
                email,
                keep,
                hidden,
                fault: fault.map(|(trouble, _)| trouble),
                forgot: self.offers.mail.then_some(&forgot),
                register: self.offers.registers().then_some(&register),
                ..SignIn::new(self.hosted.look(self.language))
            };
            html(&page, status, fault.and_then(|(_, error)| error))
        })
    }

    /// The question whether the client may.
    pub(super) fn consent(&self, request: &AuthRequest, browser: &Browser) -> HttpResponse {
        let query = request.query_with("", None);
        let another = another(request);
        let scopes: Vec<&str> = request.scope.split(' ').collect();
        self.form(&query, Signed::In(Some(browser)), |hidden| {
            let page = Consent {
                look: self.hosted.look(self.language),
                client: &request.client.name,
                person: person(browser),
                scopes: &scopes,
                destination: Destination::of(&request.redirect_uri),
                hidden,
                another: Some(&another),
            };
            html(&page, StatusCode::OK, None)
        })
    }

    /// "Continue as Ada?"
    pub(super) fn continue_as(&self, request: &AuthRequest, browser: &Browser) -> HttpResponse {
        let query = request.query_with("", None);
        let another = another(request);
        self.form(&query, Signed::In(Some(browser)), |hidden| {
            let page = ContinueAs {
                look: self.hosted.look(self.language),
                client: &request.client.name,
                person: person(browser),
                destination: Destination::of(&request.redirect_uri),
                hidden,
                another: Some(&another),
            };
            html(&page, StatusCode::OK, None)
        })
    }

    /// Goes on with a request after one of our forms: a page that the browser leaves at once. No redirect, which
    /// `form-action 'self'` would stop on its way to the client: browsers follow the chain of a form.
    pub(super) fn go_on(&self, query: &str) -> HttpResponse {
        self.leave_for(query, false)
    }

    /// The same for who has just signed in.
    pub(super) fn signed_in_and_on(&self, query: &str) -> HttpResponse {
        self.leave_for(query, true)
    }

    fn leave_for(&self, query: &str, signed_in: bool) -> HttpResponse {
        self.leave(&format!("/oauth/authorize?{query}"), signed_in)
    }

    /// Out of one of our forms to an address, by a page that the browser leaves at once.
    pub(super) fn leave(&self, url: &str, signed_in: bool) -> HttpResponse {
        let page = GoOn {
            look: self.hosted.look(self.language),
            signed_in,
            url,
        };
        let mut answer = html(&page, StatusCode::OK, None);
        match header::HeaderValue::try_from(format!("0; url={url}")) {
            Ok(refresh) => {
                answer.headers_mut().insert(header::REFRESH, refresh);
                answer
            }
            Err(_) => Problem::internal("a request that is no header").error_response(),
        }
    }

    /// The cookies of a log-in.
    pub(super) fn signed_in(
        &self,
        answer: &mut HttpResponse,
        start: &BrowserStart,
        device: String,
        keep: bool,
    ) {
        let seconds = keep.then_some(start.lives);
        let session = self.hosted.cookie(&SESSION, start.cookie.clone(), seconds);
        self.set(answer, &session);
        let device = self.hosted.cookie(&DEVICE, device, Some(DEVICE_SECONDS));
        self.set(answer, &device);
    }

    #[expect(clippy::unused_self, reason = "as its callers are")]
    fn set(&self, answer: &mut HttpResponse, cookie: &Cookie<'_>) {
        if let Err(error) = answer.add_cookie(cookie) {
            log::error!("cookie: {error}");
        }
    }
}

pub(super) fn person(browser: &Browser) -> Person<'_> {
    Person {
        name: &browser.account.user_name,
        email: &browser.account.email,
    }
}

/// The same request with a log-in, for somebody else.
fn another(request: &AuthRequest) -> String {
    let mut prompt = String::from("login");
    if request.prompt.consent {
        prompt.push_str(" consent");
    }
    let query = Params::of_query(&request.query).with("prompt", &prompt);
    format!("/oauth/authorize?{}", query.query())
}
