//! The handlers for operators that both services have alike.

use std::future::{Ready, ready};

use actix_web::HttpResponse;
use actix_web::web::Data;
use gate::Problem;
use serde_json::{Map, Value, json};

use crate::metrics::{Metrics, TEXT_FORMAT};

/// `/healthz`: the process answers.
pub fn healthz() -> Ready<HttpResponse> {
    ready(HttpResponse::Ok().json(json!({"status": "ok"})))
}

/// `/metrics`: Prometheus' text.
#[expect(clippy::needless_pass_by_value, reason = "the form of a handler")]
pub fn metrics(metrics: Data<Metrics>) -> Ready<HttpResponse> {
    let answer = HttpResponse::Ok()
        .content_type(TEXT_FORMAT)
        .body(metrics.render());
    ready(answer)
}

/// `/readyz`: what both services must agree on, and whether requests should be sent here. A refusal is a problem
/// like every other, which says the rest as well (RFC 9457 §3.2).
///
/// # Errors
/// `fault`, with these members.
pub fn readyz(
    members: Map<String, Value>,
    fault: Option<Problem>,
) -> Result<HttpResponse, Problem> {
    if let Some(fault) = fault {
        return Err(fault.members(members));
    }
    let mut body = members;
    body.insert("status".to_owned(), "ready".into());
    Ok(HttpResponse::Ok().json(body))
}
