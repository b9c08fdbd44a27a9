//! A private JWK (RFC 7517 §4, RFC 7518 §6): the members that we know, and the numbers they hold.
//!
//! Members that we do not know are ignored, as RFC 7517 §4 asks. No message repeats anything of the key.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::json;
use crate::numbers::{Numbers, P256_BYTES, P256Numbers, RsaNumbers, Secret, without_zeros};

/// The members as they stand: those of a key, and those of our file.
#[derive(Deserialize)]
pub(crate) struct RawJwk<'a> {
    #[serde(borrow, default, deserialize_with = "json::present")]
    kty: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "json::present")]
    alg: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "json::present", rename = "use")]
    usage: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "json::present")]
    pub(crate) kid: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "json::present")]
    n: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "json::present")]
    e: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "json::present")]
    d: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "json::present")]
    p: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "json::present")]
    q: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "json::present")]
    dp: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "json::present")]
    dq: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "json::present")]
    qi: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "json::present")]
    crv: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "json::present")]
    x: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "json::present")]
    y: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "json::present")]
    pub(crate) sign_from: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "json::present")]
    pub(crate) verify_until: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "json::present")]
    pub(crate) state: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "json::present")]
    pub(crate) since: Option<&'a RawValue>,
}

impl<'a> RawJwk<'a> {
    /// The members of an object; `None` if it is none, or has one of them twice.
    pub(crate) fn read(text: &'a str) -> Option<Self> {
        if !json::is_object(text) {
            return None;
        }
        // serde's own message may quote the text, and with it a secret.
        serde_json::from_str(text).ok()
    }

    /// The key's numbers.
    ///
    /// # Errors
    /// What a member must be.
    pub(crate) fn numbers(&self) -> Result<Numbers, &'static str> {
        let numbers = match self.kty.and_then(json::plain) {
            Some("RSA") => self.rsa()?,
            Some("EC") => self.p256()?,
            _ => return Err("`kty` must be \"RSA\" or \"EC\""),
        };
        let is =
            |raw: Option<&RawValue>, wanted| raw.is_none_or(|raw| json::plain(raw) == Some(wanted));
        match numbers {
            Numbers::Rsa(_) if !is(self.alg, "RS256") => {
                Err("`alg` must be \"RS256\" or absent with an RSA key")
            }
            Numbers::P256(_) if !is(self.alg, "ES256") => {
                Err("`alg` must be \"ES256\" or absent with an EC key")
            }
            _ if !is(self.usage, "sig") => Err("`use` must be \"sig\" or absent"),
            _ => Ok(numbers),
        }
    }

    fn rsa(&self) -> Result<Numbers, &'static str> {
        let number = |raw: Option<&RawValue>, needs| {
            raw.and_then(bytes)
                .map(without_zeros)
                .filter(|number| !number.is_empty())
                .ok_or(needs)
        };
        Ok(Numbers::Rsa(Box::new(RsaNumbers {
            n: number(
                self.n,
                "`n` must be the modulus as base64url without padding",
            )?
            .to_vec(),
            e: number(
                self.e,
                "`e` must be the exponent as base64url without padding",
            )?
            .to_vec(),
            d: number(self.d, NEEDS_D)?,
            p: number(self.p, NEEDS_PRIMES)?,
            q: number(self.q, NEEDS_PRIMES)?,
            dp: number(self.dp, NEEDS_PRIMES)?,
            dq: number(self.dq, NEEDS_PRIMES)?,
            qi: number(self.qi, NEEDS_PRIMES)?,
        })))
    }

    fn p256(&self) -> Result<Numbers, &'static str> {
        if self.crv.and_then(json::plain) != Some("P-256") {
            return Err(
                "`crv` must be \"P-256\": ES256 is on no other curve (RFC 7518, section 3.4)",
            );
        }
        let number = |raw: Option<&RawValue>, needs| {
            raw.and_then(bytes)
                .filter(|number| number.len() == P256_BYTES)
                .ok_or(needs)
        };
        let needs = "`x` and `y` must be 32 bytes each, as base64url without padding";
        Ok(Numbers::P256(P256Numbers {
            x: number(self.x, needs)?.to_vec(),
            y: number(self.y, needs)?.to_vec(),
            d: number(
                self.d,
                "`d` must be the private key, 32 bytes as base64url without padding; without it this is a public key",
            )?,
        }))
    }
}

const NEEDS_D: &str = "`d` must be the private exponent as base64url without padding; without it this is a public key";
const NEEDS_PRIMES: &str =
    "`p`, `q`, `dp`, `dq` and `qi` must be there, as base64url without padding";

/// The bytes of a member in canonical base64url.
fn bytes(raw: &RawValue) -> Option<Secret> {
    let text = json::plain(raw)?;
    URL_SAFE_NO_PAD.decode(text).ok().map(Zeroizing::new)
}
