//! The handlers for operators that both services have alike.

use actix_web::HttpResponse;
use actix_web::web::Data;
use gate::Problem;
use serde_json::{Map, Value, json};

use crate::metrics::{Metrics, TEXT_FORMAT};

/// `/healthz`: the process answers.
pub async fn healthz() -> HttpResponse {
    HttpResponse::Ok().json(json!({"status": "ok"}))
}

/// `/metrics`: Prometheus' text.
pub async fn metrics(metrics: Data<Metrics>) -> HttpResponse {
    HttpResponse::Ok()
        .content_type(TEXT_FORMAT)
        .body(metrics.render())
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
    match fault {
        Some(fault) => Err(fault.members(members)),
        None => {
            let mut body = members;
            body.insert("status".to_owned(), "ready".into());
            Ok(HttpResponse::Ok().json(body))
        }
    }
}
