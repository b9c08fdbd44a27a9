//! `/oauth/logout` (OIDC RP-Initiated Logout 1.0) and the form that asks first.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use pages::{Message, Notice, SignOut};
use serde::Deserialize;

use super::visit::{Carried, Early, Sent, Signed, Visit, person};
use crate::routes::html::{html, redirect};
use crate::sessions::Browser;
use crate::sign_on::{Leaving, LogOutRequest, Params};

#[derive(Deserialize)]
pub(super) struct SignOutForm {
    #[serde(flatten)]
    carried: Carried,
    decision: Option<String>,
}

pub(super) async fn show(visit: Visit) -> HttpResponse {
    match visit.before() {
        Some(early) => early,
        None => answer(visit).await.unwrap_or_else(|early| early),
    }
}

async fn answer(mut visit: Visit) -> Early<HttpResponse> {
    let request = visit.log_out_request(&Params::of_query(visit.request.query_string()))?;
    let browser = visit.browser_to_leave().await?;
    // A frame of another site gets no cookie of ours: led back, its program would take the browser for signed out.
    let framed = visit
        .request
        .headers()
        .get("sec-fetch-dest")
        .is_some_and(|it| it != "document");
    if framed && browser.is_none() {
        return Ok(visit.signed_out());
    }
    let leaving = visit.sign_on.leaving(&request, browser.as_ref()).await;
    let leaving = leaving.map_err(|error| visit.failed(&error))?;
    match (leaving, &browser) {
        (Leaving::AtOnce, Some(browser)) => {
            let ended = visit.sessions.sign_out(browser, &visit.caller).await;
            ended.map_err(|error| visit.failed(&error))?;
            Ok(visit.gone(request.back()))
        }
        (Leaving::Ask, Some(browser)) => visit.ask(&request, browser).await,
        _ => Ok(visit.gone(request.back_unasked())),
    }
}

/// A program may post its request. The browser leaves our cookie out of what another site posts, so it goes on by GET.
pub(super) async fn post(visit: Visit, sent: Sent<Vec<(String, String)>>) -> HttpResponse {
    visit.on_by_get("/oauth/logout", sent)
}

pub(super) async fn sign_out(visit: Visit, sent: Sent<SignOutForm>) -> HttpResponse {
    sign_out_with(visit, sent)
        .await
        .unwrap_or_else(|early| early)
}

async fn sign_out_with(mut visit: Visit, sent: Sent<SignOutForm>) -> Early<HttpResponse> {
    let browser = visit.browser_to_leave().await?;
    let signed_in = Signed::Out(browser.as_ref());
    let (form, fits) = visit.take(sent, |form: &SignOutForm| &form.carried, signed_in)?;
    let request = visit.log_out_request(&Params::of_query(&form.carried.request))?;
    let Some(browser) = &browser else {
        return Ok(visit.left(request.back_unasked()));
    };
    // A form without its button, or without its cookie, is not a yes.
    if form.decision.as_deref() != Some("allow") || !fits {
        return visit.ask(&request, browser).await;
    }
    let ended = visit.sessions.sign_out(browser, &visit.caller).await;
    ended.map_err(|error| visit.failed(&error))?;
    Ok(visit.left(request.back()))
}

impl Visit {
    fn log_out_request(&mut self, params: &Params) -> Early<LogOutRequest> {
        let read = self.sign_on.log_out_request(params);
        let request = read.map_err(|refused| self.refused(&refused))?;
        self.speak(request.ui_locales.as_deref());
        Ok(request)
    }

    /// "Sign out of everything in this browser?"
    async fn ask(&self, request: &LogOutRequest, browser: &Browser) -> Early<HttpResponse> {
        let programs = self.sign_on.programs(browser, &self.caller).await;
        let programs = programs.map_err(|error| self.failed(&error))?;
        let programs: Vec<&str> = programs.iter().map(String::as_str).collect();
        let page = |hidden: pages::Hidden<'_>| {
            let page = SignOut {
                look: self.hosted.look(self.language),
                person: Some(person(browser)),
                programs: &programs,
                hidden,
                // The program has let go of its user already.
                stay: request.back(),
            };
            html(&page, StatusCode::OK, None)
        };
        Ok(self.form(&request.query, Signed::Out(Some(browser)), page))
    }

    /// Signed out, and back to the program if it said where.
    fn gone(&self, back: Option<&str>) -> HttpResponse {
        let mut answer = match back {
            Some(back) => redirect(StatusCode::FOUND, back),
            None => self.signed_out(),
        };
        self.forget(&mut answer);
        answer
    }

    /// The same out of our form: no redirect, which `form-action 'self'` would stop.
    fn left(&self, back: Option<&str>) -> HttpResponse {
        let mut answer = match back {
            Some(back) => self.leave(back, false),
            None => self.signed_out(),
        };
        self.forget(&mut answer);
        answer
    }

    fn signed_out(&self) -> HttpResponse {
        let page = Message {
            look: self.hosted.look(self.language),
            notice: Notice::SignedOut,
            sign_in: None,
        };
        html(&page, StatusCode::OK, None)
    }
}
