//! Keyturn's access tokens for your own services: judge them, guard routes with them, answer
//! refusals the way Keyturn's clients understand.
//!
//! A service needs three things: the key ring's file (`JWT_KEYS_FILE`), and the issuer and audience
//! that the tokens are made for. It asks nobody per request.
//!
//! "The contract" in these pages is Keyturn's HTTP contract: which faults there are, their codes, the order
//! in which they are judged, and the header `act`, which tells a client to refresh. `docs/API.md` has it.
//! Whoever should know of ended sessions within a second implements `bearer::Revocations`; resource-api
//! does so with auth-server's feed.
//!
//! # An actix-web service
//!
#![cfg_attr(feature = "actix", doc = "```no_run")]
#![cfg_attr(not(feature = "actix"), doc = "```ignore")]
//! use std::path::Path;
//! use std::sync::Arc;
//!
//! use actix_web::middleware::from_fn;
//! use actix_web::{App, HttpServer, get, web};
//! use shared::bearer::{self, Bearer, Gate};
//! use shared::http;
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
//!     let gate = web::Data::new(Gate::new(validator, Arc::new(())));
//!     // Key rotations reach this process within a second.
//!     actix_web::rt::spawn(keys.follow());
//!     HttpServer::new(move || {
//!         App::new()
//!             .app_data(gate.clone())
//!             .service(web::scope("/api").wrap(from_fn(bearer::gate)).service(orders))
//!             .wrap(http::cors(&http::CorsOrigins::Any))
//!             .wrap(from_fn(http::finish))
//!     })
//!     .bind("127.0.0.1:8080")?
//!     .run()
//!     .await?;
//!     Ok(())
//! }
//! ```
//!
//! `examples/guard.rs` is the same as a program that runs.
//!
//! # Any other Rust service
//!
//! Without the feature `actix` nothing of a web framework is left; `default-features = false`.
//!
//! ```
//! use shared::clock;
//! use shared::token::{AccessToken, TokenError, Validator, Verdict};
//!
//! /// The status, the code and the header `act` of a refusal; or the token.
//! fn admit(
//!     validator: &Validator,
//!     bearer: &str,
//! ) -> Result<AccessToken, (u16, &'static str, Option<&'static str>)> {
//!     let now = clock::now();
//!     let judge = || {
//!         let checked = validator.check(bearer, now)?;
//!         // Whoever knows which sessions have ended says so here.
//!         checked.judge(Verdict::Live, now)
//!     };
//!     judge().map_err(|error: TokenError| (401, error.code(), error.act()))
//! }
//! # use shared::{key_file::KeyFile, keys::KeyRing, token::Policy};
//! # let policy = Policy { issuer: "i".into(), audiences: vec!["a".into()], skew: 0 };
//! # let validator = Validator::new(KeyFile::fixed(KeyRing::generate(0)), policy);
//! # assert_eq!(admit(&validator, "x").unwrap_err(), (401, "token_malformed", None));
//! ```
//!
//! Whoever does not spawn [`key_file::KeyFile::follow`] calls
//! [`key_file::KeyFile::reload_if_changed`] every second instead.
//!
//! # Features
//!
//! - `actix` (default): [`bearer`], [`problem`], [`http`] and [`metrics`] for actix-web 4.
//! - `settings`: command line flags and variables of both services ([`settings`]), the log, [`tls`]
//!   and [`process`]; together with `actix`, what their processes do ([`service`]).

// The front page tells of every feature, also where one is off.
#![cfg_attr(
    not(all(feature = "actix", feature = "settings")),
    allow(rustdoc::broken_intra_doc_links)
)]

#[cfg(feature = "actix")]
pub mod bearer;
pub mod claims;
#[cfg(feature = "settings")]
pub mod client_address;
pub mod clock;
#[cfg(feature = "settings")]
pub mod connection_limits;
pub mod feed;
mod files;
#[cfg(feature = "actix")]
pub mod http;
mod json;
mod jws;
pub mod key_file;
pub mod keys;
#[cfg(feature = "settings")]
mod log_limit;
#[cfg(feature = "settings")]
mod log_lines;
#[cfg(feature = "actix")]
pub mod metrics;
#[cfg(any(feature = "actix", feature = "settings"))]
mod origins;
#[cfg(feature = "actix")]
pub mod problem;
#[cfg(feature = "settings")]
pub mod process;
mod provider;
#[cfg(all(feature = "actix", feature = "settings"))]
pub mod service;
#[cfg(feature = "settings")]
pub mod settings;
#[cfg(feature = "settings")]
pub mod tls;
pub mod token;

/// The Rust example of the documents, so that it compiles.
#[cfg(all(doctest, feature = "actix"))]
#[doc = include_str!("../../../docs/guard/rust.md")]
struct Guard;
