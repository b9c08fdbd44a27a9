//! The routes: what the tokens open, and what operators and their machines ask.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::middleware::from_fn;
use actix_web::web::{Data, ServiceConfig, get, resource, route, scope, to};
use chassis::http::not_found;
use chassis::operations;
use chrono::DateTime;
use gate::Problem;
use gate::RequestInfo;
use gate::{Bearer, Gate, guard};
use serde_json::json;
use shared::keys::Key;

use shared::follow::FeedState;

use crate::revocations::Revoked;
use crate::verify::verify;

const OPENAPI: &str = include_str!("../openapi.json");

/// The whole route table.
pub(crate) fn table(config: &mut ServiceConfig) {
    // Closed by default: whatever is below /api, known or not, is behind the gate.
    let protected = scope("/api")
        .wrap(from_fn(guard))
        .service(resource("/home").route(get().to(home)))
        .service(resource("/me").route(get().to(me)))
        .service(resource("/admin").route(get().to(admin)))
        .default_service(to(not_found));
    config
        .service(protected)
        // A proxy asks by the method of the request that it holds.
        .service(resource("/verify").route(route().to(verify)))
        .service(resource("/healthz").route(get().to(operations::healthz)))
        .service(resource("/readyz").route(get().to(readyz)))
        .service(resource("/metrics").route(get().to(operations::metrics)))
        .service(resource("/openapi.json").route(get().to(openapi)));
}

/// The current date in UTC.
async fn home(info: RequestInfo) -> Result<HttpResponse, Problem> {
    let time = DateTime::from_timestamp(info.now, 0)
        .ok_or_else(|| Problem::internal("the clock is out of all bounds"))?;
    Ok(text(time.date_naive().to_string()))
}

/// The claims as they stand in the token, unknown ones included.
async fn me(bearer: Bearer) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("application/json")
        .body(String::from(bearer.payload.clone()))
}

/// Something for administrators alone.
async fn admin(bearer: Bearer) -> Result<HttpResponse, Problem> {
    bearer.require_role("admin")?;
    Ok(text(format!("Hello, administrator {}.", bearer.claims.sub)))
}

/// Whether requests should be sent here, and what both services must agree on.
async fn readyz(
    info: RequestInfo,
    gate: Data<Gate>,
    revoked: Data<Revoked>,
) -> Result<HttpResponse, Problem> {
    let policy = gate.validator().policy();
    let ring = gate.validator().keys().ring();
    let view = revoked.view.as_deref();
    let state = view.map(|view| view.state(info.now));
    let age = view.and_then(|view| view.age(info.now));
    let feed = json!({
        "state": word(state),
        "age": age,
        "entries": view.map_or(0, |view| view.ended().len()),
    });
    let kids: Vec<&str> = ring.keys().iter().map(Key::kid).collect();
    let members = [
        ("issuer", json!(policy.issuer)),
        ("audience", json!(policy.audiences)),
        ("clockSkew", json!(policy.skew)),
        ("keys", json!(kids)),
        ("feed", feed),
    ];
    let members = members.map(|(name, value)| (name.to_owned(), value));
    let fault = view.filter(|view| !view.is_ready(info.now)).map(|_| {
        let detail = match (state, age) {
            (Some(FeedState::Stale), Some(age)) => {
                format!("the revocation feed has been silent for {age} s")
            }
            _ => "the revocation feed has not answered yet".to_owned(),
        };
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "revocation_view_stale").detail(detail)
    });
    operations::readyz(members.into_iter().collect(), fault)
}

/// The word of `/readyz` for the state of the view; none is followed where there is no feed.
fn word(state: Option<FeedState>) -> &'static str {
    match state {
        None => "off",
        Some(FeedState::Waiting) => "waiting",
        Some(FeedState::Fresh) => "fresh",
        Some(FeedState::Stale) => "stale",
    }
}

async fn openapi() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("application/json")
        .body(OPENAPI)
}

fn text(text: String) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/plain; charset=utf-8")
        .body(text)
}
