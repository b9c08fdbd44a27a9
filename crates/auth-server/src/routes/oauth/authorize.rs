//! `/oauth/authorize`: where it begins, and where every form of ours comes back to.

use actix_web::HttpResponse;

use super::visit::{Early, Sent, Visit};
use crate::sign_on::{Params, Step};

pub(super) async fn show(visit: Visit) -> HttpResponse {
    match visit.before() {
        Some(early) => early,
        None => answer(visit).await.unwrap_or_else(|early| early),
    }
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
pub(super) async fn post(visit: Visit, sent: Sent<Vec<(String, String)>>) -> HttpResponse {
    visit.on_by_get("/oauth/authorize", sent)
}
