//! Passwords and their hashes: Argon2id in PHC form.
//!
//! Knows no users, no threads and no HTTP; [`crate::log_in`] says when a password is hashed. Parameters: 19 MiB,
//! t=2, p=1, from OWASP's Password Storage Cheat Sheet.

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Block, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

const OUTPUT: usize = 32;

/// Characters (not bytes) that a password has at least and at most.
const LENGTH: std::ops::RangeInclusive<usize> = 8..=256;

/// A password as it came from a client. No `Debug`, and wiped when dropped.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

impl Password {
    /// Takes any text; see [`Self::is_acceptable`] for what a new password must be.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// Is it long enough, and short enough, to be set? Counted in characters, any Unicode, nothing cut off.
    #[must_use]
    pub fn is_acceptable(&self) -> bool {
        LENGTH.contains(&self.0.chars().count())
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
    /// The threads are gone, or a stored hash is not one.
    #[error("password hash: {0}")]
    Failed(&'static str),
}

fn parameters() -> Result<Params, PasswordError> {
    Params::new(19 * 1024, 2, 1, Some(OUTPUT)).map_err(|_| PasswordError::Failed("parameters"))
}

fn derive(
    password: &Password,
    salt: &[u8],
    params: Params,
    memory: &mut Vec<Block>,
) -> Result<[u8; OUTPUT], PasswordError> {
    memory.resize(params.block_count(), Block::default());
    let mut output = [0; OUTPUT];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into_with_memory(
            password.0.as_bytes(),
            salt,
            &mut output,
            memory.as_mut_slice(),
        )
        .map_err(|_| PasswordError::Failed("argon2"))?;
    Ok(output)
}

pub(crate) fn hash(password: &Password, memory: &mut Vec<Block>) -> Result<String, PasswordError> {
    let salt: [u8; 16] = rand::random();
    let params = parameters()?;
    let (m, t, p) = (params.m_cost(), params.t_cost(), params.p_cost());
    let output = derive(password, &salt, params, memory)?;
    // The PHC string format, so that any Argon2 library can read what we stored.
    let (salt, output) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(output));
    Ok(format!("$argon2id$v=19$m={m},t={t},p={p}${salt}${output}"))
}

pub(crate) fn verify(
    password: &Password,
    stored: &str,
    memory: &mut Vec<Block>,
) -> Result<bool, PasswordError> {
    let broken = PasswordError::Failed("the stored hash is no Argon2id PHC string");
    let Ok(phc) = PasswordHash::new(stored) else {
        return Err(broken);
    };
    let (Ok(params), Some(salt), Some(expected)) =
        (Params::try_from(&phc), phc.salt.as_ref(), phc.hash.as_ref())
    else {
        return Err(broken);
    };
    if phc.algorithm.as_str() != "argon2id" || expected.as_bytes().len() != OUTPUT {
        return Err(broken);
    }
    let output = derive(password, salt.as_ref(), params, memory)?;
    Ok(output.ct_eq(expected.as_bytes()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Password {
        Password::new(text.into())
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
        assert!(password(&"é".repeat(256)).is_acceptable());
        assert!(!password(&"é".repeat(257)).is_acceptable());
    }
}
