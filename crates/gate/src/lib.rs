//! The bearer gate of Keyturn for your own [actix-web](actix_web) services: good tokens pass, everything else gets
//! the answer that Keyturn's clients understand.
//!
//! What a token is, and when it is good, is [`shared`]'s. This crate brings it to actix-web: the middleware
//! [`guard`] before the routes, the extractor [`Bearer`] in them, [`Problem`] as the answer to everything else. CORS,
//! logging and the rest are the service's own. A browser may read the header `act` of a refusal only if your CORS
//! exposes it (`Access-Control-Expose-Headers: act, retry-after, x-request-id`).
//!
//! ```no_run
//! use std::path::Path;
//! use std::sync::Arc;
//!
//! use actix_web::middleware::from_fn;
//! use actix_web::{App, HttpServer, get, web};
//! use gate::{Bearer, Gate, guard};
//! use shared::key_file::KeyFile;
//! use shared::token::{Policy, Validator};
//!
//! #[get("/orders")]
//! async fn orders(bearer: Bearer) -> String {
//!     format!("the orders of {}", bearer.claims.sub)
//! }
//!
//! #[actix_web::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let keys = KeyFile::open(Path::new("data/shared/jwt-keys.json"))?;
//!     let policy = Policy {
//!         issuer: "http://localhost:5000".into(),
//!         audiences: vec!["http://localhost:5001".into()],
//!         skew: 300,
//!     };
//!     let validator = Validator::new(Arc::clone(&keys), policy);
//!     let gate = web::Data::new(Gate::new(validator, Arc::new(())).exempt("/healthz"));
//!     // Key rotations reach this process within a second.
//!     actix_web::rt::spawn(keys.follow());
//!     HttpServer::new(move || {
//!         App::new()
//!             .app_data(gate.clone())
//!             .service(orders)
//!             .route("/healthz", web::get().to(|| async { "ok" }))
//!             .wrap(from_fn(guard))
//!     })
//!     .bind("127.0.0.1:8080")?
//!     .run()
//!     .await?;
//!     Ok(())
//! }
//! ```
//!
//! `examples/guard.rs` is a program that runs. Whoever should know of ended sessions within a second implements
//! [`shared::revocations::Revocations`] from memory, as resource-api does with auth-server's feed, or [`LookUp`].

mod bearer;
mod guard;
pub mod problem;
mod request;

pub use bearer::{Bearer, require_role, require_scope};
pub use guard::{Gate, LookUp, Refused, bearer_of, guard};
pub use problem::Problem;
pub use request::{REQUEST_ID, RequestInfo};

#[cfg(test)]
mod tests;

/// The guard's page in `docs/`, so that its example compiles.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/guard/rust.md")]
struct Guard;
