//! Tables of tokens: a new case is one line, and every line is put to both services.

use e2e::{Answer, App};
use reqwest::header::{AUTHORIZATION, HeaderValue};

pub(crate) const OK: &str = "ok";
pub(crate) const MISSING: &str = "token_missing";
pub(crate) const MALFORMED: &str = "token_malformed";
pub(crate) const UNKNOWN_KEY: &str = "token_unknown_key";
pub(crate) const SIGNATURE: &str = "token_bad_signature";
pub(crate) const ISSUER: &str = "token_wrong_issuer";
pub(crate) const AUDIENCE: &str = "token_wrong_audience";
pub(crate) const EARLY: &str = "token_not_yet_valid";
pub(crate) const EXPIRED: &str = "token_expired";

/// What is sent, and the code that must come back.
pub(crate) struct Row {
    name: &'static str,
    /// The values of the `Authorization` headers.
    headers: Vec<Vec<u8>>,
    code: &'static str,
}

/// A token, sent as it should be.
pub(crate) fn token(name: &'static str, token: impl AsRef<str>, code: &'static str) -> Row {
    headers(name, [format!("Bearer {}", token.as_ref())], code)
}

/// Any `Authorization` headers.
pub(crate) fn headers<H: AsRef<[u8]>>(
    name: &'static str,
    headers: impl IntoIterator<Item = H>,
    code: &'static str,
) -> Row {
    let headers = headers
        .into_iter()
        .map(|header| header.as_ref().to_vec())
        .collect();
    Row {
        name,
        headers,
        code,
    }
}

/// Puts every row to both services and lists all that went wrong.
pub(crate) async fn judge(app: &App, rows: Vec<Row>) {
    assert!(!rows.is_empty());
    let count = rows.len();
    let mut wrong = Vec::new();
    for row in &rows {
        for url in [
            format!("{}/api/me", app.resource_url),
            format!("{}/api/account/sessions", app.auth_url),
        ] {
            let code = send(app, &url, row).await.code();
            if code != row.code {
                wrong.push(format!(
                    "{}: {} instead of {} from {url}",
                    row.name, code, row.code
                ));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {count} rows:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    app.is_alive().await;
}

async fn send(app: &App, url: &str, row: &Row) -> Answer {
    let mut request = app.client.get(url);
    for header in &row.headers {
        request = request.header(
            AUTHORIZATION,
            HeaderValue::from_bytes(header).expect(row.name),
        );
    }
    Answer::read(request.send().await.expect(row.name)).await
}
