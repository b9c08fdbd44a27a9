//! What clients read before they begin (OIDC Discovery 1.0, RFC 8414), and the keys of `id_token`s.

use actix_web::HttpResponse;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::Data;
use gate::RequestInfo;
use serde_json::json;

use crate::sign_on::SignOn;

/// The document about this issuer, written once.
#[derive(Clone, Debug)]
pub(crate) struct Metadata(String);

impl Metadata {
    pub(crate) fn of(issuer: &str) -> Self {
        let at = |path: &str| format!("{issuer}{path}");
        let authentication = ["none", "client_secret_basic", "client_secret_post"];
        let document = json!({
            "issuer": issuer,
            "authorization_endpoint": at("/oauth/authorize"),
            "token_endpoint": at("/oauth/token"),
            "userinfo_endpoint": at("/oauth/userinfo"),
            "jwks_uri": at("/oauth/jwks.json"),
            "revocation_endpoint": at("/oauth/revoke"),
            "end_session_endpoint": at("/oauth/logout"),
            "backchannel_logout_supported": true,
            "backchannel_logout_session_supported": true,
            "introspection_endpoint": at("/oauth/introspect"),
            "pushed_authorization_request_endpoint": at("/oauth/par"),
            "scopes_supported": ["openid", "profile", "email", "roles", "offline_access"],
            "response_types_supported": ["code"],
            "response_modes_supported": ["query", "form_post"],
            "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256", "ES256"],
            "token_endpoint_auth_methods_supported": authentication,
            "revocation_endpoint_auth_methods_supported": authentication,
            // The last is the type of an access token (RFC 8414 §2).
            "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "Bearer"],
            "code_challenge_methods_supported": ["S256"],
            "claims_supported": [
                "iss", "sub", "aud", "azp", "exp", "iat", "auth_time", "nonce", "sid", "acr", "amr", "at_hash",
                "name", "preferred_username", "email", "email_verified", "roles",
            ],
            "prompt_values_supported": ["none", "login", "consent", "select_account"],
            "ui_locales_supported": ["en", "zh"],
            "authorization_response_iss_parameter_supported": true,
            "claims_parameter_supported": false,
            "request_parameter_supported": false,
            // It means true where it is missing.
            "request_uri_parameter_supported": false,
            "require_pushed_authorization_requests": false,
        });
        Self(document.to_string())
    }
}

pub(super) async fn metadata(metadata: Data<Metadata>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "public, max-age=300"))
        .content_type("application/json")
        .body(metadata.0.clone())
}

pub(super) async fn jwks(info: RequestInfo, sign_on: Data<SignOn>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "public, max-age=3600"))
        .content_type("application/json")
        .body(sign_on.jwks(info.now))
}
