//! `/oauth/authorize`: where it begins, and where every form of ours comes back to.

use actix_web::http::StatusCode;
use actix_web::{HttpMessage, HttpResponse};
use chassis::http::{Form, OnlyHead};

use super::visit::{Early, Visit};
use crate::routes::html::redirect;
use crate::sign_on::{Params, Step};

pub(super) async fn show(visit: Visit) -> HttpResponse {
    if let Some(elsewhere) = visit.hosted.at_own_host(&visit.request) {
        return elsewhere;
    }
    // A link preview takes nobody's pushed request, and makes no code.
    if visit.request.extensions().get::<OnlyHead>().is_some() {
        return HttpResponse::Ok()
            .content_type("text/html; charset=utf-8")
            .finish();
    }
    answer(visit).await.unwrap_or_else(|early| early)
}

async fn answer(mut visit: Visit) -> Early<HttpResponse> {
    let params = Params::of_query(visit.request.query_string());
    let request = visit.read(params).await?;
    let browser = visit.browser().await?;
    let step = visit
        .sign_on
        .step(&request, browser.as_ref(), &visit.caller)
        .await
        .map_err(|error| visit.failed(&error))?;
    Ok(match (step, &browser) {
        (Step::Refuse(error, said), _) => visit.tell(&request.refusal(), error, said),
        (Step::Consent, Some(browser)) => visit.consent(&request, browser),
        (Step::ContinueAs, Some(browser)) => visit.continue_as(&request, browser),
        (Step::Code, Some(browser)) => {
            match visit.sign_on.code(&request, browser, &visit.caller).await {
                Ok(Some(code)) => visit.give(&request, &code),
                Ok(None) => visit.go_on(&request.query_with("", None)),
                Err(error) => visit.failed(&error),
            }
        }
        (Step::SignIn, _) | (_, None) => {
            let email = request.login_hint.clone().unwrap_or_default();
            visit.sign_in(&request, (&email, false), None)
        }
    })
}

/// A client may post its request. The browser leaves our cookie out of what another site posts, so it goes on by GET.
pub(super) async fn post(
    visit: Visit,
    sent: Result<Form<Vec<(String, String)>>, actix_web::Error>,
) -> HttpResponse {
    match sent {
        Ok(Form(pairs)) => {
            let query = Params::of_pairs(pairs).query();
            redirect(StatusCode::SEE_OTHER, &format!("/oauth/authorize?{query}"))
        }
        Err(error) => visit.no_form(&error),
    }
}
