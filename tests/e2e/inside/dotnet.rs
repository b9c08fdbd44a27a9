//! Tokens as the seeds' .NET issuer writes them: no `kid`, no `sid`, the name under a long URI.

use e2e::{App, Draft};
use serde_json::{Value, json};
use shared::key_file::KeyFile;
use shared::token::{Policy, Validator};

const LONG_NAME: &str = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name";

/// What `JwtSecurityTokenHandler.WriteToken` makes of the seeds' claims, under our key.
fn seeds(app: &App) -> Draft {
    let now = shared::clock::now();
    let payload = format!(
        r#"{{"{LONG_NAME}":"Jeffcky","email":"2752154844@qq.com","sub":"D21D099B-B49B-4604-A247-71B0518A0B1C","nbf":{now},"exp":{},"iss":"http://localhost:5000","aud":"http://localhost:5001"}}"#,
        now + 3_600
    );
    app.forge()
        .draft(&json!({}))
        .raw_header(r#"{"alg":"HS256","typ":"JWT"}"#)
        .raw_payload(payload)
}

#[tokio::test]
async fn a_token_of_the_seeds_issuer_opens_the_api() {
    let app = App::start().await;
    let token = seeds(&app).sign();
    app.call_home(&token).await.is(200);
    let me: Value = app.call("/api/me", &token).await.is(200).json();
    assert_eq!(me[LONG_NAME], "Jeffcky", "the claims as they stand");
    assert_eq!(me["sub"], "D21D099B-B49B-4604-A247-71B0518A0B1C");
    app.call("/api/admin", &token)
        .await
        .refused(403, "insufficient_role");
    // It belongs to no session here.
    app.get("/api/account/sessions", &token)
        .await
        .refused(401, "token_malformed");
    let (_, pair) = app.newcomer().await;
    app.try_refresh_with(&token, &pair.refresh_token)
        .await
        .refused(401, "invalid_access_token");
}

#[tokio::test]
async fn its_name_is_read_wherever_dotnet_puts_it() {
    let app = App::start().await;
    let policy = Policy {
        issuer: "http://localhost:5000".into(),
        audiences: vec!["http://localhost:5001".into()],
        skew: 0,
    };
    let keys = KeyFile::open(&app.folder().join("jwt-keys.json")).unwrap();
    let validator = Validator::new(keys, policy);
    let name = |token: &str| {
        validator
            .check(token, shared::clock::now())
            .unwrap()
            .claims()
            .name
            .clone()
    };
    assert_eq!(name(&seeds(&app).sign()).as_deref(), Some("Jeffcky"));
    let renamed = seeds(&app).payload_text(|payload| payload.replace(LONG_NAME, "unique_name"));
    app.call_home(&renamed.sign()).await.is(200);
    assert_eq!(name(&renamed.sign()).as_deref(), Some("Jeffcky"));
    let both = seeds(&app).payload_text(|payload| payload.replacen('{', r#"{"name":"First","#, 1));
    assert_eq!(name(&both.sign()).as_deref(), Some("First"));
}

#[tokio::test]
async fn the_seeds_own_mistakes_are_refused() {
    let app = App::start().await;
    let now = shared::clock::now();
    // The second listing writes exp as text, and a 16-byte key signs nothing here.
    let text = seeds(&app).payload_text(|payload| {
        payload.replace(
            &format!("\"exp\":{}", now + 3_600),
            &format!("\"exp\":\"{}\"", now + 3_600),
        )
    });
    if text.sign() != seeds(&app).sign() {
        app.call_home(&text.sign())
            .await
            .refused(401, "token_malformed");
    }
    app.call_home(&seeds(&app).under(b"1234567890123456").sign())
        .await
        .refused(401, "token_bad_signature");
}
