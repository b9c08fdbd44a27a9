//! What an access token says, on the way in and on the way out.
//!
//! Knows names and JSON types of the claims, not whether they are true: issuer, audience and times
//! are judged in [`crate::token`].

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::json;

/// The claims of a token whose signature fits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// Issuer; empty if a token without one was only recognised.
    pub iss: String,
    /// Audiences; a single one in the token is a list of one here.
    pub aud: Vec<String>,
    /// Id of the user; never empty.
    pub sub: String,
    /// Id of the session. Tokens of other issuers may have none.
    pub sid: Option<String>,
    /// Id of this very token.
    pub jti: Option<String>,
    /// Issued at, Unix seconds. Not judged.
    pub iat: Option<i64>,
    /// Not valid before, Unix seconds.
    pub nbf: Option<i64>,
    /// Over from this second on (plus the clock skew), Unix seconds; 0 if a token without one was
    /// only recognised.
    pub exp: i64,
    /// The user's name: `name`, else `unique_name`, else the claim URI that .NET writes.
    pub name: Option<String>,
    /// The user's e-mail address, in the user's own words: nothing to authorise by.
    pub email: Option<String>,
    /// Whether the issuer knows that the address is the user's; `false` if the token does not say.
    pub email_verified: bool,
    /// The user's roles; empty if the token has none.
    pub roles: Vec<String>,
    /// The client that the token was issued to (RFC 9068 §2.2); `None` in a token of the user's own session.
    pub client_id: Option<String>,
    /// What the token may be used for, words by blanks (RFC 9068 §2.2.3); `None` where nothing is limited.
    pub scope: Option<String>,
}

impl Claims {
    /// Whether the user has this role, compared exactly.
    #[must_use]
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|held| held == role)
    }

    /// Whether the token may be used for this: its `scope` has the word, compared exactly, or it has no `scope`, as
    /// the tokens of the user's own session, which may do everything.
    #[must_use]
    pub fn has_scope(&self, word: &str) -> bool {
        self.scope
            .as_deref()
            .is_none_or(|scope| scope.split(' ').any(|held| held == word))
    }
}

/// The members that we know, as they stand. One that comes twice is refused by `serde`.
#[derive(Deserialize)]
pub(crate) struct RawClaims<'a> {
    #[serde(borrow, default, deserialize_with = "json::present")]
    iss: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "json::present")]
    aud: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "json::present")]
    sub: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "json::present")]
    sid: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "json::present")]
    jti: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "json::present")]
    iat: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "json::present")]
    nbf: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "json::present")]
    exp: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "json::present")]
    name: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "json::present")]
    unique_name: Option<&'a RawValue>,
    #[serde(
        borrow,
        default,
        deserialize_with = "json::present",
        rename = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name"
    )]
    dotnet_name: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "json::present")]
    email: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "json::present")]
    email_verified: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "json::present")]
    roles: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "json::present")]
    client_id: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "json::present")]
    scope: Option<&'a RawValue>,
}

/// A claim is missing or has the wrong JSON type; says which.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ClaimFault(pub(crate) &'static str);

impl<'a> RawClaims<'a> {
    /// Takes a payload apart; `None` unless it is one JSON object without duplicates.
    pub(crate) fn parse(payload: &'a str) -> Option<Self> {
        if !json::is_object(payload) {
            return None;
        }
        serde_json::from_str(payload).ok()
    }

    /// Whether `iss` is this issuer, exactly.
    pub(crate) fn is_issued_by(&self, issuer: &str) -> bool {
        self.iss
            .and_then(json::string)
            .is_some_and(|iss| iss == issuer)
    }

    /// The audiences: a string or an array of strings.
    pub(crate) fn audiences(&self) -> Option<Vec<String>> {
        let aud = self.aud?;
        match json::string(aud) {
            Some(one) => Some(vec![one.into_owned()]),
            None => json::strings(aud),
        }
    }

    /// Judges presence and JSON types of everything else and takes the values over.
    pub(crate) fn claims(&self, aud: Vec<String>) -> Result<Claims, ClaimFault> {
        let exp = self.exp.ok_or(ClaimFault("the claim exp is missing"))?;
        self.build(
            aud,
            json::seconds(exp).ok_or(ClaimFault(
                "the claim exp is no date, a number of seconds since 1970",
            ))?,
        )
    }

    /// The same, but where `iss`, `aud` and `exp` may be missing.
    pub(crate) fn recognised(&self) -> Result<Claims, ClaimFault> {
        let aud = match self.aud {
            None => Vec::new(),
            Some(_) => self
                .audiences()
                .ok_or(ClaimFault("the claim aud is not made of strings"))?,
        };
        self.build(
            aud,
            time(
                self.exp,
                "the claim exp is no date, a number of seconds since 1970",
            )?
            .unwrap_or_default(),
        )
    }

    fn build(&self, aud: Vec<String>, exp: i64) -> Result<Claims, ClaimFault> {
        let sub = text(self.sub, "the claim sub is not a string")?
            .ok_or(ClaimFault("the claim sub is missing"))?;
        if sub.is_empty() {
            return Err(ClaimFault("the claim sub is empty"));
        }
        // All three are judged even if the first decides.
        let name = text(self.name, "the claim name is not a string")?;
        let unique_name = text(self.unique_name, "the claim unique_name is not a string")?;
        let dotnet_name = text(self.dotnet_name, "the name claim of .NET is not a string")?;
        let roles = match self.roles {
            None => Vec::new(),
            Some(raw) => json::strings(raw)
                .ok_or(ClaimFault("the claim roles is not an array of strings"))?,
        };
        Ok(Claims {
            iss: text(self.iss, "the claim iss is not a string")?.unwrap_or_default(),
            aud,
            sub,
            sid: text(self.sid, "the claim sid is not a string")?,
            jti: text(self.jti, "the claim jti is not a string")?,
            iat: time(
                self.iat,
                "the claim iat is no date, a number of seconds since 1970",
            )?,
            nbf: time(
                self.nbf,
                "the claim nbf is no date, a number of seconds since 1970",
            )?,
            exp,
            name: name.or(unique_name).or(dotnet_name),
            email: text(self.email, "the claim email is not a string")?,
            email_verified: truth(
                self.email_verified,
                "the claim email_verified is neither true nor false",
            )?,
            roles,
            client_id: text(self.client_id, "the claim client_id is not a string")?,
            scope: text(self.scope, "the claim scope is not a string")?,
        })
    }
}

fn text(raw: Option<&RawValue>, fault: &'static str) -> Result<Option<String>, ClaimFault> {
    raw.map(|raw| json::string(raw).map(Into::into).ok_or(ClaimFault(fault)))
        .transpose()
}

fn truth(raw: Option<&RawValue>, fault: &'static str) -> Result<bool, ClaimFault> {
    match raw.map(RawValue::get) {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(ClaimFault(fault)),
    }
}

fn time(raw: Option<&RawValue>, fault: &'static str) -> Result<Option<i64>, ClaimFault> {
    raw.map(|raw| json::seconds(raw).ok_or(ClaimFault(fault)))
        .transpose()
}
