//! Firebase's modified scrypt: scrypt of the password is a key, and the hash is the project's signer key, encrypted
//! with it by AES-256 in counter mode.
//!
//! <https://github.com/firebase/scrypt>. The parameters are per project, so a user's hash says nothing alone;
//! [`FirebaseParameters::stored`] writes all of it into one text, the one that Supabase uses for it.

use std::fmt;
use std::ops::RangeInclusive;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::ForeignHash;
use crate::bounds;
use crate::derivation::{Derivation, ScryptCosts};
use crate::fault::Fault;
use crate::form::Form;

const FORM: Form = Form("Firebase scrypt");

/// Bytes of a user's salt, and of the separator, which is one byte almost always.
const SALT: RangeInclusive<usize> = 1..=128;
const SEPARATOR: RangeInclusive<usize> = 0..=128;

/// The password hash parameters of a Firebase project, as its console shows them.
///
/// Read from `{"signerKey": "…", "saltSeparator": "…", "rounds": 8, "memCost": 14}`, with base64 in the first two.
#[derive(Clone, Deserialize)]
#[serde(try_from = "Written")]
pub struct FirebaseParameters {
    signer_key: Zeroizing<Vec<u8>>,
    separator: Vec<u8>,
    /// `r` of scrypt.
    rounds: u32,
    /// `N` of scrypt, as a power of two.
    mem_cost: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    signer_key: String,
    salt_separator: String,
    rounds: u32,
    mem_cost: u32,
}

impl TryFrom<Written> for FirebaseParameters {
    type Error = Fault;

    fn try_from(written: Written) -> Result<Self, Fault> {
        let Written {
            signer_key,
            salt_separator,
            rounds,
            mem_cost,
        } = written;
        Self::new(
            &Zeroizing::new(signer_key),
            &salt_separator,
            rounds,
            mem_cost,
        )
    }
}

impl FirebaseParameters {
    /// Takes them one by one.
    ///
    /// # Errors
    ///
    /// [`Fault::Broken`] if something is no base64 or of another length than it can have, [`Fault::TooCostly`] if a
    /// hash of this project would cost too much.
    pub fn new(
        signer_key: &str,
        salt_separator: &str,
        rounds: u32,
        mem_cost: u32,
    ) -> Result<Self, Fault> {
        let parameters = Self {
            signer_key: Zeroizing::new(bytes("signerKey", signer_key, bounds::OUTPUT)?),
            separator: bytes("saltSeparator", salt_separator, SEPARATOR)?,
            rounds,
            mem_cost,
        };
        parameters.costs().params(FORM)?;
        Ok(parameters)
    }

    fn costs(&self) -> ScryptCosts {
        ScryptCosts {
            log_n: self.mem_cost.into(),
            r: self.rounds.into(),
            p: 1,
        }
    }

    /// A user's `passwordHash` and `salt` as one text, which [`ForeignHash::parse`] reads. It holds the signer key:
    /// without it no password could be verified.
    ///
    /// # Errors
    ///
    /// [`Fault::Broken`] if one of them is no base64, or of another length than it can have.
    pub fn stored(&self, hash: &str, salt: &str) -> Result<String, Fault> {
        let salt = bytes("salt", salt, SALT)?;
        let hash = bytes("hash", hash, self.signer_key.len()..=self.signer_key.len())?;
        Ok(format!(
            "$fbscrypt$v=1,n={},r={},p=1,ss={},sk={}${}${}",
            self.mem_cost,
            self.rounds,
            STANDARD.encode(&self.separator),
            STANDARD.encode(&*self.signer_key),
            STANDARD.encode(salt),
            STANDARD.encode(hash),
        ))
    }
}

impl fmt::Debug for FirebaseParameters {
    /// Without the signer key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FirebaseParameters")
            .field("rounds", &self.rounds)
            .field("mem_cost", &self.mem_cost)
            .finish_non_exhaustive()
    }
}

/// Takes the fields after `fbscrypt`.
pub(crate) fn read(fields: &[&str]) -> Result<ForeignHash, Fault> {
    let [params, salt, hash] = fields else {
        return Err(FORM.broken("number of fields"));
    };
    let names = ["v", "n", "r", "p", "ss", "sk"];
    let [
        Some("1"),
        Some(n),
        Some(r),
        Some("1"),
        Some(separator),
        Some(signer_key),
    ] = FORM.parameters(params, names)?
    else {
        return Err(FORM.broken("parameters"));
    };
    let costs = ScryptCosts {
        log_n: FORM.number("n", n)?,
        r: FORM.number("r", r)?,
        p: 1,
    };
    let mut salt = bytes("salt", salt, SALT)?;
    salt.extend(bytes("salt separator", separator, SEPARATOR)?);
    let signer_key = Zeroizing::new(bytes("signer key", signer_key, bounds::OUTPUT)?);
    let mut expected = bytes("hash", hash, signer_key.len()..=signer_key.len())?;
    // Counter mode adds a key stream. That is what is compared, and the signer key need not be kept.
    for (byte, key) in expected.iter_mut().zip(signer_key.iter()) {
        *byte ^= key;
    }
    let params = costs.params(FORM)?;
    Ok(ForeignHash {
        form: FORM,
        derivation: Derivation::Firebase { params, salt },
        expected,
    })
}

/// Firebase's interfaces write base64 for URLs, its command plain base64.
fn bytes(part: &'static str, text: &str, lengths: RangeInclusive<usize>) -> Result<Vec<u8>, Fault> {
    let text = text.replace('-', "+").replace('_', "/");
    FORM.bytes(part, &text, lengths)
}
