//! An answer, read to its end. What the contract says of every answer is checked here, at every one.

use reqwest::header::HeaderMap;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// An answer that keeps the contract's general promises.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: String,
}

/// The members of a problem body.
#[derive(Debug)]
pub struct Problem {
    /// What clients decide by.
    pub code: String,
    /// A sentence for people.
    pub detail: Option<String>,
    /// Why a session ended.
    pub reason: Option<String>,
    /// The header `act`.
    pub act: Option<String>,
    /// The header `WWW-Authenticate`.
    pub challenge: Option<String>,
}

impl Answer {
    /// Reads an answer to its end and checks it.
    pub async fn read(response: reqwest::Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response
            .bytes()
            .await
            .expect("the answer can be read to its end");
        let body = String::from_utf8(body.to_vec()).expect("the answer is UTF-8");
        Self::checked(status, headers, body)
    }

    /// Checks an answer that was read by other means.
    #[must_use]
    pub fn checked(status: u16, headers: HeaderMap, body: String) -> Self {
        let answer = Self {
            status,
            headers,
            body,
        };
        answer.check();
        answer
    }

    /// The value of a header that comes once.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next()?.to_str().ok();
        assert!(values.next().is_none(), "{name} comes twice: {self:?}");
        value
    }

    /// The body of a success, as JSON.
    pub fn json<T: DeserializeOwned>(&self) -> T {
        assert!(self.status < 300, "no success: {self:?}");
        assert_eq!(
            self.header("content-type"),
            Some("application/json"),
            "{self:?}"
        );
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Asserts the status.
    pub fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    /// Asserts a refusal with this status and code.
    pub fn refused(&self, status: u16, code: &str) -> Problem {
        assert!(
            self.status >= 400,
            "not refused, but {code} was expected: {self:?}"
        );
        let problem = self.problem();
        assert_eq!(
            (self.status, problem.code.as_str()),
            (status, code),
            "{self:?}"
        );
        problem
    }

    /// The problem body.
    #[must_use]
    pub fn problem(&self) -> Problem {
        let json: Value =
            serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"));
        let text = |member: &str| {
            json.get(member)
                .map(|v| v.as_str().expect("a string").to_owned())
        };
        Problem {
            code: text("code").unwrap_or_else(|| panic!("no code: {self:?}")),
            detail: text("detail"),
            reason: text("reason"),
            act: self.header("act").map(str::to_owned),
            challenge: self.header("www-authenticate").map(str::to_owned),
        }
    }

    /// The code of a refusal, or `ok`.
    #[must_use]
    pub fn code(&self) -> String {
        if self.status < 400 {
            "ok".into()
        } else {
            self.problem().code
        }
    }

    fn check(&self) {
        let id = self
            .header("x-request-id")
            .unwrap_or_else(|| panic!("no request id: {self:?}"));
        assert!(self.header("set-cookie").is_none(), "cookies: {self:?}");
        assert_eq!(
            self.header("x-content-type-options"),
            Some("nosniff"),
            "{self:?}"
        );
        if self.status < 400 {
            assert!(self.header("act").is_none(), "act on a success: {self:?}");
            return;
        }
        // A page says it to people, and is guarded.
        if self.header("content-type") == Some("text/html; charset=utf-8") {
            let policy = self.header("content-security-policy");
            assert!(policy.is_some(), "{self:?}");
            return;
        }
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json"),
            "{self:?}"
        );
        let json: Value =
            serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"));
        let text = |member: &str| {
            json.get(member)
                .and_then(Value::as_str)
                .unwrap_or_else(|| panic!("{member}: {self:?}"))
        };
        assert_eq!(text("type"), "about:blank", "{self:?}");
        assert!(!text("title").is_empty(), "{self:?}");
        assert_eq!(
            json.get("status").and_then(Value::as_u64),
            Some(self.status.into()),
            "{self:?}"
        );
        assert_eq!(text("requestId"), id, "{self:?}");
        self.check_headers(text("code"));
    }

    fn check_headers(&self, code: &str) {
        let act = self.header("act");
        match code {
            "token_expired" => assert_eq!(act, Some("expired"), "{self:?}"),
            "token_revoked" => assert!(matches!(act, None | Some("revoked")), "{self:?}"),
            _ => assert_eq!(act, None, "{self:?}"),
        }
        let challenge = self.header("www-authenticate");
        match (self.status, code) {
            (401, "token_missing") => {
                let challenge = challenge.unwrap_or_else(|| panic!("no challenge: {self:?}"));
                assert!(
                    challenge.starts_with("Bearer") && !challenge.contains("error"),
                    "{self:?}"
                );
            }
            (401, _) => {
                let challenge = challenge.unwrap_or_else(|| panic!("no challenge: {self:?}"));
                assert!(
                    challenge.starts_with("Bearer ")
                        && challenge.contains(r#"error="invalid_token""#),
                    "{self:?}"
                );
            }
            (403, "insufficient_role" | "insufficient_scope") => {
                let challenge = challenge.unwrap_or_else(|| panic!("no challenge: {self:?}"));
                assert!(
                    challenge.starts_with("Bearer ")
                        && challenge.contains(r#"error="insufficient_scope""#),
                    "{self:?}"
                );
            }
            _ => assert_eq!(challenge, None, "{self:?}"),
        }
        if matches!(self.status, 429 | 503) {
            let seconds = self
                .header("retry-after")
                .and_then(|value| value.parse::<u64>().ok());
            assert!(
                seconds.is_some(),
                "no Retry-After in whole seconds: {self:?}"
            );
        }
        if self.status == 405 {
            assert!(
                self.header("allow").is_some_and(|allow| !allow.is_empty()),
                "no Allow: {self:?}"
            );
        }
    }
}
