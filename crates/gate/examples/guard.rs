//! Somebody else's actix-web service whose routes open to Keyturn's access tokens.
//!
//! Start Keyturn, then in the same folder
//!
//! ```sh
//! cargo run -p shared --example guard --features settings
//! curl -i http://127.0.0.1:8080/orders -H "Authorization: Bearer $ACCESS_TOKEN"
//! ```
//!
//! The flags are those of Keyturn's own services; `--help` lists them.

use std::process::ExitCode;
use std::sync::Arc;

use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer, get, web};
use chassis::http;
use chassis::settings::{HttpSettings, JWT_KEYS_FILE, LogSettings, TokenSettings, init_log};
use clap::Parser;
use gate::{Bearer, Gate, guard};
use shared::claims::Claims;
use shared::key_file::KeyFile;
use shared::revocations::Revocations;
use shared::revocations::Verdict;
use shared::token::Validator;
use shared::token_error::Cure;

/// A service that has orders for nobody.
#[derive(Parser)]
struct Settings {
    #[command(flatten)]
    tokens: TokenSettings,
    #[command(flatten)]
    http: HttpSettings,
    #[command(flatten)]
    log: LogSettings,
}

/// What this service knows about ended sessions. `()` would do for one that knows nothing.
struct NotMallory;

impl Revocations for NotMallory {
    fn judge(&self, claims: &Claims, _now: i64) -> Verdict {
        match claims.name.as_deref() {
            Some("Mallory") => Verdict::Revoked(Cure::None),
            _ => Verdict::Live,
        }
    }
}

/// The orders of whoever asks.
#[get("/orders")]
async fn orders(bearer: Bearer) -> String {
    format!(
        "No orders for {}.\n",
        bearer.claims.name.as_deref().unwrap_or(&bearer.claims.sub)
    )
}

#[actix_web::main]
async fn main() -> ExitCode {
    let settings = Settings::parse();
    init_log(&settings.log);
    match serve(settings).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(settings: Settings) -> Result<(), String> {
    let keys = KeyFile::open(&settings.tokens.jwt_keys_file)
        .map_err(|error| error.naming(JWT_KEYS_FILE))?;
    let validator = Validator::new(Arc::clone(&keys), settings.tokens.policy());
    let gate = web::Data::new(Gate::new(validator, Arc::new(NotMallory)));
    actix_web::rt::spawn(keys.follow());
    HttpServer::new(move || {
        App::new()
            .app_data(gate.clone())
            .service(web::scope("").wrap(from_fn(guard)).service(orders))
            .wrap(http::cors(&settings.http.cors_allowed_origins))
            .wrap(from_fn(http::finish))
    })
    .bind("127.0.0.1:8080")
    .map_err(|error| format!("127.0.0.1:8080: {error}"))?
    .run()
    .await
    .map_err(|error| error.to_string())
}
