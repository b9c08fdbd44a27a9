//! The answer to a question of ours: may this client, and shall it be you.

use actix_web::HttpResponse;
use serde::Deserialize;

use super::visit::{Carried, Early, Sent, Signed, Visit};
use crate::sign_on::{Params, Step, Ticket};

#[derive(Deserialize)]
pub(super) struct ConsentForm {
    #[serde(flatten)]
    carried: Carried,
    decision: Option<String>,
}

pub(super) async fn answer(visit: Visit, sent: Sent<ConsentForm>) -> HttpResponse {
    answer_with(visit, sent).await.unwrap_or_else(|early| early)
}

async fn answer_with(mut visit: Visit, sent: Sent<ConsentForm>) -> Early<HttpResponse> {
    let browser = visit.browser().await?;
    let signed_in = Signed::In(browser.as_ref());
    let (form, fits) = visit.take(sent, |form: &ConsentForm| &form.carried, signed_in)?;
    let request = visit.read(Params::of_query(&form.carried.request)).await?;
    let step = visit
        .sign_on
        .step(&request, browser.as_ref(), &visit.caller)
        .await
        .map_err(|error| visit.failed(&error))?;
    let decision = form.decision.as_deref().filter(|_| fits);
    let ticket = match (step, decision, &browser) {
        (Step::Consent | Step::ContinueAs, Some("deny"), _) => Ticket::Denied,
        (Step::Consent, Some("allow"), Some(browser)) => {
            let agreed = visit.sign_on.agree(&request, browser, &visit.caller).await;
            agreed.map_err(|error| visit.failed(&error))?;
            Ticket::Agreed
        }
        (Step::ContinueAs, Some("allow"), Some(_)) => Ticket::Agreed,
        // A form without one of its buttons, or without its cookie, is not a yes; and whoever is not asked this
        // goes on to what he is.
        _ => return Ok(visit.go_on(&request.query_with("", None))),
    };
    let word = visit
        .sign_on
        .ticket(ticket, &request, browser.as_ref(), visit.caller.now)
        .map_err(|error| visit.failed(&error))?;
    Ok(visit.go_on(&request.query_with(ticket.name(), Some(&word))))
}
