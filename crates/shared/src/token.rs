//! Access tokens: signing them, and judging them in the order that the contract fixes.
//!
//! The one place that decides whether a token is good. The order matters: "expired" tells a client
//! to refresh, so it is only ever said of a token that is perfect otherwise, and nothing is said
//! about claims before the signature has proved that they are ours.
//!
//! ```
//! use shared::key_file::KeyFile;
//! use shared::keys::KeyRing;
//! use shared::token::NewToken;
//! use shared::revocations::Verdict;
//! use shared::token::{Policy, Signer, Validator};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let now = shared::clock::now();
//! // In earnest: KeyFile::open(Path::new("data/shared/jwt-keys.json"))?
//! let keys = KeyFile::fixed(KeyRing::generate(now));
//! let policy = Policy {
//!     issuer: "http://localhost:5000".into(),
//!     audiences: vec!["http://localhost:5001".into()],
//!     skew: 300,
//! };
//! let token = Signer::new(keys.clone(), policy.clone()).sign(
//!     &NewToken {
//!         sub: "user-1", sid: "session-1", jti: "token-1", iat: now, nbf: now, exp: now + 300,
//!         name: "Ada", email: "ada@example.com", email_verified: false, roles: &["admin".into()],
//!     },
//!     now,
//! )?;
//!
//! let validator = Validator::new(keys, policy);
//! let checked = validator.check(&token, now)?;
//! // Ask here whether the session checked.claims().sid has been ended.
//! let token = checked.judge(Verdict::Live, now)?;
//! assert_eq!(token.claims.sub, "user-1");
//!
//! assert_eq!(validator.check("rubbish", now).unwrap_err().code(), "token_malformed");
//! # Ok(())
//! # }
//! ```

use std::sync::Arc;

#[cfg(feature = "sign")]
mod payload;
#[cfg(feature = "sign")]
mod sign;

#[cfg(feature = "sign")]
pub use payload::{NewAppToken, NewToken};
#[cfg(feature = "sign")]
pub use sign::{SignError, Signer};

use crate::claims::{ClaimFault, Claims, RawClaims};
use crate::jws::{self, Opened, Purpose, Standing};
use crate::key_file::KeyFile;
use crate::revocations::Verdict;
use crate::token_error::{Cure, TokenError};

/// Seconds that the bearer of a service may live at most, by the clock of whoever signs it.
pub const SERVICE_TOKEN_SECONDS: i64 = 60;

/// Seconds that the clock of whoever signs such a bearer may be ahead: some use all of the minute.
const SERVICE_CLOCK_AHEAD: i64 = 30;

/// What both the issuer and the gates must agree on. Both services read it from the same settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The claim `iss`, exactly.
    pub issuer: String,
    /// The audiences that tokens are issued for; a gate accepts a token that names one of them.
    pub audiences: Vec<String>,
    /// The clock skew that is forgiven at `nbf` and `exp`, in seconds.
    pub skew: i64,
}

impl Policy {
    /// The audience of the bearers that services show each other.
    fn service_audience(&self) -> String {
        format!("{}/internal", self.issuer)
    }
}

impl From<ClaimFault> for TokenError {
    fn from(ClaimFault(fault): ClaimFault) -> Self {
        Self::Malformed(fault)
    }
}

const NOT_CLAIMS: TokenError =
    TokenError::Malformed("the payload is not one JSON object without duplicates");

/// Judges tokens. Cheap to share: put it into an `Arc`.
#[derive(Debug)]
pub struct Validator {
    keys: Arc<KeyFile>,
    policy: Policy,
    service_audience: String,
}

impl Validator {
    /// Makes a validator that follows the ring of `keys`.
    #[must_use]
    pub fn new(keys: Arc<KeyFile>, policy: Policy) -> Self {
        let service_audience = policy.service_audience();
        Self {
            keys,
            policy,
            service_audience,
        }
    }

    /// The key ring that this validator follows.
    #[must_use]
    pub fn keys(&self) -> &Arc<KeyFile> {
        &self.keys
    }

    /// The issuer, audiences and skew that this validator goes by.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Judges everything that the token alone can tell, up to and including `nbf`. Whether it is
    /// revoked and over comes after, in [`Checked::judge`].
    ///
    /// # Errors
    /// The first fault in the order of the contract.
    pub fn check(&self, token: &str, now: i64) -> Result<Checked, TokenError> {
        self.check_for(token, now, |aud| {
            aud.iter().any(|aud| self.policy.audiences.contains(aud))
        })
    }

    /// The same for the routes of the issuer itself: the token must name every audience that this issuer gives its
    /// tokens. One that was made for a single API of several does not manage the account.
    ///
    /// # Errors
    /// The first fault in the order of the contract.
    pub fn check_own(&self, token: &str, now: i64) -> Result<Checked, TokenError> {
        self.check_for(token, now, |aud| {
            self.policy.audiences.iter().all(|ours| aud.contains(ours))
        })
    }

    fn check_for(
        &self,
        token: &str,
        now: i64,
        ours: impl FnOnce(&[String]) -> bool,
    ) -> Result<Checked, TokenError> {
        let opened = jws::open(&self.keys, token, Purpose::Access)?;
        let claims = self.claims(&opened, ours, now)?;
        let Opened { payload, standing } = opened;
        Ok(Checked {
            claims,
            payload,
            standing,
            skew: self.policy.skew,
        })
    }

    /// The same for what the issuer tells of the user: a token that names the issuer itself, or any of its audiences.
    ///
    /// # Errors
    /// The first fault in the order of the contract.
    pub fn check_for_issuer(&self, token: &str, now: i64) -> Result<Checked, TokenError> {
        self.check_for(token, now, |aud| {
            aud.iter()
                .any(|aud| *aud == self.policy.issuer || self.policy.audiences.contains(aud))
        })
    }

    /// Judges the bearer of another service of this installation.
    ///
    /// # Errors
    /// The first fault in the order of the contract; one that is over more than a minute and a half from now is
    /// malformed: a minute, and half of one for a clock that is ahead. No skew is forgiven at its end.
    pub fn check_service(&self, token: &str, now: i64) -> Result<(), TokenError> {
        let opened = jws::open(&self.keys, token, Purpose::Service)?;
        let ours = |aud: &[String]| aud.contains(&self.service_audience);
        let claims = self.claims(&opened, ours, now)?;
        if claims.exp > now.saturating_add(SERVICE_TOKEN_SECONDS + SERVICE_CLOCK_AHEAD) {
            return Err(TokenError::Malformed(
                "the claim exp is more than a minute and a half ahead",
            ));
        }
        let Opened { payload, standing } = opened;
        Checked {
            claims,
            payload,
            standing,
            skew: 0,
        }
        .judge(Verdict::Live, now)?;
        Ok(())
    }

    /// Recognises a token that one of our keys has signed, be it retired or revoked by now, for a
    /// refresh or a log-out: form, header, signature and the JSON types of claims are judged;
    /// issuer, audience and times are not, and may be missing.
    ///
    /// # Errors
    /// [`TokenError::Malformed`], [`TokenError::UnknownKey`] or [`TokenError::BadSignature`].
    pub fn recognise(&self, token: &str) -> Result<Claims, TokenError> {
        let opened = jws::open(&self.keys, token, Purpose::Access)?;
        let raw = RawClaims::parse(&opened.payload).ok_or(NOT_CLAIMS)?;
        Ok(raw.recognised()?)
    }

    fn claims(
        &self,
        opened: &Opened,
        ours: impl FnOnce(&[String]) -> bool,
        now: i64,
    ) -> Result<Claims, TokenError> {
        let raw = RawClaims::parse(&opened.payload).ok_or(NOT_CLAIMS)?;
        if !raw.is_issued_by(&self.policy.issuer) {
            return Err(TokenError::WrongIssuer);
        }
        let audiences = raw
            .audiences()
            .filter(|aud| ours(aud))
            .ok_or(TokenError::WrongAudience)?;
        let claims = raw.claims(audiences)?;
        if claims
            .nbf
            .is_some_and(|nbf| now.saturating_add(self.policy.skew) < nbf)
        {
            return Err(TokenError::NotYetValid);
        }
        Ok(claims)
    }
}

/// A token that is good as far as it can tell by itself; whether it is revoked or over is open.
#[derive(Debug)]
#[must_use = "a token is good only after its revocation and its end have been judged"]
pub struct Checked {
    claims: Claims,
    payload: Box<str>,
    standing: Standing,
    skew: i64,
}

impl Checked {
    /// What the token says.
    #[must_use]
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// Judges revocation, then the end.
    ///
    /// # Errors
    /// [`TokenError::Revoked`], [`TokenError::RevocationsUnknown`] or [`TokenError::Expired`].
    pub fn judge(self, verdict: Verdict, now: i64) -> Result<AccessToken, TokenError> {
        match verdict {
            // First, since a refresh would not cure it, whatever else there is.
            Verdict::Revoked(Cure::None) => return Err(TokenError::Revoked(Cure::None)),
            _ if self.standing.is_revoked() => return Err(TokenError::Revoked(Cure::Refresh)),
            Verdict::Revoked(Cure::Refresh) => return Err(TokenError::Revoked(Cure::Refresh)),
            Verdict::Unknown => return Err(TokenError::RevocationsUnknown),
            Verdict::Live => {}
        }
        if now >= self.claims.exp.saturating_add(self.skew) || self.standing.is_over(now) {
            return Err(TokenError::Expired);
        }
        Ok(AccessToken {
            claims: self.claims,
            payload: self.payload,
        })
    }
}

/// A token that is good at this moment. The token's own text is not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessToken {
    /// What the token says.
    pub claims: Claims,
    /// The claims as the JSON that was signed, unknown ones included.
    pub payload: Box<str>,
}

#[cfg(test)]
mod tests;
