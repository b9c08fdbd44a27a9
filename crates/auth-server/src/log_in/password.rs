//! Passwords and their hashes: Argon2id in PHC form.
//!
//! Knows no users, no threads and no HTTP; [`crate::log_in`] says when a password is hashed. Parameters: 19 MiB,
//! t=2, p=1, from OWASP's Password Storage Cheat Sheet.
//!
//! The work is done by `argon2-rust`, in half the time; strings and parameters are the affair of `argon2`, and at every
//! start the two must agree.

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Params, Version};
use argon2_rust::params::Memory as Size;
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use foreign_hash::ForeignHash;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::spelling;
use crate::strength::Weak;

const OUTPUT: usize = 32;

/// Characters (not bytes) that a password has at least and at most.
const LENGTH: std::ops::RangeInclusive<usize> = 8..=256;

/// A password as it came from a client. No `Debug`, and wiped when dropped.
#[derive(Clone)]
pub struct Password {
    /// In the one spelling in which passwords are hashed.
    spelled: Zeroizing<String>,
    /// As it came, if that is another spelling: earlier versions hashed that.
    as_sent: Option<Zeroizing<String>>,
}

impl Password {
    /// Takes any text; see [`Self::is_acceptable`] for what a new password must be.
    #[must_use]
    pub fn new(text: String) -> Self {
        let text = Zeroizing::new(text);
        let spelled = spelling::password(&text);
        let as_sent = (*text != *spelled).then_some(text);
        Self { spelled, as_sent }
    }

    /// The one in which passwords are hashed, and as it was typed if that is another.
    fn spellings(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.spelled)
            .chain(&self.as_sent)
            .map(|text| text.as_str())
    }

    /// In the one spelling in which passwords are hashed.
    #[must_use]
    pub(super) fn text(&self) -> &str {
        &self.spelled
    }

    /// May it be set? Long enough and short enough, counted in characters of the one spelling; without control
    /// characters (RFC 8265 §4.2.2), which no keyboard types twice alike. Else any Unicode, and nothing is cut off.
    #[must_use]
    pub fn is_acceptable(&self) -> bool {
        LENGTH.contains(&self.spelled.chars().count())
            && !self.spelled.chars().any(char::is_control)
    }
}

/// Why there is no hash and no verdict.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// The queue is full.
    #[error("too many passwords are being checked")]
    Busy,
    /// Who asks has more waiting than one may have.
    #[error("too many passwords of one account or address are being checked")]
    Crowded,
    /// A new password that is not taken.
    #[error("{0}")]
    Weak(Weak),
    /// The file of leaked passwords cannot be read.
    #[error("BREACHED_PASSWORDS_FILE: {0}")]
    Breached(std::io::Error),
    /// The threads are gone, or a stored hash is not one.
    #[error("password hash: {0}")]
    Failed(&'static str),
}

/// Whether a password fits a stored hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It does not.
    Wrong,
    /// It does.
    Fits,
    /// It does, and the hash is to be replaced: another system made it, or it has other parameters than today's.
    FitsForeign,
}

fn parameters() -> Result<Params, PasswordError> {
    Params::new(19 * 1024, 2, 1, Some(OUTPUT)).map_err(|_| PasswordError::Failed("parameters"))
}

fn derive(
    password: &str,
    salt: &[u8],
    params: &Params,
    memory: &mut Memory,
) -> Result<[u8; OUTPUT], PasswordError> {
    let failed = |_| PasswordError::Failed("argon2");
    let params = argon2_rust::Params::builder()
        .memory(Size::kib(u64::from(params.m_cost())))
        .passes(params.t_cost())
        .lanes(params.p_cost())
        .build()
        .map_err(failed)?;
    let argon2 = argon2_rust::Argon2::new(
        argon2_rust::Algorithm::Argon2id,
        argon2_rust::Version::V0x13,
        params,
    );
    let hasher = memory.0.get_or_insert_with(|| argon2.hasher());
    hasher.set_argon2(argon2);
    let mut output = [0; OUTPUT];
    hasher
        .hash_into(password.as_bytes(), salt, &mut output)
        .map_err(failed)?;
    Ok(output)
}

/// The memory that a thread hashes in, one hash after the other: a fresh 19 MiB each time would cost almost as much as
/// the hash.
#[derive(Default)]
pub(crate) struct Memory(Option<argon2_rust::Hasher>);

/// Compares the two libraries on a small hash of something random: which instructions are used is decided on this
/// machine, and what it miscomputed would be stored.
pub(crate) fn self_test() -> Result<(), PasswordError> {
    let failed = |_| PasswordError::Failed("self test");
    let (password, salt): ([u8; 16], [u8; 16]) = (rand::random(), rand::random());
    let password = STANDARD_NO_PAD.encode(password);
    let params = Params::new(64, 2, 1, Some(OUTPUT)).map_err(failed)?;
    let ours = derive(&password, &salt, &params, &mut Memory::default())?;
    let mut theirs = [0; OUTPUT];
    argon2::Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(password.as_bytes(), &salt, &mut theirs)
        .map_err(failed)?;
    if ours == theirs {
        Ok(())
    } else {
        Err(PasswordError::Failed(
            "this processor computes Argon2 wrongly",
        ))
    }
}

pub(crate) fn hash(password: &Password, memory: &mut Memory) -> Result<String, PasswordError> {
    let salt: [u8; 16] = rand::random();
    let params = parameters()?;
    let written = (ParamsString::try_from(&params).ok(), Salt::new(&salt).ok());
    let output = derive(&password.spelled, &salt, &params, memory)?;
    let (Some(params), Some(salt), Ok(output)) = (written.0, written.1, Output::new(&output))
    else {
        return Err(PasswordError::Failed("it cannot be written"));
    };
    // The PHC string format, so that any Argon2 library can read what we stored.
    let phc = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params,
        salt: Some(salt),
        hash: Some(output),
    };
    Ok(phc.to_string())
}

pub(crate) fn verify(
    password: &Password,
    stored: &str,
    memory: &mut Memory,
) -> Result<Verdict, PasswordError> {
    let Some((params, salt, expected)) = ours(stored) else {
        return verify_foreign(password, stored);
    };
    // How many hashes it takes depends on what was sent alone: nothing tells a stored hash by the time. That a
    // password fits is told anyway.
    for spelling in password.spellings() {
        let output = derive(spelling, &salt, &params, memory)?;
        if output.ct_eq(&expected).into() {
            return Ok(Verdict::Fits);
        }
    }
    Ok(Verdict::Wrong)
}

/// Whether a hash is one of ours, and costs what ours cost.
pub(super) fn is_ours(stored: &str) -> bool {
    ours(stored).is_some()
}

/// Salt and output of a hash with today's parameters.
fn ours(stored: &str) -> Option<(Params, Vec<u8>, [u8; OUTPUT])> {
    let phc = PasswordHash::new(stored).ok()?;
    let params = Params::try_from(&phc).ok()?;
    let today = parameters().ok()?;
    let same = phc.algorithm.as_str() == "argon2id"
        && phc.version == Some(Version::V0x13.into())
        && (params.m_cost(), params.t_cost(), params.p_cost())
            == (today.m_cost(), today.t_cost(), today.p_cost());
    let (salt, output) = (phc.salt.as_ref()?, phc.hash.as_ref()?);
    let output = output.as_bytes().try_into().ok()?;
    same.then(|| (params, salt.as_ref().to_vec(), output))
}

fn verify_foreign(password: &Password, stored: &str) -> Result<Verdict, PasswordError> {
    let hash = ForeignHash::parse(stored)
        .map_err(|_| PasswordError::Failed("the stored hash is of no known form"))?;
    // As it was typed: so others hashed it. Once, for it may cost a second.
    let typed = password.as_sent.as_ref().unwrap_or(&password.spelled);
    Ok(if hash.verify(typed) {
        Verdict::FitsForeign
    } else {
        Verdict::Wrong
    })
}

/// Whether passwords can be checked against a hash that is to be stored.
///
/// # Errors
/// What is wrong with it, without the hash.
pub(crate) fn check_stored(hash: &str) -> Result<(), foreign_hash::Fault> {
    if ours(hash).is_some() {
        return Ok(());
    }
    ForeignHash::parse(hash).map(drop)
}

impl From<PasswordError> for Error {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::Busy => Self::Busy,
            // A place is free in a moment.
            PasswordError::Crowded => Self::TooManyAttempts(1),
            PasswordError::Weak(weak) => Self::WeakPassword(weak),
            PasswordError::Breached(_) => Self::Internal(error.to_string()),
            PasswordError::Failed(why) => Self::Internal(format!("password hash: {why}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Password {
        Password::new(text.into())
    }

    fn fits(password: &Password, stored: &str, memory: &mut Memory) -> bool {
        verify(password, stored, memory).unwrap() == Verdict::Fits
    }

    #[test]
    fn length_is_counted_in_characters() {
        for (text, fine) in [
            ("1234567", false),
            ("12345678", true),
            ("王王王王王王王王", true),
        ] {
            assert_eq!(password(text).is_acceptable(), fine);
        }
        assert!(
            password(&"e\u{301}".repeat(256)).is_acceptable(),
            "composed"
        );
        assert!(!password(&"e\u{301}".repeat(7)).is_acceptable());
        assert!(password(&"é".repeat(256)).is_acceptable());
        assert!(!password(&"é".repeat(257)).is_acceptable());
    }

    #[test]
    fn control_characters_are_not_set() {
        for bad in [
            "nul\0within it",
            "a tab\tin it",
            "a line\nin it",
            "escape \u{1b}[0m",
            "\u{85}2345678",
        ] {
            assert!(!password(bad).is_acceptable(), "{bad:?}");
        }
    }

    #[test]
    fn a_password_fits_in_any_spelling_and_an_old_hash_in_its_own() {
        let memory = &mut Memory::default();
        let (composed, decomposed) = ("Straße zum Café", "Straße zum Cafe\u{301}");
        for set in [composed, decomposed] {
            let stored = hash(&password(set), memory).unwrap();
            for typed in [composed, decomposed, "Straße\u{a0}zum\u{3000}Café"] {
                assert!(fits(&password(typed), &stored, memory), "{set} {typed}");
            }
            for other in [
                "Strasse zum Café",
                "Straße zum Cafe",
                "straße zum Café",
                "Straße zum Café ",
            ] {
                assert!(!fits(&password(other), &stored, memory), "{other}");
            }
        }
        // As an earlier version stored it, in whatever spelling it was sent.
        for set in [composed, decomposed, "tab\tand\u{a0}blank"] {
            let old = Password {
                spelled: Zeroizing::new(set.to_owned()),
                as_sent: None,
            };
            let stored = hash(&old, memory).unwrap();
            assert!(fits(&password(set), &stored, memory), "{set:?}");
        }
    }
}
