//! Somebody else's actix-web service whose routes open to Keyturn's access tokens.
//!
//! Start Keyturn (`cargo run`), then in the same folder
//!
//! ```sh
//! JWT_KEYS_FILE=data/shared/jwt-keys.json cargo run -p gate --example guard
//! curl -i http://127.0.0.1:8080/orders -H "Authorization: Bearer $ACCESS_TOKEN"
//! ```

use std::env;
use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer, get, web};
use gate::{Bearer, Gate, guard};
use shared::follow::{Follower, Stale, address};
use shared::key_file::KeyFile;
use shared::token::{Policy, Validator};

/// The orders of whoever asks.
#[get("/orders")]
async fn orders(bearer: Bearer) -> String {
    let name = bearer.claims.name.as_deref();
    format!("No orders for {}.\n", name.unwrap_or(&bearer.claims.sub))
}

#[actix_web::main]
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
    let validator = Validator::new(Arc::clone(&keys), policy);
    let gate = Gate::new(validator, view)
        .realm("orders")
        .exempt("/healthz");
    let gate = web::Data::new(gate);
    // Rotated keys and ended sessions reach this process within a second.
    actix_web::rt::spawn(keys.follow());
    actix_web::rt::spawn(follower.follow());

    let server = HttpServer::new(move || {
        App::new()
            .app_data(gate.clone())
            .service(orders)
            .route("/healthz", web::get().to(async || "ok"))
            .wrap(from_fn(guard))
    })
    .bind(variable("LISTEN", "127.0.0.1:8080"))?;
    for address in server.addrs() {
        eprintln!("orders listens on {address}");
    }
    Ok(server.run().await?)
}
