//! `/oauth/…`: OAuth 2.1 and OIDC for other programs.
//!
//! JSON here is `snake_case`, as the RFCs have it. What may happen, `sign_on` and `sessions` decide.

mod answer;
mod authorize;
mod client_auth;
mod consent;
mod discovery;
mod enter;
mod introspect;
mod log_out;
mod offers;
mod token;
mod userinfo;
mod visit;

use actix_web::middleware::from_fn;
use actix_web::web::{ServiceConfig, get, post, resource, scope};

pub(crate) use discovery::Metadata;
pub(crate) use offers::Offers;
pub(crate) use userinfo::{AnyLiveSession, UserinfoGate};

/// The routes of sign-on, where that is on.
pub(crate) fn table(config: &mut ServiceConfig) {
    let oauth = scope("/oauth")
        .wrap(from_fn(chassis::http::deadline))
        .service(
            resource("/authorize")
                .route(get().to(authorize::show))
                .route(post().to(authorize::post)),
        )
        .service(resource("/sign-in").route(post().to(enter::sign_in)))
        .service(
            resource("/register")
                .route(get().to(enter::show_register))
                .route(post().to(enter::register)),
        )
        .service(
            resource("/forgot")
                .route(get().to(enter::show_forgot))
                .route(post().to(enter::forgot)),
        )
        .service(
            resource("/logout")
                .route(get().to(log_out::show))
                .route(post().to(log_out::post)),
        )
        .service(resource("/sign-out").route(post().to(log_out::sign_out)))
        .service(resource("/consent").route(post().to(consent::answer)))
        .service(resource("/token").route(post().to(token::token)))
        .service(resource("/revoke").route(post().to(token::revoke)))
        .service(resource("/introspect").route(post().to(introspect::introspect)))
        .service(resource("/par").route(post().to(token::push)))
        .service(
            resource("/userinfo")
                .route(get().to(userinfo::by_header))
                .route(post().to(userinfo::by_form)),
        )
        .service(resource("/jwks.json").route(get().to(discovery::jwks)));
    config.service(oauth);
    for path in [
        "/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server",
    ] {
        config.service(resource(path).route(get().to(discovery::metadata)));
    }
}
