//! `peer-actix`: a route behind an HS256 bearer, with actix-web and jsonwebtoken, as one writes it by hand; and an
//! open one that checks nothing.
//!
//! It must know nothing of Keyturn: it is there to be compared with.

use std::future::{Ready, ready};
use std::net::Ipv4Addr;

use actix_web::dev::Payload;
use actix_web::error::{ErrorInternalServerError, ErrorUnauthorized};
use actix_web::http::header::AUTHORIZATION;
use actix_web::web::{self, Data};
use actix_web::{App, Error, FromRequest, HttpRequest, HttpServer};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde::Deserialize;

type Fault = Box<dyn std::error::Error>;

/// What is needed to check a token: one key, and what it must say.
struct Checker {
    key: DecodingKey,
    validation: Validation,
}

impl Checker {
    fn from_environment() -> Result<Self, Fault> {
        let secret = URL_SAFE_NO_PAD.decode(std::env::var("JWT_SECRET")?)?;
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = 0;
        validation.validate_nbf = true;
        validation.set_issuer(&[std::env::var("JWT_ISSUER")?]);
        validation.set_audience(&[std::env::var("JWT_AUDIENCE")?]);
        Ok(Self {
            key: DecodingKey::from_secret(&secret),
            validation,
        })
    }
}

/// The claims of a good token; a handler that asks for them is protected.
#[derive(Deserialize)]
struct Claims {
    sub: String,
}

impl FromRequest for Claims {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(claims(request))
    }
}

fn claims(request: &HttpRequest) -> Result<Claims, Error> {
    let checker = request
        .app_data::<Data<Checker>>()
        .ok_or_else(|| ErrorInternalServerError("there is no checker"))?;
    let token = request
        .headers()
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "))
        .ok_or_else(|| ErrorUnauthorized("a bearer is needed"))?;
    match decode::<Claims>(token, &checker.key, &checker.validation) {
        Ok(token) if !token.claims.sub.is_empty() => Ok(token.claims),
        Ok(_) => Err(ErrorUnauthorized("the token names nobody")),
        Err(error) => Err(ErrorUnauthorized(error)),
    }
}

/// The current date in UTC.
#[expect(
    clippy::disallowed_methods,
    reason = "this program stands for somebody else's, which has no clock of ours"
)]
fn today() -> String {
    chrono::Utc::now().format("%Y-%m-%d").to_string()
}

async fn home(_: Claims) -> String {
    today()
}

async fn open() -> String {
    today()
}

#[actix_web::main]
async fn main() -> Result<(), Fault> {
    let port = std::env::var("PORT")?.parse()?;
    let checker = Data::new(Checker::from_environment()?);
    let server = HttpServer::new(move || {
        App::new()
            .app_data(checker.clone())
            .route("/open", web::get().to(open))
            .route("/api/home", web::get().to(home))
    })
    .bind((Ipv4Addr::LOCALHOST, port))?
    .run();
    println!("listening on 127.0.0.1:{port}");
    Ok(server.await?)
}
