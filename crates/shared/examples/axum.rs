//! Somebody else's axum service whose routes open to Keyturn's access tokens.
//!
//! Start Keyturn (`cargo run`), then in the same folder
//!
//! ```sh
//! JWT_KEYS_FILE=data/shared/jwt-keys.json cargo run -p shared --example axum
//! curl -i http://127.0.0.1:8080/orders -H "Authorization: Bearer $ACCESS_TOKEN"
//! ```

use std::env;
use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use shared::claims::Claims;
use shared::follow::{Follower, Stale, View, address};
use shared::key_file::KeyFile;
use shared::revocations::Revocations;
use shared::token::{AccessToken, Policy, Validator};
use shared::token_error::TokenError;
use shared::{clock, credential};

#[derive(Clone)]
struct Guard {
    validator: Arc<Validator>,
    view: Arc<View>,
}

impl Guard {
    fn judge(&self, headers: &HeaderMap) -> Result<AccessToken, TokenError> {
        let (now, values) = (clock::now(), headers.get_all(AUTHORIZATION));
        let token = credential::bearer(values.iter().map(HeaderValue::as_bytes))?;
        let checked = self.validator.check(token, now)?;
        let verdict = self.view.judge(checked.claims(), now);
        checked.judge(verdict, now)
    }
}

/// The gate before the routes.
async fn guard(State(guard): State<Guard>, mut request: Request, next: Next) -> Response {
    match guard.judge(request.headers()) {
        Ok(token) => request.extensions_mut().insert(token.claims),
        Err(refusal) => return refused(&refusal),
    };
    next.run(request).await
}

/// A refusal as Keyturn's clients understand it: `act` tells them to refresh.
fn refused(refusal: &TokenError) -> Response {
    let status = match refusal {
        TokenError::RevocationsUnknown => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::UNAUTHORIZED,
    };
    let mut response = (status, format!("{}\n", refusal.code())).into_response();
    let headers = response.headers_mut();
    headers.insert("www-authenticate", HeaderValue::from_static("Bearer"));
    if let Some(act) = refusal.act() {
        headers.insert("act", HeaderValue::from_static(act));
    }
    response
}

/// The orders of whoever asks.
async fn orders(Extension(claims): Extension<Claims>) -> String {
    format!("No orders for {}.\n", claims.name.unwrap_or(claims.sub))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let variable = |name: &str, usual: &str| env::var(name).unwrap_or_else(|_| usual.to_owned());
    let issuer = variable("JWT_ISSUER", "http://localhost:5000");
    let feed = address(&variable("REVOCATION_FEED_URL", &issuer))?;
    let policy = Policy {
        issuer,
        audiences: vec![variable("JWT_AUDIENCE", "http://localhost:5001")],
        skew: variable("JWT_CLOCK_SKEW_SECONDS", "300").parse()?,
    };
    // Only for a feed over https; and a host may have chosen another one.
    let _ = rustls::crypto::ring::default_provider().install_default();

    let keys = KeyFile::open(&PathBuf::from(variable(
        "JWT_KEYS_FILE",
        "data/shared/jwt-keys.json",
    )))?;
    let (follower, view) =
        Follower::new(feed, &keys, &policy, Stale::Open, Duration::from_secs(30))?;
    let validator = Arc::new(Validator::new(Arc::clone(&keys), policy));
    // Rotated keys and ended sessions reach this process within a second.
    tokio::spawn(keys.follow());
    tokio::spawn(follower.follow());

    let app = Router::new()
        .route("/orders", get(orders))
        .layer(from_fn_with_state(Guard { validator, view }, guard))
        .route("/healthz", get(async || "ok"));
    let listener = tokio::net::TcpListener::bind(variable("LISTEN", "127.0.0.1:8080")).await?;
    eprintln!("orders listens on {}", listener.local_addr()?);
    Ok(axum::serve(listener, app).await?)
}
