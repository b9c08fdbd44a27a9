//! Refusals: why a token is not good, as codes of the contract.

/// Whether a client can do something about a revocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cure {
    /// It may refresh; the refresh decides.
    Refresh,
    /// A refresh would bring another token that is refused.
    None,
}

/// Why a token is refused. Each variant is one code of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// There is no credential.
    #[error("no bearer token came with the request")]
    Missing,
    /// The credential is not one well-formed token of the right kind; says what is wrong.
    #[error("{0}")]
    Malformed(&'static str),
    /// The token names a key that the ring does not have.
    #[error("the token is signed with a key that is not known here")]
    UnknownKey,
    /// The signature does not fit.
    #[error("the signature does not fit")]
    BadSignature,
    /// `iss` is missing or another.
    #[error("the token is of another issuer")]
    WrongIssuer,
    /// `aud` is missing or names none of ours.
    #[error("the token is for another audience")]
    WrongAudience,
    /// The time of `nbf` has not come.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// The session ended, the token was denied, or its key was withdrawn.
    #[error("the token is revoked")]
    Revoked(Cure),
    /// The time of `exp` has come, or the key is retired.
    #[error("the token is over")]
    Expired,
    /// Nobody can tell whether the token is revoked; a fault of the service, not of the client.
    #[error("the list of revoked sessions is too old to rely on")]
    RevocationsUnknown,
}

impl TokenError {
    /// The code of the contract.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing => "token_missing",
            Self::Malformed(_) => "token_malformed",
            Self::UnknownKey => "token_unknown_key",
            Self::BadSignature => "token_bad_signature",
            Self::WrongIssuer => "token_wrong_issuer",
            Self::WrongAudience => "token_wrong_audience",
            Self::NotYetValid => "token_not_yet_valid",
            Self::Revoked(_) => "token_revoked",
            Self::Expired => "token_expired",
            Self::RevocationsUnknown => "revocation_view_stale",
        }
    }

    /// The value of the header `act`, which tells a client that a refresh may help.
    #[must_use]
    pub fn act(&self) -> Option<&'static str> {
        match self {
            Self::Expired => Some("expired"),
            Self::Revoked(Cure::Refresh) => Some("revoked"),
            _ => None,
        }
    }
}
