//! What operators and their machines ask: health, readiness, metrics, the description of the API.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::Data;
use chassis::metrics::{Metrics, TEXT_FORMAT};
use gate::problem::PROBLEM_JSON;
use gate::{Gate, RequestInfo};
use serde_json::json;

use crate::db::Db;
use crate::operations::clock_check::ClockCheck;

const OPENAPI: &str = include_str!("../../openapi.json");

/// The process answers.
pub(super) async fn healthz() -> HttpResponse {
    HttpResponse::Ok().json(json!({"status": "ok"}))
}

/// It can do its work: the database answers, the clocks agree, and a key can sign. Says what both
/// services must agree on.
#[expect(
    clippy::redundant_closure_for_method_calls,
    reason = "the method itself is not general enough over the lifetime of a Tx"
)]
pub(super) async fn readyz(
    info: RequestInfo,
    db: Data<Db>,
    gate: Data<Gate>,
    clocks: Data<ClockCheck>,
) -> HttpResponse {
    let database = db.read(|tx| tx.ping()).await;
    if let Err(error) = &database {
        log::warn!("not ready: {error}");
    }
    let validator = gate.validator();
    let ring = validator.keys().ring();
    let policy = validator.policy();
    let signing = ring.active(info.now).map(|key| key.kid().to_owned());
    let kids: Vec<&str> = ring.keys().iter().map(shared::keys::Key::kid).collect();
    let mut body = json!({
        "status": "ready",
        "issuer": policy.issuer,
        "audience": policy.audiences,
        "clockSkew": policy.skew,
        "keys": kids,
        "signingKey": signing,
        "database": if database.is_ok() { "ok" } else { "unavailable" },
        "databaseClockAhead": clocks.ahead(),
    });
    let (code, detail) = match (&database, &signing) {
        (Ok(()), Some(_)) if clocks.agrees() => return HttpResponse::Ok().json(body),
        (Ok(()), Some(_)) => (
            "database_unavailable",
            "the clocks of the database and of this machine are too far apart",
        ),
        (Err(_), _) => ("database_unavailable", "the database does not answer"),
        (Ok(()), None) => ("internal", "no key of the ring signs now"),
    };
    // A problem like every other, which says the rest as well (RFC 9457 §3.2).
    let status = StatusCode::SERVICE_UNAVAILABLE;
    if let Some(members) = body.as_object_mut() {
        members.extend([
            ("type".to_owned(), json!("about:blank")),
            ("title".to_owned(), json!(status.canonical_reason())),
            ("status".to_owned(), json!(status.as_u16())),
            ("code".to_owned(), json!(code)),
            ("detail".to_owned(), json!(detail)),
            ("requestId".to_owned(), json!(info.id)),
        ]);
    }
    HttpResponse::build(status)
        .content_type(PROBLEM_JSON)
        .body(body.to_string())
}

/// Prometheus text.
pub(super) async fn metrics(metrics: Data<Metrics>) -> HttpResponse {
    HttpResponse::Ok()
        .content_type(TEXT_FORMAT)
        .body(metrics.render())
}

pub(super) async fn openapi() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("application/json")
        .body(OPENAPI)
}
