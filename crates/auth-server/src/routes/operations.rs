//! What operators and their machines ask of auth-server alone: readiness, the description of the API.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::Data;
use chassis::operations;
use gate::{Gate, Problem, RequestInfo};
use serde_json::json;

use crate::db::Db;
use crate::operations::clock_check::ClockCheck;

const OPENAPI: &str = include_str!("../../openapi.json");

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
) -> Result<HttpResponse, Problem> {
    let database = db.read(|tx| tx.ping()).await;
    if let Err(error) = &database {
        log::warn!("not ready: {error}");
    }
    let validator = gate.validator();
    let ring = validator.keys().ring();
    let policy = validator.policy();
    let signing = ring.active(info.now).map(|key| key.kid().to_owned());
    let kids: Vec<&str> = ring.keys().iter().map(shared::keys::Key::kid).collect();
    let members = [
        ("issuer", json!(policy.issuer)),
        ("audience", json!(policy.audiences)),
        ("clockSkew", json!(policy.skew)),
        ("keys", json!(kids)),
        ("signingKey", json!(signing)),
        (
            "database",
            json!(if database.is_ok() {
                "ok"
            } else {
                "unavailable"
            }),
        ),
        ("databaseClockAhead", json!(clocks.ahead())),
    ];
    let members = members.map(|(name, value)| (name.to_owned(), value));
    let fault = match (&database, &signing) {
        (Ok(()), Some(_)) if clocks.agrees() => None,
        (Ok(()), Some(_)) => Some((
            "database_unavailable",
            "the clocks of the database and of this machine are too far apart",
        )),
        (Err(_), _) => Some(("database_unavailable", "the database does not answer")),
        (Ok(()), None) => Some(("internal", "no key of the ring signs now")),
    };
    let fault = fault
        .map(|(code, detail)| Problem::new(StatusCode::SERVICE_UNAVAILABLE, code).detail(detail));
    operations::readyz(members.into_iter().collect(), fault)
}

pub(super) async fn openapi() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("application/json")
        .body(OPENAPI)
}
