//! Credentials, and the gate around a handler.

use actix_web::http::header::{AUTHORIZATION, HeaderName};
use actix_web::middleware::from_fn;
use actix_web::test::{TestRequest, call_service, init_service, read_body};
use actix_web::{App, HttpResponse, get};
use serde_json::Value;

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::web;
use shared::claims::Claims;
use shared::clock;
use shared::revocations::{Revocations, Verdict};
use shared::token::{NewAppToken, NewToken};

use super::problem::ACT;
use super::*;
use shared::key_file::KeyFile;
use shared::keys::KeyRing;
use shared::token::{Policy, Signer, Validator};
use shared::token_error::{Cure, TokenError};

fn headers(values: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(
            AUTHORIZATION,
            HeaderValue::from_bytes(value.as_bytes()).unwrap(),
        );
    }
    headers
}

fn judged(values: &[&str]) -> Result<String, &'static str> {
    bearer_of(&headers(values))
        .map(str::to_owned)
        .map_err(|error| error.code())
}

#[test]
fn exactly_one_credential_is_taken() {
    for (values, expected) in [
        (&["Bearer abc"][..], Ok("abc")),
        (&["bearer abc"], Ok("abc")),
        (&["BEARER   abc"], Ok("abc")),
        (&["Bearer a b"], Ok("a b")),
        (&[], Err("token_missing")),
        (&[""], Err("token_missing")),
        (&["Basic YTpi"], Err("token_missing")),
        (&["Bearerabc"], Err("token_missing")),
        (&["abc"], Err("token_missing")),
        (&["Bearer"], Err("token_malformed")),
        (&["Bearer "], Err("token_malformed")),
        (&["Bearer \u{e9}"], Ok("\u{e9}")),
        (&["Bearer abc", "Bearer abc"], Err("token_malformed")),
        (&["Bearer abc", "Basic YTpi"], Err("token_malformed")),
        (&["", ""], Err("token_malformed")),
    ] {
        assert_eq!(judged(values), expected.map(str::to_owned), "{values:?}");
    }
}

#[test]
fn a_credential_has_at_most_8_kib() {
    let of_length = |length: usize| format!("Bearer {}", "x".repeat(length - 7));
    assert!(judged(&[&of_length(8192)]).is_ok());
    assert_eq!(judged(&[&of_length(8193)]), Err("token_malformed"));
}

#[test]
fn bytes_that_are_no_text_are_malformed() {
    let mut headers = HeaderMap::new();
    headers.insert(
        AUTHORIZATION,
        HeaderValue::from_bytes(b"Bearer \xff").unwrap(),
    );
    assert_eq!(bearer_of(&headers).unwrap_err().code(), "token_malformed");
}

/// Revokes the session `ended`, denies the user `denied`, and knows nothing of the session `?`.
struct SomeEnded;

impl Revocations for SomeEnded {
    fn judge(&self, claims: &Claims, _: i64) -> Verdict {
        match (claims.sid.as_deref(), claims.sub.as_str()) {
            (_, "denied") => Verdict::Revoked(Cure::None),
            (Some("ended"), _) => Verdict::Revoked(Cure::Refresh),
            (Some("?"), _) => Verdict::Unknown,
            _ => Verdict::Live,
        }
    }
}

#[get("/me")]
async fn me(bearer: Bearer) -> String {
    bearer.claims.sub.clone()
}

#[get("/admin")]
async fn for_admins(bearer: Bearer) -> Result<HttpResponse, Problem> {
    bearer.require_role("admin")?;
    Ok(HttpResponse::NoContent().finish())
}

/// What came back: status, code of the problem, `act`, `www-authenticate`.
#[derive(Debug, PartialEq)]
struct Answer(u16, String, Option<String>, Option<String>);

struct Fixture {
    gate: web::Data<Gate>,
    signer: Signer,
    now: i64,
}

impl Fixture {
    fn new() -> Self {
        let now = clock::now();
        let keys = KeyFile::fixed(KeyRing::generate(now));
        let policy = Policy {
            issuer: "i".into(),
            audiences: vec!["a".into()],
            skew: 0,
        };
        let validator = Validator::new(keys.clone(), policy.clone());
        let gate = web::Data::new(Gate::new(validator, Arc::new(SomeEnded)));
        Self {
            gate,
            signer: Signer::new(keys, policy),
            now,
        }
    }

    fn token(&self, sub: &str, sid: &str, lives: i64, roles: &[String]) -> String {
        let (jti, now) = ("t", self.now);
        let (iat, nbf, exp) = (now - 100, now - 100, now + lives);
        let token = NewToken {
            sub,
            sid,
            jti,
            iat,
            nbf,
            exp,
            name: "",
            email: "",
            email_verified: false,
            roles,
        };
        format!("Bearer {}", self.signer.sign(&token, now).unwrap())
    }

    fn app_token(&self, scope: &str) -> String {
        let token = NewAppToken {
            sub: "u",
            sid: "s",
            jti: "t",
            iat: self.now,
            exp: self.now + 60,
            client_id: "shop",
            scope,
            for_apis: true,
            name: None,
            email: None,
            roles: None,
        };
        let token = self.signer.sign_app(&token, self.now);
        format!("Bearer {}", token.unwrap())
    }

    async fn get(&self, path: &str, credential: Option<&str>) -> Answer {
        let guarded = web::scope("/by-middleware")
            .wrap(from_fn(require_role("admin")))
            .wrap(from_fn(guard))
            .service(me);
        let app = App::new()
            .app_data(self.gate.clone())
            .service(guarded)
            .service(
                web::scope("/scoped")
                    .wrap(from_fn(require_scope("orders:read")))
                    .wrap(from_fn(guard))
                    .service(me),
            )
            .service(
                web::scope("/api")
                    .wrap(from_fn(guard))
                    .service(me)
                    .service(for_admins),
            )
            .service(me);
        let app = init_service(app).await;
        let mut request = TestRequest::get().uri(path);
        if let Some(credential) = credential {
            request = request.insert_header((AUTHORIZATION, credential));
        }
        let response = call_service(&app, request.to_request()).await;
        let header = |name: HeaderName| {
            response
                .headers()
                .get(name)
                .map(|value| value.to_str().unwrap().to_owned())
        };
        let (act, challenge) = (header(ACT), header(header::WWW_AUTHENTICATE));
        let status = response.status().as_u16();
        let body = read_body(response).await;
        let code = serde_json::from_slice::<Value>(&body).map_or_else(
            |_| String::from_utf8(body.to_vec()).unwrap(),
            |body| body["code"].as_str().unwrap().to_owned(),
        );
        Answer(status, code, act, challenge)
    }

    async fn refused(&self, credential: Option<&str>) -> (u16, String, Option<String>) {
        let Answer(status, code, act, _) = self.get("/api/me", credential).await;
        (status, code, act)
    }
}

fn refusal(code: &str, act: Option<&str>) -> (u16, String, Option<String>) {
    (401, code.to_owned(), act.map(str::to_owned))
}

#[actix_web::test]
async fn a_good_token_reaches_the_handler() {
    let fixture = Fixture::new();
    let token = fixture.token("u-1", "s-1", 60, &[]);
    assert_eq!(
        fixture.get("/api/me", Some(&token)).await,
        Answer(200, "u-1".into(), None, None)
    );
}

#[actix_web::test]
async fn everything_else_stays_outside() {
    let fixture = Fixture::new();
    assert_eq!(fixture.refused(None).await, refusal("token_missing", None));
    assert_eq!(
        fixture.refused(Some("Bearer x")).await,
        refusal("token_malformed", None)
    );
    let over = fixture.token("u", "s", 0, &[]);
    assert_eq!(
        fixture.refused(Some(&over)).await,
        refusal("token_expired", Some("expired"))
    );
    let ended = fixture.token("u", "ended", 60, &[]);
    assert_eq!(
        fixture.refused(Some(&ended)).await,
        refusal("token_revoked", Some("revoked"))
    );
    let ended_and_over = fixture.token("u", "ended", 0, &[]);
    let revoked = refusal("token_revoked", Some("revoked"));
    assert_eq!(fixture.refused(Some(&ended_and_over)).await, revoked);
    let denied = fixture.token("denied", "ended", 60, &[]);
    assert_eq!(
        fixture.refused(Some(&denied)).await,
        refusal("token_revoked", None)
    );
    let unknown = fixture.token("u", "?", 60, &[]);
    let stale = (503, "revocation_view_stale".to_owned(), None);
    assert_eq!(fixture.refused(Some(&unknown)).await, stale);
}

#[actix_web::test]
async fn a_role_is_asked_for_in_the_handler_or_before_it() {
    let fixture = Fixture::new();
    let (admin, user) = (
        ["x".to_owned(), "admin".to_owned()],
        ["administrator".to_owned()],
    );
    let (admin, user) = (
        fixture.token("u", "s", 60, &admin),
        fixture.token("u", "s", 60, &user),
    );
    assert_eq!(fixture.get("/api/admin", Some(&admin)).await.0, 204);
    assert_eq!(fixture.get("/by-middleware/me", Some(&admin)).await.0, 200);
    for path in ["/api/admin", "/by-middleware/me"] {
        let Answer(status, code, act, challenge) = fixture.get(path, Some(&user)).await;
        assert_eq!(
            (status, code.as_str(), act),
            (403, "insufficient_role", None),
            "{path}"
        );
        assert!(challenge.unwrap().contains(r#"error="insufficient_scope""#));
        assert_eq!(fixture.get(path, None).await.0, 401);
    }
}

#[actix_web::test]
async fn a_token_without_a_scope_may_do_everything_and_one_with_a_scope_what_it_says() {
    let fixture = Fixture::new();
    let own = fixture.token("u", "s", 60, &[]);
    assert_eq!(fixture.get("/scoped/me", Some(&own)).await.0, 200);
    for (scope, expected) in [
        ("orders:read", 200),
        ("openid orders:read", 200),
        ("openid", 403),
        ("", 403),
        ("orders:reader", 403),
        ("ORDERS:READ", 403),
    ] {
        let token = fixture.app_token(scope);
        let Answer(status, code, act, challenge) = fixture.get("/scoped/me", Some(&token)).await;
        assert_eq!((status, act), (expected, None), "{scope:?}");
        if status == 403 {
            assert_eq!(code, "insufficient_scope");
            let challenge = challenge.unwrap();
            assert!(challenge.contains(r#"error="insufficient_scope""#));
            assert!(challenge.contains(r#"scope="orders:read""#));
        }
    }
}

#[actix_web::test]
async fn without_a_gate_nobody_gets_in() {
    let fixture = Fixture::new();
    let token = fixture.token("u", "s", 60, &[]);
    assert_eq!(
        fixture.get("/me", Some(&token)).await,
        Answer(500, "internal".into(), None, None)
    );
    let app = App::new().service(web::scope("/api").wrap(from_fn(guard)).service(me));
    let app = init_service(app).await;
    let request = TestRequest::get()
        .uri("/api/me")
        .insert_header((AUTHORIZATION, token));
    assert_eq!(call_service(&app, request.to_request()).await.status(), 500);
}

/// Looks up, and finds that the token names nobody it knows, or that it cannot tell.
struct Stranger;

impl LookUp for Stranger {
    fn judge<'a>(
        &'a self,
        claims: &'a Claims,
        _: i64,
    ) -> futures_util::future::LocalBoxFuture<'a, Result<Verdict, Refused>> {
        Box::pin(async move {
            match claims.sub.as_str() {
                "unknown" => Err(TokenError::Malformed("nobody's").into()),
                "busy" => Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy").into()),
                "ended" => Ok(Verdict::Revoked(Cure::Refresh)),
                _ => Ok(Verdict::Live),
            }
        })
    }
}

#[actix_web::test]
async fn a_gate_of_somebody_else_challenges_in_his_realm_and_exempts_his_paths() {
    let mut fixture = Fixture::new();
    let validator = Arc::clone(fixture.gate.validator());
    let gate = Gate::looking_up(validator, Arc::new(Stranger));
    let gate = gate.realm(r#"or"de\rs"#).exempt("/api/admin");
    fixture.gate = web::Data::new(gate);
    for (sub, status, code) in [
        ("unknown", 401, "token_malformed"),
        ("busy", 503, "busy"),
        ("ended", 401, "token_revoked"),
    ] {
        let token = fixture.token(sub, "s", 60, &[]);
        let Answer(answered, said, _, challenge) = fixture.get("/api/me", Some(&token)).await;
        assert_eq!((answered, said.as_str()), (status, code), "{sub}");
        let ours = r#"Bearer realm="orders", error="invalid_token""#;
        let challenge = challenge.unwrap_or_default();
        assert_eq!(challenge.starts_with(ours), status == 401, "{challenge}");
    }
    let token = fixture.token("u-1", "s", 60, &[]);
    let passes = Answer(200, "u-1".into(), None, None);
    assert_eq!(fixture.get("/api/me", Some(&token)).await, passes);
    let Answer(status, _, _, challenge) = fixture.get("/api/me", None).await;
    assert_eq!(
        (status, challenge.as_deref()),
        (401, Some(r#"Bearer realm="orders""#))
    );
    // Past the gate without a token; what is behind it finds no bearer.
    assert_eq!(fixture.get("/api/admin", None).await.0, 500);
}
