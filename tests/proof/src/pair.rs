//! A pair as a client stores it. These programs may look into it, to tell what happened; clients may not.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::http::Message;

/// What a log-in or refresh answers.
#[derive(Clone, PartialEq, Eq)]
pub struct Pair {
    /// The JWT.
    pub access: String,
    /// The refresh token.
    pub refresh: String,
}

impl Pair {
    /// The pair in an answer, if there is one.
    #[must_use]
    pub fn of(answer: &Message) -> Option<Self> {
        let either = |ours: &str, oauth: &str| {
            let text = answer.text(ours);
            if text.is_empty() {
                answer.text(oauth)
            } else {
                text
            }
        };
        let pair = Self {
            access: either("accessToken", "access_token"),
            refresh: either("refreshToken", "refresh_token"),
        };
        (answer.status() == 200 && !pair.access.is_empty() && !pair.refresh.is_empty())
            .then_some(pair)
    }

    /// The body that a refresh and a log-out send.
    #[must_use]
    pub fn body(&self) -> Value {
        json!({"accessToken": self.access, "refreshToken": self.refresh})
    }

    /// The generation of the refresh token; 0 for rubbish.
    #[must_use]
    pub fn generation(&self) -> u64 {
        let bytes = URL_SAFE_NO_PAD.decode(&self.refresh).unwrap_or_default();
        bytes
            .get(20..28)
            .and_then(|g| g.try_into().ok())
            .map_or(0, u64::from_be_bytes)
    }

    /// The session; nil for rubbish.
    #[must_use]
    pub fn session(&self) -> Uuid {
        let bytes = URL_SAFE_NO_PAD.decode(&self.refresh).unwrap_or_default();
        bytes
            .get(4..20)
            .and_then(|id| Uuid::from_slice(id).ok())
            .unwrap_or_default()
    }
}
