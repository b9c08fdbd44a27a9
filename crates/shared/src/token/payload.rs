//! What goes into a token that is about to be signed.

use serde::Serialize;

/// What the issuer puts into an access token; issuer and audience come from the
/// [`Policy`](super::Policy).
#[derive(Clone, Copy, Debug)]
pub struct NewToken<'a> {
    /// Id of the user.
    pub sub: &'a str,
    /// Id of the session.
    pub sid: &'a str,
    /// Id of this very token.
    pub jti: &'a str,
    /// Issued at, Unix seconds.
    pub iat: i64,
    /// Not valid before, Unix seconds.
    pub nbf: i64,
    /// Over from this second on, Unix seconds.
    pub exp: i64,
    /// The user's name.
    pub name: &'a str,
    /// The user's e-mail address.
    pub email: &'a str,
    /// Whether it was proved to be the user's.
    pub email_verified: bool,
    /// The user's roles.
    pub roles: &'a [String],
}

/// What the issuer puts into an access token for a client of its own, in a user's name or in the client's (RFC 9068).
#[derive(Clone, Copy, Debug)]
pub struct NewAppToken<'a> {
    /// Id of the user; of a service, its client id.
    pub sub: &'a str,
    /// Id of the client's session.
    pub sid: &'a str,
    /// Id of this very token.
    pub jti: &'a str,
    /// Issued at and not valid before, Unix seconds.
    pub iat: i64,
    /// Over from this second on, Unix seconds.
    pub exp: i64,
    /// The client.
    pub client_id: &'a str,
    /// What it may be used for, words by blanks.
    pub scope: &'a str,
    /// Whether it is for the policy's audiences; else for the issuer alone.
    pub for_apis: bool,
    /// The user's name, if the scope lets the client know it.
    pub name: Option<&'a str>,
    /// The user's e-mail address and whether it was proved to be his, likewise.
    pub email: Option<(&'a str, bool)>,
    /// The roles, likewise.
    pub roles: Option<&'a [String]>,
}

/// One audience is written as a string, several as an array (RFC 7519 §4.1.3).
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Audience<'a> {
    One(&'a str),
    Several(&'a [String]),
}

impl<'a> From<&'a [String]> for Audience<'a> {
    fn from(audiences: &'a [String]) -> Self {
        match audiences {
            [one] => Self::One(one),
            several => Self::Several(several),
        }
    }
}

/// The payload of an access token as it is written.
#[derive(Serialize)]
pub(super) struct AccessPayload<'a> {
    pub(super) iss: &'a str,
    pub(super) aud: Audience<'a>,
    pub(super) sub: &'a str,
    pub(super) sid: &'a str,
    pub(super) jti: &'a str,
    pub(super) iat: i64,
    pub(super) nbf: i64,
    pub(super) exp: i64,
    pub(super) name: &'a str,
    pub(super) email: &'a str,
    pub(super) email_verified: bool,
    pub(super) roles: &'a [String],
}

/// The payload of a client's access token as it is written.
#[derive(Serialize)]
pub(super) struct AppPayload<'a> {
    pub(super) iss: &'a str,
    pub(super) aud: Audience<'a>,
    pub(super) sub: &'a str,
    pub(super) sid: &'a str,
    pub(super) jti: &'a str,
    pub(super) iat: i64,
    pub(super) nbf: i64,
    pub(super) exp: i64,
    pub(super) client_id: &'a str,
    pub(super) scope: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) email_verified: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) roles: Option<&'a [String]>,
}

/// The payload of a bearer between services as it is written.
#[derive(Serialize)]
pub(super) struct ServicePayload<'a> {
    pub(super) iss: &'a str,
    pub(super) aud: &'a str,
    pub(super) sub: &'a str,
    pub(super) iat: i64,
    pub(super) exp: i64,
}
